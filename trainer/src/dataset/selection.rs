//! Which episodes are learnt from.

use protocol::EpisodeInfo;
use std::ops::RangeInclusive;

/// Which episodes are learnt from, by what they say of themselves. All conditions hold together; one that is absent lets
/// everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only what the fleet drove in these turns of the flywheel.
    pub turns: Option<RangeInclusive<u64>>,
}

impl Selection {
    /// Whether an episode is one of them.
    #[must_use]
    pub fn takes(&self, info: &EpisodeInfo) -> bool {
        self.turns.as_ref().is_none_or(|turns| turn_of(info).is_some_and(|turn| turns.contains(&turn)))
    }
}

/// The turn of the flywheel that an episode says. Those of earlier releases do not; their identities do:
/// `t2-drive-003-0001` is of turn 2.
fn turn_of(info: &EpisodeInfo) -> Option<u64> {
    let by_name = || info.id.as_str().strip_prefix('t')?.split_once("-drive-")?.0.parse().ok();
    info.turn.or_else(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{EpisodeId, PolicyVersion, VehicleId};

    fn takes(selection: &Selection, id: &str, turn: Option<u64>) -> bool {
        let (vehicle, policy) = (VehicleId::new("car").unwrap(), PolicyVersion::new("v0").unwrap());
        let info = EpisodeInfo { turn, ..EpisodeInfo::new(EpisodeId::new(id).unwrap(), vehicle, policy) };
        selection.takes(&info)
    }

    #[test]
    fn only_the_fleets_own_episodes_of_the_turns_are_taken() {
        let to_2 = Selection { turns: Some(1..=2) };
        assert!(takes(&to_2, "any", Some(1)) && takes(&to_2, "any", Some(2)));
        assert!(!takes(&to_2, "any", Some(3)) && !takes(&to_2, "car-1-1767225600000-0001", None));
        // What an episode says counts, whatever it is called.
        assert!(!takes(&to_2, "t1-drive-003-0001", Some(3)));
    }

    #[test]
    fn episodes_of_earlier_releases_are_known_by_their_names() {
        let to_2 = Selection { turns: Some(1..=2) };
        assert!(takes(&to_2, "t1-drive-003-0001", None) && takes(&to_2, "t2-drive-000-0001", None));
        assert!(!takes(&to_2, "t3-drive-000-0001", None) && !takes(&to_2, "tx", None));
    }

    #[test]
    fn without_a_condition_every_episode_is_taken() {
        assert!(takes(&Selection::default(), "car-1-1767225600000-0001", None));
    }
}
