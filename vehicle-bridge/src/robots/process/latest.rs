//! The newest value of something, handed from one thread to another without either waiting.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::time::Duration;

/// A slot for one value: a newer one takes the place of one that was not taken yet.
#[derive(Debug)]
pub(super) struct Latest<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        let (sender, receiver) = bounded(1);
        Self { sender, receiver }
    }
}

impl<T> Latest<T> {
    /// Puts `value` there.
    pub(super) fn put(&self, value: T) {
        if let Err(TrySendError::Full(value)) = self.sender.try_send(value) {
            let _ = self.receiver.try_recv();
            // Full again only when another thread put one there meanwhile, which is as new.
            let _ = self.sender.try_send(value);
        }
    }

    /// Takes what is there.
    pub(super) fn take(&self) -> Option<T> {
        self.receiver.try_recv().ok()
    }

    /// Takes what is there or comes within `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Option<T> {
        self.receiver.recv_timeout(timeout).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_is_taken_once() {
        let slot = Latest::default();
        assert_eq!(slot.take(), None);
        (1..=3).for_each(|value| slot.put(value));
        assert_eq!((slot.take(), slot.take()), (Some(3), None));
    }
}
