use super::*;

fn trip(mode: Mode, one_way_ms: f64, seed: u64) -> Trip {
    let road = Arc::new(RoadNetwork::built_in("e6mini").unwrap());
    Trip { road, mode, one_way_ms, seed, route_m: 500.0 }
}

#[test]
fn without_delay_every_way_to_drive_gets_to_the_end() {
    for mode in Mode::ALL {
        let trial = run(&trip(mode, 0.0, 1)).unwrap();
        assert_eq!(trial.ending, Ending::Completed, "{trial:?}");
        assert!(trial.lane_rms_m < 0.3 && trial.manoeuvres == 0, "{trial:?}");
    }
}

#[test]
fn who_takes_an_old_picture_for_the_present_weaves_and_a_prediction_calms_it() {
    let error = |mode| run(&trip(mode, 300.0, 2)).unwrap().lane_rms_m;
    let (baseline, predictive, trajectory) = (error(Mode::Baseline), error(Mode::Predictive), error(Mode::Trajectory));
    assert!(baseline > 2.0 * predictive && baseline > 2.0 * trajectory, "{baseline} {predictive} {trajectory}");
}

#[test]
fn the_governor_sees_the_delay_and_slows_the_car() {
    let speed = |mode| {
        let trial = run(&trip(mode, 300.0, 3)).unwrap();
        trial.distance_m / trial.time_s
    };
    // 2.78 m by 0.6 s and more.
    assert!(speed(Mode::Governor) < 4.6, "{}", speed(Mode::Governor));
    assert!(speed(Mode::Baseline) > 6.0, "{}", speed(Mode::Baseline));
}

#[test]
fn the_same_study_gives_the_same_trials_and_a_row_for_each_cell() {
    let study = Study {
        roads: vec![Arc::new(RoadNetwork::built_in("e6mini").unwrap())],
        modes: vec![Mode::Governor, Mode::Trajectory],
        one_way_ms: vec![0.0, 225.0],
        seeds: 1,
        seed: 5,
        route_m: 200.0,
    };
    let go = || study.drive(&AtomicBool::new(false), |_| ()).unwrap();
    let trials = go();
    assert_eq!(trials, go());
    let rows = summarise(&trials);
    assert_eq!(rows.len(), 4);
    let goals: Vec<Option<f64>> = rows.iter().map(|r| r.goal).collect();
    assert_eq!(goals, [None, None, None, Some(0.95)]);
    let stopped = study.drive(&AtomicBool::new(true), |_| ());
    assert!(matches!(stopped, Err(StudyError::Interrupted { done: 0, all: 4 })));
}

#[test]
fn intervals_are_wilsons() {
    // Newcombe (1998), table I: 81 of 263 and 0 of 20.
    let share = Share::wilson(81, 263);
    assert!((share.low - 0.2553).abs() < 1e-4 && (share.high - 0.3662).abs() < 1e-4, "{share:?}");
    let none = Share::wilson(0, 20);
    assert!(none.low == 0.0 && (none.high - 0.1611).abs() < 1e-4, "{none:?}");
    assert_eq!(Share::wilson(0, 0).high, 1.0);
}
