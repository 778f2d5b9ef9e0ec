// The live camera of one vehicle with its state: picture, head-up display, emergency stop.

import { el, mark, text } from "./dom.js";
import { AUTHORS, MODES, OBSERVATIONS, REASONS } from "./labels.js";
import { Seat } from "./seat.js";

// A picture or state older than this is called old.
const STALE_MS = 1000;

/** Plays the camera of `vehicle` in `container`; returns a function that ends it. */
export function watch(container, vehicle) {
  const view = build(vehicle);
  container.replaceChildren(view.root);
  const seen = { state: null, stateAt: 0, frameAt: 0, frames: 0, channels: [] };
  const seat = new Seat(vehicle, {
    status: (words) => {
      text(view.status, words);
      view.status.hidden = words === "";
    },
    stream: (stream) => {
      view.video.srcObject = stream;
      view.video.play().catch(() => text(view.notice, "Press play to start the picture."));
    },
    state: (state) => Object.assign(seen, { state, stateAt: performance.now() }),
    event: (event) => {
      if (event.response) answered(view, event.response);
      if (event.hello) seen.channels = OBSERVATIONS[event.hello.embodiment] ?? [];
    },
  });
  view.estop.addEventListener("click", () => {
    const sent = seat.estop();
    text(view.notice, sent ? "Emergency stop sent…" : "Not connected: the emergency stop could not be sent.");
  });
  const onFrame = () => {
    Object.assign(seen, { frameAt: performance.now(), frames: seen.frames + 1 });
    view.video.requestVideoFrameCallback(onFrame);
  };
  view.video.requestVideoFrameCallback?.(onFrame);
  const drawing = setInterval(() => show(view, seat, seen), 100);
  const rates = setInterval(() => link(view, seat, seen), 1000);
  const end = () => {
    clearInterval(drawing);
    clearInterval(rates);
    removeEventListener("pagehide", end);
    seat.close();
  };
  addEventListener("pagehide", end);
  return end;
}

function item(name) {
  const value = el("dd", {}, "–");
  return [value, el("div", {}, el("dt", {}, name), value)];
}

function build(vehicle) {
  const video = el("video", { autoplay: true, playsinline: true, "aria-label": `Live camera of ${vehicle}` });
  // The attribute alone does not mute a video made by script.
  video.muted = true;
  const status = el("p", { class: "status", role: "status" }, "Connecting…");
  const stale = el("p", { class: "stale", role: "alert", hidden: true });
  const help = el("p", { class: "help", role: "alert", hidden: true });
  const notice = el("p", { class: "notice", role: "status" });
  const estop = el("button", { class: "estop", type: "button", title: "Stops the vehicle at once. Resetting it needs the operator's console." }, "Emergency stop");
  const [mode, modeItem] = item("Mode");
  const [author, authorItem] = item("Driven by");
  const [speed, speedItem] = item("Speed");
  const [policy, policyItem] = item("Policy");
  const [confidence, confidenceItem] = item("Confidence");
  const [rate, rateItem] = item("Link");
  const hud = el("dl", { class: "hud" }, modeItem, authorItem, speedItem, policyItem, confidenceItem, rateItem);
  const root = el("div", { class: "camera" },
    el("div", { class: "screen" }, video, status, stale, help),
    el("div", { class: "under" }, hud, el("div", { class: "act" }, estop, notice)));
  return { root, video, status, stale, help, notice, estop, mode, author, speed, policy, confidence, rate };
}

function show(view, seat, seen) {
  const now = performance.now();
  const ages = [["Picture", seen.frameAt], ["State", seen.stateAt]].filter(([, at]) => at > 0 && now - at > STALE_MS);
  view.stale.hidden = ages.length === 0;
  text(view.stale, ages.map(([what, at]) => `${what} is ${((now - at) / 1000).toFixed(0)} s old`).join(" · "));
  view.root.classList.toggle("old", ages.length > 0);
  const { state } = seen;
  if (!state) return;
  const { authority, policy, proposal } = state;
  if (authority) {
    text(view.mode, authority.estop ? `${MODES[authority.mode]} (emergency stop)` : MODES[authority.mode] ?? "unknown");
    const author = AUTHORS[authority.author] ?? "unknown";
    if (view.author.textContent !== author) view.author.replaceChildren(mark(`by-${author}`, author));
    view.help.hidden = !authority.help;
    text(view.help, authority.help ? `Help wanted: ${authority.help.text || "no reason given"}` : "");
    view.mode.title = REASONS[authority.reason] ?? "";
  }
  const mps = state.state?.observation[seen.channels.indexOf("speed_mps")];
  if (mps !== undefined) text(view.speed, `${(mps * 3.6).toFixed(0)} km/h`);
  const version = policy?.version || proposal?.policy;
  if (version) text(view.policy, version);
  if (proposal) text(view.confidence, `${(proposal.confidence * 100).toFixed(0)} %`);
}

async function link(view, seat, seen) {
  const fps = seen.frames;
  seen.frames = 0;
  if (!seat.connected) return text(view.rate, "–");
  const stats = await seat.peer.getStats();
  let rtt = null;
  stats.forEach((s) => {
    if (s.type === "candidate-pair" && s.nominated && s.currentRoundTripTime !== undefined) rtt = s.currentRoundTripTime;
  });
  text(view.rate, rtt === null ? `${fps} fps` : `${(rtt * 1000).toFixed(rtt < 0.01 ? 1 : 0)} ms · ${fps} fps`);
}

function answered(view, response) {
  const words = response.accepted ? "Emergency stop accepted." : `Refused: ${REASONS[response.reason] ?? "no reason given"}.`;
  text(view.notice, words);
}
