//! A segment of comma2k19 (Schafer et al. 2018, arXiv 1812.05752): one minute of driving with CAN, IMU and GNSS.
//!
//! Its arrays lie beside their times in `t`, seconds since the phone was started, but for the poses, which have their
//! times in `frame_times`. What comes over: speed, the steering wheel's angle, acceleration and yaw rate as vehicle
//! state at the rate of the speed; poses in a plane around the first one; GNSS fixes. Raw CAN stays behind.

use super::npy::{Array, read};
use super::output::Output;
use super::{ExchangeError, Progress};
use crate::{EpisodeInfo, Source, topics};
use protocol::{EpisodeId, PolicyVersion, VehicleId, api, foxglove, v1};
use std::path::Path;

/// Angle of the steering wheel to that of the front wheels: Honda Civic 2016, the car of half of the data.
const STEERING_RATIO: f64 = 15.38;
/// WGS 84: semi-major axis, m, and first eccentricity squared.
const EARTH: (f64, f64) = (6_378_137.0, 6.694_379_990_14e-3);

/// Values with their times, seconds.
struct Series {
    times: Array,
    values: Array,
}

impl Series {
    fn read(folder: &Path, times: &str, values: &str) -> Result<Self, ExchangeError> {
        let series = Self { times: read(&folder.join(times))?, values: read(&folder.join(values))? };
        if series.times.rows != series.values.rows {
            let problem = format!("{} times for {} values", series.times.rows, series.values.rows);
            return Err(ExchangeError::unfit(folder, problem));
        }
        for row in 0..series.times.rows {
            let at = series.times.first(row);
            if !(0.0..1e9).contains(&at) || (row > 0 && at < series.times.first(row - 1)) {
                return Err(ExchangeError::unfit(&folder.join(times), format!("time {row} is {at} s")));
            }
        }
        Ok(series)
    }

    fn ns(&self, row: usize) -> u64 {
        (self.times.first(row) * 1e9) as u64
    }

    /// The newest row at or before `at` seconds.
    fn before(&self, at: f64) -> Option<&[f64]> {
        let (mut low, mut high) = (0, self.times.rows);
        while low < high {
            let middle = (low + high) / 2;
            if self.times.first(middle) <= at { low = middle + 1 } else { high = middle }
        }
        Some(self.values.row(low.checked_sub(1)?))
    }
}

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

/// Reads the segment in `folder` (with `can`, `imu`, `gnss`, `global_pose`; or with these in `processed_log`) and writes
/// it as episode `id` into `dir`.
///
/// # Errors
/// Naming the array and the place in it that cannot be used.
pub fn import(
    folder: &Path,
    id: EpisodeId,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<api::Episode, ExchangeError> {
    let processed = folder.join("processed_log");
    let logs = if processed.is_dir() { processed.as_path() } else { folder };
    let of = |name: &str| if logs.join(name).is_dir() { logs.join(name) } else { logs.join(name.to_uppercase()) };
    let read = |sensor: std::path::PathBuf| Series::read(&sensor, "t", "value");
    let (speed, steering) = (read(of("can").join("speed"))?, read(of("can").join("steering_angle"))?);
    let (acceleration, gyro) = (read(of("imu").join("accelerometer"))?, read(of("imu").join("gyro"))?);
    let gnss = read(of("gnss").join("live_gnss_ublox"))?;
    let poses = folder.join("global_pose");
    let positions = Series::read(&poses, "frame_times", "frame_positions")?;
    let velocities = Series::read(&poses, "frame_times", "frame_velocities")?;

    let bad = |error: protocol::IdError| ExchangeError::Asked(error.to_string());
    let (vehicle, policy) = (VehicleId::new("comma2k19").map_err(bad)?, PolicyVersion::new("human").map_err(bad)?);
    let mut info = EpisodeInfo::new(id, vehicle, policy);
    info.embodiment = "ackermann_car".to_owned();
    info.source = Source::Virtual;
    info.reason = "imported from comma2k19".to_owned();
    let fix = (gnss.times.rows > 0).then(|| three(gnss.values.row(0)));
    let fix = fix.filter(|[latitude, longitude, _]| latitude.abs() <= 90.0 && longitude.abs() <= 180.0);
    info.fix_e7 = fix.map(|[latitude, longitude, _]| [(latitude * 1e7) as i64, (longitude * 1e7) as i64]);
    let mut output = Output::create(dir, &info)?;
    output.describe(&info, "time of the phone's log, nanoseconds since it was started")?;
    let plane = Plane::new(three(positions.values.row(0)));
    let pose = |at: f64| -> Option<v1::Pose2> {
        let (x_m, y_m) = plane.place(three(positions.before(at)?));
        let (east, north) = plane.turn(three(velocities.before(at)?));
        Some(v1::Pose2 { x_m, y_m, heading_rad: north.atan2(east) })
    };

    let mut order: Vec<(u64, bool, usize)> = (0..speed.times.rows).map(|row| (speed.ns(row), true, row)).collect();
    order.extend((0..gnss.times.rows).map(|row| (gnss.ns(row), false, row)));
    order.sort_unstable();
    let (mut odometer_m, mut last) = (0.0, None);
    for (done, (at, is_state, row)) in order.iter().copied().enumerate() {
        if is_state {
            let time = speed.times.first(row);
            let speed_mps = speed.values.first(row);
            odometer_m += last.map_or(0.0, |before| (time - before) * speed_mps);
            last = Some(time);
            let first = |series: &Series, index: usize| series.before(time).and_then(|row| row.get(index).copied());
            let steering_rad = first(&steering, 0).unwrap_or(0.0).to_radians() / STEERING_RATIO;
            // The phone's frame, as the data set's authors give it: forward, right, down.
            let acceleration_mps2 = first(&acceleration, 0).unwrap_or(0.0);
            let yaw_rate = -first(&gyro, 2).unwrap_or(0.0);
            let state = v1::VehicleState {
                monotonic_us: at / 1000,
                sequence: row as u64,
                world_from_vehicle: pose(time),
                observation: vec![speed_mps, acceleration_mps2, steering_rad, yaw_rate],
                odometer_m,
                ..Default::default()
            };
            output.proto(topics::VEHICLE_STATE.name, at, at, &state)?;
        } else {
            let fix = gnss.values.row(row);
            let stamp =
                prost_types::Timestamp { seconds: (at / 1_000_000_000) as i64, nanos: (at % 1_000_000_000) as i32 };
            let [latitude, longitude, _] = three(fix);
            let altitude = fix.get(4).copied().unwrap_or(0.0);
            let fix = foxglove::LocationFix {
                timestamp: Some(stamp),
                frame_id: "gnss".to_owned(),
                latitude,
                longitude,
                altitude,
                ..Default::default()
            };
            output.proto(topics::GNSS.name, at, at, &fix)?;
        }
        progress(done as u64 + 1, order.len() as u64);
    }
    output.finish(info)
}
