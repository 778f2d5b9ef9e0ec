//! The media task of a session: frames in, paced and protected packets out.

use super::context::Context;
use crate::audio::AudioPacket;
use crate::cc::{Class, EstimateHandle, Pacer};
use crate::media::{Kind, OutPacket, PathState, Sender};
use crate::peer::{self, ExtensionIds, Voice};
use crate::rtp::{FrameInfo, rtp_timestamp};
use crate::video::EncodedFrame;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::PeerConnection;

/// A camera's track.
#[derive(Clone)]
pub(super) struct Track {
    pub(super) track: Arc<TrackLocalStaticRTP>,
    pub(super) ssrc: u32,
}

/// What the seat asks of the media task.
pub(super) enum Input {
    /// Packets it misses.
    Nack { camera: usize, sequences: Vec<u16> },
}

/// How often estimate, protection and figures are brought up to date.
const REVIEW_US: u64 = 20_000;
/// Frames whose times are kept for retransmissions.
const TIMES: usize = 64;
/// The most a session may send, in bitrates of the pictures alone.
const REPAIR_ROOM: f64 = 2.2;
/// Longest sleep when nothing is due.
const IDLE_US: u64 = 50_000;

/// Times of one frame, for the header extension.
struct Times {
    timestamp: u32,
    capture_us: u64,
    encode_started_us: u64,
    encoded_us: u64,
}

/// One camera on its way out.
struct Lane {
    track: Track,
    sender: Sender,
    times: VecDeque<Times>,
}

impl Lane {
    fn remember(&mut self, frame: &EncodedFrame) {
        if self.times.len() >= TIMES {
            self.times.pop_front();
        }
        let after = |us: u64| us.saturating_sub(frame.capture_us);
        self.times.push_back(Times {
            timestamp: rtp_timestamp(frame.capture_us),
            capture_us: frame.capture_us,
            encode_started_us: after(frame.encode_started_us),
            encoded_us: after(frame.encoded_us),
        });
    }

    fn info(&self, packet: &OutPacket, now_us: u64) -> Option<Bytes> {
        let times = self.times.iter().rev().find(|t| t.timestamp == packet.timestamp)?;
        let info = FrameInfo {
            encode_started_us: times.encode_started_us,
            encoded_us: times.encoded_us,
            sent_us: now_us.saturating_sub(times.capture_us),
            mark: packet.mark,
            recovers_from: packet.recovers_from,
        };
        Some(info.encode())
    }

    async fn write(&self, packet: OutPacket, ids: ExtensionIds, now_us: u64) -> bool {
        let mut header = rtc::rtp::header::Header {
            version: 2,
            marker: packet.marker,
            // The stack sends no other type than the negotiated; the mark says which packets are redundancy.
            payload_type: peer::PAYLOAD_TYPE,
            sequence_number: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: self.track.ssrc,
            ..Default::default()
        };
        if ids.playout_delay != 0 {
            // Minimum and maximum 0 in 12 bits each: show at once.
            let _ = header.set_extension(ids.playout_delay, Bytes::from_static(&[0; 3]));
        }
        if ids.frame_info != 0
            && let Some(info) = self.info(&packet, now_us)
        {
            let _ = header.set_extension(ids.frame_info, info);
        }
        self.track.track.write_rtp(rtc::rtp::packet::Packet { header, payload: packet.payload }).await.is_ok()
    }
}

/// A packet on its way through the pacer.
enum Out {
    Video(usize, OutPacket),
    Audio(AudioPacket),
}

/// Everything of one session that goes out as picture and sound.
struct Media {
    context: Arc<Context>,
    lanes: Vec<Lane>,
    voice: Voice,
    pacer: Pacer<Out>,
    estimate: EstimateHandle,
    ids: Option<ExtensionIds>,
    fec_allowed: bool,
    reviewed_us: u64,
    /// The estimator's wishes for a pause that were heard, and until when the last one lasts.
    pauses: u32,
    pause_until_us: u64,
}

/// Runs until the session drops its frames' queue.
pub(super) async fn run(
    context: Arc<Context>,
    connection: Arc<dyn PeerConnection>,
    (tracks, voice): (Vec<Track>, Voice),
    estimate: EstimateHandle,
    (mut frames, mut audio): (mpsc::Receiver<EncodedFrame>, mpsc::Receiver<AudioPacket>),
    mut inputs: mpsc::Receiver<Input>,
) {
    let fec_allowed = context.has_feature(crate::FEC_FEATURE);
    let lanes = tracks
        .into_iter()
        .map(|track| Lane { sender: Sender::new(peer::PAYLOAD_TYPE, track.ssrc as u16), times: VecDeque::new(), track })
        .collect();
    // Repairs may need as much again as the pictures.
    estimate.set_max(REPAIR_ROOM * context.shared.most_bps);
    let mut media = Media {
        context,
        lanes,
        voice,
        pacer: Pacer::new(),
        estimate,
        ids: None,
        fec_allowed,
        reviewed_us: 0,
        pauses: 0,
        pause_until_us: 0,
    };
    loop {
        let now_us = media.context.shared.now_us();
        let wait = media.next_us(now_us).saturating_sub(now_us).min(IDLE_US);
        let wake = Instant::now() + Duration::from_micros(wait);
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => media.on_frame(&frame),
                None => return,
            },
            packet = audio.recv() => match packet {
                Some(packet) => media.on_audio(packet),
                None => return,
            },
            input = inputs.recv() => match input {
                Some(Input::Nack { camera, sequences }) => media.on_nack(camera, &sequences),
                None => return,
            },
            () = sleep_until(wake) => {}
        }
        if media.ids.is_none() && media.context.media_up.load(Ordering::Relaxed) {
            let ids = peer::sending_extensions(&*connection).await;
            tracing::debug!(?ids, "video may be sent");
            media.ids = Some(ids);
        }
        if !media.send().await {
            return;
        }
    }
}

