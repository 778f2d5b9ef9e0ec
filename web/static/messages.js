// The messages that a browser's seat reads and writes. Field numbers are those of
// protocol/proto/takeover/v1/takeover.proto; fields not listed are skipped.

import { decode, encode } from "./protobuf.js";

const HELP = /** @type {const} */ ({ 1: ["id", "number"], 2: ["reason", "number"], 3: ["urgency", "number"], 4: ["text", "string"] });

const WAYPOINT = /** @type {const} */ ({ 1: ["x_m", "float"], 2: ["y_m", "float"] });

const QUESTION = /** @type {const} */ ({
  1: ["id", "number"], 2: ["asked_us", "number"], 3: ["text", "string"],
  4: ["paths", [{ 1: ["id", "number"], 2: ["label", "string"], 3: ["points", [WAYPOINT]] }]],
  60: ["reason", "number"], 61: ["expires_us", "number"],
});

const AUTHORITY = /** @type {const} */ ({
  1: ["monotonic_us", "number"], 2: ["mode", "number"], 3: ["author", "number"], 4: ["epoch", "number"],
  5: ["seat", "string"], 6: ["lease_left_ms", "number"], 7: ["reason", "number"], 8: ["estop", "bool"],
  9: ["hazards", "bool"], 10: ["help", HELP],
  12: ["question", QUESTION],
  60: ["chosen_path", { 1: ["question_id", "number"], 2: ["path_id", "number"], 3: ["left_m", "double"] }],
});

const STAGE = /** @type {const} */ ({ 1: ["stage", "string"], 2: ["mean_ms", "double"], 3: ["p95_ms", "double"] });

const LINK = /** @type {const} */ ({
  2: ["round_trip_ms", "double"], 3: ["loss", "double"], 4: ["bitrate_bps", "double"], 5: ["target_bitrate_bps", "double"],
  6: ["command_age_ms", "double"], 7: ["picture_age_ms", "double"], 12: ["stages", [STAGE]],
});

const VEHICLE = /** @type {const} */ ({
  1: ["monotonic_us", "number"], 4: ["observation", "doubles"], 5: ["odometer_m", "double"], 6: ["faults", "strings"],
});

const CORRIDOR_POINT = /** @type {const} */ ({
  2: ["x_m", "float"], 3: ["y_m", "float"], 4: ["heading_rad", "float"], 6: ["lane_left_m", "float"],
  7: ["lane_right_m", "float"], 10: ["road_left_m", "float"], 11: ["road_right_m", "float"],
  12: ["speed_limit_mps", "float"],
});

const OBJECT = /** @type {const} */ ({
  3: ["x_m", "float"], 4: ["y_m", "float"], 5: ["heading_rad", "float"], 8: ["length_m", "float"], 9: ["width_m", "float"],
});

const LIDAR = /** @type {const} */ ({
  1: ["capture_us", "number"], 2: ["number", "number"], 3: ["beams", "number"], 4: ["first", "number"], 5: ["count", "number"],
  6: ["start_angle_rad", "double"], 7: ["end_angle_rad", "double"], 8: ["resolution_m", "double"], 9: ["ranges", "bytes"],
});

const CLOCK_DIFFERENCE = /** @type {const} */ ({ 1: ["ahead_ms", "double"], 2: ["uncertainty_ms", "double"] });

const STATE = /** @type {const} */ ({
  1: ["vehicle", "string"],
  2: ["state", VEHICLE],
  3: ["authority", AUTHORITY],
  4: ["command", { 3: ["author", "number"], 5: ["action", "doubles"], 7: ["gate", "number"] }],
  5: ["proposal", { 4: ["confidence", "double"], 5: ["policy", "string"] }],
  6: ["surroundings", { 3: ["corridor", [CORRIDOR_POINT]], 4: ["objects", [OBJECT]] }],
  7: ["link", LINK],
  8: ["policy", { 2: ["version", "string"], 4: ["healthy", "bool"] }],
  9: ["pong", { 1: ["t1_us", "number"], 2: ["t2_us", "number"], 3: ["t3_us", "number"] }],
  22: ["wall_clock", { 1: ["unix_us", "number"], 2: ["monotonic_us", "number"], 3: ["control_plane", CLOCK_DIFFERENCE] }],
  42: ["lidar", [LIDAR]],
});

