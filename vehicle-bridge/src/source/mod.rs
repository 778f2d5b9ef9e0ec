//! A bridge without a simulator: a camera that plays a test scene or a film, to rehearse a network or to measure a link.
//!
//! It drives nothing. Commands are received, their age is taken, and that is all.

mod film;
mod listener;
mod scene;
pub mod usage;

pub use listener::CommandAges;

use crate::sound::{self, Sound};
use anyhow::Context;
use control_plane_client::ControlPlaneAddress;
use film::Film;
use link::{CameraStreamer, VehicleLink, VehicleOptions};
use listener::Listener;
use protocol::v1::{Hello, LinkStats, StateDatagram};
use protocol::{Embodiment, VehicleId};
use scene::Scene;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use video::{I420Buffer, VideoSpec};

/// Pixels.
const SIZE: (usize, usize) = (1280, 720);
/// Pictures a second.
const FPS: f64 = 30.0;
/// How often commands are looked at and a state is sent: 100 Hz.
const TICK: Duration = Duration::from_millis(10);

/// How to run it.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// The control plane.
    pub control_plane: ControlPlaneAddress,
    /// The vehicle's name.
    pub vehicle: VehicleId,
    /// `synthetic`, or an H.264 film in an MP4 file.
    pub source: String,
    /// Where the figures go at the end.
    pub json: Option<PathBuf>,
    /// Ends by itself after this.
    pub seconds: Option<f64>,
    /// Network interfaces to reach the seats over.
    pub paths: link::Paths,
}

/// What the bridge knows at the end.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceReport {
    /// Wall time of the vehicle's clock's zero, microseconds: on one machine, two such zeros give the true offset.
    pub origin_unix_us: u64,
    /// How long it ran, seconds.
    pub seconds: f64,
    /// User and system time from the first session on, seconds.
    pub cpu_s: f64,
    /// How long that was, seconds.
    pub cpu_over_s: f64,
    /// Most memory resident, bytes.
    pub most_memory_bytes: u64,
    /// Memory resident, bytes, every ten seconds.
    pub memory_bytes: Vec<u64>,
    /// Pictures encoded.
    pub pictures: u64,
    /// Capture time of each, on the vehicle's clock, microseconds.
    pub captured_us: Vec<u64>,
    /// Sessions that were connected and lost: (vehicle's clock, microseconds; what happened).
    pub sessions: Vec<(u64, String)>,
    /// How old commands were.
    pub commands: CommandAges,
    /// Mean bitrate sent, bits per second.
    pub bitrate_bps: f64,
}

enum Footage {
    Scene(Scene),
    Film(Film),
}

impl Footage {
    fn open(source: &str) -> anyhow::Result<Self> {
        let (width, height) = SIZE;
        if source == "synthetic" {
            return Ok(Self::Scene(Scene::new(width, height)));
        }
        let path = std::path::Path::new(source);
        if !path.exists() {
            anyhow::bail!("{source:?} is neither `synthetic` nor an MP4 file");
        }
        Ok(Self::Film(Film::open(path, width, height).with_context(|| format!("cannot play {source}"))?))
    }

    fn draw(&self, number: u32, into: &mut I420Buffer) {
        match self {
            Self::Scene(scene) => scene.draw(number, into),
            Self::Film(film) => film.draw(number, into),
        }
    }
}

/// Checks that a source can be played.
///
/// # Errors
/// When it cannot.
pub fn check(source: &str) -> anyhow::Result<()> {
    Footage::open(source).map(drop)
}

/// Opens a film as [`run`] does; for the fuzz targets (`tests/fuzz`).
#[doc(hidden)]
pub fn fuzz_film(path: &std::path::Path) -> anyhow::Result<()> {
    Film::open(path, 64, 48).map(drop)
}

