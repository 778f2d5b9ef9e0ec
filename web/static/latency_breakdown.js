// The latency breakdown and the link's figures as rows for people: where each millisecond went.

import { wallWarnings } from "./clock.js";
import { AUTHORS } from "./labels.js";

/**
 * @typedef {import("./driver.js").Driver} Driver
 * @typedef {import("./picture.js").Picture} Picture
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {{ label: string, value: string, tone?: string }} Line
 */

/** @param {number} value */
const ms = (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
/** @type {(value: number | null | undefined, form: (value: number) => string) => string} */
const known = (value, form) => (value === null || value === undefined || !Number.isFinite(value) ? "–" : form(value));
/** @type {(value: number, attention: number, alarm: number) => string} */
const tone = (value, attention, alarm) => (value > alarm ? "alarm" : value > attention ? "attention" : "");
/** @param {number} bps */
const mega = (bps) => `${(bps / 1e6).toFixed(bps < 1e6 ? 2 : 1)} Mbit/s`;

/**
 * The ages that decide whether one may drive on this picture.
 * @param {Driver} driver
 * @param {Picture | undefined} picture
 * @param {Clock | null} clock
 * @param {number} now
 * @returns {Line[]}
 */
export function ages(driver, picture, clock, now) {
  const age = picture?.age() ?? null;
  const breakdown = picture?.latencyBreakdown() ?? null;
  const state = driver.stateAge(now);
  const command = driver.vehicle.link?.command_age_ms || null;
  const within = clock ? clock.uncertaintyUs / 1000 : null;
  return [
    { label: "picture age", value: known(age, (us) => `${ms(us / 1000)}${within === null ? "" : ` ± ${within.toFixed(1)}`}`), tone: tone((age ?? 0) / 1000, 200, 300) },
    { label: "capture to screen", value: known(breakdown?.mean, (mean) => `${ms(mean)}, p95 ${breakdown?.p95.toFixed(0)}`), tone: tone(breakdown?.p95 ?? 0, 150, 300) },
    { label: "command age", value: known(command, ms), tone: tone(command ?? 0, 100, 200) },
    { label: "state age", value: known(state, (us) => ms(us / 1000)), tone: tone((state ?? 0) / 1000, 150, 300) },
  ];
}

/**
 * The network and the policy. `decoded` is pictures a second.
 * @param {Driver} driver
 * @param {Clock | null} clock
 * @param {number | null} decoded
 */
export function figures(driver, clock, decoded) {
  const { link, policy, proposal, command } = driver.vehicle;
  /** @type {Line[]} */
  const lines = [
    { label: "round trip", value: known(clock && clock.roundTripUs / 1000, ms) },
    { label: "loss", value: known(link?.loss, (l) => `${(l * 100).toFixed(1)} %`), tone: tone(link?.loss ?? 0, 0.02, 0.1) },
    { label: "bitrate", value: known(link?.bitrate_bps, mega) },
    { label: "target", value: known(link?.target_bitrate_bps, mega) },
    { label: "pictures", value: known(decoded, (fps) => `${fps} a second`), tone: decoded === 0 ? "alarm" : "" },
    { label: "policy", value: policy?.policy_version || proposal?.policy_version || "–", tone: policy && !policy.healthy ? "alarm" : "" },
    { label: "confidence", value: known(proposal?.confidence, (c) => `${(c * 100).toFixed(0)} %`), tone: tone(1 - (proposal?.confidence ?? 1), 0.5, 0.8) },
    { label: "command by", value: command ? AUTHORS[command.author] ?? "–" : "–" },
  ];
  for (const value of wallWarnings(driver.vehicle.wall_clock, clock)) lines.push({ label: "clocks", value, tone: "attention" });
  const faults = driver.vehicle.state?.faults ?? [];
  if (faults.length > 0) lines.push({ label: "faults", value: faults.join(", "), tone: "alarm" });
  return lines;
}

/**
 * The stages of one picture's way in order, milliseconds: those that the vehicle reports for its side, then the seat's own.
 * What lies between them is the network, so that the sum is the whole.
 * @param {Driver} driver
 * @param {Picture | undefined} picture
 */
export function stages(driver, picture) {
  const breakdown = picture?.latencyBreakdown();
  if (!breakdown) return [];
  const own = new Set(breakdown.stages.map((s) => s.stage));
  const theirs = (driver.vehicle.link?.stages ?? []).filter((s) => s.mean_ms > 0 && !own.has(s.stage));
  const [arrive, ...rest] = breakdown.stages;
  const before = theirs.reduce((sum, s) => sum + s.mean_ms, 0);
  // A vehicle that tells more than the way took tells of another picture: then the way stays one piece.
  const way = before > 0 && before <= arrive.mean_ms
    ? [...theirs, { stage: "network", mean_ms: arrive.mean_ms - before }]
    : [{ stage: "vehicle and network", mean_ms: arrive.mean_ms }];
  return [...way, ...rest].map((s) => ({ stage: s.stage, ms: s.mean_ms }));
}
