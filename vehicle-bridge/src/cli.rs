//! The bridge as a program: arguments and the run until a signal. The launcher's `takeover bridge` is the same.

use crate::geofence_file;
use crate::live::{self, BridgeConfig, RobotConfig, SimConfig};
use crate::robots::process::{ListenAddress, RobotServer};
use crate::sound::{Sound, SoundArgs};
use crate::source;
use crate::upload::Allowance;
use anyhow::Context;
use control_plane_client::ControlPlaneArgs;
use policy::Policy;
use protocol::signing::PublicKey;
use protocol::{Address, Embodiment, VehicleId};
use sim::difficulty::Difficulty;
use sim::road::RoadNetwork;
use sim::world::WorldConfig;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use vehicle_core::ControlRate;

/// Runs a vehicle: drives it (a simulated car, or a robot in a process of its own), streams its camera to operators' seats,
/// records takeovers, takes policy updates from the control plane.
#[derive(Debug, Clone, clap::Args)]
pub struct BridgeArgs {
    /// Where the control plane is.
    #[command(flatten)]
    pub control_plane: ControlPlaneArgs,
    /// This vehicle's name.
    #[arg(long, default_value = "car-1")]
    pub vehicle: VehicleId,
    /// What is driven: `sim`, a simulated robot in this program, or `process`, a robot or simulator that connects to
    /// `--listen` by the robot adapter's protocol.
    #[arg(long, value_enum, default_value_t, value_name = "sim|process")]
    pub robot: RobotKind,
    /// With --robot process: where the robot connects, `unix:PATH`, such as unix:/run/robot.sock, or HOST:PORT; port 0 takes
    /// a free one, which standard output names. Whoever reaches the address can be the robot.
    #[arg(long, required_if_eq("robot", "process"), conflicts_with = "source", value_name = "unix:PATH|HOST:PORT")]
    pub listen: Option<ListenAddress>,
    /// What the simulated robot is made of: a built-in embodiment (`takeover embodiment list`) or a TOML file. A robot in a
    /// process of its own says so itself.
    #[arg(long, value_name = "NAME|FILE", default_value = "ackermann_car", value_parser = embodiment, conflicts_with = "listen")]
    pub embodiment: Embodiment,
    /// Road network: an OpenDRIVE file, or one of soderleden, e6mini, fabriksgatan, plane.
    #[arg(long, default_value = "soderleden")]
    pub road: String,
    /// Folder for the vehicle's journal, policies and the episodes that the control plane does not have yet.
    #[arg(long, default_value = "takeover-vehicle")]
    pub data: PathBuf,
    /// Most that uploads of episodes may send, kbit/s [default: as much as there is].
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(1..))]
    pub upload_kbps: Option<u32>,
    /// Most that uploads may take of the way out while somebody sits in a seat, percent of what it is thought to carry;
    /// never more than the session leaves over.
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=90))]
    pub upload_share: u8,
    /// Cameras to stream and record, the first ones of the embodiment: a car's are front, left, right and rear.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub cameras: u8,
    /// Network interface (or local address) to reach the seats over. Given two or three times, every session uses all of
    /// them at once, each carrying everything: when one goes dead, nothing is missing. Each needs a route of its own.
    #[arg(long = "interface", value_name = "NAME")]
    pub interfaces: Vec<String>,
    /// What to record and when: a TOML file with `pre_roll_s`, `post_roll_s`, `ring_mib`, `drive_log`, `[triggers]` and
    /// `[[triggers.rule]]`; and what may not leave the vehicle: `[privacy]`.
    #[arg(long, value_name = "FILE")]
    pub recorder: Option<PathBuf>,
    /// Control ticks a second: 50 or 100.
    #[arg(long, value_name = "HZ", default_value_t, conflicts_with = "source")]
    pub control_rate: ControlRate,
    /// The permitted area, which nobody drives out of: a TOML file with `corners_m`, the corners of a polygon in the road
    /// network's coordinates.
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    pub geofence: Option<PathBuf>,
    /// Folder of a policy on trial: it drives nothing, and where it would act otherwise than the driver an episode is
    /// kept.
    #[arg(long, value_name = "FOLDER")]
    pub candidate: Option<PathBuf>,
    /// Shows everything that is recorded live to Foxglove and Lichtblick, by the protocol `foxglove.sdk.v1` at this
    /// address, such as localhost:8765; port 0 takes a free one, which standard output names. Whoever reaches the address
    /// sees everything.
    #[arg(long, value_name = "HOST:PORT")]
    pub view: Option<Address>,
    /// Seed of the simulated world.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Public key of the control plane whose session grants count, 64 hexadecimal digits; without it, the first one that
    /// this vehicle meets counts for good.
    #[arg(long, value_name = "KEY")]
    pub control_plane_key: Option<PublicKey>,
    /// Rehearses a fault: SIGUSR1 hangs the policy's thread, SIGUSR2 wakes it.
    #[arg(long, hide = true)]
    pub rehearse: bool,
    /// Drives nothing and streams this instead of the simulated car's camera: `synthetic`, a moving test scene, or an
    /// H.264 film in an MP4 file.
    #[arg(long, value_name = "synthetic|FILE")]
    pub source: Option<String>,
    /// With --source: writes figures (ages of commands, processor time, ...) to this file at the end.
    #[arg(long, requires = "source", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// With --source: ends after so many seconds.
    #[arg(long, requires = "source", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// What it says and where what it hears goes.
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Ends when standard input closes, so that the program never outlives the one that started it.
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

