//! Driving an episode's trip again to judge its takeover.

use super::print_json;
use crate::output::{OutputError, or_unread};
use anyhow::Context;
use closed_loop::necessity::{
    HarmAt, MOST_SAMPLES, NecessityConfig, NecessityVerdict, SampleOutcome, drive_on, judge, replay_to_handover,
};
use policy::Policy;
use recorder::EpisodeReader;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which episode, and how it is judged.
#[derive(Debug, Clone, clap::Args)]
pub struct ReplayArgs {
    /// Episode file of a drive in virtual time.
    file: PathBuf,
    /// Folder of the policy that drove, such as takeover-data/policies/v3.
    #[arg(long)]
    policy: PathBuf,
    /// Says, beside the verdict, what this very drive would have come to without the human: nothing drawn again, no
    /// noise.
    #[arg(long)]
    without_human: bool,
    /// Judge by exactly this many samples; without it by 32, doubled up to 128 while the verdict is unclear.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_SAMPLES))]
    samples: Option<u64>,
    /// Seed of the samples.
    #[arg(long, default_value_t = NecessityConfig::default().seed)]
    seed: u64,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct ReplayReport<'a> {
    /// The takeover's identity.
    episode: &'a str,
    #[serde(flatten)]
    verdict: &'a NecessityVerdict,
    /// Recorded states that the replay was held against.
    checked_states: u64,
    /// The drive as it was, without the human.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_human: Option<SampleOutcome>,
}

pub fn run(args: &ReplayArgs, json: bool) -> anyhow::Result<ExitCode> {
    let reader = EpisodeReader::open(&args.file)?;
    let policy = match reader.embodiment()? {
        Some(robot) => Policy::load_for(&robot, &args.policy),
        None => Policy::load(&args.policy),
    };
    let policy = policy.with_context(|| format!("cannot use the policy in {}", args.policy.display()))?;
    let mut config = NecessityConfig { seed: args.seed, ..NecessityConfig::default() };
    if let Some(samples) = args.samples {
        (config.samples, config.most_samples) = (samples, samples);
    }
    let cannot = || format!("cannot replay {}", args.file.display());
    let handover = replay_to_handover(&reader, policy).with_context(cannot)?;
    let verdict = judge(&handover.running, &config).with_context(cannot)?;
    let without_human = args.without_human.then(|| drive_on(handover.running, &config, true));
    let (episode, checked_states) = (reader.info().id.as_str(), handover.checked_states);
    if json {
        return print_json(&ReplayReport { episode, verdict: &verdict, checked_states, without_human });
    }
    say!("{episode}: {checked_states} recorded states are the replay's, up to the hand-over")?;
    or_unread(print(&verdict, without_human))?;
    Ok(ExitCode::SUCCESS)
}

fn print(verdict: &NecessityVerdict, without_human: Option<SampleOutcome>) -> Result<(), OutputError> {
    let NecessityVerdict { necessity, harm_share, harm_low, harm_high, samples, config, .. } = verdict;
    let harms: Vec<String> = verdict.harms.iter().map(|(harm, count)| format!("{count} {}", harm.label())).collect();
    let kinds = if harms.is_empty() { String::new() } else { format!(": {}", harms.join(", ")) };
    say!("  {}, by {samples} samples of the drive without the human", necessity.label())?;
    say!(
        "  harm within {} s in {:.1} % ({:.1} to {:.1} %; threshold {:.0} %){kinds}",
        config.harm_horizon_s,
        100.0 * harm_share,
        100.0 * harm_low,
        100.0 * harm_high,
        100.0 * config.harm_threshold,
    )?;
    if verdict.struck > 0 {
        say!("  struck by others without its fault in {} samples", verdict.struck)?;
    }
    if let (Some(share), Some(low), Some(high)) =
        (verdict.standstill_share, verdict.standstill_low, verdict.standstill_high)
    {
        let (percent, of, within_s) = (100.0 * share, verdict.standstill_samples, config.standstill_horizon_s);
        let (low, high) = (100.0 * low, 100.0 * high);
        say!("  standstill within {within_s} s in {percent:.1} % ({low:.1} to {high:.1} %) of {of} samples")?;
    }
    let Some(outcome) = without_human else { return Ok(()) };
    let came_to = match outcome {
        SampleOutcome { harm: Some(HarmAt { harm, after_s }), .. } => format!("{} after {after_s:.2} s", harm.label()),
        SampleOutcome { struck: true, .. } => "struck by others without its fault".to_owned(),
        SampleOutcome { stood_still: Some(true), .. } => "standstill".to_owned(),
        SampleOutcome { .. } => "neither harm nor standstill".to_owned(),
    };
    say!("  this very drive without the human: {came_to}")
}
