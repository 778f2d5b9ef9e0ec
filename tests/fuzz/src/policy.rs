//! A policy's folder: manifest and weights of whoever published it.

use crate::input::{Input, folder};
use policy::{MANIFEST_FILE, Policy, WEIGHTS_FILE};
use serde_json::Value;
use std::fs;

pub fn run(bytes: &[u8]) {
    let Some(folder) = folder() else { return };
    let mut input = Input(bytes);
    let fits = !input.u8().is_multiple_of(4);
    let (manifest, weights) = (input.piece(), input.0);
    let manifest = match serde_json::from_slice::<Value>(manifest) {
        // With the right hash, the weights themselves are looked at.
        Ok(Value::Object(mut fields)) if fits => {
            fields.insert("weights_sha256".into(), protocol::signing::sha256_hex(weights).into());
            serde_json::to_vec(&fields).unwrap_or_default()
        }
        _ => manifest.to_vec(),
    };
    let written = fs::write(folder.path().join(MANIFEST_FILE), &manifest)
        .and_then(|()| fs::write(folder.path().join(WEIGHTS_FILE), weights));
    if written.is_err() {
        return;
    }
    if let Ok(policy) = Policy::load(folder.path()) {
        let copy = folder.path().join("copy");
        let saved = policy.save(&copy).and_then(|()| Policy::load(&copy));
        assert!(
            saved.is_ok_and(|again| again.manifest() == policy.manifest()),
            "what was loaded is not saved as it is"
        );
    }
}
