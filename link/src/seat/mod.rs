//! The seat's end: calls a vehicle, shows what it sends, and calls again whenever the session is lost.

mod deadman;
mod decode;
mod feedback;
mod latency_breakdown;
mod mailbox;
mod media_stream;
mod path;
mod session;
mod video;
mod wall;

pub use deadman::Deadman;
pub use mailbox::FromVehicle;
pub use wall::WallClocks;

use crate::audio::{AudioFrame, AudioPacket, AudioSender, AudioStats, Listener, Pcm};
use crate::signalling::{self, Peer, SignalEvent, Signalling};
use crate::{Identity, LinkError, Paths, now_us};
use ::video::FrameTimes;
use control_plane_client::ControlPlaneAddress;
use feedback::Feedback;
use latency_breakdown::LatencyBreakdown;
use mailbox::Mailbox;
use protocol::signalling::Signal;
use protocol::{ClockEstimate, ClockEstimator, SeatId, SeatKind, VehicleId, v1};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wall::WallWatch;

/// How a seat takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatOptions {
    /// Who sits there: a program that stands by says so, and the vehicle lets people go first.
    pub kind: SeatKind,
    /// Picture and state only; the vehicle's link refuses commands.
    pub watch_only: bool,
    /// Give out decoded pictures instead of coded frames.
    pub decode: bool,
}

/// What the seat's picture is like, counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SeatStats {
    /// Whole frames received.
    pub frames: u64,
    /// Frames lost, incomplete or held back for want of a keyframe.
    pub frames_lost: u64,
    /// Packets that no repair brought back in time.
    pub packets_lost: u64,
    /// Pictures decoded.
    pub pictures: u64,
    /// Pictures older than 150 ms when decoded.
    pub pictures_late: u64,
    /// Packets rebuilt from forward error correction.
    pub packets_repaired_by_fec: u64,
    /// Packets that came again because they were asked for.
    pub packets_repaired_by_nack: u64,
    /// How often a picture was asked for that refers to nothing lost.
    pub recoveries_wanted: u64,
    /// Messages of the vehicle that could not be read.
    pub malformed: u64,
    /// Sessions that reached the vehicle.
    pub sessions: u64,
    /// Lidar scans received, whole or in part.
    pub scans: u64,
    /// Paths that carry the session now; 0 while there is none.
    pub paths: u64,
    /// Capture to decoded by the clock estimate, of the last second: mean, milliseconds; 0 when unknown.
    pub picture_age_ms: f64,
}

/// Pictures older than this when decoded count as late, milliseconds.
const LATE_MS: f64 = 150.0;

/// What all tasks of a seat's link share.
struct Shared {
    origin: Instant,
    seat: SeatId,
    vehicle: VehicleId,
    options: SeatOptions,
    paths: Paths,
    mailbox: Mailbox,
    clock: Mutex<ClockEstimator>,
    wall: Mutex<WallWatch>,
    stats: Mutex<SeatStats>,
    latency_breakdown: Mutex<LatencyBreakdown>,
    feedback: Feedback,
    /// What the vehicle says.
    listener: Listener,
    calls: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn now_us(&self) -> u64 {
        now_us(self.origin)
    }

    fn clock(&self) -> Option<ClockEstimate> {
        lock(&self.clock).estimate(self.now_us())
    }

    fn wall_clocks(&self) -> WallClocks {
        let (estimate, now_us) = (self.clock(), self.now_us());
        lock(&self.wall).clocks(estimate, now_us)
    }

    fn count(&self, change: impl FnOnce(&mut SeatStats)) {
        change(&mut lock(&self.stats));
    }

    /// A reading of the seat's clock on the vehicle's; the seat's own while that is not known.
    fn on_vehicle_clock(&self, local_us: u64) -> u64 {
        self.clock().map_or(local_us, |clock| clock.remote_from_local(local_us))
    }

    /// Round trip and how much it varies, microseconds.
    fn round_trip_us(&self) -> Option<(u64, u64)> {
        let clock = lock(&self.clock);
        let (mean, deviation) = clock.smoothed_round_trip_us()?;
        Some((mean as u64, deviation as u64))
    }

    fn on_picture(&self, times: Option<&FrameTimes>) {
        let age_ms = times.map(|t| (t.decoded_us as f64 - t.capture_us as f64) / 1000.0);
        self.count(|stats| {
            stats.pictures += 1;
            stats.pictures_late += u64::from(age_ms.is_some_and(|ms| ms > LATE_MS));
        });
        if let Some(times) = times {
            lock(&self.latency_breakdown).add(times);
        }
    }

