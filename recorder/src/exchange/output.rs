//! An episode file that takes messages of any schema and encoding.

use super::ExchangeError;
use super::draft::Draft;
use super::report::{Imported, Notes};
use crate::attachments::Attached;
use crate::container::{ChannelSpec, Container};
use crate::file::{EPISODE, EPISODE_BEGUN, IMPORT, file_name, part_path};
use crate::reader::Blocks;
use crate::records::ChannelRecord;
use crate::{EpisodeMessage, EpisodeReader, RecorderError};
use mcap::records::MessageHeader;
use protocol::{EpisodeInfo, api};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A channel as an importer names it.
pub(crate) struct Kind<'a> {
    pub topic: &'a str,
    pub schema: &'a str,
    pub schema_encoding: &'a str,
    pub schema_data: &'a [u8],
    pub message_encoding: &'a str,
}

/// Times and number of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub sequence: u32,
    pub log_ns: u64,
    pub publish_ns: u64,
}

pub(crate) struct Output {
    container: Container,
    target: PathBuf,
    draft: Draft,
    none: BTreeMap<String, String>,
    /// Ids by the address of a source's channel; the channel is kept so that no other one gets its address.
    copied: HashMap<usize, (Arc<ChannelRecord>, u16)>,
    /// Ids of own channels by topic, with the number of the next message.
    own: BTreeMap<String, (u16, u32)>,
    span_ns: Option<(u64, u64)>,
}

impl Output {
    /// Starts `DIR/<id>.mcap`; there must be none yet.
    pub fn create(dir: &Path, info: &EpisodeInfo) -> Result<Self, ExchangeError> {
        std::fs::create_dir_all(dir).map_err(ExchangeError::io("make the folder", dir))?;
        let target = dir.join(file_name(&info.id));
        if target.exists() {
            return Err(RecorderError::Exists { path: target }.into());
        }
        let draft = Draft::new(part_path(dir, &info.id));
        let mut container = Container::create(draft.path(), true, 0)?;
        container.metadata(EPISODE_BEGUN, &info.to_metadata())?;
        Ok(Self {
            container,
            target,
            draft,
            none: BTreeMap::new(),
            copied: HashMap::new(),
            own: BTreeMap::new(),
            span_ns: None,
        })
    }

    pub fn metadata(&mut self, name: &str, entries: &BTreeMap<String, String>) -> Result<(), ExchangeError> {
        Ok(self.container.metadata(name, entries)?)
    }

    /// Takes over another program's metadata. A record that the episode has of its own gets another name, which is
    /// answered.
    pub fn foreign_metadata(
        &mut self,
        name: &str,
        entries: &BTreeMap<String, String>,
    ) -> Result<Option<String>, ExchangeError> {
        if [EPISODE, EPISODE_BEGUN, "clock", "software", IMPORT].contains(&name) {
            let other = format!("source.{name}");
            self.metadata(&other, entries)?;
            return Ok(Some(other));
        }
        self.metadata(name, entries).map(|()| None)
    }

