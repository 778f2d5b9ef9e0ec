//! Cutting a piece out of an episode, and putting episodes of one drive together.

use super::output::Output;
use super::{ExchangeError, ExchangeProgress};
use crate::{EpisodeMessage, EpisodeReader};
use protocol::{EpisodeId, EpisodeInfo, api, foxglove};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::Path;
use video::h264;

const VIDEO: &str = "foxglove.CompressedVideo";

/// Whether decoding can start at this message; everything but H.264 video stands alone as far as we know.
pub(super) fn starts_decoding(message: &EpisodeMessage) -> Result<bool, ExchangeError> {
    if !message.is(VIDEO) {
        return Ok(true);
    }
    let picture: foxglove::CompressedVideo = message.decode()?;
    Ok(picture.format != "h264" || h264::is_keyframe(&picture.data))
}

/// Writes the messages with log times from `from_ns` to `to_ns` as episode `id` into `dir`. Each camera begins at its
/// keyframe at or before `from_ns`, so that its first picture decodes.
///
/// # Errors
/// [`ExchangeError::Asked`] for an empty piece; those of reading and writing episodes.
pub fn cut(
    source: &EpisodeReader,
    (from_ns, to_ns): (u64, u64),
    id: EpisodeId,
    dir: &Path,
    progress: &mut ExchangeProgress<'_>,
) -> Result<api::Episode, ExchangeError> {
    if from_ns > to_ns || to_ns < source.info().start_ns || from_ns > source.info().end_ns {
        let (start, end) = (source.info().start_ns, source.info().end_ns);
        return Err(ExchangeError::Asked(format!(
            "nothing lies from {from_ns} to {to_ns} ns: the episode goes from {start} to {end} ns"
        )));
    }
    let keyframes = keyframes_before(source, from_ns)?;
    let first = keyframes.values().copied().min().unwrap_or(from_ns).min(from_ns);
    let info = EpisodeInfo { id, ..source.info().clone() };
    let mut output = Output::create(dir, &info)?;
    output.copy_surroundings(source)?;
    for message in source.select(None::<[&str; 0]>, first..=to_ns) {
        let message = message?;
        let begin = keyframes.get(message.topic()).copied().unwrap_or(from_ns);
        if message.log_time_ns >= begin {
            output.copy(&message)?;
        }
        progress(message.log_time_ns - first, to_ns - first);
    }
    if output.span_ns().is_none() {
        return Err(ExchangeError::Asked(format!("no message lies from {from_ns} to {to_ns} ns")));
    }
    output.finish(info)
}

/// By video topic, when its last keyframe at or before `from_ns` came.
fn keyframes_before(source: &EpisodeReader, from_ns: u64) -> Result<BTreeMap<String, u64>, ExchangeError> {
    let topics = source.topics();
    let videos = topics.iter().filter(|topic| topic.schema == VIDEO).map(|topic| topic.topic.as_str());
    let mut found = BTreeMap::new();
    for message in source.select(Some(videos), ..=from_ns) {
        let message = message?;
        if starts_decoding(&message)? {
            found.insert(message.topic().to_owned(), message.log_time_ns);
        }
    }
    Ok(found)
}

