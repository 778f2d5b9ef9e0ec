//! One turn of the flywheel: drive and take over, train, compare, ship, measure.
//!
//! Every step is idempotent and leaves its result in the data folder or the control plane, so that a turn that was cut
//! off is simply done again from where it stood, with the same outcome.

use crate::comparison::{ComparisonError, GateBudget, GateReport, compare};
use crate::figures::{TURN, row, rows};
use crate::fleet::FleetPlan;
use crate::gate::GateDecision;
use crate::policy_seat::PolicySeat;
use crate::road_split::{RoadSplit, RoadSplitError, names};
use crate::seeds::SeedPurpose;
use crate::{
    Dataset, LOOKS, Selection, TrainConfig, TrainError, Weighting, episode_files, manifest_of, publish, quantize, train,
};
use closed_loop::virtual_drive::{DriveError, Recording, TripReport, drive};
use control_plane_client::{ClientError, ControlPlaneClient};
use policy::{Manifest, Policy, PolicyError};
use protocol::api::{self, Evaluation, EvaluationRole, UNSEEN_EVENTS, VehicleRegistration};
use protocol::{Embodiment, IdError, PolicyVersion, VehicleId};
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vehicle_core::HELP_THRESHOLD;

/// How much a turn drives. Fixed numbers of trips, so that the same seed gives the same report on any machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Effort {
    /// Trips that collect takeovers.
    pub collect_trips: usize,
    /// What the gate may spend on comparing the candidates with the policy in use.
    pub gate: GateBudget,
    /// Trips on held-out roads and seeds, for the report.
    pub held_out_trips: usize,
    /// Trips on held-out roads and seeds with the kinds of events that training never sees.
    pub unseen_trips: usize,
    /// Longest virtual time of a trip, seconds.
    pub trip_s: f64,
    /// Wanted length of a route, metres.
    pub route_m: f64,
    /// Training.
    pub training: TrainConfig,
    /// Candidates of a turn, trained with seeds of their own; the gate pays for the choice among them.
    pub training_seeds: usize,
    /// Kinds of events that neither training nor the gate sees.
    pub unseen_events: Vec<ScenarioEvent>,
}

