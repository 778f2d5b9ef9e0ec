//! The recorder as a state machine: messages and triggers in, actions on files out. It has no clock and no files.

use crate::{EpisodeInfo, Message, ring::Ring};
use protocol::EpisodeId;
use std::collections::{BTreeMap, BTreeSet};

/// How much to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecorderConfig {
    /// Time before a takeover that belongs to its episode.
    pub pre_roll_ns: u64,
    /// Time after a takeover that belongs to its episode.
    pub post_roll_ns: u64,
    /// Memory for the ring; beyond it the oldest messages go, and are counted.
    pub max_bytes: usize,
}

impl Default for RecorderConfig {
    /// 10 s before, 5 s after, 256 MiB.
    fn default() -> Self {
        Self { pre_roll_ns: 10_000_000_000, post_roll_ns: 5_000_000_000, max_bytes: 256 << 20 }
    }
}

/// What the shell has to do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open the episode's file.
    Open(EpisodeInfo),
    /// Write a message to it.
    Write(EpisodeId, Message),
    /// Finish it; the description is complete now.
    Close(EpisodeId, EpisodeInfo),
}

struct Open {
    info: EpisodeInfo,
    /// End of the post-roll, once the takeover has ended.
    close_at_ns: Option<u64>,
    /// Video topics that have had their first keyframe in this episode.
    shown: BTreeSet<&'static str>,
}

impl Open {
    fn wants(&self, log_ns: u64) -> bool {
        self.close_at_ns.is_none_or(|close_at| log_ns <= close_at)
    }

    fn count_drops(&mut self, topic: &str, count: u64) {
        *self.info.drops.entry(topic.to_owned()).or_default() += count;
    }

    /// Counts a frame that nobody could show, and says whether the message goes into the file.
    fn takes(&mut self, message: &Message) -> bool {
        if !self.wants(message.log_time_ns) {
            return false;
        }
        if message.topic.is_video() && !self.shown.contains(message.topic.name) {
            if !message.keyframe {
                self.count_drops(message.topic.name, 1);
                return false;
            }
            self.shown.insert(message.topic.name);
        }
        true
    }
}

/// Ring of the last seconds and the episodes in progress.
///
/// ```
/// use recorder::{Action, EpisodeInfo, Recorder, RecorderConfig};
/// # use protocol::{EpisodeId, PolicyVersion, VehicleId};
/// # let info = EpisodeInfo::new(EpisodeId::new("e")?, VehicleId::new("v")?, PolicyVersion::new("p")?);
/// let mut recorder = Recorder::new(RecorderConfig::default());
/// let id = info.id.clone();
/// assert!(matches!(recorder.begin(60_000_000_000, info)[..], [Action::Open(_)]));
/// recorder.end(70_000_000_000, &id);
/// assert!(recorder.poll(74_999_999_999).is_empty());
/// assert!(matches!(recorder.poll(75_000_000_000)[..], [Action::Close(..)]));
/// # Ok::<(), protocol::IdError>(())
/// ```
pub struct Recorder {
    config: RecorderConfig,
    ring: Ring,
    open: Vec<Open>,
    lost: BTreeMap<&'static str, u64>,
}

impl Recorder {
    /// An empty recorder.
    #[must_use]
    pub fn new(config: RecorderConfig) -> Self {
        let ring = Ring::new(config.pre_roll_ns, config.max_bytes);
        Self { config, ring, open: Vec::new(), lost: BTreeMap::new() }
    }

    /// Takes a message into the ring and into every episode that wants it. An episode's video starts at a keyframe;
    /// frames before it are counted among its drops.
    pub fn push(&mut self, message: Message) -> Vec<Action> {
        let mut actions = Vec::new();
        for open in &mut self.open {
            if open.takes(&message) {
                actions.push(Action::Write(open.info.id.clone(), message.clone()));
            }
        }
        self.ring.push(message);
        actions
    }

