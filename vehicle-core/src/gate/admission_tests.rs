use super::*;
use protocol::v1::{Trajectory, TrajectoryPoint};

const HOLDER: Holder = Holder { seat: Some("a"), epoch: 7 };

fn input(sequence: u64, seat_us: u64, action: Vec<f64>) -> OperatorInput {
    OperatorInput { sequence, epoch: 7, seat_us, deadman: true, action, shown_frame_us: 0, trajectory: None }
}

fn good(sequence: u64, seat_us: u64) -> OperatorInput {
    input(sequence, seat_us, vec![0.5, 0.1])
}

#[derive(Default)]
struct Gate(Admission);

impl Gate {
    fn at(&mut self, received_us: u64, input: &OperatorInput) -> Result<Input, Reason> {
        self.from("a", received_us, input)
    }

    fn from(&mut self, seat: &str, received_us: u64, input: &OperatorInput) -> Result<Input, Reason> {
        let car = Embodiment::ackermann_car();
        self.0.admit(Untrusted(input), seat, received_us, HOLDER, (None, &car)).map(|v| *v.get())
    }
}

#[test]
fn what_passes_is_what_was_sent() {
    let passed = Gate::default().at(1_020, &OperatorInput { shown_frame_us: 20, ..good(5, 1_000) }).unwrap();
    assert_eq!(passed.setpoint, Setpoint::Action(Action::new(&[0.5, 0.1]).unwrap()));
    assert_eq!((passed.received_us, passed.queued_us, passed.shown_us), (1_020, 0, Some(20)));
}

#[test]
fn another_seat_another_epoch_and_a_repeated_sequence_are_refused() {
    let mut gate = Gate::default();
    assert_eq!(gate.from("b", 1_000, &good(5, 1_000)), Err(Reason::NotInControl));
    assert_eq!(gate.at(1_000, &OperatorInput { epoch: 6, ..good(5, 1_000) }), Err(Reason::WrongEpoch));
    assert_eq!(gate.at(1_000, &OperatorInput { epoch: 8, ..good(5, 1_000) }), Err(Reason::WrongEpoch));
    assert!(gate.at(1_000, &good(5, 1_000)).is_ok());
    assert_eq!(gate.at(2_000, &good(5, 2_000)), Err(Reason::OutOfSequence));
    assert_eq!(gate.at(2_000, &good(4, 2_000)), Err(Reason::OutOfSequence));
    assert!(gate.at(2_000, &good(6, 2_000)).is_ok());
}

#[test]
fn no_count_or_stamp_of_one_input_locks_the_holder_out() {
    let mut gate = Gate::default();
    // Not even as the first one of a grant.
    assert_eq!(gate.at(1_000, &good(u64::MAX, 1_000)), Err(Reason::OutOfSequence));
    assert_eq!(gate.at(1_000, &good(MAX_COUNT + 1, 1_000)), Err(Reason::OutOfSequence));
    assert_eq!(gate.at(1_000, &good(4, u64::MAX)), Err(Reason::Malformed));
    assert_eq!(gate.at(1_000, &good(5, MAX_COUNT + 1)), Err(Reason::Malformed));
    assert!(gate.at(1_000, &good(6, 1_000)).is_ok());
    assert_eq!(gate.at(2_000, &good(7 + MAX_AHEAD, 2_000)), Err(Reason::OutOfSequence));
    assert_eq!(gate.at(2_000, &good(7, MAX_COUNT)), Err(Reason::Stale));
    assert!(gate.at(3_000, &good(7 + MAX_AHEAD, 3_000)).is_ok());
}

#[test]
fn nobody_is_heard_while_nobody_holds_the_grant() {
    let car = Embodiment::ackermann_car();
    let nobody = Holder { seat: None, epoch: 7 };
    let refused = Admission::default().admit(Untrusted(&good(1, 0)), "", 0, nobody, (None, &car));
    assert_eq!(refused, Err(Reason::NotInControl));
}

