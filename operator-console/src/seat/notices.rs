//! Short messages to the person, each on screen long enough to be read.

use std::collections::VecDeque;

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the record.
    Info,
    /// Something asked for did not happen.
    Warning,
    /// Act now.
    Alarm,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub text: String,
    /// When it was said.
    pub at_us: u64,
}

impl Notice {
    fn lasts_us(&self) -> u64 {
        match self.level {
            Level::Info => 5_000_000,
            Level::Warning => 8_000_000,
            Level::Alarm => 12_000_000,
        }
    }
}

/// The messages on screen.
#[derive(Debug, Default)]
pub struct Notices {
    shown: VecDeque<Notice>,
}

const MOST: usize = 5;

impl Notices {
    /// Says `text`. Saying the same again renews it rather than filling the screen.
    pub fn say(&mut self, now_us: u64, level: Level, text: impl Into<String>) {
        let text = text.into();
        self.shown.retain(|n| n.text != text);
        self.shown.push_back(Notice { level, text, at_us: now_us });
        while self.shown.len() > MOST {
            // The least important goes first, the oldest among equals.
            let least = self.shown.iter().enumerate().min_by_key(|(_, n)| (n.level, n.at_us)).map(|(i, _)| i);
            least.and_then(|i| self.shown.remove(i));
        }
    }

    /// What is on screen now: the most important first, the newest first among equals.
    pub fn current(&mut self, now_us: u64) -> Vec<Notice> {
        self.shown.retain(|n| now_us.saturating_sub(n.at_us) < n.lasts_us());
        let mut all: Vec<Notice> = self.shown.iter().cloned().collect();
        all.sort_by_key(|n| (std::cmp::Reverse(n.level), std::cmp::Reverse(n.at_us)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chatter_does_not_push_out_an_alarm() {
        let mut notices = Notices::default();
        notices.say(0, Level::Alarm, "deadman released");
        (1..20).for_each(|i| notices.say(i, Level::Info, format!("note {i}")));
        let shown = notices.current(20);
        assert_eq!((shown.len(), shown[0].text.as_str(), shown[1].text.as_str()), (5, "deadman released", "note 19"));
    }

    #[test]
    fn a_repeated_message_stands_once_and_leaves_in_time() {
        let mut notices = Notices::default();
        notices.say(0, Level::Warning, "refused");
        notices.say(4_000_000, Level::Warning, "refused");
        assert_eq!(notices.current(9_000_000).len(), 1);
        assert!(notices.current(12_000_000).is_empty());
    }
}
