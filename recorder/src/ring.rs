//! The last seconds of every topic, within a budget of memory.

use protocol::Message;
use std::collections::{BTreeMap, VecDeque};

/// Losses are remembered in steps of this, for the pre-roll of episodes that begin later.
const LOSS_STEP_NS: u64 = 100_000_000;

struct Stored {
    /// Order of arrival over all topics.
    order: u64,
    message: Message,
}

#[derive(Default)]
struct TopicRing {
    video: bool,
    /// A frame is missing: what follows cannot be shown until the next keyframe.
    broken: bool,
    stored: VecDeque<Stored>,
    /// Video only: order and log time of the stored keyframes. The first one is `stored`'s front.
    keyframes: VecDeque<(u64, u64)>,
}

impl TopicRing {
    fn pop(&mut self) -> Option<Message> {
        let stored = self.stored.pop_front()?;
        if self.keyframes.front().is_some_and(|&(order, _)| order == stored.order) {
            self.keyframes.pop_front();
        }
        Some(stored.message)
    }

    /// Where a reader that wants everything from `from_ns` on has to start: order and log time of the newest keyframe
    /// at or before it, or of the first keyframe that there is.
    fn entry(&self, from_ns: u64) -> Option<(u64, u64)> {
        self.keyframes.iter().rev().find(|&&(_, log)| log <= from_ns).or(self.keyframes.front()).copied()
    }
}

