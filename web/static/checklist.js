// What must hold before a person may take over, each point with its reason: the native console's list.

const STATE_FRESH_US = 300_000;
const CLOCK_GOOD_US = 100_000;
const ms = (us) => `${Math.round(us / 1000)} ms`;

/** The list in the order in which a person can act on it: { name, passed, why }. */
export function checklist(facts) {
  const check = (name, passed, why) => ({ name, passed: Boolean(passed), why: passed ? "" : why });
  const { stateAge, stale, uncertainty } = facts;
  return [
    check("connected", facts.connected, "no session with the vehicle"),
    check("state fresh", stateAge !== null && stateAge <= STATE_FRESH_US, stateAge === null ? "none received" : `${ms(stateAge)} old`),
    check("picture live", facts.hasPicture && stale === null, stale === null ? "no picture yet" : `stale for ${ms(stale)}`),
    check("clocks agree", uncertainty !== null && uncertainty <= CLOCK_GOOD_US, uncertainty === null ? "not yet synchronised" : `only to ${ms(uncertainty)}`),
    check("controls fit", !facts.undrivable, facts.undrivable),
    check("emergency stop clear", !facts.estopped, "release it first: hold R for 3 s"),
    check("authority free", !facts.otherSeat, `seat ${facts.otherSeat} drives`),
    check("pedals and stick neutral", facts.neutral, "let go of pedals and stick"),
    check("deadman held", facts.deadman, "hold Shift or a shoulder button"),
  ];
}

/** The failed points in one line; "" when all passed. */
export function failures(list) {
  return list.filter((c) => !c.passed).map((c) => `${c.name} (${c.why})`).join(", ");
}
