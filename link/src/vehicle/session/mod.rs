//! One session of the vehicle with one seat.

mod context;
mod leg;
mod media;
mod offer;
mod voice;

use super::Shared;
use super::inbox::FromSeatBody;
use crate::LinkError;
use crate::audio::AudioPacket;
use crate::paths::local_addresses;
use crate::peer::{
    Early, Incoming, PeerConfig, PeerEvent, RemoteCandidates, candidate_signal, check_vouched, watch_channel,
};
use bytes::Bytes;
use context::Context;
use leg::LegHandle;
use media::Input;
use offer::{Made, Outputs, PathLife};
use protocol::signalling::Signal;
use protocol::{Failure, v1};
use rtc::peer_connection::configuration::RTCOfferOptions;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use video::EncodedFrame;
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState, RTCSessionDescription};

/// Frames waiting for a session's media task, a camera: at 30 frames/s a tenth of a second.
const FRAMES: usize = 3;
const EVENTS: usize = 256;
/// Audio packets waiting for it: 160 ms.
const AUDIO: usize = 8;
/// From the call to an open data channel.
const SETUP: Duration = Duration::from_secs(15);
/// A seat is heard many times a second; silence this long means a dead path or a dead seat.
const SILENCE_US: u64 = 2_000_000;
/// A path that stays dead longer is given up; until then the session goes on where it was as soon as the path does.
const GIVE_UP_US: u64 = 30_000_000;
/// Between two offers with new candidates.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// What a session starts with.
pub(super) struct SessionInputs {
    pub(super) id: String,
    pub(super) seat: String,
    pub(super) watch_only: bool,
    pub(super) features: Vec<String>,
    pub(super) shared: Arc<Shared>,
    pub(super) signals: mpsc::Sender<Signal>,
    pub(super) peer: PeerConfig,
    pub(super) notes: mpsc::Sender<Note>,
}

/// What a session tells the switchboard.
pub(super) enum Note {
    /// The session can be used; another one of the same seat is over.
    Connected(String),
    Ended(String),
    /// A further path of a session is over: the session's and the path's own name.
    PathEnded {
        session: String,
        path: String,
    },
}

/// The switchboard's handle of a session. Nothing here blocks.
pub(super) struct Session {
    pub(super) seat: String,
    context: Arc<Context>,
    signals: mpsc::Sender<Signal>,
    states: watch::Sender<Bytes>,
    scans: watch::Sender<Arc<Vec<Bytes>>>,
    events: mpsc::Sender<v1::VehicleEvent>,
    frames: mpsc::Sender<EncodedFrame>,
    /// Messages of the seat over further paths, to the session's task.
    from_legs: mpsc::Sender<Incoming>,
    legs: Vec<LegHandle>,
    /// Certificates that the seat's answer announced.
    pub(super) fingerprints: Option<Vec<String>>,
    events_sent: u64,
    audio: mpsc::Sender<AudioPacket>,
    /// Cameras whose frames are held back until one that can be decoded without those before.
    waiting: Vec<bool>,
}

impl Session {
    pub(super) fn start(inputs: SessionInputs) -> Self {
        let cameras = inputs.shared.cameras.specs().len();
        let (signals, signals_rx) = mpsc::channel(128);
        let (states, states_rx) = watch::channel(Bytes::new());
        let (scans, scans_rx) = watch::channel(Arc::default());
        let (events, events_rx) = mpsc::channel(EVENTS);
        let (frames, frames_rx) = mpsc::channel(FRAMES * cameras.max(1));
        let (audio, audio_rx) = mpsc::channel(AUDIO);
        let SessionInputs { id, seat, watch_only, features, shared, signals: out, peer, notes } = inputs;
        let (media, inputs) = mpsc::channel(256);
        let (from_legs, from_legs_rx) = mpsc::channel(64);
        let context = Arc::new(Context::new((id, seat.clone()), watch_only, features, shared, events.clone(), media));
        context.shared.stats.add(&context.id, context.watch_only);
        let outputs = Outputs { states: states_rx, scans: scans_rx, events: events_rx };
        let streams = Streams { outputs, frames: frames_rx, audio: audio_rx, inputs, from_legs: from_legs_rx };
        tokio::spawn(run(context.clone(), signals_rx, streams, peer, Ways { out, notes }));
        let waiting = vec![true; cameras];
        Self {
            seat,
            context,
            signals,
            states,
            scans,
            events,
            frames,
            audio,
            from_legs,
            legs: Vec::new(),
            fingerprints: None,
            events_sent: 0,
            waiting,
        }
    }

