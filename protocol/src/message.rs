//! A message on its way into a file.

use bytes::Bytes;

/// A topic: its name in the file and the message it carries.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name, such as `/vehicle/state`.
    pub name: &'static str,
    /// Full protobuf name, such as `takeover.v1.VehicleState`.
    pub schema: &'static str,
}

impl Topic {
    /// Whether messages build on earlier ones, so that reading has to start at a keyframe.
    #[must_use]
    pub fn is_video(&self) -> bool {
        self.schema == "foxglove.CompressedVideo"
    }
}

/// One encoded message; clones share the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it belongs.
    pub topic: &'static Topic,
    /// Number within the topic, as its publisher counts.
    pub sequence: u32,
    /// When the recorder got it, nanoseconds. Ring and pre-roll go by this.
    pub log_time_ns: u64,
    /// When its content was true, as its publisher says, nanoseconds.
    pub publish_time_ns: u64,
    /// Protobuf encoding of the topic's schema.
    pub data: Bytes,
    /// For video: decoding can start here.
    pub keyframe: bool,
}

impl Message {
    /// Encodes `content` for `topic`; a [`Message::keyframe`] is set by the caller afterwards.
    #[must_use]
    pub fn encode(
        topic: &'static Topic,
        sequence: u32,
        log_time_ns: u64,
        publish_time_ns: u64,
        content: &impl prost::Message,
    ) -> Self {
        let data = Bytes::from(content.encode_to_vec());
        Self { topic, sequence, log_time_ns, publish_time_ns, data, keyframe: false }
    }

    /// What it costs in memory at most: its data, by how much an allocator rounds that up (an eighth), and its places in
    /// queues that grow by doubling.
    #[must_use]
    pub fn cost_bytes(&self) -> usize {
        self.data.len() + self.data.len() / 8 + 2 * (size_of::<Self>() + size_of::<u64>())
    }
}
