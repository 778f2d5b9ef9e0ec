//! One session of the seat with its vehicle: its paths, and what goes over all of them.

use super::mailbox::FromVehicle;
use super::media_stream::MediaStream;
use super::path::{self, Offer, PathEvent, PathHandle, PathInputs};
use super::video::{self, Stream};
use super::{Shared, decode, lock, note};
use crate::audio::AudioPacket;
use crate::lidar::ScanAssembler;
use crate::paths::Seen;
use crate::peer::{Early, ExtensionIds, Incoming, Inlet, datagram};
use crate::session::{Change, Ending, Limits, PathKey, SessionState};
use crate::signalling::{SignalEvent, Signalling};
use crate::{EVENTS_CHANNEL, FEEDBACK_FEATURE, MAX_CAMERAS, STATE_CHANNEL};
use bytes::Bytes;
use prost::Message;
use protocol::signalling::Signal;
use protocol::{ClockEstimator, v1};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use webrtc::media_stream::track_remote::TrackRemote;

const LIMITS: Limits = Limits {
    of: "the vehicle",
    // From the call to open channels.
    set_up: Duration::from_secs(15),
    // A vehicle sends its state many times a second; silence this long means a dead path or a dead vehicle.
    silence: Duration::from_secs(2),
    // The paths' own ends decide, and the person who sits there.
    give_up: None,
};
/// How often a silent vehicle that knows nothing of paths is asked for other candidates, over signalling.
const RESTART_EVERY: Duration = Duration::from_secs(2);
/// Pings and feedback; quicker while the picture stands still.
const PING_EVERY: Duration = Duration::from_millis(25);
/// An e-stop rides on all datagrams for this long after it was asked for.
const ESTOP_RIDES: Duration = Duration::from_millis(500);
/// Calm pings between which nothing else has to be said: ten a second.
const PINGS_CALM: u32 = 4;
/// Pings from one report to the next: a second.
const REPORT_EVERY: u32 = 40;
/// At the end, for the paths to say goodbye.
const CLOSING: Duration = Duration::from_millis(500);

/// What the person sends.
pub(super) struct Queues {
    pub(super) commands: mpsc::Receiver<v1::CommandDatagram>,
    pub(super) requests: mpsc::Receiver<v1::SeatRequest>,
    pub(super) voice: mpsc::Receiver<AudioPacket>,
}

impl Queues {
    /// Throws away what is sent while there is no session; false when the link was dropped.
    pub(super) async fn discard(&mut self) -> bool {
        tokio::select! {
            command = self.commands.recv() => command.is_some(),
            request = self.requests.recv() => request.is_some(),
            packet = self.voice.recv() => packet.is_some(),
        }
    }
}

/// How a session ended.
pub(super) struct Ended {
    /// `None` when the link was dropped.
    pub(super) reason: Option<String>,
    pub(super) connected: bool,
}

/// Calls the vehicle and runs the session to its end.
pub(super) async fn run(
    shared: &Arc<Shared>,
    id: &str,
    signalling: &mut Signalling,
    queues: &mut Queues,
    up: &mut bool,
) -> Ended {
    // A vehicle that was restarted has another clock.
    *lock(&shared.clock) = ClockEstimator::new();
    lock(&shared.wall).forget();
    shared.feedback.clear();
    let (to_session, events) = mpsc::channel(64);
    let (to_hear, messages) = mpsc::channel(256);
    let mut session = Session::new(shared.clone(), id.to_owned(), to_session, to_hear);
    session.call(0, signalling);
    let reason = session.serve(FromPaths { events, messages }, signalling, queues, up).await;
    let connected = session.state.is_connected();
    shared.count(|stats| stats.paths = 0);
    session.close().await;
    Ended { reason, connected }
}

/// What becomes of the paths, and what the vehicle says over them.
struct FromPaths {
    events: mpsc::Receiver<(PathKey, PathEvent)>,
    messages: mpsc::Receiver<(PathKey, Incoming)>,
}

struct Session {
    shared: Arc<Shared>,
    id: String,
    state: SessionState,
    paths: BTreeMap<PathKey, PathHandle>,
    /// What a path is made with: where it tells what becomes of it, and what the vehicle says.
    to_session: mpsc::Sender<(PathKey, PathEvent)>,
    to_hear: mpsc::Sender<(PathKey, Incoming)>,
    /// The vehicle's first offer.
    offer: Option<Offer>,
    /// By camera.
    media_streams: [Option<Arc<MediaStream>>; MAX_CAMERAS],
    early: Early,
    /// The vehicle says hello over each path; once is enough.
    greeted: bool,
    /// What came already over another path: states and events.
    seen: (Seen, Seen),
    scans: ScanAssembler,
    /// Datagrams and requests sent.
    sent: (u64, u64),
    /// When an e-stop was asked for last.
    estop_asked: Option<Instant>,
    restart_asked: Instant,
    pings: u32,
    /// Paths, which end once their handles are gone, and the cameras' receivers, which do not.
    path_tasks: JoinSet<()>,
    tasks: JoinSet<()>,
}

