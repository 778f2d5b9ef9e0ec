// The seat page: /seat.html?id=VEHICLE drives one vehicle, /seat.html lists those that can be called. With &path=relay
// only the TURN server is used, which shows whether it works.

import { AssistPanel } from "./assist.js";
import { nowUs, wallDifference } from "./clock.js";
import { el, mark, text } from "./dom.js";
import { Driver } from "./driver.js";
import { show } from "./hud.js";
import { Input } from "./input.js";
import { Lidar, draw } from "./lidar.js";
import { Picture } from "./picture.js";
import { Session, randomSeat } from "./session.js";
import { Voice } from "./voice.js";

// Commands go out this often.
const TICK_MS = 10;
const SHOW_MS = 50;
const get = (id) => document.getElementById(id);
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** This tab's seat: as the address says, else a name that the tab keeps. */
function seatName(parameters) {
  const asked = parameters.get("seat") ?? sessionStorage.getItem("seat");
  const seat = asked && NAME.test(asked) ? asked : randomSeat();
  sessionStorage.setItem("seat", seat);
  return seat;
}

async function list(container) {
  const answer = await fetch("/api/v1/vehicles", { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) {
    container.replaceChildren(el("p", { class: "empty" }, "The control plane does not answer. Trying again…"));
    return;
  }
  const live = (await answer.json()).filter((v) => v.kind === "live");
  const card = (v) => el("li", {},
    el("b", {}, v.vehicle), mark(v.online ? "online" : "offline", v.online ? "online" : "offline"),
    el("span", { class: "quiet" }, [v.mode && `mode ${v.mode}`, v.author && `driven by ${v.author}`, v.map].filter(Boolean).join(" · ")),
    v.online ? el("a", { class: "button primary", href: `/seat.html?id=${v.vehicle}` }, "Take a seat") : "",
    v.online ? el("a", { class: "button", href: `/vehicle.html?id=${v.vehicle}` }, "Watch") : "");
  if (live.length === 0) container.replaceChildren(el("p", { class: "empty" }, "No live vehicle has signed up yet. It appears here as soon as its bridge connects."));
  else container.replaceChildren(el("ul", { class: "vehicles" }, ...live.map(card)));
}

/** The cameras of one session: the main one large, the others as tiles; a click on a tile makes it the main one. */
class Cameras {
  pictures = [];
  main = 0;
  #names = [];

  constructor(clock) {
    this.clock = clock;
    this.at(0);
  }

  at(index) {
    while (this.pictures.length <= index) {
      const place = this.pictures.length;
      const picture = new Picture(this.#name(place), this.clock);
      picture.root.addEventListener("click", () => this.choose(place));
      this.pictures.push(picture);
    }
    this.#arrange();
    return this.pictures[index];
  }

  choose(index) {
    if (index === this.main) return;
    this.main = index;
    this.#arrange();
  }

  #name(index) {
    return this.#names[index] || (this.pictures.length > 1 || index > 0 ? `camera ${index + 1}` : "front");
  }

  name(names) {
    this.#names = names;
    this.pictures.forEach((picture, i) => (picture.name = this.#name(i)));
  }

  #arrange() {
    this.pictures.forEach((picture, i) => {
      const wanted = i === this.main ? get("main-camera") : get("tiles");
      // Moving a playing video in the document pauses it.
      if (picture.root.parentNode !== wanted) {
        wanted.append(picture.root);
        if (picture.video.srcObject) picture.video.play().catch(() => {});
      }
    });
    get("tiles").hidden = this.pictures.length < 2;
  }
}

function drive(vehicle, seat, relayOnly) {
  const driver = new Driver(seat);
  const input = new Input();
  const lidar = new Lidar();
  let status = "asking the control plane";
  const cameras = new Cameras(() => session.clock());
  const picture = () => cameras.pictures[cameras.main];
  const session = new Session(vehicle, seat, { relayOnly }, {
    status: (words) => (status = words),
    connected: () => driver.onConnected(nowUs()),
    lost: (why) => {
      driver.onLost(nowUs(), why);
      cameras.pictures.forEach((p) => p.lost());
    },
    track: (track, receiver, index) => {
      if (track.kind === "video") cameras.at(index).play(track);
      else voice.play(track);
    },
    state: (state, at) => driver.onState(at, state),
    lidar: (segment) => lidar.add(segment),
    event: (event) => {
      driver.onEvent(nowUs(), event);
      if (event.hello) cameras.name(event.hello.cameras.map((c) => c.name));
    },
    report: () => ({ ...picture().report(), wall_clock: wallDifference(driver.vehicle.wall_clock, session.clock()) ?? undefined }),
  });
  const voice = new Voice(() => session.voice());
  let last = nowUs();
  const ticking = setInterval(() => {
    const now = nowUs();
    const { command, requests } = driver.tick(now, (now - last) / 1e6, input.sample(), picture(), session.clock());
    last = now;
    for (const request of requests) session.request(request);
    if (command) session.command(command);
  }, TICK_MS);
  const panel = new AssistPanel(get("assist"), (action) => input.press(action));
  const rate = new Rate(() => picture().counts.shown);
  const showing = setInterval(() => {
    cameras.pictures.forEach((p) => p.judge());
    show(driver, picture(), session.clock(), status, rate.read(), panel);
    get("lidar-panel").hidden = !lidar.scan;
    if (lidar.scan) draw(get("lidar"), lidar.scan);
  }, SHOW_MS);
  for (const button of document.querySelectorAll("[data-action]")) {
    button.addEventListener("click", () => input.press(button.dataset.action));
  }
  for (const [event, held] of [["pointerdown", true], ["pointerup", false], ["pointerleave", false]]) {
    get("reset").addEventListener(event, () => input.holdReset(held));
  }
  addEventListener("pagehide", () => {
    clearInterval(ticking);
    clearInterval(showing);
    session.close();
  });
  return { driver, session, cameras, lidar, voice };
}

/** How many a second, once a second. */
class Rate {
  #at = nowUs();
  #before = 0;
  #value = null;

  constructor(count) {
    this.count = count;
  }

  read() {
    const now = nowUs();
    if (now - this.#at >= 1e6) {
      const count = this.count();
      this.#value = Math.round(((count - this.#before) * 1e6) / (now - this.#at));
      [this.#at, this.#before] = [now, count];
    }
    return this.#value;
  }
}

const parameters = new URLSearchParams(location.search);
const vehicle = parameters.get("id") ?? "";
if (NAME.test(vehicle)) {
  const seat = seatName(parameters);
  document.title = `${vehicle}: seat`;
  document.body.classList.add("driving");
  text(get("vehicle"), vehicle);
  text(get("seat-name"), seat);
  // For tests and for a person at the browser's console.
  window.takeover = drive(vehicle, seat, parameters.get("path") === "relay");
} else {
  get("choose").hidden = false;
  const refresh = () => list(get("vehicles"));
  refresh();
  setInterval(refresh, 2000);
}
