// Lidar scans from their compact form (the module `lidar` of the link says how it is coded), and a plan of the newest one.

const BLOCK = 16, ESCAPE = 20, FULL_BITS = 18, MAX_STEP = 65535, MAX_BEAMS = 16384;

/**
 * @typedef {import("./messages.js").LidarSegment} Segment
 * @typedef {{ number: number, capture_us: number, start: number, end: number, ranges: Float32Array }} Scan angles in radians
 */

class Bits {
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
  }

  bit() {
    const byte = this.bytes[this.#at >> 3];
    if (byte === undefined) throw new RangeError("a lidar segment ends within a range");
    return (byte >> (7 - (this.#at++ & 7))) & 1;
  }

  /** @param {number} bits */
  take(bits) {
    let value = 0;
    for (let i = 0; i < bits; i++) value = (value << 1) | this.bit();
    return value;
  }

  /** @param {number} most */
  ones(most) {
    let ones = 0;
    while (ones < most && this.bit() === 1) ones++;
    return ones;
  }
}

/** Ranges of a segment, m; Infinity where there was no echo. @param {Segment} segment */
export function ranges(segment) {
  const { first, count, beams, resolution_m } = segment;
  if (count === 0 || first + count > beams || beams > MAX_BEAMS) throw new RangeError(`beams ${first}+${count} of ${beams}`);
  if (!(resolution_m > 0 && resolution_m <= 1)) throw new RangeError(`lidar resolution ${resolution_m}`);
  const bits = new Bits(segment.ranges);
  const out = new Float32Array(count);
  let last = 0, before = 0, line = false, k = 0;
  for (let beam = 0; beam < count; beam++) {
    if (beam % BLOCK === 0) [line, k] = [bits.take(1) === 1, bits.take(4)];
    const high = bits.ones(ESCAPE);
    const symbol = high === ESCAPE ? bits.take(FULL_BITS) : high * 2 ** k + bits.take(k);
    if (symbol === 0) {
      out[beam] = Infinity;
      continue;
    }
    const folded = symbol - 1;
    const rest = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
    const predicted = line ? Math.min(Math.max(2 * last - before, 0), MAX_STEP) : last;
    const step = predicted + rest;
    if (step < 1 || step > MAX_STEP) throw new RangeError(`lidar range of ${step} steps`);
    [before, last] = [last === 0 ? step : last, step];
    out[beam] = step * resolution_m;
  }
  return out;
}

/** Collects segments; `scan` is the newest scan, of which beams may still be missing (NaN). */
export class Lidar {
  /** @type {Scan | null} */
  scan = null;
  scans = 0;

  /** @param {Segment} segment */
  add(segment) {
    const part = ranges(segment);
    if (this.scan && segment.number < this.scan.number) return;
    if (!this.scan || segment.number > this.scan.number) {
      const { number, capture_us, start_angle_rad: start, end_angle_rad: end, beams } = segment;
      this.scan = { number, capture_us, start, end, ranges: new Float32Array(beams).fill(NaN) };
      this.scans++;
    }
    if (segment.first + part.length <= this.scan.ranges.length) this.scan.ranges.set(part, segment.first);
  }
}

// How far a plan may reach, metres; each has four rings.
const REACHES = [8, 20, 40, 80];
// Lengths of the robot that a plan reaches at least, which leaves it large enough to be seen.
const LENGTHS = 8;

/** How far the plan around a robot reaches, metres. @param {import("./messages.js").Robot} [robot] */
export function reachOf(robot) {
  const length = robot ? robot.front_m + robot.rear_m : NaN;
  return Number.isNaN(length) ? 40 : REACHES.find((reach) => reach >= LENGTHS * length) ?? 80;
}

/**
 * Draws a scan as seen from above, ahead up, `reach` metres from the middle to the edge, and the robot where it is known.
 * @param {HTMLCanvasElement} canvas
 * @param {Scan} scan
 * @param {number} reach
 * @param {import("./messages.js").Robot} [robot]
 */
export function draw(canvas, scan, reach, robot) {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const { width, height } = canvas;
  const middle = [width / 2, height / 2], scale = Math.min(width, height) / 2 / reach;
  pen.clearRect(0, 0, width, height);
  pen.strokeStyle = "#3a4756";
  for (let ring = reach / 4; ring <= reach; ring += reach / 4) {
    pen.beginPath();
    pen.arc(middle[0], middle[1], ring * scale, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.fillStyle = "#E69F00";
  if (robot) {
    const { lidar_to_front_m: ahead, half_width_m: half, front_m: front, rear_m: rear } = robot;
    pen.fillRect(middle[0] - half * scale, middle[1] - ahead * scale, 2 * half * scale, (front + rear) * scale);
  }
  pen.fillStyle = "#56B4E9";
  const step = (scan.end - scan.start) / Math.max(scan.ranges.length - 1, 1);
  scan.ranges.forEach((range, beam) => {
    if (!(range < reach)) return;
    const angle = scan.start + beam * step;
    pen.fillRect(middle[0] - Math.sin(angle) * range * scale - 1.5, middle[1] - Math.cos(angle) * range * scale - 1.5, 3, 3);
  });
}
