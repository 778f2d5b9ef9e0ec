//! `takeover link-report`: what the link does on bad networks, measured on real packets.
//!
//! Control plane and bridge run in one network namespace, the seat in another, each as a process of its own; the path
//! between them is that of [`crate::netem`]. Ages are taken by the machine's one wall clock, so no estimate is in them.

mod cases;
mod metrics;
mod plot;
mod roaming;
#[cfg(test)]
mod tests;
mod trial;

use crate::bench::Row;
use crate::output::{Interrupted, OutputError, check_writable, or_unread};
use anyhow::{Context, bail};
use cases::{CASES, Case, unit};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use trial::Trial;

/// Measures the link on bad networks: bridge and seat as processes in namespaces of their own, a seeded path between.
///
/// Needs CAP_NET_ADMIN and CAP_SYS_ADMIN. Run nothing else meanwhile.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  sudo takeover link-report
      every case, three seeds of two minutes each: about an hour
  sudo takeover link-report --case loss10 --case burst --seed 1 --seconds 30 --plot loss.html
  sudo takeover link-report --case hour --seed 1 --seconds 3600 --json hour.json")]
pub struct LinkReportArgs {
    /// Which case; may be given several times. Without it, all but `hour`.
    #[arg(long)]
    pub case: Vec<String>,
    /// Seed of the path; may be given several times.
    #[arg(long, default_values_t = [1, 2, 3])]
    pub seed: Vec<u64>,
    /// Length of each run.
    #[arg(long, default_value_t = 120.0)]
    pub seconds: f64,
    /// What the camera sees: `synthetic`, or an H.264 film in an MP4 file.
    #[arg(long, default_value = "synthetic")]
    pub source: String,
    /// Writes every figure to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draws ages over time, their distribution and the stages into this HTML file.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

/// One figure of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Figure {
    case: String,
    seed: u64,
    metric: String,
    value: f64,
    unit: &'static str,
    goal: Option<f64>,
    /// Whether the goal is reached.
    met: Option<bool>,
}

