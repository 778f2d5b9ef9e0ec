// The emergency stop as the seat sees it: pressed, sent until the vehicle acknowledges, released by a long hold. The same
// rules as the native console's. Times are microseconds.

const RESET_HOLD_US = 3_000_000;
const RESEND_US = 200_000;
// A reset that is held is told the vehicle this often, which measures the hold for itself.
const HOLD_US = 200_000;
// Statements of the vehicle that are still under way when it answers say nothing about the answer.
const SETTLE_US = 500_000;

/**
 * What to send: the stop, or its release with how long it was held; `holding` while that is not long enough.
 * @typedef {{ estop: {}, estop_reset?: undefined, holding?: undefined }
 *   | { estop?: undefined, estop_reset: { held_ms: number }, holding: boolean }} EstopSend
 */

export class Estop {
  /**
   * "sent": pressed here, the vehicle has not answered.
   * @type {"clear" | "sent" | "latched"}
   */
  phase = "clear";
  sends = 0;
  /** @type {number | null} */
  #sentAt = null;
  /** @type {number | null} */
  #acknowledgedAt = null;
  /** @type {number | null} */
  #holdSince = null;
  #resetSent = false;
  /** @type {number | null} */
  #heldAt = null;

  /** One press; a second one while the first is under way or latched changes nothing. */
  press() {
    if (this.phase !== "clear") return;
    Object.assign(this, { phase: "sent", sends: 0 });
    this.#sentAt = null;
  }

  /** @param {number} now */
  acknowledged(now) {
    this.phase = "latched";
    this.#acknowledgedAt = now;
  }

  /**
   * The vehicle's statement about its latch.
   * @param {number} now
   * @param {boolean} latched
   */
  onLatch(now, latched) {
    if (latched) this.phase = "latched";
    else if (this.phase === "latched" && (this.#acknowledgedAt === null || now - this.#acknowledgedAt > SETTLE_US)) {
      this.phase = "clear";
      this.#acknowledgedAt = null;
    }
  }

  /** Share of the reset hold that is done, 0 to 1. @param {number} now */
  progress(now) {
    return this.#holdSince === null ? 0 : Math.min(1, (now - this.#holdSince) / RESET_HOLD_US);
  }

  /**
   * What to send now.
   * @param {number} now
   * @param {boolean} resetHeld
   * @param {boolean} connected
   * @returns {EstopSend | null}
   */
  tick(now, resetHeld, connected) {
    if (resetHeld && this.phase === "latched") this.#holdSince ??= now;
    else {
      this.#holdSince = null;
      this.#resetSent = false;
      this.#heldAt = null;
    }
    if (!connected) return null;
    if (this.phase === "sent" && (this.#sentAt === null || now - this.#sentAt >= RESEND_US)) {
      this.#sentAt = now;
      this.sends += 1;
      return { estop: {} };
    }
    if (this.phase !== "latched" || this.#holdSince === null || this.#resetSent) return null;
    const estop_reset = { held_ms: Math.floor((now - this.#holdSince) / 1000) };
    if (now - this.#holdSince >= RESET_HOLD_US) {
      this.#resetSent = true;
      return { estop_reset, holding: false };
    }
    if (this.#heldAt !== null && now - this.#heldAt < HOLD_US) return null;
    this.#heldAt = now;
    return { estop_reset, holding: true };
  }
}