/// Writes the messages of all `sources` as episode `id` into `dir`, each once: what overlapping episodes share is known
/// by its topic, number and times.
///
/// # Errors
/// [`ExchangeError::Asked`] when the sources are not of one vehicle and one clock; those of reading and writing.
pub fn merge(
    sources: &[EpisodeReader],
    id: EpisodeId,
    dir: &Path,
    progress: &mut ExchangeProgress<'_>,
) -> Result<api::Episode, ExchangeError> {
    let info = merged_info(sources, id)?;
    let mut output = Output::create(dir, &info)?;
    // The first source's surroundings, and what attachments the others add.
    let mut sorted: Vec<&EpisodeReader> = sources.iter().collect();
    sorted.sort_by_key(|source| source.info().start_ns);
    let mut attached = Vec::new();
    for (number, source) in sorted.iter().enumerate() {
        if number == 0 {
            output.copy_surroundings(source)?;
        }
        let (mut file, attachments) = source.attachments()?;
        for attachment in attachments {
            let attachment = attachment?;
            if number > 0 && !attached.contains(&attachment.name) {
                output.attach(&attachment, &mut file)?;
            }
            attached.push(attachment.name);
        }
    }
    let mut streams: Vec<_> = sorted.iter().map(|source| source.messages().peekable()).collect();
    let (first, length) = (info.start_ns, info.end_ns.saturating_sub(info.start_ns));
    let mut seen = Seen::default();
    while let Some(stream) = next_stream(&mut streams) {
        let Some(message) = streams[stream].next() else { break };
        let message = message?;
        if seen.is_new(&message, stream) {
            output.copy(&message)?;
        }
        progress(message.log_time_ns.saturating_sub(first), length);
    }
    output.finish(info)
}

/// The stream whose next message is oldest; an error goes first.
fn next_stream(streams: &mut [Peekable<crate::Messages>]) -> Option<usize> {
    let next = streams.iter_mut().enumerate().filter_map(|(number, stream)| {
        let log_ns = stream.peek()?.as_ref().map_or(0, |message| message.log_time_ns);
        Some((log_ns, number))
    });
    next.min().map(|(_, number)| number)
}

/// Messages of the newest log time: equal ones can only come there.
#[derive(Default)]
struct Seen {
    log_ns: u64,
    /// With the sources that have it.
    messages: Vec<(EpisodeMessage, Vec<usize>)>,
}

impl Seen {
    /// Whether no other source had this message of source `stream` yet. What one source has twice it means twice.
    fn is_new(&mut self, message: &EpisodeMessage, stream: usize) -> bool {
        if message.log_time_ns != self.log_ns {
            self.log_ns = message.log_time_ns;
            self.messages.clear();
        }
        let same = |known: &EpisodeMessage| {
            known.topic() == message.topic()
                && known.channel().twin == message.channel().twin
                && known.sequence == message.sequence
                && known.publish_time_ns == message.publish_time_ns
                && known.data == message.data
        };
        let known = self.messages.iter_mut().find(|(known, streams)| !streams.contains(&stream) && same(known));
        if let Some((_, streams)) = known {
            streams.push(stream);
            return false;
        }
        self.messages.push((message.clone(), vec![stream]));
        true
    }
}

fn merged_info(sources: &[EpisodeReader], id: EpisodeId) -> Result<EpisodeInfo, ExchangeError> {
    let mut infos: Vec<_> = sources.iter().map(EpisodeReader::info).collect();
    infos.sort_by_key(|info| info.start_ns);
    let Some(first) = infos.first() else { return Err(ExchangeError::Asked("there is nothing to merge".to_owned())) };
    let mut merged = EpisodeInfo { id, ..(*first).clone() };
    for info in &infos[1..] {
        if info.vehicle != merged.vehicle || info.source != merged.source || info.seed != merged.seed {
            return Err(ExchangeError::Asked(format!(
                "episodes {} and {} are not of one drive: vehicles {} and {}, seeds {:?} and {:?}",
                first.id, info.id, first.vehicle, info.vehicle, first.seed, info.seed
            )));
        }
        merged.end_ns = merged.end_ns.max(info.end_ns);
        merged.takeover_end_ns = merged.takeover_end_ns.max(info.takeover_end_ns);
        merged.triggers.extend(info.triggers.iter().filter(|t| !first.triggers.contains(t)).cloned());
        if !info.reason.is_empty() && !merged.reason.contains(&info.reason) {
            merged.reason = format!("{}; {}", merged.reason, info.reason);
        }
        for (topic, count) in &info.drops {
            // Overlapping episodes count the same loss each.
            let known = merged.drops.entry(topic.clone()).or_default();
            *known = (*known).max(*count);
        }
        if merged.recovered.is_none() {
            merged.recovered.clone_from(&info.recovered);
        }
    }
    Ok(merged)
}
