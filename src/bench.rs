//! `takeover bench`: what the README claims, measured on this machine, beside the limit it is held to or a peer run side
//! by side. Every result also goes to `target/bench.json`.

use crate::bridge::simulated::live_world;
use anyhow::Context;
use closed_loop::necessity::{NecessityConfig, judge};
use closed_loop::sim_robot::SimRobot;
use closed_loop::virtual_drive::{Recording, TICK_US, drive};
use policy::{Observation, Policy};
use protocol::{Embodiment, PolicyVersion};
use serde::Serialize;
use sim::camera::{Camera, CameraSpec};
use sim::road::RoadNetwork;
use sim::scenario_event::ScenarioEvent;
use sim::world::World;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use trainer::fleet::FleetPlan;
use trainer::policy_seat::PolicySeat;
use trainer::seeds::SeedPurpose;
use vehicle_core::mileage::TakeoverEntry;
use video::I420Buffer;

/// As long as a picture needs to be there, and the margins.
const SHORTEST_LINK_S: f64 = 5.0;

/// Measures camera, virtual time, policy, recorder and link, and writes the results as JSON. Without --core, --recorder
/// or --link, all of them.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchArgs {
    /// Where the results go.
    #[arg(long, default_value = "target/bench.json")]
    pub json: PathBuf,
    /// Pictures, trips and calls to measure, as a factor.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub effort: u32,
    /// Measures camera, virtual time and policy.
    #[arg(long)]
    pub core: bool,
    /// Measures the recorder.
    #[arg(long)]
    pub recorder: bool,
    /// Measures the link: some cases of `takeover link-report`, each for so many seconds times --effort.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30",
        value_parser = vehicle_bridge::cli::seconds)]
    pub link: Option<f64>,
    /// Measures a little of each, to see that it runs: these figures say nothing.
    #[arg(long, conflicts_with = "effort")]
    pub quick: bool,
    /// Records into this folder until the process is killed: a part of the measurement that kills recorders.
    #[arg(long, hide = true)]
    pub record_until_killed: Option<PathBuf>,
}

/// One result; `ratio` is how many times better than the peer or limit.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: f64,
    unit: &'static str,
    better: &'static str,
    peer: &'static str,
    peer_value: f64,
    ratio: f64,
}

impl Row {
    pub(crate) fn lower(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        peer: &'static str,
        peer_value: f64,
    ) -> Self {
        // What is as good as nothing is a thousand times better, not infinitely.
        let ratio = peer_value / value.max(peer_value / 1e3);
        Self { name: name.into(), value, unit, better: "lower", peer, peer_value, ratio }
    }

    pub(crate) fn higher(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        peer: &'static str,
        peer_value: f64,
    ) -> Self {
        Self { name: name.into(), value, unit, better: "higher", peer, peer_value, ratio: value / peer_value }
    }
}

impl From<recorder::bench::Figure> for Row {
    fn from(f: recorder::bench::Figure) -> Self {
        let make = if f.less_is_better { Self::lower } else { Self::higher };
        make(f.name, f.value, f.unit, f.peer, f.peer_value)
    }
}

/// Measures and prints.
///
/// # Errors
/// When a part cannot be set up or the results not be written.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    if let Some(folder) = &args.record_until_killed {
        return Ok(recorder::trials::record_until_killed(folder)?);
    }
    if let Some(dir) = args.json.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    }
    crate::output::check_writable(Some(&args.json))?;
    let effort = args.effort as usize;
    let mut rows = Vec::new();
    let everything = !args.core && !args.recorder && args.link.is_none();
    if args.core || everything {
        let part = if args.quick { 0.1 } else { effort as f64 };
        rows.extend(camera(part)?);
        rows.push(virtual_time(part)?);
        rows.push(fork(part)?);
        rows.push(verdict(part)?);
        rows.push(policy_latency(part)?);
    }
    if args.recorder || everything {
        rows.extend(crate::recording_bench::rows(effort, args.quick)?);
    }
    if args.link.is_some() || everything {
        let seconds = if args.quick { SHORTEST_LINK_S } else { args.link.unwrap_or(20.0) * effort as f64 };
        rows.extend(crate::link_report::bench(seconds)?);
    }
    std::fs::write(&args.json, serde_json::to_vec_pretty(&rows)?)
        .with_context(|| format!("cannot write {}", args.json.display()))?;
    say!("{:44} {:>12} {:8} {:>8}  against", "", "measured", "", "ratio")?;
    for r in &rows {
        say!("{:44} {:>12.3} {:8} {:>7.2}x  {} ({})", r.name, r.value, r.unit, r.ratio, r.peer, r.peer_value)?;
    }
    say!("written to {}", args.json.display())?;
    Ok(())
}

/// So many times, at least once.
fn times_of(count: usize, effort: f64) -> usize {
    ((count as f64 * effort) as usize).max(1)
}

