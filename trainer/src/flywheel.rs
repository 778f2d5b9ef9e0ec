//! One turn of the flywheel: drive and take over, train, compare, ship, measure.
//!
//! Every step is idempotent and leaves its result in the data folder or the control plane, so that a turn that was cut
//! off is simply done again from where it stood, with the same outcome.

use crate::fleet::{FleetPlan, mix};
use crate::{
    Dataset, LOOKS, Selection, TrainConfig, TrainError, Weighting, episode_files, manifest_of, publish, quantize, train,
};
use closed_loop::virtual_drive::{DriveError, Recording, TripReport, drive};
use control_plane_client::{ClientError, ControlPlaneClient};
use policy::{Policy, PolicyError};
use protocol::api::{self, Evaluation, VehicleRegistration};
use protocol::{Embodiment, IdError, PolicyVersion, VehicleId};
use sim::road::RoadNetwork;
use std::path::PathBuf;
use std::sync::Arc;
use vehicle_core::HELP_THRESHOLD;

/// How much a turn drives. Fixed numbers of trips, so that the same seed gives the same report on any machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Effort {
    /// Trips that collect takeovers.
    pub collect_trips: usize,
    /// Trips that compare a candidate with the policy in use, on training roads with seeds of their own.
    pub gate_trips: usize,
    /// Trips on held-out roads and seeds, for the report.
    pub held_out_trips: usize,
    /// Longest virtual time of a trip, seconds.
    pub trip_s: f64,
    /// Wanted length of a route, metres.
    pub route_m: f64,
    /// Training.
    pub training: TrainConfig,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            collect_trips: 20,
            gate_trips: 12,
            held_out_trips: 24,
            trip_s: 150.0,
            route_m: 1_500.0,
            // Young policies are seldom worth imitating: nearly all that is learnt from is what people drove.
            training: TrainConfig {
                weighting: Weighting { takeover: 0.9, ..Weighting::default() },
                ..TrainConfig::default()
            },
        }
    }
}

/// What a flywheel works on.
#[derive(Clone)]
pub struct Flywheel {
    /// Where reports go.
    pub plane: ControlPlaneClient,
    /// Episodes of the fleet.
    pub episodes_dir: PathBuf,
    /// Policies by version.
    pub policies_dir: PathBuf,
    /// Roads to learn on.
    pub roads: Vec<Arc<RoadNetwork>>,
    /// Roads kept out of training.
    pub held_out_roads: Vec<Arc<RoadNetwork>>,
    /// Seed of everything.
    pub seed: u64,
    /// How much a turn drives.
    pub effort: Effort,
}

/// Why a turn cannot be finished.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// A trip.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An artefact.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The control plane.
    #[error(transparent)]
    Report(#[from] ClientError),
    /// An identifier.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl TurnError {
    /// Whether the user ended the program, which is no failure.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Report(ClientError::Interrupted { .. }))
    }
}

/// Told what a turn is doing.
pub trait Progress: Sync {
    /// A step of `total` units begins; `name` is for the person.
    fn begin(&self, name: &str, total: u64);
    /// A unit is done; `note` says what stands out.
    fn advance(&self, note: &str);
    /// The step is over.
    fn end(&self);
}

/// Outcome of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnOutcome {
    /// The candidate.
    pub version: PolicyVersion,
    /// Whether it was shipped.
    pub shipped: bool,
    /// Miles per disengagement of candidate and policy in use, on the gate's trips.
    pub gate: [Evaluation; 2],
}

/// Confidence below which a policy asks for help: only when it all but knows that it will be taken over. Today's
/// confidence is badly calibrated (at 0.02 questions tripled the disengagements), and every
/// question costs a disengagement.
const ASK_BELOW: f64 = 0.0001;

const GATE: u64 = 0x6a7e;
const HELD_OUT: u64 = 0x4e1d;

