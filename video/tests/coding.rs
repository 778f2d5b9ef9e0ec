//! Encoding and decoding without a network.
#![allow(clippy::unwrap_used)]

use video::{
    DecodedPicture, H264Config, H264Decoder, H264Encoder, I420, Reference, VideoEncoder, VideoError, timecode,
};

mod draw;

use draw::draw;

struct Camera {
    width: usize,
    height: usize,
    y: Vec<u8>,
    chroma: Vec<u8>,
    frame: u32,
}

impl Camera {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, y: vec![0; width * height], chroma: vec![128; width * height / 4], frame: 0 }
    }

    fn next(&mut self, capture_us: u64) -> I420<'_> {
        draw(&mut self.y, self.width, self.frame);
        assert!(timecode::stamp(&mut self.y, self.width, self.height, self.frame, capture_us));
        self.frame += 1;
        I420 { width: self.width, height: self.height, y: &self.y, u: &self.chroma, v: &self.chroma }
    }
}

fn units(data: &[u8]) -> Vec<u8> {
    openh264::nal_units(data).map(|unit| unit.iter().skip_while(|b| **b == 0).nth(1).unwrap() & 0x1F).collect()
}

#[test]
fn the_timecode_survives_the_lowest_bitrates_in_every_size() {
    for (width, height, bps) in [(320, 180, 60_000), (640, 360, 120_000), (1280, 720, 300_000), (1920, 1080, 600_000)] {
        let mut camera = Camera::new(width, height);
        let config = H264Config { bitrate_bps: bps, ..H264Config::new(width, height, 30.0) };
        let (mut encoder, mut decoder) = (H264Encoder::new(config).unwrap(), H264Decoder::new().unwrap());
        for i in 0..45u32 {
            let capture_us = 1_234_567_890_123 + u64::from(i) * 33_333;
            let frame = encoder.encode(camera.next(capture_us), capture_us, Reference::Previous).unwrap().unwrap();
            let picture: DecodedPicture = decoder.decode(&frame.data).unwrap().unwrap();
            assert_eq!((picture.width, picture.height), (width, height));
            assert_eq!((picture.sequence, picture.capture_us), (i, capture_us), "{width}x{height} frame {i}");
        }
    }
}

#[test]
fn keyframes_come_once_a_second_and_when_asked_and_carry_their_parameter_sets() {
    let mut camera = Camera::new(320, 180);
    let mut encoder = H264Encoder::new(H264Config::new(320, 180, 30.0)).unwrap();
    for i in 0..90u64 {
        let reference = if i == 47 { Reference::Keyframe } else { Reference::Previous };
        let frame = encoder.encode(camera.next(i * 33_333), i * 33_333, reference).unwrap().unwrap();
        let types = units(&frame.data);
        assert_eq!(frame.keyframe, types.contains(&5));
        if frame.keyframe {
            assert_eq!(types[..3], [7, 8, 5]);
            // Constrained baseline: profile 66 with constraint flags 0 and 1.
            assert_eq!(frame.data[5..7], [66, 0xC0]);
        }
        assert_eq!(frame.keyframe, [0, 30, 47, 77].contains(&i), "frame {i}");
    }
}

#[test]
fn a_lower_bitrate_takes_effect_while_running_and_without_a_keyframe() {
    let mut camera = Camera::new(1280, 720);
    let config = H264Config { keyframe_interval_s: None, ..H264Config::new(1280, 720, 30.0) };
    let mut encoder = H264Encoder::new(config).unwrap();
    let mut second = |encoder: &mut H264Encoder, from: u64| -> (usize, usize) {
        (from..from + 60).fold((0, 0), |(bytes, keyframes), i| {
            let mut picture = camera.next(i * 33_333);
            // Noise: there is always something more to spend bits on.
            let noisy: Vec<u8> = picture
                .y
                .iter()
                .enumerate()
                .map(|(p, y)| y.wrapping_add(((p as u64).wrapping_mul(2_654_435_761 + i * 97) >> 13) as u8 & 31))
                .collect();
            picture.y = &noisy;
            let frame = encoder.encode(picture, i * 33_333, Reference::Previous).unwrap().unwrap();
            (bytes + frame.data.len(), keyframes + usize::from(frame.keyframe))
        })
    };
    second(&mut encoder, 0);
    let (rich, _) = second(&mut encoder, 60);
    encoder.set_bitrate(400_000).unwrap();
    second(&mut encoder, 120);
    let (poor, keyframes) = second(&mut encoder, 180);
    assert!(poor * 2 < rich, "{poor} after {rich} bytes");
    assert_eq!(keyframes, 0);
    encoder.set_bitrate(6_000_000).unwrap();
    second(&mut encoder, 240);
    let (rich, _) = second(&mut encoder, 300);
    assert!(rich > poor * 2, "{rich} after {poor} bytes");
}

