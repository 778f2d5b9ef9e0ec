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
//! use sim::camera::{Camera, CameraSpec};
//! use sim::{road::RoadNetwork, scene::SceneSnapshot};
//! use std::sync::Arc;
//! use video::I420Buffer;
//!
//! let network = Arc::new(RoadNetwork::built_in("fabriksgatan")?);
//! let spec = CameraSpec::small();
//! let mut picture = I420Buffer::black(spec.width, spec.height);
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
mod rain;
mod sky;
mod tone;
mod vehicles;
mod view;

use crate::{
    road::{Lane, RoadNetwork},
    scene::SceneSnapshot,
};
use air::Air;
use canvas::Canvas;
use ground::Ground;
use marks::Marks;
use protocol::{CameraSensor, Embodiment, Kinematics};
use sky::Sky;
use std::sync::Arc;
use video::I420Buffer;
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
    /// Distance of the lens to the left of the middle line, m.
    pub left_m: f64,
    /// Elevation of the optical axis, rad: negative looks down. The horizon lies `focal * tan(pitch)` pixels below the
    /// centre, so looking down moves it up.
    pub pitch_rad: f64,
    /// Direction of the optical axis from straight ahead, rad; positive looks left.
    pub yaw_rad: f64,
    /// Whether a bonnet reaches into the picture.
    pub bonnet: bool,
}

impl CameraSpec {
    /// As `embodiment` carries it.
    #[must_use]
    pub fn of(embodiment: &Embodiment, sensor: &CameraSensor) -> Self {
        Self {
            width: sensor.width as usize,
            height: sensor.height as usize,
            horizontal_fov_rad: sensor.horizontal_fov_rad,
            height_m: sensor.mount.height_m,
            forward_m: sensor.mount.forward_m,
            left_m: sensor.mount.left_m,
            pitch_rad: sensor.mount.pitch_rad,
            yaw_rad: sensor.mount.yaw_rad,
            bonnet: matches!(embodiment.kinematics, Kinematics::Ackermann(_)),
        }
    }

    /// The first `count` cameras of `embodiment` with their names.
    #[must_use]
    pub fn first_of(embodiment: &Embodiment, count: usize) -> Vec<(String, Self)> {
        let named = |sensor: &CameraSensor| (sensor.name.clone(), Self::of(embodiment, sensor));
        embodiment.cameras.iter().take(count).map(named).collect()
    }

    /// The built-in car's front camera: 1280x720, 70 degrees, behind the windscreen, looking slightly down.
    #[must_use]
    pub fn front_720p() -> Self {
        let car = &Embodiment::built_in()[0];
        Self::of(car, &car.cameras[0])
    }

    /// The same view in 320x180, for runs in virtual time.
    #[must_use]
    pub fn small() -> Self {
        Self::front_720p().shrunk()
    }

    /// The same view in 320x180, for runs in virtual time.
    #[must_use]
    pub fn shrunk(self) -> Self {
        Self { width: 320, height: 180, ..self }
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
    pub fn draw(&mut self, scene: &SceneSnapshot, out: &mut I420Buffer) {
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
        if self.spec.bonnet {
            bonnet::draw(&air, &mut canvas);
        }
    }
}

#[cfg(test)]
mod tests;