    /// Takes a further path into the session.
    pub(super) fn add_path(&mut self, id: String, index: usize, peer: PeerConfig, ways: Ways) {
        let inputs = leg::LegInputs {
            id,
            index,
            context: self.context.clone(),
            peer,
            ways,
            states: self.states.subscribe(),
            scans: self.scans.subscribe(),
            to_session: self.from_legs.clone(),
        };
        self.legs.push(leg::start(inputs));
    }

    /// How many further paths there are.
    pub(super) fn further_paths(&self) -> usize {
        self.legs.len()
    }

    pub(super) fn has_path(&self, id: &str) -> bool {
        self.legs.iter().any(|leg| leg.id == id)
    }

    pub(super) fn on_path_signal(&self, id: &str, signal: Signal) {
        if let Some(leg) = self.legs.iter().find(|leg| leg.id == id) {
            let _ = leg.signals.try_send(signal);
        }
    }

    pub(super) fn forget_path(&mut self, id: &str) {
        self.legs.retain(|leg| leg.id != id);
    }

    /// Nothing has been heard of its seat for a while.
    pub(super) fn is_silent(&self) -> bool {
        self.context.silent_us() > SILENCE_US
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

    pub(super) fn send_scan(&self, scan: &Arc<Vec<Bytes>>) {
        self.scans.send_replace(scan.clone());
    }

    pub(super) fn send_event(&mut self, event: &v1::VehicleEvent) {
        self.events_sent += 1;
        let event = v1::VehicleEvent { link_sequence: self.events_sent, ..event.clone() };
        let over_others = self.legs.iter().filter(|leg| leg.events.try_send(event.clone()).is_ok()).count();
        if self.events.try_send(event).is_err() && over_others == 0 {
            tracing::warn!(session = %self.context.id, "event for the seat dropped: its channel is stuck");
        }
    }

    pub(super) fn send_audio(&self, packet: &AudioPacket) {
        // A session that does not keep up loses it: old sound is worth nothing.
        let _ = self.audio.try_send(packet.clone());
    }

    pub(super) fn send_frame(&mut self, frame: &EncodedFrame, gap: bool) {
        let camera = usize::from(frame.camera);
        let Some(waiting) = self.waiting.get_mut(camera) else { return };
        *waiting |= gap;
        // Before the transport is up a frame would be lost, and with it the keyframe that the rest needs.
        if !self.context.media_up.load(Ordering::Relaxed) || (*waiting && !frame.keyframe) {
            return;
        }
        *waiting = self.frames.try_send(frame.clone()).is_err();
        if *waiting {
            self.context.shared.stats.frame_dropped();
            self.context.shared.cameras.want_keyframe(&self.context.id, camera);
        }
    }
}

/// Whom a session talks to besides its seat.
pub(super) struct Ways {
    /// The other side, by signalling.
    pub(super) out: mpsc::Sender<Signal>,
    /// The switchboard.
    pub(super) notes: mpsc::Sender<Note>,
}

/// What flows through a session.
struct Streams {
    outputs: Outputs,
    frames: mpsc::Receiver<EncodedFrame>,
    audio: mpsc::Receiver<AudioPacket>,
    inputs: mpsc::Receiver<Input>,
    from_legs: mpsc::Receiver<Incoming>,
}

async fn run(context: Arc<Context>, signals: mpsc::Receiver<Signal>, streams: Streams, peer: PeerConfig, ways: Ways) {
    let mut life = Life { connected: false, silent: false, code: None };
    let reason = match serve(&context, signals, streams, &peer, &ways, &mut life).await {
        Ok(reason) => reason,
        Err(error) => {
            life.code = Some(Failure::NegotiationFailed);
            error.to_string()
        }
    };
    tracing::info!(session = %context.id, seat = %context.seat, %reason, "session over");
    let _ = ways.out.try_send(Signal::Bye { session: context.id.clone(), reason: reason.clone(), code: life.code });
    if life.connected && !life.silent {
        context.tell(FromSeatBody::Disconnected { reason });
    }
    context.shared.cameras.forget(&context.id);
    let _ = ways.notes.send(Note::Ended(context.id.clone())).await;
}

/// How the session stands.
struct Life {
    connected: bool,
    /// Connected, but nothing is heard of the seat; the vehicle core has been told that it is gone.
    silent: bool,
    /// Why it ends, for programs.
    code: Option<Failure>,
}

/// Runs the session from offer to end; returns why it ended.
async fn serve(
    context: &Arc<Context>,
    mut signals: mpsc::Receiver<Signal>,
    streams: Streams,
    peer: &PeerConfig,
    Ways { out, notes }: &Ways,
    life: &mut Life,
) -> Result<String, LinkError> {
    let mut tasks = JoinSet::new();
    let (incoming_tx, mut incoming) = mpsc::channel(64);
    let Streams { outputs, frames, audio, inputs, mut from_legs } = streams;
    let first = PathLife::default();
    // A path that is gone while others carry the session on.
    let mut first_gone = false;
    let Made { connection, mut events, mut opened, sdp, leg } =
        offer::make(context, peer, incoming_tx.clone(), outputs, (0, &first), &mut tasks).await?;
    tasks.spawn(media::run(context.clone(), leg, (frames, audio), inputs));
    let _ = out.send(offer::signal(context, &context.id, sdp)).await;

    let addresses = local_addresses();
    let mut restarted = Instant::now();
    let deadline = Instant::now() + SETUP;
    let mut candidates = RemoteCandidates::default();
    let mut early = Early::default();
    let mut tick = interval(Duration::from_millis(200));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reason = loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Answer { sdp, vouched, .. }) => {
                    if let Err(failure) = check_vouched(&sdp, vouched.as_deref()) {
                        life.code = Some(failure);
                        break format!("{failure}: the seat's certificate is not the one vouched for");
                    }
                    on_answer(&*connection, sdp).await?;
                    candidates.remote_description_is_set(&*connection).await;
                }
                Some(Signal::Candidate { candidate, sdp_mline_index, .. }) => {
                    candidates.add(&*connection, candidate, sdp_mline_index).await;
                }
                // The seat may be heard while it hears nothing. What it asked during a blackout comes all at once after it.
                Some(Signal::Restart { .. }) if restarted.elapsed() >= RESTART_PAUSE => {
                    restarted = Instant::now();
                    // No new offer leaves the sockets that the connection was made with.
                    if !addresses.is_subset(&local_addresses()) {
                        life.code = Some(Failure::PathLost);
                        break "the vehicle's address changed; call again".to_owned();
                    }
                    let options = RTCOfferOptions { ice_restart: true };
                    candidates = RemoteCandidates::default();
                    let sdp = offer::describe(&*connection, Some(options)).await?;
                    let _ = out.send(offer::signal(context, &context.id, sdp)).await;
                }
                Some(Signal::Bye { reason, .. }) => break reason,
                Some(Signal::Error { message, .. }) if !life.connected => break message,
                Some(_) => {}
                None => {
                    life.code = Some(Failure::VehicleStopping);
                    break "the vehicle is shutting down".to_owned();
                }
            },
            event = events.recv(), if !first_gone => match event {
                Some(PeerEvent::Candidate(candidate)) => {
                    if let Some(signal) = candidate_signal(&context.id, candidate) {
                        let _ = out.try_send(signal);
                    }
                }
                Some(PeerEvent::Channel(channel)) => watch_channel(channel, incoming_tx.clone(), &mut tasks),
                // Pictures need not wait for the data channels, which open up to half a second later.
                Some(PeerEvent::State(RTCPeerConnectionState::Connected)) => {
                    first.up.store(true, Ordering::Relaxed);
                    first.heard(context);
                    if !context.media_up.swap(true, Ordering::Relaxed) {
                        let acknowledges = context.has_feature(crate::FEEDBACK_FEATURE);
                        context.shared.cameras.add(&context.id, context.watch_only, acknowledges);
                    }
                }
                Some(PeerEvent::State(RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed)) | None
                    if context.further_paths.load(Ordering::Relaxed) > 0 =>
                {
                    tracing::info!(session = %context.id, "the first path is gone, the session goes on over another");
                    first.up.store(false, Ordering::Relaxed);
                    first_gone = true;
                }
                Some(PeerEvent::State(RTCPeerConnectionState::Failed)) => {
                    life.code = Some(if life.connected { Failure::PathLost } else { Failure::IceFailedNoPath });
                    break "the path to the seat is dead".to_owned();
                }
                Some(PeerEvent::State(RTCPeerConnectionState::Closed)) => break "the seat closed the connection".to_owned(),
                Some(PeerEvent::Voice(track)) => drop(tasks.spawn(voice::hear(context.clone(), track))),
                Some(PeerEvent::State(_) | PeerEvent::Track(_)) => {}
                None => break "the connection is gone".to_owned(),
            },
            Some(message) = incoming.recv() => {
                first.heard(context);
                match life.connected {
                    true => hear(context, life, &message),
                    false => early.keep(message),
                }
            }
            Some(message) = from_legs.recv() => hear(context, life, &message),
            Some(open) = opened.recv() => {
                if !open && context.further_paths.load(Ordering::Relaxed) > 0 {
                    continue;
                }
                if !open {
                    break "the seat closed its channel".to_owned();
                }
                life.connected = true;
                let _ = notes.send(Note::Connected(context.id.clone())).await;
                context.tell(FromSeatBody::Connected);
                early.take().iter().for_each(|message| context.on_message(message));
            }
            _ = tick.tick() => {
                if first_gone && context.further_paths.load(Ordering::Relaxed) == 0 {
                    life.code = Some(Failure::PathLost);
                    break "every path to the seat is dead".to_owned();
                }
                if life.connected && !life.silent && context.silent_us() > SILENCE_US {
                    life.silent = true;
                    let reason = format!("nothing heard of the seat for {} s", SILENCE_US / 1_000_000);
                    context.tell(FromSeatBody::Disconnected { reason });
                }
                if life.silent && context.silent_us() > GIVE_UP_US {
                    life.code = Some(Failure::PathLost);
                    break format!("nothing heard of the seat for {} s", GIVE_UP_US / 1_000_000);
                }
            }
            () = sleep_until(deadline), if !life.connected => {
                life.code = Some(Failure::IceFailedNoPath);
                break format!("no connection within {SETUP:?}");
            }
        }
    };
    tasks.abort_all();
    let _ = connection.close().await;
    Ok(reason)
}

fn hear(context: &Context, life: &mut Life, message: &Incoming) {
    // A seat that comes back is announced before what it says.
    if std::mem::take(&mut life.silent) {
        context.tell(FromSeatBody::Connected);
    }
    context.on_message(message);
}

async fn on_answer(connection: &dyn PeerConnection, sdp: String) -> Result<(), LinkError> {
    let failed = |source| LinkError::WebRtc { what: "answer", source };
    let answer = RTCSessionDescription::answer(sdp).map_err(failed)?;
    connection.set_remote_description(answer).await.map_err(failed)
}
