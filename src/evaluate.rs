//! `takeover evaluate`: how far a driver in the policy's seat gets, and how well it drives, in virtual time.

use crate::output::end_on_interrupt;
use crate::road::{RoadReport, distinct};
use crate::seat_choice::policy_seat;
use anyhow::Context;
use closed_loop::necessity::NecessityConfig;
use closed_loop::virtual_drive::{Recording, TripReport};
use policy::Policy;
use protocol::{Embodiment, PolicyVersion};
use sim::scenario_event::ScenarioEvent;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;
use trainer::figures::rows;
use trainer::fleet::FleetPlan;
use trainer::policy_seat::PolicySeat;
use trainer::seeds::SeedPurpose;

/// Drives over roads in virtual time with the scripted operator watching, and prints miles per disengagement, crashes and near
/// misses, completion, mean speed and the closed-loop score, each with its 95 % interval: a row for each road and one for all.
/// Without --json, also each trip and the causes of takeovers.
#[derive(Debug, Clone, clap::Args)]
pub struct EvaluateArgs {
    /// Who drives in the policy's seat: a policy's folder, such as takeover-data/policies/v3, "operator" for the scripted
    /// operator's own driving, or "reference" for three weights set by hand; without it, an untrained policy.
    #[arg(long, value_name = "FOLDER|operator|reference")]
    pub policy: Option<PathBuf>,
    /// What the robot is made of: a built-in embodiment or a TOML file; without it, what the policy says.
    #[arg(long, value_name = "NAME|FILE", value_parser = crate::embodiment::named_or_file)]
    pub embodiment: Option<Embodiment>,
    /// Road networks: OpenDRIVE files or built-in names.
    #[arg(long, num_args = 1.., default_values_t = ["e6mini".to_owned()])]
    pub road: Vec<String>,
    /// How many trips, over all roads.
    #[arg(long, default_value_t = 24, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub trips: usize,
    /// Seed of traffic, scenario events and routes; none of its trips is one of training or of a gate.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Longest virtual time of a trip, seconds.
    #[arg(long, default_value_t = 150.0, value_parser = vehicle_bridge::cli::seconds)]
    pub trip_s: f64,
    /// The operators answer the policy's questions (Assist) rather than take over for them.
    #[arg(long)]
    pub assist: bool,
    /// Say every place that is odd in the road files, not only how many there are of each kind.
    #[arg(long)]
    pub report_road: bool,
    /// Record each takeover as an episode in this folder.
    #[arg(long)]
    pub episodes: Option<PathBuf>,
    /// Do not judge whether takeovers were necessary, which takes up to some seconds of one core for each.
    #[arg(long)]
    pub no_necessity: bool,
    /// Print the rows as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Who drives, and with it the robot.
fn seat(args: &EvaluateArgs) -> anyhow::Result<PolicySeat> {
    if let Some(choice) = &args.policy {
        return policy_seat(choice, args.embodiment.as_ref());
    }
    let robot = args.embodiment.clone().unwrap_or_else(Embodiment::ackermann_car);
    Ok(Policy::untrained(&robot, PolicyVersion::new("untrained")?, args.seed)?.into())
}

/// Evaluates and prints.
///
/// # Errors
/// When a road or the policy cannot be used.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    let seat = seat(args)?;
    let report = if args.report_road { RoadReport::Full } else { RoadReport::Short };
    let plan = FleetPlan {
        name: "evaluate".into(),
        roads: distinct(&args.road, report)?,
        seed: args.seed,
        purpose: SeedPurpose::Report,
        events: ScenarioEvent::ALL.to_vec(),
        trips: args.trips,
        route_m: 1_500.0,
        max_time_s: args.trip_s,
        recording: args.episodes.clone().map_or(Recording::Off, Recording::Folder),
        assists: args.assist,
        turn: None,
        necessity: (!args.no_necessity).then(NecessityConfig::default),
    };
    if let Some(dir) = &args.episodes {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    end_on_interrupt(|| "")?;
    let started = Instant::now();
    let reports = plan.drive(&seat, |_| ())?;
    let rows = rows(&seat, &plan, &reports);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut judged: BTreeMap<&str, usize> = BTreeMap::new();
    for report in &reports {
        for taken in &report.judged {
            *judged.entry(taken.verdict.necessity.label()).or_default() += 1;
        }
        for disengagement in &report.trip.disengagements {
            *causes.entry(&disengagement.cause).or_default() += 1;
        }
        say!("{}", line(report))?;
    }
    let virtual_s: f64 = reports.iter().map(|r| r.time_s).sum();
    let times = virtual_s / started.elapsed().as_secs_f64();
    say!("{}", crate::demo::table(&rows))?;
    if plan.necessity.is_some() {
        say!("takeovers by replay without the human: {judged:?}")?;
    }
    say!("causes: {causes:?}; {virtual_s:.0} s of virtual time, {times:.0} times real time")?;
    Ok(())
}

/// One trip for people.
fn line(report: &TripReport) -> String {
    let trip = &report.trip;
    let crash = report.crash.as_deref().map(|what| format!("  crash: {what}, {:?}", report.crash_author));
    format!(
        "{}  {:6.1} s  {:7.0} m policy  {:7.0} m others  {:3} takeovers{}",
        trip.id,
        report.time_s,
        trip.autonomous_m,
        trip.manual_m,
        trip.disengagements.len(),
        crash.unwrap_or_default()
    )
}
