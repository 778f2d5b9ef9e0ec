//! One camera's pictures on their way through a redaction.

use super::blur::blur;
use super::track::{Cover, Tracks};
use super::{Detector, LumaPicture, RegionKind, Regions};
use crate::EpisodeMessage;
use protocol::foxglove::CompressedVideo;
use std::collections::BTreeMap;
use video::I420Buffer;
use video::h264;
use video::transcode::{EncoderSpec, PictureDecoder, PictureEncoder};

/// Time between looks: a face or plate is not looked for in every picture, ns.
const LOOK_NS: u64 = 300_000_000;
/// Room for coding again what was coded before.
const BITRATE_FACTOR: f64 = 1.3;

fn content(message: &EpisodeMessage) -> Result<CompressedVideo, String> {
    let content: CompressedVideo = message.decode().map_err(|error| error.to_string())?;
    if content.format == "h264" { Ok(content) } else { Err(format!("its format is {:?}, not h264", content.format)) }
}

/// First way through: where are regions?
pub(super) struct Search {
    decoder: PictureDecoder,
    picture: I420Buffer,
    tracks: Tracks,
    looks: u64,
    next_look_ns: u64,
    span_ns: (u64, u64),
    bytes: u64,
    pictures: u64,
}

impl Search {
    pub fn new(first_ns: u64) -> Result<Self, String> {
        Ok(Self {
            decoder: PictureDecoder::new()?,
            picture: I420Buffer::default(),
            tracks: Tracks::default(),
            looks: 0,
            next_look_ns: first_ns,
            span_ns: (first_ns, first_ns),
            bytes: 0,
            pictures: 0,
        })
    }

    pub fn see(&mut self, message: &EpisodeMessage, detector: &mut dyn Detector) -> Result<(), String> {
        let (at_ns, content) = (message.log_time_ns, content(message)?);
        self.decoder.decode(&content.data, &mut self.picture)?;
        self.bytes += content.data.len() as u64;
        self.pictures += 1;
        self.span_ns.1 = at_ns;
        if at_ns >= self.next_look_ns {
            let I420Buffer { y, width, height, .. } = &self.picture;
            let look = LumaPicture { luma: y, width: *width, height: *height, number: self.looks };
            self.tracks.add(at_ns, &detector.look(&look)?);
            self.looks += 1;
            self.next_look_ns = at_ns.saturating_add(LOOK_NS);
        }
        Ok(())
    }

    /// Goes on to the second way through.
    pub fn finish(self) -> Result<Covering, String> {
        let seconds = (self.span_ns.1 - self.span_ns.0) as f64 * 1e-9;
        let fps = (self.pictures.max(2) - 1) as f64 / seconds.max(1e-3);
        let bps = self.bytes as f64 * 8.0 / seconds.max(1.0) * BITRATE_FACTOR;
        Ok(Covering {
            decoder: PictureDecoder::new()?,
            picture: self.picture,
            regions: self.tracks.count(),
            cover: self.tracks.cover(),
            spec: EncoderSpec::new(bps as u32, fps),
            encoder: None,
            pictures: 0,
        })
    }
}

/// Second way through: covering them.
pub(super) struct Covering {
    decoder: PictureDecoder,
    picture: I420Buffer,
    cover: Cover,
    spec: EncoderSpec,
    encoder: Option<PictureEncoder>,
    pub regions: BTreeMap<RegionKind, Regions>,
    pub pictures: u64,
}

impl Covering {
    /// The message with its picture covered.
    pub fn cover(&mut self, message: &EpisodeMessage) -> Result<EpisodeMessage, String> {
        let (at_ns, mut content) = (message.log_time_ns, content(message)?);
        let keyframe = h264::is_keyframe(&content.data);
        self.decoder.decode(&content.data, &mut self.picture)?;
        for (kind, area) in self.cover.at(at_ns) {
            if blur(&mut self.picture, kind, area) {
                self.regions.entry(kind).or_default().blurred += 1;
            }
        }
        let size = (self.picture.width, self.picture.height);
        let encoder = match &mut self.encoder {
            Some(encoder) if encoder.size() == size => encoder,
            slot => slot.insert(PictureEncoder::new(self.spec, size)?),
        };
        content.data = encoder.encode(&self.picture, at_ns, keyframe)?.into();
        self.pictures += 1;
        let mut covered = message.clone();
        covered.data = prost::Message::encode_to_vec(&content).into();
        Ok(covered)
    }
}
