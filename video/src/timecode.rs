//! A block code in the picture itself: which frame this is and when it was captured.
//!
//! Transport timestamps say when a packet came; only what is in the pixels says what the person sees. The code survives
//! any codec and any display path, and everybody who has the pixels can read it, also a browser from a canvas.
//!
//! # Layout (version 1)
//!
//! The code is a strip of square cells in the picture's top left corner. Each cell is one bit: luma 32 is `0`,
//! luma 216 is `1` (limited-range luma, 16 to 235).
//!
//! ```text
//! bits       = 120
//! cell       = 16 pixels when width >= 1280, else 8 pixels
//! rows       = ceil(120 / floor(width / cell))
//! columns    = ceil(120 / rows)
//! bit i      lies in row floor(i / columns), column i mod columns; its cell covers
//!            x = column * cell .. (column + 1) * cell,   y = row * cell .. (row + 1) * cell
//! ```
//!
//! So 320x180 has 3 rows of 40 cells of 8 pixels, 640x360 has 2 rows of 60 cells of 8, 1280x720 has 2 rows of 60 cells of 16,
//! 1920x1080 one row of 120 cells of 16. No code fits when `rows * cell` exceeds half of the height.
//!
//! Bits are sent most significant first, bytes in this order (all integers big-endian):
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 0 | sync, `0xB2` (binary 1011 0010: its own cells calibrate black and white) |
//! | 1 to 4 | sequence, u32 |
//! | 5 to 12 | capture time on the vehicle's clock in microseconds, u64 |
//! | 13 to 14 | CRC-16/CCITT-FALSE (polynomial `0x1021`, start `0xFFFF`, not reflected, no final xor) of bytes 1 to 12 |
//!
//! # Reading
//!
//! A cell's value is the mean luma of its inner half (`cell / 4 .. cell - cell / 4` both ways). `black` is the mean of the four
//! sync cells that are `0` (bits 1, 4, 5, 7), `white` of the four that are `1` (bits 0, 2, 3, 6); a reader gives up when
//! `white - black < 32`. A bit is `1` when its cell exceeds `(black + white) / 2`. Then sync and CRC must agree. From an RGBA canvas take
//! `0.299 R + 0.587 G + 0.114 B` as luma; the canvas must have the picture's own size (no scaling).

/// What the block code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timecode {
    /// Counts pictures.
    pub sequence: u32,
    /// Capture time on the vehicle's clock, microseconds.
    pub capture_us: u64,
}

const BITS: usize = 120;
const BYTES: usize = BITS / 8;
const SYNC: u8 = 0xB2;
const ZERO: u8 = 32;
const ONE: u8 = 216;
const MIN_CONTRAST: u32 = 32;

struct Layout {
    cell: usize,
    columns: usize,
}

impl Layout {
    fn new(width: usize, height: usize) -> Option<Self> {
        let cell = if width >= 1280 { 16 } else { 8 };
        let fits = width / cell;
        if fits == 0 {
            return None;
        }
        let rows = BITS.div_ceil(fits);
        (rows * cell <= height / 2).then(|| Self { cell, columns: BITS.div_ceil(rows) })
    }

    fn corner(&self, bit: usize) -> (usize, usize) {
        (bit % self.columns * self.cell, bit / self.columns * self.cell)
    }
}

/// Whether a picture of this size can carry the code.
#[must_use]
pub fn fits(width: usize, height: usize) -> bool {
    Layout::new(width, height).is_some()
}

/// Writes the code into a tightly packed luma plane; returns whether it fitted. A plane that is too small for the stated
/// size or a picture too small for the code stays as it is.
pub fn stamp(y: &mut [u8], width: usize, height: usize, sequence: u32, capture_us: u64) -> bool {
    let Some(layout) = Layout::new(width, height) else { return false };
    if y.len() < width.saturating_mul(height) {
        return false;
    }
    let bytes = encode(Timecode { sequence, capture_us });
    for bit in 0..BITS {
        let value = if bytes[bit / 8] >> (7 - bit % 8) & 1 == 1 { ONE } else { ZERO };
        let (left, top) = layout.corner(bit);
        for row in top..top + layout.cell {
            y[row * width + left..][..layout.cell].fill(value);
        }
    }
    true
}

