//! Reading the bits of a NAL unit.

/// Longest header read; ours take some 20 bytes.
const MOST_BYTES: usize = 96;

/// Bits of a NAL unit's payload, without the bytes that only keep start codes away.
pub(super) struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    /// The payload follows the NAL unit's first byte.
    pub(super) fn new(payload: &[u8]) -> Self {
        let mut bytes: Vec<u8> = Vec::with_capacity(MOST_BYTES);
        let mut zeros = 0;
        for byte in payload.iter().take(MOST_BYTES) {
            if zeros >= 2 && *byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            bytes.push(*byte);
        }
        Self { bytes, at: 0 }
    }

    /// The next `count` bits, at most 32, the first the most significant.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// An Exp-Golomb code, `ue(v)`.
    pub(super) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 24 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_golomb_codes_are_read_across_bytes() {
        // 1, 010, 011, 00100, 00101, then an end in the middle of a code.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        assert_eq!((0..5).map(|_| bits.golomb()).collect::<Vec<_>>(), [0, 1, 2, 3, 4].map(Some));
        assert_eq!(bits.golomb(), None);
    }

    #[test]
    fn bytes_that_prevent_start_codes_are_left_out() {
        let mut bits = Bits::new(&[0, 0, 3, 1, 0xFF]);
        assert_eq!((bits.take(24), bits.take(8), bits.take(1)), (Some(1), Some(0xFF), None));
    }
}
