//! The media task of a session: frames in, paced and protected packets out, the same over each of its paths.

use super::context::Context;
use super::offer::PathLife;
use crate::audio::AudioPacket;
use crate::cc::{Class, Estimate, EstimateHandle, Pacer};
use crate::media::{MediaSender, OutPacket, PacketKind, PathState};
use crate::peer::{self, ExtensionIds, Voice};
use crate::rtp::{FrameInfo, rtp_timestamp};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use video::EncodedFrame;
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
    /// A path to send everything over.
    Path(Leg),
}

/// How often estimate, protection and figures are brought up to date.
const REVIEW_US: u64 = 20_000;
/// Frames whose times are kept for retransmissions.
const TIMES: usize = 64;
/// The most a session may send, in bitrates of the pictures alone.
const REPAIR_ROOM: f64 = 2.2;
/// A path over which nothing was heard for so long does not count when the rate is chosen.
const DEAF_US: u64 = 700_000;
/// A path that is this far behind is spared a packet that another one carries.
const BEHIND_US: u64 = 50_000;
/// A path with less than this share of the best one's rate carries what it can instead of slowing the best one down.
const USABLE_SHARE: f64 = 1.0 / 3.0;
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
    ssrc: u32,
    sender: MediaSender,
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

    async fn write(&self, track: &Track, packet: OutPacket, ids: ExtensionIds, now_us: u64) -> bool {
        let mut header = rtc::rtp::header::Header {
            version: 2,
            marker: packet.marker,
            // The stack sends no other type than the negotiated; the mark says which packets are redundancy.
            payload_type: peer::PAYLOAD_TYPE,
            sequence_number: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: self.ssrc,
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
        track.track.write_rtp(rtc::rtp::packet::Packet { header, payload: packet.payload }).await.is_ok()
    }
}

/// A packet on its way through the pacer.
enum Out {
    Video(usize, OutPacket),
    Audio(AudioPacket),
}

/// One path of the session on its way out.
pub(super) struct Leg {
    connection: Arc<dyn PeerConnection>,
    /// Of each camera.
    tracks: Vec<Track>,
    voice: Voice,
    estimate: EstimateHandle,
    life: PathLife,
    pacer: Pacer<Out>,
    /// Known once the path is up.
    ids: Option<ExtensionIds>,
    /// The estimator's wishes for a pause that were heard, and until when the last one lasts.
    pauses: u32,
    pause_until_us: u64,
}

impl Leg {
    pub(super) fn new(
        connection: Arc<dyn PeerConnection>,
        (tracks, voice): (Vec<Track>, Voice),
        (estimate, most_bps): (EstimateHandle, f64),
        life: PathLife,
    ) -> Self {
        let pacer = Pacer::new();
        // Repairs may need as much again as the pictures.
        estimate.set_max(REPAIR_ROOM * most_bps);
        Self { connection, tracks, voice, estimate, life, pacer, ids: None, pauses: 0, pause_until_us: 0 }
    }

    /// What the path is thought to carry before anything is known of it.
    pub(super) fn starting_estimate(&self) -> Estimate {
        self.estimate.read()
    }

    fn enqueue(&mut self, class: Class, bytes: usize, packet: Out) {
        if !self.pacer.enqueue(class, bytes, packet) {
            tracing::warn!(?class, bytes, "no room for a packet: far too much waits for this path");
        }
    }

    async fn get_ready(&mut self) {
        if self.ids.is_none() && self.life.is_up() {
            let ids = peer::sending_extensions(&*self.connection).await;
            tracing::debug!(?ids, "video may be sent");
            self.ids = Some(ids);
        }
    }

    /// Whether it can be counted on.
    fn is_alive(&self, now_us: u64) -> bool {
        self.life.is_up() && now_us < self.life.heard_us.load(std::sync::atomic::Ordering::Relaxed) + DEAF_US
    }

    fn review(&mut self, now_us: u64) -> Estimate {
        let estimate = self.estimate.read();
        if estimate.pause.1 != self.pauses {
            self.pauses = estimate.pause.1;
            self.pause_until_us = now_us + estimate.pause.0;
        }
        self.pacer.set_rate(estimate.pacing_bps());
        estimate
    }

