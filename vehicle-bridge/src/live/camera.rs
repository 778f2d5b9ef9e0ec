//! A camera's thread: draws the newest scene or takes what the robot sends, streams it to the seats and records it. A scene
//! that was not drawn in time is replaced, never queued.

use crate::robots::process::{PictureQueue, Unpacker};
use link::{CameraStreamer, LinkError};
use recorder::RecorderHandle;
use sim::camera::{Camera, CameraSpec, Picture};
use sim::scene::SceneSnapshot;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vehicle_core::telemetry::{self, EncodedPicture};
use video::I420Buffer;

/// Frames a second.
pub const FPS: f64 = 30.0;

/// What the control thread hands to the camera.
#[derive(Debug, Default)]
pub struct Shutter {
    scene: Mutex<Option<(u64, SceneSnapshot)>>,
    ready: Condvar,
    stop: AtomicBool,
    /// Scenes replaced before they were drawn.
    pub missed: AtomicU64,
}

impl Shutter {
    /// Shows the camera what it sees at `capture_us`.
    pub fn release(&self, capture_us: u64, scene: SceneSnapshot) {
        let before = self.scene.lock().unwrap_or_else(PoisonError::into_inner).replace((capture_us, scene));
        if before.is_some() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
        self.ready.notify_one();
    }

    /// Ends the thread.
    pub fn close(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.ready.notify_all();
    }

    fn next(&self) -> Option<(u64, SceneSnapshot)> {
        let mut scene = self.scene.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(next) = scene.take() {
                return Some(next);
            }
            let waited = self.ready.wait_timeout(scene, Duration::from_millis(200));
            scene = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Where a camera's pictures go: to the seats and into the recorder.
pub struct CameraOutput {
    /// Encodes and sends.
    pub streamer: CameraStreamer,
    /// Takes what was sent.
    pub recorder: RecorderHandle,
    /// The vehicle's clock's zero.
    pub origin: Instant,
    /// The vehicle's wall time at that zero.
    pub epoch_ns: u64,
    /// Counts pictures.
    pub sequence: u32,
}

impl CameraOutput {
    fn put(&mut self, picture: &mut I420Buffer, capture_us: u64) -> Result<(), LinkError> {
        if let Some(frame) = self.streamer.stream(picture, capture_us)? {
            let log_ns = self.epoch_ns + self.origin.elapsed().as_nanos() as u64;
            let picture = EncodedPicture { camera: frame.camera.into(), data: frame.data, keyframe: frame.keyframe };
            let at_ns = self.epoch_ns + capture_us * 1_000;
            self.recorder.push(telemetry::picture(self.sequence, log_ns, at_ns, picture));
            self.sequence = self.sequence.wrapping_add(1);
        }
        Ok(())
    }
}

/// The thread of a camera whose pictures are drawn, until the shutter closes.
///
/// # Errors
/// [`LinkError`] when the encoder refuses its settings or a picture.
pub fn run_drawn(
    shutter: &Shutter,
    mut camera: Camera,
    spec: &CameraSpec,
    mut output: CameraOutput,
) -> Result<(), LinkError> {
    let mut drawn = Picture::new(spec.width, spec.height);
    let mut picture = I420Buffer { width: spec.width, height: spec.height, ..Default::default() };
    while let Some((capture_us, scene)) = shutter.next() {
        camera.draw(&scene, &mut drawn);
        // The streamer takes planes by name, the camera draws into its own: swapping costs nothing.
        std::mem::swap(&mut picture.y, &mut drawn.y);
        std::mem::swap(&mut picture.u, &mut drawn.u);
        std::mem::swap(&mut picture.v, &mut drawn.v);
        output.put(&mut picture, capture_us)?;
        std::mem::swap(&mut picture.y, &mut drawn.y);
        std::mem::swap(&mut picture.u, &mut drawn.u);
        std::mem::swap(&mut picture.v, &mut drawn.v);
    }
    Ok(())
}

/// The thread of a camera whose pictures the robot sends, until the queue closes. `fault` is told of a picture that is
/// none, with the connection over which it came.
///
/// # Errors
/// [`LinkError`] when the encoder refuses its settings or a picture.
pub(crate) fn run_received(
    queue: &PictureQueue,
    mut unpacker: Unpacker,
    fault: &dyn Fn(u64, String),
    mut output: CameraOutput,
) -> Result<(), LinkError> {
    let mut picture = I420Buffer::default();
    let mut last_us = 0;
    while let Some(raw) = queue.next() {
        match unpacker.unpack(&raw, &mut picture) {
            // The estimate of the robot's clock moves a little: no picture may seem older than the one before.
            Ok(true) if raw.capture_us > last_us => {
                last_us = raw.capture_us;
                output.put(&mut picture, raw.capture_us)?;
            }
            Ok(_) => {}
            Err(problem) => fault(raw.connection, problem),
        }
    }
    Ok(())
}
