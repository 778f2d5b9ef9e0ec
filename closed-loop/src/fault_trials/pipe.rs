//! One direction of a trial's link: a delay, and a valve.

use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Pipe<T> {
    delay_us: u64,
    waiting: VecDeque<(u64, T)>,
    /// Messages sent from then on until the second time are held back and come all at once at the second.
    held: Option<(u64, u64)>,
    cut: bool,
}

impl<T> Pipe<T> {
    pub(super) fn new(delay_us: u64) -> Self {
        Self { delay_us, waiting: VecDeque::new(), held: None, cut: false }
    }

    pub(super) fn cut(&mut self) {
        self.cut = true;
    }

    pub(super) fn hold(&mut self, from_us: u64, until_us: u64) {
        self.held = Some((from_us, until_us));
    }

    pub(super) fn send(&mut self, now_us: u64, jitter_us: u64, message: T) {
        let held = self.held.filter(|(from, until)| (*from..*until).contains(&now_us)).map(|(_, until)| until);
        if !self.cut {
            let at_us = held.unwrap_or(now_us + self.delay_us + jitter_us);
            let index = self.waiting.partition_point(|(other, _)| *other <= at_us);
            self.waiting.insert(index, (at_us, message));
        }
    }

    /// What has arrived by `now_us`, each with its time of arrival.
    pub(super) fn arrived(&mut self, now_us: u64) -> impl Iterator<Item = (u64, T)> + use<'_, T> {
        let count = self.waiting.partition_point(|(at, _)| *at <= now_us);
        self.waiting.drain(..count)
    }
}