    /// A takeover begins at `now_ns`: opens its episode and writes the pre-roll, from the keyframe at or before the
    /// requested start. Fills in the times of `info`. An episode that is open already stays as it is.
    pub fn begin(&mut self, now_ns: u64, mut info: EpisodeInfo) -> Vec<Action> {
        if self.open.iter().any(|open| open.info.id == info.id) {
            return Vec::new();
        }
        let from_ns = now_ns.saturating_sub(self.config.pre_roll_ns);
        let pre_roll = self.ring.pre_roll(from_ns);
        info.takeover_ns = now_ns;
        info.takeover_end_ns = None;
        info.requested_pre_roll_ns = self.config.pre_roll_ns;
        info.requested_post_roll_ns = self.config.post_roll_ns;
        info.start_ns = pre_roll.first().map_or(now_ns, |first| first.log_time_ns.min(now_ns));
        info.actual_pre_roll_ns = now_ns - info.start_ns;
        info.end_ns = now_ns;
        for (topic, count) in self.ring.lost_since(from_ns.min(info.start_ns)) {
            *info.drops.entry(topic).or_default() += count;
        }
        let id = info.id.clone();
        let videos = pre_roll.iter().filter(|message| message.topic.is_video());
        let shown = videos.map(|message| message.topic.name).collect();
        self.open.push(Open { info: info.clone(), close_at_ns: None, shown });
        let writes = pre_roll.into_iter().map(|message| Action::Write(id.clone(), message));
        std::iter::once(Action::Open(info)).chain(writes).collect()
    }

    /// The takeover ends at `now_ns`: its post-roll starts. Answers whether the episode is open; a second end changes
    /// nothing.
    pub fn end(&mut self, now_ns: u64, id: &EpisodeId) -> bool {
        let Some(open) = self.open.iter_mut().find(|open| open.info.id == *id) else { return false };
        if open.close_at_ns.is_none() {
            open.info.takeover_end_ns = Some(now_ns);
            open.close_at_ns = Some(now_ns.saturating_add(self.config.post_roll_ns));
        }
        true
    }

    /// Changes the description of an open episode, such as a cause that is known only at the end. Times, drops and
    /// identity are the recorder's own and stay. Answers whether the episode is open.
    pub fn describe(&mut self, id: &EpisodeId, change: impl FnOnce(&mut EpisodeInfo)) -> bool {
        let Some(open) = self.open.iter_mut().find(|open| open.info.id == *id) else { return false };
        let mut changed = open.info.clone();
        change(&mut changed);
        open.info.cause = changed.cause;
        open.info.reason = changed.reason;
        open.info.policy = changed.policy;
        true
    }

    /// Closes the episodes whose post-roll is over at `now_ns`. Call it with the time of the newest message or later.
    pub fn poll(&mut self, now_ns: u64) -> Vec<Action> {
        self.close_where(|open| open.close_at_ns.is_some_and(|close_at| close_at <= now_ns), now_ns)
    }

    /// Closes everything at `now_ns`, whether its takeover ended or not: the robot shuts down.
    pub fn close_all(&mut self, now_ns: u64) -> Vec<Action> {
        self.close_where(|_| true, now_ns)
    }

    /// Counts messages of `topic` that were lost before they came here.
    pub fn note_loss(&mut self, topic: &'static str, log_time_ns: u64, count: u64) {
        for open in self.open.iter_mut().filter(|open| open.wants(log_time_ns)) {
            open.count_drops(topic, count);
        }
        self.ring.note_loss(topic, log_time_ns, count);
        *self.lost.entry(topic).or_default() += count;
    }

    /// Counts a message that could not be written to one episode.
    pub(crate) fn note_unwritten(&mut self, id: &EpisodeId, topic: &'static str) {
        if let Some(open) = self.open.iter_mut().find(|open| open.info.id == *id) {
            open.count_drops(topic, 1);
        }
    }

    /// What [`Self::note_loss`] has counted, by topic.
    #[must_use]
    pub fn lost(&self) -> &BTreeMap<&'static str, u64> {
        &self.lost
    }

    /// Memory that the ring holds now.
    #[must_use]
    pub fn ring_bytes(&self) -> usize {
        self.ring.bytes()
    }

    /// Episodes in progress, oldest first.
    pub fn open_episodes(&self) -> impl Iterator<Item = &EpisodeInfo> {
        self.open.iter().map(|open| &open.info)
    }

    fn close_where(&mut self, ready: impl Fn(&Open) -> bool, now_ns: u64) -> Vec<Action> {
        let closing = self.open.extract_if(.., |open| ready(open));
        let close = |mut open: Open| {
            open.info.end_ns = open.close_at_ns.unwrap_or(now_ns).min(now_ns).max(open.info.start_ns);
            Action::Close(open.info.id.clone(), open.info)
        };
        closing.map(close).collect()
    }
}
