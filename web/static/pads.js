// Gamepads: what their buttons mean, and which presses are new. Every device that the browser lists is read, wherever it stands
// in the list and whenever it came; an emergency stop counts from each of them, whatever else is pressed.
//
// A standard pad: right trigger accelerates, left trigger brakes, left stick steers, either shoulder is the deadman; east stops,
// south takes over, north hands back, west bookmarks, start engages, select held releases the stop, the directional pad answers.
//
// Of any other device only the emergency stop is read, and it is its second and its third button: east is the one or the other
// in either numbering in use (Linux and XInput, DirectInput on pads with a circle), and such a device does nothing else here.

import { NEUTRAL } from "./mapping.js";

/** @type {readonly [number, Press][]} */
const BUTTONS = [
  [1, "estop"], [0, "takeover"], [3, "hand_back"], [2, "bookmark"], [9, "engage"],
  [12, "path_1"], [13, "decline"], [14, "path_3"], [15, "path_2"],
];
/** @type {readonly [number, Press][]} */
const OTHER_BUTTONS = [[1, "estop"], [2, "estop"]];
const SELECT = 8, SHOULDERS = [4, 5], TRIGGERS = { brake: 6, accelerate: 7 };
// Travel around the centre that is noise.
const DEAD_ZONE = 0.08;
// A button that tells only how far it is pressed counts from here on.
const PRESSED = 0.5;

/**
 * What a button or key asks once, when it is pressed.
 * @typedef {"estop" | "takeover" | "takeover_safety" | "hand_back" | "engage" | "bookmark" | "assist" | "decline" | "send_path"
 *   | `path_${number}`} Press
 */

/**
 * One pad as it stands, with what was pressed on it since the last look.
 * @typedef {object} Pad
 * @property {string} key which pad it is
 * @property {string} name
 * @property {boolean} drives whether its controls are known
 * @property {import("./mapping.js").Drive} drive
 * @property {boolean} deadman
 * @property {boolean} reset
 * @property {Press[]} pressed
 */

/** @param {unknown} value */
const finite = (value) => (typeof value === "number" && Number.isFinite(value) ? value : 0);
/** @param {number} travel */
const beyond = (travel) => Math.min(Math.max((travel - DEAD_ZONE) / (1 - DEAD_ZONE), 0), 1);

/** @param {number} travel */
function steeringCurve(travel) {
  const b = beyond(Math.abs(travel));
  return Math.sign(travel) * (0.5 * b + 0.5 * b ** 3);
}

export class Pads {
  /** Which presses each pad was making, by its key. @type {Map<string, Set<number>>} */
  #before = new Map();
  #refused = "";

  /** Every pad that is there now. @returns {Pad[]} */
  sample() {
    const pads = this.#list().map((pad) => this.#read(pad));
    const keys = new Set(pads.map(({ key }) => key));
    for (const gone of this.#before.keys()) if (!keys.has(gone)) this.#before.delete(gone);
    return pads;
  }

  /** The browser's pads without the gaps of its list; none where it lets the page see none. @returns {Gamepad[]} */
  #list() {
    try {
      const list = navigator.getGamepads ? [...navigator.getGamepads()] : [];
      return list.flatMap((pad) => (pad && pad.connected !== false ? [pad] : []));
    } catch (error) {
      const words = String(error);
      if (words !== this.#refused) reportError(error);
      this.#refused = words;
      return [];
    }
  }

  /**
   * @param {Gamepad} pad
   * @returns {Pad}
   */
  #read(pad) {
    const key = `pad ${pad.index} ${pad.id}`;
    const drives = pad.mapping === "standard";
    /** @param {number} i */
    const down = (i) => Boolean(pad.buttons?.[i]?.pressed) || finite(pad.buttons?.[i]?.value) > PRESSED;
    const meant = (drives ? BUTTONS : OTHER_BUTTONS).filter(([i]) => down(i));
    const before = this.#before.get(key);
    this.#before.set(key, new Set(meant.map(([i]) => i)));
    // Browsers hide a pad until something is pressed on it: what is down when it appears may be a press, and a stop always is.
    const fresh = meant.filter(([i, action]) => (before ? !before.has(i) : action === "estop"));
    return {
      key, name: pad.id || "gamepad", drives, pressed: fresh.map(([, action]) => action),
      drive: drives
        ? {
            accelerate: beyond(finite(pad.buttons?.[TRIGGERS.accelerate]?.value)),
            brake: beyond(finite(pad.buttons?.[TRIGGERS.brake]?.value)),
            steer: -steeringCurve(finite(pad.axes?.[0])) || 0,
          }
        : NEUTRAL,
      deadman: drives && SHOULDERS.some(down), reset: drives && down(SELECT),
    };
  }
}
