// Which device is at the wheel. The one whose deadman was pressed while no other's was held takes it, and keeps it until it lets
// go: a second device cannot take it meanwhile, and one that held its deadman all along must press it again. With nothing held, the
// device whose button was pressed last is the one in use. The same rules as the native console's (input/wheel.rs).

/**
 * What the wheel has to know of a device.
 * @typedef {object} Hands
 * @property {string} key
 * @property {boolean} deadman held now
 * @property {boolean} used something else was pressed on it since the last look
 */

export class Wheel {
  /** Whether each device's deadman was down, by its key. @type {Map<string, boolean>} */
  #down = new Map();
  /** The device whose deadman counts. @type {string | null} */
  #holds = null;
  /** The device in use. */
  key;

  /** @param {string} first the device in use before any was touched */
  constructor(first) {
    this.key = first;
  }

  /**
   * Takes what the devices say, in order of rank; whether the device in use holds its deadman. Without the person's attention
   * nothing is held, and what is down then must be pressed anew.
   * @param {readonly Hands[]} devices
   * @param {boolean} attended
   */
  sample(devices, attended) {
    // One that is down when its device appears was not pressed.
    const pressed = devices.filter(({ key, deadman }) => deadman && this.#down.get(key) === false);
    this.#down = new Map(devices.map(({ key, deadman }) => [key, deadman]));
    const held = this.#holds;
    if (held !== null && attended && this.#down.get(held)) return true;
    this.#holds = null;
    // Between two hands the wheel is let go of: whoever takes it is told apart from who had it.
    if (held !== null || !attended) return false;
    const taken = pressed[0] ?? devices.find(({ used }) => used);
    if (taken) this.key = taken.key;
    if (pressed.length > 0) this.#holds = this.key;
    return this.#holds !== null;
  }
}
