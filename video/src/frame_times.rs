//! The latency of one picture, stage by stage.

/// When a picture passed each stage; microseconds on the vehicle's clock, as well as the seat knows it.
///
/// The stages follow each other without a gap, so they sum to the whole by construction; what is uncertain is the
/// border between sending and receiving, by the clock estimate's uncertainty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameTimes {
    /// Captured.
    pub capture_us: u64,
    /// Encoding began.
    pub encode_started_us: u64,
    /// Encoding ended.
    pub encoded_us: u64,
    /// Its first packet was handed to the transport.
    pub first_sent_us: u64,
    /// The last packet of the first transmission was.
    pub last_sent_us: u64,
    /// The packet that completed it was; later than `last_sent_us` when that was a repair.
    pub completing_sent_us: u64,
    /// It was complete at the seat.
    pub complete_us: u64,
    /// Decoding began.
    pub decode_started_us: u64,
    /// Decoding ended.
    pub decoded_us: u64,
    /// Packets that had to be repaired.
    pub repaired: u32,
}

impl FrameTimes {
    /// The stages' names, in order: until encoding begins (drawing or sensor read-out), encoding, the wait before its
    /// first packet leaves, the time to send all packets, the wait for a repair, the network with the stacks on both
    /// sides, the wait for the decoder, decoding.
    pub const STAGES: [&'static str; 8] =
        ["capture", "encode", "queue", "send", "repair", "network", "decode wait", "decode"];

    /// Milliseconds of each stage; `None` when the vehicle does not tell its own times.
    #[must_use]
    pub fn stages_ms(&self) -> Option<[f64; 8]> {
        if self.encoded_us == 0 || self.first_sent_us == 0 {
            return None;
        }
        let times = [
            self.capture_us,
            self.encode_started_us,
            self.encoded_us,
            self.first_sent_us,
            self.last_sent_us,
            self.completing_sent_us.max(self.last_sent_us),
            self.complete_us,
            self.decode_started_us,
            self.decoded_us,
        ];
        Some(std::array::from_fn(|i| (times[i + 1] as f64 - times[i] as f64) / 1e3))
    }
}
