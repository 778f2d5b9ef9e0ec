use super::*;
use crate::input::keyboard::{Key, Keyboard, KeyboardReader};
use protocol::v1::vehicle_event::Event;
use protocol::v1::{Author, AuthorityState, Mode, Reason, TakeoverCause};
use std::time::Duration;

const TICK_US: u64 = 10_000;
const CLOCK: ClockEstimate = ClockEstimate { offset_us: 0.0, uncertainty_us: 300.0, round_trip_us: 600.0 };

/// A seat with a vehicle at the other end that says what the test wants.
struct Bench {
    seat: SeatLogic,
    now_us: u64,
    epoch: u64,
    speed_mps: f64,
    author: Author,
    mode: Mode,
    holder: &'static str,
    lease_left_ms: u64,
    latched: bool,
    applied: Vec<f64>,
    pictures: bool,
    question: Option<v1::PathQuestion>,
}

impl Bench {
    /// In session with a car that drives itself at 10 m/s.
    fn new() -> Self {
        Self::with(v1::Hello { embodiment: "ackermann_car".into(), ..Default::default() })
    }

    /// The same with the robot that says `hello`.
    fn with(hello: v1::Hello) -> Self {
        let mut seat = SeatLogic::new("desk", false, 1000);
        seat.on_connected(0);
        seat.on_event(0, v1::VehicleEvent { event: Some(Event::Hello(hello)), ..Default::default() });
        let hands_off = TickInputs { now_us: 1_000_000, dt_s: 0.01, ..TickInputs::default() };
        seat.tick(hands_off);
        Self {
            seat,
            now_us: 1_000_000,
            epoch: 4,
            speed_mps: 10.0,
            author: Author::Policy,
            mode: Mode::Monitor,
            holder: "",
            lease_left_ms: 0,
            latched: false,
            applied: vec![0.0, 0.05],
            pictures: true,
            question: None,
        }
    }

    fn authority(&self) -> AuthorityState {
        AuthorityState {
            monotonic_us: self.now_us,
            mode: self.mode.into(),
            author: self.author.into(),
            epoch: self.epoch,
            seat_id: self.holder.into(),
            estop_latched: self.latched,
            lease_left_ms: self.lease_left_ms,
            question: self.question.clone().map(Box::new),
            ..Default::default()
        }
    }

    fn tick(&mut self, sample: &Sample) -> Outputs {
        self.now_us += TICK_US;
        if self.pictures {
            self.seat.pictures.on_shown(self.now_us, self.now_us - 40_000, Some(&CLOCK));
        }
        let state = v1::VehicleState {
            monotonic_us: self.now_us,
            observation: vec![self.speed_mps, 0.0, 0.0, 0.0],
            ..Default::default()
        };
        let datagram = v1::StateDatagram {
            vehicle_id: "car-1".into(),
            state: Some(state),
            authority: Some(self.authority()),
            command: Some(v1::ControlCommand { action: self.applied.clone(), ..Default::default() }),
            ..Default::default()
        };
        self.seat.on_state(self.now_us, datagram);
        self.seat.tick(TickInputs { now_us: self.now_us, dt_s: 0.01, sample: sample.clone(), clock: Some(CLOCK) })
    }

    fn grant(&mut self) {
        (self.author, self.mode, self.holder, self.epoch) = (Author::Operator, Mode::Drive, "desk", self.epoch + 1);
    }

    fn says(&mut self, part: &str) -> bool {
        let now_us = self.now_us;
        self.seat.view(now_us, "car-1", None).notices.iter().any(|n| n.text.contains(part))
    }
}

fn held() -> Sample {
    Sample { deadman: true, ..Sample::default() }
}

fn press(action: Action) -> Sample {
    Sample { pressed: vec![action], ..held() }
}

fn newest(outputs: &Outputs) -> &v1::OperatorInput {
    outputs.command.as_ref().unwrap().inputs.last().unwrap()
}

