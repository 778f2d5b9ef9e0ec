//! A handful of faults in real processes; `make safety` runs fifty.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use tests::rehearsal::{Failing, Rehearsal};

/// A machine that is not there when the control loop needs it proves nothing; the trial is done again.
const ATTEMPTS: usize = 4;

#[test]
fn real_time_faults_in_real_processes_stop_the_car_in_time_and_in_its_lane() {
    let folder = tempfile::tempdir().unwrap();
    let mut rehearsal = Rehearsal::start(folder.path()).unwrap();
    for failing in &Failing::ALL[..6] {
        let trial = (0..ATTEMPTS)
            .map(|_| rehearsal.run(*failing).unwrap_or_else(|e| panic!("{e:#}\n{}", rehearsal.logs())))
            .find(|trial| trial.passes() || trial.missed_deadlines == 0);
        let trial = trial.unwrap_or_else(|| panic!("{failing:?}: the control loop missed deadlines in every attempt"));
        assert!(trial.passes(), "{trial:?}\n{}", rehearsal.logs());
    }
    drop(rehearsal);
    let report = vehicle_bridge::audit::verify::verify(&folder.path().join("car/audit"), None).unwrap();
    assert!(report.bad.is_none() && report.records > 20, "{report:?}");
}
