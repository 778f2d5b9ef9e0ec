//! One session of the seat with its vehicle.

use super::lane::Lane;
use super::leg::Lanes;
use super::legs::Legs;
use super::mailbox::FromVehicle;
use super::video::{self, Stream};
use super::{Shared, decode, lock, note};
use crate::audio::AudioPacket;
use crate::lidar::ScanAssembler;
use crate::paths::Seen;
use crate::peer::{
    self, ChannelEnd, Ear, Early, ExtensionIds, Incoming, PeerEvent, PeerSetup, RemoteCandidates, Voice,
    candidate_signal, check_vouched, datagram, open_channel, watch_channel,
};
use crate::signalling::{SignalEvent, Signalling};
use crate::{
    AUDIO_FEATURE, COMMAND_CHANNEL, EVENTS_CHANNEL, FEEDBACK_FEATURE, LinkError, REQUESTS_CHANNEL, STATE_CHANNEL,
};
use bytes::Bytes;
use prost::Message;
use protocol::signalling::Signal;
use protocol::{ClockEstimator, v1};
use rtc::rtcp::raw_packet::RawPacket;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{PeerConnection, RTCPeerConnectionState, RTCSessionDescription};

/// From the offer to open channels.
const SETUP: Duration = Duration::from_secs(10);
/// A vehicle sends its state many times a second; silence this long means a dead path or a dead vehicle.
const SILENCE: Duration = Duration::from_secs(2);
/// How often a silent vehicle is asked for another path, over signalling.
const RESTART_EVERY: Duration = Duration::from_secs(2);
/// Pings and feedback; quicker while the picture stands still.
const PING_EVERY: Duration = Duration::from_millis(25);
/// An e-stop rides on all datagrams for this long after it was asked for.
const ESTOP_RIDES: Duration = Duration::from_millis(500);
/// Calm pings between which nothing else has to be said: ten a second.
const PINGS_CALM: u32 = 4;
/// Pings from one report to the next: a second.
const REPORT_EVERY: u32 = 40;

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

/// The vehicle's offer.
pub(super) struct Offer {
    pub(super) sdp: String,
    /// Names of what the vehicle understands beyond plain WebRTC.
    pub(super) features: Vec<String>,
    /// How many paths the vehicle wants.
    pub(super) paths: Option<usize>,
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
    offer: Offer,
    signalling: &mut Signalling,
    queues: &mut Queues,
    up: &mut bool,
) -> Ended {
    // A vehicle that was restarted has another clock.
    *lock(&shared.clock) = ClockEstimator::new();
    lock(&shared.wall).forget();
    shared.feedback.clear();
    let mut tasks = JoinSet::new();
    let ended = match Peer::answer(shared, session, offer, signalling, &mut tasks).await {
        Ok(mut peer) => {
            let reason = peer.serve(signalling, queues, up, &mut tasks).await;
            let _ = peer.connection.close().await;
            Ended { reason, connected: peer.connected }
        }
        Err(error) => Ended { reason: Some(error.to_string()), connected: false },
    };
    shared.count(|stats| stats.paths = 0);
    tasks.shutdown().await;
    ended
}

struct Peer {
    shared: Arc<Shared>,
    session: String,
    features: Vec<String>,
    /// How many paths the vehicle wants; `None` for one that knows nothing of paths.
    paths_wanted: Option<usize>,
    connection: Arc<dyn PeerConnection>,
    events: mpsc::Receiver<PeerEvent>,
    command: ChannelEnd,
    requests: ChannelEnd,
    incoming_tx: mpsc::Sender<Incoming>,
    incoming: mpsc::Receiver<Incoming>,
    candidates: RemoteCandidates,
    ids: ExtensionIds,
    /// The first video track's lane and the stream that it carries, for datagrams beside it.
    track: Option<(Arc<Lane>, watch::Receiver<u32>)>,
    lanes: Arc<Lanes>,
    /// Further paths, and what comes over them.
    legs: Legs,
    from_legs: mpsc::Receiver<Incoming>,
    /// The first path is gone while others carry the session on.
    first_gone: bool,
    /// What came already over another path: states and events.
    seen: (Seen, Seen),
    scans: ScanAssembler,
    /// Datagrams and requests sent.
    sent: (u64, u64),
    /// What this seat says, over the first path; `None` when the vehicle does not want to hear it.
    voice: Option<Voice>,
    /// When an e-stop was asked for last.
    estop_asked: Option<Instant>,
    command_open: bool,
    requests_open: bool,
    connected: bool,
    /// Connected, but nothing is heard: the person has been told that the link is lost.
    silent: bool,
    heard: Instant,
    /// Over the first path.
    first_heard: Instant,
    restart_asked: Instant,
    pings: u32,
}

