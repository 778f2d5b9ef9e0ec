//! Episodes over the network: by hand into an S3 server, and by a bridge that is killed while it uploads.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use bytes::Bytes;
use control_plane_client::{ControlPlaneClient, Retry};
use protocol::api::VehicleRegistration;
use protocol::{Attachment, EpisodeId, EpisodeInfo, FaultCode, Message, PolicyVersion, Trigger, VehicleId, topics};
use rand::{Rng, SeedableRng};
use recorder::{EpisodeReader, SigningKey, write_episode_with};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::{CAR, Process, Site, free_port, program, python, run, wait_for};
use vehicle_bridge::upload::Pace;
use vehicle_bridge::upload::prepare::Preparation;
use vehicle_bridge::upload::uploader::{SharedProgress, Uploader};

/// An episode whose bytes cannot be packed.
fn episode(folder: &Path, id: &str, bytes: usize) -> PathBuf {
    episode_with(folder, id, bytes, "application/octet-stream")
}

fn episode_with(folder: &Path, id: &str, bytes: usize, media_type: &str) -> PathBuf {
    let mut data = vec![0; bytes];
    rand_chacha::ChaCha8Rng::seed_from_u64(bytes as u64).fill_bytes(&mut data);
    let mut info =
        EpisodeInfo::new(EpisodeId::new(id).unwrap(), VehicleId::new(CAR).unwrap(), PolicyVersion::new("v1").unwrap());
    info.cause = "safety".to_owned();
    info.end_ns = 1_000_000_000;
    let noise = Attachment { name: "noise".into(), media_type: media_type.into(), data: data.into() };
    let message = |n: u64| Message {
        topic: if n.is_multiple_of(2) { &topics::VEHICLE_STATE } else { &topics::SCAN },
        sequence: n as u32,
        log_time_ns: n * 100_000_000,
        publish_time_ns: n * 100_000_000,
        data: Bytes::new(),
        keyframe: true,
    };
    std::fs::create_dir_all(folder).unwrap();
    let row = write_episode_with(folder, &info, &[noise], (0..10).map(message)).unwrap();
    folder.join(row.file)
}

fn upload(site: &Site, files: &[&Path], options: &[&str]) -> Result<Value, String> {
    let mut command = Command::new(program("takeover").unwrap());
    command.args(["episode", "upload", "--json", "--control-plane", &site.address]).args(options).args(files);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(error);
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{e}: {error}"))
}

fn downloaded(url: &str) -> Vec<u8> {
    ureq::get(url).call().unwrap().body_mut().with_config().limit(1 << 30).read_to_vec().unwrap()
}

/// What another client of S3 finds: each object with the hash of its content.
const LIST: &str = r#"
import boto3, hashlib, os
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name=os.environ["AWS_REGION"])
for found in s3.list_objects_v2(Bucket="fleet")["Contents"]:
    content = s3.get_object(Bucket="fleet", Key=found["Key"])["Body"].read()
    print(found["Key"], hashlib.sha256(content).hexdigest())
"#;