/// What a bridge drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RobotKind {
    /// A simulated car.
    #[default]
    Sim,
    /// A robot in another process.
    Process,
}

/// How much is said about what is odd in a road file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoadReport {
    /// How often what occurs.
    Short,
    /// Every place.
    Full,
}

/// The command line, with negative numbers taken as the values that they are meant as: the error then names them.
#[must_use]
pub fn parse<T: clap::Parser>() -> T {
    let matches = with_negative_values(T::command()).get_matches();
    T::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn with_negative_values(command: clap::Command) -> clap::Command {
    let allow = |arg: clap::Arg| {
        let has_value = arg.get_action().takes_values();
        if has_value { arg.allow_negative_numbers(true) } else { arg }
    };
    command.mut_args(allow).mut_subcommands(with_negative_values)
}

/// Longest time that a program can be told to run, seconds: ten years.
const LONGEST_S: f64 = 315_360_000.0;

/// A length of time on the command line, seconds.
///
/// # Errors
/// A sentence that says what would do.
pub fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= LONGEST_S => Ok(seconds),
        Ok(_) => Err(format!("give seconds above 0 and up to {LONGEST_S}")),
        Err(_) => Err("give a number of seconds, such as 30 or 2.5".to_owned()),
    }
}

/// A robot on the command line: a built-in embodiment, or a file.
///
/// # Errors
/// A sentence that names what is wrong, with line and value where it is in a file.
pub fn embodiment(name_or_file: &str) -> Result<Embodiment, String> {
    Embodiment::named_or_from_file(name_or_file).map_err(|error| error.to_string())
}

/// A built-in road network by name, or one from a file; what is odd in it is said on standard error.
///
/// # Errors
/// When it is neither, or the file is no usable OpenDRIVE.
pub fn open_road(name: &str, report: RoadReport) -> anyhow::Result<Arc<RoadNetwork>> {
    let network = load_road(name)?;
    let odd = network.report();
    for line in if report == RoadReport::Full { odd.full() } else { odd.summary() } {
        eprintln!("takeover: {name}: {line}");
    }
    Ok(network)
}

fn load_road(name: &str) -> anyhow::Result<Arc<RoadNetwork>> {
    if RoadNetwork::built_in_names().contains(&name) {
        return Ok(Arc::new(RoadNetwork::built_in(name)?));
    }
    if name == "plane" {
        return Ok(Arc::new(RoadNetwork::plane()?));
    }
    let path = Path::new(name);
    if !path.exists() {
        let known = RoadNetwork::built_in_names().join(", ");
        anyhow::bail!("{name:?} is neither a file nor a built-in road; built in are {known}, plane");
    }
    Ok(Arc::new(RoadNetwork::from_file(path).with_context(|| format!("cannot use {name}"))?))
}

/// The live car's world on a network: moderate traffic, every difficulty.
#[must_use]
pub fn live_world(seed: u64) -> WorldConfig {
    WorldConfig {
        seed,
        traffic_per_km: 6.0,
        difficulties: Difficulty::ALL.to_vec(),
        difficulty_spacing_m: 400.0,
        cruise_cap_mps: 16.0,
        target_length_m: 3_000.0,
    }
}

/// Sets `stop` on SIGINT, SIGTERM, or, when asked, the end of standard input.
pub fn stop_on_signal(runtime: &tokio::runtime::Handle, stop: &Arc<AtomicBool>, until_stdin_closes: bool) {
    let flag = Arc::clone(stop);
    runtime.spawn(async move {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
        let terminated = async {
            match &mut terminate {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated => {}
        }
        flag.store(true, Ordering::Relaxed);
    });
    if until_stdin_closes {
        let flag = Arc::clone(stop);
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            flag.store(true, Ordering::Relaxed);
        });
    }
}

/// The recorder's settings, from a file or as they come.
fn recording(path: Option<&Path>) -> anyhow::Result<recorder::Settings> {
    let Some(path) = path else { return Ok(recorder::Settings::default()) };
    let text = protocol::read_text_file(path).with_context(|| format!("cannot read {}", path.display()))?;
    recorder::Settings::from_toml(&text).with_context(|| format!("cannot use {}", path.display()))
}

