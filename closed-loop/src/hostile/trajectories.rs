//! Trajectories that are none, are over, lie elsewhere or come beside something else.

use super::Sender::{Holder, Stranger};
use super::{Draw, Kind, Sender, corrupt, everything};
use protocol::v1::Reason::{Malformed, NotFinite, NotInControl, OutOfLimits, Stale};
use protocol::v1::{OperatorInput, Reason, Trajectory, TrajectoryPoint};
use rand::RngExt;

pub(super) const KINDS: &[Kind] = &[
    line(Stranger, "trajectory_forged", NotInControl, begin),
    line(Stranger, "trajectory_forged_release", NotInControl, |input, draw| {
        begin(input, draw);
        input.deadman = false;
    }),
    line(Holder, "trajectory_empty", Malformed, |input, _| input.trajectory = Some(Trajectory::default())),
    line(Holder, "trajectory_of_one_point", Malformed, |input, draw| with(input, draw, |p, _| p.truncate(1))),
    line(Holder, "trajectory_of_many_points", Malformed, |input, draw| {
        with(input, draw, |p, draw| {
            // As many as one message of the channel (64 KiB) takes.
            let (first, count) = (p[0], draw.rng.random_range(33..1_400));
            *p = (0..count).map(|n| TrajectoryPoint { at_us: first.at_us + n, ..first }).collect();
        });
    }),
    line(Holder, "trajectory_reversed", Malformed, |input, draw| with(input, draw, |p, _| p.reverse())),
    line(Holder, "trajectory_with_a_time_twice", Malformed, |input, draw| {
        with(input, draw, |p, draw| {
            let place = draw.rng.random_range(1..p.len());
            p[place].at_us = p[place - 1].at_us;
        });
    }),
    line(Holder, "trajectory_of_one_place_and_time", Malformed, |input, draw| {
        with(input, draw, |p, _| *p = vec![p[0]; 6]);
    }),
    line(Holder, "trajectory_not_finite", NotFinite, |input, draw| {
        with(input, draw, |p, draw| {
            let place = draw.rng.random_range(0..p.len());
            let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][draw.rng.random_range(0..3)];
            match draw.rng.random_range(0..3) {
                0 => p[place].x_m = odd,
                1 => p[place].y_m = odd,
                _ => p[place].speed_mps = odd,
            }
        });
    }),
    line(Holder, "trajectory_without_end", OutOfLimits, |input, draw| {
        with(input, draw, |p, _| p[5].at_us = u64::MAX);
    }),
    line(Holder, "trajectory_of_11_s", OutOfLimits, |input, draw| {
        with(input, draw, |p, _| p[5].at_us = p[0].at_us + 11_000_000);
    }),
    // All of it lies in the past: of no use, however it was meant.
    line(Holder, "trajectory_long_over", Stale, |input, draw| {
        with(input, draw, |p, _| p.iter_mut().zip(1..).for_each(|(p, n)| p.at_us = n * 100_000));
    }),
    line(Holder, "trajectory_of_the_beginning", Stale, |input, draw| {
        with(input, draw, |p, _| p.iter_mut().zip(0..).for_each(|(p, n)| p.at_us = n));
    }),
    line(Holder, "trajectory_just_over", Stale, |input, draw| {
        // The last point is now, by a clock that is not later than the vehicle's.
        with(input, draw, |p, _| p.iter_mut().for_each(|p| p.at_us -= 1_800_000));
    }),
    // It begins too late to be meant for its arrival.
    line(Holder, "trajectory_to_come", Malformed, |input, draw| {
        with(input, draw, |p, draw| {
            let later_us = draw.rng.random_range(60_000_000..900_000_000);
            p.iter_mut().for_each(|p| p.at_us += later_us);
        });
    }),
    line(Holder, "trajectory_of_the_end_of_time", Malformed, |input, draw| {
        with(input, draw, |p, _| p.iter_mut().zip(0..).for_each(|(p, n)| p.at_us = u64::MAX - 5 + n));
    }),
    line(Holder, "trajectory_said_too_fast", OutOfLimits, |input, draw| {
        with(input, draw, |p, draw| {
            let too_fast_mps = draw.embodiment.fastest_mps() + 0.5;
            p[draw.rng.random_range(0..6)].speed_mps = draw.rng.random_range(too_fast_mps..1e12);
        });
    }),
    line(Holder, "trajectory_backwards", OutOfLimits, |input, draw| {
        with(input, draw, |p, draw| p[draw.rng.random_range(0..6)].speed_mps = -f64::from_bits(1));
    }),
    line(Holder, "trajectory_that_leaps", OutOfLimits, |input, draw| {
        with(input, draw, |p, draw| p[draw.rng.random_range(0..6)].x_m += draw.rng.random_range(500.0..1e300));
    }),
    line(Holder, "trajectory_elsewhere", OutOfLimits, |input, draw| {
        with(input, draw, |p, draw| {
            let away_m = draw.rng.random_range(200.0..1e7);
            p.iter_mut().for_each(|p| p.y_m += away_m);
        });
    }),
    line(Holder, "trajectory_beyond_the_earth", OutOfLimits, |input, draw| {
        with(input, draw, |p, _| p.iter_mut().for_each(|p| (p.x_m, p.y_m) = (1e300, -1e300)));
    }),
    line(Holder, "trajectory_beside_an_action", Malformed, |input, draw| {
        begin(input, draw);
        input.action = everything(draw.embodiment);
    }),
    line(Holder, "trajectory_over_beside_an_action", Malformed, |input, draw| {
        with(input, draw, |p, _| p.iter_mut().zip(1..).for_each(|(p, n)| p.at_us = n * 300_000));
        input.action = everything(draw.embodiment);
    }),
    line(Holder, "empty_trajectory_beside_an_action", Malformed, |input, draw| {
        input.trajectory = Some(Trajectory::default());
        input.action = everything(draw.embodiment);
    }),
];

const fn line(sender: Sender, name: &'static str, reason: Reason, make: fn(&mut OperatorInput, &mut Draw)) -> Kind {
    corrupt(sender, name, reason, make)
}

/// A trajectory in the place of the action that could be driven: at a third of all speed ahead from here.
fn begin(input: &mut OperatorInput, draw: &mut Draw) {
    let ((x_m, y_m), from_us) = (draw.now.here, draw.now.vehicle_us);
    let speed_mps = draw.embodiment.fastest_mps() / 3.0;
    let point = |n: u64| {
        let x_m = x_m + n as f64 * speed_mps * 0.3;
        TrajectoryPoint { at_us: from_us + n * 300_000, x_m, y_m, speed_mps }
    };
    input.action.clear();
    input.trajectory = Some(Trajectory { points: (1..7).map(point).collect() });
}

fn with(input: &mut OperatorInput, draw: &mut Draw, change: impl FnOnce(&mut Vec<TrajectoryPoint>, &mut Draw)) {
    begin(input, draw);
    if let Some(trajectory) = &mut input.trajectory {
        change(&mut trajectory.points, draw);
    }
}
