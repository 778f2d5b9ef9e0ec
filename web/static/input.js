// Keyboard and gamepads as driving devices, with the native console's keys. Nothing counts as held when the page is hidden or has
// lost the focus: a key that is released elsewhere is never heard of. The emergency stop alone stands under no condition.

import { NEUTRAL } from "./mapping.js";
import { Pads } from "./pads.js";
import { part } from "./parts.js";
import { StopKeys, isStopKey, isTextField } from "./stop.js";
import { Wheel } from "./wheel.js";

/** @typedef {import("./pads.js").Press} Press */

/** @type {Record<string, string>} */
const HELD = {
  KeyW: "accelerate", ArrowUp: "accelerate", KeyS: "brake", ArrowDown: "brake", KeyA: "left", ArrowLeft: "left",
  KeyD: "right", ArrowRight: "right", ShiftLeft: "deadman", ShiftRight: "deadman", KeyR: "reset",
};
/** @type {Record<string, Press>} */
const PRESSED = {
  KeyT: "takeover", KeyY: "takeover_safety", KeyH: "hand_back", KeyG: "engage", KeyB: "bookmark", KeyQ: "assist", KeyX: "decline",
  KeyF: "send_path", ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [`Digit${n}`, /** @type {Press} */ (`path_${n}`)])),
};
const KEYBOARD = "keyboard";
/** @param {Press} action */
const isStop = (action) => action === "estop";

/**
 * What the person does now.
 * @typedef {object} Sample
 * @property {"keyboard" | "gamepad"} device where `drive` comes from
 * @property {import("./mapping.js").Drive} drive
 * @property {boolean} deadman
 * @property {boolean} reset held to release the emergency stop
 * @property {Press[]} pressed since the last sample
 * @property {string | null} pad the gamepad in use, else the first that could be
 */

export class Input {
  /** @type {Set<string>} */
  #held = new Set();
  /** @type {Press[]} */
  #pressed = [];
  #stopKeys = new StopKeys();
  #pads = new Pads();
  #wheel = new Wheel(KEYBOARD);
  #clickReset = false;

  constructor() {
    // While capturing: nothing in the page can take a key before the emergency stop has seen it.
    addEventListener("keydown", (e) => this.#key(e, true), true);
    addEventListener("keyup", (e) => this.#key(e, false), true);
    addEventListener("blur", () => this.#letGo());
    addEventListener("focusin", (e) => isTextField(e.target) && this.#letGo());
    document.addEventListener("visibilitychange", () => this.#letGo());
  }

  /**
   * @param {KeyboardEvent} event
   * @param {boolean} down
   */
  #key(event, down) {
    const writes = isTextField(event.target);
    if (isStopKey(event)) {
      // A focused button must not fire by the space bar, nor the page scroll.
      if (!writes) event.preventDefault();
      if (this.#stopKeys.pressed(event)) this.#pressed.push("estop");
      return;
    }
    if (!down) this.#held.delete(event.code);
    if (event.ctrlKey || event.altKey || event.metaKey) return this.#letGoOfKeys();
    if (writes) return;
    const pressed = PRESSED[event.code];
    if (!HELD[event.code] && !pressed) return;
    event.preventDefault();
    // A key that repeats was pressed before: unless it is held already, it was let go in the meantime.
    if (!down || event.repeat) return;
    if (HELD[event.code]) this.#held.add(event.code);
    else this.#pressed.push(pressed);
  }

  #letGoOfKeys() {
    this.#held.clear();
    this.#clickReset = false;
  }

  #letGo() {
    this.#letGoOfKeys();
    this.#stopKeys.letGo();
  }

  /** A button of the page was pressed. @param {Press} action */
  press(action) {
    this.#pressed.push(action);
  }

  /** The page's reset button is held or let go. @param {boolean} held */
  holdReset(held) {
    this.#clickReset = held;
  }

  /** Whether the page has the person's attention; without it no input but the emergency stop counts. */
  get attended() {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  /** @returns {Sample} */
  sample() {
    const attended = this.attended;
    if (!attended) this.#letGoOfKeys();
    const pressed = this.#pressed.splice(0);
    const keys = this.#keys();
    /** @type {import("./pads.js").Pad[]} */
    let pads = [];
    // The keyboard works whatever the browser makes of its gamepads.
    part("gamepads", () => {
      pads = this.#pads.sample();
    });
    if (pads.some((pad) => pad.pressed.includes("estop"))) pressed.push("estop");
    const drivers = pads.filter((pad) => pad.drives);
    const hands = [keys, ...drivers].map(({ key, deadman, pressed }) => ({ key, deadman, used: pressed.length > 0 }));
    const deadman = this.#wheel.sample(hands, attended);
    const pad = drivers.find(({ key }) => key === this.#wheel.key);
    const name = (pad ?? drivers[0])?.name ?? null;
    if (!attended) return { device: pad ? "gamepad" : "keyboard", drive: NEUTRAL, deadman, reset: false, pressed: pressed.filter(isStop), pad: name };
    pressed.push(...(pad?.pressed ?? []).filter((action) => !isStop(action)));
    const reset = [keys, ...drivers].some((device) => device.reset);
    return { device: pad ? "gamepad" : "keyboard", drive: (pad ?? keys).drive, deadman, reset, pressed, pad: name };
  }

  #keys() {
    const names = new Set([...this.#held].map((code) => HELD[code]));
    /** @param {string} name */
    const share = (name) => (names.has(name) ? 1 : 0);
    return {
      key: KEYBOARD, pressed: /** @type {Press[]} */ ([]),
      drive: { accelerate: share("accelerate"), brake: share("brake"), steer: share("left") - share("right") },
      deadman: names.has("deadman"), reset: names.has("reset") || this.#clickReset,
    };
  }
}
