//! One session of the vehicle with one seat.

mod context;
mod media;
mod offer;
mod path;
mod voice;

use super::Shared;
use super::inbox::FromSeatBody;
use crate::audio::AudioPacket;
use crate::peer::{Early, Incoming, Inlet, PeerConfig};
use crate::session::{Change, Ending, Limits, PathKey};
use bytes::Bytes;
use context::Context;
use media::Input;
use path::{PathEvent, PathHandle, PathInputs};
use protocol::signalling::Signal;
use protocol::{Failure, v1};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use video::EncodedFrame;

/// Frames waiting for a session's media task, a camera: at 30 frames/s a tenth of a second.
const FRAMES: usize = 3;
const EVENTS: usize = 256;
/// Audio packets waiting for it: 160 ms.
const AUDIO: usize = 8;
/// From the call to open data channels; of one path, to its transport.
const SETUP: Duration = Duration::from_secs(15);
/// How often the session's state is told the time.
const TICK: Duration = Duration::from_millis(200);
const LIMITS: Limits = Limits {
    of: "the seat",
    set_up: SETUP,
    // A seat is heard many times a second; silence this long means a dead path or a dead seat.
    silence: Duration::from_secs(2),
    // Until then the session goes on where it was as soon as a path does.
    give_up: Some(Duration::from_secs(30)),
};

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

/// What a session tells the session manager.
pub(super) enum Note {
    /// The session can be used; another one of the same seat is over.
    Connected(String),
    Ended(String),
    /// A path of a session is over: the session's and the path's own name.
    PathEnded {
        session: String,
        path: String,
    },
    /// The session itself has something to say to its seat.
    Answer {
        session: String,
        event: Box<v1::VehicleEvent>,
    },
}

/// The session manager's handle of a session. Nothing here blocks.
pub(super) struct Session {
    pub(super) seat: String,
    context: Arc<Context>,
    /// For the session as a whole.
    signals: mpsc::Sender<Signal>,
    states: watch::Sender<Bytes>,
    scans: watch::Sender<Arc<Vec<Bytes>>>,
    frames: mpsc::Sender<EncodedFrame>,
    channels: Channels,
    paths: Vec<PathHandle>,
    /// Certificates that the seat's answer announced.
    pub(super) fingerprints: Option<Vec<String>>,
    events_sent: u64,
    audio: mpsc::Sender<AudioPacket>,
    /// Cameras whose frames are held back until one that can be decoded without those before.
    waiting: Vec<bool>,
}

impl Session {
    /// Starts the session and its path 0, which has the session's name.
    pub(super) fn start(inputs: SessionInputs) -> Self {
        let cameras = inputs.shared.cameras.specs().len();
        let (signals, signals_rx) = mpsc::channel(128);
        let (states, scans) = (watch::Sender::new(Bytes::new()), watch::Sender::default());
        let (frames, frames_rx) = mpsc::channel(FRAMES * cameras.max(1));
        let (audio, audio_rx) = mpsc::channel(AUDIO);
        let SessionInputs { id, seat, watch_only, features, shared, signals: out, peer, notes } = inputs;
        let (media, inputs) = mpsc::channel(256);
        let (to_session, path_events) = mpsc::channel(64);
        let (to_hear, messages) = mpsc::channel(256);
        let names = (id.clone(), seat.clone());
        let context = Arc::new(Context::new(names, watch_only, features, shared, notes.clone(), media));
        context.shared.stats.add(&context.id, context.watch_only);
        let streams =
            Streams { signals: signals_rx, frames: frames_rx, audio: audio_rx, inputs, path_events, messages };
        let mut session = Self {
            seat,
            context: context.clone(),
            signals,
            states,
            scans,
            frames,
            audio,
            channels: Channels { out: out.clone(), notes: notes.clone(), to_session, to_hear },
            paths: Vec::new(),
            fingerprints: None,
            events_sent: 0,
            waiting: vec![true; cameras],
        };
        session.add_path(id, 0, peer);
        tokio::spawn(run(context, streams, out, notes));
        session
    }

    /// Takes a path into the session.
    pub(super) fn add_path(&mut self, id: String, index: usize, peer: PeerConfig) {
        let (key, life) = self.context.add_path(index);
        let Channels { out, notes, to_session, to_hear } = &self.channels;
        self.paths.push(path::start(PathInputs {
            id,
            index,
            context: self.context.clone(),
            peer,
            out: out.clone(),
            notes: notes.clone(),
            states: self.states.subscribe(),
            scans: self.scans.subscribe(),
            to_session: to_session.clone(),
            inlet: Inlet { path: key, to: to_hear.clone() },
            life,
        }));
    }

    /// How many paths there are, those that died and are still there included.
    pub(super) fn paths(&self) -> usize {
        self.paths.len()
    }

    pub(super) fn has_path(&self, id: &str) -> bool {
        self.paths.iter().any(|path| path.id == id)
    }

    pub(super) fn forget_path(&mut self, id: &str) {
        self.paths.retain(|path| path.id != id);
    }

    /// Nothing has been heard of its seat for a while.
    pub(super) fn is_silent(&self) -> bool {
        self.context.is_silent()
    }

