//! A queue of messages and commands whose messages are bounded by bytes. Pushing never waits: when there is no room,
//! the oldest messages of the lowest priority ([`protocol::topics::priority`]) go first, and what goes is counted by
//! topic.

use protocol::topics::{self, Priority};
use protocol::{Message, Topic};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Lost messages of one topic: how many, and the log time of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    pub topic: &'static Topic,
    pub count: u64,
    pub log_time_ns: u64,
}

/// Losses by topic; all of them lie before the next message of their topic.
pub(crate) type Losses = BTreeMap<&'static str, Loss>;

/// A queue that grows by blocks: no push ever copies what is in it.
struct Line<T>(VecDeque<VecDeque<(u64, T)>>);

const BLOCK: usize = 256;

impl<T> Line<T> {
    fn push(&mut self, order: u64, item: T) {
        match self.0.back_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => block.push_back((order, item)),
            None => {
                let mut block = VecDeque::with_capacity(BLOCK);
                block.push_back((order, item));
                self.0.push_back(block);
            }
        }
    }

    fn first(&self) -> Option<u64> {
        self.0.front()?.front().map(|(order, _)| *order)
    }

    fn pop(&mut self) -> Option<T> {
        let block = self.0.front_mut()?;
        let item = block.pop_front();
        if block.is_empty() {
            self.0.pop_front();
        }
        item.map(|(_, item)| item)
    }
}

struct Inner<C> {
    lines: [Line<Message>; Priority::ALL.len()],
    commands: Line<C>,
    order: u64,
    losses: Losses,
    senders: usize,
    receiver: bool,
    waiting: bool,
}

struct Shared<C> {
    max_bytes: usize,
    bytes: AtomicUsize,
    inner: Mutex<Inner<C>>,
    ready: Condvar,
}

impl<C> Shared<C> {
    fn lock(&self) -> MutexGuard<'_, Inner<C>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes out.
pub(crate) enum Next<C> {
    Message(Message),
    Command(C),
    Nothing,
    Closed,
}

pub(crate) struct QueueSender<C>(Arc<Shared<C>>);

impl<C> Clone for QueueSender<C> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<C> Drop for QueueSender<C> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.ready.notify_one();
    }
}

pub(crate) struct QueueReceiver<C>(Arc<Shared<C>>);

impl<C> Drop for QueueReceiver<C> {
    fn drop(&mut self) {
        self.0.lock().receiver = false;
    }
}

/// A queue for up to `max_bytes` of messages ([`Message::cost_bytes`]); commands always fit.
pub(crate) fn queue<C>(max_bytes: usize) -> (QueueSender<C>, QueueReceiver<C>) {
    let inner = Inner {
        lines: Priority::ALL.map(|_| Line(VecDeque::new())),
        commands: Line(VecDeque::new()),
        order: 0,
        losses: BTreeMap::new(),
        senders: 1,
        receiver: true,
        waiting: false,
    };
    let (bytes, ready) = (AtomicUsize::new(0), Condvar::new());
    let shared = Arc::new(Shared { max_bytes, bytes, inner: Mutex::new(inner), ready });
    (QueueSender(Arc::clone(&shared)), QueueReceiver(shared))
}

impl<C> Inner<C> {
    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    fn lose(&mut self, topic: &'static Topic, log_time_ns: u64) {
        let loss = self.losses.entry(topic.name).or_insert(Loss { topic, count: 0, log_time_ns });
        loss.count += 1;
        loss.log_time_ns = log_time_ns;
    }

    /// The line whose front came first; `None` for the commands'.
    fn first(&self) -> Option<Option<usize>> {
        let lines = self.lines.iter().enumerate().filter_map(|(i, line)| Some((line.first()?, Some(i))));
        let command = self.commands.first().map(|order| (order, None));
        lines.chain(command).min().map(|(_, line)| line)
    }
}

impl<C> QueueSender<C> {
    /// Returns whether the message got in.
    pub(crate) fn push(&self, message: Message) -> bool {
        let priority = topics::priority(message.topic);
        let cost = message.cost_bytes();
        let shared = &self.0;
        // What is dropped is given back after the lock.
        let mut dropped = Vec::new();
        let mut inner = shared.lock();
        let mut bytes = shared.bytes.load(Ordering::Relaxed);
        let mut level = 0;
        while bytes.saturating_add(cost) > shared.max_bytes && level <= priority as usize && cost <= shared.max_bytes {
            let Some(oldest) = inner.lines[level].pop() else {
                level += 1;
                continue;
            };
            bytes -= oldest.cost_bytes();
            inner.lose(oldest.topic, oldest.log_time_ns);
            dropped.push(oldest);
        }
        let fits = inner.receiver && bytes.saturating_add(cost) <= shared.max_bytes;
        if fits {
            let order = inner.next_order();
            bytes += cost;
            inner.lines[priority as usize].push(order, message);
        } else {
            inner.lose(message.topic, message.log_time_ns);
            dropped.push(message);
        }
        shared.bytes.store(bytes, Ordering::Relaxed);
        let wake = inner.waiting;
        drop(inner);
        if wake {
            shared.ready.notify_one();
        }
        fits
    }

    /// Counts a message whose priority is too low to queue it.
    pub(crate) fn lose(&self, topic: &'static Topic, log_time_ns: u64) {
        self.0.lock().lose(topic, log_time_ns);
    }

