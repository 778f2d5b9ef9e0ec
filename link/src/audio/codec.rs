//! Opus, one channel of 48 kHz, through a codec without C.

use super::{FRAME_SAMPLES, Pcm, SAMPLE_RATE};
use crate::LinkError;
use bytes::Bytes;
use opus_pure::{Application, Error, MAX_PACKET_BYTES, MAX_PACKET_SAMPLES, OpusDecoder, OpusEncoder, Signal, packet};

/// Bits per second: full band for one voice, with the copy of the frame before.
const BITRATE_BPS: i32 = 32_000;
/// Beyond this the content analysis begins, which is half of the work and of no use where the kind is known.
const COMPLEXITY: i32 = 6;
/// Loss that is provided for, percent. Below some 2 % the copies would be left out; more than 30 % spends the whole rate.
const EXPECTED_LOSS: (f64, f64) = (10.0, 30.0);
/// A packet this short says only that nobody speaks (RFC 6716, 3.4), and need not be sent (RFC 7587, 3.1.3).
const DTX_BYTES: usize = 2;
/// RTP payloads are never larger here.
const LARGEST_BYTES: usize = 1_275;

fn failed(what: &'static str) -> impl FnOnce(Error) -> LinkError {
    move |source| LinkError::Audio { what, reason: source.to_string() }
}

/// Codes frames of 20 ms.
pub struct AudioEncoder {
    opus: OpusEncoder,
    packet: Vec<u8>,
}

impl std::fmt::Debug for AudioEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioEncoder").field("bitrate_bps", &self.opus.bitrate_bps).finish_non_exhaustive()
    }
}

impl AudioEncoder {
    /// For one microphone.
    ///
    /// # Errors
    /// When the codec refuses its settings.
    pub fn new() -> Result<Self, LinkError> {
        let mut opus = OpusEncoder::new(SAMPLE_RATE as i32, 1, Application::Voip).map_err(failed("encoder"))?;
        opus.bitrate_bps = BITRATE_BPS;
        opus.complexity = COMPLEXITY;
        opus.use_inband_fec = true;
        opus.packet_loss_perc = EXPECTED_LOSS.0 as i32;
        opus.use_dtx = true;
        // Only speech's modes carry copies of the frame before.
        opus.signal_type = Some(Signal::Voice);
        Ok(Self { opus, packet: vec![0; MAX_PACKET_BYTES] })
    }

    /// What share of the packets is lost at present, 0 to 1: the more, the more goes into the copies.
    pub fn set_expected_loss(&mut self, share: f64) {
        if share.is_finite() {
            self.opus.packet_loss_perc = (share * 100.0).clamp(EXPECTED_LOSS.0, EXPECTED_LOSS.1) as i32;
        }
    }

    /// One frame's packet; `None` when nobody speaks and nothing needs to be sent.
    ///
    /// # Errors
    /// When the codec refuses.
    pub fn encode(&mut self, samples: &Pcm) -> Result<Option<Bytes>, LinkError> {
        let length = self.opus.encode_s16(samples, FRAME_SAMPLES, &mut self.packet).map_err(failed("encoding"))?;
        let packet = self.packet.get(..length).unwrap_or_default();
        Ok((length > DTX_BYTES).then(|| Bytes::copy_from_slice(packet)))
    }
}

/// Decodes packets, and makes up what is missing between them.
pub struct AudioDecoder {
    opus: OpusDecoder,
    samples: Vec<i16>,
}

impl std::fmt::Debug for AudioDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioDecoder").finish_non_exhaustive()
    }
}

impl AudioDecoder {
    /// For one stream.
    ///
    /// # Errors
    /// When the codec refuses its settings.
    pub fn new() -> Result<Self, LinkError> {
        let opus = OpusDecoder::new(SAMPLE_RATE as i32, 1).map_err(failed("decoder"))?;
        Ok(Self { opus, samples: vec![0; MAX_PACKET_SAMPLES] })
    }

    /// Samples that a packet holds, at 48 kHz.
    ///
    /// # Errors
    /// When it is not an Opus packet.
    pub fn samples_in(packet: &[u8]) -> Result<usize, LinkError> {
        if packet.len() > LARGEST_BYTES {
            let reason = format!("{} bytes instead of at most {LARGEST_BYTES}", packet.len());
            return Err(LinkError::Audio { what: "packet", reason });
        }
        packet::samples_48k(packet).map_err(failed("packet"))
    }

    /// Whether a packet carries a coarse copy of the frame before it (RFC 6716, 4.2.3 and 4.2.4). Told for packets of
    /// one mono frame of at most 20 ms, the only ones of this crate's encoder; for others, no.
    #[must_use]
    pub fn carries_copy(packet: &[u8]) -> bool {
        let [head, first, ..] = packet else { return false };
        let (config, stereo, one_frame) = (head >> 3, head & 0x04 != 0, head & 0x03 == 0);
        // Configurations 0 to 11 are speech at 10, 20, 40 and 60 ms, 12 to 15 hybrid at 10 and 20 ms.
        let short = if config < 12 { config & 3 < 2 } else { config < 16 };
        // Flags come first, each worth one bit: voice activity, then the copy.
        one_frame && short && !stereo && first & 0x40 != 0
    }

    /// The samples of a packet.
    ///
    /// # Errors
    /// When it cannot be decoded; the decoder goes on with what comes next.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[i16], LinkError> {
        // To the codec, an empty packet is a lost one.
        let room = Self::samples_in(packet)?.min(self.samples.len());
        let length = self.opus.decode_s16(packet, room, &mut self.samples).map_err(failed("decoding"))?;
        Ok(self.samples.get(..length).unwrap_or_default())
    }

    /// 20 ms that were lost, from the copy in the packet that follows them; made up when it carries none.
    ///
    /// # Errors
    /// When the packet cannot be decoded.
    pub fn recover(&mut self, following: &[u8]) -> Result<&[i16], LinkError> {
        Self::samples_in(following)?;
        let done = self.opus.decode_fec_s16(following, FRAME_SAMPLES, &mut self.samples);
        let length = done.map_err(failed("recovering"))?;
        Ok(self.samples.get(..length).unwrap_or_default())
    }

    /// 20 ms made up from what came before.
    ///
    /// # Errors
    /// When the codec refuses.
    pub fn conceal(&mut self) -> Result<&[i16], LinkError> {
        let done = self.opus.decode_s16(&[], FRAME_SAMPLES, &mut self.samples);
        let length = done.map_err(failed("concealing"))?;
        Ok(self.samples.get(..length).unwrap_or_default())
    }
}
