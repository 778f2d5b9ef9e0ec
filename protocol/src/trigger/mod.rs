//! What makes the recorder keep an episode: the kinds of triggers, their configuration and the rules in it.
//!
//! A takeover opens an episode of its own. For everything else the vehicle is looked at once a tick as a [`Situation`];
//! what [`Fired`] then opens an episode, or is noted in the ones that are being recorded and keeps them open for its
//! post-roll.

mod config;
mod rule;
mod situation;

pub use config::{NamedRule, TriggerConfig};
pub use rule::{Rule, RuleError};
pub use situation::{Situation, Value};

use serde::{Deserialize, Serialize};

/// Why an episode was kept, in the order of priority, highest first.
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

    /// Whether its episodes may be evicted from a full disk. What the law or an inquiry asks for stays:
    /// takeovers, emergency stops and faults; and so do imports, which a person put there.
    #[must_use]
    pub fn is_evictable(self) -> bool {
        !matches!(self, Self::Takeover | Self::Estop | Self::Fault | Self::Import)
    }

    /// The cause, as the catalogue knows causes of takeovers, that comes nearest; an import has none.
    #[must_use]
    pub fn cause(self) -> crate::v1::TakeoverCause {
        use crate::v1::TakeoverCause as Cause;
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
    /// The trigger.
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

/// A change of one trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// It begins.
    Begins {
        /// The trigger.
        trigger: Trigger,
        /// The rule's name; empty for the others.
        name: String,
        /// For people.
        detail: String,
    },
    /// It has ended.
    Ends {
        /// The trigger.
        trigger: Trigger,
        /// The rule's name; empty for the others.
        name: String,
    },
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
