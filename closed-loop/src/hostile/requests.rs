//! Requests for what another seat may not have, while somebody drives.

use super::Sender::Stranger;
use super::{Draw, Kind, Make};
use protocol::v1::Reason::{HeldByOther, NotInControl, NothingToReset};
use protocol::v1::seat_request::Request;
use protocol::v1::{
    EngageRequest, EstopResetRequest, HandBackRequest, Mode, PathAnswer, Reason, TakeoverRequest, Waypoint,
};
use rand::RngExt;

pub(super) const KINDS: &[Kind] = &[
    ask("ask_takeover", HeldByOther, |_| Request::Takeover(TakeoverRequest::default())),
    ask("ask_takeover_at_length", HeldByOther, |draw| {
        let note = "x".repeat(draw.rng.random_range(1_000..30_000));
        Request::Takeover(TakeoverRequest { cause: i32::MIN, note })
    }),
    ask("ask_hand_back", NotInControl, |_| Request::HandBack(HandBackRequest::default())),
    ask("ask_assist", NotInControl, |_| Request::HandBack(HandBackRequest { mode: Mode::Assist.into() })),
    ask("ask_odd_mode", NotInControl, |draw| Request::HandBack(HandBackRequest { mode: draw.rng.random() })),
    ask("ask_engage", HeldByOther, |_| Request::Engage(EngageRequest {})),
    ask("ask_reset", NothingToReset, |draw| {
        Request::EstopReset(EstopResetRequest { held_ms: draw.rng.random_range(0..4_000) })
    }),
    ask("ask_reset_held_for_ever", NothingToReset, |_| Request::EstopReset(EstopResetRequest { held_ms: u64::MAX })),
    ask("ask_path", HeldByOther, |draw| {
        let (question_id, path_id) = (draw.rng.random_range(0..3), draw.rng.random_range(0..3));
        Request::PathAnswer(PathAnswer { question_id, path_id, ..PathAnswer::default() })
    }),
    ask("ask_own_path", HeldByOther, |draw| {
        let x_m = [f32::NAN, f32::INFINITY, f32::MAX, -0.0, f32::from_bits(1)][draw.rng.random_range(0..5)];
        let waypoints = vec![Waypoint { x_m, y_m: 0.0 }; draw.rng.random_range(1..4_000)];
        Request::PathAnswer(PathAnswer { question_id: draw.rng.random(), waypoints, ..PathAnswer::default() })
    }),
    ask("ask_no_path", HeldByOther, |_| {
        Request::PathAnswer(PathAnswer { question_id: u64::MAX, declined: true, ..PathAnswer::default() })
    }),
];

const fn ask(name: &'static str, reason: Reason, ask: fn(&mut Draw) -> Request) -> Kind {
    Kind { name, sender: Stranger, reason, make: Make::Request(ask) }
}
