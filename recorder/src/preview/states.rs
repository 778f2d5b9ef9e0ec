//! The preview's states and events.

use super::film::Film;
use crate::{EpisodeMessage, EpisodeReader, RecorderError};
use protocol::{Embodiment, foxglove, topics, v1};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most states and events; longer episodes have them further apart, or not all.
const MAX_STATES: u64 = 3_600;
const MAX_EVENTS: usize = 500;
const SECOND_NS: u64 = 1_000_000_000;
/// Longest text of an event.
const MAX_TEXT: usize = 500;

/// The vehicle at one time; what is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct State {
    /// Seconds after the episode's start.
    t_s: f64,
    speed_mps: Option<f64>,
    steering_rad: Option<f64>,
    yaw_rate_radps: Option<f64>,
    mode: Option<String>,
    author: Option<String>,
    /// In the map's plane.
    x_m: Option<f64>,
    y_m: Option<f64>,
    heading_rad: Option<f64>,
    /// By satellites.
    latitude_deg: Option<f64>,
    longitude_deg: Option<f64>,
    round_trip_ms: Option<f64>,
    picture_age_ms: Option<f64>,
    command_age_ms: Option<f64>,
}

/// Everything that the JSON file says.
pub(super) fn read(source: &EpisodeReader, film: Result<&Film, &str>) -> Value {
    let info = source.info();
    let after = |ns: u64| seconds(info.start_ns, ns);
    let mut reading = Reading::new(source);
    let damage = reading.all(source).err().map(|error| error.to_string());
    let triggers: Vec<Value> = info
        .triggers
        .iter()
        .take(MAX_EVENTS)
        .map(|fired| json!({"t_s": after(fired.at_ns), "kind": "trigger", "what": fired.trigger, "name": cut(&fired.name), "detail": cut(&fired.detail)}))
        .collect();
    let events = [triggers, reading.events].concat();
    json!({
        "episode": info.id, "vehicle": info.vehicle, "policy": info.policy, "trigger": info.trigger,
        "cause": cut(&info.cause), "reason": cut(&info.reason), "map": cut(&info.map), "source": info.source,
        "start_ns": info.start_ns, "duration_s": info.duration_s(),
        "takeover_s": after(info.takeover_ns), "takeover_end_s": info.takeover_end_ns.map(after),
        "video": film.ok().map(|film| json!({
            "starts_s": after(film.start_ns), "pictures": film.pictures, "fps": film.fps,
        })),
        "no_video": film.err(),
        "step_s": reading.step_ns as f64 * 1e-9,
        "states": reading.states,
        "events": events,
        "unreadable_messages": reading.unreadable,
        "damage": damage,
    })
}

fn seconds(start_ns: u64, ns: u64) -> f64 {
    // Microseconds are enough, and digits cost room.
    ((ns as f64 - start_ns as f64) / 1e3).round() / 1e6
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default()
}

/// `MODE_REMOTE` as `remote`.
fn short(name: &str) -> String {
    name.split_once('_').map_or(name, |(_, rest)| rest).to_ascii_lowercase()
}

struct Reading {
    start_ns: u64,
    step_ns: u64,
    next_ns: u64,
    embodiment: Option<Embodiment>,
    now: State,
    states: Vec<State>,
    events: Vec<Value>,
    unreadable: u64,
}

impl Reading {
    fn new(source: &EpisodeReader) -> Self {
        let info = source.info();
        let length_ns = info.end_ns.saturating_sub(info.start_ns);
        Self {
            start_ns: info.start_ns,
            step_ns: SECOND_NS.max(length_ns / MAX_STATES),
            next_ns: 0,
            embodiment: source.embodiment().ok().flatten(),
            now: State::default(),
            states: Vec::new(),
            events: Vec::new(),
            unreadable: 0,
        }
    }

    /// Ends at damage, with what was read before.
    fn all(&mut self, source: &EpisodeReader) -> Result<(), RecorderError> {
        let wanted = [
            &topics::VEHICLE_STATE,
            &topics::CONTROL_COMMAND,
            &topics::AUTHORITY,
            &topics::LINK_STATS,
            &topics::GNSS,
            &topics::TAKEOVER_EVENT,
        ];
        for message in source.select(Some(wanted.map(|topic| topic.name)), ..) {
            let message = message?;
            if self.take(&message).is_err() {
                self.unreadable += 1;
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &EpisodeMessage) -> Result<(), RecorderError> {
        let at_ns = message.log_time_ns;
        match message.topic() {
            name if name == topics::CONTROL_COMMAND.name => {
                let command: v1::ControlCommand = message.decode()?;
                self.now.author = Some(short(command.author().as_str_name()));
            }
            name if name == topics::AUTHORITY.name => {
                let authority: v1::AuthorityState = message.decode()?;
                self.now.mode = Some(short(authority.mode().as_str_name()));
            }
            name if name == topics::LINK_STATS.name => {
                let link: v1::LinkStats = message.decode()?;
                self.now.round_trip_ms = finite(link.round_trip_ms);
                self.now.picture_age_ms = finite(link.picture_age_ms);
                self.now.command_age_ms = finite(link.command_age_ms);
            }
            name if name == topics::GNSS.name => {
                let fix: foxglove::LocationFix = message.decode()?;
                (self.now.latitude_deg, self.now.longitude_deg) = (degrees(fix.latitude), degrees(fix.longitude));
            }
            name if name == topics::TAKEOVER_EVENT.name => self.event(at_ns, &message.decode()?),
            _ => self.state(at_ns, &message.decode()?),
        }
        Ok(())
    }

    fn state(&mut self, at_ns: u64, state: &v1::VehicleState) {
        if at_ns < self.next_ns || self.states.len() as u64 > MAX_STATES {
            return;
        }
        self.next_ns = at_ns.saturating_add(self.step_ns);
        let observed = |name: &str| self.embodiment.as_ref().and_then(|e| e.observation(&state.observation, name));
        let [speed, steering, yaw_rate] = ["speed_mps", "steering_rad", "yaw_rate_radps"].map(observed);
        self.now.t_s = seconds(self.start_ns, at_ns);
        self.now.speed_mps = speed.and_then(finite);
        self.now.steering_rad = steering.and_then(finite);
        self.now.yaw_rate_radps = yaw_rate.and_then(finite);
        if let Some(pose) = &state.world_from_vehicle {
            (self.now.x_m, self.now.y_m) = (finite(pose.x_m), finite(pose.y_m));
            self.now.heading_rad = finite(pose.heading_rad);
        }
        self.states.push(self.now.clone());
    }

    fn event(&mut self, at_ns: u64, event: &foxglove::Event) {
        if self.events.len() >= MAX_EVENTS {
            return;
        }
        let fields = event.metadata.iter().take(16).map(|pair| (cut(&pair.key), cut(&pair.value)));
        let fields: BTreeMap<&str, &str> = fields.collect();
        let kind = if event.end_time.is_some() { "takeover_end" } else { "takeover" };
        self.events.push(json!({"t_s": seconds(self.start_ns, at_ns), "kind": kind, "fields": fields}));
    }
}

/// JSON has no other numbers; four digits after the point are more than anything here is good for.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some((value * 1e4).round() / 1e4)
}

/// To a centimetre on the ground.
fn degrees(value: f64) -> Option<f64> {
    value.is_finite().then_some((value * 1e7).round() / 1e7)
}
