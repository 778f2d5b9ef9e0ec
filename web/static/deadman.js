// Whether a person holds the deadman, from what their device says. It is held only after it was seen released: one that is
// tied down, or was down when the device appeared or the page hung, holds nothing. The same rules as the console's;
// deadman.txt holds both to the same cases.

// A page that did not look at its devices for longer has no deadman any more, microseconds.
const STALE_US = 1_000_000;
// A release counts at least so long: longer than the vehicle waits for a command, so that no loss hides it.
const RELEASED_US = 250_000;

export class Deadman {
  /** @type {number | null} */
  #sampledUs = null;
  #mayHold = false;
  /** @type {number | null} */
  #releasedUs = null;
  held = false;

  /**
   * What the device says at `nowUs`; whether the deadman counts as held.
   * @param {number} nowUs
   * @param {boolean} pressed
   */
  sample(nowUs, pressed) {
    const stale = this.#sampledUs === null || nowUs < this.#sampledUs || nowUs - this.#sampledUs > STALE_US;
    this.#sampledUs = nowUs;
    this.#mayHold = (this.#mayHold && !stale) || !pressed;
    const refractory = this.#releasedUs !== null && nowUs >= this.#releasedUs && nowUs - this.#releasedUs < RELEASED_US;
    const held = pressed && this.#mayHold && !refractory;
    if (this.held && !held) this.#releasedUs = nowUs;
    this.held = held;
    return held;
  }
}
