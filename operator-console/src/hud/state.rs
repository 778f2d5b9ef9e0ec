//! Everything that is written on the screen, made from the seat's view alone.

use super::{Banner, PathOverlay};
use crate::seat::{Connection, EstopPhase, Level, SeatView};
use crate::tokens;
use bevy_egui::egui::Color32;
use protocol::units::SpeedUnit;
use protocol::{Channel, Embodiment};
use std::time::Duration;

/// How a figure is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// In order, or only for information.
    Normal,
    /// Attention.
    Attention,
    /// Alarm.
    Alarm,
}

impl Tone {
    /// Its colour.
    #[must_use]
    pub fn colour(self) -> Color32 {
        match self {
            Self::Normal => tokens::TEXT,
            Self::Attention => tokens::YELLOW,
            Self::Alarm => tokens::VERMILLION,
        }
    }

    /// Its sign, for those who do not see its colour.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::Attention => "! ",
            Self::Alarm => "!! ",
        }
    }
}

/// A labelled figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub label: &'static str,
    /// The figure with its unit; a dash when unknown.
    pub value: String,
    /// How it is to be taken.
    pub tone: Tone,
}

/// A point of the checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLine {
    /// The point, and what is missing.
    pub text: String,
    /// Whether it passed.
    pub passed: bool,
}

/// All that is written.
#[derive(Debug, Clone, PartialEq)]
pub struct HudState {
    /// Who drives.
    pub banner: Banner,
    /// Seat, vehicle and connection, at the banner's right.
    pub identity: String,
    /// Speed, large; a dash when unknown.
    pub speed: String,
    /// The unit of speed and limit.
    pub speed_unit: &'static str,
    /// Speed limit.
    pub limit: Option<String>,
    /// Whether the speed is above the limit.
    pub too_fast: bool,
    /// Ages, link and policy.
    pub lines: Vec<Line>,
    /// Over the picture when it is not live.
    pub stale: Option<String>,
    /// In the middle when there is no picture at all.
    pub no_picture: Option<String>,
    /// The vehicle's question.
    pub help: Option<String>,
    /// Which way?
    pub overlay: Option<PathOverlay>,
    /// The emergency stop in words; `None` when clear.
    pub estop: Option<String>,
    /// Share of the reset hold that is done.
    pub reset_progress: f32,
    /// What must hold before taking over; empty while this seat drives.
    pub checklist: Vec<CheckLine>,
    /// Messages with their colour.
    pub notices: Vec<(String, Tone)>,
    /// The device in use.
    pub device: String,
    /// Accelerator, brake, steering as commanded, for the bars.
    pub controls: [f32; 3],
    /// What the third of them turns, by the robot's own name of it.
    pub turning: String,
    /// What is asked of the robot's action channels, a line each, with their names and units; empty while this seat does
    /// not drive.
    pub asked: String,
    /// The seat's thread does not run.
    pub seat_stopped: Option<String>,
    /// What the keys do.
    pub keys: &'static str,
}

const KEYS: &str = "Shift deadman   W A S D drive   T take over   Y take over (safety)   H hand back   G engage   \
                    B bookmark   Q assist   SPACE stop at once   R (3 s) release";

/// A view that is older than this says that the seat's thread is stuck.
const VIEW_STALE: Duration = Duration::from_millis(500);

fn line(label: &'static str, value: Option<String>, tone: Tone) -> Line {
    let tone = if value.is_some() { tone } else { Tone::Normal };
    Line { label, value: value.unwrap_or_else(|| "-".into()), tone }
}

fn above(value: f64, attention: f64, alarm: f64) -> Tone {
    if value > alarm {
        Tone::Alarm
    } else if value > attention {
        Tone::Attention
    } else {
        Tone::Normal
    }
}

