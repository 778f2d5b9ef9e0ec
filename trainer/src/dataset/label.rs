//! Who drove when, and what that says about each frame.

use super::FrameLabel;
use super::read::Raw;
use protocol::foxglove::Event;
use protocol::v1::{Author, TakeoverCause};

/// How many 10 Hz frames before a takeover the policy is held to have been wrong: 1.5 s, by Sirius' 15 steps.
pub const PRE_TAKEOVER_FRAMES: usize = 15;
/// The confidence says whether a takeover for need begins within this time.
pub const HELP_HORIZON_NS: u64 = 3_000_000_000;
/// An event or the episode's own takeover belongs to a change of hands at most this far away.
const SAME_TAKEOVER_NS: u64 = 1_000_000_000;

/// Changes of author and the takeovers among them, in the order of time.
#[derive(Debug, Default)]
pub(super) struct AuthorChanges {
    changes: Vec<(u64, Author)>,
    events: Vec<(u64, TakeoverCause)>,
    last_ns: u64,
    takeovers: Vec<Takeover>,
}

#[derive(Debug, Clone, Copy)]
struct Takeover {
    /// When the policy had authority last.
    policy_until_ns: u64,
    start_ns: u64,
    cause: TakeoverCause,
}

impl AuthorChanges {
    /// A command was executed for this author.
    pub(super) fn author(&mut self, time_ns: u64, author: Author) {
        if self.changes.last().is_none_or(|(_, last)| *last != author) {
            self.changes.push((time_ns, author));
        }
        self.last_ns = time_ns;
    }

    /// An event of the topic for takeovers.
    pub(super) fn event(&mut self, event: &Event) {
        let Some(start) = &event.start_time else { return };
        let ns = start.seconds.max(0) as u64 * 1_000_000_000 + start.nanos.max(0) as u64;
        if let Some(cause) = event.metadata.iter().find(|pair| pair.key == "cause") {
            self.events.push((ns, cause_of(&cause.value)));
        }
    }

    /// Finds the takeovers: each time that an operator drives after a policy did, whatever came between. `cause` and
    /// `takeover_ns` are those of the episode as a whole.
    pub(super) fn finish(&mut self, cause: &str, takeover_ns: u64) {
        let mut policy_until = None;
        let changes = &self.changes;
        let end_of = |i: usize| changes.get(i + 1).map_or(self.last_ns, |(ns, _)| *ns);
        for (i, &(start_ns, author)) in changes.iter().enumerate() {
            match author {
                Author::Policy => policy_until = Some(end_of(i)),
                Author::Operator => {
                    if let Some(policy_until_ns) = policy_until.take() {
                        let cause = TakeoverCause::Unspecified;
                        self.takeovers.push(Takeover { policy_until_ns, start_ns, cause });
                    }
                }
                Author::Unspecified | Author::Fallback => {}
            }
        }
        let only = self.takeovers.len() == 1;
        for takeover in &mut self.takeovers {
            let near = |ns: u64| ns.abs_diff(takeover.start_ns) <= SAME_TAKEOVER_NS;
            let nearest =
                self.events.iter().filter(|(ns, _)| near(*ns)).min_by_key(|(ns, _)| ns.abs_diff(takeover.start_ns));
            takeover.cause = match nearest {
                Some((_, cause)) => *cause,
                None if only || near(takeover_ns) => cause_of(cause),
                None => TakeoverCause::Unspecified,
            };
        }
    }
}

fn cause_of(label: &str) -> TakeoverCause {
    use TakeoverCause::{Fault, PolicyAsked, Precaution, Safety, Stuck, Unspecified};
    let known = [PolicyAsked, Safety, Stuck, Fault, Precaution];
    known.into_iter().find(|cause| cause.label() == label).unwrap_or(Unspecified)
}

/// Label and need for help of each frame.
pub(super) fn label(raw: &[Raw], author_changes: &AuthorChanges) -> Vec<(FrameLabel, Option<bool>)> {
    let mut labels: Vec<_> = raw.iter().map(|frame| one(frame, author_changes)).collect();
    for takeover in &author_changes.takeovers {
        let until = raw.partition_point(|frame| frame.time_ns < takeover.policy_until_ns);
        let policy_drove = |i: &usize| raw[*i].author == Author::Policy;
        for i in (0..until).rev().take_while(policy_drove).take(PRE_TAKEOVER_FRAMES) {
            labels[i].0 = FrameLabel::PreTakeover;
        }
    }
    labels
}

