// The vehicle's questions: which way? A map from above with the ways that it offers, a key for each, and waypoints that
// can be dragged. Places are metres in the vehicle's frame when it asked: x ahead, y to the left.

import { el, svg, text } from "./dom.js";

const WIDTH = 250, HEIGHT = 330;
// Behind the vehicle and to each side of it, what is shown, metres. Across is stretched: lanes are narrow.
const BEHIND = 6, ASIDE = 9;

/**
 * @typedef {import("./messages.js").Question} Question
 * @typedef {import("./messages.js").Surroundings} Surroundings
 * @typedef {import("./messages.js").AuthorityState} AuthorityState
 * @typedef {{ x_m: number, y_m: number }} Waypoint
 * @typedef {"decline" | "send_path" | `path_${number}`} AnswerPress
 */

/** What is asked and how the person has changed it. */
export class Assist {
  /** @type {Question | null} */
  question = null;
  /** @type {Surroundings | null} */
  surroundings = null;
  /** @type {NonNullable<AuthorityState["chosen_path"]> | null} */
  chosen = null;
  /** The robot that asks. @type {import("./messages.js").Robot | null} */
  robot = null;
  /** The path whose waypoints can be dragged. */
  selected = 0;
  /** @type {Waypoint[] | null} */
  edited = null;

  /**
   * Takes the vehicle's newest statement, with what it last said of its surroundings.
   * @param {AuthorityState} state
   * @param {Surroundings | undefined} surroundings
   * @param {import("./messages.js").Robot} [robot]
   */
  take({ question, chosen_path: chosen }, surroundings, robot) {
    this.robot = robot ?? null;
    this.chosen = chosen ?? null;
    if (question?.id === this.question?.id) return;
    Object.assign(this, { question: question ?? null, surroundings: surroundings ?? null, selected: 0, edited: null });
  }

  forget() {
    Object.assign(this, { question: null, surroundings: null, chosen: null, edited: null });
  }

  /** @param {number} index */
  select(index) {
    if (!this.question?.paths[index]) return;
    Object.assign(this, { selected: index, edited: null });
  }

  /**
   * Moves waypoint `index` of the selected path.
   * @param {number} index
   * @param {number} x metres ahead
   * @param {number} y metres to the left
   */
  drag(index, x, y) {
    const path = this.question?.paths[this.selected];
    if (!path) return;
    this.edited ??= path.points.map((p) => ({ x_m: p.x_m, y_m: p.y_m }));
    this.edited[index] = { x_m: x, y_m: y };
  }

  /** The answer to send; null when there is nothing to answer. @param {AnswerPress} action */
  answer(action) {
    if (!this.question) return null;
    const question_id = this.question.id;
    if (action === "decline") return { question_id, declined: true };
    if (action === "send_path") return this.edited && { question_id, waypoints: this.edited };
    const path = this.question.paths[Number(action.slice("path_".length)) - 1];
    return path ? { question_id, path_id: path.id } : null;
  }
}

/** Draws an `Assist` and tells what the person does. */
export class AssistPanel {
  /** @type {number | null} */
  #question = null;
  /** @type {string | null} */
  #shown = null;
  /** @type {number | null} */
  #dragged = null;
  /** What is shown. @type {Assist | null} */
  #assist = null;
  /** Pixels a metre, and the farthest place shown, metres. */
  #scale = { x: 1, y: 1, far: 0 };

