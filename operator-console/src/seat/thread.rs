//! The shell around [`SeatLogic`]: a thread of its own with the clock, the devices and the link.

use super::{Connection, SeatLogic, TickInputs};
use crate::input::keyboard::KeyboardReader;
use crate::input::pad::Pads;
use crate::input::{DeviceId, GamepadReader, Sample, Wheel};
use crate::{ConsoleError, Shared, finder};
use control_plane_client::ControlPlaneAddress;
use crossbeam_channel::{Receiver, bounded};
use link::{FromVehicle, SeatLink};
use protocol::{SeatId, SeatKind, VehicleId};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;

/// Commands go out this often.
const TICK: Duration = Duration::from_millis(10);
/// Pictures and states are looked for this often in between.
const POLL: Duration = Duration::from_millis(2);
/// A thread that was not run for longer skips ticks rather than sending a burst.
const BURST: Duration = Duration::from_millis(50);
const SEARCH_EVERY: Duration = Duration::from_secs(1);

/// Where to connect and as whom.
#[derive(Debug, Clone)]
pub struct SeatOptions {
    /// The control plane.
    pub control_plane: ControlPlaneAddress,
    /// The vehicle; the first live one when `None`.
    pub vehicle: Option<VehicleId>,
    /// This seat.
    pub seat: SeatId,
    /// Only watch.
    pub watch_only: bool,
}

/// The running thread; dropping it lets go of the deadman, ends the session and waits for the thread.
pub struct SeatThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl SeatThread {
    /// Starts the seat.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(runtime: &Handle, options: SeatOptions, shared: &Arc<Shared>) -> Result<Self, ConsoleError> {
        let (runtime, slots) = (runtime.clone(), shared.clone());
        let thread = std::thread::Builder::new()
            .name("seat".into())
            .spawn(move || Seat::new(runtime, options, slots).run())
            .map_err(ConsoleError::Thread)?;
        Ok(Self { shared: shared.clone(), thread: Some(thread) })
    }
}

impl Drop for SeatThread {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the seat's thread ended with a panic");
        }
    }
}

/// Microseconds of the wall clock: only to start ids above those of an earlier run.
fn first_id() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| u64::try_from(d.as_micros()).unwrap_or(1))
}

struct Seat {
    runtime: Handle,
    options: SeatOptions,
    shared: Arc<Shared>,
    start: Instant,
    logic: SeatLogic,
    link: Option<SeatLink>,
    vehicle: Option<VehicleId>,
    search: Option<Receiver<Result<VehicleId, ConsoleError>>>,
    searched_at: Option<Instant>,
    searching: String,
    gamepads: GamepadReader,
    keyboard: KeyboardReader,
    pads: Pads,
    wheel: Wheel,
    pad_name: Option<String>,
}

impl Seat {
    fn new(runtime: Handle, options: SeatOptions, shared: Arc<Shared>) -> Self {
        Self {
            logic: SeatLogic::new(options.seat.as_str(), options.watch_only, first_id()),
            vehicle: options.vehicle.clone(),
            searching: format!("asking {} for a vehicle", options.control_plane),
            runtime,
            options,
            shared,
            start: Instant::now(),
            link: None,
            search: None,
            searched_at: None,
            gamepads: GamepadReader::new(),
            keyboard: KeyboardReader::default(),
            pads: Pads::default(),
            wheel: Wheel::default(),
            pad_name: None,
        }
    }

    fn run(mut self) {
        let mut last = Instant::now();
        let mut next = last + TICK;
        while !self.shared.stopping() {
            self.receive();
            let now = Instant::now();
            if now < next {
                std::thread::sleep(POLL.min(next - now));
                continue;
            }
            next = if now > next + BURST { now + TICK } else { next + TICK };
            self.tick((now - last).as_secs_f64());
            last = now;
        }
        self.let_go();
    }

    /// The link's clock once there is a link, the program's before.
    fn now_us(&self) -> u64 {
        self.link.as_ref().map_or_else(|| self.start.elapsed().as_micros() as u64, SeatLink::now_us)
    }

    fn tick(&mut self, dt_s: f64) {
        self.ensure_link();
        let sample = self.sample();
        let now_us = self.now_us();
        self.note_shown(now_us);
        let clock = self.link.as_ref().and_then(SeatLink::clock);
        let outputs = self.logic.tick(TickInputs { now_us, dt_s, sample, clock });
        if let Some(link) = &self.link {
            for request in outputs.requests {
                // One that found no room stays unanswered, and that is shown.
                if !link.send_request(request) {
                    tracing::warn!("a request found no room on the link");
                }
            }
            if let Some(command) = outputs.command {
                link.send_command(command);
            }
        }
        let vehicle = self.vehicle.as_ref().map_or("", VehicleId::as_str);
        let mut view = self.logic.view(now_us, vehicle, self.pad_name.clone());
        match &self.link {
            Some(link) => view.wall_clock = link.wall_clocks().warnings(),
            None => view.connection = Connection::Searching(self.searching.clone()),
        }
        self.shared.publish(view);
    }

