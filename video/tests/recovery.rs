//! Losses repaired from a long-term reference, encoder to decoder, without a network.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

use video::{EncodedFrame, H264Config, H264Decoder, H264Encoder, I420, Reference, VideoEncoder, VideoError};

mod draw;

use draw::draw;

const WIDTH: usize = 640;
const HEIGHT: usize = 360;
const STEP_US: u64 = 33_333;

fn luma(index: u64) -> Vec<u8> {
    let mut y = vec![0; WIDTH * HEIGHT];
    draw(&mut y, WIDTH, u32::try_from(index).unwrap());
    y
}

fn endless() -> H264Encoder {
    let config = H264Config { keyframe_interval_s: None, ..H264Config::new(WIDTH, HEIGHT, 30.0) };
    H264Encoder::new(config).unwrap()
}

fn encode(encoder: &mut H264Encoder, index: u64, reference: Reference) -> EncodedFrame {
    let chroma = vec![128; WIDTH * HEIGHT / 4];
    let picture = I420 { width: WIDTH, height: HEIGHT, y: &luma(index), u: &chroma, v: &chroma };
    encoder.encode(picture, index * STEP_US, reference).unwrap().unwrap()
}

/// Peak signal-to-noise ratio of the luma, decibels.
fn psnr(decoder: &mut H264Decoder, frame: &EncodedFrame) -> f64 {
    let picture = decoder.decode(&frame.data).unwrap().unwrap();
    let original = luma(frame.capture_us / STEP_US);
    let error: u64 = picture.y.iter().zip(&original).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    let mean = error as f64 / original.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

#[test]
fn a_loss_is_repaired_from_what_was_acknowledged_and_without_a_keyframe() {
    let (mut encoder, mut decoder) = (endless(), H264Decoder::new().unwrap());
    // Acknowledgements come back three pictures later; pictures 60 to 65 are lost, and so is what refers to them.
    let mut recovery = None;
    for i in 0..120u64 {
        let lost = (60..66).contains(&i);
        if i >= 3 && !(63..77).contains(&i) {
            encoder.acknowledge((i - 3) * STEP_US);
        }
        let reference = if i == 72 { Reference::Acknowledged } else { Reference::Previous };
        let frame = encode(&mut encoder, i, reference);
        assert_eq!(frame.keyframe, i == 0, "picture {i}");
        if i == 72 {
            recovery = frame.recovers_from_us;
        } else {
            assert_eq!(frame.recovers_from_us, None, "picture {i}");
        }
        if lost {
            continue;
        }
        if (66..72).contains(&i) {
            let refused = decoder.decode(&frame.data);
            assert!(matches!(refused, Err(VideoError::MissingReference { frame_num, .. }) if frame_num == i as u32));
            continue;
        }
        let quality = psnr(&mut decoder, &frame);
        assert!(quality > 30.0, "picture {i} has {quality:.1} dB");
    }
    let from = recovery.unwrap() / STEP_US;
    assert!((40..60).contains(&from), "recovered from picture {from}");
}

#[test]
fn recovery_works_again_and_again_whatever_was_lost() {
    let (mut encoder, mut decoder) = (endless(), H264Decoder::new().unwrap());
    let (mut broken, mut asked) = (false, None);
    let mut recoveries = 0;
    let mut acknowledged = Vec::new();
    for i in 0..900u64 {
        if let Some((at, capture_us)) = acknowledged.first().copied()
            && at <= i
        {
            acknowledged.remove(0);
            encoder.acknowledge(capture_us);
        }
        let reference = if asked == Some(i) { Reference::Acknowledged } else { Reference::Previous };
        let frame = encode(&mut encoder, i, reference);
        assert_eq!(frame.keyframe, i == 0, "picture {i}");
        broken &= frame.recovers_from_us.is_none();
        // Losses of one to three pictures every 11, now and then the recovery itself among them.
        if i > 5 && i % 11 < i / 100 % 3 + 1 || (i > 5 && frame.recovers_from_us.is_some() && i % 7 == 0) {
            broken = true;
            asked = Some(i + 4);
        } else if !broken {
            let quality = psnr(&mut decoder, &frame);
            assert!(quality > 30.0, "picture {i} has {quality:.1} dB");
            recoveries += usize::from(frame.recovers_from_us.is_some());
            acknowledged.push((i + 4, frame.capture_us));
        } else {
            assert!(decoder.decode(&frame.data).is_err(), "picture {i}");
            if asked.is_none_or(|at| at <= i) {
                asked = Some(i + 4);
            }
        }
    }
    assert!(recoveries > 40, "{recoveries} recoveries");
}

#[test]
fn without_an_acknowledgement_recovery_is_a_keyframe() {
    let mut encoder = endless();
    for i in 0..10 {
        encode(&mut encoder, i, Reference::Previous);
    }
    let frame = encode(&mut encoder, 10, Reference::Acknowledged);
    assert_eq!((frame.keyframe, frame.recovers_from_us), (true, None));
    // Of the pictures before that keyframe nothing can be used any more.
    encoder.acknowledge(9 * STEP_US);
    assert!(encode(&mut encoder, 11, Reference::Acknowledged).keyframe);
    encoder.acknowledge(11 * STEP_US);
    let frame = encode(&mut encoder, 12, Reference::Acknowledged);
    assert_eq!((frame.keyframe, frame.recovers_from_us), (false, Some(11 * STEP_US)));
}

#[test]
fn recovery_survives_the_wrap_of_the_frame_numbers() {
    const SIDE: usize = 64;
    let config = H264Config { keyframe_interval_s: None, ..H264Config::new(SIDE, SIDE, 30.0) };
    let (mut encoder, mut decoder) = (H264Encoder::new(config).unwrap(), H264Decoder::new().unwrap());
    let (mut y, chroma) = (vec![0; SIDE * SIDE], vec![128; SIDE * SIDE / 4]);
    // Frame numbers have 15 bits; around their end every sixth picture is lost and recovered from at once.
    for i in 0..33_000u64 {
        draw(&mut y, SIDE, u32::try_from(i).unwrap());
        let picture = I420 { width: SIDE, height: SIDE, y: &y, u: &chroma, v: &chroma };
        let near = (32_700..32_900).contains(&i);
        let reference = if near && i % 6 == 1 { Reference::Acknowledged } else { Reference::Previous };
        let frame = encoder.encode(picture, i * STEP_US, reference).unwrap().unwrap();
        assert_eq!((frame.keyframe, frame.recovers_from_us.is_some()), (i == 0, near && i % 6 == 1), "picture {i}");
        if !near || i % 6 != 0 {
            assert!(decoder.decode(&frame.data).unwrap().is_some(), "picture {i}");
            encoder.acknowledge(frame.capture_us);
        }
    }
}
