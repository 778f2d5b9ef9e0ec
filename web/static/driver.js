// What to send for what the person does and the vehicle says: the native console's rules in the browser. Times are
// microseconds of the page's clock.

import { Assist } from "./assist.js";
import { Authority, isStopping, modeOf, modeWords } from "./authority.js";
import { checklist, failures } from "./checklist.js";
import { Deadman } from "./deadman.js";
import { words } from "./dom.js";
import { Estop } from "./estop.js";
import { CAUSES, MODES, REASONS } from "./labels.js";
import { Mapping, NEUTRAL, ramp, speedOf } from "./mapping.js";
import { Requests, WORDS } from "./requests.js";

// Inputs repeated in each datagram, so that a lost one costs nothing.
const REPEATED_INPUTS = 4;
// Below this speed for this long a takeover counts as getting the vehicle unstuck.
const STANDING_MPS = 0.3;
const STUCK_US = 5_000_000;
const NOTICE_US = 6_000_000;
const NOTICES = 4;

/**
 * @typedef {import("./clock.js").Clock} Clock
 * @typedef {import("./input.js").Sample} Sample
 * @typedef {import("./messages.js").SeatRequest} SeatRequest
 * @typedef {import("./pads.js").Press} Press
 * @typedef {import("./picture.js").Picture} Picture
 * @typedef {import("./requests.js").Purpose} Purpose
 * @typedef {"info" | "warning" | "alarm"} Level
 * @typedef {Partial<import("./messages.js").StateDatagram>} Vehicle the newest of each part that it told
 */

/** @param {import("./mapping.js").Drive} drive */
const isNeutral = ({ accelerate, brake, steer }) => accelerate === 0 && brake === 0 && steer === 0;

/**
 * Why a robot that introduced itself cannot be driven from here.
 * @param {import("./messages.js").Hello} hello
 */
function undrivable({ robot, embodiment }) {
  return robot ? `a ${embodiment} has nothing to accelerate and turn by` : "the vehicle does not say what it is made of";
}

/**
 * @param {Press} action
 * @returns {action is import("./assist.js").AnswerPress}
 */
function isAnswer(action) {
  return action === "decline" || action === "send_path" || action.startsWith("path_");
}

export class Driver {
  /** @type {Vehicle} */
  vehicle = {};
  /** @type {import("./messages.js").Hello | null} */
  hello = null;
  /** @type {import("./messages.js").Help | null} */
  help = null;
  /** @type {Mapping | null} */
  mapping = null;
  connected = false;
  assist = new Assist();
  deadman = new Deadman();
  estop = new Estop();
  /** @type {{ until: number, level: Level, words: string }[]} */
  notices = [];
  drive = NEUTRAL;
  /** What was last asked of the robot's action channels; empty while this seat does not drive. @type {readonly number[]} */
  asked = [];
  /** @type {Sample} */
  sample = { device: "keyboard", drive: NEUTRAL, deadman: false, reset: false, pressed: [], pad: null };
  /** @type {number | null} */
  #stateAt = null;
  #movingAt = 0;
  /** @type {SeatRequest | null} */
  #estopRequest = null;
  /** @type {import("./messages.js").OperatorInput[]} */
  #sent = [];
  #drives = false;
  #granted = false;
  #warned = false;

  /** @param {string} seat */
  constructor(seat) {
    this.authority = new Authority(seat);
    // Ids and sequences must grow from one run to the next: a vehicle that remembers this seat would take the new
    // run's commands for old ones.
    this.requests = new Requests(Date.now() * 1000);
    this.sequence = Date.now() * 1000;
  }

  /**
   * @param {number} now
   * @param {Level} level
   * @param {string} said
   */
  say(now, level, said) {
    this.notices = [...this.notices.filter((n) => n.words !== said), { until: now + NOTICE_US, level, words: said }].slice(-NOTICES);
  }

  /** @param {number} now */
  onConnected(now) {
    this.connected = true;
    this.#stateAt = null;
    this.#movingAt = now;
    this.say(now, "info", "connected");
  }

  /**
   * Requests under way are dropped, never sent again behind the person's back; a pressed emergency stop alone stays.
   * @param {number} now
   * @param {string} why
   */
  onLost(now, why) {
    this.connected = false;
    this.say(now, "alarm", `link lost: ${why}`);
    for (const purpose of this.requests.forget()) this.say(now, "warning", `${WORDS[purpose]} was not answered`);
    this.authority.forget();
    this.assist.forget();
    this.help = null;
    this.vehicle = {};
    this.#drives = this.#granted = false;
    this.#stateAt = null;
    this.#sent = [];
  }

