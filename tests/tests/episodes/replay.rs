//! `takeover episode replay`: a trip driven again from its episode, up to the hand-over, and its takeover judged.

use closed_loop::necessity::NecessityConfig;
use closed_loop::virtual_drive::{PLAN_ATTACHMENT, Recording, TripPlan, TripReport, drive};
use policy::Policy;
use protocol::{Attachment, Embodiment, Message, PolicyVersion, topics};
use recorder::{EpisodeMessage, EpisodeReader, write_episode_with};
use serde_json::Value;
use sim::road::RoadNetwork;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tests::program;
use trainer::fleet::FleetPlan;

/// Judging is no part of a recording.
fn plan(folder: &Path, necessity: Option<NecessityConfig>) -> TripPlan {
    let fleet = FleetPlan {
        name: "replay".into(),
        roads: vec![Arc::new(RoadNetwork::built_in("soderleden").unwrap())],
        seed: 41,
        trips: 1,
        route_m: 600.0,
        max_time_s: 40.0,
        recording: Recording::Folder(folder.to_owned()),
        assists: false,
        turn: None,
        necessity: None,
        purpose: trainer::seeds::SeedPurpose::Report,
        events: sim::scenario_event::ScenarioEvent::ALL.to_vec(),
    };
    TripPlan { necessity, ..fleet.trip(0).unwrap() }
}

fn untrained(folder: &Path, seed: u64) -> (Policy, PathBuf) {
    let version = PolicyVersion::new("v0").unwrap();
    let policy = Policy::untrained(&Embodiment::ackermann_car(), version, seed).unwrap();
    let dir = folder.join(format!("policy-{seed}"));
    policy.save(&dir).unwrap();
    (policy, dir)
}

fn replay(file: &Path, policy: &Path, more: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(program("takeover").unwrap());
    command.args(["episode", "replay", "--json"]).arg(file).arg("--policy").arg(policy).args(more);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    if output.status.success() { Ok(serde_json::from_slice(&output.stdout).unwrap()) } else { Err(said) }
}

/// The episode with another plan attached, or none.
fn with_plan(file: &Path, folder: &Path, plan: Option<&str>) -> PathBuf {
    let reader = EpisodeReader::open(file).unwrap();
    let names: Vec<String> = reader.attachment_names().map(str::to_owned).collect();
    let mut attachments: Vec<Attachment> = names
        .iter()
        .map(|name| reader.attachment(name).unwrap().unwrap())
        .filter(|a| a.name != PLAN_ATTACHMENT)
        .collect();
    attachments.extend(plan.map(|plan| Attachment {
        name: PLAN_ATTACHMENT.to_owned(),
        media_type: "application/json".to_owned(),
        data: plan.as_bytes().to_vec().into(),
    }));
    std::fs::create_dir_all(folder).unwrap();
    let messages = reader.messages().map(|message| to_message(&message.unwrap()));
    let written = write_episode_with(folder, reader.info(), &attachments, messages.collect::<Vec<_>>()).unwrap();
    folder.join(written.file)
}

fn to_message(message: &EpisodeMessage) -> Message {
    Message {
        topic: topics::by_name(message.topic()).unwrap(),
        sequence: message.sequence,
        log_time_ns: message.log_time_ns,
        publish_time_ns: message.publish_time_ns,
        data: message.data.clone(),
        keyframe: false,
    }
}

#[test]
fn an_episode_is_replayed_to_the_verdict_of_its_drive_and_refused_where_the_replay_differs() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, dir) = untrained(folder.path(), 5);
    let folders = ["judged", "unjudged"].map(|name| folder.path().join(name));
    folders.iter().for_each(|dir| std::fs::create_dir(dir).unwrap());
    let config = NecessityConfig { samples: 8, most_samples: 8, ..NecessityConfig::default() };
    let report = drive(&plan(&folders[0], Some(config)), policy.clone()).unwrap();
    let unjudged = drive(&plan(&folders[1], None), policy).unwrap();
    assert_eq!(TripReport { judged: Vec::new(), ..report.clone() }, unjudged, "hashes of the files included");

    let judged = report.judged.last().unwrap();
    let episode = report.trip.episodes.iter().find(|episode| episode.id == judged.id).unwrap();
    let file = folders[0].join(&episode.file);
    let said = replay(&file, &dir, &["--samples", "8", "--without-human"]).unwrap();
    let verdict = serde_json::to_value(&judged.verdict).unwrap();
    for (key, value) in verdict.as_object().unwrap() {
        assert_eq!(&said[key], value, "{key}");
    }
    assert!(said["checked_states"].as_u64() > Some(400) && said["without_human"].is_object(), "{said}");
    let keys = ["necessity", "harm_share", "harm_low", "harm_high", "standstill_share", "samples"];
    assert!(keys.iter().all(|key| said.get(key).is_some()), "{said}");

    let (_, other) = untrained(folder.path(), 6);
    let refused = replay(&file, &other, &[]).unwrap_err();
    assert!(refused.contains("policy v0 drove with weights"), "{refused}");
    let reader = EpisodeReader::open(&file).unwrap();
    let stored = String::from_utf8(reader.attachment(PLAN_ATTACHMENT).unwrap().unwrap().data.to_vec()).unwrap();
    let cases = [
        (Some(stored.replace("\"traffic_per_km\":8.0", "\"traffic_per_km\":30.0")), "the replay differs from what was"),
        (Some(stored.replace("\"loss\":0.005", "\"loss\":1.0")), "link.loss is 1; it must be 0 to 0.99"),
        (Some(stored.replace("\"format\":1", "\"format\":9")), "format 9"),
        (Some("{}".to_owned()), "plan.json cannot be read"),
        (None, "has no plan.json attached"),
    ];
    for (index, (plan, why)) in cases.into_iter().enumerate() {
        assert_ne!(plan.as_ref(), Some(&stored), "{why}");
        let changed = with_plan(&file, &folder.path().join(index.to_string()), plan.as_deref());
        let refused = replay(&changed, &dir, &[]).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}
