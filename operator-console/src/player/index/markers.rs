//! What happened when: takeovers, triggers, events, warnings.

use protocol::foxglove::{Event, Log, log::Level};
use protocol::{EpisodeInfo, Trigger};

/// More warnings than these say nothing more.
const MAX_WARNINGS: usize = 200;
const MAX_EVENTS: usize = 1_000;
/// The same thing, said by two topics.
const SAME_S: f64 = 0.06;

/// What a marker stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerKind {
    /// A takeover began.
    Takeover,
    /// A takeover ended.
    HandBack,
    /// The recorder was triggered.
    Trigger(Trigger),
    /// An event in the file.
    Event,
    /// A warning or an error in the log.
    Warning,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Marker {
    /// Seconds since the episode's start.
    pub at_s: f64,
    /// Its kind.
    pub kind: MarkerKind,
    /// A word or two.
    pub label: String,
    /// More about it; may be empty.
    pub detail: String,
}

pub(super) struct Markers {
    start_ns: u64,
    markers: Vec<Marker>,
    warnings: usize,
    events: usize,
}

impl Markers {
    pub(super) fn new(start_ns: u64, info: &EpisodeInfo) -> Self {
        let mut markers = Self { start_ns, markers: Vec::new(), warnings: 0, events: 0 };
        if info.trigger == Trigger::Takeover {
            let cause = info.cause.replace('_', " ");
            markers.add(info.takeover_ns, MarkerKind::Takeover, "takeover", &format!("{cause} {}", info.reason));
            if let Some(end_ns) = info.takeover_end_ns {
                markers.add(end_ns, MarkerKind::HandBack, "hand-back", "");
            }
        }
        for fired in info.triggers.iter().take(MAX_EVENTS) {
            let name = fired.trigger.label().replace('_', " ");
            let label = if fired.name.is_empty() { name } else { format!("{name}: {}", fired.name) };
            let kind = match fired.trigger {
                Trigger::Takeover => MarkerKind::Takeover,
                other => MarkerKind::Trigger(other),
            };
            markers.add(fired.at_ns, kind, &label, &fired.detail);
        }
        markers
    }

    /// Nothing is said twice.
    fn add(&mut self, at_ns: u64, kind: MarkerKind, label: &str, detail: &str) {
        let at_s = (at_ns as f64 - self.start_ns as f64) * 1e-9;
        if self.markers.iter().any(|m| m.kind == kind && m.label == label && (m.at_s - at_s).abs() < SAME_S) {
            return;
        }
        let short = |text: &str, limit| text.trim().chars().take(limit).collect();
        self.markers.push(Marker { at_s, kind, label: short(label, 40), detail: short(detail, 200) });
    }

    pub(super) fn event(&mut self, log_ns: u64, event: &Event) {
        self.events += 1;
        if self.events > MAX_EVENTS {
            return;
        }
        let value = |key: &str| event.metadata.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str());
        let note = value("note").unwrap_or_default();
        if value("takeover_id").is_none() {
            let label = event.metadata.first().map_or("event", |pair| pair.value.as_str());
            self.add(log_ns, MarkerKind::Event, label, note);
        } else if event.end_time.is_some() {
            self.add(log_ns, MarkerKind::HandBack, "hand-back", note);
        } else {
            let detail = format!("{} {note}", value("cause").unwrap_or_default().replace('_', " "));
            self.add(log_ns, MarkerKind::Takeover, "takeover", &detail);
        }
    }

    pub(super) fn log(&mut self, log_ns: u64, line: &Log) {
        if (line.level() as i32) < Level::Warning as i32 || self.warnings >= MAX_WARNINGS {
            return;
        }
        self.warnings += 1;
        self.add(log_ns, MarkerKind::Warning, "warning", &line.message);
    }

    /// Those within the episode, by time.
    pub(super) fn finish(mut self, length_s: f64) -> Vec<Marker> {
        self.markers.retain(|marker| (-SAME_S..=length_s + SAME_S).contains(&marker.at_s));
        self.markers.iter_mut().for_each(|marker| marker.at_s = marker.at_s.clamp(0.0, length_s));
        self.markers.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        self.markers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::foxglove::KeyValuePair;
    use protocol::{EpisodeId, PolicyVersion, Triggered, VehicleId};

    const SECOND_NS: u64 = 1_000_000_000;

    fn info() -> EpisodeInfo {
        let ids = (EpisodeId::new("e").unwrap(), VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap());
        let mut info = EpisodeInfo::new(ids.0, ids.1, ids.2);
        info.cause = "policy_asked".to_owned();
        info.takeover_ns = 110 * SECOND_NS;
        info.takeover_end_ns = Some(120 * SECOND_NS);
        let fired = |trigger, at_s: u64| Triggered {
            trigger,
            name: String::new(),
            at_ns: at_s * SECOND_NS,
            until_ns: None,
            detail: "-5 m/s2".to_owned(),
        };
        info.triggers = vec![fired(Trigger::Takeover, 110), fired(Trigger::HardBrake, 105), fired(Trigger::Fault, 999)];
        info
    }

    #[test]
    fn each_thing_is_marked_once_and_within_the_episode() {
        let mut markers = Markers::new(100 * SECOND_NS, &info());
        let pair = |key: &str, value: &str| KeyValuePair { key: key.to_owned(), value: value.to_owned() };
        let takeover = Event {
            metadata: vec![pair("takeover_id", "e"), pair("cause", "policy_asked"), pair("note", "")],
            ..Default::default()
        };
        markers.event(110 * SECOND_NS + 20_000_000, &takeover);
        let line = |level: Level| Log { level: level.into(), message: "disk full".to_owned(), ..Default::default() };
        markers.log(101 * SECOND_NS, &line(Level::Error));
        markers.log(102 * SECOND_NS, &line(Level::Info));
        let seen: Vec<(f64, String)> = markers.finish(25.0).into_iter().map(|m| (m.at_s, m.label)).collect();
        let expected = [(1.0, "warning"), (5.0, "hard brake"), (10.0, "takeover"), (20.0, "hand-back")];
        assert_eq!(seen, expected.map(|(at_s, label)| (at_s, label.to_owned())));
    }

    #[test]
    fn a_flood_of_lines_is_cut_off() {
        let mut markers = Markers::new(0, &EpisodeInfo { trigger: Trigger::DriveLog, ..info() });
        for i in 0..5_000_u64 {
            let line = Log { level: Level::Fatal.into(), message: "x".repeat(9_999), ..Default::default() };
            markers.log(i * SECOND_NS / 10, &line);
            markers.event(i * SECOND_NS / 10, &Event::default());
        }
        let markers = markers.finish(500.0);
        assert!(markers.len() <= MAX_WARNINGS + MAX_EVENTS + 3, "{}", markers.len());
        assert!(markers.iter().all(|m| m.detail.len() <= 200));
    }
}
