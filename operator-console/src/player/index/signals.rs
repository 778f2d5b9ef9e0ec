//! An episode's numbers as plots, in the units that people drive by.

use crate::player::plots::{Ink, Plot, Series};
use protocol::units::SpeedUnit;
use protocol::{Embodiment, v1};

/// Channels of a robot that is not known that are plotted.
const MAX_CHANNELS: usize = 4;
/// Channels of a message that are kept.
const MAX_WIDTH: usize = 16;

/// Numbers over time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signals {
    /// From top to bottom.
    pub plots: Vec<Plot>,
    /// The policy's own estimate of how sure it is, 0 to 1.
    pub confidence: Option<Series>,
}

type Points = Vec<[f32; 2]>;

/// One line a channel.
#[derive(Default)]
struct Channels(Vec<Points>);

impl Channels {
    fn push(&mut self, at_s: f32, values: &[f64]) {
        let width = values.len().min(MAX_WIDTH);
        if self.0.len() < width {
            self.0.resize_with(width, Vec::new);
        }
        self.0.iter_mut().zip(values).for_each(|(points, value)| points.push([at_s, *value as f32]));
    }

    fn scaled(&self, index: Option<usize>, factor: f64) -> Points {
        let points = index.and_then(|index| self.0.get(index));
        points.map_or_else(Vec::new, |points| points.iter().map(|[t, v]| [*t, v * factor as f32]).collect())
    }
}

pub(super) struct SignalsBuilder {
    embodiment: Option<Embodiment>,
    observation: Channels,
    operator: Channels,
    policy: Channels,
    gate: Channels,
    confidence: Points,
    latency_ms: [Points; 3],
    loss: Points,
}

impl SignalsBuilder {
    /// Of an episode of `embodiment`, where that is known.
    pub(super) fn new(embodiment: Option<Embodiment>) -> Self {
        Self {
            embodiment,
            observation: Channels::default(),
            operator: Channels::default(),
            policy: Channels::default(),
            gate: Channels::default(),
            confidence: Vec::new(),
            latency_ms: Default::default(),
            loss: Vec::new(),
        }
    }

    pub(super) fn observed(&mut self, at_s: f32, values: &[f64]) {
        self.observation.push(at_s, values);
    }

    pub(super) fn let_through(&mut self, at_s: f32, action: &[f64]) {
        self.gate.push(at_s, action);
    }

    pub(super) fn operated(&mut self, at_s: f32, action: &[f64]) {
        self.operator.push(at_s, action);
    }

    pub(super) fn proposed(&mut self, at_s: f32, proposal: &v1::PolicyProposal) {
        self.policy.push(at_s, &proposal.action);
        self.confidence.push([at_s, proposal.confidence as f32]);
    }

    /// Zero is what the vehicle writes while it knows no age.
    pub(super) fn linked(&mut self, at_s: f32, link: &v1::LinkStats) {
        let known = |ms: f64| if ms > 0.0 { ms as f32 } else { f32::NAN };
        let (picture, command) = (known(link.picture_age_ms), known(link.command_age_ms));
        for (points, value) in self.latency_ms.iter_mut().zip([picture, command, picture + command]) {
            points.push([at_s, value]);
        }
        self.loss.push([at_s, (link.loss * 100.0) as f32]);
    }

    pub(super) fn finish(self) -> Signals {
        let mut plots = match &self.embodiment {
            Some(robot) if robot.channels().steer.is_some() => self.driving(robot),
            _ => self.channels(),
        };
        let [picture, command, total] = self.latency_ms;
        plots.push(Plot::new(
            "Latency",
            "ms",
            [0.0, 100.0],
            vec![
                Series::new("command", Ink::Operator, command),
                Series::new("picture", Ink::Policy, picture),
                Series::new("total", Ink::Vehicle, total),
            ],
        ));
        plots.push(Plot::new("Packet loss", "%", [0.0, 1.0], vec![Series::new("lost", Ink::Alarm, self.loss)]));
        let confidence = Series::new("confidence", Ink::Policy, self.confidence);
        Signals {
            plots: plots.into_iter().flatten().collect(),
            confidence: (!confidence.is_empty()).then_some(confidence),
        }
    }

    /// Of a robot that drives.
    fn driving(&self, robot: &Embodiment) -> Vec<Option<Plot>> {
        let channels = robot.channels();
        let observed = |index: Option<usize>, factor| {
            Series::new("measured", Ink::Vehicle, self.observation.scaled(index, factor))
        };
        let degrees = 1f64.to_degrees();
        let mut steering = self.asked(channels.steer, degrees);
        steering.remove(0);
        steering.insert(0, observed(channels.steering, degrees));
        let turns = channels.steer.and_then(|index| robot.action.get(index));
        let (turning, unit) = turns.map_or_else(Default::default, |c| (c.label(), c.unit.replace("rad", "°")));
        let (turning, speed) = (format!("{}, left up", capitalized(&turning)), robot.speed_unit());
        let least = if speed == SpeedUnit::MetresPerSecond { 1.0 } else { 10.0 };
        vec![
            Plot::new("Speed", speed.label(), [0.0, least], vec![observed(channels.speed, speed.amount(1.0))]),
            Plot::new("Acceleration", "m/s²", [-2.0, 2.0], vec![observed(channels.acceleration, 1.0)]),
            Plot::new(&turning, &unit, [-5.0, 5.0], steering),
            Plot::new("Throttle, brake", "m/s²", [-2.0, 2.0], self.asked(channels.accelerate, 1.0)),
        ]
    }

