use super::*;
use crate::exchange::Timeouts;
use protocol::VehicleId;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a connection gets once its request was read.
enum Answer {
    /// These bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, and then nothing, while the test lasts.
    Silence(Vec<u8>),
    /// These bytes again and again, as long as somebody takes them.
    Endless(Vec<u8>, Vec<u8>),
}

fn http(status: &str, body: &str) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
    Answer::Bytes(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

const STORED: &str = r#"{"stored":true}"#;

/// A server that answers one connection after the other, in order.
struct Server {
    address: ControlPlaneAddress,
    /// Head and body of each request.
    requests: Receiver<(String, String)>,
}

impl Server {
    fn start(answers: Vec<Answer>) -> Self {
        Self::start_with(answers, || {})
    }

    /// Calls `seen` after each request.
    fn start_with(answers: Vec<Answer>, seen: impl Fn() + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let (asked, requests) = channel();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                serve(stream, answer, &asked, &seen, &mut silent);
            }
            // Whoever asks once more is told by an end of the connection; the silent ones stay open.
            drop(listener);
            std::thread::park();
        });
        Self { address, requests }
    }

    fn client(&self, retry: Retry) -> ControlPlaneClient {
        ControlPlaneClient::new(&self.address, retry)
    }

    /// The first lines of all requests so far.
    fn asked(&self) -> Vec<String> {
        self.requests.try_iter().map(|(head, _)| head.lines().next().unwrap().to_owned()).collect()
    }
}

fn serve(
    stream: TcpStream,
    answer: Answer,
    asked: &Sender<(String, String)>,
    seen: &impl Fn(),
    silent: &mut Vec<TcpStream>,
) {
    let request = read_request(&mut BufReader::new(&stream));
    let _ = asked.send(request);
    seen();
    let mut out = &stream;
    match answer {
        Answer::Bytes(bytes) => out.write_all(&bytes).unwrap(),
        Answer::Silence(bytes) => {
            out.write_all(&bytes).unwrap();
            silent.push(stream);
        }
        Answer::Endless(head, piece) => {
            out.write_all(&head).unwrap();
            while out.write_all(&piece).is_ok() {}
        }
    }
}

/// Head and body of a request whose length is told or that comes in chunks.
fn read_request(reader: &mut impl BufRead) -> (String, String) {
    let line = |reader: &mut dyn BufRead| {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line
    };
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let next = line(reader);
        assert!(!next.is_empty(), "the request ends in its head: {head:?}");
        head.push_str(&next);
    }
    let field = |name: &str| {
        let lower = head.to_ascii_lowercase();
        lower.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()))
    };
    let mut body = Vec::new();
    if let Some(length) = field("content-length") {
        body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
    } else if field("transfer-encoding").is_some() {
        loop {
            let length = usize::from_str_radix(line(reader).trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            reader.read_exact(&mut chunk).unwrap();
            body.extend_from_slice(&chunk[..length]);
            if length == 0 {
                break;
            }
        }
    }
    (head, String::from_utf8(body).unwrap())
}

fn vehicle() -> VehicleRegistration {
    VehicleRegistration {
        vehicle: VehicleId::new("car-1").unwrap(),
        embodiment: "ackermann_car".into(),
        kind: "live".into(),
        map: "town".into(),
        software: "takeover".into(),
    }
}

fn asked() -> Asked {
    Asked {
        vehicle: Some(VehicleId::new("car-1").unwrap()),
        person: None,
        ids: Vec::new(),
        reason: "sold".into(),
        dry_run: false,
    }
}

#[test]
fn what_is_sent_and_answered_is_the_protocols() {
    let trip = r#"{"id":"t-1","vehicle":"car-1","policy":"v1","autonomous_m":1.5,"manual_m":0.0}"#;
    let server = Server::start(vec![http("201 Created", STORED), http("200 OK", trip), http("404 Not Found", "{}")]);
    let client = server.client(Retry::Never);
    assert!(client.register(&vehicle()).unwrap().stored);
    let (head, body) = server.requests.recv().unwrap();
    assert!(head.starts_with("POST /api/v1/vehicles HTTP/1.1\r\n"), "{head}");
    assert_eq!(serde_json::from_str::<VehicleRegistration>(&body).unwrap(), vehicle());
    assert_eq!(client.find_trip("t-1").unwrap().unwrap().autonomous_m, 1.5);
    assert_eq!(client.find_trip("t-2").unwrap(), None);
    assert_eq!(server.asked(), ["GET /api/v1/trips/t-1 HTTP/1.1", "GET /api/v1/trips/t-2 HTTP/1.1"]);
}

