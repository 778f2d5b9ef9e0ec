// Gamepads and keys in front of the seat page's input, one case after the other: what each sample makes of them. A pad is
// { index, buttons pressed, axes, mapping }; the browser's list has a gap wherever none is given.

/**
 * @typedef {{ index: number, down?: number[], travel?: Record<number, number>, x?: number, mapping?: string, gone?: boolean }} Stub
 * @typedef {{ device: string, deadman: boolean, pressed: string[], accelerate: number, steer: number, pad: string | null }} Read
 */

/** @param {Stub} stub */
function pad({ index, down = [], travel = {}, x = 0, mapping = "standard", gone = false }) {
  const buttons = Array.from({ length: 17 }, (_, i) => ({ pressed: down.includes(i), touched: down.includes(i), value: travel[i] ?? (down.includes(i) ? 1 : 0) }));
  return { index, id: `pad ${index}`, mapping, connected: !gone, buttons, axes: [x, 0, 0, 0], timestamp: 0 };
}

/** @param {Stub[]} stubs */
function list(stubs) {
  const pads = Array.from({ length: Math.max(0, ...stubs.map((s) => s.index + 1)) }, () => /** @type {unknown} */ (null));
  for (const stub of stubs) pads[stub.index] = pad(stub);
  return pads;
}

/**
 * What the input reads of each step's pads, one sample a step.
 * @param {Stub[][]} steps
 * @returns {Promise<Read[]>}
 */
async function readPads(steps) {
  const { Input } = await import(/** @type {string} */ ("/static/input.js"));
  const input = new Input();
  return steps.map((stubs) => {
    Object.defineProperty(navigator, "getGamepads", { configurable: true, value: () => list(stubs) });
    const { device, deadman, pressed, drive, pad } = input.sample();
    return { device, deadman, pressed, accelerate: drive.accelerate, steer: drive.steer, pad };
  });
}

/** An input that hears the page's keys; `pressedKeys()` says what was asked since the last call. */
async function hearKeys() {
  const { Input } = await import(/** @type {string} */ ("/static/input.js"));
  const input = new Input();
  Object.assign(window, { input, pressedKeys: () => input.sample().pressed });
}

Object.assign(window, { readPads, hearKeys });
