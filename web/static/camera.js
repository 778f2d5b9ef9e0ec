// The watching view: the cameras of one vehicle with its state and an emergency stop. It shares everything but the
// driving with the seat page.

import { Authority, authorOf, modeOf, modeWords } from "./authority.js";
import { nowUs } from "./clock.js";
import { el, mark, speedIn, text } from "./dom.js";
import { REASONS } from "./labels.js";
import { speedOf } from "./mapping.js";
import { part } from "./parts.js";
import { Picture } from "./picture.js";
import { Session, randomSeat } from "./session.js";
import { onStop } from "./stop.js";

// A state older than this is called old.
const STATE_US = 1_000_000;

/**
 * What was seen and heard of the vehicle.
 * @typedef {object} Seen
 * @property {Partial<import("./messages.js").StateDatagram> | null} state the newest of each part
 * @property {number | null} stateAt
 * @property {Picture[]} pictures
 * @property {import("./messages.js").Robot} [robot] what it says that it is made of
 *
 * @typedef {ReturnType<typeof build>} View
 */

/**
 * Plays the cameras of `vehicle` in `container`; returns a function that ends it. With `devices`, keys and gamepads stop the
 * vehicle too: for a page that shows this vehicle and nothing else.
 * @param {HTMLElement} container
 * @param {string} vehicle
 */
export function watch(container, vehicle, { devices = false } = {}) {
  const view = build(devices);
  container.replaceChildren(view.root);
  /** @type {Seen} */
  const seen = { state: null, stateAt: null, pictures: [] };
  let requests = Date.now() * 1000;
  const seat = randomSeat();
  const authority = new Authority(seat);
  const session = new Session(vehicle, seat, { watchOnly: true }, {
    status: (words) => {
      text(view.status, words);
      view.status.hidden = words === "";
    },
    lost: () => {
      authority.forget();
      seen.pictures.forEach((p) => p.lost());
    },
    track: (track, index) => {
      if (track.kind !== "video") return;
      seen.pictures[index] ??= new Picture(index === 0 ? vehicle : `camera ${index + 1}`, () => session.clock());
      view.screen.replaceChildren(...seen.pictures.filter(Boolean).map((p) => p.root));
      view.screen.dataset.cameras = String(seen.pictures.length);
      seen.pictures.forEach((p) => p.video.play().catch(() => {}));
      seen.pictures[index].play(track);
    },
    state: (state, at) => {
      if (state.authority) authority.take(state.authority);
      // Parts that a datagram does not carry keep their last value.
      seen.state = { ...seen.state, ...state };
      seen.stateAt = at;
    },
    event: ({ response, hello }) => {
      if (response) answered(view, response);
      if (!hello) return;
      seen.robot = hello.robot;
      hello.cameras.forEach(({ name }, i) => seen.pictures[i] && name && (seen.pictures[i].name = name));
    },
    report: () => seen.pictures[0]?.report(),
  });
  const stop = () => {
    const sent = session.request({ id: requests++, estop: {} });
    text(view.notice, sent ? "Emergency stop sent…" : "Not connected: the emergency stop could not be sent.");
  };
  view.estop.addEventListener("click", stop);
  const deaf = devices ? onStop(stop) : () => {};
  const drawing = setInterval(() => show(view, session, authority, seen), 100);
  const end = () => {
    clearInterval(drawing);
    deaf();
    removeEventListener("pagehide", end);
    session.close();
  };
  addEventListener("pagehide", end);
  return end;
}

/**
 * @param {string} name
 * @returns {[HTMLElement, HTMLElement]}
 */
function item(name) {
  const value = el("dd", {}, "–");
  return [value, el("div", {}, el("dt", {}, name), value)];
}

