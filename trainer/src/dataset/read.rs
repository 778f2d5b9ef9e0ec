//! Reading one episode file.

use super::label::{AuthorChanges, label};
use super::perturb::{Track, perturb};
use super::{Episode, Frame, FrameLabel, Selection, fnv1a};
use crate::TrainError;
use policy::{MAX_CHANNELS, Observation, action_unit, features};
use protocol::foxglove::Event;
use protocol::v1::{Author, AuthorityState, ControlCommand, Mode, Surroundings, VehicleState};
use protocol::{Embodiment, EpisodeId, EpisodeInfo, topics};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use recorder::{EpisodeMessage, EpisodeReader, RecorderError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::Path;

/// A moment at which the surroundings were new: exactly what the policy saw, and what was executed.
pub(super) struct Raw {
    pub time_ns: u64,
    pub state: VehicleState,
    pub surroundings: Surroundings,
    pub author: Author,
    pub action: Vec<f64>,
}

/// Everything of a file that frames are made from.
#[derive(Default)]
struct Contents {
    raw: Vec<Raw>,
    author_changes: AuthorChanges,
    track: Track,
}

/// The latest of each topic while reading.
#[derive(Default)]
struct Latest {
    state: Option<VehicleState>,
    command: Option<ControlCommand>,
    fresh: Option<Surroundings>,
    stopped: bool,
}

/// Reads an episode; `None` when the selection leaves it out.
pub(super) fn read(
    path: &Path,
    embodiment: &Embodiment,
    selection: &Selection,
) -> Result<Option<(EpisodeId, Episode)>, TrainError> {
    let failed = |source| TrainError::Episode { path: path.to_owned(), source };
    let reader = match EpisodeReader::open(path) {
        Ok(reader) => reader,
        // What else lies in the folder says nothing of what is asked for, and must not keep the rest from being learnt.
        Err(error) if *selection != Selection::default() => {
            tracing::warn!(path = %path.display(), %error, "left out: the episode cannot be read");
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let info = reader.info();
    if !selection.takes(info) {
        return Ok(None);
    }
    let sha256 = hash(path)?;
    if !info.embodiment.is_empty() && info.embodiment != embodiment.name {
        return Err(TrainError::Embodiment {
            episode: info.id.clone(),
            found: info.embodiment.clone(),
            expected: embodiment.name.clone(),
        });
    }
    let contents = contents(&reader).map_err(failed)?;
    let frames = frames(info, &contents, embodiment)?;
    let drive = (info.vehicle.to_string(), info.seed);
    Ok(Some((info.id.clone(), Episode { drive, policy: info.policy.clone(), sha256, frames })))
}

fn contents(reader: &EpisodeReader) -> Result<Contents, RecorderError> {
    let wanted = [
        topics::VEHICLE_STATE.name,
        topics::CONTROL_COMMAND.name,
        topics::SURROUNDINGS.name,
        topics::AUTHORITY.name,
        topics::TAKEOVER_EVENT.name,
    ];
    let (mut contents, mut latest) = (Contents::default(), Latest::default());
    for message in reader.select(Some(wanted), ..) {
        take(&message?, &mut latest, &mut contents)?;
    }
    contents.author_changes.finish(&reader.info().cause, reader.info().takeover_ns);
    Ok(contents)
}

fn take(message: &EpisodeMessage, latest: &mut Latest, contents: &mut Contents) -> Result<(), RecorderError> {
    let topic = message.topic();
    // An import may have another program's topic of the same name.
    if topics::by_name(topic).is_some_and(|ours| !message.is(ours.schema)) {
        return Ok(());
    }
    if topic == topics::VEHICLE_STATE.name {
        let state: VehicleState = message.decode()?;
        contents.track.push(message.log_time_ns, &state);
        latest.state = Some(state);
    } else if topic == topics::CONTROL_COMMAND.name {
        let command: ControlCommand = message.decode()?;
        contents.author_changes.author(message.log_time_ns, command.author());
        latest.command = Some(command);
    } else if topic == topics::SURROUNDINGS.name {
        latest.fresh = Some(message.decode()?);
    } else if topic == topics::AUTHORITY.name {
        latest.stopped = message.decode::<AuthorityState>()?.mode() == Mode::Stopped;
    } else if topic == topics::TAKEOVER_EVENT.name {
        contents.author_changes.event(&message.decode::<Event>()?);
    }
    if let Some(raw) = latest.frame(message.log_time_ns) {
        contents.raw.push(raw);
    }
    Ok(())
}

impl Latest {
    /// A frame once surroundings are new and the command that answers the latest state is known.
    fn frame(&mut self, time_ns: u64) -> Option<Raw> {
        let (state, command) = (self.state.as_ref()?, self.command.as_ref()?);
        if command.observation_sequence != state.sequence {
            return None;
        }
        let surroundings = self.fresh.take()?;
        let author = command.author();
        if self.stopped || !matches!(author, Author::Policy | Author::Operator) {
            return None;
        }
        Some(Raw { time_ns, state: state.clone(), surroundings, author, action: command.action.clone() })
    }
}

fn frames(info: &EpisodeInfo, contents: &Contents, embodiment: &Embodiment) -> Result<Vec<Frame>, TrainError> {
    let labels = label(&contents.raw, &contents.author_changes);
    // From the id alone, so that an episode gives the same frames whatever else is read.
    let mut rng = ChaCha8Rng::seed_from_u64(fnv1a(info.id.as_str().as_bytes()));
    let mut frames = Vec::with_capacity(contents.raw.len());
    for (raw, (label, help)) in contents.raw.iter().zip(labels) {
        let invalid = |why: String| TrainError::Frame { episode: info.id.clone(), time_ns: raw.time_ns, why };
        let observation = Observation { state: &raw.state, surroundings: &raw.surroundings };
        let frame = Frame {
            time_ns: raw.time_ns,
            monotonic_us: raw.state.monotonic_us,
            odometer_m: raw.state.odometer_m,
            features: features(embodiment, &observation).map_err(|e| invalid(e.to_string()))?,
            target: target(embodiment, &raw.action).map_err(invalid)?,
            label,
            help,
            perturbed: false,
        };
        let copies = if matches!(label, FrameLabel::Takeover | FrameLabel::Demonstration) {
            perturb(raw, &frame, &contents.track, embodiment, &mut rng)
        } else {
            Vec::new()
        };
        frames.push(frame);
        frames.extend(copies);
    }
    Ok(frames)
}

/// An action in output units.
pub(super) fn target(embodiment: &Embodiment, action: &[f64]) -> Result<[f32; MAX_CHANNELS], String> {
    if action.len() != embodiment.action.len() || action.len() > MAX_CHANNELS {
        return Err(format!(
            "the command has {} channels, {:?} has {}",
            action.len(),
            embodiment.name,
            embodiment.action.len()
        ));
    }
    let mut target = [0.0; MAX_CHANNELS];
    for ((target, value), channel) in target.iter_mut().zip(action).zip(&embodiment.action) {
        if !value.is_finite() {
            return Err(format!("the command's {} is {value}", channel.name));
        }
        *target = (value.clamp(channel.min, channel.max) / action_unit(channel)) as f32;
    }
    Ok(target)
}

fn hash(path: &Path) -> Result<String, TrainError> {
    let failed = |source| TrainError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match std::io::Read::read(&mut file, &mut buffer).map_err(failed)? {
            0 => return Ok(hex::encode(sha.finalize())),
            count => sha.update(&buffer[..count]),
        }
    }
}