/// What one turn of the loop says: go on, or end with a reason (`None`: the link was dropped).
type Turn = Result<(), Option<String>>;

fn over(reason: impl Into<String>) -> Turn {
    Err(Some(reason.into()))
}

impl Session {
    fn new(
        shared: Arc<Shared>,
        id: String,
        to_session: mpsc::Sender<(PathKey, PathEvent)>,
        to_hear: mpsc::Sender<(PathKey, Incoming)>,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            id,
            state: SessionState::new(LIMITS, now),
            paths: BTreeMap::new(),
            to_session,
            to_hear,
            offer: None,
            media_streams: Default::default(),
            early: Early::default(),
            greeted: false,
            seen: Default::default(),
            scans: ScanAssembler::default(),
            sent: (0, 0),
            estop_asked: None,
            restart_asked: now,
            pings: 0,
            path_tasks: JoinSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Calls the vehicle for a path; the first one has the session's own name.
    fn call(&mut self, index: usize, signalling: &Signalling) {
        let key = self.state.add(index, Instant::now());
        let inputs = PathInputs {
            shared: self.shared.clone(),
            session: self.id.clone(),
            id: if key == 0 { self.id.clone() } else { format!("{}~{key}", self.id) },
            index,
            peer: signalling.peer_config(),
            out: signalling.outgoing.clone(),
            to_session: self.to_session.clone(),
            inlet: Inlet { path: key, to: self.to_hear.clone() },
        };
        self.paths.insert(key, path::start(inputs, &mut self.path_tasks));
    }

    /// Lets the paths say goodbye, and ends everything.
    async fn close(mut self) {
        self.paths.clear();
        let all = async { while self.path_tasks.join_next().await.is_some() {} };
        let _ = timeout(CLOSING, all).await;
    }

    fn has_feature(&self, name: &str) -> bool {
        self.offer.as_ref().is_some_and(|offer| offer.features.iter().any(|feature| feature == name))
    }

    /// Runs until something ends it; returns why, `None` when the link was dropped.
    async fn serve(
        &mut self,
        FromPaths { mut events, mut messages }: FromPaths,
        signalling: &mut Signalling,
        queues: &mut Queues,
        up: &mut bool,
    ) -> Option<String> {
        let shared = self.shared.clone();
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let paths = if self.state.is_connected() { self.state.paths_up() as u64 } else { 0 };
            shared.count(|stats| stats.paths = paths);
            let turn = tokio::select! {
                event = signalling.incoming.recv() => match event {
                    Some(event) => { note(&event, up); self.on_signal(event) }
                    None => Err(None),
                },
                Some((key, event)) = events.recv() => self.on_path(key, event),
                Some((key, message)) = messages.recv() => {
                    let change = self.state.heard(key, Instant::now());
                    // The vehicle is announced before what it says.
                    let turn = self.on_change(change);
                    match self.state.is_connected() {
                        true => self.on_message(&message),
                        false => self.early.keep(message),
                    }
                    turn
                }
                command = queues.commands.recv() => match command {
                    Some(command) => { self.send_datagram(command).await; Ok(()) }
                    None => Err(None),
                },
                request = queues.requests.recv() => match request {
                    Some(request) => { self.send_request(request).await; Ok(()) }
                    None => Err(None),
                },
                packet = queues.voice.recv() => match packet {
                    Some(packet) => { self.say(&packet); Ok(()) }
                    None => Err(None),
                },
                () = shared.feedback.urgent.notified() => {
                    self.send_datagram(v1::CommandDatagram::default()).await;
                    Ok(())
                }
                _ = ping.tick() => self.on_tick(signalling, *up).await,
            };
            if let Err(reason) = turn {
                return reason;
            }
        }
    }