const TAKEOVER = /** @type {const} */ ({
  1: ["id", "string"], 2: ["start_us", "number"], 3: ["end_us", "number"], 4: ["cause", "number"], 5: ["seat", "string"],
});

const EVENT = /** @type {const} */ ({
  1: ["response", { 1: ["id", "number"], 2: ["accepted", "bool"], 3: ["reason", "number"], 4: ["authority", AUTHORITY] }],
  2: ["help", HELP],
  3: ["takeover", TAKEOVER],
  4: ["hello", {
    1: ["vehicle", "string"], 2: ["embodiment", "string"], 3: ["software", "string"], 9: ["action_min", "doubles"],
    10: ["action_max", "doubles"], 11: ["map", "string"], 40: ["cameras", [{ 1: ["name", "string"] }]],
  }],
});

const INPUT = /** @type {const} */ ({
  1: ["sequence", "number"], 2: ["epoch", "number"], 3: ["seat_us", "number"], 4: ["deadman", "bool"],
  5: ["action", "doubles"], 6: ["shown_frame_us", "number"],
});

const REPORT = /** @type {const} */ ({
  1: ["picture_age_ms", "double"], 2: ["clock_offset_us", "double"], 3: ["clock_uncertainty_us", "double"],
  4: ["round_trip_ms", "double"], 5: ["frames_shown", "number"], 6: ["frames_late", "number"],
  7: ["keyframe_wanted", "bool"], 8: ["stages", [STAGE]], 60: ["wall_clock", CLOCK_DIFFERENCE],
});

const COMMAND = /** @type {const} */ ({
  1: ["seat", "string"], 2: ["inputs", [INPUT]], 3: ["ping", { 1: ["t1_us", "number"] }], 4: ["report", REPORT],
  42: ["estop", "bool"],
});

const REQUEST = /** @type {const} */ ({
  1: ["id", "number"], 2: ["seat", "string"],
  3: ["takeover", { 1: ["cause", "number"], 2: ["note", "string"] }],
  4: ["hand_back", { 1: ["mode", "number"] }],
  5: ["engage", {}], 6: ["estop", {}],
  7: ["estop_reset", { 1: ["held_ms", "number"] }],
  8: ["bookmark", { 1: ["note", "string"] }],
  20: ["path_answer", {
    1: ["question_id", "number"], 2: ["declined", "bool"], 3: ["path_id", "number"], 4: ["waypoints", [WAYPOINT]],
  }],
});

/**
 * The messages as they are read and written; which fields they have follows from the schemas above.
 * @typedef {Protobuf.Decoded<typeof STATE>} StateDatagram
 * @typedef {Protobuf.Decoded<typeof EVENT>} VehicleEvent
 * @typedef {Protobuf.Decoded<typeof AUTHORITY>} AuthorityState
 * @typedef {Protobuf.Decoded<typeof QUESTION>} Question
 * @typedef {Protobuf.Decoded<typeof HELP>} Help
 * @typedef {NonNullable<VehicleEvent["hello"]>} Hello
 * @typedef {NonNullable<VehicleEvent["response"]>} SeatResponse
 * @typedef {NonNullable<StateDatagram["surroundings"]>} Surroundings
 * @typedef {Protobuf.Decoded<typeof LIDAR>} LidarSegment
 * @typedef {Protobuf.Decoded<typeof CLOCK_DIFFERENCE>} ClockDifference
 * @typedef {NonNullable<StateDatagram["wall_clock"]>} WallClock
 * @typedef {Protobuf.Encodable<typeof REPORT>} Report
 * @typedef {Protobuf.Encodable<typeof INPUT>} OperatorInput
 * @typedef {Protobuf.Encodable<typeof COMMAND>} CommandDatagram
 * @typedef {Protobuf.Encodable<typeof REQUEST>} SeatRequest exactly one of its requests is set
 */

/** @param {Uint8Array} bytes */
export const readState = (bytes) => decode(STATE, bytes);
/** @param {Uint8Array} bytes */
export const readEvent = (bytes) => decode(EVENT, bytes);
/** @param {CommandDatagram} command */
export const writeCommand = (command) => encode(COMMAND, command);
/** @param {SeatRequest} request */
export const writeRequest = (request) => encode(REQUEST, request);