    /// What a frame would wait here. A queue on the path counts as one here: what is sent now would wait behind it.
    fn backlog_us(&self, camera: usize, now_us: u64) -> u64 {
        self.pacer.backlog_us(Class::Video(camera)) + 3 * self.pause_until_us.saturating_sub(now_us)
    }
}

/// One view of all paths that carry the same: what the slowest usable one takes, and what is lost on all of them.
fn combine(estimates: impl Iterator<Item = Estimate> + Clone) -> Option<Estimate> {
    let best = estimates.clone().map(|e| e.target_bps).fold(0.0, f64::max);
    let usable = estimates.filter(|e| e.target_bps >= USABLE_SHARE * best);
    let slowest = usable.clone().min_by(|a, b| a.target_bps.total_cmp(&b.target_bps))?;
    // Losses of two networks need not be independent; the better path alone is certain.
    let safest = usable.clone().min_by(|a, b| a.loss.total_cmp(&b.loss))?;
    let round_trip_us = usable.map(|e| e.round_trip_us).min()?;
    Some(Estimate { loss: safest.loss, mean_burst: safest.mean_burst, round_trip_us, ..slowest })
}

/// Everything of one session that goes out as picture and sound.
struct Media {
    context: Arc<Context>,
    lanes: Vec<Lane>,
    legs: Vec<Leg>,
    fec_allowed: bool,
    reviewed_us: u64,
}

/// Runs until the session drops its frames' queue.
pub(super) async fn run(
    context: Arc<Context>,
    (mut frames, mut audio): (mpsc::Receiver<EncodedFrame>, mpsc::Receiver<AudioPacket>),
    mut inputs: mpsc::Receiver<Input>,
) {
    let fec_allowed = context.has_feature(crate::FEC_FEATURE);
    let lane = |ssrc: &u32| Lane {
        sender: MediaSender::new(peer::PAYLOAD_TYPE, *ssrc as u16),
        times: VecDeque::new(),
        ssrc: *ssrc,
    };
    let lanes = context.ssrcs.iter().map(lane).collect();
    let mut media = Media { context, lanes, legs: Vec::new(), fec_allowed, reviewed_us: 0 };
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
                Some(Input::Path(leg)) => media.add(leg),
                None => return,
            },
            () = sleep_until(wake) => {}
        }
        for leg in &mut media.legs {
            leg.get_ready().await;
        }
        media.send().await;
    }
}

impl Media {
    fn add(&mut self, leg: Leg) {
        // Paths that died have been replaced.
        self.legs.retain(|old| old.ids.is_none() || old.life.is_up());
        self.legs.push(leg);
    }

    fn next_us(&self, now_us: u64) -> u64 {
        let lanes = self.lanes.iter().filter_map(|lane| lane.sender.next_us());
        let legs = self.legs.iter().filter(|leg| leg.ids.is_some()).filter_map(|leg| leg.pacer.next_us());
        let due = lanes.chain(legs).min().unwrap_or(u64::MAX);
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
        let now_us = self.context.shared.now_us();
        // Over one path: a listener cannot tell that the voice of another is the same.
        let alive = self.legs.iter().position(|leg| leg.ids.is_some() && leg.is_alive(now_us));
        if let Some(leg) = alive.and_then(|index| self.legs.get_mut(index)) {
            leg.enqueue(Class::Audio, packet.payload.len(), Out::Audio(packet));
        }
    }

    fn on_nack(&mut self, camera: usize, sequences: &[u16]) {
        let now_us = self.context.shared.now_us();
        if let Some(lane) = self.lanes.get_mut(camera) {
            lane.sender.on_nack(now_us, sequences);
        }
    }

