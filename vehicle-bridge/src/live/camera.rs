//! The camera's thread: draws the newest scene, stamps the timecode, encodes, sends and records. A scene that was not
//! drawn in time is replaced, never queued.

use crate::scribe;
use link::timecode;
use link::video::{H264Config, H264Encoder, I420, Reference, VideoEncoder};
use link::{LinkError, VehicleLink};
use recorder::RecorderHandle;
use sim::camera::{Camera, CameraSpec, Picture};
use sim::scene::SceneSnapshot;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Frames a second.
pub const FPS: f64 = 30.0;

/// What the control thread hands to the camera.
#[derive(Debug, Default)]
pub struct Shutter {
    scene: Mutex<Option<(u64, SceneSnapshot)>>,
    ready: Condvar,
    keyframe: AtomicBool,
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

    /// The next picture is coded as a keyframe.
    pub fn want_keyframe(&self) {
        self.keyframe.store(true, Ordering::Relaxed);
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

/// The camera's thread until the shutter closes. `epoch_ns` is the wall time of the vehicle's clock's zero.
///
/// # Errors
/// [`LinkError`] when the encoder refuses its settings or a picture.
pub fn run(
    shutter: &Shutter,
    mut camera: Camera,
    spec: &CameraSpec,
    link: &Arc<VehicleLink>,
    recorder: &RecorderHandle,
    epoch_ns: u64,
) -> Result<(), LinkError> {
    let mut picture = Picture::new(spec.width, spec.height);
    let mut encoder = H264Encoder::new(H264Config::new(spec.width, spec.height, FPS))?;
    let mut bitrate = encoder.bitrate_bps();
    let mut sequence = 0u32;
    while let Some((capture_us, scene)) = shutter.next() {
        camera.draw(&scene, &mut picture);
        timecode::stamp(&mut picture.y, spec.width, spec.height, sequence, capture_us);
        let wanted = link.stats().target_bitrate_bps as u32;
        if wanted > 0 && wanted.abs_diff(bitrate) > bitrate / 20 && encoder.set_bitrate(wanted).is_ok() {
            bitrate = wanted;
        }
        let wanted = shutter.keyframe.swap(false, Ordering::Relaxed);
        let reference = if wanted { Reference::Keyframe } else { Reference::Previous };
        let source = I420 { width: spec.width, height: spec.height, y: &picture.y, u: &picture.u, v: &picture.v };
        let encode_started_us = link.now_us();
        if let Some(mut frame) = encoder.encode(source, capture_us, reference)? {
            frame.encode_started_us = encode_started_us;
            frame.encoded_us = link.now_us();
            recorder.push(scribe::picture(sequence, epoch_ns + capture_us * 1_000, &frame));
            link.send_frame(frame);
        }
        sequence = sequence.wrapping_add(1);
    }
    Ok(())
}
