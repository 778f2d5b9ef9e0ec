//! The small slots through which the window and the seat's thread see each other. Each holds the latest value only, so
//! neither side ever waits for the other's pace.

use crate::input::{Action, Keyboard};
use crate::seat::SeatView;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use video::DecodedPicture;

/// A click that waited longer than this for the seat's thread is not acted on; an emergency stop always is.
const CLICK_STALE: Duration = Duration::from_millis(500);

/// A picture handed to the screen.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// The vehicle's clock at capture, microseconds; 0 when unknown.
    pub capture_us: u64,
    /// The seat's clock when decoding ended, microseconds.
    pub decoded_us: u64,
    /// When it was handed over.
    pub at: Instant,
}

type Waker = Box<dyn Fn() + Send + Sync>;

/// The slots.
pub struct Shared {
    view: Mutex<Arc<SeatView>>,
    picture: Mutex<Option<DecodedPicture>>,
    keyboard: Mutex<(Keyboard, Instant)>,
    clicks: Mutex<Vec<(Action, Instant)>>,
    reset_click: AtomicBool,
    shown: Mutex<Option<Shown>>,
    waker: OnceLock<Waker>,
    stop: AtomicBool,
}

/// A poisoned slot still holds a whole value: every critical section is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Empty slots for the seat `seat_id`.
    #[must_use]
    pub fn new(seat_id: &str) -> Self {
        Self {
            view: Mutex::new(Arc::new(SeatView::empty(seat_id))),
            picture: Mutex::new(None),
            keyboard: Mutex::new((Keyboard::default(), Instant::now())),
            clicks: Mutex::new(Vec::new()),
            reset_click: AtomicBool::new(false),
            shown: Mutex::new(None),
            waker: OnceLock::new(),
            stop: AtomicBool::new(false),
        }
    }

    /// The latest view.
    #[must_use]
    pub fn view(&self) -> Arc<SeatView> {
        lock(&self.view).clone()
    }

    pub(crate) fn publish(&self, view: SeatView) {
        *lock(&self.view) = Arc::new(view);
    }

    /// Takes the newest picture that was not taken yet.
    #[must_use]
    pub fn take_picture(&self) -> Option<DecodedPicture> {
        lock(&self.picture).take()
    }

    pub(crate) fn put_picture(&self, picture: DecodedPicture) {
        *lock(&self.picture) = Some(picture);
        if let Some(wake) = self.waker.get() {
            wake();
        }
    }

    /// Sets what wakes the window when a picture arrives; the first call counts.
    pub fn set_waker(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _already_set = self.waker.set(Box::new(wake));
    }

    /// Tells what the keyboard holds now.
    pub fn set_keyboard(&self, keyboard: Keyboard) {
        *lock(&self.keyboard) = (keyboard, Instant::now());
    }

    pub(crate) fn keyboard(&self) -> (Keyboard, Duration) {
        let (keyboard, at) = *lock(&self.keyboard);
        (keyboard, at.elapsed())
    }

    /// A button on the screen was pressed.
    pub fn click(&self, action: Action) {
        lock(&self.clicks).push((action, Instant::now()));
    }

    pub(crate) fn take_clicks(&self) -> Vec<Action> {
        let clicks = std::mem::take(&mut *lock(&self.clicks));
        let fresh = |(action, at): &(Action, Instant)| *action == Action::Estop || at.elapsed() <= CLICK_STALE;
        clicks.iter().filter(|c| fresh(c)).map(|(action, _)| *action).collect()
    }

    /// The reset button on the screen is held down, or not.
    pub fn set_reset_held(&self, held: bool) {
        self.reset_click.store(held, Ordering::Relaxed);
    }

    pub(crate) fn reset_held(&self) -> bool {
        self.reset_click.load(Ordering::Relaxed)
    }

    /// A picture was handed to the screen.
    pub fn mark_shown(&self, capture_us: u64, decoded_us: u64) {
        *lock(&self.shown) = Some(Shown { capture_us, decoded_us, at: Instant::now() });
    }

    pub(crate) fn take_shown(&self) -> Option<Shown> {
        lock(&self.shown).take()
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_picture_is_kept() {
        let shared = Shared::new("desk");
        for sequence in 0..3 {
            shared.put_picture(DecodedPicture { sequence, ..Default::default() });
        }
        assert_eq!(shared.take_picture().map(|p| p.sequence), Some(2));
        assert!(shared.take_picture().is_none());
    }

    #[test]
    fn clicks_arrive_once() {
        let shared = Shared::new("desk");
        shared.click(Action::HandBack);
        shared.click(Action::Estop);
        assert_eq!(shared.take_clicks(), [Action::HandBack, Action::Estop]);
        assert!(shared.take_clicks().is_empty());
    }
}
