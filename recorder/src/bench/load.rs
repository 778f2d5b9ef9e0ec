//! What is written: incompressible, and the same in every run.

use crate::trials::Random;
use bytes::Bytes;
use protocol::{Message, Topic, topics};

/// Shape of a load: share in percent, smallest and largest size, topic.
pub(super) type Mix = &'static [(u64, usize, usize, &'static Topic)];

/// Control data, scans and video of one robot: many small messages, most bytes in few large ones.
pub(super) static MIXED: Mix = &[
    (70, 80, 400, &topics::VEHICLE_STATE),
    (20, 1_000, 4_000, &topics::SCAN),
    (10, 10_000, 60_000, &topics::CAMERA_FRONT),
];
/// Messages of 100 bytes.
pub(super) static SMALL: Mix = &[(100, 100, 100, &topics::VEHICLE_STATE)];

/// About `bytes` of messages at `step_ns` of log time, cut out of one block of noise.
pub(super) fn messages(mix: Mix, bytes: u64, step_ns: u64) -> Vec<Message> {
    let mut random = Random(7);
    let noise = Bytes::from(random.noise(4 << 20));
    let mut messages = Vec::new();
    let mut total = 0;
    while total < bytes {
        let mut roll = random.between(0, 100);
        let found = mix.iter().find(|(share, ..)| {
            let hit = roll < *share;
            roll = roll.saturating_sub(*share);
            hit
        });
        let Some(&(_, low, high, topic)) = found else { break };
        let size = random.between(low as u64, high as u64 + 1) as usize;
        let at = random.between(0, (noise.len() - size) as u64) as usize;
        let log_time_ns = messages.len() as u64 * step_ns;
        messages.push(Message {
            topic,
            sequence: messages.len() as u32,
            log_time_ns,
            publish_time_ns: log_time_ns,
            data: noise.slice(at..at + size),
            keyframe: true,
        });
        total += size as u64;
    }
    messages
}

pub(super) fn payload(messages: &[Message]) -> f64 {
    messages.iter().map(|message| message.data.len() as f64).sum()
}
