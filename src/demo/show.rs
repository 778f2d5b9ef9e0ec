//! What the demo prints: bars on long steps, the table after each turn.

use indicatif::{ProgressBar, ProgressStyle};
use protocol::api::Evaluation;
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

/// The report as a table for people.
#[must_use]
pub fn table(report: &[Evaluation]) -> String {
    let mut text =
        String::from("\n  policy        miles  takeovers       MPD   95 % interval (exact Poisson), held-out roads\n");
    for row in report {
        let high = row.mpd_high.map_or("open".to_owned(), |h| format!("{h:.3}"));
        text += &format!(
            "  {:<10} {:>8.2} {:>10} {:>9.3}   {:.3} to {high}\n",
            row.policy.as_str(),
            row.miles,
            row.disengagements,
            row.mpd,
            row.mpd_low
        );
    }
    text
}

/// One line on what a turn brought.
#[must_use]
pub fn verdict(outcome: &TurnOutcome) -> String {
    let [candidate, champion] = &outcome.gate;
    format!(
        "\n{} {}: {:.3} miles per disengagement against {:.3} of {} on the same roads and seeds",
        outcome.version,
        if outcome.shipped { "is shipped" } else { "is refused" },
        candidate.mpd,
        champion.mpd,
        champion.policy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::PolicyVersion;

    #[test]
    fn the_table_shows_every_row_and_an_open_end() {
        let row = |v: &str, m, n| Evaluation::new(PolicyVersion::new(v).unwrap(), m, n);
        let text = table(&[row("v0", 1_609.344, 20), row("v1", 16_093.44, 0)]);
        assert!(text.contains("v0             1.00         20     0.050   0.032 to 0.082"), "{text}");
        assert!(text.contains("10.000   2.711 to open"), "{text}");
    }
}
