//! Notices when triggers begin and end. Sans-IO: the time is handed in.

use protocol::Trigger;
use protocol::trigger::{Fired, Rule, RuleError, Situation, TriggerConfig};

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Off,
    /// Holds since, but not for long enough.
    Rising(u64),
    /// Began at; held last at.
    On(u64, u64),
    /// Lasted too long; waits until the condition is over.
    Spent,
}

#[derive(Debug)]
struct Channel {
    trigger: Trigger,
    name: String,
    rule: Option<Rule>,
    for_ns: u64,
    state: State,
}

/// The state of every trigger that is watched for.
#[derive(Debug)]
pub struct TriggerWatch {
    config: TriggerConfig,
    channels: Vec<Channel>,
}

const WATCHED: [Trigger; 7] = [
    Trigger::Estop,
    Trigger::Fault,
    Trigger::NearMiss,
    Trigger::HardBrake,
    Trigger::Bookmark,
    Trigger::HelpRequest,
    Trigger::ShadowDisagreement,
];
/// A single sample of deceleration may be noise.
const BRAKE_FOR_S: f64 = 0.06;
/// Slower than this nothing is a near miss: the vehicle is manoeuvring.
const SLOW_MPS: f64 = 1.0;

impl TriggerWatch {
    /// Watches for what `config` asks for.
    ///
    /// # Errors
    /// [`RuleError`] naming the rule that cannot be read.
    pub fn new(config: TriggerConfig) -> Result<Self, RuleError> {
        let channel = |trigger, name: &str, rule, for_s: f64| {
            let for_ns = nanoseconds(for_s);
            Channel { trigger, name: name.to_owned(), rule, for_ns, state: State::Off }
        };
        let mut channels = Vec::new();
        for trigger in WATCHED {
            let for_s = match trigger {
                Trigger::HardBrake => BRAKE_FOR_S,
                Trigger::ShadowDisagreement => config.shadow_for_s,
                _ => 0.0,
            };
            channels.push(channel(trigger, "", None, for_s));
        }
        for (name, rule) in config.parsed_rules()? {
            channels.push(channel(Trigger::Rule, &name, Some(rule), 0.0));
        }
        channels.retain(|channel| !config.off.contains(&channel.trigger));
        Ok(Self { config, channels })
    }

