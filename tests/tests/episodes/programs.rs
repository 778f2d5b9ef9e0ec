//! How programs behave as programs: what they print where nobody reads, what they say of addresses where nobody listens
//! and of arguments that make no sense, and how they end.

use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, topics, v1};
use recorder::write_episode;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tests::{Process, Site, free_port, program, run, wait_for};

fn takeover(words: &[&str]) -> Command {
    let mut command = Command::new(program("takeover").unwrap());
    command.args(words).stdin(Stdio::null()).env_remove("TAKEOVER_CONTROL_PLANE");
    command
}

/// What was said on standard error; never a panic.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked") && !text.contains("NaN"), "{text}");
    text
}

fn some_episodes(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for n in 0..3u32 {
        let id = EpisodeId::new(format!("e{n}")).unwrap();
        let mut info = EpisodeInfo::new(id, VehicleId::new("car-1").unwrap(), PolicyVersion::new("v0").unwrap());
        info.cause = "safety".to_owned();
        info.end_ns = 1_000_000_000;
        let state = v1::VehicleState { observation: vec![1.0; 4], ..Default::default() };
        let messages = (0..50u32).map(|i| {
            let at = u64::from(i) * 20_000_000;
            Message::encode(&topics::VEHICLE_STATE, i, at, at, &state)
        });
        write_episode(folder, &info, messages.collect::<Vec<_>>()).unwrap();
    }
}

/// Commands that print lists, with a folder of episodes and one of them.
fn listings<'a>(folder: &'a str, file: &'a str) -> Vec<Vec<&'a str>> {
    let study = ["latency-study", "--delay", "0", "--mode", "trajectory", "--trials", "1", "--route-m", "100"];
    vec![
        vec!["episode", "list", folder],
        vec!["episode", "list", "--json", folder],
        vec!["episode", "info", file],
        vec!["episode", "verify", folder],
        vec!["episode", "play", "--summary", file],
        vec!["netem", "presets"],
        vec!["evaluate", "--trips", "1", "--trip-s", "2"],
        study.to_vec(),
    ]
}

#[test]
fn whoever_has_read_enough_ends_a_program_quietly_and_a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    some_episodes(folder.path());
    let file = folder.path().join("e0.mcap");
    let (folder, file) = (folder.path().to_string_lossy(), file.to_string_lossy());
    for words in listings(&folder, &file) {
        // The reader is gone before the first line.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = takeover(&words).stdout(writer).output().unwrap();
        let text = said(&output);
        assert!(output.status.success() && !text.contains("takeover:"), "{words:?}: {:?} {text}", output.status);

        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = takeover(&words).stdout(full).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
        assert!(text.contains("cannot write to standard output"), "{words:?}: {text}");

        // Closed from the start, and standard error with it.
        let line = format!("exec {} {} >&- 2>&-", program("takeover").unwrap().display(), words.join(" "));
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(output.status.success(), "{words:?}: {:?}", output.status);
    }
}

/// The status of a program whose reader is gone before the first line.
fn unread(words: &[&str]) -> Option<i32> {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    takeover(words).stdout(writer).output().unwrap().status.code()
}

#[test]
fn a_verdict_is_in_the_status_also_where_nobody_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    some_episodes(folder.path());
    let bad = folder.path().join("bad.mcap");
    std::fs::write(&bad, "not an episode").unwrap();
    let log = folder.path().join("audit-000001.jsonl");
    std::fs::write(&log, "not a record\n").unwrap();
    let (bad, log) = (bad.to_string_lossy().into_owned(), log.to_string_lossy().into_owned());
    for words in [&["episode", "verify", &bad][..], &["audit", "verify", &log]] {
        for is_json in [false, true] {
            let mut words = words.to_vec();
            words.extend(is_json.then_some("--json"));
            assert_eq!(takeover(&words).output().unwrap().status.code(), Some(1), "{words:?} read");
            assert_eq!(unread(&words), Some(1), "{words:?} unread");
        }
    }
}

#[test]
fn work_goes_on_where_nobody_reads_of_it() {
    let folder = tempfile::tempdir().unwrap();
    some_episodes(folder.path());
    let redacted = folder.path().join("redacted");
    let (from, to) = (folder.path().to_string_lossy(), redacted.to_string_lossy());
    assert_eq!(unread(&["episode", "redact", &from, "--output", &to, "--omit", "/vehicle/state"]), Some(0));
    let made = std::fs::read_dir(&redacted)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "mcap"));
    assert_eq!(made.count(), 3);
}

