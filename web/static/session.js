// One seat's session with one vehicle: calls it over signalling, receives pictures, state and events over WebRTC, sends
// commands and requests. Once connected it needs no signalling: a lost WebSocket is renewed and the session goes on.

import { ClockEstimator, nowUs } from "./clock.js";
import { readEvent, readState, writeCommand, writeRequest } from "./messages.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000];
// An unanswered call is made again after this long.
const ANSWER_MS = 8000;
// A link that is interrupted for this long is given up.
const PATIENCE_MS = 4000;
const PING_MS = 200;
const PINGS_PER_REPORT = 5;
// More than this waiting on the command channel means a dead path; old commands serve nobody.
const STUCK_BYTES = 16 * 1024;

/** A name for a seat that has none: unique for all practical purposes. */
export function randomSeat() {
  return `web-${[...crypto.getRandomValues(new Uint8Array(6))].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}

export class Session {
  #socket = null;
  #peer = null;
  #channels = {};
  #session = null;
  #waiting = [];
  #calls = 0;
  #tries = 0;
  #timer = 0;
  #pings = 0;
  #pinging = 0;
  #closed = false;
  #up = false;
  #clock = new ClockEstimator();

  /**
   * Calls `vehicle` as `seat` now and whenever the session is lost, until closed. `on`, all optional: status(words),
   * connected(), lost(words), track(track, receiver, index), state(message), event(message), report() for what the
   * vehicle is told about the picture once a second.
   */
  constructor(vehicle, seat, watchOnly, on) {
    Object.assign(this, { vehicle, seat, watchOnly, on });
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

  /** How the vehicle's clock stands to this page's, or null. */
  clock() {
    return this.#clock.estimate(nowUs());
  }

  /** Sends a CommandDatagram; false when it was dropped because there is no session or the path is stuck. */
  command(command) {
    const channel = this.#channels.command;
    if (channel?.readyState !== "open" || channel.bufferedAmount > STUCK_BYTES) return false;
    channel.send(writeCommand({ seat: this.seat, ...command }));
    return true;
  }

  /** Sends a SeatRequest reliably within this session; false when there is none. */
  request(request) {
    const channel = this.#channels.requests;
    if (channel?.readyState !== "open") return false;
    channel.send(writeRequest({ seat: this.seat, ...request }));
    return true;
  }

  close() {
    this.#closed = true;
    clearInterval(this.#pinging);
    this.#send({ type: "bye", session: this.#session, reason: "the seat left" });
    this.#hangUp();
    this.#socket?.close();
  }

  #ping() {
    if (!this.#up) return;
    const report = ++this.#pings % PINGS_PER_REPORT === 0 ? this.on.report?.() : undefined;
    this.command({ ping: { t1_us: nowUs() }, report });
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/signal?seat=${encodeURIComponent(this.seat)}`);
    this.#socket = socket;
    socket.onopen = () => {
      if (!this.#up) this.#call();
    };
    socket.onmessage = (message) => {
      this.#heard(JSON.parse(message.data)).catch((e) => this.#again(`The call failed: ${e.message}`));
    };
    socket.onclose = () => {
      if (this.#closed || socket !== this.#socket) return;
      if (!this.#up) this.on.status?.("The control plane does not answer. Trying again…");
      setTimeout(() => !this.#closed && this.#open(), this.#delay());
    };
  }

  #delay() {
    return RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)];
  }

  #send(signal) {
    if (signal.session && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(signal));
  }

  #call() {
    this.#hangUp();
    this.#session = `${this.seat}-${this.started}-${++this.#calls}`;
    this.on.status?.(`Calling ${this.vehicle}…`);
    this.#send({ type: "call", session: this.#session, seat: this.seat, vehicle: this.vehicle, watch_only: this.watchOnly });
    this.#timer = setTimeout(() => this.#again(`${this.vehicle} does not answer. Calling again…`), ANSWER_MS);
  }

  #again(reason) {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#lost(reason);
    this.on.status?.(reason);
    this.#timer = setTimeout(() => {
      if (this.#socket?.readyState === WebSocket.OPEN) this.#call();
    }, this.#delay());
  }

  #lost(reason) {
    if (!this.#up) return;
    this.#up = false;
    this.on.lost?.(reason);
  }

  #hangUp() {
    clearTimeout(this.#timer);
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

  async #heard(signal) {
    if (signal.type === "error" && !this.#up) return this.#again(signal.message);
    if (signal.session !== this.#session) return;
    if (signal.type === "offer") await this.#answer(signal.sdp);
    else if (signal.type === "candidate") await this.#candidate(signal);
    else if (signal.type === "bye") this.#again(`The vehicle ended the session: ${signal.reason}`);
  }

  async #answer(sdp) {
    const peer = this.#peer ?? this.#newPeer();
    await peer.setRemoteDescription({ type: "offer", sdp });
    // Each direction has its own channels, opened by its sender: the side that accepts one would send on it reliably.
    this.#channels.command ??= this.#openChannel(peer, "command", { ordered: false, maxPacketLifeTime: 100 });
    this.#channels.requests ??= this.#openChannel(peer, "requests", { ordered: true });
    for (const candidate of this.#waiting.splice(0)) await peer.addIceCandidate(candidate);
    await peer.setLocalDescription(await peer.createAnswer());
    this.#send({ type: "answer", session: this.#session, sdp: peer.localDescription.sdp });
  }

  #openChannel(peer, label, options) {
    const channel = peer.createDataChannel(label, options);
    channel.onopen = () => {
      const { command, requests } = this.#channels;
      if (this.#up || [command, requests].some((c) => c?.readyState !== "open")) return;
      clearTimeout(this.#timer);
      this.#tries = 0;
      this.#up = true;
      this.on.status?.("");
      this.on.connected?.();
    };
    return channel;
  }

  async #candidate({ candidate, sdp_mid, sdp_mline_index }) {
    if (!candidate) return;
    const init = { candidate, sdpMid: sdp_mid ?? null, sdpMLineIndex: sdp_mline_index ?? (sdp_mid ? null : 0) };
    if (this.#peer?.remoteDescription) await this.#peer.addIceCandidate(init);
    else this.#waiting.push(init);
  }

  #newPeer() {
    const peer = new RTCPeerConnection();
    const session = this.#session;
    this.#peer = peer;
    peer.onicecandidate = ({ candidate }) => this.#send({
      type: "candidate", session, candidate: candidate?.candidate ?? "",
      sdp_mid: candidate?.sdpMid ?? null, sdp_mline_index: candidate?.sdpMLineIndex ?? null,
    });
    peer.ontrack = ({ receiver, track, transceiver }) => {
      // Latency before smoothness: show each picture when it comes.
      receiver.jitterBufferTarget = 0;
      receiver.playoutDelayHint = 0;
      const videos = peer.getTransceivers().filter((t) => t.receiver.track.kind === track.kind);
      this.on.track?.(track, receiver, videos.indexOf(transceiver));
    };
    peer.ondatachannel = ({ channel }) => this.#listen(channel);
    peer.onconnectionstatechange = () => this.#changed(peer);
    return peer;
  }

  #changed(peer) {
    if (peer.connectionState === "connected") {
      if (this.#up) {
        clearTimeout(this.#timer);
        this.on.status?.("");
      }
    } else if (peer.connectionState === "disconnected") {
      this.on.status?.("The link is interrupted…");
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#again("The link was lost. Calling again…"), PATIENCE_MS);
    } else if (peer.connectionState === "failed") {
      this.#send({ type: "bye", session: this.#session, reason: "the link failed" });
      this.#again("The link was lost. Calling again…");
    }
  }

  #listen(channel) {
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => {
      const at = nowUs();
      try {
        if (channel.label === "state") this.#state(readState(new Uint8Array(data)), at);
        else if (channel.label === "events") this.on.event?.(readEvent(new Uint8Array(data)));
      } catch (e) {
        console.warn(`${channel.label}: ${e.message}`);
      }
    };
  }

  #state(state, at) {
    const { pong } = state;
    if (pong) this.#clock.add(pong.t1_us, pong.t2_us, pong.t3_us, at);
    this.on.state?.(state, at);
  }
}
