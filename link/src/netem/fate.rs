//! What chance does to each packet.

use super::Impairment;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What happens to a packet behind the bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) lost: bool,
    pub(super) held_back: bool,
    pub(super) doubled: bool,
}

/// Draws fates, one a packet, always with the same number of random figures, and the jitter.
#[derive(Debug)]
pub(super) struct Fates {
    random: ChaCha8Rng,
    seed: u64,
    /// In the bad state of the Gilbert-Elliott model; `None` before its first packet.
    bad: Option<bool>,
}

/// Packets within this time share their jitter, microseconds.
const JITTER_SLOT_US: u64 = 10_000;
/// The exponential distribution is cut off here, times its mean.
const JITTER_CUT: f64 = 8.0;

impl Fates {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), seed, bad: None }
    }

    /// The next packet's fate.
    pub(super) fn draw(&mut self, now: &Impairment) -> Fate {
        let [loss, held, doubled] = [(); 3].map(|()| unit(self.random.next_u64()));
        Fate { lost: self.lost(now, loss), held_back: held < now.reorder, doubled: doubled < now.duplicate }
    }

    /// Bad to good with `1 / burst`, and good to bad so that the mean share of bad is the loss.
    fn lost(&mut self, now: &Impairment, draw: f64) -> bool {
        if now.burst_packets < 1.0 || now.loss >= 1.0 {
            return draw < now.loss;
        }
        let end = 1.0 / now.burst_packets;
        let begin = end * now.loss / (1.0 - now.loss);
        let bad = match self.bad {
            None => draw < now.loss,
            Some(true) => draw >= end,
            Some(false) => draw < begin,
        };
        self.bad = Some(bad);
        bad
    }

    /// What a packet that sets out at `at_us` needs beyond the delay, microseconds.
    pub(super) fn jitter_us(&self, now: &Impairment, at_us: u64) -> u64 {
        if now.jitter_us == 0 {
            return 0;
        }
        let draw = unit(mix(self.seed ^ mix(at_us / JITTER_SLOT_US)));
        ((-(1.0 - draw).ln()).min(JITTER_CUT) * now.jitter_us as f64) as u64
    }
}

/// 0 to below 1 from the upper 53 bits.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a hash of one number.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}