/// Reads the code from a tightly packed luma plane; `None` when there is none or it is damaged.
#[must_use]
pub fn read(y: &[u8], width: usize, height: usize) -> Option<Timecode> {
    let layout = Layout::new(width, height)?;
    if y.len() < width.saturating_mul(height) {
        return None;
    }
    let means: Vec<u32> = (0..BITS).map(|bit| cell_mean(y, width, &layout, bit)).collect();
    let sync_mean =
        |wanted: u8| (0..8).filter(|bit| SYNC >> (7 - bit) & 1 == wanted).map(|bit| means[bit]).sum::<u32>() / 4;
    let (black, white) = (sync_mean(0), sync_mean(1));
    if white < black + MIN_CONTRAST {
        return None;
    }
    let threshold = u32::midpoint(black, white);
    let mut bytes = [0u8; BYTES];
    for (bit, mean) in means.iter().enumerate() {
        bytes[bit / 8] |= u8::from(*mean > threshold) << (7 - bit % 8);
    }
    decode(&bytes)
}

fn cell_mean(y: &[u8], width: usize, layout: &Layout, bit: usize) -> u32 {
    let (left, top) = layout.corner(bit);
    let (from, to) = (layout.cell / 4, layout.cell - layout.cell / 4);
    let sum: u32 = (top + from..top + to)
        .map(|row| y[row * width + left + from..row * width + left + to].iter().map(|p| u32::from(*p)).sum::<u32>())
        .sum();
    sum / ((to - from) * (to - from)) as u32
}

fn encode(code: Timecode) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[0] = SYNC;
    bytes[1..5].copy_from_slice(&code.sequence.to_be_bytes());
    bytes[5..13].copy_from_slice(&code.capture_us.to_be_bytes());
    let crc = crc16(&bytes[1..13]);
    bytes[13..].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8; BYTES]) -> Option<Timecode> {
    if bytes[0] != SYNC || bytes[13..] != crc16(&bytes[1..13]).to_be_bytes() {
        return None;
    }
    let sequence = u32::from_be_bytes(bytes[1..5].try_into().ok()?);
    let capture_us = u64::from_be_bytes(bytes[5..13].try_into().ok()?);
    Some(Timecode { sequence, capture_us })
}

/// CRC-16/CCITT-FALSE.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn crc_agrees_with_the_catalogued_check_value() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
    }

    #[test]
    fn a_picture_without_code_reads_as_none() {
        assert_eq!(read(&vec![128; 640 * 360], 640, 360), None);
        let ramp: Vec<u8> = (0..640 * 360).map(|i| (i % 251) as u8).collect();
        assert_eq!(read(&ramp, 640, 360), None);
        assert_eq!(read(&[1, 2, 3], 640, 360), None);
    }

    #[test]
    fn a_picture_too_small_stays_as_it_is() {
        let mut y = vec![7; 32 * 16];
        assert!(!stamp(&mut y, 32, 16, 1, 2));
        assert!(y.iter().all(|p| *p == 7));
        assert!(!stamp(&mut [], 640, 360, 1, 2));
    }

    #[test]
    fn one_wrong_bit_is_noticed() {
        let mut y = vec![90; 640 * 360];
        assert!(stamp(&mut y, 640, 360, 5, 6));
        for row in 0..8 {
            for x in 80..88 {
                y[row * 640 + x] = 248 - y[row * 640 + x];
            }
        }
        assert_eq!(read(&y, 640, 360), None);
    }

    proptest! {
        #[test]
        fn what_is_stamped_is_read_in_any_size_with_noise_and_low_contrast(
            sequence: u32, capture_us: u64, noise in 0u8..40, shade in 1u32..4,
            size in prop::sample::select(vec![(320, 180), (424, 240), (640, 360), (848, 480), (960, 540), (1280, 720), (1920, 1080)]),
        ) {
            let (width, height) = size;
            let mut y = vec![120u8; width * height];
            prop_assert!(stamp(&mut y, width, height, sequence, capture_us));
            for (i, p) in y.iter_mut().enumerate() {
                let jitter = (i as u32).wrapping_mul(2_654_435_761) >> 16;
                *p = (u32::from(*p) / shade + jitter % (u32::from(noise) + 1)).min(255) as u8;
            }
            prop_assert_eq!(read(&y, width, height), Some(Timecode { sequence, capture_us }));
        }
    }
}