    /// An action channel as it was let through, and as the policy and the operator wanted it.
    fn asked(&self, index: Option<usize>, factor: f64) -> Vec<Series> {
        vec![
            Series::new("gate", Ink::Gate, self.gate.scaled(index, factor)),
            Series::new("policy", Ink::Policy, self.policy.scaled(index, factor)),
            Series::new("operator", Ink::Operator, self.operator.scaled(index, factor)),
        ]
    }

    /// Of a robot that this program does not know.
    fn channels(&self) -> Vec<Option<Plot>> {
        let observation = (0..self.observation.0.len().min(MAX_CHANNELS)).map(|index| {
            let series = Series::new("measured", Ink::Vehicle, self.observation.scaled(Some(index), 1.0));
            Plot::new(&format!("Observation {}", index + 1), "", [0.0; 2], vec![series])
        });
        let width = [&self.gate, &self.policy, &self.operator].map(|channels| channels.0.len()).into_iter().max();
        let action = (0..width.unwrap_or(0).min(MAX_CHANNELS))
            .map(|index| Plot::new(&format!("Action {}", index + 1), "", [0.0; 2], self.asked(Some(index), 1.0)));
        observation.chain(action).collect()
    }
}

fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(signals: &Signals) -> Vec<&str> {
        signals.plots.iter().map(|plot| plot.title.as_str()).collect()
    }

    #[test]
    fn a_car_is_shown_in_the_units_of_drivers() {
        let mut builder = SignalsBuilder::new(Some(Embodiment::ackermann_car()));
        for i in 0..10 {
            let at_s = i as f32 * 0.02;
            builder.observed(at_s, &[10.0, 0.5, 0.1, 0.0]);
            builder.operated(at_s, if i < 5 { &[] } else { &[-2.0, -0.2] });
            let proposal = v1::PolicyProposal { action: vec![1.0, 0.1], confidence: 0.5, ..Default::default() };
            builder.proposed(at_s, &proposal);
        }
        let unknown = v1::LinkStats { loss: 0.02, ..Default::default() };
        builder.linked(0.0, &unknown);
        builder.linked(0.1, &v1::LinkStats { picture_age_ms: 60.0, command_age_ms: 20.0, ..unknown });
        let signals = builder.finish();
        assert_eq!(
            titles(&signals),
            ["Speed", "Acceleration", "Steering, left up", "Throttle, brake", "Latency", "Packet loss"]
        );
        let at = |plot: usize, name: &str, at_s: f64| {
            signals.plots[plot].series.iter().find(|s| s.name == name).and_then(|s| s.at(at_s))
        };
        assert_eq!(at(0, "measured", 0.1), Some(36.0));
        assert!((at(2, "operator", 0.15).unwrap() + 11.459).abs() < 1e-3, "degrees");
        assert_eq!(at(2, "operator", 0.05), None, "the operator only watched");
        assert_eq!((at(3, "operator", 0.15), at(3, "policy", 0.15)), (Some(-2.0), Some(1.0)));
        assert_eq!((at(4, "total", 0.1), at(4, "total", 0.05)), (Some(80.0), None));
        assert_eq!(at(5, "lost", 0.1), Some(2.0));
    }

    #[test]
    fn a_slow_robot_that_turns_by_its_yaw_rate_is_shown_in_its_own_units() {
        let mut builder = SignalsBuilder::new(Some(Embodiment::delivery_robot()));
        builder.observed(0.0, &[1.2, 0.1, 0.5]);
        builder.let_through(0.0, &[0.3, 0.6]);
        let signals = builder.finish();
        assert_eq!(titles(&signals)[..3], ["Speed", "Acceleration", "Yaw rate, left up"]);
        let units: Vec<&str> = signals.plots.iter().map(|plot| plot.unit.as_str()).collect();
        assert_eq!(units[..3], ["m/s", "m/s²", "°/s"]);
        assert_eq!(signals.plots[0].series[0].at(0.0), Some(1.2));
        assert!((signals.plots[2].series[0].at(0.0).unwrap() - 28.648).abs() < 1e-3);
    }

    #[test]
    fn another_robots_channels_are_numbered() {
        let mut builder = SignalsBuilder::new(None);
        builder.observed(0.0, &[1.0; 200]);
        builder.let_through(0.0, &[0.5, 0.6]);
        assert_eq!(
            titles(&builder.finish()),
            ["Observation 1", "Observation 2", "Observation 3", "Observation 4", "Action 1", "Action 2"]
        );
    }
}
