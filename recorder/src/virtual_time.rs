//! Writing an episode that is there as a whole.

use crate::{EpisodeFile, RecorderError};
use protocol::{Attachment, EpisodeInfo, Message, api};
use std::path::Path;

/// Writes an episode from messages sorted by log time. The same input gives the same bytes, so that a drive repeated
/// after a crash replaces its file by an equal one.
///
/// # Errors
/// [`RecorderError::OutOfOrder`] for messages that are not sorted, and those of [`EpisodeFile`].
pub fn write_episode(
    dir: &Path,
    info: &EpisodeInfo,
    messages: impl IntoIterator<Item = Message>,
) -> Result<api::Episode, RecorderError> {
    write_episode_with(dir, info, &[], messages)
}

/// As [`write_episode`], with attachments such as the map and the scenario.
///
/// # Errors
/// As [`write_episode`].
pub fn write_episode_with(
    dir: &Path,
    info: &EpisodeInfo,
    attachments: &[Attachment],
    messages: impl IntoIterator<Item = Message>,
) -> Result<api::Episode, RecorderError> {
    let mut file = EpisodeFile::replace(dir, info)?;
    for attachment in attachments {
        file.attach(info.start_ns, attachment)?;
    }
    let mut previous_ns = 0;
    for message in messages {
        if message.log_time_ns < previous_ns {
            let (topic, log_time_ns) = (message.topic.name, message.log_time_ns);
            return Err(RecorderError::OutOfOrder { topic, log_time_ns, previous_ns });
        }
        previous_ns = message.log_time_ns;
        file.write(&message)?;
    }
    file.finish(info)
}
