// The fleet at a glance, refreshed by polling. What one part needs and does not get leaves that part as it was; the line at the
// top says which and why. A fault of the page itself is told as one (fault.js).

import { ControlPlaneError, ask, askList } from "./api.js";
import { modeWords } from "./authority.js";
import { watch } from "./camera.js";
import { draw } from "./chart.js";
import { body, count, el, get, interval, kmh, mark, miles, number, percent, present, rows, size, text, time, words } from "./dom.js";
import { fresh, health } from "./health.js";
import { CAUSES } from "./labels.js";
import { part } from "./parts.js";

const POLL_MS = 2000;
const TAKEOVERS = 25;

/** @param {Api.Evaluation} e */
const isVersion = (e) => e.road === "all" && (e.role === "policy" || e.role === "previous");
/** A figure that may be missing. @param {number | null} value */
const perhaps = (value) => (value === null ? number("–", "") : number(miles(value), value));

let drawn = "";
/** @param {Api.Evaluation[]} report */
function showReport(report) {
  present("report", report.length === 0);
  rows(body("report-table"), [...report].reverse(), (e) => `${e.policy} ${e.role} ${e.road}`, [
    (e) => e.policy,
    (e) => words(e.role),
    (e) => words(e.road),
    (e) => number(miles(e.miles), e.miles),
    (e) => number(count(e.takeovers), e.takeovers),
    (e) => number(miles(e.mpd), e.mpd),
    (e) => number(interval(e), `${e.mpd_low} ${e.mpd_high}`),
    (e) => perhaps(e.necessary_mpd),
    (e) => perhaps(e.crashes_per_100_miles),
    (e) => number(percent(e.completion), e.completion),
    (e) => number(`${kmh(e.mean_speed_mps)} km/h`, e.mean_speed_mps),
    (e) => number(e.score.toFixed(2), e.score),
  ]);
  const versions = report.filter(isVersion);
  const signature = `${JSON.stringify(versions)} ${get("chart").clientWidth}`;
  if (versions.length > 0 && signature !== drawn) {
    draw(get("chart"), versions);
    drawn = signature;
  }
  const last = versions.at(-1);
  text(get("kpi-mpd"), last ? miles(last.mpd) : "–");
  text(get("kpi-mpd-note"), last ? `${interval(last)} · ${last.policy}${gain(versions[0], last)}` : "no policy evaluated yet");
}

/**
 * @param {Api.Evaluation} first
 * @param {Api.Evaluation} last
 */
function gain(first, last) {
  return first === last || first.mpd <= 0 ? "" : ` · ${(last.mpd / first.mpd).toFixed(1)} × ${first.policy}`;
}

/** @type {Record<string, string>} */
const KINDS = { live: "Live", virtual: "Virtual time" };

/** @param {Api.Fleet} fleet */
function showFleet(fleet) {
  rows(body("fleet-table"), fleet.totals, (t) => t.kind, [
    (t) => KINDS[t.kind] ?? t.kind,
    (t) => number(miles(t.miles), t.miles),
    (t) => number(miles(t.manual_miles), t.manual_miles),
    (t) => number(count(t.disengagements), t.disengagements),
    (t) => (t.miles > 0 ? number(miles(t.mpd), t.mpd) : number("–", "")),
    (t) => (t.miles > 0 ? number(interval(t), `${t.mpd_low} ${t.mpd_high}`) : number("–", "")),
  ]);
  const [live, virtual] = fleet.totals;
  text(get("kpi-miles"), `${miles(live.miles + virtual.miles)} mi`);
  text(get("kpi-miles-note"), `${miles(live.miles)} live · ${miles(virtual.miles)} in virtual time`);
  text(get("kpi-takeovers"), count(live.disengagements + virtual.disengagements));
  text(get("kpi-takeovers-note"), `${count(live.disengagements)} live · ${count(virtual.disengagements)} in virtual time`);
  text(get("virtual-count"), virtual.vehicles > 0 ? `and ${count(virtual.vehicles)} in virtual time` : "");
  showCauses(fleet.by_cause);
}

let shownCauses = "";
/** @param {Api.CauseCount[]} byCause */
function showCauses(byCause) {
  const sums = CAUSES.map((cause) => ({ cause, n: byCause.filter((c) => c.cause === cause).reduce((n, c) => n + c.disengagements, 0) }))
    .filter(({ n }) => n > 0).sort((a, b) => b.n - a.n);
  get("causes-empty").hidden = sums.length > 0;
  const signature = JSON.stringify(sums);
  if (signature === shownCauses) return;
  shownCauses = signature;
  const most = Math.max(1, ...sums.map(({ n }) => n));
  get("causes").replaceChildren(...sums.map(({ cause, n }) =>
    el("li", {}, mark(`cause-${cause}`, words(cause)), el("meter", { min: 0, max: most, value: n, "aria-hidden": "true" }), el("span", { class: "num" }, count(n)))));
}

