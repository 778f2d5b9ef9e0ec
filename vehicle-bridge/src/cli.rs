//! The bridge as a program: arguments and the run until a signal, whatever it drives. The launcher's `takeover bridge` adds
//! the simulated robot.

use crate::config::{self, ConfigArgs, ConfigFormat, Origins};
use crate::geofence_file;
use crate::live::{self, BridgeConfig};
use crate::robots::RobotFactory;
use crate::robots::process::{ListenAddress, RobotServer};
use crate::sound::{self, Sound, SoundArgs};
use crate::source;
use crate::upload::Allowance;
use anyhow::Context;
use control_plane_client::{ControlPlaneAddress, ControlPlaneArgs};
use protocol::geofence::PermittedArea;
use protocol::signing::PublicKey;
use protocol::{Address, VehicleId};
use recorder::SettingsError;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use vehicle_core::ControlRate;

/// What a bridge is told, whatever it drives.
#[derive(Debug, Clone, clap::Args)]
pub struct BridgeArgs {
    /// TOML file with a key for each of these options, which win over it (docs/bridge.md). `bridge config --print-default`
    /// writes one with every key.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the control plane is.
    #[command(flatten)]
    pub control_plane: ControlPlaneArgs,
    /// This vehicle's name.
    #[arg(long, default_value = "car-1")]
    pub vehicle: VehicleId,
    /// With --robot process: where the robot connects, `unix:PATH`, such as unix:/run/robot.sock, or HOST:PORT; port 0 takes
    /// a free one, which standard output names. Whoever reaches the address can be the robot.
    #[arg(long, conflicts_with = "source", value_name = "unix:PATH|HOST:PORT")]
    pub listen: Option<ListenAddress>,
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
    /// Public key of the control plane whose session grants count, 64 hexadecimal digits; without it, the first one that
    /// this vehicle meets counts for good.
    #[arg(long, value_name = "KEY")]
    pub control_plane_key: Option<PublicKey>,
    /// Rehearses a fault: SIGUSR1 hangs the policy's thread, SIGUSR2 wakes it.
    #[arg(long, hide = true)]
    pub rehearse: bool,
    /// Drives nothing and streams this instead of a camera: `synthetic`, a moving test scene, or an
    /// H.264 film in an MP4 file.
    #[arg(long, value_name = "synthetic|FILE")]
    pub source: Option<String>,
    /// With --source: writes figures (ages of commands, processor time, ...) to this file at the end.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// With --source: ends after so many seconds.
    #[arg(long, value_parser = seconds)]
    pub seconds: Option<f64>,
    /// What it says and where what it hears goes.
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Ends when standard input closes, so that the program never outlives the one that started it.
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
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

/// The commands beside driving.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum BridgeCommand {
    /// Write a configuration file with every key, or check one.
    Config(ConfigArgs),
}

/// Writes or checks a configuration file of the bridge with the options `A`, and returns what is to be printed. `check` is
/// handed what the file gives.
///
/// # Errors
/// What is wrong with the file, or what it names.
pub fn configure<A: clap::Args>(
    args: &ConfigArgs,
    format: &ConfigFormat,
    check: impl FnOnce(&A, &Origins) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let Some(file) = &args.check else { return Ok(config::default_file::<A>(format)) };
    let (parsed, origins) = config::load::<A>(format, file)?;
    check(&parsed, &origins)?;
    Ok(format!("{} is valid\n", file.display()))
}

/// The address of a robot in another process, which the arguments must name.
///
/// # Errors
/// When they do not.
pub fn process_address(args: &BridgeArgs) -> anyhow::Result<&ListenAddress> {
    args.listen.as_ref().context(
        "a robot in another process has to be told where to connect: give --listen, such as --listen unix:/run/robot.sock, or \
         listen in the table [process] of the configuration",
    )
}

/// The robot in another process that the arguments name; standard output says where it connects, for scripts.
///
/// # Errors
/// When no address is named, or nobody can listen there.
pub fn process_robot(args: &BridgeArgs, origins: &Origins) -> anyhow::Result<Arc<dyn RobotFactory>> {
    let server = RobotServer::listen(process_address(args)?, args.vehicle.clone(), args.control_rate, Instant::now());
    let server = origins.explain("listen", server.map_err(anyhow::Error::from))?;
    // A reader that is gone is no reason not to drive.
    let _ = writeln!(std::io::stdout(), "robot at {}", server.address());
    Ok(Arc::new(server))
}

/// What the arguments name, found in order.
struct Named {
    control_plane: ControlPlaneAddress,
    paths: link::Paths,
    recording: recorder::Settings,
    geofence: Option<PermittedArea>,
}