impl Flywheel {
    /// The number of turns done so far and the policy in use, after making and measuring the untrained one on the first
    /// call.
    ///
    /// # Errors
    /// [`TurnError`] when the data folder or the control plane cannot be used.
    pub fn resume(&self, progress: &dyn Progress) -> Result<(u64, Policy), TurnError> {
        for index in 1..=4 {
            self.plane.register(&VehicleRegistration {
                vehicle: VehicleId::new(format!("virtual-{index}"))?,
                embodiment: Embodiment::ackermann_car().name,
                kind: "virtual".into(),
                map: String::new(),
                software: concat!("takeover ", env!("CARGO_PKG_VERSION")).into(),
            })?;
        }
        let known = self.plane.policies()?;
        let turns = known.iter().filter_map(|p| turn_of(&p.version)).max();
        let Some(turns) = turns else {
            let policy = self.first_policy()?;
            self.measure(&policy, progress)?;
            self.register(&policy, "published")?;
            return Ok((0, policy));
        };
        let is_in_use = |p: &&api::Policy| p.status == "published" && p.withdrawn.is_none();
        let champion = known.iter().rev().find(is_in_use).map(|p| p.version.clone());
        let champion = champion.map_or_else(|| PolicyVersion::new("v0"), Ok)?;
        Ok((turns, Policy::load(&self.policies_dir.join(champion.as_str()))?))
    }

