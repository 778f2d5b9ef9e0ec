//! `takeover demo`: the whole loop on one machine.

mod children;
mod show;

use crate::output::{Interrupted, announce, or_unread, print_text};
use crate::road::{RoadReport, open_road};
use anyhow::{Context, bail};
use children::Children;
use control_plane_client::{ControlPlaneClient, Retry};
use protocol::api::Evaluation;
use protocol::{Address, ListenError};
use serde::{Deserialize, Serialize};
pub use show::{Bars, table};
use sim::road::RoadNetwork;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use trainer::flywheel::{Effort, Flywheel};
use trainer::road_split::RoadSplit;

/// Runs the whole loop on this machine: the control plane with its dashboard, one car in real time with live video and
/// a scripted operator, and a fleet in virtual time that drives, is taken over, records, trains, evaluates and ships.
///
/// It goes on until Ctrl-C; a second start resumes from its data folder.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Turns of the flywheel that this data folder shall have seen; without it, it turns until Ctrl-C.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub turns: Option<u64>,
    /// End after the last turn, with the table as the last output.
    #[arg(long, requires = "turns")]
    pub exit: bool,
    /// Folder of everything that the demo makes: database, episodes, policies, report.
    #[arg(long, default_value = "takeover-data")]
    pub data: PathBuf,
    /// Port of the dashboard on this machine's own address; 0 takes a free one. Standard output names the address.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Seed of the fleet: the same seed gives the same report, byte for byte [default: 1, or the data folder's].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Folder of OpenDRIVE files to learn on, instead of the built-in soderleden and fabriksgatan.
    #[arg(long)]
    pub roads: Option<PathBuf>,
    /// Folder of OpenDRIVE files kept out of training, instead of the built-in e6mini.
    #[arg(long)]
    pub held_out_roads: Option<PathBuf>,
    /// Only the fleet and the dashboard, without the car in real time and its operator.
    #[arg(long)]
    pub no_live_car: bool,
}

/// What a data folder was begun with: a resumed flywheel must go on with the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Setup {
    seed: u64,
    roads: Option<PathBuf>,
    held_out_roads: Option<PathBuf>,
}

/// What a data folder was begun with.
const SETUP: &str = "demo.json";

/// Runs the demo.
///
/// # Errors
/// When the folder, the port or the roads cannot be used.
pub fn run(args: &DemoArgs) -> anyhow::Result<()> {
    // Everything that can be wrong with the arguments comes before anything is written: a start that fails must not
    // bind the data folder to what it was given.
    let setup = setup(args)?;
    let roads = roads(setup.roads.as_deref(), &["soderleden", "fabriksgatan"])?;
    let held_out_roads = roads_held_out(setup.held_out_roads.as_deref())?;
    let roads = RoadSplit::new(&roads, &held_out_roads, setup.seed)?;
    let address = own_address(args.port)?;
    std::fs::create_dir_all(&args.data).with_context(|| format!("cannot make the folder {}", args.data.display()))?;
    let data = args.data.canonicalize()?;
    let _lock = lock(&data)?;
    if self::setup(args)? != setup {
        bail!("another demo has begun {} meanwhile; start again, or give --data another folder", data.display());
    }
    begin(&setup, &data)?;
    for dir in ["episodes", "policies", "gates", "logs"] {
        std::fs::create_dir_all(data.join(dir))?;
    }
    remove_unfinished(&data.join("episodes"))?;
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, false);

    let children = Children::start(&data, address, setup.seed, !args.no_live_car, &stop)?;
    let url = format!("http://{address}");
    announce(&url);
    let shown = if address.is_ipv4() { format!("http://localhost:{}", address.port()) } else { url.clone() };
    note!("takeover: dashboard at {shown}, data in {}", data.display());
    if !args.no_live_car {
        note!("takeover: car-1 drives in real time; take its seat with `make console`. Ctrl-C ends everything.");
    }
    let flywheel = Flywheel {
        plane: ControlPlaneClient::new(&url.parse()?, Retry::UntilStopped(Arc::clone(&stop))),
        episodes_dir: data.join("episodes"),
        policies_dir: data.join("policies"),
        gates_dir: data.join("gates"),
        roads,
        seed: setup.seed,
        effort: Effort::default(),
    };
    let result = turn_until_stopped(flywheel, args, &data, &stop);
    stop.store(true, Ordering::Relaxed);
    children.stop();
    let cut_off = match result {
        Some(Err(error)) if !error.is_interruption() => return Err(error.into()),
        Some(Ok(())) => false,
        _ => true,
    };
    if cut_off {
        note!("takeover: ended; the same command goes on from here.");
    }
    let report = data.join("report.json");
    if report.exists() {
        let report: Vec<Evaluation> = serde_json::from_slice(&std::fs::read(&report)?)?;
        or_unread(print_text(&show::table(&report)))?;
    }
    // Without --exit, Ctrl-C is the way to end it.
    if cut_off && args.exit { Err(Interrupted.into()) } else { Ok(()) }
}

