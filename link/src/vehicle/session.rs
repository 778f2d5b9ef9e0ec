//! One session of the vehicle with one seat.

use super::Shared;
use super::inbox::{FromSeat, FromSeatBody};
use crate::peer::{
    self, ChannelEnd, Early, Incoming, PeerConfig, PeerEvent, RemoteCandidates, candidate_signal, check_vouched,
    is_keyframe_request, open_channel, watch_channel,
};
use crate::video::EncodedFrame;
use crate::{COMMAND_CHANNEL, EVENTS_CHANNEL, LinkError, MAX_INPUTS, REQUESTS_CHANNEL, STATE_CHANNEL, rtp};
use bytes::{Bytes, BytesMut};
use prost::Message;
use protocol::signalling::Signal;
use protocol::{Failure, v1};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState, RTCSessionDescription};

/// Frames waiting for a session's packetizer: at 30 frames/s a tenth of a second.
const FRAMES: usize = 3;
const EVENTS: usize = 256;
/// Malformed messages of one session told in full; of more, every hundredth.
const MALFORMED_TOLD: u64 = 20;
const KEYFRAME_EVERY_US: u64 = 200_000;
/// From the call to an open data channel.
const SETUP: Duration = Duration::from_secs(15);

/// What a session starts with.
pub(super) struct SessionInputs {
    pub(super) id: String,
    pub(super) seat: String,
    pub(super) watch_only: bool,
    pub(super) shared: Arc<Shared>,
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) peer: PeerConfig,
    pub(super) ended: mpsc::Sender<String>,
}

/// The switchboard's handle of a session. Nothing here blocks.
pub(super) struct Session {
    pub(super) seat: String,
    context: Arc<Context>,
    signals: mpsc::Sender<Signal>,
    states: watch::Sender<Bytes>,
    events: mpsc::Sender<v1::VehicleEvent>,
    frames: mpsc::Sender<EncodedFrame>,
    /// Frames are held back until a keyframe.
    waiting: bool,
}

impl Session {
    pub(super) fn start(inputs: SessionInputs) -> Self {
        let (signals, signals_rx) = mpsc::channel(128);
        let (states, states_rx) = watch::channel(Bytes::new());
        let (events, events_rx) = mpsc::channel(EVENTS);
        let (frames, frames_rx) = mpsc::channel(FRAMES);
        let seat = inputs.seat.clone();
        let context = Arc::new(Context {
            id: inputs.id,
            seat: inputs.seat,
            watch_only: inputs.watch_only,
            shared: inputs.shared,
            ping: Mutex::new(None),
            answers: events.clone(),
            malformed: AtomicU64::new(0),
            media_up: AtomicBool::new(false),
            keyframe_asked_us: AtomicU64::new(0),
            playout_delay: AtomicU8::new(0),
        });
        context.shared.stats.add(&context.id, context.watch_only, context.shared.max_bps);
        let queues = Queues { signals: signals_rx, states: states_rx, events: events_rx, frames: frames_rx };
        tokio::spawn(run(context.clone(), queues, inputs.peer, inputs.signals, inputs.ended));
        Self { seat, context, signals, states, events, frames, waiting: true }
    }

    pub(super) fn on_signal(&self, signal: Signal) {
        let _ = self.signals.try_send(signal);
    }

    pub(super) fn end(&self, reason: &str) {
        self.on_signal(Signal::Bye { session: self.context.id.clone(), reason: reason.to_owned(), code: None });
    }

    pub(super) fn send_state(&self, state: &Bytes) {
        self.states.send_replace(state.clone());
    }

    pub(super) fn send_event(&self, event: &v1::VehicleEvent) {
        if self.events.try_send(event.clone()).is_err() {
            tracing::warn!(session = %self.context.id, "event for the seat dropped: its channel is stuck");
        }
    }

    pub(super) fn send_frame(&mut self, frame: &EncodedFrame, gap: bool) {
        self.waiting |= gap;
        // Before the transport is up a frame would be lost, and with it the keyframe that the rest needs.
        if !self.context.media_up.load(Ordering::Relaxed) || (self.waiting && !frame.keyframe) {
            return;
        }
        self.waiting = self.frames.try_send(frame.clone()).is_err();
        if self.waiting {
            self.context.shared.stats.frame_dropped();
            self.context.keyframe_wanted();
        }
    }
}

struct Queues {
    signals: mpsc::Receiver<Signal>,
    states: watch::Receiver<Bytes>,
    events: mpsc::Receiver<v1::VehicleEvent>,
    frames: mpsc::Receiver<EncodedFrame>,
}

