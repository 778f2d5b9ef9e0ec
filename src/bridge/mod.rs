//! `takeover bridge`: the bridge with what this program can let it drive, the simulated robot among it.

pub mod simulated;

use crate::embodiment;
use crate::road::{RoadReport, open_road};
use anyhow::Context;
use policy::Policy;
use protocol::Embodiment;
use simulated::{SimulatedRobot, live_world};
use std::sync::Arc;
use vehicle_bridge::cli::{self, BridgeArgs};
use vehicle_bridge::robots::RobotFactory;

/// Runs a vehicle: drives it (a simulated robot, or a robot in a process of its own), streams its cameras to operators' seats,
/// records takeovers, takes policy updates from the control plane.
#[derive(Debug, Clone, clap::Args)]
pub struct LauncherBridgeArgs {
    /// What is driven: `sim`, a simulated robot in this program, or `process`, a robot or simulator that connects to
    /// `--listen` by the robot adapter's protocol.
    #[arg(long, value_enum, default_value_t, value_name = "sim|process")]
    pub robot: RobotKind,
    /// Of a simulated robot.
    #[command(flatten)]
    pub sim: SimArgs,
    /// Of any robot.
    #[command(flatten)]
    pub bridge: BridgeArgs,
}

/// What a bridge drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RobotKind {
    /// A simulated robot.
    #[default]
    Sim,
    /// A robot in another process.
    Process,
}

/// The simulated robot on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct SimArgs {
    /// What the simulated robot is made of: a built-in embodiment (`takeover embodiment list`) or a TOML file. A robot in a
    /// process of its own says so itself.
    #[arg(long, value_name = "NAME|FILE", default_value = "ackermann_car", value_parser = embodiment::named_or_file,
        conflicts_with = "listen")]
    pub embodiment: Embodiment,
    /// The simulated robot's road network: an OpenDRIVE file, or one of soderleden, e6mini, fabriksgatan, plane.
    #[arg(long, default_value = "soderleden")]
    pub road: String,
    /// Cameras of the simulated robot to stream and record, the first ones of the embodiment: a car's are front, left, right
    /// and rear.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub cameras: u8,
    /// Seed of the simulated world.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs the bridge until a signal.
///
/// # Errors
/// When a part cannot start.
pub fn run(args: &LauncherBridgeArgs) -> anyhow::Result<()> {
    let LauncherBridgeArgs { robot, sim, bridge } = args;
    if bridge.listen.is_some() && *robot != RobotKind::Process {
        anyhow::bail!("--listen is for a robot in another process: give --robot process, too");
    }
    cli::run(bridge, || match robot {
        RobotKind::Sim => simulated_robot(sim, bridge),
        RobotKind::Process => cli::process_robot(bridge),
    })
}

/// The simulated robot that the arguments name, once the simulator is found to have what they ask of it.
fn simulated_robot(args: &SimArgs, bridge: &BridgeArgs) -> anyhow::Result<Arc<dyn RobotFactory>> {
    let embodiment = &args.embodiment;
    if embodiment.channels().speed.is_none() {
        anyhow::bail!("embodiment {:?} does not drive: the simulator has no robot for it", embodiment.name);
    }
    let cameras = usize::from(args.cameras);
    if cameras > embodiment.cameras.len() {
        anyhow::bail!("--cameras {cameras}: embodiment {:?} has {}", embodiment.name, embodiment.cameras.len());
    }
    if let Some(folder) = &bridge.candidate {
        Policy::load_for(embodiment, folder)
            .with_context(|| format!("cannot use the candidate in {}", folder.display()))?;
    }
    let network = open_road(&args.road, RoadReport::Short)?;
    Ok(Arc::new(SimulatedRobot { embodiment: embodiment.clone(), network, world: live_world(args.seed), cameras }))
}
