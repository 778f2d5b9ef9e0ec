//! Episodes as frames to learn from.

mod label;
mod perturb;
mod read;
mod selection;

use crate::TrainError;
use policy::{FEATURES, MAX_CHANNELS, TrainedOn};
use protocol::{Embodiment, EpisodeId, PolicyVersion};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

pub use label::{HELP_HORIZON_NS, PRE_TAKEOVER_FRAMES};
pub use perturb::PERTURBED_COPIES;
pub use selection::Selection;

/// What a takeover says about a frame (Liu et al. 2022, "Robot learning on the job", Sirius).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameLabel {
    /// The policy drove, and nobody minded.
    Rollout,
    /// The policy drove, and within [`PRE_TAKEOVER_FRAMES`] frames somebody took over: it did something wrong.
    PreTakeover,
    /// A person drove without having taken over from a policy.
    Demonstration,
    /// A person drove after taking over.
    Takeover,
}

/// One moment of an episode.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Log time, nanoseconds.
    pub time_ns: u64,
    /// Vehicle's clock, microseconds.
    pub monotonic_us: u64,
    /// Vehicle's distance driven, m.
    pub odometer_m: f64,
    /// What [`policy::features`] gave.
    pub features: [f32; FEATURES],
    /// The action that was executed, in [`policy::action_unit`]s; the first [`Dataset::channels`] count.
    pub target: [f32; MAX_CHANNELS],
    /// What the takeover says about it.
    pub label: FrameLabel,
    /// Whether a takeover for need (safety, asked for, stuck) began within [`HELP_HORIZON_NS`]; `None` when not known.
    pub help: Option<bool>,
    /// Made from a recorded frame by moving the vehicle, not recorded itself.
    pub perturbed: bool,
}

/// Vehicle and seed of the scenario.
type Drive = (String, Option<u64>);

/// The frames of one file.
#[derive(Debug, Clone)]
pub struct Episode {
    /// Which vehicle and scenario: frames of one drive that two files share are recognised by it.
    drive: Drive,
    /// The policy that was in force.
    pub policy: PolicyVersion,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// In the order of time, each recorded frame before the perturbed ones that were made from it.
    pub frames: Vec<Frame>,
}

/// All that is learnt from, in the order of the episodes' ids whatever the order of reading.
#[derive(Debug, Clone)]
pub struct Dataset {
    embodiment: Embodiment,
    episodes: BTreeMap<EpisodeId, Episode>,
}

/// Which part of the data: every tenth episode by the hash of its id is held out, so that it stays held out in later
/// trainings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// To learn from.
    Train,
    /// To judge by.
    Validation,
}

impl Dataset {
    /// An empty dataset for one kind of robot.
    #[must_use]
    pub fn new(embodiment: &Embodiment) -> Self {
        Self { embodiment: embodiment.clone(), episodes: BTreeMap::new() }
    }

    /// Reads files, in parallel; an episode that is already there is read again and replaced. `progress` is told how
    /// many of how many are done.
    ///
    /// # Errors
    /// [`TrainError`] of the first file in the order given that cannot be read; nothing is added then.
    pub fn add(&mut self, files: &[PathBuf], progress: &(dyn Fn(usize, usize) + Sync)) -> Result<(), TrainError> {
        self.add_selected(files, &Selection::default(), progress)
    }

    /// As [`Self::add`], of the episodes that `selection` takes.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_selected(
        &mut self,
        files: &[PathBuf],
        selection: &Selection,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(), TrainError> {
        let done = AtomicUsize::new(0);
        let read: Vec<_> = files
            .par_iter()
            .map(|file| {
                let episode = read::read(file, &self.embodiment, selection);
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, files.len());
                episode
            })
            .collect();
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.episodes.extend(read.into_iter().flatten());
        Ok(())
    }

    /// Adds frames that come from elsewhere than a file.
    pub fn insert(&mut self, id: EpisodeId, policy: PolicyVersion, sha256: String, frames: Vec<Frame>) {
        let drive = (id.to_string(), None);
        self.episodes.insert(id, Episode { drive, policy, sha256, frames });
    }

    /// Forgets an episode; says whether it was there.
    pub fn remove(&mut self, id: &EpisodeId) -> bool {
        self.episodes.remove(id).is_some()
    }

    /// The robot whose data it is.
    #[must_use]
    pub fn embodiment(&self) -> &Embodiment {
        &self.embodiment
    }

    /// Number of action channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.embodiment.action.len()
    }

    /// The episodes by id.
    pub fn episodes(&self) -> impl Iterator<Item = (&EpisodeId, &Episode)> {
        self.episodes.iter()
    }

    /// The episodes as a manifest lists them.
    #[must_use]
    pub fn trained_on(&self) -> Vec<TrainedOn> {
        let row = |(id, e): (&EpisodeId, &Episode)| TrainedOn { episode: id.clone(), sha256: e.sha256.clone() };
        self.episodes.iter().map(row).collect()
    }

    /// How many recorded frames bear each label, in the order of [`FrameLabel`], counting a shared frame once.
    #[must_use]
    pub fn label_counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for (frame, _) in self.frames(Split::Train).iter().chain(&self.frames(Split::Validation)) {
            counts[frame.label as usize] += usize::from(!frame.perturbed);
        }
        counts
    }

    /// The frames of a part with the policy that was in force. A frame that two episodes of one drive share is there
    /// once, with the stronger of their labels. With a single episode both parts are that episode.
    #[must_use]
    pub fn frames(&self, split: Split) -> Vec<(Frame, &PolicyVersion)> {
        let held_out = self.held_out();
        let mut frames: Vec<(Frame, &PolicyVersion)> = Vec::new();
        let mut seen: BTreeMap<(&Drive, u64, u64), usize> = BTreeMap::new();
        for (id, episode) in &self.episodes {
            let part = if held_out.contains(&id) { Split::Validation } else { Split::Train };
            if part != split && self.episodes.len() > 1 {
                continue;
            }
            for frame in &episode.frames {
                let key = (&episode.drive, frame.monotonic_us, frame.odometer_m.to_bits());
                match seen.get(&key) {
                    Some(_) if frame.perturbed => {}
                    Some(&index) => {
                        let first = &mut frames[index].0;
                        first.label = first.label.max(frame.label);
                        first.help = first.help.max(frame.help);
                    }
                    None => {
                        if !frame.perturbed {
                            seen.insert(key, frames.len());
                        }
                        frames.push((frame.clone(), &episode.policy));
                    }
                }
            }
        }
        frames
    }

    fn held_out(&self) -> Vec<&EpisodeId> {
        let hashed = |id: &&EpisodeId| fnv1a(id.as_str().as_bytes());
        let tenth: Vec<_> = self.episodes.keys().filter(|id| hashed(id).is_multiple_of(10)).collect();
        if tenth.is_empty() { self.episodes.keys().min_by_key(hashed).into_iter().collect() } else { tenth }
    }
}

/// The finished episode files of a folder, by name.
///
/// # Errors
/// [`TrainError::Io`] when the folder cannot be read.
pub fn episode_files(dir: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let failed = |source| TrainError::Io { path: dir.to_owned(), source };
    let entries = std::fs::read_dir(dir).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "mcap"));
    files.sort();
    Ok(files)
}

/// The 64-bit FNV-1a hash: the same on every machine and in every version.
fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    // The low bits of FNV vary least with the last characters, in which ids differ: fold the high ones in.
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    hash ^ (hash >> 32)
}
