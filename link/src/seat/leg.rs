//! A further path of a session, seen from the seat: a call and a connection of its own.

use super::Shared;
use super::lane::Lane;
use crate::peer::{
    self, ChannelEnd, Ear, Incoming, PeerConfig, PeerEvent, PeerSetup, RemoteCandidates, candidate_signal,
    check_vouched, open_channel, watch_channel,
};
use crate::{COMMAND_CHANNEL, LinkError, REQUESTS_CHANNEL, STATE_CHANNEL};
use bytes::Bytes;
use protocol::signalling::{FurtherPath, Signal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState};

/// From the call to a connection.
const SETUP: Duration = Duration::from_secs(12);

/// The cameras' lanes, by camera; shared by all paths.
#[derive(Default)]
pub(super) struct Lanes(Mutex<Vec<Option<Arc<Lane>>>>);

impl Lanes {
    pub(super) fn set(&self, camera: usize, lane: Arc<Lane>) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() <= camera {
            lanes.resize(camera + 1, None);
        }
        lanes[camera] = Some(lane);
    }

    fn get(&self, camera: usize) -> Option<Arc<Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(camera).cloned().flatten()
    }

    pub(super) fn remove(&self, path: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().for_each(|lane| lane.remove(path));
    }
}

/// What a path starts with.
pub(super) struct LegInputs {
    pub(super) shared: Arc<Shared>,
    /// The session that it is a path of.
    pub(super) session: String,
    /// Names the path in signalling.
    pub(super) id: String,
    /// Which of the paths it is.
    pub(super) index: usize,
    pub(super) peer: PeerConfig,
    pub(super) out: mpsc::Sender<Signal>,
    /// What the vehicle says over this path.
    pub(super) to_session: mpsc::Sender<Incoming>,
    pub(super) lanes: Arc<Lanes>,
}

/// The session's handle of a path; dropping it closes the path.
pub(super) struct LegHandle {
    pub(super) id: String,
    pub(super) index: usize,
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) requests: mpsc::Sender<Bytes>,
    life: Arc<Life>,
}

/// What the session is to know of a path.
struct Life {
    up: AtomicBool,
    /// When the vehicle was last heard over it; at first, when it was called for.
    heard: Mutex<Instant>,
}

impl Life {
    fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl LegHandle {
    /// Calls the vehicle for a path.
    pub(super) fn start(inputs: LegInputs) -> Self {
        let (signals, signals_rx) = mpsc::channel(128);
        let (requests, requests_rx) = mpsc::channel(64);
        let life = Arc::new(Life { up: AtomicBool::new(false), heard: Mutex::new(Instant::now()) });
        let (id, index) = (inputs.id.clone(), inputs.index);
        tokio::spawn(run(inputs, signals_rx, requests_rx, life.clone()));
        Self { id, index, signals, requests, life }
    }

    /// It carries packets, or did until it fell silent.
    pub(super) fn is_up(&self) -> bool {
        self.life.is_up()
    }

    /// For how long the vehicle was not heard over it; before it is up, how long ago it was called for.
    pub(super) fn quiet(&self) -> Duration {
        self.life.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Its task has ended.
    pub(super) fn is_over(&self) -> bool {
        self.signals.is_closed()
    }
}

async fn run(inputs: LegInputs, mut signals: mpsc::Receiver<Signal>, requests: mpsc::Receiver<Bytes>, life: Arc<Life>) {
    let LegInputs { shared, session, id, index, out, lanes, .. } = &inputs;
    let path = Some(FurtherPath { session: session.clone(), index: *index });
    let (seat, vehicle, options) = (shared.seat.clone(), shared.vehicle.clone(), shared.options);
    let (seat_kind, watch_only) = (options.kind, options.watch_only);
    let (features, session_id) = (crate::features(), id.clone());
    let call =
        Signal::Call { session: session_id, seat, seat_kind, vehicle, watch_only, features, path, vouched: None };
    let _ = out.send(call).await;
    let reason = match offer(&mut signals).await {
        Ok(sdp) => match serve(&inputs, sdp, signals, requests, &life).await {
            Ok(reason) => reason,
            Err(error) => error.to_string(),
        },
        Err(reason) => reason,
    };
    life.up.store(false, Ordering::Relaxed);
    lanes.remove(id);
    tracing::info!(%session, path = %id, %reason, "path over");
    let _ = out.try_send(Signal::Bye { session: id.clone(), reason, code: None });
}

/// Waits for the vehicle's offer.
async fn offer(signals: &mut mpsc::Receiver<Signal>) -> Result<String, String> {
    let deadline = Instant::now() + SETUP;
    loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Offer { sdp, vouched, .. }) => {
                    let checked = check_vouched(&sdp, vouched.as_deref());
                    return checked.map(|()| sdp).map_err(|failure| format!("{failure}: {}", failure.advice()));
                }
                Some(Signal::Bye { reason, .. }) => return Err(reason),
                Some(Signal::Error { message, .. }) => return Err(message),
                Some(_) => {}
                None => return Err("the session is over".to_owned()),
            },
            () = sleep_until(deadline) => return Err(format!("no offer within {SETUP:?}")),
        }
    }
}

