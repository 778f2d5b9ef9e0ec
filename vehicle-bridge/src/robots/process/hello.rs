//! What a robot says of itself.

use super::{AdapterError, MAX_FRAME_BYTES};
use protocol::v1::robot_hello::Embodiment as Named;
use protocol::v1::{Camera, PictureFormat, RobotCamera, RobotHello};
use protocol::{Embodiment, topics};
use vehicle_core::ExpectedSensors;
use vehicle_core::camera::CameraModel;
use video::VideoSpec;

/// The version of the protocol.
pub const VERSION: u32 = 1;

/// Pixels a side: the timecode in the picture needs the least, encoders take the most.
const SIDE: (u32, u32) = (90, 3840);
/// Most pictures a second.
const MOST_FPS: f64 = 60.0;
/// Longest names of software and map, bytes.
const MOST_NAME_BYTES: usize = 128;
/// Farthest that a lens is from the vehicle's origin, metres.
const MOST_MOUNT_M: f64 = 100.0;

/// A robot as its hello described it, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct RobotDescription {
    /// What connected.
    pub software: String,
    /// Its channels.
    pub embodiment: Embodiment,
    /// Its cameras, in the order of their streams.
    pub cameras: Vec<RobotCamera>,
    /// Where it drives; empty for nothing in particular.
    pub map: String,
    /// Which sensors it has beside its own state.
    pub expects: ExpectedSensors,
}

impl RobotDescription {
    /// Checks a hello.
    ///
    /// # Errors
    /// [`AdapterError`] naming what cannot be used.
    pub fn read(hello: RobotHello) -> Result<Self, AdapterError> {
        if hello.version != VERSION {
            return Err(AdapterError::Version(hello.version));
        }
        for (what, name) in [("software", &hello.software), ("map", &hello.map)] {
            if name.len() > MOST_NAME_BYTES || name.chars().any(char::is_control) {
                let expected = format!("at most {MOST_NAME_BYTES} bytes without control characters");
                return Err(AdapterError::value(what, &format!("{name:?}"), expected));
            }
        }
        let most = topics::CAMERAS.len();
        if hello.cameras.len() > most {
            let problem = format!("{} cameras; at most {most} are streamed", hello.cameras.len());
            return Err(AdapterError::Sensors(problem));
        }
        for (index, camera) in hello.cameras.iter().enumerate() {
            check_camera(camera, &hello.cameras[..index]).map_err(AdapterError::Sensors)?;
        }
        Ok(Self {
            software: hello.software,
            embodiment: embodiment(hello.embodiment)?,
            cameras: hello.cameras,
            map: hello.map,
            expects: ExpectedSensors { surroundings: hello.has_surroundings, scan: hello.has_scan },
        })
    }

    /// Whether `self` may take the place of `before`, for which the bridge has set everything up.
    ///
    /// # Errors
    /// [`AdapterError`] naming what differs.
    pub fn may_replace(&self, before: &Self) -> Result<(), AdapterError> {
        if self.embodiment != before.embodiment {
            let (now, then) = (&self.embodiment.name, &before.embodiment.name);
            let problem =
                format!("{now:?} is not the one that this bridge was set up for, {then:?}; restart the bridge");
            return Err(AdapterError::Embodiment(problem));
        }
        if self.cameras != before.cameras || self.expects != before.expects {
            let words = |d: &Self| {
                let sizes = d.cameras.iter().filter_map(|c| c.camera.as_ref());
                let sizes: Vec<_> = sizes.map(|c| format!("{} {}x{}", c.name, c.width, c.height)).collect();
                format!("[{}] surroundings {} scan {}", sizes.join(", "), d.expects.surroundings, d.expects.scan)
            };
            let problem = format!(
                "{} are not what this bridge was set up for, {}; restart the bridge",
                words(self),
                words(before)
            );
            return Err(AdapterError::Sensors(problem));
        }
        Ok(())
    }

    /// The cameras as the core knows them.
    #[must_use]
    pub fn models(&self) -> Vec<CameraModel> {
        self.cameras.iter().map(model).collect()
    }
}

/// The size and rate of a camera's stream.
pub(super) fn video_spec(camera: &RobotCamera) -> VideoSpec {
    let (width, height) = size(camera);
    VideoSpec { width, height, fps: camera.fps }
}

pub(super) fn size(camera: &RobotCamera) -> (u32, u32) {
    camera.camera.as_ref().map_or((0, 0), |camera| (camera.width, camera.height))
}

