//! A segment of comma2k19 (Schafer et al. 2018, arXiv 1812.05752): one minute of driving with CAN, IMU and GNSS.
//!
//! Its arrays lie beside their times in `t`, seconds since the phone was started, but for the poses, which have their
//! times in `frame_times`. What comes over: speed, the steering wheel's angle, acceleration and yaw rate as vehicle
//! state at the rate of the speed; poses in a plane around the first one; GNSS fixes. Raw CAN stays behind. A sensor may be
//! missing; what is made of that, and of samples that cannot be used, is told.

mod series;

use super::output::Output;
use super::report::{Imported, Notes};
use super::{ExchangeError, ExchangeProgress};
use protocol::{EpisodeId, EpisodeInfo, EpisodeSource, PolicyVersion, Trigger, VehicleId, foxglove, topics, v1};
use series::{Series, Wanted};
use std::path::Path;

/// Angle of the steering wheel to that of the front wheels: Honda Civic 2016, the car of half of the data.
const STEERING_RATIO: f64 = 15.38;
/// WGS 84: semi-major axis, m, and first eccentricity squared.
const EARTH: (f64, f64) = (6_378_137.0, 6.694_379_990_14e-3);

/// East and north of the first position, metres, from coordinates fixed to the earth (a rotation, ECEF to ENU).
struct Plane {
    origin: [f64; 3],
    latitude: f64,
    longitude: f64,
}

impl Plane {
    fn new(origin: [f64; 3]) -> Self {
        let [x, y, z] = origin;
        let across = x.hypot(y);
        // Bowring's formula would be exact to less; the plane needs no more than this iteration.
        let mut latitude = z.atan2(across * (1.0 - EARTH.1));
        for _ in 0..5 {
            let normal = EARTH.0 / (1.0 - EARTH.1 * latitude.sin().powi(2)).sqrt();
            latitude = (z + EARTH.1 * normal * latitude.sin()).atan2(across);
        }
        Self { origin, latitude, longitude: y.atan2(x) }
    }

    fn turn(&self, [x, y, z]: [f64; 3]) -> (f64, f64) {
        let ((sin_b, cos_b), (sin_l, cos_l)) = (self.latitude.sin_cos(), self.longitude.sin_cos());
        (-sin_l * x + cos_l * y, -sin_b * cos_l * x - sin_b * sin_l * y + cos_b * z)
    }

    fn place(&self, position: [f64; 3]) -> (f64, f64) {
        self.turn([position[0] - self.origin[0], position[1] - self.origin[1], position[2] - self.origin[2]])
    }
}

fn three(row: &[f64]) -> [f64; 3] {
    [0, 1, 2].map(|index| row.get(index).copied().unwrap_or(0.0))
}

/// Faster is no car's speed, m/s.
const MAX_SPEED_MPS: f64 = 150.0;

/// What a segment holds that can be used.
struct Segment {
    speed: Option<Series>,
    steering: Option<Series>,
    acceleration: Option<Series>,
    gyro: Option<Series>,
    gnss: Option<Series>,
    positions: Option<Series>,
    velocities: Option<Series>,
}

