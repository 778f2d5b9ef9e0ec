//! A further path of a session: a connection of its own that carries what the first one does.

use super::context::Context;
use super::media::Input;
use super::offer::{self, Made, Outputs, PathLife};
use super::{Note, SETUP, Ways, on_answer};
use crate::LinkError;
use crate::peer::{Incoming, PeerConfig, PeerEvent, RemoteCandidates, candidate_signal, check_vouched, watch_channel};
use bytes::Bytes;
use protocol::signalling::Signal;
use protocol::{Failure, v1};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use webrtc::peer_connection::RTCPeerConnectionState;

/// What a path starts with.
pub(super) struct LegInputs {
    /// Names the path in signalling.
    pub(super) id: String,
    /// Which of the paths it is.
    pub(super) index: usize,
    pub(super) context: Arc<Context>,
    pub(super) peer: PeerConfig,
    pub(super) ways: Ways,
    pub(super) states: watch::Receiver<Bytes>,
    pub(super) scans: watch::Receiver<Arc<Vec<Bytes>>>,
    /// Messages of the seat; closed when the session is over.
    pub(super) to_session: mpsc::Sender<Incoming>,
}

/// The session's handle of a path; the path ends with it.
pub(super) struct LegHandle {
    pub(super) id: String,
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) events: mpsc::Sender<v1::VehicleEvent>,
}

/// Starts a path.
pub(super) fn start(inputs: LegInputs) -> LegHandle {
    let (signals, signals_rx) = mpsc::channel(128);
    let (events, events_rx) = mpsc::channel(super::EVENTS);
    let id = inputs.id.clone();
    tokio::spawn(run(inputs, signals_rx, events_rx));
    LegHandle { id, signals, events }
}

async fn run(inputs: LegInputs, signals: mpsc::Receiver<Signal>, events: mpsc::Receiver<v1::VehicleEvent>) {
    let LegInputs { id, context, ways, .. } = &inputs;
    let life = PathLife::default();
    let (reason, code) = match serve(&inputs, &life, signals, events).await {
        Ok(ended) => ended,
        Err(error) => (error.to_string(), Some(Failure::NegotiationFailed)),
    };
    if life.up.swap(false, Ordering::Relaxed) {
        context.further_paths.fetch_sub(1, Ordering::Relaxed);
    }
    tracing::info!(session = %context.id, path = %id, %reason, "path over");
    let _ = ways.out.try_send(Signal::Bye { session: id.clone(), reason, code });
    let _ = ways.notes.send(Note::PathEnded { session: context.id.clone(), path: id.clone() }).await;
}

type Ended = (String, Option<Failure>);

async fn serve(
    inputs: &LegInputs,
    life: &PathLife,
    mut signals: mpsc::Receiver<Signal>,
    events: mpsc::Receiver<v1::VehicleEvent>,
) -> Result<Ended, LinkError> {
    let LegInputs { id, index, context, peer, ways, states, scans, to_session } = inputs;
    let mut tasks = JoinSet::new();
    let (incoming_tx, mut incoming) = mpsc::channel(64);
    let outputs = Outputs { states: states.clone(), scans: scans.clone(), events };
    let Made { connection, mut events, opened: _opened, sdp, leg } =
        offer::make(context, peer, incoming_tx.clone(), outputs, (*index, life), &mut tasks).await?;
    let mut leg = Some(leg);
    let _ = ways.out.send(offer::signal(context, id, sdp)).await;
    let deadline = Instant::now() + SETUP;
    let mut candidates = RemoteCandidates::default();
    let over = |reason: &str, code| (reason.to_owned(), code);
    let ended = loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Answer { sdp, vouched, .. }) => {
                    if let Err(failure) = check_vouched(&sdp, vouched.as_deref()) {
                        break over("the seat's certificate is not the one vouched for", Some(failure));
                    }
                    on_answer(&*connection, sdp).await?;
                    candidates.remote_description_is_set(&*connection).await;
                }
                Some(Signal::Candidate { candidate, sdp_mline_index, .. }) => {
                    candidates.add(&*connection, candidate, sdp_mline_index).await;
                }
                Some(Signal::Bye { reason, .. }) => break (reason, None),
                Some(_) => {}
                None => break over("the session is over", None),
            },
            event = events.recv() => match event {
                Some(PeerEvent::Candidate(candidate)) => {
                    if let Some(signal) = candidate_signal(id, candidate) {
                        let _ = ways.out.try_send(signal);
                    }
                }
                Some(PeerEvent::Channel(channel)) => watch_channel(channel, incoming_tx.clone(), &mut tasks),
                Some(PeerEvent::State(RTCPeerConnectionState::Connected)) => {
                    life.heard(context);
                    if let Some(leg) = leg.take() {
                        life.up.store(true, Ordering::Relaxed);
                        context.further_paths.fetch_add(1, Ordering::Relaxed);
                        tracing::info!(session = %context.id, path = %id, "the session goes over one more path");
                        let _ = context.media.send(Input::Path(leg)).await;
                    }
                }
                Some(PeerEvent::State(RTCPeerConnectionState::Failed)) => {
                    let code = if life.is_up() { Failure::PathLost } else { Failure::IceFailedNoPath };
                    break over("this path to the seat is dead", Some(code));
                }
                Some(PeerEvent::State(RTCPeerConnectionState::Closed)) | None => {
                    break over("the seat closed this path", None);
                }
                Some(PeerEvent::Voice(track)) => drop(tasks.spawn(super::voice::hear(context.clone(), track))),
                Some(PeerEvent::State(_) | PeerEvent::Track(_)) => {}
            },
            Some(message) = incoming.recv() => {
                life.heard(context);
                if to_session.send(message).await.is_err() {
                    break over("the session is over", None);
                }
            }
            () = to_session.closed() => break over("the session is over", None),
            () = sleep_until(deadline), if !life.is_up() => {
                break over("no connection over this path", Some(Failure::IceFailedNoPath));
            }
        }
    };
    tasks.abort_all();
    let _ = connection.close().await;
    Ok(ended)
}
