//! Where in the episode one is.

use std::time::Duration;

/// How many times faster than it was one may look.
pub const SPEEDS: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];
const NORMAL: usize = 2;

/// A place in an episode that moves while it plays.
#[derive(Debug, Clone, PartialEq)]
pub struct Playhead {
    at_s: f64,
    length_s: f64,
    speed: usize,
    /// Whether it moves.
    pub playing: bool,
    /// Whether it starts again at the end.
    pub again: bool,
}

impl Playhead {
    /// At the start of an episode of `length_s` seconds, standing.
    #[must_use]
    pub fn new(length_s: f64) -> Self {
        Self { at_s: 0.0, length_s: length_s.max(0.0), speed: NORMAL, playing: false, again: false }
    }

    /// Seconds since the episode's start.
    #[must_use]
    pub fn at_s(&self) -> f64 {
        self.at_s
    }

    /// The episode's length, seconds.
    #[must_use]
    pub fn length_s(&self) -> f64 {
        self.length_s
    }

    /// How many times faster than it was.
    #[must_use]
    pub fn speed(&self) -> f64 {
        SPEEDS[self.speed]
    }

    /// `elapsed` has passed for the person.
    pub fn advance(&mut self, elapsed: Duration) {
        if !self.playing {
            return;
        }
        self.at_s += elapsed.as_secs_f64() * self.speed();
        if self.at_s < self.length_s {
            return;
        }
        if self.again && self.length_s > 0.0 {
            self.at_s %= self.length_s;
        } else {
            (self.at_s, self.playing) = (self.length_s, false);
        }
    }

    /// Plays or stands; at the end it plays from the start.
    pub fn toggle(&mut self) {
        if !self.playing && self.at_s >= self.length_s {
            self.at_s = 0.0;
        }
        self.playing = !self.playing;
    }

    /// Goes to `at_s`, or to the end that is nearer when that lies outside.
    pub fn seek(&mut self, at_s: f64) {
        if at_s.is_finite() {
            self.at_s = at_s.clamp(0.0, self.length_s);
        }
    }

    /// The next of [`SPEEDS`], or the one before.
    pub fn change_speed(&mut self, faster: bool) {
        self.speed = if faster { (self.speed + 1).min(SPEEDS.len() - 1) } else { self.speed.saturating_sub(1) };
    }

    /// Takes the speed of [`SPEEDS`] that is nearest to `speed`.
    pub fn set_speed(&mut self, speed: f64) {
        let distance = |i: &usize| (SPEEDS[*i] / speed).ln().abs();
        let nearest = (0..SPEEDS.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        self.speed = nearest.unwrap_or(NORMAL);
    }

    /// Stands at the next of `times_s` (ascending), or the one before; stays where there is none.
    pub fn step(&mut self, forward: bool, times_s: &[f32]) {
        self.playing = false;
        // Times are stored with less precision than the place: half a millisecond is the same picture.
        let near = |t: f32| f64::from(t) - self.at_s;
        let next = if forward {
            times_s.get(times_s.partition_point(|t| near(*t) <= 5e-4))
        } else {
            times_s[..times_s.partition_point(|t| near(*t) < -5e-4)].last()
        };
        if let Some(&next) = next {
            self.seek(f64::from(next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second() -> Duration {
        Duration::from_secs(1)
    }

    #[test]
    fn it_moves_with_its_speed_and_stands_at_the_end() {
        let mut head = Playhead::new(10.0);
        head.advance(second());
        assert_eq!(head.at_s(), 0.0, "it stands at first");
        head.toggle();
        head.set_speed(4.0);
        head.advance(second());
        assert_eq!((head.at_s(), head.playing), (4.0, true));
        head.advance(2 * second());
        assert_eq!((head.at_s(), head.playing), (10.0, false));
        head.toggle();
        assert_eq!((head.at_s(), head.playing), (0.0, true), "from the start again");
    }

    #[test]
    fn a_loop_goes_on_where_it_overshot() {
        let mut head = Playhead { again: true, playing: true, ..Playhead::new(3.0) };
        head.advance(Duration::from_millis(7_500));
        assert_eq!((head.at_s(), head.playing), (1.5, true));
        let mut empty = Playhead { again: true, playing: true, ..Playhead::new(0.0) };
        empty.advance(second());
        assert_eq!((empty.at_s(), empty.playing), (0.0, false));
    }

    #[test]
    fn seeking_stays_inside() {
        let mut head = Playhead::new(10.0);
        for (to, at) in [(5.0, 5.0), (-1.0, 0.0), (99.0, 10.0), (f64::NAN, 10.0)] {
            head.seek(to);
            assert_eq!(head.at_s(), at);
        }
    }

    #[test]
    fn steps_go_from_picture_to_picture() {
        let times = [0.0_f32, 0.1, 0.2, 0.3];
        let mut head = Playhead { playing: true, ..Playhead::new(1.0) };
        head.seek(0.15);
        head.step(true, &times);
        assert_eq!((head.at_s(), head.playing), (f64::from(0.2_f32), false));
        head.step(true, &times);
        head.step(true, &times);
        assert_eq!(head.at_s(), f64::from(0.3_f32), "the last one");
        for _ in 0..5 {
            head.step(false, &times);
        }
        assert_eq!(head.at_s(), 0.0);
        head.step(true, &[]);
        assert_eq!(head.at_s(), 0.0);
    }

    #[test]
    fn the_speed_stays_among_those_that_there_are() {
        let mut head = Playhead::new(1.0);
        (0..9).for_each(|_| head.change_speed(true));
        assert_eq!(head.speed(), 8.0);
        (0..9).for_each(|_| head.change_speed(false));
        assert_eq!(head.speed(), 0.25);
        head.set_speed(3.0);
        assert_eq!(head.speed(), 4.0);
        head.set_speed(f64::NAN);
        assert!(SPEEDS.contains(&head.speed()));
    }
}