impl Segment {
    fn read(folder: &Path, notes: &mut Notes) -> Result<Self, ExchangeError> {
        let processed = folder.join("processed_log");
        let logs = if processed.is_dir() { processed.as_path() } else { folder };
        let of = |name: &str| if logs.join(name).is_dir() { logs.join(name) } else { logs.join(name.to_uppercase()) };
        let mut sensor = |group: &str, name: &str, columns: &[usize], can_be: fn(&[f64]) -> bool, gaps: &str| {
            let (folder, name) = (of(group).join(name), format!("{group}/{name}"));
            let (times, values) = (folder.join("t"), folder.join("value"));
            Series::read(&Wanted { name: &name, times: &times, values: &values, columns, can_be, gaps }, notes)
        };
        let held = "the last value is held";
        let any = |_: &[f64]| true;
        let is_place = |place: &[f64]| place[0].abs() <= 90.0 && place[1].abs() <= 180.0;
        let speed = sensor(
            "can",
            "speed",
            &[0],
            |speed| speed[0].abs() <= MAX_SPEED_MPS,
            "there are no states, and the odometer goes on with the mean of both ends",
        )?;
        let steering = sensor("can", "steering_angle", &[0], any, held)?;
        let acceleration = sensor("imu", "accelerometer", &[0], any, held)?;
        let gyro = sensor("imu", "gyro", &[2], any, held)?;
        let receiver = if of("gnss").join("live_gnss_ublox").exists() || !of("gnss").join("live_gnss_qcom").exists() {
            "live_gnss_ublox"
        } else {
            "live_gnss_qcom"
        };
        let gnss = sensor("gnss", receiver, &[0, 1], is_place, "there are no fixes")?;
        let poses = folder.join("global_pose");
        let mut pose = |name: &str| {
            let (times, values) = (poses.join("frame_times"), poses.join(name));
            let name = format!("global_pose/{name}");
            let (columns, gaps) = (&[0, 1, 2][..], held);
            Series::read(&Wanted { name: &name, times: &times, values: &values, columns, can_be: any, gaps }, notes)
        };
        let (positions, velocities) = (pose("frame_positions")?, pose("frame_velocities")?);
        Ok(Self { speed, steering, acceleration, gyro, gnss, positions, velocities })
    }

