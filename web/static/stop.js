// The emergency stop by key, and from every device for a page that does not drive. No condition stands before it: not the focus,
// not what else is held, not the keyboard's layout.

import { Pads } from "./pads.js";

const LOOK_MS = 20;
const CODES = ["Space", "Backspace"];
const KEYS = [" ", "Backspace"];

/**
 * Whether a key event is one of the stop's keys. The place on the keyboard counts; a keyboard that tells none (some on screens do
 * not) is believed by what it types.
 * @param {KeyboardEvent} event
 */
export const isStopKey = ({ code, key }) => (code ? CODES.includes(code) : KEYS.includes(key));

/** Tells new presses of the stop's keys from a key that is held and repeats. */
export class StopKeys {
  /** @type {Set<string>} */
  #down = new Set();

  /** Whether this event is a press; one whose beginning was never heard of is. @param {KeyboardEvent} event */
  pressed(event) {
    if (!isStopKey(event)) return false;
    const name = event.code || event.key;
    if (event.type === "keyup") {
      this.#down.delete(name);
      return false;
    }
    const known = event.repeat && this.#down.has(name);
    this.#down.add(name);
    return !known;
  }

  /** The page lost the focus: what is released now is not heard of. */
  letGo() {
    this.#down.clear();
  }
}

/** Whether a person writes in `target`: their keys are text there, but for the stop. @param {EventTarget | null} target */
export function isTextField(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target instanceof HTMLInputElement);
}

/**
 * Calls `stop` whenever a person presses it on any device; returns a function that ends it.
 * @param {() => void} stop
 */
export function onStop(stop) {
  const keys = new StopKeys(), pads = new Pads();
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if (!isStopKey(event)) return;
    if (!isTextField(event.target)) event.preventDefault();
    if (keys.pressed(event)) stop();
  };
  const blur = () => keys.letGo();
  addEventListener("keydown", key, true);
  addEventListener("keyup", key, true);
  addEventListener("blur", blur);
  const looking = setInterval(() => {
    if (pads.sample().some((pad) => pad.pressed.includes("estop"))) stop();
  }, LOOK_MS);
  return () => {
    clearInterval(looking);
    removeEventListener("keydown", key, true);
    removeEventListener("keyup", key, true);
    removeEventListener("blur", blur);
  };
}
