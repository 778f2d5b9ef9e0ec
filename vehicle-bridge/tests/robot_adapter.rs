//! The robot adapter against real processes: one that behaves, and every way not to.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use policy::Policy;
use prost::Message;
use protocol::v1::from_robot::Frame;
use protocol::v1::robot_hello::Embodiment as Named;
use protocol::v1::{
    Camera, ClockPong, FromRobot, PictureFormat, Pose2, Reason, RobotCamera, RobotHello, RobotPicture, RobotSense,
    ToRobot, VehicleState, to_robot,
};
use protocol::{Embodiment, PolicyVersion, VehicleId};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use vehicle_bridge::robots::process::{ProcessRobot, RobotServer, encode};
use vehicle_core::{ControlRate, CoreConfig, ExpectedSensors, Sensors, Tick, VehicleCore, control_tick};

/// Longest wait for anything.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How the process on the other side learns what it is to do.
const BEHAVIOUR: &str = "ROBOT_BEHAVIOUR";
const SOCKET: &str = "ROBOT_SOCKET";

// ---- the other side ---------------------------------------------------------------------------------------------------

/// The process on the other side of the tests below.
#[test]
#[ignore = "the tests here start it as a process of its own"]
fn robot_process() {
    let (behaviour, socket) = (std::env::var(BEHAVIOUR).unwrap(), std::env::var(SOCKET).unwrap());
    let mut robot = Robot { stream: UnixStream::connect(socket).unwrap(), sequence: 0, started: Instant::now() };
    robot.stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    match behaviour.as_str() {
        "drives" => robot.drive(u64::MAX),
        "drives a little" => {
            robot.drive(20);
            robot.stream.shutdown(std::net::Shutdown::Both).unwrap();
        }
        "sends bytes that mean nothing" => robot.write(&[0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff]),
        "promises a frame of 4 GiB" => robot.write(&u32::MAX.to_be_bytes()),
        "sends a large frame before its hello" => robot.write(&(1u32 << 20).to_be_bytes()),
        "senses before its hello" => robot.sense(1.0),
        "speaks version 9" => robot.send(Frame::Hello(RobotHello { version: 9, ..hello() })),
        "is a boat" => {
            let boat = Some(Named::EmbodimentName("boat".into()));
            robot.send(Frame::Hello(RobotHello { embodiment: boat, ..hello() }));
        }
        "says nothing" => {}
        "says hello and nothing more" => robot.send(Frame::Hello(hello())),
        "drips" => robot.drip(),
        "is cut off" => {
            robot.send(Frame::Hello(hello()));
            robot.write(&[0, 0, 0, 100, 1, 2, 3]);
            robot.stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        "does not know its speed" => {
            robot.send(Frame::Hello(hello()));
            robot.sense(f64::NAN);
        }
        "sends half a picture" => {
            robot.send(Frame::Hello(hello()));
            robot.send(Frame::Picture(RobotPicture { camera: 0, capture_us: 1, data: vec![0; 100].into() }));
        }
        "floods" => {
            robot.send(Frame::Hello(hello()));
            robot.flood();
        }
        other => panic!("{other:?} is not a behaviour"),
    }
    println!("told: {}", robot.farewell());
}

fn hello() -> RobotHello {
    let lens = Camera {
        name: "front".into(),
        width: 160,
        height: 90,
        horizontal_fov_rad: 1.2,
        height_m: 1.0,
        ..Camera::default()
    };
    RobotHello {
        version: 1,
        software: "test robot".into(),
        embodiment: Some(Named::EmbodimentName("ackermann_car".into())),
        cameras: vec![RobotCamera {
            camera: Some(lens),
            fps: 10.0,
            format: PictureFormat::Rgb8.into(),
            ..RobotCamera::default()
        }],
        map: "yard".into(),
        ..RobotHello::default()
    }
}

struct Robot {
    stream: UnixStream,
    sequence: u64,
    started: Instant,
}

impl Robot {
    fn now_us(&self) -> u64 {
        // Any zero does.
        7_000_000_000 + self.started.elapsed().as_micros() as u64
    }

    /// Whoever misbehaves may be cut off in the middle of it.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    fn send(&mut self, frame: Frame) {
        self.write(&encode(&FromRobot { frame: Some(frame) }));
    }

    fn sense(&mut self, speed_mps: f64) {
        self.sequence += 1;
        let state = VehicleState {
            monotonic_us: self.now_us(),
            sequence: self.sequence,
            world_from_vehicle: Some(Pose2 { x_m: 1.0, y_m: 2.0, heading_rad: 0.5 }),
            observation: vec![speed_mps, 0.0, 0.0, 0.0],
            ..VehicleState::default()
        };
        self.send(Frame::Sense(RobotSense { state: Some(state), ..RobotSense::default() }));
    }

    fn picture(&mut self) {
        let capture_us = self.now_us();
        self.send(Frame::Picture(RobotPicture { camera: 0, capture_us, data: vec![9; 160 * 90 * 3].into() }));
    }

    /// The next frame, if one comes within the timeout of a read; `Err` when the connection has ended.
    fn receive(&mut self) -> Result<Option<ToRobot>, std::io::Error> {
        let mut head = [0; 4];
        match self.stream.read(&mut head[..1]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
            Err(error) => return Err(error),
        }
        self.exactly(&mut head[1..])?;
        let mut frame = vec![0; u32::from_be_bytes(head) as usize];
        self.exactly(&mut frame)?;
        Ok(Some(ToRobot::decode(&frame[..]).unwrap()))
    }

    fn exactly(&mut self, mut bytes: &mut [u8]) -> Result<(), std::io::Error> {
        while !bytes.is_empty() {
            match self.stream.read(bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => bytes = &mut bytes[count..],
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Senses, sends pictures, answers pings and prints acts, for so many acts.
    fn drive(&mut self, acts: u64) {
        self.send(Frame::Hello(hello()));
        let mut count = 0;
        while count < acts {
            // Slower than what makes the core look at how the brakes work.
            self.sense(0.5);
            if self.sequence.is_multiple_of(5) {
                self.picture();
            }
            let Ok(frame) = self.receive() else { return };
            let received_us = self.now_us();
            match frame.and_then(|frame| frame.frame) {
                Some(to_robot::Frame::Ping(ping)) => {
                    let pong = ClockPong { t1_us: ping.t1_us, t2_us: received_us, t3_us: self.now_us() };
                    self.send(Frame::Pong(pong));
                }
                Some(to_robot::Frame::Act(act)) => {
                    let command = act.command.unwrap();
                    // By this robot's own clock it is still valid, for no longer than was promised.
                    let left_us = act.valid_until_us as i64 - received_us as i64;
                    let action = command.action.first().unwrap();
                    println!("act {} {} {left_us} {action}", act.sequence, command.observation_sequence);
                    count += 1;
                }
                Some(to_robot::Frame::Bye(bye)) => {
                    return println!("told: {} {}", bye.reason().as_str_name(), bye.detail);
                }
                Some(to_robot::Frame::Welcome(_)) | None => {}
            }
        }
    }

    fn drip(&mut self) {
        let frame = encode(&FromRobot { frame: Some(Frame::Hello(hello())) });
        for byte in frame.iter().take(frame.len() - 1) {
            if self.stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn flood(&mut self) {
        let until = Instant::now() + TIMEOUT;
        while Instant::now() < until {
            self.sequence += 1;
            let frame = encode(&FromRobot { frame: Some(Frame::Heartbeat(Default::default())) });
            if self.stream.write_all(&frame.repeat(100)).is_err() {
                return;
            }
        }
    }

    /// What the bridge says at the end.
    fn farewell(&mut self) -> String {
        let until = Instant::now() + TIMEOUT;
        while Instant::now() < until {
            match self.receive() {
                Ok(Some(ToRobot { frame: Some(to_robot::Frame::Bye(bye)) })) => {
                    return format!("{} {}", bye.reason().as_str_name(), bye.detail);
                }
                Ok(_) => {}
                Err(error) => return format!("nothing, but {error}"),
            }
        }
        "nothing".to_owned()
    }
}

// ---- this side --------------------------------------------------------------------------------------------------------

fn server(folder: &Path) -> RobotServer {
    let address = format!("unix:{}", folder.join("robot.sock").display()).parse().unwrap();
    RobotServer::listen(&address, VehicleId::new("car-1").unwrap(), ControlRate::Hz50, Instant::now()).unwrap()
}

fn start(server: &RobotServer, behaviour: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "robot_process", "--nocapture"])
        .env(BEHAVIOUR, behaviour)
        .env(SOCKET, server.address().trim_start_matches("unix:"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A bridge's control loop around the connected robot.
struct Loop<'a> {
    server: &'a RobotServer,
    robot: ProcessRobot,
    core: VehicleCore,
    tick: Tick,
}

impl<'a> Loop<'a> {
    fn around(server: &'a RobotServer) -> Self {
        let described = server.wait_for_robot(&AtomicBool::new(false)).unwrap();
        assert_eq!((described.map.as_str(), described.cameras.len()), ("yard", 1));
        assert_eq!(described.expects, ExpectedSensors { surroundings: false, scan: false });
        let policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("v0").unwrap(), 0).unwrap();
        let config = CoreConfig { self_check_us: 0, expects: described.expects, ..CoreConfig::default() };
        let robot = server.robot(&described);
        let core = VehicleCore::new(described.embodiment, config, policy, 0).unwrap();
        Self { server, robot, core, tick: Tick::default() }
    }

    /// Ticks at 50 Hz until `holds`.
    fn until(&mut self, what: &str, holds: impl Fn(&Sensors, &Tick) -> bool) -> Sensors {
        let until = Instant::now() + TIMEOUT;
        while Instant::now() < until {
            let now_us = self.server.origin().elapsed().as_micros() as u64;
            let sensors =
                control_tick(&mut self.robot, &mut self.core, now_us, &mut Vec::new(), &mut self.tick, |_, _, _| ());
            assert!(sensors.state.monotonic_us <= now_us, "nothing is sensed in the future");
            if holds(&sensors, &self.tick) {
                return sensors;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: never; {:?}", self.tick.authority);
    }

    fn until_ready(&mut self) -> Sensors {
        self.until("a robot that may be driven", |_, tick| tick.authority.not_ready() == Reason::Unspecified)
    }
}

#[test]
fn a_process_is_sensed_and_told_what_to_do_and_its_end_is_a_fault_until_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    for _ in 0..2 {
        let child = start(&server, "drives a little");
        let mut control = Loop::around(&server);
        let sensors = control.until_ready();
        assert_eq!(sensors.state.observation, [0.5, 0.0, 0.0, 0.0]);
        assert!(sensors.state.faults.is_empty(), "{:?}", sensors.state.faults);
        // It goes after twenty acts.
        let lost = control.until("the loss of the robot", |sensors, tick| {
            sensors.state.faults == ["robot_not_connected"] && tick.authority.not_ready() == Reason::SensorsLost
        });
        assert_eq!(lost.state.observation[0], 0.5, "the last that was known");
        let output = printed(&child.wait_with_output().unwrap());
        let acts: Vec<Vec<f64>> = output
            .lines()
            .filter_map(|line| line.strip_prefix("act "))
            .map(|act| act.split(' ').map(|value| value.parse().unwrap()).collect())
            .collect();
        assert_eq!(acts.len(), 20, "{output}");
        for pair in acts.windows(2) {
            assert!(pair[1][0] > pair[0][0], "acts in order: {output}");
            assert!(pair[1][1] >= pair[0][1], "decided from later and later senses: {output}");
        }
        // Nobody drives: it is told to brake, and for how long that counts by its own clock.
        assert!(acts.iter().all(|act| act[2] <= 220_000.0 && act[3] < 0.0), "{output}");
    }
}

#[test]
fn a_process_that_hangs_is_silent_and_one_that_goes_on_is_heard_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let mut child = start(&server, "drives");
    let signal = |name: &str| {
        let id = child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    };
    let mut control = Loop::around(&server);
    control.until_ready();
    signal("-STOP");
    control.until("the robot's silence", |sensors, tick| {
        sensors.state.faults == ["robot_silent"] && tick.authority.not_ready() == Reason::SensorsLost
    });
    // A hang of seconds costs the connection.
    control.until("the end of the connection", |sensors, _| sensors.state.faults == ["robot_not_connected"]);
    signal("-CONT");
    child.wait().unwrap();
    let mut child = start(&server, "drives");
    control.until_ready();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn whoever_misbehaves_is_told_the_value_and_the_next_one_is_welcome() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let cases = [
        ("sends bytes that mean nothing", "MALFORMED", "5 bytes is not a message"),
        ("promises a frame of 4 GiB", "MALFORMED", "a frame of 4294967295 bytes; at most 65536"),
        ("sends a large frame before its hello", "MALFORMED", "a frame of 1048576 bytes; at most 65536"),
        ("senses before its hello", "MALFORMED", "a sense came where a hello is due"),
        ("speaks version 9", "VERSION", "version 9"),
        ("is a boat", "EMBODIMENT", "\"boat\""),
        ("says nothing", "SILENCE", "no whole frame for 2"),
        ("says hello and nothing more", "SILENCE", "no whole frame for 2"),
        ("drips", "SILENCE", "no whole frame for 2"),
        ("is cut off", "MALFORMED", "after 7 bytes"),
        ("does not know its speed", "VALUE", "observation speed_mps is NaN"),
        ("sends half a picture", "VALUE", "camera 0 is 100; 160x90 pixels have 43200"),
        ("floods", "FLOOD", "2001 frames within a second"),
    ];
    for (behaviour, reason, detail) in cases {
        let output = printed(&start(&server, behaviour).wait_with_output().unwrap());
        let told = output.lines().find_map(|line| line.split_once("told: ")).map(|(_, told)| told).unwrap_or(&output);
        assert!(told.contains(&format!("_{reason} ")) && told.contains(detail), "{behaviour}: {told}");
        println!("{behaviour}: {told}");
    }
    let child = start(&server, "drives a little");
    let mut control = Loop::around(&server);
    control.until_ready();
    control.until("the end of a drive", |sensors, _| sensors.state.faults == ["robot_not_connected"]);
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn a_second_robot_is_told_that_one_is_connected() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let mut first = start(&server, "drives");
    let mut control = Loop::around(&server);
    control.until_ready();
    let output = printed(&start(&server, "says nothing").wait_with_output().unwrap());
    assert!(output.contains("BUSY another robot is connected"), "{output}");
    control.until_ready();
    // The end of the bridge is told, too.
    drop(control);
    drop(server);
    let mut output = String::new();
    first.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(first.wait().unwrap().success());
    assert!(output.contains("SHUTDOWN the bridge ends"), "{output}");
}
