//! The vehicle's offer: one track a camera, its own channels, and the tasks that serve them.

use super::context::Context;
use super::media::{Input, Leg, Track};
use crate::peer::{
    self, ChannelEnd, Inlet, PeerConfig, PeerEvent, PeerSetup, Voice, datagram, is_keyframe_request, open_channel,
};
use crate::{COMMAND_CHANNEL, EVENTS_CHANNEL, LinkError, STATE_CHANNEL};
use bytes::{Bytes, BytesMut};
use prost::Message;
use protocol::signalling::Signal;
use protocol::v1;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};
use webrtc::peer_connection::PeerConnection;

/// What goes out to the seat.
pub(super) struct Outputs {
    pub(super) states: watch::Receiver<Bytes>,
    /// Newest lidar scan, as datagrams.
    pub(super) scans: watch::Receiver<Arc<Vec<Bytes>>>,
    pub(super) events: mpsc::Receiver<v1::VehicleEvent>,
}

/// How one path stands, known to all its tasks.
#[derive(Debug, Clone, Default)]
pub(super) struct PathLife {
    /// Connected, and not dead since.
    pub(super) up: Arc<AtomicBool>,
    /// When anything came over it last, on the vehicle's clock.
    pub(super) heard_us: Arc<AtomicU64>,
}

impl PathLife {
    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub(super) fn heard(&self, context: &Context) {
        self.heard_us.store(context.shared.now_us(), Ordering::Relaxed);
    }
}

/// A connection with its offer.
pub(super) struct Made {
    pub(super) connection: Arc<dyn PeerConnection>,
    pub(super) events: mpsc::Receiver<PeerEvent>,
    /// Whether the reliable channel could be opened.
    pub(super) opened: mpsc::Receiver<bool>,
    pub(super) sdp: String,
    /// For the task that sends the pictures.
    pub(super) leg: Leg,
}

/// Sets up tracks and channels and starts what serves them.
pub(super) async fn make(
    context: &Arc<Context>,
    config: &PeerConfig,
    inlet: Inlet,
    outputs: Outputs,
    (path, life): (usize, &PathLife),
    tasks: &mut JoinSet<()>,
) -> Result<Made, LinkError> {
    let (events_tx, events) = mpsc::channel(256);
    let sockets = context.shared.paths.sockets(path)?;
    let setup = PeerSetup { config, events: events_tx, datagrams: (COMMAND_CHANNEL, inlet.clone()), sockets };
    let (connection, estimate) = peer::build(setup).await?;
    let mut tracks = Vec::new();
    for (camera, ssrc) in context.ssrcs.iter().enumerate() {
        tracks.push(add_track(&*connection, camera, *ssrc).await?);
    }
    let voice = add_voice(&*connection, context.watch_only, tasks).await?;
    let state = open_channel(&*connection, STATE_CHANNEL, false, inlet.clone(), tasks).await?;
    let reliable = open_channel(&*connection, EVENTS_CHANNEL, true, inlet, tasks).await?;
    let sdp = describe(&*connection, None).await?;
    let Outputs { states, scans, events: queue } = outputs;
    let (opened_tx, opened) = mpsc::channel(1);
    tasks.spawn(send_states(context.clone(), life.clone(), state, tracks[0].clone(), (states, scans)));
    tasks.spawn(send_events(context.clone(), reliable, queue, opened_tx));
    for (camera, track) in tracks.iter().enumerate() {
        tasks.spawn(read_rtcp(context.clone(), life.clone(), camera, track.clone()));
    }
    let leg = Leg::new(connection.clone(), (tracks, voice), (estimate, context.shared.most_bps), life.clone());
    Ok(Made { connection, events, opened, sdp, leg })
}

async fn add_track(connection: &dyn PeerConnection, camera: usize, ssrc: u32) -> Result<Track, LinkError> {
    let track = peer::video_track(camera, ssrc);
    let direction = RTCRtpTransceiverDirection::Sendonly;
    let init = RTCRtpTransceiverInit { direction, ..Default::default() };
    connection
        .add_transceiver_from_track(track.clone(), Some(init))
        .await
        .map_err(|source| LinkError::WebRtc { what: "video track", source })?;
    Ok(Track { track, ssrc })
}

