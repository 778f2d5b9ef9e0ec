//! A robot in a process of its own, and a core that drives it in virtual time: what the robot says ends the connection with
//! a reason or can be driven with, whatever it is.

use crate::input::Input;
use policy::Policy;
use prost::Message;
use protocol::v1::from_robot::Frame;
use protocol::v1::robot_hello::Embodiment as Named;
use protocol::v1::seat_request::Request;
use protocol::v1::{
    Camera, ClockPong, CommandDatagram, EngageRequest, FromRobot, OperatorInput, PictureFormat, Pose2, RobotBye,
    RobotByeReason, RobotCamera, RobotHello, RobotPicture, RobotSense, SeatRequest, TakeoverRequest, VehicleState,
};
use protocol::{Embodiment, PolicyVersion, SeatKind, topics};
use vehicle_bridge::robots::process::fuzzing::AdapterTrial;
use vehicle_bridge::robots::process::{ProcessRobot, encode};
use vehicle_core::telemetry::TelemetryEncoder;
use vehicle_core::{CoreConfig, FromSeat, SeatBody, Tick, VehicleCore, control_tick};

/// Events of an input.
const EVENTS: usize = 100;
/// Ticks of an input, as long as eight seconds.
const TICKS: usize = 400;
const TICK_US: u64 = 20_000;
/// The robot's clock is ahead by this.
const AHEAD_US: u64 = 5_000_000;
/// Pixels of the trial's own cameras.
const SIZE: (u32, u32) = (96, 90);
/// Longest detail that a robot is told, bytes.
const MOST_DETAIL: usize = 1_200;
const SEAT: &str = "a";

/// What the bridge runs once a robot is known.
struct Driven {
    robot: ProcessRobot,
    embodiment: Embodiment,
    core: VehicleCore,
    telemetry: TelemetryEncoder,
    tick: Tick,
}

struct Trial {
    adapter: AdapterTrial,
    driven: Option<Driven>,
    inbox: Vec<FromSeat>,
    now_us: u64,
    ticks: usize,
    /// Of the trial's own senses and of the seat's commands.
    sequence: u64,
    /// The seat sends a command at every tick.
    drives: bool,
}

pub fn run(bytes: &[u8]) {
    let Ok(adapter) = AdapterTrial::new() else { return };
    let mut trial =
        Trial { adapter, driven: None, inbox: Vec::new(), now_us: 1_000_000, ticks: 0, sequence: 0, drives: false };
    let mut input = Input(bytes);
    for _ in 0..EVENTS {
        if input.is_empty() || trial.ticks >= TICKS {
            break;
        }
        trial.happen(&mut input);
    }
    trial.go_on(15);
}

/// A hello that would be welcome: the embodiment by name or, from `toml`, as the text of a file; cameras by their number.
fn hello(what: u8, sensors: u8, toml: &[u8]) -> RobotHello {
    let embodiment = match what % 4 {
        0 => Named::EmbodimentName("ackermann_car".to_owned()),
        1 => Named::EmbodimentName("delivery_robot".to_owned()),
        _ => Named::EmbodimentToml(String::from_utf8_lossy(toml).into_owned()),
    };
    let formats = [PictureFormat::H264, PictureFormat::I420, PictureFormat::Rgb8, PictureFormat::H264];
    let cameras = topics::CAMERAS.iter().zip(formats).take(usize::from(what / 4) % 4).map(|(topic, format)| {
        let name = topic.name.trim_start_matches("/camera/").to_owned();
        let (width, height) = SIZE;
        let lens = Camera { name, width, height, horizontal_fov_rad: 1.2, height_m: 1.0, ..Camera::default() };
        RobotCamera { camera: Some(lens), fps: 10.0, format: format.into(), forward_m: 1.0 }
    });
    RobotHello {
        version: 1,
        software: "trial".to_owned(),
        embodiment: Some(embodiment),
        cameras: cameras.collect(),
        map: "yard".to_owned(),
        has_surroundings: sensors & 1 != 0,
        has_scan: sensors & 2 != 0,
    }
}

impl Trial {
    fn happen(&mut self, input: &mut Input<'_>) {
        let (what, later_us) = (input.u8(), u64::from(input.u8()) * 500);
        self.now_us += later_us;
        match what % 16 {
            0 => {
                let bytes = input.piece();
                self.hear(bytes);
            }
            1 => {
                let message = input.piece();
                let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
                self.hear(&[&length.to_be_bytes()[..], message].concat());
            }
            2 | 3 => {
                let (what, sensors) = (input.u8(), input.u8());
                let toml = if what % 4 > 1 { input.piece() } else { b"" };
                let mut hello = hello(what, sensors, toml);
                if sensors & 0x80 != 0 {
                    // Anything besides; what cannot be read leaves what came before it.
                    let _ = hello.merge(input.piece());
                }
                self.say(Frame::Hello(hello));
            }
            4..=8 => self.sense(input),
            9 => {
                let (out_us, in_us) = (u64::from(input.u8()) * 50, u64::from(input.u8()) * 50);
                let t2_us = self.now_us + AHEAD_US - in_us;
                let t1_us = self.now_us.saturating_sub(out_us + in_us);
                self.say(Frame::Pong(ClockPong { t1_us, t2_us, t3_us: t2_us }));
            }
            10 => {
                let (camera, data) = (input.u8() % 4, input.piece().to_vec());
                self.picture(camera, data);
            }
            11 => {
                // As long as a picture has to be.
                let (camera, value) = (input.u8() % 4, input.u8());
                let (width, height) = SIZE;
                let pixels = width as usize * height as usize;
                self.picture(camera, vec![value; if camera == 2 { 3 * pixels } else { pixels * 3 / 2 }]);
            }
            12 => self.adapter.close().iter().for_each(check_bye),
            13 => {
                let requests = [Request::Takeover(TakeoverRequest::default()), Request::Engage(EngageRequest {})];
                for request in requests {
                    self.ask(SeatBody::Request(SeatRequest { request: Some(request), ..SeatRequest::default() }));
                }
                self.drives = !input.u8().is_multiple_of(4);
            }
            _ => {
                let ticks = usize::from(input.u8() % 12);
                return self.go_on(ticks);
            }
        }
        self.go_on(1);
    }

