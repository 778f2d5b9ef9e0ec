//! The bridge's side of the recorder: triggers, calibrations, a candidate policy in the shadow, and what the recorder
//! has to tell.

use crate::core::{Sensors, Tick, VehicleCore};
use crate::keeper::{Keeper, calibration, mounting};
use crate::scribe::Scribe;
use crossbeam_channel::{Receiver, Sender};
use policy::{Observation, Policy};
use protocol::api::Episode;
use protocol::foxglove::log::Level;
use protocol::v1::LinkStats;
use recorder::{Attachment, Disk, RecorderEvent, RecorderThread, topics};
use sim::camera::CameraSpec;

/// Beginning of the fault codes of a recorder in trouble.
const FAULT: &str = "recorder_disk_";

/// What the control thread keeps for the recorder.
pub(super) struct Keeping {
    keeper: Keeper,
    cameras: Vec<(&'static str, CameraSpec)>,
    /// A policy on trial: it proposes and nobody listens.
    candidate: Option<Policy>,
    candidate_action: Option<Vec<f64>>,
    last_surroundings_us: Option<u64>,
    disk: Disk,
}

impl Keeping {
    pub(super) fn new(keeper: Keeper, cameras: Vec<(&'static str, CameraSpec)>, candidate: Option<Policy>) -> Self {
        let disk = Disk::Well;
        Self { keeper, cameras, candidate, candidate_action: None, last_surroundings_us: None, disk }
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        self.keeper.attachments()
    }

    /// Hands on what fired at this tick; once a second (`slowly`) also how the cameras see.
    pub(super) fn tick(
        &mut self,
        now_us: u64,
        (sensors, tick): (&Sensors, &Tick),
        link: &LinkStats,
        core: &VehicleCore,
        (recorder, clock_ahead_ms): (&RecorderThread, Option<i64>),
        scribe: &mut Scribe,
    ) {
        self.consult_candidate(sensors);
        let wall_ns = scribe.wall_ns(now_us);
        let policy = &core.policy().manifest().version;
        let kept = self.keeper.look(wall_ns, sensors, tick, link, self.candidate_action.as_deref(), policy);
        for mut keep in kept {
            keep.info.clock_ahead_ms = clock_ahead_ms;
            recorder.handle().trigger(wall_ns, keep.fired, keep.info, self.keeper.attachments());
        }
    }

    fn consult_candidate(&mut self, sensors: &Sensors) {
        let (Some(candidate), Some(surroundings)) = (&mut self.candidate, &sensors.surroundings) else { return };
        if self.last_surroundings_us == Some(surroundings.monotonic_us) {
            return;
        }
        self.last_surroundings_us = Some(surroundings.monotonic_us);
        let observation = Observation { state: &sensors.state, surroundings };
        let proposal = candidate.propose(&observation).ok();
        self.candidate_action = proposal.map(|proposal| proposal.action().to_vec());
    }

    /// How the cameras see and where they sit; every episode has them within its first second.
    pub(super) fn describe_cameras(&self, now_us: u64, recorder: &RecorderThread, scribe: &mut Scribe) {
        let at_ns = scribe.wall_ns(now_us);
        for ((name, spec), topic) in self.cameras.iter().zip(topics::CALIBRATIONS) {
            recorder.handle().push(scribe.message(topic, now_us, now_us, &calibration(name, spec, at_ns)));
        }
        recorder.handle().push(scribe.message(&topics::TF, now_us, now_us, &mounting(&self.cameras, at_ns)));
    }

    /// Tells when the recorder's disk gets into trouble or out of it. Answers the fault code of a disk in trouble.
    pub(super) fn look_after_disk(
        &mut self,
        now_us: u64,
        recorder: &RecorderThread,
        scribe: &mut Scribe,
    ) -> Option<String> {
        let status = recorder.handle().status();
        if status.disk != self.disk {
            self.disk = status.disk;
            let level = if status.disk == Disk::Well { Level::Info } else { Level::Error };
            let text = format!("the recorder's disk is {}: {}", status.disk.label(), status.detail);
            tracing::warn!(waiting_bytes = status.waiting_bytes, lost = status.lost, "{text}");
            recorder.handle().push(scribe.log(now_us, level, text));
        }
        (status.disk != Disk::Well).then(|| format!("{FAULT}{}", status.disk.label().replace('-', "_")))
    }
}

/// Hands on what the recorder has to tell, as soon as it tells it, until it ends: finished episodes go to `episodes`. On a
/// thread of its own, so that no episode waits for the control thread to look.
/// `clock_ahead_ms` says by how much the log times are ahead of the control plane's clock, as far as that is known by then.
pub(super) fn deliver(
    events: &Receiver<RecorderEvent>,
    clock_ahead_ms: impl Fn() -> Option<i64>,
    episodes: &Sender<Episode>,
) {
    events.iter().for_each(|event| tell(event, clock_ahead_ms(), episodes));
}

/// Hands on one thing that the recorder has to tell.
pub(super) fn tell(event: RecorderEvent, clock_ahead_ms: Option<i64>, episodes: &Sender<Episode>) {
    match event {
        RecorderEvent::Finished(mut episode) => {
            // It may have begun before anything was measured.
            episode.clock_ahead_ms = episode.clock_ahead_ms.or(clock_ahead_ms);
            tracing::info!(id = %episode.id, bytes = episode.bytes, "episode finished");
            // Nobody takes them when the bridge ends; the next start finds them in the spool.
            let _ = episodes.send(episode);
        }
        RecorderEvent::Logged(part) => tracing::debug!(file = %part.file, "part of the drive log finished"),
        RecorderEvent::Removed(path) => tracing::warn!(path = %path.display(), "removed to make room"),
        RecorderEvent::Failed { episode, error } => tracing::error!(%episode, %error, "an episode's file failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Account;
    use protocol::{EpisodeId, PolicyVersion, VehicleId};
    use recorder::{Source, ThreadConfig};

    #[test]
    fn a_finished_episode_is_handed_on_although_nobody_asks_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = RecorderThread::start(ThreadConfig::new(dir.path())).unwrap();
        let (episodes, to_upload) = crossbeam_channel::unbounded();
        let events = recorder.events().clone();
        let courier = std::thread::spawn(move || deliver(&events, || Some(-7), &episodes));
        let account = Account {
            vehicle: VehicleId::new("car-1").unwrap(),
            prefix: "t".into(),
            map: "m".into(),
            embodiment: "ackermann_car".into(),
            source: Source::Live,
            seed: None,
        };
        let id = EpisodeId::new("t-1").unwrap();
        let info = account.describe(id.clone(), &PolicyVersion::new("v0").unwrap());
        recorder.handle().begin(1_000_000_000, info, Vec::new());
        recorder.handle().end(1_100_000_000, id.clone());
        // Its post-roll is over long before.
        let later = account.describe(EpisodeId::new("t-2").unwrap(), &PolicyVersion::new("v0").unwrap());
        recorder.handle().begin(60_000_000_000, later, Vec::new());
        let episode = to_upload.recv().unwrap();
        assert_eq!(episode.id, id);
        assert_eq!(episode.clock_ahead_ms, Some(-7), "measured after it began");
        drop(recorder);
        courier.join().unwrap();
    }
}
