//! Cameras as the robot carries them, and what a recording says of them.

use crate::telemetry::timestamp;
use protocol::foxglove::{CameraCalibration, FrameTransform, FrameTransforms, Quaternion, Vector3};

/// A pinhole camera without distortion, whose principal point is the picture's centre, and where it is mounted.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraModel {
    /// Such as `front`; the frame of its pictures is `camera_front`.
    pub name: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Focal length, pixels.
    pub focal_px: f64,
    /// Distance of the lens ahead of the vehicle's origin, metres.
    pub forward_m: f64,
    /// Distance of the lens to the left of the vehicle's middle line, metres.
    pub left_m: f64,
    /// Height of the lens above the road, metres.
    pub height_m: f64,
    /// Elevation of the optical axis, rad: negative looks down.
    pub pitch_rad: f64,
    /// Direction of the optical axis from straight ahead, rad; positive looks left.
    pub yaw_rad: f64,
}

impl CameraModel {
    /// Its intrinsics at `at_ns`: focal length and centre in pixels.
    #[must_use]
    pub fn calibration(&self, at_ns: u64) -> CameraCalibration {
        let (f, cx, cy) = (self.focal_px, f64::from(self.width) / 2.0, f64::from(self.height) / 2.0);
        CameraCalibration {
            timestamp: Some(timestamp(at_ns)),
            frame_id: format!("camera_{}", self.name),
            width: self.width,
            height: self.height,
            distortion_model: "plumb_bob".to_owned(),
            d: vec![0.0; 5],
            k: vec![f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0],
            r: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            p: vec![f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        }
    }

    /// Where it sits in the vehicle's frame: rotations by yaw and then by pitch; x along the optical axis.
    #[must_use]
    pub fn mounting(&self, at_ns: u64) -> FrameTransform {
        let ((sy, cy), (sp, cp)) = ((self.yaw_rad / 2.0).sin_cos(), (-self.pitch_rad / 2.0).sin_cos());
        FrameTransform {
            timestamp: Some(timestamp(at_ns)),
            parent_frame_id: "vehicle".to_owned(),
            child_frame_id: format!("camera_{}", self.name),
            translation: Some(Vector3 { x: self.forward_m, y: self.left_m, z: self.height_m }),
            rotation: Some(Quaternion { x: -sy * sp, y: cy * sp, z: sy * cp, w: cy * cp }),
        }
    }
}

/// Where `cameras` sit, see [`CameraModel::mounting`].
#[must_use]
pub fn mountings(cameras: &[CameraModel], at_ns: u64) -> FrameTransforms {
    FrameTransforms { transforms: cameras.iter().map(|camera| camera.mounting(at_ns)).collect() }
}
