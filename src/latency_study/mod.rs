//! `takeover latency-study`: what delay does to driving from afar, and what helps, in a closed loop in virtual time.

mod plot;

use crate::output::{Interrupted, check_writable, print_text};
use anyhow::{Context, bail};
use closed_loop::latency_study::{Ending, Mode, Row, Study, StudyError, Trial, summarise};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sim::road::RoadNetwork;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Drives routes from afar under delay, with the vehicle core that ships, and says how many are completed.
///
/// The scripted operator drives by what the delayed picture shows: as it is (baseline), under the vehicle's latency
/// governor, with a prediction over the round trip, and by trajectories that the vehicle follows itself. The delay counts
/// one way, for pictures and for commands each.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  takeover latency-study --plot study.svg --json study.json
      30 routes on each of three roads for each way to drive and delay: a quarter of an hour on two cores
  takeover latency-study --trials 5 --delay 0 --delay 300 --mode baseline --mode trajectory")]
pub struct LatencyStudyArgs {
    /// Delay one way, milliseconds, up to 400; may be given several times. Without it 0, 50, 100, 150, 225 and 300.
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub delay: Vec<f64>,
    /// Way to drive: baseline, governor, predictive or trajectory; may be given several times. Without it, all.
    #[arg(long, value_name = "WAY")]
    pub mode: Vec<String>,
    /// Routes on each road; every way and delay drives the same ones.
    #[arg(long, default_value_t = 30)]
    pub trials: usize,
    /// Seed of routes, traffic, scenario events and losses.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Wanted length of a route, metres.
    #[arg(long, default_value_t = 1_500.0)]
    pub route_m: f64,
    /// OpenDRIVE files of this folder instead of the built-in roads.
    #[arg(long, value_name = "DIR")]
    pub roads: Option<PathBuf>,
    /// Writes every row and every trip to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draws completion, lane error and speed over delay into this SVG file.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

const DELAYS_MS: [f64; 6] = [0.0, 50.0, 100.0, 150.0, 225.0, 300.0];
const LONGEST_MS: f64 = 400.0;

/// What goes into the JSON file.
#[derive(Serialize)]
struct Report<'a> {
    seed: u64,
    roads: Vec<&'a str>,
    rows: &'a [Row],
    trials: &'a [Trial],
}

