//! The HTTP interface: what may be repeated, what is refused, how lists are paged.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::{Plane, disengagement, episode, evaluation, mileage, policy};
use protocol::geofence::GeofenceOrder;
use protocol::signing::SigningKey;
use protocol::units::METRES_PER_MILE;
use serde_json::{Value, json};

crate::on_both_databases! {
    repeated_and_reordered_reports_change_nothing
    a_trip_counts_once_and_whole_beside_live_mileage
    a_published_version_never_changes
    a_withdrawn_version_is_given_to_no_vehicle_until_it_is_restored
    an_order_on_where_a_vehicle_may_drive_is_signed_numbered_and_kept
    the_report_has_published_versions_in_order_of_publication_and_stays_the_same_bytes
    wrong_values_are_refused_with_field_and_value
    a_long_list_is_paged_and_filtered_newest_first
    live_state_is_shown_and_metrics_are_complete
}

fn column<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|row| row[name].as_str().unwrap()).collect()
}

fn repeated_and_reordered_reports_change_nothing(plane: &mut Plane) {
    let c = &plane.client;
    for metres in [500.0, 2000.0, 2000.0, 1000.0] {
        assert_eq!(c.post("mileage", &mileage("car", "v1", metres, metres / 10.0)).0, 201);
    }
    let event = disengagement("e1", "car", "v1", "safety");
    assert_eq!(c.post("disengagements", &event), (201, json!({ "stored": true })));
    assert_eq!(c.post("disengagements", &event), (200, json!({ "stored": false })));
    let file = episode("e1", "car", "v1", "safety");
    assert_eq!(c.post("episodes", &file).0, 201);
    assert_eq!(c.post("episodes", &file).0, 200);
    let fleet = c.get("fleet").1;
    let row = &fleet["by_policy"][0];
    assert_eq!((row["kind"].as_str(), row["disengagements"].as_u64()), (Some("live"), Some(1)));
    assert_eq!(row["miles"].as_f64().unwrap(), 2000.0 / METRES_PER_MILE);
    assert_eq!(row["manual_miles"].as_f64().unwrap(), 200.0 / METRES_PER_MILE);
    assert_eq!(c.get("episodes").1, json!([file]));
    assert_eq!(c.get("disengagements").1, json!([event]));
}

fn a_trip_counts_once_and_whole_beside_live_mileage(plane: &mut Plane) {
    let c = &plane.client;
    let registration = |id: &str, kind: &str| json!({ "vehicle": id, "embodiment": "ackermann_car", "kind": kind, "map": "town", "software": "0.1.0" });
    c.post("vehicles", &registration("car", "live"));
    c.post("vehicles", &registration("sim", "virtual"));
    c.post("mileage", &mileage("car", "v1", METRES_PER_MILE, 0.0));
    let trip = |id: &str| {
        json!({
            "id": id, "vehicle": "sim", "policy": "v1", "autonomous_m": 3.0 * METRES_PER_MILE, "manual_m": 80.0,
            "disengagements": [disengagement(&format!("{id}-a"), "sim", "v1", "stuck"),
                               disengagement(&format!("{id}-b"), "sim", "v1", "safety")],
            "episodes": [episode(&format!("{id}-a"), "sim", "v1", "stuck")],
        })
    };
    assert_eq!(c.get("trips/t1").0, 404);
    assert_eq!(c.post("trips", &trip("t1")).0, 201);
    assert_eq!(c.post("trips", &trip("t1")).0, 200);
    assert_eq!(c.get("trips/t1").0, 200);
    assert_eq!(c.post("trips", &trip("t2")).0, 201);

    // One bad row refuses the whole trip.
    let mut bad = trip("t3");
    bad["episodes"][0]["file"] = json!("../x.mcap");
    let (status, answer) = c.post("trips", &bad);
    assert_eq!(status, 422);
    assert!(answer["error"].as_str().unwrap().contains("episodes[0].file: \"../x.mcap\""), "{answer}");
    assert_eq!(c.get("trips/t3").0, 404);

    let fleet = c.get("fleet").1;
    let (live, fast) = (&fleet["totals"][0], &fleet["totals"][1]);
    assert_eq!((live["kind"].as_str(), fast["kind"].as_str()), (Some("live"), Some("virtual")));
    assert_eq!((live["miles"].as_f64(), live["disengagements"].as_u64()), (Some(1.0), Some(0)));
    assert_eq!((fast["miles"].as_f64(), fast["disengagements"].as_u64()), (Some(6.0), Some(4)));
    // 4 events: Garwood's interval is (1.0899, 10.2416).
    assert!((fast["mpd_low"].as_f64().unwrap() - 6.0 / 10.2416).abs() < 1e-3, "{fast}");
    assert!((fast["mpd_high"].as_f64().unwrap() - 6.0 / 1.0899).abs() < 1e-3, "{fast}");
    assert_eq!(live["mpd_high"], Value::Null);
    let causes = fleet["by_cause"].as_array().unwrap();
    assert_eq!(causes.len(), 2);

    let latest = c.get("takeovers?limit=3").1;
    assert_eq!(column(&latest, "id"), ["t2-b", "t2-a", "t1-b"]);
    assert_eq!((latest[1]["duration_s"].as_f64(), &latest[0]["duration_s"]), (Some(21.5), &Value::Null));
}

