//! How well a driver in the policy's seat drives: the closed-loop score by nuPlan's definitions (Caesar et al. 2021,
//! arXiv 2106.11810, and the metrics of its closed-loop challenge), near misses, crashes, way and time, by operating domain.
//!
//! A [`ScoreObserver`] is shown a [`ScoreFrame`] ten times a second and changes nothing. The time in which the policy drives is
//! cut into scenarios of 15 s, nuPlan's length; one that a takeover or the trip's end cuts short counts for as long as it is.
//! A scenario's score is the product of four conditions and the weighted mean of four qualities:
//!
//! | part | kind | from 0 to 1 |
//! | --- | --- | --- |
//! | collision at fault | condition | 0 with a vehicle or a person, one half with a thing; whose fault: see `collision` |
//! | drivable area | condition | 0 when a corner is more than 0.3 m off the road |
//! | direction | condition | against the traffic within any second: to 2 m 1, to 6 m one half, else 0 |
//! | making progress | condition | 0 at less than a fifth of the free drive's pace |
//! | progress | 5 | pace against the free drive's, at most 1 |
//! | time to collision | 5 | 0 when below 0.95 s by speeds and headings held |
//! | speed limit | 4 | 1 less the mean excess over 2.23 m/s |
//! | comfort | 2 | 1 when accelerations, yaw and jerk keep to the bounds in `scenario` |
//!
//! Where nuPlan compares with a recorded human, there is none here: a [`FreeDrive`] takes the place. Whoever passes what
//! stands in the own lane by the lanes of the other direction does not drive against the traffic. A collision within
//! [`AFTER_HANDOVER_S`] after a hand-over counts for the scenario before it.

mod collision;
mod frame;
mod free_drive;
mod scenario;

pub use frame::{Mover, ScoreFrame};
pub use free_drive::FreeDrive;

use protocol::api::ScoreParts;
use scenario::Scenario;
use sim::world::World;
use std::collections::BTreeMap;

/// What happens within this time after the policy was taken over counts as its, seconds: longer than people take to get a car
/// in hand that they took over (Eriksson and Stanton 2017: 1.9 to 25.7 s).
pub const AFTER_HANDOVER_S: f64 = 30.0;
/// A scenario's length, seconds: nuPlan's.
const SCENARIO_S: f64 = 15.0;
/// Two approaches to a collision nearer in time than this are one, seconds.
const ONE_MISS_S: f64 = 2.0;
/// Share of the way of a free drive in the trip's time that has to be made where the time ends the trip.
const ENOUGH: f64 = 0.5;

/// What a driver reached on a trip, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TripScore {
    /// Time with the policy in authority, seconds.
    pub policy_s: f64,
    /// Way in that time, metres.
    pub policy_m: f64,
    /// Time that a free drive takes for that way, seconds.
    pub free_s: f64,
    /// Sum of the scenarios' scores, each times its seconds.
    pub score_s: f64,
    /// Sums of the scores' parts, each times the scenario's seconds.
    pub parts_s: ScoreParts,
    /// The crash that ended the trip, with the policy in authority or within [`AFTER_HANDOVER_S`] after a hand-over.
    pub crash: Option<ScoredCrash>,
    /// Collisions that were less than 0.95 s away and were avoided; those after a hand-over as for crashes.
    pub near_misses: u64,
    /// Times that the policy asked for help.
    pub help_requests: u64,
    /// Whether the trip arrived, or got half as far as a free drive in the same time, without a crash, whoever drove.
    pub completed: bool,
    /// The same by operating domain.
    pub domains: BTreeMap<String, DomainCounts>,
}

/// A crash that counts as the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoredCrash {
    /// Whether the policy had been taken over before.
    pub after_handover: bool,
    /// Whether the car was at fault; leaving the road always is.
    pub at_fault: bool,
}

/// Counts of one operating domain.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DomainCounts {
    /// Way with the policy in authority, metres.
    pub policy_m: f64,
    /// Time in that, seconds.
    pub policy_s: f64,
    /// Takeovers that count, and crashes with the policy in authority.
    pub takeovers: u64,
    /// Crashes that count as the policy's.
    pub crashes: u64,
    /// Near misses.
    pub near_misses: u64,
}

/// Watches a trip; see the [module](self).
#[derive(Debug, Clone)]
pub struct ScoreObserver {
    free: FreeDrive,
    before: Option<ScoreFrame>,
    /// When the policy drove last.
    policy_drove_s: Option<f64>,
    current: Option<Scenario>,
    finished: Vec<(f64, ScoreParts)>,
    /// When a collision was near last, and where that was.
    near: Option<(f64, String)>,
    score: TripScore,
}

impl ScoreObserver {
    /// Of a trip that a free drive could drive so.
    #[must_use]
    pub fn new(free: FreeDrive) -> Self {
        Self {
            free,
            before: None,
            policy_drove_s: None,
            current: None,
            finished: Vec::new(),
            near: None,
            score: TripScore::default(),
        }
    }

