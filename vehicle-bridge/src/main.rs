//! `takeover-bridge`: the robot's program.

use clap::Parser;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The bridge on the robot.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    bridge: vehicle_bridge::cli::BridgeArgs,
}

fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("info,{}", link::QUIET)));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    vehicle_bridge::cli::run(&vehicle_bridge::cli::parse::<Cli>().bridge)
}