#[test]
fn episodes_go_to_an_s3_server_whole_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut moto = Command::new(python().unwrap());
    moto.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    let _moto = Process::spawn(moto, &folder.path().join("moto.log")).unwrap();
    let bucket = format!("{endpoint}/fleet");
    wait_for("the S3 server", Duration::from_secs(60), || ureq::put(&bucket).send_empty().ok()).unwrap();

    let site = Site::new(folder.path()).unwrap();
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "eu-north-1"),
    ];
    // A bucket that is not there is named at once.
    let mut wrong = Command::new(program("takeover").unwrap());
    wrong.envs(environment).args(["web", "--addr", "127.0.0.1:0", "--objects", "s3://nobody/x", "--data"]);
    let error = run(wrong.arg(folder.path().join("wrong"))).unwrap_err().to_string();
    assert!(error.contains("s3://nobody/x"), "{error}");
    let _plane = site.control_plane_with(&["--objects", "s3://fleet/cars"], &environment).unwrap();

    // One that goes in parts, one that goes at once.
    let (large, small) = (episode(folder.path(), "large", 20 << 20), episode(folder.path(), "small", 1_000));
    let error = upload(&site, &[&large], &[]).unwrap_err();
    assert!(error.contains("car-1 has not signed up"), "{error}");
    let rows = upload(&site, &[&large, &small], &["--register"]).unwrap();
    for (file, row) in [&large, &small].into_iter().zip(rows.as_array().unwrap()) {
        let content = std::fs::read(file).unwrap();
        let (id, hash) = (row["id"].as_str().unwrap(), row["sha256"].as_str().unwrap());
        assert!(row["sent_bytes"].as_u64().unwrap() >= content.len() as u64);
        let object = format!("cars/sha256/{}/{hash}.mcap {hash}\n", &hash[..2]);
        let listed = run(Command::new(python().unwrap()).args(["-c", LIST]).envs(environment)).unwrap();
        assert!(listed.contains(&object), "{object} is not in {listed}");
        let url = format!("{}/api/v1/episodes/{id}/file", site.address);
        assert!(downloaded(&url) == content);
        let part = ureq::get(&url).header("range", "bytes=100-199").call().unwrap().body_mut().read_to_vec().unwrap();
        assert_eq!(part, content[100..200]);
    }
    assert_eq!(std::fs::read_dir(folder.path().join("data/episodes")).unwrap().count(), 0);
    // Again: nothing is sent.
    let again = upload(&site, &[&large, &small], &[]).unwrap();
    assert!(again.as_array().unwrap().iter().all(|row| row["sent_bytes"] == 0), "{again}");
}

/// `takeover episode` with these arguments; what it printed.
fn tool(arguments: &[&str]) -> String {
    run(Command::new(program("takeover").unwrap()).arg("episode").args(arguments)).unwrap()
}

/// What a recorder makes: an episode of each trigger, with the cause that a vehicle gives it.
fn one_of_each_kind(folder: &Path) -> Vec<PathBuf> {
    let made = Trigger::ALL.into_iter().filter(|trigger| *trigger != Trigger::Import).map(|trigger| {
        let id = EpisodeId::new(trigger.label()).unwrap();
        let mut info = EpisodeInfo::new(id, VehicleId::new(CAR).unwrap(), PolicyVersion::new("v1").unwrap());
        info.trigger = trigger;
        info.cause = trigger.cause().label().to_owned();
        // A recorder takes any text; the catalogue's names have one line.
        info.map = format!("{}\n{}", trigger.label(), "x".repeat(300));
        info.software = "y".repeat(300);
        let states = (0..10_u32).map(|n| {
            let (at, state) = (u64::from(n) * 20_000_000, protocol::v1::VehicleState::default());
            Message::encode(&topics::VEHICLE_STATE, n, at, at, &state)
        });
        folder.join(write_episode_with(folder, &info, &[], states).unwrap().file)
    });
    made.collect()
}

