//! The messages of `foxglove.sdk.v1`, without a socket.

use super::ChannelKind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Names of the WebSocket subprotocol, the first one preferred: the second is what viewers called the same messages
/// until 2025.
pub(super) const SUBPROTOCOLS: [&str; 2] = ["foxglove.sdk.v1", "foxglove.websocket.v1"];

/// Opcode of a binary message with data: subscription (u32), log time (u64, ns), content; little-endian.
const MESSAGE_DATA: u8 = 1;
/// Opcode of a binary message with the time (u64, ns).
const TIME: u8 = 2;

/// A channel's entry in `advertise`.
pub(super) struct Advertised {
    pub id: u64,
    entry: Value,
}

impl Advertised {
    pub fn new(id: u64, kind: &ChannelKind<'_>) -> Self {
        // Definitions in text go as they are, the others in base64.
        let schema = match kind.schema_encoding {
            "protobuf" | "flatbuffer" => STANDARD.encode(kind.schema_data),
            _ => String::from_utf8_lossy(kind.schema_data).into_owned(),
        };
        let entry = json!({
            "id": id, "topic": kind.topic, "encoding": kind.encoding, "schemaName": kind.schema,
            "schemaEncoding": kind.schema_encoding, "schema": schema,
        });
        Self { id, entry }
    }
}

pub(super) fn server_info(name: &str) -> Message {
    Message::text(json!({"op": "serverInfo", "name": name, "capabilities": ["time"]}).to_string())
}

pub(super) fn advertise<'a>(channels: impl IntoIterator<Item = &'a Advertised>) -> Message {
    let channels: Vec<&Value> = channels.into_iter().map(|channel| &channel.entry).collect();
    Message::text(json!({"op": "advertise", "channels": channels}).to_string())
}

/// A remark that viewers show to people.
pub(super) fn warning(text: &str) -> Message {
    Message::text(json!({"op": "status", "level": 1, "message": text}).to_string())
}

pub(super) fn message_data(subscription: u32, log_time_ns: u64, data: &[u8]) -> Message {
    let mut bytes = Vec::with_capacity(13 + data.len());
    bytes.push(MESSAGE_DATA);
    bytes.extend_from_slice(&subscription.to_le_bytes());
    bytes.extend_from_slice(&log_time_ns.to_le_bytes());
    bytes.extend_from_slice(data);
    Message::binary(bytes)
}

pub(super) fn time(time_ns: u64) -> Message {
    let mut bytes = vec![TIME];
    bytes.extend_from_slice(&time_ns.to_le_bytes());
    Message::binary(bytes)
}

/// What a viewer asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "camelCase")]
pub(super) enum Request {
    Subscribe {
        subscriptions: Vec<Subscription>,
    },
    #[serde(rename_all = "camelCase")]
    Unsubscribe {
        subscription_ids: Vec<u32>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription {
    pub id: u32,
    pub channel_id: u64,
}

/// Reads a viewer's request.
///
/// # Errors
/// Saying what is wrong, for the viewer.
pub(super) fn request(text: &str) -> Result<Request, String> {
    serde_json::from_str(text).map_err(|error| format!("this request is not served: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_carries_its_subscription_and_time_in_little_endian() {
        let bytes = message_data(0x0102_0304, 0x0506, b"xy").into_data();
        assert_eq!(&bytes[..], [1, 4, 3, 2, 1, 6, 5, 0, 0, 0, 0, 0, 0, b'x', b'y']);
    }

    #[test]
    fn requests_are_read_and_nonsense_is_named() {
        let asked = request(r#"{"op":"subscribe","subscriptions":[{"id":1,"channelId":7}]}"#).unwrap();
        assert_eq!(asked, Request::Subscribe { subscriptions: vec![Subscription { id: 1, channel_id: 7 }] });
        let ended = request(r#"{"op":"unsubscribe","subscriptionIds":[1]}"#).unwrap();
        assert_eq!(ended, Request::Unsubscribe { subscription_ids: vec![1] });
        for nonsense in ["", "{}", "[", r#"{"op":"fly"}"#, r#"{"op":"subscribe","subscriptions":[{"id":-1}]}"#] {
            assert!(request(nonsense).is_err(), "{nonsense}");
        }
    }
}
