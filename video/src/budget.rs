//! How many bits the next picture may take, so that what was sent above the target is soon made up for: the codec's own
//! rate control would leave a keyframe's excess in the sender's queue for half a second. No codec, no clock.

/// Size of a keyframe aimed at, in average pictures.
const KEYFRAME: f64 = 3.0;
/// Above this, in average pictures, a keyframe is coded a second time and coarser.
pub(super) const KEYFRAME_LIMIT: f64 = 4.5;
/// The codec gives a keyframe so many times the bits of an average picture (`IDR_BITRATE_RATIO`).
const CODEC_KEYFRAME: f64 = 4.0;
/// The excess is made up for within about so many pictures,
const PICTURES: f64 = 4.0;
/// but none gets less than this share of its bits.
const LEAST: f64 = 0.5;

/// What has been sent above the target.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    excess_bits: f64,
    last_us: Option<u64>,
}

impl Budget {
    /// Bits per second that the codec is told for the picture captured at `capture_us`.
    pub(super) fn rate(&mut self, capture_us: u64, bps: u32, fps: f64, keyframe: bool) -> u32 {
        let bps = f64::from(bps);
        let passed_s = self.last_us.map_or(0.0, |last_us| capture_us.saturating_sub(last_us) as f64 * 1e-6);
        self.last_us = Some(capture_us);
        self.excess_bits = (self.excess_bits - bps * passed_s).max(0.0);
        let share = if keyframe {
            KEYFRAME / CODEC_KEYFRAME
        } else {
            (1.0 - self.excess_bits * fps / (bps * PICTURES)).max(LEAST)
        };
        (bps * share) as u32
    }

    /// A picture of `bytes` is on its way.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.excess_bits += bytes as f64 * 8.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_keyframe_pictures_get_less_until_its_excess_is_made_up_for() {
        let mut budget = Budget::default();
        assert_eq!(budget.rate(0, 1_200_000, 30.0, true), 900_000);
        budget.spend(4 * 5_000);
        let mut rates = Vec::new();
        for i in 1..=20u64 {
            let rate = budget.rate(i * 33_333, 1_200_000, 30.0, false);
            budget.spend((f64::from(rate) / 30.0 / 8.0) as usize);
            rates.push(rate);
        }
        assert_eq!(rates[0], 600_000);
        assert!(rates.is_sorted() && rates[19] > 1_100_000, "{rates:?}");
    }

    #[test]
    fn a_pause_makes_up_for_everything_but_saves_nothing() {
        let mut budget = Budget::default();
        budget.rate(0, 1_000_000, 30.0, false);
        budget.spend(100_000);
        assert_eq!(budget.rate(5_000_000, 1_000_000, 30.0, false), 1_000_000);
        budget.spend(8_000);
        assert!(budget.rate(5_033_333, 1_000_000, 30.0, false) < 1_000_000);
    }
}
