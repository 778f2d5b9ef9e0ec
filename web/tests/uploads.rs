//! Uploads as vehicles make them: in pieces, interrupted, twice, wrong.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::{Client, Plane, disengagement, episode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn content(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|i| (i / 7) as u8 ^ seed).collect()
}

fn start(id: &str, kind: &str, content: &[u8]) -> Value {
    let sha256 = hex::encode(Sha256::digest(content));
    json!({ "vehicle": "car", "episode": id, "kind": kind, "sha256": sha256, "bytes": content.len() })
}

fn register_vehicle(client: &Client) {
    let car = json!({ "vehicle": "car", "embodiment": "car", "kind": "live", "map": "town", "software": "1" });
    assert!(client.post("vehicles", &car).0 < 300);
}

/// Sends `content` from where the upload stands, in pieces of `piece` bytes.
fn send(client: &Client, start: &Value, content: &[u8], piece: usize) {
    let (status, mut state) = client.post("uploads", start);
    assert_eq!(status, 200, "{state}");
    while state["complete"] == false {
        let offset = state["offset"].as_u64().unwrap() as usize;
        let end = content.len().min(offset + piece);
        state = client.patch(start["sha256"].as_str().unwrap(), offset, &content[offset..end]).1;
        assert_eq!(state["offset"], end, "{state}");
    }
}

fn row(id: &str, content: &[u8]) -> Value {
    let mut row = episode(id, "car", "v1", "safety");
    row["bytes"] = json!(content.len());
    row["sha256"] = start(id, "episode", content)["sha256"].clone();
    row
}

#[test]
fn an_upload_is_stored_by_its_content_shown_by_name_and_never_sent_twice() {
    let plane = Plane::start();
    let c = &plane.client;
    register_vehicle(c);
    let (film, whole, signature) = (content(3_000, 1), content(700_000, 2), content(90, 3));
    c.post("disengagements", &disengagement("e1", "car", "v1", "safety"));
    send(c, &start("e1", "preview_video", &film), &film, 1_000);
    // The film is there before the episode.
    let takeovers = c.get("takeovers").1;
    assert_eq!((&takeovers[0]["preview"], &takeovers[0]["bytes"]), (&json!(true), &Value::Null));
    let shown = c.raw("/api/v1/episodes/e1/preview_video", &[("range", "bytes=10-19")]);
    assert_eq!((shown.status().as_u16(), &shown.headers()["content-type"]), (206, &"video/mp4".parse().unwrap()));
    assert_eq!(shown.body(), &film[10..20]);
    assert_eq!(c.raw("/api/v1/episodes/e1/preview_state", &[]).status().as_u16(), 404);

    send(c, &start("e1", "signature", &signature), &signature, 100);
    send(c, &start("e1", "episode", &whole), &whole, 300_000);
    assert_eq!(c.post("episodes", &row("e1", &film)).0, 409, "a row of another file");
    assert_eq!(c.post("episodes", &row("e1", &whole)).0, 201);
    let part = c.raw("/api/v1/episodes/e1/file", &[("range", "bytes=600000-")]);
    assert_eq!((part.status().as_u16(), part.body() == &whole[600_000..]), (206, true));
    let hash = start("e1", "episode", &whole)["sha256"].as_str().unwrap().to_owned();
    let folder = plane.folder.path();
    for (file, expected) in [
        (format!("objects/sha256/{}/{hash}.mcap", &hash[..2]), &whole),
        ("episodes/e1.mcap".to_owned(), &whole),
        ("episodes/e1.mcap.sig".to_owned(), &signature),
    ] {
        assert!(&std::fs::read(folder.join(&file)).unwrap() == expected, "{file}");
    }
    // The same again, and as another episode: nothing is sent.
    for id in ["e1", "e2"] {
        let (status, state) = c.post("uploads", &start(id, "episode", &whole));
        assert_eq!((status, &state["complete"]), (200, &json!(true)), "{state}");
    }
    assert_eq!(std::fs::read_dir(folder.join("uploads")).unwrap().count(), 0);
}

#[test]
fn what_is_sent_must_be_what_was_announced() {
    let plane = Plane::start();
    let c = &plane.client;
    let right = content(1_000, 1);
    let begin = start("e1", "episode", &right);
    let hash = begin["sha256"].as_str().unwrap();
    assert_eq!(c.post("uploads", &begin).0, 403, "a vehicle that nobody knows");
    register_vehicle(c);
    assert_eq!(c.patch(hash, 0, &right).0, 404, "never begun");
    assert_eq!(c.post("uploads", &begin), (200, json!({ "offset": 0, "complete": false })));

    // Other bytes under this hash are discarded, and named.
    let (status, answer) = c.patch(hash, 0, &content(1_000, 9));
    assert_eq!(status, 422, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains(hash), "{answer}");
    assert_eq!(c.patch(hash, 0, &right).0, 404, "it has to start over");
    assert_eq!(c.post("uploads", &begin).1["offset"], 0);
    // Offsets that are not where it stands, and more than was announced.
    assert_eq!(c.patch(hash, 0, &right[..400]).1["offset"], 400);
    for wrong in [0, 399, 401, 1_000, usize::MAX] {
        let (status, answer) = c.patch(hash, wrong, &right[400..]);
        assert_eq!(status, 409, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("400"), "{answer}");
    }
    assert_eq!(c.patch(hash, 400, &content(601, 0)).0, 413);
    assert_eq!(c.post("uploads", &begin).1["offset"], 400);
    let mut other_size = begin.clone();
    other_size["bytes"] = json!(999);
    assert_eq!(c.post("uploads", &other_size).0, 409);
    assert_eq!(c.patch(hash, 400, &right[400..]).1["complete"], true);
    assert_eq!(c.post("uploads", &other_size).0, 422, "stored with another size");

    // Another vehicle's episode, and an episode that is known with other content.
    c.post("episodes", &row("e1", &right));
    let van = json!({ "vehicle": "van", "embodiment": "car", "kind": "live", "map": "town", "software": "1" });
    c.post("vehicles", &van);
    let mut theft = start("e1", "preview_video", b"film");
    theft["vehicle"] = json!("van");
    assert_eq!(c.post("uploads", &theft).0, 409);
    assert_eq!(c.post("uploads", &start("e1", "episode", b"other")).0, 409);
}

