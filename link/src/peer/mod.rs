//! One WebRTC peer connection as both ends of the link want it.

mod audio_receiver;
mod channel;
mod config;
pub(crate) mod datagram;
mod repeat;
mod socket;
mod sound;
mod tap;
#[cfg(test)]
mod tests;

pub(crate) use audio_receiver::AudioReceiver;
pub(crate) use channel::{ChannelEnd, Early, Incoming, Inlet, open_channel, watch_channel};
pub(crate) use config::{PeerConfig, check_vouched};
pub(crate) use sound::{Voice, offers_two_way_audio};
pub(crate) use tap::is_keyframe_request;

use crate::LinkError;
use crate::cc::{EstimateHandle, Estimator, RateLimits};
use crate::rtp::FRAME_INFO_URI;
use protocol::signalling::Signal;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{
    CongestionControlBuilder, ReceiverReportBuilder, Registry, SenderReportBuilder, Slot, TwccReceiverBuilder,
    TwccSenderBuilder,
};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MediaEngine};
use rtc::peer_connection::configuration::setting_engine::SettingEngine;
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RTCRtpHeaderExtensionParameters, RtpCodecKind,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState, SettingEngineBuilder,
};

/// The one video codec's RTP payload type, as our offer says it; every answer repeats it.
pub(crate) const PAYLOAD_TYPE: u8 = 102;
const CLOCK_RATE: u32 = 90_000;
/// Constrained baseline, level 3.1; any decoder takes a higher level with `level-asymmetry-allowed`.
const FMTP: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
/// Header extension that tells a browser how long it may hold a picture back; ours says not at all.
const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
/// Transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01).
const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// How often a receiver reports arrivals: a controller knows of a queue this much later than it could.
const ARRIVALS_EVERY: Duration = Duration::from_millis(25);
/// Packets that a late repair may lie behind the newest: half a second at 20 Mbit/s.
const REPLAY_WINDOW: usize = 1_024;
/// Outstanding bytes a data channel may hold; more means a dead path, and old messages serve nobody.
const CHANNEL_BUFFER: usize = 256 * 1024;

/// What a peer connection tells. Callbacks run on its driver, so they only pass on.
pub(crate) enum PeerEvent {
    State(RTCPeerConnectionState),
    Candidate(RTCIceCandidateInit),
    Channel(Arc<dyn DataChannel>),
    Track(Arc<dyn TrackRemote>),
    /// The peer has begun to speak.
    Voice(Arc<dyn TrackRemote>),
}

struct Events(mpsc::Sender<PeerEvent>);

impl Events {
    fn pass(&self, event: PeerEvent) {
        // Full means 256 events unread: a peer that opens channels without end. It gets no more.
        if self.0.try_send(event).is_err() {
            tracing::debug!("peer connection event dropped");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Events {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            self.pass(PeerEvent::Candidate(candidate));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.pass(PeerEvent::State(state));
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.pass(PeerEvent::Channel(channel));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let is_voice = track.kind().await == RtpCodecKind::Audio;
        self.pass(if is_voice { PeerEvent::Voice(track) } else { PeerEvent::Track(track) });
    }
}

fn feedback(typ: &str, parameter: &str) -> RTCPFeedback {
    RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() }
}

fn codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_H264.to_owned(),
        clock_rate: CLOCK_RATE,
        channels: 0,
        sdp_fmtp_line: FMTP.to_owned(),
        rtcp_feedback: vec![
            feedback("ccm", "fir"),
            feedback("nack", ""),
            feedback("nack", "pli"),
            feedback("transport-cc", ""),
        ],
    }
}

/// The prefix of a video track's name; the camera's index follows.
const TRACK_PREFIX: &str = "camera-";

/// Which camera a track of this name shows; a foreign vehicle's only track is the front one.
pub(crate) fn camera_of(track_id: &str) -> usize {
    track_id.strip_prefix(TRACK_PREFIX).and_then(|index| index.parse().ok()).unwrap_or(0)
}

