//! Retention rules at the control plane.

use super::catalogue::{client, utc};
use super::print_json;
use crate::output::OutputError;
use anyhow::Context;
use control_plane_client::ControlPlaneArgs;
use protocol::api::{Removal, RetentionRequest};
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps to the rules that the control plane was started with, or tries others.
#[derive(Debug, Clone, clap::Args)]
pub struct RetentionArgs {
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Only says what would go.
    #[arg(long)]
    dry_run: bool,
    /// Rules to try, as for `takeover web --retention`.
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    rules: Option<PathBuf>,
    /// Lists what went, newest first, instead.
    #[arg(long, conflicts_with_all = ["dry_run", "rules"])]
    log: bool,
}

/// Runs it.
pub fn run(args: &RetentionArgs, json: bool) -> anyhow::Result<ExitCode> {
    let client = client(&args.control_plane)?;
    if args.log {
        let removals = client.removals(1000)?;
        if json {
            return print_json(&removals);
        }
        removals.iter().try_for_each(line)?;
        return Ok(ExitCode::SUCCESS);
    }
    let read =
        |path: &PathBuf| protocol::read_text_file(path).with_context(|| format!("cannot read {}", path.display()));
    let rules = args.rules.as_ref().map(read).transpose()?;
    let request = RetentionRequest { dry_run: args.dry_run, rules };
    let report = client.apply_retention(&request)?;
    if json {
        return print_json(&report);
    }
    report.removed.iter().try_for_each(line)?;
    let bytes: u64 = report.removed.iter().map(|removal| removal.bytes).sum();
    let verb = if report.dry_run { "would go" } else { "went" };
    say!("{} of {} episodes {verb}, {:.1} MB", report.removed.len(), report.episodes, bytes as f64 / 1e6)?;
    Ok(ExitCode::SUCCESS)
}

fn line(removal: &Removal) -> Result<(), OutputError> {
    say!("{:32} {} {:>12} bytes  {}", removal.id.as_str(), utc(removal.at_ms), removal.bytes, removal.why)
}
