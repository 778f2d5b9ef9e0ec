//! What a peer's bytes reach before anybody has checked them, for the fuzz targets (`tests/fuzz`); not an interface.

use crate::peer;
use bytes::Bytes;
use rtc::rtcp::raw_packet::RawPacket;
use rtc::shared::marshal::Unmarshal;
use webrtc::peer_connection::RTCSessionDescription;

/// A decrypted RTP or RTCP packet, as the connection reads it.
pub fn packet(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let _ = rtc::rtp::Packet::unmarshal(&mut bytes.clone());
    if let Ok(packets) = rtc::rtcp::packet::unmarshal(&mut bytes.clone()) {
        for packet in packets {
            let _ = peer::is_keyframe_request(&*packet);
        }
    }
    if let Some(data) = peer::datagram::unwrap(&RawPacket(bytes.clone())) {
        assert!(data.len() < bytes.len());
    }
}

/// A peer's session description.
pub fn description(sdp: &str) {
    let _ = peer::check_vouched(sdp, Some("AB:CD"));
    let _ = peer::offers_two_way_audio(sdp);
    let _ = peer::answered_extensions(sdp);
    let _ = RTCSessionDescription::offer(sdp.to_owned());
}