    fn on_signal(&mut self, event: SignalEvent) -> Turn {
        match event {
            SignalEvent::Signal(signal) => match signal {
                Signal::Bye { session, reason, .. } if session == self.id => over(reason),
                Signal::Error { session: Some(session), message, .. }
                    if session == self.id && (!self.state.is_connected() || self.state.is_silent()) =>
                {
                    over(message)
                }
                Signal::Error { session: None, message, .. } if self.offer.is_none() => over(message),
                signal => {
                    if let Some(path) = self.paths.values().find(|path| signal.session() == Some(&path.id)) {
                        let _ = path.signals.try_send(signal.clone());
                    }
                    Ok(())
                }
            },
            // What was called for over the connection that is gone may never have left.
            SignalEvent::Up => {
                for key in self.state.call_again() {
                    self.paths.remove(&key);
                }
                Ok(())
            }
            SignalEvent::Down(reason) if self.offer.is_none() => over(format!("control plane lost: {reason}")),
            SignalEvent::Down(_) => Ok(()),
        }
    }

    fn on_path(&mut self, key: PathKey, event: PathEvent) -> Turn {
        let now = Instant::now();
        let change = match event {
            PathEvent::Offered(offer) => {
                self.offer.get_or_insert(offer);
                None
            }
            PathEvent::Up => {
                self.state.up(key, now);
                None
            }
            PathEvent::Open => self.state.open(key, now),
            PathEvent::Track { camera, track, ids } => {
                self.on_track(key, camera, track, ids);
                None
            }
            PathEvent::Over(ending) => {
                tracing::info!(session = %self.id, path = key, reason = %ending.reason, "path over");
                self.paths.remove(&key);
                self.media_streams.iter().flatten().for_each(|media_stream| media_stream.remove(key));
                self.state.over(key, ending)
            }
        };
        self.on_change(change)
    }

    fn on_change(&mut self, change: Option<Change>) -> Turn {
        match change {
            Some(Change::Connected) => {
                self.shared.count(|stats| stats.sessions += 1);
                self.shared.mailbox.put(FromVehicle::Connected);
                self.early.take().iter().for_each(|message| self.on_message(message));
            }
            Some(Change::Back) => self.shared.mailbox.put(FromVehicle::Connected),
            Some(Change::Silent(reason)) => {
                tracing::info!(vehicle = %self.shared.vehicle, %reason, "link lost, waiting for a path to come back");
                self.shared.mailbox.put(FromVehicle::Lost { reason });
            }
            Some(Change::Over(Ending { reason, .. })) => return over(reason),
            None => {}
        }
        Ok(())
    }

    fn on_track(&mut self, key: PathKey, camera: usize, track: Arc<dyn TrackRemote>, ids: ExtensionIds) {
        let feedback = self.has_feature(FEEDBACK_FEATURE);
        let media_stream = match &self.media_streams[camera] {
            Some(media_stream) => media_stream.clone(),
            None => {
                let decoder = self.shared.options.decode.then(|| decode::start(&self.shared, camera)).transpose();
                let decoder = match decoder {
                    Ok(decoder) => decoder,
                    Err(error) => return tracing::error!(%error, camera, "pictures of a camera cannot be decoded"),
                };
                let (media_stream, packets) = MediaStream::new();
                self.media_streams[camera] = Some(media_stream.clone());
                let stream = Stream {
                    shared: self.shared.clone(),
                    camera,
                    media_stream: media_stream.clone(),
                    decoder,
                    feedback,
                };
                self.tasks.spawn(video::receive(stream, packets));
                media_stream
            }
        };
        media_stream.add(key, track.clone());
        self.tasks.spawn(async move { media_stream.feed(&*track, ids).await });
    }

    async fn on_tick(&mut self, signalling: &Signalling, up: bool) -> Turn {
        self.pings = self.pings.wrapping_add(1);
        let report = self.pings.is_multiple_of(REPORT_EVERY).then(|| self.shared.report());
        if report.is_some() || self.pings.is_multiple_of(PINGS_CALM) || self.shared.feedback.any_lost() {
            let ping = Some(v1::ClockPing { t1_us: self.shared.now_us() });
            self.send_datagram(v1::CommandDatagram { ping, report, ..Default::default() }).await;
        }
        let now = Instant::now();
        let change = self.state.tick(now);
        self.on_change(change)?;
        if up && self.state.is_connected() {
            match self.offer.as_ref().and_then(|offer| offer.paths) {
                Some(wanted) => self.keep_paths(wanted.max(self.shared.paths.count()), signalling),
                None => self.ask_for_restart(signalling),
            }
        }
        Ok(())
    }

    /// Closes what is too many and calls for what is missing.
    fn keep_paths(&mut self, wanted: usize, signalling: &Signalling) {
        let now = Instant::now();
        for key in self.state.surplus(now) {
            self.forget(key);
        }
        if let Some((index, given_up)) = self.state.missing(wanted, now) {
            given_up.into_iter().for_each(|key| self.forget(key));
            self.call(index, signalling);
        }
    }

