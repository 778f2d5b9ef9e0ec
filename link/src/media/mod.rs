//! Pictures over a lossy path, sans-IO: forward error correction and retransmission that know each frame's deadline.
//!
//! [`MediaSender`] turns access units into RTP packets, adds as much redundancy as loss, bursts and round trip call for
//! ([`policy`]), and repeats what the other side asks for. [`MediaReceiver`] puts frames together the moment enough has
//! arrived, asks for what will not come by itself, and says when only a keyframe or a recovery frame helps.
//!
//! Between our own peers, FEC packets share the video's SSRC and sequence numbers under [`FEC_PAYLOAD_TYPE`], and each
//! packet says in a [`FrameMark`] where in its frame it stands. A foreign peer gets neither. A retransmission is the same
//! RTP packet once more.

mod burst;
mod extent;
mod fec;
mod history;
mod incoming;
mod mark;
pub mod policy;
mod receiver;
mod sender;

pub use incoming::{AssembledFrame, RtpIn};
pub use mark::FrameMark;
pub use policy::PathState;
pub use receiver::{MediaReceiver, ReceiverConfig, ReceiverOutput, ReceiverStats};
pub use sender::{MediaSender, OutPacket, PacketKind, SenderStats};

/// RTP payload type of FEC packets; only between peers that said they understand them.
pub const FEC_PAYLOAD_TYPE: u8 = 121;
/// Most bytes in a media packet's payload; a FEC packet's are [`FEC_OVERHEAD`] more, all in all below 1,200 bytes.
pub const MAX_MEDIA_PAYLOAD: usize = 1150;
/// Bytes a FEC packet adds to the longest packet it protects.
pub const FEC_OVERHEAD: usize = fec::HEADER + 2;
/// Microseconds from capture within which a frame is of use.
pub const DEADLINE_US: u64 = 150_000;

#[cfg(test)]
mod tests;
