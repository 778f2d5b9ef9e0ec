//! Decoding beside the window: one thread a camera, which holds one picture.

use super::CameraTrack;
use super::pictures::{FrameAt, Plan, before_at_same_time, plan};
use crate::ConsoleError;
use bevy_egui::egui::{Color32, ColorImage};
use protocol::foxglove::CompressedVideo;
use recorder::{EpisodeReader, Messages};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use video::{DecodedPicture, H264Decoder};

/// Pictures with a longer side are not shown: graphics drivers refuse them.
const MAX_SIDE: usize = 4096;

/// A picture, or why there is none.
pub type Picture = Result<ColorImage, String>;

/// What a camera's thread has made.
pub struct Shown {
    /// Which picture of the file.
    pub frame: usize,
    /// Outcome.
    pub picture: Picture,
}

/// The threads that decode. They end when this is dropped.
pub struct Decoders {
    cameras: Vec<(Arc<Slot>, Option<JoinHandle<()>>)>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wanted: Option<usize>,
    shown: Option<Shown>,
    stop: bool,
}

impl Slot {
    /// A poisoned slot still holds whole values: every critical section is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for another picture to be wanted than `done`; `None` at the end.
    fn next(&self, done: Option<usize>) -> Option<usize> {
        let idle = |state: &mut State| !state.stop && (state.wanted.is_none() || state.wanted == done);
        let state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        state.wanted.filter(|_| !state.stop)
    }
}

impl Decoders {
    /// Starts a thread for each camera of the episode.
    ///
    /// # Errors
    /// [`ConsoleError::Thread`]; [`ConsoleError::Decoder`]; those of opening the file.
    pub fn start(reader: &EpisodeReader, cameras: &[CameraTrack]) -> Result<Self, ConsoleError> {
        let mut decoders = Self { cameras: Vec::new() };
        for track in cameras {
            let slot = Arc::new(Slot::default());
            let worker = Worker {
                reader: EpisodeReader::open(reader.path())?,
                track: track.clone(),
                decoder: H264Decoder::new().map_err(ConsoleError::Decoder)?,
                source: None,
            };
            let of_thread = slot.clone();
            let thread = std::thread::Builder::new().name("play-decode".to_owned());
            let thread = thread.spawn(move || worker.run(&of_thread)).map_err(ConsoleError::Thread)?;
            decoders.cameras.push((slot, Some(thread)));
        }
        Ok(decoders)
    }

    /// The camera's picture `frame` is the one to show now.
    pub fn want(&self, camera: usize, frame: usize) {
        let Some((slot, _)) = self.cameras.get(camera) else { return };
        let mut state = slot.lock();
        if state.wanted != Some(frame) {
            state.wanted = Some(frame);
            slot.changed.notify_one();
        }
    }

    /// Takes the camera's newest picture that was not taken yet.
    #[must_use]
    pub fn take(&self, camera: usize) -> Option<Shown> {
        self.cameras.get(camera)?.0.lock().shown.take()
    }
}

impl Drop for Decoders {
    fn drop(&mut self) {
        for (slot, _) in &self.cameras {
            slot.lock().stop = true;
            slot.changed.notify_one();
        }
        for (_, thread) in &mut self.cameras {
            let _panicked = thread.take().map(JoinHandle::join);
        }
    }
}

struct Worker {
    reader: EpisodeReader,
    track: CameraTrack,
    decoder: H264Decoder,
    /// The messages from a keyframe on, and the number of the next.
    source: Option<(Messages, usize)>,
}

impl Worker {
    fn run(mut self, slot: &Slot) {
        let mut done = None;
        while let Some(wanted) = slot.next(done) {
            let picture = self.picture(wanted, slot);
            done = Some(wanted);
            slot.lock().shown = Some(Shown { frame: wanted, picture });
        }
    }

