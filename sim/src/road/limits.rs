//! Speed limits of lanes: from the records of the file, which count along the road, to the lane as it is driven.

use super::{CentrePoint, SpeedLimit};
use crate::opendrive::SpeedRecord;

/// Where nothing is said: the limit of towns.
const DEFAULT_MPS: f64 = 50.0 / 3.6;

/// The limits of a lane from `from` to `to` along its road: where each begins, in the order of s. The lane's own record
/// overrides the road's; a record that takes a limit back leaves the road's. Both have their records in the order of s.
pub(super) fn along_road(road: &[SpeedRecord], lane: &[SpeedRecord], (from, to): (f64, f64)) -> Vec<(f64, f64)> {
    let at = |s: f64| started(lane, s).or_else(|| started(road, s)).unwrap_or(DEFAULT_MPS);
    let within = |records: &[SpeedRecord]| -> Vec<f64> {
        let begin = records.partition_point(|record| record.s <= from);
        records[begin..].iter().map(|record| record.s).take_while(|s| *s < to).collect()
    };
    let mut starts = [vec![from], within(lane), within(road)].concat();
    starts.sort_by(f64::total_cmp);
    let mut limits: Vec<(f64, f64)> = starts.into_iter().map(|s| (s, at(s))).collect();
    limits.dedup_by(|next, before| next.1 == before.1 || next.0 == before.0);
    limits
}

/// What the last record says that begins at or before `s`; of two at one place the later one counts.
fn started(records: &[SpeedRecord], s: f64) -> Option<f64> {
    let count = records.partition_point(|record| record.s <= s);
    records.get(count.checked_sub(1)?)?.limit_mps
}

/// The same limits on the lane's centre line as it is driven. `at` is the road's s of each centre point in the order of
/// growing s, `centre` the line in the direction of travel.
pub(super) fn along_lane(limits: &[(f64, f64)], at: &[f64], centre: &[CentrePoint], forward: bool) -> Vec<SpeedLimit> {
    let place = |s: f64| {
        let after = at.partition_point(|at| *at <= s).clamp(1, at.len() - 1);
        let part = ((s - at[after - 1]) / (at[after] - at[after - 1]).max(1e-9)).clamp(0.0, 1.0);
        let index = |i: usize| if forward { i } else { centre.len() - 1 - i };
        let (a, b) = (centre[index(after - 1)].s_m, centre[index(after)].s_m);
        a + part * (b - a)
    };
    if forward {
        let starts = limits.iter().enumerate().map(|(i, (s, _))| if i == 0 { 0.0 } else { place(*s) });
        return starts
            .zip(limits)
            .map(|(from_m, (_, limit_mps))| SpeedLimit { from_m, limit_mps: *limit_mps })
            .collect();
    }
    // Driven the other way, a limit begins where the one after it does along the road.
    let starts = std::iter::once(0.0).chain(limits.iter().skip(1).rev().map(|(s, _)| place(*s)));
    let values = limits.iter().rev().map(|(_, limit_mps)| *limit_mps);
    starts.zip(values).map(|(from_m, limit_mps)| SpeedLimit { from_m, limit_mps }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(length: i32) -> Vec<CentrePoint> {
        let point = |i: i32| CentrePoint {
            s_m: f64::from(i),
            x_m: f64::from(i),
            y_m: 0.0,
            heading_rad: 0.0,
            curvature_per_m: 0.0,
            left_m: 1.5,
            right_m: 1.5,
        };
        (0..=length).map(point).collect()
    }

    #[test]
    fn a_limit_holds_from_its_place_in_both_directions() {
        let at: Vec<f64> = (0..=100).map(|i| 200.0 + f64::from(i)).collect();
        let limits = [(200.0, 20.0), (230.5, 10.0), (280.0, 15.0)];
        let pairs = |forward| -> Vec<(f64, f64)> {
            along_lane(&limits, &at, &line(100), forward).iter().map(|l| (l.from_m, l.limit_mps)).collect()
        };
        assert_eq!(pairs(true), [(0.0, 20.0), (30.5, 10.0), (80.0, 15.0)]);
        assert_eq!(pairs(false), [(0.0, 15.0), (20.0, 10.0), (69.5, 20.0)]);
    }

    #[test]
    fn a_million_records_of_a_road_are_found_for_each_of_its_lanes() {
        const COUNT: u32 = 1_000_000;
        let road: Vec<SpeedRecord> =
            (0..COUNT).map(|n| SpeedRecord { s: f64::from(n), limit_mps: Some(f64::from(n % 7) + 1.0) }).collect();
        let lane = [SpeedRecord { s: 5.5, limit_mps: Some(30.0) }, SpeedRecord { s: 8.5, limit_mps: None }];
        let limits = along_road(&road, &lane, (3.5, f64::INFINITY));
        assert_eq!(limits[..5], [(3.5, 4.0), (4.0, 5.0), (5.0, 6.0), (5.5, 30.0), (8.5, 2.0)]);
        assert_eq!(limits.len(), 1_000_000 - 9 + 5);
        // As for lanes of short sections.
        let all: usize = (0..COUNT).map(|n| along_road(&road, &lane, (f64::from(n), f64::from(n) + 1.0)).len()).sum();
        assert_eq!(all, 1_000_000 + 2);
    }

    #[test]
    fn a_record_that_takes_a_limit_back_ends_it() {
        let record = |s, limit_mps| SpeedRecord { s, limit_mps };
        let records = [record(0.0, Some(8.0)), record(50.0, None), record(70.0, Some(5.0)), record(70.0, Some(6.0))];
        let at = |s| started(&records, s);
        assert_eq!([at(-1.0), at(0.0), at(49.9), at(50.0), at(75.0)], [None, Some(8.0), Some(8.0), None, Some(6.0)]);
    }
}
