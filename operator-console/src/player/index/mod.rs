//! What is read of an episode before it is shown: everything but the pictures' content.

mod bands;
mod changes;
mod markers;
mod signals;

pub use bands::{Authority, Band};
pub use changes::Changes;
pub use markers::{Marker, MarkerKind};
pub use signals::Signals;

use super::pictures::FrameAt;
use crate::ConsoleError;
use bands::Bands;
use markers::Markers;
use protocol::{Embodiment, EpisodeInfo, foxglove, topics, v1};
use recorder::{EpisodeMessage, EpisodeReader};
use signals::SignalsBuilder;
use std::collections::BTreeMap;
use video::h264;

/// More messages than this are no episode to look at: an hour of four cameras has two millions.
const MAX_MESSAGES: u64 = 20_000_000;
/// More cameras than this are not shown.
const MAX_CAMERAS: usize = 9;
const VIDEO: &str = "foxglove.CompressedVideo";

/// A camera's pictures in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraTrack {
    /// Topic of its pictures.
    pub topic: String,
    /// For people.
    pub name: String,
    /// In the order of the file.
    pub frames: Vec<FrameAt>,
}

/// An episode without its pictures' content. Times are seconds since the first message.
#[derive(Debug)]
pub struct EpisodeIndex {
    /// Its description.
    pub info: EpisodeInfo,
    /// Log time of the first message, nanoseconds.
    pub start_ns: u64,
    /// From the first message to the last, seconds.
    pub length_s: f64,
    /// The front camera first.
    pub cameras: Vec<CameraTrack>,
    /// Numbers over time.
    pub signals: Signals,
    /// Who had authority.
    pub bands: Vec<Band>,
    /// Authority with its reasons.
    pub authority: Changes<Authority>,
    /// Fault codes in force.
    pub faults: Changes<Vec<String>>,
    /// What the gate changed or refused.
    pub gate: Changes<v1::Reason>,
    /// The link's latency breakdown.
    pub link: Changes<v1::LinkStats>,
    /// What happened when, by time.
    pub markers: Vec<Marker>,
}

impl EpisodeIndex {
    /// Reads the whole file once. `progress` is told how much of how many messages is done.
    ///
    /// # Errors
    /// Those of reading, naming the place; [`ConsoleError::EmptyEpisode`], [`ConsoleError::LongEpisode`].
    pub fn read(reader: &EpisodeReader, mut progress: impl FnMut(u64, u64)) -> Result<Self, ConsoleError> {
        let robot = reader.embodiment()?;
        let mut building: Option<Building> = None;
        let mut last_ns = 0;
        for (number, message) in (1..).zip(reader.messages()) {
            let message = message?;
            if number > MAX_MESSAGES {
                return Err(ConsoleError::LongEpisode { path: reader.path().to_owned(), limit: MAX_MESSAGES });
            }
            let building =
                building.get_or_insert_with(|| Building::new(message.log_time_ns, reader.info(), robot.clone()));
            building.take(&message)?;
            last_ns = message.log_time_ns;
            progress(number, reader.message_count());
        }
        let building = building.ok_or_else(|| ConsoleError::EmptyEpisode { path: reader.path().to_owned() })?;
        Ok(building.finish(reader.info().clone(), last_ns))
    }

    /// The place of a log time, seconds.
    #[must_use]
    pub fn at_s(&self, log_ns: u64) -> f64 {
        (log_ns as f64 - self.start_ns as f64) * 1e-9
    }

    /// The log time of a place, nanoseconds.
    #[must_use]
    pub fn log_ns(&self, at_s: f64) -> u64 {
        self.start_ns.saturating_add((at_s * 1e9).round().max(0.0) as u64)
    }

    /// Where a step by one picture stops: at the first camera's pictures, or at the vehicle's states without one.
    #[must_use]
    pub fn steps_s(&self) -> Vec<f32> {
        match self.cameras.first() {
            Some(camera) => camera.frames.iter().map(|frame| self.at_s(frame.log_ns) as f32).collect(),
            None => self.signals.plots.first().map_or_else(Vec::new, |plot| plot.series[0].times_s().collect()),
        }
    }
}

