//! What waits for one viewer, bounded in bytes.

use super::protocol;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message;

/// Most that waits for a viewer: some seconds of four cameras.
const MAX_BYTES: usize = 16 << 20;

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Default)]
struct Waiting {
    /// With whether it may be left out.
    messages: VecDeque<(Message, bool)>,
    bytes: usize,
    dropped: u64,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what the viewer must get.
    pub fn push(&self, message: Message) {
        let mut waiting = self.waiting();
        waiting.bytes += message.len();
        waiting.messages.push_back((message, false));
        drop(waiting);
        self.told.notify_one();
    }

    /// Adds data; the oldest data is dropped when too much waits.
    pub fn offer(&self, message: Message) {
        let mut waiting = self.waiting();
        waiting.bytes += message.len();
        waiting.messages.push_back((message, true));
        while waiting.bytes > MAX_BYTES {
            let Some(oldest) = waiting.messages.iter().position(|(_, data)| *data) else { break };
            if let Some((message, _)) = waiting.messages.remove(oldest) {
                waiting.bytes -= message.len();
                waiting.dropped += 1;
            }
        }
        drop(waiting);
        self.told.notify_one();
    }

    /// The next message; a loss is told first.
    pub async fn next(&self) -> Message {
        loop {
            let told = self.told.notified();
            {
                let mut waiting = self.waiting();
                let dropped = std::mem::take(&mut waiting.dropped);
                if dropped > 0 {
                    return protocol::warning(&format!("this viewer is too slow: {dropped} messages were left out"));
                }
                if let Some((message, _)) = waiting.messages.pop_front() {
                    waiting.bytes -= message.len();
                    return message;
                }
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_viewer_loses_its_oldest_data_and_is_told() {
        let queue = Queue::default();
        queue.push(Message::text("must"));
        for n in 0..40_u8 {
            queue.offer(Message::binary(vec![n; 1 << 20]));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let told = runtime.block_on(queue.next()).into_text().unwrap();
        assert!(told.contains("25 messages"), "{told}");
        assert_eq!(runtime.block_on(queue.next()), Message::text("must"));
        let first = runtime.block_on(queue.next()).into_data();
        assert_eq!(first[0], 25);
    }
}
