// The messages of protocol/proto/takeover/v1/takeover.proto, as protobuf.js takes them: number of a field, its name, its
// kind. Made by web/tests/schema.rs, which says how to make it again; never edited by hand.

export const POSE2 = /** @type {const} */ ({
  1: ["x_m", "double"],
  2: ["y_m", "double"],
  3: ["heading_rad", "double"],
});

export const VEHICLE_STATE = /** @type {const} */ ({
  1: ["monotonic_us", "number"],
  2: ["sequence", "number"],
  3: ["world_from_vehicle", POSE2],
  4: ["observation", "doubles"],
  5: ["odometer_m", "double"],
  6: ["faults", "strings"],
  7: ["supply_v", "double"],
});

export const HELP_REQUEST = /** @type {const} */ ({
  1: ["id", "number"],
  2: ["reason", "number"],
  3: ["urgency", "number"],
  4: ["text", "string"],
});

export const SPEED_LIMIT = /** @type {const} */ ({
  1: ["limit_mps", "double"],
  2: ["reason", "number"],
  3: ["latency_ms", "double"],
});

export const WAYPOINT = /** @type {const} */ ({
  1: ["x_m", "float"],
  2: ["y_m", "float"],
});

export const CANDIDATE_PATH = /** @type {const} */ ({
  1: ["id", "number"],
  2: ["label", "string"],
  3: ["points", [WAYPOINT]],
});

export const PATH_QUESTION = /** @type {const} */ ({
  1: ["id", "number"],
  2: ["asked_us", "number"],
  3: ["text", "string"],
  4: ["paths", [CANDIDATE_PATH]],
  60: ["reason", "number"],
  61: ["expires_us", "number"],
});

export const CHOSEN_PATH = /** @type {const} */ ({
  1: ["question_id", "number"],
  2: ["path_id", "number"],
  3: ["left_m", "double"],
});

export const AUTHORITY_STATE = /** @type {const} */ ({
  1: ["monotonic_us", "number"],
  2: ["mode", "number"],
  3: ["author", "number"],
  4: ["epoch", "number"],
  5: ["seat_id", "string"],
  6: ["lease_left_ms", "number"],
  7: ["reason", "number"],
  8: ["estop_latched", "bool"],
  9: ["hazards_on", "bool"],
  10: ["help", HELP_REQUEST],
  11: ["speed_limit", SPEED_LIMIT],
  12: ["question", PATH_QUESTION],
  60: ["chosen_path", CHOSEN_PATH],
  61: ["not_ready", "number"],
  62: ["person_present", "bool"],
});

export const CONTROL_COMMAND = /** @type {const} */ ({
  1: ["monotonic_us", "number"],
  2: ["sequence", "number"],
  3: ["author", "number"],
  4: ["epoch", "number"],
  5: ["action", "doubles"],
  6: ["observation_sequence", "number"],
  7: ["gate", "number"],
});

export const POLICY_PROPOSAL = /** @type {const} */ ({
  1: ["monotonic_us", "number"],
  2: ["observation_sequence", "number"],
  3: ["action", "doubles"],
  4: ["confidence", "double"],
  5: ["policy_version", "string"],
});

export const CORRIDOR_POINT = /** @type {const} */ ({
  1: ["s_m", "float"],
  2: ["x_m", "float"],
  3: ["y_m", "float"],
  4: ["heading_rad", "float"],
  5: ["curvature_per_m", "float"],
  6: ["lane_left_m", "float"],
  7: ["lane_right_m", "float"],
  8: ["drivable_left_m", "float"],
  9: ["drivable_right_m", "float"],
  10: ["road_left_m", "float"],
  11: ["road_right_m", "float"],
  12: ["speed_limit_mps", "float"],
});

export const TRACKED_OBJECT = /** @type {const} */ ({
  1: ["id", "number"],
  2: ["kind", "number"],
  3: ["x_m", "float"],
  4: ["y_m", "float"],
  5: ["heading_rad", "float"],
  6: ["velocity_x_mps", "float"],
  7: ["velocity_y_mps", "float"],
  8: ["length_m", "float"],
  9: ["width_m", "float"],
});

export const SURROUNDINGS = /** @type {const} */ ({
  1: ["monotonic_us", "number"],
  2: ["sequence", "number"],
  3: ["corridor", [CORRIDOR_POINT]],
  4: ["objects", [TRACKED_OBJECT]],
  5: ["visibility_m", "float"],
  6: ["friction", "float"],
  7: ["route_left_m", "float"],
});

export const STAGE_LATENCY = /** @type {const} */ ({
  1: ["stage", "string"],
  2: ["mean_ms", "double"],
  3: ["p95_ms", "double"],
});

