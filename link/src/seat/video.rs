//! From RTP packets to frames: asks for what is missing while that can still help, and for a recovery when it cannot.

use super::decode::{DecodeFailure, DecodeThread, Job};
use super::latency_breakdown::SendLog;
use super::mailbox::FromVehicle;
use super::media_stream::{MediaStream, PathPacket};
use super::{Shared, lock};
use crate::media::{AssembledFrame, FEC_PAYLOAD_TYPE, MediaReceiver, ReceiverOutput, ReceiverStats, RtpIn};
use crate::rtp::FrameInfo;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use video::{EncodedFrame, FrameTimes};

/// Longest sleep when nothing is due.
const IDLE_US: u64 = 20_000;
/// Without a clock estimate a round trip of this is assumed, microseconds.
const UNKNOWN_ROUND_TRIP_US: u64 = 50_000;

/// One camera's stream at the seat.
pub(super) struct Stream {
    pub(super) shared: Arc<Shared>,
    pub(super) camera: usize,
    pub(super) media_stream: Arc<MediaStream>,
    pub(super) decoder: Option<DecodeThread>,
    /// The vehicle understands feedback in datagrams; others get a picture loss indication.
    pub(super) feedback: bool,
}

struct State {
    receiver: MediaReceiver,
    log: SendLog,
    counted: ReceiverStats,
    media_ssrc: u32,
    newest_sequence: Option<u16>,
    reviewed_us: u64,
}

pub(super) async fn receive(stream: Stream, mut packets: mpsc::Receiver<PathPacket>) {
    let mut state = State {
        receiver: MediaReceiver::default(),
        log: SendLog::default(),
        counted: ReceiverStats::default(),
        media_ssrc: 0,
        newest_sequence: None,
        reviewed_us: 0,
    };
    loop {
        let now_us = stream.shared.now_us();
        let due = state.receiver.next_us().unwrap_or(u64::MAX).min(now_us + IDLE_US);
        let wake = Instant::now() + Duration::from_micros(due.saturating_sub(now_us));
        tokio::select! {
            packet = packets.recv() => match packet {
                Some((packet, info)) => stream.on_packet(&mut state, packet, info),
                None => return,
            },
            () = sleep_until(wake) => {}
        }
        stream.after(&mut state).await;
    }
}

impl Stream {
    fn on_packet(&self, state: &mut State, packet: rtc::rtp::packet::Packet, extension: Option<FrameInfo>) {
        let header = &packet.header;
        if state.media_ssrc != header.ssrc {
            state.media_ssrc = header.ssrc;
            self.media_stream.set_ssrc(header.ssrc);
        }
        let sequence = header.sequence_number;
        // A packet that is newer than all before it was not sent because one was missing.
        let newest = state.newest_sequence.is_none_or(|newest| sequence.wrapping_sub(newest) < 0x8000);
        if newest {
            state.newest_sequence = Some(sequence);
        }
        if let Some(info) = extension {
            state.log.note(header.timestamp, info, newest && !info.mark.is_redundancy());
        }
        let now_us = self.shared.now_us();
        state.receiver.push(
            now_us,
            RtpIn {
                sequence,
                timestamp: header.timestamp,
                marker: header.marker,
                payload_type: match extension {
                    Some(info) if info.mark.is_redundancy() => FEC_PAYLOAD_TYPE,
                    _ => crate::peer::PAYLOAD_TYPE,
                },
                mark: extension.map(|info| info.mark),
                recovers_from: extension.and_then(|info| info.recovers_from),
                payload: packet.payload,
            },
        );
    }

    async fn after(&self, state: &mut State) {
        let now_us = self.shared.now_us();
        if now_us >= state.reviewed_us + IDLE_US {
            state.reviewed_us = now_us;
            let round_trip = self.shared.round_trip_us().unwrap_or((UNKNOWN_ROUND_TRIP_US, UNKNOWN_ROUND_TRIP_US / 4));
            state.receiver.set_round_trip(round_trip.0, round_trip.1);
            if let Some(failure) = self.decoder.as_ref().and_then(DecodeThread::failure) {
                state.receiver.note_decode_failed(now_us, None);
                if failure == DecodeFailure::Damage {
                    self.ask_for_keyframe(state.media_ssrc).await;
                }
            }
            let stats = state.receiver.stats();
            self.count(stats, state.counted);
            state.counted = stats;
        }
        state.receiver.poll(now_us);
        while let Some(output) = state.receiver.pop() {
            match output {
                ReceiverOutput::Frame(frame) => self.on_frame(state, frame),
                ReceiverOutput::Nack(sequences) => self.ask_for(&sequences, state.media_ssrc).await,
                ReceiverOutput::RecoveryWanted => self.ask_for_recovery(state.media_ssrc).await,
            }
        }
    }

