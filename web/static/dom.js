// Small tools for building and refreshing the page without flicker.

/**
 * What a cell of a table shows: words, an element, or either with attributes of the cell.
 * @typedef {string | HTMLElement} Content
 * @typedef {Content | [Content, Record<string, string>]} Cell
 */

/**
 * The element of the page with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function get(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no element "${id}"`);
  return node;
}

/**
 * As `get`, for an element of a known kind.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function getAs(id, kind) {
  const node = get(id);
  if (!(node instanceof kind)) throw new Error(`the page's element "${id}" is a ${node.tagName}`);
  return node;
}

/** The body of the table with this id. @param {string} id */
export const body = (id) => getAs(id, HTMLTableElement).tBodies[0];

/**
 * An element with attributes and children; `null`, `undefined` and `false` leave an attribute out, `on...` listens.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number | boolean | null | undefined | ((event: any) => unknown)>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element of a drawing.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * Sets text only when it changes, so that selections and screen readers are left alone.
 * @param {Node} node
 * @param {string} value
 */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/**
 * Makes the rows of `body` match `items`: rows are kept by key and cells are touched only when they changed.
 * @template T
 * @param {HTMLTableSectionElement} body
 * @param {readonly T[]} items
 * @param {(item: T) => string} key
 * @param {((item: T) => Cell)[]} columns
 */
export function rows(body, items, key, columns) {
  const old = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  items.forEach((item, index) => {
    const name = key(item);
    const row = old.get(name) ?? el("tr", { "data-key": name }, ...columns.map(() => el("td")));
    old.delete(name);
    columns.forEach((column, at) => fill(row.cells[at], column(item)));
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
  for (const row of old.values()) row.remove();
}

/**
 * @param {HTMLTableCellElement} cell
 * @param {Cell} value
 */
function fill(cell, value) {
  const [content, attributes] = Array.isArray(value) ? value : /** @type {const} */ ([value, {}]);
  for (const [name, wanted] of Object.entries(attributes)) {
    if (cell.getAttribute(name) !== wanted) cell.setAttribute(name, wanted);
  }
  if (typeof content === "string") {
    if (cell.firstElementChild || cell.textContent !== content) cell.textContent = content;
  } else if (cell.innerHTML !== content.outerHTML) {
    cell.replaceChildren(content);
  }
}

/**
 * Shows the element or its empty state.
 * @param {string} id
 * @param {boolean} isEmpty
 */
export function present(id, isEmpty) {
  get(id).hidden = isEmpty;
  get(`${id}-empty`).hidden = !isEmpty;
}

const fixed = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

/** Miles or miles per disengagement. @param {number} value */
export function miles(value) {
  return value !== 0 && Math.abs(value) < 0.1 ? short.format(value) : fixed.format(value);
}

/** @param {number} value */
export const count = (value) => whole.format(value);

/**
 * The interval of an evaluation.
 * @param {{ mpd_low: number, mpd_high: number | null }} e
 */
export function interval(e) {
  return e.mpd_high === null ? `at least ${miles(e.mpd_low)}` : `${miles(e.mpd_low)} – ${miles(e.mpd_high)}`;
}

/**
 * A cell with a number: what people read, and the exact value beside it.
 * @param {string} shown
 * @param {number | string | null} exact
 * @returns {Cell}
 */
export const number = (shown, exact) => [shown, { class: "num", "data-value": String(exact ?? "") }];

/** A share for people. @param {number} share */
export const percent = (share) => `${Math.round(share * 100)} %`;

/** A speed for people; what rounds to nothing is nothing, whichever way it goes. @param {number} mps */
export const kmh = (mps) => String(Math.round(mps * 3.6) || 0);

/**
 * A speed for people in the unit in which a robot's is told, without the unit.
 * @param {number} mps
 * @param {string} unit
 */
export const speedIn = (mps, unit) => (unit === "m/s" ? (Math.round(mps * 10) / 10 || 0).toFixed(1) : kmh(mps));

/** A file's size for people. @param {number} bytes */
export const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** A word of the protocol for people. @param {string} label */
export const words = (label) => label.replaceAll("_", " ");

/** Wall time for people; a virtual clock that starts at zero is shown as elapsed time. @param {number} ms */
export function time(ms) {
  if (ms < 1e11) {
    const s = Math.floor(ms / 1000);
    /** @param {number} n */
    const two = (n) => String(n).padStart(2, "0");
    return `t+${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  }
  const date = new Date(ms);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString();
}

/**
 * A coloured mark with its word; never the colour alone.
 * @param {string} kind
 * @param {string} word
 */
export function mark(kind, word) {
  return el("span", { class: `mark ${kind}` }, el("span", { class: "glyph", "aria-hidden": "true" }), word);
}
