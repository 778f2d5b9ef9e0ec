//! The camera in virtual time: what it would have seen is kept as small scenes, and rendered and encoded only for what an
//! episode keeps.

use super::DriveError;
use crate::sim_robot::SimRobot;
use protocol::{Embodiment, Message, topics};
use sim::camera::{Camera, CameraSpec};
use sim::road::RoadNetwork;
use sim::scene::SceneSnapshot;
use std::collections::VecDeque;
use std::sync::Arc;
use vehicle_core::telemetry::{self, EncodedPicture, TelemetryEncoder};
use video::{H264Config, H264Encoder, I420Buffer, Reference, VideoEncoder, timecode};

/// One picture every 100 ms.
const FRAME_US: u64 = 100_000;
const FPS: f64 = 10.0;
const BITRATE_BPS: u32 = 200_000;
/// A little more than the recorder's pre-roll.
const KEEP_US: u64 = 10_500_000;

pub(super) struct DeferredRenderer {
    network: Arc<RoadNetwork>,
    /// The front camera, small; `None` for a robot without cameras.
    spec: Option<CameraSpec>,
    camera: Option<Camera>,
    scenes: VecDeque<(u64, SceneSnapshot)>,
}

impl DeferredRenderer {
    pub(super) fn new(network: &Arc<RoadNetwork>, embodiment: &Embodiment) -> Self {
        let spec = embodiment.cameras.first().map(|sensor| CameraSpec::of(embodiment, sensor).shrunk());
        Self { network: Arc::clone(network), spec, camera: None, scenes: VecDeque::new() }
    }

    /// Keeps the scene of this moment when a picture is due; old scenes go unless `may_forget` is false.
    pub(super) fn keep(&mut self, now_us: u64, robot: &SimRobot, may_forget: bool) {
        if !now_us.is_multiple_of(FRAME_US) {
            return;
        }
        self.scenes.push_back((now_us, robot.snapshot()));
        while may_forget && self.scenes.front().is_some_and(|(at, _)| at + KEEP_US < now_us) {
            self.scenes.pop_front();
        }
    }

    /// Draws and encodes the pictures from `from_us` to `to_us`.
    pub(super) fn render(
        &mut self,
        telemetry: &mut TelemetryEncoder,
        from_us: u64,
        to_us: u64,
    ) -> Result<Vec<Message>, DriveError> {
        let Some(spec) = self.spec.clone() else { return Ok(Vec::new()) };
        let camera = self.camera.get_or_insert_with(|| Camera::new(&self.network, spec.clone()));
        let mut picture = I420Buffer::black(spec.width, spec.height);
        let config = H264Config { bitrate_bps: BITRATE_BPS, ..H264Config::new(spec.width, spec.height, FPS) };
        let mut encoder = H264Encoder::new(config)?;
        let mut messages = Vec::new();
        for (index, (at_us, scene)) in self.scenes.iter().filter(|(at, _)| (from_us..=to_us).contains(at)).enumerate() {
            camera.draw(scene, &mut picture);
            timecode::stamp(&mut picture.y, spec.width, spec.height, index as u32, *at_us);
            // The first is a keyframe anyway.
            let frame = encoder.encode(picture.as_i420(), *at_us, Reference::Previous)?;
            let Some(frame) = frame else { continue };
            let sequence = telemetry.next(&topics::CAMERA_FRONT);
            let taken_ns = telemetry.wall_ns(*at_us);
            let picture = EncodedPicture { camera: 0, data: frame.data, keyframe: frame.keyframe };
            messages.push(telemetry::picture(sequence, taken_ns, taken_ns, picture));
        }
        Ok(messages)
    }
}