    fn on_frame(&self, state: &mut State, frame: AssembledFrame) {
        let capture_us = self.capture_time(frame.timestamp);
        self.shared.feedback.found(self.camera);
        let times = self.times(state, &frame, capture_us);
        let frame = EncodedFrame {
            data: frame.data,
            capture_us,
            keyframe: frame.keyframe,
            camera: self.camera as u8,
            ..Default::default()
        };
        match &self.decoder {
            Some(decoder) => {
                if !decoder.push(Job { frame, times }) {
                    state.receiver.note_decode_failed(self.shared.now_us(), None);
                }
            }
            None => self.shared.mailbox.put(FromVehicle::Frame(frame)),
        }
    }

    fn times(&self, state: &State, frame: &AssembledFrame, capture_us: u64) -> Option<FrameTimes> {
        // Without an estimate of the vehicle's clock nobody can say how old a picture is.
        self.shared.clock()?;
        let mut times = FrameTimes {
            capture_us,
            complete_us: self.shared.on_vehicle_clock(frame.complete_us),
            repaired: frame.repaired_by_fec + frame.repaired_by_nack,
            ..Default::default()
        };
        if let Some(sending) = state.log.get(frame.timestamp) {
            times.encode_started_us = capture_us + sending.info.encode_started_us;
            times.encoded_us = capture_us + sending.info.encoded_us;
            times.first_sent_us = capture_us + sending.first_sent_us;
            times.last_sent_us = capture_us + sending.last_sent_us.max(sending.first_sent_us);
            times.completing_sent_us =
                if times.repaired > 0 { capture_us + sending.newest_sent_us } else { times.last_sent_us };
        }
        Some(times)
    }

    async fn ask_for(&self, sequences: &[u16], media_ssrc: u32) {
        let nacks = nack_pairs_from_sequence_numbers(sequences);
        let request = TransportLayerNack { sender_ssrc: 0, media_ssrc, nacks };
        self.media_stream.write(request).await;
    }

    async fn ask_for_recovery(&self, media_ssrc: u32) {
        self.shared.count(|stats| stats.recoveries_wanted += 1);
        self.shared.feedback.lost(self.camera);
        if !self.feedback {
            self.ask_for_keyframe(media_ssrc).await;
        }
    }

    async fn ask_for_keyframe(&self, media_ssrc: u32) {
        let request = PictureLossIndication { sender_ssrc: 0, media_ssrc };
        self.media_stream.write(request).await;
    }

    fn count(&self, now: ReceiverStats, before: ReceiverStats) {
        let mut stats = lock(&self.shared.stats);
        stats.frames += now.frames.saturating_sub(before.frames);
        stats.frames_lost += now.frames_lost.saturating_sub(before.frames_lost);
        stats.packets_lost += now.packets_lost.saturating_sub(before.packets_lost);
        stats.packets_repaired_by_fec += now.repaired_by_fec.saturating_sub(before.repaired_by_fec);
        stats.packets_repaired_by_nack += now.repaired_by_nack.saturating_sub(before.repaired_by_nack);
    }

    /// The capture time that an RTP timestamp stands for: of all times 13 hours apart the one nearest to the vehicle's now.
    fn capture_time(&self, timestamp: u32) -> u64 {
        let vehicle_now_us = self.shared.clock().map(|clock| clock.remote_from_local(self.shared.now_us()));
        unwrap_timestamp(timestamp, vehicle_now_us.unwrap_or(0))
    }
}

fn unwrap_timestamp(timestamp: u32, near_us: u64) -> u64 {
    let near_ticks = u128::from(near_us) * 9 / 100;
    let behind = i64::from((near_ticks as u32).wrapping_sub(timestamp) as i32);
    let ticks = (near_ticks as i128 - i128::from(behind)).max(0);
    // The whole cycle lies ahead of a clock that has not been estimated: then it counts from zero.
    let ticks = if near_us == 0 { i128::from(timestamp) } else { ticks };
    // Rounded up: the sender rounded down.
    ((ticks * 100 + 8) / 9) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::rtp_timestamp;

    #[test]
    fn capture_times_survive_the_wrap_of_the_rtp_clock() {
        for capture_us in [0u64, 1, 999, 33_333, 40_000_000_000, 47_721_858_000, 47_721_859_500, 200_000_000_123] {
            for near in [capture_us + 1, capture_us + 3_000_000, capture_us.saturating_sub(2_000_000).max(1)] {
                let got = unwrap_timestamp(rtp_timestamp(capture_us), near);
                assert!(got.abs_diff(capture_us) <= 11, "{got} for {capture_us} near {near}");
            }
        }
    }

    #[test]
    fn before_the_first_clock_estimate_the_timestamp_counts_from_zero() {
        assert_eq!(unwrap_timestamp(rtp_timestamp(5_000_000), 0), 5_000_000);
    }
}
