//! Drives by hand on a straight road.

use super::*;
use sim::world::Footprint;

const LIMIT_MPS: f64 = 13.9;

fn body(x_m: f64, y_m: f64, half_length_m: f64, half_width_m: f64) -> Footprint {
    Footprint { x_m, y_m, cos: 1.0, sin: 0.0, half_length_m, half_width_m, round: false }
}

fn other(id: u32, x_m: f64, y_m: f64, speed_mps: f64) -> Mover {
    Mover { id, body: body(x_m, y_m, 2.3, 0.95), speed_mps, is_thing: false }
}

/// The car at the beginning of the road at 10 m/s.
fn start() -> ScoreFrame {
    ScoreFrame {
        time_s: 0.0,
        policy_drives: true,
        asks_for_help: false,
        ego: Mover { id: 0, body: body(1.4, 0.0, 2.3, 0.95), speed_mps: 10.0, is_thing: false },
        origin: (0.0, 0.0),
        acceleration_mps2: 0.0,
        yaw_rate_radps: 0.0,
        odometer_m: 0.0,
        progress_m: 0.0,
        limit_mps: LIMIT_MPS,
        edge_margin_m: 1.0,
        in_several_lanes: false,
        against_traffic: false,
        friction: 1.0,
        others: Vec::new(),
        struck: None,
    }
}

/// A drive of which each test says what is special.
struct Road {
    observer: ScoreObserver,
    frame: ScoreFrame,
}

impl Road {
    fn new() -> Self {
        let mut observer = ScoreObserver::new(FreeDrive::along(2_000.0, |_| 10.0));
        observer.observe(start());
        Self { observer, frame: start() }
    }

    /// Goes on for `seconds` with the frame as it is, others included.
    fn go(&mut self, seconds: f64) {
        for _ in 0..(seconds * 10.0).round() as u32 {
            let before = self.frame.clone();
            let frame = &mut self.frame;
            let way_m = frame.ego.speed_mps * 0.1;
            frame.time_s += 0.1;
            frame.ego.body.x_m += way_m;
            frame.origin.0 += way_m;
            frame.odometer_m += way_m;
            frame.progress_m += way_m;
            frame.others.iter_mut().for_each(|o| o.body.x_m += o.speed_mps * 0.1);
            frame.struck = collision::struck(&before, frame);
            let is_over = frame.struck.is_some();
            self.observer.observe(frame.clone());
            if is_over {
                return;
            }
        }
    }

    fn end(self) -> TripScore {
        let crashed = self.frame.struck.is_some() || self.frame.edge_margin_m < -2.0;
        self.observer.finish(crashed)
    }
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}

#[test]
fn a_steady_drive_at_the_free_pace_has_the_full_score() {
    let mut road = Road::new();
    road.frame.others = vec![other(1, 60.0, 0.0, 10.0), other(2, 60.0, 3.5, -10.0)];
    road.go(35.0);
    let score = road.end();
    assert!(near(score.policy_s, 35.0, 1e-6) && near(score.policy_m, 350.0, 1e-6), "{score:?}");
    // The free drive starts from standstill, which takes it a little longer than at the pace.
    assert!(near(score.free_s, 35.0, 4.0) && near(score.score_s / score.policy_s, 1.0, 1e-9), "{score:?}");
    assert!(near(score.parts_s.comfort, 35.0, 1e-6) && score.crash.is_none() && score.completed, "{score:?}");
    let domain = score.domains["clear, limit to 50 km/h"];
    assert!(score.domains.len() == 1 && near(domain.policy_m, 350.0, 1e-6) && score.near_misses == 0);
}

#[test]
fn running_into_somebody_who_stands_takes_the_whole_score_of_that_scenario() {
    let mut road = Road::new();
    road.frame.others = vec![other(1, 180.0, 0.0, 0.0)];
    road.go(30.0);
    let score = road.end();
    assert_eq!(score.crash, Some(ScoredCrash { after_handover: false, at_fault: true }));
    assert!(near(score.score_s, 15.0, 0.3) && score.policy_s > 17.0 && !score.completed, "{score:?}");
    assert_eq!(score.near_misses, 0, "what became a collision was no near miss");
    let domain = score.domains["clear, limit to 50 km/h"];
    assert_eq!((domain.takeovers, domain.crashes), (1, 1));
}

