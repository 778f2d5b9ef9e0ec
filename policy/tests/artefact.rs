//! Artefacts that are written, read, damaged and forged.

#![allow(clippy::unwrap_used)]

mod scene;

use policy::{Layer, LayerKind, MANIFEST_FILE, Manifest, Network, Observation, Policy, PolicyError, WEIGHTS_FILE};
use proptest::prelude::*;
use protocol::{Embodiment, PolicyVersion};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

fn untrained(seed: u64) -> Policy {
    Policy::untrained(&Embodiment::ackermann_car(), PolicyVersion::new("v0").unwrap(), seed).unwrap()
}

/// Writes `weights` with a manifest that says they are right.
fn forge(dir: &Path, weights: &[u8]) {
    let mut manifest = untrained(1).manifest().clone();
    manifest.weights_sha256 = hex::encode(Sha256::digest(weights));
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join(MANIFEST_FILE), manifest.to_json().unwrap()).unwrap();
    fs::write(dir.join(WEIGHTS_FILE), weights).unwrap();
}

#[test]
fn a_saved_policy_drives_exactly_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let car = Embodiment::ackermann_car();
    for (name, kinds) in [("q", [LayerKind::Q8_0; 2]), ("f", [LayerKind::F32; 2])] {
        let network = Network::random(3, 5).unwrap().with_kinds(kinds).unwrap();
        let mut manifest = Manifest::new(PolicyVersion::new("v3").unwrap(), None, 5);
        manifest.metrics.insert("loss".to_owned(), 0.125);
        let mut policy = Policy::new(&car, manifest, network).unwrap();
        let dir = folder.path().join(name);
        policy.save(&dir).unwrap();
        let mut loaded = Policy::load(&dir).unwrap();
        assert_eq!(loaded.manifest(), policy.manifest());
        assert_eq!(loaded.manifest().network.hidden_kinds, kinds);
        let (state, surroundings) = (scene::state(9.0), scene::road(0.01, 0.3, 0.05));
        let seen = Observation { state: &state, surroundings: &surroundings };
        assert_eq!(policy.propose(&seen).unwrap(), loaded.propose(&seen).unwrap());
        let size = fs::metadata(dir.join(WEIGHTS_FILE)).unwrap().len();
        assert!(if kinds[0] == LayerKind::F32 { size > 130_000 } else { size < 50_000 }, "{size}");
    }
}

#[test]
fn equal_policies_have_equal_bytes_and_other_seeds_others() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str, seed| {
        let dir = folder.path().join(name);
        untrained(seed).save(&dir).unwrap();
        (fs::read(dir.join(MANIFEST_FILE)).unwrap(), fs::read(dir.join(WEIGHTS_FILE)).unwrap())
    };
    assert_eq!(bytes("a", 1), bytes("b", 1));
    assert_ne!(bytes("c", 2).1, bytes("d", 1).1);
    assert_eq!(untrained(1).manifest().sha256().unwrap(), untrained(1).manifest().sha256().unwrap());
}

#[test]
fn a_version_does_not_change_once_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("v0");
    fs::create_dir(folder.path().join(".v0.part")).unwrap();
    untrained(1).save(&dir).unwrap();
    untrained(1).save(&dir).unwrap();
    let error = untrained(2).save(&dir).unwrap_err().to_string();
    assert!(error.contains("another policy") && error.contains("v0"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary folder stays");
}

#[test]
fn an_untrained_policy_answers_within_the_limits_and_does_not_drive_well() {
    let car = Embodiment::ackermann_car();
    let mut policy = untrained(3);
    let answer = |policy: &mut Policy, offset| {
        let (state, surroundings) = (scene::state(8.0), scene::road(0.0, offset, 0.0));
        policy.propose(&Observation { state: &state, surroundings: &surroundings }).unwrap()
    };
    let (left, right) = (answer(&mut policy, -1.0), answer(&mut policy, 1.0));
    for proposal in [&left, &right] {
        assert_eq!(proposal.action().len(), 2);
        assert!((0.0..=1.0).contains(&proposal.confidence));
        let inside = |(v, c): (&f64, &protocol::Channel)| (c.min..=c.max).contains(v);
        assert!(proposal.action().iter().zip(&car.action).all(inside));
    }
    assert_ne!(left, right);
}

#[test]
fn a_damaged_or_foreign_artefact_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("v0");
    untrained(1).save(&dir).unwrap();
    let (manifest, weights) = (fs::read(dir.join(MANIFEST_FILE)).unwrap(), fs::read(dir.join(WEIGHTS_FILE)).unwrap());
    let text = String::from_utf8(manifest.clone()).unwrap();
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(dir.join(MANIFEST_FILE), text.replacen(from, to, 1)).unwrap();
        let error = Policy::load(&dir).err().unwrap();
        fs::write(dir.join(MANIFEST_FILE), &manifest).unwrap();
        error
    };
    assert!(matches!(with("\"feature_version\": 2", "\"feature_version\": 9"), PolicyError::FeatureVersion { .. }));
    let old = with("\"feature_version\": 2", "\"feature_version\": 1").to_string();
    assert!(old.contains("policy \"v0\"") && old.contains("version 1") && old.contains("takeover train"), "{old}");
    assert!(matches!(with("ackermann_car", "hovercraft"), PolicyError::Embodiment { .. }));
    assert!(with("takeover-policy/1", "takeover-policy/2").to_string().contains("takeover-policy/2"));
    assert!(with("0.05", "0.06").to_string().contains("action_units"));
    assert!(with("\"q8_0\"", "\"f32\"").to_string().contains("network is"));
    assert!(matches!(with("\"v0\"", "\"../v0\""), PolicyError::Manifest { .. }));
    let mut flipped = weights.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(dir.join(WEIGHTS_FILE), &flipped).unwrap();
    assert!(matches!(Policy::load(&dir), Err(PolicyError::Hash { .. })));
    fs::remove_file(dir.join(WEIGHTS_FILE)).unwrap();
    assert!(Policy::load(&dir).err().unwrap().to_string().contains(WEIGHTS_FILE));
    fs::write(dir.join(MANIFEST_FILE), vec![b' '; (policy::MAX_MANIFEST_BYTES + 1) as usize]).unwrap();
    assert!(matches!(Policy::load(&dir), Err(PolicyError::TooLarge { .. })));
}

