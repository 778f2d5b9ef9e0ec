//! What may be in a sense.

use super::AdapterError;
use protocol::Embodiment;
use protocol::foxglove::{LaserScan, LocationFix};
use protocol::v1::{RobotSense, Surroundings, VehicleState};
use vehicle_core::ExpectedSensors;

/// Most fault codes at a time, and the longest of them, bytes.
const MOST_FAULTS: (usize, usize) = (16, 64);
/// Farther from the map's origin nothing is, metres: half an Earth around.
const MOST_METRES: f64 = 2e7;
/// Most stations of the route, objects and beams of a scan.
const MOST_STATIONS: usize = 1_024;
const MOST_OBJECTS: usize = 1_024;
const MOST_BEAMS: usize = 100_000;

fn finite(what: impl Fn() -> String, value: f64, most: f64) -> Result<(), AdapterError> {
    if value.is_finite() && value.abs() <= most {
        return Ok(());
    }
    Err(AdapterError::value(what(), &value, format!("it has to be finite and at most {most:e}")))
}

fn count(what: &str, got: usize, most: usize) -> Result<(), AdapterError> {
    if got <= most { Ok(()) } else { Err(AdapterError::value(what, &got, format!("at most {most} are taken"))) }
}

/// Checks everything in `sense` but its times.
pub(super) fn check(sense: &RobotSense, embodiment: &Embodiment, expects: ExpectedSensors) -> Result<(), AdapterError> {
    let state = sense.state.as_ref().ok_or_else(|| AdapterError::value("state", &"absent", "every sense has one"))?;
    check_state(state, embodiment)?;
    for (what, comes, announced) in [
        ("surroundings", sense.surroundings.is_some(), expects.surroundings),
        ("scan", sense.scan.is_some(), expects.scan),
    ] {
        if comes && !announced {
            return Err(AdapterError::value(what, &"there", format!("the hello says has_{what} = false")));
        }
    }
    sense.surroundings.as_ref().map_or(Ok(()), check_surroundings)?;
    sense.scan.as_ref().map_or(Ok(()), check_scan)?;
    sense.fix.as_ref().map_or(Ok(()), check_fix)
}

fn check_state(state: &VehicleState, embodiment: &Embodiment) -> Result<(), AdapterError> {
    let channels = &embodiment.observation;
    if state.observation.len() != channels.len() {
        let names: Vec<_> = channels.iter().map(|channel| channel.name.to_string()).collect();
        let expected = format!("the embodiment's {} channels are {}", channels.len(), names.join(", "));
        return Err(AdapterError::value("length of observation", &state.observation.len(), expected));
    }
    for (value, channel) in state.observation.iter().zip(channels) {
        finite(|| format!("observation {}", channel.name), *value, MOST_METRES)?;
    }
    let expected = "every sense says where the robot is";
    let pose =
        state.world_from_vehicle.ok_or_else(|| AdapterError::value("world_from_vehicle", &"absent", expected))?;
    for (what, value) in [("x_m", pose.x_m), ("y_m", pose.y_m), ("heading_rad", pose.heading_rad)] {
        finite(|| format!("world_from_vehicle.{what}"), value, MOST_METRES)?;
    }
    finite(|| "odometer_m".to_owned(), state.odometer_m, 1e12)?;
    finite(|| "supply_v".to_owned(), state.supply_v, 1e6)?;
    let (most, longest) = MOST_FAULTS;
    count("number of faults", state.faults.len(), most)?;
    match state.faults.iter().find(|code| code.is_empty() || code.len() > longest || code.contains(char::is_control)) {
        Some(code) => {
            let expected = format!("codes have 1 to {longest} bytes without control characters");
            Err(AdapterError::value("fault", &format!("{code:?}"), expected))
        }
        None => Ok(()),
    }
}

fn check_surroundings(seen: &Surroundings) -> Result<(), AdapterError> {
    count("number of corridor points", seen.corridor.len(), MOST_STATIONS)?;
    count("number of objects", seen.objects.len(), MOST_OBJECTS)?;
    for (index, p) in seen.corridor.iter().enumerate() {
        let values = [
            p.s_m,
            p.x_m,
            p.y_m,
            p.heading_rad,
            p.curvature_per_m,
            p.lane_left_m,
            p.lane_right_m,
            p.drivable_left_m,
            p.drivable_right_m,
            p.road_left_m,
            p.road_right_m,
            p.speed_limit_mps,
        ];
        for value in values {
            finite(|| format!("a value of corridor[{index}]"), f64::from(value), MOST_METRES)?;
        }
    }
    for (index, o) in seen.objects.iter().enumerate() {
        for value in [o.x_m, o.y_m, o.heading_rad, o.velocity_x_mps, o.velocity_y_mps, o.length_m, o.width_m] {
            finite(|| format!("a value of objects[{index}]"), f64::from(value), MOST_METRES)?;
        }
    }
    for (what, value) in
        [("visibility_m", seen.visibility_m), ("friction", seen.friction), ("route_left_m", seen.route_left_m)]
    {
        finite(|| format!("surroundings.{what}"), f64::from(value), MOST_METRES)?;
    }
    Ok(())
}

