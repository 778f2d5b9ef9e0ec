// A seat in the browser that watches: calls a vehicle over signalling, receives its picture and state over WebRTC.
// Once connected, the picture needs no signalling: a lost WebSocket is renewed and the session goes on.

import { EVENT, STATE, decode, encodeEstop } from "./protobuf.js";

const RETRY_MS = [500, 1000, 2000, 4000, 8000];
// An unanswered call is made again after this long.
const ANSWER_MS = 8000;
// A link that is interrupted for this long is given up.
const PATIENCE_MS = 4000;

function randomName() {
  return `web-${[...crypto.getRandomValues(new Uint8Array(6))].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}

export class Seat {
  #socket = null;
  #peer = null;
  #requests = null;
  #session = null;
  #waiting = [];
  #calls = 0;
  #tries = 0;
  #timer = 0;
  #closed = false;
  #nextRequest = 1;

  /** `on`: { status(text), stream(MediaStream), state(message), event(message) }. */
  constructor(vehicle, on) {
    this.vehicle = vehicle;
    this.id = randomName();
    this.on = on;
    this.#open();
  }

  get connected() {
    return this.#peer?.connectionState === "connected";
  }

  get peer() {
    return this.#peer;
  }

  /** Sends an emergency stop. False when there is no way to send it now. */
  estop() {
    if (this.#requests?.readyState !== "open") return false;
    this.#requests.send(encodeEstop(this.#nextRequest++, this.id));
    return true;
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#send({ type: "bye", session: this.#session, reason: "the viewer left" });
    this.#hangUp();
    this.#socket?.close();
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/signal?seat=${this.id}`);
    this.#socket = socket;
    socket.onopen = () => {
      if (!this.connected) this.#call();
    };
    socket.onmessage = (message) => {
      this.#heard(JSON.parse(message.data)).catch((e) => this.#again(`The call failed: ${e.message}`));
    };
    socket.onclose = () => {
      if (this.#closed || socket !== this.#socket) return;
      if (!this.connected) this.on.status("The control plane does not answer. Trying again…");
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
    this.#session = `${this.id}-${++this.#calls}`;
    this.on.status(`Calling ${this.vehicle}…`);
    this.#send({ type: "call", session: this.#session, seat: this.id, vehicle: this.vehicle, watch_only: true });
    this.#timer = setTimeout(() => this.#again(`${this.vehicle} does not answer. Calling again…`), ANSWER_MS);
  }

  #again(reason) {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.on.status(reason);
    this.#timer = setTimeout(() => {
      if (this.#socket?.readyState === WebSocket.OPEN) this.#call();
    }, this.#delay());
  }

  #hangUp() {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#requests = null;
    const peer = this.#peer;
    this.#peer = null;
    if (peer) {
      peer.onconnectionstatechange = null;
      peer.close();
    }
  }

  async #heard(signal) {
    if (signal.type === "error" && !this.connected) return this.#again(signal.message);
    if (signal.session !== this.#session) return;
    if (signal.type === "offer") await this.#answer(signal.sdp);
    else if (signal.type === "candidate") await this.#candidate(signal);
    else if (signal.type === "bye") {
      this.#hangUp();
      this.#again(`The vehicle ended the session: ${signal.reason}`);
    }
  }

  async #answer(sdp) {
    const peer = this.#peer ?? this.#newPeer();
    await peer.setRemoteDescription({ type: "offer", sdp });
    this.#requests ??= peer.createDataChannel("requests", { ordered: true });
    for (const candidate of this.#waiting.splice(0)) await peer.addIceCandidate(candidate);
    await peer.setLocalDescription(await peer.createAnswer());
    this.#send({ type: "answer", session: this.#session, sdp: peer.localDescription.sdp });
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
    peer.ontrack = ({ receiver, track }) => {
      // Latency before smoothness: show each picture when it comes.
      receiver.jitterBufferTarget = 0;
      receiver.playoutDelayHint = 0;
      if (track.kind === "video") this.on.stream(new MediaStream([track]));
    };
    peer.ondatachannel = ({ channel }) => this.#listen(channel);
    peer.onconnectionstatechange = () => this.#changed(peer);
    return peer;
  }

  #changed(peer) {
    if (peer.connectionState === "connected") {
      clearTimeout(this.#timer);
      this.#tries = 0;
      this.on.status("");
    } else if (peer.connectionState === "disconnected") {
      this.on.status("The link is interrupted…");
      this.#timer = setTimeout(() => this.#again("The link was lost. Calling again…"), PATIENCE_MS);
    } else if (peer.connectionState === "failed") {
      this.#send({ type: "bye", session: this.#session, reason: "the link failed" });
      this.#hangUp();
      this.#again("The link was lost. Calling again…");
    }
  }

  #listen(channel) {
    channel.binaryType = "arraybuffer";
    const [schema, deliver] = { state: [STATE, this.on.state], events: [EVENT, this.on.event] }[channel.label] ?? [];
    if (!schema) return;
    channel.onmessage = ({ data }) => {
      try {
        deliver(decode(schema, new Uint8Array(data)));
      } catch (e) {
        console.warn(`${channel.label}: ${e.message}`);
      }
    };
  }
}
