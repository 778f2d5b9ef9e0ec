//! From a camera's picture to the seats: what every camera's thread does with each picture.

use super::VehicleLink;
use crate::{CameraPlan, LinkError};
use std::sync::Arc;
use video::{
    EncodedFrame, H264Config, H264Encoder, I420, I420Buffer, VideoEncoder, VideoSpec, nearest_bitrate, timecode,
};

/// Where recordings can begin and new watchers join, while the path is wide, seconds.
const KEYFRAMES_WIDE_S: f64 = 1.0;
/// The same on a narrow path, where a keyframe takes the time of many pictures.
const KEYFRAMES_NARROW_S: f64 = 10.0;
/// Share of the wanted bitrate below which a path is narrow.
const NARROW: f64 = 0.7;

/// Makes an encoder for a picture size and rate.
pub type MakeEncoder = Box<dyn FnMut(&H264Config) -> Result<Box<dyn VideoEncoder>, LinkError> + Send>;

/// One camera on its way to the seats: leaves pictures out that would only wait, fits size and rate to the path, stamps
/// the timecode, encodes, repairs what seats have lost, and sends.
pub struct CameraStreamer {
    link: Arc<VehicleLink>,
    camera: u8,
    spec: VideoSpec,
    make: MakeEncoder,
    encoder: Box<dyn VideoEncoder>,
    plan: CameraPlan,
    keyframe_interval_s: f64,
    scaled: I420Buffer,
    sequence: u32,
    next_us: u64,
    restart: bool,
}

impl std::fmt::Debug for CameraStreamer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CameraStreamer").field("camera", &self.camera).field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl CameraStreamer {
    /// Streams `camera` (its index among those the link was started with) with OpenH264.
    ///
    /// # Errors
    /// When the encoder refuses the camera's size or rate, or there is no such camera.
    pub fn new(link: Arc<VehicleLink>, camera: usize) -> Result<Self, LinkError> {
        Self::with_encoder(link, camera, Box::new(|config| Ok(Box::new(H264Encoder::new(*config)?))))
    }

    /// As [`Self::new`] with another encoder, made again for each picture size.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_encoder(link: Arc<VehicleLink>, camera: usize, mut make: MakeEncoder) -> Result<Self, LinkError> {
        let cameras = link.shared.cameras.specs();
        let spec = *cameras.get(camera).ok_or(LinkError::NoCamera { camera, cameras: cameras.len() })?;
        let plan = CameraPlan {
            bitrate_bps: nearest_bitrate(spec.default_bitrate_bps()),
            fps: spec.fps,
            width: spec.width,
            height: spec.height,
        };
        let encoder = make(&config(&plan, KEYFRAMES_WIDE_S))?;
        Ok(Self {
            link,
            camera: camera as u8,
            spec,
            make,
            encoder,
            plan,
            keyframe_interval_s: KEYFRAMES_WIDE_S,
            scaled: I420Buffer::default(),
            sequence: 0,
            next_us: 0,
            restart: false,
        })
    }

    /// Forces the next picture to be a keyframe, for a recording that begins.
    pub fn want_keyframe(&mut self) {
        self.restart = true;
    }

    /// Sends a picture captured at `capture_us` on the link's clock, and returns it coded; `None` when it was left out.
    /// The timecode is written into `picture`. A picture has the camera's full size.
    ///
    /// # Errors
    /// When the picture's size is wrong or the encoder fails.
    pub fn stream(&mut self, picture: &mut I420Buffer, capture_us: u64) -> Result<Option<EncodedFrame>, LinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let order = self.link.order(usize::from(self.camera));
        if order.skip || !self.is_due(capture_us) {
            return Ok(None);
        }
        self.follow_plan()?;
        let encode_started_us = self.link.now_us();
        let (width, height) = (self.plan.width as usize, self.plan.height as usize);
        let picture = if (picture.width, picture.height) == (width, height) {
            picture
        } else {
            self.scaled.scale_from(picture.as_i420(), width, height);
            &mut self.scaled
        };
        timecode::stamp(&mut picture.y, width, height, self.sequence, capture_us);
        if order.acknowledged_us > 0 {
            self.encoder.acknowledge(order.acknowledged_us);
        }
        let restart = std::mem::take(&mut self.restart);
        let reference = if restart { video::Reference::Keyframe } else { order.reference };
        let source: I420<'_> = picture.as_i420();
        let Some(mut frame) = self.encoder.encode(source, capture_us, reference)? else { return Ok(None) };
        frame.camera = self.camera;
        frame.encode_started_us = encode_started_us;
        frame.encoded_us = self.link.now_us();
        self.link.send_frame(frame.clone());
        Ok(Some(frame))
    }

    /// Whether the frame rate of the plan has room for this picture.
    fn is_due(&mut self, capture_us: u64) -> bool {
        let interval_us = (1e6 / self.plan.fps.max(1.0)) as u64;
        // Half a frame of the camera's own jitter must not cost a picture.
        let slack_us = (0.5e6 / self.spec.fps.max(1.0)) as u64;
        if capture_us + slack_us < self.next_us {
            return false;
        }
        self.next_us = (self.next_us + interval_us).max(capture_us + interval_us.saturating_sub(slack_us));
        true
    }

    fn follow_plan(&mut self) -> Result<(), LinkError> {
        let plan = encodable(self.link.plan(usize::from(self.camera)));
        let narrow = f64::from(plan.bitrate_bps) < NARROW * f64::from(self.spec.default_bitrate_bps());
        let interval = if narrow { KEYFRAMES_NARROW_S } else { KEYFRAMES_WIDE_S };
        let before = std::mem::replace(&mut self.plan, plan);
        if (plan.width, plan.height) != (before.width, before.height) {
            self.encoder = (self.make)(&config(&plan, interval))?;
            self.keyframe_interval_s = interval;
            return Ok(());
        }
        if plan.bitrate_bps.abs_diff(before.bitrate_bps) > 0 {
            self.encoder.set_bitrate(plan.bitrate_bps)?;
        }
        if (plan.fps - before.fps).abs() > 0.1 {
            self.encoder.set_frame_rate(plan.fps)?;
        }
        if (interval - self.keyframe_interval_s).abs() > 0.01 {
            self.keyframe_interval_s = interval;
            self.encoder.set_keyframe_interval(Some(interval))?;
        }
        Ok(())
    }
}

/// The plan with a rate that an encoder takes.
fn encodable(plan: CameraPlan) -> CameraPlan {
    CameraPlan { bitrate_bps: nearest_bitrate(plan.bitrate_bps), ..plan }
}

fn config(plan: &CameraPlan, keyframe_interval_s: f64) -> H264Config {
    let mut config = H264Config::new(plan.width as usize, plan.height as usize, plan.fps);
    config.bitrate_bps = plan.bitrate_bps;
    config.keyframe_interval_s = Some(keyframe_interval_s);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path can be so narrow that the share-out gives a camera less than any encoder takes.
    #[test]
    fn a_plan_for_next_to_nothing_still_encodes() {
        for (asked, bitrate_bps) in [(0, 50_000), (28_200, 50_000), (600_000, 600_000), (u32::MAX, 50_000_000)] {
            let plan = encodable(CameraPlan { bitrate_bps: asked, fps: 5.0, width: 320, height: 180 });
            assert_eq!(plan.bitrate_bps, bitrate_bps);
            let mut encoder = H264Encoder::new(config(&plan, KEYFRAMES_NARROW_S)).unwrap();
            encoder.set_bitrate(plan.bitrate_bps).unwrap();
        }
    }
}