    /// The report of the last second, for the vehicle.
    fn report(&self) -> v1::SeatReport {
        let (picture_age_ms, stages) = lock(&self.latency_breakdown).take();
        self.count(|stats| stats.picture_age_ms = picture_age_ms);
        let stats = *lock(&self.stats);
        let clock = self.clock();
        let wall = self.wall_clocks();
        lock(&self.wall).tell(&wall);
        v1::SeatReport {
            picture_age_ms,
            clock_offset_us: clock.map_or(0.0, |c| c.offset_us),
            clock_uncertainty_us: clock.map_or(0.0, |c| c.uncertainty_us),
            round_trip_ms: clock.map_or(0.0, |c| c.round_trip_us / 1000.0),
            frames_shown: stats.pictures,
            frames_late: stats.pictures_late,
            keyframe_wanted: false,
            stages,
            wall_clock: wall.seat.map(|difference| difference.message()),
        }
    }

    /// Unique among all calls to the control plane, readable in a log.
    fn session_id(&self) -> String {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        format!("{}-{:x}-{:x}-{call}", self.seat, nanos, std::process::id())
    }
}

/// A seat's link to one vehicle. No method blocks. Dropping it says goodbye.
pub struct SeatLink {
    shared: Arc<Shared>,
    commands: mpsc::Sender<v1::CommandDatagram>,
    requests: mpsc::Sender<v1::SeatRequest>,
    voice: mpsc::Sender<AudioPacket>,
    audio_sender: Mutex<AudioSender>,
    /// Told when the goodbye is said.
    goodbye: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl std::fmt::Debug for SeatLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { seat, vehicle, .. } = &*self.shared;
        f.debug_struct("SeatLink").field("seat", seat).field("vehicle", vehicle).finish_non_exhaustive()
    }
}

impl SeatLink {
    /// Calls `vehicle` through `control_plane` now and whenever the session is lost, until dropped.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn connect(
        runtime: &Handle,
        control_plane: &ControlPlaneAddress,
        seat: SeatId,
        vehicle: VehicleId,
        options: SeatOptions,
    ) -> Result<Self, LinkError> {
        Self::connect_over(runtime, control_plane, seat, vehicle, options, None, Paths::default())
    }

    /// As [`Self::connect`], over several network interfaces at once; where the vehicle has more of them than the seat, the
    /// seat's are shared. As the owner of an `identity`, nobody else can register under this seat's name, and the vehicle
    /// accepts no other certificate.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_over(
        runtime: &Handle,
        control_plane: &ControlPlaneAddress,
        seat: SeatId,
        vehicle: VehicleId,
        options: SeatOptions,
        identity: Option<Identity>,
        paths: Paths,
    ) -> Result<Self, LinkError> {
        let signalling = signalling::start(runtime, control_plane, Peer::Seat(seat.as_str()), identity)?;
        let shared = Arc::new(Shared {
            origin: Instant::now(),
            seat,
            vehicle,
            options,
            paths,
            mailbox: Mailbox::new(),
            clock: Mutex::new(ClockEstimator::new()),
            wall: Mutex::default(),
            stats: Mutex::default(),
            latency_breakdown: Mutex::default(),
            feedback: Feedback::default(),
            listener: Listener::default(),
            calls: AtomicU64::new(0),
        });
        let (commands, commands_rx) = mpsc::channel(32);
        let (requests, requests_rx) = mpsc::channel(64);
        let (voice, voice_rx) = mpsc::channel(8);
        let audio_sender = Mutex::new(AudioSender::new()?);
        let queues = session::Queues { commands: commands_rx, requests: requests_rx, voice: voice_rx };
        let (said_goodbye, goodbye) = std::sync::mpsc::channel();
        let task = run(shared.clone(), signalling, queues);
        runtime.spawn(async move {
            task.await;
            let _ = said_goodbye.send(());
        });
        Ok(Self { shared, commands, requests, voice, audio_sender, goodbye: Mutex::new(goodbye) })
    }

    /// Says goodbye and waits until it is said, at most `limit`: a runtime that ends right after a drop would end before it,
    /// and the vehicle would wait for this seat to come back.
    pub fn leave(self, limit: Duration) {
        let Self { commands, requests, voice, goodbye, .. } = self;
        drop((commands, requests, voice));
        let goodbye = goodbye.into_inner().unwrap_or_else(PoisonError::into_inner);
        let _ = goodbye.recv_timeout(limit);
    }

    /// Sends operator input; dropped when there is no session or the path is stuck.
    /// The seat's clock ping and its report once a second travel by themselves.
    pub fn send_command(&self, command: v1::CommandDatagram) {
        let _ = self.commands.try_send(command);
    }

    /// Sends a request reliably within this session; returns whether there was room for it. A request made while
    /// there is no session is dropped: it would come as a surprise later.
    pub fn send_request(&self, request: v1::SeatRequest) -> bool {
        self.requests.try_send(request).is_ok()
    }

    /// Sends 20 ms of sound to the vehicle, captured from `capture_us` on by the seat's clock. Codes it here, which takes
    /// some 0.3 ms; silence is coded but not sent. A seat that only watches is not heard.
    pub fn send_audio(&self, capture_us: u64, samples: &Pcm) {
        if self.shared.options.watch_only {
            return;
        }
        match lock(&self.audio_sender).say(self.shared.on_vehicle_clock(capture_us), samples) {
            // There is no session, or it does not keep up: old sound is worth nothing.
            Ok(Some(packet)) => drop(self.voice.try_send(packet)),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "sound for the vehicle dropped"),
        }
    }

    /// The next 20 ms of what the vehicle says, when it is time for it and it says anything. Whoever wants to hear asks at
    /// least every few milliseconds.
    #[must_use]
    pub fn try_recv_audio(&self) -> Option<AudioFrame> {
        let now_us = self.shared.now_us();
        let vehicle_us = self.shared.clock().map(|clock| clock.remote_from_local(now_us));
        self.shared.listener.pull(now_us, vehicle_us)
    }

    /// Outcome of the vehicle's audio.
    #[must_use]
    pub fn audio_stats(&self) -> AudioStats {
        self.shared.listener.stats()
    }

    /// The next thing the vehicle sent or that happened to the link, if any. Pictures nobody fetched are dropped for
    /// newer ones.
    #[must_use]
    pub fn try_recv(&self) -> Option<FromVehicle> {
        self.shared.mailbox.take()
    }

    /// Tells that a picture decoded at `decoded_us` was shown at `shown_us`, both on the seat's clock, for the latency
    /// latency breakdown.
    pub fn presented(&self, decoded_us: u64, shown_us: u64) {
        let wait_us = shown_us.saturating_sub(decoded_us);
        lock(&self.shared.latency_breakdown).presented(wait_us as f64 / 1e3);
    }

    /// The seat's clock, microseconds since it was made.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.shared.now_us()
    }

    /// How the vehicle's clock stands to the seat's (`remote` is the vehicle's); `None` before the first exchange.
    #[must_use]
    pub fn clock(&self) -> Option<ClockEstimate> {
        self.shared.clock()
    }

    /// How the vehicle's wall clock stands to this seat's and the control plane's; nothing is decided by it.
    #[must_use]
    pub fn wall_clocks(&self) -> WallClocks {
        self.shared.wall_clocks()
    }

    /// Counts and the picture's age.
    #[must_use]
    pub fn stats(&self) -> SeatStats {
        *lock(&self.shared.stats)
    }
}

