//! A header extension of our own on each video packet: when its picture went through which stage, and what it refers to.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 0 to 1 | encoding began, in units of 100 us after the capture |
//! | 2 to 3 | encoding ended, likewise |
//! | 4 to 5 | this packet was handed to the transport, likewise |
//! | 6 to 11 | where the packet stands in its frame, see [`FrameMark`] |
//! | 12 to 15 | only in a picture of recovery: RTP timestamp of the one picture that it refers to |
//!
//! All integers are big-endian; a time beyond the range stands at its end, 6.5 s.

use crate::media::FrameMark;
use bytes::{BufMut, Bytes, BytesMut};

/// The extension's name in the session description.
pub const FRAME_INFO_URI: &str = "urn:takeover:rtp-hdrext:frame-info:1";

const UNIT_US: u64 = 100;

/// What the extension says; times in microseconds after the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameInfo {
    /// Encoding began.
    pub encode_started_us: u64,
    /// Encoding ended.
    pub encoded_us: u64,
    /// This packet was handed to the transport.
    pub sent_us: u64,
    /// Where the packet stands in its frame.
    pub mark: FrameMark,
    /// RTP timestamp of the only picture that this one refers to; `None` for the one before, as usual.
    pub recovers_from: Option<u32>,
}

const PLAIN: usize = 6 + FrameMark::LEN;
const RECOVERY: usize = PLAIN + 4;

impl FrameInfo {
    /// The extension's payload.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(RECOVERY);
        for us in [self.encode_started_us, self.encoded_us, self.sent_us] {
            bytes.put_u16(u16::try_from(us / UNIT_US).unwrap_or(u16::MAX));
        }
        bytes.put_slice(&self.mark.to_bytes());
        if let Some(reference) = self.recovers_from {
            bytes.put_u32(reference);
        }
        bytes.freeze()
    }

    /// Reads the payload; `None` when it has another length or its mark makes no sense.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != PLAIN && bytes.len() != RECOVERY {
            return None;
        }
        let time = |at: usize| u64::from(u16::from_be_bytes([bytes[at], bytes[at + 1]])) * UNIT_US;
        let recovers_from = bytes.get(PLAIN..RECOVERY).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        let mark = FrameMark::from_bytes(&bytes[6..PLAIN])?;
        Some(Self { encode_started_us: time(0), encoded_us: time(2), sent_us: time(4), mark, recovers_from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARK: FrameMark = FrameMark { index: 2, packets: 7, fec: 3, keyframe: true };

    fn info(encode_started_us: u64, encoded_us: u64, sent_us: u64, recovers_from: Option<u32>) -> FrameInfo {
        FrameInfo { encode_started_us, encoded_us, sent_us, mark: MARK, recovers_from }
    }

    proptest! {
        #[test]
        fn times_survive_to_a_tenth_of_a_millisecond(a in 0u64..6_553_500, b in 0u64..6_553_500, c in 0u64..6_553_500, reference: Option<u32>) {
            let read = FrameInfo::decode(&info(a, b, c, reference).encode()).unwrap();
            prop_assert!(a - read.encode_started_us < 100 && b - read.encoded_us < 100 && c - read.sent_us < 100);
            prop_assert_eq!((read.recovers_from, read.mark), (reference, MARK));
        }

        #[test]
        fn any_bytes_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            if FrameInfo::decode(&bytes).is_some() {
                prop_assert!(matches!(bytes.len(), 12 | 16));
            }
        }
    }

    #[test]
    fn a_time_out_of_range_stands_at_its_end() {
        assert_eq!(FrameInfo::decode(&info(0, 0, u64::MAX, None).encode()).unwrap().sent_us, 6_553_500);
    }
}