/// Turns `flag` over at each signal of this kind.
pub fn toggle_on_signal(runtime: &tokio::runtime::Handle, kind: SignalKind, flag: &Arc<AtomicBool>) {
    let flag = Arc::clone(flag);
    runtime.spawn(async move {
        let Ok(mut signals) = signal(kind) else { return };
        while signals.recv().await.is_some() {
            flag.fetch_xor(true, Ordering::Relaxed);
        }
    });
}

/// Sets `flag` to `value` at each signal of this kind.
fn set_on_signal(runtime: &tokio::runtime::Handle, kind: SignalKind, flag: &Arc<AtomicBool>, value: bool) {
    let flag = Arc::clone(flag);
    runtime.spawn(async move {
        let Ok(mut signals) = signal(kind) else { return };
        while signals.recv().await.is_some() {
            flag.store(value, Ordering::Relaxed);
        }
    });
}

/// Runs the bridge until a signal.
///
/// # Errors
/// When a part cannot start.
pub fn run(args: &BridgeArgs) -> anyhow::Result<()> {
    // First whatever can be wrong with the arguments: a start that fails leaves nothing behind.
    let control_plane = args.control_plane.address()?;
    let paths = link::Paths::new(&args.interfaces)?;
    let recording = recording(args.recorder.as_deref())?;
    if args.listen.is_some() && args.robot != RobotKind::Process {
        anyhow::bail!("--listen is for a robot in another process: give --robot process, too");
    }
    let geofence = args.geofence.as_deref().map(|path| {
        geofence_file::read(path).with_context(|| format!("cannot use the permitted area {}", path.display()))
    });
    let geofence = geofence.transpose()?;
    let network = open_road(&args.road, RoadReport::Short)?;
    if args.robot == RobotKind::Sim {
        check_simulated(args)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(runtime.handle(), &stop, args.until_stdin_closes);
    let sound = Sound::open(&args.sound)?;
    if let Some(source) = &args.source {
        let config = source::SourceConfig {
            control_plane,
            vehicle: args.vehicle.clone(),
            source: source.clone(),
            json: args.json.clone(),
            seconds: args.seconds,
            paths,
        };
        source::run(&config, runtime.handle(), &stop, sound)?;
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        return Ok(());
    }
    let config = BridgeConfig {
        control_plane,
        vehicle: args.vehicle.clone(),
        robot: robot(args, network)?,
        data_dir: args.data.clone(),
        uploads: Allowance {
            most_bps: args.upload_kbps.map(|kbps| f64::from(kbps) * 1e3),
            share: f64::from(args.upload_share) / 100.0,
        },
        paths,
        recording,
        rate: args.control_rate,
        geofence,
        candidate: args.candidate.clone(),
        view: args.view.clone(),
        control_plane_key: args.control_plane_key,
        hang_policy: Arc::default(),
    };
    if args.rehearse {
        set_on_signal(runtime.handle(), SignalKind::user_defined1(), &config.hang_policy, true);
        set_on_signal(runtime.handle(), SignalKind::user_defined2(), &config.hang_policy, false);
    }
    live::run(&config, runtime.handle(), &stop, sound)?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    Ok(())
}

/// Checks that the simulator has what the arguments ask of it. Of a robot in another process that is known once it has come.
fn check_simulated(args: &BridgeArgs) -> anyhow::Result<()> {
    let robot = &args.embodiment;
    if robot.channels().speed.is_none() {
        anyhow::bail!("embodiment {:?} does not drive: the simulator has no robot for it", robot.name);
    }
    if usize::from(args.cameras) > robot.cameras.len() {
        anyhow::bail!("--cameras {}: embodiment {:?} has {}", args.cameras, robot.name, robot.cameras.len());
    }
    if let Some(folder) = &args.candidate {
        Policy::load_for(robot, folder).with_context(|| format!("cannot use the candidate in {}", folder.display()))?;
    }
    Ok(())
}

/// What the arguments say is driven; for a robot in another process, standard output says where it connects, for scripts.
fn robot(args: &BridgeArgs, network: Arc<RoadNetwork>) -> anyhow::Result<RobotConfig> {
    let Some(address) = args.listen.as_ref().filter(|_| args.robot == RobotKind::Process) else {
        let (embodiment, world) = (args.embodiment.clone(), live_world(args.seed));
        let config = SimConfig { embodiment, network, world, cameras: usize::from(args.cameras) };
        return Ok(RobotConfig::Sim(Box::new(config)));
    };
    let server = RobotServer::listen(address, args.vehicle.clone(), args.control_rate, Instant::now())?;
    // A reader that is gone is no reason not to drive.
    let _ = writeln!(std::io::stdout(), "robot at {}", server.address());
    Ok(RobotConfig::Process(Arc::new(server)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_that_make_no_sense_are_refused() {
        assert_eq!(seconds("2.5"), Ok(2.5));
        for bad in ["0", "-1", "nan", "inf", "1e300", "-0", "", "ten"] {
            assert!(seconds(bad).unwrap_err().contains("seconds"), "{bad}");
        }
    }
}