#[test]
fn every_kind_of_episode_is_uploaded_found_and_downloaded_and_an_import_is_no_takeover() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::create_dir_all(at("made")).unwrap();
    let mut files = one_of_each_kind(Path::new(&at("made")));
    let foreign = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign");
    for (source, format) in
        [("mcap/two-publishers.mcap", "rosbag2"), ("comma2k19/sound", "comma2k19"), ("lerobot/sound", "lerobot")]
    {
        let source = foreign.join(source).to_string_lossy().into_owned();
        tool(&["import", &source, "--format", format, "--output", &at("imported")]);
    }
    let notes = foreign.join("mcap/private-records.mcap").to_string_lossy().into_owned();
    let told = tool(&["import", &notes, "--format", "rosbag2", "--output", &at("noted")]);
    assert!(told.contains("note: ") && told.contains("0x80"), "{told}");
    assert!(tool(&["info", &at("noted/private-records.mcap")]).contains("0x80"));
    let imported = at("imported/two-publishers.mcap");
    tool(&["cut", &imported, "--id", "piece", "--to", "0.05"]);
    tool(&["merge", &imported, &at("imported/piece.mcap"), "--id", "merged"]);
    tool(&["redact", &imported, "--output", &at("redacted"), "--omit", "/y"]);
    std::fs::rename(at("redacted/two-publishers.mcap"), at("redacted.mcap")).unwrap();
    let before = files.len();
    let entries = std::fs::read_dir(at("imported")).unwrap().map(|entry| entry.unwrap().path());
    files.extend(entries.filter(|path| path.extension().is_some_and(|ending| ending == "mcap")));
    assert_eq!(files.len() - before, 6, "two publishers, its piece, both merged, a segment, two of a dataset");
    for file in &files {
        let rows =
            upload(&site, &[file], &["--register"]).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let id = rows[0]["id"].as_str().unwrap();
        let url = format!("{}/api/v1/episodes/{id}/file", site.address);
        assert!(downloaded(&url) == std::fs::read(file).unwrap(), "{id}");
    }
    let search = |arguments: &[&str]| tool(&[&["search", "--control-plane", &site.address], arguments].concat());
    assert!(search(&[]).contains(&format!("{} found", files.len())));
    assert!(search(&["--trigger", "import"]).contains("6 found"));
    for trigger in Trigger::ALL.into_iter().filter(|trigger| *trigger != Trigger::Import) {
        assert!(search(&["--trigger", trigger.label()]).contains("1 found"), "{}", trigger.label());
    }
    let fleet: Value = serde_json::from_slice(&downloaded(&format!("{}/api/v1/fleet", site.address))).unwrap();
    assert_eq!(fleet["by_cause"], serde_json::json!([]), "nobody took over");
    // What was redacted has the identity of its source, whose bytes are there already.
    let error = upload(&site, &[Path::new(&at("redacted.mcap"))], &[]).unwrap_err();
    assert!(error.contains("two-publishers"), "{error}");
}

#[test]
fn real_time_bridge_is_killed_while_uploading_and_sends_no_byte_twice() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let file = episode(&folder.path().join("car/spool"), "big", 3 << 20);
    let content = std::fs::read(&file).unwrap();
    let recorder = site.path("recorder.toml");
    let never = "[triggers]\noff = [\"estop\", \"fault\", \"near_miss\", \"hard_brake\", \"help_request\", \"shadow_disagreement\"]\n";
    std::fs::write(&recorder, never).unwrap();
    let part = || {
        let files = std::fs::read_dir(folder.path().join("data/uploads")).unwrap().flatten();
        files.filter(|f| f.path().extension().is_some_and(|e| e == "part")).map(|f| f.metadata().unwrap().len()).max()
    };
    let slow = ["--upload-kbps", "1500", "--recorder", &recorder];
    for round in 1..=2u64 {
        let bridge = site.bridge_with(&slow).unwrap();
        wait_for("a part of the upload", Duration::from_secs(60), || part().filter(|bytes| *bytes > round << 19))
            .unwrap();
        bridge.kill().unwrap();
        assert!(file.exists() && site.get("episodes").unwrap().as_array().unwrap().is_empty());
    }
    let _bridge = site.bridge_with(&["--recorder", &recorder]).unwrap();
    wait_for("the episode", Duration::from_secs(60), || site.get("episodes/big")).unwrap();
    wait_for("an empty spool", Duration::from_secs(20), || (!file.exists()).then_some(())).unwrap();
    assert!(std::fs::read(folder.path().join("data/episodes/big.mcap")).unwrap() == content);
    let metrics = String::from_utf8(downloaded(&format!("{}/metrics", site.address))).unwrap();
    let received = metrics.lines().find_map(|line| line.strip_prefix("takeover_upload_bytes_total ")).unwrap();
    let preview = downloaded_if_any(&format!("{}/api/v1/episodes/big/preview_state", site.address));
    assert_eq!(received.parse::<f64>().unwrap() as usize, content.len() + preview);
}

fn downloaded_if_any(url: &str) -> usize {
    ureq::get(url).call().map_or(0, |mut answer| answer.body_mut().read_to_vec().unwrap().len())
}

