//! What the headers of an access unit say about references (ITU-T H.264, 7.3.2.1, 7.3.3): the encoder's interface tells
//! neither which picture became a long-term reference nor what a picture refers to, the bits do.

use super::bits::Bits;

/// What is needed of a sequence parameter set of the baseline profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Frame numbers wrap at two to the power of this.
    pub frame_num_bits: u32,
    /// `None` when the order is not coded in the slice header.
    order_bits: Option<u32>,
}

/// The picture that a slice makes a long-term reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// How many frame numbers ago it was coded; 0 is the picture itself.
    pub ago: u32,
    /// Which long-term reference it becomes; one that had this index is forgotten.
    pub index: u32,
}

/// What the first slice header of a picture says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SliceHeader {
    /// `idr_pic_id` of a keyframe.
    pub idr_pic_id: Option<u32>,
    pub frame_num: u32,
    /// Whether later pictures may refer to it.
    pub reference: bool,
    /// The index of the long-term reference, when it refers to one and to nothing else.
    pub long_term: Option<u32>,
    pub mark: Option<Mark>,
}

/// Reads the headers of an Annex B access unit. A parameter set in it replaces `sequence`; without either, or when the
/// bits end early, `None`.
pub(super) fn read(access_unit: &[u8], sequence: &mut Option<Sequence>) -> Option<SliceHeader> {
    for unit in openh264::nal_units(access_unit) {
        let body = unit.iter().position(|byte| *byte != 0).and_then(|one| unit.get(one + 1..))?;
        let (first, rest) = body.split_first()?;
        match first & 0x1F {
            7 => *sequence = read_sequence(&mut Bits::new(rest)),
            kind @ (1 | 5) => return read_slice(&mut Bits::new(rest), (*sequence)?, kind == 5, first >> 5 != 0),
            _ => {}
        }
    }
    None
}

fn read_sequence(bits: &mut Bits) -> Option<Sequence> {
    // Profile, constraints and level; profiles with more fields before the next one are not baseline.
    if bits.take(24)? >> 16 != 66 {
        return None;
    }
    bits.golomb()?; // seq_parameter_set_id
    let frame_num_bits = bits.golomb()? + 4;
    let order_bits = match bits.golomb()? {
        0 => Some(bits.golomb()? + 4),
        2 => None,
        _ => return None,
    };
    (frame_num_bits <= 16 && order_bits.is_none_or(|bits| bits <= 16))
        .then_some(Sequence { frame_num_bits, order_bits })
}

fn read_slice(bits: &mut Bits, sequence: Sequence, idr: bool, reference: bool) -> Option<SliceHeader> {
    bits.golomb()?; // first_mb_in_slice
    let predicted = bits.golomb()? % 5 == 0;
    bits.golomb()?; // pic_parameter_set_id
    let frame_num = bits.take(sequence.frame_num_bits)?;
    let idr_pic_id = if idr { Some(bits.golomb()?) } else { None };
    if let Some(order_bits) = sequence.order_bits {
        bits.take(order_bits)?;
    }
    let long_term = if predicted { read_reference(bits)? } else { None };
    let mark = if reference { read_marking(bits, idr)? } else { None };
    Some(SliceHeader { idr_pic_id, frame_num, reference, long_term, mark })
}

fn read_reference(bits: &mut Bits) -> Option<Option<u32>> {
    let references = if bits.take(1)? == 1 { bits.golomb()? + 1 } else { 1 };
    let mut long_term = None;
    if bits.take(1)? == 1 {
        loop {
            match bits.golomb()? {
                0 | 1 => drop(bits.golomb()?),
                2 => long_term = Some(bits.golomb()?),
                _ => break,
            }
        }
    }
    Some(long_term.filter(|_| references == 1))
}

fn read_marking(bits: &mut Bits, idr: bool) -> Option<Option<Mark>> {
    if idr {
        bits.take(1)?; // no_output_of_prior_pics_flag
        return Some((bits.take(1)? == 1).then_some(Mark { ago: 0, index: 0 }));
    }
    let mut mark = None;
    if bits.take(1)? == 1 {
        loop {
            match bits.golomb()? {
                0 => break,
                1 | 2 | 4 => drop(bits.golomb()?),
                3 => mark = Some(Mark { ago: bits.golomb()? + 1, index: bits.golomb()? }),
                6 => mark = Some(Mark { ago: 0, index: bits.golomb()? }),
                _ => {}
            }
        }
    }
    Some(mark)
}
