//! The vehicle's end: answers calls of any number of seats, sends them picture and state, hands on what they ask.

mod cameras;
mod guard;
mod inbox;
mod session;
mod stats;
mod streamer;

pub use cameras::CameraOrder;
pub use guard::Guard;
pub use inbox::{FromSeat, FromSeatBody};
pub use streamer::{CameraStreamer, MakeEncoder};

use crate::audio::{AudioFrame, AudioPacket, AudioSender, AudioStats, Listener, Pcm};
use crate::cc::{Budget, CameraNeed, CameraPlan, Overhead};
use crate::signalling::{self, Peer, SignalEvent, Signalling};
use crate::{Identity, LinkError, MAX_PATHS, Paths, now_us};
use bytes::Bytes;
use cameras::Cameras;
use control_plane_client::ControlPlaneAddress;
use inbox::Inbox;
use prost::Message;
use protocol::foxglove::LaserScan;
use protocol::signalling::{SessionPath, Signal, announced_fingerprints};
use protocol::{ClockDifference, Failure, v1};
use session::{Note, Session, SessionInputs};
pub use stats::PathLoad;
use stats::Stats;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use video::{EncodedFrame, VideoSpec};

/// Seats served at once; a call beyond that is refused.
pub const MAX_SESSIONS: usize = 8;
/// Cameras of one vehicle.
pub const MAX_CAMERAS: usize = 4;
const OUTGOING: usize = 512;
/// Commands, state and their headers, bits per second.
const DATA_BPS: f64 = 60_000.0;
/// Two scans are at least so far apart, microseconds; a little under a tenth of a second, since lidars are not punctual.
const LIDAR_EVERY_US: u64 = 90_000;
/// RTCP, SRTP, UDP and IP around a datagram, bytes.
const DATAGRAM_HEADERS: usize = 70;
/// Speech with its headers, bits per second.
const AUDIO_BPS: f64 = 64_000.0;
/// Audio sent longer ago than this is over, microseconds.
const AUDIO_OVER_US: u64 = 1_000_000;
/// How often the budget is shared out again, microseconds.
const PLAN_EVERY_US: u64 = 50_000;
/// How often the guard may ask the control plane something.
const GUARD_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// What all tasks of a vehicle's link share.
pub(crate) struct Shared {
    pub(crate) origin: Instant,
    pub(crate) hello: v1::Hello,
    pub(crate) paths: Paths,
    pub(crate) cameras: Cameras,
    /// What all cameras want together, bits per second.
    pub(crate) most_bps: f64,
    budget: Mutex<(u64, Budget)>,
    pub(crate) inbox: Inbox,
    pub(crate) stats: Stats,
    /// Bits per second of lidar, and when the last scan was sent.
    lidar: Mutex<LidarFlow>,
    /// What seats say.
    pub(crate) listener: Listener,
    /// What the vehicle says.
    audio_sender: Mutex<AudioSender>,
    /// When it said something last.
    audio_sent_us: AtomicU64,
    /// A frame was dropped before it reached the sessions: none of them may go on without a keyframe.
    frame_gap: AtomicBool,
    /// Decides which sessions may go on.
    pub(crate) guard: Option<Arc<dyn Guard>>,
}

impl Shared {
    pub(crate) fn now_us(&self) -> u64 {
        now_us(self.origin)
    }
}

/// Lidar on its way out.
#[derive(Debug, Default)]
struct LidarFlow {
    sent: u64,
    last_us: u64,
    bps: f64,
}

enum Outgoing {
    Scan(Arc<Vec<Bytes>>),
    State(Box<v1::StateDatagram>),
    Event(Option<String>, Box<v1::VehicleEvent>),
    Frame(EncodedFrame),
    Audio(AudioPacket),
}

/// What a vehicle's link may be started with.
#[derive(Default)]
pub struct VehicleOptions {
    /// The instant that is zero on the vehicle's clock; now, if none is given.
    pub origin: Option<Instant>,
    /// The certificate that the vehicle's name is bound to: nobody else can register under that name, and seats accept no
    /// other certificate.
    pub identity: Option<Identity>,
    /// Network interfaces to use at once.
    pub paths: Paths,
    /// Decides which sessions may go on.
    pub guard: Option<Arc<dyn Guard>>,
}

/// A vehicle's link to all its seats. No method blocks; the control thread may call all of them.
///
/// Sessions survive the control plane: only new calls need it. Dropping the link says goodbye to every seat.
pub struct VehicleLink {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Outgoing>,
    received: crossbeam_channel::Receiver<FromSeat>,
}

