// Everything that the seat page writes on the screen, from the driver's state alone.

import { ages, figures, stages } from "./account.js";
import { banner } from "./banner.js";
import { nowUs } from "./clock.js";
import { el, text } from "./dom.js";

const get = (id) => document.getElementById(id);
const URGENCY = ["whenever convenient", "soon", "now", "at once"];

function lines(list, wanted) {
  while (list.children.length > wanted.length) list.lastChild.remove();
  while (list.children.length < wanted.length) list.append(el("div", {}, el("dt"), el("dd")));
  wanted.forEach(({ label, value, tone }, i) => {
    const row = list.children[i];
    text(row.firstChild, label);
    text(row.lastChild, value);
    if (row.className !== (tone ?? "")) row.className = tone ?? "";
  });
}

function showBanner(driver, status) {
  const { kind, title, detail } = banner(driver, status);
  get("banner").className = `banner ${kind}`;
  text(get("banner-title"), title);
  text(get("banner-detail"), detail);
}

function showSpeed(driver) {
  const { speed, vehicle } = driver;
  const limit = vehicle.surroundings?.corridor[0]?.speed_limit_mps;
  text(get("speed"), speed === null ? "–" : (Math.abs(speed) * 3.6).toFixed(0));
  get("speed").classList.toggle("fast", Boolean(limit) && speed > limit + 0.5);
  get("limit").hidden = !limit;
  if (limit) text(get("limit"), (limit * 3.6).toFixed(0));
  const { accelerate, brake, steer } = driver.drive;
  get("bar-throttle").style.transform = `scaleX(${accelerate})`;
  get("bar-brake").style.transform = `scaleX(${brake})`;
  // Left is positive, and left on the screen.
  get("bar-steer").style.transform = `translateX(${-steer * 50}%)`;
  const { device, pad, deadman } = driver.sample;
  get("device").title = pad ?? "no gamepad";
  text(get("device"), `${device} · deadman ${deadman ? "held" : "released"}`);
}

function showStages(driver, picture) {
  const shown = stages(driver, picture);
  const whole = shown.reduce((sum, s) => sum + s.ms, 0);
  const list = get("stages");
  while (list.children.length > shown.length) list.lastChild.remove();
  while (list.children.length < shown.length) list.append(el("li", {}, el("span"), el("i"), el("b")));
  shown.forEach(({ stage, ms }, i) => {
    const [name, bar, value] = list.children[i].children;
    text(name, stage);
    bar.style.setProperty("--share", String(whole > 0 ? ms / whole : 0));
    text(value, `${ms.toFixed(1)} ms`);
  });
}

function showChecks(driver, picture, clock) {
  const drives = driver.authority.holder === "me";
  get("checks").hidden = drives || !driver.connected;
  if (drives || !driver.connected) return;
  const failed = driver.checks(nowUs(), picture, clock).filter((c) => !c.passed);
  const wanted = failed.length > 0
    ? failed.map(({ name, why }) => ({ kind: "failed", words: `${name}: ${why}` }))
    : [{ kind: "passed", words: "everything holds: T takes over" }];
  const list = get("check-list");
  while (list.children.length > wanted.length) list.lastChild.remove();
  while (list.children.length < wanted.length) list.append(el("li"));
  wanted.forEach(({ kind, words }, i) => {
    const item = list.children[i];
    if (item.className !== kind) item.className = kind;
    text(item, words);
  });
}

function showNotices(driver) {
  const list = get("notices");
  const wanted = driver.notices.map((n) => `${n.level} ${n.words}`).join("\n");
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...driver.notices.map((n) => el("li", { class: n.level }, n.words)));
}

/** Draws everything; `status` is what the connection does. */
export function show(driver, picture, clock, status, decoded, panel) {
  const now = nowUs();
  showBanner(driver, status);
  showSpeed(driver);
  lines(get("ages"), ages(driver, picture, clock, now));
  lines(get("figures"), figures(driver, clock, driver.connected ? decoded : null));
  showStages(driver, picture);
  showChecks(driver, picture, clock);
  showNotices(driver);
  const { help, authority, estop } = driver;
  get("help").hidden = !help;
  if (help) text(get("help"), `The vehicle asks (${URGENCY[Math.min(help.urgency, 3)]}): ${help.text || "no reason given"}`);
  text(get("authority"), authority.latest ? `mode ${driver.mode} · epoch ${authority.epoch}` : "");
  panel.show(driver.assist);
  get("reset").hidden = estop.phase !== "latched";
  get("reset").style.setProperty("--done", String(estop.progress(now)));
}