/** @param {Api.VehicleView[]} vehicles */
function showVehicles(vehicles) {
  const live = vehicles.filter((v) => v.kind === "live");
  present("live", live.length === 0);
  rows(body("live-table"), live, (v) => v.vehicle, [
    (v) => el("span", { title: `${v.embodiment} ${v.software} on ${v.map}${fresh(v) ? `; ${health(v)}` : ""}` }, v.vehicle,
      ...(fresh(v) ? v.clock?.warnings ?? [] : []).map((warning) => el("small", { class: "warning" }, warning))),
    (v) => mark(v.online ? "online" : "offline", v.online ? "online" : `offline${v.last_seen_ms ? `, seen ${time(v.last_seen_ms)}` : ""}`),
    (v) => (fresh(v) && v.mode ? modeWords(v.mode, v.speed_mps) : "–"),
    (v) => (fresh(v) && v.author ? mark(`by-${v.author}`, v.author) : "–"),
    (v) => (fresh(v) && v.speed_mps !== null ? number(`${kmh(v.speed_mps)} km/h`, v.speed_mps) : number("–", "")),
    (v) => (fresh(v) && v.policy ? v.policy : "–"),
    (v) => (fresh(v) && v.round_trip_ms !== null ? number(`${v.round_trip_ms.toFixed(0)} ms`, v.round_trip_ms) : number("–", "")),
    (v) => number(miles(v.autonomous_miles), v.autonomous_miles),
    (v) => number(count(v.disengagements), v.disengagements),
    (v) => el("span", {},
      el("button", { type: "button", "data-watch": v.vehicle, "aria-label": `Watch ${v.vehicle}`, disabled: !v.online }, "Watch"),
      v.online ? el("a", { class: "button", href: `/seat.html?id=${v.vehicle}`, "aria-label": `Take a seat in ${v.vehicle}` }, "Drive") : ""),
  ]);
  const online = live.filter((v) => v.online).length;
  text(get("kpi-online"), `${online} of ${live.length}`);
  text(get("kpi-online-note"), live.length === 0 ? "no live vehicle yet" : `${live.filter((v) => fresh(v) && v.author === "operator").length} driven by an operator now`);
}

/** @param {Api.TakeoverView[]} takeovers */
function showTakeovers(takeovers) {
  present("takeovers", takeovers.length === 0);
  rows(body("takeovers-table"), takeovers, (t) => t.id, [
    (t) => el("time", { title: t.id }, time(t.at_ms)),
    (t) => (t.preview ? film(t) : "–"),
    (t) => mark(`cause-${t.cause}`, words(t.cause)),
    (t) => t.vehicle,
    (t) => t.kind,
    (t) => t.policy,
    (t) => t.map,
    (t) => (t.duration_s === null ? number("–", "") : number(`${t.duration_s.toFixed(1)} s`, t.duration_s)),
    (t) => (t.bytes === null ? "recording…" : el("a", { href: `/api/v1/episodes/${t.id}/file`, download: true, "aria-label": `Download episode ${t.id}` }, `MCAP, ${size(t.bytes)}`)),
  ]);
}

/** @param {Api.TakeoverView} t */
const film = (t) => el("video", { src: `/api/v1/episodes/${t.id}/preview_video`, controls: true, muted: true, preload: "metadata", width: 160, height: 90, "aria-label": `Film of ${t.id}` });

/**
 * @param {Api.Policy[]} policies
 * @param {Api.Evaluation[]} evaluations
 */
function showPolicies(policies, evaluations) {
  const mpd = new Map(evaluations.filter(isVersion).map((e) => [e.policy, e.mpd]));
  const used = policies.filter((p) => p.status === "published" && !p.withdrawn);
  present("policies", policies.length === 0);
  rows(body("policies-table"), [...policies].reverse(), (p) => p.version, [
    (p) => el("span", { title: `manifest ${p.sha256}` }, p.version),
    (p) => (p.withdrawn ? el("span", { title: `${time(p.withdrawn.since_ms)}: ${p.withdrawn.reason}` }, mark("withdrawn", "withdrawn")) : mark(p.status, p.status)),
    (p) => p.parent ?? "–",
    (p) => number(count(p.episodes), p.episodes),
    (p) => number(count(p.frames), p.frames),
    (p) => {
      const value = mpd.get(p.version);
      return value === undefined ? number("–", "") : number(miles(value), value);
    },
    (p) => {
      if (p.withdrawn) return change("restore", p.version, "Restore");
      return p === used.at(-1) && used.length > 1 ? change("withdraw", p.version, "Roll back") : "";
    },
  ]);
}

/**
 * @param {"withdraw" | "restore"} what
 * @param {string} version
 * @param {string} words
 */
const change = (what, version, words) => el("button", { type: "button", "data-change": what, "data-version": version, "aria-label": `${words} ${version}` }, words);

