//! The control thread: sense, think, act at a fixed rate; reads what arrived, hands on what others need, waits for
//! nobody.

use super::BridgeConfig;
use super::camera::Shutter;
use super::journal_thread::JournalThread;
use super::keeping::{self, Keeping};
use super::mind::{self, Mind};
use super::office::{Desk, Update};
use super::seats::Seats;
use super::witness::Witness;
use crate::core::tally::Passed;
use crate::core::{Sensors, Tick, VehicleCore};
use crate::ledger::{Entry, Ledger};
use crate::manoeuvre::Look;
use crate::scribe::Scribe;
use crate::sim_robot::SimRobot;
use crate::timing::TickTiming;
use crate::virtual_drive::TICK_US;
use crossbeam_channel::{Receiver, Sender};
use link::VehicleLink;
use protocol::api::{Disengagement, Episode, VehicleClock, VehicleStatus};
use protocol::foxglove::LaserScan;
use protocol::v1::{
    Author, ControlTiming, LinkStats, ReasonCount, Refusals, StateDatagram, TakeoverCause, VehicleEvent, WallClock,
    vehicle_event,
};
use protocol::{EpisodeId, PolicyVersion};
use recorder::RecorderThread;
use sim::world::{World, WorldConfig};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// 25 states a second: every second tick.
const STATE_EVERY: u64 = 2;
/// A control loop that is further behind than this does not try to catch up.
const GIVE_UP_US: u64 = 200_000;
/// Fault code of a tick that ended after the next one was due; the core stops the vehicle when the loop stalls.
const DEADLINE_FAULT: &str = "control_deadline_missed";
/// Fault code of an audit log that is not kept: the disk refuses or is too slow.
const AUDIT_FAULT: &str = "audit_log_failing";

/// Fault code of a journal that is not kept.
const JOURNAL_FAULT: &str = "journal_failing";

pub(super) struct Control {
    pub robot: SimRobot,
    pub core: VehicleCore,
    pub books: Ledger,
    pub scribe: Scribe,
    pub config: BridgeConfig,
    pub link: Arc<VehicleLink>,
    pub recorder: RecorderThread,
    pub keeping: Keeping,
    /// Fault code of the recorder's disk.
    pub disk_fault: Option<String>,
    /// Fault code of episodes that may not leave the vehicle.
    pub upload_fault: Option<&'static str>,
    pub shutters: Vec<Arc<Shutter>>,
    pub desk: Arc<Desk>,
    pub journal: JournalThread,
    pub disengagements: Sender<Disengagement>,
    pub episodes: Sender<Episode>,
    pub updates: Receiver<Update>,
    pub origin: Instant,
    pub trips: u64,
    /// The scan that was sent last.
    pub scan: Option<Arc<LaserScan>>,
    pub seats: Seats,
    pub witness: Witness,
    pub mind: Mind,
    pub timing: TickTiming,
    /// Figures of the last second, until they are sent.
    pub punctuality: Option<ControlTiming>,
    /// How the wall clock stands, until it is sent.
    pub wall_clock: Option<WallClock>,
    /// The reason in force and whether latency limits the speed, as last logged.
    pub logged: (i32, bool),
    /// Refusals so far, until they are sent.
    pub refusals: Option<Refusals>,
    pub refused: u64,
    /// Deadlines missed until the last second.
    pub missed_before: u64,
}

