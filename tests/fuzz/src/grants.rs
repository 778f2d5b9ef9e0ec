//! Words that are signed: grants and what a vehicle makes of them, proofs of erasures, signatures of episodes.

use crate::input::{Input, folder};
use protocol::VehicleId;
use protocol::erasure::{Proof, verify_chain};
use protocol::grant::{Grant, MaxMode};
use protocol::signing::{PublicKey, SigningKey};
use std::fs;
use vehicle_bridge::access::Access;

/// The control plane's key in these trials.
pub fn key() -> Option<SigningKey> {
    SigningKey::from_seed(&[7; 32])
}

pub fn run(bytes: &[u8]) {
    let Some(key) = key() else { return };
    let mut input = Input(bytes);
    match input.u8() % 5 {
        0 => raw(input.0, &key),
        1 => access(input, &key),
        2 => proofs(input.0, &key),
        3 => signature(input),
        _ => std::str::from_utf8(input.0).map_or((), |text| drop(text.parse::<PublicKey>())),
    }
}

fn raw(bytes: &[u8], key: &SigningKey) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(grant) = Grant::open(text, &key.public()) {
        assert_eq!(Grant::open(&grant.sign(key), &key.public()), Ok(grant));
    }
}

/// Grants of the right key with any claims, in any order and at any time, and texts that are none.
fn access(mut input: Input<'_>, key: &SigningKey) {
    let Ok(vehicle) = VehicleId::new("car-1") else { return };
    let pinned = input.u8().is_multiple_of(2).then(|| key.public());
    let mut access = Access::new(vehicle, pinned, 0);
    let mut now_us = 0_u64;
    let mut asked = String::new();
    while !input.is_empty() {
        let what = input.u8();
        let session = if what & 0x80 == 0 { "x" } else { "y" };
        now_us = now_us.saturating_add(u64::from(input.u16()) * 1_000);
        match what & 0x7f {
            0..60 => {
                let claims = String::from_utf8_lossy(input.piece()).into_owned();
                let before = access.mark();
                let signed = serde_json::from_str::<Grant>(&claims).map_or(claims, |mut grant| {
                    // The newest challenge cannot be guessed; every other one has to be refused.
                    if what.is_multiple_of(2) {
                        grant.challenge.clone_from(&asked);
                    }
                    grant.sign(key)
                });
                match access.accept(now_us, session, "desk", &signed) {
                    Ok(grant) => assert!(grant.serial > before && access.mark() == grant.serial, "{grant:?}"),
                    Err(refusal) => assert_eq!(access.mark(), before, "{refusal}"),
                }
            }
            60..80 => {
                let _ = access.admits(session, &String::from_utf8_lossy(input.piece()));
            }
            80..90 => drop(access.due(now_us)),
            90..100 => access.set_alone(what.is_multiple_of(2)),
            100..110 => {
                access.offer_key(key.public());
            }
            110..115 => access.forget(session),
            115..122 => {
                asked = String::from_utf8_lossy(input.piece()).into_owned();
                access.challenge(now_us, session, asked.clone());
            }
            _ => now_us = input.u64(),
        }
        let max_mode = access.max_mode(now_us, "never called");
        assert_eq!(max_mode, MaxMode::Monitor);
    }
}

fn proofs(bytes: &[u8], key: &SigningKey) {
    if let Ok(proofs) = serde_json::from_slice::<Vec<Proof>>(bytes) {
        let _ = verify_chain(&proofs, &key.public());
        // The same, but signed: what the statements say is what is left to check.
        let signed: Vec<Proof> = proofs.into_iter().map(|proof| Proof::sign(proof.statement, key)).collect();
        let _ = verify_chain(&signed, &key.public());
    }
}

/// A file and what lies beside it as its signature.
fn signature(mut input: Input<'_>) {
    let Some(folder) = folder() else { return };
    let file = folder.path().join("e.mcap");
    let content = input.piece();
    if fs::write(&file, content).and_then(|()| fs::write(recorder::signature::path_beside(&file), input.0)).is_ok() {
        assert!(recorder::signature::verify(&file, &["00"]).is_err(), "nobody is trusted");
        let _ = recorder::signature::verify(&file, &[]);
    }
}
