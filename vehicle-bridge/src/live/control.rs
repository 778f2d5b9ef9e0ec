//! The control thread: sense, think, act at a fixed rate; reads what arrived, hands on what others need, waits for
//! nobody.

use super::BridgeConfig;
use super::audit_recorder::AuditRecorder;
use super::control_plane_sync::{SharedStatus, Update};
use super::journal_thread::JournalThread;
use super::policy_runner::{self, PolicyRunner};
use super::seats::Seats;
use super::triggers::{self, LiveTriggers};
use crate::timing::TickTiming;
use crossbeam_channel::{Receiver, Sender};
use link::VehicleLink;
use protocol::api::{Disengagement, Episode, VehicleClock, VehicleStatus};
use protocol::foxglove::LaserScan;
use protocol::v1::{
    Author, ControlTiming, LinkStats, ReasonCount, Refusals, StateDatagram, TakeoverCause, VehicleEvent, WallClock,
    vehicle_event,
};
use protocol::{Embodiment, EpisodeId, FaultCode, PolicyVersion};
use recorder::RecorderThread;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use vehicle_core::manoeuvre::ManoeuvreObservation;
use vehicle_core::mileage::{MileageAccounting, TakeoverEntry};
use vehicle_core::tally::Passed;
use vehicle_core::telemetry::TelemetryEncoder;
use vehicle_core::{FromSeat, Robot, Sensors, Tick, VehicleCore, control_tick};

/// States a second.
const STATES_HZ: u64 = 25;
/// How often a second a state says how link and policy are.
const FIGURES_HZ: u64 = 5;
/// A control loop that is further behind than this does not try to catch up.
const GIVE_UP_US: u64 = 200_000;

