//! The bridge in real time: control, camera, recorder, control-plane sync and link, each on its own thread, around the same
//! vehicle core that drives in virtual time.

mod audit_recorder;
mod camera;
mod control;
pub mod control_plane_sync;
pub mod geofence_orders;
pub mod journal;
mod journal_thread;
mod policy_runner;
mod seats;
mod throttle;
mod triggers;
pub mod wall_clock;

use crate::access::{AccessError, Gatekeeper};
use crate::audit::{AuditError, AuditEvent, AuditHandle, AuditThread};
use crate::robots::{PreparedCamera, PreparedRobot, RobotError, RobotFactory};
use crate::sound::{self, Sound};
use crate::timing::TickTiming;
use crate::upload::budget::is_here;
use crate::upload::prepare::Preparation;
use crate::upload::uploader::Uploader;
use crate::upload::{Allowance, Pace};
use camera::CameraOutput;
use control_plane_client::{ControlPlaneAddress, ControlPlaneClient, Retry};
use control_plane_sync::{ControlPlaneSync, ControlPlaneSyncConfig, SharedStatus};
use crossbeam_channel::unbounded;
use geofence_orders::{GeofenceOrders, GeofenceReceiver, KeptOrderError};
use journal::{Journal, JournalError};
use link::{CameraStreamer, Guard, Identity, LinkError, PathLoad, VehicleLink, VehicleOptions};
use policy::{Policy, PolicyError};
use protocol::geofence::PermittedArea;
use protocol::signing::PublicKey;
use protocol::v1::Hello;
use protocol::{Address, Embodiment, EpisodeId, EpisodeSource, IdError, PolicyVersion, VehicleId, topics};
use recorder::exchange::{ExchangeError, view::LiveView};
use recorder::{DriveLogConfig, Listener, RecorderError, RecorderThread, SigningKey, ThreadConfig};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use triggers::LiveTriggers;
use vehicle_core::mileage::{MileageAccounting, VehicleMetadata};
use vehicle_core::telemetry::TelemetryEncoder;
use vehicle_core::triggers::TriggerEvaluator;
use vehicle_core::{ControlRate, CoreConfig, CoreError, VehicleCore, authority};

/// How to run a bridge.
#[derive(Debug, Clone)]
pub struct BridgeConfig {
    /// The control plane.
    pub control_plane: ControlPlaneAddress,
    /// The vehicle.
    pub vehicle: VehicleId,
    /// What it drives.
    pub robot: Arc<dyn RobotFactory>,
    /// The vehicle's own folder: journal, fetched policies.
    pub data_dir: PathBuf,
    /// How fast finished episodes may be uploaded.
    pub uploads: Allowance,
    /// Network interfaces to reach the seats over.
    pub paths: link::Paths,
    /// What is recorded and when.
    pub recording: recorder::Settings,
    /// How often the vehicle is controlled.
    pub rate: ControlRate,
    /// The permitted area that it is given itself; without one, everywhere that the control plane permits.
    pub geofence: Option<PermittedArea>,
    /// Folder of a policy on trial, whose disagreement with the driver opens episodes.
    pub candidate: Option<PathBuf>,
    /// Where everything that is recorded is shown live.
    pub view: Option<Address>,
    /// Whose session grants count; without it, the first control plane's that names its key.
    pub control_plane_key: Option<PublicKey>,
    /// While set, the policy's thread hangs: for rehearsals of faults.
    pub hang_policy: Arc<AtomicBool>,
}