impl std::fmt::Debug for VehicleLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VehicleLink").field("vehicle_id", &self.shared.hello.vehicle_id).finish_non_exhaustive()
    }
}

impl VehicleLink {
    /// Registers at `control_plane`, which need not be reachable yet, and serves calls. `cameras`
    /// are one to [`MAX_CAMERAS`], the one to drive by first.
    ///
    /// # Errors
    /// When the address, `hello.vehicle_id` or the number of cameras cannot be used.
    pub fn start(
        runtime: &Handle,
        control_plane: &ControlPlaneAddress,
        hello: v1::Hello,
        cameras: &[VideoSpec],
    ) -> Result<Self, LinkError> {
        Self::start_with(runtime, control_plane, hello, cameras, VehicleOptions::default())
    }

    /// As [`Self::start`], with what else there is to say.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        runtime: &Handle,
        control_plane: &ControlPlaneAddress,
        hello: v1::Hello,
        cameras: &[VideoSpec],
        options: VehicleOptions,
    ) -> Result<Self, LinkError> {
        let VehicleOptions { origin, identity, paths, guard } = options;
        let origin = origin.unwrap_or_else(Instant::now);
        if cameras.is_empty() || cameras.len() > MAX_CAMERAS {
            return Err(LinkError::Cameras { got: cameras.len(), max: MAX_CAMERAS });
        }
        let vehicle = protocol::VehicleId::new(hello.vehicle_id.clone())?;
        let signalling = signalling::start(runtime, control_plane, Peer::Vehicle(vehicle.as_str()), identity)?;
        let (inbox, received) = Inbox::new();
        let needs: Vec<_> = cameras.iter().enumerate().map(|(i, spec)| CameraNeed::new(spec, i == 0)).collect();
        let budget = Budget::new(&needs);
        let shared = Arc::new(Shared {
            origin,
            hello,
            paths,
            most_bps: budget.most_bps(),
            budget: Mutex::new((0, budget)),
            cameras: Cameras::new(cameras.to_vec()),
            inbox,
            stats: Stats::default(),
            lidar: Mutex::default(),
            listener: Listener::default(),
            audio_sender: Mutex::new(AudioSender::new()?),
            audio_sent_us: AtomicU64::new(0),
            frame_gap: AtomicBool::new(false),
            guard,
        });
        let (outgoing, outgoing_rx) = mpsc::channel(OUTGOING);
        let (notes_tx, notes) = mpsc::channel(64);
        let session_manager =
            SessionManager { shared: shared.clone(), sessions: BTreeMap::new(), notes_tx, signalling, states: 0 };
        runtime.spawn(session_manager.run(outgoing_rx, notes));
        Ok(Self { shared, outgoing, received })
    }

    /// The vehicle's clock, microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.shared.now_us()
    }

    /// Sends the newest state to every seat; older ones that did not get away are dropped.
    pub fn send_state(&self, state: v1::StateDatagram) {
        let _ = self.outgoing.try_send(Outgoing::State(Box::new(state)));
    }

    /// Sends a lidar scan to every seat in a compact form ([`crate::lidar`]), at most ten a second: what comes sooner is
    /// left out, and a newer scan takes the place of one that waits. States always go first.
    pub fn send_scan(&self, scan: &LaserScan, capture_us: u64) {
        let mut flow = self.shared.lidar.lock().unwrap_or_else(PoisonError::into_inner);
        if flow.sent > 0 && capture_us < flow.last_us + LIDAR_EVERY_US {
            return;
        }
        let apart_us = capture_us.saturating_sub(flow.last_us).max(LIDAR_EVERY_US);
        flow.sent += 1;
        flow.last_us = capture_us;
        let segments = crate::lidar::encode(scan, flow.sent, capture_us);
        let datagram = |segment| v1::StateDatagram { lidar: vec![segment], ..Default::default() }.encode_to_vec();
        let datagrams: Vec<Bytes> = segments.into_iter().map(|segment| datagram(segment).into()).collect();
        let bytes: usize = datagrams.iter().map(|d| d.len() + DATAGRAM_HEADERS).sum();
        flow.bps += (bytes as f64 * 8e6 / apart_us as f64 - flow.bps) / 8.0;
        let _ = self.outgoing.try_send(Outgoing::Scan(Arc::new(datagrams)));
    }

    /// Sends an event reliably to one session, or to all with `None`.
    pub fn send_event(&self, session: Option<&str>, event: v1::VehicleEvent) {
        if self.outgoing.try_send(Outgoing::Event(session.map(str::to_owned), Box::new(event))).is_err() {
            tracing::warn!("event for the seats dropped: the link is overloaded or gone");
        }
    }

    /// Sends a frame to every seat. A seat whose path is too slow loses whole frames, from one keyframe to the next.
    pub fn send_frame(&self, frame: EncodedFrame) {
        if self.outgoing.try_send(Outgoing::Frame(frame)).is_err() {
            self.shared.stats.frame_dropped();
            self.shared.frame_gap.store(true, Ordering::Relaxed);
        }
    }

    /// Sends 20 ms of sound, captured from `capture_us` on, to every seat. Codes it here, which takes some 0.3 ms; silence
    /// is coded but not sent.
    pub fn send_audio(&self, capture_us: u64, samples: &Pcm) {
        let mut audio_sender = self.shared.audio_sender.lock().unwrap_or_else(PoisonError::into_inner);
        audio_sender.set_expected_loss(self.shared.stats.link_stats(self.now_us()).loss);
        match audio_sender.say(capture_us, samples) {
            Ok(Some(packet)) => {
                self.shared.audio_sent_us.store(self.now_us(), Ordering::Relaxed);
                let _ = self.outgoing.try_send(Outgoing::Audio(packet));
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "sound for the seats dropped"),
        }
    }

    /// The next 20 ms of what the seats say, all together, when it is time for it and anybody speaks. Whoever wants to
    /// hear asks at least every few milliseconds.
    #[must_use]
    pub fn try_recv_audio(&self) -> Option<AudioFrame> {
        let now_us = self.now_us();
        self.shared.listener.pull(now_us, Some(now_us))
    }

    /// Outcome of the seats' audio.
    #[must_use]
    pub fn audio_stats(&self) -> AudioStats {
        self.shared.listener.stats()
    }

    /// What `camera` should do with the picture it is about to encode. To be asked once a picture: it carries out what
    /// seats have asked for.
    #[must_use]
    pub fn order(&self, camera: usize) -> CameraOrder {
        self.shared.cameras.order(camera, self.now_us(), self.shared.stats.video_share().round_trip_us)
    }

    /// Rate, frame rate and size that the paths to the seats leave for `camera` now.
    #[must_use]
    pub fn plan(&self, camera: usize) -> CameraPlan {
        let now_us = self.now_us();
        let mut budget = self.shared.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if budget.0 == 0 || now_us >= budget.0 + PLAN_EVERY_US {
            let share = self.shared.stats.video_share();
            let audio_sent_us = self.shared.audio_sent_us.load(Ordering::Relaxed);
            let sends_audio = audio_sent_us > 0 && now_us < audio_sent_us + AUDIO_OVER_US;
            let audio_bps = if sends_audio { AUDIO_BPS } else { 0.0 };
            let lidar_bps = self.shared.lidar.lock().unwrap_or_else(PoisonError::into_inner).bps;
            let data_bps = DATA_BPS + lidar_bps;
            let overhead = Overhead { repair_bps: share.overhead_bps, audio_bps, data_bps };
            budget.1.update(now_us, share.target_bps, overhead);
            budget.0 = now_us;
        }
        budget.1.plan(camera).or_else(|| budget.1.plan(0)).unwrap_or_default()
    }

    /// The next thing a seat sent, if any.
    #[must_use]
    pub fn try_recv(&self) -> Option<FromSeat> {
        self.received.try_recv().ok()
    }

    /// Figures over all sessions: worst round trip and loss, bitrate sent, target for the encoder.
    /// `command_age_ms` is not known here and 0.
    #[must_use]
    pub fn stats(&self) -> v1::LinkStats {
        self.shared.stats.link_stats(self.now_us())
    }

    /// The vehicle's wall clock minus that of a seat, as the seats say; the one that differs most.
    #[must_use]
    pub fn seat_wall_clock(&self) -> Option<ClockDifference> {
        self.shared.stats.seat_wall_clock()
    }

    /// What the sessions leave of the way out.
    #[must_use]
    pub fn load(&self) -> PathLoad {
        self.shared.stats.load(self.now_us())
    }

    /// Commands and requests of watch-only sessions that were dropped.
    #[must_use]
    pub fn refused_from_watchers(&self) -> u64 {
        self.shared.stats.refused()
    }

    /// Messages that nobody read in time, which were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.inbox.dropped()
    }

    /// Messages that could not be read.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.shared.stats.malformed()
    }
}

