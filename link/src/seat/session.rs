//! One session of the seat with its vehicle.

use super::decode::DecodeThread;
use super::mailbox::FromVehicle;
use super::{Shared, lock, note, video};
use crate::peer::{
    self, ChannelEnd, Early, Incoming, PeerEvent, RemoteCandidates, candidate_signal, open_channel, watch_channel,
};
use crate::signalling::{SignalEvent, Signalling};
use crate::{COMMAND_CHANNEL, EVENTS_CHANNEL, LinkError, REQUESTS_CHANNEL, STATE_CHANNEL};
use prost::Message;
use protocol::signalling::Signal;
use protocol::{ClockEstimator, v1};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState, RTCSessionDescription};

/// From the offer to open channels.
const SETUP: Duration = Duration::from_secs(10);
/// A vehicle sends its state many times a second; silence this long means a dead path or a dead vehicle.
const SILENCE: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_millis(200);
/// Pings from one report to the next.
const REPORT_EVERY: u32 = 5;

/// What the person sends, and where pictures go.
pub(super) struct Queues {
    pub(super) commands: mpsc::Receiver<v1::CommandDatagram>,
    pub(super) requests: mpsc::Receiver<v1::SeatRequest>,
    pub(super) decoder: Option<DecodeThread>,
}

impl Queues {
    /// Throws away what is sent while there is no session; false when the link was dropped.
    pub(super) async fn discard(&mut self) -> bool {
        tokio::select! {
            command = self.commands.recv() => command.is_some(),
            request = self.requests.recv() => request.is_some(),
        }
    }
}

/// How a session ended.
pub(super) struct Ended {
    /// `None` when the link was dropped.
    pub(super) reason: Option<String>,
    pub(super) connected: bool,
}

pub(super) async fn run(
    shared: &Arc<Shared>,
    session: &str,
    offer: String,
    signalling: &mut Signalling,
    queues: &mut Queues,
    up: &mut bool,
) -> Ended {
    // A vehicle that was restarted has another clock.
    *lock(&shared.clock) = ClockEstimator::new();
    let mut connected = false;
    let decoder = queues.decoder.take().map(Arc::new);
    let mut tasks = JoinSet::new();
    let reason = match answer(session, offer, signalling, &mut tasks).await {
        Ok(mut peer) => {
            let ends = Ends { signalling, queues, up, decoder: decoder.clone() };
            let reason = serve(shared, session, &mut peer, ends, &mut tasks, &mut connected).await;
            let _ = peer.connection.close().await;
            reason
        }
        Err(error) => Some(error.to_string()),
    };
    // The decoder outlives the session: nobody else holds it once the tasks are gone.
    tasks.shutdown().await;
    queues.decoder = decoder.and_then(Arc::into_inner);
    Ended { reason, connected }
}

struct Peer {
    connection: Arc<dyn PeerConnection>,
    events: mpsc::Receiver<PeerEvent>,
    command: ChannelEnd,
    requests: ChannelEnd,
    incoming_tx: mpsc::Sender<Incoming>,
    incoming: mpsc::Receiver<Incoming>,
    candidates: RemoteCandidates,
}

struct Ends<'a> {
    signalling: &'a mut Signalling,
    queues: &'a mut Queues,
    up: &'a mut bool,
    decoder: Option<Arc<DecodeThread>>,
}

async fn answer(
    session: &str,
    offer: String,
    signalling: &Signalling,
    tasks: &mut JoinSet<()>,
) -> Result<Peer, LinkError> {
    let failed = |what| move |source| LinkError::WebRtc { what, source };
    let (events_tx, events) = mpsc::channel(256);
    let connection = peer::build(events_tx, &signalling.peer_config()).await?;
    let (incoming_tx, incoming) = mpsc::channel(64);
    let offer = RTCSessionDescription::offer(offer).map_err(failed("offer"))?;
    connection.set_remote_description(offer).await.map_err(failed("offer"))?;
    let command = open_channel(&*connection, COMMAND_CHANNEL, false, incoming_tx.clone(), tasks).await?;
    let requests = open_channel(&*connection, REQUESTS_CHANNEL, true, incoming_tx.clone(), tasks).await?;
    let answer = connection.create_answer(None).await.map_err(failed("answer"))?;
    let sdp = answer.sdp.clone();
    connection.set_local_description(answer).await.map_err(failed("answer"))?;
    let _ = signalling.outgoing.send(Signal::Answer { session: session.to_owned(), sdp, vouched: None }).await;
    let mut candidates = RemoteCandidates::default();
    candidates.remote_description_is_set(&*connection).await;
    Ok(Peer { connection, events, command, requests, incoming_tx, incoming, candidates })
}

