//! One connection, without I/O: what each frame means, and which cannot be.

use super::sense::check;
use super::{AdapterError, RobotDescription, SILENCE_TIMEOUT_US, hello};
use bytes::Bytes;
use protocol::foxglove::{LaserScan, LocationFix};
use protocol::v1::from_robot::Frame;
use protocol::v1::{FromRobot, RobotBye, RobotPicture, RobotSense, Surroundings, VehicleState};
use protocol::{ClockEstimate, ClockEstimator};
use std::sync::Arc;

/// Most frames that are taken within a second: senses at 1 kHz and four cameras at 60 Hz, with room.
const MOST_FRAMES: u32 = 2_000;
/// Pings at the start, and the time between them: the clocks are known before the first act is due.
const FIRST_PINGS: u32 = 5;
const FIRST_PING_EVERY_US: u64 = 20_000;
/// Time between later pings. They are the bridge's sign of life, too.
const PING_EVERY_US: u64 = 500_000;

/// What a robot sensed, by the bridge's clock.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) state: VehicleState,
    /// When they are new.
    pub(super) surroundings: Option<Arc<Surroundings>>,
    /// When it is new.
    pub(super) scan: Option<Arc<LaserScan>>,
    pub(super) estop_pressed: bool,
    pub(super) fix: Option<LocationFix>,
    /// How the robot's clock stands to the bridge's.
    pub(super) clock: ClockEstimate,
}

/// What a frame means.
#[derive(Debug)]
pub(super) enum Event {
    /// The robot says what it is.
    Hello(Box<RobotDescription>),
    /// It sensed.
    Sense(Box<Reading>),
    /// A picture, taken at `capture_us` by the bridge's clock.
    Picture { camera: usize, capture_us: u64, data: Bytes },
    /// It ends.
    Bye(RobotBye),
    /// Nothing to act upon.
    None,
}

/// The state of a connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    description: Option<RobotDescription>,
    clock: ClockEstimator,
    /// Number and time, by the robot's clock, of the last sense.
    sensed: Option<(u64, u64)>,
    /// Time of the last picture of each camera, by the robot's clock.
    captured_us: Vec<u64>,
    /// Start of the second that is counted, and frames within it.
    counted: (u64, u32),
    heard_us: u64,
    pinged: Option<(u64, u32)>,
}

impl Session {
    /// A connection that was made at `now_us`.
    pub(super) fn new(now_us: u64) -> Self {
        Self { heard_us: now_us, counted: (now_us, 0), ..Self::default() }
    }

    /// The robot, once it has said what it is.
    pub(super) fn description(&self) -> Option<&RobotDescription> {
        self.description.as_ref()
    }

    /// Takes in a frame of `length` bytes that was whole at `now_us`.
    ///
    /// # Errors
    /// [`AdapterError`] when it cannot be; the connection has to end.
    pub(super) fn receive(&mut self, frame: FromRobot, length: usize, now_us: u64) -> Result<Event, AdapterError> {
        self.heard_us = now_us;
        self.count(now_us)?;
        let frame = frame.frame.ok_or(AdapterError::Empty(length))?;
        if self.description.is_none() && !matches!(frame, Frame::Hello(_) | Frame::Bye(_)) {
            return Err(AdapterError::OutOfTurn { got: name(&frame), expected: "a hello" });
        }
        match frame {
            Frame::Hello(_) if self.description.is_some() => {
                Err(AdapterError::OutOfTurn { got: "a second hello", expected: "a sense" })
            }
            Frame::Hello(hello) => {
                let description = RobotDescription::read(hello)?;
                self.captured_us = vec![0; description.cameras.len()];
                self.description = Some(description.clone());
                Ok(Event::Hello(Box::new(description)))
            }
            Frame::Sense(sense) => self.sense(sense, now_us),
            Frame::Picture(picture) => self.picture(picture, now_us),
            Frame::Heartbeat(_) => Ok(Event::None),
            Frame::Pong(pong) => {
                if pong.t3_us < pong.t2_us {
                    let expected = format!("not before t2_us, {}", pong.t2_us);
                    return Err(AdapterError::value("pong's t3_us", &pong.t3_us, expected));
                }
                self.clock.add(pong.t1_us, pong.t2_us, pong.t3_us, now_us);
                Ok(Event::None)
            }
            Frame::Bye(bye) => Ok(Event::Bye(bye)),
        }
    }

    /// Whether the connection still lives at `now_us`.
    ///
    /// # Errors
    /// [`AdapterError::Silence`] when nothing came for too long.
    pub(super) fn check_silence(&self, now_us: u64) -> Result<(), AdapterError> {
        let silent_us = now_us.saturating_sub(self.heard_us);
        if silent_us < SILENCE_TIMEOUT_US { Ok(()) } else { Err(AdapterError::Silence(silent_us / 1_000)) }
    }

