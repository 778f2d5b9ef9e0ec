// The banner: who drives, in words, colour and shape; the order is by urgency.

import { REASONS } from "./labels.js";

/**
 * What the banner says of a driver; `status` says what the connection does while there is no session.
 * @param {import("./driver.js").Driver} driver
 * @param {string} status
 * @returns {{ kind: string, title: string, detail: string }}
 */
export function banner(driver, status) {
  const { estop, authority, connected, holder } = driver;
  /** @type {(kind: string, title: string, detail: string) => { kind: string, title: string, detail: string }} */
  const is = (kind, title, detail) => ({ kind, title, detail });
  if (estop.phase === "sent") {
    const detail = estop.sends === 0 ? "there is no link to send it on: it goes out first thing" : "not yet acknowledged by the vehicle";
    return is("estop", estop.sends === 0 ? "EMERGENCY STOP PRESSED" : "EMERGENCY STOP SENT", detail);
  }
  if (!connected) return is("nobody", "NOT CONNECTED", status);
  if (estop.phase === "latched") return is("estop", "EMERGENCY STOP", "acknowledged by the vehicle; hold R for 3 s to release");
  const reason = REASONS[authority.latest?.reason ?? -1] ?? "";
  const because = reason ? `${reason}; ` : "";
  switch (holder) {
    case "me":
      return driver.sample.deadman
        ? is("me", "YOU DRIVE", "H hands back")
        : is("alarm", "YOU DRIVE: DEADMAN RELEASED", "hold Shift or a shoulder button");
    case "other": return is("other", "ANOTHER SEAT DRIVES", authority.latest?.seat_id ?? "");
    case "policy":
      return driver.mode === "assist"
        ? is("policy", "POLICY DRIVES, YOU ASSIST", "it asks when it cannot go on; T takes over, Q ends the questions")
        : is("policy", "POLICY DRIVES", "T takes over, Q lets it ask");
    case "fallback": return is("fallback", "VEHICLE STOPS ITSELF", `${because}T takes over`);
    case "stopped": return is("stopped", "STOPPED", `${because}G lets the policy drive, T takes over`);
    default: return is("nobody", "CONNECTED", "the vehicle has not said who drives");
  }
}
