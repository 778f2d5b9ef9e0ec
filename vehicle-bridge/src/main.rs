//! `takeover-bridge`: the robot's program, without a simulator.

use clap::Parser;
use tracing_subscriber::EnvFilter;
use vehicle_bridge::cli::{self, BridgeArgs};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The bridge on a robot: drives what connects to `--listen`, streams its cameras to operators' seats, records takeovers, takes
/// policy updates from the control plane.
///
/// The simulated robot is `takeover bridge`'s.
#[derive(Parser)]
#[command(version)]
struct Cli {
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

fn robot(name: &str) -> Result<RobotKind, String> {
    match name {
        "process" => Ok(RobotKind::Process),
        "sim" => Err("this program has no simulator; use `takeover bridge --robot sim`".to_owned()),
        _ => Err("known is process; the simulated robot, sim, is `takeover bridge`'s".to_owned()),
    }
}

fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("info,{}", link::QUIET)));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Cli { robot, bridge } = cli::parse();
    cli::run(&bridge, || match robot {
        RobotKind::Process => cli::process_robot(&bridge),
    })
}