    fn sample(&mut self) -> Sample {
        let (keyboard, age) = self.shared.keyboard();
        let mut by_keys = self.keyboard.sample(&keyboard, age);
        by_keys.reset_held |= self.shared.reset_held() && age <= crate::input::keyboard::KEYS_STALE;
        by_keys.pressed.extend(self.shared.take_clicks());
        let pads = self.gamepads.read();
        let sample = self.wheel.join(by_keys, self.pads.sample(pads.iter().map(|pad| (pad.number, &pad.state))));
        let in_use = pads.iter().find(|pad| self.wheel.in_use() == DeviceId::Pad(pad.number));
        self.pad_name = in_use.or(pads.first()).map(|pad| pad.name.clone());
        sample
    }

    fn note_shown(&mut self, now_us: u64) {
        let Some(shown) = self.shared.take_shown() else { return };
        let at_us = now_us.saturating_sub(shown.at.elapsed().as_micros() as u64);
        let clock = self.link.as_ref().and_then(SeatLink::clock);
        self.logic.pictures.on_shown(at_us, shown.capture_us, clock.as_ref());
        self.logic.pictures.on_wait(at_us.saturating_sub(shown.decoded_us));
        if let Some(link) = &self.link {
            link.presented(shown.decoded_us, at_us);
        }
    }

    fn receive(&mut self) {
        let Some(link) = &self.link else { return };
        while let Some(message) = link.try_recv() {
            let now_us = link.now_us();
            match message {
                FromVehicle::Connected => self.logic.on_connected(now_us),
                FromVehicle::Lost { reason } => self.logic.on_lost(now_us, &reason),
                FromVehicle::State(state) => self.logic.on_state(now_us, *state),
                FromVehicle::Event(event) => self.logic.on_event(now_us, event),
                // The window shows the camera to drive by.
                FromVehicle::Picture(picture) if picture.camera == 0 => self.shared.put_picture(picture),
                FromVehicle::Picture(_) => {}
                FromVehicle::Frame(_) | FromVehicle::Scan(_) => {}
            }
        }
    }

    /// Connects once a vehicle is named or found; a failure is shown and tried again.
    fn ensure_link(&mut self) {
        if self.link.is_some() {
            return;
        }
        if self.vehicle.is_none() {
            self.poll_search();
        }
        let Some(vehicle) = self.vehicle.clone() else { return };
        if self.searched_at.is_some_and(|at| at.elapsed() < SEARCH_EVERY) && self.options.vehicle.is_some() {
            return;
        }
        self.searched_at = Some(Instant::now());
        let options = link::SeatOptions { kind: SeatKind::Human, watch_only: self.options.watch_only, decode: true };
        let seat = self.options.seat.clone();
        match SeatLink::connect(&self.runtime, &self.options.control_plane, seat, vehicle, options) {
            Ok(link) => {
                // Times of the link's clock do not compare with those before.
                let stopped = self.logic.estop_is_pressed();
                self.logic = SeatLogic::new(self.options.seat.as_str(), self.options.watch_only, first_id());
                if stopped {
                    self.logic.press_estop(link.now_us());
                }
                self.link = Some(link);
            }
            Err(error) => self.searching = error.to_string(),
        }
    }

    fn poll_search(&mut self) {
        if let Some(answer) = self.search.as_ref().and_then(|search| search.try_recv().ok()) {
            self.search = None;
            match answer {
                Ok(vehicle) => self.vehicle = Some(vehicle),
                Err(error) => self.searching = error.to_string(),
            }
            return;
        }
        let due = self.searched_at.is_none_or(|at| at.elapsed() >= SEARCH_EVERY);
        if due && self.search.is_none() {
            self.searched_at = Some(Instant::now());
            let (sender, receiver) = bounded(1);
            let control_plane = self.options.control_plane.clone();
            self.runtime.spawn_blocking(move || {
                let _no_longer_wanted = sender.send(finder::first_live_vehicle(&control_plane));
            });
            self.search = Some(receiver);
        }
    }

    /// The last word of a seat that closes: the deadman is let go, said often enough to survive loss.
    fn let_go(&mut self) {
        for _ in 0..5 {
            let inputs = TickInputs { now_us: self.now_us(), dt_s: 0.0, ..TickInputs::default() };
            let command = self.logic.tick(inputs).command;
            if let (Some(link), Some(command)) = (&self.link, command) {
                link.send_command(command);
            }
            std::thread::sleep(TICK);
        }
    }
}
