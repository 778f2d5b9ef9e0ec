//! What the cameras are asked for: which picture to refer to, at which rate and size.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use video::{Reference, VideoSpec};

/// What a camera's thread should do with its next picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraOrder {
    /// What the picture may refer to.
    pub reference: Reference,
    /// Capture time up to which every seat has decoded everything, for
    /// [`VideoEncoder::acknowledge`](video::VideoEncoder::acknowledge); 0 for nothing.
    pub acknowledged_us: u64,
    /// The path is behind: this picture would only wait. Leave it out before it is encoded.
    pub skip: bool,
}

/// Between two keyframes that a driving seat or a new one needs, microseconds.
const KEYFRAME_EVERY_US: u64 = 200_000;
/// The same for those who only watch: their bad path must not cost the driver's good one.
const WATCHER_KEYFRAME_EVERY_US: u64 = 2_000_000;
/// On top of a round trip: after that long an order that brought nothing is given again, microseconds.
const REPEAT_SLACK_US: u64 = 60_000;

#[derive(Debug, Clone, Copy, Default)]
struct View {
    decoded_us: u64,
    lost: bool,
}

#[derive(Debug, Default)]
struct Watcher {
    watch_only: bool,
    /// Tells what it decodes.
    acknowledges: bool,
    views: Vec<View>,
}

#[derive(Debug, Clone, Copy, Default)]
struct CameraDemand {
    keyframe: bool,
    keyframe_for_watcher: bool,
    keyframe_ordered_us: Option<u64>,
    recovery_ordered_us: Option<u64>,
    /// Pictures waiting to leave, microseconds.
    backlog_us: u64,
}

#[derive(Debug, Default)]
struct Inner {
    watchers: BTreeMap<String, Watcher>,
    demands: Vec<CameraDemand>,
}

/// All cameras of a vehicle; locked for moments only.
#[derive(Debug)]
pub(crate) struct Cameras {
    specs: Vec<VideoSpec>,
    inner: Mutex<Inner>,
}

impl Cameras {
    pub(crate) fn new(specs: Vec<VideoSpec>) -> Self {
        let demands = vec![CameraDemand::default(); specs.len()];
        Self { specs, inner: Mutex::new(Inner { watchers: BTreeMap::new(), demands }) }
    }