/// What all tasks of a session know.
struct Context {
    id: String,
    seat: String,
    watch_only: bool,
    shared: Arc<Shared>,
    /// Newest clock ping and when it came; answered with the next state.
    ping: Mutex<Option<(v1::ClockPing, u64)>>,
    answers: mpsc::Sender<v1::VehicleEvent>,
    malformed: AtomicU64,
    media_up: AtomicBool,
    /// When a keyframe was last asked for, plus 1; 0 for never.
    keyframe_asked_us: AtomicU64,
    /// Negotiated id of the playout delay extension, 0 for none.
    playout_delay: AtomicU8,
}

impl Context {
    fn tell(&self, body: FromSeatBody) {
        self.shared.inbox.put(FromSeat {
            session: self.id.clone(),
            seat_id: self.seat.clone(),
            watch_only: self.watch_only,
            received_us: self.shared.now_us(),
            body,
        });
    }

    fn malformed(&self, what: String) {
        self.shared.stats.count_malformed();
        // A seat that sends nothing else must not crowd out the others.
        let before = self.malformed.fetch_add(1, Ordering::Relaxed);
        if before < MALFORMED_TOLD || before.is_multiple_of(100) {
            self.tell(FromSeatBody::Malformed(what));
        }
    }

    /// A keyframe is on its way already when one was asked for a moment ago.
    fn keyframe_wanted(&self) {
        let now = self.shared.now_us() + 1;
        let asked = self.keyframe_asked_us.load(Ordering::Relaxed);
        if asked == 0 || now.saturating_sub(asked) >= KEYFRAME_EVERY_US {
            self.keyframe_asked_us.store(now, Ordering::Relaxed);
            self.tell(FromSeatBody::KeyframeWanted);
        }
    }

    fn on_message(&self, message: &Incoming) {
        let label = &*message.label;
        let Some(data) = &message.data else {
            return self.malformed(format!("text or an oversized message on channel {label:?}"));
        };
        match label {
            COMMAND_CHANNEL => match v1::CommandDatagram::decode(data.clone()) {
                Ok(command) if command.inputs.len() <= MAX_INPUTS => self.on_command(command),
                Ok(command) => self.malformed(format!("{} inputs in one datagram", command.inputs.len())),
                Err(error) => self.malformed(format!("{} bytes on channel {label:?}: {error}", data.len())),
            },
            REQUESTS_CHANNEL => match v1::SeatRequest::decode(data.clone()) {
                Ok(request) if request.request.is_some() => self.on_request(request),
                Ok(request) => self.malformed(format!("request {} asks for nothing", request.id)),
                Err(error) => self.malformed(format!("{} bytes on channel {label:?}: {error}", data.len())),
            },
            _ => {
                self.malformed(format!(
                    "{} bytes on channel {label:?}, which is not the seat's to send on",
                    data.len()
                ));
            }
        }
    }

    fn on_command(&self, mut command: v1::CommandDatagram) {
        if let Some(ping) = command.ping.take() {
            *self.ping.lock().unwrap_or_else(PoisonError::into_inner) = Some((ping, self.shared.now_us()));
        }
        if let Some(report) = &command.report {
            self.shared.stats.on_seat_report(&self.id, report);
            if report.keyframe_wanted {
                self.keyframe_wanted();
            }
        }
        if self.watch_only && !command.inputs.is_empty() {
            command.inputs.clear();
            self.shared.stats.refuse();
        }
        if !command.inputs.is_empty() || command.report.is_some() {
            command.seat_id.clone_from(&self.seat);
            self.tell(FromSeatBody::Command(command));
        }
    }

    fn on_request(&self, mut request: v1::SeatRequest) {
        // Whoever sees the picture may stop the vehicle.
        let estop = matches!(request.request, Some(v1::seat_request::Request::Estop(_)));
        if self.watch_only && !estop {
            self.shared.stats.refuse();
            let response = v1::SeatResponse {
                id: request.id,
                accepted: false,
                reason: v1::Reason::NotAuthenticated.into(),
                authority: None,
            };
            let event = v1::VehicleEvent { event: Some(v1::vehicle_event::Event::Response(response)) };
            let _ = self.answers.try_send(event);
            return;
        }
        request.seat_id.clone_from(&self.seat);
        self.tell(FromSeatBody::Request(request));
    }

    fn pong(&self) -> Option<v1::ClockPong> {
        let (ping, t2_us) = self.ping.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(v1::ClockPong { t1_us: ping.t1_us, t2_us, t3_us: self.shared.now_us() })
    }
}