#[test]
fn an_upload_goes_on_where_nobody_reads_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let episodes = folder.path().join("episodes");
    some_episodes(&episodes);
    let episodes = episodes.to_string_lossy();
    let upload = ["episode", "upload", "--register", "--control-plane", &site.address, &episodes];
    assert_eq!(unread(&upload), Some(0));
    for n in 0..3 {
        ureq::get(format!("{}/api/v1/episodes/e{n}", site.address)).call().unwrap();
    }
}

#[test]
fn what_goes_by_a_proxy_is_not_looked_for_before() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        line
    });
    let mut search = takeover(&["episode", "search", "--control-plane", "http://plane.invalid:8080"]);
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "NO_PROXY", "no_proxy"] {
        search.env_remove(name);
    }
    let output = search.env("http_proxy", url).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(!text.contains("cannot be resolved"), "{text}");
    let asked = asked.join().unwrap();
    assert!(asked.contains("plane.invalid:8080"), "{asked}");
}

#[test]
fn an_address_where_nobody_listens_is_named_at_once_by_what_is_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    some_episodes(folder.path());
    let episodes = folder.path().to_string_lossy().into_owned();
    let refused = format!("http://127.0.0.1:{}", free_port().unwrap());
    for (url, says) in [
        (refused.as_str(), "nobody listens on 127.0.0.1"),
        ("http://no-such-host.invalid:8080", "cannot be resolved"),
        ("ftp://127.0.0.1", "must start with http://"),
        ("127.0.0.1:8080", "must start with http://"),
    ] {
        for words in [
            vec!["episode", "search"],
            vec!["episode", "verdict", "e0", "useful", "--by", "marta"],
            vec!["episode", "retention", "--dry-run"],
            vec!["episode", "upload", &episodes],
        ] {
            let started = Instant::now();
            let output = takeover(&[&words[..], &["--control-plane", url]].concat()).output().unwrap();
            let text = said(&output);
            assert_eq!(output.status.code(), Some(1), "{words:?} {url}: {text}");
            assert!(text.contains(url) && text.contains(says), "{words:?} {url}: {text}");
            // A name server may take its time; repeating takes twelve seconds.
            assert!(started.elapsed() < Duration::from_secs(10), "{words:?} {url} took {:?}", started.elapsed());
        }
    }
}