  /**
   * @param {number} now
   * @param {Vehicle} datagram
   */
  onState(now, datagram) {
    const known = this.vehicle;
    const newer = !known.state || this.#stateAt === null || (datagram.state?.monotonic_us ?? -1) >= known.state.monotonic_us;
    if (datagram.state && newer) {
      known.state = datagram.state;
      this.#stateAt = now;
    }
    if (datagram.authority) this.#onAuthority(now, datagram.authority);
    known.command = datagram.command ?? known.command;
    known.proposal = datagram.proposal ?? known.proposal;
    known.surroundings = datagram.surroundings ?? known.surroundings;
    known.link = datagram.link ?? known.link;
    known.policy = datagram.policy ?? known.policy;
    known.wall_clock = datagram.wall_clock ?? known.wall_clock;
    if (!(Math.abs(this.speed ?? 0) <= STANDING_MPS)) this.#movingAt = now;
  }

  /**
   * @param {number} now
   * @param {import("./messages.js").VehicleEvent} event
   */
  onEvent(now, { response, help, takeover, hello }) {
    if (response) this.#onResponse(now, response);
    if (help) this.help = help;
    if (help) this.say(now, "warning", `the vehicle asks for help: ${help.text}`);
    if (takeover) {
      const seconds = ((takeover.end_us - takeover.start_us) / 1e6).toFixed(1);
      const cause = words(CAUSES[takeover.cause] ?? "no cause given");
      this.say(now, "info", takeover.end_us === 0 ? `takeover begins: ${cause}` : `takeover ended after ${seconds} s, recorded`);
    }
    if (hello) {
      this.hello = hello;
      this.mapping = Mapping.of(hello);
    }
  }

  /**
   * @param {number} now
   * @param {import("./messages.js").AuthorityState} state
   */
  #onAuthority(now, state) {
    if (this.authority.take(state)) {
      this.estop.onLatch(now, state.estop_latched);
      this.help = state.help ?? null;
      this.assist.take(state, this.vehicle.surroundings, this.robot);
    }
    const { granted, holder } = this.authority;
    if (granted && !this.#granted) {
      // The wheel starts where the vehicle holds it.
      const steer = this.mapping?.steerOf(this.vehicle.command?.action, this.speed ?? 0) ?? 0;
      this.drive = { ...NEUTRAL, steer };
    }
    this.#granted = granted;
    const drives = holder === "me";
    if (drives && !this.#drives) this.say(now, "info", "you drive");
    if (!drives && this.#drives) {
      this.say(now, holder === "fallback" || holder === "stopped" ? "alarm" : "info", `you no longer drive: ${REASONS[state.reason] ?? "no reason given"}`);
    }
    this.#drives = drives;
  }

