//! The vehicle's end: answers calls of any number of seats, sends them picture and state, hands on what they ask.

mod inbox;
mod session;
mod stats;

pub use inbox::{FromSeat, FromSeatBody};

use crate::signalling::{self, Peer, SignalEvent, Signalling};
use crate::video::{EncodedFrame, VideoSpec};
use crate::{Identity, LinkError, now_us};
use inbox::Inbox;
use prost::Message;
use protocol::signalling::Signal;
use protocol::{Failure, v1};
use session::{Session, SessionInputs};
use stats::Stats;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Seats served at once; a call beyond that is refused.
pub const MAX_SESSIONS: usize = 8;
const OUTGOING: usize = 512;

/// What all tasks of a vehicle's link share.
pub(crate) struct Shared {
    pub(crate) origin: Instant,
    pub(crate) hello: v1::Hello,
    pub(crate) max_bps: u32,
    pub(crate) inbox: Inbox,
    pub(crate) stats: Stats,
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
    /// Registers at `control_plane` (`http://host:port`), which need not be reachable yet, and serves calls.
    ///
    /// # Errors
    /// When the address or `hello.vehicle_id` cannot be used.
    pub fn start(runtime: &Handle, control_plane: &str, hello: v1::Hello, video: VideoSpec) -> Result<Self, LinkError> {
        Self::start_with_clock(runtime, control_plane, hello, video, Instant::now())
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
        video: VideoSpec,
        origin: Instant,
    ) -> Result<Self, LinkError> {
        Self::start_as(runtime, control_plane, hello, video, origin, None)
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
        video: VideoSpec,
        origin: Instant,
        identity: Option<Identity>,
    ) -> Result<Self, LinkError> {
        let vehicle = protocol::VehicleId::new(hello.vehicle_id.clone())?;
        let signalling = signalling::start(runtime, control_plane, Peer::Vehicle(vehicle.as_str()), identity)?;
        let max_bps = video.default_bitrate_bps();
        let (inbox, received) = Inbox::new();
        let stats = Stats::new(f64::from(max_bps));
        let shared = Arc::new(Shared { origin, hello, max_bps, inbox, stats, frame_gap: AtomicBool::new(false) });
        let (outgoing, outgoing_rx) = mpsc::channel(OUTGOING);
        let (ended_tx, ended_rx) = mpsc::channel(64);
        let switchboard = Switchboard { shared: shared.clone(), sessions: BTreeMap::new(), ended_tx, signalling };
        runtime.spawn(switchboard.run(outgoing_rx, ended_rx));
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
    ended_tx: mpsc::Sender<String>,
    signalling: Signalling,
}

impl Switchboard {
    async fn run(mut self, mut outgoing: mpsc::Receiver<Outgoing>, mut ended: mpsc::Receiver<String>) {
        loop {
            tokio::select! {
                out = outgoing.recv() => match out {
                    Some(out) => self.send(out),
                    None => break,
                },
                Some(session) = ended.recv() => {
                    self.sessions.remove(&session);
                    self.shared.stats.forget(&session);
                }
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

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Call { session, seat, vehicle, watch_only, .. } => {
                if vehicle.as_str() == self.shared.hello.vehicle_id {
                    self.on_call(session, seat.as_str(), watch_only);
                }
            }
            Signal::Error { session: None, message, .. } => tracing::warn!(%message, "control plane refused"),
            other => {
                if let Some(session) = other.session().and_then(|id| self.sessions.get(id)) {
                    session.on_signal(other);
                }
            }
        }
    }

    fn on_call(&mut self, id: String, seat: &str, watch_only: bool) {
        if self.sessions.contains_key(&id) || id.is_empty() || id.len() > 128 {
            return self.refuse(id, "the session's name is taken or not usable", Failure::Refused);
        }
        // A seat that calls again has lost its session; the vehicle would notice only seconds later.
        for session in self.sessions.values().filter(|s| s.seat == seat) {
            session.end("the seat called anew");
        }
        if self.sessions.len() >= MAX_SESSIONS {
            let reason = "the vehicle serves as many seats as it can; try again when one has left";
            return self.refuse(id, reason, Failure::VehicleFull);
        }
        let inputs = SessionInputs {
            id: id.clone(),
            seat: seat.to_owned(),
            watch_only,
            shared: self.shared.clone(),
            signals: self.signalling.outgoing.clone(),
            peer: self.signalling.peer_config(),
            ended: self.ended_tx.clone(),
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
            Outgoing::Frame(frame) => {
                let gap = self.shared.frame_gap.swap(false, Ordering::Relaxed);
                for session in self.sessions.values_mut() {
                    session.send_frame(&frame, gap);
                }
            }
        }
    }
}
