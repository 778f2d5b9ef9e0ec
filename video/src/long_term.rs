//! Long-term references: which there are, who has them, and what to tell the encoder. No codec, no clock.
//!
//! The encoder keeps two: one that is confirmed and used for recovery, and a newer one that waits to be confirmed or given
//! up. It makes the next one only after that.

use super::Reference;
use super::slice_header::SliceHeader;

/// Receivers know a capture time only as well as RTP's 90 kHz clock tells it; pictures lie further apart than this.
const SLACK_US: u64 = 1_000;

/// A picture that is a long-term reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LongTerm {
    pub capture_us: u64,
    pub frame_num: u32,
    index: u32,
    /// Capture time of the picture that made it one: itself or the next.
    marked_us: u64,
    /// Whether every receiver has it.
    arrived: bool,
}

/// What to tell the encoder before it codes a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Plan {
    pub keyframe: bool,
    /// Go back to this one.
    pub recover: Option<LongTerm>,
    /// Frame number of the newer reference, and whether it has arrived or is given up.
    pub settle: Option<(u32, bool)>,
    /// The picture before is itself the long-term reference to recover from.
    from_previous: bool,
}

/// The references of one encoder.
#[derive(Debug, Default)]
pub(super) struct LongTerms {
    pub idr_pic_id: u32,
    confirmed: Option<LongTerm>,
    waiting: Option<LongTerm>,
    /// Capture time and frame number of the last picture.
    previous: Option<(u64, u32)>,
    /// Capture time of the last picture that did not depend on the one before.
    chain_us: u64,
}

impl LongTerms {
    /// Every receiver has decoded the picture captured then and all it depends on.
    pub(super) fn acknowledge(&mut self, capture_us: u64) {
        let newest_us = self.previous.map_or(0, |(capture_us, _)| capture_us);
        if capture_us > newest_us + SLACK_US || capture_us + SLACK_US < self.chain_us {
            return;
        }
        for reference in self.confirmed.iter_mut().chain(&mut self.waiting) {
            reference.arrived |= capture_us + SLACK_US >= reference.marked_us;
        }
    }

    /// What the next picture needs.
    pub(super) fn plan(&self, reference: Reference) -> Plan {
        let arrived = self.waiting.is_some_and(|waiting| waiting.arrived);
        let confirmed = self.confirmed.filter(|confirmed| confirmed.arrived);
        match (reference, confirmed) {
            (Reference::Keyframe, _) | (Reference::Acknowledged, None) => Plan { keyframe: true, ..Plan::default() },
            (Reference::Acknowledged, Some(confirmed)) => {
                let from_previous = self.previous == Some((confirmed.capture_us, confirmed.frame_num));
                Plan {
                    // What follows no longer depends on a waiting one, so that nobody will ever say that it arrived.
                    settle: self.waiting.map(|waiting| (waiting.frame_num, waiting.arrived)),
                    recover: (!from_previous).then_some(confirmed),
                    from_previous,
                    ..Plan::default()
                }
            }
            (Reference::Previous, _) => {
                Plan { settle: self.waiting.filter(|_| arrived).map(|w| (w.frame_num, true)), ..Plan::default() }
            }
        }
    }

    /// Whether a picture coded by this plan does what was asked.
    pub(super) fn fulfils(&self, plan: &Plan, header: &SliceHeader) -> bool {
        let confirmed = self.confirmed.map(|confirmed| confirmed.index);
        let recovers = header.long_term.is_some() && header.long_term == confirmed;
        header.idr_pic_id.is_some() || !(plan.keyframe || ((plan.recover.is_some() || plan.from_previous) && !recovers))
    }

    /// Takes note of a picture coded by this plan; the capture time of the reference that it recovers from.
    pub(super) fn coded(&mut self, plan: &Plan, capture_us: u64, header: &SliceHeader) -> Option<u64> {
        let previous = self.previous.replace((capture_us, header.frame_num));
        let marked = header.mark.and_then(|mark| {
            let before = if mark.ago == 0 { Some((capture_us, header.frame_num)) } else { previous };
            let (picture_us, frame_num) = before?;
            let (index, marked_us) = (mark.index, capture_us);
            Some(LongTerm { capture_us: picture_us, frame_num, index, marked_us, arrived: false })
        });
        if let Some(idr_pic_id) = header.idr_pic_id {
            *self =
                Self { idr_pic_id, confirmed: marked, waiting: None, previous: self.previous, chain_us: capture_us };
            return None;
        }
        let recovered = self.confirmed.filter(|_| plan.recover.is_some() || plan.from_previous);
        match plan.settle {
            Some((_, true)) => self.confirmed = self.waiting.take(),
            Some((_, false)) => self.waiting = None,
            None => {}
        }
        if recovered.is_some() {
            self.chain_us = capture_us;
        }
        self.waiting = marked.or(self.waiting);
        recovered.map(|reference| reference.capture_us)
    }
}

