//! Encoders of GStreamer: the same trait, pictures that our decoder takes.
#![cfg(feature = "gstreamer")]
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use video::{GstEncoder, H264Config, H264Decoder, I420, Reference, VideoEncoder, VideoError};

const WIDTH: usize = 322;
const HEIGHT: usize = 180;

fn pictures(encoder: &mut GstEncoder, range: std::ops::Range<u64>, keyframe_at: Option<u64>) -> Vec<(usize, bool)> {
    let chroma = vec![128; WIDTH * HEIGHT / 4];
    let mut decoder = H264Decoder::new().unwrap();
    range
        .map(|i| {
            let noise = |p: usize| ((p as u64).wrapping_mul(2_654_435_761 + i * 97) >> 13) as u8 & 31;
            let y: Vec<u8> = (0..WIDTH * HEIGHT).map(|p| (p % WIDTH + i as usize) as u8 / 2 + 40 + noise(p)).collect();
            let picture = I420 { width: WIDTH, height: HEIGHT, y: &y, u: &chroma, v: &chroma };
            let reference = if keyframe_at == Some(i) { Reference::Acknowledged } else { Reference::Previous };
            let frame = encoder.encode(picture, i * 33_333, reference).unwrap().unwrap();
            assert_eq!(frame.capture_us, i * 33_333);
            if frame.keyframe || i > 0 {
                let decoded = decoder.decode(&frame.data).unwrap().unwrap();
                let error: u64 = decoded.y.iter().zip(&y).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
                assert!(error < y.len() as u64 * 12, "picture {i} is off by {}", error / y.len() as u64);
            }
            (frame.data.len(), frame.keyframe)
        })
        .collect()
}

#[test]
fn each_encoder_on_the_cpu_follows_the_trait() {
    for name in ["x264enc", "openh264enc"] {
        let config =
            H264Config { keyframe_interval_s: None, bitrate_bps: 2_000_000, ..H264Config::new(WIDTH, HEIGHT, 30.0) };
        let mut encoder = GstEncoder::new(Some(name), config).unwrap();
        assert_eq!((encoder.element(), encoder.size()), (name, (WIDTH, HEIGHT)));
        let rich = pictures(&mut encoder, 0..60, Some(40));
        for (i, (_, keyframe)) in rich.iter().enumerate() {
            assert_eq!(*keyframe, [0, 40].contains(&i), "{name} picture {i}");
        }
        encoder.set_bitrate(300_000).unwrap();
        // The decoder restarts.
        let poor = pictures(&mut encoder, 60..120, Some(60));
        let bytes = |frames: &[(usize, bool)]| frames.iter().map(|(bytes, _)| bytes).sum::<usize>();
        assert!(bytes(&poor[30..]) * 2 < bytes(&rich[10..40]), "{name}");
        encoder.set_keyframe_interval(Some(0.5)).unwrap();
        let keyframes = pictures(&mut encoder, 120..180, Some(120)).iter().filter(|(_, keyframe)| *keyframe).count();
        assert_eq!(keyframes, 4, "{name}");
    }
}

#[test]
fn an_element_that_is_not_there_is_named() {
    let config = H264Config::new(WIDTH, HEIGHT, 30.0);
    let error = GstEncoder::new(Some("magich264enc"), config).unwrap_err();
    assert!(matches!(error, VideoError::Gstreamer { element, .. } if element == "magich264enc"));
}