#[test]
fn a_policy_is_loaded_for_the_robot_that_it_drives_and_for_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("v0");
    untrained(1).save(&dir).unwrap();
    let car = Embodiment::ackermann_car();
    let wide = car.source().replacen("width_m = 1.85", "width_m = 2.05", 1);
    let wide = Embodiment::from_toml("wide.toml", &wide).unwrap();
    assert_eq!(Policy::load_for(&wide, &dir).unwrap().embodiment(), &wide);
    let error = Policy::load_for(&Embodiment::delivery_robot(), &dir).err().unwrap().to_string();
    assert!(error.contains("ackermann_car") && error.contains("delivery_robot"), "{error}");
}

#[test]
fn weights_that_match_their_hash_but_are_wrong_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("v0");
    let network = Network::random(4, 1).unwrap().with_kinds([LayerKind::Q8_0; 2]).unwrap();
    let other = folder.path().join("other");
    let layer = |inputs, outputs| Layer::new(inputs, outputs, vec![0.0; inputs * outputs], vec![0.0; outputs]).unwrap();
    assert!(Policy::new(&Embodiment::ackermann_car(), untrained(1).manifest().clone(), network).is_err());
    assert!(Network::new([layer(128, 64), layer(32, 32)], layer(32, 3), layer(128, 3)).is_err());
    assert!(Network::new([layer(128, 33), layer(33, 32)], layer(32, 3), layer(128, 3)).is_err());
    untrained(1).save(&other).unwrap();
    let good = fs::read(other.join(WEIGHTS_FILE)).unwrap();
    let swap = |from: &str, to: &str| {
        let at = good.windows(from.len()).position(|w| w == from.as_bytes()).expect(from);
        let mut bytes = good.clone();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        forge(&dir, &bytes);
        Policy::load(&dir).err().unwrap().to_string()
    };
    assert!(swap("skip.bias", "skip.bios").contains("skip.bios"));
    swap("\"shape\":[128,128]", "\"shape\":[64, 256]");
    // The numbers follow an 8-byte length and the header; those of type F32 come first.
    let start = 8 + u64::from_le_bytes(*good.first_chunk().unwrap()) as usize;
    let mut nan = good.clone();
    nan[start..start + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    forge(&dir, &nan);
    let error = Policy::load(&dir).err().unwrap().to_string();
    assert!(error.contains("NaN"), "{error}");
    forge(&dir, &[]);
    assert!(matches!(Policy::load(&dir), Err(PolicyError::Weights(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_file_of_weights_makes_it_panic(at in prop::collection::vec((0usize..48_000, any::<u8>()), 1..20), cut in 0usize..48_000) {
        let folder = tempfile::tempdir().unwrap();
        let (good, dir) = (folder.path().join("good"), folder.path().join("bad"));
        untrained(1).save(&good).unwrap();
        let mut bytes = fs::read(good.join(WEIGHTS_FILE)).unwrap();
        for (i, value) in at {
            let i = if i % 3 == 0 { i % 900 } else { i % bytes.len() };
            bytes[i] = value;
        }
        if cut % 4 == 0 {
            bytes.truncate(cut);
        }
        forge(&dir, &bytes);
        let _ = Policy::load(&dir);
    }
}
