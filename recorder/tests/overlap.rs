//! A thousand takeovers at random moments of a long drive in virtual time: every episode must hold exactly what was
//! recorded between its start and its end, and reach back far enough.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, Topic, VehicleId, topics};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recorder::{Recorder, RecorderAction, RecorderConfig};
use std::collections::BTreeMap;

const MS: u64 = 1_000_000;
const PRE_ROLL_NS: u64 = 10_000 * MS;
const POST_ROLL_NS: u64 = 5_000 * MS;
const TAKEOVERS: usize = 1_000;

fn message(topic: &'static Topic, log_ms: u64, keyframe: bool, sequence: u32) -> Message {
    let data = Bytes::from_static(&[0; 64]);
    Message { topic, sequence, log_time_ns: log_ms * MS, publish_time_ns: log_ms * MS - MS, data, keyframe }
}

/// State at 50 Hz, lidar at 10 Hz, video at 20 Hz with a keyframe at most a second apart.
fn drive(rng: &mut ChaCha8Rng, until_ms: u64) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut since_keyframe = 0;
    for ms in (20..until_ms).step_by(10) {
        if ms % 20 == 0 {
            messages.push(message(&topics::VEHICLE_STATE, ms, false, (ms / 20) as u32));
        }
        if ms % 100 == 0 {
            messages.push(message(&topics::SCAN, ms, false, (ms / 100) as u32));
        }
        if ms % 50 == 0 {
            let keyframe = ms == 50 || since_keyframe >= 19 || rng.random_bool(0.05);
            since_keyframe = if keyframe { 0 } else { since_keyframe + 1 };
            messages.push(message(&topics::CAMERA_FRONT, ms, keyframe, (ms / 50) as u32));
        }
    }
    messages
}

#[derive(Default)]
struct Files {
    open: BTreeMap<EpisodeId, Vec<Message>>,
    done: Vec<(EpisodeInfo, Vec<Message>)>,
    most_open: usize,
}

impl Files {
    fn perform(&mut self, actions: Vec<RecorderAction>) {
        for action in actions {
            match action {
                RecorderAction::Open(info) => assert!(self.open.insert(info.id, Vec::new()).is_none()),
                RecorderAction::Write(id, message) => self.open.get_mut(&id).unwrap().push(message),
                RecorderAction::Close(id, info) => self.done.push((info, self.open.remove(&id).unwrap())),
            }
        }
        self.most_open = self.most_open.max(self.open.len());
    }
}

fn record(drive: &[Message], takeovers: &[(u64, u64)]) -> Files {
    let config = RecorderConfig { pre_roll_ns: PRE_ROLL_NS, post_roll_ns: POST_ROLL_NS, max_bytes: 1 << 30 };
    let mut recorder = Recorder::new(config);
    let mut files = Files::default();
    let id = |n: usize| EpisodeId::new(format!("e{n}")).unwrap();
    let mut triggers: Vec<(u64, bool, usize)> = Vec::new();
    for (n, (begin, end)) in takeovers.iter().enumerate() {
        triggers.extend([(*begin, true, n), (*end, false, n)]);
    }
    triggers.sort_by_key(|&(at, begins, n)| (at, !begins, n));
    let mut triggers = triggers.into_iter().peekable();
    for message in drive {
        let now = message.log_time_ns;
        while let Some((at, begins, n)) = triggers.next_if(|(at, ..)| *at < now) {
            if begins {
                let vehicle = VehicleId::new("car").unwrap();
                let info = EpisodeInfo::new(id(n), vehicle, PolicyVersion::new("p").unwrap());
                files.perform(recorder.begin(at, info));
            } else {
                assert!(recorder.end(at, &id(n)));
            }
        }
        files.perform(recorder.push(message.clone()));
        files.perform(recorder.poll(now - 1));
    }
    files.perform(recorder.close_all(u64::MAX));
    files
}

fn key(message: &Message) -> (&'static str, u32) {
    (message.topic.name, message.sequence)
}

#[test]
fn a_thousand_overlapping_takeovers_have_no_gap_no_duplicate_and_their_whole_pre_roll() {
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let mut takeovers = Vec::new();
    let mut at = 3_000 * MS;
    for _ in 0..TAKEOVERS {
        // Half of them come while another one lasts or rolls out.
        let longest = if rng.random_bool(0.5) { 4_000 } else { 20_000 };
        at += rng.random_range(1..longest) * MS + rng.random_range(0..MS);
        takeovers.push((at, at + rng.random_range(0..15_000) * MS));
    }
    let drive = drive(&mut rng, at / MS + 40_000);
    let files = record(&drive, &takeovers);
    assert_eq!(files.done.len(), TAKEOVERS);
    assert!(files.most_open >= 3, "only {} at once", files.most_open);
    for (info, got) in &files.done {
        let (begin, end) = takeovers[info.id.as_str()[1..].parse::<usize>().unwrap()];
        assert_eq!((info.takeover_ns, info.takeover_end_ns), (begin, Some(end)));
        assert_eq!(info.end_ns, end + POST_ROLL_NS);
        assert!(info.drops.is_empty(), "{:?}", info.drops);

        let first = drive[0].log_time_ns.max(50 * MS);
        assert!(info.actual_pre_roll_ns >= PRE_ROLL_NS.min(begin - first), "{info:?}");
        assert_eq!(info.actual_pre_roll_ns, begin - info.start_ns);
        assert!(info.actual_pre_roll_ns < PRE_ROLL_NS + 1_000 * MS + 1, "more than a group of pictures too early");
        let video = got.iter().find(|message| message.topic.is_video()).unwrap();
        assert!(video.keyframe && video.log_time_ns <= begin.saturating_sub(PRE_ROLL_NS).max(50 * MS));

        let mut expected: Vec<_> = drive
            .iter()
            .filter(|message| (info.start_ns..=info.end_ns).contains(&message.log_time_ns))
            .map(key)
            .collect();
        let mut found: Vec<_> = got.iter().map(key).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert!(found == expected, "{}: {} of {} messages", info.id, found.len(), expected.len());
        assert!(got.is_sorted_by_key(|message| message.log_time_ns));
    }
}

#[test]
fn a_takeover_inside_the_pre_roll_or_post_roll_of_another_shares_its_data() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let drive = drive(&mut rng, 60_000);
    let takeovers = [(20_000 * MS + 1, 22_000 * MS), (24_000 * MS + 1, 25_000 * MS), (21_000 * MS + 1, 40_000 * MS)];
    let files = record(&drive, &takeovers);
    let data = |n: usize| {
        let (_, messages) = files.done.iter().find(|(info, _)| info.id.as_str() == format!("e{n}")).unwrap();
        messages.iter().find(|message| message.log_time_ns == 20_500 * MS).unwrap().data.as_ptr()
    };
    assert_eq!(data(0), data(1));
    assert_eq!(data(0), data(2));
}

#[test]
fn the_same_drive_gives_the_same_actions() {
    let run = || {
        let drive = drive(&mut ChaCha8Rng::seed_from_u64(5), 60_000);
        record(&drive, &[(15_000 * MS, 16_000 * MS), (18_000 * MS, 30_000 * MS)]).done
    };
    assert_eq!(run(), run());
}