/** @param {boolean} devices */
function build(devices) {
  const screen = el("div", { class: "pictures" });
  const status = el("p", { class: "status", role: "status" }, "Connecting…");
  const stale = el("p", { class: "stale", role: "alert", hidden: true });
  const help = el("p", { class: "help", role: "alert", hidden: true });
  const notice = el("p", { class: "notice", role: "status" });
  const estop = el("button", { class: "estop", type: "button", title: "Stops the vehicle at once. Resetting it needs a seat that drives." }, "Emergency stop", ...(devices ? [" ", el("kbd", {}, "Space")] : []));
  const [mode, modeItem] = item("Mode");
  const [author, authorItem] = item("Driven by");
  const [speed, speedItem] = item("Speed");
  const [policy, policyItem] = item("Policy");
  const [confidence, confidenceItem] = item("Confidence");
  const [age, ageItem] = item("Picture age");
  const [rate, rateItem] = item("Link");
  const hud = el("dl", { class: "hud" }, modeItem, authorItem, speedItem, policyItem, confidenceItem, ageItem, rateItem);
  const root = el("div", { class: "camera" },
    el("div", { class: "screen" }, screen, status, stale, help),
    el("div", { class: "under" }, hud, el("div", { class: "act" }, estop, notice)));
  return { root, screen, status, stale, help, notice, estop, mode, author, speed, policy, confidence, age, rate };
}

/**
 * @param {View} view
 * @param {Session} session
 * @param {Authority} authority
 * @param {Seen} seen
 */
function show(view, session, authority, seen) {
  part("pictures", () => seen.pictures.forEach((p) => p.judge()));
  part("age of the state", () => showAge(view, seen));
  part("link", () => showLink(view, session.clock(), seen.pictures[0]?.latencyBreakdown()));
  part("who drives", () => authority.latest && showAuthority(view, authority.latest, speed(seen)));
  part("state", () => showState(view, seen));
}

/**
 * @param {View} view
 * @param {Seen} seen
 */
function showAge(view, { stateAt }) {
  const age = stateAt === null ? 0 : nowUs() - stateAt;
  view.stale.hidden = age <= STATE_US;
  text(view.stale, `State is ${(age / 1e6).toFixed(0)} s old`);
  view.root.classList.toggle("old", age > STATE_US);
}

/**
 * @param {View} view
 * @param {import("./clock.js").Clock | null} clock
 * @param {{ mean: number } | null | undefined} breakdown
 */
function showLink(view, clock, breakdown) {
  text(view.age, breakdown && clock ? `${breakdown.mean.toFixed(0)} ms ± ${(clock.uncertaintyUs / 1000).toFixed(1)}` : "–");
  text(view.rate, clock ? `${(clock.roundTripUs / 1000).toFixed(clock.roundTripUs < 10_000 ? 1 : 0)} ms` : "–");
}

/** Metres a second; null while it is not known: a vehicle says NaN of what it does not measure. @param {Seen} seen */
const speed = ({ state, robot }) => speedOf(robot, state?.state?.observation);

/**
 * @param {View} view
 * @param {Seen} seen
 */
function showState(view, seen) {
  if (!seen.state) return;
  const { policy, proposal } = seen.state;
  const mps = speed(seen);
  const unit = seen.robot?.speed_unit || "km/h";
  text(view.speed, mps === null ? "–" : `${speedIn(mps, unit)} ${unit}`);
  const version = policy?.policy_version || proposal?.policy_version;
  if (version) text(view.policy, version);
  if (proposal) text(view.confidence, `${(proposal.confidence * 100).toFixed(0)} %`);
}

/**
 * @param {View} view
 * @param {import("./messages.js").AuthorityState} latest
 * @param {number | null} speed
 */
function showAuthority(view, latest, speed) {
  const mode = modeWords(modeOf(latest), speed);
  text(view.mode, latest.estop_latched ? `${mode} (emergency stop)` : mode);
  const author = authorOf(latest);
  if (view.author.textContent !== author) view.author.replaceChildren(mark(`by-${author}`, author));
  view.mode.title = REASONS[latest.reason] ?? "";
  view.help.hidden = !latest.help;
  text(view.help, latest.help ? `Help wanted: ${latest.help.text || "no reason given"}` : "");
}

/**
 * @param {View} view
 * @param {import("./messages.js").SeatResponse} response
 */
function answered(view, response) {
  const words = response.accepted ? "Emergency stop accepted." : `Refused: ${REASONS[response.reason] ?? "no reason given"}.`;
  text(view.notice, words);
}
