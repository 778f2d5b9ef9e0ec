//! H.264 in RTP (RFC 6184, packetization mode 1), both ways, sans-IO.
//!
//! Our own because a frame must leave the receiver with its marker packet and not with the next frame's first, and because
//! what follows a loss must never be spliced into what came before it.

mod access_unit;
mod frame_info;
mod packetizer;

pub(crate) use access_unit::{AccessUnit, starts_keyframe};
pub use frame_info::{FRAME_INFO_URI, FrameInfo};
pub use packetizer::{MAX_PAYLOAD, packetize, packetize_within, rtp_timestamp};

/// NAL unit types this crate has to tell apart.
pub(crate) mod nal {
    pub const IDR: u8 = 5;
    pub const SPS: u8 = 7;
    pub const STAP_A: u8 = 24;
    pub const FU_A: u8 = 28;

    pub fn kind(header: u8) -> u8 {
        header & 0x1F
    }
}
