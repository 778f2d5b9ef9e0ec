// What to send for what the person does and the vehicle says: the native console's rules in the browser. Times are
// microseconds of the page's clock.

import { Assist } from "./assist.js";
import { Authority, modeOf } from "./authority.js";
import { checklist, failures } from "./checklist.js";
import { Deadman } from "./deadman.js";
import { Estop } from "./estop.js";
import { CAUSES, MODES, OBSERVATIONS, REASONS } from "./labels.js";
import { Mapping, NEUTRAL, ramp } from "./mapping.js";
import { Requests, WORDS } from "./requests.js";

// Inputs repeated in each datagram, so that a lost one costs nothing.
const REPEATED_INPUTS = 4;
// Below this speed for this long a takeover counts as getting the vehicle unstuck.
const STANDING_MPS = 0.3;
const STUCK_US = 5_000_000;
const NOTICE_US = 6_000_000;
const NOTICES = 4;
const isNeutral = ({ accelerate, brake, steer }) => accelerate === 0 && brake === 0 && steer === 0;

export class Driver {
  vehicle = {};
  hello = null;
  help = null;
  mapping = null;
  connected = false;
  assist = new Assist();
  deadman = new Deadman();
  estop = new Estop();
  notices = [];
  drive = NEUTRAL;
  sample = { device: "keyboard", drive: NEUTRAL, deadman: false, reset: false, pressed: [], pad: null };
  #stateAt = null;
  #movingAt = 0;
  #estopRequest = null;
  #sent = [];
  #drives = false;
  #granted = false;
  #warned = false;

  constructor(seat) {
    this.authority = new Authority(seat);
    // Ids and sequences must grow from one run to the next: a vehicle that remembers this seat would take the new
    // run's commands for old ones.
    this.requests = new Requests(Date.now() * 1000);
    this.sequence = Date.now() * 1000;
  }

  say(now, level, words) {
    this.notices = [...this.notices.filter((n) => n.words !== words), { until: now + NOTICE_US, level, words }].slice(-NOTICES);
  }

  onConnected(now) {
    this.connected = true;
    this.#stateAt = null;
    this.#movingAt = now;
    this.say(now, "info", "connected");
  }

  /** Requests under way are dropped, never sent again behind the person's back; a pressed emergency stop alone stays. */
  onLost(now, why) {
    this.connected = false;
    this.say(now, "alarm", `link lost: ${why}`);
    for (const purpose of this.requests.forget()) this.say(now, "warning", `${WORDS[purpose]} was not answered`);
    this.authority.forget();
    this.assist.forget();
    Object.assign(this, { help: null, vehicle: {} });
    this.#drives = this.#granted = false;
    this.#stateAt = null;
    this.#sent = [];
  }

  onState(now, datagram) {
    const known = this.vehicle;
    const newer = !known.state || this.#stateAt === null || (datagram.state?.monotonic_us ?? -1) >= known.state.monotonic_us;
    if (datagram.state && newer) {
      known.state = datagram.state;
      this.#stateAt = now;
    }
    if (datagram.authority) this.#onAuthority(now, datagram.authority);
    for (const part of ["command", "proposal", "surroundings", "link", "policy", "wall_clock"]) {
      if (datagram[part]) known[part] = datagram[part];
    }
    if (!(Math.abs(this.speed ?? 0) <= STANDING_MPS)) this.#movingAt = now;
  }

  onEvent(now, { response, help, takeover, hello }) {
    if (response) this.#onResponse(now, response);
    if (help) this.help = help;
    if (help) this.say(now, "warning", `the vehicle asks for help: ${help.text}`);
    if (takeover) {
      const seconds = ((takeover.end_us - takeover.start_us) / 1e6).toFixed(1);
      const cause = (CAUSES[takeover.cause] ?? "").replaceAll("_", " ");
      this.say(now, "info", takeover.end_us === 0 ? `takeover begins: ${cause}` : `takeover ended after ${seconds} s, recorded`);
    }
    if (hello) Object.assign(this, { hello, mapping: Mapping.of(hello) });
  }

