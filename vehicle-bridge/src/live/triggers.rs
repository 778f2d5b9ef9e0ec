//! The bridge's side of the recorder: triggers, calibrations, a candidate policy in the shadow, and the recorder's
//! events.

use crossbeam_channel::{Receiver, Sender};
use policy::{Observation, Policy};
use protocol::api::Episode;
use protocol::foxglove::log::Level;
use protocol::v1::LinkStats;
use protocol::{Attachment, FaultCode};
use recorder::{Disk, RecorderEvent, RecorderThread};
use vehicle_core::telemetry::TelemetryEncoder;
use vehicle_core::triggers::TriggerEvaluator;
use vehicle_core::{Sensors, Tick, VehicleCore};

/// Evaluates triggers for the recorder on the control thread.
pub(super) struct LiveTriggers {
    evaluator: TriggerEvaluator,
    /// A policy on trial: it proposes and nobody listens.
    candidate: Option<Policy>,
    candidate_action: Option<Vec<f64>>,
    last_surroundings_us: Option<u64>,
    disk: Disk,
}

impl LiveTriggers {
    pub(super) fn new(evaluator: TriggerEvaluator, candidate: Option<Policy>) -> Self {
        let disk = Disk::Well;
        Self { evaluator, candidate, candidate_action: None, last_surroundings_us: None, disk }
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        self.evaluator.attachments()
    }

    /// Hands on what fired at this tick.
    pub(super) fn tick(
        &mut self,
        now_us: u64,
        (sensors, tick): (&Sensors, &Tick),
        link: &LinkStats,
        core: &VehicleCore,
        (recorder, clock_ahead_ms): (&RecorderThread, Option<i64>),
        telemetry: &mut TelemetryEncoder,
    ) {
        self.consult_candidate(sensors);
        let wall_ns = telemetry.wall_ns(now_us);
        let policy = &core.policy().manifest().version;
        let triggered = self.evaluator.evaluate(wall_ns, sensors, tick, link, self.candidate_action.as_deref(), policy);
        for mut episode in triggered {
            episode.info.clock_ahead_ms = clock_ahead_ms;
            recorder.handle().trigger(wall_ns, episode.fired, episode.info, self.evaluator.attachments());
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

    /// Tells when the recorder's disk gets into trouble or out of it. Returns the fault of a disk in trouble.
    pub(super) fn look_after_disk(
        &mut self,
        now_us: u64,
        recorder: &RecorderThread,
        telemetry: &mut TelemetryEncoder,
    ) -> Option<FaultCode> {
        let status = recorder.handle().status();
        if status.disk != self.disk {
            self.disk = status.disk;
            let level = if status.disk == Disk::Well { Level::Info } else { Level::Error };
            let text = format!("the recorder's disk is {}: {}", status.disk.label(), status.detail);
            tracing::warn!(waiting_bytes = status.waiting_bytes, lost = status.lost, "{text}");
            recorder.handle().push(telemetry.log(now_us, level, text));
        }
        fault_of(status.disk)
    }
}

fn fault_of(disk: Disk) -> Option<FaultCode> {
    match disk {
        Disk::Well => None,
        Disk::Slow => Some(FaultCode::RecorderDiskSlow),
        Disk::Full => Some(FaultCode::RecorderDiskFull),
        Disk::ReadOnly => Some(FaultCode::RecorderDiskReadOnly),
        Disk::Gone => Some(FaultCode::RecorderDiskGone),
        Disk::Failing => Some(FaultCode::RecorderDiskFailing),
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
    use protocol::{EpisodeId, EpisodeSource, PolicyVersion, VehicleId};
    use recorder::ThreadConfig;
    use vehicle_core::mileage::VehicleMetadata;

    #[test]
    fn a_finished_episode_is_handed_on_although_nobody_asks_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = RecorderThread::start(ThreadConfig::new(dir.path())).unwrap();
        let (episodes, to_upload) = crossbeam_channel::unbounded();
        let events = recorder.events().clone();
        let courier = std::thread::spawn(move || deliver(&events, || Some(-7), &episodes));
        let vehicle = VehicleMetadata {
            vehicle: VehicleId::new("car-1").unwrap(),
            prefix: "t".into(),
            map: "m".into(),
            embodiment: "ackermann_car".into(),
            source: EpisodeSource::Live,
            seed: None,
        };
        let id = EpisodeId::new("t-1").unwrap();
        let info = vehicle.describe(id.clone(), &PolicyVersion::new("v0").unwrap());
        recorder.handle().begin(1_000_000_000, info, Vec::new());
        recorder.handle().end(1_100_000_000, id.clone());
        // Its post-roll is over long before.
        let later = vehicle.describe(EpisodeId::new("t-2").unwrap(), &PolicyVersion::new("v0").unwrap());
        recorder.handle().begin(60_000_000_000, later, Vec::new());
        let episode = to_upload.recv().unwrap();
        assert_eq!(episode.id, id);
        assert_eq!(episode.clock_ahead_ms, Some(-7), "measured after it began");
        drop(recorder);
        courier.join().unwrap();
    }
}
