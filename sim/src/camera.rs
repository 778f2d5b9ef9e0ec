//! The front camera: a drawing of the road and its users on the CPU, straight into I420 planes.
//!
//! It looks like a plain driving game on purpose: what matters is that the geometry is exact (a pinhole, so that a
//! seat can overlay a trajectory), that motion is visible (the ground's grain is fixed to the world), and that a frame
//! costs a few milliseconds on one core. Drawing goes from far to near: sky, ground, lane surfaces, markings, then
//! actors by distance, then rain and the car's own bonnet. The same scene gives the same bytes.
//!
//! Colours are BT.709 with limited range (16 to 235 for luma), the usual reading of 720p H.264.
//!
//! ```
//! use sim::camera::{Camera, CameraSpec, Picture};
//! use sim::{road::RoadNetwork, scene::SceneSnapshot};
//! use std::sync::Arc;
//!
//! let network = Arc::new(RoadNetwork::built_in("fabriksgatan")?);
//! let spec = CameraSpec::small();
//! let mut picture = Picture::new(spec.width, spec.height);
//! let ego = protocol::v1::Pose2 { x_m: 27.0, y_m: -10.0, heading_rad: -1.36 };
//! let scene = SceneSnapshot { time_s: 0.0, ego, speed_mps: 0.0, actors: vec![], rain: 0.0 };
//! Camera::new(&network, spec).draw(&scene, &mut picture);
//! assert_eq!(picture.y.len(), 320 * 180);
//! # Ok::<(), sim::road::RoadError>(())
//! ```

mod actors;
mod air;
mod bonnet;
mod brush;
mod canvas;
mod grain;
mod ground;
mod marks;
mod people;
mod picture;
mod rain;
mod sky;
mod tone;
mod vehicles;
mod view;

pub use picture::Picture;

use crate::{
    road::{Lane, RoadNetwork},
    scene::SceneSnapshot,
};
use air::Air;
use canvas::Canvas;
use ground::Ground;
use marks::Marks;
use sky::Sky;
use std::sync::Arc;
use view::View;

/// How far ahead road and actors are drawn, m. At 720p the horizon is three rows above this.
const FAR_M: f64 = 400.0;

/// A pinhole camera and where it is mounted. The principal point is the picture's centre and pixels are square.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSpec {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Angle between the left and the right edge of the picture, rad.
    pub horizontal_fov_rad: f64,
    /// Height of the lens above the road, m.
    pub height_m: f64,
    /// Distance of the lens ahead of the rear axle, m.
    pub forward_m: f64,
    /// Elevation of the optical axis, rad: negative looks down. The horizon lies `focal * tan(pitch)` pixels below the
    /// centre, so looking down moves it up.
    pub pitch_rad: f64,
    /// Direction of the optical axis from straight ahead, rad; positive looks left.
    pub yaw_rad: f64,
}

impl CameraSpec {
    /// The car's front camera: 1280x720, 70 degrees, behind the windscreen, looking slightly down.
    pub fn front_720p() -> Self {
        Self {
            width: 1280,
            height: 720,
            horizontal_fov_rad: 70f64.to_radians(),
            height_m: 1.4,
            forward_m: 1.6,
            pitch_rad: -0.06,
            yaw_rad: 0.0,
        }
    }

    /// All around: front, left, right and rear, 90 degrees each but the front; the first `count` of them.
    pub fn around_720p(count: usize) -> Vec<(&'static str, Self)> {
        let side = |yaw_deg: f64, forward_m| Self {
            horizontal_fov_rad: 90f64.to_radians(),
            forward_m,
            yaw_rad: yaw_deg.to_radians(),
            ..Self::front_720p()
        };
        let all = [
            ("front", Self::front_720p()),
            ("left", side(90.0, 1.2)),
            ("right", side(-90.0, 1.2)),
            ("rear", side(180.0, -0.8)),
        ];
        all.into_iter().take(count).collect()
    }

    /// The same view in 320x180, for runs in virtual time.
    pub fn small() -> Self {
        Self { width: 320, height: 180, ..Self::front_720p() }
    }

    /// Focal length in pixels.
    pub fn focal_px(&self) -> f64 {
        0.5 * self.width as f64 / (0.5 * self.horizontal_fov_rad).tan()
    }

    /// Row of the horizon, in pixels from the picture's upper edge; may lie outside the picture.
    pub fn horizon_px(&self) -> f64 {
        0.5 * self.height as f64 + self.focal_px() * self.pitch_rad.tan()
    }
}

/// Draws what the car's front camera would see. Holds the prepared road, so keep it from frame to frame.
#[derive(Clone, Debug)]
pub struct Camera {
    spec: CameraSpec,
    sky: Sky,
    ground: Ground,
    marks: Marks,
    spans: Vec<canvas::Span>,
}

impl Camera {
    /// Prepares the surfaces and markings of `network` for drawing. A spec with a value that no lens can have is
    /// brought into range rather than refused: the worst it gives is a useless picture.
    pub fn new(network: &Arc<RoadNetwork>, spec: CameraSpec) -> Self {
        Self::of_lanes(network.lanes(), spec)
    }

    fn of_lanes(lanes: &[Lane], spec: CameraSpec) -> Self {
        Self { spec, sky: Sky::new(), ground: Ground::new(lanes), marks: Marks::new(lanes), spans: Vec::new() }
    }

    /// The lens and its mounting.
    pub fn spec(&self) -> &CameraSpec {
        &self.spec
    }

    /// Draws `scene` into `out`, which takes on the camera's size. Values that are not finite count as zero, actors
    /// with such values are left out.
    pub fn draw(&mut self, scene: &SceneSnapshot, out: &mut Picture) {
        out.resize(self.spec.width, self.spec.height);
        if out.width == 0 || out.height == 0 {
            return;
        }
        let view = View::new(&self.spec, &scene.ego);
        let air = Air::new(scene.rain);
        self.sky.draw(&view, &air, out);
        self.ground.draw(&view, &air, &mut self.spans, out);
        let mut canvas = Canvas { picture: out, spans: &mut self.spans };
        self.marks.draw(&view, &air, &mut canvas);
        actors::draw(scene, &view, &air, &mut canvas);
        rain::draw(scene, &view, &air, &mut canvas);
        bonnet::draw(&air, &mut canvas);
    }
}

#[cfg(test)]
mod tests;
