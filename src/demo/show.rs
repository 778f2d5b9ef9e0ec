//! What the demo prints: bars on long steps, the table after each turn.

use indicatif::{ProgressBar, ProgressStyle};
use protocol::api::{ALL_ROADS, Evaluation, UNSEEN_EVENTS};
use protocol::units;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use trainer::flywheel::{Progress, TurnOutcome};

/// Progress bars on standard error; plain lines where it is no terminal.
#[derive(Default)]
pub struct Bars {
    bar: Mutex<Option<ProgressBar>>,
}

impl Bars {
    /// Prints a line or more between the bars.
    pub fn say(&self, text: &str) {
        for line in text.lines() {
            // The demo does not depend on its reader.
            let _ = say!("{line}");
        }
    }

    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            act(bar);
        }
    }
}

impl Progress for Bars {
    fn begin(&self, name: &str, total: u64) {
        use std::io::IsTerminal;
        if !std::io::stderr().is_terminal() {
            note!("{name} ...");
        }
        let style = ProgressStyle::with_template("{prefix:42} {bar:28} {pos:>5}/{len:<5} {elapsed:>4}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total).with_style(style).with_prefix(name.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advance(&self, note: &str) {
        self.with(|bar| {
            if !note.is_empty() {
                bar.set_message(note.to_owned());
            }
            bar.inc(1);
        });
    }

    fn end(&self) {
        self.with(|bar| {
            bar.set_message("");
            bar.finish();
        });
    }
}

/// The report as a table for people: the rows over all roads, and a road's own where there are several.
#[must_use]
pub fn table(report: &[Evaluation]) -> String {
    let roads: BTreeSet<&str> = report.iter().map(|row| row.road.as_str()).filter(|road| !is_over_all(road)).collect();
    let mut text = format!(
        "\n  {:<10} {:<9} {:<13} {:>8} {:>9} {:>7} {:<17} {:>9} {:>8} {:>8} {:>6} {:>5}\n",
        "driver",
        "role",
        "road",
        "miles",
        "takeovers",
        "MPD",
        " 95 % interval",
        "necessary",
        "crashes",
        "complete",
        "km/h",
        "score"
    );
    for row in report.iter().filter(|row| is_over_all(&row.road) || roads.len() > 1) {
        let high = row.mpd_high.map_or("open".to_owned(), |high| format!("{high:.3}"));
        let interval = format!("{:.3} to {high}", row.mpd_low);
        let necessary = row.necessary_mpd.map_or("-".to_owned(), |mpd| format!("{mpd:.3}"));
        let crashes = row.crashes_per_100_miles.map_or("-".to_owned(), |crashes| format!("{crashes:.2}"));
        text += &format!(
            "  {:<10} {:<9} {:<13} {:>8.2} {:>9} {:>7.3}  {interval:<16} {necessary:>9} {crashes:>8} {:>6.0} % {:>6.1} {:>5.2}\n",
            row.policy.as_str(),
            row.role.label(),
            row.road,
            row.miles,
            row.takeovers,
            row.mpd,
            row.completion * 100.0,
            units::kmh(row.mean_speed_mps),
            row.score
        );
    }
    text + "  held-out roads and seeds; MPD: exact Poisson interval; necessary: miles per necessary takeover, - where not judged;\n  \
     crashes in 100 miles, those within 30 s after a hand-over included; km/h: mean speed with the driver in authority\n"
}

fn is_over_all(road: &str) -> bool {
    [ALL_ROADS, UNSEEN_EVENTS].contains(&road)
}

/// What a turn brought.
#[must_use]
pub fn outcome(outcome: &TurnOutcome) -> String {
    let is = if outcome.shipped { "is shipped" } else { "is not shipped" };
    format!("\n{} {is}: {}", outcome.version, crate::gate::text(&outcome.gate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::PolicyVersion;
    use protocol::api::EvaluationRole;

    fn row(driver: &str, role: EvaluationRole, road: &str, miles: f64, takeovers: u64) -> Evaluation {
        let empty = Evaluation::empty(PolicyVersion::new(driver).unwrap(), role, road.into());
        Evaluation { miles, takeovers, trips: 4, completed: 3, mean_speed_mps: 10.0, score: 0.5, ..empty }.derived()
    }

    #[test]
    fn the_table_shows_every_driver_and_an_open_end() {
        let report = [
            row("v0", EvaluationRole::Previous, "e6mini", 1.0, 20),
            row("v0", EvaluationRole::Previous, ALL_ROADS, 1.0, 20),
            row("v1", EvaluationRole::Policy, ALL_ROADS, 10.0, 0),
            row("operator", EvaluationRole::Operator, ALL_ROADS, 5.0, 1),
            row("reference", EvaluationRole::Reference, UNSEEN_EVENTS, 5.0, 1),
        ];
        let text = table(&report);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        assert!(
            lines[1].contains("v0         previous  all               1.00        20   0.050  0.032 to 0.082"),
            "{text}"
        );
        assert!(lines[2].contains("10.000  2.711 to open") && lines[2].contains("75 %   36.0  0.50"), "{text}");
        assert!(lines[3].contains("operator") && lines[4].contains("unseen_events"), "{text}");
        assert!(lines.len() == 7 && lines.iter().all(|line| line.chars().count() <= 126), "{text}");
        let two = [&report[..], &[row("v1", EvaluationRole::Policy, "town", 2.0, 1)]].concat();
        assert!(table(&two).contains("e6mini") && table(&two).contains("town"), "several roads are shown each");
    }
}