/// Runs until `stop` is set or the time is over.
///
/// # Errors
/// When the film cannot be played, a part cannot start or the figures cannot be written.
pub fn run(
    config: &SourceConfig,
    runtime: &tokio::runtime::Handle,
    stop: &Arc<AtomicBool>,
    sound: Option<Sound>,
) -> anyhow::Result<()> {
    let footage = Footage::open(&config.source)?;
    let origin = Instant::now();
    let (width, height) = SIZE;
    let spec = VideoSpec { width: width as u32, height: height as u32, fps: FPS };
    let car = Embodiment::ackermann_car();
    let hello = Hello {
        vehicle_id: config.vehicle.to_string(),
        robot: Some(Box::new(car.summary())),
        embodiment: car.name,
        software: env!("CARGO_PKG_VERSION").to_owned(),
        width: spec.width,
        height: spec.height,
        ..Default::default()
    };
    let options = VehicleOptions { origin: Some(origin), paths: config.paths.clone(), ..VehicleOptions::default() };
    let link = VehicleLink::start_with(runtime, &config.control_plane, hello, &[spec], options)?;
    let link = Arc::new(link);
    let origin_unix_us = usage::zero_unix_us(|| link.now_us());
    let mut listener = Listener::default();
    let camera = std::thread::Builder::new().name("camera".to_owned()).spawn({
        let (link, stop) = (Arc::clone(&link), Arc::clone(stop));
        move || film_with(&footage, &link, &stop)
    })?;
    let sound = sound.map(|sound| sound::spawn(sound, Arc::clone(&link), Arc::clone(stop))).transpose()?;
    let mut memory_bytes = Vec::new();
    let mut bitrates = (0.0, 0.0);
    let mut next = origin;
    while !stop.load(Ordering::Relaxed) && config.seconds.is_none_or(|s| origin.elapsed().as_secs_f64() < s) {
        let now_us = link.now_us();
        listener.look(&link);
        let stats = LinkStats { command_age_ms: listener.newest_age_ms(now_us).unwrap_or(0.0), ..link.stats() };
        if stats.bitrate_bps > 0.0 {
            bitrates = (bitrates.0 + stats.bitrate_bps, bitrates.1 + 1.0);
        }
        link.send_state(StateDatagram {
            vehicle_id: config.vehicle.to_string(),
            link: Some(stats),
            ..Default::default()
        });
        if memory_bytes.len() as u64 * 10 <= origin.elapsed().as_secs() {
            memory_bytes.push(usage::now().memory_bytes);
        }
        next = (next + TICK).max(Instant::now());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    stop.store(true, Ordering::Relaxed);
    sound::join(sound);
    let captured_us =
        camera.join().map_err(|_| anyhow::anyhow!("the camera's thread ended unexpectedly; please report this"))??;
    let Some(file) = &config.json else { return Ok(()) };
    let used = usage::now();
    let (cpu_s, cpu_over_s) = listener.used_since_first(used.cpu_s);
    let report = SourceReport {
        origin_unix_us,
        seconds: origin.elapsed().as_secs_f64(),
        cpu_s,
        cpu_over_s,
        most_memory_bytes: used.most_memory_bytes,
        memory_bytes,
        pictures: captured_us.len() as u64,
        captured_us,
        bitrate_bps: bitrates.0 / f64::max(bitrates.1, 1.0),
        sessions: listener.sessions,
        commands: listener.ages,
    };
    std::fs::write(file, serde_json::to_vec(&report)?).with_context(|| format!("cannot write {}", file.display()))
}

/// The camera's thread: returns the capture time of each picture that was sent.
fn film_with(footage: &Footage, link: &Arc<VehicleLink>, stop: &AtomicBool) -> anyhow::Result<Vec<u64>> {
    let (width, height) = SIZE;
    let mut streamer = CameraStreamer::new(Arc::clone(link), 0)?;
    let mut picture = I420Buffer { width, height, ..Default::default() };
    let mut captured_us = Vec::new();
    let start_us = link.now_us();
    for number in 0u32.. {
        // Drawing is not the camera's doing: it is done before the picture is due.
        footage.draw(number, &mut picture);
        let due_us = start_us + (f64::from(number) * 1e6 / FPS) as u64;
        std::thread::sleep(Duration::from_micros(due_us.saturating_sub(link.now_us())));
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let capture_us = link.now_us();
        if streamer.stream(&mut picture, capture_us)?.is_some() {
            captured_us.push(capture_us);
        }
    }
    Ok(captured_us)
}
