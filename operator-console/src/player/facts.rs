//! What is written beside the pictures, as text.

use super::EpisodeIndex;
use super::plots::tenths;
use crate::hud::{Line, Tone};
use protocol::v1::{Author, LinkStats, Mode, Reason};

/// Everything that is said in words about an episode and a moment of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// About the episode.
    pub episode: Vec<Line>,
    /// Who drives at this moment, and what is wrong.
    pub now: Vec<Line>,
    /// Values at this moment.
    pub values: Vec<Line>,
    /// Mode and author.
    pub driving: (Mode, Author),
}

fn fact(label: &'static str, value: impl Into<String>) -> Line {
    Line { label, value: value.into(), tone: Tone::Normal }
}

fn alarm(label: &'static str, value: impl Into<String>, tone: Tone) -> Line {
    Line { label, value: value.into(), tone }
}

impl Facts {
    /// Of the moment `at_s`.
    #[must_use]
    pub fn of(index: &EpisodeIndex, at_s: f64) -> Self {
        let authority = index.authority.at(at_s);
        let driving = authority.map_or((Mode::Unspecified, Author::Unspecified), |a| (a.mode, a.author));
        Self { episode: episode(index), now: now(index, at_s), values: values(index, at_s), driving }
    }
}

fn episode(index: &EpisodeIndex) -> Vec<Line> {
    let info = &index.info;
    let cause = match info.reason.trim() {
        "" => info.cause.replace('_', " "),
        reason => format!("{}: {reason}", info.cause.replace('_', " ")),
    };
    let mut facts = vec![
        fact("id", info.id.as_str()),
        fact("vehicle", info.vehicle.as_str()),
        fact("policy", info.policy.as_str()),
        fact("trigger", info.trigger.label().replace('_', " ")),
        fact("cause", cause),
        fact("map", info.map.as_str()),
        fact("software", info.software.as_str()),
    ];
    let dropped: u64 = info.drops.values().fold(0, |sum, count| sum.saturating_add(*count));
    if dropped > 0 {
        facts.push(alarm("dropped", format!("{dropped} messages"), Tone::Attention));
    }
    if let Some(recovered) = &info.recovered {
        let text = format!("after a crash, {} records lost", recovered.skipped_records);
        facts.push(alarm("recovered", text, Tone::Attention));
    }
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

fn now(index: &EpisodeIndex, at_s: f64) -> Vec<Line> {
    let mut facts = Vec::new();
    match index.authority.at(at_s) {
        None => facts.push(fact("mode", "not recorded")),
        Some(authority) => {
            let author = match (authority.author, authority.seat.as_str()) {
                (Author::Operator, seat) if !seat.is_empty() => format!("operator at {seat}"),
                (author, _) => author.label().to_owned(),
            };
            let tone = if authority.author == Author::Fallback { Tone::Alarm } else { Tone::Normal };
            facts.push(fact("mode", authority.mode.label()));
            facts.push(alarm("author", author, tone));
            facts.push(fact("because", authority.reason.label()));
            if authority.estop {
                facts.push(alarm("emergency stop", "latched", Tone::Alarm));
            }
            if !authority.help.is_empty() {
                facts.push(alarm("asks", authority.help.as_str(), Tone::Attention));
            }
        }
    }
    match index.faults.at(at_s).map(Vec::as_slice) {
        None => {}
        Some([]) => facts.push(fact("faults", "none")),
        Some(codes) => facts.push(alarm("faults", codes.join(", "), Tone::Alarm)),
    }
    match index.gate.at(at_s) {
        None => {}
        Some(Reason::Ok | Reason::Unspecified) => facts.push(fact("gate", "let all through")),
        Some(reason) => facts.push(alarm("gate", reason.label(), Tone::Attention)),
    }
    facts
}

fn values(index: &EpisodeIndex, at_s: f64) -> Vec<Line> {
    let mut facts: Vec<Line> = Vec::new();
    let measured = [("Speed", "speed"), ("Acceleration", "acceleration"), ("Steering", "steering")];
    for (title, label) in measured {
        let plot = index.signals.plots.iter().find(|plot| plot.title.starts_with(title));
        let series = plot.and_then(|plot| plot.series.iter().find(|series| series.name == "measured"));
        if let (Some(plot), Some(value)) = (plot, series.and_then(|series| series.at(at_s))) {
            facts.push(fact(label, format!("{} {}", tenths(value), plot.unit)));
        }
    }
    if let Some(share) = index.signals.confidence.as_ref().and_then(|series| series.at(at_s)) {
        facts.push(fact("confidence", format!("{:.0} %", share * 100.0)));
    }
    if let Some(link) = index.link.at(at_s) {
        facts.extend(of_link(link));
    }
    facts
}

fn of_link(link: &LinkStats) -> Vec<Line> {
    let mut facts = Vec::new();
    if link.round_trip_ms > 0.0 {
        facts.push(fact("round trip", format!("{:.0} ms", link.round_trip_ms)));
    }
    if link.bitrate_bps > 0.0 {
        facts.push(fact("bit rate", format!("{:.1} Mbit/s", link.bitrate_bps * 1e-6)));
    }
    // The stages that take longest say where the time goes.
    let mut stages: Vec<_> = link.stages.iter().filter(|stage| stage.mean_ms.is_finite()).collect();
    stages.sort_by(|a, b| b.mean_ms.total_cmp(&a.mean_ms));
    let named = stages.iter().take(2).map(|stage| format!("{:.12} {:.0}", stage.stage, stage.mean_ms));
    if !stages.is_empty() {
        facts.push(fact("latency", format!("{} ms", named.collect::<Vec<_>>().join(", "))));
    }
    facts
}