    /// Whether the robot's clock is to be asked for at `now_us`; it counts as asked then.
    pub(super) fn is_ping_due(&mut self, now_us: u64) -> bool {
        let due = match self.pinged {
            _ if self.description.is_none() => false,
            None => true,
            Some((at_us, count)) => {
                let every_us = if count < FIRST_PINGS { FIRST_PING_EVERY_US } else { PING_EVERY_US };
                now_us.saturating_sub(at_us) >= every_us
            }
        };
        if due {
            self.pinged = Some((now_us, self.pinged.map_or(1, |(_, count)| count.saturating_add(1))));
        }
        due
    }

    fn count(&mut self, now_us: u64) -> Result<(), AdapterError> {
        let (since_us, frames) = self.counted;
        self.counted = if now_us.saturating_sub(since_us) < 1_000_000 { (since_us, frames + 1) } else { (now_us, 1) };
        let frames = self.counted.1;
        if frames > MOST_FRAMES { Err(AdapterError::Flood { frames, most: MOST_FRAMES }) } else { Ok(()) }
    }

    fn sense(&mut self, sense: RobotSense, now_us: u64) -> Result<Event, AdapterError> {
        let Some(description) = &self.description else { return Ok(Event::None) };
        check(&sense, &description.embodiment, description.expects)?;
        let mut state = sense.state.unwrap_or_default();
        if let Some((sequence, at_us)) = self.sensed {
            if state.sequence <= sequence {
                return Err(AdapterError::value("sequence", &state.sequence, format!("the last was {sequence}")));
            }
            if state.monotonic_us < at_us {
                let expected = format!("the sense before is of {at_us}");
                return Err(AdapterError::value("monotonic_us", &state.monotonic_us, expected));
            }
        }
        self.sensed = Some((state.sequence, state.monotonic_us));
        // Until the clocks are known nobody can say how old it is.
        let Some(clock) = self.clock.estimate(now_us) else { return Ok(Event::None) };
        // Within the estimate's uncertainty it may seem to come from the future.
        let local = |robot_us| clock.local_from_remote(robot_us).min(now_us);
        state.monotonic_us = local(state.monotonic_us);
        let surroundings =
            sense.surroundings.map(|seen| Arc::new(Surroundings { monotonic_us: local(seen.monotonic_us), ..seen }));
        Ok(Event::Sense(Box::new(Reading {
            state,
            surroundings,
            scan: sense.scan.map(Arc::new),
            estop_pressed: sense.estop_pressed,
            fix: sense.fix,
            clock,
        })))
    }

    fn picture(&mut self, picture: RobotPicture, now_us: u64) -> Result<Event, AdapterError> {
        let cameras = self.description.as_ref().map_or(&[][..], |description| &description.cameras[..]);
        let index = picture.camera as usize;
        let (Some(camera), Some(last_us)) = (cameras.get(index), self.captured_us.get_mut(index)) else {
            let expected = format!("the hello names {} cameras", cameras.len());
            return Err(AdapterError::value("picture's camera", &picture.camera, expected));
        };
        let got = picture.data.len();
        let (width, height) = hello::size(camera);
        match hello::raw_bytes(camera) {
            Some(wanted) if got != wanted => {
                let expected = format!("{width}x{height} pixels have {wanted}");
                return Err(AdapterError::value(format!("length of a picture of camera {index}"), &got, expected));
            }
            None if got == 0 => {
                let expected = "an access unit is never empty";
                return Err(AdapterError::value(format!("length of a picture of camera {index}"), &got, expected));
            }
            _ => {}
        }
        if picture.capture_us <= *last_us {
            let expected = format!("the one before is of {last_us}");
            let what = format!("capture_us of a picture of camera {index}");
            return Err(AdapterError::value(what, &picture.capture_us, expected));
        }
        *last_us = picture.capture_us;
        let Some(clock) = self.clock.estimate(now_us) else { return Ok(Event::None) };
        let capture_us = clock.local_from_remote(picture.capture_us).min(now_us);
        Ok(Event::Picture { camera: index, capture_us, data: picture.data })
    }
}

