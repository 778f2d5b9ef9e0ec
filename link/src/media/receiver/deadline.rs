//! What happens when a packet does not come in time, or not at all.

use super::super::extent::Extent;
use super::{MIN_RECOVERY_PAUSE_US, MediaReceiver, ReceiverOutput};
use crate::rtp::starts_keyframe;

/// Least time from a frame's first packet until it is late, microseconds.
const MIN_DEADLINE_US: u64 = 20_000;
/// Longest that later frames are held back for a packet, microseconds.
const MAX_FRAME_TIMEOUT_US: u64 = 1_000_000;
/// Beyond two round trips, microseconds.
const FRAME_TIMEOUT_SLACK_US: u64 = 40_000;

impl MediaReceiver {
    /// From a frame's first packet until it is late, microseconds.
    pub(super) fn deadline_us(&self) -> u64 {
        let spent_us = self.round_trip_us / 2 + self.config.sender_delay_us;
        self.config.deadline_us.saturating_sub(spent_us).max(MIN_DEADLINE_US)
    }

    /// From a frame's first packet until it is given up: by then two requests at least could have been answered.
    fn frame_timeout_us(&self) -> u64 {
        let two_rounds_us = 2 * (self.round_trip_us + 4 * self.variance_us) + FRAME_TIMEOUT_SLACK_US;
        self.deadline_us().max(two_rounds_us).min(MAX_FRAME_TIMEOUT_US)
    }

    /// When the frame in front was first seen or missed; `None` when nothing is missing.
    fn blocked_since_us(&self) -> Option<u64> {
        let (sequence, gap) = self.gaps.first_key_value()?;
        Some(self.extents.at(*sequence).map_or(gap.since_us, |extent| extent.first_us.min(gap.since_us)))
    }

    pub(super) fn is_refresh(&self, extent: &Extent) -> bool {
        extent.keyframe || extent.recovers_from.is_some_and(|from| self.delivered.contains(&from))
    }

    pub(super) fn next_deadline_us(&self) -> Option<u64> {
        let since_us = self.blocked_since_us()?;
        if !self.overdue && !self.front_asked() {
            return Some(since_us + self.frame_timeout_us());
        }
        Some(since_us + if self.overdue { self.frame_timeout_us() } else { self.deadline_us() })
    }

    pub(super) fn check_deadline(&mut self, now_us: u64) {
        while let Some(since_us) = self.blocked_since_us() {
            let age_us = now_us.saturating_sub(since_us);
            let useless = self.waiting && self.front_is_useless();
            if useless || age_us >= self.frame_timeout_us() {
                self.give_up(now_us);
            } else {
                if !self.overdue && age_us >= self.deadline_us() && self.front_asked() {
                    self.overdue = true;
                    self.jump_to_refresh(now_us);
                }
                return;
            }
        }
    }

    /// Whether the packet in front is known to be missing, and not only slow.
    fn front_asked(&self) -> bool {
        self.gaps.first_key_value().is_some_and(|(_, gap)| gap.asked > 0)
    }

    /// Whether the frame in front cannot be decoded even when it becomes whole.
    fn front_is_useless(&self) -> bool {
        let Some((sequence, _)) = self.gaps.first_key_value() else { return false };
        self.extents.at(*sequence).is_some_and(|extent| !self.is_refresh(extent))
    }

    /// Declares what is missing in front lost, and with it every frame until a refresh.
    pub(super) fn give_up(&mut self, now_us: u64) {
        let Some(next) = self.next else { return };
        let front = self.gaps.first_key_value().map_or(next, |(sequence, _)| *sequence);
        let after = match self.extents.at(front) {
            Some(extent) => extent.end(),
            None => {
                let held = self.held.from(front).next().map(|(sequence, _)| *sequence);
                let frame = self.extents.from(front).next().map(|extent| extent.first);
                held.into_iter().chain(frame).min().unwrap_or(self.covered + 1)
            }
        };
        self.lose_until(after.max(next + 1));
        self.waiting = true;
        self.drain(now_us);
    }

    fn lose_until(&mut self, after: u64) {
        self.stats.packets_lost += self.gaps.range(..after).filter(|(_, gap)| gap.asked == 0).count() as u64;
        let whole_frames = self.next.map_or(0, |next| self.extents.from(next).take_while(|e| e.end() <= after).count());
        self.stats.frames_lost += self.builder.abandon() + whole_frames as u64;
        self.after_gap = true;
        self.overdue = false;
        self.advance(after);
    }

    /// Goes on at a complete keyframe or recovery frame behind what is missing.
    pub(super) fn jump_to_refresh(&mut self, now_us: u64) {
        let (Some(next), false) = (self.next, self.gaps.is_empty()) else { return };
        let marked = self.extents.from(next + 1).find(|e| self.is_refresh(e) && self.is_whole(e)).map(|e| e.first);
        if let Some(first) = marked.or_else(|| self.unmarked_keyframe(next)) {
            self.lose_until(first);
            self.drain(now_us);
        }
    }

    /// The same when the packet that just came, at `sequence`, may have completed such a frame.
    pub(super) fn jump_if_refresh(&mut self, now_us: u64, sequence: u64) {
        let (Some(next), false) = (self.next, self.gaps.is_empty()) else { return };
        let first = match self.extents.at(sequence) {
            Some(e) => (e.first > next && self.is_refresh(e) && self.is_whole(e)).then_some(e.first),
            None => self.unmarked_keyframe(next),
        };
        if let Some(first) = first {
            self.lose_until(first);
            self.drain(now_us);
        }
    }

    fn is_whole(&self, extent: &Extent) -> bool {
        (extent.first..extent.media_end()).all(|at| self.held.contains(at))
    }

    /// A whole keyframe of a sender that marks nothing, told by its parameter sets.
    fn unmarked_keyframe(&self, next: u64) -> Option<u64> {
        let mut start: Option<(u64, u64, u32)> = None;
        for (at, held) in self.held.from(next + 1) {
            start = start.filter(|(_, last, timestamp)| last + 1 == *at && *timestamp == held.timestamp);
            match &mut start {
                Some((_, last, _)) => *last = *at,
                None if !held.is_fec && starts_keyframe(&held.payload) => start = Some((*at, *at, held.timestamp)),
                None => {}
            }
            if held.marker
                && let Some((first, ..)) = start
            {
                return Some(first);
            }
        }
        None
    }

    pub(super) fn next_want_us(&self) -> Option<u64> {
        ((self.waiting || self.overdue) && self.next.is_some())
            .then(|| self.wanted_us.map_or(0, |at| at + self.recovery_pause_us()))
    }

    fn recovery_pause_us(&self) -> u64 {
        // The answer takes a round trip and a frame's coding and sending.
        (self.round_trip_us + 4 * self.variance_us + 60_000).max(MIN_RECOVERY_PAUSE_US)
    }

    pub(super) fn want_recovery(&mut self, now_us: u64) {
        if self.next_want_us().is_some_and(|due_us| now_us >= due_us) {
            self.wanted_us = Some(now_us);
            self.stats.recoveries_wanted += 1;
            self.emit(ReceiverOutput::RecoveryWanted);
        }
    }
}
