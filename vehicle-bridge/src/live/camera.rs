//! A camera's thread: takes each picture as it comes, streams it to the seats and records it.

use crate::robots::PictureSource;
use link::{CameraStreamer, LinkError};
use recorder::RecorderHandle;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vehicle_core::telemetry::{self, EncodedPicture};
use video::I420Buffer;

/// How soon a thread notices that it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// Where a camera's pictures go: to the seats and into the recorder.
pub(super) struct CameraOutput {
    /// Encodes and sends.
    pub(super) streamer: CameraStreamer,
    /// Where its pictures are recorded: a place among [`protocol::topics::CAMERAS`].
    pub(super) place: usize,
    /// Takes what was sent.
    pub(super) recorder: RecorderHandle,
    /// The vehicle's clock's zero.
    pub(super) origin: Instant,
    /// The vehicle's wall time at that zero.
    pub(super) epoch_ns: u64,
    /// Counts pictures.
    pub(super) sequence: u32,
}

impl CameraOutput {
    fn put(&mut self, picture: &mut I420Buffer, capture_us: u64) -> Result<(), LinkError> {
        if let Some(frame) = self.streamer.stream(picture, capture_us)? {
            let log_ns = self.epoch_ns + self.origin.elapsed().as_nanos() as u64;
            let picture = EncodedPicture { camera: self.place, data: frame.data, keyframe: frame.keyframe };
            let at_ns = self.epoch_ns + capture_us * 1_000;
            self.recorder.push(telemetry::picture(self.sequence, log_ns, at_ns, picture));
            self.sequence = self.sequence.wrapping_add(1);
        }
        Ok(())
    }
}

/// The thread, until `stop` is set.
///
/// # Errors
/// [`LinkError`] when the encoder refuses its settings or a picture.
pub(super) fn run(
    pictures: &mut dyn PictureSource,
    mut output: CameraOutput,
    stop: &AtomicBool,
) -> Result<(), LinkError> {
    let mut picture = I420Buffer::default();
    let mut last_us = 0;
    while !stop.load(Ordering::Relaxed) {
        // The estimate of a robot's clock moves a little: no picture may seem older than the one before.
        if let Some(capture_us) = pictures.next(LOOK, &mut picture).filter(|capture_us| *capture_us > last_us) {
            last_us = capture_us;
            output.put(&mut picture, capture_us)?;
        }
    }
    Ok(())
}
