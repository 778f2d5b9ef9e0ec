//! Decoding on its own thread: a slow decoder delays pictures, never states or commands.

use super::Shared;
use super::mailbox::FromVehicle;
use crate::LinkError;
use crate::video::{EncodedFrame, H264Decoder};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The way to the decoder's thread; it ends when this is dropped.
pub(super) struct DecodeThread {
    frames: crossbeam_channel::Sender<EncodedFrame>,
    stumbled: Arc<AtomicBool>,
}

/// Frames waiting. More means the machine cannot keep up: then everything up to the next keyframe goes.
const QUEUE: usize = 16;

impl DecodeThread {
    /// Hands a frame over; false when the decoder is too far behind and needs a keyframe to go on.
    pub(super) fn push(&self, frame: EncodedFrame) -> bool {
        self.frames.try_send(frame).is_ok()
    }

    /// Whether the decoder refused something since the last question.
    pub(super) fn stumbled(&self) -> bool {
        self.stumbled.swap(false, Ordering::Relaxed)
    }
}

pub(super) fn start(shared: &Arc<Shared>) -> Result<DecodeThread, LinkError> {
    const NAME: &str = "link-decode";
    let (frames, queue) = crossbeam_channel::bounded(QUEUE);
    let stumbled = Arc::new(AtomicBool::new(false));
    let decoder = H264Decoder::new()?;
    let (shared, flag) = (shared.clone(), stumbled.clone());
    std::thread::Builder::new()
        .name(NAME.to_owned())
        .spawn(move || run(decoder, &queue, &shared, &flag))
        .map_err(|source| LinkError::Thread { name: NAME, source })?;
    Ok(DecodeThread { frames, stumbled })
}

fn run(
    mut decoder: H264Decoder,
    queue: &crossbeam_channel::Receiver<EncodedFrame>,
    shared: &Shared,
    stumbled: &AtomicBool,
) {
    for frame in queue {
        match decoder.decode(&frame.data) {
            Ok(Some(mut picture)) => {
                picture.decoded_us = shared.now_us();
                shared.on_picture(picture.capture_us, picture.decoded_us);
                // Every frame has to be decoded, but only the newest is worth showing.
                if queue.is_empty() {
                    shared.mailbox.put(FromVehicle::Picture(picture));
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "picture not decodable");
                stumbled.store(true, Ordering::Relaxed);
            }
        }
    }
}
