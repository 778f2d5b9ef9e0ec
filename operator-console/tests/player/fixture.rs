//! An episode of four seconds: the policy drives, an operator takes over at 1.5 s and hands back at 3 s. Every camera
//! shows one colour, another in each second.

use protocol::foxglove::{CompressedVideo, Event, KeyValuePair, Log, log::Level};
use protocol::v1::{
    Author, AuthorityState, ControlCommand, LinkStats, Mode, OperatorInput, PolicyProposal, Reason, StageLatency,
    VehicleState,
};
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, Topic, Trigger, Triggered, VehicleId, topics};
use recorder::write_episode;
use std::path::{Path, PathBuf};
use video::{H264Config, H264Encoder, I420, Reference, VideoEncoder};

pub const SECOND_NS: u64 = 1_000_000_000;
/// Log times begin at any time.
pub const START_NS: u64 = 1_700_000_000 * SECOND_NS;
pub const LENGTH_S: f64 = 4.0;
/// Pictures a second.
pub const FPS: u64 = 10;

/// Red, green, blue, white as Y, Cb, Cr and as RGB.
const COLOURS: [([u8; 3], [u8; 3]); 4] = [
    ([63, 102, 240], [255, 0, 0]),
    ([173, 42, 26], [0, 255, 0]),
    ([32, 240, 118], [0, 0, 255]),
    ([235, 128, 128], [255, 255, 255]),
];

/// What camera `camera` shows in second `second`, RGB.
pub fn colour(camera: usize, second: usize) -> [u8; 3] {
    COLOURS[(camera + second) % COLOURS.len()].1
}

/// Writes the episode with so many cameras.
pub fn episode(dir: &Path, cameras: usize) -> PathBuf {
    let mut info = EpisodeInfo::new(
        EpisodeId::new("sample-1").unwrap(),
        VehicleId::new("car-7").unwrap(),
        PolicyVersion::new("v3").unwrap(),
    );
    info.embodiment = "ackermann_car".to_owned();
    info.cause = "policy_asked".to_owned();
    info.reason = "the lane is blocked".to_owned();
    info.map = "soderleden".to_owned();
    (info.start_ns, info.end_ns) = (START_NS, at(LENGTH_S));
    (info.takeover_ns, info.takeover_end_ns) = (at(1.5), Some(at(3.0)));
    let braked = Triggered {
        trigger: Trigger::HardBrake,
        name: String::new(),
        at_ns: at(1.0),
        until_ns: Some(at(1.4)),
        detail: "-5.1 m/s2".to_owned(),
    };
    info.triggers = vec![braked];
    let mut messages = signals();
    messages.extend((0..cameras).flat_map(pictures));
    messages.sort_by_key(|message| message.log_time_ns);
    let written = write_episode(dir, &info, messages).unwrap();
    dir.join(written.file)
}

pub fn at(seconds: f64) -> u64 {
    START_NS + (seconds * 1e9) as u64
}

fn message(topic: &'static Topic, at_s: f64, content: &impl prost::Message) -> Message {
    Message::encode(topic, 0, at(at_s), at(at_s), content)
}

fn signals() -> Vec<Message> {
    let mut messages = Vec::new();
    for tick in 0..=200_u32 {
        let t = f64::from(tick) * 0.02;
        let drives = (1.5..3.0).contains(&t);
        let steering = 0.2 * (t * 2.0).sin();
        let faults = if (2.0..2.5).contains(&t) { vec!["camera_lost".to_owned()] } else { Vec::new() };
        let state = VehicleState {
            sequence: u64::from(tick),
            observation: vec![5.0 + t, 1.0, steering, 0.0],
            faults,
            ..Default::default()
        };
        messages.push(message(&topics::VEHICLE_STATE, t, &state));
        let author = if drives { Author::Operator } else { Author::Policy };
        let action = vec![if drives { -2.0 } else { 1.0 }, steering];
        let command = ControlCommand { author: author.into(), action, gate: Reason::Ok.into(), ..Default::default() };
        messages.push(message(&topics::CONTROL_COMMAND, t, &command));
        let proposal = PolicyProposal { action: vec![1.0, 0.1], confidence: 0.4, ..Default::default() };
        messages.push(message(&topics::CONTROL_PROPOSAL, t, &proposal));
        if drives {
            let input = OperatorInput { action: vec![-2.0, steering], ..Default::default() };
            messages.push(message(&topics::OPERATOR_INPUT, t, &input));
        }
        if tick % 5 == 0 {
            let mode = if drives { Mode::Drive } else { Mode::Monitor };
            let authority = AuthorityState {
                mode: mode.into(),
                author: author.into(),
                seat_id: if drives { "desk".to_owned() } else { String::new() },
                reason: Reason::PolicyAsked.into(),
                ..Default::default()
            };
            messages.push(message(&topics::AUTHORITY, t, &authority));
        }
        if tick % 25 == 0 {
            let stage = |stage: &str, mean_ms| StageLatency { stage: stage.to_owned(), mean_ms, p95_ms: mean_ms };
            let link = LinkStats {
                round_trip_ms: 40.0,
                loss: 0.01 * t,
                bitrate_bps: 3.1e6,
                command_age_ms: 25.0,
                picture_age_ms: 60.0 + 10.0 * t,
                stages: vec![stage("encode", 9.0), stage("network", 21.0)],
                ..Default::default()
            };
            messages.push(message(&topics::LINK_STATS, t, &link));
        }
    }
    let pair = |key: &str, value: &str| KeyValuePair { key: key.to_owned(), value: value.to_owned() };
    let event =
        Event { metadata: vec![pair("takeover_id", "sample-1"), pair("cause", "policy_asked")], ..Event::default() };
    messages.push(message(&topics::TAKEOVER_EVENT, 1.5, &event));
    let line = Log { level: Level::Warning.into(), message: "camera is late".to_owned(), ..Log::default() };
    messages.push(message(&topics::LOG, 2.0, &line));
    messages
}

fn pictures(camera: usize) -> Vec<Message> {
    let (width, height) = if camera == 0 { (320, 180) } else { (160, 96) };
    let mut encoder = H264Encoder::new(H264Config::new(width, height, FPS as f64)).unwrap();
    let frames = (0..(LENGTH_S as u64) * FPS).filter_map(|number| {
        let [y, u, v] = COLOURS[(camera + (number / FPS) as usize) % COLOURS.len()].0;
        let quarter = width / 2 * (height / 2);
        let (y, u, v) = (vec![y; width * height], vec![u; quarter], vec![v; quarter]);
        let picture = I420 { width, height, y: &y, u: &u, v: &v };
        let reference = if number % FPS == 0 { Reference::Keyframe } else { Reference::Previous };
        let frame = encoder.encode(picture, number * 1_000_000 / FPS, reference).unwrap()?;
        let content = CompressedVideo { data: frame.data, format: "h264".to_owned(), ..Default::default() };
        Some(message(topics::CAMERAS[camera], number as f64 / FPS as f64, &content))
    });
    frames.collect()
}
