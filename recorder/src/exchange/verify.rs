//! Reading an episode once from end to end and saying what is wrong with it.

use super::{ExchangeError, Progress, edit, h264};
use crate::{EpisodeInfo, EpisodeMessage, EpisodeReader, Trigger};
use protocol::foxglove;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was found of one topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopicVerdict {
    /// Messages read.
    pub messages: u64,
    /// Numbers that are missing between the first and the last.
    pub gaps: u64,
    /// Numbers that came again.
    pub repeats: u64,
    /// For H.264: pictures that decoding can start at.
    pub keyframes: u64,
    #[serde(skip)]
    last: Option<u32>,
}

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// By topic.
    pub topics: BTreeMap<String, TopicVerdict>,
    /// What is wrong, for people; empty for a sound file.
    pub problems: Vec<String>,
}

/// Reads every record (checksums are checked on the way), every video's structure and every message's wire format.
/// What is wrong with the content is in the verdict; reading ends at damage, which is there too.
pub fn verify(source: &EpisodeReader, progress: &mut Progress<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let (start, end) = (source.info().start_ns, source.info().end_ns);
    let mut read = 0;
    for message in source.messages() {
        match message.map_err(ExchangeError::from).and_then(|message| verdict.see(&message).map(|()| message)) {
            Ok(message) => {
                read += 1;
                progress(message.log_time_ns.saturating_sub(start), end.saturating_sub(start));
            }
            Err(error) => {
                verdict.problems.push(error.to_string());
                return verdict;
            }
        }
    }
    if read != source.message_count() {
        verdict.problems.push(format!("{read} messages are there, the index counts {}", source.message_count()));
    }
    for name in source.attachment_names().map(str::to_owned).collect::<Vec<_>>() {
        if let Err(error) = source.attachment(&name) {
            verdict.problems.push(error.to_string());
        }
    }
    verdict.conclude(source.info());
    verdict
}

impl Verdict {
    fn see(&mut self, message: &EpisodeMessage) -> Result<(), ExchangeError> {
        let first = !self.topics.contains_key(message.topic());
        let topic = self.topics.entry(message.topic().to_owned()).or_default();
        topic.messages += 1;
        if let Some(last) = topic.last {
            match message.sequence.wrapping_sub(last) {
                // By the format, 0 throughout says that nobody counts.
                0 if last == 0 => {}
                0 => topic.repeats += 1,
                step if step < 1 << 31 => topic.gaps += u64::from(step - 1),
                _ => topic.repeats += 1,
            }
        }
        topic.last = Some(message.sequence);
        let encoding = &message.channel().message_encoding;
        if encoding == "protobuf" && !is_protobuf(&message.data) {
            let (name, at) = (message.topic(), message.log_time_ns);
            self.problems.push(format!("the message of {name} at {at} ns is no protobuf message"));
            return Ok(());
        }
        if message.schema() == "foxglove.CompressedVideo" {
            self.see_picture(message, first)?;
        }
        Ok(())
    }

    fn see_picture(&mut self, message: &EpisodeMessage, first: bool) -> Result<(), ExchangeError> {
        let keyframe = edit::starts_decoding(message)?;
        let (name, at) = (message.topic(), message.log_time_ns);
        if first && !keyframe {
            self.problems.push(format!("{name} does not begin at a keyframe ({at} ns)"));
        }
        let picture: foxglove::CompressedVideo = message.decode()?;
        let kinds: Vec<u8> = h264::units(&picture.data).map(h264::kind).collect();
        if keyframe && picture.format == "h264" && !(kinds.contains(&h264::SPS) && kinds.contains(&h264::PPS)) {
            self.problems.push(format!("the keyframe of {name} at {at} ns has no parameter sets"));
        }
        if let Some(topic) = self.topics.get_mut(name) {
            topic.keyframes += u64::from(keyframe);
        }
        Ok(())
    }

    fn conclude(&mut self, info: &EpisodeInfo) {
        // The continuous log has a part of everything by intent.
        let is_whole = info.trigger != Trigger::DriveLog;
        for (name, topic) in &self.topics {
            let dropped = info.drops.get(name).copied().unwrap_or(0);
            if is_whole && topic.gaps > dropped {
                self.problems.push(format!("{name} lacks {} messages, {dropped} are accounted for", topic.gaps));
            }
            if topic.repeats > 0 {
                self.problems.push(format!("{name} has {} messages twice or out of order", topic.repeats));
            }
        }
    }
}

/// Whether the bytes are a sequence of protobuf fields.
fn is_protobuf(data: &[u8]) -> bool {
    use prost::encoding::{DecodeContext, decode_key, skip_field};
    let mut rest = data;
    while !rest.is_empty() {
        let Ok((tag, wire_type)) = decode_key(&mut rest) else { return false };
        if skip_field(wire_type, tag, &mut rest, DecodeContext::default()).is_err() {
            return false;
        }
    }
    true
}
