//! From the microphone to packets.

use super::{AudioEncoder, FRAME_SAMPLES, FRAME_US, Pcm};
use crate::LinkError;
use bytes::Bytes;

/// Captures this far off the regular grid begin a new one, microseconds: frames were left out, or the clock was set.
const OFF_GRID_US: u64 = 20_000;

/// One frame on its way out; each session numbers its own packets.
#[derive(Debug, Clone)]
pub(crate) struct AudioPacket {
    /// 48 kHz; what is captured at `t` microseconds carries about `t * 48 / 1000`, as 32 bits.
    pub(crate) timestamp: u32,
    /// The first after a silence (RFC 3551, 4.1).
    pub(crate) marker: bool,
    pub(crate) payload: Bytes,
}

/// The RTP clock's reading at a capture.
pub(super) fn timestamp_of(capture_us: u64) -> u32 {
    (u128::from(capture_us) * 48 / 1_000) as u32
}

/// The capture time that a timestamp stands for: of all times 25 hours apart the one nearest to `near_us`.
pub(super) fn capture_of(timestamp: u32, near_us: u64) -> u64 {
    let ticks = u128::from(near_us) * 48 / 1_000;
    let behind = i128::from((ticks as u32).wrapping_sub(timestamp) as i32);
    ((ticks as i128 - behind).max(0) * 1_000 / 48) as u64
}

/// One end's voice.
#[derive(Debug)]
pub(crate) struct AudioSender {
    encoder: AudioEncoder,
    /// Capture time and timestamp that the next frame has when it follows the last one.
    next: Option<(u64, u32)>,
    quiet: bool,
}

impl AudioSender {
    pub(crate) fn new() -> Result<Self, LinkError> {
        Ok(Self { encoder: AudioEncoder::new()?, next: None, quiet: true })
    }

    pub(crate) fn set_expected_loss(&mut self, share: f64) {
        self.encoder.set_expected_loss(share);
    }

    /// A frame whose first sample was captured at `capture_us`, on the vehicle's clock; `None` when there is nothing to
    /// send.
    ///
    /// Timestamps advance evenly, so that a capture thread's unpunctuality is not mistaken for gaps.
    pub(crate) fn say(&mut self, capture_us: u64, samples: &Pcm) -> Result<Option<AudioPacket>, LinkError> {
        let (grid_us, timestamp) = match self.next {
            Some((us, timestamp)) if us.abs_diff(capture_us) < OFF_GRID_US => (us, timestamp),
            _ => (capture_us, timestamp_of(capture_us)),
        };
        self.next = Some((grid_us + FRAME_US, timestamp.wrapping_add(FRAME_SAMPLES as u32)));
        let Some(payload) = self.encoder.encode(samples)? else {
            self.quiet = true;
            return Ok(None);
        };
        Ok(Some(AudioPacket { timestamp, marker: std::mem::take(&mut self.quiet), payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::tone;

    #[test]
    fn timestamps_advance_evenly_until_captures_leave_the_grid() {
        let mut audio_sender = AudioSender::new().unwrap();
        let mut stamps = Vec::new();
        for (frame, off_us) in [0, 3_000, 1_000, 9_000, 500_000].into_iter().enumerate() {
            let packet =
                audio_sender.say(frame as u64 * FRAME_US + off_us, &tone::frame(440.0, frame as u64)).unwrap().unwrap();
            assert_eq!(packet.marker, frame == 0);
            stamps.push(packet.timestamp);
        }
        assert_eq!(stamps, [0, 960, 1_920, 2_880, 4 * 960 + 24_000]);
    }

    #[test]
    fn silence_is_not_sent_and_speech_after_it_is_marked() {
        let mut audio_sender = AudioSender::new().unwrap();
        let sent: Vec<bool> =
            (0..100).map(|n| audio_sender.say(n * FRAME_US, &[0; FRAME_SAMPLES]).unwrap().is_some()).collect();
        assert!(sent[60..].iter().filter(|sent| **sent).count() <= 6, "{sent:?}");
        let packets = (100..110).filter_map(|n| audio_sender.say(n * FRAME_US, &tone::frame(440.0, n)).unwrap());
        let marks: Vec<bool> = packets.map(|packet| packet.marker).collect();
        assert_eq!((marks[0], marks[1..].contains(&true)), (true, false));
    }

    #[test]
    fn capture_times_survive_the_wrap_of_the_rtp_clock() {
        for capture_us in [0u64, 20_000, 89_478_485_000, 89_478_486_000, 300_000_000_000] {
            for near_us in [capture_us + 500_000, capture_us.saturating_sub(100_000)] {
                assert!(capture_of(timestamp_of(capture_us), near_us).abs_diff(capture_us) <= 42);
            }
        }
    }
}
