//! The vehicle's end: answers calls of any number of seats, sends them picture and state, hands on what they ask.

mod cameras;
mod inbox;
mod session;
mod stats;
mod streamer;

pub use cameras::CameraOrder;
pub use inbox::{FromSeat, FromSeatBody};
pub use streamer::{CameraStreamer, MakeEncoder};

use crate::audio::{AudioFrame, AudioPacket, AudioStats, Listener, Pcm, Talk};
use crate::cc::{Budget, CameraNeed, CameraPlan, Overhead};
use crate::signalling::{self, Peer, SignalEvent, Signalling};
use crate::video::{EncodedFrame, VideoSpec};
use crate::{Identity, LinkError, now_us};
use cameras::Cameras;
use inbox::Inbox;
use prost::Message;
use protocol::signalling::Signal;
use protocol::{Failure, v1};
use session::{Note, Session, SessionInputs};
use stats::Stats;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Seats served at once; a call beyond that is refused.
pub const MAX_SESSIONS: usize = 8;
/// Cameras of one vehicle.
pub const MAX_CAMERAS: usize = 4;
const OUTGOING: usize = 512;
/// Commands, state and their headers, bits per second.
const DATA_BPS: f64 = 60_000.0;
/// Speech with its headers, bits per second.
const AUDIO_BPS: f64 = 64_000.0;
/// Audio sent longer ago than this is over, microseconds.
const AUDIO_OVER_US: u64 = 1_000_000;
/// How often the budget is shared out anew, microseconds.
const PLAN_EVERY_US: u64 = 50_000;

/// What all tasks of a vehicle's link share.
pub(crate) struct Shared {
    pub(crate) origin: Instant,
    pub(crate) hello: v1::Hello,
    pub(crate) cameras: Cameras,
    /// What all cameras want together, bits per second.
    pub(crate) most_bps: f64,
    budget: Mutex<(u64, Budget)>,
    pub(crate) inbox: Inbox,
    pub(crate) stats: Stats,
    /// What seats say.
    pub(crate) listener: Listener,
    /// What the vehicle says.
    talk: Mutex<Talk>,
    /// When it said something last.
    talked_us: AtomicU64,
    /// A frame was dropped before it reached the sessions: none of them may go on without a keyframe.
    frame_gap: AtomicBool,
}

impl Shared {
    pub(crate) fn now_us(&self) -> u64 {
        now_us(self.origin)
    }
}

enum Outgoing {
    State(Box<v1::StateDatagram>),
    Event(Option<String>, v1::VehicleEvent),
    Frame(EncodedFrame),
    Audio(AudioPacket),
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
    /// Registers at `control_plane` (`http://host:port`), which need not be reachable yet, and serves calls. `cameras`
    /// are one to [`MAX_CAMERAS`], the one to drive by first.
    ///
    /// # Errors
    /// When the address, `hello.vehicle_id` or the number of cameras cannot be used.
    pub fn start(
        runtime: &Handle,
        control_plane: &str,
        hello: v1::Hello,
        cameras: &[VideoSpec],
    ) -> Result<Self, LinkError> {
        Self::start_with_clock(runtime, control_plane, hello, cameras, Instant::now())
    }

