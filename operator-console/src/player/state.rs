//! The player without a screen: what was pressed goes in, what to show comes out.

use super::pictures::shown_at;
use super::{EpisodeIndex, Playhead};
use std::sync::Arc;
use std::time::Duration;

/// Something that the person wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Intent {
    /// Play or pause.
    Toggle,
    /// Go there, seconds since the episode's start.
    Seek(f64),
    /// Go so many seconds on, or back.
    Skip(f64),
    /// To the next picture, or the one before.
    Step {
        /// Onwards.
        forward: bool,
    },
    /// Faster, or slower.
    Speed {
        /// Faster.
        faster: bool,
    },
    /// Start again at the end, or not.
    Loop,
    /// To the next marker, or the one before.
    Marker {
        /// Onwards.
        forward: bool,
    },
}

/// An episode that is being played.
#[derive(Debug)]
pub struct Player {
    /// What is played.
    pub index: Arc<EpisodeIndex>,
    /// The place in the episode.
    pub head: Playhead,
    steps_s: Vec<f32>,
}

impl Player {
    /// At the start, standing.
    #[must_use]
    pub fn new(index: Arc<EpisodeIndex>) -> Self {
        let (head, steps_s) = (Playhead::new(index.length_s), index.steps_s());
        Self { index, head, steps_s }
    }

    /// Does what the person wants.
    pub fn act(&mut self, intent: Intent) {
        match intent {
            Intent::Toggle => self.head.toggle(),
            Intent::Seek(at_s) => self.head.seek(at_s),
            Intent::Skip(by_s) => self.head.seek(self.head.at_s() + by_s),
            Intent::Step { forward } => self.head.step(forward, &self.steps_s),
            Intent::Speed { faster } => self.head.change_speed(faster),
            Intent::Loop => self.head.again = !self.head.again,
            Intent::Marker { forward } => self.seek_marker(forward),
        }
    }

    fn seek_marker(&mut self, forward: bool) {
        let at_s = self.head.at_s();
        let mut markers = self.index.markers.iter().map(|marker| marker.at_s);
        // One that has just been passed is not the one before: it would hold whoever plays on.
        let next = if forward { markers.find(|t| *t > at_s + 1e-3) } else { markers.rev().find(|t| *t < at_s - 0.3) };
        if let Some(next) = next {
            self.head.seek(next);
        }
    }

    /// Time has passed for the person.
    pub fn advance(&mut self, elapsed: Duration) {
        self.head.advance(elapsed);
    }

    /// The picture of each camera that belongs to this moment; `None` before a camera's first.
    #[must_use]
    pub fn wanted(&self) -> Vec<Option<usize>> {
        // Half a millisecond for steps, whose times are stored with less precision than the file has.
        let log_ns = self.index.log_ns(self.head.at_s()).saturating_add(500_000);
        self.index.cameras.iter().map(|camera| shown_at(&camera.frames, log_ns)).collect()
    }
}