/// Beams that see nothing are infinite or not a number; the core judges those.
fn check_scan(scan: &LaserScan) -> Result<(), AdapterError> {
    count("number of beams", scan.ranges.len(), MOST_BEAMS)?;
    count("number of intensities", scan.intensities.len(), MOST_BEAMS)?;
    finite(|| "scan.start_angle".to_owned(), scan.start_angle, 100.0)?;
    finite(|| "scan.end_angle".to_owned(), scan.end_angle, 100.0)
}

fn check_fix(fix: &LocationFix) -> Result<(), AdapterError> {
    finite(|| "fix.latitude".to_owned(), fix.latitude, 90.0)?;
    finite(|| "fix.longitude".to_owned(), fix.longitude, 360.0)?;
    finite(|| "fix.altitude".to_owned(), fix.altitude, MOST_METRES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::v1::{CorridorPoint, Pose2, TrackedObject};

    fn sense() -> RobotSense {
        let state = VehicleState {
            sequence: 1,
            world_from_vehicle: Some(Pose2::default()),
            observation: vec![0.0; 4],
            ..VehicleState::default()
        };
        RobotSense { state: Some(state), ..RobotSense::default() }
    }

    fn with_state(change: impl FnOnce(&mut VehicleState)) -> RobotSense {
        let mut sense = sense();
        change(sense.state.as_mut().unwrap());
        sense
    }

    fn verdict(sense: &RobotSense, surroundings: bool, scan: bool) -> Result<(), AdapterError> {
        check(sense, &Embodiment::ackermann_car(), ExpectedSensors { surroundings, scan })
    }

    #[test]
    fn a_sense_passes_with_and_without_what_a_robot_may_have() {
        verdict(&sense(), false, false).unwrap();
        let full = RobotSense {
            surroundings: Some(Surroundings { corridor: vec![CorridorPoint::default()], ..Surroundings::default() }),
            scan: Some(LaserScan { ranges: vec![f64::INFINITY, f64::NAN, 3.0], ..LaserScan::default() }),
            fix: Some(LocationFix { latitude: 57.7, ..LocationFix::default() }),
            ..sense()
        };
        verdict(&full, true, true).unwrap();
        assert!(verdict(&full, false, true).unwrap_err().to_string().starts_with("surroundings is there"));
        assert!(verdict(&full, true, false).unwrap_err().to_string().starts_with("scan is there"));
    }

    #[test]
    fn every_value_that_cannot_be_is_named() {
        let seen = |seen| RobotSense { surroundings: Some(seen), ..sense() };
        let station = CorridorPoint { x_m: f32::NAN, ..CorridorPoint::default() };
        let object = TrackedObject { width_m: f32::INFINITY, ..TrackedObject::default() };
        let scan = |scan| RobotSense { scan: Some(scan), ..sense() };
        let bad = [
            (RobotSense::default(), "state is absent"),
            (with_state(|s| s.observation = vec![0.0; 3]), "length of observation is 3"),
            (with_state(|s| s.observation[2] = f64::NAN), "observation steering_rad is NaN"),
            (with_state(|s| s.observation[0] = f64::NEG_INFINITY), "observation speed_mps is -inf"),
            (with_state(|s| s.world_from_vehicle = None), "world_from_vehicle is absent"),
            (with_state(|s| s.world_from_vehicle.as_mut().unwrap().y_m = 1e30), "world_from_vehicle.y_m"),
            (with_state(|s| s.odometer_m = f64::NAN), "odometer_m is NaN"),
            (with_state(|s| s.supply_v = f64::INFINITY), "supply_v is inf"),
            (with_state(|s| s.faults = vec!["x".into(); 17]), "number of faults is 17"),
            (with_state(|s| s.faults = vec!["motor\n".into()]), "motor\\n"),
            (seen(Surroundings { corridor: vec![station], ..Surroundings::default() }), "corridor[0] is NaN"),
            (seen(Surroundings { objects: vec![object], ..Surroundings::default() }), "objects[0] is inf"),
            (seen(Surroundings { friction: f32::NAN, ..Surroundings::default() }), "surroundings.friction is NaN"),
            (
                seen(Surroundings { objects: vec![TrackedObject::default(); 2_000], ..Surroundings::default() }),
                "number of objects is 2000",
            ),
            (scan(LaserScan { ranges: vec![1.0; 100_001], ..LaserScan::default() }), "number of beams is 100001"),
            (scan(LaserScan { start_angle: f64::NAN, ..LaserScan::default() }), "scan.start_angle is NaN"),
            (
                RobotSense { fix: Some(LocationFix { latitude: 91.0, ..LocationFix::default() }), ..sense() },
                "fix.latitude is 91",
            ),
        ];
        for (sense, named) in bad {
            let error = verdict(&sense, true, true).unwrap_err().to_string();
            assert!(error.contains(named), "{error} does not name {named}");
        }
    }
}
