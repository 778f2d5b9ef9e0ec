//! Redaction and previews of episodes whose pictures are broken, hostile or of the wrong kind.
#![cfg(feature = "video")]
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use bytes::Bytes;
use openh264::OpenH264API;
use openh264::encoder::{Encoder, EncoderConfig, IntraFramePeriod, Profile, RateControlMode};
use openh264::formats::YUVBuffer;
use proptest::prelude::*;
use protocol::{EpisodeId, EpisodeInfo, Message, PolicyVersion, Topic, VehicleId, foxglove, topics, v1};
use recorder::privacy::{
    BuiltInDetector, Detector, LumaPicture, PrivacyError, RedactionPolicy, Region, RegionKind, redact, redact_with,
};
use recorder::{EpisodeReader, preview, write_episode};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const STEP_NS: u64 = 100_000_000;
const PICTURES: u64 = 25;

/// A square that wanders over a slope of grey.
fn pictures() -> Vec<Vec<u8>> {
    let config = EncoderConfig::new()
        .rate_control_mode(RateControlMode::Off)
        .profile(Profile::Baseline)
        .intra_frame_period(IntraFramePeriod::from_num_frames(10));
    let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config.skip_frames(false)).unwrap();
    let picture = |number: usize| {
        let mut pixels = vec![128; 160 * 96 * 3 / 2];
        for (index, pixel) in pixels[..160 * 96].iter_mut().enumerate() {
            let (x, y) = (index % 160, index / 160);
            let inside = (20 + number..50 + number).contains(&x) && (30..60).contains(&y);
            *pixel = if inside { if (x / 4 + y / 4) % 2 == 0 { 20 } else { 220 } } else { (60 + x / 2) as u8 };
        }
        encoder.encode(&YUVBuffer::from_vec(pixels, 160, 96)).unwrap().to_vec()
    };
    (0..PICTURES as usize).map(picture).collect()
}

fn video(topic: &'static Topic, number: u64, data: Vec<u8>, format: &str) -> Message {
    let content = foxglove::CompressedVideo { data: data.into(), format: format.into(), ..Default::default() };
    let at_ns = (number + 1) * STEP_NS;
    Message::encode(topic, number as u32, at_ns, at_ns - 1_000_000, &content)
}

