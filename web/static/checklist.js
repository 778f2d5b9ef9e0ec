// What must hold before a person may take over, each point with its reason: the native console's list.

const STATE_FRESH_US = 300_000;
const CLOCK_GOOD_US = 100_000;
/** @param {number} us */
const ms = (us) => `${Math.round(us / 1000)} ms`;

/**
 * @typedef {object} Facts times in microseconds
 * @property {boolean} connected
 * @property {number | null} stateAge
 * @property {boolean} hasPicture
 * @property {number | null} stale for how long the picture has not been live
 * @property {number | null} uncertainty of the clocks
 * @property {string} undrivable why the robot cannot be driven from here, or ""
 * @property {boolean} estopped
 * @property {string} otherSeat which drives, or ""
 * @property {boolean} neutral
 * @property {boolean} deadman
 *
 * @typedef {{ name: string, passed: boolean, why: string }} Check
 */

/**
 * The list in the order in which a person can act on it.
 * @param {Facts} facts
 * @returns {Check[]}
 */
export function checklist(facts) {
  /** @type {(name: string, passed: boolean, why: string) => Check} */
  const check = (name, passed, why) => ({ name, passed, why: passed ? "" : why });
  const { stateAge, stale, uncertainty } = facts;
  return [
    check("connected", facts.connected, "no session with the vehicle"),
    check("state fresh", stateAge !== null && stateAge <= STATE_FRESH_US, stateAge === null ? "none received" : `${ms(stateAge)} old`),
    check("picture live", facts.hasPicture && stale === null, stale === null ? "no picture yet" : `stale for ${ms(stale)}`),
    check("clocks agree", uncertainty !== null && uncertainty <= CLOCK_GOOD_US, uncertainty === null ? "not yet synchronised" : `only to ${ms(uncertainty)}`),
    check("controls fit", facts.undrivable === "", facts.undrivable),
    check("emergency stop clear", !facts.estopped, "release it first: hold R for 3 s"),
    check("authority free", facts.otherSeat === "", `seat ${facts.otherSeat} drives`),
    check("pedals and stick neutral", facts.neutral, "let go of pedals and stick"),
    check("deadman held", facts.deadman, "hold Shift or a shoulder button"),
  ];
}

/** The failed points in one line; "" when all passed. @param {readonly Check[]} list */
export function failures(list) {
  return list.filter((c) => !c.passed).map((c) => `${c.name} (${c.why})`).join(", ");
}
