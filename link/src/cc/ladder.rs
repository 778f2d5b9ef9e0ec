//! What a camera makes of its bitrate: frame rate and size at which the picture still holds together.

/// What a camera should send.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CameraPlan {
    /// Bits per second.
    pub bitrate_bps: u32,
    /// Pictures per second.
    pub fps: f64,
    /// Pixels; even.
    pub width: u32,
    /// Pixels; even.
    pub height: u32,
}

/// Bits per pixel below which H.264 baseline at the fastest setting falls apart: a macroblock of 256 pixels then has less
/// than 8 bits, which is what its mode and motion vector take alone, so that nothing is left for what has changed.
const LEAST_BITS_PER_PIXEL: f64 = 0.03;
/// Share of size and of frame rate, best first. At 1280x720 and 30 Hz: 30, then 15 a second, 960x540, 640x360, 10 a
/// second.
const RUNGS: [(f64, f64); 5] = [(1.0, 1.0), (1.0, 0.5), (0.75, 0.5), (0.5, 0.5), (0.5, 1.0 / 3.0)];
/// A rung is left when its least bitrate is missed by more than this; a change of size, which costs a keyframe, only
/// when it stays so or is missed by far.
const DOWN_SHARE: f64 = 0.95;
const DOWN_AT_ONCE: f64 = 0.7;
const DOWN_AFTER_US: u64 = 300_000;
/// A better rung needs this much more than its least, for this long: down at once, up slowly.
const UP_SHARE: f64 = 1.3;
const UP_AFTER_US: u64 = 3_000_000;
/// A climb undone this soon was a mistake: the next one waits twice as long, up to the most.
const MISTAKE_US: u64 = 15_000_000;
const UP_AFTER_MOST_US: u64 = 30_000_000;

/// Where a camera stands on the ladder.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    width: u32,
    height: u32,
    fps: f64,
    rung: usize,
    /// Since when a better rung has been affordable, and this one has not.
    better_since_us: Option<u64>,
    short_since_us: Option<u64>,
    climbed_us: Option<u64>,
    up_after_us: u64,
}

impl Ladder {
    /// On top, for a camera of this size and frame rate.
    pub(super) fn new(width: u32, height: u32, fps: f64) -> Self {
        Self {
            width,
            height,
            fps,
            rung: 0,
            better_since_us: None,
            short_since_us: None,
            climbed_us: None,
            up_after_us: UP_AFTER_US,
        }
    }

    fn size(&self, rung: usize) -> (u32, u32) {
        let even = |pixels: u32| ((f64::from(pixels) * RUNGS[rung].0 / 2.0).round() as u32 * 2).max(16);
        (even(self.width), even(self.height))
    }

    /// Bits per second below which a rung falls apart.
    fn least_bps(&self, rung: usize) -> f64 {
        let (width, height) = self.size(rung);
        f64::from(width) * f64::from(height) * self.fps * RUNGS[rung].1 * LEAST_BITS_PER_PIXEL
    }

    /// Steps down where `bps` does not suffice, up where it has sufficed for long.
    pub(super) fn update(&mut self, now_us: u64, bps: f64) {
        if self.rung + 1 < RUNGS.len() && bps < DOWN_SHARE * self.least_bps(self.rung) {
            self.better_since_us = None;
            let since_us = *self.short_since_us.get_or_insert(now_us);
            let at_once =
                RUNGS[self.rung + 1].0 >= RUNGS[self.rung].0 || bps < DOWN_AT_ONCE * self.least_bps(self.rung);
            if at_once || now_us >= since_us + DOWN_AFTER_US {
                self.step_down(now_us, bps);
            }
            return;
        }
        self.short_since_us = None;
        if self.rung == 0 || bps < UP_SHARE * self.least_bps(self.rung - 1) {
            self.better_since_us = None;
            return;
        }
        let since_us = *self.better_since_us.get_or_insert(now_us);
        if now_us >= since_us + self.up_after_us {
            self.rung -= 1;
            self.better_since_us = None;
            self.climbed_us = Some(now_us);
        }
    }

    fn step_down(&mut self, now_us: u64, bps: f64) {
        while self.rung + 1 < RUNGS.len() && bps < DOWN_SHARE * self.least_bps(self.rung) {
            self.rung += 1;
        }
        self.short_since_us = None;
        let was_mistake = self.climbed_us.take().is_some_and(|at| now_us < at + MISTAKE_US);
        self.up_after_us = if was_mistake { (2 * self.up_after_us).min(UP_AFTER_MOST_US) } else { UP_AFTER_US };
    }

    pub(super) fn plan(&self, bps: f64) -> CameraPlan {
        let (width, height) = self.size(self.rung);
        CameraPlan { bitrate_bps: bps as u32, fps: (self.fps * RUNGS[self.rung].1).max(1.0), width, height }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bps` every 50 ms for `seconds`; the number of changes.
    fn feed(ladder: &mut Ladder, from_us: u64, seconds: u64, bps: impl Fn(u64) -> f64) -> usize {
        let mut changes = 0;
        for i in 0..seconds * 20 {
            let before = ladder.rung;
            ladder.update(from_us + i * 50_000, bps(i));
            changes += usize::from(ladder.rung != before);
        }
        changes
    }

    #[test]
    fn bitrate_falls_first_then_frame_rate_then_size() {
        let plan = |bps: f64| {
            let mut ladder = Ladder::new(1280, 720, 30.0);
            feed(&mut ladder, 0, 5, |_| bps);
            ladder.plan(bps)
        };
        let steps = [1.6e6, 0.6e6, 0.3e6, 0.15e6, 0.08e6].map(plan);
        assert_eq!(
            steps.map(|p| (p.width, p.height, p.fps as u32)),
            [(1280, 720, 30), (1280, 720, 15), (960, 540, 15), (640, 360, 15), (640, 360, 10)]
        );
    }

    #[test]
    fn a_rate_that_swings_around_a_rung_does_not_make_it_flap() {
        let mut ladder = Ladder::new(1280, 720, 30.0);
        let changes = feed(&mut ladder, 0, 100, |i| if i % 40 < 20 { 1.1e6 } else { 0.7e6 });
        assert_eq!(changes, 1);
    }

    #[test]
    fn a_slow_swing_is_followed_ever_more_slowly() {
        let mut ladder = Ladder::new(1280, 720, 30.0);
        let changes = feed(&mut ladder, 0, 300, |i| if i % 200 < 100 { 1.2e6 } else { 0.6e6 });
        assert!((2..16).contains(&changes), "{changes}");
    }

    #[test]
    fn a_dip_of_a_moment_does_not_cost_a_change_of_size() {
        let mut ladder = Ladder::new(1280, 720, 30.0);
        feed(&mut ladder, 0, 1, |_| 0.42e6);
        assert_eq!(feed(&mut ladder, 1_000_000, 10, |i| if i % 40 < 4 { 0.35e6 } else { 0.42e6 }), 0);
        assert_eq!(feed(&mut ladder, 11_000_000, 1, |_| 0.2e6), 1);
    }

    #[test]
    fn a_better_path_is_believed_after_seconds() {
        let mut ladder = Ladder::new(1280, 720, 30.0);
        feed(&mut ladder, 0, 1, |_| 0.2e6);
        feed(&mut ladder, 1_000_000, 2, |_| 8e6);
        assert!(ladder.rung > 0);
        feed(&mut ladder, 3_000_000, 12, |_| 8e6);
        assert_eq!(ladder.rung, 0);
    }
}
