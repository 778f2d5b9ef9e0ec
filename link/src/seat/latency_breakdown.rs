//! The latency breakdown: where each millisecond of a picture's age went.

use crate::rtp::FrameInfo;
use protocol::v1::StageLatency;
use std::collections::VecDeque;
use video::FrameTimes;

/// What the packets of one frame tell, until it is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending {
    timestamp: u32,
    pub(super) info: FrameInfo,
    pub(super) first_sent_us: u64,
    pub(super) last_sent_us: u64,
    pub(super) newest_sent_us: u64,
}

/// Frames that can be on their way at once.
const FRAMES: usize = 64;

/// Send times by frame, from the header extension of its packets.
#[derive(Debug, Default)]
pub(super) struct SendLog(VecDeque<Sending>);

impl SendLog {
    /// Notes a packet. Times are microseconds after the capture; `first` says that it was sent for the first time.
    pub(super) fn note(&mut self, timestamp: u32, info: FrameInfo, first: bool) {
        let at = match self.0.iter().rposition(|s| s.timestamp == timestamp) {
            Some(at) => at,
            None => {
                if self.0.len() >= FRAMES {
                    self.0.pop_front();
                }
                self.0.push_back(Sending {
                    timestamp,
                    info,
                    first_sent_us: u64::MAX,
                    last_sent_us: 0,
                    newest_sent_us: 0,
                });
                self.0.len() - 1
            }
        };
        let entry = &mut self.0[at];
        entry.first_sent_us = entry.first_sent_us.min(info.sent_us);
        entry.newest_sent_us = info.sent_us;
        if first {
            entry.last_sent_us = entry.last_sent_us.max(info.sent_us);
        }
    }

    /// What is known of a frame.
    pub(super) fn get(&self, timestamp: u32) -> Option<Sending> {
        self.0.iter().rev().find(|s| s.timestamp == timestamp).copied()
    }
}

/// Ages and stages of the pictures since the last report.
#[derive(Debug, Default)]
pub(super) struct LatencyBreakdown {
    ages_ms: Vec<f64>,
    stages_ms: [Vec<f64>; 8],
    present_ms: Vec<f64>,
}

/// From decoded to shown, as who shows it tells.
const PRESENT: &str = "present";

/// A second of four cameras, and room for a report that comes late.
const MOST: usize = 1_000;

impl LatencyBreakdown {
    pub(super) fn add(&mut self, times: &FrameTimes) {
        if self.ages_ms.len() >= MOST {
            return;
        }
        self.ages_ms.push((times.decoded_us as f64 - times.capture_us as f64) / 1e3);
        if let Some(stages) = times.stages_ms() {
            self.stages_ms.iter_mut().zip(stages).for_each(|(all, ms)| all.push(ms));
        }
    }

    /// A picture was shown so long after it had been decoded.
    pub(super) fn presented(&mut self, wait_ms: f64) {
        if self.present_ms.len() < MOST && wait_ms.is_finite() {
            self.present_ms.push(wait_ms.max(0.0));
        }
    }

    /// Mean age and the stages since the last call, which resets them.
    pub(super) fn take(&mut self) -> (f64, Vec<StageLatency>) {
        let Self { ages_ms, stages_ms, present_ms } = std::mem::take(self);
        let age_ms = mean(&ages_ms) + mean(&present_ms);
        let named = FrameTimes::STAGES.iter().zip(stages_ms).chain([(&PRESENT, present_ms)]);
        let stages = named.filter(|(_, all)| !all.is_empty());
        let stages = stages.map(|(name, mut all)| StageLatency {
            stage: (*name).to_owned(),
            mean_ms: mean(&all),
            p95_ms: percentile(&mut all, 0.95),
        });
        (age_ms, stages.collect())
    }
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share).ceil() as usize;
    values.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> FrameTimes {
        FrameTimes {
            capture_us: 1_000_000,
            encode_started_us: 1_003_000,
            encoded_us: 1_008_000,
            first_sent_us: 1_008_200,
            last_sent_us: 1_009_000,
            completing_sent_us: 1_045_000,
            complete_us: 1_060_000,
            decode_started_us: 1_060_100,
            decoded_us: 1_062_100,
            repaired: 1,
        }
    }

    #[test]
    fn the_stages_sum_to_the_age() {
        let stages = times().stages_ms().unwrap();
        assert!((stages.iter().sum::<f64>() - 62.1).abs() < 1e-9);
        assert!((stages[4] - 36.0).abs() < 1e-9, "the wait for the repair has its own name");
    }

    #[test]
    fn a_report_has_mean_and_percentile_and_starts_anew() {
        let mut latency_breakdown = LatencyBreakdown::default();
        for _ in 0..20 {
            latency_breakdown.add(&times());
        }
        let (age, stages) = latency_breakdown.take();
        assert!((age - 62.1).abs() < 1e-9);
        assert_eq!(stages.len(), 8);
        assert!((stages[1].p95_ms - 5.0).abs() < 1e-9);
        assert_eq!(latency_breakdown.take(), (0.0, Vec::new()));
    }

    #[test]
    fn repairs_move_the_newest_packet_but_not_the_end_of_the_first_transmission() {
        let mut log = SendLog::default();
        let mark = crate::media::FrameMark { index: 0, packets: 1, fec: 0, keyframe: false };
        let info = |sent_us| FrameInfo { encode_started_us: 0, encoded_us: 0, sent_us, mark, recovers_from: None };
        log.note(7, info(9_000), true);
        log.note(7, info(9_500), true);
        log.note(7, info(45_000), false);
        let sending = log.get(7).unwrap();
        assert_eq!((sending.first_sent_us, sending.last_sent_us, sending.newest_sent_us), (9_000, 9_500, 45_000));
        (0..1_000).for_each(|timestamp| log.note(timestamp, info(1), true));
        assert!(log.get(7).is_none());
    }
}
