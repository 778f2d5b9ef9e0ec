//! H.264 as episodes have it: Annex B, one access unit a message (ITU-T H.264, annex B and table 7-1).

/// Coded slice of an IDR picture.
pub const IDR: u8 = 5;
/// Sequence parameter set.
pub const SPS: u8 = 7;
/// Picture parameter set.
pub const PPS: u8 = 8;
/// Access unit delimiter.
pub const DELIMITER: u8 = 9;

/// A NAL unit's type.
#[must_use]
pub fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1f)
}

/// The NAL units of an access unit in Annex B, without start codes.
pub fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = start_code(data, 0);
    std::iter::from_fn(move || {
        let begin = next? + 3;
        next = start_code(data, begin);
        let mut end = next.unwrap_or(data.len());
        // A start code of four bytes, and trailing zeros.
        while end > begin && data[end - 1] == 0 {
            end -= 1;
        }
        Some(&data[begin..end])
    })
    .filter(|unit| !unit.is_empty())
}

fn start_code(data: &[u8], from: usize) -> Option<usize> {
    data.get(from..)?.windows(3).position(|bytes| bytes == [0, 0, 1]).map(|at| at + from)
}

/// Whether decoding can start at this access unit.
#[must_use]
pub fn is_keyframe(data: &[u8]) -> bool {
    units(data).any(|unit| kind(unit) == IDR)
}

/// Whether a unit is a slice of a picture that looks ahead (B slice, table 7-6).
#[must_use]
pub fn is_bidirectional(unit: &[u8]) -> bool {
    // The two numbers that matter lie in the first few bytes, where no emulation prevention can be: ahead of it would
    // be two zero bytes, and a first macroblock's number of so many leading zeros is none.
    let mut bits = Bits { bytes: unit, at: 8 };
    matches!(kind(unit), 1..=IDR) && bits.number().and_then(|_| bits.number()).is_some_and(|slice| slice % 5 == 1)
}

/// Reads a SPS's bits, emulation prevention taken out.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = (byte >> (7 - self.at % 8)) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value: u32, _| Some(value << 1 | self.bit()?))
    }

    /// ue(v), Exp-Golomb.
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 30 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }

    fn scaling_list(&mut self, size: u32) -> Option<()> {
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..size {
            if next != 0 {
                let code = i64::from(self.number()?);
                let delta = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
                next = (last + delta).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
        Some(())
    }
}

/// Width and height, pixels, by a sequence parameter set (H.264, 7.3.2.1.1); `None` when it makes no sense.
#[must_use]
pub fn size(sps: &[u8]) -> Option<(u32, u32)> {
    let mut bytes = Vec::with_capacity(sps.len());
    for (index, byte) in sps.iter().enumerate() {
        let prevention = *byte == 3 && index >= 2 && sps[index - 2..index] == [0, 0];
        if !prevention {
            bytes.push(*byte);
        }
    }
    let mut bits = Bits { bytes: &bytes, at: 8 };
    let profile = bits.bits(8)?;
    bits.bits(16)?;
    bits.number()?;
    let mut chroma = 1;
    if [100, 110, 122, 244, 44, 83, 86, 118, 128].contains(&profile) {
        chroma = bits.number()?;
        if chroma == 3 {
            bits.bit()?;
        }
        bits.number()?;
        bits.number()?;
        bits.bit()?;
        if bits.bit()? == 1 {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.bit()? == 1 {
                    bits.scaling_list(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.number()?;
    order_count(&mut bits)?;
    bits.number()?;
    bits.bit()?;
    let width = bits.number()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.number()?.checked_add(1)?;
    let frames_only = bits.bit()?;
    let height = map_units.checked_mul(16)?.checked_mul(2 - frames_only)?;
    if frames_only == 0 {
        bits.bit()?;
    }
    bits.bit()?;
    let mut crop = [0; 4];
    if bits.bit()? == 1 {
        for side in &mut crop {
            *side = bits.number()?;
        }
    }
    let (unit_x, unit_y) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let cut_x = crop[0].checked_add(crop[1])?.checked_mul(unit_x)?;
    let cut_y = crop[2].checked_add(crop[3])?.checked_mul(unit_y * (2 - frames_only))?;
    let size = (width.checked_sub(cut_x)?, height.checked_sub(cut_y)?);
    (size.0 > 0 && size.1 > 0 && size.0 <= 16_384 && size.1 <= 16_384).then_some(size)
}

fn order_count(bits: &mut Bits<'_>) -> Option<()> {
    match bits.number()? {
        0 => {
            bits.number()?;
        }
        1 => {
            bits.bit()?;
            bits.number()?;
            bits.number()?;
            let cycle = bits.number()?;
            if cycle > 255 {
                return None;
            }
            for _ in 0..cycle {
                bits.number()?;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_unit_falls_apart_at_start_codes_of_either_length() {
        let data = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 9, 0, 0, 3, 1];
        let found: Vec<_> = units(&data).collect();
        assert_eq!(found, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 9, 0, 0, 3, 1]]);
        assert!(is_keyframe(&data) && !is_keyframe(&data[..12]));
        assert_eq!(units(&[1, 2, 3]).count() + units(&[]).count() + units(&[0, 0, 1]).count(), 0);
    }

    #[test]
    fn a_truncated_parameter_set_has_no_size() {
        // 320x180, baseline: 20 by 12 macroblocks, 12 rows cropped (6 units of two).
        let sps = [0x67, 0x42, 0xc0, 0x0d, 0xf4, 0x0a, 0x0c, 0xfc, 0x80];
        let whole = size(&sps);
        for length in 0..sps.len() - 1 {
            assert!(size(&sps[..length]).is_none() || size(&sps[..length]) == whole, "{length}");
        }
        assert_eq!(size(&[0x67; 3]), None);
    }
}
