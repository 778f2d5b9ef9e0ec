//! The topics of an episode file.

use crate::Topic;

/// Full protobuf name of video messages.
pub const VIDEO_SCHEMA: &str = "foxglove.CompressedVideo";

macro_rules! topics {
    ($($(#[$doc:meta])* $name:ident = $topic:literal, $schema:literal;)*) => {
        $($(#[$doc])* pub static $name: Topic = Topic { name: $topic, schema: $schema };)*

        /// Every topic that is written now.
        pub static ALL: &[&Topic] = &[$(&$name),*];
    };
}

topics! {
    /// Front camera: H.264 Annex B, one frame a message, no B-frames, parameter sets in every IDR.
    CAMERA_FRONT = "/camera/front", "foxglove.CompressedVideo";
    /// Left camera, as the front one.
    CAMERA_LEFT = "/camera/left", "foxglove.CompressedVideo";
    /// Right camera, as the front one.
    CAMERA_RIGHT = "/camera/right", "foxglove.CompressedVideo";
    /// Rear camera, as the front one.
    CAMERA_REAR = "/camera/rear", "foxglove.CompressedVideo";
    /// Front camera's intrinsics.
    CAMERA_FRONT_CALIBRATION = "/camera/front/calibration", "foxglove.CameraCalibration";
    /// Left camera's intrinsics.
    CAMERA_LEFT_CALIBRATION = "/camera/left/calibration", "foxglove.CameraCalibration";
    /// Right camera's intrinsics.
    CAMERA_RIGHT_CALIBRATION = "/camera/right/calibration", "foxglove.CameraCalibration";
    /// Rear camera's intrinsics.
    CAMERA_REAR_CALIBRATION = "/camera/rear/calibration", "foxglove.CameraCalibration";
    /// Planar lidar.
    SCAN = "/scan", "foxglove.LaserScan";
    /// Spatial lidar, for robots that have one.
    LIDAR = "/lidar", "foxglove.PointCloud";
    /// Where sensors sit and the vehicle is.
    TF = "/tf", "foxglove.FrameTransforms";
    /// Position by satellites.
    GNSS = "/gnss", "foxglove.LocationFix";
    /// Where the policy would drive.
    PLAN = "/plan", "foxglove.PosesInFrame";
    /// Perceived objects as boxes for viewers.
    SCENE = "/scene", "foxglove.SceneUpdate";
    /// The vehicle in the map.
    EGO_POSE = "/ego/pose", "foxglove.PoseInFrame";
    /// Route ahead and perceived objects.
    SURROUNDINGS = "/surroundings", "takeover.v1.Surroundings";
    /// The robot's own state, once a control tick.
    VEHICLE_STATE = "/vehicle/state", "takeover.v1.VehicleState";
    /// What the gate let through to the actuators.
    CONTROL_COMMAND = "/control/command", "takeover.v1.ControlCommand";
    /// What the policy would do, whoever drives.
    CONTROL_PROPOSAL = "/control/proposal", "takeover.v1.PolicyProposal";
    /// Who moves the robot.
    AUTHORITY = "/authority", "takeover.v1.AuthorityState";
    /// What the operator did, as it arrived.
    OPERATOR_INPUT = "/operator/input", "takeover.v1.OperatorInput";
    /// Quality of the link.
    LINK_STATS = "/link/stats", "takeover.v1.LinkStats";
    /// Which policy runs and how well.
    POLICY_STATUS = "/policy/status", "takeover.v1.PolicyStatus";
    /// Start and end of takeovers, bookmarks, manoeuvres that a person released; `kind` in the metadata.
    TAKEOVER_EVENT = "/takeover/event", "foxglove.Event";
    /// Text for people.
    LOG = "/log", "foxglove.Log";
}

/// The cameras in the order of their streams.
pub static CAMERAS: [&Topic; 4] = [&CAMERA_FRONT, &CAMERA_LEFT, &CAMERA_RIGHT, &CAMERA_REAR];

/// Intrinsics of [`CAMERAS`], in their order.
pub static CALIBRATIONS: [&Topic; 4] =
    [&CAMERA_FRONT_CALIBRATION, &CAMERA_LEFT_CALIBRATION, &CAMERA_RIGHT_CALIBRATION, &CAMERA_REAR_CALIBRATION];

/// Where among [`CAMERAS`] the pictures of a robot's cameras go: by their names, such as `rear`; one of another name takes the
/// first place that no name asks for.
#[must_use]
pub fn camera_places(names: &[&str]) -> Vec<usize> {
    let named = |name: &str| CAMERAS.iter().position(|topic| topic.name.strip_prefix("/camera/") == Some(name));
    let mut free = (0..CAMERAS.len()).filter(|place| !names.iter().any(|name| named(name) == Some(*place)));
    names.iter().map(|name| named(name).or_else(|| free.next()).unwrap_or(CAMERAS.len() - 1)).collect()
}

/// In which order topics are dropped when there is no room for all, the first to go first: what takes most bytes for the
/// least insight goes before what an inquiry needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Cameras other than the front one.
    Side,
    /// Lidar and scenes.
    Bulk,
    /// The front camera, the one to drive by.
    View,
    /// Everything else: state, commands, inputs, authority, events, links, logs, calibrations.
    Control,
}

impl Priority {
    /// The lowest first.
    pub const ALL: [Self; 4] = [Self::Side, Self::Bulk, Self::View, Self::Control];
}

/// The priority of messages of `topic`.
#[must_use]
pub fn priority(topic: &Topic) -> Priority {
    match topic.schema {
        "foxglove.CompressedVideo" if topic.name == CAMERA_FRONT.name => Priority::View,
        "foxglove.CompressedVideo" => Priority::Side,
        "foxglove.LaserScan" | "foxglove.PointCloud" | "foxglove.SceneUpdate" => Priority::Bulk,
        _ => Priority::Control,
    }
}

/// Whether a message of `topic` stands for something that happened, and is not one of a series of samples.
#[must_use]
pub fn is_event(topic: &Topic) -> bool {
    matches!(topic.schema, "foxglove.Event" | "foxglove.Log")
}

/// The topic of this name among [`ALL`].
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Topic> {
    ALL.iter().copied().find(|topic| topic.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn pictures_go_where_their_cameras_name_says() {
        assert_eq!(camera_places(&["front", "left", "right", "rear"]), [0, 1, 2, 3]);
        assert_eq!(camera_places(&["front", "rear"]), [0, 3]);
        assert_eq!(camera_places(&["gripper", "front", "mast"]), [1, 0, 2]);
        assert_eq!(camera_places(&["a", "b", "c", "d", "e"]), [0, 1, 2, 3, 3]);
    }

    #[test]
    fn every_topic_has_a_name_of_its_own_and_a_schema_that_exists() {
        let names: BTreeSet<_> = ALL.iter().map(|topic| topic.name).collect();
        assert_eq!(names.len(), ALL.len());
        for topic in ALL {
            assert!(crate::schema::descriptor_set(topic.schema).is_some(), "{topic:?}");
            assert_eq!(by_name(topic.name), Some(*topic));
        }
    }
}
