//! Whether a takeover was necessary, judged by replay: the closed loop is forked at the hand-over and driven on without the
//! human, over samples of what the others will do and of noise in the policy's actions.
//!
//! - *Harm* is a collision at fault, leaving the road or driving against the traffic, within 20 s past the hand-over. A sample
//!   ends with its harm.
//! - *Standstill* is standing for 10 s without a break within 60 s past the hand-over. It is looked for in the first 32
//!   samples, and there in those that came through the 20 s without harm and without being struck: the others are not to be
//!   driven on. Who arrives before does not stand still.
//!
//! All samples asked for are driven, though the class often stands before: shares and intervals are of a number of samples
//! that was fixed beforehand. Only their doubling depends on what the first have shown.

mod harm;
#[cfg(test)]
mod judged_tests;
mod replay;

pub use harm::Harm;
pub use replay::{HandOver, ReplayError, replay_to_handover};

use crate::closed_loop::{ActionNoise, ClosedLoop, LoopDriver, LoopFaults, LoopLink, LoopSeat, TICK_US};
use harm::{HarmObserver, Seen};
use protocol::mpd::binomial_interval;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Slower than this the vehicle stands, m/s: what a wheel's odometer tells apart from rest.
const STANDS_MPS: f64 = 0.1;
/// Most samples of one verdict.
pub const MOST_SAMPLES: u64 = 100_000;
/// Longest time that a sample is driven on, seconds.
const LONGEST_S: f64 = 3_600.0;

/// How takeovers are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NecessityConfig {
    /// Share of harm that parts necessary from precautionary takeovers.
    pub harm_threshold: f64,
    /// Harm counts within this time past the hand-over, seconds.
    pub harm_horizon_s: f64,
    /// Standstill counts within this time past the hand-over, seconds.
    pub standstill_horizon_s: f64,
    /// Who stands this long without a break stands still, seconds.
    pub standstill_s: f64,
    /// Samples at first. The samples that standstill is looked for in are among them.
    pub samples: u64,
    /// Samples double up to this number while the verdict is unclear.
    pub most_samples: u64,
    /// Standard deviation of the noise in the policy's actions, as a share of half of each channel's range.
    pub action_noise: f64,
    /// What the samples' seeds are drawn from, with the world's seed and the tick of the hand-over.
    pub seed: u64,
}

impl Default for NecessityConfig {
    /// Harm within 20 s: about what people take at most to get a car in hand that they took over (Eriksson and Stanton 2017:
    /// 1.9 to 25.7 s). Standing for 10 s: a person crosses a road of two lanes (7 m at 1.4 m/s) in 5 s. The noise is a third
    /// of a degree of a car's steering and 0.06 m/s^2: what an actuator may be off by, not what a policy errs by.
    fn default() -> Self {
        Self {
            harm_threshold: 0.2,
            harm_horizon_s: 20.0,
            standstill_horizon_s: 60.0,
            standstill_s: 10.0,
            samples: 32,
            most_samples: 128,
            action_noise: 0.01,
            seed: 1,
        }
    }
}

/// A value of a [`NecessityConfig`] that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} of the necessity's configuration is {value}; it must be {expected}")]
pub struct NecessityConfigError {
    /// Which value.
    pub name: &'static str,
    /// What it is.
    pub value: f64,
    /// What it may be.
    pub expected: &'static str,
}

impl NecessityConfig {
    /// Whether every value makes sense.
    ///
    /// # Errors
    /// [`NecessityConfigError`] for the first that does not.
    pub fn check(&self) -> Result<(), NecessityConfigError> {
        let time = (0.0, LONGEST_S, "0 to 3600 seconds");
        let count = (1.0, MOST_SAMPLES as f64, "1 to 100000");
        let share = (0.0, 1.0, "0 to 1");
        let values = [
            ("harm_threshold", self.harm_threshold, share),
            ("harm_horizon_s", self.harm_horizon_s, time),
            ("standstill_horizon_s", self.standstill_horizon_s, time),
            ("standstill_s", self.standstill_s, time),
            ("samples", self.samples as f64, count),
            ("most_samples", self.most_samples as f64, count),
            ("action_noise", self.action_noise, share),
        ];
        match values.into_iter().find(|(_, value, (least, most, _))| !(*least..=*most).contains(value)) {
            Some((name, value, (.., expected))) => Err(NecessityConfigError { name, value, expected }),
            None => Ok(()),
        }
    }

