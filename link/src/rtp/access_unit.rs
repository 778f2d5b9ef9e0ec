//! RTP payloads of RFC 6184, mode 1, to an Annex B access unit.

use super::nal;

/// Most bytes of one access unit.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// Whether the payload begins with a sequence parameter set, which opens every keyframe.
pub(crate) fn starts_keyframe(payload: &[u8]) -> bool {
    match payload.first().map(|header| nal::kind(*header)) {
        Some(nal::SPS) => true,
        Some(nal::STAP_A) => payload.get(3).is_some_and(|header| nal::kind(*header) == nal::SPS),
        _ => false,
    }
}

/// An access unit as its payloads arrive, in order.
#[derive(Debug, Default)]
pub(crate) struct AccessUnit {
    /// Annex B.
    pub(crate) data: Vec<u8>,
    in_fragment: bool,
    /// Holds an IDR picture.
    pub(crate) idr: bool,
    sps: bool,
}

impl AccessUnit {
    /// Whether it ends where a unit ends.
    pub(crate) fn whole(&self) -> bool {
        !self.in_fragment && !self.data.is_empty()
    }

    /// Whether a decoder can start here.
    pub(crate) fn starts_decoding(&self) -> bool {
        self.idr && self.sps
    }

    /// Appends a payload's units; `None` when it is malformed or the picture grows too large.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Option<()> {
        if self.data.len() + payload.len() > MAX_BYTES {
            return None;
        }
        let (header, body) = payload.split_first()?;
        match nal::kind(*header) {
            _ if header & 0x80 != 0 => None,
            nal::FU_A => self.append_fragment(*header, body),
            _ if self.in_fragment => None,
            nal::STAP_A => self.append_aggregate(body),
            1..=23 => {
                self.append_unit(payload);
                Some(())
            }
            _ => None,
        }
    }

    fn append_aggregate(&mut self, mut body: &[u8]) -> Option<()> {
        if body.is_empty() {
            return None;
        }
        while !body.is_empty() {
            let (size, rest) = body.split_first_chunk::<2>()?;
            let (unit, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
            if !(1..=23).contains(&nal::kind(*unit.first()?)) {
                return None;
            }
            self.append_unit(unit);
            body = rest;
        }
        Some(())
    }

    fn append_fragment(&mut self, indicator: u8, body: &[u8]) -> Option<()> {
        let (header, part) = body.split_first()?;
        let (first, last) = (header & 0x80 != 0, header & 0x40 != 0);
        if first == self.in_fragment || (first && last) || part.is_empty() || !(1..=23).contains(&nal::kind(*header)) {
            return None;
        }
        if first {
            self.append_unit(&[indicator & 0xE0 | nal::kind(*header)]);
        }
        self.data.extend_from_slice(part);
        self.in_fragment = !last;
        Some(())
    }

    fn append_unit(&mut self, unit: &[u8]) {
        self.data.extend_from_slice(&[0, 0, 0, 1]);
        self.data.extend_from_slice(unit);
        let kind = nal::kind(unit[0]);
        self.idr |= kind == nal::IDR;
        self.sps |= kind == nal::SPS;
    }
}