fn a_published_version_never_changes(plane: &mut Plane) {
    let c = &plane.client;
    assert_eq!(c.get("policies/latest").0, 404);
    assert_eq!(c.post("policies", &policy("v1", None, "published")).0, 201);
    assert_eq!(c.post("policies", &policy("v1", None, "published")).0, 200);
    let (status, answer) = c.post("policies", &policy("v1", None, "refused"));
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("v1"), "{answer}");
    c.post("policies", &policy("v3", Some("v1"), "published"));
    c.post("policies", &policy("v2", Some("v3"), "refused"));
    assert_eq!(c.get("policies/latest").1["version"], "v3");
    assert_eq!(column(&c.get("policies").1, "version"), ["v1", "v3", "v2"]);
    assert_eq!(c.post("policies", &policy("latest", None, "published")).0, 422);
}

fn a_withdrawn_version_is_given_to_no_vehicle_until_it_is_restored(plane: &mut Plane) {
    let c = &plane.client;
    for (version, status) in [("v1", "published"), ("v2", "published"), ("v3", "refused"), ("v4", "published")] {
        c.post("policies", &policy(version, None, status));
    }
    let why = json!({ "reason": "brakes late in the rain" });
    let (status, left) = c.post("policies/v4/withdraw", &why);
    assert_eq!((status, &left["version"]), (200, &json!("v2")), "{left}");
    assert_eq!(c.get("policies/latest").1["version"], "v2");
    let shown = c.get("policies/v4").1;
    assert_eq!((&shown["status"], &shown["withdrawn"]["reason"]), (&json!("published"), &why["reason"]));
    assert!(shown["withdrawn"]["since_ms"].as_i64().unwrap() > 0);
    // Once is enough, and the first reason stays; publishing it again changes nothing.
    assert_eq!(c.post("policies/v4/withdraw", &json!({ "reason": "again" })).0, 200);
    assert_eq!(c.post("policies", &policy("v4", None, "published")), (200, json!({ "stored": false })));
    plane.restart();
    let c = &plane.client;
    assert_eq!(c.get("policies/v4").1["withdrawn"]["reason"], why["reason"]);
    assert_eq!(column(&c.get("policies").1, "version"), ["v1", "v2", "v3", "v4"]);
    assert_eq!(c.post("policies/v2/withdraw", &why).1["version"], "v1");
    let (status, answer) = c.post("policies/v1/withdraw", &why);
    assert!(status == 409 && answer["error"].as_str().unwrap().contains("v1 is the only version"), "{answer}");
    assert_eq!(c.get("policies/latest").1["version"], "v1", "what is refused does not happen");
    let (status, answer) = c.post("policies/v3/withdraw", &why);
    assert!(status == 409 && answer["error"].as_str().unwrap().contains("v3 is refused"), "{answer}");
    for (path, expected) in [("policies/v9/withdraw", 404), ("policies/v1/restore", 404), ("policies/-/withdraw", 422)]
    {
        assert_eq!(c.post(path, &why).0, expected, "{path}");
    }
    assert_eq!(c.post("policies/v4/restore", &why).0, 201);
    assert_eq!(c.get("policies/latest").1["version"], "v4");
    let mut claimed = policy("v5", None, "published");
    claimed["withdrawn"] = json!({ "reason": "odd", "since_ms": 1 });
    let (status, answer) = c.post("policies", &claimed);
    assert!(status == 422 && answer["error"].as_str().unwrap().contains("odd"), "{answer}");
}