impl Media {
    fn next_us(&self, now_us: u64) -> u64 {
        let lanes = self.lanes.iter().filter_map(|lane| lane.sender.next_us());
        let due = lanes.chain(self.pacer.next_us()).min().unwrap_or(u64::MAX);
        due.min(self.reviewed_us + REVIEW_US).max(now_us)
    }

    fn on_frame(&mut self, frame: &EncodedFrame) {
        let now_us = self.context.shared.now_us();
        let Some(lane) = self.lanes.get_mut(usize::from(frame.camera)) else { return };
        lane.remember(frame);
        lane.sender.frame(now_us, frame, frame.recovers_from_us.map(rtp_timestamp));
        self.context.shared.stats.frame_sent(frame.keyframe);
    }

    /// Queued ahead of all video, and it does not wait for the rate.
    fn on_audio(&mut self, packet: AudioPacket) {
        // What is said before the transport is up would be old when it is.
        if self.ids.is_some() {
            self.pacer.enqueue(self.context.shared.now_us(), Class::Audio, packet.payload.len(), Out::Audio(packet));
        }
    }

    fn on_nack(&mut self, camera: usize, sequences: &[u16]) {
        let now_us = self.context.shared.now_us();
        if let Some(lane) = self.lanes.get_mut(camera) {
            lane.sender.on_nack(now_us, sequences);
        }
    }

    /// Moves what is ready through the pacer to the wire; false when the connection is gone.
    async fn send(&mut self) -> bool {
        let now_us = self.context.shared.now_us();
        if now_us >= self.reviewed_us + REVIEW_US {
            self.review(now_us);
        }
        for (camera, lane) in self.lanes.iter_mut().enumerate() {
            while let Some(packet) = lane.sender.poll(now_us) {
                let class = match packet.kind {
                    Kind::Retransmission => Class::Retransmission,
                    Kind::Media { .. } | Kind::Fec => Class::Video(camera),
                };
                self.pacer.enqueue(now_us, class, packet.payload.len(), Out::Video(camera, packet));
            }
        }
        let Some(ids) = self.ids else { return true };
        while let Some(out) = self.pacer.poll(now_us) {
            let (camera, packet) = match out {
                Out::Video(camera, packet) => (camera, packet),
                Out::Audio(packet) => match self.voice.write(packet).await {
                    true => continue,
                    false => return false,
                },
            };
            let bytes = packet.payload.len();
            let kind = packet.kind;
            if !self.lanes[camera].write(packet, ids, self.context.shared.now_us()).await {
                return false;
            }
            self.context.shared.stats.packet_sent(&self.context.id, now_us, bytes, kind);
        }
        true
    }

    fn review(&mut self, now_us: u64) {
        self.reviewed_us = now_us;
        let estimate = self.estimate.read();
        let path = PathState {
            loss: estimate.loss,
            mean_burst: estimate.mean_burst,
            round_trip_us: estimate.round_trip_us,
            // Without the extension nobody could tell redundancy from pictures.
            fec_allowed: self.fec_allowed && self.ids.is_some_and(|ids| ids.frame_info != 0),
            spacing_us: (1_250.0 * 8e6 / estimate.pacing_bps()) as u64,
        };
        if estimate.pause.1 != self.pauses {
            self.pauses = estimate.pause.1;
            self.pause_until_us = now_us + estimate.pause.0;
        }
        self.lanes.iter_mut().for_each(|lane| lane.sender.set_path(path));
        self.pacer.set_rate(estimate.pacing_bps());
        self.context.shared.stats.on_estimate(&self.context.id, estimate);
        if !self.context.watch_only {
            for camera in 0..self.lanes.len() {
                // A queue on the path counts as one here: what is sent now would wait behind it.
                let paused_us = self.pause_until_us.saturating_sub(now_us);
                let backlog_us = self.pacer.backlog_us(Class::Video(camera)) + 3 * paused_us;
                self.context.shared.cameras.set_backlog(camera, backlog_us);
            }
        }
    }
}
