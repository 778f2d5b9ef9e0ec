//! Drives in virtual time: their files open everywhere, and the same seed gives the same bytes.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

#[path = "episodes/programs.rs"]
mod programs;
#[path = "episodes/replay.rs"]
mod replay;

use closed_loop::virtual_drive::{Recording, TripReport};
use policy::Policy;
use protocol::foxglove::Event;
use protocol::{Embodiment, PolicyVersion, topics};
use recorder::EpisodeReader;
use sim::road::RoadNetwork;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use trainer::fleet::FleetPlan;

fn drive(folder: &Path, seed: u64) -> Vec<TripReport> {
    let policy = Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("v0").unwrap(), 5).unwrap();
    let plan = FleetPlan {
        name: "trip".into(),
        roads: vec![
            Arc::new(RoadNetwork::built_in("fabriksgatan").unwrap()),
            Arc::new(RoadNetwork::built_in("soderleden").unwrap()),
        ],
        seed,
        trips: 2,
        route_m: 600.0,
        max_time_s: 60.0,
        recording: Recording::Folder(folder.to_owned()),
        assists: false,
        turn: Some(7),
    };
    plan.drive(&policy, |_| ()).unwrap()
}

#[test]
fn every_takeover_has_its_seconds_before_and_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let reports = drive(folder.path(), 11);
    let episodes: Vec<_> = reports.iter().flat_map(|r| &r.trip.episodes).collect();
    assert!(episodes.len() >= 4, "an untrained policy is taken over all the time");
    for episode in episodes {
        let reader = EpisodeReader::open(&folder.path().join(&episode.file)).unwrap();
        assert_eq!(reader.info().to_api(episode.file.clone(), episode.bytes, episode.sha256.clone()), *episode);
        assert!(episode.x_m.is_some() && episode.y_m.is_some() && episode.weather.is_some(), "{episode:?}");
        assert_eq!((episode.seats.len(), reader.info().turn), (1, Some(7)), "{episode:?}");
        let (mut first_picture_ns, mut took_over) = (None, 0);
        let mut last: BTreeMap<String, u32> = BTreeMap::new();
        for message in reader.messages() {
            let message = message.unwrap();
            if message.topic() == topics::CAMERA_FRONT.name {
                first_picture_ns.get_or_insert(message.log_time_ns);
                continue;
            }
            if message.topic() == topics::TAKEOVER_EVENT.name {
                let event: Event = message.decode().unwrap();
                let kind = event.metadata.iter().find(|pair| pair.key == "seat_kind").unwrap();
                assert_eq!(kind.value, "scripted");
                took_over += 1;
            }
            if let Some(before) = last.insert(message.topic().to_owned(), message.sequence) {
                assert_eq!(message.sequence, before + 1, "{} {}", episode.file, message.topic());
            }
        }
        assert!(took_over > 0, "{}", episode.file);
        let lead_ns = reader.info().takeover_ns - first_picture_ns.expect("no picture");
        assert!(lead_ns >= 9_000_000_000, "{}: {lead_ns} ns before the takeover", episode.file);
        for topic in [&topics::VEHICLE_STATE, &topics::SCAN, &topics::CONTROL_PROPOSAL, &topics::OPERATOR_INPUT] {
            assert!(last.contains_key(topic.name), "{} lacks {}", episode.file, topic.name);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [a, b, other] = [0, 1, 2].map(|i| drive(folders[i].path(), [21, 21, 22][i]));
    assert_eq!(a, b, "hashes of the files included");
    assert_ne!(a, other);
}

#[test]
fn python_reads_every_message_and_decodes_every_picture() {
    let folder = tempfile::tempdir().unwrap();
    let reports = drive(folder.path(), 31);
    let files = reports.iter().flat_map(|r| &r.trip.episodes).map(|e| folder.path().join(&e.file));
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recorder/tests/judge.py");
    let verdict = tests::run(Command::new(tests::python().unwrap()).arg(judge).arg("--video").args(files));
    println!("{}", verdict.unwrap());
}
