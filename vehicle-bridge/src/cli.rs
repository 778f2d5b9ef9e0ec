//! The bridge as a program: arguments and the run until a signal. The launcher's `takeover bridge` is the same.

use crate::live::{self, BridgeConfig};
use crate::sound::{Sound, SoundArgs};
use crate::source;
use crate::upload::Allowance;
use anyhow::Context;
use policy::Policy;
use protocol::signing::PublicKey;
use protocol::{Address, VehicleId};
use sim::difficulty::Difficulty;
use sim::road::RoadNetwork;
use sim::world::WorldConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Runs a vehicle: drives it (here a simulated car), streams its camera to operators' seats, records takeovers, takes
/// policy updates from the control plane.
#[derive(Debug, Clone, clap::Args)]
pub struct BridgeArgs {
    /// Address of the control plane.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "TAKEOVER_CONTROL_PLANE")]
    pub control_plane: String,
    /// This vehicle's name.
    #[arg(long, default_value = "car-1")]
    pub vehicle: VehicleId,
    /// Road network: an OpenDRIVE file, or one of soderleden, e6mini, fabriksgatan.
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
    /// Cameras to stream and record: 1 is the front one, then left, right and rear.
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
    let path = Path::new(name);
    if !path.exists() {
        let known = RoadNetwork::built_in_names().join(", ");
        anyhow::bail!("{name:?} is neither a file nor a built-in road; built in are {known}");
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
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
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
    link::check_control_plane(&args.control_plane)?;
    let paths = link::Paths::new(&args.interfaces)?;
    let recording = recording(args.recorder.as_deref())?;
    let network = open_road(&args.road, RoadReport::Short)?;
    if let Some(folder) = &args.candidate {
        Policy::load(folder).with_context(|| format!("cannot use the candidate in {}", folder.display()))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signal(runtime.handle(), &stop, args.until_stdin_closes);
    let sound = Sound::open(&args.sound)?;
    if let Some(source) = &args.source {
        let config = source::SourceConfig {
            control_plane: args.control_plane.clone(),
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
        control_plane: args.control_plane.clone(),
        vehicle: args.vehicle.clone(),
        network,
        world: live_world(args.seed),
        data_dir: args.data.clone(),
        uploads: Allowance {
            most_bps: args.upload_kbps.map(|kbps| f64::from(kbps) * 1e3),
            share: f64::from(args.upload_share) / 100.0,
        },
        cameras: usize::from(args.cameras),
        paths,
        recording,
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