    /// The series with what the states say where it has no sample.
    fn named(&self) -> [(&Option<Series>, &'static str); 4] {
        [
            (&self.steering, "0 for the steering angle"),
            (&self.acceleration, "0 for the acceleration"),
            (&self.gyro, "0 for the yaw rate"),
            (&self.positions, "no pose"),
        ]
    }

    /// Tells which states have nothing to say of a sensor.
    fn tell_missing(&self, notes: &mut Notes) {
        let states = self.speed.as_ref().map_or(&[][..], Series::samples);
        for (series, what) in self.named() {
            let first =
                series.as_ref().and_then(|series| series.samples().first()).map_or(f64::INFINITY, |(at, _)| *at);
            let count = states.iter().filter(|(at, _)| *at < first).count();
            notes.count(count, "state says", "states say", format!("{what}: no sample came before"));
        }
    }

    fn pose(&self, plane: Option<&Plane>, at: f64) -> Option<v1::Pose2> {
        let (x_m, y_m) = plane?.place(three(self.positions.as_ref()?.before(at)?));
        let (east, north) = plane?.turn(three(self.velocities.as_ref()?.before(at)?));
        Some(v1::Pose2 { x_m, y_m, heading_rad: north.atan2(east) })
    }

    fn state(
        &self,
        plane: Option<&Plane>,
        (time, row): (f64, usize),
        speed_mps: f64,
        odometer_m: f64,
    ) -> v1::VehicleState {
        let newest = |series: &Option<Series>, index: usize| {
            series.as_ref().and_then(|series| series.before(time)?.get(index).copied()).unwrap_or(0.0)
        };
        let steering_rad = newest(&self.steering, 0).to_radians() / STEERING_RATIO;
        // The phone's frame, as the data set's authors give it: forward, right, down.
        let (acceleration_mps2, yaw_rate) = (newest(&self.acceleration, 0), -newest(&self.gyro, 2));
        v1::VehicleState {
            monotonic_us: nanoseconds(time) / 1000,
            sequence: row as u64,
            world_from_vehicle: self.pose(plane, time),
            observation: vec![speed_mps, acceleration_mps2, steering_rad, yaw_rate],
            odometer_m,
            ..Default::default()
        }
    }
}

fn nanoseconds(time: f64) -> u64 {
    (time * 1e9) as u64
}

fn location(at: u64, fix: &[f64]) -> foxglove::LocationFix {
    let stamp = prost_types::Timestamp { seconds: (at / 1_000_000_000) as i64, nanos: (at % 1_000_000_000) as i32 };
    let [latitude, longitude, _] = three(fix);
    foxglove::LocationFix {
        timestamp: Some(stamp),
        frame_id: "gnss".to_owned(),
        latitude,
        longitude,
        altitude: fix.get(4).copied().filter(|altitude| altitude.is_finite()).unwrap_or(0.0),
        ..Default::default()
    }
}

/// Reads the segment in `folder` (with `can`, `imu`, `gnss`, `global_pose`; or with these in `processed_log`) and writes
/// it as episode `id` into `dir`. Samples that are no numbers, or whose times do not go forward, are left out; the
/// odometer goes on from the last good one.
///
/// # Errors
/// Naming the array and the place in it that cannot be used; [`ExchangeError::Unfit`] when there is neither a speed nor
/// a fix.
pub fn import(
    folder: &Path,
    id: EpisodeId,
    dir: &Path,
    progress: &mut ExchangeProgress<'_>,
) -> Result<Imported, ExchangeError> {
    let mut notes = Notes::default();
    let segment = Segment::read(folder, &mut notes)?;
    let samples = |series: &Option<Series>| series.as_ref().map_or_else(Vec::new, |series| series.samples().to_vec());
    let (speeds, fixes) = (samples(&segment.speed), samples(&segment.gnss));
    if speeds.is_empty() && fixes.is_empty() {
        let problem = format!("it has neither speeds nor fixes to make an episode of: {}", notes.into_vec().join("; "));
        return Err(ExchangeError::unfit(folder, problem));
    }
    segment.tell_missing(&mut notes);
    let bad = |error: protocol::IdError| ExchangeError::Asked(error.to_string());
    let (vehicle, policy) = (VehicleId::new("comma2k19").map_err(bad)?, PolicyVersion::new("human").map_err(bad)?);
    let mut info = EpisodeInfo::new(id, vehicle, policy);
    info.embodiment = "ackermann_car".to_owned();
    info.source = EpisodeSource::Virtual;
    info.trigger = Trigger::Import;
    info.reason = "imported from comma2k19".to_owned();
    let fix = |row: usize| segment.gnss.as_ref().map_or(&[][..], |gnss| gnss.row(row));
    let first = fixes.first().map(|(_, row)| three(fix(*row)));
    info.fix_e7 = first.map(|[latitude, longitude, _]| [(latitude * 1e7) as i64, (longitude * 1e7) as i64]);
    let mut output = Output::create(dir, &info)?;
    output.describe(&info, "time of the phone's log, nanoseconds since it was started")?;
    let origin = segment.positions.as_ref().and_then(|series| Some(three(series.row(series.samples().first()?.1))));
    let plane = origin.map(Plane::new);

    let mut order: Vec<(u64, bool, f64, usize)> =
        speeds.iter().map(|(at, row)| (nanoseconds(*at), true, *at, *row)).collect();
    order.extend(fixes.iter().map(|(at, row)| (nanoseconds(*at), false, *at, *row)));
    order.sort_unstable_by_key(|(ns, is_state, _, row)| (*ns, *is_state, *row));
    let (mut odometer_m, mut last) = (0.0, None);
    for (done, (ns, is_state, time, row)) in order.iter().copied().enumerate() {
        if is_state {
            let speed_mps = segment.speed.as_ref().and_then(|speed| speed.row(row).first()).copied().unwrap_or(0.0);
            // Between two samples, the mean of both.
            odometer_m += last.map_or(0.0, |(before, speed)| (time - before) * (speed + speed_mps) / 2.0);
            last = Some((time, speed_mps));
            let state = segment.state(plane.as_ref(), (time, row), speed_mps, odometer_m);
            output.proto(topics::VEHICLE_STATE.name, ns, ns, &state)?;
        } else {
            output.proto(topics::GNSS.name, ns, ns, &location(ns, fix(row)))?;
        }
        progress(done as u64 + 1, order.len() as u64);
    }
    output.finish_import(info, ("comma2k19", folder), notes)
}
