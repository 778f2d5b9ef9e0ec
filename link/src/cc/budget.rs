//! One rate over all cameras.

use super::ladder::{CameraPlan, Ladder};
use video::VideoSpec;

/// What a camera is and what it may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CameraNeed {
    /// Pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Pictures per second.
    pub(crate) fps: f64,
    /// Counts as much as this many others; the camera to drive by has [`FRONT_WEIGHT`].
    pub(crate) weight: f64,
    /// Bits per second: below, nothing can be seen; above, nothing is gained.
    pub(crate) min_bps: f64,
    pub(crate) max_bps: f64,
}

/// What else goes over the path, bits per second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Overhead {
    /// Redundancy and retransmissions, as measured.
    pub(crate) repair_bps: f64,
    pub(crate) audio_bps: f64,
    /// Commands, state, bulk.
    pub(crate) data_bps: f64,
}

/// Least bits per second of a camera: something to see at the lowest rung.
const MIN_BPS: f64 = 60_000.0;

impl CameraNeed {
    /// Of a camera, the one to drive by or another.
    pub(crate) fn new(spec: &VideoSpec, is_front: bool) -> Self {
        Self {
            width: spec.width,
            height: spec.height,
            fps: spec.fps,
            weight: if is_front { FRONT_WEIGHT } else { 1.0 },
            min_bps: MIN_BPS,
            max_bps: f64::from(spec.default_bitrate_bps()),
        }
    }
}

/// Weight of the camera to drive by, where others have 1.
pub(crate) const FRONT_WEIGHT: f64 = 4.0;
/// Share of the rate that goes into packets' headers.
const HEADERS: f64 = 0.06;
/// Of the rate, the most that repairs are allowed to take from the picture: beyond, it would pay for its own protection.
const REPAIR_MOST: f64 = 0.5;
/// Of the rate, what the cameras keep whatever else is sent.
const KEPT: f64 = 0.2;

/// Shares out a rate; see the module's head.
#[derive(Debug)]
pub(crate) struct Budget {
    cameras: Vec<(CameraNeed, Ladder)>,
    bps: Vec<f64>,
}

impl Budget {
    /// For these cameras; they begin with all they may take.
    pub(crate) fn new(cameras: &[CameraNeed]) -> Self {
        Self {
            cameras: cameras.iter().map(|c| (*c, Ladder::new(c.width, c.height, c.fps))).collect(),
            bps: cameras.iter().map(|c| c.max_bps).collect(),
        }
    }

    /// What all cameras can take together, bits per second.
    pub(crate) fn most_bps(&self) -> f64 {
        self.cameras.iter().map(|(need, _)| need.max_bps).sum()
    }

    /// Shares out `target_bps` (`None`: nobody watches, all get what they want) less what else is sent.
    pub(crate) fn update(&mut self, now_us: u64, target_bps: Option<f64>, overhead: Overhead) {
        let room_bps = target_bps.map_or(f64::INFINITY, |bps| room(bps, overhead));
        self.share_out(room_bps);
        for ((_, ladder), bps) in self.cameras.iter_mut().zip(&self.bps) {
            ladder.update(now_us, *bps);
        }
    }

    /// By weight, with what one does not need given to the others; each gets its minimum first. Where even that is too
    /// much, the minima shrink, the least weighty ones most.
    fn share_out(&mut self, room_bps: f64) {
        let needs: Vec<CameraNeed> = self.cameras.iter().map(|(need, _)| *need).collect();
        if room_bps >= self.most_bps() {
            self.bps = needs.iter().map(|n| n.max_bps).collect();
            return;
        }
        let minima: f64 = needs.iter().map(|n| n.min_bps).sum();
        if room_bps <= minima {
            let all: f64 = needs.iter().map(|n| n.min_bps * n.weight).sum();
            self.bps = needs.iter().map(|n| (room_bps * n.min_bps * n.weight / all).min(n.min_bps)).collect();
            return;
        }
        let mut open: Vec<usize> = (0..needs.len()).collect();
        let mut room_bps = room_bps;
        while !open.is_empty() {
            let weights: f64 = open.iter().map(|i| needs[*i].weight).sum();
            let share = |i: usize| room_bps * needs[i].weight / weights;
            let held = |i: usize| share(i).clamp(needs[i].min_bps, needs[i].max_bps.max(needs[i].min_bps));
            open.iter().for_each(|i| self.bps[*i] = held(*i));
            // As in CSS flexible boxes: while too much is given out, those at their minimum are settled, else those at
            // their maximum; the others share what is left.
            let excess_bps: f64 = open.iter().map(|i| held(*i) - share(*i)).sum();
            let is_settled = |i: usize| {
                if excess_bps > 0.0 { held(i) > share(i) } else { held(i) < share(i) }
            };
            let settled: Vec<usize> = open.iter().copied().filter(|i| is_settled(*i)).collect();
            if settled.is_empty() {
                return;
            }
            open.retain(|i| !settled.contains(i));
            room_bps -= settled.iter().map(|i| self.bps[*i]).sum::<f64>();
        }
    }

