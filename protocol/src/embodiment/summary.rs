//! An embodiment in words for people and in short for seats.

use super::check::UNITS;
use super::{Channel, Embodiment};
use crate::units::SpeedUnit;
use crate::v1;

impl Channel {
    /// What people call it: its name without the unit, such as `yaw rate`.
    #[must_use]
    pub fn label(&self) -> String {
        let end = UNITS.iter().map(|(end, _)| *end).find(|end| self.name.ends_with(end)).unwrap_or_default();
        let plain = self.name.strip_suffix(end).filter(|plain| !plain.is_empty()).unwrap_or(&self.name);
        plain.replace('_', " ")
    }

    /// Its unit as it is printed, such as `m/s²`; nothing for a share.
    #[must_use]
    pub fn printed_unit(&self) -> String {
        if self.unit == "1" { String::new() } else { self.unit.replace("^2", "²").replace("degC", "°C") }
    }
}

impl From<&Channel> for v1::ChannelSummary {
    fn from(channel: &Channel) -> Self {
        let Channel { name, min, max, .. } = channel;
        Self { name: name.clone(), label: channel.label(), unit: channel.printed_unit(), min: *min, max: *max }
    }
}

impl Embodiment {
    /// In which unit people are told its speed.
    #[must_use]
    pub fn speed_unit(&self) -> SpeedUnit {
        SpeedUnit::for_speeds_up_to(self.fastest_mps())
    }

    /// What a seat needs to know to drive it.
    #[must_use]
    pub fn summary(&self) -> v1::EmbodimentSummary {
        let summaries = |channels: &[Channel]| channels.iter().map(Into::into).collect();
        let name = |channels: &[Channel], index: Option<usize>| {
            index.and_then(|index| channels.get(index)).map_or_else(String::new, |channel| channel.name.clone())
        };
        let channels = self.channels();
        v1::EmbodimentSummary {
            observation: summaries(&self.observation),
            action: summaries(&self.action),
            speed: name(&self.observation, channels.speed),
            accelerate: name(&self.action, channels.accelerate),
            steer: name(&self.action, channels.steer),
            half_steering_mps: self.half_steering_mps(),
            front_m: self.front_m(),
            rear_m: self.rear_m(),
            half_width_m: self.half_width_m(),
            lidar_to_front_m: self.lidar_to_front_m(),
            speed_unit: self.speed_unit().label().to_owned(),
        }
    }
}
