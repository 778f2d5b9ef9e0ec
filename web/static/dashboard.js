// The fleet at a glance, refreshed by polling. One bad answer leaves the page as it was and says so.

import { watch } from "./camera.js";
import { draw } from "./chart.js";
import { count, el, interval, mark, miles, number, present, rows, text, time } from "./dom.js";
import { health } from "./health.js";
import { CAUSES } from "./labels.js";

const POLL_MS = 2000;
const TAKEOVERS = 25;
// A state older than this is not shown as current.
const STATUS_MS = 5000;
const get = (id) => document.getElementById(id);
const body = (id) => get(id).tBodies[0];
const words = (label) => label.replaceAll("_", " ");

async function fetchJson(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

let drawn = "";
function showReport(report) {
  present("report", report.length === 0);
  rows(body("report-table"), [...report].reverse(), (e) => e.policy, [
    (e) => e.policy,
    (e) => number(miles(e.miles), e.miles),
    (e) => number(count(e.disengagements), e.disengagements),
    (e) => number(miles(e.mpd), e.mpd),
    (e) => number(interval(e), `${e.mpd_low} ${e.mpd_high}`),
  ]);
  const signature = `${JSON.stringify(report)} ${get("chart").clientWidth}`;
  if (report.length > 0 && signature !== drawn) {
    draw(get("chart"), report);
    drawn = signature;
  }
  const last = report.at(-1);
  text(get("kpi-mpd"), last ? miles(last.mpd) : "–");
  text(get("kpi-mpd-note"), last ? `${interval(last)} · ${last.policy}${gain(report)}` : "no policy evaluated yet");
}

function gain(report) {
  const [first, last] = [report[0], report.at(-1)];
  if (report.length < 2 || first.mpd <= 0) return "";
  return ` · ${(last.mpd / first.mpd).toFixed(1)} × ${first.policy}`;
}

function showFleet(fleet) {
  const names = { live: "Live", virtual: "Virtual time" };
  rows(body("fleet-table"), fleet.totals, (t) => t.kind, [
    (t) => names[t.kind] ?? t.kind,
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
function showCauses(byCause) {
  const sums = CAUSES.map((cause) => [cause, byCause.filter((c) => c.cause === cause).reduce((n, c) => n + c.disengagements, 0)])
    .filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
  get("causes-empty").hidden = sums.length > 0;
  const signature = JSON.stringify(sums);
  if (signature === shownCauses) return;
  shownCauses = signature;
  const most = Math.max(1, ...sums.map(([, n]) => n));
  get("causes").replaceChildren(...sums.map(([cause, n]) =>
    el("li", {}, mark(`cause-${cause}`, words(cause)), el("meter", { min: 0, max: most, value: n, "aria-hidden": "true" }), el("span", { class: "num" }, count(n)))));
}

const fresh = (v) => v.online && v.status_age_ms !== null && v.status_age_ms < STATUS_MS;

function showVehicles(vehicles) {
  const live = vehicles.filter((v) => v.kind === "live");
  present("live", live.length === 0);
  const state = (f) => (v) => (fresh(v) ? f(v) : "–");
  rows(body("live-table"), live, (v) => v.vehicle, [
    (v) => el("span", { title: `${v.embodiment} ${v.software} on ${v.map}${fresh(v) ? `; ${health(v)}` : ""}` }, v.vehicle,
      ...(fresh(v) ? v.clock?.warnings ?? [] : []).map((warning) => el("small", { class: "warning" }, warning))),
    (v) => mark(v.online ? "online" : "offline", v.online ? "online" : `offline${v.last_seen_ms ? `, seen ${time(v.last_seen_ms)}` : ""}`),
    state((v) => v.mode),
    state((v) => mark(`by-${v.author}`, v.author)),
    (v) => number(fresh(v) ? `${(v.speed_mps * 3.6).toFixed(0)} km/h` : "–", v.speed_mps ?? ""),
    (v) => v.policy ?? "–",
    (v) => number(fresh(v) && v.round_trip_ms !== null ? `${v.round_trip_ms.toFixed(0)} ms` : "–", v.round_trip_ms ?? ""),
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
    (t) => (t.duration_s === null ? "recording…" : el("a", { href: `/api/v1/episodes/${t.id}/file`, download: true, "aria-label": `Download episode ${t.id}` }, `MCAP, ${size(t.bytes)}`)),
  ]);
}

const film = (t) => el("video", { src: `/api/v1/episodes/${t.id}/preview_video`, controls: true, muted: true, preload: "metadata", width: 160, height: 90, "aria-label": `Film of ${t.id}` });

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function showPolicies(policies, evaluations) {
  const mpd = new Map(evaluations.map((e) => [e.policy, e]));
  present("policies", policies.length === 0);
  rows(body("policies-table"), [...policies].reverse(), (p) => p.version, [
    (p) => el("span", { title: `manifest ${p.sha256}` }, p.version),
    (p) => mark(p.status, p.status),
    (p) => p.parent ?? "–",
    (p) => number(count(p.episodes), p.episodes),
    (p) => number(count(p.frames), p.frames),
    (p) => (mpd.has(p.version) ? number(miles(mpd.get(p.version).mpd), mpd.get(p.version).mpd) : number("–", "")),
  ]);
}

async function refresh() {
  const paths = ["report", "fleet", "vehicles", `takeovers?limit=${TAKEOVERS}`, "policies", "evaluations"];
  const [report, fleet, vehicles, takeovers, policies, evaluations] =
    await Promise.all(paths.map((path) => fetchJson(`/api/v1/${path}`)));
  showReport(report);
  showFleet(fleet);
  showVehicles(vehicles);
  showTakeovers(takeovers);
  showPolicies(policies, evaluations);
}

async function poll() {
  const status = get("freshness");
  try {
    if (!document.hidden) {
      await refresh();
      text(status, "Up to date, every 2 seconds");
      status.classList.remove("bad");
    }
  } catch (e) {
    text(status, "The control plane does not answer; the figures below are old. Trying again…");
    status.classList.add("bad");
  }
  setTimeout(poll, POLL_MS);
}

let stopWatching = null;
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

get("live-table").addEventListener("click", (event) => {
  const vehicle = event.target.dataset?.watch;
  if (vehicle) openCamera(vehicle);
});
addEventListener("resize", () => {
  drawn = "";
});
poll();