fn an_order_on_where_a_vehicle_may_drive_is_signed_numbered_and_kept(plane: &mut Plane) {
    let key = SigningKey::load_or_make(&plane.folder.path().join("grants.key")).unwrap().public();
    let c = &plane.client;
    let route = "vehicles/car/geofence";
    let order = json!({ "corners_m": [[0, 0], [50, 0], [0, 50.5]], "reason": "road works" });
    assert_eq!(c.put(route, &order).0, 404, "the vehicle is not known yet");
    c.post("mileage", &mileage("car", "v1", 1.0, 0.0));
    assert_eq!((c.get(route).0, &c.get("vehicles").1[0]["geofence"]), (404, &Value::Null));
    let bow_tie = json!({ "corners_m": [[0, 0], [10, 10], [10, 0], [0, 10]], "reason": "x" });
    let (status, answer) = c.put(route, &bow_tie);
    assert!(status == 422 && answer["error"].as_str().unwrap().contains("corner 2"), "{status} {answer}");
    assert_eq!(c.put(route, &json!({ "corners_m": order["corners_m"], "reason": " " })).0, 422);
    assert_eq!(c.put(route, &json!({ "reason": "no area is no removal" })).0, 422);
    assert_eq!(c.post("vehicles/car/geofence/remove", &json!({ "reason": "there is none" })).0, 404);

    let (status, first) = c.put(route, &order);
    assert_eq!((status, &first["obeyed"]), (200, &json!(false)), "{first}");
    let signed = GeofenceOrder::open(first["order"].as_str().unwrap(), &key).unwrap();
    assert_eq!((signed.vehicle.as_str(), signed.reason.as_str()), ("car", "road works"));
    assert_eq!((json!(signed.serial), json!(signed.corners_m)), (first["serial"].clone(), first["corners_m"].clone()));

    plane.restart();
    let c = &plane.client;
    assert_eq!(c.get(route).1, first);
    let status = |serial: &Value| {
        let mut status = json!({
            "vehicle": "car", "mode": "drive", "author": "policy", "speed_mps": 0.0, "policy": "v1",
        });
        status["geofence_serial"] = serial.clone();
        c.post("status", &status).1["geofence_serial"].clone()
    };
    assert_eq!(status(&Value::Null), first["serial"]);
    let shown = || c.get("vehicles").1[0]["geofence"].clone();
    assert_eq!((&shown()["corners"], &shown()["obeyed"]), (&json!(3), &json!(false)));
    status(&first["serial"]);
    assert_eq!((&shown()["obeyed"], &c.get(route).1["obeyed"]), (&json!(true), &json!(true)));

    let removed = c.post("vehicles/car/geofence/remove", &json!({ "reason": "the road is open" })).1;
    assert!(removed["serial"].as_u64() > first["serial"].as_u64(), "{removed}");
    assert_eq!((&removed["corners_m"], &removed["obeyed"]), (&Value::Null, &json!(false)));
    assert_eq!(GeofenceOrder::open(removed["order"].as_str().unwrap(), &key).unwrap().corners_m, None);
    assert_eq!(status(&first["serial"]), removed["serial"]);
    assert_eq!((&shown()["corners"], &shown()["reason"]), (&json!(0), &json!("the road is open")));
    assert_eq!(c.post("vehicles/car/geofence/remove", &json!({ "reason": "again" })).0, 404);
}