/// Ring over all topics; sorted by nothing but arrival.
pub(crate) struct Ring {
    window_ns: u64,
    max_bytes: usize,
    bytes: usize,
    next_order: u64,
    newest_ns: u64,
    topics: BTreeMap<&'static str, TopicRing>,
    lost: BTreeMap<(u64, &'static str), u64>,
}

impl Ring {
    pub(crate) fn new(window_ns: u64, max_bytes: usize) -> Self {
        Self {
            window_ns,
            max_bytes,
            bytes: 0,
            next_order: 0,
            newest_ns: 0,
            topics: BTreeMap::new(),
            lost: BTreeMap::new(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, message: Message) {
        let order = self.next_order;
        self.next_order += 1;
        self.newest_ns = self.newest_ns.max(message.log_time_ns);
        let (name, log_ns) = (message.topic.name, message.log_time_ns);
        let ring = self.topics.entry(name).or_default();
        ring.video = message.topic.is_video();
        // A frame whose keyframe is not here can never be shown.
        if ring.video && !message.keyframe && (ring.keyframes.is_empty() || ring.broken) {
            self.note_loss(name, log_ns, 1);
            return;
        }
        if ring.video && message.keyframe {
            ring.keyframes.push_back((order, log_ns));
            ring.broken = false;
        }
        self.bytes += message.cost_bytes();
        ring.stored.push_back(Stored { order, message });
        self.forget_what_is_old();
        self.keep_to_the_budget();
    }

    /// Counts messages that never came to the ring, or left it too early.
    pub(crate) fn note_loss(&mut self, topic: &'static str, log_ns: u64, count: u64) {
        *self.lost.entry((log_ns / LOSS_STEP_NS, topic)).or_default() += count;
    }

    /// A message that never came: pictures that build on it cannot be decoded.
    pub(crate) fn break_off(&mut self, topic: &'static protocol::Topic) {
        if topic.is_video() {
            self.topics.entry(topic.name).or_default().broken = true;
        }
    }

    /// Everything needed to show `from_ns` and later, in order of log time: all topics from the oldest needed keyframe
    /// on, and each video from its own keyframe.
    pub(crate) fn pre_roll(&self, from_ns: u64) -> Vec<Message> {
        let start_ns = self.start_of(from_ns);
        let mut found: Vec<&Stored> = Vec::new();
        for ring in self.topics.values() {
            if ring.video {
                let Some((entry, _)) = ring.entry(from_ns) else { continue };
                found.extend(ring.stored.iter().filter(|stored| stored.order >= entry));
            } else {
                found.extend(ring.stored.iter().filter(|stored| stored.message.log_time_ns >= start_ns));
            }
        }
        found.sort_by_key(|stored| (stored.message.log_time_ns, stored.order));
        found.into_iter().map(|stored| stored.message.clone()).collect()
    }

    /// Messages lost at `from_ns` and later, by topic; to the step of [`LOSS_STEP_NS`].
    pub(crate) fn lost_since(&self, from_ns: u64) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ((_, topic), count) in self.lost.range((from_ns / LOSS_STEP_NS, "")..) {
            *sums.entry((*topic).to_owned()).or_default() += count;
        }
        sums
    }

    fn start_of(&self, from_ns: u64) -> u64 {
        let entries = self.topics.values().filter_map(|ring| ring.entry(from_ns));
        entries.map(|(_, log)| log).fold(from_ns, u64::min)
    }

    fn forget_what_is_old(&mut self) {
        let cutoff_ns = self.newest_ns.saturating_sub(self.window_ns);
        let mut freed = 0;
        for ring in self.topics.values_mut().filter(|ring| ring.video) {
            // A camera that fell silent must not hold everybody else's messages.
            let silent = ring.stored.back().is_some_and(|stored| stored.message.log_time_ns < cutoff_ns);
            while let Some(front) = ring.stored.front() {
                let superseded = ring.keyframes.get(1).is_some_and(|&(_, log)| log <= cutoff_ns);
                let in_old_group = ring.keyframes.front().is_none_or(|&(order, _)| front.order < order);
                if !silent && !superseded && !in_old_group {
                    break;
                }
                freed += ring.pop().map_or(0, |message| message.cost_bytes());
            }
        }
        let start_ns = self.start_of(cutoff_ns);
        for ring in self.topics.values_mut().filter(|ring| !ring.video) {
            while ring.stored.front().is_some_and(|stored| stored.message.log_time_ns < start_ns) {
                freed += ring.pop().map_or(0, |message| message.cost_bytes());
            }
        }
        self.bytes -= freed;
        if self.lost.first_key_value().is_some_and(|((step, _), _)| *step < start_ns / LOSS_STEP_NS) {
            self.lost = self.lost.split_off(&(start_ns / LOSS_STEP_NS, ""));
        }
    }

    fn keep_to_the_budget(&mut self) {
        while self.bytes > self.max_bytes {
            let fronts = self.topics.iter().filter_map(|(name, ring)| Some((ring.stored.front()?.order, *name)));
            let Some((_, name)) = fronts.min() else { return };
            self.drop_oldest_of(name);
        }
    }

    /// Drops one message, or for video the whole group that hangs on the keyframe.
    fn drop_oldest_of(&mut self, name: &'static str) {
        let Some(ring) = self.topics.get_mut(name) else { return };
        let mut dropped = Vec::new();
        while let Some(message) = ring.pop() {
            dropped.push((message.log_time_ns, message.cost_bytes()));
            let next_is_entry = match (ring.stored.front(), ring.keyframes.front()) {
                (Some(front), Some(&(order, _))) => front.order == order,
                _ => false,
            };
            if !ring.video || next_is_entry {
                break;
            }
        }
        for (log_ns, cost) in dropped {
            self.bytes -= cost;
            self.note_loss(name, log_ns, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::topics;

    const MS: u64 = 1_000_000;

    fn message(topic: &'static protocol::Topic, ms: u64, keyframe: bool) -> Message {
        let data = Bytes::from(vec![0; 100]);
        Message { topic, sequence: 0, log_time_ns: ms * MS, publish_time_ns: 0, data, keyframe }
    }

    fn times(messages: &[Message], topic: &protocol::Topic) -> Vec<u64> {
        messages.iter().filter(|m| m.topic == topic).map(|m| m.log_time_ns / MS).collect()
    }

    fn drive(ring: &mut Ring, until_ms: u64) {
        for ms in (0..=until_ms).step_by(10) {
            ring.push(message(&topics::VEHICLE_STATE, ms, false));
            if ms % 50 == 0 {
                ring.push(message(&topics::CAMERA_FRONT, ms, ms % 1000 == 0));
            }
        }
    }

    #[test]
    fn the_pre_roll_starts_at_the_keyframe_before_the_request_for_every_topic() {
        let mut ring = Ring::new(3_000 * MS, usize::MAX);
        drive(&mut ring, 10_500);
        let got = ring.pre_roll(7_500 * MS);
        assert_eq!(times(&got, &topics::CAMERA_FRONT), (7_000..=10_500).step_by(50).collect::<Vec<_>>());
        assert_eq!(times(&got, &topics::VEHICLE_STATE), (7_000..=10_500).step_by(10).collect::<Vec<_>>());
        assert!(got.is_sorted_by_key(|m| m.log_time_ns));
    }

    #[test]
    fn the_ring_holds_the_window_and_one_group_more() {
        let mut ring = Ring::new(3_000 * MS, usize::MAX);
        drive(&mut ring, 60_000);
        let all = ring.pre_roll(0);
        assert_eq!(all.first().unwrap().log_time_ns, 57_000 * MS);
        assert_eq!(ring.bytes(), all.iter().map(Message::cost_bytes).sum::<usize>());
    }

    #[test]
    fn a_camera_that_fell_silent_does_not_hold_the_rest() {
        let mut ring = Ring::new(1_000 * MS, usize::MAX);
        drive(&mut ring, 500);
        for ms in (510..20_000).step_by(10) {
            ring.push(message(&topics::VEHICLE_STATE, ms, false));
        }
        let all = ring.pre_roll(0);
        assert_eq!(times(&all, &topics::CAMERA_FRONT), Vec::<u64>::new());
        assert_eq!(all.len(), 101);
    }

    #[test]
    fn over_budget_the_oldest_goes_first_with_the_frames_that_hang_on_it() {
        let cost = message(&topics::SCAN, 0, false).cost_bytes();
        let mut ring = Ring::new(u64::MAX, 150 * cost);
        drive(&mut ring, 3_000);
        assert!(ring.bytes() <= 150 * cost);
        let all = ring.pre_roll(0);
        let video: Vec<_> = all.iter().filter(|m| m.topic == &topics::CAMERA_FRONT).collect();
        assert!(video[0].keyframe);
        let offered: u64 = 301 + 61;
        let lost = ring.lost_since(0);
        assert_eq!(lost.values().sum::<u64>() + all.len() as u64, offered);
        assert!(lost.contains_key("/vehicle/state") && lost.contains_key("/camera/front"));
    }

    #[test]
    fn frames_without_a_keyframe_are_counted_and_not_kept() {
        let mut ring = Ring::new(1_000 * MS, usize::MAX);
        ring.push(message(&topics::CAMERA_FRONT, 0, false));
        assert_eq!(ring.bytes(), 0);
        assert_eq!(ring.lost_since(0)["/camera/front"], 1);
        ring.push(message(&topics::SCAN, 60_000, false));
        assert!(ring.lost_since(0).is_empty(), "a loss older than the window is forgotten");
    }

    #[test]
    fn a_message_larger_than_the_budget_is_dropped_alone_with_all_before_it() {
        let mut ring = Ring::new(1_000 * MS, 10);
        ring.push(message(&topics::SCAN, 0, false));
        assert_eq!(ring.bytes(), 0);
        assert_eq!(ring.lost_since(0)["/scan"], 1);
    }
}
