//! Encodes what the vehicle did: one tick becomes messages for the recorder, in real and in virtual time alike.

use crate::camera::{CameraModel, mountings};
use crate::visualization;
use crate::{Sensors, Tick};
use bytes::Bytes;
use protocol::foxglove::{CompressedVideo, Event, KeyValuePair, LaserScan, LocationFix, Log, PoseInFrame, log};
use protocol::v1::{LinkStats, PolicyProposal, PolicyStatus, TakeoverEvent};
use protocol::{Embodiment, Message, Topic, topics};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Surroundings, scan and pose are written each time they are new; authority and links at this period or on a change.
const SLOW_NS: u64 = 1_000_000_000;

/// Turns ticks into messages for the recorder.
#[derive(Debug, Clone)]
pub struct TelemetryEncoder {
    /// Wall or virtual time at which the vehicle's clock read zero, nanoseconds since 1970.
    epoch_ns: u64,
    embodiment: Arc<Embodiment>,
    sequences: BTreeMap<&'static str, u32>,
    last_surroundings_us: Option<u64>,
    last_authority: Option<(u64, i32, i32, u64)>,
    /// Question and path of the manoeuvre that a person released last.
    released: Option<(u64, u32)>,
    /// The policy's proposal in force, written at every tick beside what was done.
    proposal: Option<PolicyProposal>,
    next_slow_ns: u64,
}

/// A `google.protobuf.Timestamp` of nanoseconds since 1970.
#[must_use]
pub fn timestamp(ns: u64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: (ns / 1_000_000_000) as i64, nanos: (ns % 1_000_000_000) as i32 }
}

/// One encoded picture of a camera.
#[derive(Debug, Clone)]
pub struct EncodedPicture {
    /// Index among [`topics::CAMERAS`].
    pub camera: usize,
    /// An H.264 access unit in Annex B format.
    pub data: Bytes,
    /// Whether decoding can start here.
    pub keyframe: bool,
}

/// The message of a picture that was taken at `at_ns` and logged at `log_ns`, nanoseconds since 1970.
#[must_use]
pub fn picture(sequence: u32, log_ns: u64, at_ns: u64, picture: EncodedPicture) -> Message {
    let topic = topics::CAMERAS[picture.camera.min(topics::CAMERAS.len() - 1)];
    let content = CompressedVideo {
        timestamp: Some(timestamp(at_ns)),
        frame_id: topic.name.trim_start_matches('/').replace('/', "_"),
        data: picture.data,
        format: "h264".into(),
    };
    let message = Message::encode(topic, sequence, log_ns, at_ns, &content);
    Message { keyframe: picture.keyframe, ..message }
}

fn pair(key: &str, value: String) -> KeyValuePair {
    KeyValuePair { key: key.into(), value }
}

impl TelemetryEncoder {
    /// For a vehicle whose clock started at `epoch_ns`.
    #[must_use]
    pub fn new(epoch_ns: u64, embodiment: &Embodiment) -> Self {
        Self {
            epoch_ns,
            embodiment: Arc::new(embodiment.clone()),
            sequences: BTreeMap::new(),
            last_surroundings_us: None,
            last_authority: None,
            released: None,
            proposal: None,
            next_slow_ns: 0,
        }
    }

    /// The vehicle's time `monotonic_us` in nanoseconds since 1970.
    #[must_use]
    pub fn wall_ns(&self, monotonic_us: u64) -> u64 {
        self.epoch_ns + monotonic_us * 1_000
    }

    /// One message; `publish_us` is when its content was true, `log_us` when it is written.
    pub fn message(
        &mut self,
        topic: &'static Topic,
        log_us: u64,
        publish_us: u64,
        content: &impl prost::Message,
    ) -> Message {
        let sequence = self.next(topic);
        Message::encode(topic, sequence, self.wall_ns(log_us), self.wall_ns(publish_us), content)
    }

    /// The next sequence number of a topic.
    pub fn next(&mut self, topic: &'static Topic) -> u32 {
        let sequence = self.sequences.entry(topic.name).or_default();
        *sequence = sequence.wrapping_add(1);
        *sequence
    }

    /// The messages of a tick at `now_us`, handed to `write` one by one.
    pub fn tick(&mut self, now_us: u64, sensors: &Sensors, tick: &Tick, write: &mut impl FnMut(Message)) {
        let state = &sensors.state;
        write(self.message(&topics::VEHICLE_STATE, now_us, state.monotonic_us, state));
        write(self.message(&topics::CONTROL_COMMAND, now_us, now_us, &tick.command));
        if let Some(input) = &tick.operator {
            write(self.message(&topics::OPERATOR_INPUT, now_us, now_us, input));
        }
        self.sensed(now_us, sensors, write);
        if let Some(proposal) = &tick.proposal {
            self.proposal = Some(proposal.clone());
            if let Some(plan) = visualization::plan(&self.embodiment, proposal, state, self.wall_ns(now_us)) {
                write(self.message(&topics::PLAN, now_us, proposal.monotonic_us, &plan));
            }
        }
        if let Some(proposal) = self.proposal.take() {
            write(self.message(&topics::CONTROL_PROPOSAL, now_us, proposal.monotonic_us, &proposal));
            self.proposal = Some(proposal);
        }
        let authority = &tick.authority;
        let key = (now_us / 100_000, authority.mode, authority.author, authority.epoch);
        if self.last_authority != Some(key) {
            self.last_authority = Some(key);
            write(self.message(&topics::AUTHORITY, now_us, now_us, authority));
        }
        if let Some(note) = &tick.bookmark {
            write(self.event(now_us, "bookmark", vec![pair("note", note.clone())]));
        }
        let released = authority.chosen_path.as_ref().map(|path| (path.question_id, path.path_id));
        if let Some((question, path)) = released.filter(|_| released != self.released) {
            let metadata = vec![
                pair("question_id", question.to_string()),
                pair("path_id", path.to_string()),
                pair("seat_id", authority.seat_id.clone()),
            ];
            write(self.event(now_us, "manoeuvre", metadata));
        }
        self.released = released;
    }

