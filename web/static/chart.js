// Miles per disengagement by policy version: estimate, exact interval, logarithmic scale.

import { interval, miles, svg } from "./dom.js";

const LEFT = 58, RIGHT = 14, TOP = 18, BOTTOM = 44, HEIGHT = 300;
// Versions that fit side by side and stay readable; older ones are in the table.
const MOST = 40;

/** Decades, with 2 and 5 between them when there are few. @type {(low: number, high: number) => number[]} */
function ticks(low, high) {
  const steps = Math.log10(high / low) > 2.5 ? [1] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  }
  return found;
}

/** @type {(report: readonly Api.Evaluation[]) => [number, number]} */
function range(report) {
  const values = report.flatMap((e) => [e.mpd_low, e.mpd, e.mpd_high ?? 0]).filter((v) => v > 0);
  if (values.length === 0) return [0.1, 10];
  return [Math.min(...values) / 1.3, Math.max(...values) * 1.5];
}

/**
 * Draws `report` into `container`.
 * @param {HTMLElement} container
 * @param {readonly Api.Evaluation[]} report
 */
export function draw(container, report) {
  const shown = report.slice(-MOST);
  const width = Math.max(280, container.clientWidth || 600);
  const [low, high] = range(shown);
  /** @param {number} v */
  const y = (v) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.log(Math.max(v, low) / low) / Math.log(high / low));
  const step = (width - LEFT - RIGHT) / shown.length;
  /** @param {number} i */
  const x = (i) => LEFT + step * (i + 0.5);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img" });
  drawing.append(svg("title", {}, "Miles per disengagement by policy version with 95 % intervals; the table beside has the numbers"));
  for (const value of ticks(low, high)) {
    drawing.append(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    drawing.append(svg("text", { class: "tick", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, String(Number(value.toPrecision(2)))));
  }
  drawing.append(svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }));
  drawing.append(svg("text", { class: "tick", transform: `translate(14 ${(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)`, "text-anchor": "middle" }, "miles per disengagement"));
  const path = shown.map((e, i) => `${i ? "L" : "M"}${x(i)} ${y(e.mpd)}`).join("");
  drawing.append(svg("path", { class: "trend", d: path }));
  const every = Math.ceil(76 / step);
  shown.forEach((e, i) => drawing.append(...version(e, x(i), y, step, i === shown.length - 1 || (shown.length - 1 - i) % every === 0)));
  container.replaceChildren(drawing);
}

/** @type {(e: Api.Evaluation, x: number, y: (v: number) => number, step: number, labelled: boolean) => SVGElement[]} */
function version(e, x, y, step, labelled) {
  const cap = Math.min(7, step / 3);
  const top = e.mpd_high === null ? TOP - 6 : y(e.mpd_high);
  const bottom = y(e.mpd_low);
  const group = svg("g", { class: "point" });
  group.append(svg("title", {}, `${e.policy}: ${miles(e.mpd)} miles per disengagement (${interval(e)})`));
  group.append(svg("line", { class: "bar", x1: x, x2: x, y1: top, y2: bottom }));
  group.append(svg("line", { class: "bar", x1: x - cap, x2: x + cap, y1: bottom, y2: bottom }));
  const end = e.mpd_high === null
    ? svg("path", { class: "bar", d: `M${x - cap} ${top + cap}L${x} ${top}L${x + cap} ${top + cap}` })
    : svg("line", { class: "bar", x1: x - cap, x2: x + cap, y1: top, y2: top });
  group.append(end, svg("circle", { class: "dot", cx: x, cy: y(e.mpd), r: 5 }));
  if (!labelled) return [group];
  const name = e.policy.length > 14 ? `${e.policy.slice(0, 13)}…` : e.policy;
  const label = svg("text", { class: "tick", x, y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, name);
  const value = svg("text", { class: "value", x: x + 9, y: y(e.mpd) + 4 }, step > 70 ? miles(e.mpd) : "");
  return [group, label, value];
}
