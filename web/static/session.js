// One seat's session with one vehicle: calls it over signalling, receives pictures, state and events over WebRTC, sends
// commands and requests. Once connected it needs no signalling: a lost WebSocket is renewed and the session goes on.

import { ClockEstimator, nowUs } from "./clock.js";
import { FAILURES } from "./labels.js";
import { readEvent, readState, writeCommand, writeRequest } from "./messages.js";
import { part } from "./parts.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000];
// An unanswered call is made again after this long.
const ANSWER_MS = 8000;
// A vehicle tells its state many times a second; the browser itself takes five seconds and more to call a path dead.
const SILENCE_MS = 1500;
// While a link is interrupted, the vehicle is asked for another path this often (an ICE restart), and so many times before
// the session is given up: this machine may have another address now.
const RESTART_MS = 1500;
const RESTARTS = 3;
const PING_MS = 200;
const PINGS_PER_REPORT = 5;
// An e-stop rides on all datagrams for this long after it was asked for: its own channel may be the one that is broken.
const ESTOP_RIDES_US = 500_000;
// More than this waiting on the command channel means a dead path; old commands serve nobody.
const STUCK_BYTES = 16 * 1024;
// The control plane's close code for a connection that a newer one of the same name replaced.
const REPLACED = 4001;

/**
 * What the session tells its page, all optional. `code` names a known failure; `report` is what the vehicle is told about the
 * picture once a second.
 * @typedef {object} Listener
 * @property {(words: string, code?: string) => void} [status]
 * @property {() => void} [connected]
 * @property {(words: string) => void} [lost]
 * @property {(track: MediaStreamTrack, index: number) => void} [track]
 * @property {(state: import("./messages.js").StateDatagram, atUs: number) => void} [state]
 * @property {(segment: import("./messages.js").LidarSegment) => void} [lidar]
 * @property {(event: import("./messages.js").VehicleEvent) => void} [event]
 * @property {() => import("./messages.js").Report | undefined} [report]
 */

/**
 * A message of the signalling, as `protocol::signalling` has it.
 * @typedef {{ type: string, session?: string, seat?: string, vehicle?: string, watch_only?: boolean, reason?: string, code?: string,
 *   message?: string, sdp?: string, vouched?: string | null, candidate?: string, sdp_mid?: string | null,
 *   sdp_mline_index?: number | null, ice_servers?: RTCIceServer[] }} Signal
 */

/** What the other side says, as a sentence. @param {string} [words] */
function sentence(words) {
  const said = words || "No reason was given";
  return `${said[0].toUpperCase()}${said.slice(1)}${/[.…!?]$/.test(said) ? "" : "."}`;
}

/** What went wrong with what to do about it, for the person. @type {(words: string, code?: string) => string} */
export const explain = (words, code) => (code && FAILURES[code] ? `${words} ${FAILURES[code]}` : words);

/** Whether a description announces the vouched certificate and no other. @type {(sdp: string, vouched: string) => boolean} */
function announces(sdp, vouched) {
  const told = [...sdp.matchAll(/^a=fingerprint:(\S+) (\S+)/gm)];
  return told.length > 0 && told.every(([, kind, value]) => kind.toLowerCase() === "sha-256" && value.toUpperCase() === vouched.toUpperCase());
}