    /// Looks at the vehicle at `now_ns`.
    pub fn look(&mut self, now_ns: u64, situation: &Situation<'_>) -> Vec<Fired> {
        let config = &self.config;
        let (quiet_ns, longest_ns) = (nanoseconds(config.quiet_s), nanoseconds(config.longest_s));
        let mut fired = Vec::new();
        for channel in &mut self.channels {
            let holds = channel
                .rule
                .as_ref()
                .map_or_else(|| holds(channel.trigger, config, situation), |rule| rule.holds(situation));
            let (trigger, name) = (channel.trigger, || channel.name.clone());
            let next = match (channel.state, holds) {
                (State::Off, true) if channel.for_ns > 0 => State::Rising(now_ns),
                (State::Rising(since), true) if now_ns.saturating_sub(since) < channel.for_ns => State::Rising(since),
                (State::Off | State::Rising(_), true) => {
                    let detail = detail(trigger, situation);
                    fired.push(Fired::Begins { trigger, name: name(), detail });
                    State::On(now_ns, now_ns)
                }
                (State::On(began, _), true) if now_ns.saturating_sub(began) < longest_ns => State::On(began, now_ns),
                (State::On(..), true) => {
                    fired.push(Fired::Ends { trigger, name: name() });
                    State::Spent
                }
                (State::On(began, last), false) if now_ns.saturating_sub(last) < quiet_ns => State::On(began, last),
                (State::On(..), false) => {
                    fired.push(Fired::Ends { trigger, name: name() });
                    State::Off
                }
                (State::Spent, true) => State::Spent,
                (State::Off | State::Rising(_) | State::Spent, false) => State::Off,
            };
            channel.state = next;
        }
        fired
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

fn holds(trigger: Trigger, config: &TriggerConfig, situation: &Situation<'_>) -> bool {
    match trigger {
        Trigger::Estop => situation.estop,
        Trigger::Fault => situation.fallback || !situation.faults.is_empty(),
        Trigger::NearMiss => situation.speed_mps > SLOW_MPS && situation.time_to_collision_s < config.near_miss_s,
        Trigger::HardBrake => situation.acceleration_mps2 < -config.hard_brake_mps2,
        Trigger::Bookmark => situation.bookmark.is_some(),
        Trigger::HelpRequest => situation.help.is_some(),
        Trigger::ShadowDisagreement => situation.disagreement.is_some_and(|d| d > config.shadow_disagreement),
        Trigger::Takeover | Trigger::Rule | Trigger::DriveLog | Trigger::Import => false,
    }
}

fn detail(trigger: Trigger, situation: &Situation<'_>) -> String {
    match trigger {
        Trigger::Fault => situation.faults.join(", "),
        Trigger::NearMiss => format!("collision in {:.2} s", situation.time_to_collision_s),
        Trigger::HardBrake => format!("{:.1} m/s2", situation.acceleration_mps2),
        Trigger::Bookmark => situation.bookmark.unwrap_or_default().to_owned(),
        Trigger::HelpRequest => situation.help.unwrap_or_default().to_owned(),
        Trigger::ShadowDisagreement => format!("{:.2} of the range", situation.disagreement.unwrap_or_default()),
        Trigger::Takeover | Trigger::Estop | Trigger::Rule | Trigger::DriveLog | Trigger::Import => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::trigger::NamedRule;

    const MS: u64 = 1_000_000;

    fn watch(config: TriggerConfig) -> impl FnMut(u64, &Situation<'_>) -> Vec<(Trigger, bool)> {
        let mut watch = TriggerWatch::new(config).unwrap();
        move |ms, situation| {
            let edges = watch.look(ms * MS, situation).into_iter().map(|fired| match fired {
                Fired::Begins { trigger, .. } => (trigger, true),
                Fired::Ends { trigger, .. } => (trigger, false),
            });
            edges.collect()
        }
    }

    #[test]
    fn every_built_in_trigger_fires_on_its_situation_and_on_no_other() {
        let faults = ["lidar".to_owned()];
        let calm = || Situation { speed_mps: 10.0, mode: "monitor", author: "policy", ..Situation::default() };
        for (expected, situation) in [
            (Trigger::Estop, Situation { estop: true, ..calm() }),
            (Trigger::Fault, Situation { faults: &faults, ..calm() }),
            (Trigger::Fault, Situation { fallback: true, ..calm() }),
            (Trigger::NearMiss, Situation { time_to_collision_s: 0.9, ..calm() }),
            (Trigger::HardBrake, Situation { acceleration_mps2: -5.0, ..calm() }),
            (Trigger::Bookmark, Situation { bookmark: Some("odd sign"), ..calm() }),
            (Trigger::HelpRequest, Situation { help: Some("which way?"), ..calm() }),
            (Trigger::ShadowDisagreement, Situation { disagreement: Some(0.3), ..calm() }),
        ] {
            let mut look = watch(TriggerConfig::default());
            let mut seen = Vec::new();
            for ms in (0..2_000).step_by(20) {
                let now = if (200..1_000).contains(&ms) { situation.clone() } else { calm() };
                seen.extend(look(ms, &now));
            }
            assert_eq!(seen, [(expected, true), (expected, false)], "{situation:?}");
            let mut look = watch(TriggerConfig { off: vec![expected], ..TriggerConfig::default() });
            assert!((0..1_000).step_by(20).all(|ms| look(ms, &situation).is_empty()));
        }
    }

    #[test]
    fn a_flickering_condition_is_one_trigger_and_a_short_one_none() {
        let mut look = watch(TriggerConfig::default());
        let brake = |on: bool| Situation { acceleration_mps2: if on { -6.0 } else { 0.0 }, ..Situation::default() };
        let mut seen = Vec::new();
        for ms in (0..5_000).step_by(20) {
            seen.extend(look(ms, &brake((1_000..3_000).contains(&ms) && ms % 200 < 100)));
        }
        assert_eq!(seen, [(Trigger::HardBrake, true), (Trigger::HardBrake, false)]);
        assert!(look(6_000, &brake(true)).is_empty() && look(6_020, &brake(false)).is_empty());
    }

    #[test]
    fn what_lasts_too_long_ends_and_fires_again_only_after_a_pause() {
        let mut look = watch(TriggerConfig { longest_s: 10.0, ..TriggerConfig::default() });
        let estop = |on| Situation { estop: on, ..Situation::default() };
        assert_eq!(look(0, &estop(true)), [(Trigger::Estop, true)]);
        assert!((1..500).all(|n| look(n * 20, &estop(true)).is_empty()));
        assert_eq!(look(10_000, &estop(true)), [(Trigger::Estop, false)]);
        assert!((501..3_000).all(|n| look(n * 20, &estop(true)).is_empty()));
        assert!(look(60_000, &estop(false)).is_empty());
        assert_eq!(look(60_020, &estop(true)), [(Trigger::Estop, true)]);
    }

    #[test]
    fn a_rule_of_the_configuration_fires_by_its_name_and_a_bad_one_is_refused() {
        let rule = |when: &str| NamedRule { name: "fast by hand".into(), when: when.into() };
        let config = TriggerConfig { rules: vec![rule("speed > 15 and mode == \"drive\"")], ..Default::default() };
        let mut watch = TriggerWatch::new(config).unwrap();
        let fast = Situation { speed_mps: 16.0, mode: "drive", ..Situation::default() };
        let fired = watch.look(0, &fast);
        let expected = Fired::Begins { trigger: Trigger::Rule, name: "fast by hand".into(), detail: String::new() };
        assert_eq!(fired, [expected]);
        let error =
            TriggerWatch::new(TriggerConfig { rules: vec![rule("sped > 1")], ..Default::default() }).unwrap_err();
        assert!(error.to_string().contains("sped"), "{error}");
    }
}
