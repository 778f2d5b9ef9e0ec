//! One rate over all cameras, and what each makes of its share.

use crate::video::VideoSpec;

/// What a camera should send.
#[derive(Debug, Clone, Copy, PartialEq)]
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

/// The camera to drive by counts as much as this many others.
const FRONT_WEIGHT: f64 = 4.0;
/// Least bits per second of a camera: something to see at the lowest rung.
const MIN_BPS: f64 = 60_000.0;
/// Headers and datagrams beside the video, bits per second.
const RESERVE_BPS: f64 = 60_000.0;
/// Share of the rate that goes into packets' headers.
const HEADERS: f64 = 0.06;
/// Bits per pixel below which H.264 baseline at this speed falls apart into blocks; measured on street footage, where 720p
/// at 30 pictures a second is still readable at 0.8 Mbit/s.
const LEAST_BITS_PER_PIXEL: f64 = 0.03;
/// Share of size and of frame rate, best first: bitrate alone before frame rate, frame rate before resolution.
const RUNGS: [(f64, f64); 5] = [(1.0, 1.0), (1.0, 0.5), (0.75, 0.5), (0.5, 0.5), (0.5, 1.0 / 3.0)];
/// A better rung needs this much more than its least, for this long: down at once, up slowly.
const UP_SHARE: f64 = 1.3;
const UP_AFTER_US: u64 = 3_000_000;

#[derive(Debug, Clone, Copy)]
struct Camera {
    spec: VideoSpec,
    bps: f64,
    rung: usize,
    /// Since when a better rung has been affordable.
    better_since_us: Option<u64>,
}

/// Shares out a rate; see the module's head.
#[derive(Debug)]
pub(crate) struct Budget(Vec<Camera>);

impl Camera {
    fn most_bps(&self) -> f64 {
        f64::from(self.spec.default_bitrate_bps())
    }

    fn size(&self, rung: usize) -> (u32, u32) {
        let even = |pixels: u32| ((f64::from(pixels) * RUNGS[rung].0 / 2.0).round() as u32 * 2).max(16);
        (even(self.spec.width), even(self.spec.height))
    }

    fn least_bps(&self, rung: usize) -> f64 {
        let (width, height) = self.size(rung);
        f64::from(width) * f64::from(height) * self.spec.fps * RUNGS[rung].1 * LEAST_BITS_PER_PIXEL
    }

    fn climb(&mut self, now_us: u64) {
        let lowest = RUNGS.len() - 1;
        while self.rung < lowest && self.bps < 0.95 * self.least_bps(self.rung) {
            self.rung += 1;
            self.better_since_us = None;
        }
        if self.rung == 0 || self.bps < UP_SHARE * self.least_bps(self.rung - 1) {
            self.better_since_us = None;
            return;
        }
        let since_us = *self.better_since_us.get_or_insert(now_us);
        if now_us >= since_us + UP_AFTER_US {
            self.rung -= 1;
            self.better_since_us = None;
        }
    }
}

impl Budget {
    /// For these cameras, the one to drive by first; they begin with all they want.
    pub(crate) fn new(cameras: &[VideoSpec]) -> Self {
        let camera = |spec: &VideoSpec| Camera {
            spec: *spec,
            bps: f64::from(spec.default_bitrate_bps()),
            rung: 0,
            better_since_us: None,
        };
        Self(cameras.iter().map(camera).collect())
    }

    /// What all cameras want together, bits per second.
    pub(crate) fn most_bps(&self) -> f64 {
        self.0.iter().map(Camera::most_bps).sum()
    }

    /// Shares out `target_bps` (`None`: nobody watches, all get what they want) less what repairs take.
    pub(crate) fn update(&mut self, now_us: u64, target_bps: Option<f64>, overhead_bps: f64) {
        let room = target_bps.map_or(f64::INFINITY, |bps| {
            // Repairs may take at most half: beyond that the picture would pay for its own protection.
            ((bps - RESERVE_BPS) * (1.0 - HEADERS) - overhead_bps.min(0.5 * bps)).max(0.0)
        });
        self.share_out(room);
        for camera in &mut self.0 {
            camera.climb(now_us);
        }
    }

