//! Where in its frame a packet stands.

/// Carried by every packet of a frame in an RTP header extension, so that any one of them tells how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMark {
    /// Distance from the frame's first packet, in sequence numbers. FEC packets follow the media packets.
    pub index: u16,
    /// Media packets in the frame.
    pub packets: u16,
    /// FEC packets behind them.
    pub fec: u16,
    /// Whether decoding can start with this frame.
    pub keyframe: bool,
}

impl FrameMark {
    /// Bytes on the wire.
    pub const LEN: usize = 6;

    /// For the header extension: index, packets, FEC packets (big-endian, 16 bits each); the first bit says keyframe.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let index = self.index & 0x7FFF | if self.keyframe { 0x8000 } else { 0 };
        let ([a, b], [c, d], [e, f]) = (index.to_be_bytes(), self.packets.to_be_bytes(), self.fec.to_be_bytes());
        [a, b, c, d, e, f]
    }

    /// `None` unless it is a mark that a [`MediaSender`](super::MediaSender) can have made.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, d, e, f] = *bytes.first_chunk::<{ Self::LEN }>()?;
        let index = u16::from_be_bytes([a & 0x7F, b]);
        let mark = Self {
            index,
            packets: u16::from_be_bytes([c, d]),
            fec: u16::from_be_bytes([e, f]),
            keyframe: a & 0x80 != 0,
        };
        mark.valid().then_some(mark)
    }

    /// Whether the packet is forward error correction behind the frame's media packets.
    #[must_use]
    pub fn is_redundancy(self) -> bool {
        self.index >= self.packets
    }

    pub(super) fn valid(self) -> bool {
        let (packets, fec) = (u32::from(self.packets), u32::from(self.fec));
        (1..=super::fec::MAX_FRAME_PACKETS as u32).contains(&packets)
            && fec <= packets.max(super::fec::MAX_TINY_REPAIR as u32)
            && u32::from(self.index) < packets + fec
    }
}
