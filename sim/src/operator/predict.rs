//! Where the car will be when a command sent now takes effect: the picture's state, moved on by the commands that are
//! under way or not yet seen to act.
//!
//! A command sent at seat time `u` is first seen to act in what arrives at `u` plus the round trip. So what arrived at
//! `r` shows the effect of everything sent until `r` less the round trip, and what is sent at `n` acts where the car is
//! seen at `n` plus the round trip. No clock but the seat's own is needed. (The predictive display of Hosseini and
//! Lienkamp 2016, with the single-track model without slip.)

use super::view::Believed;
use protocol::v1::Pose2;
use protocol::{Embodiment, Kinematics};
use std::collections::VecDeque;

/// Step of the integration, microseconds.
const STEP_US: u64 = 10_000;
/// A command waits this long for the control tick that carries it out, beside the actuator's own lag, seconds.
pub(super) const TICK_S: f64 = 0.02;
/// Longer than this nothing is predicted, microseconds.
const LONGEST_US: u64 = 1_500_000;
/// The latency governor keeps this far below its limit, m/s, and gets there at this rate, 1/s.
const GOVERNOR_BELOW_MPS: f64 = 0.2;
const GOVERNOR_RATE: f64 = 1.0;

#[derive(Debug, Clone, Copy)]
struct Sent {
    at_us: u64,
    acceleration: f64,
    steering: f64,
}

/// How the robot follows its commands.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Response {
    kinematics: Kinematics,
    drive_lag_s: f64,
    steering_lag_s: f64,
    /// Greatest change of the steering channel a second.
    steering_rate_per_s: f64,
}

/// Remembers what was sent and predicts.
#[derive(Debug, Clone)]
pub struct Predictor {
    response: Response,
    sent: VecDeque<Sent>,
    round_trip_us: u64,
}

impl Predictor {
    /// One that knows the measured round trip: from sending a command to seeing it act.
    #[must_use]
    pub fn new(round_trip_us: u64, embodiment: &Embodiment) -> Self {
        let channels = embodiment.channels();
        let steer = channels.steer.and_then(|index| embodiment.action.get(index));
        let response = Response {
            kinematics: embodiment.kinematics,
            drive_lag_s: embodiment.lag_s(channels.accelerate) + TICK_S,
            steering_lag_s: embodiment.lag_s(channels.steer) + TICK_S,
            steering_rate_per_s: steer.map_or(0.0, |channel| channel.rate_per_s),
        };
        Self { response, sent: VecDeque::new(), round_trip_us: round_trip_us.min(LONGEST_US) }
    }

    /// A command was sent at seat time `now_us`.
    pub fn note(&mut self, now_us: u64, acceleration: f64, steering: f64) {
        self.sent.push_back(Sent { at_us: now_us, acceleration, steering });
        // One older than all that count is kept: it is in force at the beginning.
        let from_us = now_us.saturating_sub(2 * LONGEST_US);
        while self.sent.get(1).is_some_and(|second| second.at_us < from_us) {
            self.sent.pop_front();
        }
    }

    /// How far ahead of what arrived at `received_us` a command sent at `now_us` acts, microseconds.
    #[must_use]
    pub fn ahead_us(&self, received_us: u64, now_us: u64) -> u64 {
        (now_us.saturating_sub(received_us) + self.round_trip_us).min(LONGEST_US)
    }

    /// The car when a command sent at `now_us` acts, from the state that arrived at `received_us`. `limit_mps` is the
    /// latency governor's.
    #[must_use]
    pub fn predict(&self, seen: &Believed, received_us: u64, now_us: u64, limit_mps: Option<f64>) -> Believed {
        let (mut car, mut passed_us) = (*seen, 0);
        let whole_us = self.ahead_us(received_us, now_us);
        while passed_us < whole_us {
            let step_us = STEP_US.min(whole_us - passed_us);
            let sent_us = (received_us + passed_us).saturating_sub(self.round_trip_us);
            advance(&self.response, &mut car, self.in_force(sent_us), step_us as f64 * 1e-6, limit_mps);
            passed_us += step_us;
        }
        car
    }