/// One audio section behind the cameras'. A seat that only watches may listen, not talk.
async fn add_voice(
    connection: &dyn PeerConnection,
    watch_only: bool,
    tasks: &mut JoinSet<()>,
) -> Result<Voice, LinkError> {
    let voice = Voice::new(tasks);
    let direction =
        if watch_only { RTCRtpTransceiverDirection::Sendonly } else { RTCRtpTransceiverDirection::Sendrecv };
    let init = RTCRtpTransceiverInit { direction, ..Default::default() };
    connection
        .add_transceiver_from_track(voice.track.clone(), Some(init))
        .await
        .map_err(|source| LinkError::WebRtc { what: "audio track", source })?;
    Ok(voice)
}

/// Makes an offer and sets it as the local description.
pub(super) async fn describe(
    connection: &dyn PeerConnection,
    options: Option<RTCOfferOptions>,
) -> Result<String, LinkError> {
    let failed = |source| LinkError::WebRtc { what: "offer", source };
    let offer = connection.create_offer(options).await.map_err(failed)?;
    let sdp = offer.sdp.clone();
    connection.set_local_description(offer).await.map_err(failed)?;
    Ok(sdp)
}

/// The offer as signalling message; `session` is that of the path. Grants are for the session, so that further paths ask
/// for none.
pub(super) fn signal(context: &Context, session: &str, sdp: String) -> Signal {
    let guard = context.shared.guard.as_ref().filter(|_| session == context.id);
    let challenge = guard.and_then(|guard| guard.challenge(session));
    let (features, paths) = (crate::features(), Some(context.shared.paths.count()));
    Signal::Offer { session: session.to_owned(), sdp, features, paths, challenge, vouched: None }
}

/// States and scans: neither is worth sending once there is a newer one, so that only the newest of each waits.
async fn send_states(
    context: Arc<Context>,
    life: PathLife,
    mut channel: ChannelEnd,
    track: Track,
    (mut states, mut scans): (watch::Receiver<Bytes>, watch::Receiver<Arc<Vec<Bytes>>>),
) {
    let mut answered = 0;
    let direct = context.has_feature(datagram::FEATURE);
    if !direct && !channel.opened().await {
        return;
    }
    let mut open = !direct;
    loop {
        let datagrams = tokio::select! {
            biased;
            changed = states.changed() => {
                if changed.is_err() {
                    return;
                }
                let mut datagram = BytesMut::from(&states.borrow_and_update()[..]);
                if let Some(pong) = context.pong(&mut answered) {
                    datagram.extend(v1::StateDatagram { pong: Some(pong), ..Default::default() }.encode_to_vec());
                }
                Arc::new(vec![datagram.freeze()])
            }
            changed = scans.changed() => match changed {
                Ok(()) => scans.borrow_and_update().clone(),
                Err(_) => return,
            },
        };
        if !life.is_up() {
            continue;
        }
        for datagram in datagrams.iter() {
            match datagram::wrap(track.ssrc, datagram).filter(|_| direct) {
                Some(packet) => drop(track.track.write_rtcp(vec![Box::new(packet)]).await),
                None => {
                    open = open || channel.try_opened();
                    if open {
                        channel.send_datagram(datagram).await;
                    }
                }
            }
        }
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
        channel.send_reliably(&v1::VehicleEvent { event: Some(hello), ..Default::default() }.encode_to_vec()).await;
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

async fn read_rtcp(context: Arc<Context>, life: PathLife, camera: usize, track: Track) {
    while let Some(event) = track.track.poll().await {
        let TrackLocalEvent::OnRtcpPacket(packets) = event else { continue };
        life.heard(&context);
        for packet in &packets {
            if is_keyframe_request(packet.as_ref()) {
                context.shared.cameras.want_keyframe(&context.id, camera);
            }
            if let Some(nack) = packet.as_any().downcast_ref::<TransportLayerNack>()
                && nack.media_ssrc == track.ssrc
            {
                // A full queue is a flood of requests; what is lost of them is asked for again.
                let sequences = nack.nacks.iter().flat_map(|pair| pair.packet_list()).collect();
                let _ = context.media.try_send(Input::Nack { camera, sequences });
            }
            if let Some(report) = packet.as_any().downcast_ref::<ReceiverReport>() {
                let lost = report.reports.iter().filter(|r| r.ssrc == track.ssrc).map(|r| r.fraction_lost).max();
                if let Some(lost) = lost {
                    context.shared.stats.on_receiver_report(&context.id, f64::from(lost) / 256.0);
                }
            }
        }
    }
}