/// Bytes of a picture that is not compressed.
pub(super) fn raw_bytes(camera: &RobotCamera) -> Option<usize> {
    let (width, height) = size(camera);
    let pixels = width as usize * height as usize;
    match camera.format() {
        PictureFormat::Rgb8 => Some(3 * pixels),
        PictureFormat::I420 => Some(pixels * 3 / 2),
        PictureFormat::H264 | PictureFormat::Unspecified => None,
    }
}

fn embodiment(named: Option<Named>) -> Result<Embodiment, AdapterError> {
    let known: Vec<&str> = Embodiment::built_in().iter().map(|embodiment| embodiment.name.as_str()).collect();
    let robot = match named {
        Some(Named::EmbodimentName(name)) => Embodiment::by_name(&name)
            .ok_or_else(|| AdapterError::Embodiment(format!("{name:?} is not known; known are {known:?}")))?,
        Some(Named::EmbodimentToml(text)) => {
            Embodiment::from_toml("hello", &text).map_err(|error| AdapterError::Embodiment(error.to_string()))?
        }
        None => return Err(AdapterError::Embodiment(format!("none is named; known are {known:?}"))),
    };
    match robot.channels().speed {
        Some(_) => Ok(robot),
        None => Err(AdapterError::Embodiment(format!("{:?} does not drive: it has no speed", robot.name))),
    }
}

fn check_camera(camera: &RobotCamera, before: &[RobotCamera]) -> Result<(), String> {
    let lens = camera.camera.clone().unwrap_or_default();
    let names: Vec<_> = topics::CAMERAS.iter().map(|topic| topic.name.trim_start_matches("/camera/")).collect();
    let is_taken = before.iter().filter_map(|other| other.camera.as_ref()).any(|other| other.name == lens.name);
    if is_taken || !names.contains(&lens.name.as_str()) {
        let index = before.len();
        return Err(format!("camera {index} is called {:?}; use each of {} once at most", lens.name, names.join(", ")));
    }
    let Camera { name, width, height, .. } = &lens;
    let (least, most) = SIDE;
    if [*width, *height].into_iter().any(|side| side < least || side > most || side % 2 > 0) {
        return Err(format!("camera {name}: {width}x{height} pixels; even numbers from {least} to {most} are taken"));
    }
    if !(1.0..=MOST_FPS).contains(&camera.fps) {
        return Err(format!("camera {name}: {} pictures a second; 1 to {MOST_FPS} are taken", camera.fps));
    }
    if camera.format() == PictureFormat::Unspecified {
        return Err(format!("camera {name}: picture format {}; 1, 2 and 3 are known", camera.format));
    }
    if raw_bytes(camera).is_some_and(|bytes| bytes + 64 > MAX_FRAME_BYTES as usize) {
        return Err(format!(
            "camera {name}: {width}x{height} pixels do not fit a frame of {MAX_FRAME_BYTES} bytes; send H.264"
        ));
    }
    let fov = lens.horizontal_fov_rad;
    if !(fov > 0.0 && fov < std::f64::consts::PI) {
        return Err(format!("camera {name}: a field of view of {fov} rad; above 0 and below pi is possible"));
    }
    let mount = [
        ("height_m", lens.height_m, MOST_MOUNT_M),
        ("forward_m", camera.forward_m, MOST_MOUNT_M),
        ("left_m", lens.left_m, MOST_MOUNT_M),
        ("pitch_rad", lens.pitch_rad, std::f64::consts::TAU),
        ("yaw_rad", lens.yaw_rad, std::f64::consts::TAU),
    ];
    match mount.into_iter().find(|(_, value, most)| value.is_nan() || value.abs() > *most) {
        Some((what, value, most)) => Err(format!("camera {name}: {what} is {value}; at most {most} is possible")),
        None => Ok(()),
    }
}