/// Drives, prints a table and writes what is asked for.
///
/// # Errors
/// When an argument cannot be used or a file not be written.
pub fn run(args: &LatencyStudyArgs) -> anyhow::Result<()> {
    let study = study(args)?;
    for file in [&args.json, &args.plot] {
        check_writable(file.as_deref())?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, false);
    let (bar, started) = (bar(study.trips().len() as u64), Instant::now());
    let trials = study.drive(&stop, |trial| {
        if trial.ending != Ending::Completed {
            bar.set_message(format!("{:?}: {}, {} ms", trial.ending, trial.mode.label(), trial.one_way_ms));
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    let trials = trials.map_err(|error| match error {
        StudyError::Interrupted { .. } => anyhow::Error::new(Interrupted).context(error.to_string()),
        error => error.into(),
    })?;
    let rows = summarise(&trials);
    if let Some(file) = &args.json {
        let roads = study.roads.iter().map(|road| road.name()).collect();
        let report = Report { seed: args.seed, roads, rows: &rows, trials: &trials };
        std::fs::write(file, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &args.plot {
        std::fs::write(file, plot::svg(&rows)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print_text(&table(&rows))?;
    let virtual_s: f64 = trials.iter().map(|t| t.time_s).sum();
    say!(
        "{} trips, {:.1} h of virtual time in {:.0} s",
        trials.len(),
        virtual_s / 3_600.0,
        started.elapsed().as_secs_f64()
    )?;
    Ok(())
}

fn study(args: &LatencyStudyArgs) -> anyhow::Result<Study> {
    let one_way_ms = if args.delay.is_empty() { DELAYS_MS.to_vec() } else { args.delay.clone() };
    if let Some(delay) = one_way_ms.iter().find(|delay| !(0.0..=LONGEST_MS).contains(*delay)) {
        bail!("--delay {delay} cannot be used: 0 to {LONGEST_MS} ms are possible");
    }
    if !(50.0..=20_000.0).contains(&args.route_m) {
        bail!("--route-m {} cannot be used: 50 to 20000 m are possible", args.route_m);
    }
    if !(1..=10_000).contains(&args.trials) {
        bail!("--trials {} cannot be used: 1 to 10000 are possible", args.trials);
    }
    let modes: anyhow::Result<Vec<Mode>> = args.mode.iter().map(|name| mode(name)).collect();
    let modes = Some(modes?).filter(|modes| !modes.is_empty()).unwrap_or(Mode::ALL.to_vec());
    let roads = crate::demo::roads(args.roads.as_deref(), RoadNetwork::built_in_names())?;
    Ok(Study { roads, modes, one_way_ms, seeds: args.trials, seed: args.seed, route_m: args.route_m })
}

fn mode(name: &str) -> anyhow::Result<Mode> {
    let known = || Mode::ALL.map(Mode::label).join(", ");
    Mode::ALL
        .into_iter()
        .find(|mode| mode.label() == name)
        .with_context(|| format!("no way to drive is called {name:?}; there are {}", known()))
}

fn bar(trips: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("trips {bar:32} {pos:>5}/{len:<5} {elapsed:>4} of {duration:<4} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(trips).with_style(style);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

fn table(rows: &[Row]) -> String {
    let mut out = format!(
        "{:10} {:>6} {:>6} {:>10} {:>15}  {:>9} {:>8} {:>8}  {:>13} {:>6}  goal\n",
        "way", "ms", "trips", "completed", "95 % interval", "collision", "off road", "time up", "lane rms, max", "m/s"
    );
    for row in rows {
        let goal = match (row.goal, row.met) {
            (Some(goal), Some(true)) => format!("{:.0} %, reached", 100.0 * goal),
            (Some(goal), _) => format!("{:.0} %, NOT REACHED", 100.0 * goal),
            (None, _) => String::new(),
        };
        let share = row.completed;
        let _ = writeln!(
            out,
            "{:10} {:6.0} {:6} {:8.1} % {:6.1} to {:5.1}  {:9} {:8} {:8}  {:5.2} {:5.2} m {:6.1}  {goal}",
            row.mode.label(),
            row.one_way_ms,
            row.trips,
            100.0 * share.value,
            100.0 * share.low,
            100.0 * share.high,
            row.collisions,
            row.off_road,
            row.time_up,
            row.lane_rms_m,
            row.lane_max_m,
            row.speed_mps,
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: LatencyStudyArgs,
    }

    fn parse(words: &[&str]) -> anyhow::Result<Study> {
        study(&Cli::parse_from([&["study"], words].concat()).args)
    }

    #[test]
    fn without_arguments_every_way_is_driven_on_the_three_roads() {
        let study = parse(&[]).unwrap();
        assert_eq!((study.roads.len(), study.modes.len(), study.trips().len()), (3, 4, 3 * 4 * 6 * 30));
    }

    #[test]
    fn arguments_that_cannot_be_used_are_named() {
        let why = |words: &[&str]| parse(words).unwrap_err().to_string();
        assert!(why(&["--delay=-1"]).contains("--delay -1"));
        assert!(why(&["--delay", "NaN"]).contains("--delay NaN"));
        assert!(why(&["--mode", "luck"]).contains("\"luck\"; there are baseline, governor"));
        assert!(why(&["--trials", "0"]).contains("--trials 0") && why(&["--route-m", "1"]).contains("--route-m 1"));
        assert!(why(&["--roads", "/nowhere"]).contains("/nowhere"));
    }

    #[test]
    fn a_small_study_gives_a_table_and_a_plot() {
        let words = [
            "--delay",
            "0",
            "--delay",
            "300",
            "--mode",
            "trajectory",
            "--trials",
            "1",
            "--route-m",
            "100",
            "--seed",
            "3",
        ];
        let trials = parse(&words).unwrap().drive(&AtomicBool::new(false), |_| ()).unwrap();
        let rows = summarise(&trials);
        let table = table(&rows);
        assert_eq!(table.lines().count(), 3);
        assert!(table.lines().nth(2).is_some_and(|line| line.contains("90 %, ")), "{table}");
        let svg = plot::svg(&rows);
        assert!(svg.starts_with("<svg xmlns") && svg.matches("<polyline").count() == 3, "{svg}");
    }
}