    /// By weight, with what one does not need given to the others.
    fn share_out(&mut self, room_bps: f64) {
        let weight = |index: usize| if index == 0 { FRONT_WEIGHT } else { 1.0 };
        let mut open: Vec<usize> = (0..self.0.len()).collect();
        let mut room = room_bps;
        while !open.is_empty() {
            let weights: f64 = open.iter().map(|i| weight(*i)).sum();
            let share = |i: usize| if room.is_finite() { room * weight(i) / weights } else { f64::INFINITY };
            let full: Vec<usize> = open.iter().copied().filter(|i| share(*i) >= self.0[*i].most_bps()).collect();
            if full.is_empty() {
                open.iter().for_each(|i| self.0[*i].bps = share(*i).max(MIN_BPS));
                return;
            }
            for i in full {
                self.0[i].bps = self.0[i].most_bps();
                room -= self.0[i].bps;
                open.retain(|other| *other != i);
            }
        }
    }

    /// The plan of a camera; of the first for an index that does not exist.
    pub(crate) fn plan(&self, camera: usize) -> CameraPlan {
        let camera = self.0.get(camera).unwrap_or(&self.0[0]);
        let (width, height) = camera.size(camera.rung);
        CameraPlan {
            bitrate_bps: camera.bps as u32,
            fps: (camera.spec.fps * RUNGS[camera.rung].1).max(1.0),
            width,
            height,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: VideoSpec = VideoSpec { width: 1280, height: 720, fps: 30.0 };

    fn settled(cameras: usize, target_bps: f64) -> Budget {
        let mut budget = Budget::new(&vec![SPEC; cameras]);
        (0..400).for_each(|i| budget.update(i * 50_000, Some(target_bps), 0.0));
        budget
    }

    #[test]
    fn a_wide_path_gives_every_camera_all_it_wants() {
        let budget = settled(4, 20e6);
        assert!((0..4).all(|i| budget.plan(i).bitrate_bps == SPEC.default_bitrate_bps()));
    }

    #[test]
    fn the_front_camera_keeps_size_and_rate_when_the_others_have_to_shrink() {
        let budget = settled(4, 3e6);
        let (front, rear) = (budget.plan(0), budget.plan(3));
        assert_eq!((front.width, front.fps), (1280, 30.0));
        assert!(front.bitrate_bps > 3 * rear.bitrate_bps);
        assert!(rear.fps < 30.0);
    }

    #[test]
    fn bitrate_falls_first_then_frame_rate_then_size() {
        let plan = |bps| settled(1, bps).plan(0);
        let steps = [1.6e6, 0.8e6, 0.4e6, 0.2e6].map(plan);
        assert_eq!(steps.map(|p| (p.width, p.fps as u32)), [(1280, 30), (1280, 15), (960, 15), (640, 15)]);
    }

    #[test]
    fn a_rate_that_swings_around_a_rung_does_not_make_it_flap() {
        let mut budget = Budget::new(&[SPEC]);
        let mut changes = 0;
        let mut before = budget.plan(0).fps;
        for i in 0..2_000u64 {
            let bps = 0.95e6 + if i % 40 < 20 { 0.15e6 } else { -0.15e6 };
            budget.update(i * 50_000, Some(bps), 0.0);
            changes += u32::from((budget.plan(0).fps - before).abs() > 0.1);
            before = budget.plan(0).fps;
        }
        assert!(changes <= 1, "{changes}");
    }

    #[test]
    fn repairs_never_take_more_than_half_and_nonsense_does_not_panic() {
        let mut budget = Budget::new(&[SPEC]);
        budget.update(0, Some(2e6), 50e6);
        assert!(budget.plan(0).bitrate_bps > 700_000);
        budget.update(1, Some(0.0), 1e9);
        assert!(budget.plan(0).bitrate_bps >= 50_000);
        budget.update(2, None, 0.0);
        assert_eq!(budget.plan(0).bitrate_bps, SPEC.default_bitrate_bps());
    }
}