#[test]
fn real_time_whoever_waits_for_a_control_plane_says_so_and_a_seat_without_pictures_fails() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}", free_port().unwrap());
    let data = folder.path().join("car").to_string_lossy().into_owned();
    for words in [
        vec!["operator"],
        vec!["bridge", "--source", "synthetic"],
        vec!["bridge", "--data", &data],
        vec!["seat", "--headless"],
    ] {
        let log = folder.path().join(format!("{}.log", words.join("-").replace('/', "_")));
        let arguments = [&words[..], &["--control-plane", &url]].concat();
        let _waiting = Process::takeover(&arguments.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>(), &log).unwrap();
        wait_for("a word", Duration::from_secs(20), || {
            let text = std::fs::read_to_string(&log).ok()?;
            let line = text.lines().find(|line| line.contains("does not answer"))?;
            (line.contains(&url) && line.contains("trying on")).then_some(())
        })
        .unwrap_or_else(|e| panic!("{words:?}: {e} {:?}", std::fs::read_to_string(&log)));
    }

    let json = folder.path().join("seat.json");
    let seat = |url: &str, vehicle: &str| {
        let words = ["seat", "--headless", "--seconds", "3", "--vehicle", vehicle, "--control-plane", url, "--json"];
        takeover(&words).arg(&json).output().unwrap()
    };
    let output = seat(&url, "car-1");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("no picture of car-1") && text.contains(&url) && text.contains("nobody listens"), "{text}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("NaN"), "{output:?}");
    let report = std::fs::read_to_string(&json).unwrap();
    assert!(report.contains("\"first_picture_ms\":null"), "{report}");

    // A control plane that does not know the vehicle.
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let output = seat(&site.address, "car-9");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("no picture of car-9") && text.contains("is offline"), "{text}");
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let place = data.to_string_lossy().into_owned();
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let file = file.to_string_lossy().into_owned();
    let under = format!("{file}/below");
    for (words, says) in [
        (vec!["demo", "--data", &place, "--seed", "-1"], "'-1'"),
        (vec!["demo", "--data", &place, "--turns", "0"], "'0'"),
        (vec!["demo", "--data", &place, "--port", "70000"], "70000"),
        (vec!["demo", "--data", &file, "--no-live-car", "--port", "0"], file.as_str()),
        (vec!["web", "--data", &place, "--addr", "no-such-host.invalid:80"], "no-such-host.invalid"),
        (vec!["web", "--data", &place, "--addr", "localhost"], "localhost:8080"),
        (vec!["web", "--data", &under, "--addr", "127.0.0.1:0"], under.as_str()),
        (vec!["web", "--data", &place, "--addr", "127.0.0.1:0", "--objects", "s3://"], "s3://"),
        (vec!["web", "--data", &place, "--addr", "127.0.0.1:0", "--database", "sqlite:/no/such/folder/x"], "/no/such"),
        (vec!["bridge", "--data", &place, "--vehicle", ""], "vehicle id \"\""),
        (vec!["bridge", "--data", &place, "--vehicle", "a/b"], "a/b"),
        (vec!["bridge", "--data", &place, "--vehicle", "wagen-ä"], "wagen-ä"),
        (vec!["bridge", "--data", &place, "--road", "nowhere"], "nowhere"),
        (vec!["bridge", "--data", &place, "--control-plane", "ftp://x"], "ftp://x"),
        (vec!["bridge", "--data", &place, "--recorder", "/no/such/file"], "/no/such/file"),
        (vec!["bridge", "--data", &place, "--recorder", "/dev/zero"], "more than 1048576 bytes"),
        (vec!["bridge", "--data", &place, "--geofence", "/dev/zero"], "more than 1048576 bytes"),
        (vec!["web", "--data", &place, "--retention", "/dev/zero"], "more than 1048576 bytes"),
        (vec!["netem", "check", "/dev/zero"], "more than 1048576 bytes"),
        (vec!["bridge", "--data", &place, "--candidate", "/no/such/folder"], "/no/such/folder"),
        (vec!["bridge", "--data", &place, "--view", "192.0.2.1:1"], "192.0.2.1:1"),
        (vec!["bridge", "--source", "/no/such/film.mp4"], "/no/such/film.mp4"),
        (vec!["bridge", "--source", "synthetic", "--seconds", "NaN"], "'NaN'"),
        (vec!["seat", "--headless", "--seconds", "0"], "'0'"),
        (vec!["seat", "--headless", "--seconds", "1e300"], "'1e300'"),
        (vec!["seat", "--headless", "--json", "/no/such/folder/x.json"], "/no/such/folder/x.json"),
        (vec!["netem", "relay", "--listen", "127.0.0.1", "--to", "127.0.0.1:1"], "names no port"),
        (vec!["netem", "relay", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--seconds", "-1"], "'-1'"),
        (vec!["evaluate", "--trips", "0"], "'0'"),
        (vec!["evaluate", "--trip-s", "inf"], "'inf'"),
        (vec!["evaluate", "--road", "nowhere", "--episodes", &place], "nowhere"),
        (vec!["train", "--version", "v1", "--out", &place, "--episodes", "/no/such/folder"], "/no/such/folder"),
        (vec!["train", "--version", "v1", "--out", &place, "--takeover-mass", "NaN"], "NaN"),
        (vec!["train", "--version", "v1", "--out", &under], file.as_str()),
        (vec!["latency-study", "--trials", "0"], "--trials 0"),
        (vec!["latency-study", "--json", &under], under.as_str()),
        (vec!["link-report", "--seconds", "NaN"], "NaN"),
        (vec!["link-report", "--case", "no-such-case"], "no-such-case"),
        (vec!["episode", "info", &place], place.as_str()),
        (vec!["bench", "--effort", "0"], "'0'"),
    ] {
        let output = takeover(&words).output().unwrap();
        // What is wrong is what the test is about, not that a name with NaN in it is printed.
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !text.contains("panicked"), "{words:?}: {text}");
        assert!(text.contains(says), "{words:?}: {text}");
        assert!(!data.exists(), "{words:?} left {:?} behind", std::fs::read_dir(&data).map(Iterator::count));
    }
    // After all of them the folder can be used.
    let plane = Service::start(&["web", "--addr", "localhost:0", "--data", &place]);
    assert!(plane.first_line.starts_with("http://"), "{}", plane.first_line);
    assert_eq!(plane.interrupt(), Some(0));
}

