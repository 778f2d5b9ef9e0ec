// Two-way sound of the seat page. Browsers let a page sound only after a person has touched it, so the vehicle is heard
// from the first gesture on; the microphone is asked for when somebody first holds M, and open only while it is held.

import { get, text } from "./dom.js";

const TALK_KEY = "KeyM";

/** @param {unknown} error */
const words = (error) => (error instanceof Error ? error.message : String(error));

export class Voice {
  #element = new Audio();
  /** @type {MediaStreamTrack | null} */
  #microphone = null;
  /** @type {Promise<MediaStream> | null} */
  #asking = null;
  #muted = false;
  #touched = false;
  #held = false;
  #refused = "";

  /** @param {() => RTCRtpSender | undefined} sender that of the session's audio section, while there is one */
  constructor(sender) {
    this.sender = sender;
    this.#element.autoplay = false;
    const touch = () => {
      this.#touched = true;
      this.#listen();
    };
    for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, touch, { once: true });
    get("mute").addEventListener("click", () => this.mute(!this.#muted));
    const talk = get("talk");
    talk.addEventListener("pointerdown", () => this.hold(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) talk.addEventListener(end, () => this.hold(false));
    addEventListener("keydown", (e) => e.code === TALK_KEY && !e.repeat && !e.ctrlKey && !e.altKey && !e.metaKey && this.hold(true));
    addEventListener("keyup", (e) => e.code === TALK_KEY && this.hold(false));
    // A key that is released elsewhere is never heard of.
    addEventListener("blur", () => this.hold(false));
    document.addEventListener("visibilitychange", () => document.hidden && this.hold(false));
    this.#show();
  }

  /** Whether the microphone is open. */
  get talking() {
    return this.#held && Boolean(this.#microphone);
  }

  /** Whether the vehicle's sound is played. */
  get hearing() {
    return !this.#element.paused && !this.#element.muted;
  }

  /** The vehicle's sound of a new session. @param {MediaStreamTrack} track */
  play(track) {
    this.#element.srcObject = new MediaStream([track]);
    this.#listen();
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.#muted = muted;
    this.#element.muted = muted;
    this.#show();
  }

  /** The button or key is held or let go. @param {boolean} held */
  async hold(held) {
    if (this.#held === held) return;
    this.#held = held;
    if (held && !this.#microphone) await this.#ask();
    await this.#connect();
    this.#show();
  }

  #listen() {
    if (!this.#touched || !this.#element.srcObject) return;
    this.#element.play().catch(() => {}).finally(() => this.#show());
  }

  /** Asks for the microphone, once at a time. */
  async #ask() {
    const wanted = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } };
    this.#asking ??= navigator.mediaDevices
      ? navigator.mediaDevices.getUserMedia(wanted)
      : Promise.reject(new Error("the page must come over HTTPS or from this machine"));
    try {
      [this.#microphone] = (await this.#asking).getAudioTracks();
      this.#refused = "";
    } catch (e) {
      this.#refused = words(e);
    } finally {
      this.#asking = null;
    }
  }

  /** What goes out: the microphone while it is held, otherwise nothing at all. */
  async #connect() {
    if (this.#microphone) this.#microphone.enabled = this.#held;
    await this.sender()?.replaceTrack(this.#held ? this.#microphone : null).catch((/** @type {unknown} */ e) => (this.#refused = words(e)));
  }

  #show() {
    const mute = get("mute"), talk = get("talk");
    mute.setAttribute("aria-pressed", String(this.#muted));
    text(mute, this.#muted ? "Vehicle muted" : this.#touched ? "Vehicle heard" : "Vehicle: click to hear");
    talk.classList.toggle("talking", this.talking);
    talk.setAttribute("aria-pressed", String(this.talking));
    talk.title = this.#refused ? `No microphone: ${this.#refused}` : "The microphone is open only while this is held";
    if (talk.firstChild) text(talk.firstChild, this.talking ? "Microphone open " : this.#refused ? "No microphone " : "Hold to talk ");
  }
}
