//! From what a run left behind to figures.

use super::cases::{Case, Kind};
use super::trial::Trial;
use std::collections::{BTreeMap, BTreeSet};

/// Pictures older than this are late, milliseconds.
const LATE_MS: f64 = 150.0;
/// Left out at either end of a run: what was still starting, and what was still on its way, microseconds.
const MARGIN_US: u64 = 1_000_000;

/// A picture that was shown, with its age by the machine's one wall clock: no estimate is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// On the vehicle's clock, microseconds.
    pub capture_us: u64,
    /// Truly, on the vehicle's clock, microseconds.
    pub shown_us: i64,
    /// By the seat's account, milliseconds.
    pub stages_ms: Vec<f32>,
}

impl Shown {
    /// Milliseconds.
    #[must_use]
    pub fn age_ms(&self) -> f64 {
        (self.shown_us - self.capture_us as i64) as f64 / 1e3
    }
}

/// Pictures of the first seat within the margins.
#[must_use]
pub fn shown(trial: &Trial) -> Vec<Shown> {
    let Some(seat) = trial.seats.first() else { return Vec::new() };
    let offset_us = true_offset_us(trial);
    let all = seat.pictures.iter().map(|p| Shown {
        capture_us: p.capture_us,
        shown_us: p.presented_seat_us as i64 + offset_us,
        stages_ms: p.stages_ms.clone(),
    });
    let Some((from, to)) = window(trial) else { return Vec::new() };
    all.filter(|p| (from..=to).contains(&p.capture_us)).collect()
}

/// Vehicle's minus seat's clock, microseconds.
fn true_offset_us(trial: &Trial) -> i64 {
    let seat = trial.seats.first().map_or(0, |seat| seat.origin_unix_us);
    seat as i64 - trial.bridge.origin_unix_us as i64
}

/// Capture times that count, on the vehicle's clock.
fn window(trial: &Trial) -> Option<(u64, u64)> {
    let seat = trial.seats.first()?;
    let first = seat.pictures.first()?.capture_us + MARGIN_US;
    let end = (seat.seconds * 1e6) as i64 + true_offset_us(trial) - MARGIN_US as i64;
    let end = u64::try_from(end).ok()?;
    (first < end).then_some((first, end))
}

/// Every metric of a run by name.
#[must_use]
pub fn metrics(case: &Case, trial: &Trial) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    if case.kind == Kind::Connect {
        connect(trial, &mut all);
        return all;
    }
    let shown = shown(trial);
    ages(&shown, &mut all);
    losses(trial, &shown, &mut all);
    clocks(trial, &mut all);
    commands(trial, &mut all);
    resources(trial, &mut all);
    drift(&shown, &mut all);
    if case.name == "step" {
        steps(case, trial, &shown, &mut all);
    }
    if case.name == "blackout" {
        blackouts(case, trial, &mut all);
    }
    if let Kind::Roam(_) = case.kind {
        roams(trial, &mut all);
    }
    all
}

/// The value below which a share of them lies; NaN for none.
#[must_use]
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share).ceil() as usize;
    values.get(index.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn put(all: &mut BTreeMap<String, f64>, name: impl Into<String>, value: f64) {
    if value.is_finite() {
        all.insert(name.into(), value);
    }
}

fn ages(shown: &[Shown], all: &mut BTreeMap<String, f64>) {
    let mut ages: Vec<f64> = shown.iter().map(Shown::age_ms).collect();
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)] {
        put(all, format!("pixel_to_pixel_{name}"), percentile(&mut ages, share));
    }
}

fn losses(trial: &Trial, shown: &[Shown], all: &mut BTreeMap<String, f64>) {
    let Some((from, to)) = window(trial) else {
        // A seat that never saw anything missed everything.
        if !trial.bridge.captured_us.is_empty() {
            for (name, value) in
                [("missing", 100.0), ("late_or_missing", 100.0), ("frame_rate", 0.0), ("frozen_per_50s", 50.0)]
            {
                put(all, name, value);
            }
        }
        return;
    };
    let there: BTreeSet<u64> = shown.iter().map(|p| p.capture_us).collect();
    let sent: Vec<u64> = trial.bridge.captured_us.iter().copied().filter(|us| (from..=to).contains(us)).collect();
    let missing = sent.iter().filter(|us| !there.contains(us)).count() as f64;
    let late = shown.iter().filter(|p| p.age_ms() > LATE_MS).count() as f64;
    let sent_count = sent.len() as f64;
    put(all, "pictures", sent_count);
    put(all, "missing", missing / sent_count * 100.0);
    put(all, "late", late / shown.len() as f64 * 100.0);
    put(all, "late_or_missing", (late + missing) / sent_count * 100.0);
    let seconds = (to - from) as f64 / 1e6;
    put(all, "frame_rate", shown.len() as f64 / seconds);
    put(all, "frozen_per_50s", frozen_s(shown) / seconds * 50.0);
    let gaps = shown.windows(2).map(|pair| (pair[1].shown_us - pair[0].shown_us) as f64 / 1e3);
    put(all, "longest_gap", gaps.fold(0.0, f64::max));
}

