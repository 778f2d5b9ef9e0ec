//! `takeover-bridge`: the robot's program, without a simulator.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use vehicle_bridge::cli::{self, BridgeArgs, BridgeCommand};
use vehicle_bridge::config::{self, ConfigFormat, ConfigKey, Origins};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The bridge on a robot: drives what connects to `--listen`, streams its cameras to operators' seats, records takeovers, takes
/// policy updates from the control plane.
///
/// The simulated robot is `takeover bridge`'s.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    bridge: RobotBridgeArgs,
}

/// What this program is told.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
struct RobotBridgeArgs {
    #[command(subcommand)]
    command: Option<BridgeCommand>,
    /// What is driven: `process`, a robot or simulator that connects to `--listen` by the robot adapter's protocol. For the
    /// simulated robot use `takeover bridge`.
    #[arg(long, default_value = "process", value_parser = robot, value_name = "process")]
    robot: RobotKind,
    #[command(flatten)]
    bridge: BridgeArgs,
}

/// What this program can drive.
#[derive(Debug, Clone, Copy)]
enum RobotKind {
    Process,
}

/// The keys of its configuration file.
const FORMAT: ConfigFormat = ConfigFormat {
    program: "takeover-bridge",
    subcommand: None,
    keys: &[ConfigKey::OF_ANY_ROBOT, ConfigKey::OF_PROCESS],
};

fn robot(name: &str) -> Result<RobotKind, String> {
    match name {
        "process" => Ok(RobotKind::Process),
        "sim" => Err("this program has no simulator; use `takeover bridge --robot sim`".to_owned()),
        _ => Err("known is process; the simulated robot, sim, is `takeover bridge`'s".to_owned()),
    }
}

fn check(args: &RobotBridgeArgs, origins: &Origins) -> anyhow::Result<()> {
    cli::check(&args.bridge, origins)?;
    match args.robot {
        RobotKind::Process if args.bridge.source.is_none() => cli::process_address(&args.bridge).map(drop),
        RobotKind::Process => Ok(()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may read it.
            let _ = writeln!(std::io::stderr(), "takeover-bridge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("info,{}", link::QUIET)));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let (Cli { bridge: args }, origins) = config::parse(&FORMAT)?;
    if let Some(BridgeCommand::Config(config)) = &args.command {
        let text = cli::configure(config, &FORMAT, check)?;
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    cli::run(&args.bridge, &origins, || match args.robot {
        RobotKind::Process => cli::process_robot(&args.bridge, &origins),
    })
}
