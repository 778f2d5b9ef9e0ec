//! A speaker, a path with seeded faults, a listener, in virtual time.

use crate::audio::{AudioDecoder, AudioPacketIn, AudioSender, AudioStats, FRAME_US, Playout, tone};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const HERTZ: f64 = 440.0;

#[derive(Clone, Copy)]
struct Path {
    seed: u64,
    loss: f64,
    jitter_us: u64,
    duplicates: f64,
    /// The speaker says nothing in the second half of each so many frames.
    pause_frames: u64,
}

impl Default for Path {
    fn default() -> Self {
        Self { seed: 1, loss: 0.0, jitter_us: 0, duplicates: 0.0, pause_frames: 0 }
    }
}

struct Heard {
    stats: AudioStats,
    samples: Vec<i16>,
    /// From capture to ear, of each frame.
    ages_us: Vec<u64>,
    lost: u64,
    /// Of those, with a copy in a next packet that came.
    recoverable: u64,
}

/// Runs `frames` frames over a path of 30 ms.
fn listen(path: Path, frames: u64) -> Heard {
    let mut rng = ChaCha8Rng::seed_from_u64(path.seed);
    let mut audio_sender = AudioSender::new().unwrap();
    let mut playout = Playout::new().unwrap();
    let mut flying: Vec<(u64, AudioPacketIn)> = Vec::new();
    let mut heard =
        Heard { stats: AudioStats::default(), samples: Vec::new(), ages_us: Vec::new(), lost: 0, recoverable: 0 };
    let mut lost_before = false;
    let mut sequence = u16::MAX - 50;
    for now_us in (0..frames * FRAME_US).step_by(1_000) {
        if now_us.is_multiple_of(FRAME_US) {
            let frame = now_us / FRAME_US;
            let speaks = path.pause_frames == 0 || frame % path.pause_frames < path.pause_frames / 2;
            let pcm = if speaks { tone::frame(HERTZ, frame) } else { [0; 960] };
            if let Some(sent) = audio_sender.say(now_us, &pcm).unwrap() {
                sequence = sequence.wrapping_add(1);
                let packet = AudioPacketIn { sequence, timestamp: sent.timestamp, payload: sent.payload };
                let copies = 1 + u64::from(rng.random_bool(path.duplicates));
                let lost = rng.random_bool(path.loss);
                heard.recoverable += u64::from(!lost && lost_before && AudioDecoder::carries_copy(&packet.payload));
                lost_before = lost;
                match lost {
                    true => heard.lost += 1,
                    false => (0..copies).for_each(|_| {
                        let late_us = if path.jitter_us > 0 { rng.random_range(0..path.jitter_us) } else { 0 };
                        flying.push((now_us + 30_000 + late_us, packet.clone()));
                    }),
                }
            }
        }
        flying.sort_by_key(|(due_us, _)| *due_us);
        let due = flying.iter().take_while(|(due_us, _)| *due_us <= now_us).count();
        flying.drain(..due).for_each(|(_, packet)| playout.push(now_us, packet));
        if now_us % FRAME_US == 7_000
            && let Some(played) = playout.pull(now_us)
        {
            heard.samples.extend(played.samples.iter());
            heard.ages_us.push(now_us.saturating_sub(u64::from(played.timestamp) * 1_000 / 48));
        }
    }
    heard.stats = playout.stats();
    heard
}

#[test]
fn a_steady_path_is_heard_whole_with_the_least_delay() {
    let heard = listen(Path::default(), 500);
    let stats = heard.stats;
    assert_eq!((stats.concealed, stats.late, stats.recovered, stats.skipped, stats.stretched), (0, 0, 0, 0, 0));
    assert!(stats.played >= 495, "{stats:?}");
    assert!(heard.ages_us.iter().all(|age| *age <= 80_000), "{:?}", heard.ages_us);
    let newest = &heard.samples[heard.samples.len() - 48_000..];
    assert!(tone::share(newest, HERTZ) > 0.8, "{}", tone::share(newest, HERTZ));
}

