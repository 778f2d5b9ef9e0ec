//! What a seat says.

use super::context::Context;
use crate::peer::AudioReceiver;
use std::sync::Arc;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

/// Receives a seat's voice over one path, until that ends.
pub(super) async fn hear(context: Arc<Context>, path: String, track: Arc<dyn TrackRemote>) {
    let listener = &context.shared.listener;
    if context.watch_only {
        // The offer says so already; a seat that talks nevertheless is not heard.
        while let Some(event) = track.poll().await {
            if matches!(event, TrackRemoteEvent::OnRtpPacket(_)) {
                listener.count_refused();
            }
        }
        return;
    }
    let timed = context.has_feature(crate::AUDIO_FEATURE);
    let audio_receiver = AudioReceiver::new(listener, &path, &context.seat, timed);
    audio_receiver.hear(track, || context.shared.now_us()).await;
}