impl Control {
    pub(super) fn run(mut self, stop: &AtomicBool) {
        let mut tick = Tick::default();
        let mut inbox = Vec::new();
        let mut due = Instant::now();
        let mut count = 0u64;
        while !stop.load(Ordering::Relaxed) {
            let late = Self::wait(&mut due);
            let started = Instant::now();
            let now_us = (started - self.origin).as_micros() as u64;
            count += 1;
            self.robot.act(TICK_US as f64 * 1e-6, &tick.command);
            let sensors = self.robot.sense(now_us);
            self.seats.receive(now_us, &mut self.core, &mut inbox, &mut self.witness);
            while let Ok(policy) = self.updates.try_recv() {
                tracing::info!(version = %policy.manifest().version, "policy taken into use");
                match mind::copy(&policy) {
                    Ok(copy) => self.mind.take(copy),
                    Err(error) => tracing::error!(%error, "the policy cannot be used"),
                }
                self.core.take_policy(*policy);
            }
            if let Some(thought) = self.mind.turn(&sensors) {
                self.core.hear_policy(thought);
            }
            self.core.tick(now_us, &sensors, &mut inbox, &mut tick);
            self.check_world(&mut tick, now_us);
            self.keep_books(now_us, &sensors, &tick);
            self.seats.answer(now_us, &mut tick, &mut self.witness);
            self.bear_witness(now_us, &sensors, &tick);
            self.log_changes(&tick);
            self.show(now_us, count, &sensors, &tick);
            self.note_punctuality(late, started.elapsed());
            if count.is_multiple_of(50) {
                self.once_a_second(&sensors, &tick);
            }
        }
        self.shut_down();
    }

    /// Sleeps until the next tick is due; answers how late it starts.
    fn wait(due: &mut Instant) -> Duration {
        *due += Duration::from_micros(TICK_US);
        let now = Instant::now();
        if *due > now {
            std::thread::sleep(*due - now);
            return due.elapsed();
        }
        let late = now - *due;
        if late > Duration::from_micros(GIVE_UP_US) {
            *due = now;
        }
        late
    }

    fn note_punctuality(&mut self, late: Duration, work: Duration) {
        let (late_us, work_us) = (late.as_micros() as u64, work.as_micros() as u64);
        self.robot.clear_faults();
        if self.timing.note(late_us, work_us) {
            self.robot.report_fault(DEADLINE_FAULT);
        }
        if let Some(code) = &self.disk_fault {
            self.robot.report_fault(code);
        }
        if let Some(code) = self.upload_fault {
            self.robot.report_fault(code);
        }
        if self.witness.is_failing() {
            self.robot.report_fault(AUDIT_FAULT);
        }
        if self.journal.is_failing() {
            self.robot.report_fault(JOURNAL_FAULT);
        }
    }

    fn bear_witness(&mut self, now_us: u64, sensors: &Sensors, tick: &Tick) {
        let look = Look {
            now_us,
            speed_mps: sensors.state.observation.first().copied().unwrap_or(0.0),
            odometer_m: sensors.state.odometer_m,
            lane_margin_m: Some(self.robot.lane_margin_m()),
            operator_us: self.core.operator_input().map(|input| input.received_us),
            tick,
        };
        self.witness.tick(&look, tick);
    }

    fn log_changes(&mut self, tick: &Tick) {
        let authority = &tick.authority;
        let now = (authority.reason, authority.speed_limit.is_some());
        if now == self.logged {
            return;
        }
        self.logged = now;
        let (mode, author, reason) = (authority.mode().label(), authority.author().label(), authority.reason().label());
        match &authority.speed_limit {
            Some(l) => tracing::info!(mode, author, reason, l.limit_mps, l.latency_ms, "the latency limits the speed"),
            None => tracing::info!(mode, author, reason, "authority"),
        }
    }

    /// What only a simulated car does: end its route and begin another, or be towed after a crash.
    fn check_world(&mut self, tick: &mut Tick, now_us: u64) {
        let status = self.robot.status();
        if status.route_done {
            self.trips += 1;
            let seed = self.config.world.seed.wrapping_add(self.trips.wrapping_mul(0x9e37_79b9));
            let world = WorldConfig { seed, ..self.config.world.clone() };
            match World::new(Arc::clone(&self.config.network), world) {
                Ok(world) => self.robot = SimRobot::new(world),
                Err(error) => tracing::error!(%error, "no further route"),
            }
        } else if status.collided_with.is_some() || status.off_road {
            tracing::warn!(?status.collided_with, status.off_road, "crash; the car is put back on its lane");
            if tick.command.author() == Author::Policy {
                self.count_crash(now_us);
            }
            self.core.note_collision(tick);
            self.robot.recover();
        }
    }