fn bye(session: &str, reason: &str) -> Signal {
    Signal::Bye { session: session.to_owned(), reason: reason.to_owned(), code: None }
}

/// The one task that knows all sessions.
struct SessionManager {
    shared: Arc<Shared>,
    sessions: BTreeMap<String, Session>,
    notes_tx: mpsc::Sender<Note>,
    signalling: Signalling,
    /// States sent.
    states: u64,
}

impl SessionManager {
    async fn run(mut self, mut outgoing: mpsc::Receiver<Outgoing>, mut notes: mpsc::Receiver<Note>) {
        let mut second = tokio::time::interval(GUARD_EVERY);
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                out = outgoing.recv() => match out {
                    Some(out) => self.send(out),
                    None => break,
                },
                Some(note) = notes.recv() => self.on_note(&note),
                _ = second.tick() => self.ask_for_grants(),
                event = self.signalling.incoming.recv() => match event {
                    Some(SignalEvent::Signal(signal)) => self.on_signal(signal),
                    Some(SignalEvent::Up) => {
                        self.shared.guard.iter().for_each(|guard| guard.control_plane(true));
                        tracing::info!("registered at the control plane");
                    }
                    Some(SignalEvent::Down(reason)) => {
                        self.shared.guard.iter().for_each(|guard| guard.control_plane(false));
                        tracing::debug!(%reason, "control plane gone, sessions go on");
                    }
                    // The signalling task ends only with us.
                    None => break,
                },
            }
        }
        // Sessions say goodbye when their inputs end; signalling sends that and closes when nobody holds its queue.
    }

    fn on_note(&mut self, note: &Note) {
        match note {
            // A seat that reconnects has lost its session; only now is it certain that it will not come back to it.
            Note::Connected(id) => {
                let seat = self.sessions.get(id).map(|s| s.seat.clone());
                for (other, session) in &self.sessions {
                    if other != id && Some(&session.seat) == seat.as_ref() {
                        session.end("the seat reconnected");
                    }
                }
            }
            Note::Ended(id) => {
                self.sessions.remove(id);
                self.shared.guard.iter().for_each(|guard| guard.ended(id));
                self.shared.stats.forget(id);
            }
            Note::PathEnded { session, path } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.forget_path(path);
                }
            }
            Note::Answer { session, event } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.send_event(event);
                }
            }
        }
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Call { session, seat, vehicle, watch_only, features, path, .. } => {
                if vehicle.as_str() != self.shared.hello.vehicle_id {
                    return;
                }
                match path {
                    Some(path) => self.on_path_call(session, &path, seat.as_str()),
                    None => self.on_call(session, seat.as_str(), watch_only, features),
                }
            }
            Signal::Restart { session } if !self.sessions.contains_key(&session) => {
                self.refuse(session, "the vehicle knows no such session; it was restarted", Failure::SessionUnknown);
            }
            Signal::Welcome { grant_key, .. } => {
                self.shared.guard.iter().for_each(|guard| guard.key(grant_key.as_deref()));
            }
            Signal::Grant { session, grant } => {
                if let (Some(guard), Some(known)) = (&self.shared.guard, self.sessions.get(&session)) {
                    guard.grant(&session, &known.seat, &grant);
                }
            }
            Signal::Answer { session, sdp, vouched } => self.on_answer(session, sdp, vouched),
            Signal::Error { session: None, message, .. } => tracing::warn!(%message, "control plane refused"),
            other => {
                let Some(id) = other.session().map(str::to_owned) else { return };
                let by_path = || self.sessions.values().find(|session| session.has_path(&id));
                if let Some(session) = self.sessions.get(&id).or_else(by_path) {
                    session.on_signal(other);
                }
            }
        }
    }

    /// A seat whose answer the guard does not accept gets no picture either.
    fn on_answer(&mut self, session: String, sdp: String, vouched: Option<String>) {
        let Some(known) = self.sessions.get_mut(&session) else {
            let Some(of) = self.sessions.values().find(|known| known.has_path(&session)) else { return };
            // What the guard allowed, it allowed to one certificate.
            if announced_fingerprints(&sdp) != of.fingerprints {
                let reason = "this path's certificate is not the session's";
                of.on_signal(bye(&session, reason));
                return self.refuse(session, reason, Failure::DtlsFingerprintMismatch);
            }
            return of.on_signal(Signal::Answer { session, sdp, vouched });
        };
        known.fingerprints = announced_fingerprints(&sdp);
        match self.shared.guard.as_ref().map_or(Ok(()), |guard| guard.answer(&session, &sdp)) {
            Ok(()) => known.on_signal(Signal::Answer { session, sdp, vouched }),
            Err(reason) => {
                tracing::warn!(%session, seat = %known.seat, %reason, "session refused");
                known.end(&reason);
                self.refuse(session, &reason, Failure::NotGranted);
            }
        }
    }

    fn ask_for_grants(&mut self) {
        let questions: Vec<_> = self.shared.guard.iter().flat_map(|guard| guard.questions()).collect();
        for question in questions {
            match question {
                // The session's own goodbye tells the seat.
                Signal::Bye { .. } => self.on_signal(question),
                _ => drop(self.signalling.outgoing.try_send(question)),
            }
        }
    }

    fn on_call(&mut self, id: String, seat: &str, watch_only: bool, features: Vec<String>) {
        if self.sessions.contains_key(&id) || id.is_empty() || id.len() > 128 {
            return self.refuse(id, "the session's name is taken or not usable", Failure::Refused);
        }
        if self.sessions.len() >= MAX_SESSIONS
            && let Some(silent) =
                self.sessions.iter().find(|(_, session)| session.is_silent()).map(|(id, _)| id.clone())
            && let Some(session) = self.sessions.remove(&silent)
        {
            // It was kept in case its path came back; somebody who is there goes first.
            session.end("the vehicle needs the place of a seat that fell silent");
        }
        if self.sessions.len() >= MAX_SESSIONS {
            let reason = "the vehicle serves as many seats as it can; try again when one has left";
            return self.refuse(id, reason, Failure::VehicleFull);
        }
        let inputs = SessionInputs {
            id: id.clone(),
            seat: seat.to_owned(),
            watch_only,
            features,
            shared: self.shared.clone(),
            signals: self.signalling.outgoing.clone(),
            peer: self.signalling.peer_config(),
            notes: self.notes_tx.clone(),
        };
        self.sessions.insert(id, Session::start(inputs));
    }

    /// A seat calls for one more path of a session that it has.
    fn on_path_call(&mut self, id: String, path: &SessionPath, seat: &str) {
        let taken = self.sessions.contains_key(&id) || self.sessions.values().any(|s| s.has_path(&id));
        let peer = self.signalling.peer_config();
        match self.sessions.get_mut(&path.session).filter(|s| s.seat == seat) {
            None => self.refuse(id, "no session of this seat has that name", Failure::SessionUnknown),
            Some(_) if path.index >= MAX_PATHS => {
                let reason = format!("{} is not a path's number: the last is {}", path.index, MAX_PATHS - 1);
                self.refuse(id, &reason, Failure::Refused);
            }
            // Those that died are there for a while beside those that were called for in their place.
            Some(session) if taken || id.len() > 128 || session.paths() > 2 * MAX_PATHS => {
                self.refuse(id, "the session has as many paths as it can, or the name is taken", Failure::Refused);
            }
            Some(session) => session.add_path(id, path.index, peer),
        }
    }

    fn refuse(&self, session: String, reason: &str, code: Failure) {
        let _ = self.signalling.outgoing.try_send(Signal::Bye { session, reason: reason.to_owned(), code: Some(code) });
    }

    fn send(&mut self, out: Outgoing) {
        match out {
            Outgoing::State(state) => {
                // Each session appends its own clock answer: in protobuf, concatenation is merging.
                self.states += 1;
                let bytes =
                    v1::StateDatagram { pong: None, link_sequence: self.states, ..*state }.encode_to_vec().into();
                self.sessions.values().for_each(|session| session.send_state(&bytes));
            }
            Outgoing::Scan(scan) => self.sessions.values().for_each(|session| session.send_scan(&scan)),
            Outgoing::Event(None, event) => self.sessions.values_mut().for_each(|session| session.send_event(&event)),
            Outgoing::Event(Some(id), event) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.send_event(&event);
                }
            }
            Outgoing::Audio(packet) => self.sessions.values().for_each(|session| session.send_audio(&packet)),
            Outgoing::Frame(frame) => {
                let gap = self.shared.frame_gap.swap(false, Ordering::Relaxed);
                for session in self.sessions.values_mut() {
                    session.send_frame(&frame, gap);
                }
            }
        }
    }
}
