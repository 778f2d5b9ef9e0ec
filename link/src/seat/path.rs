//! One path of a session, seen from the seat: a call and a connection of its own.

use super::Shared;
use crate::audio::AudioPacket;
use crate::peer::{
    self, AudioReceiver, ChannelEnd, ExtensionIds, Inlet, PeerConfig, PeerEvent, PeerSetup, RemoteCandidates, Voice,
    candidate_signal, check_vouched, open_channel, watch_channel,
};
use crate::session::{Ending, PathKey};
use crate::{AUDIO_FEATURE, COMMAND_CHANNEL, LinkError, REQUESTS_CHANNEL, STATE_CHANNEL};
use bytes::Bytes;
use protocol::signalling::{SessionPath, Signal};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState, RTCSessionDescription};

/// From the call to the vehicle's offer.
const OFFER: Duration = Duration::from_secs(8);
/// From the offer to a connection.
const SETUP: Duration = Duration::from_secs(12);

/// What the vehicle says of itself in an offer.
pub(super) struct Offer {
    /// Names of what the vehicle understands beyond plain WebRTC.
    pub(super) features: Vec<String>,
    /// How many paths the vehicle wants; `None` for one that knows nothing of paths.
    pub(super) paths: Option<usize>,
}

/// What a path tells its session.
pub(super) enum PathEvent {
    Offered(Offer),
    /// Packets get through.
    Up,
    /// Its channels are open.
    Open,
    /// A camera's packets come this way.
    Track {
        camera: usize,
        track: Arc<dyn TrackRemote>,
        ids: ExtensionIds,
    },
    Over(Ending),
}

/// What a path starts with.
pub(super) struct PathInputs {
    pub(super) shared: Arc<Shared>,
    /// The session that it is a path of.
    pub(super) session: String,
    /// Names the path in signalling; the first one has the session's own name.
    pub(super) id: String,
    /// Which of the paths it is.
    pub(super) index: usize,
    pub(super) peer: PeerConfig,
    pub(super) out: mpsc::Sender<Signal>,
    /// The session: what becomes of the path, and what the vehicle says over it.
    pub(super) to_session: mpsc::Sender<(PathKey, PathEvent)>,
    pub(super) inlet: Inlet,
}

/// The session's handle of a path; dropping it closes the path.
pub(super) struct PathHandle {
    pub(super) id: String,
    pub(super) signals: mpsc::Sender<Signal>,
    /// Reliable messages; those that are sent before the channel is open wait for it.
    pub(super) requests: mpsc::Sender<Bytes>,
    /// Datagrams of a vehicle that takes them over a channel only.
    pub(super) datagrams: mpsc::Sender<Bytes>,
    pub(super) voice: mpsc::Sender<AudioPacket>,
}

/// The other ends of a handle's queues.
struct Queues {
    signals: mpsc::Receiver<Signal>,
    requests: mpsc::Receiver<Bytes>,
    datagrams: mpsc::Receiver<Bytes>,
    voice: mpsc::Receiver<AudioPacket>,
}

/// Calls the vehicle for a path.
pub(super) fn start(inputs: PathInputs, tasks: &mut JoinSet<()>) -> PathHandle {
    let (signals, signals_rx) = mpsc::channel(128);
    let (requests, requests_rx) = mpsc::channel(64);
    let (datagrams, datagrams_rx) = mpsc::channel(8);
    let (voice, voice_rx) = mpsc::channel(8);
    let id = inputs.id.clone();
    let queues = Queues { signals: signals_rx, requests: requests_rx, datagrams: datagrams_rx, voice: voice_rx };
    tasks.spawn(run(inputs, queues));
    PathHandle { id, signals, requests, datagrams, voice }
}

async fn run(inputs: PathInputs, queues: Queues) {
    let PathInputs { shared, session, id, index, out, to_session, inlet, .. } = &inputs;
    let path = (id != session).then(|| SessionPath { session: session.clone(), index: *index });
    let (seat, vehicle, options) = (shared.seat.clone(), shared.vehicle.clone(), shared.options);
    let (seat_kind, watch_only) = (options.kind, options.watch_only);
    let (features, name) = (crate::features(), id.clone());
    let call = Signal::Call { session: name, seat, seat_kind, vehicle, watch_only, features, path, vouched: None };
    let _ = out.send(call).await;
    let reason = match serve(&inputs, queues).await {
        Ok(reason) => reason,
        Err(error) => error.to_string(),
    };
    tracing::debug!(%session, path = %id, %reason, "path over");
    if id != session {
        // The first path's name is the session's, which may go on: its connection alone says that it is gone.
        let _ = out.try_send(Signal::Bye { session: id.clone(), reason: reason.clone(), code: None });
    }
    let _ = to_session.send((inlet.path, PathEvent::Over(Ending::new(reason, None)))).await;
}