    fn count_crash(&mut self, now_us: u64) {
        let at_ms = (self.scribe.wall_ns(now_us) / 1_000_000) as i64;
        let Ok(id) = EpisodeId::new(format!("{}-{at_ms}-crash", self.config.vehicle)) else { return };
        self.enter(Disengagement {
            id,
            vehicle: self.config.vehicle.clone(),
            policy: self.version(),
            cause: TakeoverCause::Safety.label().to_owned(),
            at_ms,
            map: self.config.network.name().to_owned(),
            clock_ahead_ms: None,
        });
    }

    fn version(&self) -> PolicyVersion {
        self.core.policy().manifest().version.clone()
    }

    fn enter(&mut self, disengagement: Disengagement) {
        let disengagement = Disengagement { clock_ahead_ms: self.desk.clock.log_ahead_ms(), ..disengagement };
        self.journal.add(disengagement.clone());
        let _ = self.disengagements.send(disengagement);
    }

    fn keep_books(&mut self, now_us: u64, sensors: &Sensors, tick: &Tick) {
        let wall_ns = self.scribe.wall_ns(now_us);
        let entries = {
            let policy = &self.core.policy().manifest().version;
            self.books.note(now_us, wall_ns, sensors, tick, policy)
        };
        let link = self.link_stats(now_us);
        let handle = self.recorder.handle();
        let mut push = |message| {
            handle.push(message);
        };
        self.scribe.tick(now_us, sensors, tick, &mut push);
        let status = self.core.policy_status(now_us, self.mind.inference_us, self.timing.missed());
        if self.scribe.slow(now_us, &link, &status, &mut push) {
            self.recorder.handle().push(self.scribe.fix(now_us, self.robot.fix()));
            self.keeping.describe_cameras(now_us, &self.recorder, &mut self.scribe);
        }
        let ahead_ms = self.desk.clock.log_ahead_ms();
        self.keeping.tick(now_us, (sensors, tick), &link, &self.core, (&self.recorder, ahead_ms), &mut self.scribe);
        for entry in entries {
            self.carry_out(now_us, wall_ns, entry);
        }
        self.journal.write(tick.authority.epoch, self.books.metres());
    }

    fn carry_out(&mut self, now_us: u64, wall_ns: u64, entry: Entry) {
        let event = match entry {
            Entry::Begin { mut info, event, disengagement } => {
                info.clock_ahead_ms = self.desk.clock.log_ahead_ms();
                tracing::info!(id = %info.id, cause = %info.cause, "takeover");
                self.recorder.handle().begin(wall_ns, *info, self.keeping.attachments());
                if let Some(disengagement) = disengagement {
                    self.enter(disengagement);
                }
                event
            }
            Entry::End { id, event } => {
                self.recorder.handle().end(wall_ns, id);
                event
            }
        };
        self.recorder.handle().push(self.scribe.takeover(now_us, &event));
        self.link.send_event(
            None,
            VehicleEvent { event: Some(vehicle_event::Event::Takeover(event)), ..Default::default() },
        );
    }

    fn show(&mut self, now_us: u64, count: u64, sensors: &Sensors, tick: &Tick) {
        // 30 pictures a second out of 50 ticks: ticks 0, 2, 4 (rounded) of every five.
        if matches!(count % 5, 0 | 2 | 4) {
            for shutter in &self.shutters {
                shutter.release(now_us, self.robot.snapshot());
            }
        }
        if !count.is_multiple_of(STATE_EVERY) {
            return;
        }
        if let Some(scan) =
            sensors.scan.as_ref().filter(|scan| !self.scan.as_ref().is_some_and(|old| Arc::ptr_eq(old, scan)))
        {
            self.link.send_scan(scan, now_us);
            self.scan = Some(Arc::clone(scan));
        }
        let fresh = sensors.surroundings.as_ref().filter(|s| s.monotonic_us + STATE_EVERY * TICK_US > now_us);
        self.link.send_state(StateDatagram {
            vehicle_id: self.config.vehicle.to_string(),
            state: Some(sensors.state.clone()),
            authority: Some(tick.authority.clone()),
            command: Some(tick.command.clone()),
            proposal: tick.proposal.clone(),
            surroundings: fresh.map(|s| s.as_ref().clone()),
            link: count.is_multiple_of(10).then(|| self.link_stats(now_us)),
            policy: count
                .is_multiple_of(10)
                .then(|| self.core.policy_status(now_us, self.mind.inference_us, self.timing.missed())),
            pong: None,
            timing: self.punctuality.take(),
            refusals: self.refusals.take(),
            wall_clock: self.wall_clock.take(),
            ..StateDatagram::default()
        });
    }