fn one(frame: &Raw, author_changes: &AuthorChanges) -> (FrameLabel, Option<bool>) {
    let now = frame.time_ns;
    if frame.author == Author::Operator {
        let Some(takeover) = author_changes.takeovers.iter().rev().find(|t| t.start_ns <= now) else {
            return (FrameLabel::Demonstration, Some(false));
        };
        // Once the operator has dealt with what made the takeover needed, the driving that follows is ordinary.
        let settled = now >= takeover.start_ns + HELP_HORIZON_NS;
        return (FrameLabel::Takeover, settled.then_some(false));
    }
    let next = author_changes.takeovers.iter().find(|t| t.policy_until_ns >= now);
    let help = match next {
        Some(takeover) if takeover.policy_until_ns <= now + HELP_HORIZON_NS => match takeover.cause {
            TakeoverCause::PolicyAsked | TakeoverCause::Safety | TakeoverCause::Stuck => Some(true),
            TakeoverCause::Unspecified | TakeoverCause::Fault | TakeoverCause::Precaution => None,
        },
        // What came after the end of the file is not known.
        _ => (now + HELP_HORIZON_NS <= author_changes.last_ns).then_some(false),
    };
    (FrameLabel::Rollout, help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::v1::{Surroundings, VehicleState};

    const TENTH_NS: u64 = 100_000_000;

    /// A drive at 10 Hz by the given authors, (how many frames, who).
    fn drive(parts: &[(usize, Author)], cause: &str) -> (Vec<Raw>, AuthorChanges) {
        let (mut raw, mut author_changes) = (Vec::new(), AuthorChanges::default());
        let authors = parts.iter().flat_map(|(count, author)| std::iter::repeat_n(*author, *count));
        for (i, author) in authors.enumerate() {
            let time_ns = i as u64 * TENTH_NS;
            author_changes.author(time_ns, author);
            if author != Author::Fallback {
                let (state, surroundings) = (VehicleState::default(), Surroundings::default());
                raw.push(Raw { time_ns, state, surroundings, author, action: vec![] });
            }
        }
        author_changes.finish(cause, 0);
        (raw, author_changes)
    }

    #[test]
    fn the_last_second_and_a_half_before_a_takeover_is_marked() {
        let (raw, author_changes) =
            drive(&[(100, Author::Policy), (80, Author::Operator), (50, Author::Policy)], "safety");
        let labels = label(&raw, &author_changes);
        let count = |wanted| labels.iter().filter(|(l, _)| *l == wanted).count();
        assert_eq!(count(FrameLabel::PreTakeover), 15);
        assert_eq!(labels[84].0, FrameLabel::Rollout);
        assert_eq!(labels[85].0, FrameLabel::PreTakeover);
        assert_eq!(count(FrameLabel::Takeover), 80);
        assert_eq!(count(FrameLabel::Demonstration), 0);
        assert_eq!(labels.iter().filter(|(_, h)| *h == Some(true)).count(), 30);
        assert_eq!(labels[69].1, Some(false));
        assert_eq!((labels[100].1, labels[130].1), (None, Some(false)), "the operator first deals with the trouble");
        assert_eq!(labels[229].1, None, "what follows the file is not known");
    }

    #[test]
    fn a_stop_between_policy_and_operator_does_not_hide_the_takeover() {
        let parts = [(40, Author::Policy), (10, Author::Fallback), (20, Author::Operator)];
        let (raw, author_changes) = drive(&parts, "stuck");
        let labels = label(&raw, &author_changes);
        assert_eq!(labels.len(), 60);
        assert_eq!(labels[25].0, FrameLabel::PreTakeover);
        assert_eq!(labels[39], (FrameLabel::PreTakeover, Some(true)));
        assert_eq!(labels[40].0, FrameLabel::Takeover);
    }

    #[test]
    fn a_precaution_is_no_need_for_help_and_a_drive_from_the_start_a_demonstration() {
        let (raw, author_changes) = drive(&[(60, Author::Policy), (20, Author::Operator)], "precaution");
        assert!(label(&raw, &author_changes).iter().all(|(_, help)| *help != Some(true)));
        let (raw, author_changes) = drive(&[(60, Author::Operator)], "");
        assert!(label(&raw, &author_changes).iter().all(|l| *l == (FrameLabel::Demonstration, Some(false))));
    }
}
