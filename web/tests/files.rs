//! Downloads and pages: what is served, and that nothing else is.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::{Plane, episode, policy};

#[test]
fn an_episode_downloads_whole_and_in_parts() {
    let plane = Plane::start();
    let content: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    std::fs::write(plane.folder.path().join("episodes/e1.mcap"), &content).unwrap();
    plane.client.post("episodes", &episode("e1", "car", "v1", "safety"));
    let path = "/api/v1/episodes/e1/file";
    let whole = plane.client.raw(path, &[]);
    assert_eq!((whole.status().as_u16(), whole.body() == &content), (200, true));
    assert_eq!(whole.headers()["content-disposition"], "attachment; filename=\"e1.mcap\"");
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    let part = plane.client.raw(path, &[("range", "bytes=70000-149999"), ("if-range", &etag)]);
    assert_eq!(part.status().as_u16(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 70000-149999/200000");
    assert_eq!(part.body(), &content[70_000..150_000]);
    assert_eq!(plane.client.raw(path, &[("range", "bytes=0-9"), ("if-range", "\"old\"")]).status().as_u16(), 200);
    assert_eq!(plane.client.raw(path, &[("range", "bytes=200000-")]).status().as_u16(), 416);
}

#[test]
fn a_vehicle_fetches_the_latest_policy_and_nothing_beside_it() {
    let plane = Plane::start();
    let folder = plane.folder.path().join("policies/v1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("manifest.json"), "{}").unwrap();
    std::fs::write(folder.join("secret"), "x").unwrap();
    let c = &plane.client;
    assert_eq!(c.raw("/api/v1/policies/v1/manifest.json", &[]).status().as_u16(), 404, "not registered yet");
    c.post("policies", &policy("v1", None, "published"));
    assert_eq!(c.text("/api/v1/policies/v1/manifest.json"), "{}");
    for missing in ["v1/weights.safetensors", "v1/secret", "v1/..%2Fv1%2Fmanifest.json", "v2/manifest.json"] {
        assert_eq!(c.raw(&format!("/api/v1/policies/{missing}"), &[]).status().as_u16(), 404, "{missing}");
    }
}

#[test]
fn no_path_leaves_the_data_folder() {
    let plane = Plane::start();
    for path in [
        "/api/v1/episodes/..%2Ftakeover.sqlite/file",
        "/api/v1/episodes/%2Fetc%2Fpasswd/file",
        "/api/v1/policies/..%2F..%2Fetc/manifest.json",
        "/api/v1/policies/%2E%2E/manifest.json",
        "/static/..%2F..%2Fsrc%2Flib.rs",
        "/static/%00",
    ] {
        let status = plane.client.raw(path, &[]).status().as_u16();
        assert!((400..500).contains(&status), "{path}: {status}");
    }
}

#[test]
fn every_page_and_everything_it_loads_is_served() {
    let plane = Plane::start();
    let mut wanted = ["/", "/vehicle.html", "/episodes.html", "/seat.html"].map(str::to_owned).to_vec();
    let mut seen = Vec::new();
    while let Some(path) = wanted.pop() {
        if seen.contains(&path) {
            continue;
        }
        let answer = plane.client.raw(&path, &[]);
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        assert!(answer.headers().contains_key("content-security-policy"));
        let text = String::from_utf8(answer.into_body()).unwrap();
        assert!(!text.is_empty(), "{path}");
        assert!(!text.contains("https://"), "{path} asks others");
        for (at, _) in text.match_indices("/static/") {
            wanted.push(text[at..].split('"').next().unwrap().to_owned());
        }
        for (at, _) in text.match_indices("from \"./") {
            wanted.push(format!("/static/{}", text[at + 8..].split('"').next().unwrap()));
        }
        seen.push(path);
    }
    assert!(seen.contains(&"/static/labels.js".to_owned()) && seen.len() >= 10, "{seen:?}");
}