    /// The link's figures with the age of the command in use: half a round trip, delays beyond it, and the wait here.
    fn link_stats(&self, now_us: u64) -> LinkStats {
        let mut stats = self.link.stats();
        if let Some(age_us) = self.core.command_age_us(now_us) {
            stats.command_age_ms = age_us as f64 / 1e3 + stats.round_trip_ms / 2.0;
        }
        stats
    }

    fn once_a_second(&mut self, sensors: &Sensors, tick: &Tick) {
        let now_us = self.origin.elapsed().as_micros() as u64;
        self.disk_fault = self.keeping.look_after_disk(now_us, &self.recorder, &mut self.scribe);
        self.upload_fault = self.desk.uploads.as_ref().and_then(|board| board.fault());
        let refused = self.tell_refusals(now_us);
        let timing = self.timing.report(now_us);
        self.tell_punctuality(&timing);
        let stats = self.link.stats();
        let status = VehicleStatus {
            vehicle: self.config.vehicle.clone(),
            mode: tick.authority.mode().label().to_owned(),
            author: tick.authority.author().label().to_owned(),
            speed_mps: sensors.state.observation.first().copied().unwrap_or(0.0),
            policy: self.version(),
            round_trip_ms: (stats.round_trip_ms > 0.0).then_some(stats.round_trip_ms),
            refused,
            timing: Some(protocol::api::ControlTiming {
                lateness_p50_us: timing.lateness_p50_us,
                lateness_p99_us: timing.lateness_p99_us,
                lateness_max_us: timing.lateness_max_us,
                work_max_us: timing.work_max_us,
                missed_deadlines: timing.missed_deadlines,
            }),
            upload: None,
            clock: Some(VehicleClock {
                control_plane: self.desk.clock.control_plane(),
                seat: self.link.seat_wall_clock(),
            }),
        };
        self.punctuality = Some(timing);
        self.wall_clock = Some(self.desk.clock.message());
        let mut figures = self.desk.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.metres.clone_from(self.books.metres());
        figures.status = Some(status);
    }

    fn tell_refusals(&mut self, now_us: u64) -> BTreeMap<String, u64> {
        let counts = self.seats.refusals(&self.core);
        let refusals = self.core.refusals();
        if refusals > self.refused {
            tracing::warn!(commands = refusals - self.refused, ?counts, "commands of seats refused in the last second");
            self.refused = refusals;
        }
        self.witness.refusals(now_us, &counts);
        self.refusals = Some(Refusals {
            counts: counts
                .iter()
                .map(|(reason, count)| ReasonCount { reason: reason.clone(), count: *count })
                .collect(),
            heard: self.seats.heard(),
            passed: Passed::ALL
                .iter()
                .map(|kind| ReasonCount { reason: kind.code().to_owned(), count: self.core.tally().passed(*kind) })
                .filter(|passed| passed.count > 0)
                .collect(),
            audit_failing: self.witness.is_failing(),
        });
        counts
    }

    fn tell_punctuality(&mut self, timing: &ControlTiming) {
        let (late_us, work_us, missed) = (timing.lateness_max_us, timing.work_max_us, timing.missed_deadlines);
        let (median_us, skipped) = (timing.lateness_p50_us, self.mind.skipped);
        if missed > self.missed_before {
            tracing::warn!(median_us, late_us, work_us, missed, skipped, "control deadlines missed");
        } else {
            tracing::debug!(median_us, late_us, work_us, missed, skipped, "control loop");
        }
        self.missed_before = missed;
    }

    fn shut_down(self) {
        drop(self.journal);
        self.desk.figures.lock().unwrap_or_else(PoisonError::into_inner).metres.clone_from(self.books.metres());
        let ahead_ms = self.desk.clock.log_ahead_ms();
        for event in self.recorder.shutdown() {
            keeping::tell(event, ahead_ms, &self.episodes);
        }
    }
}
