// Reads the block code that a vehicle writes into the picture's top left corner: which picture this is and when it was
// captured. The layout is the one of video/src/timecode.rs, version 1.

const BITS = 120;
const SYNC = 0xb2;
const MIN_CONTRAST = 32;

/**
 * Where a code lies, in pixels; `columns` cells of `cell` pixels stand in a row.
 * @typedef {{ cell: number, columns: number, width: number, height: number }} Place
 */

/**
 * Where the code lies in a picture of this size; null when none fits.
 * @param {number} width
 * @param {number} height
 * @returns {Place | null}
 */
export function layout(width, height) {
  const cell = width >= 1280 ? 16 : 8;
  const fits = Math.floor(width / cell);
  if (fits === 0) return null;
  const rows = Math.ceil(BITS / fits);
  const columns = Math.ceil(BITS / rows);
  return rows * cell > height / 2 ? null : { cell, columns, width: columns * cell, height: rows * cell };
}

/**
 * The code in RGBA pixels that start at the picture's top left corner and are `stride` pixels wide:
 * { sequence, captureUs }, or null when there is none or it is damaged.
 * @param {Uint8ClampedArray} rgba
 * @param {number} stride
 * @param {Place} place
 */
export function read(rgba, stride, place) {
  const means = Array.from({ length: BITS }, (_, bit) => cellMean(rgba, stride, place, bit));
  /** @param {number} wanted */
  const sync = (wanted) => {
    let sum = 0;
    for (let bit = 0; bit < 8; bit++) if (((SYNC >> (7 - bit)) & 1) === wanted) sum += means[bit];
    return sum / 4;
  };
  const [black, white] = [sync(0), sync(1)];
  if (white - black < MIN_CONTRAST) return null;
  const bytes = new Uint8Array(BITS / 8);
  means.forEach((mean, bit) => {
    if (mean > (black + white) / 2) bytes[bit >> 3] |= 128 >> (bit & 7);
  });
  const view = new DataView(bytes.buffer);
  if (bytes[0] !== SYNC || crc16(bytes.subarray(1, 13)) !== view.getUint16(13)) return null;
  return { sequence: view.getUint32(1), captureUs: view.getUint32(5) * 2 ** 32 + view.getUint32(9) };
}

/** @type {(rgba: Uint8ClampedArray, stride: number, place: Place, bit: number) => number} */
function cellMean(rgba, stride, { cell, columns }, bit) {
  const left = (bit % columns) * cell, top = Math.floor(bit / columns) * cell;
  const from = cell / 4, to = cell - cell / 4;
  let sum = 0;
  for (let y = top + from; y < top + to; y++) {
    for (let at = (y * stride + left + from) * 4, end = at + (to - from) * 4; at < end; at += 4) {
      sum += 0.299 * rgba[at] + 0.587 * rgba[at + 1] + 0.114 * rgba[at + 2];
    }
  }
  return sum / (to - from) ** 2;
}

/** CRC-16/CCITT-FALSE. @param {Uint8Array} bytes */
export function crc16(bytes) {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}
