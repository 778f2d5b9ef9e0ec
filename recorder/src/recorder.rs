//! The recorder as a state machine: messages and triggers in, actions on files out. It has no clock and no files.

use crate::{ring::Ring, seats::Seats};
use protocol::trigger::Fired;
use protocol::{EpisodeId, EpisodeInfo, Message, Topic, Trigger, Triggered};
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
pub enum RecorderAction {
    /// Open the episode's file.
    Open(EpisodeInfo),
    /// Write a message to it.
    Write(EpisodeId, Message),
    /// Finish it; the description is complete now.
    Close(EpisodeId, EpisodeInfo),
}

/// A trigger and, for a rule, its name.
type Key = (Trigger, String);

struct Open {
    info: EpisodeInfo,
    /// Triggers that have begun and not ended.
    active: BTreeSet<Key>,
    /// End of the post-roll, once every trigger has ended.
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

    fn note(&mut self, key: &Key, now_ns: u64, detail: String) {
        let (trigger, name) = key.clone();
        self.info.triggers.push(Triggered { trigger, name, at_ns: now_ns, until_ns: None, detail });
    }

    /// Notes the end of a trigger; the post-roll starts with the last one. Returns whether it was in force here.
    fn note_end(&mut self, key: &Key, now_ns: u64, post_roll_ns: u64) -> bool {
        let same = |t: &&mut Triggered| t.until_ns.is_none() && t.trigger == key.0 && t.name == key.1;
        if let Some((index, triggered)) = self.info.triggers.iter_mut().enumerate().find(|(_, t)| same(t)) {
            triggered.until_ns = Some(now_ns);
            if index == 0 {
                self.info.takeover_end_ns = Some(now_ns);
            }
        }
        let held = self.active.remove(key);
        if held && self.active.is_empty() {
            self.close_at_ns = Some(now_ns.saturating_add(post_roll_ns));
        }
        held
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
/// use protocol::EpisodeInfo;
/// use recorder::{RecorderAction, Recorder, RecorderConfig};
/// # use protocol::{EpisodeId, PolicyVersion, VehicleId};
/// # let info = EpisodeInfo::new(EpisodeId::new("e")?, VehicleId::new("v")?, PolicyVersion::new("p")?);
/// let mut recorder = Recorder::new(RecorderConfig::default());
/// let id = info.id.clone();
/// assert!(matches!(recorder.begin(60_000_000_000, info)[..], [RecorderAction::Open(_)]));
/// recorder.end(70_000_000_000, &id);
/// assert!(recorder.poll(74_999_999_999).is_empty());
/// assert!(matches!(recorder.poll(75_000_000_000)[..], [RecorderAction::Close(..)]));
/// # Ok::<(), protocol::IdError>(())
/// ```
pub struct Recorder {
    config: RecorderConfig,
    ring: Ring,
    open: Vec<Open>,
    lost: BTreeMap<&'static str, u64>,
    seats: Seats,
}

impl Recorder {
    /// An empty recorder.
    #[must_use]
    pub fn new(config: RecorderConfig) -> Self {
        let ring = Ring::new(config.pre_roll_ns, config.max_bytes);
        Self { config, ring, open: Vec::new(), lost: BTreeMap::new(), seats: Seats::default() }
    }

    /// Takes a message into the ring and into every episode that wants it. An episode's video starts at a keyframe;
    /// frames before it are counted among its drops.
    pub fn push(&mut self, message: Message) -> Vec<RecorderAction> {
        let mut actions = Vec::new();
        let holder = self.seats.note(&message);
        for open in &mut self.open {
            if let Some(seat) = holder.filter(|seat| open.wants(message.log_time_ns) && !open.info.seats.contains(seat))
            {
                open.info.seats.push(seat.clone());
            }
            if open.takes(&message) {
                actions.push(RecorderAction::Write(open.info.id.clone(), message.clone()));
            }
        }
        self.ring.push(message);
        actions
    }

    /// A takeover begins at `now_ns`: opens its episode and writes the pre-roll, from the keyframe at or before the
    /// requested start. Fills in the times of `info`. An episode that is open already stays as it is.
    pub fn begin(&mut self, now_ns: u64, info: EpisodeInfo) -> Vec<RecorderAction> {
        let key = (info.trigger, String::new());
        self.open(now_ns, info, &key)
    }

    /// What else fired at `now_ns`. Episodes that are being recorded note it, and the one that lasts longest is kept
    /// open until the trigger's own post-roll is over; when none is being recorded it gets one, described by
    /// `describe`.
    pub fn trigger(
        &mut self,
        now_ns: u64,
        fired: Fired,
        describe: impl FnOnce() -> EpisodeInfo,
    ) -> Vec<RecorderAction> {
        match fired {
            Fired::Ends { trigger, name } => {
                let key = (trigger, name);
                for open in &mut self.open {
                    open.note_end(&key, now_ns, self.config.post_roll_ns);
                }
                Vec::new()
            }
            Fired::Begins { trigger, name, detail } => {
                let key = (trigger, name);
                let last = self.open.iter_mut().filter(|open| open.wants(now_ns));
                if let Some(last) = last.max_by_key(|open| open.close_at_ns.unwrap_or(u64::MAX)) {
                    last.active.insert(key.clone());
                    last.close_at_ns = None;
                    self.open.iter_mut().filter(|o| o.wants(now_ns)).for_each(|o| o.note(&key, now_ns, detail.clone()));
                    return Vec::new();
                }
                let mut info = describe();
                info.trigger = trigger;
                info.reason = detail;
                self.open(now_ns, info, &key)
            }
        }
    }

    fn open(&mut self, now_ns: u64, mut info: EpisodeInfo, key: &Key) -> Vec<RecorderAction> {
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
        info.seats = self.seats.since(info.start_ns);
        for (topic, count) in self.ring.lost_since(from_ns.min(info.start_ns)) {
            *info.drops.entry(topic).or_default() += count;
        }
        let id = info.id.clone();
        let videos = pre_roll.iter().filter(|message| message.topic.is_video());
        let shown = videos.map(|message| message.topic.name).collect();
        info.triggers.clear();
        let mut open = Open { info, active: BTreeSet::from([key.clone()]), close_at_ns: None, shown };
        open.note(key, now_ns, open.info.reason.clone());
        let info = open.info.clone();
        self.open.push(open);
        let writes = pre_roll.into_iter().map(|message| RecorderAction::Write(id.clone(), message));
        std::iter::once(RecorderAction::Open(info)).chain(writes).collect()
    }

    /// The takeover ends at `now_ns`: its post-roll starts. Returns whether the episode is open; a second end changes
    /// nothing.
    pub fn end(&mut self, now_ns: u64, id: &EpisodeId) -> bool {
        let Some(open) = self.open.iter_mut().find(|open| open.info.id == *id) else { return false };
        let key = (open.info.trigger, open.info.triggers.first().map_or_else(String::new, |first| first.name.clone()));
        open.note_end(&key, now_ns, self.config.post_roll_ns);
        true
    }

    /// Changes the description of an open episode, such as a cause that is known only at the end. Times, drops and
    /// identity are the recorder's own and stay. Returns whether the episode is open.
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
    pub fn poll(&mut self, now_ns: u64) -> Vec<RecorderAction> {
        self.close_where(|open| open.close_at_ns.is_some_and(|close_at| close_at <= now_ns), now_ns)
    }

    /// Closes everything at `now_ns`, whether its takeover ended or not: the robot shuts down.
    pub fn close_all(&mut self, now_ns: u64) -> Vec<RecorderAction> {
        self.close_where(|_| true, now_ns)
    }

    /// Counts messages of `topic` that were lost before they came here. Pictures that build on lost ones are left out,
    /// and counted, until the next keyframe.
    pub fn note_loss(&mut self, topic: &'static Topic, log_time_ns: u64, count: u64) {
        for open in self.open.iter_mut().filter(|open| open.wants(log_time_ns)) {
            open.count_drops(topic.name, count);
            open.shown.remove(topic.name);
        }
        self.ring.note_loss(topic.name, log_time_ns, count);
        self.ring.break_off(topic);
        *self.lost.entry(topic.name).or_default() += count;
    }

    /// Counts a message that could not be written to one episode.
    pub(crate) fn note_unwritten(&mut self, id: &EpisodeId, topic: &'static Topic) {
        if let Some(open) = self.open.iter_mut().find(|open| open.info.id == *id) {
            open.count_drops(topic.name, 1);
            open.shown.remove(topic.name);
            *self.lost.entry(topic.name).or_default() += 1;
        }
    }

    /// The description of an open episode as it is now.
    pub(crate) fn description(&self, id: &EpisodeId) -> Option<&EpisodeInfo> {
        self.open_episodes().find(|info| info.id == *id)
    }

    /// What the ring holds from `from_ns` on, video from a keyframe on, and what it had to let go.
    pub(crate) fn held(&self, from_ns: u64) -> (Vec<Message>, BTreeMap<String, u64>) {
        (self.ring.pre_roll(from_ns), self.ring.lost_since(from_ns))
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

    fn close_where(&mut self, ready: impl Fn(&Open) -> bool, now_ns: u64) -> Vec<RecorderAction> {
        let closing = self.open.extract_if(.., |open| ready(open));
        let close = |mut open: Open| {
            open.info.end_ns = open.close_at_ns.unwrap_or(now_ns).min(now_ns).max(open.info.start_ns);
            RecorderAction::Close(open.info.id.clone(), open.info)
        };
        closing.map(close).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{EpisodeId, PolicyVersion, VehicleId};

    const S: u64 = 1_000_000_000;

    fn info(id: &str) -> EpisodeInfo {
        EpisodeInfo::new(EpisodeId::new(id).unwrap(), VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap())
    }

    fn begins(trigger: Trigger) -> Fired {
        Fired::Begins { trigger, name: String::new(), detail: "why".into() }
    }

    fn ends(trigger: Trigger) -> Fired {
        Fired::Ends { trigger, name: String::new() }
    }

    #[test]
    fn a_hard_brake_alone_gets_an_episode_with_pre_and_post_roll() {
        let mut recorder = Recorder::new(RecorderConfig::default());
        assert_eq!(recorder.trigger(20 * S, begins(Trigger::HardBrake), || info("b")).len(), 1);
        recorder.trigger(21 * S, ends(Trigger::HardBrake), || info("never"));
        assert!(recorder.poll(25 * S).is_empty());
        let closed = recorder.poll(26 * S);
        let [RecorderAction::Close(_, done)] = &closed[..] else { panic!("{closed:?}") };
        assert_eq!((done.trigger, done.takeover_ns, done.takeover_end_ns), (Trigger::HardBrake, 20 * S, Some(21 * S)));
        assert_eq!((done.end_ns, done.reason.as_str(), done.triggers.len()), (26 * S, "why", 1));
    }

    #[test]
    fn a_trigger_within_a_takeovers_post_roll_joins_and_prolongs_it() {
        let mut recorder = Recorder::new(RecorderConfig::default());
        recorder.begin(20 * S, info("t"));
        recorder.end(30 * S, &info("t").id);
        assert!(recorder.trigger(34 * S, begins(Trigger::Bookmark), || info("never")).is_empty());
        assert!(recorder.poll(36 * S).is_empty(), "the bookmark lasts");
        recorder.trigger(36 * S, ends(Trigger::Bookmark), || info("never"));
        recorder.trigger(37 * S, ends(Trigger::Estop), || info("never"));
        let closed = recorder.poll(41 * S);
        let [RecorderAction::Close(_, done)] = &closed[..] else { panic!("{closed:?}") };
        assert_eq!((done.trigger, done.takeover_end_ns, done.end_ns), (Trigger::Takeover, Some(30 * S), 41 * S));
        let fired: Vec<_> = done.triggers.iter().map(|t| (t.trigger, t.until_ns)).collect();
        assert_eq!(fired, [(Trigger::Takeover, Some(30 * S)), (Trigger::Bookmark, Some(36 * S))]);
    }

    #[test]
    fn a_takeover_during_another_triggers_episode_has_one_of_its_own() {
        let mut recorder = Recorder::new(RecorderConfig::default());
        recorder.trigger(20 * S, begins(Trigger::NearMiss), || info("n"));
        assert!(matches!(recorder.begin(21 * S, info("t"))[..], [RecorderAction::Open(_)]));
        recorder.trigger(22 * S, ends(Trigger::NearMiss), || info("never"));
        recorder.trigger(23 * S, begins(Trigger::Fault), || info("never"));
        let closed = recorder.poll(27 * S);
        assert!(matches!(&closed[..], [RecorderAction::Close(id, _)] if id.as_str() == "n"), "{closed:?}");
        recorder.end(28 * S, &info("t").id);
        assert!(recorder.poll(60 * S).is_empty(), "the fault lasts");
    }

    #[test]
    fn an_episode_names_every_seat_that_held_the_vehicle_within_it() {
        use protocol::v1::{AuthorityState, Mode};
        let mut recorder = Recorder::new(RecorderConfig::default());
        let held = |recorder: &mut Recorder, at_s: u64, seat: &str, mode: Mode| {
            let state = AuthorityState { seat_id: seat.into(), mode: mode.into(), ..Default::default() };
            recorder.push(Message::encode(&protocol::topics::AUTHORITY, at_s as u32, at_s * S, at_s * S, &state));
        };
        held(&mut recorder, 1, "long-ago", Mode::Drive);
        held(&mut recorder, 12, "before", Mode::Drive);
        held(&mut recorder, 13, "looked-on", Mode::Monitor);
        recorder.begin(20 * S, info("e"));
        held(&mut recorder, 21, "first", Mode::Drive);
        held(&mut recorder, 23, "second", Mode::Assist);
        recorder.end(24 * S, &EpisodeId::new("e").unwrap());
        let closed = recorder.poll(29 * S);
        let [RecorderAction::Close(_, done)] = &closed[..] else { panic!("{closed:?}") };
        let seats: Vec<_> = done.seats.iter().map(protocol::SeatId::as_str).collect();
        assert_eq!(seats, ["before", "first", "second"]);
    }
}
