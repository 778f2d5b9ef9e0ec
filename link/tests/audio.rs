//! A tone each way over real sockets, heard at the other end.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::{Relay, SPEC, Vehicle, connected, seat, wait};
use link::audio::{AudioFrame, FRAME_SAMPLES, tone};
use link::{SeatLink, VehicleLink};
use tokio::runtime::Runtime;

const VEHICLE_HERTZ: f64 = 440.0;
const SEAT_HERTZ: f64 = 1_000.0;
const FRAME_US: u64 = 20_000;

/// Speaks a tone at an even pace, whenever asked, in one of the two directions.
struct Speaker {
    hertz: f64,
    next_us: Option<u64>,
    index: u64,
}

impl Speaker {
    fn new(hertz: f64) -> Self {
        Self { hertz, next_us: None, index: 0 }
    }

    fn speak(&mut self, now_us: u64, send: impl FnOnce(u64, &[i16; FRAME_SAMPLES])) {
        let next_us = *self.next_us.get_or_insert(now_us);
        if now_us >= next_us {
            send(next_us, &tone::frame(self.hertz, self.index));
            self.index += 1;
            self.next_us = Some(next_us + FRAME_US);
        }
    }
}

#[derive(Default)]
struct HeardAudio {
    samples: Vec<i16>,
    ages_us: Vec<u64>,
    speakers: Vec<String>,
}

impl HeardAudio {
    fn take(&mut self, frame: Option<AudioFrame>) {
        let Some(frame) = frame else { return };
        self.samples.extend(frame.samples.iter());
        self.ages_us.extend(frame.age_us);
        self.speakers = frame.speakers;
    }

    /// The newest second is this tone and no other.
    fn hears(&self, hertz: f64, other: f64) -> bool {
        let newest = self.samples.len().checked_sub(48_000).map(|from| &self.samples[from..]);
        newest.is_some_and(|pcm| tone::share(pcm, hertz) > 0.6 && tone::share(pcm, other) < 0.05)
    }

    fn median_ms(&self) -> f64 {
        let mut ages = self.ages_us.clone();
        ages.sort_unstable();
        ages.get(ages.len() / 2).map_or(f64::NAN, |us| *us as f64 / 1e3)
    }
}

fn converse(
    vehicle: &VehicleLink,
    seat: &SeatLink,
    what: &str,
    both: bool,
    done: impl Fn(&HeardAudio, &HeardAudio) -> bool,
) -> (HeardAudio, HeardAudio) {
    let (mut vehicle_speaker, mut seat_speaker) = (Speaker::new(VEHICLE_HERTZ), Speaker::new(SEAT_HERTZ));
    let (mut at_vehicle, mut at_seat) = (HeardAudio::default(), HeardAudio::default());
    wait(what, || {
        vehicle_speaker.speak(vehicle.now_us(), |at_us, pcm| vehicle.send_audio(at_us, pcm));
        if both {
            seat_speaker.speak(seat.now_us(), |at_us, pcm| seat.send_audio(at_us, pcm));
        }
        at_vehicle.take(vehicle.try_recv_audio());
        at_seat.take(seat.try_recv_audio());
        done(&at_vehicle, &at_seat).then_some(())
    });
    (at_vehicle, at_seat)
}

#[test]
fn a_tone_each_way_is_heard_at_the_other_end_beside_the_picture() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let seat = seat(&runtime, &relay.url(), "desk", false);
    connected(&seat);
    wait("the vehicle's clock", || seat.clock());
    assert_eq!((vehicle.link.try_recv_audio(), seat.try_recv_audio()), (None, None), "nobody has spoken");
    let (at_vehicle, at_seat) = converse(&vehicle.link, &seat, "a tone each way", true, |at_vehicle, at_seat| {
        at_vehicle.hears(SEAT_HERTZ, VEHICLE_HERTZ) && at_seat.hears(VEHICLE_HERTZ, SEAT_HERTZ)
    });
    assert_eq!((at_vehicle.speakers, at_seat.speakers), (vec!["desk".to_owned()], vec!["car".to_owned()]));
    assert!(!at_vehicle.ages_us.is_empty() && !at_seat.ages_us.is_empty());
    for (name, ages, stats) in [
        ("seat to vehicle", &at_vehicle.ages_us, vehicle.link.audio_stats()),
        ("vehicle to seat", &at_seat.ages_us, seat.audio_stats()),
    ] {
        assert!(ages.iter().all(|age| *age < 10_000_000), "{name}: {ages:?}");
        assert!(stats.played > 40 && stats.malformed == 0, "{name}: {stats:?}");
    }
    // Beside the sound, pictures go on.
    let before = seat.stats().pictures;
    wait("pictures beside the sound", || (seat.stats().pictures > before).then_some(()));
    assert!(vehicle.link.stats().frames_sent > 0);
    println!(
        "mouth to ear without sound cards, median: seat to vehicle {:.1} ms, vehicle to seat {:.1} ms; {:?}; {:?}",
        HeardAudio { ages_us: at_vehicle.ages_us, ..HeardAudio::default() }.median_ms(),
        HeardAudio { ages_us: at_seat.ages_us, ..HeardAudio::default() }.median_ms(),
        vehicle.link.audio_stats(),
        seat.audio_stats()
    );
}

#[test]
fn a_seat_that_only_watches_listens_and_is_not_heard() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let seat = seat(&runtime, &relay.url(), "visitor", true);
    connected(&seat);
    let (at_vehicle, _) = converse(&vehicle.link, &seat, "the vehicle heard by a watcher", true, |_, at_seat| {
        at_seat.hears(VEHICLE_HERTZ, SEAT_HERTZ)
    });
    assert!(at_vehicle.samples.is_empty());
}