#[test]
fn a_new_epoch_begins_a_new_sequence() {
    let mut sequence = Sequence::default();
    assert_eq!(sequence.check("a", 7, 100, HOLDER), Ok(()));
    let next = Holder { epoch: 8, ..HOLDER };
    assert_eq!(sequence.check("a", 8, 1, next), Ok(()));
    assert_eq!(sequence.check("a", 8, 1, next), Err(Reason::OutOfSequence));
}

#[test]
fn values_must_be_complete_finite_and_within_limits() {
    let mut gate = Gate::default();
    assert_eq!(gate.at(0, &input(1, 0, vec![0.5])), Err(Reason::Malformed));
    assert_eq!(gate.at(0, &input(2, 0, vec![0.5, 0.1, 0.0])), Err(Reason::Malformed));
    assert_eq!(gate.at(0, &input(3, 0, vec![0.5, f64::NAN])), Err(Reason::NotFinite));
    assert_eq!(gate.at(0, &input(4, 0, vec![f64::INFINITY, 0.0])), Err(Reason::NotFinite));
    assert_eq!(gate.at(0, &input(5, 0, vec![0.5, 0.551])), Err(Reason::OutOfLimits));
    assert_eq!(gate.at(0, &input(6, 0, vec![-8.1, 0.5])), Err(Reason::OutOfLimits));
    assert!(gate.at(0, &input(7, 0, vec![-8.0, 0.55])).is_ok());
}

#[test]
fn an_input_that_waited_longer_than_allowed_is_stale() {
    let mut gate = Gate::default();
    assert!(gate.at(0, &good(1, 0)).is_ok());
    let drift = 500 * 1_000_000 / 1_000_000;
    assert_eq!(gate.at(1_000_000, &good(2, 1_000_000 - MAX_QUEUED_US - drift)).unwrap().queued_us, MAX_QUEUED_US);
    assert_eq!(gate.at(1_000_000, &good(3, 1_000_000 - MAX_QUEUED_US - drift - 1)), Err(Reason::Stale));
}

#[test]
fn a_new_session_of_the_seat_may_have_another_clock_and_one_of_another_seat_changes_nothing() {
    let mut gate = Gate::default();
    assert!(gate.at(5_000_000, &good(1, 5_000_000)).is_ok());
    assert_eq!(gate.at(5_020_000, &good(2, 20_000)), Err(Reason::Stale));
    gate.0.new_session("b");
    assert_eq!(gate.at(5_040_000, &good(3, 40_000)), Err(Reason::Stale));
    gate.0.new_session("a");
    assert!(gate.at(5_060_000, &good(4, 60_000)).is_ok());
}

#[test]
fn the_next_holder_is_measured_by_its_own_clock() {
    let mut gate = Gate::default();
    assert!(gate.at(5_000_000, &good(1, 5_000_000)).is_ok());
    let (car, other) = (Embodiment::ackermann_car(), Holder { seat: Some("b"), epoch: 8 });
    let theirs = OperatorInput { epoch: 8, ..good(1, 3) };
    assert!(gate.0.admit(Untrusted(&theirs), "b", 5_100_000, other, (None, &car)).is_ok());
}

#[test]
fn a_released_deadman_is_told_apart_even_without_an_action() {
    let mut gate = Gate::default();
    let released = OperatorInput { deadman: false, ..good(1, 0) };
    assert_eq!(gate.at(0, &released), Err(Reason::DeadmanReleased));
    assert_eq!(gate.at(1, &OperatorInput { action: vec![], sequence: 2, ..released }), Err(Reason::DeadmanReleased));
}

