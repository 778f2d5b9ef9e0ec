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
    /// How far a candidate's action lies from the driver's, as a share of the worst channel's range; `None` without a candidate:
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_something_and_no_other_does() {
        let situation = Situation::default();
        assert!(Situation::NAMES.iter().all(|name| situation.value(name).is_some()));
        assert_eq!(situation.value("weather"), None);
    }
}