#[test]
fn hostile_announcements_are_refused_by_name() {
    let plane = Plane::start();
    let c = &plane.client;
    register_vehicle(c);
    let good = start("e1", "episode", b"x");
    for (field, value) in [
        ("sha256", json!("../../../etc/passwd")),
        ("sha256", json!("AB".repeat(32))),
        ("sha256", json!("ab".repeat(31))),
        ("sha256", json!(7)),
        ("bytes", json!(0)),
        ("bytes", json!(-1)),
        ("bytes", json!(u64::MAX)),
        ("bytes", json!(1u64 << 50)),
        ("kind", json!("program")),
        ("episode", json!("../e1")),
        ("vehicle", json!("car/../van")),
        ("file", json!("e1.mcap")),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let (status, answer) = c.post("uploads", &bad);
        assert_eq!(status, 422, "{bad}: {answer}");
        assert!(answer["error"].is_string(), "{bad}: {answer}");
    }
    for (path, query) in [("..%2F..%2Fx", "offset=0"), ("zz", "offset=0"), ("%00", "offset=0")] {
        assert!((400..500).contains(&c.patch_raw(&format!("{path}?{query}"), b"x").0), "{path}");
    }
    let hash = good["sha256"].as_str().unwrap();
    for query in ["", "?offset=-1", "?offset=x", "?offset=99999999999999999999", "?offset=0&name=../x"] {
        assert_eq!(c.patch_raw(&format!("{hash}{query}"), b"x").0, 400, "{query}");
    }
    assert_eq!(std::fs::read_dir(plane.folder.path().join("uploads")).unwrap().count(), 0);
}

struct Program {
    child: Child,
    client: Client,
    addr: String,
}

impl Program {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_takeover-web"));
        command.args(["--addr", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim().trim_start_matches("http://").to_owned();
        Self { child, client: Client::new(addr.parse().unwrap()), addr }
    }
}

impl Drop for Program {
    /// SIGKILL.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Begins a request for all the rest but sends only `piece`, and leaves the connection open.
fn send_a_piece(addr: &str, hash: &str, offset: usize, rest: usize, piece: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    let head =
        format!("PATCH /api/v1/uploads/{hash}?offset={offset} HTTP/1.1\r\nhost: x\r\ncontent-length: {rest}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(piece).unwrap();
    stream
}

#[test]
fn an_upload_outlives_sigkill_of_the_control_plane_and_of_its_sender() {
    let folder = tempfile::tempdir().unwrap();
    let whole = content(400_000, 5);
    let begin = start("e1", "episode", &whole);
    let hash = begin["sha256"].as_str().unwrap();
    let mut acknowledged = 0;
    for round in 0..3 {
        let program = Program::start(folder.path());
        register_vehicle(&program.client);
        let state = program.client.post("uploads", &begin).1;
        let offset = state["offset"].as_u64().unwrap() as usize;
        assert!(offset >= acknowledged, "round {round}: {offset} after {acknowledged} were acknowledged");
        // A sender that dies: what it sent of its request is kept, and whoever comes next is not kept waiting.
        let piece = &whole[offset..offset + 50_000];
        let dead = send_a_piece(&program.addr, hash, offset, whole.len() - offset, piece);
        let path = folder.path().join(format!("uploads/{hash}.part"));
        while (std::fs::metadata(&path).unwrap().len() as usize) < offset + 50_000 {
            std::thread::yield_now();
        }
        let offset = offset + 50_000;
        assert_eq!(program.client.post("uploads", &begin).1["offset"], offset);
        acknowledged = offset + 20_000;
        assert_eq!(program.client.patch(hash, offset, &whole[offset..acknowledged]).1["offset"], acknowledged);
        let mut answer = String::new();
        let _ = (&dead).read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 409"), "{answer}");
        // The next one is in the middle of its request when the control plane dies.
        let _cut = send_a_piece(
            &program.addr,
            hash,
            acknowledged,
            whole.len() - acknowledged,
            &whole[acknowledged..][..9_000],
        );
    }
    let program = Program::start(folder.path());
    let offset = program.client.post("uploads", &begin).1["offset"].as_u64().unwrap() as usize;
    assert!(offset >= acknowledged && offset <= acknowledged + 9_000);
    assert_eq!(program.client.patch(hash, offset, &whole[offset..]).1["complete"], true);
    program.client.post("episodes", &row("e1", &whole));
    assert!(program.client.raw("/api/v1/episodes/e1/file", &[]).into_body() == whole);
}
