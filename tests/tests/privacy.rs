//! A real face and a number plate in a film are gone from the redacted episode, as PyAV and Python's `mcap` see it.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use protocol::{Attachment, EpisodeId, EpisodeInfo, Message, PolicyVersion, VehicleId, foxglove, topics, v1};
use recorder::write_episode_with;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use video::{H264Config, H264Encoder, I420, Reference, VideoEncoder};

const WIDTH: usize = 640;
const HEIGHT: usize = 360;
const PICTURES: usize = 60;
const STEP_NS: u64 = 66_000_000;

fn peers(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// The film as an episode, as a vehicle would have recorded it.
fn episode(folder: &Path, film: &[u8]) -> PathBuf {
    let config = H264Config { bitrate_bps: 3_000_000, ..H264Config::new(WIDTH, HEIGHT, 1e9 / STEP_NS as f64) };
    let mut encoder = H264Encoder::new(config).unwrap();
    let ids = (EpisodeId::new("street-1").unwrap(), VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap());
    let mut info = EpisodeInfo::new(ids.0, ids.1, ids.2);
    info.embodiment = "ackermann_car".into();
    info.end_ns = PICTURES as u64 * STEP_NS;
    let map = Attachment { name: "map.xodr".into(), media_type: "application/xml".into(), data: "<map/>".into() };
    let mut messages = Vec::new();
    for (number, picture) in film.chunks_exact(WIDTH * HEIGHT * 3 / 2).enumerate() {
        let at_ns = (number as u64 + 1) * STEP_NS;
        let (y, chroma) = picture.split_at(WIDTH * HEIGHT);
        let (u, v) = chroma.split_at(WIDTH * HEIGHT / 4);
        let picture = I420 { width: WIDTH, height: HEIGHT, y, u, v };
        let coded = encoder.encode(picture, at_ns / 1000, Reference::Previous).unwrap().unwrap();
        let content = foxglove::CompressedVideo { data: coded.data, format: "h264".into(), ..Default::default() };
        let mut message = Message::encode(&topics::CAMERA_FRONT, number as u32, at_ns, at_ns - 9_000_000, &content);
        message.keyframe = coded.keyframe;
        messages.push(message);
        let state = v1::VehicleState { sequence: number as u64, observation: vec![5.0; 4], ..Default::default() };
        messages.push(Message::encode(&topics::VEHICLE_STATE, number as u32, at_ns, at_ns, &state));
    }
    let made = write_episode_with(folder, &info, &[map], messages).unwrap();
    folder.join(made.file)
}

fn takeover(arguments: &[&std::ffi::OsStr]) -> Value {
    let mut command = Command::new(tests::program("takeover").unwrap());
    let output = command.arg("episode").arg("--json").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_face_and_a_plate_are_gone_and_everything_else_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (python, dir) = (tests::python().unwrap(), folder.path());
    let (film, truth) = (dir.join("film.yuv"), dir.join("truth.json"));
    let sizes = [WIDTH, HEIGHT, PICTURES].map(|number| number.to_string());
    let face = tests::picture_of_a_face().unwrap();
    tests::run(Command::new(&python).arg(peers("privacy_film.py")).args([&face, &film, &truth]).args(sizes)).unwrap();
    let source = episode(dir, &std::fs::read(&film).unwrap());
    let before = std::fs::read(&source).unwrap();

    let key = dir.join("recorder.key");
    let public = recorder::SigningKey::load_or_make(&key).unwrap().public().to_string();
    let redact = |source: &Path, output: &Path| {
        let policy = ["--blur", "faces,plates"].map(std::ffi::OsStr::new);
        let [verb, output_flag, key_flag] = ["redact", "--output", "--key"].map(std::ffi::OsStr::new);
        let places = [source.as_os_str(), output_flag, output.as_os_str(), key_flag, key.as_os_str()];
        takeover(&[&[verb][..], &places[..], &policy[..]].concat())[0].clone()
    };
    let report = redact(&source, &dir.join("redacted"));
    let redacted = PathBuf::from(report["path"].as_str().unwrap());
    println!("{report:#}");
    assert_eq!(std::fs::read(&source).unwrap(), before, "the source is not touched");
    assert_eq!(report["regions"]["/camera/front"]["plates"]["followed"], 1);
    recorder::signature::verify(&redacted, &[&public]).unwrap();

    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recorder/tests/judge.py");
    println!("{}", tests::run(Command::new(&python).arg(judge).arg("--video").arg(&redacted)).unwrap());
    let verdict = tests::run(Command::new(&python).arg(peers("privacy_judge.py")).args([&source, &redacted, &truth]));
    println!("{}", verdict.unwrap());
    takeover(&["verify".as_ref(), redacted.as_os_str()]);

    // The detector itself finds nothing any more.
    let again = redact(&redacted, &dir.join("again"));
    assert_eq!(again["regions"]["/camera/front"], serde_json::json!({}), "{again:#}");
}

#[test]
fn a_browser_s_decoder_plays_the_preview() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let picture: Vec<u8> = (0..WIDTH * HEIGHT * 3 / 2).map(|at| (at / WIDTH) as u8).collect();
    let source = episode(dir, &picture.repeat(PICTURES));
    let made = takeover(&["preview".as_ref(), source.as_os_str()]);
    let script = "import av, sys\n\
        film = av.open(sys.argv[1])\n\
        stream = film.streams.video[0]\n\
        frames = [(float(f.pts * stream.time_base), f.width, f.height) for f in film.decode(video=0)]\n\
        print(stream.codec_context.name, len(frames), *frames[-1])";
    let python = tests::python().unwrap();
    let seen = tests::run(Command::new(python).args(["-c", script, made["video"].as_str().unwrap()])).unwrap();
    assert_eq!(seen.trim(), "h264 39 3.8 320 180", "60 pictures in 3.9 s, ten a second");
    let state = std::fs::read(made["state"].as_str().unwrap()).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    assert_eq!((state["states"].as_array().unwrap().len(), state["states"][0]["speed_mps"].as_f64()), (4, Some(5.0)));
}
