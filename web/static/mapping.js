// From a person's controls to a robot's action channels: the same rules as the native console's.

/**
 * Where pedals and wheel stand: shares 0 to 1, steering -1 (right) to 1 (left).
 * @typedef {{ accelerate: number, brake: number, steer: number }} Drive
 * @typedef {import("./messages.js").Hello} Hello
 * @typedef {import("./messages.js").Robot} Robot
 */

/** @type {Readonly<Drive>} */
export const NEUTRAL = { accelerate: 0, brake: 0, steer: 0 };
// Greatest changes, in shares of full travel a second: a key builds up, a pad's own travel is nearly followed.
const RATES = {
  keyboard: { accelerate: 1.2, brake: 2.5, release: 5, steer: 1.4, centre: 2.2 },
  gamepad: { accelerate: 6, brake: 10, release: 10, steer: 4, centre: 4 },
};

/** @type {(value: number, least: number, most: number) => number} */
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
/** @type {(now: number, target: number, step: number) => number} */
const toward = (now, target, step) => now + clamp(target - now, -step, step);

/**
 * Moves `drive` toward `target` for `seconds` as fast as `device` may; the brake beats the accelerator.
 * @param {Drive} drive
 * @param {Drive} target
 * @param {keyof typeof RATES} device
 * @param {number} seconds
 * @returns {Drive}
 */
export function ramp(drive, target, device, seconds) {
  const rates = RATES[device];
  /** @type {(now: number, wanted: number, press: number) => number} */
  const pedal = (now, wanted, press) => toward(now, clamp(wanted, 0, 1), (wanted > now ? press : rates.release) * seconds);
  const steer = clamp(target.steer, -1, 1);
  const outward = Math.abs(steer) > Math.abs(drive.steer) && steer * drive.steer >= 0;
  return {
    accelerate: pedal(drive.accelerate, target.brake > 0 ? 0 : target.accelerate, rates.accelerate),
    brake: pedal(drive.brake, target.brake, rates.brake),
    steer: toward(drive.steer, steer, (outward ? rates.steer : rates.centre) * seconds),
  };
}

/**
 * The place of the channel of this name; -1 without one, and where a robot names none.
 * @param {Robot["action"]} channels
 * @param {string} name
 */
const place = (channels, name) => (name ? channels.findIndex((c) => c.name === name) : -1);

/**
 * How fast the robot is, metres a second; null when it does not say.
 * @param {Robot | undefined} robot
 * @param {readonly number[] | undefined} observation
 */
export function speedOf(robot, observation) {
  const value = robot && observation?.[place(robot.observation, robot.speed)];
  return value !== undefined && Number.isFinite(value) ? value : null;
}

export class Mapping {
  /** For the robot that says `hello`; null when it has no pedals and wheel to map to. @param {Hello} hello */
  static of(hello) {
    const { robot } = hello;
    if (!robot) return null;
    const [acceleration, steering] = [robot.accelerate, robot.steer].map((name) => place(robot.action, name));
    return acceleration < 0 || steering < 0 ? null : new Mapping(hello, robot, acceleration, steering);
  }

  /**
   * @param {Hello} hello
   * @param {Robot} robot
   * @param {number} acceleration place of its channel
   * @param {number} steering place of its channel
   */
  constructor(hello, robot, acceleration, steering) {
    /** @type {(values: number[], i: number, otherwise: number) => number} */
    const told = (values, i, otherwise) => (Number.isFinite(values[i]) ? values[i] : otherwise);
    this.acceleration = acceleration;
    this.steering = steering;
    // Speed at which a full turn of the stick means half of the steering's range.
    this.halfSteering = robot.half_steering_mps > 0 ? robot.half_steering_mps : Infinity;
    // The narrower of the robot's own limits and the embodiment's.
    this.limits = robot.action.map((c, i) => [
      Math.min(Math.max(told(hello.action_min, i, c.min), c.min), 0),
      Math.max(Math.min(told(hello.action_max, i, c.max), c.max), 0),
    ]);
  }

  /** Share of the steering's range that a full turn asks for. @param {number} speed */
  share(speed) {
    return 1 / (1 + (Number.isFinite(speed) ? speed / this.halfSteering : 0) ** 2);
  }

  /**
   * The action channels for `drive` at `speed` metres a second.
   * @param {Drive} drive
   * @param {number} speed
   */
  action(drive, speed) {
    const action = this.limits.map(() => 0);
    const [hardest, strongest] = this.limits[this.acceleration];
    action[this.acceleration] = drive.accelerate * strongest + drive.brake * hardest;
    const [right, left] = this.limits[this.steering];
    const share = drive.steer * this.share(speed);
    action[this.steering] = share >= 0 ? share * left : -share * right;
    return action;
  }

  /**
   * The stick's travel that would ask for the steering of `action` at `speed`.
   * @param {readonly number[] | undefined} action
   * @param {number} speed
   */
  steerOf(action, speed) {
    const angle = action?.[this.steering];
    if (angle === undefined || !Number.isFinite(angle)) return 0;
    const limit = angle >= 0 ? this.limits[this.steering][1] : -this.limits[this.steering][0];
    return limit <= 0 ? 0 : clamp(angle / limit / this.share(speed), -1, 1);
  }
}