fn cause_of(outputs: &Outputs) -> TakeoverCause {
    match &outputs.requests[0].request {
        Some(Request::Takeover(takeover)) => takeover.cause(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_datagram_repeats_the_last_four_inputs_newest_last() {
    let mut bench = Bench::new();
    let mut outputs = Outputs::default();
    for _ in 0..6 {
        outputs = bench.tick(&held());
    }
    let sequences: Vec<u64> = outputs.command.unwrap().inputs.iter().map(|i| i.sequence).collect();
    assert_eq!(sequences, [1004, 1005, 1006, 1007]);
}

#[test]
fn a_seat_that_does_not_drive_sends_no_action() {
    let mut bench = Bench::new();
    let outputs = bench.tick(&Sample { drive: Drive { accelerate: 1.0, ..Drive::default() }, ..held() });
    let input = newest(&outputs);
    assert!(input.action.is_empty() && input.deadman);
    assert_eq!((input.epoch, input.shown_frame_us), (4, bench.now_us - 40_000));
}

#[test]
fn taking_over_needs_the_whole_checklist_and_names_what_is_missing() {
    let mut bench = Bench::new();
    let no_deadman = Sample { deadman: false, ..press(Action::TakeOver) };
    assert!(bench.tick(&no_deadman).requests.is_empty());
    assert!(bench.says("cannot take over: deadman held"));
    let on_the_pedal = Sample { drive: Drive { accelerate: 0.5, ..Drive::default() }, ..press(Action::TakeOver) };
    assert!(bench.tick(&on_the_pedal).requests.is_empty());
    bench.pictures = false;
    bench.now_us += 400_000;
    assert!(bench.tick(&press(Action::TakeOver)).requests.is_empty());
    assert!(bench.says("picture live (stale for"));
    bench.pictures = true;
    assert_eq!(cause_of(&bench.tick(&press(Action::TakeOver))), TakeoverCause::Precaution);
    assert!(bench.tick(&press(Action::TakeOver)).requests.is_empty(), "one request at a time");
}

#[test]
fn the_cause_follows_from_what_the_vehicle_does() {
    let mut bench = Bench::new();
    assert_eq!(cause_of(&bench.tick(&press(Action::TakeOverSafety))), TakeoverCause::Safety);

    let mut bench = Bench::new();
    bench.speed_mps = 0.0;
    (0..600).for_each(|_| drop(bench.tick(&held())));
    assert_eq!(cause_of(&bench.tick(&press(Action::TakeOver))), TakeoverCause::Stuck);

    let mut bench = Bench::new();
    bench.author = Author::Fallback;
    assert_eq!(cause_of(&bench.tick(&press(Action::TakeOver))), TakeoverCause::Fault);

    let mut bench = Bench::new();
    bench.tick(&held());
    let help = v1::HelpRequest { id: 1, text: "double-parked car".into(), ..Default::default() };
    let mut authority = bench.authority();
    authority.help = Some(help);
    bench.seat.on_authority(bench.now_us, &authority);
    let outputs = bench.seat.tick(TickInputs {
        now_us: bench.now_us,
        dt_s: 0.01,
        sample: press(Action::TakeOver),
        clock: Some(CLOCK),
    });
    assert_eq!(cause_of(&outputs), TakeoverCause::PolicyAsked);
}

#[test]
fn a_grant_in_a_bend_starts_from_the_cars_own_steering_under_the_new_epoch() {
    let mut bench = Bench::new();
    bench.tick(&held());
    bench.grant();
    let outputs = bench.tick(&held());
    let input = newest(&outputs);
    assert_eq!(input.epoch, 5);
    // Full travel at 10 m/s is a fifth of 0.55 rad; one tick back to the centre is 2.2 % of it.
    let full = 0.55 / (1.0 + (10.0 / protocol::Embodiment::ackermann_car().half_steering_mps()).powi(2));
    assert!(
        (full - 0.1045).abs() < 1e-3 && (input.action[1] - (0.05 - 0.022 * full)).abs() < 1e-9,
        "{:?}",
        input.action
    );
    assert_eq!(input.action[0], 0.0);
}

#[test]
fn a_robot_that_the_console_does_not_know_is_driven_by_the_file_that_it_tells() {
    let text = protocol::Embodiment::delivery_robot().source().replacen("delivery_robot", "yard_robot", 1);
    let text = text.replacen("min = -1.5\nmax = 1.5", "min = -0.9\nmax = 0.9", 1);
    let hello = v1::Hello { embodiment: "yard_robot".into(), embodiment_file: text, ..Default::default() };
    let mut bench = Bench::with(hello);
    (bench.speed_mps, bench.applied) = (0.0, vec![0.0, 0.0]);
    assert_eq!(cause_of(&bench.tick(&press(Action::TakeOver))), TakeoverCause::Precaution);
    bench.grant();
    let keys = |held: &[Key]| {
        let mut keyboard = Keyboard { focused: true, ..Keyboard::default() };
        held.iter().for_each(|key| keyboard.set(*key, true));
        KeyboardReader::default().sample(&keyboard, Duration::ZERO)
    };
    // On the spot: nothing but its yaw rate, up to its own limit.
    let mut outputs = Outputs::default();
    let turns = keys(&[Key::Deadman, Key::Left]);
    for _ in 0..150 {
        outputs = bench.tick(&turns);
    }
    assert_eq!(newest(&outputs).action, [0.0, 0.9]);
    assert_eq!(bench.seat.view(bench.now_us, "yard", None).asked, [0.0, 0.9]);
    // At speed the same key asks for less, and the other pedals for what is theirs.
    bench.speed_mps = 1.4;
    let drives = keys(&[Key::Deadman, Key::Right, Key::Brake]);
    for _ in 0..250 {
        outputs = bench.tick(&drives);
    }
    let [acceleration, yaw_rate] = newest(&outputs).action[..] else { panic!("{outputs:?}") };
    assert!(acceleration == -3.0 && yaw_rate < -0.2 && yaw_rate * -1.4 < 2.0, "{acceleration} {yaw_rate}");
}

#[test]
fn a_released_deadman_keeps_the_brake_and_nothing_else() {
    let mut bench = Bench::new();
    bench.grant();
    let pedals = Drive { accelerate: 1.0, brake: 0.0, steer: 0.0 };
    (0..100).for_each(|_| drop(bench.tick(&Sample { drive: pedals, ..held() })));
    let mut outputs = Outputs::default();
    let released = Sample { drive: Drive { accelerate: 1.0, ..Drive::default() }, ..Sample::default() };
    for _ in 0..30 {
        outputs = bench.tick(&released);
    }
    assert!(!newest(&outputs).deadman && newest(&outputs).action[0] == 0.0, "{:?}", newest(&outputs));
    assert!(bench.says("deadman released"));
    let braking = Sample { drive: Drive { brake: 1.0, ..Drive::default() }, ..Sample::default() };
    for _ in 0..50 {
        outputs = bench.tick(&braking);
    }
    assert_eq!(newest(&outputs).action[0], -8.0);
}

#[test]
fn one_press_stops_in_every_mode_on_two_channels_until_acknowledged() {
    for author in [Author::Policy, Author::Fallback, Author::Operator] {
        let mut bench = Bench::new();
        bench.author = author;
        let outputs = bench.tick(&press(Action::Estop));
        let id = outputs.requests[0].id;
        assert!(matches!(outputs.requests[0].request, Some(Request::Estop(_))));
        assert!(!newest(&outputs).deadman, "the deadman is let go as well");
        let again: Vec<u64> = (0..100).flat_map(|_| bench.tick(&held()).requests).map(|r| r.id).collect();
        assert_eq!(again, vec![id; 5], "repeated under one id");
        let answer = v1::SeatResponse { id, accepted: true, reason: Reason::Ok.into(), authority: None };
        bench.latched = true;
        bench
            .seat
            .on_event(bench.now_us, v1::VehicleEvent { event: Some(Event::Response(answer)), ..Default::default() });
        assert!(bench.tick(&held()).requests.is_empty());
        assert_eq!(bench.seat.view(bench.now_us, "car-1", None).estop, EstopPhase::Latched);
    }
}

#[test]
fn a_second_stop_after_a_release_is_a_new_request() {
    let mut bench = Bench::new();
    let first = bench.tick(&press(Action::Estop)).requests[0].id;
    bench.latched = true;
    bench.tick(&held());
    let reset: Vec<_> = (0..310).flat_map(|_| bench.tick(&Sample { reset_held: true, ..held() }).requests).collect();
    assert!(reset.len() > 10, "the vehicle is told all along");
    let whole = |r: &&v1::SeatRequest| matches!(r.request, Some(Request::EstopReset(r)) if r.held_ms >= 3000);
    assert_eq!(reset.iter().filter(whole).count(), 1);
    bench.latched = false;
    bench.tick(&held());
    assert_eq!(bench.seat.view(bench.now_us, "car-1", None).estop, EstopPhase::Clear);
    let second = bench.tick(&press(Action::Estop)).requests[0].id;
    assert!(second > first);
}

#[test]
fn nothing_asked_before_a_dropout_is_sent_after_it_but_the_stop() {
    let mut bench = Bench::new();
    assert_eq!(bench.tick(&press(Action::HandBack)).requests.len(), 1);
    bench.seat.on_lost(bench.now_us, "no answer for 2 s");
    assert!(bench.says("link lost: no answer for 2 s") && bench.says("hand back was not answered"));
    let outputs = bench.tick(&press(Action::Bookmark));
    assert_eq!(outputs, Outputs::default());
    assert_eq!(bench.tick(&press(Action::Estop)), Outputs::default());
    bench.seat.on_connected(bench.now_us);
    let outputs = bench.tick(&held());
    assert!(matches!(outputs.requests[..], [v1::SeatRequest { request: Some(Request::Estop(_)), .. }]));
    assert_eq!(outputs.command.unwrap().inputs.len(), 1, "no input from before the dropout");
}

#[test]
fn a_refusal_is_shown_with_the_vehicles_reason() {
    let mut bench = Bench::new();
    let id = bench.tick(&press(Action::Engage)).requests[0].id;
    let reason = Reason::EstopLatched.into();
    let answer = v1::SeatResponse { id, accepted: false, reason, authority: None };
    bench.seat.on_event(bench.now_us, v1::VehicleEvent { event: Some(Event::Response(answer)), ..Default::default() });
    assert!(bench.says("engage: refused by the vehicle, the emergency stop is latched"));
    bench.tick(&press(Action::Bookmark));
    (0..201).for_each(|_| drop(bench.tick(&held())));
    assert!(bench.says("bookmark: no answer from the vehicle"));
}

#[test]
fn a_watching_seat_sends_no_commands() {
    let mut bench = Bench::new();
    bench.seat.watch_only = true;
    assert!(bench.tick(&held()).command.is_none());
    assert!(bench.tick(&press(Action::TakeOver)).requests.is_empty());
    assert!(bench.says("this seat only watches"));
}

#[test]
fn losing_authority_says_why() {
    let mut bench = Bench::new();
    bench.grant();
    bench.tick(&held());
    bench.author = Author::Fallback;
    bench.tick(&held());
    assert!(bench.says("you no longer drive"));
    assert_eq!(bench.seat.view(bench.now_us, "car-1", None).holder, Holder::Fallback);
}

#[test]
fn commands_flow_from_the_grant_on_since_the_first_valid_one_makes_the_operator_drive() {
    let mut bench = Bench::new();
    bench.tick(&held());
    assert!(newest(&bench.tick(&held())).action.is_empty());
    (bench.holder, bench.epoch, bench.lease_left_ms) = ("desk", bench.epoch + 1, 500);
    let outputs = bench.tick(&held());
    assert_eq!(newest(&outputs).epoch, bench.epoch);
    assert!(!newest(&outputs).action.is_empty());
}

#[test]
fn a_question_is_answered_once_by_its_key_and_only_while_it_is_open() {
    let mut bench = Bench::new();
    assert!(bench.tick(&press(Action::Path1)).requests.is_empty());
    let way = |id| v1::CandidatePath { id, ..Default::default() };
    bench.question = Some(v1::PathQuestion { id: 9, paths: vec![way(3), way(8)], ..Default::default() });
    bench.tick(&held());
    assert!(bench.tick(&press(Action::Path3)).requests.is_empty(), "there is no third way");
    let answer = |outputs: &Outputs| match &outputs.requests[0].request {
        Some(Request::PathAnswer(answer)) => (answer.question_id, answer.path_id, answer.declined),
        other => panic!("{other:?}"),
    };
    let outputs = bench.tick(&press(Action::Path2));
    assert_eq!(answer(&outputs), (9, 8, false));
    assert!(bench.tick(&press(Action::Decline)).requests.is_empty(), "an answer is under way");
    let response = v1::SeatResponse { id: outputs.requests[0].id, accepted: true, ..Default::default() };
    bench.seat.on_response(bench.now_us, &response);
    assert!(bench.says("the answer: accepted"));
    assert_eq!(answer(&bench.tick(&press(Action::Decline))), (9, 0, true));
    let now_us = bench.now_us;
    assert_eq!(bench.seat.view(now_us, "car-1", None).question.map(|c| c.question.id), Some(9));
    bench.question = None;
    bench.tick(&held());
    assert!(bench.seat.view(now_us, "car-1", None).question.is_none());
}

#[test]
fn assist_is_turned_on_and_off_by_one_key() {
    let mut bench = Bench::new();
    let mode = |outputs: &Outputs| match &outputs.requests[0].request {
        Some(Request::HandBack(hand_back)) => hand_back.mode(),
        other => panic!("{other:?}"),
    };
    let outputs = bench.tick(&press(Action::Assist));
    assert_eq!(mode(&outputs), Mode::Assist);
    let response = v1::SeatResponse { id: outputs.requests[0].id, accepted: true, ..Default::default() };
    bench.seat.on_response(bench.now_us, &response);
    bench.mode = Mode::Assist;
    bench.tick(&held());
    assert_eq!(mode(&bench.tick(&press(Action::Assist))), Mode::Monitor);
}

#[test]
fn a_deadman_that_is_down_from_the_start_is_not_held() {
    let mut seat = SeatLogic::new("desk", false, 1000);
    seat.on_connected(0);
    let mut deadman = |now_us, held| {
        let sample = Sample { deadman: held, ..Sample::default() };
        let outputs = seat.tick(TickInputs { now_us, dt_s: 0.01, sample, clock: None });
        newest(&outputs).deadman
    };
    assert!(!deadman(0, true) && !deadman(10_000, true));
    assert!(!deadman(20_000, false) && deadman(30_000, true));
}

#[test]
fn a_car_that_still_rolls_stops_itself_and_stands_only_when_it_stands() {
    let mut bench = Bench::new();
    (bench.author, bench.mode) = (Author::Fallback, Mode::Stopped);
    bench.tick(&held());
    let now_us = bench.now_us;
    assert_eq!(bench.seat.view(now_us, "car-1", None).holder, Holder::Fallback);
    assert_eq!(cause_of(&bench.tick(&press(Action::TakeOver))), TakeoverCause::Fault);
    bench.speed_mps = -0.01;
    bench.tick(&held());
    let now_us = bench.now_us;
    assert_eq!(bench.seat.view(now_us, "car-1", None).holder, Holder::Stopped);
}

#[test]
fn a_stop_pressed_while_no_vehicle_was_found_goes_out_first_thing() {
    let mut searching = SeatLogic::new("desk", false, 1000);
    let stop = Sample { pressed: vec![Action::Estop], ..Sample::default() };
    searching.tick(TickInputs { now_us: 10_000, dt_s: 0.01, sample: stop, clock: None });
    assert!(searching.estop_is_pressed());
    // The link has another clock, and with it the seat restarts.
    let mut seat = SeatLogic::new("desk", false, 2000);
    seat.press_estop(0);
    assert!(seat.tick(TickInputs::default()).requests.is_empty(), "nothing to send it on");
    seat.on_connected(20_000);
    let outputs = seat.tick(TickInputs { now_us: 30_000, dt_s: 0.01, ..TickInputs::default() });
    assert!(matches!(outputs.requests[0].request, Some(Request::Estop(_))), "{outputs:?}");
}
