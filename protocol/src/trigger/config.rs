//! What a vehicle keeps episodes of, as its configuration says it.

use super::{Rule, RuleError, Trigger};
use serde::{Deserialize, Serialize};

/// A rule with the name under which its episodes are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedRule {
    /// For people and for searching.
    pub name: String,
    /// The predicate, see [`Rule`].
    pub when: String,
}

/// What is watched for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TriggerConfig {
    /// Triggers that are not wanted.
    pub off: Vec<Trigger>,
    /// A deceleration beyond this is a hard brake, m/s2. The default is the limit of comfort of nuPlan's metrics.
    pub hard_brake_mps2: f64,
    /// A time to collision below this, in motion, is a near miss, s. The default is that of nuPlan's metrics.
    pub near_miss_s: f64,
    /// A candidate whose action lies further from the driver's than this share of a channel's range disagrees.
    pub shadow_disagreement: f64,
    /// For this long, s.
    pub shadow_for_s: f64,
    /// A trigger has ended when its condition did not hold for this long, s.
    pub quiet_s: f64,
    /// One that lasts longer counts as ended, s: an episode must not grow without end.
    pub longest_s: f64,
    /// Rules beside the built-in triggers.
    #[serde(rename = "rule")]
    pub rules: Vec<NamedRule>,
}

impl Default for TriggerConfig {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            hard_brake_mps2: 4.05,
            near_miss_s: 0.95,
            shadow_disagreement: 0.25,
            shadow_for_s: 0.5,
            quiet_s: 1.0,
            longest_s: 60.0,
            rules: Vec::new(),
        }
    }
}

impl TriggerConfig {
    /// Reads the rules, each with its name.
    ///
    /// # Errors
    /// [`RuleError`] naming the first rule that cannot be read.
    pub fn parsed_rules(&self) -> Result<Vec<(String, Rule)>, RuleError> {
        self.rules.iter().map(|rule| Ok((rule.name.clone(), Rule::parse(&rule.when)?))).collect()
    }
}