/// A track that sends ready-made RTP packets of stream `ssrc`.
pub(crate) fn video_track(camera: usize, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
        "vehicle".to_owned(),
        format!("{TRACK_PREFIX}{camera}"),
        format!("camera {camera}"),
        RtpCodecKind::Video,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: codec(),
            ..Default::default()
        }],
    )))
}

fn web_rtc(what: &'static str) -> impl FnOnce(webrtc::error::Error) -> LinkError {
    move |source| LinkError::WebRtc { what, source }
}

/// What a connection is made with.
pub(crate) struct PeerSetup<'a> {
    pub(crate) config: &'a PeerConfig,
    pub(crate) events: mpsc::Sender<PeerEvent>,
    /// Datagrams of the peer, as if they had come over the channel of this label.
    pub(crate) datagrams: (&'static str, Inlet),
    /// Local addresses to bind to.
    pub(crate) sockets: Vec<String>,
}

/// Lost packets are neither asked for nor sent again here: `media` knows deadlines and round trips, these do not.
fn interceptors(setup: &PeerSetup<'_>, estimator: Estimator) -> Registry {
    let (label, datagrams) = &setup.datagrams;
    Registry::new()
        // Next to the wire, so that it sees everything before anyone takes it out.
        .with(Slot::from(500), tap::Tap::new(label, datagrams.clone()))
        .with(Slot::CongestionControl, CongestionControlBuilder::new(estimator).build())
        .with(Slot::TwccSender, TwccSenderBuilder::new().build())
        .with(Slot::TwccReceiver, TwccReceiverBuilder::new().with_interval(ARRIVALS_EVERY).build())
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().with_interval(Duration::from_millis(250)).build())
        .with(Slot::SenderReport, SenderReportBuilder::new().build())
}

/// What can be sent and received, and how it is described.
fn media_engine() -> Result<MediaEngine, webrtc::error::Error> {
    let mut media = MediaEngine::default();
    media.register_codec(
        RTCRtpCodecParameters { rtp_codec: codec(), payload_type: PAYLOAD_TYPE },
        RtpCodecKind::Video,
    )?;
    media.register_codec(sound::codec_parameters(), RtpCodecKind::Audio)?;
    for uri in [PLAYOUT_DELAY, TRANSPORT_CC, FRAME_INFO_URI] {
        let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
        media.register_header_extension(extension, RtpCodecKind::Video, None)?;
    }
    Ok(media)
}

fn settings() -> SettingEngine {
    SettingEngineBuilder::new()
        // A path may be dead for half a minute and come back: control authority has ended long before, and going on is
        // quicker than any new call.
        .with_ice_timeouts(
            Some(Duration::from_secs(2)),
            Some(Duration::from_secs(30)),
            Some(Duration::from_millis(400)),
        )
        .with_ice_connection_attempts(Some(Duration::from_millis(20)), Some(100))
        // A check may come before the candidate that it belongs to; that is no worse a path, and no reason to wait the
        // library's second for another. Better kinds still get a moment's start.
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::from_millis(100)))
        .with_relay_acceptance_min_wait(Some(Duration::from_millis(400)))
        .with_include_loopback_candidate(true)
        // The offering side chooses the path and is ready last: when it begins the handshake, nobody misses the first flight,
        // whose repetition would cost a second.
        .with_answering_dtls_role(RTCDtlsRole::Server)
        // Hidden addresses need no resolving (see `RemoteCandidates`), and its socket fails where there is no default route.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_srtp_replay_protection_window(REPLAY_WINDOW)
        .with_srtcp_replay_protection_window(REPLAY_WINDOW)
        .build()
}

/// Makes a peer connection on the given local addresses.
pub(crate) async fn build(setup: PeerSetup<'_>) -> Result<(Arc<dyn PeerConnection>, EstimateHandle), LinkError> {
    let (estimator, estimate) = Estimator::new(RateLimits::default());
    let registry = interceptors(&setup, estimator);
    let connection = PeerConnectionBuilder::new()
        .with_configuration(setup.config.configuration())
        .with_media_engine(media_engine().map_err(web_rtc("codecs"))?)
        .with_setting_engine(settings())
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(Events(setup.events)))
        .with_runtime(Arc::new(socket::RepeatingRuntime))
        .with_udp_addrs(setup.sockets)
        .with_data_channel_send_buffer_limit(CHANNEL_BUFFER)
        .build()
        .await
        .map_err(web_rtc("peer connection"))?;
    Ok((Arc::new(connection), estimate))
}