impl HudState {
    /// What to write for `view`, which was published `age` ago.
    #[must_use]
    pub fn from_view(view: &SeatView, age: Duration) -> Self {
        let limit_mps = speed_limit_mps(view);
        let connected = view.connection == Connection::Connected;
        let robot = view.robot.as_deref();
        let unit = robot.map_or(SpeedUnit::KilometresPerHour, Embodiment::speed_unit);
        Self {
            banner: Banner::of(view),
            identity: identity(view),
            speed: view.speed_mps.map_or("-".into(), |v| unit.print(v)),
            speed_unit: unit.label(),
            limit: limit_mps.map(|l| unit.print(l)),
            too_fast: matches!((view.speed_mps, limit_mps), (Some(v), Some(l)) if v > l + 0.5),
            lines: lines(view),
            stale: stale(view, age),
            no_picture: (!view.has_picture)
                .then(|| if connected { "no picture yet".into() } else { "waiting for a vehicle".to_owned() }),
            help: view.help.as_ref().map(|h| format!("The vehicle asks ({}): {}", urgency(h.urgency), h.text)),
            overlay: view.question.as_deref().map(PathOverlay::of),
            estop: estop(view),
            reset_progress: view.reset_progress as f32,
            checklist: checklist(view),
            notices: view.notices.iter().map(|n| (n.text.clone(), tone_of(n.level))).collect(),
            device: device(view),
            controls: [view.drive.accelerate as f32, view.drive.brake as f32, view.drive.steer as f32],
            turning: turning(robot),
            asked: robot.map_or_else(String::new, |robot| asked(robot, &view.asked)),
            seat_stopped: (age > VIEW_STALE)
                .then(|| format!("THE SEAT'S THREAD IS STUCK ({} ms): nothing here is current", age.as_millis())),
            keys: KEYS,
        }
    }
}

fn identity(view: &SeatView) -> String {
    let vehicle = if view.vehicle_id.is_empty() { "no vehicle" } else { &view.vehicle_id };
    let watching = if view.watch_only { ", watching" } else { "" };
    let connection = match &view.connection {
        Connection::Connected => "connected",
        Connection::Connecting => "connecting",
        Connection::Searching(_) => "searching",
        Connection::Lost(_) => "link lost",
    };
    format!("{vehicle} | seat {}{watching} | {connection}", view.seat_id)
}

fn turning(robot: Option<&Embodiment>) -> String {
    let channel = robot.and_then(|robot| robot.action.get(robot.channels().steer?));
    channel.map_or("steering".to_owned(), Channel::label)
}

fn asked(robot: &Embodiment, action: &[f64]) -> String {
    let amount = |(channel, value): (&Channel, &f64)| {
        format!("{} {value:.2} {}", channel.label(), channel.printed_unit()).trim_end().to_owned()
    };
    robot.action.iter().zip(action).map(amount).collect::<Vec<_>>().join("\n")
}

fn speed_limit_mps(view: &SeatView) -> Option<f64> {
    let here = view.vehicle.surroundings.as_ref()?.corridor.first()?;
    Some(f64::from(here.speed_limit_mps)).filter(|l| l.is_finite() && *l > 0.0)
}

fn urgency(urgency: u32) -> &'static str {
    match urgency {
        0 => "whenever convenient",
        1 => "soon",
        2 => "now",
        _ => "at once",
    }
}

fn tone_of(level: Level) -> Tone {
    match level {
        Level::Info => Tone::Normal,
        Level::Warning => Tone::Attention,
        Level::Alarm => Tone::Alarm,
    }
}

fn stale(view: &SeatView, age: Duration) -> Option<String> {
    // A stuck seat thread cannot tell how old the picture is by now: add what has passed since it last could.
    let since = age.as_millis() as u64;
    match view.stale_us {
        Some(us) => Some(format!("STALE {} ms", us / 1000 + since)),
        None if view.has_picture && age > VIEW_STALE => Some(format!("STALE {since} ms")),
        None if view.has_picture && view.connection != Connection::Connected => Some("STALE: no link".into()),
        None => None,
    }
}

