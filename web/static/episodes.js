// Searching the catalogue of episodes, looking at one, and saying what to make of it.

import { ControlPlaneError, ask, askList } from "./api.js";
import { body, el, get, getAs, mark, number, present, rows, size, text, time, words } from "./dom.js";
import { CAUSES, VERDICTS } from "./labels.js";

const PAGE = 100;
const DAY_MS = 86400000;
const form = getAs("search", HTMLFormElement);
/** @type {Api.EpisodeView[]} */
let found = [];

/** The form's field of this name. @param {string} name */
function field(name) {
  const found = form.elements.namedItem(name);
  return found instanceof HTMLInputElement || found instanceof HTMLSelectElement ? found : null;
}

/** @param {string} value */
const option = (value) => el("option", { value }, words(value));
field("cause")?.append(...CAUSES.map(option));
field("verdict")?.append(...VERDICTS.map(option));

/** What the form's fields hold, without the empty ones. @returns {[string, string][]} */
const filled = () => [...new FormData(form)].flatMap(([name, value]) => (typeof value === "string" && value.trim() !== "" ? [[name, value.trim()]] : []));

/** The filters as the control plane wants them; dates are whole days of UTC. */
function filters() {
  const query = new URLSearchParams();
  for (const [name, value] of filled()) {
    if (name === "from") query.set("from_ms", String(Date.parse(value)));
    else if (name === "to") query.set("to_ms", String(Date.parse(value) + DAY_MS));
    else query.set(name, value);
  }
  return query;
}

/** Tells what the control plane did not do, in its own words; a fault of the page is told as one. @param {unknown} error */
function complain(error) {
  const told = error instanceof ControlPlaneError;
  get("problem").hidden = !told;
  text(get("problem"), told ? `${error.message}.` : "");
  if (error && !told) reportError(error);
}

/** Finds the first page, or the one after the episode `before`. @param {string | null} before */
async function search(before = null) {
  const query = filters();
  query.set("limit", String(PAGE));
  if (before) query.set("before", before);
  try {
    /** @type {Api.EpisodeView[]} */
    const page = await askList(`episodes?${query}`);
    found = before ? [...found, ...page] : page;
    get("more").hidden = page.length < PAGE;
    text(get("found"), `${found.length}${page.length < PAGE ? "" : " or more"} found, latest to arrive first`);
    list();
    complain(null);
  } catch (error) {
    text(get("found"), found.length > 0 ? "the list below is of an earlier search" : "");
    complain(error);
  }
}

/** @param {Api.Verdict | undefined} verdict */
const verdictMark = (verdict) => (verdict ? mark(`verdict-${verdict.verdict}`, words(verdict.verdict)) : "–");

function list() {
  present("results", found.length === 0);
  rows(body("results-table"), found, (e) => e.id, [
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

/** @param {Api.EpisodeView} e */
function place(e) {
  const on = e.x_m !== undefined && e.y_m !== undefined ? `${e.x_m.toFixed(1)} m, ${e.y_m.toFixed(1)} m on ${e.map}` : e.map;
  return e.latitude_deg !== undefined && e.longitude_deg !== undefined ? `${on}; ${e.latitude_deg.toFixed(5)}°, ${e.longitude_deg.toFixed(5)}°` : on;
}

/** @param {Api.EpisodeView} e */
function facts(e) {
  const pairs = [
    ["Began", time(e.start_ms)], ["Length", `${e.duration_s.toFixed(1)} s`], ["Cause", words(e.cause || "–")],
    ["Opened by", words(e.trigger ?? "–")], ["Reason", e.reason ?? "–"], ["Vehicle", e.vehicle],
    ["Seats", (e.seats ?? []).join(", ") || "–"], ["Policy", e.policy], ["Software", e.software ?? "–"],
    ["Weather", words(e.weather ?? "–")], ["Place", place(e)], ["File", `${e.file}, ${size(e.bytes)}`], ["SHA-256", e.sha256],
  ];
  return el("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** The small film that came with the episode; nothing where there is none. @param {Api.EpisodeView} e */
function preview(e) {
  if (!e.preview) return "";
  return el("video", { src: `/api/v1/episodes/${e.id}/preview_video`, controls: true, muted: true, preload: "metadata", class: "film" });
}

/** @param {Api.EpisodeView} e */
function judge(e) {
  const by = el("input", { name: "by", required: true, maxlength: 100, value: localStorage.getItem("reviewer") ?? "" });
  const note = el("input", { name: "note", maxlength: 1000, value: e.verdict?.note ?? "" });
  const status = el("span", { class: "quiet", role: "status" }, e.verdict ? `${e.verdict.by}, ${time(e.verdict.at_ms)}` : "nobody has looked yet");
  /** @param {string} verdict */
  const say = async (verdict) => {
    if (!by.reportValidity()) return;
    localStorage.setItem("reviewer", by.value);
    try {
      const said = JSON.stringify({ verdict, by: by.value, note: note.value });
      e.verdict = await ask(`episodes/${e.id}/verdict`, { method: "PUT", headers: { "content-type": "application/json" }, body: said });
      list();
      look(e);
    } catch (error) {
      if (!(error instanceof ControlPlaneError)) throw error;
      text(status, `${error.message}.`);
    }
  };
  /** @param {string} word */
  const button = (word) => el("button", { type: "button", "aria-pressed": String(e.verdict?.verdict === word), onclick: () => say(word) }, words(word));
  return el("div", { class: "judge" }, el("h3", {}, "Verdict"), el("p", { class: "buttons" }, ...VERDICTS.map(button), status),
    el("p", { class: "filters" }, el("label", {}, "Your name ", by), el("label", { class: "wide" }, "Note ", note)));
}

/** @param {Api.EpisodeView} e */
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

get("results-table").addEventListener("click", ({ target }) => {
  const id = target instanceof HTMLElement ? target.dataset.look : undefined;
  const episode = found.find((e) => e.id === id);
  if (episode) look(episode);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const query = new URLSearchParams(filled());
  history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
  search();
});
form.addEventListener("reset", () => setTimeout(() => form.requestSubmit()));
get("more").addEventListener("click", () => search(found.at(-1)?.id ?? null));

// A search can be kept as a bookmark; ?id=EPISODE opens one.
const asked = new URLSearchParams(location.search);
for (const [name, value] of asked) {
  const wanted = field(name);
  if (wanted) wanted.value = value;
}
search();
const id = asked.get("id");
if (id !== null) ask(`episodes/${encodeURIComponent(id)}`).then(look).catch(complain);