    /// Returns whether anybody will get it.
    pub(crate) fn command(&self, command: C) -> bool {
        let mut inner = self.0.lock();
        let order = inner.next_order();
        inner.commands.push(order, command);
        let alive = inner.receiver;
        drop(inner);
        self.0.ready.notify_one();
        alive
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn max_bytes(&self) -> usize {
        self.0.max_bytes
    }
}

impl<C> QueueReceiver<C> {
    /// The next thing, waited for at most `wait`, and what was lost before it.
    pub(crate) fn next(&self, wait: Duration) -> (Losses, Next<C>) {
        let shared = &self.0;
        let mut inner = shared.lock();
        if inner.first().is_none() && inner.senders > 0 && !wait.is_zero() {
            inner.waiting = true;
            let idle = |inner: &mut Inner<C>| inner.first().is_none() && inner.senders > 0;
            inner = shared.ready.wait_timeout_while(inner, wait, idle).unwrap_or_else(PoisonError::into_inner).0;
            inner.waiting = false;
        }
        let next = match inner.first() {
            Some(Some(line)) => inner.lines[line].pop().map(Next::Message),
            Some(None) => inner.commands.pop().map(Next::Command),
            None if inner.senders == 0 => Some(Next::Closed),
            None => None,
        };
        if let Some(Next::Message(message)) = &next {
            let bytes = shared.bytes.load(Ordering::Relaxed);
            shared.bytes.store(bytes - message.cost_bytes(), Ordering::Relaxed);
        }
        (std::mem::take(&mut inner.losses), next.unwrap_or(Next::Nothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(topic: &'static Topic, n: u64) -> Message {
        let data = Bytes::from(vec![0; 1000]);
        Message { topic, sequence: 0, log_time_ns: n, publish_time_ns: 0, data, keyframe: false }
    }

    fn scan(n: u64) -> Message {
        message(&topics::SCAN, n)
    }

    fn drain(receiver: &QueueReceiver<&str>) -> (Vec<String>, Vec<(&'static str, u64, u64)>) {
        let (mut got, mut lost) = (Vec::new(), Vec::new());
        loop {
            let (losses, next) = receiver.next(Duration::ZERO);
            lost.extend(losses.into_values().map(|loss| (loss.topic.name, loss.count, loss.log_time_ns)));
            match next {
                Next::Message(m) => got.push(format!("{} {}", m.topic.name, m.log_time_ns)),
                Next::Command(c) => got.push(c.to_owned()),
                Next::Nothing | Next::Closed => return (got, lost),
            }
        }
    }

    #[test]
    fn among_equals_the_oldest_goes_and_room_comes_back() {
        let cost = scan(0).cost_bytes();
        let (sender, receiver) = queue::<&str>(3 * cost);
        assert!((0..5).all(|n| sender.push(scan(n))));
        assert!(sender.command("always fits"));
        assert_eq!(sender.bytes(), 3 * cost);
        let (got, lost) = drain(&receiver);
        assert_eq!(got, ["/scan 2", "/scan 3", "/scan 4", "always fits"]);
        assert_eq!(lost, [("/scan", 2, 1)]);
        assert_eq!(sender.bytes(), 0);
    }

    #[test]
    fn the_lowest_priority_is_evicted_first_and_never_a_higher_one() {
        let cost = scan(0).cost_bytes();
        let (sender, receiver) = queue::<&str>(4 * cost);
        for (n, topic) in
            (0..).zip([&topics::VEHICLE_STATE, &topics::CAMERA_FRONT, &topics::CAMERA_REAR, &topics::SCAN])
        {
            assert!(sender.push(message(topic, n)));
        }
        assert!(sender.push(message(&topics::VEHICLE_STATE, 4)), "the rear camera gives way");
        assert!(!sender.push(message(&topics::CAMERA_LEFT, 5)), "there is nothing of lower priority");
        assert!(sender.push(message(&topics::CAMERA_FRONT, 6)), "the scan gives way");
        assert!(sender.push(message(&topics::CONTROL_COMMAND, 7)), "the older picture gives way");
        let (got, lost) = drain(&receiver);
        assert_eq!(got, ["/vehicle/state 0", "/vehicle/state 4", "/camera/front 6", "/control/command 7"]);
        let expected = [("/camera/front", 1, 1), ("/camera/left", 1, 5), ("/camera/rear", 1, 2), ("/scan", 1, 3)];
        assert_eq!(lost, expected);
    }

    #[test]
    fn a_message_larger_than_the_queue_drives_nothing_else_out() {
        let (sender, receiver) = queue::<&str>(3 * scan(0).cost_bytes());
        assert!(sender.push(scan(0)));
        let huge = Message { data: Bytes::from(vec![0; 10_000]), ..message(&topics::VEHICLE_STATE, 1) };
        assert!(!sender.push(huge));
        assert_eq!(drain(&receiver).0, ["/scan 0"]);
    }

    #[test]
    fn a_dead_receiver_counts_as_loss_and_blocks_nobody() {
        let (sender, receiver) = queue::<()>(usize::MAX);
        drop(receiver);
        assert!(!sender.push(scan(0)));
        assert!(!sender.command(()));
        assert_eq!(sender.bytes(), 0);
    }

    #[test]
    fn nobody_left_to_send_ends_the_queue_after_what_is_in_it() {
        let (sender, receiver) = queue::<()>(usize::MAX);
        let other = sender.clone();
        drop(sender);
        assert!(matches!(receiver.next(Duration::ZERO).1, Next::Nothing));
        other.push(scan(0));
        drop(other);
        assert!(matches!(receiver.next(Duration::from_secs(60)).1, Next::Message(_)));
        assert!(matches!(receiver.next(Duration::from_secs(60)).1, Next::Closed));
    }
}
