// The watching view: the cameras of one vehicle with its state and an emergency stop. It shares everything but the
// driving with the seat page.

import { Authority, authorOf, modeOf } from "./authority.js";
import { nowUs } from "./clock.js";
import { el, mark, text } from "./dom.js";
import { OBSERVATIONS, REASONS } from "./labels.js";
import { Picture } from "./picture.js";
import { Session, randomSeat } from "./session.js";

// A state older than this is called old.
const STATE_US = 1_000_000;

/** Plays the cameras of `vehicle` in `container`; returns a function that ends it. */
export function watch(container, vehicle) {
  const view = build();
  container.replaceChildren(view.root);
  const seen = { state: null, stateAt: null, pictures: [], channels: [], requests: Date.now() * 1000 };
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
    track: (track, receiver, index) => {
      if (track.kind !== "video") return;
      seen.pictures[index] ??= new Picture(index === 0 ? vehicle : `camera ${index + 1}`, () => session.clock());
      view.screen.replaceChildren(...seen.pictures.filter(Boolean).map((p) => p.root));
      view.screen.dataset.cameras = String(seen.pictures.length);
      seen.pictures.forEach((p) => p.video.play().catch(() => {}));
      seen.pictures[index].play(track);
    },
    state: (state, at) => {
      if (state.authority) authority.take(state.authority);
      seen.state = { ...seen.state, ...state };
      seen.stateAt = at;
    },
    event: ({ response, hello }) => {
      if (response) answered(view, response);
      if (!hello) return;
      seen.channels = OBSERVATIONS[hello.embodiment] ?? [];
      hello.cameras.forEach(({ name }, i) => seen.pictures[i] && name && (seen.pictures[i].name = name));
    },
    report: () => seen.pictures[0]?.report(),
  });
  view.estop.addEventListener("click", () => {
    const sent = session.request({ id: seen.requests++, estop: {} });
    text(view.notice, sent ? "Emergency stop sent…" : "Not connected: the emergency stop could not be sent.");
  });
  const drawing = setInterval(() => show(view, session, authority, seen), 100);
  const end = () => {
    clearInterval(drawing);
    removeEventListener("pagehide", end);
    session.close();
  };
  addEventListener("pagehide", end);
  return end;
}

function item(name) {
  const value = el("dd", {}, "–");
  return [value, el("div", {}, el("dt", {}, name), value)];
}

function build() {
  const screen = el("div", { class: "pictures" });
  const status = el("p", { class: "status", role: "status" }, "Connecting…");
  const stale = el("p", { class: "stale", role: "alert", hidden: true });
  const help = el("p", { class: "help", role: "alert", hidden: true });
  const notice = el("p", { class: "notice", role: "status" });
  const estop = el("button", { class: "estop", type: "button", title: "Stops the vehicle at once. Resetting it needs a seat that drives." }, "Emergency stop");
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

function show(view, session, authority, seen) {
  seen.pictures.forEach((p) => p.judge());
  const stateAge = seen.stateAt === null ? 0 : nowUs() - seen.stateAt;
  view.stale.hidden = stateAge <= STATE_US;
  text(view.stale, `State is ${(stateAge / 1e6).toFixed(0)} s old`);
  view.root.classList.toggle("old", stateAge > STATE_US);
  const clock = session.clock();
  const account = seen.pictures[0]?.account();
  text(view.age, account && clock ? `${account.mean.toFixed(0)} ms ± ${(clock.uncertaintyUs / 1000).toFixed(1)}` : "–");
  text(view.rate, clock ? `${(clock.roundTripUs / 1000).toFixed(clock.roundTripUs < 10_000 ? 1 : 0)} ms` : "–");
  if (authority.latest) showAuthority(view, authority.latest);
  if (!seen.state) return;
  const { policy, proposal, state } = seen.state;
  const mps = state?.observation[seen.channels.indexOf("speed_mps")];
  if (mps !== undefined) text(view.speed, `${(mps * 3.6).toFixed(0)} km/h`);
  const version = policy?.version || proposal?.policy;
  if (version) text(view.policy, version);
  if (proposal) text(view.confidence, `${(proposal.confidence * 100).toFixed(0)} %`);
}

function showAuthority(view, latest) {
  text(view.mode, latest.estop ? `${modeOf(latest)} (emergency stop)` : modeOf(latest));
  const author = authorOf(latest);
  if (view.author.textContent !== author) view.author.replaceChildren(mark(`by-${author}`, author));
  view.mode.title = REASONS[latest.reason] ?? "";
  view.help.hidden = !latest.help;
  text(view.help, latest.help ? `Help wanted: ${latest.help.text || "no reason given"}` : "");
}

function answered(view, response) {
  const words = response.accepted ? "Emergency stop accepted." : `Refused: ${REASONS[response.reason] ?? "no reason given"}.`;
  text(view.notice, words);
}