#[test]
fn a_thing_costs_half_and_who_is_hit_from_behind_is_not_at_fault() {
    let mut road = Road::new();
    let cone = Mover {
        is_thing: true,
        body: Footprint { round: true, ..body(40.0, 0.0, 0.2, 0.2) },
        ..other(1, 0.0, 0.0, 0.0)
    };
    road.frame.others = vec![cone];
    road.go(30.0);
    let score = road.end();
    // A half of the mean without the time to collision, 11 of 16.
    assert!(near(score.score_s / score.policy_s, 0.5 * 11.0 / 16.0, 1e-6), "{score:?}");
    let mut road = Road::new();
    road.frame.others = vec![other(1, -30.0, 0.0, 15.0)];
    road.go(30.0);
    let score = road.end();
    assert_eq!(score.crash, Some(ScoredCrash { after_handover: false, at_fault: false }));
    assert!(near(score.score_s / score.policy_s, 1.0, 1e-6), "{score:?}");
}

#[test]
fn a_crash_counts_for_half_a_minute_after_the_hand_over() {
    for (seconds, counts) in [(10.0, true), (29.5, true), (40.0, false)] {
        let mut road = Road::new();
        road.go(5.0);
        road.observer.note_takeover();
        road.frame.policy_drives = false;
        road.go(seconds);
        road.frame.others = vec![other(1, road.frame.ego.body.x_m + 4.7, 0.0, 0.0)];
        road.go(1.0);
        let score = road.end();
        assert_eq!(score.crash.is_some(), counts, "{seconds} s after");
        assert!(score.crash.is_none_or(|crash| crash.after_handover && crash.at_fault));
        assert_eq!(score.score_s > 0.0, !counts, "the scenario before it has its collision: {score:?}");
        assert_eq!(score.domains["clear, limit to 50 km/h"].takeovers, 1);
    }
}

#[test]
fn each_condition_and_each_quality_has_its_price() {
    let score = |change: &dyn Fn(&mut ScoreFrame)| {
        let mut road = Road::new();
        change(&mut road.frame);
        road.go(15.0);
        let score = road.end();
        score.score_s / score.policy_s
    };
    type Change<'a> = &'a dyn Fn(&mut ScoreFrame);
    let cases: [(f64, Change); 8] = [
        (0.0, &|f| f.edge_margin_m = -0.31),
        (1.0, &|f| f.edge_margin_m = -0.29),
        (0.0, &|f| f.against_traffic = true),
        // The free drive has to start too: 7 m take it 2.6 s.
        (0.0, &|f| f.ego.speed_mps = 0.45),
        (1.0 - 4.0 / 16.0, &|f| f.limit_mps = 7.0),
        (1.0 - 4.0 / 16.0 * 0.5 / 2.23, &|f| f.limit_mps = 9.5),
        (1.0 - 2.0 / 16.0, &|f| f.acceleration_mps2 = -4.1),
        (1.0 - 2.0 / 16.0, &|f| f.yaw_rate_radps = 0.6),
    ];
    for (index, (expected, change)) in cases.into_iter().enumerate() {
        let found = score(change);
        assert!(near(found, expected, 1e-6), "case {index}: {found}, not {expected}");
    }
}

#[test]
fn two_close_calls_are_two_near_misses_and_a_question_is_counted_once() {
    let mut road = Road::new();
    for _ in 0..2 {
        // Somebody brakes hard ahead and is off again.
        road.frame.others = vec![other(1, road.frame.ego.body.x_m + 12.0, 0.0, 2.0)];
        road.frame.asks_for_help = true;
        road.go(0.5);
        road.frame.others.clear();
        road.frame.asks_for_help = false;
        road.go(5.0);
    }
    let score = road.end();
    assert_eq!((score.near_misses, score.help_requests), (2, 2), "{score:?}");
    assert!(near(score.parts_s.time_to_collision, 0.0, 1e-9));
}

#[test]
fn a_free_drive_slows_for_what_comes() {
    let free = FreeDrive::along(1_000.0, |s_m| if (400.0..500.0).contains(&s_m) { 5.0 } else { 15.0 });
    assert!(near(free.time_s(410.0, 490.0), 16.0, 0.1), "{}", free.time_s(410.0, 490.0));
    // From 15 to 5 m/s at 1.5 m/s^2 takes 6.7 s and 67 m.
    assert!(near(free.time_s(333.0, 400.0), 6.7, 0.3), "{}", free.time_s(333.0, 400.0));
    let there_s = free.time_s(0.0, 700.0);
    assert!(near(free.distance_m(there_s), 700.0, 1.0) && near(free.arrived_m(), 990.0, 1e-9));
    assert_eq!(free.time_s(800.0, 700.0), 0.0);
}