    fn first_policy(&self) -> Result<Policy, TurnError> {
        let dir = self.policies_dir.join("v0");
        if dir.join(policy::MANIFEST_FILE).exists() {
            return Ok(Policy::load(&dir)?);
        }
        let policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("v0")?, self.seed)?;
        policy.save(&dir)?;
        Ok(policy)
    }

    fn register(&self, policy: &Policy, status: &str) -> Result<(), TurnError> {
        let manifest = policy.manifest();
        self.plane.publish(&api::Policy {
            version: manifest.version.clone(),
            parent: manifest.parent.clone(),
            sha256: manifest.sha256()?,
            episodes: manifest.episodes.len() as u64,
            frames: manifest.frames,
            status: status.into(),
            withdrawn: None,
        })?;
        Ok(())
    }

    /// Turn `number`, beginning with `champion` in use.
    ///
    /// # Errors
    /// [`TurnError`]; what was finished before stays finished.
    pub fn turn(&self, number: u64, champion: &Policy, progress: &dyn Progress) -> Result<TurnOutcome, TurnError> {
        self.collect(number, champion, progress)?;
        let version = PolicyVersion::new(format!("v{number}"))?;
        let dir = self.policies_dir.join(version.as_str());
        let candidate = if dir.join(policy::MANIFEST_FILE).exists() {
            Policy::load(&dir)?
        } else {
            self.learn(number, version.clone(), champion, progress)?
        };
        let gate = [self.compare(number, &candidate, progress)?, self.compare(number, champion, progress)?];
        let shipped = gate[0].mpd > gate[1].mpd;
        if shipped {
            self.measure(&candidate, progress)?;
        }
        self.register(&candidate, if shipped { "published" } else { "refused" })?;
        Ok(TurnOutcome { version, shipped, gate })
    }

    /// Drives with the policy in use and records every takeover.
    fn collect(&self, number: u64, champion: &Policy, progress: &dyn Progress) -> Result<(), TurnError> {
        let plan =
            self.plan(format!("t{number}-drive"), &self.roads, mix(self.seed, number), self.effort.collect_trips);
        let recording = Recording::Folder(self.episodes_dir.clone());
        let plan = FleetPlan { recording, turn: Some(number), ..plan };
        progress.begin(&format!("turn {number}: driving with {}", champion.manifest().version), plan.trips as u64);
        let finished = plan.try_each(|trip| -> Result<(), TurnError> {
            if self.plane.find_trip(&trip.id)?.is_some() {
                progress.advance("already driven");
                return Ok(());
            }
            let report = drive(&trip, champion.clone())?;
            self.plane.report_trip(&report.trip)?;
            progress.advance(&summary(&report));
            Ok(())
        });
        progress.end();
        finished.map(drop)
    }

    fn learn(
        &self,
        number: u64,
        version: PolicyVersion,
        champion: &Policy,
        progress: &dyn Progress,
    ) -> Result<Policy, TurnError> {
        let car = Embodiment::ackermann_car();
        let files = episode_files(&self.episodes_dir)?;
        // The live car's and later ones are no part of this training, so that the same seed gives the same policy.
        let selection = Selection { turns: Some(1..=number) };
        progress.begin(&format!("turn {number}: reading episodes"), files.len() as u64);
        let mut dataset = Dataset::new(&car);
        dataset.add_selected(&files, &selection, &|_, _| progress.advance(""))?;
        progress.end();
        let mut config = TrainConfig { seed: mix(self.seed, number ^ 0x7ea1), ..self.effort.training.clone() };
        config.weighting.distrusted = vec![PolicyVersion::new("v0")?];
        progress.begin(&format!("turn {number}: training {version}"), LOOKS as u64);
        // Going on from what drives already keeps what it can; the untrained one has nothing to keep.
        let parent = (number > 1).then_some(champion);
        let trained = train(&dataset, &config, parent, &mut |_| progress.advance(""));
        progress.end();
        let trained = trained?;
        let quantized = quantize(&trained, &dataset)?;
        let parent = champion.manifest().version.clone();
        let mut manifest = manifest_of(version, Some(parent), &dataset, &trained, &quantized);
        manifest.metrics.insert(HELP_THRESHOLD.to_owned(), ASK_BELOW);
        Ok(publish(&self.policies_dir, &car, manifest, quantized.network)?)
    }

    /// Drives on training roads with seeds that are used for nothing else.
    fn compare(&self, number: u64, policy: &Policy, progress: &dyn Progress) -> Result<Evaluation, TurnError> {
        let seed = mix(self.seed ^ GATE, number);
        let name = format!("turn {number}: comparing {}", policy.manifest().version);
        let plan = self.plan("gate".to_owned(), &self.roads, seed, self.effort.gate_trips);
        self.evaluate(&plan, &name, policy, progress)
    }

    /// Drives on held-out roads and seeds, the same for every version, and reports it.
    fn measure(&self, policy: &Policy, progress: &dyn Progress) -> Result<Evaluation, TurnError> {
        let seed = self.seed ^ HELD_OUT;
        let name = format!("measuring {} on held-out roads", policy.manifest().version);
        let trips = self.effort.held_out_trips;
        let plan = self.plan("held-out".to_owned(), &self.held_out_roads, seed, trips);
        let evaluation = self.evaluate(&plan, &name, policy, progress)?;
        self.plane.report_evaluation(&evaluation)?;
        Ok(evaluation)
    }

    fn evaluate(
        &self,
        plan: &FleetPlan,
        name: &str,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<Evaluation, TurnError> {
        progress.begin(name, plan.trips as u64);
        let reports = plan.drive(policy, |report| progress.advance(&summary(report)));
        progress.end();
        let reports = reports?;
        let metres = reports.iter().map(|r| r.trip.autonomous_m).sum();
        let disengagements = reports.iter().map(|r| r.trip.disengagements.len() as u64).sum();
        Ok(Evaluation::new(policy.manifest().version.clone(), metres, disengagements))
    }

    fn plan(&self, name: String, roads: &[Arc<RoadNetwork>], seed: u64, trips: usize) -> FleetPlan {
        FleetPlan {
            name,
            roads: roads.to_vec(),
            seed,
            trips,
            route_m: self.effort.route_m,
            max_time_s: self.effort.trip_s,
            recording: Recording::Off,
            assists: false,
            turn: None,
        }
    }
}

/// The turn that made a version of ours.
fn turn_of(version: &PolicyVersion) -> Option<u64> {
    version.as_str().strip_prefix('v')?.parse().ok()
}

fn summary(report: &TripReport) -> String {
    let km = report.trip.autonomous_m / 1000.0;
    format!("{}: {km:.2} km, {} takeovers", report.trip.id, report.trip.disengagements.len())
}
