//! What peers and the control plane say to each other: datagrams, reliable messages, signalling, session descriptions,
//! packets.

use crate::input::Input;
use prost::Message;
use protocol::api::VehicleStatus;
use protocol::foxglove::{CompressedVideo, LaserScan, LocationFix};
use protocol::signalling::{Signal, announced_fingerprints, description_matches, normal_fingerprint};
use protocol::v1::{CommandDatagram, SeatRequest, StateDatagram, Surroundings, VehicleEvent, VehicleState};

pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let kind = input.u8() % 12;
    let rest = input.0;
    match kind {
        0 => message::<CommandDatagram>(rest),
        1 => message::<StateDatagram>(rest),
        2 => message::<VehicleEvent>(rest),
        3 => message::<SeatRequest>(rest),
        4 => message::<VehicleState>(rest),
        5 => message::<Surroundings>(rest),
        6 => message::<CompressedVideo>(rest),
        7 => message::<LaserScan>(rest),
        8 => message::<LocationFix>(rest),
        9 => link::fuzzing::packet(rest),
        10 => std::str::from_utf8(rest).map_or((), signal),
        _ => std::str::from_utf8(rest).map_or((), description),
    }
}

/// What was understood means the same when it is sent on. Compared as bytes: a NaN equals nothing.
fn message<M: Message + Default + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(message) = M::decode(bytes) else { return };
    let sent = message.encode_to_vec();
    assert!(M::decode(&sent[..]).is_ok_and(|again| again.encode_to_vec() == sent), "{message:?}");
}

fn signal(text: &str) {
    if let Ok(signal) = serde_json::from_str::<Signal>(text) {
        let again = serde_json::to_string(&signal).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Signal>(&again).ok(), Some(signal));
    }
    let _ = serde_json::from_str::<VehicleStatus>(text);
}

fn description(text: &str) {
    let _ = normal_fingerprint(text);
    let _ = announced_fingerprints(text);
    let _ = description_matches(text, "AB:CD");
    link::fuzzing::description(text);
}
