//! What must hold between the values of an embodiment's file.

use super::channels::{ACCELERATION, SPEED, YAW_RATE};
use super::file::{Draft, EmbodimentError, line_of};
use super::{Channel, Kinematics, LidarSensor, MAX_ACTION_CHANNELS, MAX_OBSERVATION_CHANNELS, Mount};
use std::f64::consts::FRAC_PI_2;
use std::fmt::Display;
use toml::de::{DeTable, DeValue};

/// Units by the ends of the names of channels; the longest ends come first.
pub(super) const UNITS: [(&str, &str); 12] = [
    ("_mps2", "m/s^2"),
    ("_radps2", "rad/s^2"),
    ("_radps", "rad/s"),
    ("_mps", "m/s"),
    ("_rad", "rad"),
    ("_nm", "N m"),
    ("_n", "N"),
    ("_m", "m"),
    ("_v", "V"),
    ("_a", "A"),
    ("_share", "1"),
    ("_c", "degC"),
];
/// Most cameras of a robot.
const MAX_CAMERAS: usize = 8;

type Result<T = ()> = std::result::Result<T, EmbodimentError>;

/// Checks a file whose form is right; knows the lines of its keys.
pub(super) struct Checker<'a> {
    file: &'a str,
    text: &'a str,
    tree: &'a DeTable<'a>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, tree: &'a DeTable<'a>) -> Self {
        Self { file, text, tree }
    }

    pub(super) fn check(&self, draft: &Draft) -> Result {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if draft.name.is_empty() || draft.name.len() > 64 || !draft.name.chars().all(is_plain) {
            return Err(self.fault("name", &format!("{:?}", draft.name), "use 1 to 64 of a-z, 0-9 and _"));
        }
        self.check_body(draft)?;
        self.check_channels("observation", &draft.observation, MAX_OBSERVATION_CHANNELS)?;
        self.check_channels("action", &draft.action, MAX_ACTION_CHANNELS)?;
        for (i, channel) in draft.action.iter().enumerate() {
            // An action at rest is 0.
            self.within(&format!("action.{i}.min"), channel.min, -1e9, 0.0)?;
            self.within(&format!("action.{i}.max"), channel.max, 0.0, 1e9)?;
        }
        self.check_actuators(draft)?;
        self.check_kinematics(draft)?;
        self.check_limits(draft)?;
        self.check_tracking(draft)?;
        self.check_sensors(draft)
    }

    fn check_body(&self, draft: &Draft) -> Result {
        let body = &draft.body;
        self.within("body.front_overhang_m", body.front_overhang_m, 0.0, 20.0)?;
        self.within("body.rear_overhang_m", body.rear_overhang_m, 0.0, 20.0)?;
        self.within("body.width_m", body.width_m, 0.05, 10.0)?;
        self.within("body.height_m", body.height_m, 0.02, 10.0)?;
        self.within("body.mass_kg", body.mass_kg, 0.1, 100_000.0)
    }

    fn check_channels(&self, table: &str, channels: &[Channel], most: usize) -> Result {
        if channels.len() > most {
            return Err(self.fault(&format!("{table}.{most}"), &channels.len(), &format!("at most {most} of them")));
        }
        for (i, channel) in channels.iter().enumerate() {
            let at = |key: &str| format!("{table}.{i}.{key}");
            if channels[..i].iter().any(|before| before.name == channel.name) {
                return Err(self.fault(&at("name"), &channel.name, "a channel of that name stands above already"));
            }
            let unit = UNITS.iter().find(|(end, _)| channel.name.ends_with(end));
            let Some((end, unit)) = unit else {
                let ends = UNITS.map(|(end, _)| end).join(", ");
                return Err(self.fault(&at("name"), &channel.name, &format!("end it with its unit, one of {ends}")));
            };
            if channel.unit != *unit {
                return Err(self.fault(
                    &at("unit"),
                    &channel.unit,
                    &format!("a name that ends with {end} has {unit:?}"),
                ));
            }
            self.within(&at("min"), channel.min, -1e9, 1e9)?;
            self.within(&at("max"), channel.max, -1e9, 1e9)?;
            self.within(&at("rate_per_s"), channel.rate_per_s, 1e-9, 1e9)?;
            if channel.min >= channel.max {
                return Err(self.fault(&at("max"), &channel.max, &format!("above min, which is {}", channel.min)));
            }
        }
        Ok(())
    }

    fn check_actuators(&self, draft: &Draft) -> Result {
        for (i, actuator) in draft.actuator.iter().enumerate() {
            let at = |key: &str| format!("actuator.{i}.{key}");
            let Some(channel) = draft.action.iter().find(|channel| channel.name == actuator.channel) else {
                return Err(self.fault(&at("channel"), &actuator.channel, "an actuator carries out an action channel"));
            };
            if draft.actuator[..i].iter().any(|before| before.channel == actuator.channel) {
                return Err(self.fault(&at("channel"), &actuator.channel, "an actuator for it stands above already"));
            }
            self.within(&at("lag_s"), actuator.lag_s, 1e-3, 5.0)?;
            self.within(&at("rate_change_per_s2"), actuator.rate_change_per_s2, 1e-9, 1e9)?;
            self.within(&at("min"), actuator.min, -1e9, channel.min)?;
            self.within(&at("max"), actuator.max, channel.max, 1e9)?;
            if let Some(rate) = actuator.rate_per_s {
                self.within(&at("rate_per_s"), rate, channel.rate_per_s, 1e9)?;
            }
        }
        let lacks = |channel: &Channel| !draft.actuator.iter().any(|actuator| actuator.channel == channel.name);
        match draft.action.iter().position(lacks) {
            Some(i) => Err(self.fault(
                &format!("action.{i}.name"),
                &draft.action[i].name,
                "no [[actuator]] says how it is carried out",
            )),
            None => Ok(()),
        }
    }

    fn check_kinematics(&self, draft: &Draft) -> Result {
        match &draft.kinematics {
            Kinematics::Fixed => return Ok(()),
            Kinematics::Ackermann(car) => {
                let at = |key: &str| format!("kinematics.ackermann.{key}");
                self.within(&at("wheelbase_m"), car.wheelbase_m, 0.05, 20.0)?;
                self.within(&at("gravity_behind_front_m"), car.gravity_behind_front_m, 0.0, car.wheelbase_m)?;
                self.within(&at("gravity_height_m"), car.gravity_height_m, 0.0, draft.body.height_m)?;
                self.within(&at("yaw_inertia_kgm2"), car.yaw_inertia_kgm2, 1e-3, 1e7)?;
                self.within(&at("cornering_per_rad"), car.cornering_per_rad, 0.1, 1e3)?;
                self.within(&at("power_limit_mps"), car.power_limit_mps, 0.1, 200.0)?;
            }
            Kinematics::Differential(drive) => {
                let at = |key: &str| format!("kinematics.differential.{key}");
                self.within(&at("track_m"), drive.track_m, 0.02, 10.0)?;
                self.within(&at("wheel_acceleration_max_mps2"), drive.wheel_acceleration_max_mps2, 0.01, 100.0)?;
                let fastest = draft.observation.iter().find(|c| c.name == SPEED).map_or(0.0, |channel| channel.max);
                self.within(&at("wheel_speed_max_mps"), drive.wheel_speed_max_mps, fastest.max(0.01), 100.0)?;
            }
        }
        let steering = draft.kinematics.steering_channel().unwrap_or_default();
        for (table, channels, names) in [
            ("observation", &draft.observation, vec![SPEED, ACCELERATION, YAW_RATE, steering]),
            ("action", &draft.action, vec![ACCELERATION, steering]),
        ] {
            let lacking = names.into_iter().find(|name| !channels.iter().any(|channel| channel.name == *name));
            if let Some(name) = lacking {
                let why = format!("such a robot needs the {table} channel {name:?}");
                return Err(self.fault("kinematics", &draft.kinematics.label(), &why));
            }
        }
        let angle = draft.action.iter().position(|c| c.name == "steering_rad");
        if let (Kinematics::Ackermann(_), Some(i)) = (&draft.kinematics, angle) {
            self.within(&format!("action.{i}.max"), draft.action[i].max, 0.01, FRAC_PI_2 - 0.01)?;
            self.within(&format!("action.{i}.min"), draft.action[i].min, -FRAC_PI_2 + 0.01, -0.01)?;
        }
        Ok(())
    }

    /// A stop that is promised must be one that the gate lets pass.
    fn check_limits(&self, draft: &Draft) -> Result {
        let limits = &draft.limits;
        let hardest = draft.action.iter().find(|c| c.name == ACCELERATION).map_or(1e3, |channel| -channel.min);
        self.within("limits.emergency_decel_mps2", limits.emergency_decel_mps2, 0.01, hardest)?;
        self.within("limits.stop_decel_mps2", limits.stop_decel_mps2, 0.01, limits.emergency_decel_mps2)?;
        self.within("limits.lateral_max_mps2", limits.lateral_max_mps2, 0.01, 100.0)
    }

    /// A band that is wider than the range of what it watches would never be left.
    fn check_tracking(&self, draft: &Draft) -> Result {
        let Some(bands) = &draft.tracking else { return Ok(()) };
        let most = |channels: &[Channel], name: &str| channels.iter().find(|c| c.name == name).map(|c| c.max);
        let fastest = most(&draft.observation, SPEED).unwrap_or(1e3);
        let strongest = draft.action.iter().find(|c| c.name == ACCELERATION).map_or(1e3, |c| c.max - c.min);
        let steering = draft.kinematics.steering_channel().and_then(|name| most(&draft.action, name)).unwrap_or(1e3);
        self.within("tracking.slowest_mps", bands.slowest_mps, 0.0, fastest)?;
        self.within("tracking.acceleration_mps2", bands.acceleration_mps2, 0.01, strongest)?;
        self.within("tracking.braking_mps2", bands.braking_mps2, 0.01, bands.acceleration_mps2)?;
        self.within("tracking.brake_share", bands.brake_share, 0.05, 1.0)?;
        self.within("tracking.steering_max", bands.steering_max, 1e-4, steering)?;
        self.within("tracking.steering_min", bands.steering_min, 1e-4, bands.steering_max)?;
        self.within("tracking.lateral_mps2", bands.lateral_mps2, 0.01, draft.limits.lateral_max_mps2)
    }

    fn check_sensors(&self, draft: &Draft) -> Result {
        if draft.camera.len() > MAX_CAMERAS {
            let why = format!("at most {MAX_CAMERAS} of them");
            return Err(self.fault(&format!("camera.{MAX_CAMERAS}"), &draft.camera.len(), &why));
        }
        for (i, camera) in draft.camera.iter().enumerate() {
            let at = |key: &str| format!("camera.{i}.{key}");
            if camera.name.is_empty() || draft.camera[..i].iter().any(|before| before.name == camera.name) {
                let shown = format!("{:?}", camera.name);
                return Err(self.fault(&at("name"), &shown, "each camera has a name of its own"));
            }
            for (key, size) in [("width", camera.width), ("height", camera.height)] {
                // H.264 codes colour in squares of two pixels.
                if !(16..=8192).contains(&size) || !size.is_multiple_of(2) {
                    return Err(self.fault(&at(key), &size, "use an even number, 16 to 8192"));
                }
            }
            self.within(&at("horizontal_fov_rad"), camera.horizontal_fov_rad, 0.05, 3.0)?;
            self.check_mount(&at("mount"), &camera.mount)?;
        }
        match (&draft.lidar, &draft.kinematics) {
            // What it measures ahead is taken for what the body's front will meet.
            (Some(LidarSensor { mount }), _) if mount.left_m != 0.0 => {
                Err(self.fault("lidar.mount.left_m", &mount.left_m, "a lidar sits on the middle line: leave it out"))
            }
            (Some(lidar), _) => self.check_mount("lidar.mount", &lidar.mount),
            (None, Kinematics::Fixed) => Ok(()),
            (None, kinematics) => {
                Err(self.fault("kinematics", &kinematics.label(), "a robot that drives needs the [lidar] it brakes by"))
            }
        }
    }

    fn check_mount(&self, key: &str, mount: &Mount) -> Result {
        self.within(&format!("{key}.forward_m"), mount.forward_m, -50.0, 50.0)?;
        self.within(&format!("{key}.left_m"), mount.left_m, -50.0, 50.0)?;
        self.within(&format!("{key}.height_m"), mount.height_m, 0.0, 50.0)?;
        self.within(&format!("{key}.pitch_rad"), mount.pitch_rad, -1.2, 1.2)?;
        self.within(&format!("{key}.yaw_rad"), mount.yaw_rad, -7.0, 7.0)
    }

    fn within(&self, key: &str, value: f64, low: f64, high: f64) -> Result {
        // Not a number is within nothing.
        if value >= low && value <= high {
            return Ok(());
        }
        Err(self.fault(key, &value, &format!("use {low} to {high}")))
    }

    fn fault(&self, key: &str, value: &impl Display, why: &str) -> EmbodimentError {
        EmbodimentError::Value {
            file: self.file.to_owned(),
            line: self.line(key),
            key: key.to_owned(),
            value: value.to_string(),
            why: why.to_owned(),
        }
    }

    /// Line of a key such as `action.1.max`; that of what is around it where it is not written down.
    fn line(&self, key: &str) -> usize {
        let mut parts = key.split('.');
        let Some(mut here) = parts.next().and_then(|first| self.tree.get(first)) else { return 1 };
        for part in parts {
            let inner = match here.get_ref() {
                DeValue::Table(table) => table.get(part),
                DeValue::Array(array) => part.parse::<usize>().ok().and_then(|index| array.get(index)),
                _ => None,
            };
            let Some(inner) = inner else { break };
            here = inner;
        }
        line_of(self.text, here.span().start)
    }
}
