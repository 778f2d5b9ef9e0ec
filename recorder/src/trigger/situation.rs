//! What a tick looks like to triggers.

/// The vehicle at one tick, as far as triggers look at it. Names in rules are in quotes here.
#[derive(Debug, Clone, PartialEq)]
pub struct Situation<'a> {
    /// Speed over ground, m/s: `speed`.
    pub speed_mps: f64,
    /// Longitudinal acceleration, m/s2: `acceleration`.
    pub acceleration_mps2: f64,
    /// Shortest time to collision with anything ahead, s; infinite when there is nothing: `time_to_collision`.
    pub time_to_collision_s: f64,
    /// Total latency of the operator's loop, ms: `latency`.
    pub latency_ms: f64,
    /// Share of packets lost, 0 to 1: `loss`.
    pub loss: f64,
    /// The policy's confidence, 0 to 1: `confidence`.
    pub confidence: f64,
    /// How far a candidate's action lies from the driver's, see [`disagreement`]; `None` without a candidate:
    /// `disagreement`, which then is 0.
    pub disagreement: Option<f64>,
    /// `stopped`, `monitor`, `assist` or `drive`: `mode`.
    pub mode: &'a str,
    /// `policy`, `operator` or `fallback`: `author`.
    pub author: &'a str,
    /// Fault codes in force; rules see their number: `faults`.
    pub faults: &'a [String],
    /// The minimal risk manoeuvre is in force: `fallback`.
    pub fallback: bool,
    /// The emergency stop is latched: `estop`.
    pub estop: bool,
    /// The question of the policy to people, if one is open; rules see whether there is one: `help`.
    pub help: Option<&'a str>,
    /// The note of a bookmark that an operator set at this tick.
    pub bookmark: Option<&'a str>,
}

impl Default for Situation<'_> {
    /// Standing, with nothing ahead and nothing wrong.
    fn default() -> Self {
        Self {
            speed_mps: 0.0,
            acceleration_mps2: 0.0,
            time_to_collision_s: f64::INFINITY,
            latency_ms: 0.0,
            loss: 0.0,
            confidence: 1.0,
            disagreement: None,
            mode: "stopped",
            author: "fallback",
            faults: &[],
            fallback: false,
            estop: false,
            help: None,
            bookmark: None,
        }
    }
}

/// What a name in a rule stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A quantity.
    Number(f64),
    /// A word.
    Text(&'a str),
    /// Yes or no.
    Flag(bool),
}

impl Situation<'_> {
    /// The names that rules may use.
    pub const NAMES: [&'static str; 13] = [
        "speed",
        "acceleration",
        "time_to_collision",
        "latency",
        "loss",
        "confidence",
        "disagreement",
        "mode",
        "author",
        "faults",
        "fallback",
        "estop",
        "help",
    ];

    /// What `name` stands for now; `None` for a name that is not in [`Self::NAMES`].
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "speed" => Value::Number(self.speed_mps),
            "acceleration" => Value::Number(self.acceleration_mps2),
            "time_to_collision" => Value::Number(self.time_to_collision_s),
            "latency" => Value::Number(self.latency_ms),
            "loss" => Value::Number(self.loss),
            "confidence" => Value::Number(self.confidence),
            "disagreement" => Value::Number(self.disagreement.unwrap_or(0.0)),
            "mode" => Value::Text(self.mode),
            "author" => Value::Text(self.author),
            "faults" => Value::Number(self.faults.len() as f64),
            "fallback" => Value::Flag(self.fallback),
            "estop" => Value::Flag(self.estop),
            "help" => Value::Flag(self.help.is_some()),
            _ => return None,
        })
    }
}

/// How far two actions are apart: the largest difference of a channel as a share of its range (`limits` are lowest and
/// highest), 0 to 1. Channels that either lacks, or that are no numbers, count as as far apart as can be.
#[must_use]
pub fn disagreement(a: &[f64], b: &[f64], limits: &[(f64, f64)]) -> f64 {
    let far = |(i, &(low, high)): (usize, &(f64, f64))| match (a.get(i), b.get(i)) {
        (Some(a), Some(b)) if a.is_finite() && b.is_finite() && high > low => {
            ((a - b).abs() / (high - low)).clamp(0.0, 1.0)
        }
        _ => 1.0,
    };
    limits.iter().enumerate().map(far).fold(0.0, f64::max)
}

/// Time until a vehicle of half length `reach_m` and half width `half_width_m` at the origin, driving straight ahead at
/// `speed_mps`, meets an object at (`x_m`, `y_m`) ahead and left, of half size `object_m`, that moves with velocity
/// (`vx_mps`, `vy_mps`), all in the vehicle's frame; infinite when they do not meet. Constant velocities, boxes along
/// the axes (Hayward 1972: the time to collision if both went on as they do).
#[must_use]
pub fn time_to_collision_s(own: (f64, f64, f64), object: (f64, f64, f64, f64), half_size_m: f64) -> f64 {
    let (speed_mps, reach_m, half_width_m) = own;
    let (x_m, y_m, vx_mps, vy_mps) = object;
    let along = overlap(x_m, vx_mps - speed_mps, reach_m + half_size_m);
    let across = overlap(y_m, vy_mps, half_width_m + half_size_m);
    let (from, to) = (along.0.max(across.0).max(0.0), along.1.min(across.1));
    if from <= to { from } else { f64::INFINITY }
}

/// When something at `at`, moving at `v`, is within `half` of the origin: from, to.
fn overlap(at: f64, v: f64, half: f64) -> (f64, f64) {
    if v.abs() < 1e-9 {
        return if at.abs() <= half { (0.0, f64::INFINITY) } else { (f64::INFINITY, f64::NEG_INFINITY) };
    }
    let (a, b) = ((-half - at) / v, (half - at) / v);
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_something_and_no_other_does() {
        let situation = Situation::default();
        assert!(Situation::NAMES.iter().all(|name| situation.value(name).is_some()));
        assert_eq!(situation.value("weather"), None);
    }

    #[test]
    fn actions_disagree_by_their_worst_channel() {
        let limits = [(-8.0, 3.0), (-0.6, 0.6)];
        assert_eq!(disagreement(&[1.0, 0.1], &[1.0, 0.1], &limits), 0.0);
        assert!((disagreement(&[1.0, 0.0], &[-1.2, 0.1], &limits) - 0.2).abs() < 1e-9);
        assert_eq!(disagreement(&[1.0], &[1.0, 0.0], &limits), 1.0);
        assert_eq!(disagreement(&[f64::NAN, 0.0], &[1.0, 0.0], &limits), 1.0);
    }

    #[test]
    fn a_car_ahead_is_met_when_the_gap_is_used_up_and_one_beside_never() {
        let own = (10.0, 2.0, 1.0);
        let ahead = time_to_collision_s(own, (24.0, 0.0, 0.0, 0.0), 2.0);
        assert!((ahead - 2.0).abs() < 1e-9, "{ahead}");
        assert_eq!(time_to_collision_s(own, (24.0, 4.0, 0.0, 0.0), 2.0), f64::INFINITY);
        assert_eq!(time_to_collision_s(own, (24.0, 0.0, 12.0, 0.0), 2.0), f64::INFINITY);
        assert_eq!(time_to_collision_s(own, (-24.0, 0.0, 0.0, 0.0), 2.0), f64::INFINITY);
        let crossing = time_to_collision_s(own, (24.0, 6.0, 0.0, -1.5), 2.0);
        assert!((crossing - 2.0).abs() < 1e-9, "{crossing}");
    }
}