    /// Moves what is ready through the pacers to the wire.
    async fn send(&mut self) {
        let now_us = self.context.shared.now_us();
        if now_us >= self.reviewed_us + REVIEW_US {
            self.review(now_us);
        }
        for (camera, lane) in self.lanes.iter_mut().enumerate() {
            while let Some(packet) = lane.sender.poll(now_us) {
                enqueue(&mut self.legs, now_us, camera, &packet);
            }
        }
        // All paths carry the same; what is sent counts once.
        let counted = self.legs.iter().position(|leg| leg.ids.is_some() && leg.life.is_up());
        for (number, leg) in self.legs.iter_mut().enumerate() {
            let Some(ids) = leg.ids.filter(|_| leg.life.is_up()) else { continue };
            while let Some(out) = leg.pacer.poll(now_us) {
                let (camera, packet) = match out {
                    Out::Video(camera, packet) => (camera, packet),
                    Out::Audio(packet) => {
                        leg.voice.write(packet).await;
                        continue;
                    }
                };
                let (bytes, kind) = (packet.payload.len(), packet.kind);
                let written = self.lanes[camera].write(&leg.tracks[camera], packet, ids, self.context.shared.now_us());
                if !written.await {
                    // Its connection is closed; the session's own task sees to that.
                    leg.life.up.store(false, std::sync::atomic::Ordering::Relaxed);
                    break;
                }
                if Some(number) == counted {
                    self.context.shared.stats.packet_sent(&self.context.id, now_us, bytes, kind);
                }
            }
        }
    }

    fn review(&mut self, now_us: u64) {
        self.reviewed_us = now_us;
        let estimates: Vec<_> = self.legs.iter_mut().map(|leg| (leg.review(now_us), leg.is_alive(now_us))).collect();
        let alive = estimates.iter().filter(|(_, alive)| *alive).map(|(estimate, _)| *estimate);
        // While nothing is heard of any, the first one's estimate says what its silence means.
        let Some(estimate) = combine(alive).or_else(|| estimates.first().map(|(estimate, _)| *estimate)) else {
            return;
        };
        let ids = self.legs.iter().find_map(|leg| leg.ids);
        let path = PathState {
            loss: estimate.loss,
            mean_burst: estimate.mean_burst,
            round_trip_us: estimate.round_trip_us,
            // Without the extension nobody could tell redundancy from pictures.
            fec_allowed: self.fec_allowed && ids.is_some_and(|ids| ids.frame_info != 0),
            spacing_us: (1_250.0 * 8e6 / estimate.pacing_bps()) as u64,
        };
        self.lanes.iter_mut().for_each(|lane| lane.sender.set_path(path));
        self.context.shared.stats.on_estimate(&self.context.id, estimate);
        if !self.context.watch_only {
            for camera in 0..self.lanes.len() {
                let up = self.legs.iter().filter(|leg| leg.life.is_up());
                let backlog_us = up.map(|leg| leg.backlog_us(camera, now_us)).min().unwrap_or(0);
                self.context.shared.cameras.set_backlog(camera, backlog_us);
            }
        }
    }
}

/// Queues a packet on every path, except on one that is behind while another is not.
fn enqueue(legs: &mut [Leg], now_us: u64, camera: usize, packet: &OutPacket) {
    let class = match packet.kind {
        PacketKind::Retransmission => Class::Retransmission,
        PacketKind::Media { .. } | PacketKind::Fec => Class::Video(camera),
    };
    let waits = |leg: &Leg| leg.pacer.backlog_us(Class::Video(camera));
    let least_us = legs.iter().filter(|leg| leg.is_alive(now_us)).map(waits).min();
    for leg in legs {
        let behind = least_us.is_some_and(|least| waits(leg) > least + BEHIND_US);
        // What goes to nobody would take the room of what somebody waits for.
        let deaf = least_us.is_some() && !leg.is_alive(now_us);
        if leg.life.is_up() && !behind && !deaf {
            leg.enqueue(class, packet.payload.len(), Out::Video(camera, packet.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(target_bps: f64, loss: f64, round_trip_us: u64) -> Estimate {
        Estimate { loss, round_trip_us, ..Estimate::starting_at(target_bps) }
    }

    #[test]
    fn of_two_paths_the_slower_one_sets_the_rate_and_the_better_one_the_protection() {
        let both = combine([path(6e6, 0.05, 40_000), path(4e6, 0.01, 90_000)].into_iter()).unwrap();
        assert_eq!((both.target_bps, both.loss, both.round_trip_us), (4e6, 0.01, 40_000));
    }

    #[test]
    fn a_path_that_hardly_carries_anything_does_not_slow_the_other_down() {
        let both = combine([path(6e6, 0.05, 40_000), path(0.5e6, 0.0, 20_000)].into_iter()).unwrap();
        assert_eq!((both.target_bps, both.loss, both.round_trip_us), (6e6, 0.05, 40_000));
        assert!(combine(std::iter::empty()).is_none());
    }
}