#[test]
fn filters_are_escaped_and_bytes_of_an_upload_arrive_as_they_are() {
    let state = r#"{"offset":12,"complete":true}"#;
    let server = Server::start(vec![http("200 OK", "[]"), http("200 OK", state)]);
    let client = server.client(Retry::Never);
    assert!(client.episodes(&[("text", "glare & rain".to_owned()), ("limit", "10".to_owned())]).unwrap().is_empty());
    let state = client.append_upload("ab12", 7, &mut "five \u{e9} more".as_bytes()).unwrap();
    assert_eq!((state.offset, state.complete), (12, true));
    let requests: Vec<_> = server.requests.try_iter().collect();
    assert!(requests[0].0.starts_with("GET /api/v1/episodes?text=glare%20%26%20rain&limit=10 HTTP"), "{requests:?}");
    assert!(requests[1].0.starts_with("PATCH /api/v1/uploads/ab12?offset=7 HTTP"), "{requests:?}");
    assert_eq!(requests[1].1, "five \u{e9} more");
}

#[test]
fn an_answer_that_is_cut_off_is_asked_for_again() {
    let cut_off = || {
        let Answer::Bytes(mut bytes) = http("200 OK", STORED) else { unreachable!() };
        bytes.truncate(bytes.len() - 5);
        Answer::Bytes(bytes)
    };
    let nothing = || Answer::Bytes(Vec::new());
    let server = Server::start(vec![cut_off(), nothing(), http("200 OK", STORED)]);
    assert!(server.client(Retry::Briefly).register(&vehicle()).unwrap().stored);
    assert_eq!(server.asked().len(), 3);
    for answer in [cut_off(), nothing()] {
        let server = Server::start(vec![answer]);
        let error = server.client(Retry::Never).register(&vehicle()).unwrap_err();
        assert!(matches!(error, ClientError::Lost { .. }) && error.may_pass(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&server.address.to_string()) && text.contains("POST /api/v1/vehicles"), "{text}");
    }
}