impl Default for Effort {
    fn default() -> Self {
        Self {
            collect_trips: 20,
            // A fifth of what `takeover gate` allows, so that a turn stays quick.
            gate: GateBudget { core_minutes: 4.0, ..GateBudget::default() },
            held_out_trips: 24,
            unseen_trips: 12,
            trip_s: 150.0,
            route_m: 1_500.0,
            // Young policies are seldom worth imitating: nearly all that is learnt from is what people drove.
            training: TrainConfig {
                weighting: Weighting { takeover: 0.9, ..Weighting::default() },
                ..TrainConfig::default()
            },
            // As many as there are cores on the smallest machine: they train side by side.
            training_seeds: 2,
            // The lane can be closed in another way than by the cones that training sees.
            unseen_events: vec![ScenarioEvent::DoubleParked],
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
    /// Policies by version; a turn's candidates beside them as `VERSION-1`, `VERSION-2` and so on.
    pub policies_dir: PathBuf,
    /// What the gate decided and by what, by version.
    pub gates_dir: PathBuf,
    /// Roads by what they are for.
    pub roads: RoadSplit,
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
    Drive(Box<DriveError>),
    /// The roads.
    #[error(transparent)]
    Roads(#[from] RoadSplitError),
    /// The gate.
    #[error(transparent)]
    Comparison(Box<ComparisonError>),
    /// What an earlier start left of the gate is not whole.
    #[error("cannot read the gate's decision {path}: {source}; remove the file to have it decided again", path = path.display())]
    GateFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An artefact.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The control plane.
    #[error(transparent)]
    Report(Box<ClientError>),
    /// An identifier.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl From<DriveError> for TurnError {
    fn from(error: DriveError) -> Self {
        Self::Drive(Box::new(error))
    }
}

impl From<ComparisonError> for TurnError {
    fn from(error: ComparisonError) -> Self {
        Self::Comparison(Box::new(error))
    }
}

impl From<ClientError> for TurnError {
    fn from(error: ClientError) -> Self {
        Self::Report(Box::new(error))
    }
}

impl TurnError {
    /// Whether the user ended the program, which is no failure.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Report(error) if matches!(**error, ClientError::Interrupted { .. }))
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
    /// The version that the best candidate became.
    pub version: PolicyVersion,
    /// Whether it was shipped.
    pub shipped: bool,
    /// What the gate decided and by what.
    pub gate: GateReport,
}

/// Confidence below which a policy asks for help: only when it all but knows that it will be taken over. Today's
/// confidence is badly calibrated (at 0.02 questions tripled the disengagements), and every
/// question costs a disengagement.
const ASK_BELOW: f64 = 0.0001;

/// Series of seeds for training that are not those of drives.
const NETWORK: u64 = 1;
/// Series of seeds for the report's unseen events.
const UNSEEN: u64 = 1;

impl Flywheel {
    /// The number of turns done so far and the policy in use, after making the untrained one on the first call. Whoever stands
    /// in the report and was not measured yet is: operator, reference driver and published versions.
    ///
    /// # Errors
    /// [`TurnError`] when the data folder or the control plane cannot be used.
    pub fn resume(&self, progress: &dyn Progress) -> Result<(u64, Policy), TurnError> {
        let car = Embodiment::ackermann_car();
        for index in 1..=4 {
            self.plane.register(&VehicleRegistration {
                vehicle: VehicleId::new(format!("virtual-{index}"))?,
                embodiment: car.name.clone(),
                kind: "virtual".into(),
                map: String::new(),
                software: concat!("takeover ", env!("CARGO_PKG_VERSION")).into(),
            })?;
        }
        let known = self.plane.policies()?;
        let measured = self.plane.evaluations()?;
        let is_measured = |policy: &PolicyVersion, role: EvaluationRole| {
            measured.iter().any(|e| e.policy == *policy && e.role == role && e.road == UNSEEN_EVENTS)
        };
        for seat in [PolicySeat::operator(&car)?, PolicySeat::reference(&car)?] {
            if !is_measured(&seat.policy.manifest().version, seat.role) {
                self.measure(&seat, progress)?;
            }
        }
        let turns = known.iter().filter_map(|p| turn_of(&p.version)).max();
        let Some(turns) = turns else {
            let policy = self.first_policy()?;
            self.measure(&policy.clone().into(), progress)?;
            self.register(&policy, "published")?;
            return Ok((0, policy));
        };
        let load = |version: &PolicyVersion| Policy::load(&self.policies_dir.join(version.as_str()));
        let published = known.iter().filter(|p| p.status == "published");
        for policy in published.filter(|p| turn_of(&p.version).is_some()) {
            if !is_measured(&policy.version, EvaluationRole::Policy) {
                self.measure(&load(&policy.version)?.into(), progress)?;
            }
        }
        let is_in_use = |p: &&api::Policy| p.status == "published" && p.withdrawn.is_none();
        let champion = known.iter().rev().find(is_in_use).map(|p| p.version.clone());
        let champion = champion.map_or_else(|| PolicyVersion::new("v0"), Ok)?;
        Ok((turns, load(&champion)?))
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
        let candidates = self.candidates(number, &version, champion, progress)?;
        let gate = self.compare(number, &version, champion, &candidates, progress)?;
        let shipped = gate.decision == GateDecision::Ship;
        let best = &candidates[gate.best.min(candidates.len() - 1)];
        let manifest = Manifest { version: version.clone(), ..best.manifest().clone() };
        let policy = publish(&self.policies_dir, best.embodiment(), manifest, best.network().clone())?;
        if shipped {
            self.measure(&policy.clone().into(), progress)?;
        }
        self.register(&policy, if shipped { "published" } else { "refused" })?;
        Ok(TurnOutcome { version, shipped, gate })
    }

    /// Drives with the policy in use and records every takeover.
    fn collect(&self, number: u64, champion: &Policy, progress: &dyn Progress) -> Result<(), TurnError> {
        let seed = SeedPurpose::Training.derive(self.seed, &[number]);
        let trips = self.effort.collect_trips;
        let plan = self.plan(format!("t{number}-drive"), &self.roads.training, SeedPurpose::Training, seed, trips);
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

    /// The turn's candidates, trained from the same episodes with seeds of their own, unless they are there already.
    fn candidates(
        &self,
        number: u64,
        version: &PolicyVersion,
        champion: &Policy,
        progress: &dyn Progress,
    ) -> Result<Vec<Policy>, TurnError> {
        let count = self.effort.training_seeds.max(1);
        let name = |index: usize| PolicyVersion::new(format!("{version}-{}", index + 1));
        let names = (0..count).map(name).collect::<Result<Vec<_>, _>>()?;
        let folder = |name: &PolicyVersion| self.policies_dir.join(name.as_str());
        if names.iter().all(|name| folder(name).join(policy::MANIFEST_FILE).exists()) {
            return Ok(names.iter().map(|name| Policy::load(&folder(name))).collect::<Result<_, _>>()?);
        }
        let car = Embodiment::ackermann_car();
        let files = episode_files(&self.episodes_dir)?;
        // The live car's and later ones are no part of this training, so that the same seed gives the same policy.
        let selection = Selection { turns: Some(1..=number) };
        progress.begin(&format!("turn {number}: reading episodes"), files.len() as u64);
        let mut dataset = Dataset::new(&car);
        dataset.add_selected(&files, &selection, &|_, _| progress.advance(""))?;
        progress.end();
        progress.begin(&format!("turn {number}: training {version}"), (LOOKS * count) as u64);
        // Each trains on one thread, so that the same seed gives the same policy; they do so side by side.
        let trained = std::thread::scope(|scope| {
            let learn = |(index, name)| {
                let dataset = &dataset;
                scope.spawn(move || self.learn(number, index, name, champion, dataset, progress))
            };
            let threads: Vec<_> = (0u64..).zip(names).map(learn).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect::<Result<Vec<_>, TurnError>>()
        });
        progress.end();
        trained
    }

    fn learn(
        &self,
        number: u64,
        index: u64,
        version: PolicyVersion,
        champion: &Policy,
        dataset: &Dataset,
        progress: &dyn Progress,
    ) -> Result<Policy, TurnError> {
        let seed = SeedPurpose::Training.derive(self.seed, &[number, NETWORK, index]);
        let mut config = TrainConfig { seed, ..self.effort.training.clone() };
        config.weighting.distrusted = vec![PolicyVersion::new("v0")?];
        // Going on from what drives already keeps what it can; the untrained one has nothing to keep.
        let parent = (number > 1).then_some(champion);
        let trained = train(dataset, &config, parent, &mut |_| progress.advance(""))?;
        let quantized = quantize(&trained, dataset)?;
        let parent = champion.manifest().version.clone();
        let mut manifest = manifest_of(version, Some(parent), dataset, &trained, &quantized);
        manifest.metrics.insert(HELP_THRESHOLD.to_owned(), ASK_BELOW);
        manifest.metrics.insert(TURN.to_owned(), number as f64);
        Ok(publish(&self.policies_dir, dataset.embodiment(), manifest, quantized.network)?)
    }

    /// Compares the candidates with the policy in use, on the gate's roads with seeds that are used for nothing else, unless
    /// it was decided already.
    fn compare(
        &self,
        number: u64,
        version: &PolicyVersion,
        champion: &Policy,
        candidates: &[Policy],
        progress: &dyn Progress,
    ) -> Result<GateReport, TurnError> {
        let path = self.gates_dir.join(format!("{version}.json"));
        match std::fs::read(&path) {
            Ok(text) => return serde_json::from_slice(&text).map_err(|source| TurnError::GateFile { path, source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(TrainError::Io { path, source }.into()),
        }
        let seats: Vec<PolicySeat> = candidates.iter().cloned().map(PolicySeat::from).collect();
        let budget = &self.effort.gate;
        let seed = SeedPurpose::Gate.derive(self.seed, &[number]);
        let plan = self.plan("gate".to_owned(), &self.roads.gate, SeedPurpose::Gate, seed, 0);
        let most = budget.pairs(plan.max_time_s, seats.len()) * (seats.len() + 1);
        let against = champion.manifest().version.clone();
        progress.begin(&format!("turn {number}: comparing {version} with {against}"), most as u64);
        let report = compare(&plan, &champion.clone().into(), &seats, budget, progress);
        progress.end();
        let report = report?;
        write_whole(&path, &report)?;
        Ok(report)
    }

    /// Drives on held-out roads and seeds, the same for everybody, and reports it.
    fn measure(&self, seat: &PolicySeat, progress: &dyn Progress) -> Result<(), TurnError> {
        let version = &seat.policy.manifest().version;
        let (effort, roads) = (&self.effort, &self.roads.report);
        let plan = self.plan("held-out".to_owned(), roads, SeedPurpose::Report, self.seed, effort.held_out_trips);
        let plan = FleetPlan { events: ScenarioEvent::ALL.to_vec(), ..plan };
        let seed = SeedPurpose::Report.derive(self.seed, &[UNSEEN]);
        let unseen = self.plan("unseen".to_owned(), roads, SeedPurpose::Report, seed, effort.unseen_trips);
        let unseen = FleetPlan { events: effort.unseen_events.clone(), ..unseen };
        let total = plan.trips + unseen.trips;
        progress.begin(&format!("measuring {version} on held-out roads"), total as u64);
        let drive = |plan: &FleetPlan| plan.drive(seat, |report| progress.advance(&summary(report)));
        let driven = drive(&plan).and_then(|reports| Ok((reports, drive(&unseen)?)));
        progress.end();
        let (reports, unseen_reports) = driven?;
        let mut measured = rows(seat, &plan, &reports);
        let of_unseen: Vec<&TripReport> = unseen_reports.iter().collect();
        measured.push(row(seat, &unseen, UNSEEN_EVENTS, &of_unseen));
        for row in measured {
            let (trained_on, gated_on) = (names(&self.roads.training), names(&self.roads.gate));
            self.plane.report_evaluation(&Evaluation { trained_on, gated_on, ..row })?;
        }
        Ok(())
    }

    fn plan(
        &self,
        name: String,
        roads: &[Arc<RoadNetwork>],
        purpose: SeedPurpose,
        seed: u64,
        trips: usize,
    ) -> FleetPlan {
        let unseen = &self.effort.unseen_events;
        FleetPlan {
            name,
            roads: roads.to_vec(),
            seed,
            purpose,
            events: ScenarioEvent::ALL.into_iter().filter(|kind| !unseen.contains(kind)).collect(),
            trips,
            route_m: self.effort.route_m,
            max_time_s: self.effort.trip_s,
            recording: Recording::Off,
            assists: false,
            turn: None,
            necessity: None,
        }
    }
}

/// Writes a report as JSON, whole or not at all.
fn write_whole(path: &Path, report: &GateReport) -> Result<(), TurnError> {
    let partial = path.with_extension("json.part");
    let text = serde_json::to_vec_pretty(report).map_err(std::io::Error::from);
    let written = text.and_then(|text| std::fs::write(&partial, text)).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|source| TrainError::Io { path: path.to_owned(), source }.into())
}

/// The turn that made a version of ours.
fn turn_of(version: &PolicyVersion) -> Option<u64> {
    version.as_str().strip_prefix('v')?.parse().ok()
}

fn summary(report: &TripReport) -> String {
    let km = report.trip.autonomous_m / 1000.0;
    format!("{}: {km:.2} km, {} takeovers", report.trip.id, report.trip.disengagements.len())
}