#[cfg(test)]
mod tests {
    use super::super::slice_header::Mark;
    use super::*;

    fn header(frame_num: u32) -> SliceHeader {
        SliceHeader { idr_pic_id: None, frame_num, reference: true, long_term: None, mark: None }
    }

    fn keyframe() -> SliceHeader {
        SliceHeader { idr_pic_id: Some(1), mark: Some(Mark { ago: 0, index: 0 }), ..header(0) }
    }

    /// A keyframe at 0 and pictures every 100,000 microseconds, the third of which becomes a long-term reference.
    fn started() -> LongTerms {
        let mut references = LongTerms::default();
        references.coded(&references.plan(Reference::Previous), 0, &keyframe());
        for i in 1..=4 {
            let mark = (i == 3).then_some(Mark { ago: 0, index: 1 });
            let plan = references.plan(Reference::Previous);
            assert_eq!(references.coded(&plan, u64::from(i) * 100_000, &SliceHeader { mark, ..header(i) }), None);
        }
        references
    }

    #[test]
    fn what_nobody_acknowledged_is_recovered_by_a_keyframe() {
        let mut references = started();
        assert!(references.plan(Reference::Acknowledged).keyframe);
        // From the future: a receiver of something else.
        references.acknowledge(500_000);
        assert!(references.plan(Reference::Acknowledged).keyframe);
        references.acknowledge(0);
        assert_eq!(references.plan(Reference::Acknowledged).recover.map(|r| r.capture_us), Some(0));
    }

    #[test]
    fn a_reference_that_may_be_lost_is_given_up_on_recovery() {
        let mut references = started();
        references.acknowledge(200_000);
        let plan = references.plan(Reference::Acknowledged);
        assert_eq!((plan.recover.map(|r| r.frame_num), plan.settle), (Some(0), Some((3, false))));
        let recovery = SliceHeader { long_term: Some(0), ..header(5) };
        assert!(references.fulfils(&plan, &recovery) && !references.fulfils(&plan, &header(5)));
        assert_eq!(references.coded(&plan, 500_000, &recovery), Some(0));
        // Late news of the old chain, and news of the new one, say nothing about what was given up.
        references.acknowledge(300_000);
        references.acknowledge(500_000);
        assert_eq!(references.plan(Reference::Acknowledged).recover.map(|r| r.capture_us), Some(0));
    }

    #[test]
    fn an_acknowledged_reference_replaces_the_older_one_after_the_next_picture() {
        let mut references = started();
        // As coarse as RTP's clock.
        references.acknowledge(299_989);
        let plan = references.plan(Reference::Previous);
        assert_eq!(plan.settle, Some((3, true)));
        references.coded(&plan, 500_000, &header(5));
        let plan = references.plan(Reference::Acknowledged);
        assert_eq!((plan.recover.map(|r| r.capture_us), plan.settle), (Some(300_000), None));
    }

    #[test]
    fn a_reference_named_by_the_next_picture_needs_that_one_too() {
        let mut references = started();
        references.acknowledge(300_000);
        references.coded(&references.plan(Reference::Previous), 500_000, &header(5));
        let mark = Some(Mark { ago: 1, index: 0 });
        references.coded(&references.plan(Reference::Previous), 600_000, &SliceHeader { mark, ..header(6) });
        references.acknowledge(500_000);
        assert_eq!(references.plan(Reference::Previous).settle, None);
        references.acknowledge(600_000);
        assert_eq!(references.plan(Reference::Previous).settle, Some((5, true)));
    }

    #[test]
    fn right_after_a_keyframe_the_picture_before_is_the_reference() {
        let mut references = LongTerms::default();
        references.coded(&references.plan(Reference::Keyframe), 7_000_000, &keyframe());
        references.acknowledge(7_000_000);
        let plan = references.plan(Reference::Acknowledged);
        assert_eq!((plan.recover, plan.keyframe), (None, false));
        let next = SliceHeader { long_term: Some(0), ..header(1) };
        assert_eq!(references.coded(&plan, 7_033_000, &next), Some(7_000_000));
    }
}
