//! Showing an episode as if it were driven now.

use super::{ChannelKind, LiveView, TIME_STEP_NS};
use crate::exchange::ExchangeError;
use crate::{EpisodeMessage, EpisodeReader};
use std::time::Duration;
use tokio::time::Instant;

fn kind(message: &EpisodeMessage) -> ChannelKind<'_> {
    let channel = message.channel();
    ChannelKind {
        topic: &channel.topic,
        schema: &channel.schema,
        schema_encoding: &channel.schema_encoding,
        schema_data: &channel.schema_data,
        encoding: &channel.message_encoding,
    }
}

/// Shows the messages of `source` at the pace of their log times, `speed` times faster; again and again with `again`,
/// and not before somebody looks with `wait`.
///
/// # Errors
/// Those of reading the episode.
pub async fn replay(
    source: &EpisodeReader,
    view: &LiveView,
    speed: f64,
    again: bool,
    wait: bool,
) -> Result<(), ExchangeError> {
    for name in source.topics() {
        if let Some(first) = source.select(Some([name.topic.as_str()]), ..).next() {
            view.advertise(&kind(&first?));
        }
    }
    if wait {
        view.viewer_comes().await;
    }
    loop {
        let (begin, mut told) = (Instant::now(), 0);
        for message in source.messages() {
            let message = message?;
            let after_ns = message.log_time_ns.saturating_sub(source.info().start_ns);
            let due = begin + Duration::from_secs_f64(after_ns as f64 * 1e-9 / speed);
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            if message.log_time_ns.saturating_sub(told) >= TIME_STEP_NS {
                told = message.log_time_ns;
                view.publish_time(told);
            }
            view.publish_as(&kind(&message), message.log_time_ns, &message.data);
        }
        // An empty episode must not keep the thread to itself.
        tokio::task::yield_now().await;
        if !again || source.message_count() == 0 {
            return Ok(());
        }
    }
}
