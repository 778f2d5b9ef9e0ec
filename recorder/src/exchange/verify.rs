//! Reading an episode once from end to end and saying what is wrong with it.

use super::{ExchangeError, ExchangeProgress, edit};
use crate::records::Scanner;
use crate::{EpisodeMessage, EpisodeReader, RecorderError};
use mcap::records::op;
use protocol::{EpisodeInfo, Trigger, foxglove, v1};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use video::h264;

/// What was found of one topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopicCheck {
    /// Messages read.
    pub messages: u64,
    /// Numbers that are missing between the first and the last.
    pub gaps: u64,
    /// Numbers that came again.
    pub repeats: u64,
    /// For H.264: pictures that decoding can start at.
    pub keyframes: u64,
    /// States, commands, proposals or places with values that are not numbers.
    pub not_numbers: u64,
    /// The last number of each channel: every publisher counts by itself.
    #[serde(skip)]
    last: BTreeMap<usize, u32>,
    #[serde(skip)]
    first_not_number: Option<(u64, &'static str)>,
}

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EpisodeCheck {
    /// By topic.
    pub topics: BTreeMap<String, TopicCheck>,
    /// What is wrong, for people; empty for a sound file.
    pub problems: Vec<String>,
    /// What is odd in a file that is sound nevertheless.
    pub warnings: Vec<String>,
}

/// Reads every record (checksums are checked on the way), every video's structure and every message's wire format.
/// What is wrong with the content is in the verdict; reading ends at damage, which is there too.
pub fn verify(source: &EpisodeReader, progress: &mut ExchangeProgress<'_>) -> EpisodeCheck {
    let mut verdict = EpisodeCheck::default();
    if let Err(error) = check_data(source.path()) {
        verdict.problems.push(error.to_string());
        return verdict;
    }
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
    if let Err(error) = check_attachments(source) {
        verdict.problems.push(error.to_string());
    }
    if source.unknown_records() > 0 {
        verdict.warnings.push(format!("{} records are of kinds that MCAP does not define", source.unknown_records()));
    }
    verdict.conclude(source.info());
    verdict
}

/// Reads the file record by record: that they follow each other up to the end, and the checksum over all of them.
fn check_data(path: &Path) -> Result<(), RecorderError> {
    let mut scanner = Scanner::open(path)?;
    let mut body = Vec::new();
    loop {
        let at = scanner.position();
        match scanner.next(&mut body)? {
            Some(op::DATA_END) if scanner.data_fits(&body) => return Ok(()),
            Some(op::DATA_END) => {
                return Err(RecorderError::damaged(path, at, "the checksum over the data before does not fit"));
            }
            Some(_) => {}
            None => return Err(RecorderError::damaged(path, at, "the data have no end")),
        }
    }
}

/// Reads every attachment, whatever its size.
fn check_attachments(source: &EpisodeReader) -> Result<(), RecorderError> {
    let (mut file, attachments) = source.attachments()?;
    for attached in attachments {
        attached?.check(&mut file)?;
    }
    Ok(())
}

impl EpisodeCheck {
    fn see(&mut self, message: &EpisodeMessage) -> Result<(), ExchangeError> {
        let first = !self.topics.contains_key(message.topic());
        let topic = self.topics.entry(message.topic().to_owned()).or_default();
        topic.messages += 1;
        if let Some(&last) = topic.last.get(&message.channel_key()) {
            match message.sequence.wrapping_sub(last) {
                // By the format, 0 throughout says that nobody counts.
                0 if last == 0 => {}
                0 => topic.repeats += 1,
                step if step < 1 << 31 => topic.gaps += u64::from(step - 1),
                _ => topic.repeats += 1,
            }
        }
        topic.last.insert(message.channel_key(), message.sequence);
        let encoding = &message.channel().message_encoding;
        if encoding == "protobuf" && !is_protobuf(&message.data) {
            let (name, at) = (message.topic(), message.log_time_ns);
            self.problems.push(format!("the message of {name} at {at} ns is not a protobuf message"));
            return Ok(());
        }
        if message.is("foxglove.CompressedVideo") {
            self.see_picture(message, first)?;
        }
        match not_a_number(message) {
            Ok(Some(what)) => {
                if let Some(topic) = self.topics.get_mut(message.topic()) {
                    topic.not_numbers += 1;
                    topic.first_not_number.get_or_insert((message.log_time_ns, what));
                }
            }
            Ok(None) => {}
            Err(error) => self.problems.push(error.to_string()),
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
        // What another program recorded is as its publishers counted, and as much as that program got.
        let ours = info.trigger != Trigger::Import;
        let list = if ours { &mut self.problems } else { &mut self.warnings };
        for (name, topic) in &self.topics {
            let dropped = info.drops.get(name).copied().unwrap_or(0);
            if is_whole && topic.gaps > dropped {
                list.push(format!("{name} lacks {} messages, {dropped} are accounted for", topic.gaps));
            }
            if topic.repeats > 0 {
                list.push(format!("{name} has {} messages twice or out of order", topic.repeats));
            }
        }
        for (name, topic) in &self.topics {
            if let Some((at, what)) = topic.first_not_number {
                let count = topic.not_numbers;
                self.warnings.push(format!(
                    "{count} messages of {name} hold values that are not numbers: first {what} at {at} ns"
                ));
            }
        }
    }
}

/// Which value of a state, command, proposal or place is not a number, or not a finite one.
fn not_a_number(message: &EpisodeMessage) -> Result<Option<&'static str>, ExchangeError> {
    let odd = |values: &[f64]| values.iter().any(|value| !value.is_finite());
    if !message.is(message.schema()) {
        return Ok(None);
    }
    Ok(match message.schema() {
        "takeover.v1.VehicleState" => {
            let state: v1::VehicleState = message.decode()?;
            let pose = state.world_from_vehicle.unwrap_or_default();
            match () {
                () if odd(&state.observation) => Some("the observation"),
                () if odd(&[state.odometer_m]) => Some("the odometer"),
                () if odd(&[pose.x_m, pose.y_m, pose.heading_rad]) => Some("the pose"),
                () => None,
            }
        }
        "takeover.v1.ControlCommand" => {
            let command: v1::ControlCommand = message.decode()?;
            odd(&command.action).then_some("the action")
        }
        "takeover.v1.PolicyProposal" => {
            let proposal: v1::PolicyProposal = message.decode()?;
            odd(&proposal.action).then_some("the action")
        }
        "foxglove.LocationFix" => {
            let fix: foxglove::LocationFix = message.decode()?;
            odd(&[fix.latitude, fix.longitude, fix.altitude]).then_some("the place")
        }
        _ => None,
    })
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
