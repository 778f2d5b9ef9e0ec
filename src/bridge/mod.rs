//! `takeover bridge`: the bridge with what this program can let it drive, the simulated robot among it.

pub mod simulated;

use crate::embodiment;
use crate::output::print_text;
use crate::road::{self, RoadReport, open_road};
use anyhow::Context;
use policy::Policy;
use protocol::Embodiment;
use simulated::{SimulatedRobot, live_world};
use std::sync::Arc;
use vehicle_bridge::cli::{self, BridgeArgs, BridgeCommand};
use vehicle_bridge::config::{ConfigFormat, ConfigKey, KeyKind, Origins};

/// Runs a vehicle: drives it (a simulated robot, or a robot in a process of its own), streams its cameras to operators' seats,
/// records takeovers, takes policy updates from the control plane.
///
/// `takeover bridge config --print-default` writes a configuration file with every option for `--config`; docs/bridge.md says
/// more.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LauncherBridgeArgs {
    /// Something other than driving.
    #[command(subcommand)]
    pub command: Option<BridgeCommand>,
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

/// The keys of its configuration file.
pub const CONFIG: ConfigFormat = ConfigFormat {
    program: "takeover bridge",
    subcommand: Some("bridge"),
    keys: &[ConfigKey::OF_ANY_ROBOT, OF_SIM, ConfigKey::OF_PROCESS],
};

const OF_SIM: &[ConfigKey] = &[
    ConfigKey { table: "sim", ..ConfigKey::new("embodiment", KeyKind::PathUnless(is_embodiment), "") },
    ConfigKey { table: "sim", ..ConfigKey::new("road", KeyKind::PathUnless(road::is_built_in), "") },
    ConfigKey { table: "sim", ..ConfigKey::new("cameras", KeyKind::Number, "") },
    ConfigKey { table: "sim", ..ConfigKey::new("seed", KeyKind::Number, "") },
];

fn is_embodiment(name: &str) -> bool {
    Embodiment::by_name(name).is_some()
}

/// Runs the bridge until a signal, or writes or checks its configuration.
///
/// # Errors
/// When a part cannot start, or something is wrong with the configuration.
pub fn run(args: &LauncherBridgeArgs, origins: &Origins) -> anyhow::Result<()> {
    let LauncherBridgeArgs { command, robot, sim, bridge } = args;
    if let Some(BridgeCommand::Config(config)) = command {
        return Ok(print_text(&cli::configure(config, &CONFIG, check)?)?);
    }
    if bridge.listen.is_some() && *robot != RobotKind::Process {
        anyhow::bail!("--listen is for a robot in another process: give --robot process, too");
    }
    cli::run(bridge, origins, || match robot {
        RobotKind::Sim => Ok(Arc::new(simulated_robot(sim, bridge, origins)?)),
        RobotKind::Process => cli::process_robot(bridge, origins),
    })
}

/// Checks what a configuration names, without starting anything.
fn check(args: &LauncherBridgeArgs, origins: &Origins) -> anyhow::Result<()> {
    cli::check(&args.bridge, origins)?;
    match args.robot {
        _ if args.bridge.source.is_some() => Ok(()),
        RobotKind::Sim => simulated_robot(&args.sim, &args.bridge, origins).map(drop),
        RobotKind::Process => cli::process_address(&args.bridge).map(drop),
    }
}

/// The simulated robot that the arguments name, once the simulator is found to have what they ask of it.
fn simulated_robot(args: &SimArgs, bridge: &BridgeArgs, origins: &Origins) -> anyhow::Result<SimulatedRobot> {
    let SimArgs { embodiment, road, cameras, seed } = args;
    if embodiment.channels().speed.is_none() {
        let error =
            anyhow::anyhow!("embodiment {:?} does not drive: the simulator has no robot for it", embodiment.name);
        return origins.explain("embodiment", Err(error));
    }
    let cameras = usize::from(*cameras);
    if cameras > embodiment.cameras.len() {
        let (name, carried) = (&embodiment.name, embodiment.cameras.len());
        return origins
            .explain("cameras", Err(anyhow::anyhow!("--cameras {cameras}: embodiment {name:?} has {carried}")));
    }
    if let Some(folder) = &bridge.candidate {
        let policy = Policy::load_for(embodiment, folder);
        let policy = policy.with_context(|| format!("cannot use the candidate in {}", folder.display()));
        origins.explain("candidate", policy)?;
    }
    let network = origins.explain("road", open_road(road, RoadReport::Short))?;
    Ok(SimulatedRobot { embodiment: embodiment.clone(), network, world: live_world(*seed), cameras })
}
