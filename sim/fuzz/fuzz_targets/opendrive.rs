//! Any text as an OpenDRIVE file. Seed it with `sim/roads`.
#![no_main]

use sim::road::RoadNetwork;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = RoadNetwork::from_xodr("fuzz", text);
});