  #onAuthority(now, state) {
    if (this.authority.take(state)) {
      this.estop.onLatch(now, state.estop);
      this.help = state.help ?? null;
      this.assist.take(state, this.vehicle.surroundings);
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
      this.say(now, holder === "fallback" || holder === "stopped" ? "alarm" : "info", `you no longer drive: ${REASONS[state.reason]}`);
    }
    this.#drives = drives;
  }

  #onResponse(now, response) {
    if (response.accepted && this.#estopRequest?.id === response.id) {
      this.estop.acknowledged(now);
      this.#estopRequest = null;
    }
    if (response.authority) this.#onAuthority(now, response.authority);
    const purpose = this.requests.answered(response);
    if (!purpose) return;
    const words = response.accepted ? "accepted by the vehicle" : `refused by the vehicle, ${REASONS[response.reason] ?? "no reason given"}`;
    this.say(now, response.accepted ? "info" : "warning", `${WORDS[purpose]}: ${words}`);
  }

  /** Metres a second, or null. */
  get speed() {
    const value = this.vehicle.state?.observation[(OBSERVATIONS[this.hello?.embodiment] ?? []).indexOf("speed_mps")];
    return Number.isFinite(value) ? value : null;
  }

  stateAge(now) {
    return this.#stateAt === null ? null : now - this.#stateAt;
  }

  checks(now, picture, clock) {
    const { latest, holder } = this.authority;
    const undrivable = !this.hello ? "the vehicle has not introduced itself" : this.mapping ? "" : `no pedals and wheel for a ${this.hello.embodiment}`;
    return checklist({
      connected: this.connected, stateAge: this.stateAge(now), hasPicture: (picture?.counts.shown ?? 0) > 0,
      stale: picture?.stale() ?? null, uncertainty: clock?.uncertaintyUs ?? null, undrivable,
      estopped: this.estop.phase !== "clear", otherSeat: holder === "other" ? latest.seat : "",
      neutral: isNeutral(this.sample.drive), deadman: this.sample.deadman,
    });
  }

  /** One tick: what to send, { input datagram or null, requests }. `sample` is Input.sample's. */
  tick(now, seconds, sample, picture, clock) {
    this.sample = { ...sample, deadman: this.deadman.sample(now, sample.deadman) };
    const requests = sample.pressed.map((action) => this.#act(now, action, picture, clock)).filter(Boolean);
    const stop = this.#tickEstop(now);
    if (stop) requests.push(stop);
    for (const purpose of this.requests.overdue(now)) this.say(now, "warning", `${WORDS[purpose]}: no answer from the vehicle`);
    const released = this.#drives && !this.sample.deadman;
    if (released && !this.#warned) this.say(now, "alarm", "deadman released: the vehicle stops");
    this.#warned = released;
    this.notices = this.notices.filter((n) => n.until > now);
    return { command: this.#command(now, Math.min(seconds, 0.1), picture), requests };
  }

  #act(now, action, picture, clock) {
    if (action === "estop") {
      // No condition stands before the emergency stop: not the link, not the mode, not who drives.
      this.estop.press();
      return null;
    }
    if (action === "decline" || action === "send_path" || action.startsWith("path_")) return this.#answer(now, action);
    if (this.requests.awaits(action)) return null;
    if (!this.connected) {
      this.say(now, "warning", `${WORDS[action]}: not connected`);
      return null;
    }
    if (action === "takeover" || action === "takeover_safety") {
      const why = failures(this.checks(now, picture, clock));
      if (why) {
        this.say(now, "warning", `cannot take over: ${why}`);
        return null;
      }
      const cause = CAUSES.indexOf(action === "takeover_safety" ? "safety" : this.#cause(now));
      return this.requests.issue(now, action, { takeover: { cause } });
    }
    if (action === "assist") {
      const mode = MODES.indexOf(this.mode === "assist" ? "monitor" : "assist");
      return this.requests.issue(now, action, { hand_back: { mode } });
    }
    const bodies = { hand_back: { mode: MODES.indexOf("monitor") }, engage: {}, bookmark: {} };
    return this.requests.issue(now, action, { [action]: bodies[action] });
  }

  /** Answers the vehicle's question; without one the keys mean nothing. */
  #answer(now, action) {
    const path_answer = this.assist.answer(action);
    if (!path_answer || !this.connected || this.requests.awaits("answer")) return null;
    return this.requests.issue(now, "answer", { path_answer });
  }

  /** The cause of a takeover that the person did not name. */
  #cause(now) {
    if (this.help) return "policy_asked";
    if (this.authority.holder === "fallback") return "fault";
    return now - this.#movingAt > STUCK_US ? "stuck" : "precaution";
  }

  #tickEstop(now) {
    const send = this.estop.tick(now, this.sample.reset, this.connected);
    if (!send) return null;
    if (send.holding) return this.requests.aside({ estop_reset: send.estop_reset });
    if (send.estop_reset) return this.requests.issue(now, "estop_reset", send);
    // A stop that was acknowledged and released is another stop: it needs its own id.
    if (this.estop.sends === 1 || !this.#estopRequest) this.#estopRequest = this.requests.issue(now, "estop", send);
    return this.#estopRequest;
  }

  #command(now, seconds, picture) {
    const { device, drive } = this.sample;
    // The deadman is a second way to the stop, on another channel; released, it lets go of everything but the brake.
    const deadman = this.sample.deadman && this.estop.phase !== "sent";
    this.drive = ramp(this.drive, deadman ? drive : { ...NEUTRAL, brake: drive.brake }, device, seconds);
    if (!this.connected) return null;
    const action = this.mapping && this.#granted ? this.mapping.action(this.drive, this.speed ?? 0) : [];
    const shown = picture?.timecode?.captureUs ?? 0;
    this.#sent.push({ sequence: ++this.sequence, epoch: this.authority.epoch, seat_us: now, deadman, action, shown_frame_us: shown });
    if (this.#sent.length > REPEATED_INPUTS) this.#sent.shift();
    return { inputs: this.#sent };
  }

  /** The mode in words. */
  get mode() {
    const { latest } = this.authority;
    return latest ? modeOf(latest) : "–";
  }
}