/// Waits for the vehicle's offer; its description.
async fn offer(inputs: &PathInputs, signals: &mut mpsc::Receiver<Signal>) -> Result<(String, Offer), String> {
    let deadline = Instant::now() + OFFER;
    loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Offer { sdp, features, paths, vouched, .. }) => {
                    check_vouched(&sdp, vouched.as_deref())
                        .map_err(|failure| format!("{failure}: {}", failure.advice()))?;
                    return Ok((sdp, Offer { features, paths }));
                }
                Some(Signal::Bye { reason, .. }) => return Err(reason),
                Some(Signal::Error { message, .. }) => return Err(message),
                Some(_) => {}
                None => return Err("the session is over".to_owned()),
            },
            () = sleep_until(deadline) => {
                return Err(format!("vehicle {} did not answer the call within {OFFER:?}", inputs.shared.vehicle));
            }
        }
    }
}

/// A path while it is served.
struct Path<'a> {
    inputs: &'a PathInputs,
    /// The vehicle stamps its sound with its clock.
    timed: bool,
    connection: Arc<dyn PeerConnection>,
    candidates: RemoteCandidates,
    ids: ExtensionIds,
    command: ChannelEnd,
    requests: ChannelEnd,
    /// Whether the channels are open: for commands, for requests.
    open: (bool, bool),
    /// What this seat says; `None` when the vehicle does not want to hear it.
    voice: Option<Voice>,
    is_up: bool,
    tasks: JoinSet<()>,
}

/// What one turn of the loop says: go on, or end.
type Turn = Result<(), String>;

fn over(reason: impl Into<String>) -> Turn {
    Err(reason.into())
}

async fn serve(inputs: &PathInputs, mut queues: Queues) -> Result<String, LinkError> {
    let (sdp, offer) = match offer(inputs, &mut queues.signals).await {
        Ok(offer) => offer,
        Err(reason) => return Ok(reason),
    };
    let timed = offer.features.iter().any(|feature| feature == AUDIO_FEATURE);
    let _ = inputs.to_session.send((inputs.inlet.path, PathEvent::Offered(offer))).await;
    let (mut path, mut events) = Path::answer(inputs, sdp, timed).await?;
    let deadline = Instant::now() + SETUP;
    let reason = loop {
        let turn = tokio::select! {
            signal = queues.signals.recv() => path.on_signal(signal).await,
            event = events.recv() => path.on_event(event).await,
            opened = path.command.opened(), if !path.open.0 => match opened {
                true => { path.open.0 = true; path.tell_open().await }
                false => over("the command channel could not be opened"),
            },
            opened = path.requests.opened(), if !path.open.1 => match opened {
                true => { path.open.1 = true; path.tell_open().await }
                false => over("the request channel could not be opened"),
            },
            Some(request) = queues.requests.recv(), if path.open.1 => {
                // Not blocking: a stuck channel is full of requests nobody answers, and the path ends soon.
                path.requests.send_datagram(&request).await;
                Ok(())
            }
            Some(datagram) = queues.datagrams.recv(), if path.open.0 => {
                path.command.send_datagram(&datagram).await;
                Ok(())
            }
            Some(packet) = queues.voice.recv() => {
                if let Some(voice) = &mut path.voice {
                    voice.write(packet).await;
                }
                Ok(())
            }
            () = sleep_until(deadline), if !path.is_up => over(format!("no connection within {SETUP:?}")),
        };
        if let Err(reason) = turn {
            break reason;
        }
    };
    path.tasks.abort_all();
    let _ = path.connection.close().await;
    Ok(reason)
}

impl<'a> Path<'a> {
    async fn answer(
        inputs: &'a PathInputs,
        sdp: String,
        timed: bool,
    ) -> Result<(Self, mpsc::Receiver<PeerEvent>), LinkError> {
        let PathInputs { shared, id, index, peer: config, out, inlet, .. } = inputs;
        let mut tasks = JoinSet::new();
        let (events_tx, events) = mpsc::channel(256);
        let sockets = shared.paths.sockets(*index)?;
        let setup = PeerSetup { config, events: events_tx, datagrams: (STATE_CHANNEL, inlet.clone()), sockets };
        let (connection, _) = peer::build(setup).await?;
        let may_talk = !shared.options.watch_only && peer::offers_two_way_audio(&sdp);
        set_offer(&*connection, sdp).await?;
        let voice = if may_talk { Some(add_voice(&*connection, &mut tasks).await?) } else { None };
        let command = open_channel(&*connection, COMMAND_CHANNEL, false, inlet.clone(), &mut tasks).await?;
        let requests = open_channel(&*connection, REQUESTS_CHANNEL, true, inlet.clone(), &mut tasks).await?;
        let ids = send_answer(&*connection, id, out).await?;
        let mut candidates = RemoteCandidates::default();
        candidates.remote_description_is_set(&*connection).await;
        tracing::debug!(path = %id, ?ids, "answered");
        let (open, is_up) = ((false, false), false);
        let path = Self { inputs, timed, connection, candidates, ids, command, requests, open, voice, is_up, tasks };
        Ok((path, events))
    }

