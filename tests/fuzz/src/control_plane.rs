//! A whole control plane in this process, on a database of its own, asked anything by anybody.
//!
//! An input is text, so that a person can write and read one: requests with a line of `=` between them, each as HTTP has
//! it, without the version:
//!
//! ```text
//! POST /api/v1/episodes?limit=1
//! Range: bytes=0-1
//!
//! {"id": "e-1"}
//! ```
//!
//! Two methods are none of HTTP's. `VEHICLE NAME` and `SEAT NAME` say their body over the signalling WebSocket;
//! `UPLOAD EPISODE KIND VEHICLE` uploads its body in two parts, with the right hash. No answer may be an error of the
//! server, but that it is busy; errors are JSON that names what is wrong.

use crate::input::folder;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use web::fuzzing::Plane;
use web::{Database, WebConfig};

/// Between requests.
const NEXT: &[u8] = b"\n====\n";
/// Requests of an input.
const MOST: usize = 24;
/// Larger answers are not looked at.
const LARGEST: usize = 32 << 20;

/// A path within the folder and what the file holds.
type KeptFile = (PathBuf, Vec<u8>);

/// The files of a database with its tables, as a control plane leaves it: making them takes longer than an input. They
/// are kept as bytes, as nobody would remove the folder of a static.
static EMPTY: LazyLock<Option<Vec<KeptFile>>> = LazyLock::new(|| {
    let folder = folder()?;
    let runtime = runtime()?;
    let plane = runtime.block_on(Plane::open(config(folder.path()))).ok()?;
    runtime.block_on(plane.close());
    let files = crate::seeds::files(folder.path()).into_iter();
    files.map(|file| Some((file.strip_prefix(folder.path()).ok()?.to_owned(), std::fs::read(&file).ok()?))).collect()
});

fn runtime() -> Option<Runtime> {
    Builder::new_current_thread().enable_all().build().ok()
}

fn config(folder: &Path) -> WebConfig {
    let database = Database::Sqlite(folder.join(web::DATABASE));
    WebConfig { database: Some(database), ..WebConfig::new(folder) }
}

pub fn run(bytes: &[u8]) {
    let (Some(empty), Some(folder), Some(runtime)) = (&*EMPTY, folder(), runtime()) else {
        panic!("the trial's own control plane could not be made")
    };
    for (file, bytes) in empty {
        let to = folder.path().join(file);
        let made = to.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&to, bytes));
        assert!(made.is_ok(), "{}: {made:?}", to.display());
    }
    runtime.block_on(ask_all(folder.path(), bytes));
}

async fn ask_all(folder: &Path, bytes: &[u8]) {
    let opened = Plane::open(config(folder)).await;
    let Ok(mut plane) = opened else { panic!("the control plane does not start: {:?}", opened.err()) };
    let router = plane.router();
    for text in split(bytes).into_iter().take(MOST) {
        ask(&mut plane, &router, text).await;
    }
    // Whatever was stored can be listed.
    for list in ["vehicles", "episodes", "takeovers", "disengagements", "policies", "report", "fleet", "erasures"] {
        let answer = send(&router, Request::get(format!("/api/v1/{list}")).body(Body::empty())).await;
        assert_eq!(answer, Some(StatusCode::OK), "{list}");
    }
    plane.close().await;
}

fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(at) = bytes.windows(NEXT.len()).position(|window| window == NEXT) {
        parts.push(&bytes[..at]);
        bytes = &bytes[at + NEXT.len()..];
    }
    parts.push(bytes);
    parts
}

async fn ask(plane: &mut Plane, router: &Router, text: &[u8]) {
    let at = text.windows(2).position(|window| window == b"\n\n");
    let (head, body) = at.map_or((text, &b""[..]), |at| (&text[..at], &text[at + 2..]));
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.lines();
    let Some((method, target)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    match method {
        "VEHICLE" | "SEAT" => {
            let text = String::from_utf8_lossy(body).into_owned();
            let answer = plane.signal(method == "VEHICLE", target, text);
            assert!(serde_json::to_string(&answer).is_ok(), "{answer:?}");
            for text in plane.delivered() {
                assert!(serde_json::from_str::<protocol::signalling::Signal>(&text).is_ok(), "{text}");
            }
        }
        "UPLOAD" => upload(router, target, body).await,
        _ => {
            let mut request = Request::builder().method(method).uri(target);
            let named = lines.filter_map(|line| line.split_once(": "));
            let mut has_type = false;
            for (name, value) in named {
                has_type |= name.eq_ignore_ascii_case("content-type");
                request = request.header(name, value);
            }
            if !has_type {
                request = request.header("content-type", "application/json");
            }
            send(router, request.body(Body::from(body.to_vec()))).await;
        }
    }
}

/// An upload with the right hash, interrupted once.
async fn upload(router: &Router, target: &str, content: &[u8]) {
    let mut words = target.split(' ');
    let (episode, kind, vehicle) = (words.next(), words.next(), words.next());
    let sha256 = protocol::signing::sha256_hex(content);
    let start = serde_json::json!({
        "vehicle": vehicle, "episode": episode, "kind": kind, "bytes": content.len(), "sha256": sha256,
    });
    let begin = || {
        let request = Request::post("/api/v1/uploads").header("content-type", "application/json");
        request.body(Body::from(start.to_string()))
    };
    let middle = content.len() / 2;
    let path = |offset: usize| format!("/api/v1/uploads/{sha256}?offset={offset}");
    if send(router, begin()).await != Some(StatusCode::OK) {
        return;
    }
    send(router, Request::patch(path(0)).body(Body::from(content[..middle].to_vec()))).await;
    send(router, begin()).await;
    send(router, Request::patch(path(middle)).body(Body::from(content[middle..].to_vec()))).await;
}

/// The status; none for what HTTP itself has no form for.
async fn send(router: &Router, request: Result<Request<Body>, axum::http::Error>) -> Option<StatusCode> {
    let request = request.ok()?;
    let asked = format!("{} {}", request.method(), request.uri());
    let Ok(answer) = router.clone().oneshot(request).await;
    let status = answer.status();
    check(&asked, answer).await;
    Some(status)
}

async fn check(asked: &str, answer: Response<Body>) {
    let status = answer.status();
    let is_json = answer.headers().get("content-type").is_some_and(|kind| kind == "application/json");
    let body = to_bytes(answer.into_body(), LARGEST).await;
    let Ok(body) = body else { panic!("{asked}: the answer breaks off: {:?}", body.err()) };
    let told = String::from_utf8_lossy(&body);
    let busy = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::INSUFFICIENT_STORAGE].contains(&status);
    assert!(!status.is_server_error() || busy, "{asked}: {status} {told}");
    if is_json {
        let content = serde_json::from_slice::<serde_json::Value>(&body);
        assert!(content.is_ok(), "{asked}: {told}");
        let says_why = content.is_ok_and(|content| content["error"].as_str().is_some_and(|why| !why.is_empty()));
        assert!(!status.is_client_error() || says_why, "{asked}: {status} {told}");
    }
}