/** A name for a seat that has none: unique for all practical purposes. */
export function randomSeat() {
  return `web-${[...crypto.getRandomValues(new Uint8Array(6))].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * The STUN of the control plane itself, at its own port. It tells the page the address that the browser hides from it.
 * Behind a proxy with TLS there is none.
 * @returns {RTCIceServer[]}
 */
function ownServers() {
  return location.protocol === "http:" ? [{ urls: `stun:${location.hostname}:${location.port || 80}` }] : [];
}

export class Session {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {RTCPeerConnection | null} */
  #peer = null;
  /** @type {{ command?: RTCDataChannel, requests?: RTCDataChannel }} */
  #channels = {};
  /** @type {string | undefined} */
  #session;
  /** @type {RTCIceCandidateInit[]} */
  #waiting = [];
  #calls = 0;
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #pings = 0;
  /** @type {number | null} */
  #estopAt = null;
  #pinging;
  #closed = false;
  #up = false;
  // The person reads why the last call failed before the next one is made.
  #pausing = false;
  // Up, but nothing is heard of the vehicle.
  #interrupted = false;
  #heardAt = 0;
  #clock = new ClockEstimator();
  /** @type {RTCCertificate | null} */
  #certificate = null;
  /** @type {RTCIceServer[]} */
  #servers = [];

  /**
   * Calls `vehicle` as `seat` now and whenever the session is lost, until closed. `relayOnly` leaves every path but TURN alone.
   * @param {string} vehicle
   * @param {string} seat
   * @param {{ watchOnly?: boolean, relayOnly?: boolean }} how
   * @param {Listener} on
   */
  constructor(vehicle, seat, { watchOnly = false, relayOnly = false }, on) {
    this.vehicle = vehicle;
    this.seat = seat;
    this.watchOnly = watchOnly;
    this.relayOnly = relayOnly;
    this.on = on;
    this.started = Date.now().toString(36);
    this.#pinging = setInterval(() => this.#ping(), PING_MS);
    this.#open();
  }

  /** Whether both directions can be used. */
  get connected() {
    return this.#up;
  }

  get peer() {
    return this.#peer;
  }

  /** The sender of the audio section, if the vehicle wants to hear this seat. */
  voice() {
    const audio = this.#peer?.getTransceivers().find((t) => t.receiver.track.kind === "audio");
    return audio?.direction === "sendrecv" ? audio.sender : undefined;
  }

  /** How the vehicle's clock stands to this page's, or null. */
  clock() {
    return this.#clock.estimate(nowUs());
  }

  /**
   * Sends a CommandDatagram; false when it was dropped because there is no session or the path is stuck.
   * @param {import("./messages.js").CommandDatagram} command
   */
  command(command) {
    const channel = this.#channels.command;
    if (channel?.readyState !== "open" || channel.bufferedAmount > STUCK_BYTES) return false;
    const estop = (this.#estopAt !== null && nowUs() - this.#estopAt < ESTOP_RIDES_US) || undefined;
    channel.send(writeCommand({ seat_id: this.seat, ...command, estop }));
    return true;
  }

  /** Sends a SeatRequest reliably within this session; false when there is none. @param {import("./messages.js").SeatRequest} request */
  request(request) {
    if (request.estop) {
      this.#estopAt = nowUs();
      this.command({});
    }
    const channel = this.#channels.requests;
    if (channel?.readyState !== "open") return false;
    channel.send(writeRequest({ seat_id: this.seat, ...request }));
    return true;
  }

  close() {
    this.#closed = true;
    clearInterval(this.#pinging);
    this.#bye("the seat left", "peer_left");
    this.#hangUp();
    this.#socket?.close();
  }

  #ping() {
    if (!this.#up) return;
    if (performance.now() - this.#heardAt > SILENCE_MS) this.#interrupt();
    const report = ++this.#pings % PINGS_PER_REPORT === 0 ? this.on.report?.() : undefined;
    this.command({ ping: { t1_us: nowUs() }, report });
  }

  async #open() {
    // The control plane vouches for this certificate; it lives as long as this page.
    this.#certificate ??= await RTCPeerConnection.generateCertificate(/** @type {EcKeyGenParams} */ ({ name: "ECDSA", namedCurve: "P-256" }));
    if (this.#closed) return;
    const print = this.#certificate.getFingerprints?.().find((f) => f.algorithm === "sha-256")?.value?.toUpperCase();
    const place = `${location.host}/api/v1/signal?seat=${encodeURIComponent(this.seat)}${print ? `&fingerprint=${print}` : ""}`;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${place}`);
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      if (!this.#up && !this.#pausing) this.#call();
      else if (this.#interrupted) this.#askForPath();
    };
    socket.onmessage = (message) => {
      this.#heard(message.data).catch((error) => {
        // What the browser makes of the other side's words fails with these; anything else is the page's own.
        if (!(error instanceof DOMException || error instanceof SyntaxError)) reportError(error);
        this.#again(`The call failed: ${error instanceof Error ? error.message : error}.`, "negotiation_failed");
      });
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#closed || socket !== this.#socket) return;
      if (!this.#up && code === REPLACED) this.#say(`${reason}.`, "replaced");
      else if (!this.#up && !opened) this.#why(`${location.protocol}//${place}`);
      setTimeout(() => !this.#closed && this.#open(), this.#delay());
    };
  }

  /** Says why the control plane turned this seat away: a WebSocket is not told, a plain request is. @param {string} address */
  async #why(address) {
    const answer = await fetch(address).catch(() => null);
    if (!answer) return this.#say("The control plane does not answer. Trying again…", "control_plane_unreachable");
    const { error } = (await answer.json().catch(() => null)) ?? {};
    const words = typeof error === "string" ? error : "";
    const code = Object.keys(FAILURES).find((known) => words.startsWith(`${known}: `));
    if (code) this.#say(words.slice(code.length + 2));
    else this.#say(`The control plane answers ${answer.status} to the call${words ? `: ${words}` : ""}. Trying again…`);
  }

  /** @type {(words: string, code?: string) => void} */
  #say(words, code) {
    this.on.status?.(explain(words, code), code);
  }

  #delay() {
    return RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
  }

  /** @param {Signal} signal */
  #send(signal) {
    if (signal.session && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(signal));
  }

  #call() {
    this.#hangUp();
    this.#session = `${this.seat}-${this.started}-${++this.#calls}`;
    this.#say(`Calling ${this.vehicle}…`);
    this.#send({ type: "call", session: this.#session, seat: this.seat, vehicle: this.vehicle, watch_only: this.watchOnly });
    this.#timer = setTimeout(() => this.#unanswered(), ANSWER_MS);
  }

  /** The call led to nothing in time: no offer, or no path. */
  #unanswered() {
    if (!this.#peer) {
      this.#renew();
      return this.#again(`${this.vehicle} does not answer. Calling again…`, "vehicle_silent");
    }
    this.#bye("no path was found", "ice_failed_no_path");
    this.#again("No path to the vehicle was found.", "ice_failed_no_path");
  }

  /** @type {(reason: string, code: string) => void} */
  #bye(reason, code) {
    this.#send({ type: "bye", session: this.#session, reason, code });
  }

  /** @type {(reason: string, code?: string) => void} */
  #again(reason, code) {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#lost(reason);
    this.#say(reason, code);
    this.#pausing = true;
    this.#timer = setTimeout(() => {
      this.#pausing = false;
      if (this.#socket?.readyState === WebSocket.OPEN) this.#call();
    }, this.#delay());
  }

  /** @param {string} reason */
  #lost(reason) {
    this.#interrupted = false;
    if (!this.#up) return;
    this.#up = false;
    this.on.lost?.(reason);
  }

  #hangUp() {
    clearTimeout(this.#timer);
    this.#pausing = false;
    this.#lost("the session ended");
    this.#waiting = [];
    this.#channels = {};
    // A vehicle that was restarted has another clock.
    this.#clock = new ClockEstimator();
    const peer = this.#peer;
    this.#peer = null;
    if (peer) {
      peer.onconnectionstatechange = null;
      peer.close();
    }
  }

  /** @param {string} text */
  async #heard(text) {
    /** @type {Signal} */
    const signal = JSON.parse(text);
    if (signal.type === "welcome") this.#servers = signal.ice_servers ?? [];
    if (signal.type === "error" && !this.#up) return this.#again(sentence(signal.message), signal.code);
    if (signal.session !== this.#session) return;
    if (signal.type === "offer") await this.#answer(signal);
    else if (signal.type === "candidate") await this.#candidate(signal);
    else if (signal.type === "bye") this.#again(`The vehicle ended the session. ${sentence(signal.reason)}`, signal.code);
  }

  /** @param {Signal} signal */
  async #answer({ sdp = "", vouched }) {
    if (vouched && !announces(sdp, vouched)) {
      this.#bye("the vehicle's certificate is not the one vouched for", "dtls_fingerprint_mismatch");
      return this.#again("The vehicle's certificate is not the one that the control plane vouches for.", "dtls_fingerprint_mismatch");
    }
    const peer = this.#peer ?? this.#newPeer();
    await peer.setRemoteDescription({ type: "offer", sdp });
    // Each direction has its own channels, opened by its sender: the side that accepts one would send on it reliably.
    this.#channels.command ??= this.#openChannel(peer, "command", { ordered: false, maxPacketLifeTime: 100 });
    this.#channels.requests ??= this.#openChannel(peer, "requests", { ordered: true });
    for (const candidate of this.#waiting.splice(0)) await peer.addIceCandidate(candidate);
    // Answered in both directions at once, so that talking needs no negotiation; without a track nothing is sent.
    const audio = peer.getTransceivers().find((t) => t.receiver.track.kind === "audio");
    if (audio && !this.watchOnly) audio.direction = "sendrecv";
    await peer.setLocalDescription(await peer.createAnswer());
    this.#send({ type: "answer", session: this.#session, sdp: peer.localDescription?.sdp });
  }

  /** @type {(peer: RTCPeerConnection, label: string, options: RTCDataChannelInit) => RTCDataChannel} */
  #openChannel(peer, label, options) {
    const channel = peer.createDataChannel(label, options);
    channel.onopen = () => {
      const { command, requests } = this.#channels;
      if (this.#up || [command, requests].some((c) => c?.readyState !== "open")) return;
      clearTimeout(this.#timer);
      this.#tries = 0;
      this.#up = true;
      this.#heardAt = performance.now();
      this.#say("");
      this.on.connected?.();
    };
    return channel;
  }

  /** @param {Signal} signal */
  async #candidate({ candidate, sdp_mid, sdp_mline_index }) {
    if (!candidate) return;
    const init = { candidate, sdpMid: sdp_mid ?? null, sdpMLineIndex: sdp_mline_index ?? (sdp_mid ? null : 0) };
    if (this.#peer?.remoteDescription) await this.#peer.addIceCandidate(init);
    else this.#waiting.push(init);
  }

  #newPeer() {
    const peer = new RTCPeerConnection({
      iceServers: [...ownServers(), ...this.#servers], iceTransportPolicy: this.relayOnly ? "relay" : "all",
      certificates: this.#certificate ? [this.#certificate] : [],
    });
    const session = this.#session;
    this.#peer = peer;
    peer.onicecandidate = ({ candidate }) => this.#send({
      type: "candidate", session, candidate: candidate?.candidate ?? "",
      sdp_mid: candidate?.sdpMid ?? null, sdp_mline_index: candidate?.sdpMLineIndex ?? null,
    });
    peer.ontrack = ({ receiver, track, transceiver }) => {
      // Latency before smoothness: show each picture when it comes.
      if (track.kind === "video") {
        receiver.jitterBufferTarget = 0;
        // Chromium's earlier name of it, in no standard.
        Object.assign(receiver, { playoutDelayHint: 0 });
      }
      const videos = peer.getTransceivers().filter((t) => t.receiver.track.kind === track.kind);
      this.on.track?.(track, videos.indexOf(transceiver));
    };
    peer.ondatachannel = ({ channel }) => this.#listen(channel);
    peer.onconnectionstatechange = () => this.#changed(peer);
    return peer;
  }

  /** @param {RTCPeerConnection} peer */
  #changed(peer) {
    if (peer.connectionState === "disconnected" && this.#up) {
      this.#interrupt();
    } else if (peer.connectionState === "failed") {
      const code = this.#up ? "path_lost" : "ice_failed_no_path";
      this.#bye("the link failed", code);
      this.#again(this.#up ? "The link was lost. Calling again…" : "No path to the vehicle was found.", code);
    }
  }

  #interrupt() {
    if (this.#interrupted) return;
    this.#interrupted = true;
    this.#say("The link is interrupted…");
    this.#restart(RESTARTS);
  }

  /** @param {number} left */
  #restart(left) {
    clearTimeout(this.#timer);
    if (left === 0) return this.#again("The link was lost. Calling again…", "path_lost");
    // What was asked in vain may never have left: a socket does not outlive the address that it was opened from.
    if (left < RESTARTS) this.#renew();
    else this.#askForPath();
    this.#timer = setTimeout(() => this.#restart(left - 1), RESTART_MS);
  }

  #askForPath() {
    this.#send({ type: "restart", session: this.#session });
  }

  #renew() {
    const old = this.#socket;
    this.#open();
    old?.close();
  }

  /** @param {RTCDataChannel} channel */
  #listen(channel) {
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => {
      const at = nowUs();
      const bytes = new Uint8Array(data);
      if (channel.label === "state") this.#read(channel, () => readState(bytes), (state) => this.#state(state, at));
      else if (channel.label === "events") this.#read(channel, () => readEvent(bytes), (event) => this.on.event?.(event));
    };
  }

  /**
   * A message that cannot be read is the vehicle's; an error in what the page makes of it is the page's.
   * @template M
   * @param {RTCDataChannel} channel
   * @param {() => M} read
   * @param {(message: M) => void} take
   */
  #read({ label }, read, take) {
    let message;
    try {
      message = read();
    } catch (error) {
      console.warn(`a message of the vehicle on the channel ${label} cannot be read: ${error}`);
      return;
    }
    part(`the channel ${label}`, () => take(message));
  }

  /** @type {(state: import("./messages.js").StateDatagram, at: number) => void} */
  #state(state, at) {
    const { pong } = state;
    this.#heardAt = performance.now();
    if (this.#interrupted) {
      this.#interrupted = false;
      clearTimeout(this.#timer);
      this.#say("");
    }
    if (pong) this.#clock.add(pong.t1_us, pong.t2_us, pong.t3_us, at);
    if (state.lidar.length > 0) state.lidar.forEach((segment) => this.on.lidar?.(segment));
    else this.on.state?.(state, at);
  }
}
