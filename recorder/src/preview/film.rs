//! The preview's video.

use super::{part_of, put_in_place};
use crate::EpisodeReader;
use crate::exchange::ExchangeError;
use protocol::foxglove::CompressedVideo;
use protocol::topics;
use std::path::Path;
use video::I420Buffer;
use video::mp4::{Format, Mp4Writer};
use video::transcode::{EncoderSpec, PictureDecoder, PictureEncoder};

/// The longer side, pixels.
const LONGEST_SIDE: usize = 320;
/// Pictures a second; where the camera had fewer, each stays longer.
const FPS: u32 = 10;
const STEP_NS: u64 = 1_000_000_000 / FPS as u64;
const BITRATE_BPS: u32 = 200_000;
/// Ten minutes: what comes later is in the episode.
const MAX_PICTURES: u64 = 600 * FPS as u64;

/// A video that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Film {
    /// Log time of its first picture.
    pub start_ns: u64,
    pub pictures: u64,
    pub fps: u32,
}

/// Writes the front camera's (or the first there is) pictures to `path`; the inner error says why there can be no video.
pub(super) fn write(source: &EpisodeReader, path: &Path) -> Result<Result<Film, String>, ExchangeError> {
    let cameras =
        source.topics().into_iter().filter(|topic| topic.schema == topics::VIDEO_SCHEMA && topic.messages > 0);
    let camera = cameras.min_by_key(|topic| topic.topic != topics::CAMERA_FRONT.name);
    let Some(camera) = camera else { return Ok(Err("the episode holds no video".to_owned())) };
    let part = part_of(path);
    match copy(source, &camera.topic, &part) {
        Ok(film) => put_in_place(&part, path).map(|()| Ok(film)),
        Err(Problem::Disk(error)) => Err(error),
        Err(Problem::Content(problem)) => {
            if part.exists() {
                std::fs::remove_file(&part).map_err(ExchangeError::io("remove", &part))?;
            }
            Ok(Err(format!("{}: {problem}", camera.topic)))
        }
    }
}

enum Problem {
    Disk(ExchangeError),
    Content(String),
}

impl From<ExchangeError> for Problem {
    fn from(error: ExchangeError) -> Self {
        Self::Disk(error)
    }
}

fn copy(source: &EpisodeReader, camera: &str, path: &Path) -> Result<Film, Problem> {
    let mut decoder = PictureDecoder::new().map_err(Problem::Content)?;
    let (mut picture, mut before) = (I420Buffer::default(), None);
    let mut open_video: Option<OpenVideo> = None;
    for message in source.select(Some([camera]), ..) {
        let message = message.map_err(|error| Problem::Content(error.to_string()))?;
        let at_ns = message.log_time_ns;
        let bad = |problem: String| Problem::Content(format!("the picture at {at_ns} ns: {problem}"));
        let content: CompressedVideo = message.decode().map_err(|error| Problem::Content(error.to_string()))?;
        if content.format != "h264" {
            return Err(bad(format!("its format is {:?}, not h264", content.format)));
        }
        decoder.decode(&content.data, &mut picture).map_err(bad)?;
        let open_video = match &mut open_video {
            Some(open_video) => open_video,
            slot => slot.insert(OpenVideo::new(at_ns, &picture).map_err(bad)?),
        };
        if open_video.pictures >= MAX_PICTURES {
            break;
        }
        if at_ns < open_video.due_ns() {
            continue;
        }
        let small = picture.shrunk(open_video.size.0, open_video.size.1);
        // A gap shows what was last seen.
        while let Some(before) = &before
            && open_video.due_ns().saturating_add(STEP_NS) <= at_ns
            && open_video.pictures < MAX_PICTURES
        {
            open_video.add(path, before, bad)?;
        }
        open_video.add(path, &small, bad)?;
        before = Some(small);
    }
    let open_video = open_video.ok_or_else(|| Problem::Content("no picture is in it".to_owned()))?;
    let film = Film { start_ns: open_video.start_ns, pictures: open_video.pictures, fps: FPS };
    match open_video.writer {
        Some(writer) => writer.finish().map_err(ExchangeError::from)?,
        None => return Err(Problem::Content("no picture is in it".to_owned())),
    }
    Ok(film)
}

/// What has been written so far.
struct OpenVideo {
    size: (usize, usize),
    encoder: PictureEncoder,
    writer: Option<Mp4Writer>,
    start_ns: u64,
    pictures: u64,
}

impl OpenVideo {
    fn new(start_ns: u64, first: &I420Buffer) -> Result<Self, String> {
        let longest = first.width.max(first.height).max(1);
        let side = |pixels: usize| (pixels * LONGEST_SIDE.min(longest) / longest).next_multiple_of(2).max(16);
        let size = (side(first.width), side(first.height));
        let encoder = PictureEncoder::new(EncoderSpec::new(BITRATE_BPS, f64::from(FPS)), size)?;
        Ok(Self { size, encoder, writer: None, start_ns, pictures: 0 })
    }

    /// When its next picture is shown.
    fn due_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.pictures * STEP_NS)
    }

    fn add(&mut self, path: &Path, picture: &I420Buffer, bad: impl Fn(String) -> Problem) -> Result<(), Problem> {
        let data = self.encoder.encode(picture, self.due_ns(), false).map_err(&bad)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            slot => {
                let format = Format::of(&data).ok_or_else(|| bad("it was encoded without parameters".to_owned()))?;
                slot.insert(Mp4Writer::create(path, format, FPS).map_err(ExchangeError::from)?)
            }
        };
        writer.add(&data).map_err(ExchangeError::from)?;
        self.pictures += 1;
        Ok(())
    }
}
