//! Data channels: one for each direction and kind, opened by its sender. The side that accepts a channel would send on
//! it reliably, whatever was asked.

use crate::session::PathKey;
use crate::{COMMAND_CHANNEL, LinkError, STATE_CHANNEL};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::PeerConnection;

/// Datagrams older than this are of no use: the next one says more.
const DATAGRAM_LIFE_MS: u16 = 100;
/// Larger messages than any of ours.
const MAX_MESSAGE: usize = 64 * 1024;

/// What a data channel tells.
pub(crate) enum ChannelEvent {
    Open,
    Closed,
}

/// A message that came in.
pub(crate) struct Incoming {
    pub(crate) label: Arc<str>,
    /// `None` for what is not a binary message of a sane size.
    pub(crate) data: Option<Bytes>,
}

/// The way in for the messages of one path: to the session, which hears all of its paths.
#[derive(Clone)]
pub(crate) struct Inlet {
    pub(crate) path: PathKey,
    pub(crate) to: mpsc::Sender<(PathKey, Incoming)>,
}

impl Inlet {
    /// Waits for room; false when the session is over.
    async fn put(&self, message: Incoming) -> bool {
        self.to.send((self.path, message)).await.is_ok()
    }

    /// Loses the message when there is no room, as a bad path would.
    pub(super) fn try_put(&self, message: Incoming) {
        let _ = self.to.try_send((self.path, message));
    }
}

/// Reliable messages that come before the session is announced; they must be read after it, not before.
#[derive(Default)]
pub(crate) struct Early(Vec<Incoming>);

impl Early {
    /// More than an honest peer sends within the moments between its channels' opening and ours.
    const ROOM: usize = 64;

    /// Keeps a message of a reliable channel; a datagram is superseded by the next one anyway.
    pub(crate) fn keep(&mut self, message: Incoming) {
        if self.0.len() < Self::ROOM && !matches!(&*message.label, STATE_CHANNEL | COMMAND_CHANNEL) {
            self.0.push(message);
        }
    }

    /// What was kept, in order.
    pub(crate) fn take(&mut self) -> Vec<Incoming> {
        std::mem::take(&mut self.0)
    }
}

/// A channel of ours and its life.
pub(crate) struct ChannelEnd {
    pub(crate) channel: Arc<dyn DataChannel>,
    pub(crate) life: mpsc::Receiver<ChannelEvent>,
}

impl ChannelEnd {
    /// Waits until it can send; false when it never will.
    pub(crate) async fn opened(&mut self) -> bool {
        matches!(self.life.recv().await, Some(ChannelEvent::Open))
    }

    /// Whether it can send already; to be asked until it says so.
    pub(crate) fn try_opened(&mut self) -> bool {
        matches!(self.life.try_recv(), Ok(ChannelEvent::Open))
    }

    /// Sends on an unreliable channel; what does not fit is dropped.
    pub(crate) async fn send_datagram(&self, data: &[u8]) -> bool {
        self.channel.try_send(BytesMut::from(data)).await.is_ok()
    }

    /// Sends on a reliable channel, waiting for room.
    pub(crate) async fn send_reliably(&self, data: &[u8]) -> bool {
        self.channel.send(BytesMut::from(data)).await.is_ok()
    }
}

/// Opens a channel of ours: `reliable` is ordered and complete, otherwise messages come when they come or not at all.
pub(crate) async fn open_channel(
    connection: &dyn PeerConnection,
    label: &str,
    reliable: bool,
    inlet: Inlet,
    tasks: &mut JoinSet<()>,
) -> Result<ChannelEnd, LinkError> {
    let init = RTCDataChannelInit {
        ordered: reliable,
        max_packet_life_time: (!reliable).then_some(DATAGRAM_LIFE_MS),
        ..Default::default()
    };
    let channel = connection
        .create_data_channel(label, Some(init))
        .await
        .map_err(|source| LinkError::WebRtc { what: "data channel", source })?;
    let (life_tx, life) = mpsc::channel(4);
    tasks.spawn(read(channel.clone(), label.into(), inlet, Some(life_tx)));
    Ok(ChannelEnd { channel, life })
}

/// Reads a channel that the peer opened. Every channel must be read: one that is not would hold up all of them.
pub(crate) fn watch_channel(channel: Arc<dyn DataChannel>, inlet: Inlet, tasks: &mut JoinSet<()>) {
    tasks.spawn(async move {
        if let Ok(label) = channel.label().await {
            read(channel, label.into(), inlet, None).await;
        }
    });
}

async fn read(channel: Arc<dyn DataChannel>, label: Arc<str>, inlet: Inlet, life: Option<mpsc::Sender<ChannelEvent>>) {
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnMessage(message) => {
                let sane = !message.is_string && message.data.len() <= MAX_MESSAGE;
                let data = sane.then(|| message.data.freeze());
                if !inlet.put(Incoming { label: label.clone(), data }).await {
                    break;
                }
            }
            DataChannelEvent::OnOpen => {
                if let Some(life) = &life {
                    let _ = life.try_send(ChannelEvent::Open);
                }
            }
            DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
    if let Some(life) = life {
        let _ = life.try_send(ChannelEvent::Closed);
    }
}
