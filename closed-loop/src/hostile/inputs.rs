//! Inputs with one thing wrong.

use super::Sender::{Holder, Stranger};
use super::{Draw, Kind, corrupt};
use protocol::v1::OperatorInput;
use protocol::v1::Reason::{
    Malformed, NotFinite, NotInControl, OutOfLimits, OutOfSequence, PictureFrozen, Stale, WrongEpoch,
};
use rand::RngExt;

pub(super) const KINDS: &[Kind] = &[
    // The holder's name, its epoch, a newer sequence: from another session.
    corrupt(Stranger, "forged", NotInControl, |input, draw| input.sequence += draw.rng.random_range(1..1_000)),
    corrupt(Stranger, "forged_greatest_sequence", NotInControl, |input, _| input.sequence = u64::MAX),
    corrupt(Stranger, "forged_release", NotInControl, |input, _| input.deadman = false),
    corrupt(Stranger, "replayed", NotInControl, replay),
    corrupt(Holder, "duplicated", OutOfSequence, |input, draw| input.sequence = draw.honest_sequence),
    corrupt(Holder, "reordered", OutOfSequence, |input, draw| {
        input.sequence = draw.honest_sequence.saturating_sub(draw.rng.random_range(1..50));
    }),
    corrupt(Holder, "sequence_0", OutOfSequence, |input, _| input.sequence = 0),
    corrupt(Holder, "sequence_greatest", OutOfSequence, |input, draw| input.sequence = u64::MAX - below(draw, 3)),
    corrupt(Holder, "sequence_far_ahead", OutOfSequence, |input, draw| {
        input.sequence += draw.rng.random_range(2_000_000..u64::MAX / 4);
    }),
    corrupt(Holder, "epoch_earlier", WrongEpoch, |input, draw| {
        input.epoch = draw.epoch - draw.rng.random_range(1..=draw.epoch.min(100));
    }),
    corrupt(Holder, "epoch_later", WrongEpoch, |input, draw| input.epoch += draw.rng.random_range(1..1_000_000)),
    corrupt(Holder, "epoch_0", WrongEpoch, |input, _| input.epoch = 0),
    corrupt(Holder, "epoch_greatest", WrongEpoch, |input, draw| input.epoch = u64::MAX - below(draw, 3)),
    corrupt(Holder, "expired", Stale, |input, draw| input.seat_us -= draw.rng.random_range(1_000_000..9_000_000)),
    corrupt(Holder, "just_expired", Stale, |input, draw| input.seat_us -= draw.rng.random_range(300_000..1_000_000)),
    corrupt(Holder, "stamped_0", Stale, |input, _| input.seat_us = 0),
    corrupt(Holder, "stamped_ahead", Stale, |input, draw| {
        input.seat_us += draw.rng.random_range(5_000_000..1_000_000_000_000);
    }),
    corrupt(Holder, "stamped_latest", Malformed, |input, draw| input.seat_us = u64::MAX - below(draw, 3)),
    corrupt(Holder, "nan", NotFinite, |input, draw| *any_of(input, draw) = f64::NAN),
    // With a payload and the sign set.
    corrupt(Holder, "odd_nan", NotFinite, |input, draw| {
        *any_of(input, draw) = f64::from_bits(0xfff0_0000_0000_0000 | draw.rng.random_range(1..1 << 51));
    }),
    corrupt(Holder, "infinite", NotFinite, |input, draw| *any_of(input, draw) = f64::INFINITY),
    corrupt(Holder, "minus_infinite", NotFinite, |input, draw| *any_of(input, draw) = f64::NEG_INFINITY),
    corrupt(Holder, "beyond_limits", OutOfLimits, |input, draw| {
        *any_of(input, draw) = draw.rng.random_range(10.0..1e9);
    }),
    corrupt(Holder, "below_limits", OutOfLimits, |input, draw| {
        *any_of(input, draw) = draw.rng.random_range(-1e9..-10.0);
    }),
    corrupt(Holder, "greatest_value", OutOfLimits, |input, draw| *any_of(input, draw) = f64::MAX),
    corrupt(Holder, "just_beyond_limits", OutOfLimits, |input, draw| {
        let place = draw.rng.random_range(0..input.action.len());
        input.action[place] = draw.embodiment.action[place].max.next_up();
    }),
    corrupt(Holder, "empty", Malformed, |input, _| input.action.clear()),
    corrupt(Holder, "too_short", Malformed, |input, _| input.action.truncate(1)),
    corrupt(Holder, "too_long", Malformed, |input, draw| {
        input.action.resize(draw.rng.random_range(input.action.len() + 1..12), 0.0);
    }),
    corrupt(Holder, "much_too_long", Malformed, |input, _| input.action.resize(4_000, -0.0)),
    // Nothing was captured that late, nor seen so early.
    corrupt(Holder, "picture_latest", Malformed, |input, draw| input.shown_frame_us = u64::MAX - below(draw, 1_000)),
    corrupt(Holder, "picture_to_come", Malformed, |input, draw| {
        input.shown_frame_us = draw.now.vehicle_us + draw.rng.random_range(60_000_000..900_000_000);
    }),
    corrupt(Holder, "picture_long_ago", PictureFrozen, |input, draw| {
        input.shown_frame_us = draw.now.vehicle_us.saturating_sub(draw.rng.random_range(1_100_000..2_000_000)).max(1);
    }),
    corrupt(Holder, "picture_first", PictureFrozen, |input, _| input.shown_frame_us = 1),
];

fn below(draw: &mut Draw, most: u64) -> u64 {
    draw.rng.random_range(0..most)
}

fn any_of<'a>(input: &'a mut OperatorInput, draw: &mut Draw) -> &'a mut f64 {
    let place = draw.rng.random_range(0..input.action.len());
    &mut input.action[place]
}

fn replay(input: &mut OperatorInput, draw: &mut Draw) {
    if !draw.earlier.is_empty() {
        input.clone_from(&draw.earlier[draw.rng.random_range(0..draw.earlier.len())]);
    }
}