#[test]
fn a_frozen_picture_ends_the_driving_and_one_from_the_future_is_a_lie() {
    let mut gate = Gate::default();
    let shown = |sequence, at| OperatorInput { shown_frame_us: at, ..good(sequence, 2_000_000) };
    assert!(gate.at(2_000_000, &shown(1, 1_000_000)).is_ok());
    assert_eq!(gate.at(2_000_000, &shown(2, 999_999)), Err(Reason::PictureFrozen));
    assert!(gate.at(2_000_000, &shown(3, 2_000_000)).is_ok());
    assert_eq!(gate.at(2_000_000, &shown(4, 2_000_001)), Err(Reason::Malformed));
}

#[test]
fn a_trajectory_comes_alone_and_under_the_same_rules() {
    let point = |i: u64| TrajectoryPoint { at_us: 1_000 + i * 500_000, x_m: i as f64, y_m: 0.0, speed_mps: 2.0 };
    let trajectory = Trajectory { points: (0..4).map(point).collect() };
    let line =
        |sequence| OperatorInput { action: vec![], trajectory: Some(trajectory.clone()), ..good(sequence, 1_000) };
    let mut gate = Gate::default();
    assert!(matches!(gate.at(1_000, &line(1)).unwrap().setpoint, Setpoint::Trajectory(_)));
    assert_eq!(gate.at(1_000, &line(1)), Err(Reason::OutOfSequence));
    assert_eq!(gate.at(1_000, &OperatorInput { epoch: 6, ..line(2) }), Err(Reason::WrongEpoch));
    assert_eq!(gate.at(1_000, &OperatorInput { deadman: false, ..line(3) }), Err(Reason::DeadmanReleased));
    assert_eq!(gate.at(1_000, &OperatorInput { action: vec![0.5, 0.1], ..line(4) }), Err(Reason::Malformed));
    // 200 ms, and a tenth of one by which clocks of 500 ppm part in that time.
    assert_eq!(gate.at(201_101, &line(5)), Err(Reason::Stale));
    let over = OperatorInput { seat_us: 1_501_000, ..line(6) };
    assert_eq!(gate.at(1_501_000, &over), Err(Reason::Stale));
}

#[test]
fn a_trajectory_of_another_place_is_refused_and_one_of_an_unknown_place_is_not() {
    let car = Embodiment::ackermann_car();
    let point = |i: u64| TrajectoryPoint { at_us: 1_000 + i * 500_000, x_m: i as f64, y_m: 0.0, speed_mps: 2.0 };
    let trajectory = Some(Trajectory { points: (0..4).map(point).collect() });
    let mut gate = Admission::default();
    let mut admit = |sequence, here: Option<f64>| {
        let line = OperatorInput { action: vec![], trajectory: trajectory.clone(), ..good(sequence, 1_000) };
        let here = here.map(|y_m| Pose2 { x_m: 1.0, y_m, heading_rad: 0.0 });
        gate.admit(Untrusted(&line), "a", 1_000, HOLDER, (here.as_ref(), &car)).map(drop)
    };
    assert_eq!((admit(1, None), admit(2, Some(MAX_AWAY_M))), (Ok(()), Ok(())));
    assert_eq!(admit(3, Some(MAX_AWAY_M + 0.1)), Err(Reason::OutOfLimits));
    assert_eq!(admit(4, Some(-1e300)), Err(Reason::OutOfLimits));
}

#[test]
fn after_a_change_of_seats_the_new_ones_queue_is_measured_like_the_old_ones() {
    let (car, mut gate) = (Embodiment::ackermann_car(), Admission::default());
    let mut admit = |seat, received_us, sequence, seat_us| {
        let holder = Holder { seat: Some(seat), epoch: 7 };
        gate.admit(Untrusted(&good(sequence, seat_us)), seat, received_us, holder, (None, &car)).map(drop)
    };
    assert_eq!(admit("a", 1_000_000, 1, 1_000_000), Ok(()));
    assert_eq!(admit("b", 1_100_000, 2, 5_000_000), Ok(()));
    assert_eq!(admit("b", 2_000_000, 3, 5_010_000), Err(Reason::Stale));
}