    /// What `harms` in `samples` say.
    #[must_use]
    pub fn classify(&self, harms: u64, samples: u64) -> Necessity {
        let (low, high) = binomial_interval(harms, samples);
        if low > self.harm_threshold {
            Necessity::Necessary
        } else if high < self.harm_threshold {
            Necessity::Precautionary
        } else {
            Necessity::Unclear
        }
    }
}

/// Whether a takeover was necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Necessity {
    /// The lower end of the harm share's interval is above the threshold.
    Necessary,
    /// The upper end is below it.
    Precautionary,
    /// The threshold lies within the interval of all the samples.
    Unclear,
}

impl Necessity {
    /// As in JSON.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Necessary => "necessary",
            Self::Precautionary => "precautionary",
            Self::Unclear => "unclear",
        }
    }
}

/// A takeover's necessity with its evidence. Intervals are exact two-sided 95 % ones (Clopper and Pearson 1934).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NecessityVerdict {
    /// The class.
    pub necessity: Necessity,
    /// Share of the samples that ended in harm.
    pub harm_share: f64,
    /// Lower end of its interval.
    pub harm_low: f64,
    /// Upper end of its interval.
    pub harm_high: f64,
    /// Share of the samples that were to be driven on and stood still; `None` when there was none.
    pub standstill_share: Option<f64>,
    /// Lower end of its interval.
    pub standstill_low: Option<f64>,
    /// Upper end of its interval.
    pub standstill_high: Option<f64>,
    /// How many samples were driven.
    pub samples: u64,
    /// How many were driven on to the standstill's horizon.
    pub standstill_samples: u64,
    /// Samples by the harm that they ended in.
    pub harms: BTreeMap<Harm, u64>,
    /// Samples that ended because others struck the vehicle without its fault.
    pub struck: u64,
    /// How it was judged.
    pub config: NecessityConfig,
}

/// A harm and its time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HarmAt {
    /// What harm.
    pub harm: Harm,
    /// How long past the hand-over, seconds.
    pub after_s: f64,
}

/// How a sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SampleOutcome {
    /// What harm was done within the horizon.
    pub harm: Option<HarmAt>,
    /// Somebody struck the vehicle without its fault within the horizon.
    pub struck: bool,
    /// Whether it stood still; `None` where it was not to be driven on.
    pub stood_still: Option<bool>,
}

/// Judges the takeover that has begun in the last tick of `at_handover`, which stays as it is.
///
/// # Errors
/// [`NecessityConfigError`].
pub fn judge<S, D, L, F>(
    at_handover: &ClosedLoop<S, D, L, F>,
    config: &NecessityConfig,
) -> Result<NecessityVerdict, NecessityConfigError>
where
    S: LoopSeat + Clone,
    D: LoopDriver + Clone,
    L: LoopLink + Clone,
    F: LoopFaults + Clone,
{
    config.check()?;
    let world_seed = at_handover.robot().world().config().seed;
    let seed = mix(mix(config.seed, world_seed), at_handover.ticks());
    let mut counts = Counts::default();
    let mut wanted = config.samples;
    loop {
        while counts.samples < wanted {
            let mut sample = at_handover.fork();
            sample.set_noise((config.action_noise > 0.0).then(|| ActionNoise::new(config.action_noise, 0)));
            sample.reseed(mix(seed, counts.samples));
            counts.add(drive_on(sample, config, counts.samples < config.samples));
        }
        let necessity = config.classify(counts.harmed(), counts.samples);
        if necessity != Necessity::Unclear || wanted >= config.most_samples {
            return Ok(counts.verdict(necessity, config));
        }
        wanted = (2 * wanted).min(config.most_samples);
    }
}

