//! What only a database server can do: be away, come back, refuse.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::postgres::{PASSWORD, Postgres};
use common::{Plane, disengagement, episode};
use std::path::Path;
use std::process::Command;

fn fails_with(data: &Path, database: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_takeover-web"));
    command.args(["--addr", "127.0.0.1:0", "--data"]).arg(data).env("TAKEOVER_DATABASE", database);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_server_that_is_killed_loses_nothing_that_was_answered_and_is_found_again() {
    let mut server = Postgres::start();
    let plane = Plane::start_on(&server.database("fleet"));
    let c = &plane.client;
    let log = |sql: &str| server.query("fleet", sql);
    assert_eq!(c.post("disengagements", &disengagement("e1", "car", "v1", "safety")).0, 201);
    assert_eq!(c.post("episodes", &episode("e1", "car", "v1", "safety")).0, 201);
    assert_eq!(log("SELECT id FROM episodes"), "e1");
    // Removals are only added, whoever tries.
    c.post("erasures", &serde_json::json!({"ids": ["e1"], "reason": "test"}));
    assert_eq!(log("SELECT COUNT(*) FROM removals WHERE id = 'e1'"), "1");

    server.kill();
    let (status, answer) = c.post("episodes", &episode("e2", "car", "v1", "safety"));
    assert_eq!(status, 503, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("database"), "{answer}");
    server.resume();
    assert_eq!(c.get("disengagements").0, 200);
    let mut second = episode("e2", "car", "v1", "safety");
    second["sha256"] = serde_json::json!("cd".repeat(32));
    assert_eq!(c.post("episodes", &second).0, 201);
    assert_eq!(c.post("episodes", &episode("e1", "car", "v1", "safety")).0, 410);
    assert_eq!(c.get("episodes").1.as_array().unwrap().len(), 1);
    assert_eq!(c.get("removals").1.as_array().unwrap().len(), 1);
}

#[test]
fn an_address_that_cannot_be_used_is_named_without_its_password() {
    let server = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let good = server.address("nowhere");
    for (address, named) in [
        (good.clone(), "database \"nowhere\""),
        (good.replace(PASSWORD, "wrong-4711"), "password authentication failed"),
        (format!("postgres://takeover:{PASSWORD}@127.0.0.1:x/fleet"), "PostgreSQL address"),
        (format!("mysql://takeover:{PASSWORD}@127.0.0.1/fleet"), "\"mysql\""),
    ] {
        let told = fails_with(folder.path(), &address);
        assert!(told.contains(named), "{named} not in {told}");
        assert!(!told.contains(PASSWORD) && !told.contains("wrong-4711"), "{told}");
    }
}

#[test]
fn a_folder_without_the_key_of_what_was_erased_is_refused() {
    let server = Postgres::start();
    let address = server.database("fleet");
    let mut plane = Plane::start_on(&address);
    assert_eq!(plane.client.post("erasures", &serde_json::json!({"ids": ["e1"], "reason": "test"})).0, 200);
    plane.stop();
    let other = tempfile::tempdir().unwrap();
    assert!(fails_with(other.path(), &address).contains("grants.key"));
}