  /**
   * @param {number} now
   * @param {import("./messages.js").SeatResponse} response
   */
  #onResponse(now, response) {
    if (response.accepted && this.#estopRequest?.id === response.id) {
      this.estop.acknowledged(now);
      this.#estopRequest = null;
    }
    if (response.authority) this.#onAuthority(now, response.authority);
    const purpose = this.requests.answered(response);
    if (!purpose) return;
    const outcome = response.accepted ? "accepted by the vehicle" : `refused by the vehicle, ${REASONS[response.reason] ?? "no reason given"}`;
    this.say(now, response.accepted ? "info" : "warning", `${WORDS[purpose]}: ${outcome}`);
  }

  /** What the robot says that it is made of. */
  get robot() {
    return this.hello?.robot;
  }

  /** Metres a second, or null. */
  get speed() {
    return speedOf(this.robot, this.vehicle.state?.observation);
  }

  /** Who drives. While a vehicle whose mode is "stopped" still moves, it stops itself. */
  get holder() {
    const { holder, latest } = this.authority;
    return holder === "stopped" && latest && isStopping(modeOf(latest), this.speed) ? "fallback" : holder;
  }

  /** Microseconds since the vehicle's last state. @param {number} now */
  stateAge(now) {
    return this.#stateAt === null ? null : now - this.#stateAt;
  }

  /**
   * @param {number} now
   * @param {Picture | undefined} picture
   * @param {Clock | null} clock
   */
  checks(now, picture, clock) {
    const { latest, holder } = this.authority;
    const why = !this.hello ? "the vehicle has not introduced itself" : this.mapping ? "" : undrivable(this.hello);
    return checklist({
      connected: this.connected, stateAge: this.stateAge(now), hasPicture: (picture?.counts.shown ?? 0) > 0,
      stale: picture?.stale() ?? null, uncertainty: clock?.uncertaintyUs ?? null, undrivable: why,
      estopped: this.estop.phase !== "clear", otherSeat: holder === "other" ? latest?.seat_id ?? "" : "",
      neutral: isNeutral(this.sample.drive), deadman: this.sample.deadman,
    });
  }

  /**
   * The emergency stop and its release: what to send of it now. Called before `tick`, so that no error there keeps it.
   * @param {number} now
   * @param {Sample} sample
   * @returns {SeatRequest | null}
   */
  stop(now, sample) {
    // No condition stands before the emergency stop: not the link, not the mode, not who drives.
    if (sample.pressed.includes("estop")) this.estop.press();
    const send = this.estop.tick(now, sample.reset, this.connected);
    if (!send) return null;
    if (send.estop_reset) {
      const body = { estop_reset: send.estop_reset };
      return send.holding ? this.requests.aside(body) : this.requests.issue(now, "estop_reset", body);
    }
    // A stop that was acknowledged and released is another stop: it needs its own id.
    if (this.estop.sends === 1 || !this.#estopRequest) this.#estopRequest = this.requests.issue(now, "estop", send);
    return this.#estopRequest;
  }

  /**
   * One tick: what else to send.
   * @param {number} now
   * @param {number} seconds since the last tick
   * @param {Sample} sample
   * @param {Picture | undefined} picture
   * @param {Clock | null} clock
   * @returns {{ command: import("./messages.js").CommandDatagram | null, requests: SeatRequest[] }}
   */
  tick(now, seconds, sample, picture, clock) {
    this.sample = { ...sample, deadman: this.deadman.sample(now, sample.deadman) };
    const requests = sample.pressed.flatMap((action) => this.#act(now, action, picture, clock) ?? []);
    for (const purpose of this.requests.overdue(now)) this.say(now, "warning", `${WORDS[purpose]}: no answer from the vehicle`);
    const released = this.#drives && !this.sample.deadman;
    if (released && !this.#warned) this.say(now, "alarm", "deadman released: the vehicle stops");
    this.#warned = released;
    this.notices = this.notices.filter((n) => n.until > now);
    return { command: this.#command(now, Math.min(seconds, 0.1), picture), requests };
  }

  /**
   * @param {number} now
   * @param {Press} action
   * @param {Picture | undefined} picture
   * @param {Clock | null} clock
   */
  #act(now, action, picture, clock) {
    if (action === "estop") return null;
    if (isAnswer(action)) return this.#answer(now, action);
    if (this.requests.awaits(action)) return null;
    if (!this.connected) {
      this.say(now, "warning", `${WORDS[action]}: not connected`);
      return null;
    }
    switch (action) {
      case "takeover":
      case "takeover_safety": return this.#takeOver(now, action, picture, clock);
      case "assist": return this.requests.issue(now, action, { hand_back: { mode: MODES.indexOf(this.mode === "assist" ? "monitor" : "assist") } });
      case "hand_back": return this.requests.issue(now, action, { hand_back: { mode: MODES.indexOf("monitor") } });
      case "engage": return this.requests.issue(now, action, { engage: {} });
      case "bookmark": return this.requests.issue(now, action, { bookmark: {} });
    }
  }

  /**
   * @param {number} now
   * @param {"takeover" | "takeover_safety"} action
   * @param {Picture | undefined} picture
   * @param {Clock | null} clock
   */
  #takeOver(now, action, picture, clock) {
    const why = failures(this.checks(now, picture, clock));
    if (why) {
      this.say(now, "warning", `cannot take over: ${why}`);
      return null;
    }
    const cause = CAUSES.indexOf(action === "takeover_safety" ? "safety" : this.#cause(now));
    return this.requests.issue(now, action, { takeover: { cause } });
  }

  /**
   * Answers the vehicle's question; without one the keys mean nothing.
   * @param {number} now
   * @param {import("./assist.js").AnswerPress} action
   */
  #answer(now, action) {
    const path_answer = this.assist.answer(action);
    if (!path_answer || !this.connected || this.requests.awaits("answer")) return null;
    return this.requests.issue(now, "answer", { path_answer });
  }

  /** The cause of a takeover that the person did not name. @param {number} now */
  #cause(now) {
    if (this.help) return "policy_asked";
    if (this.holder === "fallback") return "fault";
    return now - this.#movingAt > STUCK_US ? "stuck" : "precaution";
  }

  /**
   * @param {number} now
   * @param {number} seconds
   * @param {Picture | undefined} picture
   */
  #command(now, seconds, picture) {
    const { device, drive } = this.sample;
    // The deadman is a second way to the stop, on another channel; released, it lets go of everything but the brake.
    const deadman = this.sample.deadman && this.estop.phase !== "sent";
    this.drive = ramp(this.drive, deadman ? drive : { ...NEUTRAL, brake: drive.brake }, device, seconds);
    this.asked = [];
    if (!this.connected) return null;
    const action = this.mapping && this.#granted ? this.mapping.action(this.drive, this.speed ?? 0) : [];
    this.asked = action;
    const shown = picture?.timecode?.captureUs ?? 0;
    this.#sent.push({ sequence: ++this.sequence, epoch: this.authority.epoch, seat_us: now, deadman, action, shown_frame_us: shown });
    if (this.#sent.length > REPEATED_INPUTS) this.#sent.shift();
    return { inputs: this.#sent };
  }

  /** The mode's name. */
  get mode() {
    const { latest } = this.authority;
    return latest ? modeOf(latest) : "–";
  }

  /** The mode in words. */
  get modeWords() {
    return modeWords(this.mode, this.speed);
  }
}