    pub(crate) fn specs(&self) -> &[VideoSpec] {
        &self.specs
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session can receive pictures from now on, and needs keyframes to begin with.
    pub(crate) fn add(&self, session: &str, watch_only: bool, acknowledges: bool) {
        let views = vec![View::default(); self.specs.len()];
        let mut inner = self.lock();
        inner.watchers.insert(session.to_owned(), Watcher { watch_only, acknowledges, views });
        inner.demands.iter_mut().for_each(|demand| demand.keyframe = true);
    }

    pub(crate) fn forget(&self, session: &str) {
        self.lock().watchers.remove(session);
    }

    /// A session cannot go on without a keyframe.
    pub(crate) fn want_keyframe(&self, session: &str, camera: usize) {
        let mut inner = self.lock();
        let watch_only = inner.watchers.get(session).is_some_and(|w| w.watch_only);
        if let Some(demand) = inner.demands.get_mut(camera) {
            if watch_only {
                demand.keyframe_for_watcher = true;
            } else {
                demand.keyframe = true;
            }
        }
    }

    /// What a session has decoded of a camera, and whether it can decode what follows.
    pub(crate) fn feedback(&self, session: &str, camera: usize, decoded_us: u64, lost: bool) {
        if let Some(view) = self.lock().watchers.get_mut(session).and_then(|w| w.views.get_mut(camera)) {
            // Datagrams may overtake each other.
            if decoded_us >= view.decoded_us {
                *view = View { decoded_us, lost };
            }
        }
    }

    /// How much of a camera's video waits on the path that counts.
    pub(crate) fn set_backlog(&self, camera: usize, backlog_us: u64) {
        if let Some(demand) = self.lock().demands.get_mut(camera) {
            demand.backlog_us = backlog_us;
        }
    }

    /// The order for the picture that `camera` is about to encode; `round_trip_us` is the worst of the seats'.
    pub(crate) fn order(&self, camera: usize, now_us: u64, round_trip_us: u64) -> CameraOrder {
        let mut inner = self.lock();
        let Inner { watchers, demands } = &mut *inner;
        let views = || watchers.values().filter(|w| w.acknowledges).filter_map(|w| w.views.get(camera));
        let acknowledged_us = views().map(|v| v.decoded_us).min().unwrap_or(0);
        let lost = views().any(|v| v.lost);
        let frame_us = self.specs.get(camera).map_or(33_333.0, |spec| 1e6 / spec.fps.max(1.0));
        let Some(demand) = demands.get_mut(camera) else {
            return CameraOrder { reference: Reference::Previous, acknowledged_us: 0, skip: true };
        };
        let past = |at: Option<u64>, wait: u64| at.is_none_or(|at| now_us >= at + wait);
        let skip = demand.backlog_us as f64 > 1.5 * frame_us;
        let keyframe = demand.keyframe && past(demand.keyframe_ordered_us, KEYFRAME_EVERY_US)
            || demand.keyframe_for_watcher && past(demand.keyframe_ordered_us, WATCHER_KEYFRAME_EVERY_US);
        let recovery = lost && past(demand.recovery_ordered_us, round_trip_us + REPEAT_SLACK_US);
        let reference = match () {
            () if skip => Reference::Previous,
            () if keyframe || (recovery && acknowledged_us == 0) => {
                *demand = CameraDemand {
                    keyframe_ordered_us: Some(now_us),
                    recovery_ordered_us: Some(now_us),
                    backlog_us: demand.backlog_us,
                    ..CameraDemand::default()
                };
                Reference::Keyframe
            }
            () if recovery => {
                demand.recovery_ordered_us = Some(now_us);
                Reference::Acknowledged
            }
            () => Reference::Previous,
        };
        CameraOrder { reference, acknowledged_us, skip }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: VideoSpec = VideoSpec { width: 1280, height: 720, fps: 30.0 };

    fn reference(cameras: &Cameras, now_us: u64) -> Reference {
        cameras.order(0, now_us, 30_000).reference
    }

    #[test]
    fn a_new_seat_gets_one_keyframe() {
        let cameras = Cameras::new(vec![SPEC]);
        assert_eq!(reference(&cameras, 0), Reference::Previous);
        cameras.add("s", false, true);
        assert_eq!(reference(&cameras, 1), Reference::Keyframe);
        assert_eq!(reference(&cameras, 33_000), Reference::Previous);
    }

    #[test]
    fn a_loss_is_repaired_from_what_every_seat_has_and_not_asked_for_twice_in_a_round_trip() {
        let cameras = Cameras::new(vec![SPEC]);
        cameras.add("a", false, true);
        cameras.add("b", true, true);
        assert_eq!(reference(&cameras, 0), Reference::Keyframe);
        cameras.feedback("a", 0, 900_000, true);
        cameras.feedback("b", 0, 800_000, false);
        let order = cameras.order(0, 1_000_000, 30_000);
        assert_eq!((order.reference, order.acknowledged_us), (Reference::Acknowledged, 800_000));
        assert_eq!(reference(&cameras, 1_033_000), Reference::Previous);
        assert_eq!(reference(&cameras, 1_100_000), Reference::Acknowledged);
        cameras.feedback("a", 0, 1_050_000, false);
        assert_eq!(reference(&cameras, 1_300_000), Reference::Previous);
    }

    #[test]
    fn a_loss_before_anything_was_decoded_needs_a_keyframe() {
        let cameras = Cameras::new(vec![SPEC]);
        cameras.add("a", false, true);
        assert_eq!(reference(&cameras, 0), Reference::Keyframe);
        cameras.feedback("a", 0, 0, true);
        assert_eq!(reference(&cameras, 500_000), Reference::Keyframe);
    }

    #[test]
    fn a_watcher_on_a_bad_path_costs_a_keyframe_every_two_seconds_at_most() {
        let cameras = Cameras::new(vec![SPEC]);
        cameras.add("browser", true, false);
        assert_eq!(reference(&cameras, 0), Reference::Keyframe);
        let mut keyframes = 0;
        for frame in 1..300u64 {
            cameras.want_keyframe("browser", 0);
            keyframes += u32::from(reference(&cameras, frame * 33_333) == Reference::Keyframe);
        }
        assert_eq!(keyframes, 4);
    }

    #[test]
    fn pictures_are_left_out_while_the_path_is_behind_and_no_order_is_lost_by_it() {
        let cameras = Cameras::new(vec![SPEC]);
        cameras.add("a", false, true);
        cameras.set_backlog(0, 80_000);
        assert!(cameras.order(0, 0, 0).skip);
        cameras.set_backlog(0, 10_000);
        assert_eq!(reference(&cameras, 33_000), Reference::Keyframe);
    }
}