#[test]
fn what_cannot_be_encoded_is_named() {
    for (config, part) in [
        (H264Config::new(321, 180, 30.0), "321x180"),
        (H264Config::new(320, 8, 30.0), "320x8"),
        (H264Config::new(320, 180, f64::NAN), "NaN"),
        (H264Config { bitrate_bps: 3, ..H264Config::new(320, 180, 30.0) }, "bitrate 3"),
        (H264Config { keyframe_interval_s: Some(-1.0), ..H264Config::new(320, 180, 30.0) }, "keyframe interval"),
    ] {
        let message = H264Encoder::new(config).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    let mut encoder = H264Encoder::new(H264Config::new(320, 180, 30.0)).unwrap();
    let y = [0; 10];
    let picture = I420 { width: 320, height: 180, y: &y, u: &y, v: &y };
    assert!(matches!(
        encoder.encode(picture, 0, Reference::Keyframe),
        Err(VideoError::Plane { plane: "y", got: 10, .. })
    ));
    assert!(encoder.set_bitrate(0).is_err());
}

#[test]
fn damaged_access_units_are_errors_or_nothing() {
    let mut camera = Camera::new(320, 180);
    let mut encoder = H264Encoder::new(H264Config::new(320, 180, 30.0)).unwrap();
    let mut decoder = H264Decoder::new().unwrap();
    let frame = encoder.encode(camera.next(0), 0, Reference::Previous).unwrap().unwrap();
    for cut in (0..frame.data.len()).step_by(7) {
        let _ = decoder.decode(&frame.data[..cut]);
    }
    let _ = decoder.decode(&[0, 0, 0, 1, 0x65, 0xFF, 0xFF, 0xFF]);
    let mut decoder = H264Decoder::new().unwrap();
    assert!(decoder.decode(&frame.data).unwrap().is_some());
}

/// Bytes and keyframes of pictures captured at `fps`, drawn with fine noise so that there is always more to spend bits on.
fn run(
    encoder: &mut H264Encoder,
    camera: &mut Camera,
    pictures: std::ops::Range<u64>,
    step_us: u64,
) -> Vec<(usize, bool)> {
    let start_us = u64::from(camera.frame) * 100_000;
    pictures
        .map(|i| {
            let capture_us = start_us + i * step_us;
            let mut picture = camera.next(capture_us);
            let noise = |p: usize| ((p as u64).wrapping_mul(2_654_435_761 + i * 97) >> 13) as u8 & 31;
            let noisy: Vec<u8> = picture.y.iter().enumerate().map(|(p, y)| y.wrapping_add(noise(p))).collect();
            picture.y = &noisy;
            let frame = encoder.encode(picture, capture_us, Reference::Previous).unwrap().unwrap();
            (frame.data.len(), frame.keyframe)
        })
        .collect()
}

#[test]
fn no_keyframe_takes_longer_to_send_than_six_pictures() {
    for bps in [1_000_000, 3_000_000] {
        let mut encoder = H264Encoder::new(H264Config { bitrate_bps: bps, ..H264Config::new(640, 360, 30.0) }).unwrap();
        let frames = run(&mut encoder, &mut Camera::new(640, 360), 0..150, 33_333);
        let average = bps as usize / 8 / 30;
        for (i, (bytes, keyframe)) in frames.iter().enumerate() {
            assert_eq!(*keyframe, i % 30 == 0, "picture {i}");
            assert!(*bytes < average * 6, "picture {i} of {bytes} bytes at {bps} bit/s");
        }
        let sent: usize = frames[30..].iter().map(|(bytes, _)| bytes).sum();
        assert!(sent < average * 120 * 11 / 10, "{sent} bytes at {bps} bit/s");
    }
}

#[test]
fn fewer_pictures_a_second_get_more_bits_each() {
    let config = H264Config { keyframe_interval_s: None, bitrate_bps: 800_000, ..H264Config::new(640, 360, 30.0) };
    let (mut encoder, mut camera) = (H264Encoder::new(config).unwrap(), Camera::new(640, 360));
    let thirty: usize = run(&mut encoder, &mut camera, 0..60, 33_333)[30..].iter().map(|(bytes, _)| bytes).sum();
    encoder.set_frame_rate(10.0).unwrap();
    let ten = run(&mut encoder, &mut camera, 0..60, 100_000);
    let bytes: usize = ten[30..].iter().map(|(bytes, _)| bytes).sum();
    assert!(bytes > thirty * 2 && bytes < thirty * 4, "{bytes} bytes after {thirty}");
    assert!(ten.iter().all(|(_, keyframe)| !keyframe));
    assert!(encoder.set_frame_rate(0.0).is_err());
}

#[test]
fn the_time_between_keyframes_changes_while_running() {
    let (mut encoder, mut camera) = (H264Encoder::new(H264Config::new(320, 180, 30.0)).unwrap(), Camera::new(320, 180));
    let mut keyframes = |encoder: &mut H264Encoder| {
        run(encoder, &mut camera, 0..90, 33_333).iter().filter(|(_, keyframe)| *keyframe).count()
    };
    assert_eq!(keyframes(&mut encoder), 3);
    encoder.set_keyframe_interval(None).unwrap();
    assert_eq!(keyframes(&mut encoder), 0);
    encoder.set_keyframe_interval(Some(0.5)).unwrap();
    // The first is long overdue.
    assert_eq!(keyframes(&mut encoder), 6);
    assert!(encoder.set_keyframe_interval(Some(0.0)).is_err());
    assert_eq!(encoder.size(), (320, 180));
}