    /// Hands on what concerns one of the paths, or, by the session's own name, the session.
    pub(super) fn on_signal(&self, signal: Signal) {
        let Some(id) = signal.session() else { return };
        let is_about_session = id == self.context.id && matches!(signal, Signal::Bye { .. } | Signal::Error { .. });
        let path = || self.paths.iter().find(|path| path.id == id).map(|path| &path.signals);
        let queue = if is_about_session { Some(&self.signals) } else { path() };
        if let Some(queue) = queue.cloned() {
            let _ = queue.try_send(signal);
        }
    }

    pub(super) fn end(&self, reason: &str) {
        let session = self.context.id.clone();
        let _ = self.signals.try_send(Signal::Bye { session, reason: reason.to_owned(), code: None });
    }

    pub(super) fn send_state(&self, state: &Bytes) {
        self.states.send_replace(state.clone());
    }

    pub(super) fn send_scan(&self, scan: &Arc<Vec<Bytes>>) {
        self.scans.send_replace(scan.clone());
    }

    /// Sends an event over every path.
    pub(super) fn send_event(&mut self, event: &v1::VehicleEvent) {
        self.events_sent += 1;
        let event = v1::VehicleEvent { link_sequence: self.events_sent, ..event.clone() };
        if self.paths.iter().filter(|path| path.events.try_send(event.clone()).is_ok()).count() == 0 {
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

/// Whom a path talks to.
struct Channels {
    /// The other side, by signalling.
    out: mpsc::Sender<Signal>,
    /// The session manager.
    notes: mpsc::Sender<Note>,
    to_session: mpsc::Sender<(PathKey, PathEvent)>,
    to_hear: mpsc::Sender<(PathKey, Incoming)>,
}

/// What flows through a session.
struct Streams {
    signals: mpsc::Receiver<Signal>,
    frames: mpsc::Receiver<EncodedFrame>,
    audio: mpsc::Receiver<AudioPacket>,
    inputs: mpsc::Receiver<Input>,
    path_events: mpsc::Receiver<(PathKey, PathEvent)>,
    messages: mpsc::Receiver<(PathKey, Incoming)>,
}

async fn run(context: Arc<Context>, streams: Streams, out: mpsc::Sender<Signal>, notes: mpsc::Sender<Note>) {
    let Ending { reason, code } = serve(&context, streams, &notes).await;
    tracing::info!(session = %context.id, seat = %context.seat, %reason, "session over");
    let _ = out.try_send(Signal::Bye { session: context.id.clone(), reason: reason.clone(), code });
    if context.is_connected() && !context.is_silent() {
        context.tell(FromSeatBody::Disconnected { reason });
    }
    context.shared.cameras.forget(&context.id);
    let _ = notes.send(Note::Ended(context.id.clone())).await;
}

/// Runs the session to its end; returns why it ended.
async fn serve(context: &Arc<Context>, streams: Streams, notes: &mpsc::Sender<Note>) -> Ending {
    let Streams { mut signals, frames, audio, inputs, mut path_events, mut messages } = streams;
    // Ends with the session.
    let mut tasks = JoinSet::new();
    tasks.spawn(media::run(context.clone(), (frames, audio), inputs));
    let mut early = Early::default();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let change = tokio::select! {
            // Why the session ends is said before its paths end for it.
            biased;
            signal = signals.recv() => match signal {
                Some(Signal::Bye { reason, .. }) => return Ending::new(reason, None),
                Some(Signal::Error { message, .. }) if !context.is_connected() => return Ending::new(message, None),
                Some(_) => None,
                None => return Ending::new("the vehicle is shutting down", Some(Failure::VehicleStopping)),
            },
            Some((key, event)) = path_events.recv() => on_path(context, key, event).await,
            _ = tick.tick() => context.tick(),
            Some((key, message)) = messages.recv() => {
                // A seat that comes back is announced before what it says.
                let change = context.path_heard(key);
                if change == Some(Change::Back) {
                    context.tell(FromSeatBody::Connected);
                }
                match context.is_connected() {
                    true => context.on_message(&message),
                    false => early.keep(message),
                }
                None
            }
        };
        match change {
            Some(Change::Connected) => {
                let _ = notes.send(Note::Connected(context.id.clone())).await;
                context.tell(FromSeatBody::Connected);
                early.take().iter().for_each(|message| context.on_message(message));
            }
            Some(Change::Silent(reason)) => context.tell(FromSeatBody::Disconnected { reason }),
            Some(Change::Back) => context.tell(FromSeatBody::Connected),
            Some(Change::Over(ending)) => return ending,
            None => {}
        }
    }
}

async fn on_path(context: &Context, key: PathKey, event: PathEvent) -> Option<Change> {
    match event {
        PathEvent::Up(path) => {
            context.path_up(key);
            if !context.media_up.swap(true, Ordering::Relaxed) {
                let acknowledges = context.has_feature(crate::FEEDBACK_FEATURE);
                context.shared.cameras.add(&context.id, context.watch_only, acknowledges);
            }
            tracing::info!(session = %context.id, path = key, "the session goes over this path");
            let _ = context.media.send(Input::Path(path)).await;
            None
        }
        PathEvent::Open => context.path_open(key),
        PathEvent::Over(ending) => {
            tracing::info!(session = %context.id, path = key, reason = %ending.reason, "path over");
            context.path_over(key, ending)
        }
    }
}
