// A minimal reader and writer of protobuf. What the messages hold stands in messages.js.

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;
const utf8 = new TextDecoder();
const text = new TextEncoder();

class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  varint() {
    // Exact up to 2^53, which is enough for counters and microseconds.
    let value = 0, scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.bytes.length) throw new RangeError("message ends within a number");
      const byte = this.bytes[this.at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new RangeError("number of more than 64 bits");
  }

  /** @param {number} length */
  take(length) {
    if (length > this.bytes.length - this.at) throw new RangeError("message ends within a field");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** The raw value of a wire type: a number, or bytes. @param {number} type */
  value(type) {
    switch (type) {
      case VARINT: return this.varint();
      case BYTES: return this.take(this.varint());
      case FIXED64: this.take(8); return this.view.getFloat64(this.at - 8, true);
      case FIXED32: this.take(4); return this.view.getFloat32(this.at - 4, true);
      default: throw new RangeError(`unknown wire type ${type}`);
    }
  }
}

/**
 * Reads `bytes` by `schema`: {number: [name, kind]}. A kind is "number" (any varint), "double", "float", "bool", "string", "bytes",
 * "strings", "doubles", another schema, or [schema] for a repeated message. Fields not listed are skipped.
 * @template {Protobuf.Schema} S
 * @param {S} schema
 * @param {Uint8Array} bytes
 * @returns {Protobuf.Decoded<S>}
 */
export function decode(schema, bytes) {
  const reader = new Reader(bytes);
  /** @type {any} */
  const message = {};
  for (const [name, kind] of Object.values(schema)) {
    if (kind === "number" || kind === "double" || kind === "float") message[name] = 0;
    else if (kind === "bool") message[name] = false;
    else if (kind === "string") message[name] = "";
    else if (kind === "bytes") message[name] = new Uint8Array();
    else if (kind === "doubles" || kind === "strings" || Array.isArray(kind)) message[name] = [];
  }
  while (reader.at < bytes.length) {
    const tag = reader.varint();
    const type = tag % 8;
    const raw = reader.value(type);
    const field = schema[Math.floor(tag / 8)];
    if (field) put(message, field, type, raw);
  }
  return message;
}

/**
 * @param {Protobuf.Schema | readonly [Protobuf.Schema]} kind
 * @returns {kind is readonly [Protobuf.Schema]}
 */
function isRepeated(kind) {
  return Array.isArray(kind);
}

/** @type {(message: any, field: readonly [string, Protobuf.Kind], type: number, raw: any) => void} */
function put(message, [name, kind], type, raw) {
  if (kind === "number" && type === VARINT) message[name] = raw;
  else if (kind === "double" && type === FIXED64) message[name] = raw;
  else if (kind === "float" && type === FIXED32) message[name] = raw;
  else if (kind === "bool" && type === VARINT) message[name] = raw !== 0;
  else if (kind === "string" && type === BYTES) message[name] = utf8.decode(raw);
  else if (kind === "bytes" && type === BYTES) message[name] = raw;
  else if (kind === "strings" && type === BYTES) message[name].push(utf8.decode(raw));
  else if (kind === "doubles" && type === FIXED64) message[name].push(raw);
  else if (kind === "doubles" && type === BYTES) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    for (let at = 0; at + 8 <= raw.length; at += 8) message[name].push(view.getFloat64(at, true));
  } else if (typeof kind !== "object" || type !== BYTES) return;
  else if (isRepeated(kind)) message[name].push(decode(kind[0], raw));
  else message[name] = decode(kind, raw);
}

/** @type {(out: number[], value: number) => void} */
function varint(out, value) {
  let rest = Math.max(0, Math.floor(value));
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  out.push(rest);
}

/** @type {(out: number[], number: number, bytes: Uint8Array) => void} */
function block(out, number, bytes) {
  varint(out, number * 8 + BYTES);
  varint(out, bytes.length);
  for (const byte of bytes) out.push(byte);
}

/** @param {number} value */
function single(value) {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return new Uint8Array(view.buffer);
}

/** @param {readonly number[]} values */
function doubles(values) {
  const view = new DataView(new ArrayBuffer(values.length * 8));
  values.forEach((value, i) => view.setFloat64(i * 8, value, true));
  return new Uint8Array(view.buffer);
}

/**
 * Writes `message` by `schema`, the kinds as for `decode`; what is undefined or the default is left out.
 * @template {Protobuf.Schema} S
 * @param {S} schema
 * @param {Protobuf.Encodable<S>} message
 */
export function encode(schema, message) {
  /** @type {number[]} */
  const out = [];
  /** @type {Record<string, unknown>} */
  const values = message;
  for (const [number, [name, kind]] of Object.entries(schema)) {
    const value = values[name];
    if (value === undefined || value === null) continue;
    write(out, Number(number), kind, value);
  }
  return new Uint8Array(out);
}

/** @type {(out: number[], number: number, kind: Protobuf.Kind, value: any) => void} */
function write(out, number, kind, value) {
  if (kind === "number" || kind === "bool") {
    if (!value) return;
    varint(out, number * 8 + VARINT);
    varint(out, Number(value));
  } else if (kind === "double") {
    if (value === 0) return;
    varint(out, number * 8 + FIXED64);
    out.push(...doubles([value]));
  } else if (kind === "float") {
    if (value === 0) return;
    varint(out, number * 8 + FIXED32);
    out.push(...single(value));
  } else if (kind === "string") {
    if (value !== "") block(out, number, text.encode(value));
  } else if (kind === "doubles") {
    if (value.length > 0) block(out, number, doubles(value));
  } else if (typeof kind !== "object") {
    throw new RangeError(`no seat sends ${kind}`);
  } else if (isRepeated(kind)) {
    for (const item of value) block(out, number, encode(kind[0], item));
  } else {
    block(out, number, encode(kind, value));
  }
}