fn the_report_has_published_versions_in_order_of_publication_and_stays_the_same_bytes(plane: &mut Plane) {
    let c = &plane.client;
    for (version, status) in [("zebra", "published"), ("apple", "refused"), ("mango", "published")] {
        c.post("policies", &policy(version, None, status));
    }
    let posted = [
        ("reference", "all", 3.0, 2),
        ("operator", "all", 5.0, 1),
        ("mango", "all", 31.7, 0),
        ("mango", "all", 31.7, 3),
        ("apple", "all", 2.0, 9),
        ("zebra", "all", 10.0, 8),
        ("zebra", "unseen_events", 1.0, 1),
        ("zebra", "town", 10.0, 8),
        ("unknown", "all", 5.0, 1),
    ];
    for (version, road, miles, n) in posted {
        assert_eq!(c.post("evaluations", &evaluation(version, road, miles, n)).0, 201);
    }
    // The last one for a version and a road wins.
    c.post("evaluations", &evaluation("zebra", "all", 12.25, 0));
    let text = c.text("/api/v1/report");
    let report: Vec<protocol::api::Evaluation> = serde_json::from_str(&text).unwrap();
    let rows = report.iter().map(|e| [e.policy.as_str(), e.role.label(), &e.road]);
    let expected = [
        ["zebra", "previous", "town"],
        ["zebra", "previous", "all"],
        ["zebra", "previous", "unseen_events"],
        ["mango", "policy", "all"],
        ["operator", "operator", "all"],
        ["reference", "reference", "all"],
    ];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
    assert_eq!((report[1].miles, report[1].takeovers, report[1].mpd_high), (12.25, 0, None));
    assert_eq!(text, format!("{}\n", serde_json::to_string_pretty(&report).unwrap()));
    let all = c.get("evaluations").1;
    assert_eq!(
        column(&all, "policy"),
        ["zebra", "zebra", "zebra", "apple", "mango", "operator", "unknown", "reference"]
    );
    plane.restart();
    assert_eq!(plane.client.text("/api/v1/report"), text);
}

fn wrong_values_are_refused_with_field_and_value(plane: &mut Plane) {
    let c = &plane.client;
    let mut rosy = evaluation("v1", "town", 10.0, 4);
    rosy["mpd_low"] = json!(2.4);
    let mut silent = evaluation("v1", "town", 10.0, 4);
    silent["crashes"] = json!(1);
    let cases = [
        ("mileage", mileage("../car", "v1", 1.0, 0.0), "../car"),
        ("mileage", mileage("car", "v1", -1.0, 0.0), "autonomous_m: -1.0"),
        ("mileage", mileage("car", "v1", 1e300, 0.0), "autonomous_m: 1e300"),
        ("disengagements", disengagement("e", "car", "v1", "bad luck"), "cause: \"bad luck\""),
        (
            "episodes",
            {
                let mut e = episode("e", "car", "v1", "safety");
                e["file"] = json!("a/b.mcap");
                e
            },
            "a/b.mcap",
        ),
        (
            "episodes",
            {
                let mut e = episode("e", "car", "v1", "safety");
                e["sha256"] = json!("12");
                e
            },
            "sha256: \"12\"",
        ),
        ("policies", policy("v1", Some("v1"), "published"), "parent: \"v1\""),
        ("policies", policy("v1", None, "excellent"), "status: \"excellent\""),
        ("evaluations", rosy, "mpd_low: Some(2.4)"),
        ("evaluations", silent, "crashes_per_100_miles: Some(0.0)"),
        ("vehicles", json!({"vehicle": "car", "embodiment": "", "kind": "boat", "map": "", "software": ""}), "boat"),
        (
            "status",
            json!({"vehicle": "car", "mode": "flying", "author": "policy", "speed_mps": 1, "policy": "v1"}),
            "flying",
        ),
        ("mileage", json!({ "vehicle": "car" }), "missing field"),
    ];
    for (path, body, named) in cases {
        let (status, answer) = c.post(path, &body);
        assert_eq!(status, 422, "{path} {body}");
        assert!(answer["error"].as_str().unwrap().contains(named), "{named} not in {answer}");
    }
    let long = format!("episodes?text={}", "x".repeat(50_001));
    for (path, named) in [
        ("episodes?map=a%00b", "map: \"a\\0b\""),
        ("episodes?text=%00", "text: \"\\0\""),
        ("disengagements?cause=a%00", "cause: \"a\\0\""),
        (&*long, "text: "),
        ("episodes?limit=0", "limit: 0"),
        ("episodes?limit=x", "limit"),
        ("episodes?before=none", "before: \"none\""),
        ("episodes?colour=red", "colour"),
        ("nowhere", "/api/v1/nowhere"),
        ("trips/..%2F..%2Fetc", "id: \"../../etc\""),
    ] {
        let (status, answer) = c.get(path);
        assert!((400..500).contains(&status), "{path}: {status}");
        assert!(answer["error"].as_str().unwrap().contains(named), "{named} not in {answer}");
    }
    assert_eq!(c.post("report", &json!([])).0, 405);
    assert!(c.refuses_by_size("mileage", &json!("x".repeat(2 << 20))));
    assert_eq!(c.get("vehicles").1, json!([]), "nothing refused left a trace");
}