/// Draws the front camera's picture along a drive; one thread.
fn camera(effort: f64) -> anyhow::Result<Vec<Row>> {
    let network = Arc::new(RoadNetwork::built_in("soderleden")?);
    let mut robot = SimRobot::new(World::new(Arc::clone(&network), live_world(3))?);
    let spec = CameraSpec::front_720p();
    let mut camera = Camera::new(&network, spec.clone());
    let mut picture = I420Buffer::black(spec.width, spec.height);
    let mut times = Vec::new();
    let command = protocol::v1::ControlCommand { action: vec![1.0, 0.0], ..Default::default() };
    for _ in 0..times_of(300, effort) {
        robot.advance(0.033, &command);
        let scene = robot.snapshot();
        let started = Instant::now();
        camera.draw(&scene, &mut picture);
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(vec![
        Row::lower("camera frame 1280x720, median", at(0.5), "ms", "limit", 10.0),
        Row::lower("camera frame 1280x720, p95", at(0.95), "ms", "limit", 10.0),
    ])
}

/// Trips like the fleet's.
fn fleet(trips: usize) -> anyhow::Result<FleetPlan> {
    Ok(FleetPlan {
        name: "bench".into(),
        roads: vec![Arc::new(RoadNetwork::built_in("soderleden")?)],
        seed: 1,
        purpose: SeedPurpose::Report,
        events: ScenarioEvent::ALL.to_vec(),
        trips,
        route_m: 1_500.0,
        max_time_s: 120.0,
        recording: Recording::Discard,
        assists: false,
        turn: None,
        necessity: None,
    })
}

/// The vehicle core with policy, link model, operator and recorder in virtual time; one thread. The films of episodes
/// are left out, as they are drawn apart from the drive.
fn virtual_time(effort: f64) -> anyhow::Result<Row> {
    let policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("bench")?, 1)?;
    let plan = fleet(times_of(8, effort))?;
    let (mut virtual_s, started) = (0.0, Instant::now());
    for index in 0..plan.trips {
        virtual_s += drive(&plan.trip(index)?, policy.clone())?.time_s;
    }
    let times = virtual_s / started.elapsed().as_secs_f64();
    Ok(Row::higher("vehicle core in virtual time, 1 core", times, "x real", "limit", 100.0))
}

/// A fork of a trip's closed loop, taken at ticks all along it; one thread.
fn fork(effort: f64) -> anyhow::Result<Row> {
    let policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("bench")?, 1)?;
    let mut running = fleet(1)?.trip(0)?.closed_loop(policy.clone(), policy)?;
    let mut times = Vec::new();
    for _ in 0..times_of(3_000, effort) {
        running.step();
        let started = Instant::now();
        let fork = std::hint::black_box(running.fork());
        times.push(started.elapsed().as_secs_f64() * 1e6);
        drop(fork);
    }
    times.sort_by(f64::total_cmp);
    Ok(Row::lower("fork of the closed loop, median", times[times.len() / 2], "us", "limit", 100.0))
}

/// A takeover's necessity by 32 samples, at hand-overs of trips like the fleet's; one thread. The reference driver drives on to
/// the horizon, where who has learnt nothing ends early in a ditch: the dear case of a verdict.
fn verdict(effort: f64) -> anyhow::Result<Row> {
    let (policy, plan) = (PolicySeat::reference(&Embodiment::ackermann_car())?.policy, fleet(times_of(8, effort))?);
    let config = NecessityConfig { most_samples: 32, ..NecessityConfig::default() };
    let mut times = Vec::new();
    for index in 0..plan.trips {
        let mut running = plan.trip(index)?.closed_loop(policy.clone(), policy.clone())?;
        while running.now_us() < 120_000_000 && !running.robot().status().route_done {
            let from_policy = |e: &TakeoverEntry| matches!(e, TakeoverEntry::Begin { disengagement: Some(_), .. });
            if running.step().iter().any(from_policy) {
                let started = Instant::now();
                std::hint::black_box(judge(&running, &config)?);
                times.push(started.elapsed().as_secs_f64());
                break;
            }
        }
    }
    times.sort_by(f64::total_cmp);
    let slowest = times.last().context("nobody took over, so that no verdict was timed")?;
    Ok(Row::lower("verdict by 32 samples, slowest", *slowest, "s", "limit", 2.0))
}

/// One proposal from an observation, features included; one thread.
fn policy_latency(effort: f64) -> anyhow::Result<Row> {
    let mut policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("bench")?, 1)?;
    let network = Arc::new(RoadNetwork::built_in("soderleden")?);
    let mut robot = SimRobot::new(World::new(network, live_world(3))?);
    let sensors = robot.look(TICK_US);
    let surroundings = sensors.surroundings.context("the simulated car sees nothing")?;
    let observation = Observation { state: &sensors.state, surroundings: &surroundings };
    let mut times = Vec::new();
    for _ in 0..times_of(20_000, effort) {
        let started = Instant::now();
        policy.propose(&observation)?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(Row::lower("policy proposal, int8, median", times[times.len() / 2], "us", "a control tick", TICK_US as f64))
}
