//! Whether a picture's references have been decoded, by its frame number.
//!
//! The codec would notice a missing reference too, but forgets its parameter sets then, so that only a keyframe could
//! help. And a reference that is there but is the wrong one it does not notice at all.

use super::slice_header::{self, Sequence, SliceHeader};
use crate::VideoError;

/// What a decoder has.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    sequence: Option<Sequence>,
    /// Frame number of the last reference decoded; `None` when something before it is missing.
    last: Option<u32>,
    /// Bit i: there is a long-term reference i.
    long_terms: u32,
}

impl Continuity {
    /// The header of an access unit that may be decoded; `None` for one that cannot be judged.
    pub(super) fn check(&mut self, access_unit: &[u8]) -> Result<Option<SliceHeader>, VideoError> {
        let Some(header) = slice_header::read(access_unit, &mut self.sequence) else { return Ok(None) };
        let SliceHeader { frame_num, .. } = header;
        let reason = match (header.idr_pic_id, header.long_term, self.last) {
            (Some(_), _, _) => return Ok(Some(header)),
            (None, Some(index), _) if bit(index) & self.long_terms == 0 => "its long-term reference is missing",
            (None, Some(_), _) => return Ok(Some(header)),
            (None, None, None) => "what it refers to could not be decoded",
            (None, None, Some(last)) if frame_num != self.after(last) => "pictures before it are missing",
            (None, None, Some(_)) => return Ok(Some(header)),
        };
        self.last = None;
        Err(VideoError::MissingReference { frame_num, reason })
    }

    fn after(&self, frame_num: u32) -> u32 {
        let wrap = self.sequence.map_or(u32::MAX, |sequence| (1 << sequence.frame_num_bits) - 1);
        frame_num.wrapping_add(1) & wrap
    }

    /// That picture has been decoded.
    pub(super) fn decoded(&mut self, header: &SliceHeader) {
        if header.idr_pic_id.is_some() {
            self.long_terms = 0;
        }
        if header.reference {
            self.last = Some(header.frame_num);
        }
        self.long_terms |= header.mark.map_or(0, |mark| bit(mark.index));
    }

    /// The codec stumbled: nothing that it had can be relied upon.
    pub(super) fn lost(&mut self) {
        (self.last, self.long_terms) = (None, 0);
    }
}

fn bit(index: u32) -> u32 {
    1u32.checked_shl(index).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_cannot_be_judged() {
        let mut continuity = Continuity::default();
        for access_unit in [&[][..], &[0, 0, 1], &[0, 0, 0, 1, 0x65, 0xFF], &[0, 0, 0, 1, 0x67, 66, 0, 31, 0], &[7; 40]]
        {
            assert!(matches!(continuity.check(access_unit), Ok(None)), "{access_unit:?}");
        }
    }
}
