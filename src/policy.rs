//! `takeover policy`: the policy versions of a control plane, taken back and restored.

use crate::output::{OutputError, or_unread};
use clap::Subcommand;
use control_plane_client::{ControlPlaneArgs, ControlPlaneClient, Retry};
use protocol::PolicyVersion;
use protocol::api::{ChangeReason, Policy};
use serde::Serialize;

/// Lists the policy versions that a control plane has, takes one back, or restores it.
///
/// A version that is withdrawn drives no vehicle any more: within seconds they go back to the newest published one that is
/// left.
#[derive(Debug, Clone, clap::Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// Lists all versions, oldest first.
    List(ListArgs),
    /// Takes a published version back; prints the one that vehicles go back to.
    Withdraw(ChangeArgs),
    /// Takes a withdrawal back; prints the version that vehicles drive by now.
    Restore(ChangeArgs),
}

#[derive(Debug, Clone, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Prints the list as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, clap::Args)]
struct ChangeArgs {
    /// The version, such as v3.
    version: PolicyVersion,
    /// Why, for people who look later.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Prints the outcome as JSON.
    #[arg(long)]
    json: bool,
}

/// The outcome of a change, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Changed<'a> {
    /// The version that was withdrawn or restored.
    version: &'a PolicyVersion,
    /// Whether it is withdrawn now.
    withdrawn: bool,
    /// The version that vehicles drive by now.
    in_use: Option<PolicyVersion>,
}

/// Runs the command.
///
/// # Errors
/// When the control plane refuses or cannot be reached.
pub fn run(args: &PolicyArgs) -> anyhow::Result<()> {
    match &args.action {
        Action::List(args) => list(args),
        Action::Withdraw(args) => {
            let left = client(&args.control_plane)?.withdraw_policy(&args.version, &args.why())?;
            args.tell(&Changed { version: &args.version, withdrawn: true, in_use: Some(left.version) })
        }
        Action::Restore(args) => {
            let client = client(&args.control_plane)?;
            client.restore_policy(&args.version, &args.why())?;
            let in_use = client.latest_policy()?.map(|policy| policy.version);
            args.tell(&Changed { version: &args.version, withdrawn: false, in_use })
        }
    }
}

impl ChangeArgs {
    fn why(&self) -> ChangeReason {
        ChangeReason { reason: self.reason.clone() }
    }

    /// Says what was done; it was done whether or not anybody reads it.
    fn tell(&self, changed: &Changed<'_>) -> anyhow::Result<()> {
        let printed = if self.json {
            say!("{}", serde_json::to_string_pretty(changed)?)
        } else {
            let done = if changed.withdrawn { "withdrawn" } else { "restored" };
            let in_use = changed.in_use.as_ref().map_or("none", PolicyVersion::as_str);
            say!("{} is {done}; vehicles drive by {in_use}", changed.version)
        };
        Ok(or_unread(printed)?)
    }
}

fn client(args: &ControlPlaneArgs) -> anyhow::Result<ControlPlaneClient> {
    Ok(ControlPlaneClient::new(&args.address()?, Retry::Briefly))
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    let policies = client(&args.control_plane)?.policies()?;
    if args.json {
        return Ok(say!("{}", serde_json::to_string_pretty(&policies)?)?);
    }
    Ok(policies.iter().try_for_each(line)?)
}

fn line(policy: &Policy) -> Result<(), OutputError> {
    let parent = policy.parent.as_ref().map_or("-", PolicyVersion::as_str);
    let state = match &policy.withdrawn {
        Some(withdrawal) => format!("withdrawn: {}", withdrawal.reason),
        None => policy.status.clone(),
    };
    say!("{:20} from {parent:20} {:>8} episodes  {state}", policy.version.as_str(), policy.episodes)
}