/// A program that says on its standard output where it listens.
struct Service {
    child: Child,
    first_line: String,
}

impl Service {
    fn start(words: &[&str]) -> Self {
        let mut child = takeover(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first_line = String::new();
        // The pipe is closed after the first line, as `head -1` would: the program goes on.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
        Self { child, first_line: first_line.trim().to_owned() }
    }

    /// Its status after Ctrl-C.
    fn interrupt(mut self) -> Option<i32> {
        run(Command::new("kill").args(["-INT", &self.child.id().to_string()])).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ctrl_c_ends_a_seat_that_has_seen_no_picture_yet() {
    let nowhere = format!("http://127.0.0.1:{}", free_port().unwrap());
    let mut seat = takeover(&["seat", "--headless", "--control-plane", &nowhere]);
    let mut seat = seat.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It has begun when it tells of the control plane.
    let mut lines = BufReader::new(seat.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("does not answer")));
    run(Command::new("kill").args(["-INT", &seat.id().to_string()])).unwrap();
    let rest: Vec<_> = lines.collect();
    assert_eq!(seat.wait().unwrap().code(), Some(0), "{rest:?}");
}

#[test]
fn real_time_port_0_is_a_port_that_standard_output_names_and_ctrl_c_ends_everything() {
    let folder = tempfile::tempdir().unwrap();
    some_episodes(folder.path());
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (data, car, episode) = (path("data"), path("car"), path("e0.mcap"));

    let demo = Service::start(&["demo", "--port", "0", "--no-live-car", "--data", &data]);
    assert!(demo.first_line.starts_with("http://127.0.0.1:"), "{}", demo.first_line);
    let health = format!("{}/api/v1/vehicles", demo.first_line);
    wait_for("the demo's control plane", Duration::from_secs(60), || ureq::get(&health).call().ok()).unwrap();
    // Its port is taken now, and a second demo says so.
    let port = demo.first_line.rsplit(':').next().unwrap();
    let output = takeover(&["demo", "--port", port, "--data", &path("other")]).output().unwrap();
    assert!(said(&output).contains(&format!("port {port} is already in use")), "{output:?}");
    assert_eq!(demo.interrupt(), Some(0));

    let plane = Service::start(&["web", "--addr", "127.0.0.1:0", "--data", &path("web")]);
    let url = plane.first_line.clone();
    let bridge = ["bridge", "--control-plane", &url, "--data", &car, "--view", "localhost:0"];
    let bridge = Service::start(&bridge);
    let view = bridge.first_line.strip_prefix("ws://").unwrap_or_else(|| panic!("{}", bridge.first_line));
    wait_for("the live view", Duration::from_secs(20), || std::net::TcpStream::connect(view).ok()).unwrap();
    assert_eq!(bridge.interrupt(), Some(0));
    assert_eq!(plane.interrupt(), Some(0));

    let relay = Service::start(&["netem", "relay", "--listen", "localhost:0", "--to", "localhost:9"]);
    let address: std::net::SocketAddr = relay.first_line.parse().unwrap();
    assert!(address.port() > 0);
    let output = takeover(&["netem", "relay", "--listen", &relay.first_line, "--to", "localhost:9"]).output().unwrap();
    assert!(said(&output).contains("choose another port"), "{output:?}");
    assert_eq!(relay.interrupt(), Some(0));

    // The summary comes first there; the address is in the last line.
    let mut play = takeover(&["episode", "play", "--serve", "127.0.0.1:0", "--json", "--wait", &episode]);
    let mut child = play.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find(|line| line.contains("ws://127.0.0.1:")).unwrap();
    assert!(!address.contains(":0\""), "{address}");
    assert_eq!(Service { child, first_line: address }.interrupt(), Some(0));

    // A job that is cut off has no result.
    let mut study = takeover(&["latency-study"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(6));
    run(Command::new("kill").args(["-INT", &study.id().to_string()])).unwrap();
    assert_eq!(study.wait().unwrap().code(), Some(130));
}