    /// Looks at the world while the policy drives or not, and asks for help or not.
    pub fn look(&mut self, world: &World, policy_drives: bool, asks_for_help: bool) {
        let frame = ScoreFrame::of(world, policy_drives, asks_for_help, self.before.as_ref());
        self.observe(frame);
    }

    /// Looks at a moment; the first one only begins.
    pub fn observe(&mut self, frame: ScoreFrame) {
        let Some(before) = self.before.take() else {
            self.before = Some(frame);
            return;
        };
        self.ask(&before, &frame);
        if frame.policy_drives {
            self.drive(&before, &frame);
        } else {
            self.end_scenario();
        }
        if self.is_the_policys(frame.time_s) {
            self.miss(&frame);
        }
        self.before = Some(frame);
    }

    fn ask(&mut self, before: &ScoreFrame, frame: &ScoreFrame) {
        if frame.asks_for_help && !before.asks_for_help && before.policy_drives {
            self.score.help_requests += 1;
        }
    }

    fn drive(&mut self, before: &ScoreFrame, frame: &ScoreFrame) {
        self.policy_drove_s = Some(frame.time_s);
        let (time_s, way_m) = (frame.time_s - before.time_s, (frame.odometer_m - before.odometer_m).max(0.0));
        self.score.policy_s += time_s;
        self.score.policy_m += way_m;
        let free_s = self.free.time_s(before.progress_m, frame.progress_m);
        self.score.free_s += free_s;
        let domain = self.domain(frame.domain());
        domain.policy_s += time_s;
        domain.policy_m += way_m;
        let scenario = self.current.get_or_insert_default();
        scenario.add(before, frame, free_s);
        // Sums of tenths of a second are off by their last digits.
        if scenario.seconds() >= SCENARIO_S - 1e-6 {
            self.end_scenario();
        }
    }

    fn domain(&mut self, name: String) -> &mut DomainCounts {
        self.score.domains.entry(name).or_default()
    }

    /// Whether what happens at `time_s` counts as the policy's.
    fn is_the_policys(&self, time_s: f64) -> bool {
        self.policy_drove_s.is_some_and(|drove_s| time_s - drove_s <= AFTER_HANDOVER_S)
    }

    fn end_scenario(&mut self) {
        if let Some(scenario) = self.current.take() {
            self.finished.push((scenario.seconds(), scenario.parts()));
        }
    }

    fn miss(&mut self, frame: &ScoreFrame) {
        if !collision::is_near(frame) {
            return;
        }
        match &mut self.near {
            Some((last_s, _)) if frame.time_s - *last_s <= ONE_MISS_S => *last_s = frame.time_s,
            near => {
                let place = frame.domain();
                *near = Some((frame.time_s, place.clone()));
                self.score.near_misses += 1;
                self.domain(place).near_misses += 1;
            }
        }
    }

    /// A takeover began that counts as a disengagement.
    pub fn note_takeover(&mut self) {
        if let Some(place) = self.before.as_ref().map(ScoreFrame::domain) {
            self.domain(place).takeovers += 1;
        }
    }

    /// The trip is over; `crashed` when a collision or a left road ended it, with the frame of that moment observed last.
    #[must_use]
    pub fn finish(mut self, crashed: bool) -> TripScore {
        self.end_scenario();
        let Some(last) = self.before.take() else { return self.score };
        let enough_m = (ENOUGH * self.free.distance_m(last.time_s)).min(self.free.arrived_m());
        self.score.completed = !crashed && last.progress_m >= enough_m;
        if crashed && self.is_the_policys(last.time_s) {
            self.crash(&last);
        }
        for (seconds, parts) in &self.finished {
            self.score.score_s += seconds * scenario::score(parts);
            scenario::add_weighted(&mut self.score.parts_s, parts, *seconds);
        }
        self.score
    }

    fn crash(&mut self, last: &ScoreFrame) {
        // Without a collision the road was left, which the drivable area tells.
        let at_fault = last.struck.is_none_or(|struck| struck.at_fault);
        self.score.crash = Some(ScoredCrash { after_handover: !last.policy_drives, at_fault });
        // The scenario that was last: the one of the collision, or the one that was handed over.
        if let (Some(struck), Some((_, parts))) = (last.struck.filter(|s| s.at_fault), self.finished.last_mut()) {
            parts.no_at_fault_collision *= if struck.is_thing { 0.5 } else { 0.0 };
        }
        let place = last.domain();
        let counts = self.domain(place);
        counts.crashes += 1;
        counts.takeovers += u64::from(last.policy_drives);
        // What became a collision was no near miss.
        if let Some((_, place)) = self.near.take_if(|(near_s, _)| last.time_s - *near_s <= ONE_MISS_S) {
            self.score.near_misses -= 1;
            self.domain(place).near_misses -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