/// An uploader of `spool` at work, until the flag is set.
fn uploads(
    site: &Site,
    spool: &Path,
    preparation: Preparation,
) -> (Arc<SharedProgress>, Arc<AtomicBool>, std::thread::JoinHandle<()>) {
    let client = ControlPlaneClient::new(&site.address.parse().unwrap(), Retry::Never);
    let (embodiment, map, software) = ("car".to_owned(), "town".to_owned(), "1".to_owned());
    let vehicle = VehicleId::new(CAR).unwrap();
    client.register(&VehicleRegistration { vehicle, embodiment, kind: "live".into(), map, software }).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let pace = Pace::new(Box::new(|| None), Arc::clone(&stop));
    let found = recorder::scan(spool).unwrap();
    let uploader = Uploader::new(client, pace, preparation, spool.to_owned(), found);
    let progress = uploader.progress();
    let thread = std::thread::spawn(move || {
        let (_more, episodes) = crossbeam_channel::unbounded();
        uploader.run(&episodes);
    });
    (progress, stop, thread)
}

fn preparation(dir: &Path, key: &Arc<SigningKey>) -> Preparation {
    let settings = "[privacy]\nomit = [\"/scan\"]\nblur = [\"faces\"]\n";
    let policy = recorder::Settings::from_toml(settings).unwrap().privacy;
    Preparation { policy, dir: dir.to_owned(), key: Some(Arc::clone(key)) }
}

#[test]
fn an_episode_does_not_wait_for_its_preview() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let spool = folder.path().join("spool");
    let file = episode(&spool, "early", 50_000);
    let preparation = preparation(&folder.path().join("outgoing"), &Arc::new(SigningKey::from_seed(&[7; 32]).unwrap()));
    // What an earlier life of the vehicle left: the copy that may leave. Whoever writes its preview waits for a reader.
    preparation.prepare(&file, &recorder::scan(&spool).unwrap().remove(0)).unwrap();
    let preview = preparation.dir.join("early/early.preview.json.part");
    run(Command::new("mkfifo").arg(&preview)).unwrap();
    let (_, stop, thread) = uploads(&site, &spool, preparation);
    wait_for("the episode", Duration::from_secs(60), || site.get("episodes/early")).unwrap();
    assert!(downloaded(&format!("{}/api/v1/episodes/early/file", site.address)).len() > 50_000);
    assert!(file.exists() && site.get("episodes/early/preview_state").is_none(), "its preview is still to come");
    let written = std::fs::read_to_string(&preview).unwrap();
    assert!(written.contains("early"), "{written}");
    wait_for("an empty spool", Duration::from_secs(60), || (!file.exists()).then_some(())).unwrap();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

#[test]
fn what_may_not_leave_is_left_out_and_what_cannot_be_redacted_stays() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path()).unwrap();
    let _plane = site.control_plane(&[]).unwrap();
    let spool = folder.path().join("spool");
    let clean = episode(&spool, "clean", 50_000);
    // A picture in which nothing can be blurred.
    let picture = episode_with(&spool, "picture", 50_000, "image/png");
    let key = Arc::new(SigningKey::from_seed(&[7; 32]).unwrap());
    let dir = folder.path().join("outgoing");
    let (progress, stop, thread) = uploads(&site, &spool, preparation(&dir, &key));
    wait_for("an empty queue", Duration::from_secs(60), || {
        (!clean.exists() && progress.fault().is_some()).then_some(())
    })
    .unwrap();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();

    assert_eq!(progress.fault(), Some(FaultCode::UploadRedactionFailed));
    assert!(picture.exists() && site.get("episodes/picture").is_none() && site.get("episodes/clean").is_some());
    let whole = folder.path().join("data/episodes/clean.mcap");
    let topics: Vec<_> = EpisodeReader::open(&whole).unwrap().topics().into_iter().map(|t| t.topic).collect();
    assert!(
        topics.contains(&topics::VEHICLE_STATE.name.to_owned()) && !topics.contains(&topics::SCAN.name.to_owned()),
        "{topics:?}"
    );
    // The copy is signed by the vehicle, and its preview is there.
    recorder::signature::verify(&whole, &[&key.public().to_string()]).unwrap();
    assert!(site.get("episodes/clean/preview_state").is_some());
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0);
}
