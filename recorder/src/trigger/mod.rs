//! What makes the recorder keep an episode.
//!
//! A takeover opens an episode of its own, by [`crate::Recorder::begin`]. Everything else is watched for by
//! [`Watch`]: it is handed a [`Situation`] at every tick and answers what [`Fired`]; [`crate::Recorder::trigger`] then
//! opens an episode, or notes the trigger in the ones that are being recorded and keeps them open for its post-roll.

mod rule;
mod situation;
mod watch;

pub use rule::{Rule, RuleError};
pub use situation::{Situation, Value, disagreement, time_to_collision_s};
pub use watch::{Fired, NamedRule, TriggerConfig, Watch};

use serde::{Deserialize, Serialize};

/// Why an episode was kept, in the order of how much it is worth, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// An operator got authority.
    #[default]
    Takeover,
    /// The emergency stop was pressed.
    Estop,
    /// A fault, or the minimal risk manoeuvre.
    Fault,
    /// Nearly a collision.
    NearMiss,
    /// The vehicle braked hard.
    HardBrake,
    /// The operator's bookmark.
    Bookmark,
    /// The policy asked for help.
    HelpRequest,
    /// A candidate policy would have acted otherwise than the driver.
    ShadowDisagreement,
    /// A rule in the configuration.
    Rule,
    /// None: a part of the continuous log at a low rate.
    DriveLog,
    /// None: made of another program's recording.
    Import,
}

impl Trigger {
    /// All of them, the most valuable first.
    pub const ALL: [Self; 11] = [
        Self::Takeover,
        Self::Estop,
        Self::Fault,
        Self::NearMiss,
        Self::HardBrake,
        Self::Bookmark,
        Self::HelpRequest,
        Self::ShadowDisagreement,
        Self::Rule,
        Self::DriveLog,
        Self::Import,
    ];

    /// Its name in files and configurations.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Takeover => "takeover",
            Self::Estop => "estop",
            Self::Fault => "fault",
            Self::NearMiss => "near_miss",
            Self::HardBrake => "hard_brake",
            Self::Bookmark => "bookmark",
            Self::HelpRequest => "help_request",
            Self::ShadowDisagreement => "shadow_disagreement",
            Self::Rule => "rule",
            Self::DriveLog => "drive_log",
            Self::Import => "import",
        }
    }

    /// The trigger of this name.
    #[must_use]
    pub fn by_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.label() == label)
    }

    /// Whether its episodes may be removed to make room on a full disk. What the law or an inquiry asks for stays:
    /// takeovers, emergency stops and faults; and so do imports, which a person put there.
    #[must_use]
    pub fn may_give_way(self) -> bool {
        !matches!(self, Self::Takeover | Self::Estop | Self::Fault | Self::Import)
    }

    /// The cause, as the catalogue knows causes of takeovers, that comes nearest; an import has none.
    #[must_use]
    pub fn cause(self) -> protocol::v1::TakeoverCause {
        use protocol::v1::TakeoverCause as Cause;
        match self {
            Self::Import => Cause::Unspecified,
            Self::Estop | Self::NearMiss | Self::HardBrake => Cause::Safety,
            Self::Fault => Cause::Fault,
            Self::HelpRequest => Cause::PolicyAsked,
            Self::Takeover | Self::Bookmark | Self::ShadowDisagreement | Self::Rule | Self::DriveLog => {
                Cause::Precaution
            }
        }
    }
}

/// A trigger that fired while an episode was recorded; times are on the clock of the log times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggered {
    /// What.
    pub trigger: Trigger,
    /// The rule's name; empty for the others.
    #[serde(default)]
    pub name: String,
    /// When it began.
    pub at_ns: u64,
    /// When it ended; `None` while it lasts or when the episode closed before.
    #[serde(default)]
    pub until_ns: Option<u64>,
    /// For people.
    #[serde(default)]
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_triggers() {
        for trigger in Trigger::ALL {
            assert_eq!(Trigger::by_label(trigger.label()), Some(trigger));
            assert_eq!(serde_json::to_value(trigger).unwrap(), trigger.label());
        }
        assert!(Trigger::ALL.is_sorted());
        assert_eq!(Trigger::by_label("mood"), None);
    }
}
