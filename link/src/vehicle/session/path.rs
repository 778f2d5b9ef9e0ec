//! One path of a session: a connection of its own that carries what every other path does.

use super::SETUP;
use super::context::Context;
use super::media::Leg;
use super::offer::{self, Made, Outputs, PathLife};
use crate::LinkError;
use crate::paths::local_addresses;
use crate::peer::{Inlet, PeerConfig, PeerEvent, RemoteCandidates, candidate_signal, check_vouched, watch_channel};
use crate::session::{Ending, PathKey};
use crate::vehicle::session::Note;
use bytes::Bytes;
use protocol::signalling::Signal;
use protocol::{Failure, v1};
use rtc::peer_connection::configuration::RTCOfferOptions;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState, RTCSessionDescription};

/// Between two offers with new candidates.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// What a path tells its session.
pub(super) enum PathEvent {
    /// Packets get through; with it comes what the media task sends them by.
    Up(Leg),
    /// Its channels are open.
    Open,
    Over(Ending),
}

/// What a path starts with.
pub(super) struct PathInputs {
    /// Names the path in signalling; the first one has the session's own name.
    pub(super) id: String,
    /// Which of the paths it is.
    pub(super) index: usize,
    pub(super) context: Arc<Context>,
    pub(super) peer: PeerConfig,
    /// The other side, by signalling.
    pub(super) out: mpsc::Sender<Signal>,
    /// The switchboard.
    pub(super) notes: mpsc::Sender<Note>,
    pub(super) states: watch::Receiver<Bytes>,
    pub(super) scans: watch::Receiver<Arc<Vec<Bytes>>>,
    /// The session: what becomes of the path, and what the seat says over it.
    pub(super) to_session: mpsc::Sender<(PathKey, PathEvent)>,
    pub(super) inlet: Inlet,
    pub(super) life: PathLife,
}

/// The session's handle of a path; the path ends with it.
pub(super) struct PathHandle {
    pub(super) id: String,
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) events: mpsc::Sender<v1::VehicleEvent>,
}

/// Starts a path.
pub(super) fn start(inputs: PathInputs) -> PathHandle {
    let (signals, signals_rx) = mpsc::channel(128);
    let (events, events_rx) = mpsc::channel(super::EVENTS);
    let id = inputs.id.clone();
    tokio::spawn(run(inputs, signals_rx, events_rx));
    PathHandle { id, signals, events }
}

async fn run(inputs: PathInputs, signals: mpsc::Receiver<Signal>, events: mpsc::Receiver<v1::VehicleEvent>) {
    let PathInputs { id, context, out, notes, to_session, inlet, life, .. } = &inputs;
    let ending = match serve(&inputs, signals, events).await {
        Ok(ending) => ending,
        Err(error) => not_negotiated(&error),
    };
    life.up.store(false, Ordering::Relaxed);
    tracing::debug!(session = %context.id, path = %id, reason = %ending.reason, "path over");
    if *id != context.id {
        // The first path's name is the session's, which may go on: its connection alone says that it is gone.
        let _ = out.try_send(Signal::Bye { session: id.clone(), reason: ending.reason.clone(), code: ending.code });
    }
    let _ = to_session.send((inlet.path, PathEvent::Over(ending))).await;
    let _ = notes.send(Note::PathEnded { session: context.id.clone(), path: id.clone() }).await;
}

/// A path while it is served.
struct Path<'a> {
    inputs: &'a PathInputs,
    connection: Arc<dyn PeerConnection>,
    candidates: RemoteCandidates,
    /// Handed to the media task once packets get through.
    leg: Option<Leg>,
    /// This machine's addresses when the connection was made, and when its offer was last made anew.
    addresses: BTreeSet<IpAddr>,
    restarted: Instant,
    tasks: JoinSet<()>,
}

/// What one turn of the loop says: go on, or end.
type Turn = Result<(), Ending>;

fn over(reason: &str, code: Option<Failure>) -> Turn {
    Err(Ending::new(reason, code))
}

fn not_negotiated(error: &LinkError) -> Ending {
    Ending::new(error.to_string(), Some(Failure::NegotiationFailed))
}

