//! Time and size of encoded pictures: `encode_speed`, or `encode_speed FILE WIDTH HEIGHT` for a file of I420 pictures at
//! 30 a second. One thread; a keyframe every second, and a recovery from a long-term reference, acknowledged three
//! pictures late, in the middle of each.

use std::time::Instant;
use video::{H264Config, H264Decoder, H264Encoder, I420, Reference, VideoEncoder};

const FPS: usize = 30;
const SECONDS: usize = 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{HEADER}");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [file, width, height] = arguments.as_slice() {
        let (width, height) = (width.parse()?, height.parse()?);
        let pictures = std::fs::read(file)?;
        let take = |i: usize| pictures.chunks_exact(width * height * 3 / 2).nth(i).map(<[u8]>::to_vec);
        for bps in [1_000_000, 3_000_000, 6_000_000] {
            measure(width, height, bps, take)?;
        }
        return Ok(());
    }
    for (width, height) in [(854, 480), (1280, 720), (1920, 1080)] {
        let texture = texture(width, height);
        for bps in [1_000_000, 3_000_000, 6_000_000] {
            measure(width, height, bps, |i| Some(scene(&texture, width, height, i)))?;
        }
    }
    Ok(())
}

const HEADER: &str = "size      Mbit/s  sent | keyframe p50   max kB (frame times) | recovery p50 | others p50  p95   max kB | \
                      PSNR dB | encode p50  p95 ms | decode p50 ms";

fn measure(
    width: usize,
    height: usize,
    bps: u32,
    take: impl Fn(usize) -> Option<Vec<u8>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut encoder = H264Encoder::new(H264Config { bitrate_bps: bps, ..H264Config::new(width, height, FPS as f64) })?;
    let mut decoder = H264Decoder::new()?;
    let (mut keyframes, mut recoveries, mut others) = (vec![], vec![], vec![]);
    let (mut encode_ms, mut decode_ms, mut psnr) = (vec![], vec![], 0.0);
    for (i, picture) in (0..SECONDS * FPS).map_while(|i| Some((i, take(i)?))) {
        let (y, chroma) = picture.split_at(width * height);
        let (u, v) = chroma.split_at(chroma.len() / 2);
        let capture_us = i as u64 * 33_333;
        encoder.acknowledge(capture_us.saturating_sub(3 * 33_333));
        let reference = if i % FPS == FPS / 2 { Reference::Acknowledged } else { Reference::Previous };
        let start = Instant::now();
        let frame = encoder.encode(I420 { width, height, y, u, v }, capture_us, reference)?;
        encode_ms.push(start.elapsed().as_secs_f64() * 1e3);
        let Some(frame) = frame else { continue };
        let sizes = match (frame.keyframe, frame.recovers_from_us) {
            (true, _) => &mut keyframes,
            (_, Some(_)) => &mut recoveries,
            _ => &mut others,
        };
        sizes.push(frame.data.len() as f64 / 1e3);
        let decoded = decoder.decode(&frame.data)?.ok_or("no picture")?;
        decode_ms.push(decoded.decode_took_us as f64 / 1e3);
        let error: u64 = decoded.y.iter().zip(y).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
        psnr += 10.0 * (65_025.0 * y.len() as f64 / error.max(1) as f64).log10();
    }
    let pictures = encode_ms.len().max(1) as f64;
    let sent = [&keyframes, &recoveries, &others].into_iter().flatten().sum::<f64>() * 8e-3 * FPS as f64 / pictures;
    let frame_times = |kilobytes: f64| kilobytes * 8e3 * FPS as f64 / f64::from(bps);
    let largest = at(&mut keyframes, 1.0);
    println!(
        "{width:>4}x{height:<4} {:>6.1} {sent:>5.2} | {:>8.1} {largest:>9.1} ({:>5.1}, {:>5.1})    | {:>12.1} | {:>10.1} {:>5.1} {:>5.1}    | {:>7.2} | {:>10.1} {:>5.1} | {:>10.1}",
        f64::from(bps) / 1e6,
        at(&mut keyframes, 0.5),
        frame_times(at(&mut keyframes, 0.5)),
        frame_times(largest),
        at(&mut recoveries, 0.5),
        at(&mut others, 0.5),
        at(&mut others, 0.95),
        at(&mut others, 1.0),
        psnr / pictures,
        at(&mut encode_ms, 0.5),
        at(&mut encode_ms, 0.95),
        at(&mut decode_ms, 0.5),
    );
    Ok(())
}

fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(((values.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(0.0)
}

/// Twice as wide as a picture: detail of every size, as of a road, gravel and trees.
fn texture(width: usize, height: usize) -> Vec<u8> {
    let hash = |x: usize, y: usize, octave: usize| {
        let mut h = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77) ^ (octave as u32) << 27;
        h = (h ^ h >> 15).wrapping_mul(0x2C1B_3C6D);
        ((h ^ h >> 13) & 0xFF) as f32 - 127.5
    };
    let mut texture = Vec::with_capacity(2 * width * height);
    for row in 0..height {
        for x in 0..2 * width {
            let mut value = 120.0;
            for octave in 0..6 {
                let cell = 2usize << octave;
                let (fx, fy) = ((x % cell) as f32 / cell as f32, (row % cell) as f32 / cell as f32);
                let corner = |dx, dy| hash(x / cell + dx, row / cell + dy, octave);
                let top = corner(0, 0) * (1.0 - fx) + corner(1, 0) * fx;
                let bottom = corner(0, 1) * (1.0 - fx) + corner(1, 1) * fx;
                value += (top * (1.0 - fy) + bottom * fy) * 0.03 * (octave + 1) as f32;
            }
            texture.push(value.clamp(16.0, 235.0) as u8);
        }
    }
    texture
}

/// The texture moves faster towards the bottom, as the ground does before a vehicle; a bright block crosses it.
fn scene(texture: &[u8], width: usize, height: usize, index: usize) -> Vec<u8> {
    let mut picture = vec![128; width * height * 3 / 2];
    for (row, line) in picture[..width * height].chunks_exact_mut(width).enumerate() {
        let shift = (index * (2 + row * 12 / height)) % width;
        line.copy_from_slice(&texture[row * 2 * width + shift..][..width]);
        if (height / 3..height / 2).contains(&row) {
            let left = index * 9 % (width * 4 / 5);
            line[left..left + width / 8].fill(225);
        }
    }
    picture
}
