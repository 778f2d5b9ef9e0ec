//! A vehicle that stands on the bench: a test card as its picture, and answers to everything a seat asks. Nothing moves.
//! For trying a seat's keys, gamepad and screen without a robot.
//!
//! ```text
//! cargo run --release --bin takeover-web -- ...            # the control plane
//! cargo run --release -p operator-console --example bench_vehicle
//! cargo run --release --bin takeover-console -- --vehicle bench
//! ```

use link::video::{H264Config, H264Encoder, I420, Reference, VideoEncoder, VideoSpec};
use link::{FromSeat, FromSeatBody, VehicleLink, timecode};
use protocol::v1::seat_request::Request;
use protocol::v1::vehicle_event::Event;
use protocol::v1::{self, Author, Mode, Reason};
use std::time::{Duration, Instant};

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
const FPS: f64 = 30.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let control_plane = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8080".into());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let hello = v1::Hello {
        vehicle_id: "bench".into(),
        embodiment: "ackermann_car".into(),
        software: env!("CARGO_PKG_VERSION").into(),
        width: WIDTH as u32,
        height: HEIGHT as u32,
        ..Default::default()
    };
    let spec = VideoSpec { width: WIDTH as u32, height: HEIGHT as u32, fps: FPS };
    let link = VehicleLink::start(runtime.handle(), &control_plane, hello, spec)?;
    let mut encoder = H264Encoder::new(H264Config::new(WIDTH, HEIGHT, FPS))?;
    let mut bench = Bench::default();
    let mut next_frame = Instant::now();
    println!("vehicle \"bench\" offers itself at {control_plane}; Ctrl-C ends it");
    for tick in 0u64.. {
        let mut keyframe = false;
        while let Some(message) = link.try_recv() {
            keyframe |= bench.on_message(&link, &message);
        }
        link.send_state(bench.state(&link, tick));
        if Instant::now() >= next_frame {
            next_frame += Duration::from_secs_f64(1.0 / FPS);
            let capture_us = link.now_us();
            let (mut y, u, v) = test_card(tick);
            timecode::stamp(&mut y, WIDTH, HEIGHT, tick as u32, capture_us);
            let picture = I420 { width: WIDTH, height: HEIGHT, y: &y, u: &u, v: &v };
            let reference = if keyframe { Reference::Keyframe } else { Reference::Previous };
            if let Some(frame) = encoder.encode(picture, capture_us, reference)? {
                link.send_frame(frame);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Eight colour bars over a grey ramp, and a white block that moves so that a frozen picture is noticed.
fn test_card(tick: u64) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    // White, yellow, cyan, green, magenta, red, blue, black at 75 %, BT.601 limited range.
    const BARS: [(u8, u8, u8); 8] = [
        (180, 128, 128),
        (162, 44, 142),
        (131, 156, 44),
        (112, 72, 58),
        (84, 184, 198),
        (65, 100, 212),
        (35, 212, 114),
        (16, 128, 128),
    ];
    let bar = |x: usize| BARS[x * 8 / WIDTH];
    let block = (tick as usize * 8) % (WIDTH - 80);
    let mut y = vec![0; WIDTH * HEIGHT];
    for (row, line) in y.chunks_exact_mut(WIDTH).enumerate() {
        for (x, pixel) in line.iter_mut().enumerate() {
            *pixel = match row {
                _ if (560..640).contains(&row) && (block..block + 80).contains(&x) => 235,
                480.. => 16 + (x * 219 / WIDTH) as u8,
                _ => bar(x).0,
            };
        }
    }
    let chroma = |pick: fn((u8, u8, u8)) -> u8| {
        let line = |row: usize| (0..WIDTH / 2).map(move |x| if row < 240 { pick(bar(x * 2)) } else { 128 });
        (0..HEIGHT / 2).flat_map(line).collect()
    };
    (y, chroma(|c| c.1), chroma(|c| c.2))
}

/// Grants whatever is asked, as a vehicle without a gate would; only the emergency stop is in earnest.
#[derive(Default)]
struct Bench {
    holder: String,
    epoch: u64,
    latched: bool,
    moving: bool,
    action: Vec<f64>,
    deadman: bool,
}

impl Bench {
    fn authority(&self, now_us: u64) -> v1::AuthorityState {
        let (mode, author) = match (self.latched, self.holder.is_empty(), self.moving) {
            (true, _, _) => (Mode::Stopped, Author::Fallback),
            (_, false, _) => (Mode::Drive, Author::Operator),
            (_, true, true) => (Mode::Monitor, Author::Policy),
            (_, true, false) => (Mode::Stopped, Author::Fallback),
        };
        v1::AuthorityState {
            monotonic_us: now_us,
            mode: mode.into(),
            author: author.into(),
            epoch: self.epoch,
            seat_id: self.holder.clone(),
            reason: if self.latched { Reason::Estop } else { Reason::OperatorRequest }.into(),
            estop_latched: self.latched,
            ..Default::default()
        }
    }

    fn state(&self, link: &VehicleLink, tick: u64) -> v1::StateDatagram {
        let now_us = link.now_us();
        let observation = vec![0.0, 0.0, self.action.get(1).copied().unwrap_or(0.0), 0.0];
        v1::StateDatagram {
            vehicle_id: "bench".into(),
            state: Some(v1::VehicleState { monotonic_us: now_us, sequence: tick, observation, ..Default::default() }),
            authority: Some(self.authority(now_us)),
            command: Some(v1::ControlCommand {
                monotonic_us: now_us,
                action: self.action.clone(),
                ..Default::default()
            }),
            link: Some(link.stats()),
            ..Default::default()
        }
    }

    /// True when a keyframe is wanted.
    fn on_message(&mut self, link: &VehicleLink, message: &FromSeat) -> bool {
        match &message.body {
            FromSeatBody::Command(command) => {
                if let Some(input) = command.inputs.last()
                    && input.epoch == self.epoch
                    && message.seat_id == self.holder
                {
                    self.action.clone_from(&input.action);
                    self.deadman = input.deadman;
                }
            }
            FromSeatBody::Request(request) => self.answer(link, message, request),
            FromSeatBody::Disconnected { reason } => println!("{} left: {reason}", message.seat_id),
            FromSeatBody::Connected => println!("{} connected", message.seat_id),
            FromSeatBody::Malformed(what) => println!("{} sent something malformed: {what}", message.seat_id),
            FromSeatBody::KeyframeWanted => return true,
        }
        matches!(message.body, FromSeatBody::Connected)
    }

    fn answer(&mut self, link: &VehicleLink, message: &FromSeat, request: &v1::SeatRequest) {
        println!("{} asks {:?}", message.seat_id, request.request);
        let reason = match &request.request {
            Some(Request::Estop(_)) => {
                (self.latched, self.moving) = (true, false);
                self.holder.clear();
                Reason::Ok
            }
            Some(Request::EstopReset(reset)) if reset.held_ms >= 3000 => {
                self.latched = false;
                Reason::Ok
            }
            Some(Request::Bookmark(_)) => Reason::Ok,
            _ if self.latched => Reason::EstopLatched,
            Some(Request::Takeover(_)) => {
                self.holder.clone_from(&message.seat_id);
                self.epoch += 1;
                Reason::Ok
            }
            Some(Request::HandBack(_) | Request::Engage(_)) => {
                self.holder.clear();
                (self.moving, self.epoch) = (true, self.epoch + 1);
                Reason::Ok
            }
            _ => Reason::Malformed,
        };
        let response = v1::SeatResponse {
            id: request.id,
            accepted: reason == Reason::Ok,
            reason: reason.into(),
            authority: Some(self.authority(link.now_us())),
        };
        link.send_event(Some(&message.session), v1::VehicleEvent { event: Some(Event::Response(response)) });
    }
}