async fn serve(
    inputs: &PathInputs,
    mut signals: mpsc::Receiver<Signal>,
    events: mpsc::Receiver<v1::VehicleEvent>,
) -> Result<Ending, LinkError> {
    let PathInputs { id, index, context, peer, out, states, scans, to_session, inlet, life, .. } = inputs;
    let mut tasks = JoinSet::new();
    let outputs = Outputs { states: states.clone(), scans: scans.clone(), events };
    let Made { connection, mut events, mut opened, sdp, leg } =
        offer::make(context, peer, inlet.clone(), outputs, (*index, life), &mut tasks).await?;
    // So that the first picture fits the path: the cameras' encoders are told before it is up.
    context.shared.stats.on_starting_estimate(&context.id, leg.starting_estimate());
    let _ = out.send(offer::signal(context, id, sdp)).await;
    let deadline = Instant::now() + SETUP;
    let (candidates, addresses, restarted) = (RemoteCandidates::default(), local_addresses(), Instant::now());
    let mut path = Path { inputs, connection, candidates, leg: Some(leg), addresses, restarted, tasks };
    let ending = loop {
        let turn = tokio::select! {
            signal = signals.recv() => path.on_signal(signal).await,
            event = events.recv() => path.on_event(event).await,
            Some(open) = opened.recv() => match open {
                true => { let _ = to_session.send((inlet.path, PathEvent::Open)).await; Ok(()) }
                false => over("the seat closed its channel", None),
            },
            () = to_session.closed() => over("the session is over", None),
            () = sleep_until(deadline), if !life.is_up() => {
                over("no connection over this path", Some(Failure::IceFailedNoPath))
            }
        };
        if let Err(ending) = turn {
            break ending;
        }
    };
    path.tasks.abort_all();
    let _ = path.connection.close().await;
    Ok(ending)
}

impl Path<'_> {
    async fn on_signal(&mut self, signal: Option<Signal>) -> Turn {
        match signal {
            Some(Signal::Answer { sdp, vouched, .. }) => {
                if let Err(failure) = check_vouched(&sdp, vouched.as_deref()) {
                    let reason = format!("{failure}: the seat's certificate is not the one vouched for");
                    return over(&reason, Some(failure));
                }
                self.on_answer(sdp).await.map_err(|error| not_negotiated(&error))
            }
            Some(Signal::Candidate { candidate, sdp_mline_index, .. }) => {
                self.candidates.add(&*self.connection, candidate, sdp_mline_index).await;
                Ok(())
            }
            // The seat may be heard while it hears nothing. What it asked during a blackout comes all at once after it.
            Some(Signal::Restart { .. }) if self.restarted.elapsed() >= RESTART_PAUSE => self.restart().await,
            Some(Signal::Bye { reason, .. }) => over(&reason, None),
            Some(_) => Ok(()),
            None => over("the vehicle is shutting down", Some(Failure::VehicleStopping)),
        }
    }

    async fn on_answer(&mut self, sdp: String) -> Result<(), LinkError> {
        let failed = |source| LinkError::WebRtc { what: "answer", source };
        let answer = RTCSessionDescription::answer(sdp).map_err(failed)?;
        self.connection.set_remote_description(answer).await.map_err(failed)?;
        self.candidates.remote_description_is_set(&*self.connection).await;
        Ok(())
    }

    /// Makes another offer, with new candidates.
    async fn restart(&mut self) -> Turn {
        self.restarted = Instant::now();
        // No new offer leaves the sockets that the connection was made with.
        if !self.addresses.is_subset(&local_addresses()) {
            return over("the vehicle's address changed; call again", Some(Failure::PathLost));
        }
        let PathInputs { id, context, out, .. } = self.inputs;
        let options = RTCOfferOptions { ice_restart: true };
        self.candidates = RemoteCandidates::default();
        let sdp = offer::describe(&*self.connection, Some(options)).await.map_err(|e| not_negotiated(&e))?;
        let _ = out.send(offer::signal(context, id, sdp)).await;
        Ok(())
    }

    async fn on_event(&mut self, event: Option<PeerEvent>) -> Turn {
        let PathInputs { id, context, out, to_session, inlet, life, .. } = self.inputs;
        match event {
            Some(PeerEvent::Candidate(candidate)) => {
                if let Some(signal) = candidate_signal(id, candidate) {
                    let _ = out.try_send(signal);
                }
            }
            Some(PeerEvent::Channel(channel)) => watch_channel(channel, inlet.clone(), &mut self.tasks),
            // Pictures need not wait for the data channels, which open up to half a second later.
            Some(PeerEvent::State(RTCPeerConnectionState::Connected)) => {
                life.heard(context);
                if let Some(leg) = self.leg.take() {
                    life.up.store(true, Ordering::Relaxed);
                    let _ = to_session.send((inlet.path, PathEvent::Up(leg))).await;
                }
            }
            Some(PeerEvent::State(RTCPeerConnectionState::Failed)) => {
                let code = if life.is_up() { Failure::PathLost } else { Failure::IceFailedNoPath };
                return over("the path to the seat is dead", Some(code));
            }
            Some(PeerEvent::State(RTCPeerConnectionState::Closed)) => {
                return over("the seat closed the connection", None);
            }
            Some(PeerEvent::Voice(track)) => {
                self.tasks.spawn(super::voice::hear(context.clone(), id.clone(), track));
            }
            Some(PeerEvent::State(_) | PeerEvent::Track(_)) => {}
            None => return over("the connection is gone", None),
        }
        Ok(())
    }
}