async fn run(
    context: Arc<Context>,
    queues: Queues,
    peer: PeerConfig,
    signals: mpsc::Sender<Signal>,
    ended: mpsc::Sender<String>,
) {
    let mut connected = false;
    let mut code = None;
    let reason = match serve(&context, queues, &peer, &signals, &mut connected, &mut code).await {
        Ok(reason) => reason,
        Err(error) => {
            code = Some(Failure::NegotiationFailed);
            error.to_string()
        }
    };
    tracing::info!(session = %context.id, seat = %context.seat, %reason, "session over");
    let _ = signals.try_send(Signal::Bye { session: context.id.clone(), reason: reason.clone(), code });
    if connected {
        context.tell(FromSeatBody::Disconnected { reason });
    }
    let _ = ended.send(context.id.clone()).await;
}

/// Runs the session from offer to end; returns why it ended.
async fn serve(
    context: &Arc<Context>,
    queues: Queues,
    config: &PeerConfig,
    out: &mpsc::Sender<Signal>,
    connected: &mut bool,
    code: &mut Option<Failure>,
) -> Result<String, LinkError> {
    let (peer_tx, mut peer_rx) = mpsc::channel(256);
    let connection = peer::build(peer_tx, config).await?;
    let mut tasks = JoinSet::new();
    let Queues { mut signals, states, events, frames } = queues;
    let (opened_tx, mut opened) = mpsc::channel(1);
    let (incoming_tx, mut incoming) = mpsc::channel(64);
    let offer =
        offer(context, &*connection, incoming_tx.clone(), (states, events, frames), opened_tx, &mut tasks).await?;
    let _ = out.send(Signal::Offer { session: context.id.clone(), sdp: offer, vouched: None }).await;

    let deadline = Instant::now() + SETUP;
    let mut candidates = RemoteCandidates::default();
    let mut early = Early::default();
    let reason = loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Answer { sdp, vouched, .. }) => {
                    if let Err(failure) = check_vouched(&sdp, vouched.as_deref()) {
                        *code = Some(failure);
                        break format!("{failure}: the seat's certificate is not the one vouched for");
                    }
                    let answer = RTCSessionDescription::answer(sdp)
                        .map_err(|source| LinkError::WebRtc { what: "answer", source })?;
                    connection
                        .set_remote_description(answer)
                        .await
                        .map_err(|source| LinkError::WebRtc { what: "answer", source })?;
                    candidates.remote_description_is_set(&*connection).await;
                    let id = peer::playout_delay_id(&*connection).await.unwrap_or(0);
                    context.playout_delay.store(id, Ordering::Relaxed);
                }
                Some(Signal::Candidate { candidate, sdp_mline_index, .. }) => {
                    candidates.add(&*connection, candidate, sdp_mline_index).await;
                }
                Some(Signal::Bye { reason, .. }) => break reason,
                Some(Signal::Error { message, .. }) if !*connected => break message,
                Some(_) => {}
                None => {
                    *code = Some(Failure::VehicleStopping);
                    break "the vehicle is shutting down".to_owned();
                }
            },
            event = peer_rx.recv() => match event {
                Some(PeerEvent::Candidate(candidate)) => {
                    if let Some(signal) = candidate_signal(&context.id, candidate) {
                        let _ = out.try_send(signal);
                    }
                }
                Some(PeerEvent::Channel(channel)) => watch_channel(channel, incoming_tx.clone(), &mut tasks),
                // Pictures need not wait for the data channels, which open up to half a second later.
                Some(PeerEvent::State(RTCPeerConnectionState::Connected)) => {
                    if !context.media_up.swap(true, Ordering::Relaxed) {
                        context.keyframe_wanted();
                    }
                }
                Some(PeerEvent::State(RTCPeerConnectionState::Failed)) => {
                    *code = Some(if *connected { Failure::PathLost } else { Failure::IceFailedNoPath });
                    break "the path to the seat is dead".to_owned();
                }
                Some(PeerEvent::State(RTCPeerConnectionState::Closed)) => break "the seat closed the connection".to_owned(),
                Some(PeerEvent::State(_) | PeerEvent::Track(_)) => {}
                None => break "the connection is gone".to_owned(),
            },
            Some(message) = incoming.recv() => match *connected {
                true => context.on_message(&message),
                false => early.keep(message),
            },
            Some(open) = opened.recv() => {
                if !open {
                    break "the seat closed its channel".to_owned();
                }
                *connected = true;
                context.tell(FromSeatBody::Connected);
                early.take().iter().for_each(|message| context.on_message(message));
                            }
            () = sleep_until(deadline), if !*connected => {
                *code = Some(Failure::IceFailedNoPath);
                break format!("no connection within {SETUP:?}");
            }
        }
    };
    tasks.abort_all();
    let _ = connection.close().await;
    Ok(reason)
}

type Outputs = (watch::Receiver<Bytes>, mpsc::Receiver<v1::VehicleEvent>, mpsc::Receiver<EncodedFrame>);

