// The offset between this page's clock and the vehicle's, from NTP-style exchanges: the same estimate as
// protocol/src/clock.rs. Times are microseconds.

const WINDOW_US = 10_000_000;
// Crystal tolerance of either clock, parts per million.
const DRIFT_PPM = 100;

/** The page's clock, microseconds since it was loaded. */
export const nowUs = () => Math.round(performance.now() * 1000);

/**
 * How the vehicle's clock stands to this page's: `remote = local + offsetUs`, true within `uncertaintyUs`.
 * @typedef {{ offsetUs: number, uncertaintyUs: number, roundTripUs: number }} Clock
 * @typedef {{ at: number, offset: number, roundTrip: number }} Exchange
 */

export class ClockEstimator {
  /** @type {Exchange[]} */
  #window = [];

  /**
   * One exchange: t1 and t4 by this clock at send and receive, t2 and t3 by the vehicle's.
   * @param {number} t1
   * @param {number} t2
   * @param {number} t3
   * @param {number} t4
   */
  add(t1, t2, t3, t4) {
    const roundTrip = t4 - t1 - (t3 - t2);
    if (roundTrip < 0 || t3 < t2 || t4 < t1) return;
    this.#window.push({ at: t4, offset: (t2 - t1 + (t3 - t4)) / 2, roundTrip });
    while (this.#window.length > 512 || this.#window[0].at + WINDOW_US < t4) this.#window.shift();
  }

  /**
   * Null before the first exchange.
   * @param {number} now
   * @returns {Clock | null}
   */
  estimate(now) {
    /** @type {Exchange | null} */
    let best = null;
    let least = Infinity;
    for (const e of this.#window) {
      const spread = e.roundTrip / 2 + (Math.max(0, now - e.at) * 2 * DRIFT_PPM) / 1e6;
      if (spread < least) [best, least] = [e, spread];
    }
    return best && { offsetUs: best.offset, uncertaintyUs: least, roundTripUs: best.roundTrip };
  }
}