/// Turns the flywheel on a thread of its own, so that Ctrl-C need not wait for a step to end: what is cut off is done
/// again by the next start. `None` when it was cut off.
fn turn_until_stopped(
    flywheel: Flywheel,
    args: &DemoArgs,
    data: &Path,
    stop: &Arc<AtomicBool>,
) -> Option<Result<(), trainer::flywheel::TurnError>> {
    let (args, data, flag) = (args.clone(), data.to_owned(), Arc::clone(stop));
    let worker = std::thread::spawn(move || turn(&flywheel, &args, &data, &flag));
    while !worker.is_finished() {
        if stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(300));
            if !worker.is_finished() {
                return None;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Turns the flywheel until there is no more to do or the user ends the program.
fn turn(
    flywheel: &Flywheel,
    args: &DemoArgs,
    data: &Path,
    stop: &AtomicBool,
) -> Result<(), trainer::flywheel::TurnError> {
    let bars = Bars::default();
    let (mut done, mut champion) = flywheel.resume(&bars)?;
    write_report(flywheel, data)?;
    while !stop.load(Ordering::Relaxed) {
        if args.turns.is_some_and(|turns| done >= turns) {
            if args.exit {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        let outcome = flywheel.turn(done + 1, &champion, &bars)?;
        // Which version is in use is the control plane's to say: somebody may have withdrawn one meanwhile.
        (done, champion) = flywheel.resume(&bars)?;
        let report = write_report(flywheel, data)?;
        let last = args.exit && args.turns == Some(done);
        if !last {
            bars.say(&show::outcome(&outcome));
            bars.say(&show::table(&report));
        }
    }
    Ok(())
}

/// Brings the control plane's report into `report.json`, whole or not at all.
fn write_report(flywheel: &Flywheel, data: &Path) -> Result<Vec<Evaluation>, trainer::flywheel::TurnError> {
    let text = flywheel.plane.report()?;
    let partial = data.join("report.json.part");
    let written = std::fs::write(&partial, &text).and_then(|()| std::fs::rename(&partial, data.join("report.json")));
    if let Err(source) = written {
        return Err(trainer::TrainError::Io { path: partial, source }.into());
    }
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// One demo a data folder.
fn lock(data: &Path) -> anyhow::Result<std::fs::File> {
    let path = data.join("demo.lock");
    let file = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!("another demo runs in {}; end it or give --data another folder", data.display());
    }
    Ok(file)
}

/// What the flywheel turns with: the data folder's own, where it was begun already. Writes nothing.
fn setup(args: &DemoArgs) -> anyhow::Result<Setup> {
    let whole = |path: &Option<PathBuf>| {
        let whole = |path: &PathBuf| path.canonicalize().with_context(|| format!("cannot read {}", path.display()));
        path.as_ref().map(whole).transpose()
    };
    let (roads, held_out_roads) = (whole(&args.roads)?, whole(&args.held_out_roads)?);
    let path = args.data.join(SETUP);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Setup { seed: args.seed.unwrap_or(1), roads, held_out_roads });
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let setup: Setup = serde_json::from_slice(&text).with_context(|| format!("cannot read {}", path.display()))?;
    let data = args.data.display();
    if let Some(seed) = args.seed.filter(|seed| *seed != setup.seed) {
        bail!("{data} was begun with --seed {}; {seed} needs another --data folder", setup.seed);
    }
    for (option, given, begun) in
        [("--roads", roads, &setup.roads), ("--held-out-roads", held_out_roads, &setup.held_out_roads)]
    {
        let Some(given) = given.filter(|given| Some(given) != begun.as_ref()) else { continue };
        let begun =
            begun.as_ref().map_or("the built-in roads".to_owned(), |begun| format!("{option} {}", begun.display()));
        bail!("{data} was begun with {begun}; {option} {} needs another --data folder", given.display());
    }
    Ok(setup)
}

/// Binds the data folder to what it is begun with, unless it was begun already; whole or not at all.
fn begin(setup: &Setup, data: &Path) -> anyhow::Result<()> {
    let path = data.join(SETUP);
    if path.exists() {
        return Ok(());
    }
    let partial = data.join("demo.json.part");
    let written = std::fs::write(&partial, serde_json::to_vec_pretty(setup)?);
    let written = written.and_then(|()| std::fs::rename(&partial, &path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The OpenDRIVE files of `folder`, else the built-in roads of these names.
///
/// # Errors
/// When the folder or a road cannot be used.
pub fn roads(folder: Option<&Path>, built_in: &[&str]) -> anyhow::Result<Vec<Arc<RoadNetwork>>> {
    let Some(folder) = folder else {
        return built_in.iter().map(|name| open_road(name, RoadReport::Short)).collect();
    };
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    files.retain(|f| f.extension().is_some_and(|x| x.eq_ignore_ascii_case("xodr")));
    files.sort();
    if files.is_empty() {
        bail!("{} holds no .xodr file", folder.display());
    }
    files.iter().map(|f| open_road(&f.to_string_lossy(), RoadReport::Short)).collect()
}

fn roads_held_out(folder: Option<&Path>) -> anyhow::Result<Vec<Arc<RoadNetwork>>> {
    roads(folder, &["e6mini"])
}

/// This machine's own address with a port that is free now: IPv6 where there is no other.
fn own_address(port: u16) -> anyhow::Result<SocketAddr> {
    let listen = |ip: IpAddr| Address::from(SocketAddr::new(ip, port)).listen();
    let listeners = match listen(Ipv4Addr::LOCALHOST.into()) {
        Err(ListenError::Refused { cause, .. }) if cause.kind() == ErrorKind::AddrNotAvailable => {
            listen(Ipv6Addr::LOCALHOST.into())
        }
        outcome => outcome,
    };
    let listeners = listeners.with_context(|| format!("--port {port}"))?;
    let first = listeners.first().context("this machine has no address of its own")?;
    Ok(first.local_addr()?)
}

/// Episodes that a killed fleet was writing: their trips are driven again.
fn remove_unfinished(episodes: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(episodes)?.flatten() {
        if entry.path().to_string_lossy().ends_with(".mcap.part") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: DemoArgs,
    }

    fn demo(data: &Path, words: &[&str]) -> anyhow::Result<()> {
        let data = data.to_string_lossy();
        run(&Cli::parse_from([&["demo", "--exit", "--turns", "1", "--data", &data], words].concat()).args)
    }

    #[test]
    fn a_start_that_fails_leaves_nothing_that_binds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let empty = folder.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        for (words, says) in [
            (["--held-out-roads", "/no/such/folder"], "/no/such/folder"),
            (["--roads", empty.to_str().unwrap()], "holds no .xodr file"),
            (["--port", &port], &*format!("port {port} is already in use")),
        ] {
            let error = format!("{:#}", demo(&data, &words).unwrap_err());
            assert!(error.contains(says), "{error}");
            assert!(!data.exists(), "{words:?} left something behind");
        }
    }

    #[test]
    fn a_folder_keeps_what_it_was_begun_with() {
        let folder = tempfile::tempdir().unwrap();
        let args = |words: &[&str]| {
            let data = folder.path().to_string_lossy();
            Cli::parse_from([&["demo", "--data", &data], words].concat()).args
        };
        begin(&setup(&args(&["--seed", "7"])).unwrap(), folder.path()).unwrap();
        assert_eq!(setup(&args(&[])).unwrap().seed, 7);
        assert!(setup(&args(&["--seed", "8"])).unwrap_err().to_string().contains("--seed 7"));
        let error = setup(&args(&["--held-out-roads", "/"])).unwrap_err().to_string();
        assert!(error.contains("the built-in roads") && error.contains("--held-out-roads /"), "{error}");
    }

    #[test]
    fn port_0_is_a_port_of_this_machine() {
        let address = own_address(0).unwrap();
        assert!(address.port() > 0 && address.ip().is_loopback(), "{address}");
    }
}
