//! Decoding on its own thread, one a camera: a slow decoder delays pictures, never states or commands.

use super::Shared;
use super::mailbox::FromVehicle;
use crate::LinkError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use video::{EncodedFrame, FrameTimes, H264Decoder, VideoError};

/// A frame and what is known of its way so far.
pub(super) struct Job {
    pub(super) frame: EncodedFrame,
    pub(super) times: Option<FrameTimes>,
}

/// The way to the decoder's thread; it ends when this is dropped.
pub(super) struct DecodeThread {
    jobs: crossbeam_channel::Sender<Job>,
    failure: Arc<AtomicU8>,
}

/// Why a decoder cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecodeFailure {
    /// It lacks a picture that was referred to.
    Reference,
    /// It has lost its parameter sets, as OpenH264 does after any damage: only a keyframe helps.
    Damage,
}

const REFERENCE: u8 = 1;
const DAMAGE: u8 = 2;

/// Frames waiting. More means the machine cannot keep up: then everything up to the next recovery goes.
const QUEUE: usize = 16;

impl DecodeThread {
    /// Hands a frame over; false when the decoder is too far behind and has to start over.
    pub(super) fn push(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// Whether the decoder refused something since the last question.
    pub(super) fn failure(&self) -> Option<DecodeFailure> {
        match self.failure.swap(0, Ordering::Relaxed) {
            0 => None,
            REFERENCE => Some(DecodeFailure::Reference),
            _ => Some(DecodeFailure::Damage),
        }
    }
}

pub(super) fn start(shared: &Arc<Shared>, camera: usize) -> Result<DecodeThread, LinkError> {
    const NAME: &str = "link-decode";
    let (jobs, queue) = crossbeam_channel::bounded(QUEUE);
    let failure = Arc::new(AtomicU8::new(0));
    let decoder = H264Decoder::new()?;
    let (shared, flag) = (shared.clone(), failure.clone());
    std::thread::Builder::new()
        .name(NAME.to_owned())
        .spawn(move || run(camera, decoder, &queue, &shared, &flag))
        .map_err(|source| LinkError::Thread { name: NAME, source })?;
    Ok(DecodeThread { jobs, failure })
}

fn run(
    camera: usize,
    mut decoder: H264Decoder,
    queue: &crossbeam_channel::Receiver<Job>,
    shared: &Shared,
    failure: &AtomicU8,
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
                shared.mailbox.put(FromVehicle::Picture(picture));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "picture not decodable");
                let why = if matches!(error, VideoError::MissingReference { .. }) { REFERENCE } else { DAMAGE };
                failure.fetch_max(why, Ordering::Relaxed);
            }
        }
    }
}
