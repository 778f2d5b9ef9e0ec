//! `takeover demo`: the whole loop on one machine.

mod children;
mod show;

use anyhow::{Context, bail};
use children::Children;
use protocol::api::Evaluation;
use serde::{Deserialize, Serialize};
pub use show::{Bars, table};
use sim::road::RoadNetwork;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use trainer::control_plane::ControlPlane;
use trainer::flywheel::{Effort, Flywheel};
use vehicle_bridge::cli::{RoadReport, open_road};

/// Runs the whole loop on this machine: the control plane with its dashboard, one car in real time with live video and
/// a scripted operator, and a fleet in virtual time that drives, is taken over, records, trains, evaluates and ships.
///
/// It goes on until Ctrl-C; a second start resumes from its data folder.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Turns of the flywheel that this data folder shall have seen; without it, it turns until Ctrl-C.
    #[arg(long)]
    pub turns: Option<u64>,
    /// End after the last turn, with the table as the last output.
    #[arg(long, requires = "turns")]
    pub exit: bool,
    /// Folder of everything that the demo makes: database, episodes, policies, report.
    #[arg(long, default_value = "takeover-data")]
    pub data: PathBuf,
    /// Port of the dashboard on 127.0.0.1.
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

/// Runs the demo.
///
/// # Errors
/// When the folder, the port or the roads cannot be used.
pub fn run(args: &DemoArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.data).with_context(|| format!("cannot make the folder {}", args.data.display()))?;
    let data = args.data.canonicalize()?;
    let _lock = lock(&data)?;
    let setup = setup(args, &data)?;
    let roads = roads(setup.roads.as_deref(), &["soderleden", "fabriksgatan"])?;
    let held_out_roads = roads_held_out(setup.held_out_roads.as_deref())?;
    check_port(args.port)?;
    for dir in ["episodes", "policies", "logs"] {
        std::fs::create_dir_all(data.join(dir))?;
    }
    remove_unfinished(&data.join("episodes"))?;
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, false);

    let address = format!("http://127.0.0.1:{}", args.port);
    let children = Children::start(&data, args.port, setup.seed, !args.no_live_car, &stop)?;
    eprintln!("takeover: dashboard at http://localhost:{}, data in {}", args.port, data.display());
    if !args.no_live_car {
        eprintln!("takeover: car-1 drives in real time; take its seat with `make console`. Ctrl-C ends everything.");
    }
    let flywheel = Flywheel {
        plane: ControlPlane::new(&address, Arc::clone(&stop)),
        episodes_dir: data.join("episodes"),
        policies_dir: data.join("policies"),
        roads,
        held_out_roads,
        seed: setup.seed,
        effort: Effort::default(),
    };
    let result = turn_until_stopped(flywheel, args, &data, &stop);
    stop.store(true, Ordering::Relaxed);
    children.stop();
    match result {
        Some(Err(error)) if !error.is_interruption() => return Err(error.into()),
        Some(Ok(())) => {}
        _ => eprintln!("takeover: ended; the same command goes on from here."),
    }
    let report = data.join("report.json");
    if report.exists() {
        let report: Vec<Evaluation> = serde_json::from_slice(&std::fs::read(&report)?)?;
        print!("{}", show::table(&report));
    }
    Ok(())
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
        done += 1;
        if outcome.shipped {
            champion = policy::Policy::load(&flywheel.policies_dir.join(outcome.version.as_str()))?;
        }
        let report = write_report(flywheel, data)?;
        let last = args.exit && args.turns == Some(done);
        if !last {
            bars.say(&show::verdict(&outcome));
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

fn setup(args: &DemoArgs, data: &Path) -> anyhow::Result<Setup> {
    let whole = |path: &Option<PathBuf>| path.as_ref().map(|p| p.canonicalize().unwrap_or_else(|_| p.clone()));
    let path = data.join("demo.json");
    if !path.exists() {
        let setup = Setup {
            seed: args.seed.unwrap_or(1),
            roads: whole(&args.roads),
            held_out_roads: whole(&args.held_out_roads),
        };
        std::fs::write(&path, serde_json::to_vec_pretty(&setup)?)?;
        return Ok(setup);
    }
    let text = std::fs::read(&path)?;
    let setup: Setup = serde_json::from_slice(&text).with_context(|| format!("cannot read {}", path.display()))?;
    if let Some(seed) = args.seed.filter(|seed| *seed != setup.seed) {
        bail!("{} was begun with --seed {}; {seed} needs another --data folder", data.display(), setup.seed);
    }
    let other = |given: Option<PathBuf>, begun: &Option<PathBuf>| given.is_some_and(|g| Some(g) != *begun);
    if other(whole(&args.roads), &setup.roads) || other(whole(&args.held_out_roads), &setup.held_out_roads) {
        bail!("{} was begun with other roads; they need another --data folder", data.display());
    }
    Ok(setup)
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

fn check_port(port: u16) -> anyhow::Result<()> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(error) => bail!("port {port} cannot be used ({error}); choose another with --port"),
    }
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
