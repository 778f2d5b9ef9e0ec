//! From RTP packets to frames, asking for keyframes when nothing else helps.

use super::decode::DecodeThread;
use super::mailbox::FromVehicle;
use super::{Shared, lock};
use crate::rtp::{Depacketizer, DepacketizerStats, Output, Packet};
use crate::video::EncodedFrame;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use std::sync::Arc;
use std::time::Duration;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

/// How often gaps are looked after; well below a frame interval.
const TICK: Duration = Duration::from_millis(10);
/// Between the three requests for a lost packet and some slack.
const REPAIR_BASE_US: f64 = 55_000.0;
const REPAIR_MAX_US: f64 = 250_000.0;

pub(super) async fn receive(shared: Arc<Shared>, track: Arc<dyn TrackRemote>, decoder: Option<Arc<DecodeThread>>) {
    let mut depacketizer = Depacketizer::new(REPAIR_BASE_US as u64);
    let mut counted = DepacketizerStats::default();
    let mut tick = tokio::time::interval(TICK);
    let mut media_ssrc = 0;
    loop {
        tokio::select! {
            event = track.poll() => match event {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                    media_ssrc = packet.header.ssrc;
                    depacketizer.push(shared.now_us(), Packet {
                        sequence: packet.header.sequence_number,
                        timestamp: packet.header.timestamp,
                        marker: packet.header.marker,
                        payload: packet.payload,
                    });
                }
                Some(TrackRemoteEvent::OnEnded) | None => return,
                Some(_) => {}
            },
            _ = tick.tick() => {
                let round_trip_us = shared.clock().map_or(0.0, |clock| clock.round_trip_us);
                depacketizer.set_repair_us((REPAIR_BASE_US + 1.5 * round_trip_us).min(REPAIR_MAX_US) as u64);
                if decoder.as_ref().is_some_and(|d| d.stumbled()) {
                    depacketizer.restart(shared.now_us());
                }
                depacketizer.poll(shared.now_us());
                counted = count(&shared, depacketizer.stats(), counted);
            }
        }
        while let Some(output) = depacketizer.pop() {
            match output {
                Output::KeyframeWanted => ask_for_keyframe(&shared, &*track, media_ssrc).await,
                Output::Frame(frame) => {
                    let capture_us = capture_time(&shared, frame.timestamp);
                    let frame =
                        EncodedFrame { data: frame.data, capture_us, keyframe: frame.keyframe, ..Default::default() };
                    if !deliver(&shared, decoder.as_deref(), frame) {
                        depacketizer.restart(shared.now_us());
                    }
                }
            }
        }
    }
}

fn deliver(shared: &Shared, decoder: Option<&DecodeThread>, frame: EncodedFrame) -> bool {
    match decoder {
        Some(decoder) => decoder.push(frame),
        None => {
            shared.mailbox.put(FromVehicle::Frame(frame));
            true
        }
    }
}

async fn ask_for_keyframe(shared: &Shared, track: &dyn TrackRemote, media_ssrc: u32) {
    shared.count(|stats| stats.keyframes_wanted += 1);
    let request = PictureLossIndication { sender_ssrc: 0, media_ssrc };
    let _ = track.write_rtcp(vec![Box::new(request)]).await;
}

fn count(shared: &Shared, now: DepacketizerStats, before: DepacketizerStats) -> DepacketizerStats {
    let mut stats = lock(&shared.stats);
    stats.frames += now.frames - before.frames;
    stats.frames_lost += now.frames_lost - before.frames_lost;
    stats.packets_lost += now.packets_lost - before.packets_lost;
    now
}

/// The capture time that an RTP timestamp stands for: of all times 13 hours apart the one nearest to the vehicle's now.
fn capture_time(shared: &Shared, timestamp: u32) -> u64 {
    let vehicle_now_us = shared.clock().map(|clock| clock.remote_from_local(shared.now_us()));
    unwrap_timestamp(timestamp, vehicle_now_us.unwrap_or(0))
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
