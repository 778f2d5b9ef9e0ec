//! All streams that one end hears, together.

use super::audio_sender::capture_of;
use super::{AudioFrame, AudioPacketIn, AudioStats, FRAME_SAMPLES, FRAME_US, Playout};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever has not listened for this long goes on with what is said now, microseconds.
const MISSED_US: u64 = 100_000;

struct RemoteAudio {
    name: String,
    /// Timestamps are readings of the vehicle's clock.
    timed: bool,
    playout: Playout,
}

#[derive(Default)]
struct State {
    speakers: BTreeMap<String, RemoteAudio>,
    due_us: u64,
    /// Of speakers that left.
    gone: AudioStats,
}

/// Shared between the tasks that receive and the one that listens; locked for moments only.
#[derive(Default)]
pub(crate) struct Listener(Mutex<State>);

impl Listener {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins; `timed` when its timestamps are readings of the vehicle's clock.
    pub(crate) fn add(&self, key: &str, name: &str, timed: bool) {
        match Playout::new() {
            Ok(playout) => {
                let remote = RemoteAudio { name: name.to_owned(), timed, playout };
                self.lock().speakers.insert(key.to_owned(), remote);
            }
            Err(error) => tracing::error!(%error, remote = name, "cannot be heard"),
        }
    }

    /// A stream is over.
    pub(crate) fn remove(&self, key: &str) {
        let mut state = self.lock();
        if let Some(remote) = state.speakers.remove(key) {
            state.gone.add(&AudioStats { delay_us: 0, ..remote.playout.stats() });
        }
    }

    /// A packet of a stream came.
    pub(crate) fn push(&self, key: &str, now_us: u64, packet: AudioPacketIn) {
        if let Some(remote) = self.lock().speakers.get_mut(key) {
            remote.playout.push(now_us, packet);
        }
    }

    /// A packet of another payload type came.
    pub(crate) fn count_malformed(&self, key: &str) {
        if let Some(remote) = self.lock().speakers.get_mut(key) {
            remote.playout.count_malformed();
        }
    }

    /// A packet of a seat that may only watch came.
    pub(crate) fn count_refused(&self) {
        self.lock().gone.refused += 1;
    }

    pub(crate) fn stats(&self) -> AudioStats {
        let state = self.lock();
        let mut sum = state.gone;
        state.speakers.values().for_each(|remote| sum.add(&remote.playout.stats()));
        sum
    }

    /// The next frame if it is time for it and anybody speaks. `vehicle_us` is the vehicle's clock now.
    pub(crate) fn pull(&self, now_us: u64, vehicle_us: Option<u64>) -> Option<AudioFrame> {
        let mut state = self.lock();
        if now_us < state.due_us {
            return None;
        }
        if now_us > state.due_us + MISSED_US {
            state.due_us = now_us;
        }
        let due_us = state.due_us;
        state.due_us += FRAME_US;
        let mut sum = [0i32; FRAME_SAMPLES];
        let (mut speakers, mut age_us) = (Vec::new(), None);
        for remote in state.speakers.values_mut() {
            let Some(played) = remote.playout.pull(due_us) else { continue };
            sum.iter_mut().zip(played.samples.iter()).for_each(|(sum, sample)| *sum += i32::from(*sample));
            speakers.push(remote.name.clone());
            if let Some(vehicle_us) = vehicle_us.filter(|_| remote.timed) {
                let age = vehicle_us.saturating_sub(capture_of(played.timestamp, vehicle_us));
                age_us = age_us.max(Some(age));
            }
        }
        if speakers.is_empty() {
            return None;
        }
        let samples = Box::new(sum.map(|sample| sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16));
        Some(AudioFrame { samples, due_us, speakers, age_us })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{AudioSender, tone};

    #[test]
    fn two_speakers_are_heard_together_and_the_one_who_leaves_no_more() {
        let listener = Listener::default();
        let voices = [("a", 440.0), ("b", 1_000.0)];
        voices.iter().for_each(|(name, _)| listener.add(name, name, true));
        let mut senders = voices.map(|_| AudioSender::new().unwrap());
        let mut heard: Vec<i16> = Vec::new();
        let mut push = |frame: u64, only: usize| {
            for (voice, (name, hertz)) in voices.iter().enumerate().take(only) {
                let packet = senders[voice].say(frame * FRAME_US, &tone::frame(*hertz, frame)).unwrap().unwrap();
                let packet =
                    AudioPacketIn { sequence: frame as u16, timestamp: packet.timestamp, payload: packet.payload };
                listener.push(name, frame * FRAME_US + 5_000, packet);
            }
        };
        for frame in 0..100 {
            push(frame, 2);
            let now_us = frame * FRAME_US + 6_000;
            if let Some(played) = listener.pull(now_us, Some(now_us)) {
                assert!(frame < 3 || (played.speakers.len() == 2 && played.age_us.unwrap() < 60_000), "{played:?}");
                heard.extend(played.samples.iter());
            }
            assert_eq!(listener.pull(now_us + 1_000, None), None, "only one frame every 20 ms");
        }
        let newest = &heard[heard.len() - 48_000..];
        assert!(tone::share(newest, 440.0) > 0.25 && tone::share(newest, 1_000.0) > 0.25);
        listener.remove("b");
        push(100, 1);
        assert_eq!(listener.pull(100 * FRAME_US + 6_000, None).unwrap().speakers, ["a"]);
        assert_eq!(listener.stats().received, 201);
    }
}
