//! MCAP files of rosbag2: CDR messages with `ros2msg` schemas, taken over as they are.
//!
//! Every reader of MCAP that knows ROS 2 opens the episode; nothing is converted.

use super::output::{Kind, Output, Stamp};
use super::{ExchangeError, Progress};
use crate::records::{Channels, Scanner, open_chunk, parse};
use crate::{EpisodeInfo, RecorderError, Source};
use bytes::Bytes;
use mcap::records::{MessageHeader, Record, op};
use protocol::{EpisodeId, PolicyVersion, VehicleId, api};
use std::path::Path;

/// Reads the file from its beginning, chunk by chunk, and writes it as episode `id` into `dir`.
///
/// # Errors
/// Naming the file and the place of the record that cannot be used.
pub fn import(
    path: &Path,
    id: EpisodeId,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<api::Episode, ExchangeError> {
    let bytes = std::fs::metadata(path).map_err(ExchangeError::io("look at", path))?.len();
    let mut scanner = Scanner::open(path)?;
    let bad = |error: protocol::IdError| ExchangeError::Asked(error.to_string());
    let (vehicle, policy) = (VehicleId::new("rosbag2").map_err(bad)?, PolicyVersion::new("unknown").map_err(bad)?);
    let mut info = EpisodeInfo::new(id, vehicle, policy);
    info.source = Source::Virtual;
    info.reason = "imported from rosbag2".to_owned();
    let mut output = Output::create(dir, &info)?;
    output.describe(&info, "as in the bag, nanoseconds")?;
    let (mut channels, mut body) = (Channels::default(), Vec::new());
    loop {
        let at = scanner.position();
        let Some(opcode) = scanner.next(&mut body)? else { break };
        if opcode == op::DATA_END {
            break;
        }
        let mut messages: Vec<(MessageHeader, Bytes)> = Vec::new();
        let mut learn = |record: Record<'_>| match record {
            Record::Message { header, data } => {
                messages.push((header, Bytes::copy_from_slice(&data)));
                Ok(())
            }
            other => channels.learn(&other),
        };
        let read =
            if opcode == op::CHUNK { open_chunk(&body, learn) } else { parse(opcode, &body).and_then(&mut learn) };
        read.map_err(|problem| RecorderError::damaged(path, at, problem))?;
        for (header, data) in messages {
            let channel = channels.get(header.channel_id).ok_or_else(|| {
                RecorderError::damaged(path, at, format!("a message names channel {}", header.channel_id))
            })?;
            let kind = Kind {
                topic: &channel.topic,
                schema: &channel.schema,
                schema_encoding: &channel.schema_encoding,
                schema_data: &channel.schema_data,
                message_encoding: &channel.message_encoding,
            };
            let stamp = Stamp { sequence: header.sequence, log_ns: header.log_time, publish_ns: header.publish_time };
            output.raw(&kind, stamp, &data)?;
        }
        progress(scanner.position(), bytes);
    }
    output.finish(info)
}
