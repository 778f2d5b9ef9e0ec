//! How much forward error correction a frame needs, given what the path loses and what retransmission can still mend.

use super::burst::Gilbert;
use super::fec;

/// What is known of the path to one receiver.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathState {
    /// Share of packets lost on their first transmission, 0 to 1.
    pub loss: f64,
    /// Mean number of packets lost in a row; 1 for independent losses.
    pub mean_burst: f64,
    /// Microseconds.
    pub round_trip_us: u64,
    /// Between two packets of a frame at the pacer's rate, microseconds.
    pub spacing_us: u64,
    /// Whether the receiver understands our FEC packets.
    pub fec_allowed: bool,
}

impl Default for PathState {
    fn default() -> Self {
        Self { loss: 0.0, mean_burst: 1.0, round_trip_us: 50_000, spacing_us: 300, fec_allowed: false }
    }
}

/// Probability that a frame is not complete in time which the redundancy aims below.
pub const TARGET: f64 = 2e-4;
/// Probability that a frame has to wait for a retransmission which the redundancy aims below as well: from some loss on,
/// what it costs is then saved in retransmissions.
const WAITING_TARGET: f64 = 0.2;
/// Loss at which FEC begins, and below which it ends.
const FEC_FROM: f64 = 0.005;
const FEC_UNTIL: f64 = 0.003;
/// Ratio of two neighbouring levels of loss.
const STEP: f64 = 1.25;
/// Loss has to fall this far below its level before less is believed.
const FALL: f64 = 0.65;
/// Between a frame's last packet and the request for those missing, microseconds.
const DETECTION_US: u64 = 6_000;
/// Between a round that failed and the next beyond the round trip, microseconds.
pub(super) const REPEAT_US: u64 = 6_000;
/// Share of loss from which requests and last retransmissions are sent twice.
pub(super) const TWICE_FROM: f64 = 0.05;

/// Chooses repair shards a block; caches what it computed.
#[derive(Debug)]
pub struct RepairPolicy {
    target: f64,
    deadline_us: u64,
    path: PathState,
    /// Loss and burst as used, after hysteresis.
    loss: f64,
    burst: f64,
    cache: Vec<Option<(u8, u8)>>,
}

impl RepairPolicy {
    /// `target`: probability of an incomplete frame; `deadline_us`: from capture to completion.
    #[must_use]
    pub fn new(target: f64, deadline_us: u64) -> Self {
        Self { target, deadline_us, path: PathState::default(), loss: 0.0, burst: 1.0, cache: Vec::new() }
    }

    /// The path as last set.
    #[must_use]
    pub fn path(&self) -> PathState {
        self.path
    }

    /// Takes a new estimate. More loss counts at once, less only when it is clearly less.
    pub fn set_path(&mut self, path: PathState) {
        let before = (self.loss, self.burst, self.path.round_trip_us, self.path.fec_allowed);
        let finite = |value: f64, or: f64| if value.is_finite() { value } else { or };
        self.path = PathState {
            loss: finite(path.loss, 0.0).clamp(0.0, 0.9),
            mean_burst: finite(path.mean_burst, 1.0).clamp(1.0, 50.0),
            // Rounded so that jitter of the estimate does not empty the cache.
            round_trip_us: path.round_trip_us.min(5_000_000).next_multiple_of(4_000),
            spacing_us: path.spacing_us.min(20_000),
            fec_allowed: path.fec_allowed,
        };
        self.loss = level(self.loss, self.path.loss);
        if self.path.mean_burst > self.burst || self.path.mean_burst < self.burst * 0.7 {
            self.burst = self.path.mean_burst;
        }
        if before != (self.loss, self.burst, self.path.round_trip_us, self.path.fec_allowed) {
            self.cache.clear();
        }
    }

    /// Most FEC packets for each media packet: nothing on a clean path, 1 at most, more where losses come in
    /// bursts.
    #[must_use]
    pub fn overhead_bound(&self) -> f64 {
        if self.loss == 0.0 { 0.0 } else { (0.3 + 6.0 * self.loss * self.burst.sqrt()).min(1.0) }
    }

    /// Requests and answers that fit between the sending of a frame of `packets`, begun `age_us` after its capture, and its
    /// deadline.
    #[must_use]
    pub fn rounds(&self, packets: usize, age_us: u64) -> u32 {
        let round_trip = self.path.round_trip_us;
        // With as much redundancy as a heavy loss would call for.
        let spread_us = self.path.spacing_us * packets as u64 * 3 / 2;
        let spent_us = age_us.saturating_add(spread_us + round_trip / 2 + DETECTION_US);
        let mut left = self.deadline_us.saturating_sub(spent_us);
        let mut rounds = 0;
        while left >= round_trip && rounds < 6 {
            left = left.saturating_sub(round_trip + REPEAT_US);
            rounds += 1;
        }
        rounds
    }

    /// Repair shards for each block of a frame of `packets` media packets that is sent `age_us` after its capture.
    pub fn repair(&mut self, packets: usize, age_us: u64) -> usize {
        if !self.path.fec_allowed || self.loss == 0.0 || packets == 0 || packets > fec::MAX_FRAME_PACKETS {
            return 0;
        }
        let rounds = self.rounds(packets, age_us) as u8;
        if self.cache.len() <= packets {
            self.cache.resize(packets + 1, None);
        }
        if let Some((known, repair)) = self.cache[packets]
            && known == rounds
        {
            return usize::from(repair);
        }
        let repair = self.compute(packets, u32::from(rounds));
        self.cache[packets] = Some((rounds, repair as u8));
        repair
    }