  /**
   * @param {HTMLElement} root
   * @param {(action: AnswerPress) => void} press
   */
  constructor(root, press) {
    this.root = root;
    this.press = press;
    root.addEventListener("pointerdown", (e) => this.#grab(e));
    root.addEventListener("pointermove", (e) => this.#move(e));
    for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, () => (this.#dragged = null));
  }

  /** @param {Assist} assist */
  show(assist) {
    this.#assist = assist;
    const { question, chosen, edited, selected } = assist;
    this.root.hidden = !question && !chosen;
    // The buttons stay while a question does, so that no press is lost to a redraw.
    if (this.#question !== (question?.id ?? null)) {
      this.#question = question?.id ?? null;
      this.#shown = null;
      this.root.replaceChildren(...(question ? this.#ask(assist, question) : [el("p", { class: "asked" })]));
    }
    const key = JSON.stringify([edited, selected]);
    if (question && key !== this.#shown) {
      this.#shown = key;
      this.#part(".map").replaceChildren(this.#map(assist, question));
      this.root.querySelectorAll("[data-way]").forEach((way, i) => way.classList.toggle("selected", i === selected));
      this.#part(".own-way").hidden = !edited;
    }
    if (chosen && !question) text(this.#part(".asked"), `drives the chosen path: ${chosen.left_m.toFixed(0)} m left`);
  }

  /** A part of the panel. @param {string} selector */
  #part(selector) {
    const found = this.root.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new Error(`the vehicle's question has no ${selector}`);
    return found;
  }

  /**
   * @param {Assist} assist
   * @param {Question} question
   */
  #ask(assist, question) {
    /** @type {(action: AnswerPress, key: string, words: string, attributes?: Parameters<typeof el>[1]) => HTMLElement} */
    const button = (action, key, words, attributes) =>
      el("button", { type: "button", class: "way", onclick: () => this.press(action), ...attributes }, el("kbd", {}, key), words);
    const ways = question.paths.map((path, i) => button(`path_${i + 1}`, String(i + 1), path.label || `path ${i + 1}`, {
      "data-way": i, onpointerenter: () => assist.edited ?? assist.select(i),
    }));
    return [el("p", { class: "asked" }, question.text), el("div", { class: "map" }), ...ways,
      button("send_path", "F", "drive my waypoints", { class: "way own-way", hidden: true }),
      button("decline", "X", "none of these: wait"),
      el("p", { class: "hint" }, "drag a waypoint to change the marked way; across is stretched")];
  }

  /**
   * @param {Assist} assist
   * @param {Question} question
   */
  #map({ surroundings, robot, edited, selected }, question) {
    const far = Math.max(20, ...question.paths.flatMap((p) => p.points.map((q) => q.x_m))) + 4;
    this.#scale = { x: (WIDTH / 2) / ASIDE, y: HEIGHT / (far + BEHIND), far };
    const map = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "the road from above with the ways offered" });
    map.append(...this.#road(surroundings), ...this.#things(surroundings));
    question.paths.forEach((path, i) => {
      const points = i === selected && edited ? edited : path.points;
      map.append(this.#line(points.map(({ x_m, y_m }) => /** @type {[number, number]} */ ([x_m, y_m])), i === selected ? "way selected" : "way"));
      const middle = points[Math.floor(points.length / 2)];
      if (middle) {
        const [x, y] = this.#place(middle.x_m, middle.y_m);
        map.append(svg("text", { x: x - 12, y, class: "number" }, String(i + 1)));
      }
      if (i === selected) map.append(...points.map((p, at) => this.#knob(p, at)));
    });
    if (robot) {
      const { front_m: front, rear_m: rear, half_width_m: half } = robot;
      map.append(this.#box(0.5 * (front - rear), 0, 0, front + rear, 2 * half, "own"));
    }
    return map;
  }

  /** @type {(at: Waypoint, place: number) => SVGElement} */
  #knob({ x_m, y_m }, at) {
    const [cx, cy] = this.#place(x_m, y_m);
    return svg("circle", { cx, cy, r: 4.5, class: "knob", "data-at": at });
  }

  /** @type {(x: number, y: number) => [number, number]} */
  #place(x, y) {
    return [WIDTH / 2 - y * this.#scale.x, (this.#scale.far - x) * this.#scale.y];
  }

  /** @type {(points: readonly [number, number][], kind: string) => SVGElement} */
  #line(points, kind) {
    return svg("polyline", { points: points.map(([x, y]) => this.#place(x, y).join()).join(" "), class: kind });
  }

  /** @param {Surroundings | null} surroundings */
  #road(surroundings) {
    /** @typedef {"road_left_m" | "road_right_m" | "lane_left_m" | "lane_right_m"} Side */
    /** @type {(name: Side, side: number) => [number, number][]} */
    const edge = (name, side) => (surroundings?.corridor ?? []).map((p) => {
      const d = side * p[name];
      return [p.x_m - d * Math.sin(p.heading_rad), p.y_m + d * Math.cos(p.heading_rad)];
    });
    /** @type {[Side, number, string][]} */
    const edges = [["road_left_m", 1, "edge"], ["road_right_m", -1, "edge"], ["lane_left_m", 1, "mark"], ["lane_right_m", -1, "mark"]];
    return edges.map(([name, side, kind]) => this.#line(edge(name, side), kind));
  }

  /** @param {Surroundings | null} surroundings */
  #things(surroundings) {
    return (surroundings?.objects ?? []).map((o) => this.#box(o.x_m, o.y_m, o.heading_rad, o.length_m, o.width_m, "thing"));
  }

  /** @type {(x: number, y: number, heading: number, length: number, width: number, kind: string) => SVGElement} */
  #box(x, y, heading, length, width, kind) {
    const [sin, cos] = [Math.sin(heading), Math.cos(heading)];
    const corners = [[1, 1], [1, -1], [-1, -1], [-1, 1]].map(([a, b]) => {
      const [ahead, left] = [(a * length) / 2, (b * width) / 2];
      return this.#place(x + ahead * cos - left * sin, y + ahead * sin + left * cos).join();
    });
    return svg("polygon", { points: corners.join(" "), class: kind });
  }

  /** @param {PointerEvent} event */
  #grab(event) {
    const at = event.target instanceof SVGElement ? event.target.dataset.at : undefined;
    if (at === undefined) return;
    event.preventDefault();
    this.#dragged = Number(at);
    this.root.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const map = this.root.querySelector("svg");
    if (this.#dragged === null || !map || !this.#assist) return;
    const box = map.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const y = ((event.clientY - box.top) / box.height) * HEIGHT;
    this.#assist.drag(this.#dragged, this.#scale.far - y / this.#scale.y, (WIDTH / 2 - x) / this.#scale.x);
  }
}