fn episode(dir: &Path, films: &[(&'static Topic, &[Vec<u8>])], format: &str) -> PathBuf {
    let ids = (EpisodeId::new("e-1").unwrap(), VehicleId::new("car").unwrap(), PolicyVersion::new("p").unwrap());
    let mut info = EpisodeInfo::new(ids.0, ids.1, ids.2);
    info.end_ns = PICTURES * STEP_NS;
    info.embodiment = "ackermann_car".into();
    let mut messages = Vec::new();
    for number in 0..PICTURES {
        let state = v1::VehicleState { sequence: number, observation: vec![7.5, 0.0, 0.1, 0.0], ..Default::default() };
        let at_ns = (number + 1) * STEP_NS;
        messages.push(Message::encode(&topics::VEHICLE_STATE, number as u32, at_ns, at_ns, &state));
        for (topic, pictures) in films {
            messages.extend(pictures.get(number as usize).map(|data| video(topic, number, data.clone(), format)));
        }
    }
    let made = write_episode(dir, &info, messages).unwrap();
    dir.join(made.file)
}

/// Sees the square, in every third look only.
struct Square;

impl Detector for Square {
    fn name(&self) -> String {
        "square".into()
    }

    fn look(&mut self, picture: &LumaPicture<'_>) -> Result<Vec<Region>, String> {
        assert_eq!(picture.luma.len(), picture.width * picture.height);
        let row = &picture.luma[45 * picture.width..46 * picture.width];
        let x = row.windows(2).position(|pair| pair[0].abs_diff(pair[1]) > 40).ok_or("no square")? as f32;
        let region = Region { kind: RegionKind::Faces, x: x - 4.0, y: 26.0, width: 40.0, height: 40.0, is_sure: true };
        Ok(if picture.number.is_multiple_of(3) { vec![region] } else { Vec::new() })
    }
}

fn faces() -> RedactionPolicy {
    RedactionPolicy { blur: BTreeSet::from([RegionKind::Faces]), ..RedactionPolicy::default() }
}

fn everything(path: &Path) -> Vec<(String, u32, u64, u64, Bytes)> {
    let reader = EpisodeReader::open(path).unwrap();
    let messages = reader.messages().map(Result::unwrap);
    messages.map(|m| (m.topic().into(), m.sequence, m.log_time_ns, m.publish_time_ns, m.data.clone())).collect()
}

#[test]
fn pictures_are_covered_in_every_picture_and_nothing_else_changes() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = pictures();
    let cameras = [(&topics::CAMERA_FRONT, &pictures[..]), (&topics::CAMERA_LEFT, &pictures[..])];
    let source = episode(dir.path(), &cameras, "h264");
    let policy = RedactionPolicy { omit: BTreeSet::from(["/camera/left".to_owned()]), ..faces() };
    let mut told = Vec::new();
    let report =
        redact_with(&source, &dir.path().join("out"), &policy, &mut Square, &mut |done, of| told.push((done, of)));
    let report = report.unwrap();
    assert!(told.is_sorted() && told.last().is_some_and(|(done, of)| done == of), "{told:?}");
    let found = report.regions["/camera/front"][&RegionKind::Faces];
    assert_eq!((report.pictures, found.blurred >= PICTURES, found.followed), (PICTURES, true, 1), "{report:?}");
    assert_eq!(report.omitted, ["/camera/left"]);

    let before: Vec<_> = everything(&source).into_iter().filter(|m| m.0 != "/camera/left").collect();
    let after = everything(&report.path);
    assert_eq!(before.len(), after.len());
    let mut decoder = openh264::decoder::Decoder::new().unwrap();
    for (was, is) in before.iter().zip(&after) {
        assert_eq!((&was.0, was.1, was.2, was.3), (&is.0, is.1, is.2, is.3));
        if was.0 != "/camera/front" {
            assert_eq!(was.4, is.4);
            continue;
        }
        let content: foxglove::CompressedVideo = prost::Message::decode(is.4.clone()).unwrap();
        let picture = decoder.decode(&content.data).unwrap().unwrap();
        let (luma, stride) =
            (openh264::formats::YUVSource::y(&picture), openh264::formats::YUVSource::strides(&picture).0);
        let x = 24 + was.1 as usize;
        let seen: Vec<u8> = (34..56).flat_map(|y| luma[y * stride + x..y * stride + x + 22].to_vec()).collect();
        let spread = seen.iter().max().unwrap() - seen.iter().min().unwrap();
        assert!(spread < 100, "picture {}: {spread}", was.1);
    }
    let reader = EpisodeReader::open(&report.path).unwrap();
    assert_eq!(reader.info(), EpisodeReader::open(&source).unwrap().info());
    let record = reader.metadata("privacy").unwrap();
    assert_eq!((record["blur"].as_str(), record["detector"].as_str()), ("faces", "square"));
    assert_eq!(record["source_sha256"], recorder::signature::sum(&source).unwrap().1);
    assert_eq!(record["regions /camera/front"], "faces 1");

    // Once more, of the redacted one: what was done before is not forgotten.
    let again = RedactionPolicy { omit: BTreeSet::from(["/camera/front".to_owned()]), ..RedactionPolicy::default() };
    let second = redact(&report.path, &dir.path().join("again"), &again, &mut |_, _| ()).unwrap();
    let record = EpisodeReader::open(&second.path).unwrap().metadata("privacy").unwrap();
    assert!(record["before"].contains("square") && record["omitted"] == "/camera/front", "{record:?}");
}

#[test]
fn without_its_model_nothing_passes_and_the_error_says_how_to_get_it() {
    let nowhere = [PathBuf::from("/nowhere")];
    let error = BuiltInDetector::load_from(&faces().blur, &nowhere).err().unwrap().to_string();
    assert!(error.contains("apt-get install") && error.contains("opencv-data"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    for text in ["", "<a/>", "<opencv_storage><cascade><featureType>LBP</featureType></cascade></opencv_storage>"] {
        std::fs::write(dir.path().join("haarcascade_frontalface_alt2.xml"), text).unwrap();
        let error = BuiltInDetector::load_from(&faces().blur, &[dir.path().to_owned()]).err().unwrap();
        assert!(matches!(error, PrivacyError::Model { .. }), "{error}");
    }
}

fn refused(films: &[(&'static Topic, &[Vec<u8>])], format: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let source = episode(dir.path(), films, format);
    let out = dir.path().join("out");
    let error = redact_with(&source, &out, &faces(), &mut Square, &mut |_, _| ()).unwrap_err().to_string();
    let left = out.read_dir().map_or(0, Iterator::count);
    assert_eq!(left, 0, "{error}");
    // Without blurring nobody has to understand the pictures; a preview says what is wrong.
    let all = RedactionPolicy { omit: BTreeSet::from(["/camera/left".to_owned()]), ..RedactionPolicy::default() };
    redact(&source, &out, &all, &mut |_, _| ()).unwrap();
    let preview = preview::make(&source, &out).unwrap();
    assert!(preview.video.is_none() && preview.no_video.is_some() && preview.state.exists());
    error
}

#[test]
fn pictures_that_cannot_be_looked_at_are_refused_with_topic_and_time() {
    let whole = pictures();
    let mut cut = whole.clone();
    cut[7].truncate(9);
    let mut empty = whole.clone();
    empty[3].clear();
    // A parameter set of 16384x16384 pixels: baseline, number 0, order by picture, 1024 macroblocks each way.
    let huge = [0, 0, 0, 1, 0x67, 66, 0xc0, 30, 0xda, 0x00, 0x10, 0x00, 0x00, 0x80, 0x19];
    let mut large = whole.clone();
    large[0].splice(0..0, huge);
    for (pictures, what) in [
        (cut, "at 800000000 ns"),
        (empty, "at 400000000 ns"),
        (large, "at 100000000 ns"),
        (whole[1..].to_vec(), "no keyframe"),
        (vec![vec![7; 100]; 3], "no keyframe"),
    ] {
        let error = refused(&[(&topics::CAMERA_FRONT, &pictures)], "h264");
        assert!(error.contains("/camera/front at ") && error.contains(what), "{what}: {error}");
    }
    let error = refused(&[(&topics::CAMERA_FRONT, &whole)], "av1");
    assert!(error.contains("av1"), "{error}");
}

#[test]
fn a_file_that_is_there_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let source = episode(dir.path(), &[], "h264");
    let before = std::fs::read(&source).unwrap();
    let policy = RedactionPolicy { omit: BTreeSet::from(["/scan".to_owned()]), ..RedactionPolicy::default() };
    let error = redact(&source, dir.path(), &policy, &mut |_, _| ()).unwrap_err().to_string();
    assert!(error.contains("exists already"), "{error}");
    assert_eq!(std::fs::read(&source).unwrap(), before);
}

#[test]
fn a_preview_is_small_and_says_what_the_episode_is() {
    let dir = tempfile::tempdir().unwrap();
    let pictures = pictures();
    let source = episode(dir.path(), &[(&topics::CAMERA_FRONT, &pictures)], "h264");
    let made = preview::make(&source, &dir.path().join("out")).unwrap();
    let video = std::fs::read(made.video.unwrap()).unwrap();
    assert_eq!(&video[4..8], b"ftyp");
    assert!(video.len() < 100_000, "{}", video.len());
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(made.state).unwrap()).unwrap();
    assert_eq!((state["video"]["pictures"].as_u64(), state["video"]["fps"].as_u64()), (Some(PICTURES), Some(10)));
    let states = state["states"].as_array().unwrap();
    assert_eq!(states.len(), 3, "one a second of 2.4 s");
    assert_eq!(states[1]["speed_mps"].as_f64(), Some(7.5));
    // Again, in place of the first.
    preview::make(&source, &dir.path().join("out")).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_damage_to_pictures_gives_a_film_or_an_error(places in prop::collection::vec((0..4_usize, 0.0..1.0_f64, any::<u8>()), 1..6)) {
        let mut pictures = pictures();
        pictures.truncate(4);
        for (picture, place, value) in places {
            let data = &mut pictures[picture];
            let at = (place * data.len() as f64) as usize;
            data[at] = value;
        }
        let dir = tempfile::tempdir().unwrap();
        let source = episode(dir.path(), &[(&topics::CAMERA_FRONT, &pictures)], "h264");
        struct Blind;
        impl Detector for Blind {
            fn name(&self) -> String { "blind".into() }
            fn look(&mut self, picture: &LumaPicture<'_>) -> Result<Vec<Region>, String> {
                BuiltInDetector::load(&BTreeSet::from([RegionKind::Plates])).map_err(|e| e.to_string())?.look(picture)
            }
        }
        match redact_with(&source, &dir.path().join("out"), &faces(), &mut Blind, &mut |_, _| ()) {
            Ok(report) => prop_assert_eq!(report.pictures, 4),
            Err(error) => prop_assert!(error.to_string().contains("/camera/front"), "{}", error),
        }
        preview::make(&source, dir.path()).unwrap();
    }
}