pub(super) struct Control {
    pub robot: Box<dyn Robot>,
    pub embodiment: Embodiment,
    /// Where it drives.
    pub map: String,
    /// Faults of the shell, which the robot's state shows beside its own.
    pub faults: Vec<FaultCode>,
    pub core: VehicleCore,
    pub mileage: MileageAccounting,
    pub telemetry: TelemetryEncoder,
    pub config: BridgeConfig,
    pub link: Arc<VehicleLink>,
    pub recorder: RecorderThread,
    pub triggers: LiveTriggers,
    /// Of the recorder's disk.
    pub disk_fault: Option<FaultCode>,
    /// Of episodes that may not leave the vehicle.
    pub upload_fault: Option<FaultCode>,
    pub shared: Arc<SharedStatus>,
    pub journal: JournalThread,
    pub disengagements: Sender<Disengagement>,
    pub episodes: Sender<Episode>,
    pub updates: Receiver<Update>,
    pub origin: Instant,
    /// The scan that was sent last.
    pub scan: Option<Arc<LaserScan>>,
    pub seats: Seats,
    pub audit_recorder: AuditRecorder,
    pub policy_runner: PolicyRunner,
    pub timing: TickTiming,
    /// Figures of the last second, until they are sent.
    pub timing_report: Option<ControlTiming>,
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
            let late = self.wait(&mut due);
            let started = Instant::now();
            let now_us = (started - self.origin).as_micros() as u64;
            count += 1;
            let sensors = self.turn(now_us, &mut inbox, &mut tick);
            self.check_collision(&mut tick, now_us);
            self.record(now_us, &sensors, &tick);
            self.seats.answer(now_us, &mut tick, &mut self.audit_recorder);
            self.record_audit(now_us, &sensors, &tick);
            self.log_changes(&tick);
            self.show(now_us, count, &sensors, &tick);
            self.note_timing(late, started.elapsed());
            if self.config.rate.is_due(count, 1) {
                self.once_a_second(&sensors, &tick);
            }
        }
        self.shut_down();
    }

    /// Senses, takes in what arrived, decides and writes.
    fn turn(&mut self, now_us: u64, inbox: &mut Vec<FromSeat>, tick: &mut Tick) -> Sensors {
        control_tick(self.robot.as_mut(), &mut self.core, now_us, inbox, tick, |sensors, core, inbox| {
            sensors.state.faults.extend(self.faults.iter().map(FaultCode::to_string));
            self.seats.receive(now_us, core, inbox, &mut self.audit_recorder);
            while let Ok(update) = self.updates.try_recv() {
                let policy = match update {
                    Update::Policy(policy) => policy,
                    Update::Geofence(geofence) => {
                        core.set_geofence(geofence);
                        continue;
                    }
                };
                tracing::info!(version = %policy.manifest().version, "policy taken into use");
                match policy_runner::copy(&policy) {
                    Ok(copy) => self.policy_runner.take(copy),
                    Err(error) => tracing::error!(%error, "the policy cannot be used"),
                }
                core.take_policy(*policy);
            }
            if let Some(inference) = self.policy_runner.turn(sensors) {
                core.receive_inference(inference);
            }
        })
    }

    /// Sleeps until the next tick is due; returns how late it starts.
    fn wait(&self, due: &mut Instant) -> Duration {
        *due += Duration::from_micros(self.config.rate.period_us());
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

    fn note_timing(&mut self, late: Duration, work: Duration) {
        let (late_us, work_us) = (late.as_micros() as u64, work.as_micros() as u64);
        let faults = [
            self.timing.note(late_us, work_us).then_some(FaultCode::ControlDeadlineMissed),
            self.disk_fault,
            self.upload_fault,
            self.audit_recorder.is_failing().then_some(FaultCode::AuditLogFailing),
            self.journal.is_failing().then_some(FaultCode::JournalFailing),
        ];
        self.faults.clear();
        self.faults.extend(faults.into_iter().flatten());
    }

    fn record_audit(&mut self, now_us: u64, sensors: &Sensors, tick: &Tick) {
        let look = ManoeuvreObservation {
            now_us,
            speed_mps: self.embodiment.speed_mps(&sensors.state.observation).unwrap_or(0.0),
            odometer_m: sensors.state.odometer_m,
            lane_margin_m: self.robot.lane_margin_m(),
            operator_us: self.core.operator_input().map(|input| input.received_us),
            tick,
        };
        self.audit_recorder.tick(&look, tick);
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

    /// A robot that has struck something comes to a stop, and does so on the policy's account if the policy drove.
    fn check_collision(&mut self, tick: &mut Tick, now_us: u64) {
        if self.robot.take_collision() {
            if tick.command.author() == Author::Policy {
                self.count_crash(now_us);
            }
            self.core.note_collision(tick);
        }
    }

    fn count_crash(&mut self, now_us: u64) {
        let at_ms = (self.telemetry.wall_ns(now_us) / 1_000_000) as i64;
        let Ok(id) = EpisodeId::new(format!("{}-{at_ms}-crash", self.config.vehicle)) else { return };
        self.enter(Disengagement {
            id,
            vehicle: self.config.vehicle.clone(),
            policy: self.version(),
            cause: TakeoverCause::Safety.label().to_owned(),
            at_ms,
            map: self.map.clone(),
            clock_ahead_ms: None,
        });
    }

    fn version(&self) -> PolicyVersion {
        self.core.policy().manifest().version.clone()
    }

    fn enter(&mut self, disengagement: Disengagement) {
        let disengagement = Disengagement { clock_ahead_ms: self.shared.clock.log_ahead_ms(), ..disengagement };
        self.journal.add(disengagement.clone());
        let _ = self.disengagements.send(disengagement);
    }

    fn record(&mut self, now_us: u64, sensors: &Sensors, tick: &Tick) {
        let wall_ns = self.telemetry.wall_ns(now_us);
        let entries = {
            let policy = &self.core.policy().manifest().version;
            self.mileage.note(now_us, wall_ns, sensors, tick, policy)
        };
        let link = self.link_stats(now_us);
        let handle = self.recorder.handle();
        let mut push = |message| {
            handle.push(message);
        };
        self.telemetry.tick(now_us, sensors, tick, &mut push);
        let status = self.core.policy_status(now_us, self.policy_runner.inference_us, self.timing.missed());
        if self.telemetry.slow(now_us, &link, &status, &mut push) {
            if let Some(fix) = self.robot.fix() {
                push(self.telemetry.fix(now_us, fix));
            }
            self.telemetry.cameras(now_us, self.robot.cameras(), &mut push);
        }
        let ahead_ms = self.shared.clock.log_ahead_ms();
        self.triggers.tick(now_us, (sensors, tick), &link, &self.core, (&self.recorder, ahead_ms), &mut self.telemetry);
        for entry in entries {
            self.carry_out(now_us, wall_ns, entry);
        }
        self.journal.write(tick.authority.epoch, self.mileage.metres());
    }

    fn carry_out(&mut self, now_us: u64, wall_ns: u64, entry: TakeoverEntry) {
        let event = match entry {
            TakeoverEntry::Begin { mut info, event, disengagement } => {
                info.clock_ahead_ms = self.shared.clock.log_ahead_ms();
                tracing::info!(id = %info.id, cause = %info.cause, "takeover");
                self.recorder.handle().begin(wall_ns, *info, self.triggers.attachments());
                if let Some(disengagement) = disengagement {
                    self.enter(disengagement);
                }
                event
            }
            TakeoverEntry::End { id, event } => {
                self.recorder.handle().end(wall_ns, id);
                event
            }
        };
        self.recorder.handle().push(self.telemetry.takeover(now_us, &event));
        self.link.send_event(
            None,
            VehicleEvent { event: Some(vehicle_event::Event::Takeover(event)), ..Default::default() },
        );
    }

    fn show(&mut self, now_us: u64, count: u64, sensors: &Sensors, tick: &Tick) {
        let rate = self.config.rate;
        if !rate.is_due(count, STATES_HZ) {
            return;
        }
        if let Some(scan) =
            sensors.scan.as_ref().filter(|scan| !self.scan.as_ref().is_some_and(|old| Arc::ptr_eq(old, scan)))
        {
            self.link.send_scan(scan, now_us);
            self.scan = Some(Arc::clone(scan));
        }
        let (state_us, tells_figures) = (1_000_000 / STATES_HZ, rate.is_due(count, FIGURES_HZ));
        let fresh = sensors.surroundings.as_ref().filter(|s| s.monotonic_us + state_us > now_us);
        self.link.send_state(StateDatagram {
            vehicle_id: self.config.vehicle.to_string(),
            state: Some(sensors.state.clone()),
            authority: Some(tick.authority.clone()),
            command: Some(tick.command.clone()),
            proposal: tick.proposal.clone(),
            surroundings: fresh.map(|s| s.as_ref().clone()),
            link: tells_figures.then(|| self.link_stats(now_us)),
            policy: tells_figures
                .then(|| self.core.policy_status(now_us, self.policy_runner.inference_us, self.timing.missed())),
            pong: None,
            timing: self.timing_report.take(),
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
        self.disk_fault = self.triggers.look_after_disk(now_us, &self.recorder, &mut self.telemetry);
        self.upload_fault = self.shared.uploads.as_ref().and_then(|board| board.fault());
        let refused = self.tell_refusals(now_us);
        let timing = self.timing.report(now_us);
        self.tell_timing(&timing);
        let stats = self.link.stats();
        let status = VehicleStatus {
            vehicle: self.config.vehicle.clone(),
            mode: tick.authority.mode().label().to_owned(),
            author: tick.authority.author().label().to_owned(),
            speed_mps: self.embodiment.speed_mps(&sensors.state.observation).unwrap_or(0.0),
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
                control_plane: self.shared.clock.control_plane(),
                seat: self.link.seat_wall_clock(),
            }),
            // The synchronization knows.
            geofence_serial: None,
        };
        self.timing_report = Some(timing);
        self.wall_clock = Some(self.shared.clock.message());
        let mut figures = self.shared.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.metres.clone_from(self.mileage.metres());
        figures.status = Some(status);
    }

    fn tell_refusals(&mut self, now_us: u64) -> BTreeMap<String, u64> {
        let counts = self.seats.refusals(&self.core);
        let refusals = self.core.refusals();
        if refusals > self.refused {
            tracing::warn!(commands = refusals - self.refused, ?counts, "commands of seats refused in the last second");
            self.refused = refusals;
        }
        self.audit_recorder.refusals(now_us, &counts);
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
            audit_failing: self.audit_recorder.is_failing(),
        });
        counts
    }

    fn tell_timing(&mut self, timing: &ControlTiming) {
        let (late_us, work_us, missed) = (timing.lateness_max_us, timing.work_max_us, timing.missed_deadlines);
        let (median_us, skipped) = (timing.lateness_p50_us, self.policy_runner.skipped);
        if missed > self.missed_before {
            tracing::warn!(median_us, late_us, work_us, missed, skipped, "control deadlines missed");
        } else {
            tracing::debug!(median_us, late_us, work_us, missed, skipped, "control loop");
        }
        self.missed_before = missed;
    }

    fn shut_down(self) {
        drop(self.journal);
        self.shared.figures.lock().unwrap_or_else(PoisonError::into_inner).metres.clone_from(self.mileage.metres());
        let ahead_ms = self.shared.clock.log_ahead_ms();
        for event in self.recorder.shutdown() {
            triggers::tell(event, ahead_ms, &self.episodes);
        }
    }
}