    fn compute(&self, packets: usize, rounds: u32) -> usize {
        let blocks = fec::blocks(packets);
        let block = fec::block_len(packets, 0);
        let chain = Gilbert::new(self.loss, self.burst).every(blocks);
        let unmended = self.unmended(rounds);
        // Of a frame without a trace only the next one tells.
        let traceless = self.unmended(rounds.saturating_sub(1));
        let bound = ((block as f64 * self.overhead_bound()).ceil() as usize).max(tiny(self.loss));
        let mut counter = chain.count();
        (0..block).for_each(|_| counter.step());
        let most = bound.min(fec::max_repair(packets));
        for repair in 0..most {
            let sent = block + repair;
            let (mut waiting, mut failed) = (0.0, 0.0);
            for (lost, p) in counter.distribution().enumerate().skip(repair + 1) {
                let unmended = if lost == packets + repair { traceless } else { unmended };
                waiting += p;
                failed += p * incomplete(lost, lost - repair, block, sent, unmended);
            }
            let blocks = blocks as f64;
            if failed * blocks <= self.target && waiting * blocks <= WAITING_TARGET {
                return repair;
            }
            counter.step();
        }
        most
    }

    /// Probability that a packet asked for does not come within `rounds`.
    fn unmended(&self, rounds: u32) -> f64 {
        let lost = self.path.loss.max(self.loss / STEP);
        // In bursts the second of two copies shares the first one's fate.
        let twice = lost >= TWICE_FROM && self.burst < 2.0;
        let request = if twice { lost * lost } else { lost };
        let round = |answer: f64| 1.0 - (1.0 - request) * (1.0 - answer);
        match rounds {
            0 => 1.0,
            n => round(lost).powi(n as i32 - 1) * round(if twice { lost * lost } else { lost }),
        }
    }
}

/// Frames of one or two packets may have this much whatever the bound: it costs little.
fn tiny(loss: f64) -> usize {
    if loss > 0.02 { 2 } else { 1 }
}

/// The level of loss to plan for, given the one before.
fn level(before: f64, loss: f64) -> f64 {
    if loss < FEC_UNTIL || (before == 0.0 && loss < FEC_FROM) {
        return 0.0;
    }
    if before > 0.0 && loss <= before && loss >= before * FALL {
        return before;
    }
    let steps = (loss.max(FEC_FROM) / FEC_FROM).ln() / STEP.ln();
    FEC_FROM * STEP.powf(steps.ceil())
}

/// Probability that of `lost` packets of a block fewer than `needed` media packets come back.
fn incomplete(lost: usize, needed: usize, media: usize, sent: usize, unmended: f64) -> f64 {
    if unmended >= 1.0 {
        return 1.0;
    }
    // Only media packets are asked for; losses fall on them in proportion.
    let asked = (lost * media).div_ceil(sent).max(needed);
    // P(Binomial(asked, 1 - unmended) < needed), term by term.
    let come = 1.0 - unmended;
    let mut term = unmended.powi(asked as i32);
    let mut sum = 0.0;
    for n in 0..needed {
        sum += term;
        if unmended > 0.0 {
            term *= (asked - n) as f64 / (n + 1) as f64 * come / unmended;
        }
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::DEADLINE_US;
    use super::*;

    fn policy(loss: f64, mean_burst: f64, round_trip_us: u64) -> RepairPolicy {
        let mut policy = RepairPolicy::new(TARGET, DEADLINE_US);
        policy.set_path(PathState { loss, mean_burst, round_trip_us, spacing_us: 300, fec_allowed: true });
        policy
    }

    #[test]
    fn a_clean_path_costs_nothing() {
        assert_eq!(policy(0.0029, 1.0, 240_000).repair(20, 10_000), 0);
    }

    #[test]
    fn a_short_round_trip_leaves_little_loss_to_retransmission() {
        assert_eq!(policy(0.01, 1.0, 30_000).repair(10, 10_000), 0);
        assert!(policy(0.01, 1.0, 240_000).repair(10, 10_000) >= 2);
    }

    #[test]
    fn bursts_need_more_than_independent_losses() {
        let single = policy(0.05, 1.0, 240_000).repair(20, 10_000);
        let bursts = policy(0.05, 5.0, 240_000).repair(20, 10_000);
        assert!(single >= 4 && bursts > single, "{single} {bursts}");
    }

    #[test]
    fn the_overhead_stays_within_its_bound() {
        for packets in 1..200 {
            let mut heavy = policy(0.3, 5.0, 240_000);
            let repair = heavy.repair(packets, 10_000) * fec::blocks(packets);
            assert!(repair <= packets.max(2), "{repair} for {packets}");
        }
    }

    #[test]
    fn a_wavering_estimate_does_not_change_the_choice() {
        let mut policy = policy(0.05, 1.0, 240_000);
        let first = policy.repair(20, 10_000);
        for loss in [0.045, 0.05, 0.04, 0.052, 0.038] {
            policy.set_path(PathState {
                loss,
                mean_burst: 1.0,
                round_trip_us: 240_000,
                spacing_us: 300,
                fec_allowed: true,
            });
            assert_eq!(policy.repair(20, 10_000), first, "at {loss}");
        }
    }

    #[test]
    fn nonsense_estimates_are_taken_for_the_nearest_sense() {
        let mut policy = policy(f64::NAN, f64::INFINITY, u64::MAX);
        assert_eq!(policy.repair(10, u64::MAX), 0);
        policy.set_path(PathState { loss: 7.0, mean_burst: -3.0, round_trip_us: 0, spacing_us: 0, fec_allowed: true });
        assert!(policy.repair(10, 0) > 0);
    }
}