    /// Without its handle a path closes by itself; the state has forgotten it already.
    fn forget(&mut self, key: PathKey) {
        self.paths.remove(&key);
        self.media_streams.iter().flatten().for_each(|media_stream| media_stream.remove(key));
    }

    fn ask_for_restart(&mut self, signalling: &Signalling) {
        if self.state.is_silent() && self.restart_asked.elapsed() >= RESTART_EVERY {
            self.restart_asked = Instant::now();
            let _ = signalling.outgoing.try_send(Signal::Restart { session: self.id.clone() });
        }
    }

    /// Sends a datagram with what the vehicle should know anyway.
    async fn send_datagram(&mut self, mut command: v1::CommandDatagram) {
        command.seat_id = self.shared.seat.to_string();
        command.sent_us = self.shared.now_us();
        command.pictures = self.shared.feedback.message();
        command.estop |= self.estop_asked.is_some_and(|at| at.elapsed() < ESTOP_RIDES);
        self.sent.0 += 1;
        command.link_sequence = self.sent.0;
        let bytes = command.encode_to_vec();
        let media_stream = self.media_streams.iter().flatten().next().filter(|_| self.has_feature(datagram::FEATURE));
        if let Some((media_stream, packet)) =
            media_stream.and_then(|media_stream| Some((media_stream, datagram::wrap(media_stream.ssrc(), &bytes)?)))
        {
            media_stream.write(packet).await;
        } else {
            let bytes: Bytes = bytes.into();
            self.paths.values().for_each(|path| _ = path.datagrams.try_send(bytes.clone()));
        }
    }

    /// Over one path: a listener cannot tell that the voice of another is the same.
    fn say(&self, packet: &AudioPacket) {
        let path = self.state.first_alive(Instant::now()).and_then(|key| self.paths.get(&key));
        path.into_iter().for_each(|path| _ = path.voice.try_send(packet.clone()));
    }

    async fn send_request(&mut self, mut request: v1::SeatRequest) {
        if matches!(request.request, Some(v1::seat_request::Request::Estop(_))) {
            self.estop_asked = Some(Instant::now());
            self.send_datagram(v1::CommandDatagram::default()).await;
        }
        // One that is made while there is no session would come as a surprise later.
        if self.state.is_connected() {
            request.seat_id = self.shared.seat.to_string();
            self.sent.1 += 1;
            request.link_sequence = self.sent.1;
            let bytes: Bytes = request.encode_to_vec().into();
            self.paths.values().for_each(|path| _ = path.requests.try_send(bytes.clone()));
        }
    }

    fn on_message(&mut self, message: &Incoming) {
        let shared = &self.shared;
        let received_us = shared.now_us();
        match (&*message.label, &message.data) {
            (STATE_CHANNEL, Some(data)) => {
                if let Ok(state) = v1::StateDatagram::decode(data.clone()) {
                    if let Some(pong) = &state.pong {
                        lock(&shared.clock).add(pong.t1_us, pong.t2_us, pong.t3_us, received_us);
                    }
                    if let Some(told) = &state.wall_clock {
                        lock(&shared.wall).hear(*told);
                    }
                    if !state.lidar.is_empty() {
                        return self.on_lidar(&state.lidar);
                    }
                    if self.seen.0.is_new(state.link_sequence) {
                        shared.mailbox.put(FromVehicle::State(Box::new(state)));
                    }
                    return;
                }
            }
            (EVENTS_CHANNEL, Some(data)) => {
                if let Ok(event) = v1::VehicleEvent::decode(data.clone()) {
                    let hello = matches!(event.event, Some(v1::vehicle_event::Event::Hello(_)));
                    let repeated = hello && std::mem::replace(&mut self.greeted, true);
                    if !repeated && self.seen.1.is_new(event.link_sequence) {
                        shared.mailbox.put(FromVehicle::Event(event));
                    }
                    return;
                }
            }
            _ => {}
        }
        shared.count(|stats| stats.malformed += 1);
    }

    fn on_lidar(&mut self, segments: &[v1::LidarSegment]) {
        for segment in segments {
            match self.scans.push(segment) {
                Ok(Some(scan)) => {
                    self.shared.count(|stats| stats.scans += 1);
                    self.shared.mailbox.put(FromVehicle::Scan(scan));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "lidar segment");
                    self.shared.count(|stats| stats.malformed += 1);
                }
            }
        }
    }
}
