//! Erasing episodes at the control plane, with a proof.

use super::catalogue::{client, utc};
use super::print_json;
use anyhow::{Context, bail};
use control_plane_client::ControlPlaneArgs;
use protocol::erasure::{Asked, ErasurePlan, Proof, verify_chain};
use protocol::signing::PublicKey;
use protocol::{EpisodeId, SeatId, VehicleId};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Whose episodes, and why.
#[derive(Debug, Clone, clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).args(["vehicle", "person", "id", "verify"]))]
pub struct EraseArgs {
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Every episode of this vehicle.
    #[arg(long)]
    vehicle: Option<VehicleId>,
    /// Every episode in which this seat held a vehicle.
    #[arg(long, value_name = "SEAT")]
    person: Option<SeatId>,
    /// This episode; may be given again.
    #[arg(long)]
    id: Vec<EpisodeId>,
    /// Checks a proof: its signature, that nothing remained, and its place in the control plane's chain of proofs. With
    /// --key, without asking the control plane.
    #[arg(long, value_name = "PROOF.json", conflicts_with_all = ["reason", "dry_run", "output"])]
    verify: Option<PathBuf>,
    /// The control plane's public key, 64 hexadecimal digits, when it is known from elsewhere.
    #[arg(long, requires = "verify")]
    key: Option<PublicKey>,
    /// Why; it stands in the proof.
    #[arg(long, required_unless_present = "verify")]
    reason: Option<String>,
    /// Only says what would go.
    #[arg(long)]
    dry_run: bool,
    /// Where to write the proof [default: erasure-NUMBER.json here].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Erases, or checks a proof.
pub fn run(args: &EraseArgs, json: bool) -> anyhow::Result<ExitCode> {
    if let Some(path) = &args.verify {
        return verify(args, path, json);
    }
    let asked = Asked {
        vehicle: args.vehicle.clone(),
        person: args.person.clone(),
        ids: args.id.clone(),
        reason: args.reason.clone().unwrap_or_default(),
        dry_run: args.dry_run,
    };
    let client = client(&args.control_plane)?;
    if args.dry_run {
        return show(&client.plan_erasure(&asked)?, json);
    }
    let proof = client.erase(&asked)?;
    let said = &proof.statement;
    let path = args.output.clone().unwrap_or_else(|| format!("erasure-{}.json", said.number).into());
    let text = serde_json::to_string_pretty(&proof)?;
    if let Err(error) = std::fs::write(&path, format!("{text}\n")) {
        // The proof must not be lost with a full disk; where it cannot be printed either, the control plane has it.
        let place = match say!("{text}") {
            Ok(()) => "the proof is printed above",
            Err(_) => "the proof is at the control plane, GET /api/v1/erasures",
        };
        return Err(error).with_context(|| format!("cannot write {}; {place}", path.display()));
    }
    if json {
        say!("{text}")?;
        return Ok(ExitCode::SUCCESS);
    }
    say!("{} episodes erased; {} takeovers stay in the count", said.removed.len(), said.disengagements)?;
    say!("looked at {} names in the storage afterwards: nothing remains", said.verification.listed)?;
    if !said.policies.is_empty() {
        let names: Vec<_> = said.policies.iter().map(ToString::to_string).collect();
        say!("policies that learnt from them, unchanged: {}", names.join(", "))?;
    }
    said.verification.unread.iter().try_for_each(|manifest| say!("cannot be read, so nobody knows: {manifest}"))?;
    say!("proof: {}", path.display())?;
    Ok(ExitCode::SUCCESS)
}

fn show(plan: &ErasurePlan, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        return print_json(plan);
    }
    for episode in &plan.remove {
        say!("{:32} {:>12} bytes  {}", episode.id.as_str(), episode.bytes, episode.objects.join(" "))?;
    }
    say!("{} episodes would go, {} takeovers would lose their identity", plan.remove.len(), plan.disengagements)?;
    plan.policies.iter().try_for_each(|version| say!("policy {version} learnt from them and would stay"))?;
    Ok(ExitCode::SUCCESS)
}

/// Longest proof that is read, bytes: it names every episode that went.
const MAX_PROOF_BYTES: u64 = 256 << 20;

fn verify(args: &EraseArgs, path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let named = || path.display().to_string();
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_PROOF_BYTES).read_to_end(&mut text));
    read.with_context(|| format!("cannot read {}", named()))?;
    let proof: Proof = serde_json::from_slice(&text).with_context(|| format!("{} is not a proof", named()))?;
    let key = match args.key {
        Some(key) => key,
        None => chain(&args.control_plane, &proof)?,
    };
    proof.verify(&key).with_context(named)?;
    let said = &proof.statement;
    if json {
        let in_chain = args.key.is_none();
        return print_json(
            &serde_json::json!({"holds": true, "number": said.number, "key": said.key, "in_chain": in_chain}),
        );
    }
    say!("erasure {} holds: {} episodes, finished {} UTC", said.number, said.removed.len(), utc(said.finished_ms))?;
    say!("signed with {}{}", said.key, if args.key.is_none() { ", in an unbroken chain of proofs" } else { "" })?;
    Ok(ExitCode::SUCCESS)
}

/// The control plane's key, when its chain of proofs is whole and has this one.
fn chain(control_plane: &ControlPlaneArgs, proof: &Proof) -> anyhow::Result<PublicKey> {
    let known = client(control_plane)?.erasures()?;
    let key = known.key.parse()?;
    verify_chain(&known.proofs, &key).context("the control plane's chain of proofs is broken")?;
    if !known.proofs.contains(proof) {
        bail!(
            "the control plane has no such erasure {}: the proof was changed, or dropped there",
            proof.statement.number
        );
    }
    Ok(key)
}