/// Sets up track and channels, starts what serves them, and returns the offer.
async fn offer(
    context: &Arc<Context>,
    connection: &dyn PeerConnection,
    incoming: mpsc::Sender<Incoming>,
    (states, events, frames): Outputs,
    opened: mpsc::Sender<bool>,
    tasks: &mut JoinSet<()>,
) -> Result<String, LinkError> {
    let failed = |what| move |source| LinkError::WebRtc { what, source };
    // Any number will do that differs between streams; the standard hasher's keys are the system's randomness.
    let ssrc = (std::hash::RandomState::new().build_hasher().finish() as u32).max(1);
    let track = peer::video_track(ssrc);
    let direction = RTCRtpTransceiverDirection::Sendonly;
    let init = RTCRtpTransceiverInit { direction, ..Default::default() };
    connection.add_transceiver_from_track(track.clone(), Some(init)).await.map_err(failed("video track"))?;
    let state = open_channel(connection, STATE_CHANNEL, false, incoming.clone(), tasks).await?;
    let reliable = open_channel(connection, EVENTS_CHANNEL, true, incoming, tasks).await?;
    let offer = connection.create_offer(None).await.map_err(failed("offer"))?;
    let sdp = offer.sdp.clone();
    connection.set_local_description(offer).await.map_err(failed("offer"))?;
    tasks.spawn(send_states(context.clone(), state, states));
    tasks.spawn(send_events(context.clone(), reliable, events, opened));
    tasks.spawn(send_frames(context.clone(), track.clone(), ssrc, frames));
    tasks.spawn(read_rtcp(context.clone(), track));
    Ok(sdp)
}

async fn send_states(context: Arc<Context>, mut channel: ChannelEnd, mut states: watch::Receiver<Bytes>) {
    if !channel.opened().await {
        return;
    }
    // Only the newest is worth sending; what came in between is skipped.
    while states.changed().await.is_ok() {
        let mut datagram = BytesMut::from(&states.borrow_and_update()[..]);
        if let Some(pong) = context.pong() {
            datagram.extend(v1::StateDatagram { pong: Some(pong), ..Default::default() }.encode_to_vec());
        }
        channel.send_datagram(&datagram).await;
    }
}

async fn send_events(
    context: Arc<Context>,
    mut channel: ChannelEnd,
    mut events: mpsc::Receiver<v1::VehicleEvent>,
    opened: mpsc::Sender<bool>,
) {
    if channel.opened().await {
        let hello = v1::vehicle_event::Event::Hello(context.shared.hello.clone());
        channel.send_reliably(&v1::VehicleEvent { event: Some(hello) }.encode_to_vec()).await;
        let _ = opened.send(true).await;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => {
                        channel.send_reliably(&event.encode_to_vec()).await;
                    }
                    None => return,
                },
                _ = channel.life.recv() => break,
            }
        }
    }
    let _ = opened.send(false).await;
}

async fn send_frames(
    context: Arc<Context>,
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    mut frames: mpsc::Receiver<EncodedFrame>,
) {
    let mut sequence_number = ssrc as u16;
    while let Some(frame) = frames.recv().await {
        let payloads = rtp::packetize(&frame.data);
        let count = payloads.len();
        let playout_delay = context.playout_delay.load(Ordering::Relaxed);
        for (i, payload) in payloads.into_iter().enumerate() {
            let mut header = rtc::rtp::header::Header {
                version: 2,
                marker: i + 1 == count,
                payload_type: peer::PAYLOAD_TYPE,
                sequence_number,
                timestamp: rtp::rtp_timestamp(frame.capture_us),
                ssrc,
                ..Default::default()
            };
            if playout_delay != 0 {
                // Minimum and maximum 0 in 12 bits each: show at once.
                let _ = header.set_extension(playout_delay, Bytes::from_static(&[0; 3]));
            }
            sequence_number = sequence_number.wrapping_add(1);
            if track.write_rtp(rtc::rtp::packet::Packet { header, payload }).await.is_err() {
                return;
            }
        }
        context.shared.stats.frame_sent(context.shared.now_us(), frame.data.len(), frame.keyframe);
    }
}

async fn read_rtcp(context: Arc<Context>, track: Arc<TrackLocalStaticRTP>) {
    while let Some(event) = track.poll().await {
        let TrackLocalEvent::OnRtcpPacket(packets) = event else { continue };
        for packet in &packets {
            if is_keyframe_request(packet.as_ref()) {
                context.keyframe_wanted();
            }
            if let Some(report) = packet.as_any().downcast_ref::<ReceiverReport>() {
                let lost = report.reports.iter().map(|r| r.fraction_lost).max();
                if let Some(lost) = lost {
                    let now = context.shared.now_us();
                    context.shared.stats.on_receiver_report(&context.id, now, f64::from(lost) / 256.0);
                }
            }
        }
    }
}
