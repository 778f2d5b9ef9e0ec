//! `takeover audit`: a vehicle's audit log.

use crate::output::{OutputError, or_unread};
use anyhow::Context;
use clap::Subcommand;
use protocol::signing::PublicKey;
use std::path::PathBuf;
use std::process::ExitCode;
use vehicle_bridge::audit::verify::{AuditReport, AuditSignature, verify};

/// Looks at a vehicle's audit log: who had authority when, and what was refused.
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Checks that no record was changed, taken out or put in; names the first bad one and ends with status 1 if there is
    /// any.
    Verify(VerifyArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct VerifyArgs {
    /// A file of the log, or its folder (a bridge's --data, `audit` in it).
    #[arg(value_name = "FILE|FOLDER")]
    path: PathBuf,
    /// The vehicle's public key, 64 hexadecimal digits: the log's end must be signed by it.
    #[arg(long, value_name = "KEY")]
    key: Option<PublicKey>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no log to read.
pub fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let Action::Verify(args) = &args.action;
    let below = args.path.join("audit");
    let path = if below.is_dir() { &below } else { &args.path };
    let report = verify(path, args.key.as_ref()).with_context(|| format!("{}", path.display()))?;
    let printed = match args.json {
        true => say!("{}", serde_json::to_string_pretty(&report)?),
        false => print(&report),
    };
    // The status is the verdict, also for `| grep -q`.
    or_unread(printed)?;
    Ok(if report.good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &AuditReport) -> Result<(), OutputError> {
    let AuditReport { files, records, first_seq, last_seq, head, .. } = report;
    say!("{records} records ({first_seq} to {last_seq}) in {files} files, newest hash {head}")?;
    if *first_seq > 1 {
        say!("records 1 to {} are in files that were not looked at", first_seq - 1)?;
    }
    if report.recovered > 0 {
        say!("{} torn lines of killed writers were taken away", report.recovered)?;
    }
    if report.missing_events > 0 {
        say!("the log says that it lacks {} events", report.missing_events)?;
    }
    if report.torn {
        say!("the last line is torn: its writer was killed")?;
    }
    match &report.signature {
        AuditSignature::Absent => say!("no signed head was looked at: records cut off at the end would not be seen")?,
        AuditSignature::Good(key) => say!("signed by {key}")?,
        AuditSignature::Bad(reason) => say!("BAD: {reason}")?,
    }
    match &report.bad {
        Some(bad) => say!("BAD: {}, line {}: {}", bad.file.display(), bad.line, bad.reason)?,
        None if report.good => say!("good")?,
        None => {}
    }
    Ok(())
}
