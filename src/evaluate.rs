//! `takeover evaluate`: how far a policy gets, by trip and cause, in virtual time.

use crate::output::end_on_interrupt;
use crate::road::{RoadReport, open_road};
use anyhow::Context;
use closed_loop::virtual_drive::Recording;
use policy::Policy;
use protocol::api::Evaluation;
use protocol::{Embodiment, PolicyVersion};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;
use trainer::fleet::FleetPlan;

/// Drives a policy over roads in virtual time with the scripted operator and prints miles per disengagement with its
/// interval, each trip, and the causes of takeovers.
#[derive(Debug, Clone, clap::Args)]
pub struct EvaluateArgs {
    /// Folder of the policy, such as takeover-data/policies/v3; without it, an untrained one.
    #[arg(long)]
    pub policy: Option<PathBuf>,
    /// What the robot is made of: a built-in embodiment or a TOML file; without it, what the policy says.
    #[arg(long, value_name = "NAME|FILE", value_parser = crate::embodiment::named_or_file)]
    pub embodiment: Option<Embodiment>,
    /// Road networks: OpenDRIVE files or built-in names.
    #[arg(long, default_values_t = ["e6mini".to_owned()])]
    pub road: Vec<String>,
    /// How many trips.
    #[arg(long, default_value_t = 24, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub trips: usize,
    /// Seed of traffic, difficulties and routes.
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
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The policy to drive with, and with it the robot.
fn policy(args: &EvaluateArgs) -> anyhow::Result<Policy> {
    let Some(dir) = &args.policy else {
        let robot = args.embodiment.clone().unwrap_or_else(Embodiment::ackermann_car);
        return Ok(Policy::untrained(&robot, PolicyVersion::new("untrained")?, args.seed)?);
    };
    let loaded = match &args.embodiment {
        Some(robot) => Policy::load_for(robot, dir),
        None => Policy::load(dir),
    };
    loaded.with_context(|| format!("cannot use the policy in {}", dir.display()))
}

/// Evaluates and prints.
///
/// # Errors
/// When a road or the policy cannot be used.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    let policy = policy(args)?;
    let report = if args.report_road { RoadReport::Full } else { RoadReport::Short };
    let plan = FleetPlan {
        name: "evaluate".into(),
        roads: args.road.iter().map(|road| open_road(road, report)).collect::<Result<_, _>>()?,
        seed: args.seed,
        trips: args.trips,
        route_m: 1_500.0,
        max_time_s: args.trip_s,
        recording: args.episodes.clone().map_or(Recording::Off, Recording::Folder),
        assists: args.assist,
        turn: None,
    };
    if let Some(dir) = &args.episodes {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    end_on_interrupt(|| "")?;
    let started = Instant::now();
    let reports = plan.drive(&policy, |_| ())?;
    let metres = reports.iter().map(|r| r.trip.autonomous_m).sum();
    let count = reports.iter().map(|r| r.trip.disengagements.len() as u64).sum();
    let evaluation = Evaluation::new(policy.manifest().version.clone(), metres, count);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&evaluation)?)?;
        return Ok(());
    }
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for report in &reports {
        let trip = &report.trip;
        for disengagement in &trip.disengagements {
            *causes.entry(&disengagement.cause).or_default() += 1;
        }
        let crash = report.crash.as_deref().map(|what| format!("  crash: {what}, {:?}", report.crash_author));
        say!(
            "{}  {:6.1} s  {:7.0} m policy  {:7.0} m others  {:3} takeovers{}",
            trip.id,
            report.time_s,
            trip.autonomous_m,
            trip.manual_m,
            trip.disengagements.len(),
            crash.unwrap_or_default()
        )?;
    }
    let virtual_s: f64 = reports.iter().map(|r| r.time_s).sum();
    let times = virtual_s / started.elapsed().as_secs_f64();
    say!("{}", crate::demo::table(&[evaluation]))?;
    say!("causes: {causes:?}; {virtual_s:.0} s of virtual time, {times:.0} times real time")?;
    Ok(())
}
