//! Packets from a peer that means harm: counted, never a panic, never growth.

use crate::audio::{AudioDecoder, AudioPacketIn, AudioSender, FRAME_US, Playout, tone};
use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A random or damaged packet.
fn packet(rng: &mut ChaCha8Rng, good: &[Bytes]) -> Vec<u8> {
    let mut bytes = good[rng.random_range(0..good.len())].to_vec();
    match rng.random_range(0..4) {
        0 => bytes = (0..rng.random_range(0..400)).map(|_| rng.random()).collect(),
        1 => bytes.truncate(rng.random_range(0..=bytes.len())),
        2 => bytes.extend((0..rng.random_range(0..2_000)).map(|_| rng.random::<u8>())),
        _ => {}
    }
    for _ in 0..rng.random_range(0..5) {
        let length = bytes.len();
        if length > 0 {
            bytes[rng.random_range(0..length)] ^= 1 << rng.random_range(0..8);
        }
    }
    bytes
}

fn good() -> Vec<Bytes> {
    let mut audio_sender = AudioSender::new().unwrap();
    (0..50).filter_map(|n| audio_sender.say(n * FRAME_US, &tone::frame(440.0, n)).unwrap()).map(|p| p.payload).collect()
}

#[test]
fn random_payloads_are_refused_or_decoded_and_the_decoder_goes_on() {
    let (good, mut rng) = (good(), ChaCha8Rng::seed_from_u64(7));
    let mut decoder = AudioDecoder::new().unwrap();
    let mut refused = 0;
    for _ in 0..20_000 {
        let bytes = packet(&mut rng, &good);
        let _ = AudioDecoder::carries_copy(&bytes);
        let done = if rng.random_bool(0.2) { decoder.recover(&bytes) } else { decoder.decode(&bytes) };
        match done {
            Ok(samples) => assert!(samples.len() <= 5_760),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 1_000, "{refused}");
    assert_eq!(decoder.decode(&good[10]).unwrap().len(), 960);
}

#[test]
fn random_sequences_and_times_neither_grow_the_buffer_nor_stop_it() {
    let (good, mut rng) = (good(), ChaCha8Rng::seed_from_u64(8));
    let mut playout = Playout::new().unwrap();
    let mut now_us = 0;
    for _ in 0..20_000 {
        now_us += rng.random_range(0..40_000);
        let near = rng.random_bool(0.5);
        let timestamp = if near { (now_us * 48 / 1_000) as u32 } else { rng.random() };
        let sequence = if near { (now_us / FRAME_US) as u16 } else { rng.random() };
        playout.push(now_us, AudioPacketIn { sequence, timestamp, payload: packet(&mut rng, &good).into() });
        if rng.random_bool(0.7) {
            playout.pull(now_us);
        }
    }
    let stats = playout.stats();
    assert!(stats.malformed > 100 && stats.restarts > 100 && stats.received == 20_000, "{stats:?}");
    // An honest stream is heard again.
    let played = stats.played;
    for (frame, payload) in (0..50u64).zip(good.iter().cycle()) {
        now_us += FRAME_US;
        playout.push(
            now_us,
            AudioPacketIn { sequence: frame as u16, timestamp: frame as u32 * 960, payload: payload.clone() },
        );
        playout.pull(now_us);
    }
    assert!(playout.stats().played > played + 40, "{:?}", playout.stats());
}

#[test]
fn nobody_listening_costs_a_bounded_amount() {
    let good = good();
    let mut playout = Playout::new().unwrap();
    for frame in 0..1_000u64 {
        let payload = good[frame as usize % good.len()].clone();
        playout
            .push(frame * FRAME_US, AudioPacketIn { sequence: frame as u16, timestamp: frame as u32 * 960, payload });
    }
    assert_eq!(playout.stats().overflowed, 1_000 - 64);
    // Who begins to listen then hears what is said now.
    let played = playout.pull(1_000 * FRAME_US).unwrap();
    assert!(played.timestamp >= 995 * 960, "{}", played.timestamp / 960);
}