    /// What files of the recorder say of clock and software, for an import.
    pub fn describe(&mut self, info: &EpisodeInfo, clock: &str) -> Result<(), ExchangeError> {
        let times = ["log_time", "publish_time"].map(|key| (key.to_owned(), clock.to_owned()));
        self.metadata("clock", &BTreeMap::from(times))?;
        let software = [("vehicle", info.software.as_str()), ("recorder", env!("CARGO_PKG_VERSION"))];
        self.metadata("software", &software.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
    }

    /// Takes over a source's metadata and attachments but for its description.
    pub fn copy_surroundings(&mut self, source: &EpisodeReader) -> Result<(), ExchangeError> {
        for (name, entries) in source.all_metadata()? {
            if ![EPISODE, EPISODE_BEGUN].contains(&name.as_str()) {
                self.container.metadata(&name, &entries)?;
            }
        }
        let (mut file, attachments) = source.attachments()?;
        for attached in attachments {
            self.attach(&attached?, &mut file)?;
        }
        Ok(())
    }

    /// Takes over an attachment of `source`.
    pub fn attach(&mut self, attached: &Attached, source: &mut Blocks) -> Result<(), ExchangeError> {
        Ok(self.container.attachment_from(attached, source)?)
    }

    /// Takes over a message as it is.
    pub fn copy(&mut self, message: &EpisodeMessage) -> Result<(), ExchangeError> {
        let (sequence, log_ns, publish_ns) = (message.sequence, message.log_time_ns, message.publish_time_ns);
        self.take_over(message.channel(), Stamp { sequence, log_ns, publish_ns }, &message.data)
    }

    /// Writes a message to a channel of another file.
    pub fn take_over(&mut self, channel: &Arc<ChannelRecord>, stamp: Stamp, data: &[u8]) -> Result<(), ExchangeError> {
        let key = Arc::as_ptr(channel) as usize;
        let id = match self.copied.get(&key) {
            Some((_, id)) => *id,
            None => {
                let id = self.container.channel(&channel.spec())?;
                self.copied.insert(key, (Arc::clone(channel), id));
                id
            }
        };
        self.write(id, stamp, data)
    }

    /// Writes a message of a foreign kind, one kind a topic, numbered by its topic.
    pub fn raw(&mut self, kind: &Kind<'_>, at_ns: u64, data: &[u8]) -> Result<(), ExchangeError> {
        let (id, sequence) = self.channel(kind)?;
        self.write(id, Stamp { sequence, log_ns: at_ns, publish_ns: at_ns }, data)
    }

    /// Writes one of our messages, numbered by its topic.
    pub fn proto<T>(&mut self, topic: &str, log_ns: u64, publish_ns: u64, content: &T) -> Result<(), ExchangeError>
    where
        T: prost::Message + prost::Name,
    {
        let data = content.encode_to_vec();
        let known = self.own.contains_key(topic);
        let schema = T::full_name();
        let descriptors =
            if known { Vec::new() } else { protocol::schema::descriptor_set(&schema).unwrap_or_default() };
        let (id, sequence) = self.channel(&Kind {
            topic,
            schema: &schema,
            schema_encoding: "protobuf",
            schema_data: &descriptors,
            message_encoding: "protobuf",
        })?;
        self.write(id, Stamp { sequence, log_ns, publish_ns }, &data)
    }

    fn channel(&mut self, kind: &Kind<'_>) -> Result<(u16, u32), ExchangeError> {
        if let Some((id, next)) = self.own.get_mut(kind.topic) {
            let sequence = *next;
            *next = next.wrapping_add(1);
            return Ok((*id, sequence));
        }
        let id = self.container.channel(&ChannelSpec {
            twin: 0,
            topic: kind.topic,
            schema: kind.schema,
            schema_encoding: kind.schema_encoding,
            schema_data: kind.schema_data,
            message_encoding: kind.message_encoding,
            metadata: &self.none,
        })?;
        self.own.insert(kind.topic.to_owned(), (id, 1));
        Ok((id, 0))
    }

    fn write(&mut self, channel_id: u16, stamp: Stamp, data: &[u8]) -> Result<(), ExchangeError> {
        let Stamp { sequence, log_ns, publish_ns } = stamp;
        let header = MessageHeader { channel_id, sequence, log_time: log_ns, publish_time: publish_ns };
        self.container.message(&header, data)?;
        self.span_ns = Some(self.span_ns.map_or((log_ns, log_ns), |(lo, hi)| (lo.min(log_ns), hi.max(log_ns))));
        Ok(())
    }

    /// First and last log time so far.
    pub fn span_ns(&self) -> Option<(u64, u64)> {
        self.span_ns
    }

    /// Completes the file; its description's start and end are those of its messages.
    pub fn finish(self, mut info: EpisodeInfo) -> Result<api::Episode, ExchangeError> {
        if let Some((first, last)) = self.span_ns {
            (info.start_ns, info.end_ns) = (first, last);
            info.actual_pre_roll_ns = info.takeover_ns.saturating_sub(first);
        }
        self.finish_as(&info)
    }

    /// Completes an import; `format` and `source` say what it was made of, the notes what was left out or changed.
    pub fn finish_import(
        mut self,
        info: EpisodeInfo,
        (format, source): (&str, &Path),
        notes: Notes,
    ) -> Result<Imported, ExchangeError> {
        let notes = notes.into_vec();
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let entries =
            [("format", format.to_owned()), ("source", name), ("notes", serde_json::json!(notes).to_string())];
        self.metadata(IMPORT, &entries.map(|(key, value)| (key.to_owned(), value)).into())?;
        Ok(Imported { episode: self.finish(info)?, notes })
    }

    /// Completes the file with this description.
    pub fn finish_as(mut self, info: &EpisodeInfo) -> Result<api::Episode, ExchangeError> {
        self.container.metadata(EPISODE, &info.to_metadata())?;
        let finished = self.container.finish(&self.target)?;
        drop(self.draft);
        Ok(info.to_api(file_name(&info.id), finished.bytes, finished.sha256))
    }
}
