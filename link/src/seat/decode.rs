//! Decoding on its own thread, one a camera: a slow decoder delays pictures, never states or commands.

use super::mailbox::FromVehicle;
use super::{FrameTimes, Shared};
use crate::LinkError;
use crate::video::{EncodedFrame, H264Decoder};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A frame and what is known of its way so far.
pub(super) struct Job {
    pub(super) frame: EncodedFrame,
    pub(super) times: Option<FrameTimes>,
}

/// The way to the decoder's thread; it ends when this is dropped.
pub(super) struct DecodeThread {
    jobs: crossbeam_channel::Sender<Job>,
    stumbled: Arc<AtomicBool>,
}

/// Frames waiting. More means the machine cannot keep up: then everything up to the next recovery goes.
const QUEUE: usize = 16;

impl DecodeThread {
    /// Hands a frame over; false when the decoder is too far behind and has to begin anew.
    pub(super) fn push(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// Whether the decoder refused something since the last question.
    pub(super) fn stumbled(&self) -> bool {
        self.stumbled.swap(false, Ordering::Relaxed)
    }
}

pub(super) fn start(shared: &Arc<Shared>, camera: usize) -> Result<DecodeThread, LinkError> {
    const NAME: &str = "link-decode";
    let (jobs, queue) = crossbeam_channel::bounded(QUEUE);
    let stumbled = Arc::new(AtomicBool::new(false));
    let decoder = H264Decoder::new()?;
    let (shared, flag) = (shared.clone(), stumbled.clone());
    std::thread::Builder::new()
        .name(NAME.to_owned())
        .spawn(move || run(camera, decoder, &queue, &shared, &flag))
        .map_err(|source| LinkError::Thread { name: NAME, source })?;
    Ok(DecodeThread { jobs, stumbled })
}

fn run(
    camera: usize,
    mut decoder: H264Decoder,
    queue: &crossbeam_channel::Receiver<Job>,
    shared: &Shared,
    stumbled: &AtomicBool,
) {
    for Job { frame, times } in queue {
        let started_us = shared.now_us();
        match decoder.decode(&frame.data) {
            Ok(Some(mut picture)) => {
                picture.camera = frame.camera;
                picture.decoded_us = shared.now_us();
                shared.feedback.decoded(camera, frame.capture_us);
                picture.times = times.map(|times| FrameTimes {
                    decode_started_us: shared.on_vehicle_clock(started_us),
                    decoded_us: shared.on_vehicle_clock(picture.decoded_us),
                    ..times
                });
                shared.on_picture(picture.times.as_ref());
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