/// What one turn of the loop says: go on, or end with a reason (`None`: the link was dropped).
type Turn = Result<(), Option<String>>;

fn over(reason: impl Into<String>) -> Turn {
    Err(Some(reason.into()))
}

impl Peer {
    async fn answer(
        shared: &Arc<Shared>,
        session: &str,
        offer: Offer,
        signalling: &Signalling,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, LinkError> {
        let (events_tx, events) = mpsc::channel(256);
        let (incoming_tx, incoming) = mpsc::channel(64);
        let (from_legs_tx, from_legs) = mpsc::channel(64);
        let setup = PeerSetup {
            config: &signalling.peer_config(),
            events: events_tx,
            datagrams: (STATE_CHANNEL, incoming_tx.clone()),
            sockets: shared.paths.sockets(0)?,
        };
        let (connection, _) = peer::build(setup).await?;
        let may_talk = !shared.options.watch_only && peer::offers_two_way_audio(&offer.sdp);
        set_offer(&*connection, offer.sdp).await?;
        let voice = if may_talk { Some(add_voice(&*connection, tasks).await?) } else { None };
        let command = open_channel(&*connection, COMMAND_CHANNEL, false, incoming_tx.clone(), tasks).await?;
        let requests = open_channel(&*connection, REQUESTS_CHANNEL, true, incoming_tx.clone(), tasks).await?;
        let ids = send_answer(&*connection, session, &signalling.outgoing).await?;
        let mut candidates = RemoteCandidates::default();
        candidates.remote_description_is_set(&*connection).await;
        tracing::debug!(?ids, features = ?offer.features, "answered");
        let (now, lanes) = (Instant::now(), Arc::<Lanes>::default());
        Ok(Self {
            shared: shared.clone(),
            session: session.to_owned(),
            features: offer.features,
            paths_wanted: offer.paths,
            connection,
            events,
            command,
            requests,
            incoming_tx,
            incoming,
            candidates,
            ids,
            track: None,
            legs: Legs::new(from_legs_tx, lanes.clone()),
            lanes,
            from_legs,
            first_gone: false,
            seen: Default::default(),
            scans: ScanAssembler::default(),
            sent: (0, 0),
            voice,
            estop_asked: None,
            command_open: false,
            requests_open: false,
            connected: false,
            silent: false,
            heard: now,
            first_heard: now,
            restart_asked: now,
            pings: 0,
        })
    }

    fn has_feature(&self, name: &str) -> bool {
        self.features.iter().any(|f| f == name)
    }

    /// Runs until something ends it; returns why, `None` when the link was dropped.
    async fn serve(
        &mut self,
        signalling: &mut Signalling,
        queues: &mut Queues,
        up: &mut bool,
        tasks: &mut JoinSet<()>,
    ) -> Option<String> {
        let shared = self.shared.clone();
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut early = Early::default();
        loop {
            let legs = self.legs.up().count() as u64;
            shared.count(|stats| stats.paths = u64::from(self.connected && !self.first_gone) + legs);
            let turn = tokio::select! {
                event = self.events.recv(), if !self.first_gone => self.on_event(event, signalling, tasks),
                event = signalling.incoming.recv() => match event {
                    Some(SignalEvent::Signal(signal)) if signal.session() == Some(&self.session) => {
                        self.on_signal(signal, signalling).await
                    }
                    Some(event) => { self.on_other_signal(&event); note(&event, up); Ok(()) }
                    None => Err(None),
                },
                Some(message) = self.from_legs.recv(), if self.connected => { self.on_leg_message(&message); Ok(()) }
                Some(message) = self.incoming.recv() => {
                    self.first_heard = Instant::now();
                    match self.connected {
                        true => self.on_message(&message),
                        false => early.keep(message),
                    }
                    Ok(())
                },
                open = self.command.opened(), if !self.command_open => match open {
                    true => { self.command_open = true; Ok(()) }
                    false => over("the command channel could not be opened"),
                },
                open = self.requests.opened(), if !self.requests_open => match open {
                    true => { self.requests_open = true; Ok(()) }
                    false => over("the request channel could not be opened"),
                },
                command = queues.commands.recv() => match command {
                    Some(command) => { self.send_datagram(command).await; Ok(()) }
                    None => Err(None),
                },
                request = queues.requests.recv() => match request {
                    Some(request) => { self.send_request(request).await; Ok(()) }
                    None => Err(None),
                },
                packet = queues.voice.recv() => match packet {
                    Some(packet) => { self.say(packet).await; Ok(()) }
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
            if !self.connected && self.command_open && self.requests_open {
                self.connected = true;
                self.heard = Instant::now();
                self.first_heard = self.heard;
                shared.count(|stats| stats.sessions += 1);
                shared.mailbox.put(FromVehicle::Connected);
                early.take().iter().for_each(|message| self.on_message(message));
            }
        }
    }

    fn on_event(&mut self, event: Option<PeerEvent>, signalling: &Signalling, tasks: &mut JoinSet<()>) -> Turn {
        match event {
            Some(PeerEvent::Candidate(candidate)) => {
                if let Some(signal) = candidate_signal(&self.session, candidate) {
                    let _ = signalling.outgoing.try_send(signal);
                }
                Ok(())
            }
            Some(PeerEvent::Track(track)) => self.on_track(track, tasks),
            Some(PeerEvent::Voice(track)) => {
                let (shared, session) = (self.shared.clone(), self.session.clone());
                let timed = self.has_feature(AUDIO_FEATURE);
                tasks.spawn(async move {
                    let ear = Ear::new(&shared.listener, &session, shared.vehicle.as_str(), timed);
                    ear.hear(track, || shared.now_us()).await;
                });
                Ok(())
            }
            Some(PeerEvent::Channel(channel)) => {
                watch_channel(channel, self.incoming_tx.clone(), tasks);
                Ok(())
            }
            Some(PeerEvent::State(RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed)) | None
                if self.legs.up().next().is_some() =>
            {
                tracing::info!(session = %self.session, "the first path is gone, the session goes on over another");
                self.first_gone = true;
                self.lanes.remove(&self.session);
                Ok(())
            }
            Some(PeerEvent::State(RTCPeerConnectionState::Failed)) => over("the path to the vehicle is dead"),
            Some(PeerEvent::State(RTCPeerConnectionState::Closed)) => over("the vehicle closed the connection"),
            Some(PeerEvent::State(_)) => Ok(()),
            None => over("the connection is gone"),
        }
    }

    fn on_track(&mut self, track: Arc<dyn TrackRemote>, tasks: &mut JoinSet<()>) -> Turn {
        let (ssrc, ssrc_rx) = watch::channel(0);
        let (lane, others) = Lane::new();
        lane.add(&self.session, track.clone());
        if self.track.is_none() {
            self.track = Some((lane.clone(), ssrc_rx));
        }
        let lanes = self.lanes.clone();
        let (shared, ids, feedback) = (self.shared.clone(), self.ids, self.has_feature(FEEDBACK_FEATURE));
        tasks.spawn(async move {
            let camera = peer::camera_of(&track.track_id().await).min(crate::MAX_CAMERAS - 1);
            lanes.set(camera, lane.clone());
            let decoder = match shared.options.decode.then(|| decode::start(&shared, camera)).transpose() {
                Ok(decoder) => decoder,
                Err(error) => return tracing::error!(%error, camera, "pictures of a camera cannot be decoded"),
            };
            video::receive(Stream { shared, camera, track, lane, decoder, ids, feedback, ssrc }, others).await;
        });
        Ok(())
    }

    async fn on_signal(&mut self, signal: Signal, signalling: &Signalling) -> Turn {
        match signal {
            Signal::Candidate { candidate, sdp_mline_index, .. } => {
                self.candidates.add(&*self.connection, candidate, sdp_mline_index).await;
                Ok(())
            }
            // Another path for the same session.
            Signal::Offer { sdp, vouched, .. } => {
                if let Err(failure) = check_vouched(&sdp, vouched.as_deref()) {
                    return over(format!("{failure}: {}", failure.advice()));
                }
                self.candidates = RemoteCandidates::default();
                let answered = async {
                    set_offer(&*self.connection, sdp).await?;
                    send_answer(&*self.connection, &self.session, &signalling.outgoing).await.map(|_| ())
                };
                answered.await.map_err(|error| Some(error.to_string()))?;
                self.candidates.remote_description_is_set(&*self.connection).await;
                Ok(())
            }
            Signal::Bye { reason, .. } => over(reason),
            Signal::Error { message, .. } if !self.connected || self.silent => over(message),
            _ => Ok(()),
        }
    }

    async fn on_tick(&mut self, signalling: &Signalling, up: bool) -> Turn {
        self.pings = self.pings.wrapping_add(1);
        let report = self.pings.is_multiple_of(REPORT_EVERY).then(|| self.shared.report());
        if report.is_some() || self.pings.is_multiple_of(PINGS_CALM) || self.shared.feedback.any_lost() {
            let ping = Some(v1::ClockPing { t1_us: self.shared.now_us() });
            self.send_datagram(v1::CommandDatagram { ping, report, ..Default::default() }).await;
        }
        if !self.connected {
            return match self.heard.elapsed() > SETUP {
                true => over(format!("no connection within {SETUP:?}")),
                false => Ok(()),
            };
        }
        if let Some(wanted) = self.paths_wanted.filter(|_| up) {
            let wanted = wanted.max(self.shared.paths.count());
            let first_quiet = (!self.first_gone).then(|| self.first_heard.elapsed());
            self.legs.keep(wanted, first_quiet, (&self.shared, &self.session, signalling));
        }
        if self.first_gone && self.legs.up().next().is_none() {
            return over("every path to the vehicle is dead");
        }
        if self.heard.elapsed() <= SILENCE {
            return Ok(());
        }
        if !self.silent {
            self.silent = true;
            let reason = format!("nothing heard of the vehicle for {SILENCE:?}");
            tracing::info!(vehicle = %self.shared.vehicle, %reason, "link lost, waiting for the path to come back");
            self.shared.mailbox.put(FromVehicle::Lost { reason });
        }
        if up && self.paths_wanted.is_none() && self.restart_asked.elapsed() >= RESTART_EVERY {
            self.restart_asked = Instant::now();
            let _ = signalling.outgoing.try_send(Signal::Restart { session: self.session.clone() });
        }
        Ok(())
    }

    fn on_other_signal(&mut self, event: &SignalEvent) {
        match event {
            SignalEvent::Signal(signal) => self.legs.on_signal(signal),
            SignalEvent::Up => self.legs.call_again(),
            SignalEvent::Down(_) => {}
        }
    }

    fn on_leg_message(&mut self, message: &Incoming) {
        // Greetings and answers to one path's own questions came over the first path.
        let unnumbered = |data| v1::VehicleEvent::decode(data).is_ok_and(|event| event.link_sequence == 0);
        let repeated = &*message.label == EVENTS_CHANNEL && message.data.clone().is_some_and(unnumbered);
        if !repeated {
            self.on_message(message);
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
        if self.has_feature(datagram::FEATURE)
            && let Some((lane, ssrc)) = &self.track
            && let Some(packet) = wrap(ssrc, &bytes)
        {
            lane.write(packet).await;
        } else if self.command_open {
            self.command.send_datagram(&bytes).await;
        }
    }

    async fn say(&mut self, packet: AudioPacket) {
        if let Some(voice) = self.voice.as_mut().filter(|_| self.connected) {
            voice.write(packet).await;
        }
    }

    async fn send_request(&mut self, mut request: v1::SeatRequest) {
        if matches!(request.request, Some(v1::seat_request::Request::Estop(_))) {
            self.estop_asked = Some(Instant::now());
            self.send_datagram(v1::CommandDatagram::default()).await;
        }
        if self.requests_open {
            request.seat_id = self.shared.seat.to_string();
            self.sent.1 += 1;
            request.link_sequence = self.sent.1;
            let bytes: Bytes = request.encode_to_vec().into();
            self.legs.send_request(&bytes);
            // Not blocking: a stuck channel is full of requests nobody answers, and the session ends soon.
            self.requests.send_datagram(&bytes).await;
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
                    self.heard = Instant::now();
                    // The vehicle is announced before what it says.
                    if std::mem::take(&mut self.silent) {
                        shared.mailbox.put(FromVehicle::Connected);
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
                    if self.seen.1.is_new(event.link_sequence) {
                        shared.mailbox.put(FromVehicle::Event(event));
                    }
                    return;
                }
            }
            _ => {}
        }
        shared.count(|stats| stats.malformed += 1);
    }
}

impl Peer {
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

/// Apart, since what borrows the stream's number must not live while something is awaited.
fn wrap(ssrc: &watch::Receiver<u32>, bytes: &[u8]) -> Option<RawPacket> {
    datagram::wrap(*ssrc.borrow(), bytes)
}

/// To be called between offer and answer: it fills the sending half of the offered section.
async fn add_voice(connection: &dyn PeerConnection, tasks: &mut JoinSet<()>) -> Result<Voice, LinkError> {
    let voice = Voice::new(tasks);
    let added = connection.add_track(voice.track.clone()).await;
    added.map_err(|source| LinkError::WebRtc { what: "audio track", source })?;
    Ok(voice)
}

pub(super) async fn set_offer(connection: &dyn PeerConnection, sdp: String) -> Result<(), LinkError> {
    let failed = |source| LinkError::WebRtc { what: "offer", source };
    let offer = RTCSessionDescription::offer(sdp).map_err(failed)?;
    connection.set_remote_description(offer).await.map_err(failed)
}

pub(super) async fn send_answer(
    connection: &dyn PeerConnection,
    session: &str,
    out: &mpsc::Sender<Signal>,
) -> Result<ExtensionIds, LinkError> {
    let failed = |source| LinkError::WebRtc { what: "answer", source };
    let answer = connection.create_answer(None).await.map_err(failed)?;
    let sdp = answer.sdp.clone();
    let ids = peer::answered_extensions(&sdp);
    connection.set_local_description(answer).await.map_err(failed)?;
    let _ = out.send(Signal::Answer { session: session.to_owned(), sdp, vouched: None }).await;
    Ok(ids)
}
