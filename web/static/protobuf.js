// A minimal reader and writer for the protobuf messages that a browser's seat needs. Field numbers are those of
// protocol/proto/takeover/v1/takeover.proto; fields not listed are skipped.

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;
const utf8 = new TextDecoder();

class Reader {
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

  take(length) {
    if (length > this.bytes.length - this.at) throw new RangeError("message ends within a field");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** The raw value of a wire type: a number, or bytes. */
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

/** Reads `bytes` by `schema`: {number: [name, kind]}; kind is "number", "bool", "string", "doubles" or a schema. */
export function decode(schema, bytes) {
  const reader = new Reader(bytes);
  const message = {};
  for (const [name, kind] of Object.values(schema)) {
    if (kind === "number") message[name] = 0;
    else if (kind === "bool") message[name] = false;
    else if (kind === "string") message[name] = "";
    else if (kind === "doubles") message[name] = [];
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

function put(message, [name, kind], type, raw) {
  if (kind === "number" && type !== BYTES) message[name] = raw;
  else if (kind === "bool" && type === VARINT) message[name] = raw !== 0;
  else if (kind === "string" && type === BYTES) message[name] = utf8.decode(raw);
  else if (kind === "doubles" && type === FIXED64) message[name].push(raw);
  else if (kind === "doubles" && type === BYTES) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    for (let at = 0; at + 8 <= raw.length; at += 8) message[name].push(view.getFloat64(at, true));
  } else if (typeof kind === "object" && type === BYTES) message[name] = decode(kind, raw);
}

const HELP = { 1: ["id", "number"], 3: ["urgency", "number"], 4: ["text", "string"] };
const AUTHORITY = {
  2: ["mode", "number"], 3: ["author", "number"], 5: ["seat", "string"], 7: ["reason", "number"],
  8: ["estop", "bool"], 9: ["hazards", "bool"], 10: ["help", HELP],
};
export const STATE = {
  1: ["vehicle", "string"],
  2: ["state", { 4: ["observation", "doubles"], 5: ["odometer_m", "number"] }],
  3: ["authority", AUTHORITY],
  5: ["proposal", { 4: ["confidence", "number"], 5: ["policy", "string"] }],
  7: ["link", { 2: ["round_trip_ms", "number"], 3: ["loss", "number"], 4: ["bitrate_bps", "number"] }],
  8: ["policy", { 2: ["version", "string"], 4: ["healthy", "bool"] }],
};
export const EVENT = {
  1: ["response", { 1: ["id", "number"], 2: ["accepted", "bool"], 3: ["reason", "number"] }],
  2: ["help", HELP],
  4: ["hello", { 2: ["embodiment", "string"], 3: ["software", "string"], 11: ["map", "string"] }],
};

function varint(value) {
  const bytes = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

/** SeatRequest { id = 1, seat_id = 2, estop = 6 {} }. */
export function encodeEstop(id, seat) {
  const name = new TextEncoder().encode(seat);
  return new Uint8Array([0x08, ...varint(id), 0x12, ...varint(name.length), ...name, 0x32, 0x00]);
}
