// One camera's picture: plays it with the least delay, reads the timecode in it, and says when it is not live.

import { nowUs } from "./clock.js";
import { el } from "./dom.js";
import * as timecode from "./timecode.js";

// A picture that has not changed for this long is stale.
export const STALE_US = 300_000;
// A picture older than this is not live however often it changes.
const OLD_US = 600_000;
// A picture shown later than this after its capture counts as late.
const LATE_US = 150_000;
// Pictures in the running figures: four seconds at 30 Hz.
const WINDOW = 120;

/**
 * @typedef {{ sequence: number, captureUs: number }} Timecode
 * @typedef {object} Shown a picture that was shown: microseconds from its capture to each moment
 * @property {number} age until it is on the screen
 * @property {number} composed
 * @property {number | undefined} received where the browser tells
 * @property {number} decode how long decoding took
 */

export class Picture {
  #strip = Object.assign(document.createElement("canvas"), { width: 0, height: 0 });
  #context = this.#strip.getContext("2d", { willReadFrequently: true, alpha: false });
  #veil;
  #clock;
  /** @type {Timecode | null} */
  #timecode = null;
  /** @type {Shown[]} */
  #shown = [];
  #shownAt = 0;
  #from = 0;
  counts = { shown: 0, late: 0, unread: 0 };

  /**
   * @param {string} name
   * @param {() => import("./clock.js").Clock | null} clock the vehicle's clock
   */
  constructor(name, clock) {
    this.#clock = clock;
    this.video = el("video", { autoplay: true, playsinline: true, disablepictureinpicture: true, "aria-label": `Camera ${name}` });
    // The attribute alone does not mute a video made by script.
    this.video.muted = true;
    this.label = el("span", { class: "name" }, name);
    this.veil = el("div", { class: "veil" });
    this.words = el("p", { class: "stale-words", role: "alert" });
    this.root = el("div", { class: "picture blank" }, this.video, this.veil, this.words, this.label);
    // The veil falls by itself unless each new picture lifts it: also when this page's script hangs.
    this.#veil = this.veil.animate([{ opacity: 0 }, { opacity: 1 }], { delay: STALE_US / 1000, duration: 1, fill: "both" });
    this.#veil.finish();
  }

  /** @param {string} name */
  set name(name) {
    this.label.textContent = name;
    this.video.setAttribute("aria-label", `Camera ${name}`);
  }

  /** @param {MediaStreamTrack} track */
  play(track) {
    this.video.srcObject = new MediaStream([track]);
    this.video.play().catch(() => {});
    const round = ++this.#from;
    /** @type {VideoFrameRequestCallback} */
    const onFrame = (_now, frame) => {
      if (round !== this.#from) return;
      this.#onPicture(frame);
      this.video.requestVideoFrameCallback(onFrame);
    };
    this.video.requestVideoFrameCallback(onFrame);
  }

  /** @param {VideoFrameCallbackMetadata} frame */
  #onPicture(frame) {
    this.root.classList.remove("blank");
    const code = this.#read(frame.width, frame.height);
    this.counts.shown += 1;
    if (!code) this.counts.unread += 1;
    this.#timecode = code;
    this.#shownAt = nowUs();
    this.#veil.currentTime = 0;
    this.#veil.play();
    const clock = this.#clock();
    if (!code || !clock) return;
    // The moment at which the picture is on the screen, as the browser expects it.
    /** @param {number} ms */
    const us = (ms) => ms * 1000 + clock.offsetUs - code.captureUs;
    const age = us(frame.expectedDisplayTime);
    if (age > LATE_US) this.counts.late += 1;
    const entry = {
      age, composed: us(frame.presentationTime), received: frame.receiveTime === undefined ? undefined : us(frame.receiveTime),
      decode: (frame.processingDuration ?? 0) * 1e6,
    };
    this.#shown.push(entry);
    if (this.#shown.length > WINDOW) this.#shown.shift();
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #read(width, height) {
    const place = timecode.layout(width, height);
    if (!place || !this.#context) return null;
    if (this.#strip.width !== place.width || this.#strip.height !== place.height) {
      Object.assign(this.#strip, { width: place.width, height: place.height });
    }
    this.#context.drawImage(this.video, 0, 0, place.width, place.height, 0, 0, place.width, place.height);
    return timecode.read(this.#context.getImageData(0, 0, place.width, place.height).data, place.width, place);
  }

  /** The timecode of the picture on the screen. */
  get timecode() {
    return this.#timecode;
  }

  /** Age now of what the person sees, microseconds; null without a picture, a timecode or a synchronised clock. */
  age() {
    const clock = this.#clock();
    return this.#timecode && clock ? nowUs() + clock.offsetUs - this.#timecode.captureUs : null;
  }

  /** For how long the picture has not been live, microseconds; null when it is live, or there is none yet. */
  stale() {
    if (this.counts.shown === 0) return null;
    const unchanged = nowUs() - this.#shownAt;
    const age = this.age() ?? unchanged;
    return unchanged > STALE_US || age > OLD_US ? Math.max(age, unchanged) : null;
  }

  /** Marks the picture as what it is: live or stale. To be called a few times a second. */
  judge() {
    const stale = this.stale();
    this.root.classList.toggle("stale", stale !== null);
    const words = stale === null ? "" : `STALE ${stale < 1e6 ? `${Math.round(stale / 1000)} ms` : `${(stale / 1e6).toFixed(0)} s`}`;
    if (this.words.textContent !== words) this.words.textContent = words;
    return stale;
  }

  /** Mean and 95th percentile of capture to screen with its stages, milliseconds; null before the first. */
  latencyBreakdown() {
    const shown = this.#shown;
    if (shown.length === 0) return null;
    /** @param {(s: Shown) => number} of */
    const mean = (of) => shown.reduce((sum, s) => sum + of(s), 0) / shown.length / 1000;
    /** @param {(s: Shown) => number} of */
    const p95 = (of) => shown.map(of).sort((a, b) => a - b)[Math.ceil(shown.length * 0.95) - 1] / 1000;
    /** @type {(name: string, of: (s: Shown) => number) => { stage: string, mean_ms: number, p95_ms: number }} */
    const stage = (name, of) => ({ stage: name, mean_ms: Math.max(0, mean(of)), p95_ms: Math.max(0, p95(of)) });
    // Browsers tell of all pictures or of none.
    const arrived = shown.every((s) => s.received !== undefined);
    const stages = arrived
      ? [
          stage("arrive", (s) => s.received ?? 0),
          stage("assemble", (s) => s.composed - (s.received ?? 0) - s.decode),
          stage("decode", (s) => s.decode),
        ]
      : [stage("arrive", (s) => s.composed - s.decode), stage("decode", (s) => s.decode)];
    stages.push(stage("present", (s) => s.age - s.composed));
    return { mean: mean((s) => s.age), p95: p95((s) => s.age), stages };
  }

  /** What the vehicle is told about this picture. */
  report() {
    const breakdown = this.latencyBreakdown(), clock = this.#clock();
    return {
      picture_age_ms: breakdown?.mean ?? 0, clock_offset_us: clock?.offsetUs ?? 0,
      clock_uncertainty_us: clock?.uncertaintyUs ?? 0, round_trip_ms: (clock?.roundTripUs ?? 0) / 1000,
      frames_shown: this.counts.shown, frames_late: this.counts.late, stages: breakdown?.stages ?? [],
    };
  }

  /** The session is gone: what stands on the screen stays and grows old, the figures start anew. */
  lost() {
    this.#from += 1;
    this.#shown = [];
  }
}
