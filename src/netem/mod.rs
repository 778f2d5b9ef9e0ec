//! `takeover netem`: rehearse a weak network. The model and the file format are those of [`link::netem`].

pub mod namespaces;
mod relay;
pub mod router;
mod run;
pub mod sys;

use crate::output::OutputError;
use anyhow::Context;
use link::netem::PathSpec;
use link::netem::shell::ShellStats;
use std::path::PathBuf;
use std::time::Duration;

/// Rehearses a weak network: delay, loss, bursts, narrow links and outages on real packets, the same ones each time.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  takeover netem presets
      lists the paths that have a name
  takeover netem relay --listen 127.0.0.1:7000 --to 127.0.0.1:7001 --preset loss10
      a UDP relay, no rights needed: send to port 7000 what is meant for port 7001
  sudo takeover netem run --preset satellite
      two network namespaces with the path between them, for any programs, until Ctrl-C
  sudo takeover netem run --script city.toml --seed 7 --left 'iperf3 -s' --right 'iperf3 -c $LEFT -u -b 4M'
      the same with a command in each; it ends with the right one

A script is a TOML file:
  repeat_s = 60
  both = { delay_ms = 25, jitter_ms = 3, loss_percent = 1, burst_packets = 3 }
  forward = { rate_mbps = 8, queue_ms = 200 }      # from the vehicle (left) to the seat (right)
  steps = [{ at_s = 20, forward = { rate_mbps = 1 } }, { at_s = 40, forward = { rate_mbps = 8 } }]
Other keys: reorder_percent, reorder_ms, duplicate_percent, queue_bytes, blackhole, and backward beside forward.")]
pub struct NetemArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// List the paths that have a name.
    Presets,
    /// Check a script and say what it does when.
    Check {
        /// The TOML file.
        script: PathBuf,
    },
    /// Relay UDP datagrams between two peers; needs no rights.
    Relay(relay::RelayArgs),
    /// Route packets between two network namespaces of this machine; needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
    Run(run::RunArgs),
}

/// Which path.
#[derive(Debug, Clone, clap::Args)]
struct PathArgs {
    /// A path by name; `takeover netem presets` lists them.
    #[arg(long, default_value = "rtt50", conflicts_with = "script")]
    preset: String,
    /// A path from a TOML file.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Decides which packets suffer; the same seed, the same packets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl PathArgs {
    fn spec(&self) -> anyhow::Result<PathSpec> {
        match &self.script {
            Some(file) => open_script(file),
            None => Ok(PathSpec::preset(&self.preset)?),
        }
    }

    fn name(&self) -> String {
        self.script.as_ref().map_or_else(|| self.preset.clone(), |file| file.display().to_string())
    }
}

fn open_script(file: &std::path::Path) -> anyhow::Result<PathSpec> {
    let text = protocol::read_text_file(file).with_context(|| format!("cannot read {}", file.display()))?;
    PathSpec::from_toml(&text).with_context(|| format!("cannot use {}", file.display()))
}

/// Does what is asked.
///
/// # Errors
/// When a path cannot be read, an address not used, or rights are missing.
pub fn run(args: &NetemArgs) -> anyhow::Result<std::process::ExitCode> {
    match &args.what {
        What::Presets => {
            for preset in link::netem::presets()? {
                say!("{:10} {}", preset.name, preset.about)?;
            }
        }
        What::Check { script } => check(&open_script(script)?)?,
        What::Relay(args) => relay::run(args)?,
        What::Run(args) => return run::run(args),
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn check(spec: &PathSpec) -> Result<(), OutputError> {
    for (name, script) in [("forward", &spec.forward), ("backward", &spec.backward)] {
        let mut at_us = Some(0);
        // A script that repeats has no end.
        for _ in 0..20 {
            let Some(us) = at_us else { break };
            say!("{name:8} from {:8.3} s: {:?}", us as f64 / 1e6, script.at(us))?;
            at_us = script.next_change_us(us);
        }
    }
    Ok(())
}

/// One line about one path: what passed since `before`.
fn line(now: &ShellStats, before: &ShellStats, time: Duration) -> String {
    let way = |name, now: &link::netem::DirectionStats, before: &link::netem::DirectionStats| {
        format!(
            "{name} {:5} packets {:6.2} Mbit/s, lost {:3}, queue full {:3}, blackhole {:3}, doubled {:2}, waiting {:4.1} kB",
            now.delivered - before.delivered,
            (now.delivered_bytes - before.delivered_bytes) as f64 * 8e-6 / time.as_secs_f64().max(1e-3),
            now.lost - before.lost,
            now.queue_full - before.queue_full,
            now.blackholed - before.blackholed,
            now.duplicated - before.duplicated,
            now.queued_bytes as f64 / 1e3,
        )
    };
    format!("{} | {}", way("forward", &now.forward, &before.forward), way("back", &now.backward, &before.backward))
}