/// Runs until something ends it; returns why, `None` when the link was dropped.
async fn serve(
    shared: &Arc<Shared>,
    session: &str,
    peer: &mut Peer,
    ends: Ends<'_>,
    tasks: &mut JoinSet<()>,
    connected: &mut bool,
) -> Option<String> {
    let Ends { signalling, queues, up, decoder } = ends;
    let started = Instant::now();
    let mut heard = started;
    let (mut command_open, mut requests_open) = (false, false);
    let mut ping = interval(PING_EVERY);
    let mut pings = 0u32;
    let mut early = Early::default();
    loop {
        tokio::select! {
            event = peer.events.recv() => match event {
                Some(PeerEvent::Candidate(candidate)) => {
                    if let Some(signal) = candidate_signal(session, candidate) {
                        let _ = signalling.outgoing.try_send(signal);
                    }
                }
                Some(PeerEvent::Track(track)) => {
                    tasks.spawn(video::receive(shared.clone(), track, decoder.clone()));
                }
                Some(PeerEvent::Channel(channel)) => watch_channel(channel, peer.incoming_tx.clone(), tasks),
                Some(PeerEvent::State(RTCPeerConnectionState::Failed)) => return Some("the path to the vehicle is dead".to_owned()),
                Some(PeerEvent::State(RTCPeerConnectionState::Closed)) => return Some("the vehicle closed the connection".to_owned()),
                Some(PeerEvent::State(_)) => {}
                None => return Some("the connection is gone".to_owned()),
            },
            event = signalling.incoming.recv() => match event {
                Some(SignalEvent::Signal(signal)) if signal.session() == Some(session) => match signal {
                    Signal::Candidate { candidate, sdp_mline_index, .. } => {
                        peer.candidates.add(&*peer.connection, candidate, sdp_mline_index).await;
                    }
                    Signal::Bye { reason, .. } => return Some(reason),
                    Signal::Error { message, .. } if !*connected => return Some(message),
                    _ => {}
                },
                Some(event) => note(&event, up),
                None => return None,
            },
            Some(message) = peer.incoming.recv() => match *connected {
                true if on_message(shared, &message) => heard = Instant::now(),
                true => {}
                false => early.keep(message),
            },
            open = peer.command.opened(), if !command_open => match open {
                true => command_open = true,
                false => return Some("the command channel could not be opened".to_owned()),
            },
            open = peer.requests.opened(), if !requests_open => match open {
                true => requests_open = true,
                false => return Some("the request channel could not be opened".to_owned()),
            },
            command = queues.commands.recv() => {
                let mut command = command?;
                if command_open {
                    command.seat_id = shared.seat.to_string();
                    peer.command.send_datagram(&command.encode_to_vec()).await;
                }
            }
            request = queues.requests.recv() => {
                let mut request = request?;
                if requests_open {
                    request.seat_id = shared.seat.to_string();
                    // Not blocking: a stuck channel is full of requests nobody answers, and the session ends soon.
                    peer.requests.send_datagram(&request.encode_to_vec()).await;
                }
            }
            _ = ping.tick() => {
                if command_open {
                    pings += 1;
                    let report = pings.is_multiple_of(REPORT_EVERY).then(|| shared.report());
                    send_ping(shared, &peer.command, report).await;
                }
                if !*connected && started.elapsed() > SETUP {
                    return Some(format!("no connection within {SETUP:?}"));
                }
                if *connected && heard.elapsed() > SILENCE {
                    return Some(format!("nothing heard of the vehicle for {SILENCE:?}"));
                }
            }
        }
        if !*connected && command_open && requests_open {
            *connected = true;
            heard = Instant::now();
            shared.count(|stats| stats.sessions += 1);
            shared.mailbox.put(FromVehicle::Connected);
            for message in early.take() {
                on_message(shared, &message);
            }
        }
    }
}

async fn send_ping(shared: &Shared, channel: &ChannelEnd, report: Option<v1::SeatReport>) {
    let ping = v1::ClockPing { t1_us: shared.now_us() };
    let command =
        v1::CommandDatagram { seat_id: shared.seat.to_string(), inputs: Vec::new(), ping: Some(ping), report };
    channel.send_datagram(&command.encode_to_vec()).await;
}

/// Hands a message on; true for a state.
fn on_message(shared: &Shared, message: &Incoming) -> bool {
    let received_us = shared.now_us();
    match (&*message.label, &message.data) {
        (STATE_CHANNEL, Some(data)) => {
            if let Ok(state) = v1::StateDatagram::decode(data.clone()) {
                if let Some(pong) = &state.pong {
                    lock(&shared.clock).add(pong.t1_us, pong.t2_us, pong.t3_us, received_us);
                }
                shared.mailbox.put(FromVehicle::State(Box::new(state)));
                return true;
            }
        }
        (EVENTS_CHANNEL, Some(data)) => {
            if let Ok(event) = v1::VehicleEvent::decode(data.clone()) {
                shared.mailbox.put(FromVehicle::Event(event));
                return false;
            }
        }
        _ => {}
    }
    shared.count(|stats| stats.malformed += 1);
    false
}
