// The words of the protocol, as the control plane makes them in src/routes/pages.rs, where a test holds this file to it.
// Arrays are indexed by the protobuf codes: a code that nothing stands for gives null, one beyond the end undefined.

export const MODES: readonly (string | null)[];
export const AUTHORS: readonly (string | null)[];
export const REASONS: readonly (string | null)[];
export const CAUSES: readonly string[];
export const VERDICTS: readonly string[];
/** What to do about a failure, by its code. */
export const FAILURES: Readonly<Record<string, string>>;
/** A robot: limits of its actions, and the places of the channels whose meaning is known; null for what it does not have. */
export interface Robot {
  action: readonly { name: string; min: number; max: number }[];
  /** Place among the observation's channels. */
  speed: number | null;
  /** Places among the action's channels. */
  accelerate: number | null;
  steer: number | null;
  /** Speed at which a full turn of the stick means half of the steering's range. */
  half_steering_mps: number;
  /** The body: from its origin ahead and behind, and half of the width. */
  front_m: number;
  rear_m: number;
  half_width_m: number;
  /** From the lidar to the front end. */
  lidar_to_front_m: number;
}
/** The built-in robots by name. */
export const EMBODIMENTS: Readonly<Record<string, Robot>>;
