// Keyboard and gamepad as driving devices, with the native console's keys. Nothing counts as held when the page is
// hidden or has lost the focus: a key that is released elsewhere is never heard of.

import { NEUTRAL } from "./mapping.js";

const HELD = {
  KeyW: "accelerate", ArrowUp: "accelerate", KeyS: "brake", ArrowDown: "brake", KeyA: "left", ArrowLeft: "left",
  KeyD: "right", ArrowRight: "right", ShiftLeft: "deadman", ShiftRight: "deadman", KeyR: "reset",
};
const PRESSED = {
  Space: "estop", Backspace: "estop", KeyT: "takeover", KeyY: "takeover_safety", KeyH: "hand_back", KeyG: "engage",
  KeyB: "bookmark", KeyQ: "assist", KeyX: "decline", KeyF: "send_path",
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [`Digit${n}`, `path_${n}`])),
};
// Standard gamepad: south, east, west, north, select, start; up, down, left, right.
const BUTTONS = [
  [1, "estop"], [0, "takeover"], [3, "hand_back"], [2, "bookmark"], [9, "engage"],
  [12, "path_1"], [13, "decline"], [14, "path_3"], [15, "path_2"],
];
const SELECT = 8, SHOULDERS = [4, 5], TRIGGERS = { brake: 6, accelerate: 7 };
// Travel around the centre that is noise.
const DEAD_ZONE = 0.08;

const finite = (value) => (Number.isFinite(value) ? value : 0);
const beyond = (travel) => Math.min(Math.max((travel - DEAD_ZONE) / (1 - DEAD_ZONE), 0), 1);

function steeringCurve(travel) {
  const b = beyond(Math.abs(travel));
  return Math.sign(travel) * (0.5 * b + 0.5 * b ** 3);
}

export class Input {
  #held = new Set();
  #pressed = [];
  #pads = new Map();
  #clickReset = false;

  constructor(target = window) {
    target.addEventListener("keydown", (e) => this.#key(e, true));
    target.addEventListener("keyup", (e) => this.#key(e, false));
    target.addEventListener("blur", () => this.#letGo());
    target.addEventListener("gamepaddisconnected", (e) => this.#pads.delete(e.gamepad.index));
    document.addEventListener("visibilitychange", () => this.#letGo());
  }

  #key(event, down) {
    if (event.ctrlKey || event.altKey || event.metaKey) return this.#letGo();
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    const held = HELD[event.code], pressed = PRESSED[event.code];
    if (!held && !pressed) return;
    // A focused button must not fire by the space bar, nor the page scroll.
    event.preventDefault();
    if (held && down) this.#held.add(event.code);
    else if (held) this.#held.delete(event.code);
    else if (down && !event.repeat) this.#pressed.push(pressed);
  }

  #letGo() {
    this.#held.clear();
    this.#clickReset = false;
  }

  /** A button of the page was pressed. */
  press(action) {
    this.#pressed.push(action);
  }

  /** The page's reset button is held or let go. */
  holdReset(held) {
    this.#clickReset = held;
  }

  /** Whether the page has the person's attention; without it no input counts. */
  get attended() {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  /** What the person does now: { device, drive, deadman, reset, pressed, pad }. */
  sample() {
    const pressed = this.#pressed.splice(0);
    const pad = this.#pad(pressed);
    const keys = this.#keys();
    const chosen = pad && pad.deadman && !keys.deadman ? pad : keys;
    return { ...chosen, deadman: keys.deadman || Boolean(pad?.deadman), reset: keys.reset || Boolean(pad?.reset), pressed, pad: pad?.name ?? null };
  }

  #keys() {
    if (!this.attended) this.#letGo();
    const names = new Set([...this.#held].map((code) => HELD[code]));
    const share = (name) => (names.has(name) ? 1 : 0);
    return {
      device: "keyboard",
      drive: { accelerate: share("accelerate"), brake: share("brake"), steer: share("left") - share("right") },
      deadman: names.has("deadman"), reset: names.has("reset") || this.#clickReset,
    };
  }

  #pad(pressed) {
    const pad = [...(navigator.getGamepads?.() ?? [])].find((p) => p?.connected && p.mapping === "standard");
    if (!pad) return null;
    const down = (i) => Boolean(pad.buttons[i]?.pressed);
    const before = this.#pads.get(pad.index) ?? new Set();
    const now = new Set(BUTTONS.filter(([i]) => down(i)).map(([, action]) => action));
    this.#pads.set(pad.index, now);
    const idle = { name: pad.id, device: "gamepad", drive: NEUTRAL, deadman: false, reset: false };
    const fresh = [...now].filter((action) => !before.has(action));
    if (!this.attended) {
      // No condition stands before the emergency stop.
      pressed.push(...fresh.filter((action) => action === "estop"));
      return idle;
    }
    pressed.push(...fresh);
    return {
      ...idle,
      drive: {
        accelerate: beyond(finite(pad.buttons[TRIGGERS.accelerate]?.value)),
        brake: beyond(finite(pad.buttons[TRIGGERS.brake]?.value)),
        steer: -steeringCurve(finite(pad.axes[0])) || 0,
      },
      deadman: SHOULDERS.some(down), reset: down(SELECT),
    };
  }
}
