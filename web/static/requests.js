// Requests under way and their answers. Times are microseconds.

// An answer that takes longer than this is reported as missing.
const TIMEOUT_US = 2_000_000;

/** What requests are called in front of the person. */
export const WORDS = /** @type {const} */ ({
  takeover: "take over", takeover_safety: "take over (safety)", hand_back: "hand back", engage: "engage",
  bookmark: "bookmark", estop: "emergency stop", estop_reset: "release of the emergency stop",
  assist: "questions", answer: "answer",
});

/**
 * @typedef {keyof typeof WORDS} Purpose
 * @typedef {Omit<import("./messages.js").SeatRequest, "id" | "seat_id">} RequestBody
 */

export class Requests {
  /** @type {Map<number, { purpose: Purpose, at: number }>} */
  #pending = new Map();

  /** Ids start at `first`, which must be above any that this seat used before. @param {number} first */
  constructor(first) {
    this.next = first;
  }

  /**
   * A new request for `purpose`.
   * @param {number} now
   * @param {Purpose} purpose
   * @param {RequestBody} body
   */
  issue(now, purpose, body) {
    const id = this.next++;
    this.#pending.set(id, { purpose, at: now });
    return { id, ...body };
  }

  /** A request whose answer nobody waits for. @param {RequestBody} body */
  aside(body) {
    return { id: this.next++, ...body };
  }

  /** @param {Purpose} purpose */
  awaits(purpose) {
    return [...this.#pending.values()].some((p) => p.purpose === purpose);
  }

  /** What an answer answers; null for one that was answered before or given up. @param {{ id: number }} answer */
  answered({ id }) {
    const found = this.#pending.get(id);
    this.#pending.delete(id);
    return found?.purpose ?? null;
  }

  /** Gives up requests whose answer is overdue, and says which. @param {number} now */
  overdue(now) {
    const late = [...this.#pending].filter(([, p]) => now - p.at > TIMEOUT_US);
    for (const [id] of late) this.#pending.delete(id);
    return late.map(([, p]) => p.purpose);
  }

  /** Forgets everything under way: nothing is asked again behind the person's back. */
  forget() {
    const purposes = [...this.#pending.values()].map((p) => p.purpose);
    this.#pending.clear();
    return purposes;
  }
}