export const LINK_STATS = /** @type {const} */ ({
  1: ["monotonic_us", "number"],
  2: ["round_trip_ms", "double"],
  3: ["loss", "double"],
  4: ["bitrate_bps", "double"],
  5: ["target_bitrate_bps", "double"],
  6: ["command_age_ms", "double"],
  7: ["picture_age_ms", "double"],
  8: ["clock_offset_us", "double"],
  9: ["clock_uncertainty_us", "double"],
  10: ["frames_sent", "number"],
  11: ["frames_dropped", "number"],
  12: ["stages", [STAGE_LATENCY]],
  13: ["keyframes", "number"],
  40: ["fec_bps", "double"],
  41: ["retransmitted_bps", "double"],
  42: ["loss_burst", "double"],
  43: ["queue_ms", "double"],
});

export const POLICY_STATUS = /** @type {const} */ ({
  1: ["monotonic_us", "number"],
  2: ["policy_version", "string"],
  3: ["previous_version", "string"],
  4: ["healthy", "bool"],
  5: ["inference_us", "double"],
  6: ["missed_deadlines", "number"],
});

export const CLOCK_PONG = /** @type {const} */ ({
  1: ["t1_us", "number"],
  2: ["t2_us", "number"],
  3: ["t3_us", "number"],
});

export const CONTROL_TIMING = /** @type {const} */ ({
  1: ["monotonic_us", "number"],
  2: ["ticks", "number"],
  3: ["lateness_p50_us", "double"],
  4: ["lateness_p99_us", "double"],
  5: ["lateness_max_us", "double"],
  6: ["work_max_us", "double"],
  7: ["missed_deadlines", "number"],
});

export const REASON_COUNT = /** @type {const} */ ({
  1: ["reason", "string"],
  2: ["count", "number"],
});

export const REFUSALS = /** @type {const} */ ({
  1: ["counts", [REASON_COUNT]],
  2: ["heard", "number"],
  3: ["audit_failing", "bool"],
  4: ["passed", [REASON_COUNT]],
});

export const CLOCK_DIFFERENCE = /** @type {const} */ ({
  1: ["ahead_ms", "double"],
  2: ["uncertainty_ms", "double"],
});

export const WALL_CLOCK = /** @type {const} */ ({
  1: ["unix_us", "number"],
  2: ["monotonic_us", "number"],
  3: ["control_plane", CLOCK_DIFFERENCE],
});

export const LIDAR_SEGMENT = /** @type {const} */ ({
  1: ["capture_us", "number"],
  2: ["number", "number"],
  3: ["beams", "number"],
  4: ["first", "number"],
  5: ["count", "number"],
  6: ["start_angle_rad", "double"],
  7: ["end_angle_rad", "double"],
  8: ["resolution_m", "double"],
  9: ["ranges", "bytes"],
});

export const STATE_DATAGRAM = /** @type {const} */ ({
  1: ["vehicle_id", "string"],
  2: ["state", VEHICLE_STATE],
  3: ["authority", AUTHORITY_STATE],
  4: ["command", CONTROL_COMMAND],
  5: ["proposal", POLICY_PROPOSAL],
  6: ["surroundings", SURROUNDINGS],
  7: ["link", LINK_STATS],
  8: ["policy", POLICY_STATUS],
  9: ["pong", CLOCK_PONG],
  20: ["timing", CONTROL_TIMING],
  21: ["refusals", REFUSALS],
  22: ["wall_clock", WALL_CLOCK],
  42: ["lidar", [LIDAR_SEGMENT]],
  60: ["link_sequence", "number"],
});

export const SEAT_RESPONSE = /** @type {const} */ ({
  1: ["id", "number"],
  2: ["accepted", "bool"],
  3: ["reason", "number"],
  4: ["authority", AUTHORITY_STATE],
});

export const TAKEOVER_EVENT = /** @type {const} */ ({
  1: ["takeover_id", "string"],
  2: ["start_us", "number"],
  3: ["end_us", "number"],
  4: ["cause", "number"],
  5: ["seat_id", "string"],
  6: ["epoch", "number"],
  7: ["policy_version", "string"],
  8: ["odometer_m", "double"],
  9: ["note", "string"],
  60: ["seat_kind", "number"],
});

export const CHANNEL_SUMMARY = /** @type {const} */ ({
  1: ["name", "string"],
  2: ["label", "string"],
  3: ["unit", "string"],
  4: ["min", "double"],
  5: ["max", "double"],
});

export const EMBODIMENT_SUMMARY = /** @type {const} */ ({
  1: ["observation", [CHANNEL_SUMMARY]],
  2: ["action", [CHANNEL_SUMMARY]],
  3: ["speed", "string"],
  4: ["accelerate", "string"],
  5: ["steer", "string"],
  6: ["half_steering_mps", "double"],
  7: ["front_m", "double"],
  8: ["rear_m", "double"],
  9: ["half_width_m", "double"],
  10: ["lidar_to_front_m", "double"],
  11: ["speed_unit", "string"],
});

