// Searching the catalogue of episodes, looking at one, and saying what to make of it.

import { el, mark, number, present, rows, time } from "./dom.js";
import { CAUSES, VERDICTS } from "./labels.js";

const PAGE = 100;
const DAY_MS = 86400000;
const get = (id) => document.getElementById(id);
const form = get("search");
const words = (label) => label.replaceAll("_", " ");
let found = [];

const option = (value) => el("option", { value }, words(value));
form.elements.cause.append(...CAUSES.map(option));
form.elements.verdict.append(...VERDICTS.map(option));

/** The filters as the control plane wants them; dates are whole days of UTC. */
function filters() {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value.trim() === "") continue;
    if (name === "from") query.set("from_ms", Date.parse(value));
    else if (name === "to") query.set("to_ms", Date.parse(value) + DAY_MS);
    else query.set(name, value.trim());
  }
  return query;
}

/** An answer's JSON; an error in the control plane's own words. */
async function ask(path, options = {}) {
  const answer = await fetch(`/api/v1/${path}`, { cache: "no-store", ...options });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `the control plane answers ${answer.status}`);
  return body;
}

function complain(error) {
  get("problem").hidden = !error;
  get("problem").textContent = error ? error.message : "";
}

async function search(before = null) {
  const query = filters();
  query.set("limit", PAGE);
  if (before) query.set("before", before);
  try {
    const page = await ask(`episodes?${query}`);
    found = before ? [...found, ...page] : page;
    get("more").hidden = page.length < PAGE;
    get("found").textContent = `${found.length}${page.length < PAGE ? "" : " or more"} found, newest first`;
    list();
    complain(null);
  } catch (error) {
    get("found").textContent = "";
    complain(error);
  }
}

const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const verdictMark = (verdict) => (verdict ? mark(`verdict-${verdict.verdict}`, words(verdict.verdict)) : "–");

function list() {
  present("results", found.length === 0);
  rows(get("results-table").tBodies[0], found, (e) => e.id, [
    (e) => el("time", { title: e.id }, time(e.start_ms)),
    (e) => (e.cause ? mark(`cause-${e.cause}`, words(e.cause)) : words(e.trigger ?? "–")),
    (e) => e.vehicle,
    (e) => (e.seats ?? []).join(", ") || "–",
    (e) => e.policy,
    (e) => words(e.weather ?? "–"),
    (e) => e.map,
    (e) => number(`${e.duration_s.toFixed(1)} s`, e.duration_s),
    (e) => number(size(e.bytes), e.bytes),
    (e) => verdictMark(e.verdict),
    (e) => el("button", { type: "button", "data-look": e.id, "aria-label": `Look at episode ${e.id}` }, "Look"),
  ]);
}

function place(e) {
  const on = e.x_m !== undefined ? `${e.x_m.toFixed(1)} m, ${e.y_m.toFixed(1)} m on ${e.map}` : e.map;
  return e.latitude_deg !== undefined ? `${on}; ${e.latitude_deg.toFixed(5)}°, ${e.longitude_deg.toFixed(5)}°` : on;
}

function facts(e) {
  const pairs = [
    ["Began", time(e.start_ms)], ["Length", `${e.duration_s.toFixed(1)} s`], ["Cause", words(e.cause || "–")],
    ["Opened by", words(e.trigger ?? "–")], ["Reason", e.reason ?? "–"], ["Vehicle", e.vehicle],
    ["Seats", (e.seats ?? []).join(", ") || "–"], ["Policy", e.policy], ["Software", e.software ?? "–"],
    ["Weather", words(e.weather ?? "–")], ["Place", place(e)], ["File", `${e.file}, ${size(e.bytes)}`], ["SHA-256", e.sha256],
  ];
  return el("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** The small film that came with the episode; nothing where there is none. */
function preview(e) {
  if (!e.preview) return "";
  return el("video", { src: `/api/v1/episodes/${e.id}/preview_video`, controls: true, muted: true, preload: "metadata", class: "film" });
}

function judge(e) {
  const by = el("input", { name: "by", required: true, maxlength: 100, value: localStorage.getItem("reviewer") ?? "" });
  const note = el("input", { name: "note", maxlength: 1000, value: e.verdict?.note ?? "" });
  const status = el("span", { class: "quiet", role: "status" }, e.verdict ? `${e.verdict.by}, ${time(e.verdict.at_ms)}` : "nobody has looked yet");
  const say = async (verdict) => {
    if (!by.reportValidity()) return;
    localStorage.setItem("reviewer", by.value);
    try {
      const body = JSON.stringify({ verdict, by: by.value, note: note.value });
      e.verdict = await ask(`episodes/${e.id}/verdict`, { method: "PUT", headers: { "content-type": "application/json" }, body });
      list();
      look(e);
    } catch (error) {
      status.textContent = error.message;
    }
  };
  const button = (word) => el("button", { type: "button", "aria-pressed": String(e.verdict?.verdict === word), onclick: () => say(word) }, words(word));
  return el("div", { class: "judge" }, el("h3", {}, "Verdict"), el("p", { class: "buttons" }, ...VERDICTS.map(button), status),
    el("p", { class: "filters" }, el("label", {}, "Your name ", by), el("label", { class: "wide" }, "Note ", note)));
}

function look(e) {
  const panel = get("episode");
  const close = () => {
    panel.hidden = true;
    panel.replaceChildren();
  };
  panel.replaceChildren(
    el("div", { class: "head" }, el("h2", {}, `Episode ${e.id}`),
      el("span", {}, el("a", { class: "button", href: `/api/v1/episodes/${e.id}/file`, download: true }, `Download MCAP, ${size(e.bytes)}`), " ",
        el("button", { type: "button", onclick: close }, "Close"))),
    el("div", { class: "look" }, facts(e), el("div", {}, preview(e), judge(e))));
  panel.hidden = false;
  panel.scrollIntoView({ block: "nearest" });
}

get("results-table").addEventListener("click", (event) => {
  const episode = found.find((e) => e.id === event.target.dataset?.look);
  if (episode) look(episode);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim() !== ""));
  history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
  search();
});
form.addEventListener("reset", () => setTimeout(() => form.requestSubmit()));
get("more").addEventListener("click", () => search(found.at(-1).id));

// A search can be kept as a bookmark; ?id=EPISODE opens one.
const asked = new URLSearchParams(location.search);
for (const [name, value] of asked) {
  if (form.elements[name]) form.elements[name].value = value;
}
search();
if (asked.has("id")) ask(`episodes/${encodeURIComponent(asked.get("id"))}`).then(look).catch(complain);
