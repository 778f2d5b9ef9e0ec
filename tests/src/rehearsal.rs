//! Faults in real processes: control plane, bridge and the scripted operator's seat, each on its own, with a UDP relay
//! between seat and vehicle. How the car stopped is read from the vehicle's own audit log.

use crate::{Process, SeatProxy, Site, wait_for};
use anyhow::{Context, bail};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vehicle_bridge::audit::chain::Record;
use vehicle_bridge::audit::{AuditEvent, ManoeuvreRecord};

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
    /// Deadlines that the control loop missed meanwhile: the machine was not there for it, and the trial says nothing.
    pub missed_deadlines: u64,
}

/// The manoeuvre begins at most this long after the last valid command, microseconds.
const LATEST_US: u64 = 200_000;
/// Engine and brakes let go within this, m/s; as in the trials in virtual time.
const MOST_RISE_MPS: f64 = 0.25;
/// Faster than this the car drives, m/s.
const DRIVES_MPS: f64 = 3.0;
/// A car that has begun to stop stands within this.
const STOPS: Duration = Duration::from_secs(30);
const ATTEMPTS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);

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
        Ok(Self { site, plane: Some(plane), bridge, operator: Some(operator), proxy })
    }

    /// What the processes wrote.
    #[must_use]
    pub fn logs(&self) -> String {
        self.site.logs()
    }

    /// Waits until the car drives, lets something fail, waits until the car stands, and repairs what failed. An operator
    /// who hands back in that very moment is no part of the fault: then it is done again.
    ///
    /// # Errors
    /// When the car never drives or never stops.
    pub fn run(&mut self, failing: Failing) -> anyhow::Result<Trial> {
        let mut attempt = self.attempt(failing);
        for _ in 1..ATTEMPTS {
            if attempt.is_ok() {
                break;
            }
            attempt = self.attempt(failing);
        }
        attempt
    }

    fn attempt(&mut self, failing: Failing) -> anyhow::Result<Trial> {
        self.wait_until_driving(failing)?;
        let missed = self.missed_deadlines();
        let known = self.manoeuvres().len();
        let since = self.site.audit().last().map_or(0, |record| record.seq);
        match failing {
            Failing::PolicyHung => self.hang_policy(known)?,
            _ => self.fail(failing)?,
        }
        if failing.spares_the_drive() {
            self.drive_on(known)?;
            self.operator()?.signal("USR1")?;
        }
        let counts = |stop: &ManoeuvreRecord| failing != Failing::PolicyHung || stop.author == "policy";
        let stop = wait_for("the car's stop", STOPS, || self.manoeuvres().into_iter().skip(known).find(counts));
        let stop = stop.with_context(|| format!("{failing:?}, records after {since}: {:#?}", self.newest(since)));
        self.repair(failing)?;
        let missed_deadlines = self.missed_deadlines().saturating_sub(missed);
        Ok(Trial { failing, stop: stop?, missed_deadlines })
    }

    fn operator(&self) -> anyhow::Result<&Process> {
        self.operator.as_ref().context("no operator")
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
        wait_for("a car that drives", PATIENCE, drives).map(drop).with_context(|| self.logs())
    }

    /// Hangs the policy's thread as soon as the operator has handed back. An untrained policy would not keep the wheel for
    /// long, so the operator is stopped first.
    fn hang_policy(&self, known: usize) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
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
            self.bridge.signal("USR1")?;
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
            Failing::DeadmanReleased => self.operator()?.signal("USR1")?,
            Failing::PictureFrozen => self.operator()?.signal("USR2")?,
        }
        Ok(())
    }

    /// A control plane that is gone stops no car.
    fn drive_on(&self, known: usize) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(4);
        while Instant::now() < until {
            if let Some(stop) = self.manoeuvres().get(known) {
                bail!("the car stopped without its control plane: {stop:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn repair(&mut self, failing: Failing) -> anyhow::Result<()> {
        match failing {
            Failing::LinkCutToVehicle | Failing::LinkCutToSeat | Failing::LinkCutBothWays => {
                self.proxy.cut(false, false);
            }
            Failing::SeatKilled => self.operator = Some(self.site.rehearsing_operator(&self.proxy.address)?),
            Failing::SeatStopped => self.operator()?.signal("CONT")?,
            Failing::PolicyHung => {
                self.bridge.signal("USR1")?;
                self.operator()?.signal("CONT")?;
            }
            Failing::ControlPlaneKilled => {
                self.operator()?.signal("USR1")?;
                self.plane = Some(self.site.control_plane(&[])?);
            }
            Failing::ControlPlaneStopped => {
                self.plane()?.signal("CONT")?;
                self.operator()?.signal("USR1")?;
            }
            Failing::DeadmanReleased => self.operator()?.signal("USR1")?,
            Failing::PictureFrozen => self.operator()?.signal("USR2")?,
        }
        Ok(())
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// As [`wait_for`], with shorter naps.
fn quickly<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = look() {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bail!("{what}: not within {PATIENCE:?}")
}
