//! A camera's thread: draws the newest scene, streams it to the seats and records it. A scene that was not drawn in time is
//! replaced, never queued.

use crate::scribe;
use link::video::Planes;
use link::{CameraStreamer, LinkError};
use recorder::RecorderHandle;
use sim::camera::{Camera, CameraSpec, Picture};
use sim::scene::SceneSnapshot;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// A camera's thread until the shutter closes. `origin` is the vehicle's clock's zero, `epoch_ns` its wall time.
///
/// # Errors
/// [`LinkError`] when the encoder refuses its settings or a picture.
pub fn run(
    shutter: &Shutter,
    mut camera: Camera,
    spec: &CameraSpec,
    mut streamer: CameraStreamer,
    recorder: &RecorderHandle,
    (origin, epoch_ns): (Instant, u64),
) -> Result<(), LinkError> {
    let mut drawn = Picture::new(spec.width, spec.height);
    let mut picture = Planes { width: spec.width, height: spec.height, ..Default::default() };
    let mut sequence = 0u32;
    while let Some((capture_us, scene)) = shutter.next() {
        camera.draw(&scene, &mut drawn);
        // The streamer takes planes by name, the camera draws into its own: swapping costs nothing.
        std::mem::swap(&mut picture.y, &mut drawn.y);
        std::mem::swap(&mut picture.u, &mut drawn.u);
        std::mem::swap(&mut picture.v, &mut drawn.v);
        if let Some(frame) = streamer.stream(&mut picture, capture_us)? {
            let log_ns = epoch_ns + origin.elapsed().as_nanos() as u64;
            recorder.push(scribe::picture(sequence, log_ns, epoch_ns + capture_us * 1_000, &frame));
            sequence = sequence.wrapping_add(1);
        }
        std::mem::swap(&mut picture.y, &mut drawn.y);
        std::mem::swap(&mut picture.u, &mut drawn.u);
        std::mem::swap(&mut picture.v, &mut drawn.v);
    }
    Ok(())
}