struct Building {
    start_ns: u64,
    cameras: BTreeMap<String, Vec<FrameAt>>,
    signals: SignalsBuilder,
    bands: Bands,
    markers: Markers,
    faults: Changes<Vec<String>>,
    gate: Changes<v1::Reason>,
    link: Changes<v1::LinkStats>,
}

impl Building {
    fn new(start_ns: u64, info: &EpisodeInfo, robot: Option<Embodiment>) -> Self {
        Self {
            start_ns,
            cameras: BTreeMap::new(),
            signals: SignalsBuilder::new(robot),
            bands: Bands::default(),
            markers: Markers::new(start_ns, info),
            faults: Changes::default(),
            gate: Changes::default(),
            link: Changes::default(),
        }
    }

    fn take(&mut self, message: &EpisodeMessage) -> Result<(), ConsoleError> {
        let at_s = (message.log_time_ns.saturating_sub(self.start_ns) as f64 * 1e-9) as f32;
        let topic = message.topic();
        // An import may have another program's topic of the same name, or pictures in another encoding.
        let is_foreign = |schema: &str| !message.is(schema);
        if topics::by_name(topic).is_some_and(|ours| is_foreign(ours.schema)) && is_foreign(VIDEO) {
            return Ok(());
        }
        if message.is(VIDEO) {
            self.picture(message)?;
        } else if topic == topics::VEHICLE_STATE.name {
            let state: v1::VehicleState = message.decode()?;
            self.signals.observed(at_s, &state.observation);
            self.faults.push(at_s, state.faults);
        } else if topic == topics::CONTROL_COMMAND.name {
            let command: v1::ControlCommand = message.decode()?;
            self.signals.let_through(at_s, &command.action);
            self.gate.push(at_s, command.gate());
        } else if topic == topics::CONTROL_PROPOSAL.name {
            self.signals.proposed(at_s, &message.decode()?);
        } else if topic == topics::OPERATOR_INPUT.name {
            self.signals.operated(at_s, &message.decode::<v1::OperatorInput>()?.action);
        } else if topic == topics::AUTHORITY.name {
            self.bands.push(at_s, &message.decode()?);
        } else if topic == topics::LINK_STATS.name {
            let link: v1::LinkStats = message.decode()?;
            self.signals.linked(at_s, &link);
            self.link.push(at_s, link);
        } else if topic == topics::TAKEOVER_EVENT.name {
            self.markers.event(message.log_time_ns, &message.decode()?);
        } else if topic == topics::LOG.name {
            self.markers.log(message.log_time_ns, &message.decode()?);
        }
        Ok(())
    }

    fn picture(&mut self, message: &EpisodeMessage) -> Result<(), ConsoleError> {
        if !self.cameras.contains_key(message.topic()) && self.cameras.len() >= MAX_CAMERAS {
            return Ok(());
        }
        let video: foxglove::CompressedVideo = message.decode()?;
        let frame = FrameAt { log_ns: message.log_time_ns, keyframe: h264::is_keyframe(&video.data) };
        self.cameras.entry(message.topic().to_owned()).or_default().push(frame);
        Ok(())
    }

    fn finish(self, info: EpisodeInfo, last_ns: u64) -> EpisodeIndex {
        let length_s = last_ns.saturating_sub(self.start_ns) as f64 * 1e-9;
        let place = |topic: &str| topics::CAMERAS.iter().position(|c| c.name == topic).unwrap_or(usize::MAX);
        let mut cameras: Vec<CameraTrack> = self
            .cameras
            .into_iter()
            .map(|(topic, frames)| CameraTrack { name: camera_name(&topic), topic, frames })
            .collect();
        cameras.sort_by_key(|camera| place(&camera.topic));
        let (bands, authority) = self.bands.finish(length_s);
        EpisodeIndex {
            info,
            start_ns: self.start_ns,
            length_s,
            cameras,
            signals: self.signals.finish(),
            bands,
            authority,
            faults: self.faults,
            gate: self.gate,
            link: self.link,
            markers: self.markers.finish(length_s),
        }
    }
}

/// `/camera/front` as `front`.
fn camera_name(topic: &str) -> String {
    topic.strip_prefix("/camera/").unwrap_or(topic).chars().take(24).collect()
}