    fn in_force(&self, at_us: u64) -> Option<Sent> {
        let after = self.sent.partition_point(|sent| sent.at_us <= at_us);
        after.checked_sub(1).and_then(|index| self.sent.get(index)).copied()
    }
}

fn advance(response: &Response, car: &mut Believed, sent: Option<Sent>, dt_s: f64, limit_mps: Option<f64>) {
    let near = |lag_s: f64| 1.0 - (-dt_s / lag_s).exp();
    if let Some(sent) = sent {
        let governed = limit_mps.map_or(f64::INFINITY, |l| GOVERNOR_RATE * (l - GOVERNOR_BELOW_MPS - car.speed));
        let turn = (sent.steering - car.steering) * near(response.steering_lag_s);
        let most = response.steering_rate_per_s * dt_s;
        car.steering += turn.clamp(-most, most);
        car.acceleration += (sent.acceleration.min(governed) - car.acceleration) * near(response.drive_lag_s);
    }
    let speed = (car.speed + car.acceleration * dt_s).max(0.0);
    let middle = (car.speed + speed) / 2.0;
    let turn = middle * dt_s * response.kinematics.curvature_per_m(car.steering, middle);
    let heading = car.pose.heading_rad + turn / 2.0;
    car.pose = Pose2 {
        x_m: car.pose.x_m + middle * dt_s * heading.cos(),
        y_m: car.pose.y_m + middle * dt_s * heading.sin(),
        heading_rad: car.pose.heading_rad + turn,
    };
    car.speed = speed;
    if speed == 0.0 {
        car.acceleration = car.acceleration.max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Believed {
        Believed { pose: Pose2::default(), speed: 0.0, acceleration: 0.0, steering: 0.0 }
    }

    #[test]
    fn what_was_sent_and_not_yet_seen_is_predicted() {
        let mut predictor = Predictor::new(400_000, &Embodiment::built_in()[0]);
        predictor.note(1_000_000, 2.0, 0.1);
        // A picture that arrives before the round trip is over shows nothing of it; the command acts for 0.3 s.
        let later = predictor.predict(&Believed { speed: 10.0, ..standing() }, 1_250_000, 1_300_000, None);
        assert!((later.pose.x_m - 4.5).abs() < 0.15, "{later:?}");
        assert!(later.speed > 10.2 && later.steering > 0.09 && later.pose.heading_rad > 0.03, "{later:?}");
        // When the picture shows it all, only what it goes on to do is added.
        let seen = Believed { speed: 10.6, acceleration: 2.0, steering: 0.1, ..standing() };
        let later = predictor.predict(&seen, 1_500_000, 1_500_000, None);
        assert!((later.speed - 11.4).abs() < 0.01, "{later:?}");
    }

    #[test]
    fn a_car_that_brakes_to_a_stop_stays_there() {
        let mut predictor = Predictor::new(600_000, &Embodiment::built_in()[0]);
        predictor.note(0, -5.0, 0.0);
        let car = predictor.predict(&Believed { speed: 1.0, acceleration: -5.0, ..standing() }, 700_000, 700_000, None);
        assert!(car.speed == 0.0 && (car.pose.x_m - 0.1).abs() < 0.02, "{car:?}");
    }

    #[test]
    fn the_governors_limit_holds_in_predictions_too() {
        let mut predictor = Predictor::new(1_400_000, &Embodiment::built_in()[0]);
        predictor.note(0, 3.0, 0.0);
        let car = predictor.predict(&Believed { speed: 4.4, ..standing() }, 1_500_000, 1_500_000, Some(4.6));
        assert!(car.speed < 4.45, "{car:?}");
    }

    #[test]
    fn history_is_bounded_and_keeps_what_is_in_force() {
        let mut predictor = Predictor::new(600_000, &Embodiment::built_in()[0]);
        for i in 0..10_000 {
            predictor.note(i * 20_000, 0.0, 0.0);
        }
        assert!(predictor.sent.len() < 200, "{}", predictor.sent.len());
        assert!(predictor.in_force(199_000_000).is_some());
    }
}