fn a_long_list_is_paged_and_filtered_newest_first(plane: &mut Plane) {
    let c = &plane.client;
    for i in 0..25 {
        let (vehicle, cause) = (["car", "van"][i % 2], ["safety", "stuck", "fault"][i % 3]);
        c.post("episodes", &episode(&format!("e{i:02}"), vehicle, "v1", cause));
    }
    let mut seen = Vec::new();
    let mut path = "episodes?limit=10".to_owned();
    loop {
        let page = c.get(&path).1;
        let Some(last) = column(&page, "id").last().map(|id| (*id).to_owned()) else { break };
        seen.extend(column(&page, "id").iter().map(|id| (*id).to_owned()));
        path = format!("episodes?limit=10&before={last}");
    }
    let expected: Vec<_> = (0..25).rev().map(|i| format!("e{i:02}")).collect();
    assert_eq!(seen, expected);
    let van_stuck = c.get("episodes?vehicle=van&cause=stuck&policy=v1").1;
    assert_eq!(column(&van_stuck, "id"), ["e19", "e13", "e07", "e01"]);
    assert_eq!(c.get("episodes?policy=v2").1, json!([]));
}

fn live_state_is_shown_and_metrics_are_complete(plane: &mut Plane) {
    let c = &plane.client;
    assert!(c.text("/api/v1/fleet").contains("\"miles\":0.0"), "nothing driven is 0, not -0");
    let status = json!({"vehicle": "car", "mode": "monitor", "author": "policy", "speed_mps": 8.5, "policy": "v2", "round_trip_ms": 12.5,
        "refused": {"wrong_epoch": 3}, "timing": {"lateness_p50_us": 60.0, "lateness_p99_us": 300.0, "lateness_max_us": 500.0,
        "work_max_us": 900.0, "missed_deadlines": 2}});
    assert_eq!(c.post("status", &status).0, 201);
    let vehicle = &c.get("vehicles").1[0];
    assert_eq!((vehicle["mode"].as_str(), vehicle["speed_mps"].as_f64()), (Some("monitor"), Some(8.5)));
    assert_eq!((vehicle["online"].as_bool(), vehicle["round_trip_ms"].as_f64()), (Some(false), Some(12.5)));
    assert_eq!((&vehicle["refused"]["wrong_epoch"], &vehicle["timing"]["missed_deadlines"]), (&json!(3), &json!(2)));
    let odd = json!({"vehicle": "car", "mode": "monitor", "author": "policy", "speed_mps": 0.0, "policy": "v2", "refused": {"a\"b": 1}});
    assert_eq!(c.post("status", &odd).0, 422);
    c.post("disengagements", &disengagement("e1", "car", "v1", "stuck"));
    c.post("mileage", &mileage("car", "v1", 1500.0, 20.0));
    let metrics = c.raw("/metrics", &[]);
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = String::from_utf8(metrics.into_body()).unwrap();
    assert!(text.contains("takeover_disengagements_total{kind=\"live\",cause=\"stuck\"} 1\n"), "{text}");
    assert!(text.contains("takeover_distance_meters_total{kind=\"live\",authority=\"policy\"} 1500\n"), "{text}");
    assert!(text.contains("takeover_messages_refused{reason=\"wrong_epoch\"} 3\n"), "{text}");
    assert!(text.contains("takeover_control_missed_deadlines 2\n"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}
