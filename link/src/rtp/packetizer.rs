//! Access units to RTP payloads.

use super::nal;
use bytes::{BufMut, Bytes, BytesMut};

/// Most bytes in one RTP payload: with RTP, SRTP, UDP and IPv6 headers it stays below 1,280, IPv6's least MTU.
pub const MAX_PAYLOAD: usize = 1200;

/// The 90 kHz RTP timestamp of a capture time in microseconds (wraps every 13 hours).
#[must_use]
pub fn rtp_timestamp(capture_us: u64) -> u32 {
    // 90 kHz is 9 ticks in 100 us; u128 keeps any capture time exact.
    (u128::from(capture_us) * 9 / 100) as u32
}

/// Splits an Annex B access unit into RTP payloads, in order; the last one takes the marker bit.
///
/// Parameter sets and other small units travel together (STAP-A), large ones in fragments (FU-A). The payloads of whole
/// units share `access_unit`'s memory.
#[must_use]
pub fn packetize(access_unit: &Bytes) -> Vec<Bytes> {
    packetize_within(access_unit, MAX_PAYLOAD)
}

/// The same with another limit on a payload's bytes, 3 at least.
#[must_use]
pub fn packetize_within(access_unit: &Bytes, max_payload: usize) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    let mut small: Vec<Bytes> = Vec::new();
    let mut small_bytes = 1;
    for unit in units(access_unit) {
        let room = small_bytes + 2 + unit.len();
        if room > max_payload && !small.is_empty() {
            payloads.push(aggregate(&mut small));
            small_bytes = 1;
        }
        if unit.len() > max_payload {
            fragment(&unit, max_payload, &mut payloads);
        } else {
            small_bytes += 2 + unit.len();
            small.push(unit);
        }
    }
    if !small.is_empty() {
        payloads.push(aggregate(&mut small));
    }
    payloads
}

/// The NAL units between Annex B start codes, without them and without trailing zeros.
fn units(access_unit: &Bytes) -> Vec<Bytes> {
    let bytes = access_unit.as_ref();
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= bytes.len() {
        // A byte above 1 in third place rules out a start code at any of the three places.
        match bytes[at + 2] {
            1 if bytes[at] == 0 && bytes[at + 1] == 0 => {
                starts.push(at + 3);
                at += 3;
            }
            0 | 1 => at += 1,
            _ => at += 3,
        }
    }
    let mut units = Vec::with_capacity(starts.len());
    for (i, start) in starts.iter().enumerate() {
        let mut end = starts.get(i + 1).map_or(bytes.len(), |next| next - 3);
        while end > *start && bytes[end - 1] == 0 {
            end -= 1;
        }
        if end > *start {
            units.push(access_unit.slice(*start..end));
        }
    }
    units
}

fn aggregate(small: &mut Vec<Bytes>) -> Bytes {
    if small.len() == 1 {
        return small.swap_remove(0);
    }
    // Forbidden bit and importance are the strongest of the parts (RFC 6184, 5.7.1).
    let forbidden = small.iter().fold(0, |f, unit| f | unit[0] & 0x80);
    let importance = small.iter().map(|unit| unit[0] & 0x60).max().unwrap_or(0);
    let mut payload = BytesMut::with_capacity(1 + small.iter().map(|unit| 2 + unit.len()).sum::<usize>());
    payload.put_u8(forbidden | importance | nal::STAP_A);
    for unit in small.drain(..) {
        payload.put_u16(unit.len() as u16);
        payload.put_slice(&unit);
    }
    payload.freeze()
}

fn fragment(unit: &Bytes, max_payload: usize, payloads: &mut Vec<Bytes>) {
    let header = unit[0];
    let body = unit.slice(1..);
    // Even sizes: the last packet is no runt and a burst's packets take equal time.
    let count = body.len().div_ceil(max_payload.max(3) - 2);
    let size = body.len().div_ceil(count);
    for (i, part) in body.chunks(size).enumerate() {
        let first = if i == 0 { 0x80 } else { 0 };
        let last = if (i + 1) * size >= body.len() { 0x40 } else { 0 };
        let mut payload = BytesMut::with_capacity(2 + part.len());
        payload.put_u8(header & 0xE0 | nal::FU_A);
        payload.put_u8(first | last | nal::kind(header));
        payload.put_slice(part);
        payloads.push(payload.freeze());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_behind_short_and_long_start_codes() {
        let au = Bytes::from_static(&[0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 9, 0, 0, 2, 9]);
        let found: Vec<Vec<u8>> = units(&au).iter().map(|u| u.to_vec()).collect();
        assert_eq!(found, [vec![0x67, 1, 2], vec![0x68, 3], vec![0x65, 9, 0, 0, 2, 9]]);
        assert!(units(&Bytes::from_static(&[0, 0, 1])).is_empty());
        assert!(units(&Bytes::from_static(&[1, 2, 3, 4])).is_empty());
    }

    #[test]
    fn timestamps_tick_at_90_kilohertz_and_wrap() {
        assert_eq!(rtp_timestamp(1_000_000), 90_000);
        assert_eq!(rtp_timestamp(u64::from(u32::MAX) * 100 / 9 + 100), 7);
    }

    #[test]
    fn no_payload_exceeds_the_limit() {
        let mut au = vec![0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4, 0, 0, 0, 1, 0x65];
        au.extend((0..5000u32).map(|i| (i % 255 + 1) as u8));
        let payloads = packetize(&Bytes::from(au));
        assert!(payloads.iter().all(|p| p.len() <= MAX_PAYLOAD), "{:?}", payloads.iter().map(Bytes::len));
        assert_eq!(payloads.len(), 6);
        assert_eq!(nal::kind(payloads[0][0]), nal::STAP_A);
    }
}