    /// Decodes up to the picture `wanted`, even when another is wanted by now: dragging shows pictures on the way.
    fn picture(&mut self, wanted: usize, slot: &Slot) -> Picture {
        loop {
            if slot.lock().stop {
                return Err("closing".to_owned());
            }
            let next = self.source.as_ref().map(|(_, next)| *next);
            match plan(&self.track.frames, next, wanted) {
                Plan::Impossible => return Err("no H.264 keyframe before this picture".to_owned()),
                Plan::Restart(keyframe) => self.restart(keyframe),
                Plan::Continue => {}
            }
            let Some((messages, next)) = &mut self.source else { return Err("not started".to_owned()) };
            let (number, message) = (*next, messages.next());
            *next += 1;
            let decoded = decode(&mut self.decoder, message);
            if number == wanted {
                return decoded.and_then(|picture| to_colours(&picture));
            }
            // A picture that is damaged shows when it is wanted; those after it may be whole again.
        }
    }

    fn restart(&mut self, keyframe: usize) {
        let frames: &[FrameAt] = &self.track.frames;
        let mut messages = self.reader.select(Some([self.track.topic.as_str()]), frames[keyframe].log_ns..);
        messages.by_ref().take(before_at_same_time(frames, keyframe)).for_each(drop);
        self.source = Some((messages, keyframe));
    }
}

fn decode(
    decoder: &mut H264Decoder,
    message: Option<Result<recorder::EpisodeMessage, recorder::RecorderError>>,
) -> Result<DecodedPicture, String> {
    let message = message.ok_or("the file ends before this picture")?.map_err(|error| error.to_string())?;
    let video: CompressedVideo = message.decode().map_err(|error| error.to_string())?;
    match decoder.decode(&video.data) {
        Ok(Some(picture)) => Ok(picture),
        Ok(None) => Err("the message holds no picture".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// I420 with the limited range of ITU-R BT.709 to sRGB, as `video.wgsl` does it for the live picture.
fn to_colours(picture: &DecodedPicture) -> Picture {
    let (width, height) = (picture.width, picture.height);
    if !crate::video::fits(picture) || width.max(height) > MAX_SIDE {
        return Err(format!("a picture of {width}x{height} is not shown"));
    }
    let mut pixels = Vec::with_capacity(width * height);
    for (row, luma) in picture.y.chunks_exact(width).enumerate() {
        let chroma = (row / 2).min(height / 2 - 1) * (width / 2);
        let (u, v) = (&picture.u[chroma..][..width / 2], &picture.v[chroma..][..width / 2]);
        for (column, y) in luma.iter().enumerate() {
            let half = (column / 2).min(width / 2 - 1);
            pixels.push(colour(*y, u[half], v[half]));
        }
    }
    Ok(ColorImage::new([width, height], pixels))
}

/// In units of 1/65536; the factors are those of the shader times 255 / 219 and 255 / 224.
fn colour(y: u8, u: u8, v: u8) -> Color32 {
    let y = (i32::from(y) - 16) * 76_309 + 32_768;
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    let byte = |value: i32| (value >> 16).clamp(0, 255) as u8;
    Color32::from_rgb(byte(y + 117_489 * v), byte(y - 13_975 * u - 34_925 * v), byte(y + 138_438 * u))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_bt_709() {
        // Black, white, and the primaries as BT.709 codes them (Y, Cb, Cr of full red, green and blue).
        for (yuv, rgb) in [
            ([16, 128, 128], [0, 0, 0]),
            ([235, 128, 128], [255, 255, 255]),
            ([63, 102, 240], [255, 0, 0]),
            ([173, 42, 26], [0, 255, 0]),
            ([32, 240, 118], [0, 0, 255]),
        ] {
            let [r, g, b, _] = colour(yuv[0], yuv[1], yuv[2]).to_array();
            let off = [r, g, b].iter().zip(rgb).map(|(a, b): (&u8, u8)| a.abs_diff(b)).max();
            assert!(off <= Some(3), "{yuv:?} is {r} {g} {b}");
        }
    }

    #[test]
    fn a_picture_that_no_driver_takes_is_refused() {
        let picture = |width: usize, height: usize| DecodedPicture {
            width,
            height,
            y: vec![16; width * height],
            u: vec![128; (width / 2) * (height / 2)],
            v: vec![128; (width / 2) * (height / 2)],
            ..Default::default()
        };
        assert!(to_colours(&picture(MAX_SIDE + 2, 2)).is_err());
        assert_eq!(to_colours(&picture(5, 3)).unwrap().size, [5, 3], "odd sizes too");
    }
}
