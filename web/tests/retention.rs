//! What is found again, judged, kept, and erased: search, verdicts, retention, erasures with their proof.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::{Plane, disengagement, episode, mileage};
use protocol::erasure::{NOTHING, Proof, ProofError, verify_chain};
use protocol::signing::{PublicKey, sha256_hex};
use serde_json::{Value, json};
use sqlx::Connection;
use std::path::Path;
use web::Retention;

crate::on_both_databases! {
    episodes_are_found_by_everything_that_is_known_of_them
    a_verdict_says_who_and_when_and_is_searched_for
    retention_tries_first_and_writes_down_what_went
    a_vehicle_is_erased_with_a_proof_and_does_not_come_back
    a_person_is_found_in_every_seat_and_erased
    what_was_uploaded_is_erased_with_its_previews_and_what_was_on_its_way
    erasures_form_a_chain_and_survive_a_restart
    what_makes_no_sense_is_refused
}

fn ids(answer: &(u16, Value)) -> Vec<&str> {
    assert_eq!(answer.0, 200, "{}", answer.1);
    answer.1.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

/// An episode whose file lies in the episodes folder, with a signature.
fn recorded(plane: &Plane, id: &str, vehicle: &str, more: &Value) -> Value {
    let folder = plane.folder.path().join("episodes");
    let content = format!("content of {id}");
    std::fs::write(folder.join(format!("{id}.mcap")), &content).unwrap();
    std::fs::write(folder.join(format!("{id}.mcap.sig")), "{}").unwrap();
    let mut row = episode(id, vehicle, "v1", "safety");
    row["sha256"] = json!(sha256_hex(content.as_bytes()));
    row["bytes"] = json!(content.len());
    for (field, value) in more.as_object().unwrap() {
        row[field] = value.clone();
    }
    let (status, answer) = plane.client.post("episodes", &row);
    assert_eq!(status, 201, "{answer}");
    row
}

fn files(plane: &Plane) -> Vec<String> {
    let entries = std::fs::read_dir(plane.folder.path().join("episodes")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn episodes_are_found_by_everything_that_is_known_of_them(plane: &mut Plane) {
    let c = &plane.client;
    recorded(
        plane,
        "e1",
        "car",
        &json!({"weather": "rain", "x_m": 10.5, "y_m": -20.0, "seats": ["desk", "van-desk"],
        "software": "takeover 0.1", "trigger": "takeover", "reason": "A 100 % Dog_on the road", "start_ms": 5000}),
    );
    recorded(
        plane,
        "e2",
        "van",
        &json!({"weather": "clear", "x_m": 900.0, "y_m": 0.0, "seats": ["desk"],
        "latitude_deg": 58.41, "longitude_deg": 15.62, "start_ms": 7000, "map": "linköping"}),
    );
    recorded(plane, "e3", "van", &json!({"latitude_deg": -17.0, "longitude_deg": 179.99, "trigger": "hard_brake"}));
    let whole = c.get("episodes/e1").1;
    assert_eq!(
        (&whole["seats"], &whole["x_m"], &whole["software"]),
        (&json!(["desk", "van-desk"]), &json!(10.5), &json!("takeover 0.1"))
    );
    for (query, expected) in [
        ("weather=rain", &["e1"][..]),
        ("seat=desk", &["e2", "e1"]),
        ("seat=van-desk", &["e1"]),
        ("seat=van", &[]),
        ("software=takeover+0.1", &["e1"]),
        ("trigger=hard_brake", &["e3"]),
        ("map=link%C3%B6ping", &["e2"]),
        ("from_ms=5000", &["e2", "e1"]),
        ("from_ms=5000&to_ms=7000", &["e1"]),
        ("text=dOG_ON", &["e1"]),
        ("text=100+%25+d", &["e1"]),
        ("text=dogxon", &[]),
        ("text=HARD", &["e3"]),
        ("area=0,0,20,-30", &["e1"]),
        ("area=-1e3,-1e3,1e3,1e3&weather=clear", &["e2"]),
        ("bbox=58,15,59,16", &["e2"]),
        ("bbox=-20,179,-10,-179", &["e3"]),
        ("near=58.41,15.63,600", &["e2"]),
        ("near=58.41,15.63,500", &[]),
        // 0.02 degrees across the antimeridian at 17 degrees south are 2.1 km.
        ("near=-17,-179.99,2200", &["e3"]),
        ("near=-17,-179.99,2000", &[]),
        ("vehicle=van&limit=1", &["e3"]),
        ("vehicle=van&limit=1&before=e3", &["e2"]),
    ] {
        assert_eq!(ids(&c.get(&format!("episodes?{query}"))), expected, "{query}");
    }
    for (query, named) in [
        ("area=1,2,3", "area: \"1,2,3\""),
        ("area=1,2,3,x", "area: \"1,2,3,x\""),
        ("bbox=0,0,91,0", "bbox: \"0,0,91,0\""),
        ("near=0,0,-1", "near: \"0,0,-1\""),
        ("verdict=good", "verdict: \"good\""),
        ("seat=a+b", "a b"),
    ] {
        let (status, answer) = c.get(&format!("episodes?{query}"));
        assert!((400..500).contains(&status) && answer["error"].as_str().unwrap().contains(named), "{query}: {answer}");
    }
    an_import_is_stored_and_found_and_is_no_takeover(plane);
    for (field, value) in [
        ("cause", json!("")),
        ("cause", json!("mood")),
        ("latitude_deg", json!(91.0)),
        ("x_m", json!(1e300)),
        ("seats", json!(["a b"])),
        ("reason", json!("x".repeat(5000))),
    ] {
        let mut bad = episode("bad", "car", "v1", "safety");
        bad[field] = value;
        let (status, answer) = c.post("episodes", &bad);
        assert_eq!(status, 422, "{field}");
        assert!(answer["error"].as_str().unwrap().contains(field), "{field}: {answer}");
    }
}

fn an_import_is_stored_and_found_and_is_no_takeover(plane: &Plane) {
    let (before, latest) = (plane.client.get("fleet"), plane.client.get("takeovers"));
    let import = json!({"trigger": "import", "cause": "", "reason": "imported from rosbag2", "duration_s": 1.7e9});
    recorded(plane, "bag-1", "rosbag2", &import);
    let c = &plane.client;
    for query in ["trigger=import", "text=rosbag2", "vehicle=rosbag2", "cause=&trigger=import"] {
        assert_eq!(ids(&c.get(&format!("episodes?{query}"))), ["bag-1"], "{query}");
    }
    assert_eq!(c.get("episodes/bag-1").1["cause"], "");
    assert_eq!(c.get("fleet").1["by_cause"], before.1["by_cause"]);
    assert_eq!(ids(&c.get("takeovers")), ids(&latest));
}

fn a_verdict_says_who_and_when_and_is_searched_for(plane: &mut Plane) {
    let c = &plane.client;
    recorded(plane, "e1", "car", &json!({}));
    recorded(plane, "e2", "car", &json!({}));
    let said = json!({"verdict": "needs-review", "by": "Anna", "note": "glare?\nlook again"});
    let (status, answer) = c.put("episodes/e1/verdict", &said);
    assert_eq!(status, 200);
    assert!(answer["at_ms"].as_i64().unwrap() > 1_600_000_000_000, "{answer}");
    assert_eq!(c.put("episodes/e1/verdict", &json!({"verdict": "useful", "by": "Bo"})).0, 200);
    let verdict = &c.get("episodes/e1").1["verdict"];
    assert_eq!(
        (verdict["verdict"].as_str(), verdict["by"].as_str(), &verdict["note"]),
        (Some("useful"), Some("Bo"), &Value::Null)
    );
    assert_eq!(ids(&c.get("episodes?verdict=useful")), ["e1"]);
    assert_eq!(ids(&c.get("episodes?verdict=none")), ["e2"]);
    assert_eq!(c.put("episodes/e9/verdict", &said).0, 404);
    for (field, value) in [("verdict", "great"), ("by", " ")] {
        let mut bad = said.clone();
        bad[field] = json!(value);
        let (status, answer) = c.put("episodes/e1/verdict", &bad);
        assert!(status == 422 && answer["error"].as_str().unwrap().contains(field), "{answer}");
    }
    // A report that is repeated leaves the verdict.
    c.post("episodes", &episode("e1", "car", "v1", "safety"));
    assert_eq!(c.get("episodes/e1").1["verdict"]["by"], "Bo");
}

fn retention_tries_first_and_writes_down_what_went(plane: &mut Plane) {
    let c = &plane.client;
    recorded(plane, "e1", "car", &json!({}));
    let row = recorded(plane, "e2", "car", &json!({}));
    c.post("disengagements", &disengagement("e2", "car", "v1", "safety"));
    c.put("episodes/e2/verdict", &json!({"verdict": "discard", "by": "Anna"}));
    let rules = "[[rule]]\nverdict = \"discard\"\nkeep_days = 0\n";
    let gone =
        |answer: &Value| answer["removed"].as_array().unwrap().iter().map(|r| r["id"].clone()).collect::<Vec<_>>();
    let (status, tried) = c.post("retention", &json!({"dry_run": true, "rules": rules}));
    assert_eq!((status, gone(&tried), tried["episodes"].as_u64()), (200, vec![json!("e2")], Some(2)));
    assert_eq!(c.post("retention", &json!({"dry_run": false, "rules": rules})).0, 422);
    assert_eq!(
        gone(&c.post("retention", &json!({"dry_run": false})).1),
        [] as [Value; 0],
        "without rules everything stays"
    );
    assert_eq!(files(plane), ["e1.mcap", "e1.mcap.sig", "e2.mcap", "e2.mcap.sig"]);
    assert_eq!(c.get("removals").1, json!([]));

    plane.restart_with(|config| config.retention = Some(Retention::parse(rules).unwrap()));
    let c = &plane.client;
    // Whether it is the job at the start or this request that does it.
    assert_eq!(c.post("retention", &json!({"dry_run": false})).0, 200);
    assert_eq!(files(plane), ["e1.mcap", "e1.mcap.sig"]);
    assert_eq!(ids(&c.get("episodes")), ["e1"]);
    let removals = c.get("removals").1;
    assert_eq!(removals.as_array().unwrap().len(), 1);
    assert_eq!((&removals[0]["id"], &removals[0]["sha256"]), (&json!("e2"), &row["sha256"]));
    assert!(removals[0]["why"].as_str().unwrap().contains("rule 1"), "{removals}");
    // The takeover still counts; a report that is repeated brings nothing back and is told that all is well.
    assert_eq!(c.get("disengagements").1.as_array().unwrap().len(), 1);
    assert_eq!(c.post("episodes", &row), (200, json!({"stored": false})));
    assert_eq!(ids(&c.get("episodes")), ["e1"]);
}

fn key(plane: &Plane) -> PublicKey {
    plane.client.get("erasures").1["key"].as_str().unwrap().parse().unwrap()
}

fn manifest(data: &Path, version: &str, episodes: &Value) {
    let folder = data.join("policies").join(version);
    std::fs::create_dir_all(&folder).unwrap();
    let text = json!({"version": version, "episodes": episodes, "seed": 7}).to_string();
    std::fs::write(folder.join("manifest.json"), text).unwrap();
}

fn a_vehicle_is_erased_with_a_proof_and_does_not_come_back(plane: &mut Plane) {
    let c = &plane.client;
    let first = recorded(plane, "e1", "car", &json!({}));
    recorded(plane, "e2", "car", &json!({}));
    recorded(plane, "other", "van", &json!({}));
    for (id, vehicle) in [("e1", "car"), ("lone", "car"), ("other", "van")] {
        c.post("disengagements", &disengagement(id, vehicle, "v1", "safety"));
    }
    c.post("mileage", &mileage("car", "v1", 3000.0, 10.0));
    manifest(plane.folder.path(), "p1", &json!([{"episode": "e1", "sha256": first["sha256"]}]));
    manifest(plane.folder.path(), "p2", &json!([{"episode": "other", "sha256": "00"}]));
    let before = c.get("fleet").1;

    let asked = json!({"vehicle": "car", "reason": "sold"});
    let mut try_first = asked.clone();
    try_first["dry_run"] = json!(true);
    let (status, plan) = c.post("erasures", &try_first);
    assert_eq!((status, plan["remove"].as_array().unwrap().len(), &plan["disengagements"]), (200, 2, &json!(2)));
    assert_eq!(ids(&c.get("episodes?vehicle=car")).len(), 2, "a dry run changes nothing");

    let (status, answer) = c.post("erasures", &asked);
    assert_eq!(status, 200, "{answer}");
    let proof: Proof = serde_json::from_value(answer).unwrap();
    proof.verify(&key(plane)).unwrap();
    let said = &proof.statement;
    assert_eq!((said.number, said.previous.as_str(), said.disengagements), (1, NOTHING, 2));
    assert_eq!(said.policies.iter().map(|p| p.as_str()).collect::<Vec<_>>(), ["p1"]);
    assert_eq!(said.removed[0].sha256, first["sha256"].as_str().unwrap());
    assert_eq!(said.removed[0].objects, ["episodes/e1.mcap", "episodes/e1.mcap.sig"]);
    assert_eq!(said.removed.len(), 2);
    assert!(said.verification.listed >= 2 && said.verification.is_complete());

    assert_eq!(files(plane), ["other.mcap", "other.mcap.sig"]);
    assert_eq!(ids(&c.get("episodes")), ["other"]);
    assert_eq!(ids(&c.get("disengagements")), ["other"]);
    assert_eq!(ids(&c.get("takeovers")), ["other"]);
    assert_eq!(c.get("fleet").1["by_policy"], before["by_policy"], "what counts stays");
    assert_eq!(c.get("removals").1.as_array().unwrap().len(), 2);

    // Neither the same nor what the vehicle had recorded before; what it records from now on is taken.
    let (status, refused) = c.post("episodes", &first);
    assert!(status == 410 && refused["error"].as_str().unwrap().contains("e1"), "{refused}");
    assert_eq!(c.post("disengagements", &disengagement("e1", "car", "v1", "safety")), (200, json!({"stored": false})));
    let late = plane.folder.path().join("episodes/late.mcap");
    std::fs::write(&late, "late").unwrap();
    assert_eq!(c.post("episodes", &episode("late", "car", "v1", "safety")).0, 410);
    assert!(!late.exists(), "what a vehicle put there before it was refused goes");
    let mut renamed = first.clone();
    (renamed["id"], renamed["vehicle"]) = (json!("e7"), json!("van"));
    assert_eq!(c.post("episodes", &renamed).0, 410, "the same content by another name");
    assert_eq!(c.get("fleet").1["by_policy"], before["by_policy"]);
    late_by_its_clock(plane, said.started_ms);
}

/// What counts is when something began by the control plane's clock, as far as the vehicle knows how its own stands to it.
fn late_by_its_clock(plane: &Plane, erased_ms: i64) {
    const HOUR_MS: i64 = 3_600_000;
    let post = |id: &str, since_ms: i64, ahead_ms: Option<i64>| {
        let mut row = episode(id, "car", "v1", "safety");
        row["start_ms"] = json!(erased_ms + since_ms);
        row["sha256"] = json!(format!("{:064x}", since_ms.unsigned_abs() + ahead_ms.map_or(0, i64::unsigned_abs) * 7));
        if let Some(ahead_ms) = ahead_ms {
            row["clock_ahead_ms"] = json!(ahead_ms);
        }
        plane.client.post("episodes", &row).0
    };
    // Recorded a minute before, by a clock that is six hours ahead; a minute after, by one that is six hours behind.
    assert_eq!(post("ahead-before", 6 * HOUR_MS - 60_000, Some(6 * HOUR_MS)), 410);
    assert_eq!(post("ahead-after", 6 * HOUR_MS + 60_000, Some(6 * HOUR_MS)), 201);
    assert_eq!(post("behind-before", -6 * HOUR_MS - 60_000, Some(-6 * HOUR_MS)), 410);
    assert_eq!(post("behind-after", -6 * HOUR_MS + 60_000, Some(-6 * HOUR_MS)), 201);
    assert_eq!(post("right-doubtful", 9_000, Some(0)), 410);
    // Nobody knows how this clock stands.
    assert_eq!(post("unknown-soon", 23 * HOUR_MS, None), 410);
    assert_eq!(post("unknown-late", 25 * HOUR_MS, None), 201);
    let listed = plane.client.get("episodes/ahead-after").1;
    assert_eq!(listed["start_ms"], json!(erased_ms + 60_000), "the catalogue's times are the control plane's");
    let takeover = |id: &str, since_ms: i64| {
        let mut row = disengagement(id, "car", "v1", "safety");
        (row["at_ms"], row["clock_ahead_ms"]) = (json!(erased_ms + since_ms), json!(6 * HOUR_MS));
        plane.client.post("disengagements", &row).1["stored"].clone()
    };
    assert_eq!(takeover("taken-before", 6 * HOUR_MS - 60_000), json!(false));
    assert_eq!(takeover("taken-after", 6 * HOUR_MS + 60_000), json!(true));
    let taken = plane.client.get("disengagements").1;
    let taken = taken.as_array().unwrap().iter().find(|row| row["id"] == "taken-after").unwrap();
    assert_eq!(taken["at_ms"], json!(erased_ms + 60_000));
}

fn a_person_is_found_in_every_seat_and_erased(plane: &mut Plane) {
    let c = &plane.client;
    recorded(plane, "e1", "car", &json!({"seats": ["anna", "bo"]}));
    recorded(plane, "e2", "van", &json!({"seats": ["anna"]}));
    recorded(plane, "e3", "van", &json!({"seats": ["bo"]}));
    c.put("episodes/e3/verdict", &json!({"verdict": "useful", "by": "anna"}));
    let (status, answer) = c.post("erasures", &json!({"person": "anna", "reason": "asked to"}));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(ids(&c.get("episodes")), ["e3"]);
    assert_eq!(files(plane), ["e3.mcap", "e3.mcap.sig"]);
    assert_eq!(c.get("episodes/e3").1["verdict"]["by"], "erased");
    let mut late = episode("e4", "car", "v1", "safety");
    late["seats"] = json!(["bo", "anna"]);
    assert_eq!(c.post("episodes", &late).0, 410);
}

/// Every file below a folder of the data folder.
fn below(plane: &Plane, folder: &str) -> Vec<String> {
    let (mut names, mut folders) = (Vec::new(), vec![plane.folder.path().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { names.push(path.display().to_string()) }
        }
    }
    names
}

fn what_was_uploaded_is_erased_with_its_previews_and_what_was_on_its_way(plane: &mut Plane) {
    let c = &plane.client;
    let registration = json!({"vehicle": "car", "embodiment": "", "kind": "live", "map": "", "software": ""});
    assert_eq!(c.post("vehicles", &registration).0, 201);
    let start = |episode: &str, kind: &str, content: &str| json!({"vehicle": "car", "episode": episode, "kind": kind, "sha256": sha256_hex(content.as_bytes()), "bytes": content.len()});
    for (kind, content) in [("episode", "the drive"), ("preview_video", "the film")] {
        assert_eq!(c.post("uploads", &start("e1", kind, content)).0, 200);
        let (status, answer) = c.patch(&sha256_hex(content.as_bytes()), 0, content.as_bytes());
        assert_eq!((status, &answer["complete"]), (200, &json!(true)), "{answer}");
    }
    let mut row = episode("e1", "car", "v1", "safety");
    (row["sha256"], row["bytes"]) = (json!(sha256_hex(b"the drive")), json!(9));
    assert_eq!(c.post("episodes", &row).0, 201);
    assert_eq!(c.get("episodes/e1").1["preview"], true);
    assert_eq!(c.post("uploads", &start("e2", "episode", "half a drive")).0, 200);
    c.patch(&sha256_hex(b"half a drive"), 0, b"half");
    assert_eq!(
        (below(plane, "objects").len(), files(plane), below(plane, "uploads").len()),
        (2, vec!["e1.mcap".into()], 2)
    );

    let (status, answer) = c.post("erasures", &json!({"vehicle": "car", "reason": "asked to"}));
    assert_eq!(status, 200, "{answer}");
    let proof: Proof = serde_json::from_value(answer).unwrap();
    let mut objects = proof.statement.removed[0].objects.clone();
    objects.sort();
    let [file, ..] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!((file.as_str(), objects.len()), ("episodes/e1.mcap", 3), "{objects:?}");
    assert_eq!((below(plane, "objects"), files(plane), below(plane, "uploads")), (vec![], vec![], vec![]));
    assert_eq!(c.post("uploads", &start("e1", "signature", "{}")).0, 410);
    assert_eq!(c.post("uploads", &start("e9", "episode", "the drive")).0, 410);
}

fn erasures_form_a_chain_and_survive_a_restart(plane: &mut Plane) {
    recorded(plane, "e1", "car", &json!({}));
    recorded(plane, "e2", "car", &json!({}));
    for id in ["e1", "never-came", "e2"] {
        let (status, answer) = plane.client.post("erasures", &json!({"ids": [id], "reason": "asked to"}));
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(plane.client.post("episodes", &episode("never-came", "car", "v1", "safety")).0, 410);
    plane.restart();
    assert_eq!(plane.client.post("episodes", &episode("e2", "car", "v1", "safety")).0, 410);
    let answer = plane.client.get("erasures").1;
    assert_eq!(answer["unfinished"], 0);
    let mut proofs: Vec<Proof> = serde_json::from_value(answer["proofs"].clone()).unwrap();
    assert_eq!(proofs.iter().map(|p| p.statement.removed.len()).collect::<Vec<_>>(), [1, 0, 1]);
    verify_chain(&proofs, &key(plane)).unwrap();
    proofs.remove(1);
    assert!(matches!(verify_chain(&proofs, &key(plane)), Err(ProofError::Chain { number: 3, .. })));
}

fn what_makes_no_sense_is_refused(plane: &mut Plane) {
    let c = &plane.client;
    for (asked, named) in [
        (json!({"reason": "x"}), "either a vehicle"),
        (json!({"vehicle": "car", "person": "anna", "reason": "x"}), "one of them only"),
        (json!({"vehicle": "car", "reason": ""}), "reason"),
        (json!({"vehicle": "../car", "reason": "x"}), "../car"),
        (json!({"ids": vec!["e"; 1001], "reason": "x"}), "1001"),
        (json!({"colour": "red", "reason": "x"}), "colour"),
    ] {
        let (status, answer) = c.post("erasures", &asked);
        assert!(status == 422 && answer["error"].as_str().unwrap().contains(named), "{named} not in {answer}");
    }
    let (status, answer) =
        c.post("retention", &json!({"dry_run": true, "rules": "[[rule]]\ncause = \"mood\"\nkeep_days = 1"}));
    assert!(status == 422 && answer["error"].as_str().unwrap().contains("mood"), "{answer}");
    assert_eq!(c.post("mileage", &mileage("erased-live", "v1", 1.0, 0.0)).0, 422);
    assert_eq!(c.get("erasures").1["proofs"], json!([]));
}

#[test]
fn an_erasure_is_of_now_although_rows_came_by_a_clock_that_was_ahead() {
    const DAY_MS: i64 = 86_400_000;
    let plane = Plane::start();
    for (id, vehicle) in [("e1", "car"), ("other", "van")] {
        recorded(&plane, id, vehicle, &json!({}));
    }
    plane.client.post("disengagements", &disengagement("e1", "car", "v1", "safety"));
    let file = format!("sqlite:{}", plane.folder.path().join(web::DATABASE).display());
    plane.runtime.block_on(async {
        let mut database = sqlx::SqliteConnection::connect(&file).await.unwrap();
        // By ten days.
        for sql in [
            "UPDATE episodes SET stored_ms = stored_ms + 864000000",
            "UPDATE disengagements SET stored_ms = stored_ms + 864000000",
        ] {
            sqlx::query(sql).execute(&mut database).await.unwrap();
        }
    });
    let (status, answer) = plane.client.post("erasures", &json!({"vehicle": "car", "reason": "sold"}));
    assert_eq!(status, 200, "{answer}");
    let Proof { statement: said, .. } = serde_json::from_value(answer).unwrap();
    assert!(said.started_ms <= said.finished_ms, "{said:?}");
    assert_eq!((said.removed.len(), said.disengagements), (1, 1), "what came by then goes");
    assert_eq!(ids(&plane.client.get("episodes")), ["other"]);
    let mut next = episode("e2", "car", "v1", "safety");
    (next["start_ms"], next["clock_ahead_ms"]) = (json!(said.finished_ms + DAY_MS), json!(0));
    next["sha256"] = json!("12".repeat(32));
    let (status, answer) = plane.client.post("episodes", &next);
    assert_eq!(status, 201, "what it records from now on is taken: {answer}");
}

#[test]
fn an_erasure_that_the_disk_refuses_is_finished_after_the_next_start() {
    let mut plane = Plane::start();
    recorded(&plane, "e1", "car", &json!({}));
    let stubborn = plane.folder.path().join("episodes/e1.mcap");
    std::fs::remove_file(&stubborn).unwrap();
    std::fs::create_dir(&stubborn).unwrap();
    let (status, answer) = plane.client.post("erasures", &json!({"vehicle": "car", "reason": "test"}));
    assert!(status == 503 && answer["error"].as_str().unwrap().contains("not finished"), "{answer}");
    let erasures = plane.client.get("erasures").1;
    assert_eq!((&erasures["unfinished"], &erasures["proofs"]), (&json!(1), &json!([])), "no proof of what is not done");
    assert_eq!(ids(&plane.client.get("episodes")), [""; 0], "it is out of the catalogue at once");

    std::fs::remove_dir(&stubborn).unwrap();
    plane.restart();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while plane.client.get("erasures").1["unfinished"] != 0 {
        assert!(std::time::Instant::now() < until, "it is not taken up");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let proofs: Vec<Proof> = serde_json::from_value(plane.client.get("erasures").1["proofs"].clone()).unwrap();
    verify_chain(&proofs, &key(&plane)).unwrap();
    assert_eq!(proofs[0].statement.removed[0].id.as_str(), "e1");
}