/// Why a bridge does not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// What it drives.
    #[error(transparent)]
    Robot(#[from] RobotError),
    /// The core.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The recorder.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// A rule of the recorder's settings.
    #[error(transparent)]
    Rule(#[from] protocol::trigger::RuleError),
    /// The live view's address.
    #[error(transparent)]
    View(#[from] ExchangeError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The policy to start with.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// An identifier.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Who may take part.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Where it may drive.
    #[error(transparent)]
    Geofence(#[from] KeptOrderError),
    /// A folder.
    #[error("cannot make the folder {path}: {source}", path = .0.display(), source = .1)]
    Folder(PathBuf, std::io::Error),
    /// A thread ended in a panic: a bug.
    #[error("the {0} thread ended unexpectedly; please report this")]
    Thread(&'static str),
}

/// Runs the bridge until `stop` is set; finishes its files first.
///
/// # Errors
/// [`BridgeError`] when a part cannot start.
pub fn run(
    config: &BridgeConfig,
    runtime: &tokio::runtime::Handle,
    stop: &Arc<AtomicBool>,
    sound: Option<Sound>,
) -> Result<(), BridgeError> {
    // Before any folder is made: an address that cannot be had leaves nothing behind.
    let view = open_view(config, runtime)?;
    let Some(prepared) = config.robot.prepare(config.rate, stop)? else { return Ok(()) };
    let PreparedRobot { robot, origin, embodiment: car, expects, map, seed, attachments, cameras } = prepared;
    let sync_config = ControlPlaneSyncConfig {
        control_plane: config.control_plane.clone(),
        vehicle: control_plane_sync::description(config.vehicle.clone(), &car.name, &map),
        policies_dir: config.data_dir.join("policies"),
        embodiment: car.clone(),
    };
    let spool_dir = config.data_dir.join("spool");
    for dir in [&sync_config.policies_dir, &spool_dir] {
        std::fs::create_dir_all(dir).map_err(|e| BridgeError::Folder(dir.clone(), e))?;
    }
    let recovered = recover(&spool_dir);
    let journal = Journal::open(&config.data_dir)?;
    let policy = newest_policy(&sync_config)?;
    let epoch_ns = wall_ns_at(origin);
    let audit = AuditThread::start(&config.data_dir.join("audit"), config.vehicle.as_str())?;
    let gatekeeper =
        Gatekeeper::open(&config.vehicle, config.control_plane_key, &config.data_dir, origin, audit.handle())?;
    let gatekeeper = Arc::new(gatekeeper);
    let orders = GeofenceOrders::open(&config.data_dir, config.vehicle.clone(), config.geofence.clone())?;
    let geofence = orders.geofence();
    let receiver = geofence_receiver(orders, &gatekeeper, audit.handle(), origin);
    let link = Arc::new(start_link(config, runtime, (&car, &map), &cameras, origin, gatekeeper.clone())?);
    let vehicle = VehicleMetadata {
        vehicle: config.vehicle.clone(),
        prefix: format!("{}-{}", config.vehicle, life_number(&config.data_dir, epoch_ns / 1_000_000)),
        map: map.clone(),
        embodiment: car.name.clone(),
        source: EpisodeSource::Live,
        seed,
    };
    let key = Arc::new(SigningKey::load_or_make(&config.data_dir.join("recorder.key")).map_err(RecorderError::from)?);
    let recorder = start_recorder(config, &spool_dir, Arc::clone(&key), &vehicle, &policy, view)?;
    let triggers = LiveTriggers::new(
        TriggerEvaluator::new(config.recording.triggers.clone(), vehicle.clone(), &car, attachments)?,
        config.candidate.as_deref().map(|folder| Policy::load_for(&car, folder)).transpose()?,
    );
    let cameras = start_cameras(cameras, &link, &recorder, (origin, epoch_ns), stop)?;
    let sounds = sound.map(|sound| sound::spawn(sound, Arc::clone(&link), Arc::clone(stop)));
    let sounds = sounds.transpose().map_err(|_| BridgeError::Thread("sound"))?;
    let (episodes, episodes_out) = unbounded();
    let uploader = uploader(config, &spool_dir, key, recovered, &link, stop);
    let clock = wall_clock::VehicleWallClock::new(origin, epoch_ns / 1_000);
    let shared = Arc::new(SharedStatus { uploads: Some(uploader.progress()), clock, ..SharedStatus::default() });
    // Nobody waits for it: what it was doing goes on after the next start.
    drop(spawn("upload", move || uploader.run(&episodes_out)));
    let (finished, to_upload, measured) = (recorder.events().clone(), episodes.clone(), Arc::clone(&shared));
    // Ends with the recorder.
    drop(spawn("episodes", move || triggers::deliver(&finished, || measured.clock.log_ahead_ms(), &to_upload)));
    let (disengagements, disengagements_out) = unbounded();
    let (updates_in, updates) = unbounded();
    let sync_thread = {
        let earlier = control_plane_sync::earlier_disengagements(&journal);
        let sync = ControlPlaneSync::new(sync_config, earlier, policy.manifest().version.clone());
        let shared = Arc::clone(&shared);
        spawn("sync", move || sync.run(&shared, receiver, &disengagements_out, &updates_in))
    };
    let balance = journal.balance().clone();
    let epoch = authority::next_life(balance.epoch);
    let software = concat!("takeover ", env!("CARGO_PKG_VERSION")).to_owned();
    audit.handle().note(0, AuditEvent::Started { software, epoch });
    let policy_runner =
        policy_runner::PolicyRunner::start(policy_runner::copy(&policy)?, Arc::clone(&config.hang_policy));
    let rate_hz = config.rate.hz() as f64;
    let core = CoreConfig { rate_hz, runs_policy: false, geofence, expects, ..CoreConfig::default() };
    let control = control::Control {
        robot,
        embodiment: car.clone(),
        map,
        faults: Vec::new(),
        seats: seats::Seats::new(Arc::clone(&link), gatekeeper),
        audit_recorder: audit_recorder::AuditRecorder::new(audit.handle(), car.stop_decel_mps2),
        policy_runner,
        telemetry: TelemetryEncoder::new(epoch_ns, &car),
        core: VehicleCore::new(car, core, policy, epoch)?,
        mileage: MileageAccounting::new(vehicle).continuing(balance.metres),
        config: config.clone(),
        link: Arc::clone(&link),
        recorder,
        triggers,
        disk_fault: None,
        upload_fault: None,
        shared: Arc::clone(&shared),
        journal: journal_thread::JournalThread::start(journal),
        disengagements,
        episodes,
        updates,
        origin,
        scan: None,
        timing: TickTiming::new(config.rate.period_us()),
        timing_report: None,
        wall_clock: None,
        logged: (0, false),
        refusals: None,
        refused: 0,
        missed_before: 0,
    };
    control.run(stop);
    drop(audit);
    stop.store(true, Ordering::Relaxed);
    sound::join(sounds);
    shared.stop.store(true, Ordering::Relaxed);
    let cameras = join_cameras(cameras);
    sync_thread.join().map_err(|_| BridgeError::Thread("control-plane sync"))?;
    cameras
}

/// Believes the control plane whose grants are believed.
fn geofence_receiver(
    orders: GeofenceOrders,
    gatekeeper: &Arc<Gatekeeper>,
    audit: AuditHandle,
    origin: Instant,
) -> GeofenceReceiver {
    let gatekeeper = Arc::clone(gatekeeper);
    let note = move |event| audit.note(u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX), event);
    GeofenceReceiver::new(orders, move || gatekeeper.control_plane_key(), note)
}

/// The wall time at `origin`, nanoseconds since 1970.
fn wall_ns_at(origin: Instant) -> u64 {
    let now_ns = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    now_ns.saturating_sub(origin.elapsed().as_nanos() as u64)
}

type CameraThread = std::thread::JoinHandle<Result<(), LinkError>>;

/// Starts a thread for each camera, until `stop` is set.
fn start_cameras(
    cameras: Vec<PreparedCamera>,
    link: &Arc<VehicleLink>,
    recorder: &RecorderThread,
    (origin, epoch_ns): (Instant, u64),
    stop: &Arc<AtomicBool>,
) -> Result<Vec<CameraThread>, BridgeError> {
    let names: Vec<&str> = cameras.iter().map(|camera| camera.description.name.as_str()).collect();
    let places = topics::camera_places(&names);
    let start = |(index, (camera, place)): (usize, (PreparedCamera, usize))| {
        let streamer = CameraStreamer::new(Arc::clone(link), index)?;
        let output =
            CameraOutput { streamer, place, recorder: recorder.handle().clone(), origin, epoch_ns, sequence: 0 };
        let (mut pictures, stop) = (camera.pictures, Arc::clone(stop));
        Ok(spawn("camera", move || camera::run(pictures.as_mut(), output, &stop)))
    };
    cameras.into_iter().zip(places).enumerate().map(start).collect()
}

/// Waits for all of them; returns the first failure.
fn join_cameras(threads: Vec<CameraThread>) -> Result<(), BridgeError> {
    let join = |thread: CameraThread| thread.join().map_err(|_| BridgeError::Thread("camera"));
    let ended: Vec<_> = threads.into_iter().map(join).collect();
    ended.into_iter().try_for_each(|ended| Ok(ended??))
}

/// The live view, where one is asked for; standard output says where it is, for scripts.
fn open_view(config: &BridgeConfig, runtime: &tokio::runtime::Handle) -> Result<Option<LiveView>, BridgeError> {
    let Some(address) = &config.view else { return Ok(None) };
    let view = runtime.block_on(LiveView::bind(address, config.vehicle.as_str()))?;
    tracing::info!(address = %view.address(), "live view");
    // A reader that is gone is no reason not to drive.
    let _ = writeln!(std::io::stdout(), "ws://{}", view.address());
    Ok(Some(view))
}

fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> std::thread::JoinHandle<T> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    // A system that cannot start a thread cannot run a bridge.
    builder.spawn(work).unwrap_or_else(|error| panic!("the system cannot start a thread: {error}"))
}

fn start_link(
    config: &BridgeConfig,
    runtime: &tokio::runtime::Handle,
    (car, map): (&Embodiment, &str),
    cameras: &[PreparedCamera],
    origin: Instant,
    guard: Arc<dyn Guard>,
) -> Result<VehicleLink, LinkError> {
    let descriptions: Vec<_> = cameras.iter().map(|camera| camera.description.clone()).collect();
    let front = descriptions.first().cloned().unwrap_or_default();
    let hello = Hello {
        vehicle_id: config.vehicle.to_string(),
        embodiment: car.name.clone(),
        software: concat!("takeover ", env!("CARGO_PKG_VERSION")).to_owned(),
        width: front.width,
        height: front.height,
        horizontal_fov_rad: front.horizontal_fov_rad,
        camera_height_m: front.height_m,
        camera_pitch_rad: front.pitch_rad,
        action_min: car.action.iter().map(|c| c.min).collect(),
        action_max: car.action.iter().map(|c| c.max).collect(),
        map: map.to_owned(),
        embodiment_file: car.to_tell().to_owned(),
        robot: Some(Box::new(car.summary())),
        cameras: descriptions,
    };
    let video: Vec<_> = cameras.iter().map(|camera| camera.video).collect();
    let identity = Identity::load_or_make(&config.data_dir.join("identity.pem"))?;
    let options = VehicleOptions {
        origin: Some(origin),
        identity: Some(identity),
        paths: config.paths.clone(),
        guard: Some(guard),
    };
    VehicleLink::start_with(runtime, &config.control_plane, hello, &video, options)
}

fn start_recorder(
    config: &BridgeConfig,
    spool_dir: &Path,
    key: Arc<SigningKey>,
    vehicle: &VehicleMetadata,
    policy: &Policy,
    view: Option<LiveView>,
) -> Result<RecorderThread, BridgeError> {
    let log_dir = config.data_dir.join("drive-log");
    std::fs::create_dir_all(&log_dir).map_err(|e| BridgeError::Folder(log_dir.clone(), e))?;
    recover(&log_dir);
    let describe = vehicle.describe(EpisodeId::new("log")?, &policy.manifest().version);
    let drive_log = config.recording.drive_log.then(|| DriveLogConfig::new(log_dir, describe));
    Ok(RecorderThread::start(ThreadConfig {
        recorder: config.recording.recorder(),
        drive_log,
        key: Some(key),
        listener: view.map(|view| Arc::new(view) as Arc<dyn Listener>),
        ..ThreadConfig::new(spool_dir)
    })?)
}

/// Uploads finished episodes beside the sessions of `link`.
fn uploader(
    config: &BridgeConfig,
    spool_dir: &Path,
    key: Arc<SigningKey>,
    found: Vec<protocol::api::Episode>,
    link: &Arc<VehicleLink>,
    stop: &Arc<AtomicBool>,
) -> Uploader {
    // Weak, for the link says goodbye when the last one lets go of it, and nobody waits for the uploads.
    let (allowance, link) = (config.uploads, Arc::downgrade(link));
    let here = is_here(&config.control_plane);
    let beside = move || link.upgrade().filter(|_| !here);
    let load = move || beside().map_or_else(PathLoad::default, |link| link.load());
    let pace = Pace::new(Box::new(move || allowance.bps(&load())), Arc::clone(stop));
    let policy = config.recording.privacy.clone();
    let preparation = Preparation { policy, dir: config.data_dir.join("outgoing"), key: Some(key) };
    // The uploader has pauses of its own.
    let client = ControlPlaneClient::new(&config.control_plane, Retry::Never);
    Uploader::new(client, pace, preparation, spool_dir.to_owned(), found)
}

/// What this life's episodes are named by: the wall time in milliseconds, or the next number when an earlier life had
/// that or a greater one, as its clock was ahead. No name comes twice, whatever the clock does, unless a disk refuses
/// the number: the vehicle drives without it.
fn life_number(data_dir: &Path, now_ms: u64) -> u64 {
    let path = data_dir.join("life");
    let before = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let number = before.map_or(now_ms, |before| now_ms.max(before.saturating_add(1)));
    let part = path.with_extension("part");
    let write = || {
        std::fs::write(&part, number.to_string())?;
        std::fs::File::open(&part)?.sync_all()?;
        std::fs::rename(&part, &path)
    };
    if let Err(error) = write() {
        let path = path.display();
        tracing::error!(%error, %path, number, "this run's number is not kept: the next may name its episodes alike");
    }
    number
}

/// Makes episodes whole that an earlier run left, and lists all that the control plane may not know yet.
fn recover(spool_dir: &Path) -> Vec<protocol::api::Episode> {
    if let Err(error) = recorder::recover(spool_dir) {
        tracing::error!(%error, "unfinished episodes could not be recovered");
    }
    recorder::scan(spool_dir).unwrap_or_else(|error| {
        tracing::error!(%error, "the spool cannot be read");
        Vec::new()
    })
}

/// How long a first start waits for the control plane to name a policy.
const FIRST_POLICY_TIMEOUT: Duration = Duration::from_secs(10);

/// The policy fetched last; on the first start the control plane's, or an untrained one.
fn newest_policy(config: &ControlPlaneSyncConfig) -> Result<Policy, BridgeError> {
    let dir = &config.policies_dir;
    let entries = std::fs::read_dir(dir).map_err(|e| BridgeError::Folder(dir.clone(), e))?;
    let whole = entries.flatten().filter(|e| e.path().extension().is_none_or(|x| x != "part"));
    let newest = whole
        .filter(|e| e.path().join(policy::MANIFEST_FILE).exists())
        .max_by_key(|e| e.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH));
    for path in control_plane_sync::remembered_policy(dir).into_iter().chain(newest.map(|entry| entry.path())) {
        match Policy::load_for(&config.embodiment, &path) {
            Ok(policy) => return Ok(policy),
            Err(error) => tracing::error!(%error, path = %path.display(), "the last policy cannot be loaded"),
        }
    }
    let version = PolicyVersion::new("untrained")?;
    match control_plane_sync::first_policy(config, version.clone(), FIRST_POLICY_TIMEOUT) {
        Some(policy) => Ok(policy),
        None => Ok(Policy::untrained(&config.embodiment, version, 0)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lives_name_their_episodes_alike_whatever_the_clock_does() {
        let dir = tempfile::tempdir().unwrap();
        let numbers: Vec<u64> =
            [5_000, 5_000, 1_000, 9_000, 8_000].map(|now_ms| life_number(dir.path(), now_ms)).into();
        assert_eq!(numbers, [5_000, 5_001, 5_002, 9_000, 9_001]);
        // A folder in the way stands for a disk that takes nothing.
        std::fs::create_dir(dir.path().join("life.part")).unwrap();
        assert_eq!([9_001, 20_000].map(|now_ms| life_number(dir.path(), now_ms)), [9_002, 20_000]);
        assert_eq!(life_number(&dir.path().join("missing"), 7), 7);
    }

    #[test]
    fn a_start_begins_with_the_policy_used_last_not_with_the_newest_file() {
        let dir = tempfile::tempdir().unwrap();
        let car = Embodiment::ackermann_car();
        for version in ["v2", "v1"] {
            let version = PolicyVersion::new(version).unwrap();
            Policy::untrained(&car, version.clone(), 0).unwrap().save(&dir.path().join(version.as_str())).unwrap();
        }
        let config = ControlPlaneSyncConfig {
            control_plane: "http://127.0.0.1:1".parse().unwrap(),
            vehicle: control_plane_sync::description(VehicleId::new("car").unwrap(), &car.name, "town"),
            policies_dir: dir.path().to_owned(),
            embodiment: car.clone(),
        };
        control_plane_sync::remember_policy(dir.path(), &PolicyVersion::new("v2").unwrap());
        assert_eq!(newest_policy(&config).unwrap().manifest().version.as_str(), "v2");
        std::fs::remove_dir_all(dir.path().join("v2")).unwrap();
        assert_eq!(newest_policy(&config).unwrap().manifest().version.as_str(), "v1");
    }
}
