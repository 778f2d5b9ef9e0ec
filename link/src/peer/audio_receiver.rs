//! The peer's voice as it comes in.

use super::sound::AUDIO_PAYLOAD_TYPE;
use crate::audio::{AudioPacketIn, Listener};
use std::sync::Arc;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

/// A stream of `listener`'s, which ends when this is dropped.
pub(crate) struct AudioReceiver<'a> {
    listener: &'a Listener,
    key: String,
}

impl Drop for AudioReceiver<'_> {
    fn drop(&mut self) {
        self.listener.remove(&self.key);
    }
}

impl<'a> AudioReceiver<'a> {
    /// Listens to `name`; `timed` when it stamps its frames with the vehicle's clock.
    pub(crate) fn new(listener: &'a Listener, session: &str, name: &str, timed: bool) -> Self {
        listener.add(session, name, timed);
        Self { listener, key: session.to_owned() }
    }

    /// Receives until the track ends; `now_us` is this end's clock.
    pub(crate) async fn hear(&self, track: Arc<dyn TrackRemote>, now_us: impl Fn() -> u64) {
        while let Some(event) = track.poll().await {
            match event {
                TrackRemoteEvent::OnRtpPacket(packet) if packet.header.payload_type == AUDIO_PAYLOAD_TYPE => {
                    let (sequence, timestamp) = (packet.header.sequence_number, packet.header.timestamp);
                    let packet = AudioPacketIn { sequence, timestamp, payload: packet.payload };
                    self.listener.push(&self.key, now_us(), packet);
                }
                TrackRemoteEvent::OnRtpPacket(_) => self.listener.count_malformed(&self.key),
                TrackRemoteEvent::OnEnded => return,
                _ => {}
            }
        }
    }
}
