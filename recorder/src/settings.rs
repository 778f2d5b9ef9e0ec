//! The recorder's part of a vehicle's configuration, a TOML file.

use crate::RecorderConfig;
use crate::privacy::RedactionPolicy;
use protocol::topics;
use protocol::trigger::{RuleError, TriggerConfig};
use serde::{Deserialize, Serialize};

/// What a vehicle records.
///
/// ```
/// let settings = recorder::Settings::from_toml(r#"
///     pre_roll_s = 20
///     [triggers]
///     off = ["hard_brake"]
///     [[triggers.rule]]
///     name = "fast by hand"
///     when = 'speed > 15 and mode == "drive"'
/// "#)?;
/// assert_eq!(settings.recorder().pre_roll_ns, 20_000_000_000);
/// assert_eq!(settings.recorder().post_roll_ns, 5_000_000_000);
/// # Ok::<(), recorder::SettingsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seconds before a trigger that belong to its episode.
    pub pre_roll_s: f64,
    /// Seconds after it.
    pub post_roll_s: f64,
    /// Memory for the seconds before, MiB.
    pub ring_mib: u32,
    /// Whether there is a continuous log at a low rate.
    pub drive_log: bool,
    /// What opens episodes.
    pub triggers: TriggerConfig,
    /// What is taken out of an episode before it leaves the vehicle.
    pub privacy: RedactionPolicy,
}

impl Default for Settings {
    /// 10 s before, 5 s after, 256 MiB, with a drive log.
    fn default() -> Self {
        Self {
            pre_roll_s: 10.0,
            post_roll_s: 5.0,
            ring_mib: 256,
            drive_log: true,
            triggers: TriggerConfig::default(),
            privacy: RedactionPolicy::default(),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The text is not TOML, or names something unknown.
    #[error("the recorder's settings: {0}")]
    Toml(#[from] toml::de::Error),
    /// A rule cannot be read.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A topic is to be left out that no vehicle has: a slip would show what was to be kept.
    #[error("privacy.omit names {topic:?}, which is none of the recorder's topics")]
    Topic {
        /// Its name.
        topic: String,
    },
    /// A number makes no sense.
    #[error("the recorder's setting {name} is {value}: use {low} to {high}")]
    Range {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// Lowest that makes sense.
        low: f64,
        /// Highest that makes sense.
        high: f64,
    },
}

impl Settings {
    /// Reads and checks settings.
    ///
    /// # Errors
    /// [`SettingsError`] naming the setting that cannot be used.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        toml::from_str::<Self>(text)?.checked()
    }

    /// Checks settings that were read as a part of something else.
    ///
    /// # Errors
    /// [`SettingsError`] naming the setting that cannot be used.
    pub fn checked(self) -> Result<Self, SettingsError> {
        let t = &self.triggers;
        for (name, value, low, high) in [
            ("pre_roll_s", self.pre_roll_s, 0.0, 600.0),
            ("post_roll_s", self.post_roll_s, 0.0, 600.0),
            ("ring_mib", f64::from(self.ring_mib), 1.0, 65_536.0),
            ("triggers.hard_brake_mps2", t.hard_brake_mps2, 0.1, 100.0),
            ("triggers.near_miss_s", t.near_miss_s, 0.0, 60.0),
            ("triggers.shadow_disagreement", t.shadow_disagreement, 0.0, 1.0),
            ("triggers.shadow_for_s", t.shadow_for_s, 0.0, 60.0),
            ("triggers.quiet_s", t.quiet_s, 0.0, 600.0),
            ("triggers.longest_s", t.longest_s, 0.1, 3_600.0),
        ] {
            if !(low..=high).contains(&value) {
                return Err(SettingsError::Range { name, value, low, high });
            }
        }
        if let Some(topic) = self.privacy.omit.iter().find(|topic| topics::by_name(topic).is_none()) {
            return Err(SettingsError::Topic { topic: topic.clone() });
        }
        self.triggers.parsed_rules()?;
        Ok(self)
    }

    /// For the recorder.
    #[must_use]
    pub fn recorder(&self) -> RecorderConfig {
        RecorderConfig {
            pre_roll_ns: (self.pre_roll_s * 1e9) as u64,
            post_roll_ns: (self.post_roll_s * 1e9) as u64,
            max_bytes: (self.ring_mib as usize) << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(Settings::from_toml("").unwrap(), Settings::default());
        for (text, word) in [
            ("pre_roll_s = -1", "pre_roll_s is -1"),
            ("post_roll_s = nan", "post_roll_s is NaN"),
            ("preroll = 3", "preroll"),
            ("[privacy]\nomit = [\"/camera/lefft\"]", "/camera/lefft"),
            ("[privacy]\nblur = [\"feet\"]", "feet"),
            ("[triggers]\noff = [\"mood\"]", "mood"),
            ("[[triggers.rule]]\nname = \"x\"\nwhen = \"sped > 1\"", "sped"),
        ] {
            let error = Settings::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