async fn serve(
    inputs: &LegInputs,
    sdp: String,
    mut signals: mpsc::Receiver<Signal>,
    mut requests: mpsc::Receiver<Bytes>,
    life: &Life,
) -> Result<String, LinkError> {
    let LegInputs { shared, id, index, peer: config, out, to_session, lanes, .. } = inputs;
    let mut tasks = JoinSet::new();
    let (events_tx, mut events) = mpsc::channel(256);
    let (incoming_tx, mut incoming) = mpsc::channel(64);
    let sockets = shared.paths.sockets(*index)?;
    let setup = PeerSetup { config, events: events_tx, datagrams: (STATE_CHANNEL, incoming_tx.clone()), sockets };
    let (connection, _) = peer::build(setup).await?;
    super::session::set_offer(&*connection, sdp).await?;
    // Datagrams go as RTCP; the channel is opened all the same, so that both ends look like any other session.
    let _command = open_channel(&*connection, COMMAND_CHANNEL, false, incoming_tx.clone(), &mut tasks).await?;
    let mut reliable = open_channel(&*connection, REQUESTS_CHANNEL, true, incoming_tx.clone(), &mut tasks).await?;
    let ids = super::session::send_answer(&*connection, id, out).await?;
    let mut candidates = RemoteCandidates::default();
    candidates.remote_description_is_set(&*connection).await;
    let deadline = Instant::now() + SETUP;
    let mut open = false;
    let reason = loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Candidate { candidate, sdp_mline_index, .. }) => {
                    candidates.add(&*connection, candidate, sdp_mline_index).await;
                }
                Some(Signal::Bye { reason, .. }) => break reason,
                Some(Signal::Error { message, .. }) if !life.is_up() => break message,
                Some(_) => {}
                None => break "the session is over".to_owned(),
            },
            event = events.recv() => match event {
                Some(PeerEvent::Candidate(candidate)) => {
                    if let Some(signal) = candidate_signal(id, candidate) {
                        let _ = out.try_send(signal);
                    }
                }
                Some(PeerEvent::Track(track)) => {
                    let (lanes, id) = (lanes.clone(), id.clone());
                    tasks.spawn(async move {
                        let camera = peer::camera_of(&track.track_id().await);
                        if let Some(lane) = lanes.get(camera) {
                            lane.add(&id, track.clone());
                            lane.feed(&*track, ids).await;
                        }
                    });
                }
                // While the first path lives the vehicle is silent here.
                Some(PeerEvent::Voice(track)) => {
                    let (shared, id) = (shared.clone(), id.clone());
                    tasks.spawn(async move {
                        let ear = Ear::new(&shared.listener, &id, shared.vehicle.as_str(), true);
                        ear.hear(track, || shared.now_us()).await;
                    });
                }
                Some(PeerEvent::Channel(channel)) => watch_channel(channel, incoming_tx.clone(), &mut tasks),
                Some(PeerEvent::State(RTCPeerConnectionState::Connected)) => {
                    life.heard();
                    life.up.store(true, Ordering::Relaxed);
                }
                Some(PeerEvent::State(RTCPeerConnectionState::Failed)) => break "this path is dead".to_owned(),
                Some(PeerEvent::State(RTCPeerConnectionState::Closed)) | None => {
                    break "the vehicle closed this path".to_owned();
                }
                Some(PeerEvent::State(_)) => {}
            },
            opened = reliable.opened(), if !open => match opened {
                true => open = true,
                false => break "the request channel of this path could not be opened".to_owned(),
            },
            request = requests.recv(), if open => match request {
                Some(request) => drop(reliable.send_datagram(&request).await),
                None => break "the session is over".to_owned(),
            },
            Some(message) = incoming.recv() => {
                life.heard();
                if to_session.send(message).await.is_err() {
                    break "the session is over".to_owned();
                }
            }
            () = sleep_until(deadline), if !life.is_up() => {
                break "no connection over this path".to_owned();
            }
        }
    };
    close(&*connection, &mut tasks, reliable).await;
    Ok(reason)
}

async fn close(connection: &dyn PeerConnection, tasks: &mut JoinSet<()>, channel: ChannelEnd) {
    drop(channel);
    tasks.abort_all();
    let _ = connection.close().await;
}