export const CAMERA = /** @type {const} */ ({
  1: ["name", "string"],
  2: ["width", "number"],
  3: ["height", "number"],
  4: ["horizontal_fov_rad", "double"],
  5: ["height_m", "double"],
  6: ["pitch_rad", "double"],
  7: ["yaw_rad", "double"],
  8: ["left_m", "double"],
});

export const HELLO = /** @type {const} */ ({
  1: ["vehicle_id", "string"],
  2: ["embodiment", "string"],
  3: ["software", "string"],
  4: ["width", "number"],
  5: ["height", "number"],
  6: ["horizontal_fov_rad", "double"],
  7: ["camera_height_m", "double"],
  8: ["camera_pitch_rad", "double"],
  9: ["action_min", "doubles"],
  10: ["action_max", "doubles"],
  11: ["map", "string"],
  12: ["embodiment_file", "string"],
  13: ["robot", EMBODIMENT_SUMMARY],
  40: ["cameras", [CAMERA]],
});

export const VEHICLE_EVENT = /** @type {const} */ ({
  1: ["response", SEAT_RESPONSE],
  2: ["help", HELP_REQUEST],
  3: ["takeover", TAKEOVER_EVENT],
  4: ["hello", HELLO],
  60: ["link_sequence", "number"],
});

export const TRAJECTORY_POINT = /** @type {const} */ ({
  1: ["at_us", "number"],
  2: ["x_m", "double"],
  3: ["y_m", "double"],
  4: ["speed_mps", "double"],
});

export const TRAJECTORY = /** @type {const} */ ({
  1: ["points", [TRAJECTORY_POINT]],
});

export const OPERATOR_INPUT = /** @type {const} */ ({
  1: ["sequence", "number"],
  2: ["epoch", "number"],
  3: ["seat_us", "number"],
  4: ["deadman", "bool"],
  5: ["action", "doubles"],
  6: ["shown_frame_us", "number"],
  60: ["trajectory", TRAJECTORY],
});

export const CLOCK_PING = /** @type {const} */ ({
  1: ["t1_us", "number"],
});

export const SEAT_REPORT = /** @type {const} */ ({
  1: ["picture_age_ms", "double"],
  2: ["clock_offset_us", "double"],
  3: ["clock_uncertainty_us", "double"],
  4: ["round_trip_ms", "double"],
  5: ["frames_shown", "number"],
  6: ["frames_late", "number"],
  7: ["keyframe_wanted", "bool"],
  8: ["stages", [STAGE_LATENCY]],
  60: ["wall_clock", CLOCK_DIFFERENCE],
});

export const PICTURE_FEEDBACK = /** @type {const} */ ({
  1: ["camera", "number"],
  2: ["decoded_us", "number"],
  3: ["lost", "bool"],
});

export const COMMAND_DATAGRAM = /** @type {const} */ ({
  1: ["seat_id", "string"],
  2: ["inputs", [OPERATOR_INPUT]],
  3: ["ping", CLOCK_PING],
  4: ["report", SEAT_REPORT],
  40: ["sent_us", "number"],
  41: ["pictures", [PICTURE_FEEDBACK]],
  42: ["estop", "bool"],
  60: ["link_sequence", "number"],
});

export const TAKEOVER_REQUEST = /** @type {const} */ ({
  1: ["cause", "number"],
  2: ["note", "string"],
});

export const HAND_BACK_REQUEST = /** @type {const} */ ({
  1: ["mode", "number"],
});

export const ENGAGE_REQUEST = /** @type {const} */ ({
});

export const ESTOP_REQUEST = /** @type {const} */ ({
});

export const ESTOP_RESET_REQUEST = /** @type {const} */ ({
  1: ["held_ms", "number"],
});

export const BOOKMARK_REQUEST = /** @type {const} */ ({
  1: ["note", "string"],
});

export const PATH_ANSWER = /** @type {const} */ ({
  1: ["question_id", "number"],
  2: ["declined", "bool"],
  3: ["path_id", "number"],
  4: ["waypoints", [WAYPOINT]],
});

export const SEAT_REQUEST = /** @type {const} */ ({
  1: ["id", "number"],
  2: ["seat_id", "string"],
  3: ["takeover", TAKEOVER_REQUEST],
  4: ["hand_back", HAND_BACK_REQUEST],
  5: ["engage", ENGAGE_REQUEST],
  6: ["estop", ESTOP_REQUEST],
  7: ["estop_reset", ESTOP_RESET_REQUEST],
  8: ["bookmark", BOOKMARK_REQUEST],
  20: ["path_answer", PATH_ANSWER],
  60: ["link_sequence", "number"],
});
