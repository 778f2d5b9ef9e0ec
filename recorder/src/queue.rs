//! A queue of messages and commands whose messages are bounded by bytes: pushing never waits, and what does not fit is
//! counted by topic.

use crate::Message;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lost messages of one topic: how many, and the log time of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Loss {
    pub count: u64,
    pub log_time_ns: u64,
}

struct Shared {
    max_bytes: usize,
    bytes: AtomicUsize,
    any_loss: AtomicBool,
    losses: Mutex<BTreeMap<&'static str, Loss>>,
}

impl Shared {
    fn losses(&self) -> MutexGuard<'_, BTreeMap<&'static str, Loss>> {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Item<C> {
    Message(Message),
    Command(C),
}

/// What comes out.
pub(crate) enum Next<C> {
    Message(Message),
    Command(C),
    Nothing,
    Closed,
}

pub(crate) struct QueueSender<C> {
    items: Sender<Item<C>>,
    shared: Arc<Shared>,
}

impl<C> Clone for QueueSender<C> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), shared: Arc::clone(&self.shared) }
    }
}

pub(crate) struct QueueReceiver<C> {
    items: Receiver<Item<C>>,
    shared: Arc<Shared>,
}

/// A queue for up to `max_bytes` of messages ([`Message::cost_bytes`]); commands always fit.
pub(crate) fn queue<C>(max_bytes: usize) -> (QueueSender<C>, QueueReceiver<C>) {
    let (sender, receiver) = unbounded();
    let shared = Arc::new(Shared {
        max_bytes,
        bytes: AtomicUsize::new(0),
        any_loss: AtomicBool::new(false),
        losses: Mutex::new(BTreeMap::new()),
    });
    (QueueSender { items: sender, shared: Arc::clone(&shared) }, QueueReceiver { items: receiver, shared })
}

impl<C> QueueSender<C> {
    /// Answers whether the message got in.
    pub(crate) fn push(&self, message: Message) -> bool {
        let cost = message.cost_bytes();
        let before = self.shared.bytes.fetch_add(cost, Ordering::Relaxed);
        let (name, log_time_ns) = (message.topic.name, message.log_time_ns);
        if before.saturating_add(cost) <= self.shared.max_bytes && self.items.send(Item::Message(message)).is_ok() {
            return true;
        }
        self.shared.bytes.fetch_sub(cost, Ordering::Relaxed);
        self.lose(name, log_time_ns);
        false
    }

    /// Counts a message that is not worth queueing.
    pub(crate) fn lose(&self, name: &'static str, log_time_ns: u64) {
        let mut losses = self.shared.losses();
        let loss = losses.entry(name).or_default();
        loss.count += 1;
        loss.log_time_ns = log_time_ns;
        self.shared.any_loss.store(true, Ordering::Release);
    }

    /// Answers whether anybody will get it.
    pub(crate) fn command(&self, command: C) -> bool {
        self.items.send(Item::Command(command)).is_ok()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

impl<C> QueueReceiver<C> {
    pub(crate) fn next(&self, wait: Duration) -> Next<C> {
        match self.items.recv_timeout(wait) {
            Ok(Item::Message(message)) => {
                self.shared.bytes.fetch_sub(message.cost_bytes(), Ordering::Relaxed);
                Next::Message(message)
            }
            Ok(Item::Command(command)) => Next::Command(command),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Closed,
        }
    }

    /// What was lost since the last call.
    pub(crate) fn take_losses(&self) -> BTreeMap<&'static str, Loss> {
        if !self.shared.any_loss.swap(false, Ordering::Acquire) {
            return BTreeMap::new();
        }
        std::mem::take(&mut *self.shared.losses())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics;
    use bytes::Bytes;

    fn message(n: u64) -> Message {
        let data = Bytes::from(vec![0; 1000]);
        Message { topic: &topics::SCAN, sequence: 0, log_time_ns: n, publish_time_ns: 0, data, keyframe: false }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_room_comes_back() {
        let cost = message(0).cost_bytes();
        let (sender, receiver) = queue::<&str>(3 * cost);
        let taken: Vec<bool> = (0..5).map(|n| sender.push(message(n))).collect();
        assert_eq!(taken, [true, true, true, false, false]);
        assert!(sender.command("always fits"));
        assert_eq!(receiver.take_losses()["/scan"], Loss { count: 2, log_time_ns: 4 });
        assert!(receiver.take_losses().is_empty());
        assert!(matches!(receiver.next(Duration::ZERO), Next::Message(m) if m.log_time_ns == 0));
        assert!(sender.push(message(5)));
        assert_eq!(sender.bytes(), 3 * cost);
    }

    #[test]
    fn a_dead_receiver_counts_as_loss_and_blocks_nobody() {
        let (sender, receiver) = queue::<()>(usize::MAX);
        drop(receiver);
        assert!(!sender.push(message(0)));
        assert!(!sender.command(()));
        assert_eq!(sender.bytes(), 0);
    }
}
