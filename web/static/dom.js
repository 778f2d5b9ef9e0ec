// Small tools for building and refreshing the page without flicker.

/** An element with attributes and children. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** Sets text only when it changes, so that selections and screen readers are left alone. */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/**
 * Makes the rows of `body` match `items`: rows are kept by key and cells are touched only when they changed.
 * Each column gives a string or an element for an item; an array [content, attributes] sets attributes too.
 */
export function rows(body, items, key, columns) {
  const old = new Map([...body.children].map((row) => [row.dataset.key, row]));
  items.forEach((item, index) => {
    const name = String(key(item));
    const row = old.get(name) ?? el("tr", { "data-key": name }, ...columns.map(() => el("td")));
    old.delete(name);
    columns.forEach((column, at) => fill(row.children[at], column(item)));
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
  });
  for (const row of old.values()) row.remove();
}

function fill(cell, value) {
  const [content, attributes] = Array.isArray(value) ? value : [value, {}];
  for (const [name, wanted] of Object.entries(attributes)) {
    if (cell.getAttribute(name) !== wanted) cell.setAttribute(name, wanted);
  }
  if (typeof content === "string") {
    if (cell.firstElementChild || cell.textContent !== content) cell.textContent = content;
  } else if (cell.innerHTML !== content.outerHTML) {
    cell.replaceChildren(content);
  }
}

/** Shows `node` or its empty state. */
export function present(id, isEmpty) {
  document.getElementById(id).hidden = isEmpty;
  document.getElementById(`${id}-empty`).hidden = !isEmpty;
}

const fixed = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

/** Miles or miles per disengagement. */
export function miles(value) {
  return value !== 0 && Math.abs(value) < 0.1 ? short.format(value) : fixed.format(value);
}

export const count = (value) => whole.format(value);

/** The interval of an evaluation. */
export function interval(e) {
  return e.mpd_high === null ? `at least ${miles(e.mpd_low)}` : `${miles(e.mpd_low)} – ${miles(e.mpd_high)}`;
}

/** A cell with a number: what people read, and the exact value beside it. */
export const number = (shown, exact) => [shown, { class: "num", "data-value": String(exact) }];

/** Wall time for people; a virtual clock that starts at zero is shown as elapsed time. */
export function time(ms) {
  if (ms < 1e11) {
    const s = Math.floor(ms / 1000);
    const two = (n) => String(n).padStart(2, "0");
    return `t+${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  }
  const date = new Date(ms);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString();
}

/** A coloured mark with its word; never the colour alone. */
export function mark(kind, word) {
  return el("span", { class: `mark ${kind}` }, el("span", { class: "glyph", "aria-hidden": "true" }), word);
}