fn estop(view: &SeatView) -> Option<String> {
    match view.estop {
        EstopPhase::Clear => None,
        EstopPhase::Sent { sends: 0, .. } => {
            Some("Emergency stop PRESSED, there is no link to send it on: it goes out first thing".into())
        }
        EstopPhase::Sent { sends, .. } => {
            Some(format!("Emergency stop SENT {sends} times, not yet acknowledged by the vehicle"))
        }
        EstopPhase::Latched if view.reset_progress > 0.0 => Some("Keep holding to release the emergency stop".into()),
        EstopPhase::Latched => Some("Emergency stop ACKNOWLEDGED by the vehicle and latched".into()),
    }
}

fn checklist(view: &SeatView) -> Vec<CheckLine> {
    if view.holder == crate::seat::Holder::Me || view.connection != Connection::Connected {
        return Vec::new();
    }
    view.checklist
        .iter()
        .map(|c| {
            let detail = if c.detail.is_empty() { String::new() } else { format!(": {}", c.detail) };
            CheckLine { text: format!("{}{detail}", c.name), passed: c.passed }
        })
        .collect()
}

fn device(view: &SeatView) -> String {
    let pad = view.gamepad.as_deref().unwrap_or("no gamepad");
    let deadman = if view.deadman { "deadman held" } else { "deadman released" };
    match view.device {
        crate::input::Device::Keyboard => format!("keyboard ({pad}), {deadman}"),
        crate::input::Device::Gamepad => format!("{pad}, {deadman}"),
    }
}

fn lines(view: &SeatView) -> Vec<Line> {
    let ms = |value: f64| format!("{value:.0} ms");
    let vehicle = &view.vehicle;
    let link = vehicle.link.as_ref();
    let age_ms = |us: Option<u64>| us.map(|us| us as f64 / 1e3);
    let picture = age_ms(view.picture_age_us);
    let state = age_ms(view.state_age_us);
    let command = link.map(|l| l.command_age_ms).filter(|ms| *ms > 0.0);
    let policy = vehicle.policy.as_ref();
    let version = policy.map(|p| p.policy_version.clone()).filter(|v| !v.is_empty());
    let healthy = policy.is_none_or(|p| p.healthy);
    let confidence = vehicle.proposal.as_ref().map(|p| p.confidence).filter(|c| c.is_finite());
    let mut lines = vec![
        line("picture age", picture.map(ms), above(picture.unwrap_or(0.0), 200.0, 300.0)),
        line(
            "capture to screen",
            view.picture_latency_ms.map(|(mean, p95)| format!("{mean:.0} ms, p95 {p95:.0}")),
            above(view.picture_latency_ms.map_or(0.0, |(_, p95)| p95), 150.0, 300.0),
        ),
        line("command age", command.map(ms), above(command.unwrap_or(0.0), 100.0, 200.0)),
        line("state age", state.map(ms), above(state.unwrap_or(0.0), 150.0, 300.0)),
        line("round trip", view.clock.map(|c| ms(c.round_trip_us / 1e3)), Tone::Normal),
        line("clocks within", view.clock.map(|c| format!("{:.1} ms", c.uncertainty_us / 1e3)), Tone::Normal),
        line("bitrate", link.map(|l| format!("{:.1} Mbit/s", l.bitrate_bps / 1e6)), Tone::Normal),
        line("loss", link.map(|l| format!("{:.1} %", l.loss * 100.0)), above(link.map_or(0.0, |l| l.loss), 0.02, 0.1)),
        line("policy", version, if healthy { Tone::Normal } else { Tone::Alarm }),
        line(
            "confidence",
            confidence.map(|c| format!("{:.0} %", c * 100.0)),
            above(1.0 - confidence.unwrap_or(1.0), 0.5, 0.8),
        ),
    ];
    lines.extend(view.wall_clock.iter().map(|words| line("clocks", Some(words.clone()), Tone::Attention)));
    let faults = vehicle.state.as_ref().map_or(&[][..], |s| &s.faults[..]);
    if !faults.is_empty() {
        lines.push(line("faults", Some(faults.join(", ")), Tone::Alarm));
    }
    lines
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