#[test]
fn a_control_plane_that_is_busy_is_asked_again_unless_the_call_counts_each_time() {
    let busy = || http("503 Service Unavailable", r#"{"error":"the database is busy"}"#);
    let server = Server::start(vec![busy(), busy(), http("200 OK", "[]")]);
    assert!(server.client(Retry::Briefly).policies().unwrap().is_empty());
    assert_eq!(server.asked().len(), 3);

    let server = Server::start(vec![busy(), busy(), busy(), http("200 OK", "[]")]);
    let error = server.client(Retry::Briefly).policies().unwrap_err();
    assert_eq!((error.status(), server.asked().len()), (Some(503), 3));
    assert!(error.to_string().contains("(503): the database is busy"), "{error}");

    let server = Server::start(vec![busy(), http("200 OK", STORED)]);
    assert_eq!(server.client(Retry::Briefly).erase(&asked()).unwrap_err().status(), Some(503));
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_refusal_is_final_and_in_the_control_planes_own_words() {
    for (answer, says) in [
        (http("422 Unprocessable Entity", r#"{"error":"map: \"\" is not valid"}"#), "(422): map: \"\" is not valid"),
        (http("400 Bad Request", "plain words\n"), "(400): plain words"),
        (http("403 Forbidden", ""), "(403): it gives no reason"),
    ] {
        let server = Server::start(vec![answer, http("200 OK", STORED)]);
        let stop = Arc::new(AtomicBool::new(false));
        let error = server.client(Retry::UntilStopped(stop)).register(&vehicle()).unwrap_err();
        assert!(error.to_string().ends_with(says) && !error.may_pass(), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[test]
fn a_job_goes_on_asking_until_it_is_stopped() {
    let busy = || http("500 Internal Server Error", "");
    let server = Server::start(vec![busy(), Answer::Bytes(Vec::new()), busy(), busy(), http("200 OK", STORED)]);
    let client = server.client(Retry::UntilStopped(Arc::default()));
    assert!(client.register(&vehicle()).unwrap().stored);
    assert_eq!(server.asked().len(), 5);

    let stop = Arc::new(AtomicBool::new(false));
    let left = Mutex::new(3);
    let flag = Arc::clone(&stop);
    let seen = move || {
        let mut left = left.lock().unwrap();
        *left -= 1;
        flag.store(*left == 0, Ordering::Relaxed);
    };
    let server = Server::start_with(vec![busy(), busy(), busy(), busy()], seen);
    let error = server.client(Retry::UntilStopped(stop)).register(&vehicle()).unwrap_err();
    assert!(matches!(error, ClientError::Interrupted { .. }), "{error:?}");
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn silence_ends_a_call_in_its_head_and_in_its_body() {
    let timeouts = Timeouts { call: Duration::from_millis(300), ..Timeouts::default() };
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n[".to_vec();
    for answer in [Answer::Silence(Vec::new()), Answer::Silence(begun)] {
        let server = Server::start(vec![answer]);
        let client = ControlPlaneClient { exchange: Exchange::new(&server.address, Retry::Never, timeouts) };
        let error = client.policies().unwrap_err();
        assert!(matches!(&error, ClientError::Lost { reason, .. } if reason == "no answer in time"), "{error:?}");
    }
    // A file may take its time, but not without an end.
    let timeouts = Timeouts { transfer: Duration::from_millis(300), ..Timeouts::default() };
    let server = Server::start(vec![Answer::Silence(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec())]);
    let client = ControlPlaneClient { exchange: Exchange::new(&server.address, Retry::Never, timeouts) };
    let error = client.policy_file(&PolicyVersion::new("v1").unwrap(), "weights", 100).unwrap_err();
    assert!(matches!(error, ClientError::Lost { .. }), "{error:?}");
}

#[test]
fn what_is_not_a_control_planes_answer_is_named() {
    for (answer, says) in [
        (http("200 OK", "<html>hello</html>"), "expected value"),
        (http("200 OK", r#"{"vehicles":[]}"#), "expected a sequence"),
        (http("200 OK", ""), "EOF"),
        (Answer::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec()), "not HTTP"),
    ] {
        let server = Server::start(vec![answer, http("200 OK", "[]")]);
        let error = server.client(Retry::UntilStopped(Arc::default())).vehicles().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ClientError::Unreadable { .. }) && text.contains(says), "{text}");
        assert!(text.contains(&server.address.to_string()) && text.contains("GET /api/v1/vehicles"), "{text}");
    }
}

#[test]
fn an_answer_without_measure_is_not_taken_in() {
    let told = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"1000\r\n".to_vec(), vec![b' '; 4096], b"\r\n".to_vec()].concat();
    for answer in [Answer::Silence(told), Answer::Endless(chunked, chunk)] {
        let server = Server::start(vec![answer]);
        let exchange = Exchange::new(&server.address, Retry::Never, Timeouts::default()).with_max_answer(100_000);
        let error = ControlPlaneClient { exchange }.policies().unwrap_err();
        assert!(error.to_string().contains("longer than 100000 bytes"), "{error}");
    }
    let version = PolicyVersion::new("v1").unwrap();
    for (limit, fits) in [(15, true), (14, false)] {
        let server = Server::start(vec![http("200 OK", STORED)]);
        let file = server.client(Retry::Never).policy_file(&version, "manifest.json", limit);
        assert_eq!(file.is_ok(), fits, "{limit}: {file:?}");
    }
}

#[test]
fn nobody_is_sent_elsewhere() {
    for status in ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let target = format!("http://{}/api/v1/policies", elsewhere.local_addr().unwrap());
        let answer =
            format!("HTTP/1.1 {status}\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let server = Server::start(vec![Answer::Bytes(answer.into_bytes())]);
        let error = server.client(Retry::Briefly).policies().unwrap_err().to_string();
        assert!(error.contains(&target) && error.contains(&status[..3]), "{error}");
        assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_question_that_fits_no_request_is_refused_here_by_name() {
    let server = Server::start(vec![http("200 OK", "[]")]);
    let client = server.client(Retry::Never);
    for text in ["x".repeat(60_000), "\u{e4}".repeat(10_000)] {
        let error = client.episodes(&[("limit", "5".to_owned()), ("text", text)]).unwrap_err();
        assert!(error.to_string().starts_with("text has ") && !error.may_pass(), "{error}");
    }
    // What the control plane refuses itself is asked.
    assert!(client.episodes(&[("text", "x".repeat(55_000))]).unwrap().is_empty());
}

#[test]
fn where_nobody_is_the_first_attempt_says_so() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (url, says) in [
        (format!("http://127.0.0.1:{port}"), format!("nobody listens on 127.0.0.1:{port}")),
        ("http://no-such-host.invalid:1".to_owned(), "\"no-such-host.invalid\" cannot be resolved".to_owned()),
    ] {
        let error = ControlPlaneClient::new(&url.parse().unwrap(), Retry::Briefly).policies().unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&url) && text.contains(&says) && text.contains("takeover web"), "{text}");
    }
}
