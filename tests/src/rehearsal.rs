//! Faults in real processes: control plane, bridge and the scripted operator's seat, each on its own, with a UDP relay
//! between seat and vehicle. How the car stopped is read from the vehicle's own audit log.
//!
//! A trial is void, and done again, when it says nothing about the vehicle: its control loop missed deadlines, as the
//! machine was busy, or nobody drove it any more when the fault came. Whatever breaks a promise without such an excuse
//! is a result and never done again.

use crate::{Process, SeatProxy, Site, wait_for};
use anyhow::{Context, bail, ensure};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vehicle_bridge::audit::AuditEvent;
use vehicle_bridge::audit::chain::Record;
use vehicle_core::manoeuvre::ManoeuvreRecord;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failing {
    /// No packet reaches the vehicle.
    LinkCutToVehicle,
    /// No packet reaches the seat.
    LinkCutToSeat,
    /// Both.
    LinkCutBothWays,
    /// SIGKILL.
    SeatKilled,
    /// SIGSTOP, and SIGCONT once the car stands.
    SeatStopped,
    /// The policy drives, and its thread answers no more.
    PolicyHung,
    /// SIGKILL: the car drives on; then the operator lets go.
    ControlPlaneKilled,
    /// SIGSTOP: the same.
    ControlPlaneStopped,
    /// The operator lets go.
    DeadmanReleased,
    /// The picture stands still at the seat, whose commands go on.
    PictureFrozen,
}

impl Failing {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::LinkCutBothWays,
        Self::SeatStopped,
        Self::PolicyHung,
        Self::DeadmanReleased,
        Self::PictureFrozen,
        Self::ControlPlaneKilled,
        Self::LinkCutToVehicle,
        Self::SeatKilled,
        Self::LinkCutToSeat,
        Self::ControlPlaneStopped,
    ];

    fn spares_the_drive(self) -> bool {
        matches!(self, Self::ControlPlaneKilled | Self::ControlPlaneStopped)
    }
}

/// How one went.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// What failed.
    pub failing: Failing,
    /// How the car stopped, by its own log.
    pub stop: ManoeuvreRecord,
    /// Deadlines that the control loop missed meanwhile.
    pub missed_deadlines: u64,
}

/// Outcome of a fault.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The first trial that says something; `None` when all were void.
    pub trial: Option<Trial>,
    /// Why trials before it were void.
    pub void: Vec<String>,
}

enum Attempt {
    Done(Trial),
    Void(String),
    /// The car stopped when it should have driven on.
    Stopped(ManoeuvreRecord),
}

/// The manoeuvre begins at most this long after the last valid command, microseconds.
const LATEST_US: u64 = 200_000;
/// Engine and brakes let go within this, m/s; as in the trials in virtual time.
const MOST_RISE_MPS: f64 = 0.25;
/// Faster than this the car drives, m/s.
const DRIVES_MPS: f64 = 3.0;
/// So long the car drives on without its control plane.
const DRIVES_ON: Duration = Duration::from_secs(4);
/// A car that has begun to stop stands within this.
const STOPS: Duration = Duration::from_secs(30);
/// Trials of one fault until one is not void.
const ATTEMPTS: usize = 8;
/// A seat that the machine holds up for 200 ms stops the car too, but not as often as this.
const STOPS_BY_CHANCE: usize = 3;
/// A policy that has learnt nothing keeps its lane for this long, microseconds.
const MOST_OF_POLICY_US: u64 = 500_000;
/// After a trial that was void for the machine's sake it is left alone so long, times the trials before.
const REST: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(180);
/// The vehicle tells its figures once a second; those of a trial are known so long after it.
const TOLD_MS: u64 = 1_200;

impl Trial {
    /// From the last valid command to the first tick of the manoeuvre, microseconds.
    #[must_use]
    pub fn delay_us(&self) -> u64 {
        self.stop.began_us.saturating_sub(self.stop.valid_us)
    }

