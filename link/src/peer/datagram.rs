//! Datagrams beside the data channels: RTCP application-defined packets (RFC 3550, 6.7) inside SRTCP.
//!
//! A data channel is SCTP: after a loss its window shrinks, its timer waits a second at least, and a datagram that is
//! worth nothing after 100 ms stands in a queue meanwhile. An RTCP packet leaves at once, is encrypted and protected
//! against replay by the same handshake, and its loss holds nothing up. Peers that do not know this (browsers) use the
//! channel; both ends say in signalling whether they do.

use bytes::{BufMut, Bytes, BytesMut};
use rtc::rtcp::raw_packet::RawPacket;

/// What the peers call this in signalling.
pub(crate) const FEATURE: &str = "rtcp-datagrams";
/// Largest datagram: with headers and authentication still within one packet on any path.
pub(crate) const MAX_DATAGRAM: usize = 1_100;

const VERSION: u8 = 2 << 6;
/// `PT=APP=204`.
const APP: u8 = 204;
const NAME: &[u8; 4] = b"TKOV";
/// Header word, sender, name, and the data's own length, which the packet's length in words does not tell.
const OVERHEAD: usize = 4 + 4 + 4 + 2;

/// `data` as an application packet of `ssrc`; `None` when it is too large.
pub(crate) fn wrap(ssrc: u32, data: &[u8]) -> Option<RawPacket> {
    if data.len() > MAX_DATAGRAM {
        return None;
    }
    let words = (OVERHEAD + data.len()).div_ceil(4);
    let mut packet = BytesMut::with_capacity(words * 4);
    packet.put_u8(VERSION);
    packet.put_u8(APP);
    packet.put_u16(u16::try_from(words - 1).ok()?);
    packet.put_u32(ssrc);
    packet.put_slice(NAME);
    packet.put_u16(u16::try_from(data.len()).ok()?);
    packet.put_slice(data);
    packet.put_bytes(0, words * 4 - packet.len());
    Some(RawPacket(packet.freeze()))
}

/// The data of an application packet of ours; `None` for any other packet or one whose length lies.
pub(crate) fn unwrap(packet: &RawPacket) -> Option<Bytes> {
    let bytes = &packet.0;
    if bytes.len() < OVERHEAD || bytes[1] != APP || &bytes[8..12] != NAME {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([bytes[12], bytes[13]]));
    (length <= MAX_DATAGRAM && OVERHEAD + length <= bytes.len()).then(|| bytes.slice(OVERHEAD..OVERHEAD + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_wrapped_comes_out_and_is_a_valid_rtcp_packet(ssrc: u32, data in prop::collection::vec(any::<u8>(), 0..=MAX_DATAGRAM)) {
            let packet = wrap(ssrc, &data).unwrap();
            let mut wire = packet.0.clone();
            let parsed = rtc::rtcp::packet::unmarshal(&mut wire).unwrap();
            let raw = parsed[0].as_any().downcast_ref::<RawPacket>().unwrap();
            prop_assert_eq!(unwrap(raw).unwrap(), data);
        }

        #[test]
        fn random_packets_yield_nothing_or_bytes_within_them(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = unwrap(&RawPacket(bytes.clone().into()));
            let mut named = bytes;
            if named.len() >= 14 {
                named[1] = APP;
                named[8..12].copy_from_slice(NAME);
                if let Some(data) = unwrap(&RawPacket(named.clone().into())) {
                    prop_assert!(data.len() + OVERHEAD <= named.len());
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_one_packet_is_not_sent_this_way() {
        assert!(wrap(1, &[0; MAX_DATAGRAM + 1]).is_none());
    }
}