/// The ids under which the peer agreed to header extensions, 0 for none. One that was not agreed on would cost every packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExtensionIds {
    pub(crate) playout_delay: u8,
    pub(crate) frame_info: u8,
}

impl ExtensionIds {
    pub(crate) fn of(extensions: &[RTCRtpHeaderExtensionParameters]) -> Self {
        let id = |uri: &str| {
            let agreed = extensions.iter().find(|e| e.uri == uri);
            agreed.and_then(|e| u8::try_from(e.id).ok()).unwrap_or(0)
        };
        Self { playout_delay: id(PLAYOUT_DELAY), frame_info: id(FRAME_INFO_URI) }
    }
}

/// What the peer agreed to for the video we send.
pub(crate) async fn sending_extensions(connection: &dyn PeerConnection) -> ExtensionIds {
    for sender in connection.get_senders().await {
        if sender.track().kind().await == RtpCodecKind::Video {
            let parameters = sender.get_parameters().await;
            return parameters.map(|p| ExtensionIds::of(&p.rtp_parameters.header_extensions)).unwrap_or_default();
        }
    }
    ExtensionIds::default()
}

/// What our answer agrees to for the video we receive: the first id of each extension, as all sections share one transport.
pub(crate) fn answered_extensions(sdp: &str) -> ExtensionIds {
    let id = |uri: &str| {
        let extension = |line: &str| {
            let (id, rest) = line.trim().strip_prefix("a=extmap:")?.split_once(' ')?;
            let named = rest.split(' ').next() == Some(uri);
            named.then(|| id.split('/').next()?.parse().ok()).flatten()
        };
        sdp.lines().find_map(extension).unwrap_or(0)
    };
    ExtensionIds { playout_delay: id(PLAYOUT_DELAY), frame_info: id(FRAME_INFO_URI) }
}

/// A local candidate as signalling message; `None` for one that no peer can use.
pub(crate) fn candidate_signal(session: &str, candidate: RTCIceCandidateInit) -> Option<Signal> {
    // A machine without network binds the wildcard; its address is nobody's.
    if matches!(candidate.candidate.split(' ').nth(4), Some("0.0.0.0" | "::")) {
        return None;
    }
    Some(Signal::Candidate {
        session: session.to_owned(),
        candidate: candidate.candidate,
        // There is one transport for all sections; the first one's index names it for every peer.
        sdp_mid: None,
        sdp_mline_index: Some(0),
    })
}

/// Remote candidates, kept until the remote description is set.
#[derive(Default)]
pub(crate) struct RemoteCandidates {
    ready: bool,
    early: Vec<RTCIceCandidateInit>,
}

/// Most candidates a peer may send; honest ones have a handful.
const MAX_CANDIDATES: usize = 64;

impl RemoteCandidates {
    pub(crate) async fn add(&mut self, connection: &dyn PeerConnection, candidate: String, index: Option<u16>) {
        // Names that hide an address (mDNS) need no resolving: the peer's own checks reveal it.
        let hidden = candidate.split(' ').nth(4).is_some_and(|address| address.ends_with(".local"));
        if candidate.is_empty() || hidden || self.early.len() >= MAX_CANDIDATES {
            return;
        }
        let init = RTCIceCandidateInit { candidate, sdp_mline_index: index, ..Default::default() };
        self.early.push(init.clone());
        if self.ready {
            apply(connection, init).await;
        }
    }

    pub(crate) async fn remote_description_is_set(&mut self, connection: &dyn PeerConnection) {
        self.ready = true;
        for init in self.early.clone() {
            apply(connection, init).await;
        }
    }
}

async fn apply(connection: &dyn PeerConnection, init: RTCIceCandidateInit) {
    let text = init.candidate.clone();
    if let Err(error) = connection.add_ice_candidate(init).await {
        tracing::debug!(candidate = %text, %error, "remote candidate not usable");
    }
}
