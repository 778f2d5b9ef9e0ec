//! Hostile messages against the vehicle core: every single one is refused for its own reason and counted, and none of them
//! keeps the honest inputs between them from being heard.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use closed_loop::hostile::{hostile_run, kinds};
use protocol::Embodiment;

#[test]
fn of_100000_hostile_messages_of_each_of_ten_seeds_none_passes_and_each_is_counted_by_its_reason() {
    let seeds = |robot| (0..10).map(move |seed| (robot, seed));
    for (robot, seed) in Embodiment::built_in().iter().flat_map(seeds) {
        let report = hostile_run::run(robot, 100_000, seed).unwrap();
        assert!(report.faults.is_empty(), "{}, seed {seed}: {:#?}", robot.name, report.faults);
        assert!(report.hostile() >= 100_000 && report.honest >= 10_000, "{report:?}");
        for kind in kinds() {
            let sent = report.sent.get(kind.name).copied().unwrap_or(0);
            assert!(sent >= 500, "seed {seed}: only {sent} of {}", kind.name);
        }
    }
}