    /// The plan of a camera; `None` for an index that does not exist.
    pub(crate) fn plan(&self, camera: usize) -> Option<CameraPlan> {
        let (_, ladder) = self.cameras.get(camera)?;
        Some(ladder.plan(self.bps[camera]))
    }
}

/// What of a rate is left for pictures, bits per second.
fn room(target_bps: f64, overhead: Overhead) -> f64 {
    let finite = |bps: f64| if bps.is_finite() { bps.max(0.0) } else { 0.0 };
    let target_bps = finite(target_bps);
    let repair_bps = finite(overhead.repair_bps).min(REPAIR_MOST * target_bps);
    let rest_bps = target_bps - repair_bps - finite(overhead.audio_bps) - finite(overhead.data_bps);
    rest_bps.max(KEPT * target_bps) * (1.0 - HEADERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(weight: f64) -> CameraNeed {
        CameraNeed { width: 1280, height: 720, fps: 30.0, weight, min_bps: 60e3, max_bps: 4e6 }
    }

    fn four() -> [CameraNeed; 4] {
        [need(FRONT_WEIGHT), need(1.0), need(1.0), need(1.0)]
    }

    fn settled(needs: &[CameraNeed], target_bps: f64) -> Vec<CameraPlan> {
        let mut budget = Budget::new(needs);
        (0..400).for_each(|i| budget.update(i * 50_000, Some(target_bps), Overhead::default()));
        (0..needs.len()).filter_map(|i| budget.plan(i)).collect()
    }

    #[test]
    fn a_wide_path_gives_every_camera_all_it_wants() {
        assert!(settled(&four(), 20e6).iter().all(|p| p.bitrate_bps == 4_000_000));
    }

    #[test]
    fn the_front_camera_keeps_size_and_rate_when_the_others_have_to_shrink() {
        let plans = settled(&four(), 3e6);
        assert_eq!((plans[0].width, plans[0].fps), (1280, 30.0));
        assert_eq!(plans[0].bitrate_bps / plans[3].bitrate_bps, 4);
        assert!(plans[3].fps < 30.0);
    }

    #[test]
    fn what_a_camera_does_not_need_goes_to_the_others() {
        let mut needs = four();
        needs[0].max_bps = 500e3;
        let plans = settled(&needs, 4e6);
        assert_eq!(plans[0].bitrate_bps, 500_000);
        assert!(plans[1].bitrate_bps > 1_050_000);
        let total: u32 = plans.iter().map(|p| p.bitrate_bps).sum();
        assert!(total <= 3_760_000, "{total}");
    }

    #[test]
    fn minima_are_kept_as_long_as_they_fit_and_shrink_together_below() {
        let plans = settled(&four(), 350e3);
        assert!(plans.iter().all(|p| p.bitrate_bps >= 60_000 - 1));
        let plans = settled(&four(), 150e3);
        assert!(plans[0].bitrate_bps >= 59_999 && plans[1].bitrate_bps > 10_000);
        assert!(plans.iter().map(|p| p.bitrate_bps).sum::<u32>() <= 141_000);
    }

    #[test]
    fn repairs_never_take_more_than_half_and_nonsense_does_not_panic() {
        let mut budget = Budget::new(&[need(1.0)]);
        let repairs = |repair_bps| Overhead { repair_bps, ..Overhead::default() };
        budget.update(0, Some(2e6), repairs(50e6));
        assert!(budget.plan(0).unwrap().bitrate_bps > 900_000);
        budget.update(1, Some(f64::NAN), repairs(f64::NAN));
        budget.update(2, None, Overhead::default());
        assert_eq!(budget.plan(0).unwrap().bitrate_bps, 4_000_000);
        assert_eq!(budget.plan(9), None);
        Budget::new(&[]).update(0, Some(1e6), Overhead::default());
    }
}