    fn ask(&mut self, body: SeatBody) {
        let (seat, kind, received_us) = (SEAT.into(), SeatKind::Human, self.now_us);
        self.inbox.push(FromSeat { seat, kind, received_us, body });
    }

    /// A sense as it should be, with `input` on top.
    fn sense(&mut self, input: &mut Input<'_>) {
        self.sequence += 1;
        let flags = input.u8();
        let channels = self.adapter.description().map_or(4, |robot| robot.embodiment.observation.len());
        let values = (0..channels).map(|_| if flags & 1 == 0 { 0.0 } else { input.within(-10.0, 30.0) });
        let observation: Vec<f64> = values.collect();
        let place = Pose2 { x_m: 1.0, y_m: 2.0, heading_rad: 0.5 };
        let state = VehicleState { world_from_vehicle: Some(place), observation, ..VehicleState::default() };
        let mut sense = RobotSense { state: Some(state), ..RobotSense::default() };
        let _ = sense.merge(input.piece());
        if let Some(state) = sense.state.as_mut().filter(|_| flags & 2 == 0) {
            (state.monotonic_us, state.sequence) = (self.now_us + AHEAD_US, self.sequence);
        }
        if let Some(seen) = sense.surroundings.as_mut().filter(|_| flags & 4 == 0) {
            seen.monotonic_us = self.now_us + AHEAD_US;
        }
        self.say(Frame::Sense(sense));
    }

    fn picture(&mut self, camera: u8, data: Vec<u8>) {
        let capture_us = self.now_us + AHEAD_US;
        self.say(Frame::Picture(RobotPicture { camera: camera.into(), capture_us, data: data.into() }));
    }

    fn say(&mut self, frame: Frame) {
        self.hear(&encode(&FromRobot { frame: Some(frame) }));
    }

    fn hear(&mut self, bytes: &[u8]) {
        if let Some(bye) = self.adapter.read(bytes, self.now_us) {
            check_bye(&bye);
        }
        let Some(described) = self.adapter.description().filter(|_| self.driven.is_none()) else { return };
        let Ok(version) = PolicyVersion::new("any") else { return };
        // Whoever is welcomed can be driven.
        let policy = Policy::untrained(&described.embodiment, version, 1);
        let Ok(policy) = policy else { panic!("no policy for {:?}: {:?}", described.embodiment, policy.err()) };
        let config = CoreConfig { self_check_us: 0, expects: described.expects, ..CoreConfig::default() };
        let core = VehicleCore::new(described.embodiment.clone(), config, policy, 0);
        let Ok(core) = core else { panic!("no core for {:?}: {:?}", described.embodiment, core.err()) };
        self.driven = Some(Driven {
            robot: self.adapter.robot(described),
            telemetry: TelemetryEncoder::new(1_000_000_000, &described.embodiment),
            embodiment: described.embodiment.clone(),
            core,
            tick: Tick::default(),
        });
    }

    fn go_on(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.now_us += TICK_US;
            self.ticks += 1;
            if let Some(bye) = self.adapter.read(b"", self.now_us) {
                check_bye(&bye);
            }
            if self.drives {
                self.command();
            }
            if let Some(driven) = &mut self.driven {
                driven.go_on(self.now_us, &mut self.inbox);
            }
        }
    }

    fn command(&mut self) {
        let Some(driven) = &self.driven else { return };
        self.sequence += 1;
        let command = OperatorInput {
            sequence: self.sequence,
            epoch: driven.core.authority().epoch(),
            seat_us: self.now_us,
            shown_frame_us: self.now_us,
            deadman: true,
            action: driven.embodiment.action.iter().map(|channel| channel.max / 2.0).collect(),
            ..OperatorInput::default()
        };
        self.ask(SeatBody::Command(CommandDatagram { inputs: vec![command], ..CommandDatagram::default() }));
    }
}

impl Driven {
    fn go_on(&mut self, now_us: u64, inbox: &mut Vec<FromSeat>) {
        let sensors = control_tick(&mut self.robot, &mut self.core, now_us, inbox, &mut self.tick, |_, _, _| ());
        assert!(
            sensors.state.monotonic_us <= now_us,
            "{} at {now_us}: the future is sensed",
            sensors.state.monotonic_us
        );
        let action = &self.tick.command.action;
        assert_eq!(action.len(), self.embodiment.action.len());
        for (value, channel) in action.iter().zip(&self.embodiment.action) {
            assert!((channel.min..=channel.max).contains(value), "{} is {value} of {channel:?}", channel.name);
        }
        if let Some(limit) = &self.tick.authority.speed_limit {
            assert!(limit.limit_mps.is_finite() && limit.limit_mps >= 0.0, "{limit:?}");
        }
        let mut bytes = 0;
        self.telemetry.tick(now_us, &sensors, &self.tick, &mut |message| bytes += message.data.len());
        assert!(bytes < 64 << 20, "{bytes} bytes are recorded of one tick");
    }
}

fn check_bye(bye: &RobotBye) {
    assert_ne!(bye.reason(), RobotByeReason::Unspecified, "{bye:?}");
    assert!(!bye.detail.is_empty() && bye.detail.len() <= MOST_DETAIL, "{} bytes: {}", bye.detail.len(), bye.detail);
}