impl Named {
    fn open(args: &BridgeArgs, origins: &Origins) -> anyhow::Result<Self> {
        for (option, given) in [("json", args.json.is_some()), ("seconds", args.seconds.is_some())] {
            if given && args.source.is_none() {
                origins.explain(option, Err(anyhow::anyhow!("--{option} is for a source: give --source, too")))?;
            }
        }
        let by_ca = args.control_plane.control_plane_ca.is_some();
        let control_plane = args.control_plane.address().map_err(anyhow::Error::from);
        let control_plane = if by_ca { origins.explain("control-plane-ca", control_plane) } else { control_plane };
        Ok(Self {
            control_plane: origins.explain("control-plane", control_plane)?,
            paths: origins.explain("interface", link::Paths::new(&args.interfaces).map_err(anyhow::Error::from))?,
            recording: origins.explain("recorder", recording(args.recorder.as_deref(), origins))?,
            geofence: origins.explain("geofence", geofence(args.geofence.as_deref(), origins))?,
        })
    }
}

/// A configuration file that has the recorder's settings as a table.
#[derive(serde::Deserialize)]
struct WithRecorder {
    recorder: recorder::Settings,
}

/// The recorder's settings: from a file, from the configuration's table, or as they come.
fn recording(path: Option<&Path>, origins: &Origins) -> anyhow::Result<recorder::Settings> {
    let Some(path) = path else { return Ok(recorder::Settings::default()) };
    let text = protocol::read_text_file(path).with_context(|| format!("cannot read {}", path.display()))?;
    let settings = match origins.is_table("recorder") {
        true => {
            toml::from_str::<WithRecorder>(&text).map_err(SettingsError::from).and_then(|all| all.recorder.checked())
        }
        false => recorder::Settings::from_toml(&text),
    };
    settings.with_context(|| format!("cannot use {}", path.display()))
}

/// The permitted area: from a file, or from the configuration's table.
fn geofence(path: Option<&Path>, origins: &Origins) -> anyhow::Result<Option<PermittedArea>> {
    let Some(path) = path else { return Ok(None) };
    let area = match origins.is_table("geofence") {
        true => geofence_file::read_table(path),
        false => geofence_file::read(path),
    };
    area.map(Some).with_context(|| format!("cannot use the permitted area {}", path.display()))
}

/// Checks what the arguments name, whatever is driven, without starting anything.
///
/// # Errors
/// The first thing that cannot be used.
pub fn check(args: &BridgeArgs, origins: &Origins) -> anyhow::Result<()> {
    Named::open(args, origins)?;
    origins.explain("audio", sound::check(&args.sound))?;
    match &args.source {
        Some(source) => origins.explain("source", source::check(source)),
        None => Ok(()),
    }
}

/// Runs the bridge until a signal. `robot` makes what it drives, unless the arguments name a source in its place.
///
/// # Errors
/// When a part cannot start.
pub fn run(
    args: &BridgeArgs,
    origins: &Origins,
    robot: impl FnOnce() -> anyhow::Result<Arc<dyn RobotFactory>>,
) -> anyhow::Result<()> {
    // First whatever can be wrong with the arguments: a start that fails leaves nothing behind.
    let named = Named::open(args, origins)?;
    let robot = if args.source.is_none() { Some(robot()?) } else { None };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(runtime.handle(), &stop, args.until_stdin_closes);
    let sound = Sound::open(&args.sound)?;
    match (robot, &args.source) {
        (Some(robot), _) => {
            let config = bridge_config(args, named, robot);
            if args.rehearse {
                set_on_signal(runtime.handle(), SignalKind::user_defined1(), &config.hang_policy, true);
                set_on_signal(runtime.handle(), SignalKind::user_defined2(), &config.hang_policy, false);
            }
            live::run(&config, runtime.handle(), &stop, sound)?;
        }
        (None, source) => {
            let config = source::SourceConfig {
                control_plane: named.control_plane,
                vehicle: args.vehicle.clone(),
                source: source.clone().unwrap_or_default(),
                json: args.json.clone(),
                seconds: args.seconds,
                paths: named.paths,
            };
            source::run(&config, runtime.handle(), &stop, sound)?;
        }
    }
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    Ok(())
}

fn bridge_config(args: &BridgeArgs, named: Named, robot: Arc<dyn RobotFactory>) -> BridgeConfig {
    BridgeConfig {
        control_plane: named.control_plane,
        vehicle: args.vehicle.clone(),
        robot,
        data_dir: args.data.clone(),
        uploads: Allowance {
            most_bps: args.upload_kbps.map(|kbps| f64::from(kbps) * 1e3),
            share: f64::from(args.upload_share) / 100.0,
        },
        paths: named.paths,
        recording: named.recording,
        rate: args.control_rate,
        geofence: named.geofence,
        candidate: args.candidate.clone(),
        view: args.view.clone(),
        control_plane_key: args.control_plane_key,
        hang_policy: Arc::default(),
    }
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