const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(2);

async fn run(shared: Arc<Shared>, mut signalling: Signalling, mut queues: session::Queues) {
    let mut retry = FIRST_RETRY;
    let mut up = false;
    loop {
        if !wait_until_up(&shared, &mut signalling, &mut queues, &mut up).await {
            return;
        }
        let session = shared.session_id();
        let ended = session::run(&shared, &session, &mut signalling, &mut queues, &mut up).await;
        let gone = ended.reason.is_none();
        let reason = ended.reason.unwrap_or_else(|| "the seat left".to_owned());
        let _ = signalling.outgoing.try_send(Signal::Bye { session, reason: reason.clone(), code: None });
        if gone {
            return;
        }
        tracing::info!(vehicle = %shared.vehicle, %reason, "link lost, calling again");
        shared.mailbox.put(FromVehicle::Lost { reason });
        retry = if ended.connected { FIRST_RETRY } else { (retry * 2).min(LONGEST_RETRY) };
        if !pause(retry, &mut signalling, &mut queues, &mut up).await {
            return;
        }
    }
}

/// Waits for the control plane; false when the link was dropped.
async fn wait_until_up(
    shared: &Shared,
    signalling: &mut Signalling,
    queues: &mut session::Queues,
    up: &mut bool,
) -> bool {
    let mut told = None;
    while !*up {
        tokio::select! {
            event = signalling.incoming.recv() => {
                let Some(event) = event else { return false };
                note(&event, up);
                // It is tried again and again: once a reason is enough.
                if let SignalEvent::Down(reason) = event && told.as_ref() != Some(&reason) {
                    shared.mailbox.put(FromVehicle::Lost { reason: format!("no control plane: {reason}") });
                    told = Some(reason);
                }
            }
            alive = queues.discard() => if !alive { return false },
        }
    }
    true
}

fn note(event: &SignalEvent, up: &mut bool) {
    match event {
        SignalEvent::Up => *up = true,
        SignalEvent::Down(_) => *up = false,
        SignalEvent::Signal(_) => {}
    }
}

/// Lets `time` pass; false when the link was dropped.
async fn pause(time: Duration, signalling: &mut Signalling, queues: &mut session::Queues, up: &mut bool) -> bool {
    let end = tokio::time::Instant::now() + time;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(end) => return true,
            event = signalling.incoming.recv() => match event {
                Some(event) => note(&event, up),
                None => return false,
            },
            alive = queues.discard() => if !alive { return false },
        }
    }
}
