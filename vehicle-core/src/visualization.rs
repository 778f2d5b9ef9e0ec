//! Visualization: what viewers need beyond the robot's own messages: the vehicle's place among the frames, what it perceives as boxes,
//! and where the policy's proposal leads.

use crate::telemetry::timestamp;
use protocol::Embodiment;
use protocol::foxglove::{
    Color, CubePrimitive, FrameTransform, FrameTransforms, KeyValuePair, Pose, PosesInFrame, Quaternion, SceneEntity,
    SceneUpdate, Vector3,
};
use protocol::v1::{ObjectKind, PolicyProposal, Pose2, Surroundings, TrackedObject, VehicleState};

/// A proposal is followed for this long, seconds, in steps of this.
const PLAN: (f64, f64) = (2.0, 0.25);
/// An object that is not seen again by then is gone, nanoseconds.
const OBJECT_LASTS_NS: i32 = 300_000_000;

/// A pose in the plane as viewers want it.
#[must_use]
pub fn pose(place: &Pose2) -> Pose {
    Pose {
        position: Some(Vector3 { x: place.x_m, y: place.y_m, z: 0.0 }),
        orientation: Some(about_z(place.heading_rad)),
    }
}

fn about_z(angle_rad: f64) -> Quaternion {
    let (sin, cos) = (angle_rad / 2.0).sin_cos();
    Quaternion { x: 0.0, y: 0.0, z: sin, w: cos }
}

/// Where the vehicle is in the map.
#[must_use]
pub fn place(place: &Pose2, at_ns: u64) -> FrameTransforms {
    let transform = FrameTransform {
        timestamp: Some(timestamp(at_ns)),
        parent_frame_id: "map".to_owned(),
        child_frame_id: "vehicle".to_owned(),
        translation: Some(Vector3 { x: place.x_m, y: place.y_m, z: 0.0 }),
        rotation: Some(about_z(place.heading_rad)),
    };
    FrameTransforms { transforms: vec![transform] }
}

/// Where the vehicle would be if it did for two seconds what the policy proposes, in its own frame, without
/// slip. `None` for a robot that does not drive.
#[must_use]
pub fn plan(
    embodiment: &Embodiment,
    proposal: &PolicyProposal,
    state: &VehicleState,
    at_ns: u64,
) -> Option<PosesInFrame> {
    let channels = embodiment.channels();
    let acceleration = *proposal.action.get(channels.accelerate?)?;
    let steering = *proposal.action.get(channels.steer?)?;
    let speed = embodiment.speed_mps(&state.observation)?;
    let (mut here, mut speed) = (Pose2::default(), speed.max(0.0));
    let mut poses = vec![pose(&here)];
    for _ in 0..(PLAN.0 / PLAN.1) as usize {
        let step_m = speed * PLAN.1;
        let turn_rad = step_m * embodiment.kinematics.curvature_per_m(steering, speed);
        let (sin, cos) = (here.heading_rad + turn_rad / 2.0).sin_cos();
        here = Pose2 {
            x_m: here.x_m + step_m * cos,
            y_m: here.y_m + step_m * sin,
            heading_rad: here.heading_rad + turn_rad,
        };
        speed = (speed + acceleration * PLAN.1).max(0.0);
        poses.push(pose(&here));
    }
    Some(PosesInFrame { timestamp: Some(timestamp(at_ns)), frame_id: "vehicle".to_owned(), poses })
}

/// Height and colour of a kind of thing.
fn look(kind: ObjectKind) -> (f64, Color) {
    let colour = |r, g, b| Color { r, g, b, a: 0.7 };
    match kind {
        ObjectKind::Car => (1.5, colour(0.2, 0.5, 1.0)),
        ObjectKind::Truck => (3.5, colour(0.1, 0.3, 0.8)),
        ObjectKind::Pedestrian => (1.8, colour(1.0, 0.3, 0.2)),
        ObjectKind::Cyclist => (1.8, colour(1.0, 0.7, 0.1)),
        ObjectKind::Cone => (0.7, colour(1.0, 0.5, 0.0)),
        ObjectKind::Unknown => (1.0, colour(0.6, 0.6, 0.6)),
    }
}

fn entity(object: &TrackedObject, at_ns: u64) -> SceneEntity {
    let (height, color) = look(object.kind());
    let [x, y, heading_rad] = [object.x_m, object.y_m, object.heading_rad].map(f64::from);
    let [length, width, vx, vy] =
        [object.length_m, object.width_m, object.velocity_x_mps, object.velocity_y_mps].map(f64::from);
    let pair = |key: &str, value: String| KeyValuePair { key: key.to_owned(), value };
    SceneEntity {
        timestamp: Some(timestamp(at_ns)),
        frame_id: "vehicle".to_owned(),
        id: object.id.to_string(),
        lifetime: Some(prost_types::Duration { seconds: 0, nanos: OBJECT_LASTS_NS }),
        frame_locked: false,
        metadata: vec![
            pair("kind", format!("{:?}", object.kind()).to_lowercase()),
            pair("speed_mps", format!("{:.1}", vx.hypot(vy))),
        ],
        cubes: vec![CubePrimitive {
            pose: Some(Pose {
                position: Some(Vector3 { x, y, z: height / 2.0 }),
                orientation: Some(about_z(heading_rad)),
            }),
            size: Some(Vector3 { x: length, y: width, z: height }),
            color: Some(color),
        }],
    }
}

/// What the vehicle perceives, as boxes.
#[must_use]
pub fn scene(surroundings: &Surroundings, at_ns: u64) -> SceneUpdate {
    let entities = surroundings.objects.iter().map(|object| entity(object, at_ns)).collect();
    SceneUpdate { deletions: Vec::new(), entities }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_bends_as_far_as_the_wheels_say_and_stops_with_the_brakes() {
        let state = VehicleState { observation: vec![10.0, 0.0, 0.0, 0.0], ..Default::default() };
        let car = Embodiment::ackermann_car();
        let of = |action: Vec<f64>| plan(&car, &PolicyProposal { action, ..Default::default() }, &state, 0);
        let ends = |action| of(action).unwrap().poses.last().unwrap().position.unwrap();
        let straight = ends(vec![0.0, 0.0]);
        assert!((straight.x - 20.0).abs() < 1e-9 && straight.y == 0.0, "{straight:?}");
        // A circle: chord of an arc of 20 m.
        let radius = 1.0 / car.kinematics.curvature_per_m(0.1, 10.0);
        let bent = ends(vec![0.0, 0.1]);
        assert!((bent.y - radius * (1.0 - (20.0 / radius).cos())).abs() < 0.01, "{bent:?}");
        let braked = ends(vec![-8.0, 0.0]);
        assert!((6.0..9.0).contains(&braked.x), "{braked:?}");
        assert!(of(vec![0.0]).is_none());
    }

    #[test]
    fn objects_become_boxes_that_stand_on_the_ground() {
        let cone = TrackedObject { id: 7, kind: ObjectKind::Cone.into(), x_m: 9.0, width_m: 0.5, ..Default::default() };
        let scene = scene(&Surroundings { objects: vec![cone], ..Default::default() }, 0);
        let cube = &scene.entities[0].cubes[0];
        let (size, at) = (cube.size.unwrap(), cube.pose.as_ref().unwrap().position.unwrap());
        assert_eq!((at.x, at.z, size.y), (9.0, size.z / 2.0, 0.5));
        assert_eq!(scene.entities[0].metadata[0].value, "cone");
    }
}