/// Drives `running` on without the human for the horizons of `config`; the standstill's only where it is wanted.
pub fn drive_on<S, D, L, F>(
    running: ClosedLoop<S, D, L, F>,
    config: &NecessityConfig,
    wants_standstill: bool,
) -> SampleOutcome
where
    S: LoopSeat,
    D: LoopDriver,
    L: LoopLink,
    F: LoopFaults,
{
    let mut alone = running.without_human();
    let ticks = |seconds: f64| (seconds * 1e6 / TICK_US as f64) as u64;
    let [harm_ticks, standstill_ticks, stands_ticks] =
        [config.harm_horizon_s, config.standstill_horizon_s, config.standstill_s].map(ticks);
    let mut observer = HarmObserver::new(alone.robot().world());
    let mut outcome = SampleOutcome { harm: None, struck: false, stood_still: wants_standstill.then_some(false) };
    let mut standing = 0;
    for tick in 1..=harm_ticks.max(if wants_standstill { standstill_ticks } else { 0 }) {
        let counts_harm = tick <= harm_ticks;
        if !counts_harm && outcome.stood_still == Some(true) {
            break;
        }
        alone.step();
        let world = alone.robot().world();
        match observer.look(world) {
            Seen::Nothing => {}
            Seen::Harm(_) | Seen::Struck if !counts_harm => break,
            Seen::Harm(harm) => {
                outcome.harm = Some(HarmAt { harm, after_s: (tick * TICK_US) as f64 * 1e-6 });
                outcome.stood_still = None;
                break;
            }
            Seen::Struck => {
                (outcome.struck, outcome.stood_still) = (true, None);
                break;
            }
        }
        if world.status().route_done {
            break;
        }
        standing = if world.ego().speed_mps.abs() < STANDS_MPS { standing + 1 } else { 0 };
        if standing >= stands_ticks.max(1) && tick <= standstill_ticks {
            outcome.stood_still = outcome.stood_still.map(|_| true);
        }
    }
    outcome
}

/// What the samples so far have shown.
#[derive(Default)]
struct Counts {
    samples: u64,
    harms: BTreeMap<Harm, u64>,
    struck: u64,
    driven_on: u64,
    stood_still: u64,
}

impl Counts {
    fn add(&mut self, outcome: SampleOutcome) {
        self.samples += 1;
        self.struck += u64::from(outcome.struck);
        if let Some(HarmAt { harm, .. }) = outcome.harm {
            *self.harms.entry(harm).or_default() += 1;
        }
        if let Some(stood_still) = outcome.stood_still {
            self.driven_on += 1;
            self.stood_still += u64::from(stood_still);
        }
    }

    fn harmed(&self) -> u64 {
        self.harms.values().sum()
    }

    fn verdict(self, necessity: Necessity, config: &NecessityConfig) -> NecessityVerdict {
        let harmed = self.harmed();
        let (harm_low, harm_high) = binomial_interval(harmed, self.samples);
        let standstill = (self.driven_on > 0).then(|| binomial_interval(self.stood_still, self.driven_on));
        NecessityVerdict {
            necessity,
            harm_share: harmed as f64 / self.samples as f64,
            harm_low,
            harm_high,
            standstill_share: standstill.map(|_| self.stood_still as f64 / self.driven_on as f64),
            standstill_low: standstill.map(|(low, _)| low),
            standstill_high: standstill.map(|(_, high)| high),
            samples: self.samples,
            standstill_samples: self.driven_on,
            harms: self.harms,
            struck: self.struck,
            config: config.clone(),
        }
    }
}

/// SplitMix64 (Steele et al. 2014): independent seeds from one.
fn mix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_of_32_samples_begin_at_12_harms_and_end_at_1() {
        let config = NecessityConfig::default();
        let of = |harms| config.classify(harms, 32);
        assert_eq!([0, 1].map(of), [Necessity::Precautionary; 2]);
        assert_eq!([2, 6, 11].map(of), [Necessity::Unclear; 3]);
        assert_eq!([12, 20, 32].map(of), [Necessity::Necessary; 3]);
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_name() {
        let refused = |config: NecessityConfig| config.check().map_err(|error| error.name);
        assert_eq!(refused(NecessityConfig::default()), Ok(()));
        assert_eq!(refused(NecessityConfig { samples: 0, ..Default::default() }), Err("samples"));
        assert_eq!(refused(NecessityConfig { harm_threshold: f64::NAN, ..Default::default() }), Err("harm_threshold"));
        let endless = NecessityConfig { standstill_horizon_s: f64::INFINITY, ..Default::default() };
        assert_eq!(refused(endless), Err("standstill_horizon_s"));
    }
}