    /// Something that happened now, as an event that viewers know.
    fn event(&mut self, now_us: u64, kind: &str, mut metadata: Vec<KeyValuePair>) -> Message {
        let at = timestamp(self.wall_ns(now_us));
        metadata.insert(0, pair("kind", kind.to_owned()));
        let content = Event { start_time: Some(at), end_time: Some(at), metadata };
        self.message(&topics::TAKEOVER_EVENT, now_us, now_us, &content)
    }

    fn sensed(&mut self, now_us: u64, sensors: &Sensors, write: &mut impl FnMut(Message)) {
        let Some(surroundings) = &sensors.surroundings else { return };
        if self.last_surroundings_us == Some(surroundings.monotonic_us) {
            return;
        }
        self.last_surroundings_us = Some(surroundings.monotonic_us);
        write(self.message(&topics::SURROUNDINGS, now_us, surroundings.monotonic_us, surroundings.as_ref()));
        let at_ns = self.wall_ns(now_us);
        let at = timestamp(at_ns);
        write(self.message(
            &topics::SCENE,
            now_us,
            surroundings.monotonic_us,
            &visualization::scene(surroundings, at_ns),
        ));
        if let Some(place) = &sensors.state.world_from_vehicle {
            let here =
                PoseInFrame { timestamp: Some(at), frame_id: "map".into(), pose: Some(visualization::pose(place)) };
            write(self.message(&topics::EGO_POSE, now_us, now_us, &here));
            write(self.message(&topics::TF, now_us, now_us, &visualization::place(place, at_ns)));
        }
        if let Some(scan) = &sensors.scan {
            let scan = LaserScan { timestamp: Some(at), ..scan.as_ref().clone() };
            write(self.message(&topics::SCAN, now_us, now_us, &scan));
        }
    }

    /// A line for people.
    pub fn log(&mut self, now_us: u64, level: log::Level, text: String) -> Message {
        let line = Log {
            timestamp: Some(timestamp(self.wall_ns(now_us))),
            level: level.into(),
            message: text,
            name: "recorder".to_owned(),
            ..Log::default()
        };
        self.message(&topics::LOG, now_us, now_us, &line)
    }

    /// What a receiver of satellites says now.
    pub fn fix(&mut self, now_us: u64, fix: LocationFix) -> Message {
        let fix = LocationFix { timestamp: Some(timestamp(self.wall_ns(now_us))), ..fix };
        self.message(&topics::GNSS, now_us, now_us, &fix)
    }

    /// How `cameras` see and where they sit.
    pub fn cameras(&mut self, now_us: u64, cameras: &[CameraModel], write: &mut impl FnMut(Message)) {
        let at_ns = self.wall_ns(now_us);
        let names: Vec<&str> = cameras.iter().map(|camera| camera.name.as_str()).collect();
        for (camera, place) in cameras.iter().zip(topics::camera_places(&names)) {
            write(self.message(topics::CALIBRATIONS[place], now_us, now_us, &camera.calibration(at_ns)));
        }
        write(self.message(&topics::TF, now_us, now_us, &mountings(cameras, at_ns)));
    }

    /// Link and policy figures, once a second. Returns whether they were due.
    pub fn slow(
        &mut self,
        now_us: u64,
        link: &LinkStats,
        policy: &PolicyStatus,
        write: &mut impl FnMut(Message),
    ) -> bool {
        if self.wall_ns(now_us) < self.next_slow_ns {
            return false;
        }
        self.next_slow_ns = self.wall_ns(now_us) + SLOW_NS;
        write(self.message(&topics::LINK_STATS, now_us, now_us, link));
        write(self.message(&topics::POLICY_STATUS, now_us, now_us, policy));
        true
    }

    /// A takeover's beginning or end as an event that viewers know.
    pub fn takeover(&mut self, now_us: u64, event: &TakeoverEvent) -> Message {
        let content = Event {
            start_time: Some(timestamp(self.wall_ns(event.start_us))),
            end_time: (event.end_us > 0).then(|| timestamp(self.wall_ns(event.end_us))),
            metadata: vec![
                pair("kind", "takeover".to_owned()),
                pair("takeover_id", event.takeover_id.clone()),
                pair("cause", event.cause().label().into()),
                pair("seat_id", event.seat_id.clone()),
                pair("seat_kind", event.seat_kind().label().into()),
                pair("epoch", event.epoch.to_string()),
                pair("policy_version", event.policy_version.clone()),
                pair("odometer_m", format!("{:.1}", event.odometer_m)),
                pair("note", event.note.clone()),
            ],
        };
        self.message(&topics::TAKEOVER_EVENT, now_us, now_us, &content)
    }
}