    /// Whether everything held that the manoeuvre promises.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.delay_us() <= LATEST_US
            && self.stop.distance_m <= self.stop.allowed_m
            && self.stop.rise_mps <= MOST_RISE_MPS
            && self.stop.lane_margin_m.is_some_and(|m| m >= 0.0)
    }
}

/// The processes.
pub struct Rehearsal {
    site: Site,
    plane: Option<Process>,
    bridge: Process,
    operator: Option<Process>,
    proxy: SeatProxy,
    /// What the operator was last told to do with the deadman.
    holds_deadman: bool,
}

impl Rehearsal {
    /// Starts them; data and logs go to `folder`.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let site = Site::new(folder)?;
        let plane = site.control_plane(&[])?;
        let bridge = site.bridge_with(&["--rehearse"])?;
        let proxy = SeatProxy::start(&site.address)?;
        let operator = site.rehearsing_operator(&proxy.address)?;
        Ok(Self { site, plane: Some(plane), bridge, operator: Some(operator), proxy, holds_deadman: true })
    }

    /// What the processes wrote.
    #[must_use]
    pub fn logs(&self) -> String {
        self.site.logs()
    }

    /// Waits until the car drives, lets something fail, waits until the car stands, and repairs what failed; until a
    /// trial says something, or none did for long enough.
    ///
    /// # Errors
    /// When the car never drives or does not stop.
    pub fn run(&mut self, failing: Failing) -> anyhow::Result<Outcome> {
        let mut void = Vec::new();
        let mut stops = 0;
        while void.len() < ATTEMPTS {
            std::thread::sleep(REST * u32::try_from(void.len()).unwrap_or(0));
            match self.attempt(failing)? {
                Attempt::Done(trial) if trial.passes() || trial.missed_deadlines == 0 => {
                    return Ok(Outcome { trial: Some(trial), void });
                }
                Attempt::Done(trial) => void.push(format!("the control loop missed deadlines: {trial:?}")),
                Attempt::Void(why) => void.push(why),
                Attempt::Stopped(stop) => {
                    stops += 1;
                    ensure!(stops < STOPS_BY_CHANCE, "{failing:?}: the car stopped each time, at last by {stop:?}");
                    void.push(format!("the car did not drive on: {stop:?}"));
                }
            }
        }
        Ok(Outcome { trial: None, void })
    }

    fn attempt(&mut self, failing: Failing) -> anyhow::Result<Attempt> {
        self.wait_until_driving(failing)?;
        let missed = self.missed_deadlines();
        let stopped = self.stop_by(failing);
        // Whatever came of it: the next trial begins with everything in its place.
        self.repair(failing)?;
        let missed_deadlines = self.missed_deadlines_after(wall_ms())?.saturating_sub(missed);
        Ok(match stopped? {
            Attempt::Done(trial) => Attempt::Done(Trial { missed_deadlines, ..trial }),
            other => other,
        })
    }

    /// Lets something fail and returns how the car stopped, or why that says nothing.
    fn stop_by(&mut self, failing: Failing) -> anyhow::Result<Attempt> {
        let known = self.manoeuvres().len();
        let since = self.site.audit().last().map_or(0, |record| record.seq);
        match failing {
            Failing::PolicyHung => self.hang_policy(known)?,
            _ => self.fail(failing)?,
        }
        if failing.spares_the_drive() {
            match self.drive_on(known) {
                None => self.hold_deadman(false)?,
                Some(stop) if stop.author == "policy" => {
                    return Ok(Attempt::Void(format!("the policy drove: {stop:?}")));
                }
                Some(stop) => return Ok(Attempt::Stopped(stop)),
            }
        }
        let counts = |stop: &ManoeuvreRecord| failing != Failing::PolicyHung || stop.author == "policy";
        let stop = wait_for("the car's stop", STOPS, || self.manoeuvres().into_iter().skip(known).find(counts));
        match stop {
            Ok(stop) => {
                let trial = Trial { failing, stop, missed_deadlines: 0 };
                Ok(self.excuse(&trial).map_or(Attempt::Done(trial), Attempt::Void))
            }
            // The operator was out of it in that very moment.
            Err(_) if self.newest(since).iter().any(is_policy) => Ok(Attempt::Void("the policy drove".to_owned())),
            Err(error) => Err(error.context(format!("{failing:?}, records since: {:#?}", self.newest(since)))),
        }
    }

    /// Why a stop says nothing of the fault. A policy that has learnt nothing does not keep its lane for long; nothing else
    /// is excused.
    fn excuse(&self, trial: &Trial) -> Option<String> {
        let anywhere = ManoeuvreRecord { lane_margin_m: Some(0.0), ..trial.stop.clone() };
        if !(Trial { stop: anywhere, ..trial.clone() }).passes() {
            return None;
        }
        let stop = &trial.stop;
        if trial.failing != Failing::PolicyHung {
            return (stop.author == "policy").then(|| format!("the policy drove: {stop:?}"));
        }
        let began = self.site.audit().into_iter().rev().find(|r| r.us <= stop.valid_us && is_policy(&r.event))?;
        let drove_us = stop.valid_us.saturating_sub(began.us);
        let strayed = !trial.passes() && drove_us > MOST_OF_POLICY_US;
        strayed.then(|| format!("the policy drove for {drove_us} us before it was hung"))
    }

    fn operator(&self) -> anyhow::Result<&Process> {
        self.operator.as_ref().context("no operator")
    }

    fn hold_deadman(&mut self, hold: bool) -> anyhow::Result<()> {
        if std::mem::replace(&mut self.holds_deadman, hold) != hold {
            self.operator()?.signal("USR1")?;
        }
        Ok(())
    }

    fn plane(&self) -> anyhow::Result<&Process> {
        self.plane.as_ref().context("no control plane")
    }

    fn manoeuvres(&self) -> Vec<ManoeuvreRecord> {
        let stop = |record: Record| match record.event {
            AuditEvent::Manoeuvre(stop) => Some(stop),
            _ => None,
        };
        self.site.audit().into_iter().filter_map(stop).collect()
    }

    fn newest(&self, since: u64) -> Vec<AuditEvent> {
        self.site.audit().into_iter().filter(|r| r.seq > since).map(|r| r.event).collect()
    }

    /// Who moves the car, and since when, milliseconds since 1970.
    fn authority(&self) -> Option<(String, u64)> {
        self.site.audit().into_iter().rev().find_map(|record| match record.event {
            AuditEvent::Authority { author, .. } => Some((author, record.wall_ms)),
            _ => None,
        })
    }

    fn author(&self) -> Option<String> {
        self.authority().map(|(author, _)| author)
    }

    fn missed_deadlines(&self) -> u64 {
        self.site.car().and_then(|car| car["timing"]["missed_deadlines"].as_u64()).unwrap_or(0)
    }

    /// The same, as the vehicle tells it after `wall_ms`.
    fn missed_deadlines_after(&self, after_ms: u64) -> anyhow::Result<u64> {
        let told = || {
            let car = self.site.car()?;
            let told_ms = wall_ms().checked_sub(car["status_age_ms"].as_u64()?)?;
            car["timing"]["missed_deadlines"].as_u64().filter(|_| told_ms > after_ms + TOLD_MS)
        };
        wait_for("the vehicle's figures", TIMEOUT, told).with_context(|| self.logs())
    }

    fn wait_until_driving(&self, failing: Failing) -> anyhow::Result<()> {
        if failing == Failing::PolicyHung {
            return Ok(());
        }
        let is_fast = |car: &serde_json::Value| car["speed_mps"].as_f64().is_some_and(|v| v > DRIVES_MPS);
        let drives = || {
            let car = self.site.car().filter(|car| car["author"] == "operator" && is_fast(car))?;
            // The car tells its speed once a second: that it drove before it last stopped is no news.
            let told_ms = wall_ms().checked_sub(car["status_age_ms"].as_u64()?)?;
            self.authority().filter(|(author, since_ms)| author == "operator" && told_ms > since_ms + 1_500)
        };
        wait_for("a car that drives", TIMEOUT, drives).map(drop).with_context(|| self.logs())
    }

    /// Hangs the policy's thread as soon as the operator has handed back. An untrained policy would not keep the wheel for
    /// long, so the operator is stopped first.
    fn hang_policy(&self, known: usize) -> anyhow::Result<()> {
        let until = Instant::now() + TIMEOUT;
        while Instant::now() < until {
            let drives = || (self.author().as_deref() == Some("policy")).then_some(());
            quickly("the policy at the wheel", drives).with_context(|| self.logs())?;
            self.operator()?.signal("STOP")?;
            self.bridge.signal("USR1")?;
            let ends = || match self.author().as_deref() {
                _ if self.manoeuvres().iter().skip(known).any(|stop| stop.author == "policy") => Some(true),
                // It was quicker; its silence stops the car, which is another trial.
                Some("operator") => Some(false),
                _ => None,
            };
            if quickly("an end of the policy's drive", ends)? {
                return Ok(());
            }
            self.bridge.signal("USR2")?;
            self.operator()?.signal("CONT")?;
        }
        bail!("the operator took the wheel every time before the policy's silence was noticed")
    }

    fn fail(&mut self, failing: Failing) -> anyhow::Result<()> {
        match failing {
            Failing::LinkCutToVehicle => self.proxy.cut(true, false),
            Failing::LinkCutToSeat => self.proxy.cut(false, true),
            Failing::LinkCutBothWays => self.proxy.cut(true, true),
            Failing::SeatKilled => self.operator.take().context("no operator")?.kill()?,
            Failing::SeatStopped => self.operator()?.signal("STOP")?,
            Failing::PolicyHung => {}
            Failing::ControlPlaneKilled => self.plane.take().context("no control plane")?.kill()?,
            Failing::ControlPlaneStopped => self.plane()?.signal("STOP")?,
            Failing::DeadmanReleased => self.hold_deadman(false)?,
            Failing::PictureFrozen => self.operator()?.signal("USR2")?,
        }
        Ok(())
    }

    /// A control plane that is gone stops no car: returns the stop, if there is one.
    fn drive_on(&self, known: usize) -> Option<ManoeuvreRecord> {
        wait_for("a stop", DRIVES_ON, || self.manoeuvres().into_iter().nth(known)).ok()
    }

    fn repair(&mut self, failing: Failing) -> anyhow::Result<()> {
        match failing {
            Failing::LinkCutToVehicle | Failing::LinkCutToSeat | Failing::LinkCutBothWays => {
                self.proxy.cut(false, false);
            }
            Failing::SeatKilled => self.operator = Some(self.site.rehearsing_operator(&self.proxy.address)?),
            Failing::SeatStopped => self.operator()?.signal("CONT")?,
            Failing::PolicyHung => {
                self.bridge.signal("USR2")?;
                self.operator()?.signal("CONT")?;
            }
            Failing::ControlPlaneKilled => self.plane = Some(self.site.control_plane(&[])?),
            Failing::ControlPlaneStopped => self.plane()?.signal("CONT")?,
            Failing::DeadmanReleased => {}
            Failing::PictureFrozen => self.operator()?.signal("USR2")?,
        }
        self.hold_deadman(true)
    }
}

fn is_policy(event: &AuditEvent) -> bool {
    matches!(event, AuditEvent::Authority { author, .. } if author == "policy")
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// As [`wait_for`], with shorter naps.
fn quickly<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let until = Instant::now() + TIMEOUT;
    while Instant::now() < until {
        if let Some(found) = look() {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bail!("{what}: not within {TIMEOUT:?}")
}
