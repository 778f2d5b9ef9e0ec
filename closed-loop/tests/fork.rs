//! A drive that is forked: both go on to the same bytes, and what is changed in a fork changes it alone.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

#[path = "fork/necessity.rs"]
mod necessity;

use closed_loop::virtual_drive::{LinkModel, Recording, TripLoop, TripPlan};
use closed_loop::{ActionNoise, ClosedLoop, LoopDriver, LoopFaults, LoopLink, LoopSeat};
use policy::Policy;
use protocol::v1::{Author, Mode};
use protocol::{Embodiment, PolicyVersion, VehicleId};
use sim::difficulty::Difficulty;
use sim::road::RoadNetwork;
use sim::world::WorldConfig;
use std::sync::Arc;
use vehicle_core::CoreConfig;
use vehicle_core::mileage::TakeoverEntry;

/// A trip with an untrained policy, which is taken over again and again.
fn trip(assists: bool) -> TripLoop {
    let car = Embodiment::ackermann_car();
    let plan = TripPlan {
        id: "fork".into(),
        vehicle: VehicleId::new("virtual-1").unwrap(),
        network: Arc::new(RoadNetwork::built_in("soderleden").unwrap()),
        world: WorldConfig {
            seed: 5,
            traffic_per_km: 15.0,
            difficulties: Difficulty::ALL.to_vec(),
            difficulty_spacing_m: 150.0,
            ..WorldConfig::default()
        },
        link: LinkModel { loss: 0.05, ..LinkModel::default() },
        core: CoreConfig { self_check_us: 500_000, ..CoreConfig::default() },
        max_time_s: 60.0,
        recording: Recording::Off,
        assists,
        turn: None,
        starts_at_s: 0,
        necessity: None,
    };
    let policy = Policy::untrained(&car, PolicyVersion::new("v0").unwrap(), 2).unwrap();
    plan.closed_loop(policy.clone(), policy).unwrap()
}

/// Drives on for `ticks` and returns everything that is said of it.
fn drive_on<S: LoopSeat, D: LoopDriver, L: LoopLink, F: LoopFaults>(
    running: &mut ClosedLoop<S, D, L, F>,
    ticks: usize,
) -> Vec<protocol::Message> {
    let mut messages = Vec::new();
    for _ in 0..ticks {
        let entries = running.step();
        running.encode(&mut |message| messages.push(message));
        for entry in entries {
            let (TakeoverEntry::Begin { event, .. } | TakeoverEntry::End { event, .. }) = entry;
            messages.push(running.encode_takeover(&event));
        }
    }
    messages
}

/// Where everything and everybody is.
fn place<D: LoopDriver>(running: &TripLoop<D>) -> String {
    let world = running.robot().world();
    format!("{:?} {:?} {:?} {:?}", world.ego(), world.actors(), running.tick(), running.mileage())
}

#[test]
fn a_fork_at_any_tick_drives_on_to_the_same_messages_and_states() {
    let mut original = trip(false);
    let mut authors = Vec::new();
    // In the self-check, under the policy, on the way to a takeover, at the wheel: 37 is no multiple of any period.
    for _ in 0..40 {
        drive_on(&mut original, 37);
        let mut fork = original.fork();
        let mut later = fork.fork();
        let mut twin = original.fork();
        let (messages, state) = (drive_on(&mut twin, 150), place(&twin));
        assert_eq!((drive_on(&mut fork, 150), place(&fork)), (messages.clone(), state), "{} us", original.now_us());
        drive_on(&mut later, 75);
        let mut again = later.fork();
        assert!(messages.ends_with(&drive_on(&mut again, 75)), "a fork of a fork, {} us", original.now_us());
        authors.push(original.tick().authority.author());
    }
    let all = [Author::Fallback, Author::Policy, Author::Operator];
    assert!(all.iter().all(|author| authors.contains(author)), "{authors:?}");
    // Forks do nothing to the original.
    let mut unforked = trip(false);
    drive_on(&mut unforked, 40 * 37);
    assert_eq!(place(&original), place(&unforked));
    assert_eq!(drive_on(&mut original, 200), drive_on(&mut unforked, 200));
}

#[test]
fn without_the_human_the_policy_drives_on_from_any_tick() {
    let mut original = trip(false);
    let mut at_the_wheel = 0;
    while original.now_us() < 30_000_000 {
        drive_on(&mut original, 61);
        let author = original.tick().authority.author();
        let policy_drives = author != Author::Fallback;
        at_the_wheel += usize::from(author == Author::Operator);
        let mut alone = original.fork().without_human();
        for _ in 0..200 {
            drive_on(&mut alone, 1);
            let authority = &alone.tick().authority;
            assert_ne!(authority.author(), Author::Operator);
            assert_eq!(authority.author() == Author::Policy, policy_drives, "{authority:?}, {} us", alone.now_us());
            assert_eq!(alone.core().authority().granted_seat(), None);
        }
    }
    assert!(at_the_wheel > 5, "{at_the_wheel}");
    let mut assisted = trip(true);
    while assisted.tick().authority.mode() != Mode::Assist {
        drive_on(&mut assisted, 10);
    }
    let mut alone = assisted.fork().without_human();
    drive_on(&mut alone, 2);
    assert_eq!(alone.tick().authority.mode(), Mode::Monitor);
}

#[test]
fn a_reseeded_fork_has_a_future_of_its_own_and_the_same_one_each_time() {
    let mut original = trip(false);
    drive_on(&mut original, 400);
    let future = |seed: Option<u64>, noise: f64| {
        let mut fork = original.fork();
        fork.set_noise((noise > 0.0).then(|| ActionNoise::new(noise, 0)));
        seed.into_iter().for_each(|seed| fork.reseed(seed));
        let mut alone = fork.without_human();
        let messages = drive_on(&mut alone, 500);
        (messages, format!("{:?}", alone.robot().world().actors()), *alone.robot().world().ego())
    };
    let own = future(None, 0.0);
    assert_eq!(own, future(None, 0.0));
    let one = future(Some(1), 0.0);
    assert_eq!(one, future(Some(1), 0.0));
    assert!(one.1 != own.1 && one.1 != future(Some(2), 0.0).1, "the others drive differently");
    let noisy = future(Some(1), 0.05);
    assert_eq!(noisy, future(Some(1), 0.05));
    assert_ne!(noisy.2, one.2);
    assert_ne!(noisy.2, future(Some(3), 0.05).2);
}
