//! Two-way audio: Opus (RFC 6716) over RTP (RFC 7587), 48 kHz mono in frames of 20 ms.
//!
//! - [`AudioEncoder`] and [`AudioDecoder`] code; each packet carries the frame before it once more, coarser, so that a
//!   single loss is repaired by the packet that follows.
//! - [`Playout`] puts packets back in order, waits for the late ones no longer than the path's jitter asks for, and
//!   conceals what is missing.
//! - [`AudioFrame`] is what comes out at either end of the link, [`AudioStats`] how it went.
//!
//! Nothing here knows sockets or clocks: time is handed in, microseconds. Sound cards and files are the shells' matter.

mod audio_sender;
mod codec;
mod jitter;
mod listener;
mod playout;
#[cfg(test)]
mod tests;
pub mod tone;

pub use codec::{AudioDecoder, AudioEncoder};
pub use playout::{AudioPacketIn, Played, Playout};

pub(crate) use audio_sender::{AudioPacket, AudioSender};
pub(crate) use listener::Listener;

/// Samples a second; Opus over RTP has no other clock (RFC 7587, 4.1).
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples of a frame of 20 ms.
pub const FRAME_SAMPLES: usize = 960;
/// Length of a frame, microseconds.
pub const FRAME_US: u64 = 20_000;

/// 20 ms of one channel.
pub type Pcm = [i16; FRAME_SAMPLES];

/// 20 ms of what the other end says; at the vehicle, of all seats together.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioFrame {
    /// One channel, 48 kHz.
    pub samples: Box<Pcm>,
    /// When it is to be heard, on this end's clock, microseconds; from one frame to the next 20 ms.
    pub due_us: u64,
    /// Who speaks: seats at the vehicle, the vehicle at a seat.
    pub speakers: Vec<String>,
    /// From the capture until now, microseconds: mouth to ear without the sound cards. `None` while the clocks are not
    /// known to each other, or when the peer is no end of this crate.
    pub age_us: Option<u64>,
}

/// Outcome of the audio that was received, counted in packets and frames of 20 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AudioStats {
    /// Packets that came.
    pub received: u64,
    /// Packets that came after their time to be heard.
    pub late: u64,
    /// Packets that came twice.
    pub duplicated: u64,
    /// Packets that are not Opus, or of another payload type.
    pub malformed: u64,
    /// Packets dropped because nobody fetched what came before.
    pub overflowed: u64,
    /// Packets of seats that may only watch.
    pub refused: u64,
    /// Frames that were heard as they were sent.
    pub played: u64,
    /// Frames heard from the copy in the packet behind a lost one.
    pub recovered: u64,
    /// Frames made up because nothing came.
    pub concealed: u64,
    /// Frames in which the other end said nothing and sent nothing.
    pub silent: u64,
    /// Frames made up to wait longer.
    pub stretched: u64,
    /// Frames left out to wait less.
    pub skipped: u64,
    /// Times that the stream started over.
    pub restarts: u64,
    /// How long packets are made to wait at present so that late ones still count, microseconds.
    pub delay_us: u64,
}

impl AudioStats {
    /// Adds another stream's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.late += other.late;
        self.duplicated += other.duplicated;
        self.malformed += other.malformed;
        self.overflowed += other.overflowed;
        self.refused += other.refused;
        self.played += other.played;
        self.recovered += other.recovered;
        self.concealed += other.concealed;
        self.silent += other.silent;
        self.stretched += other.stretched;
        self.skipped += other.skipped;
        self.restarts += other.restarts;
        self.delay_us = self.delay_us.max(other.delay_us);
    }

    /// Of the frames that were spoken, the share that had to be made up.
    #[must_use]
    pub fn concealed_share(&self) -> f64 {
        let spoken = self.played + self.recovered + self.concealed;
        if spoken == 0 { 0.0 } else { self.concealed as f64 / spoken as f64 }
    }
}
