// The offset between this page's clock and the vehicle's, from NTP-style exchanges: the same estimate as
// protocol/src/clock.rs. Times are microseconds.

const WINDOW_US = 10_000_000;
// Tolerance of either clock, parts per million.
const DRIFT_PPM = 250;
const ROUNDING_US = 10;
// From this on a difference of wall clocks is worth a warning.
const NOTABLE_MS = 1000;

/** @type {(e: Exchange, now: number) => number} */
const spread = (e, now) => e.roundTrip / 2 + ((Math.max(0, now - e.at) + e.roundTrip) * 2 * DRIFT_PPM) / 1e6;

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
    const exchange = { at: t4, offset: (t2 - t1 + (t3 - t4)) / 2, roundTrip };
    // What cannot be true together with what was before says that a clock was set.
    const before = this.estimate(t4);
    if (before && Math.abs(before.offsetUs - exchange.offset) - before.uncertaintyUs - spread(exchange, t4) > ROUNDING_US) this.#window = [];
    this.#window.push(exchange);
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
      const width = spread(e, now);
      if (width < least) [best, least] = [e, width];
    }
    return best && { offsetUs: best.offset, uncertaintyUs: least, roundTripUs: best.roundTrip };
  }
}

/**
 * The vehicle's wall clock minus this page's, by what the vehicle told of it and an estimate of its monotonic clock; or null.
 * @param {import("./messages.js").WallClock | undefined} told
 * @param {Clock | null} clock
 */
export function wallDifference(told, clock, now = nowUs(), unixMs = Date.now()) {
  if (!told || !clock) return null;
  const vehicleMs = (told.unix_us + (now + clock.offsetUs - told.monotonic_us)) / 1000;
  return { ahead_ms: vehicleMs - unixMs, uncertainty_ms: clock.uncertaintyUs / 1000 };
}

/** @param {number} ms */
function span(ms) {
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60), hours = Math.floor(whole / 3600);
  if (hours === 0) return `${minutes} min ${whole % 60} s`;
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * A difference that people should know in words, as in protocol/src/wall.rs; else null.
 * @param {import("./messages.js").ClockDifference | null | undefined} difference
 * @param {string} other
 */
export function wallWarning(difference, other) {
  if (!difference) return null;
  const { ahead_ms, uncertainty_ms } = difference;
  if (!(Math.abs(ahead_ms) >= NOTABLE_MS && Math.abs(ahead_ms) > uncertainty_ms)) return null;
  return `the vehicle's clock is ${span(Math.abs(ahead_ms))} ${ahead_ms < 0 ? "behind" : "ahead of"} ${other}'s`;
}

/**
 * What a person at this page should know of the vehicle's wall clock: a list of sentences.
 * @param {import("./messages.js").WallClock | undefined} told
 * @param {Clock | null} clock
 */
export function wallWarnings(told, clock) {
  return [wallWarning(told?.control_plane, "the control plane"), wallWarning(wallDifference(told, clock), "this seat")].filter((words) => words !== null);
}
