// Who drives, as a seat may believe it: the newest statement of the vehicle, since datagrams overtake each other.

import { words } from "./dom.js";
import { AUTHORS, MODES } from "./labels.js";

/** @typedef {import("./messages.js").AuthorityState} AuthorityState */

/** @type {(a: AuthorityState, b: AuthorityState) => boolean} */
const newerThan = (a, b) => a.epoch > b.epoch || (a.epoch === b.epoch && a.monotonic_us >= b.monotonic_us);
/** @param {AuthorityState} state */
export const modeOf = (state) => MODES[state.mode] ?? "unknown";
/** @param {AuthorityState} state */
export const authorOf = (state) => AUTHORS[state.author] ?? "unknown";

// A car that is faster does not stand: it rounds to a speed that people read.
const STOPPED_MPS = 0.14;

/**
 * Whether a vehicle is on its way to a stop: its mode is "stopped" from the beginning of the manoeuvre.
 * @param {string} mode
 * @param {number | null | undefined} speed metres a second
 */
export const isStopping = (mode, speed) => mode === "stopped" && Math.abs(speed ?? 0) > STOPPED_MPS;

/** The mode for people. @type {(mode: string, speed: number | null | undefined) => string} */
export const modeWords = (mode, speed) => (isStopping(mode, speed) ? "stopping" : words(mode));

export class Authority {
  /** @type {AuthorityState | null} */
  latest = null;

  /** @param {string} me this seat */
  constructor(me) {
    this.me = me;
  }

  /** Takes `state` unless a newer one is known; true when it was taken. @param {AuthorityState} state */
  take(state) {
    const newer = !this.latest || newerThan(state, this.latest);
    if (newer) this.latest = state;
    return newer;
  }

  forget() {
    this.latest = null;
  }

  /** Fencing token to send commands with; 0 before the vehicle said any. */
  get epoch() {
    return this.latest?.epoch ?? 0;
  }

  /** Whether the vehicle considers commands of this seat: from the grant on, before the first has arrived. */
  get granted() {
    const s = this.latest;
    return Boolean(s && s.seat_id === this.me && (s.lease_left_ms > 0 || authorOf(s) === "operator") && !s.estop_latched);
  }

  /** @returns {"me" | "other" | "policy" | "fallback" | "stopped" | "unknown"} */
  get holder() {
    const s = this.latest;
    if (!s) return "unknown";
    const author = authorOf(s);
    if (author === "operator") return s.seat_id === this.me ? "me" : "other";
    if (modeOf(s) === "stopped") return "stopped";
    return author === "policy" || author === "fallback" ? author : "unknown";
  }
}