fn name(frame: &Frame) -> &'static str {
    match frame {
        Frame::Hello(_) => "a hello",
        Frame::Sense(_) => "a sense",
        Frame::Picture(_) => "a picture",
        Frame::Heartbeat(_) => "a heartbeat",
        Frame::Pong(_) => "a pong",
        Frame::Bye(_) => "a bye",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robots::process::hello::tests::hello;
    use protocol::v1::{ClockPong, Pose2, RobotHeartbeat};

    /// The robot's clock is ahead by this.
    const AHEAD_US: u64 = 5_000_000;

    fn put(session: &mut Session, frame: Frame, now_us: u64) -> Result<Event, AdapterError> {
        session.receive(FromRobot { frame: Some(frame) }, 9, now_us)
    }

    fn sense(sequence: u64, robot_us: u64) -> Frame {
        let state = VehicleState {
            monotonic_us: robot_us,
            sequence,
            world_from_vehicle: Some(Pose2::default()),
            observation: vec![1.0, 0.0, 0.0, 0.0],
            ..VehicleState::default()
        };
        Frame::Sense(RobotSense { state: Some(state), ..RobotSense::default() })
    }

    fn picture(capture_us: u64, bytes: usize) -> Frame {
        Frame::Picture(RobotPicture { camera: 0, capture_us, data: vec![9; bytes].into() })
    }

    /// After the hello and one exchange of clocks at 1,000 us.
    fn started() -> Session {
        let mut session = Session::new(0);
        assert!(matches!(put(&mut session, Frame::Hello(hello()), 100), Ok(Event::Hello(_))));
        let pong = ClockPong { t1_us: 800, t2_us: 900 + AHEAD_US, t3_us: 900 + AHEAD_US };
        put(&mut session, Frame::Pong(pong), 1_000).unwrap();
        session
    }

    #[test]
    fn stamps_become_the_bridge_s_and_never_lie_in_the_future() {
        let mut session = started();
        let mut at = |sequence, robot_us, now_us| {
            let Ok(Event::Sense(reading)) = put(&mut session, sense(sequence, robot_us), now_us) else { panic!() };
            reading.state.monotonic_us
        };
        assert_eq!(at(1, 20_000 + AHEAD_US, 21_000), 20_000);
        assert_eq!(at(2, 90_000 + AHEAD_US, 30_000), 30_000);
        let Ok(Event::Picture { camera: 0, capture_us: 40_000, data }) =
            put(&mut session, picture(40_000 + AHEAD_US, 86_400), 50_000)
        else {
            panic!()
        };
        assert_eq!(data.len(), 320 * 180 * 3 / 2);
    }

    #[test]
    fn before_the_clocks_are_known_nothing_counts() {
        let mut session = Session::new(0);
        put(&mut session, Frame::Hello(hello()), 100).unwrap();
        assert!(matches!(put(&mut session, sense(1, 5), 200), Ok(Event::None)));
        assert!(matches!(put(&mut session, picture(5, 86_400), 300), Ok(Event::None)));
    }

    #[test]
    fn frames_out_of_turn_and_values_out_of_order_end_the_connection_by_name() {
        let mut fresh = Session::new(0);
        let error = put(&mut fresh, sense(1, 5), 1).unwrap_err().to_string();
        assert_eq!(error, "a sense came where a hello is due");
        let empty = Session::new(0).receive(FromRobot::default(), 17, 1).unwrap_err();
        assert_eq!(empty, AdapterError::Empty(17));
        let wrong: [(Frame, &str); 9] = [
            (Frame::Hello(hello()), "a second hello"),
            (sense(3, 9_000), "sequence is 3; the last was 3"),
            (sense(4, 8_999), "monotonic_us is 8999; the sense before is of 9000"),
            (picture(9_000, 86_400), "capture_us of a picture of camera 0 is 9000; the one before is of 9000"),
            (picture(9_001, 86_399), "length of a picture of camera 0 is 86399; 320x180 pixels have 86400"),
            (picture(0, 86_400), "is 0; the one before is of 9000"),
            (
                Frame::Picture(RobotPicture { camera: 1, capture_us: 9_001, data: Bytes::new() }),
                "picture's camera is 1; the hello names 1 cameras",
            ),
            (Frame::Pong(ClockPong { t1_us: 1, t2_us: 9, t3_us: 8 }), "t3_us is 8; not before t2_us, 9"),
            (Frame::Sense(RobotSense::default()), "state is absent"),
        ];
        for (frame, named) in wrong {
            let mut session = started();
            put(&mut session, sense(3, 9_000), 2_000).unwrap();
            put(&mut session, picture(9_000, 86_400), 2_000).unwrap();
            let error = put(&mut session, frame, 3_000).unwrap_err().to_string();
            assert!(error.contains(named), "{error} does not say {named}");
        }
    }

    #[test]
    fn silence_and_floods_end_the_connection() {
        let mut session = started();
        session.check_silence(1_000 + SILENCE_TIMEOUT_US - 1).unwrap();
        let error = session.check_silence(1_000 + SILENCE_TIMEOUT_US).unwrap_err();
        assert_eq!(error, AdapterError::Silence(2_000));
        let heartbeat = || Frame::Heartbeat(RobotHeartbeat::default());
        put(&mut session, heartbeat(), SILENCE_TIMEOUT_US).unwrap();
        session.check_silence(2 * SILENCE_TIMEOUT_US - 1).unwrap();

        let mut fast = started();
        let taken = (0..10_000).take_while(|n| put(&mut fast, heartbeat(), 1_000 + n * 50).is_ok()).count();
        assert!((1_900..=2_000).contains(&taken), "{taken} at 20 kHz");
        let mut quick = started();
        assert!((0..10_000).all(|n| put(&mut quick, heartbeat(), 1_000 + n * 1_000).is_ok()), "1 kHz passes");
    }

    #[test]
    fn the_clock_is_asked_for_often_at_first_and_not_before_the_hello() {
        let mut session = Session::new(0);
        assert!(!session.is_ping_due(1));
        put(&mut session, Frame::Hello(hello()), 100).unwrap();
        let pings = (0..200u64).filter(|n| session.is_ping_due(n * 10_000)).count();
        // Five in 80 ms, then one in 500 ms.
        assert_eq!(pings, 5 + 3);
    }
}