fn model(camera: &RobotCamera) -> CameraModel {
    let lens = camera.camera.clone().unwrap_or_default();
    CameraModel {
        focal_px: f64::from(lens.width) / 2.0 / (lens.horizontal_fov_rad / 2.0).tan(),
        name: lens.name,
        width: lens.width,
        height: lens.height,
        forward_m: camera.forward_m,
        left_m: lens.left_m,
        height_m: lens.height_m,
        pitch_rad: lens.pitch_rad,
        yaw_rad: lens.yaw_rad,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A car with one camera.
    pub fn hello() -> RobotHello {
        let lens = Camera {
            name: "front".into(),
            width: 320,
            height: 180,
            horizontal_fov_rad: 1.2,
            height_m: 1.4,
            ..Camera::default()
        };
        RobotHello {
            version: VERSION,
            software: "test stand".into(),
            embodiment: Some(Named::EmbodimentName("ackermann_car".into())),
            cameras: vec![RobotCamera {
                camera: Some(lens),
                fps: 15.0,
                format: PictureFormat::I420.into(),
                forward_m: 1.5,
            }],
            ..RobotHello::default()
        }
    }

    fn with_camera(change: impl FnOnce(&mut RobotCamera, &mut Camera)) -> RobotHello {
        let mut hello = hello();
        let mut lens = hello.cameras[0].camera.take().unwrap();
        change(&mut hello.cameras[0], &mut lens);
        hello.cameras[0].camera = Some(lens);
        hello
    }

    #[test]
    fn a_hello_describes_the_robot() {
        let read = RobotDescription::read(hello()).unwrap();
        assert_eq!((read.embodiment.name.to_string().as_str(), read.models().len()), ("ackermann_car", 1));
        assert_eq!(read.expects, ExpectedSensors { surroundings: false, scan: false });
        assert!((read.models()[0].focal_px - 160.0 / 0.6f64.tan()).abs() < 1e-9);
        read.may_replace(&read).unwrap();
    }

    #[test]
    fn a_robot_has_those_of_the_four_cameras_that_it_has() {
        let mut hello = with_camera(|_, lens| lens.name = "rear".into());
        hello.cameras.insert(0, self::hello().cameras[0].clone());
        let models = RobotDescription::read(hello).unwrap().models();
        assert_eq!(models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(), ["front", "rear"]);
    }

    #[test]
    fn a_robot_may_bring_the_file_that_describes_it() {
        let robot = Embodiment::delivery_robot();
        let text = Some(Named::EmbodimentToml(robot.source().to_owned()));
        let read = RobotDescription::read(RobotHello { embodiment: text, ..hello() }).unwrap();
        assert_eq!(read.embodiment, robot);
    }

    #[test]
    fn every_value_that_cannot_be_used_is_named() {
        let toml = Some(Named::EmbodimentToml("name = \"arm\"".into()));
        let bad = [
            (RobotHello { version: 7, ..hello() }, "version 7"),
            (RobotHello { map: "a\nb".into(), ..hello() }, "a\\nb"),
            (RobotHello { software: "x".repeat(200), ..hello() }, "xxx"),
            (RobotHello { embodiment: Some(Named::EmbodimentName("boat".into())), ..hello() }, "\"boat\""),
            (RobotHello { embodiment: toml, ..hello() }, "missing field"),
            (RobotHello { embodiment: None, ..hello() }, "none is named"),
            (RobotHello { cameras: vec![RobotCamera::default(); 5], ..hello() }, "5 cameras"),
            (with_camera(|_, lens| lens.name = "top".into()), "\"top\""),
            (RobotHello { cameras: vec![hello().cameras[0].clone(); 2], ..hello() }, "camera 1 is called \"front\""),
            (with_camera(|_, lens| lens.width = 321), "321x180"),
            (with_camera(|_, lens| lens.height = 0), "320x0"),
            (with_camera(|_, lens| lens.width = u32::MAX), "4294967295x180"),
            (with_camera(|camera, _| camera.fps = f64::NAN), "NaN pictures"),
            (with_camera(|camera, _| camera.fps = 600.0), "600 pictures"),
            (with_camera(|camera, _| camera.format = 9), "format 9"),
            (with_camera(|_, lens| (lens.width, lens.height) = (3840, 3840)), "3840x3840"),
            (with_camera(|_, lens| lens.horizontal_fov_rad = 4.0), "4 rad"),
            (with_camera(|_, lens| lens.pitch_rad = f64::NAN), "pitch_rad is NaN"),
            (with_camera(|camera, _| camera.forward_m = 1e9), "forward_m is 1000000000"),
            (with_camera(|_, lens| lens.left_m = f64::INFINITY), "left_m is inf"),
        ];
        for (hello, named) in bad {
            let error = RobotDescription::read(hello).unwrap_err();
            assert!(error.to_string().contains(named), "{error} does not name {named}");
            assert!(error.bye().detail.contains(named) && error.bye().reason > 1);
        }
    }

    #[test]
    fn another_robot_does_not_take_the_place_of_the_first() {
        let first = RobotDescription::read(hello()).unwrap();
        let wider = RobotDescription::read(with_camera(|_, lens| lens.width = 640)).unwrap();
        let error = wider.may_replace(&first).unwrap_err().to_string();
        assert!(error.contains("front 640x180") && error.contains("front 320x180"), "{error}");
        let seeing = RobotDescription::read(RobotHello { has_scan: true, ..hello() }).unwrap();
        assert!(matches!(seeing.may_replace(&first), Err(AdapterError::Sensors(_))));
        let mut longer = first.clone();
        longer.embodiment.stop_decel_mps2 = 1.0;
        assert!(matches!(longer.may_replace(&first), Err(AdapterError::Embodiment(_))));
    }
}
