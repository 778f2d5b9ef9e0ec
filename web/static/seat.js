// The seat page: /seat.html?id=VEHICLE drives one vehicle, /seat.html lists those that can be called. With &path=relay
// only the TURN server is used, which shows whether it works.

import { ControlPlaneError, askList } from "./api.js";
import { AssistPanel } from "./assist.js";
import { modeWords } from "./authority.js";
import { nowUs, wallDifference } from "./clock.js";
import { el, get, getAs, mark, text } from "./dom.js";
import { Driver } from "./driver.js";
import { fresh } from "./health.js";
import { show } from "./hud.js";
import { Input } from "./input.js";
import { Lidar, draw, reachOf } from "./lidar.js";
import { part } from "./parts.js";
import { Picture } from "./picture.js";
import { Session, randomSeat } from "./session.js";
import { Voice } from "./voice.js";

// Commands go out this often.
const TICK_MS = 10;
const SHOW_MS = 50;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** This tab's seat: as the address says, else a name that the tab keeps. @param {URLSearchParams} parameters */
function seatName(parameters) {
  const asked = parameters.get("seat") ?? sessionStorage.getItem("seat");
  const seat = asked && NAME.test(asked) ? asked : randomSeat();
  sessionStorage.setItem("seat", seat);
  return seat;
}

/** @param {Api.VehicleView} v */
function card(v) {
  // A state that is not current says nothing of now.
  const state = fresh(v) ? [v.mode && `mode ${modeWords(v.mode, v.speed_mps)}`, v.author && `driven by ${v.author}`] : [];
  return el("li", {},
    el("b", {}, v.vehicle), mark(v.online ? "online" : "offline", v.online ? "online" : "offline"),
    el("span", { class: "quiet" }, [...state, v.map].filter(Boolean).join(" · ")),
    v.online ? el("a", { class: "button primary", href: `/seat.html?id=${v.vehicle}` }, "Take a seat") : "",
    v.online ? el("a", { class: "button", href: `/vehicle.html?id=${v.vehicle}` }, "Watch") : "");
}

/** The vehicles that can be called, or why they are not known. */
async function vehicles() {
  /** @param {string} said */
  const empty = (said) => el("p", { class: "empty" }, said);
  try {
    const live = (await askList("vehicles")).filter((v) => v.kind === "live");
    return live.length > 0 ? el("ul", { class: "vehicles" }, ...live.map(card)) : empty("No live vehicle has signed up yet. It appears here as soon as its bridge connects.");
  } catch (error) {
    if (error instanceof ControlPlaneError) return empty(`${error.message}. Trying again…`);
    throw error;
  }
}

/** Shows the list; what did not change stays, so that it can be clicked and keeps the focus. @param {HTMLElement} container */
async function list(container) {
  const shown = await vehicles();
  if (container.innerHTML !== shown.outerHTML) container.replaceChildren(shown);
}

/** The cameras of one session: the main one large, the others as tiles; a click on a tile makes it the main one. */
class Cameras {
  /** @type {Picture[]} */
  pictures = [];
  main = 0;
  /** @type {string[]} */
  #names = [];

  /** @param {() => import("./clock.js").Clock | null} clock */
  constructor(clock) {
    this.clock = clock;
    this.at(0);
  }

  /** @param {number} index */
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

  /** @param {number} index */
  choose(index) {
    if (index === this.main) return;
    this.main = index;
    this.#arrange();
  }

  /** @param {number} index */
  #name(index) {
    return this.#names[index] || (this.pictures.length > 1 || index > 0 ? `camera ${index + 1}` : "front");
  }

  /** @param {string[]} names */
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

/**
 * @param {string} vehicle
 * @param {string} seat
 * @param {boolean} relayOnly
 */
function drive(vehicle, seat, relayOnly) {
  const driver = new Driver(seat);
  const input = new Input();
  const lidar = new Lidar();
  let status = "asking the control plane";
  const cameras = new Cameras(() => session.clock());
  /** @type {() => Picture} */
  const picture = () => cameras.pictures[cameras.main];
  /** @type {Session} */
  const session = new Session(vehicle, seat, { relayOnly }, {
    status: (said) => {
      status = said;
    },
    connected: () => driver.onConnected(nowUs()),
    lost: (why) => {
      driver.onLost(nowUs(), why);
      cameras.pictures.forEach((p) => p.lost());
    },
    track: (track, index) => {
      if (track.kind === "video") cameras.at(index).play(track);
      else voice.play(track);
    },
    state: (state, at) => driver.onState(at, state),
    lidar: (segment) => {
      try {
        lidar.add(segment);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        console.warn(`a scan of the vehicle's lidar cannot be read: ${error.message}`);
      }
    },
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
    const seconds = (now - last) / 1e6;
    last = now;
    const sample = input.sample();
    const stop = driver.stop(now, sample);
    if (stop) session.request(stop);
    part("commands", () => {
      const { command, requests } = driver.tick(now, seconds, sample, picture(), session.clock());
      for (const request of requests) session.request(request);
      if (command) session.command(command);
    });
  }, TICK_MS);
  const panel = new AssistPanel(get("assist"), (action) => input.press(action));
  const rate = new Rate(() => picture().counts.shown);
  const showing = setInterval(() => {
    part("pictures", () => cameras.pictures.forEach((p) => p.judge()));
    show(driver, picture(), session.clock(), status, rate.read(), panel);
    part("lidar", () => showLidar(lidar, driver.robot));
  }, SHOW_MS);
  for (const button of document.querySelectorAll("[data-action]")) {
    if (!(button instanceof HTMLElement)) continue;
    const action = /** @type {import("./pads.js").Press} */ (button.dataset.action);
    button.addEventListener("click", () => input.press(action));
    // The stop acts on the press, not on letting go.
    if (action === "estop") button.addEventListener("pointerdown", () => input.press(action));
  }
  get("reset").addEventListener("pointerdown", () => input.holdReset(true));
  for (const end of ["pointerup", "pointerleave", "pointercancel"]) get("reset").addEventListener(end, () => input.holdReset(false));
  addEventListener("pagehide", () => {
    clearInterval(ticking);
    clearInterval(showing);
    session.close();
  });
  return { driver, session, cameras, lidar, voice };
}

/**
 * @param {Lidar} lidar
 * @param {import("./messages.js").Robot} [robot]
 */
function showLidar({ scan }, robot) {
  get("lidar-panel").hidden = !scan;
  if (!scan) return;
  const reach = reachOf(robot);
  text(get("lidar-title"), `Lidar from above, rings ${reach / 4} m apart`);
  draw(getAs("lidar", HTMLCanvasElement), scan, reach, robot);
}

/** How many a second, once a second. */
class Rate {
  #at = nowUs();
  #before = 0;
  /** @type {number | null} */
  #value = null;

  /** @param {() => number} count */
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
  Object.assign(window, { takeover: drive(vehicle, seat, parameters.get("path") === "relay") });
} else {
  get("choose").hidden = false;
  const refresh = () => list(get("vehicles"));
  refresh();
  setInterval(refresh, 2000);
}