    /// As [`Self::start`], with the instant that is zero on the vehicle's clock: seats then estimate the very clock
    /// that stamps frames and states.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with_clock(
        runtime: &Handle,
        control_plane: &str,
        hello: v1::Hello,
        cameras: &[VideoSpec],
        origin: Instant,
    ) -> Result<Self, LinkError> {
        Self::start_as(runtime, control_plane, hello, cameras, origin, None)
    }

    /// As [`Self::start_with_clock`], as the owner of `identity`: nobody else can register under this vehicle's name,
    /// and seats accept no other certificate.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_as(
        runtime: &Handle,
        control_plane: &str,
        hello: v1::Hello,
        cameras: &[VideoSpec],
        origin: Instant,
        identity: Option<Identity>,
    ) -> Result<Self, LinkError> {
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
            most_bps: budget.most_bps(),
            budget: Mutex::new((0, budget)),
            cameras: Cameras::new(cameras.to_vec()),
            inbox,
            stats: Stats::default(),
            listener: Listener::default(),
            talk: Mutex::new(Talk::new()?),
            talked_us: AtomicU64::new(0),
            frame_gap: AtomicBool::new(false),
        });
        let (outgoing, outgoing_rx) = mpsc::channel(OUTGOING);
        let (notes_tx, notes) = mpsc::channel(64);
        let switchboard = Switchboard { shared: shared.clone(), sessions: BTreeMap::new(), notes_tx, signalling };
        runtime.spawn(switchboard.run(outgoing_rx, notes));
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

    /// Sends an event reliably to one session, or to all with `None`.
    pub fn send_event(&self, session: Option<&str>, event: v1::VehicleEvent) {
        if self.outgoing.try_send(Outgoing::Event(session.map(str::to_owned), event)).is_err() {
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
        let mut talk = self.shared.talk.lock().unwrap_or_else(PoisonError::into_inner);
        talk.set_expected_loss(self.shared.stats.link_stats(self.now_us()).loss);
        match talk.say(capture_us, samples) {
            Ok(Some(packet)) => {
                self.shared.talked_us.store(self.now_us(), Ordering::Relaxed);
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

    /// What became of the seats' audio.
    #[must_use]
    pub fn audio_stats(&self) -> AudioStats {
        self.shared.listener.stats()
    }

    /// What `camera` should do with the picture it is about to encode. To be asked once a picture: it carries out what
    /// seats have asked for.
    #[must_use]
    pub fn order(&self, camera: usize) -> CameraOrder {
        self.shared.cameras.order(camera, self.now_us(), self.shared.stats.room().round_trip_us)
    }

    /// Rate, frame rate and size that the paths to the seats leave for `camera` now.
    #[must_use]
    pub fn plan(&self, camera: usize) -> CameraPlan {
        let now_us = self.now_us();
        let mut budget = self.shared.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if budget.0 == 0 || now_us >= budget.0 + PLAN_EVERY_US {
            let room = self.shared.stats.room();
            let talked_us = self.shared.talked_us.load(Ordering::Relaxed);
            let talks = talked_us > 0 && now_us < talked_us + AUDIO_OVER_US;
            let audio_bps = if talks { AUDIO_BPS } else { 0.0 };
            let overhead = Overhead { repair_bps: room.overhead_bps, audio_bps, data_bps: DATA_BPS };
            budget.1.update(now_us, room.target_bps, overhead);
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

    /// Commands and requests of watch-only sessions that were dropped.
    #[must_use]
    pub fn refused_from_watchers(&self) -> u64 {
        self.shared.stats.refused()
    }

    /// Messages that could not be read.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.shared.stats.malformed()
    }
}

/// The one task that knows all sessions.
struct Switchboard {
    shared: Arc<Shared>,
    sessions: BTreeMap<String, Session>,
    notes_tx: mpsc::Sender<Note>,
    signalling: Signalling,
}

impl Switchboard {
    async fn run(mut self, mut outgoing: mpsc::Receiver<Outgoing>, mut notes: mpsc::Receiver<Note>) {
        loop {
            tokio::select! {
                out = outgoing.recv() => match out {
                    Some(out) => self.send(out),
                    None => break,
                },
                Some(note) = notes.recv() => self.on_note(&note),
                event = self.signalling.incoming.recv() => match event {
                    Some(SignalEvent::Signal(signal)) => self.on_signal(signal),
                    Some(SignalEvent::Up) => tracing::info!("registered at the control plane"),
                    Some(SignalEvent::Down(reason)) => tracing::debug!(%reason, "control plane gone, sessions go on"),
                    // The signalling task ends only with us.
                    None => break,
                },
            }
        }
        // Sessions say goodbye when their inputs end; signalling sends that and closes when nobody holds its queue.
    }

    fn on_note(&mut self, note: &Note) {
        match note {
            // A seat that calls anew has lost its session; only now is it certain that it will not come back to it.
            Note::Connected(id) => {
                let seat = self.sessions.get(id).map(|s| s.seat.clone());
                for (other, session) in &self.sessions {
                    if other != id && Some(&session.seat) == seat.as_ref() {
                        session.end("the seat called anew");
                    }
                }
            }
            Note::Ended(id) => {
                self.sessions.remove(id);
                self.shared.stats.forget(id);
            }
        }
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Call { session, seat, vehicle, watch_only, features, .. } => {
                if vehicle.as_str() == self.shared.hello.vehicle_id {
                    self.on_call(session, seat.as_str(), watch_only, features);
                }
            }
            Signal::Restart { session } if !self.sessions.contains_key(&session) => {
                self.refuse(session, "the vehicle knows no such session; it was restarted", Failure::SessionUnknown);
            }
            Signal::Error { session: None, message, .. } => tracing::warn!(%message, "control plane refused"),
            other => {
                if let Some(session) = other.session().and_then(|id| self.sessions.get(id)) {
                    session.on_signal(other);
                }
            }
        }
    }

    fn on_call(&mut self, id: String, seat: &str, watch_only: bool, features: Vec<String>) {
        if self.sessions.contains_key(&id) || id.is_empty() || id.len() > 128 {
            return self.refuse(id, "the session's name is taken or not usable", Failure::Refused);
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

    fn refuse(&self, session: String, reason: &str, code: Failure) {
        let _ = self.signalling.outgoing.try_send(Signal::Bye { session, reason: reason.to_owned(), code: Some(code) });
    }

    fn send(&mut self, out: Outgoing) {
        match out {
            Outgoing::State(state) => {
                // Each session appends its own clock answer: in protobuf, concatenation is merging.
                let bytes = v1::StateDatagram { pong: None, ..*state }.encode_to_vec().into();
                self.sessions.values().for_each(|session| session.send_state(&bytes));
            }
            Outgoing::Event(None, event) => self.sessions.values().for_each(|session| session.send_event(&event)),
            Outgoing::Event(Some(id), event) => {
                if let Some(session) = self.sessions.get(&id) {
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