    async fn tell(&self, event: PathEvent) {
        let _ = self.inputs.to_session.send((self.inputs.inlet.path, event)).await;
    }

    async fn tell_open(&self) -> Turn {
        if self.open == (true, true) {
            self.tell(PathEvent::Open).await;
        }
        Ok(())
    }

    async fn on_signal(&mut self, signal: Option<Signal>) -> Turn {
        match signal {
            Some(Signal::Candidate { candidate, sdp_mline_index, .. }) => {
                self.candidates.add(&*self.connection, candidate, sdp_mline_index).await;
                Ok(())
            }
            // Other candidates for the same path.
            Some(Signal::Offer { sdp, vouched, .. }) => {
                check_vouched(&sdp, vouched.as_deref())
                    .map_err(|failure| format!("{failure}: {}", failure.advice()))?;
                self.candidates = RemoteCandidates::default();
                let answered = async {
                    set_offer(&*self.connection, sdp).await?;
                    send_answer(&*self.connection, &self.inputs.id, &self.inputs.out).await.map(|_| ())
                };
                answered.await.map_err(|error| error.to_string())?;
                self.candidates.remote_description_is_set(&*self.connection).await;
                Ok(())
            }
            Some(Signal::Bye { reason, .. }) => over(reason),
            Some(Signal::Error { message, .. }) if !self.is_up => over(message),
            Some(_) => Ok(()),
            None => over("the session is over"),
        }
    }

    async fn on_event(&mut self, event: Option<PeerEvent>) -> Turn {
        let PathInputs { shared, id, out, inlet, .. } = self.inputs;
        match event {
            Some(PeerEvent::Candidate(candidate)) => {
                if let Some(signal) = candidate_signal(id, candidate) {
                    let _ = out.try_send(signal);
                }
            }
            Some(PeerEvent::Track(track)) => {
                let camera = peer::camera_of(&track.track_id().await).min(crate::MAX_CAMERAS - 1);
                self.tell(PathEvent::Track { camera, track, ids: self.ids }).await;
            }
            Some(PeerEvent::Voice(track)) => {
                let (shared, id, timed) = (shared.clone(), id.clone(), self.timed);
                self.tasks.spawn(async move {
                    let audio_receiver = AudioReceiver::new(&shared.listener, &id, shared.vehicle.as_str(), timed);
                    audio_receiver.hear(track, || shared.now_us()).await;
                });
            }
            Some(PeerEvent::Channel(channel)) => watch_channel(channel, inlet.clone(), &mut self.tasks),
            Some(PeerEvent::State(RTCPeerConnectionState::Connected)) => {
                self.is_up = true;
                self.tell(PathEvent::Up).await;
            }
            Some(PeerEvent::State(RTCPeerConnectionState::Failed)) => return over("the path to the vehicle is dead"),
            Some(PeerEvent::State(RTCPeerConnectionState::Closed)) => {
                return over("the vehicle closed the connection");
            }
            Some(PeerEvent::State(_)) => {}
            None => return over("the connection is gone"),
        }
        Ok(())
    }
}

/// To be called between offer and answer: it fills the sending half of the offered section.
async fn add_voice(connection: &dyn PeerConnection, tasks: &mut JoinSet<()>) -> Result<Voice, LinkError> {
    let voice = Voice::new(tasks);
    let added = connection.add_track(voice.track.clone()).await;
    added.map_err(|source| LinkError::WebRtc { what: "audio track", source })?;
    Ok(voice)
}

async fn set_offer(connection: &dyn PeerConnection, sdp: String) -> Result<(), LinkError> {
    let failed = |source| LinkError::WebRtc { what: "offer", source };
    let offer = RTCSessionDescription::offer(sdp).map_err(failed)?;
    connection.set_remote_description(offer).await.map_err(failed)
}

async fn send_answer(
    connection: &dyn PeerConnection,
    path: &str,
    out: &mpsc::Sender<Signal>,
) -> Result<ExtensionIds, LinkError> {
    let failed = |source| LinkError::WebRtc { what: "answer", source };
    let answer = connection.create_answer(None).await.map_err(failed)?;
    let sdp = answer.sdp.clone();
    let ids = peer::answered_extensions(&sdp);
    connection.set_local_description(answer).await.map_err(failed)?;
    let _ = out.send(Signal::Answer { session: path.to_owned(), sdp, vouched: None }).await;
    Ok(ids)
}