/** Withdraws or restores a version for the reason that the person gives. @param {EventTarget | null} target */
async function changePolicy(target) {
  const { change: what, version } = target instanceof HTMLElement ? target.dataset : {};
  if (!what || !version) return;
  const question = what === "withdraw"
    ? `Vehicles go back to the version before ${version}. Why is it withdrawn?`
    : `Vehicles may drive by ${version} again. Why is it restored?`;
  const reason = window.prompt(question);
  if (reason === null) return;
  const said = get("policies-said");
  try {
    const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ reason }) };
    const answer = await ask(`policies/${version}/${what}`, options);
    text(said, what === "withdraw" ? `${version} is withdrawn; vehicles go back to ${answer.version}.` : `${version} is restored.`);
  } catch (error) {
    if (!(error instanceof ControlPlaneError)) throw error;
    text(said, `${error.message}.`);
  }
}

/**
 * The parts of the page: their name, what they ask, how they show it, and an element of each panel or card that shows it.
 * @type {{ name: string, asks: (() => Promise<any>)[], show: (...answers: any[]) => void, within: string[] }[]}
 */
const PARTS = [
  { name: "Miles per disengagement", asks: [() => askList("report")], show: showReport, within: ["kpi-mpd", "report"] },
  { name: "Everything driven", asks: [() => ask("fleet")], show: showFleet, within: ["kpi-miles", "kpi-takeovers", "fleet-table"] },
  { name: "Live vehicles", asks: [() => askList("vehicles")], show: showVehicles, within: ["kpi-online", "live"] },
  { name: "Latest takeovers", asks: [() => askList(`takeovers?limit=${TAKEOVERS}`)], show: showTakeovers, within: ["takeovers"] },
  { name: "Policy versions", asks: [() => askList("policies"), () => askList("evaluations")], show: showPolicies, within: ["policies"] },
];

/**
 * Asks and shows one part.
 * @param {typeof PARTS[number]} panel
 * @returns {Promise<null | "fault" | ControlPlaneError>} null when it is up to date
 */
async function refresh({ name, asks, show }) {
  let answers;
  try {
    answers = await Promise.all(asks.map((one) => one()));
  } catch (error) {
    if (error instanceof ControlPlaneError) return error;
    throw error;
  }
  return part(name, () => show(...answers)) ? null : "fault";
}

let everShown = false;

/**
 * The line at the top, from what each part came to.
 * @param {(null | "fault" | ControlPlaneError)[]} outcomes
 */
function summary(outcomes) {
  if (outcomes.every((o) => o instanceof ControlPlaneError && o.kind === "silent")) {
    return `The control plane does not answer${everShown ? "; the figures below are old" : ""}. Trying again…`;
  }
  const names = PARTS.map(({ name }) => name);
  const refused = outcomes.flatMap((o) => (o instanceof ControlPlaneError ? [o.message] : []));
  const old = names.filter((_, i) => outcomes[i] instanceof ControlPlaneError);
  const faulty = names.filter((_, i) => outcomes[i] === "fault");
  const words = [
    ...new Set(refused),
    ...(old.length > 0 ? [`${everShown ? "old" : "missing"} therefore: ${old.join(", ")}`] : []),
    ...(faulty.length > 0 ? [`this page has a fault in: ${faulty.join(", ")}`] : []),
  ].join("; ") || "up to date, every 2 seconds";
  return words[0].toUpperCase() + words.slice(1);
}

async function poll() {
  const status = get("freshness");
  if (!document.hidden) {
    const outcomes = await Promise.all(PARTS.map(refresh));
    text(status, summary(outcomes));
    status.classList.toggle("bad", outcomes.some((o) => o !== null));
    PARTS.forEach(({ within }, i) => {
      const isDated = outcomes[i] instanceof ControlPlaneError;
      within.forEach((id) => get(id).closest(".card, .panel")?.classList.toggle("dated", isDated));
    });
    if (outcomes.includes(null)) everShown = true;
  }
}

async function pollForEver() {
  for (;;) {
    // An error of the poll itself is the page's own and must not end it.
    await poll().catch(reportError);
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
}

/** @type {(() => void) | null} */
let stopWatching = null;
/** @param {string} vehicle */
function openCamera(vehicle) {
  stopWatching?.();
  const panel = get("camera");
  const screen = el("div");
  const close = () => {
    stopWatching?.();
    stopWatching = null;
    panel.hidden = true;
    panel.replaceChildren();
  };
  panel.replaceChildren(
    el("div", { class: "head" }, el("h3", {}, `Camera of ${vehicle}`),
      el("span", {}, el("a", { class: "quiet", href: `/vehicle.html?id=${vehicle}` }, "own page"), " ", el("button", { type: "button", onclick: close }, "Close"))),
    screen);
  panel.hidden = false;
  stopWatching = watch(screen, vehicle);
  panel.scrollIntoView({ block: "nearest" });
}

get("live-table").addEventListener("click", ({ target }) => {
  const vehicle = target instanceof HTMLElement ? target.dataset.watch : undefined;
  if (vehicle) openCamera(vehicle);
});
get("policies-table").addEventListener("click", ({ target }) => changePolicy(target));
addEventListener("resize", () => {
  drawn = "";
});
pollForEver();