/// A freeze is an interval above the mean by 150 ms or threefold, whichever is more, and counts whole
/// (`totalFreezesDuration` of the W3C's WebRTC statistics).
fn frozen_s(shown: &[Shown]) -> f64 {
    let gaps: Vec<f64> = shown.windows(2).map(|pair| (pair[1].shown_us - pair[0].shown_us) as f64 / 1e3).collect();
    let mean_ms = gaps.iter().sum::<f64>() / gaps.len().max(1) as f64;
    let freeze_ms = (3.0 * mean_ms).max(mean_ms + 150.0);
    gaps.iter().filter(|gap| **gap > freeze_ms).fold(0.0, |sum, gap| sum + gap) / 1e3
}

fn clocks(trial: &Trial, all: &mut BTreeMap<String, f64>) {
    let Some(seat) = trial.seats.first() else { return };
    let truth = true_offset_us(trial) as f64;
    // The first estimates come while the session is still being made.
    let settled = seat.clock.iter().skip(2);
    let mut errors: Vec<f64> = settled.clone().map(|c| (c.offset_us - truth).abs() / 1e3).collect();
    put(all, "clock_error_p95", percentile(&mut errors, 0.95));
    put(all, "clock_error_max", percentile(&mut errors, 1.0));
    let mut uncertainties: Vec<f64> = settled.map(|c| c.uncertainty_us / 1e3).collect();
    put(all, "clock_uncertainty_p50", percentile(&mut uncertainties, 0.5));
}

fn commands(trial: &Trial, all: &mut BTreeMap<String, f64>) {
    let widen = |ages: &[f32]| ages.iter().skip(100).map(|ms| f64::from(*ms)).collect::<Vec<_>>();
    let mut arrived = widen(&trial.bridge.commands.arrived_ms);
    let one_way_ms = trial.bridge.commands.arrived_ms.iter().skip(100).copied().fold(f32::INFINITY, f32::min);
    put(all, "command_arrived_p50", percentile(&mut arrived, 0.5));
    let p99 = percentile(&mut arrived, 0.99);
    put(all, "command_arrived_p99", p99);
    // On a path without delay all of it is software's; elsewhere what exceeds the quickest is.
    put(all, "command_added_p99", if one_way_ms > 3.0 { p99 - f64::from(one_way_ms) } else { p99 });
    let mut newest = widen(&trial.bridge.commands.newest_ms);
    put(all, "command_age_p99", percentile(&mut newest, 0.99));
    put(all, "command_age_p999", percentile(&mut newest, 0.999));
}

fn resources(trial: &Trial, all: &mut BTreeMap<String, f64>) {
    let Some(seat) = trial.seats.first() else { return };
    let bridge = &trial.bridge;
    put(all, "vehicle_cpu", bridge.cpu_s / bridge.cpu_over_s);
    put(all, "seat_cpu", seat.cpu_s / seat.cpu_over_s);
    put(all, "vehicle_memory", bridge.most_memory_bytes as f64 / 1e6);
    put(all, "seat_memory", seat.most_memory_bytes as f64 / 1e6);
    // The first half minute fills buffers.
    let growth = |samples: &[u64]| match (samples.get(3), samples.last()) {
        (Some(first), Some(last)) if samples.len() > 6 => (*last as f64 - *first as f64) / 1e6,
        _ => f64::NAN,
    };
    put(all, "vehicle_memory_growth", growth(&bridge.memory_bytes));
    put(all, "seat_memory_growth", growth(&seat.memory_bytes));
    put(all, "bitrate", bridge.bitrate_bps / 1e6);
    put(all, "router_late_mean", trial.router.mean_late_us as f64 / 1e3);
    put(all, "router_late_max", trial.router.most_late_us as f64 / 1e3);
    put(all, "reconnects", seat.reconnects as f64);
    let mut first = seat.first_picture_ms.map(|ms| ms / 1e3).into_iter().collect::<Vec<_>>();
    put(all, "first_picture_p95", percentile(&mut first, 0.95));
    let shown = shown(trial);
    let staged = shown.iter().filter(|p| !p.stages_ms.is_empty());
    let sums = staged.map(|p| (p.stages_ms.iter().map(|ms| f64::from(*ms)).sum::<f64>(), p.age_ms()));
    let (accounted, ages) = sums.fold((0.0, 0.0), |(a, b), (sum, age)| (a + sum, b + age));
    put(all, "stages_accounted", accounted / ages * 100.0);
    for (n, stage) in seat.stages.iter().enumerate() {
        let mut values: Vec<f64> = shown.iter().filter_map(|p| p.stages_ms.get(n).map(|ms| f64::from(*ms))).collect();
        put(all, format!("stage {stage} mean"), values.iter().sum::<f64>() / values.len() as f64);
        put(all, format!("stage {stage} p95"), percentile(&mut values, 0.95));
    }
}

