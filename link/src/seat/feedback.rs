//! What the vehicle's encoders need to know: which pictures were decoded, and where decoding cannot go on.

use protocol::v1::PictureFeedback;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, Default)]
struct View {
    decoded_us: u64,
    lost: bool,
}

/// Shared by the cameras' tasks and the one that sends.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    views: Mutex<Vec<View>>,
    /// Woken when the vehicle should know at once.
    pub(super) urgent: Notify,
}

impl Feedback {
    fn with<R>(&self, camera: usize, change: impl FnOnce(&mut View) -> R) -> R {
        let mut views = self.lock();
        if views.len() <= camera {
            views.resize(camera + 1, View::default());
        }
        change(&mut views[camera])
    }

    fn lock(&self) -> MutexGuard<'_, Vec<View>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session: what an earlier one decoded, this decoder has not.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn decoded(&self, camera: usize, capture_us: u64) {
        self.with(camera, |view| view.decoded_us = view.decoded_us.max(capture_us));
    }

    pub(super) fn lost(&self, camera: usize) {
        self.with(camera, |view| view.lost = true);
        self.urgent.notify_one();
    }

    /// A frame that decoding can go on with was received.
    pub(super) fn found(&self, camera: usize) {
        self.with(camera, |view| view.lost = false);
    }

    pub(super) fn any_lost(&self) -> bool {
        self.lock().iter().any(|view| view.lost)
    }

    pub(super) fn message(&self) -> Vec<PictureFeedback> {
        let views = self.lock();
        let feedback = |(camera, view): (usize, &View)| PictureFeedback {
            camera: camera as u32,
            decoded_us: view.decoded_us,
            lost: view.lost,
        };
        views.iter().enumerate().map(feedback).collect()
    }
}
