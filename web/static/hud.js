// Everything that the seat page writes on the screen, from the driver's state alone.

import { ages, figures, stages } from "./latency_breakdown.js";
import { banner } from "./banner.js";
import { nowUs } from "./clock.js";
import { el, get, speedIn, text } from "./dom.js";
import { part } from "./parts.js";

const URGENCY = ["whenever convenient", "soon", "now", "at once"];

/**
 * @typedef {import("./driver.js").Driver} Driver
 * @typedef {import("./picture.js").Picture} Picture
 * @typedef {import("./clock.js").Clock} Clock
 */

/**
 * Makes `list` as long as wanted; its items are kept, so that nothing flickers.
 * @param {HTMLElement} list
 * @param {number} length
 * @param {() => HTMLElement} item
 */
function resize(list, length, item) {
  while (list.children.length > length) list.lastElementChild?.remove();
  while (list.children.length < length) list.append(item());
  return /** @type {HTMLElement[]} */ ([...list.children]);
}

/**
 * @param {HTMLElement} list
 * @param {import("./latency_breakdown.js").Line[]} wanted
 */
function lines(list, wanted) {
  const items = resize(list, wanted.length, () => el("div", {}, el("dt"), el("dd")));
  wanted.forEach(({ label, value, tone }, i) => {
    const row = items[i];
    text(row.children[0], label);
    text(row.children[1], value);
    if (row.className !== (tone ?? "")) row.className = tone ?? "";
  });
}

/**
 * @param {Driver} driver
 * @param {string} status
 */
function showBanner(driver, status) {
  const { kind, title, detail } = banner(driver, status);
  get("banner").className = `banner ${kind}`;
  text(get("banner-title"), title);
  text(get("banner-detail"), detail);
}

/**
 * What is asked of the robot, channel by channel, with the names and units of its embodiment.
 * @param {import("./messages.js").Robot | undefined} robot
 * @param {readonly number[]} action
 */
function asked(robot, action) {
  const channels = robot && action.length === robot.action.length ? robot.action : [];
  return channels.map(({ label, unit }, i) => `${label} ${action[i].toFixed(2)}\u00a0${unit}`.trimEnd()).join("\n");
}

/** @param {Driver} driver */
function showSpeed(driver) {
  const { speed, vehicle, robot } = driver;
  const unit = robot?.speed_unit || "km/h";
  const limit = vehicle.surroundings?.corridor[0]?.speed_limit_mps;
  text(get("speed"), speed === null ? "–" : speedIn(Math.abs(speed), unit));
  text(get("speed-unit"), unit);
  get("speed").classList.toggle("fast", Boolean(limit) && speed !== null && speed > (limit ?? 0) + 0.5);
  get("limit").hidden = !limit;
  if (limit) text(get("limit"), speedIn(limit, unit));
  const { accelerate, brake, steer } = driver.drive;
  get("bar-throttle").style.transform = `scaleX(${accelerate})`;
  get("bar-brake").style.transform = `scaleX(${brake})`;
  // Left is positive, and left on the screen.
  get("bar-steer").style.transform = `translateX(${-steer * 50}%)`;
  text(get("name-steer"), robot?.action.find((c) => c.name === robot.steer)?.label || "steering");
  text(get("channels"), asked(robot, driver.asked));
  const { device, pad, deadman } = driver.sample;
  get("device").title = pad ?? "no gamepad";
  text(get("device"), `${device} · deadman ${deadman ? "held" : "released"}`);
}

/**
 * @param {Driver} driver
 * @param {Picture | undefined} picture
 */
function showStages(driver, picture) {
  const shown = stages(driver, picture);
  const whole = shown.reduce((sum, s) => sum + s.ms, 0);
  const items = resize(get("stages"), shown.length, () => el("li", {}, el("span"), el("i"), el("b")));
  shown.forEach(({ stage, ms }, i) => {
    const [name, bar, value] = /** @type {HTMLElement[]} */ ([...items[i].children]);
    text(name, stage);
    bar.style.setProperty("--share", String(whole > 0 ? ms / whole : 0));
    text(value, `${ms.toFixed(1)} ms`);
  });
}

/**
 * @param {Driver} driver
 * @param {Picture | undefined} picture
 * @param {Clock | null} clock
 */
function showChecks(driver, picture, clock) {
  const drives = driver.authority.holder === "me";
  get("checks").hidden = drives || !driver.connected;
  if (drives || !driver.connected) return;
  const failed = driver.checks(nowUs(), picture, clock).filter((c) => !c.passed);
  const wanted = failed.length > 0
    ? failed.map(({ name, why }) => ({ kind: "failed", words: `${name}: ${why}` }))
    : [{ kind: "passed", words: "everything holds: T takes over" }];
  const items = resize(get("check-list"), wanted.length, () => el("li"));
  wanted.forEach(({ kind, words }, i) => {
    const item = items[i];
    if (item.className !== kind) item.className = kind;
    text(item, words);
  });
}

/** @param {Driver} driver */
function showNotices(driver) {
  const list = get("notices");
  const wanted = driver.notices.map((n) => `${n.level} ${n.words}`).join("\n");
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...driver.notices.map((n) => el("li", { class: n.level }, n.words)));
}

/** @param {Driver} driver */
function showRequests({ help, authority, estop, modeWords }) {
  get("help").hidden = !help;
  if (help) text(get("help"), `The vehicle asks (${URGENCY[Math.min(help.urgency, 3)]}): ${help.text || "no reason given"}`);
  text(get("authority"), authority.latest ? `mode ${modeWords} · epoch ${authority.epoch}` : "");
  get("reset").hidden = estop.phase !== "latched";
  get("reset").style.setProperty("--done", String(estop.progress(nowUs())));
}

/**
 * Draws everything, each part for itself: one that is broken leaves the others right.
 * @param {Driver} driver
 * @param {Picture | undefined} picture
 * @param {Clock | null} clock
 * @param {string} status what the connection does
 * @param {number | null} decoded pictures a second
 * @param {import("./assist.js").AssistPanel} panel
 */
export function show(driver, picture, clock, status, decoded, panel) {
  part("who drives", () => showBanner(driver, status));
  part("speed", () => showSpeed(driver));
  part("how old it is", () => lines(get("ages"), ages(driver, picture, clock, nowUs())));
  part("link and policy", () => lines(get("figures"), figures(driver, clock, driver.connected ? decoded : null)));
  part("where the milliseconds go", () => showStages(driver, picture));
  part("before you take over", () => showChecks(driver, picture, clock));
  part("notices", () => showNotices(driver));
  part("requests", () => showRequests(driver));
  part("the vehicle's question", () => panel.show(driver.assist));
}