/// Median age of the last tenth minus that of the first.
fn drift(shown: &[Shown], all: &mut BTreeMap<String, f64>) {
    let tenth = shown.len() / 10;
    if tenth < 100 {
        return;
    }
    let median = |part: &[Shown]| percentile(&mut part.iter().map(Shown::age_ms).collect::<Vec<_>>(), 0.5);
    put(all, "latency_drift", median(&shown[shown.len() - tenth..]) - median(&shown[..tenth]));
}

fn connect(trial: &Trial, all: &mut BTreeMap<String, f64>) {
    // A seat that saw nothing counts with all the time it had.
    let seen = |seat: &crate::seat::SeatReport| seat.first_picture_ms.unwrap_or(seat.seconds * 1e3) / 1e3;
    let mut times: Vec<f64> = trial.seats.iter().map(seen).collect();
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("max", 1.0)] {
        put(all, format!("first_picture_{name}"), percentile(&mut times, share));
    }
    put(all, "pictures", times.len() as f64);
}

/// When the path changes in the forward direction, on the vehicle's clock, and whether to the better.
fn changes(case: &Case, trial: &Trial, better: impl Fn(&link::netem::Impairment) -> bool) -> Vec<(i64, bool)> {
    let Some(path) = case.paths().ok().and_then(|paths| paths.into_iter().next()) else { return Vec::new() };
    let zero_us = trial.path_unix_us as i64 - trial.bridge.origin_unix_us as i64;
    let end_us = (trial.bridge.seconds * 1e6) as i64;
    let (mut at_us, mut all) = (0, Vec::new());
    let mut before = better(path.forward.at(0));
    while let Some(next_us) = path.forward.next_change_us(at_us) {
        at_us = next_us;
        let vehicle_us = zero_us + at_us as i64;
        if vehicle_us > end_us {
            break;
        }
        let now = better(path.forward.at(at_us));
        if now != before {
            all.push((vehicle_us, now));
        }
        before = now;
    }
    all
}

/// How long after each narrowing pictures are late, worst case.
fn steps(case: &Case, trial: &Trial, shown: &[Shown], all: &mut BTreeMap<String, f64>) {
    let Some((from, to)) = window(trial) else { return };
    let narrowed = changes(case, trial, |i| i.rate_bps >= 4_000_000).into_iter().filter(|(_, better)| !better);
    let recovered = narrowed.filter(|(at, _)| *at > from as i64 && *at + 10_000_000 < to as i64).map(|(at, _)| {
        let late = shown.iter().filter(|p| (at..at + 10_000_000).contains(&p.shown_us) && p.age_ms() > LATE_MS);
        late.map(|p| (p.shown_us - at) as f64 / 1e6).fold(0.0, f64::max)
    });
    if let Some(worst) = recovered.reduce(f64::max) {
        put(all, "below_150ms_again", worst);
    }
}

/// From the end of each blackout to the first picture taken after it.
fn blackouts(case: &Case, trial: &Trial, all: &mut BTreeMap<String, f64>) {
    let ended = changes(case, trial, |i| !i.blackhole).into_iter().filter(|(_, better)| *better);
    pictures_after("blackout", ended.map(|(at_us, _)| at_us), 6_000_000, trial, all);
}

/// From each change of address to the first picture taken after it.
fn roams(trial: &Trial, all: &mut BTreeMap<String, f64>) {
    let at = trial.roamed_unix_us.iter().map(|unix_us| *unix_us as i64 - trial.bridge.origin_unix_us as i64);
    pictures_after("roam", at, 0, trial, all);
}

/// From each moment, on the vehicle's clock, to the first picture taken after it. Those count that are at least `run_us`
/// after the first picture.
fn pictures_after(
    what: &str,
    moments: impl Iterator<Item = i64>,
    run_us: i64,
    trial: &Trial,
    all: &mut BTreeMap<String, f64>,
) {
    let Some(seat) = trial.seats.first() else { return };
    let (offset_us, end_us) = (true_offset_us(trial), (trial.bridge.seconds * 1e6) as i64);
    let Some(begun_us) = seat.pictures.first().map(|p| p.capture_us as i64) else { return };
    let mut times: Vec<f64> = moments
        .filter(|at| *at > begun_us + run_us && *at + 5_000_000 < end_us)
        .map(|at| {
            let first = seat.pictures.iter().find(|p| p.capture_us as i64 >= at);
            // None came: all the time that was left.
            let at_us = first.map_or(end_us, |p| p.presented_seat_us as i64 + offset_us);
            (at_us - at) as f64 / 1e6
        })
        .collect();
    for (name, share) in [("p50", 0.5), ("p95", 0.95)] {
        put(all, format!("picture_after_{what}_{name}"), percentile(&mut times, share));
    }
}
