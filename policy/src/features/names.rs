//! What each feature is called, in the order in which the modules beside write them.

use super::FEATURES;

/// The vehicle's own motion, the lane ahead, allowed speeds and widths; see `lane`.
const LANE: [&str; 64] = [
    "speed",
    "speed_low",
    "standing",
    "speed_squared",
    "offset",
    "heading_error",
    "pure_pursuit_0.5s",
    "pure_pursuit_1.0s",
    "pure_pursuit_1.5s",
    "pure_pursuit_2.0s",
    "pure_pursuit_3.0s",
    "lane_heading_0.5s",
    "lane_heading_1.0s",
    "lane_heading_1.5s",
    "lane_heading_2.0s",
    "lane_heading_3.0s",
    "lane_curvature_here",
    "lane_curvature_0.5s",
    "lane_curvature_1.0s",
    "lane_curvature_1.5s",
    "lane_curvature_2.0s",
    "lane_curvature_3.0s",
    "offset_by_speed",
    "drift",
    "offset_in_1s",
    "lane_left_1.0s",
    "lane_left_2.0s",
    "limit_1.5s_error",
    "limit_3.0s_error",
    "bend_lateral_acceleration",
    "limit_here",
    "limit_here_error",
    "limit_error",
    "bend_error",
    "bend_here_error",
    "sight_error",
    "route_end_error",
    "allowed_error",
    "allowed_error_fine",
    "fog",
    "slipperiness",
    "route_end_near",
    "allowed_below_limit",
    "sharpest_curvature",
    "allowed",
    "grip_and_sight",
    "allowed_standing",
    "too_fast",
    "lane_left_width",
    "lane_right_width",
    "drivable_left_width",
    "drivable_right_width",
    "road_left_width",
    "road_right_width",
    "least_lane_left_width",
    "least_lane_right_width",
    "least_drivable_left_width",
    "least_drivable_right_width",
    "least_road_left_width",
    "least_road_right_width",
    "drivable_left_room",
    "drivable_right_room",
    "road_left_room",
    "road_right_room",
];

/// Lateral bands and candidate paths, named by their middle left of the lane's centre; see `paths`.
const PATHS: [&str; 32] = [
    "band_-2.0m_near",
    "band_-2.0m_closing",
    "band_-1.0m_near",
    "band_-1.0m_closing",
    "band_0.0m_near",
    "band_0.0m_closing",
    "band_1.0m_near",
    "band_1.0m_closing",
    "band_2.0m_near",
    "band_2.0m_closing",
    "band_3.0m_near",
    "band_3.0m_closing",
    "band_4.0m_near",
    "band_4.0m_closing",
    "path_-0.8m_braking",
    "path_-0.8m_near",
    "path_-0.8m_speed",
    "path_0.0m_braking",
    "path_0.0m_near",
    "path_0.0m_speed",
    "path_1.2m_braking",
    "path_1.2m_near",
    "path_1.2m_speed",
    "path_2.4m_braking",
    "path_2.4m_near",
    "path_2.4m_speed",
    "path_3.5m_braking",
    "path_3.5m_near",
    "path_3.5m_speed",
    "path_own_braking",
    "path_own_near",
    "path_own_speed",
];

/// Single objects; see `actors`.
const ACTORS: [&str; 32] = [
    "idm_lane_now",
    "idm_lane_soon",
    "idm_own_path",
    "leader_speed",
    "leader_allowed_error",
    "own_path_leader_allowed_error",
    "soon_leader_braking",
    "soon_leader_left_speed",
    "leader_is_vehicle",
    "blockage_near",
    "blockage_end",
    "pass_left_offset",
    "pass_right_offset",
    "pass_left_error",
    "pass_left_pursuit",
    "pass_left_error_near",
    "pedestrian_near",
    "pedestrian_offset",
    "pedestrian_left_speed",
    "pedestrian_offset_on_arrival",
    "pedestrian_braking",
    "pedestrian_conflict",
    "oncoming_3s",
    "oncoming_8s",
    "oncoming_near",
    "behind_left_near",
    "behind_left_closing",
    "behind_right_near",
    "behind_right_closing",
    "clearance_left",
    "clearance_right",
    "clearance",
];

/// The name of each feature. A name is unique and keeps its meaning; places may change with
/// [`FEATURE_VERSION`](super::FEATURE_VERSION).
pub const FEATURE_NAMES: [&str; FEATURES] = joined([&LANE, &PATHS, &ACTORS]);

const fn joined(parts: [&[&'static str]; 3]) -> [&'static str; FEATURES] {
    let mut all = [""; FEATURES];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let mut i = 0;
        while i < parts[part].len() {
            all[at] = parts[part][i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    assert!(at == FEATURES, "every feature has a name");
    all
}

/// Where the feature of this name stands.
#[must_use]
pub fn feature_index(name: &str) -> Option<usize> {
    FEATURE_NAMES.iter().position(|known| *known == name)
}