/// Runs the cases, prints a table and writes what is asked for.
///
/// # Errors
/// When a case is not known, rights are missing, or a program fails.
pub fn run(args: &LinkReportArgs) -> anyhow::Result<()> {
    let cases = chosen(&args.case)?;
    if !(5.0..=86_400.0).contains(&args.seconds) {
        bail!("--seconds {} cannot be used: 5 to 86400 are possible", args.seconds);
    }
    for file in [&args.json, &args.plot] {
        check_writable(file.as_deref())?;
    }
    crate::netem::namespaces::check_rights()?;
    let source = if args.source == "synthetic" {
        args.source.clone()
    } else {
        std::fs::canonicalize(&args.source)
            .with_context(|| format!("cannot read {}", args.source))?
            .display()
            .to_string()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, false);
    let (mut figures, mut plots) = (Vec::new(), Vec::new());
    for case in cases {
        or_unread(say!("{}: {}", case.name, case.about))?;
        let mut found = Vec::new();
        for seed in &args.seed {
            let trial = trial::run(case, &source, *seed, args.seconds, &stop)
                .with_context(|| format!("case {}, seed {seed}", case.name))?;
            if stop.load(Ordering::Relaxed) {
                return Err(Interrupted.into());
            }
            let metrics = metrics::metrics(case, &trial);
            found.extend(metrics.into_iter().map(|(metric, value)| figure(case, *seed, metric, value)));
            plots.push(plot::Run {
                case: case.name,
                seed: *seed,
                stages: stages(&trial),
                shown: metrics::shown(&trial),
            });
        }
        figures.extend(found.iter().cloned());
        // After each case, so that a long run that is cut off leaves something.
        write_json(args, &figures)?;
        or_unread(print_table(case, &found))?;
    }
    if let Some(file) = &args.plot {
        std::fs::write(file, plot::page(&plots, &figures))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Cases that say in short how good the link is.
const BENCH: [&str; 6] = ["clean", "rtt50", "loss10", "burst", "connect", "failover"];

/// The figures of some cases that have a goal, for `takeover bench`; none without the rights to make a path.
///
/// # Errors
/// When a program fails.
pub(crate) fn bench(seconds: f64) -> anyhow::Result<Vec<Row>> {
    if let Err(error) = crate::netem::namespaces::check_rights() {
        note!("the link is not measured: {error:#}");
        return Ok(Vec::new());
    }
    // Namespaces and programs in them are to be taken away first.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, false);
    let bar = indicatif::ProgressBar::new(BENCH.len() as u64).with_message("link");
    let mut rows = Vec::new();
    for case in BENCH.iter().filter_map(|name| Case::find(name)) {
        let trial = trial::run(case, "synthetic", 1, seconds, &stop).with_context(|| format!("case {}", case.name))?;
        if stop.load(Ordering::Relaxed) {
            return Err(Interrupted.into());
        }
        for (metric, value) in metrics::metrics(case, &trial) {
            let Some(goal) = case.goal(&metric) else { continue };
            let make = if goal.at_least { Row::higher } else { Row::lower };
            rows.push(make(format!("link {} {metric}", case.name), value, unit(&metric), "goal", goal.value));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(rows)
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Case>> {
    if names.is_empty() {
        return Ok(CASES.iter().filter(|case| case.by_default).collect());
    }
    let known = || CASES.iter().map(|case| case.name).collect::<Vec<_>>().join(", ");
    names
        .iter()
        .map(|name| Case::find(name).with_context(|| format!("no case is called {name:?}; there are {}", known())))
        .collect()
}

fn figure(case: &Case, seed: u64, metric: String, value: f64) -> Figure {
    let goal = case.goal(&metric);
    Figure {
        case: case.name.to_owned(),
        seed,
        unit: unit(&metric),
        goal: goal.map(|goal| goal.value),
        met: goal.map(|goal| goal.met(value)),
        metric,
        value,
    }
}

fn stages(trial: &Trial) -> Vec<String> {
    trial.seats.first().map(|seat| seat.stages.clone()).unwrap_or_default()
}

fn write_json(args: &LinkReportArgs, figures: &[Figure]) -> anyhow::Result<()> {
    let Some(file) = &args.json else { return Ok(()) };
    std::fs::write(file, serde_json::to_string_pretty(figures)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

/// One line a metric: every seed's value, the goal, and what costs it where it is missed.
fn print_table(case: &Case, figures: &[Figure]) -> Result<(), OutputError> {
    let mut by_metric: BTreeMap<&str, Vec<&Figure>> = BTreeMap::new();
    figures.iter().for_each(|figure| by_metric.entry(&figure.metric).or_default().push(figure));
    let (with_goal, without): (Vec<_>, Vec<_>) = by_metric.iter().partition(|(_, figures)| figures[0].goal.is_some());
    for (metric, values) in with_goal.into_iter().chain(without) {
        let all: Vec<String> = values.iter().map(|figure| format!("{:9.3}", figure.value)).collect();
        let verdict = match (case.goal(metric), values.iter().all(|figure| figure.met == Some(true))) {
            (None, _) => String::new(),
            (Some(goal), true) => format!("goal {}, reached", goal.value),
            (Some(goal), false) => format!("goal {}, NOT REACHED{}", goal.value, dearest(metric, figures)),
        };
        say!("  {metric:34} {} {:7} {verdict}", all.join(" "), values[0].unit)?;
    }
    for goal in case.goals.iter().filter(|goal| !by_metric.contains_key(goal.metric)) {
        say!("  {:34} could not be measured in this run; goal {}", goal.metric, goal.value)?;
    }
    Ok(())
}

/// The stage that costs most, where the metric is an age.
fn dearest(metric: &str, figures: &[Figure]) -> String {
    if !metric.starts_with("pixel") && !metric.starts_with("late") {
        return String::new();
    }
    let end = if metric.ends_with("p50") { " mean" } else { " p95" };
    let stages = figures.iter().filter(|f| f.metric.starts_with("stage ") && f.metric.ends_with(end));
    let most = stages.max_by(|a, b| a.value.total_cmp(&b.value));
    most.map_or(String::new(), |f| format!(": {} {:.1} ms", f.metric, f.value))
}