#[test]
fn with_a_tenth_lost_every_copy_is_used_and_the_rest_concealed() {
    for seed in 1..4 {
        let heard = listen(Path { seed, loss: 0.1, ..Path::default() }, 1_500);
        let stats = heard.stats;
        // A tone is no speech to the codec, which copies only every other frame of it.
        assert!(heard.recoverable > 40, "seed {seed}: {}", heard.recoverable);
        assert!(stats.recovered + 4 >= heard.recoverable, "seed {seed}: {} {stats:?}", heard.recoverable);
        assert!(stats.recovered + stats.concealed <= heard.lost + 4, "seed {seed}: {} {stats:?}", heard.lost);
        assert!(stats.concealed_share() < 0.08, "seed {seed}: {} {stats:?}", stats.concealed_share());
        let newest = &heard.samples[heard.samples.len() - 48_000..];
        assert!(tone::share(newest, HERTZ) > 0.6, "seed {seed}: {}", tone::share(newest, HERTZ));
    }
}

#[test]
fn the_delay_follows_the_jitter_and_late_packets_become_few() {
    let calm = listen(Path::default(), 1_000).stats;
    let rough = listen(Path { jitter_us: 70_000, ..Path::default() }, 1_500);
    assert!(calm.delay_us < rough.stats.delay_us, "{} and {}", calm.delay_us, rough.stats.delay_us);
    assert!((60_000..=100_000).contains(&rough.stats.delay_us), "{:?}", rough.stats);
    let missed = rough.stats.late + rough.stats.concealed;
    assert!(missed * 100 < 8 * 1_500, "{:?}", rough.stats);
}

#[test]
fn jitter_beyond_all_measure_does_not_make_the_delay_grow() {
    let heard = listen(Path { jitter_us: 400_000, ..Path::default() }, 1_500);
    assert_eq!(heard.stats.delay_us, 120_000);
    let newest = &heard.ages_us[heard.ages_us.len() - 500..];
    assert!(newest.iter().all(|age| *age < 30_000 + 120_000 + 70_000), "{newest:?}");
    assert!(heard.stats.late > 100, "{:?}", heard.stats);
}

#[test]
fn packets_that_come_twice_are_heard_once() {
    let stats = listen(Path { duplicates: 0.3, jitter_us: 15_000, ..Path::default() }, 500).stats;
    assert!(stats.duplicated > 100 && stats.played <= 500, "{stats:?}");
    assert!(stats.concealed_share() < 0.03, "{stats:?}");
}

#[test]
fn silence_is_not_taken_for_loss() {
    let heard = listen(Path { pause_frames: 100, ..Path::default() }, 1_000);
    let stats = heard.stats;
    assert!(stats.silent > 100, "{stats:?}");
    assert!(stats.concealed <= 25, "only what is unexplained yet: {stats:?}");
    assert_eq!(stats.late, 0, "{stats:?}");
}

#[test]
fn the_wait_becomes_short_again_when_the_path_does() {
    let mut audio_sender = AudioSender::new().unwrap();
    let mut playout = Playout::new().unwrap();
    let mut ages = Vec::new();
    let mut flying = Vec::new();
    for frame in 0..1_500u64 {
        let now_us = frame * FRAME_US;
        let packet = audio_sender.say(now_us, &tone::frame(HERTZ, frame)).unwrap().unwrap();
        let late_us = if frame < 300 { frame % 5 * 20_000 } else { 0 };
        let (sequence, timestamp) = (frame as u16, packet.timestamp);
        flying.push((now_us + 10_000 + late_us, AudioPacketIn { sequence, timestamp, payload: packet.payload }));
        flying.sort_by_key(|(due_us, _)| *due_us);
        let due = flying.iter().take_while(|(due_us, _)| *due_us <= now_us + 15_000).count();
        flying.drain(..due).for_each(|(due_us, packet)| playout.push(due_us, packet));
        if let Some(played) = playout.pull(now_us + 15_000) {
            ages.push((now_us + 15_000).saturating_sub(u64::from(played.timestamp) * 1_000 / 48));
        }
    }
    assert!(ages[250] > 80_000, "{}", ages[250]);
    assert!(ages[ages.len() - 1] <= 60_000, "{}", ages[ages.len() - 1]);
    assert!(playout.stats().skipped >= 1, "{:?}", playout.stats());
}
