//! Audio's part of a peer connection: one codec, one track a direction.

use super::tap::drain;
use crate::audio::{AudioPacket, SAMPLE_RATE};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_OPUS;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use tokio::task::JoinSet;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

/// As every browser numbers it.
pub(crate) const AUDIO_PAYLOAD_TYPE: u8 = 111;
/// One channel is enough, a copy of each frame travels in the next, and silence is not sent (RFC 7587, 6.1).
const FMTP: &str = "minptime=10;useinbandfec=1;usedtx=1;stereo=0";

fn codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: SAMPLE_RATE,
        // Always said to be two, whatever is sent (RFC 7587, 7).
        channels: 2,
        sdp_fmtp_line: FMTP.to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

pub(super) fn codec_parameters() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters { rtp_codec: codec(), payload_type: AUDIO_PAYLOAD_TYPE }
}

/// Whether an offer holds an audio section on which both ends may send.
pub(crate) fn offers_two_way_audio(sdp: &str) -> bool {
    let section = sdp.lines().skip_while(|line| !line.starts_with("m=audio ")).skip(1);
    section.take_while(|line| !line.starts_with("m=")).any(|line| line.trim() == "a=sendrecv")
}

/// The voice that we send in one session. It sends nothing until it is given something.
pub(crate) struct Voice {
    pub(crate) track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    sequence: u16,
}

impl Voice {
    pub(crate) fn new(tasks: &mut JoinSet<()>) -> Self {
        // Any number will do that differs between streams; the standard hasher's keys are the system's randomness.
        let random = std::hash::RandomState::new().build_hasher().finish();
        let ssrc = (random as u32).max(1);
        let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            "voice".to_owned(),
            "voice-0".to_owned(),
            "voice".to_owned(),
            RtpCodecKind::Audio,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
                codec: codec(),
                ..Default::default()
            }],
        )));
        tasks.spawn(drain(track.clone()));
        Self { track, ssrc, sequence: (random >> 32) as u16 }
    }

    /// Sends a packet now; false when the connection is gone.
    pub(crate) async fn write(&mut self, packet: AudioPacket) -> bool {
        self.sequence = self.sequence.wrapping_add(1);
        // No header extension is agreed on for audio, so none may be set.
        let header = rtc::rtp::header::Header {
            version: 2,
            marker: packet.marker,
            payload_type: AUDIO_PAYLOAD_TYPE,
            sequence_number: self.sequence,
            timestamp: packet.timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        self.track.write_rtp(rtc::rtp::packet::Packet { header, payload: packet.payload }).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_audio_section_in_both_directions_lets_a_seat_talk() {
        let video = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\na=sendrecv\r\n";
        assert!(!offers_two_way_audio(video));
        assert!(!offers_two_way_audio(&format!("{video}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendonly\r\n")));
        assert!(offers_two_way_audio(&format!("{video}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=sendrecv\r\n")));
    }
}
