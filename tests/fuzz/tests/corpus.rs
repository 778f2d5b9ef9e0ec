//! The kept corpus and everything that ever broke something, through the functions that cargo-fuzz calls.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind)
}

/// What broke the target before, and what is kept of its corpus.
fn replay(target: &str) {
    let inputs = ["regressions", "corpus"].map(|kind| fuzz::seeds::files(&folder(kind).join(target)));
    assert!(!inputs[1].is_empty(), "{target} has no corpus");
    for path in inputs.concat() {
        // Printed when the test fails: the last one is it.
        println!("{}", path.display());
        fuzz::run(target, &std::fs::read(&path).unwrap());
    }
}

macro_rules! targets {
    ($($target:ident)*) => {
        $(#[test] fn $target() { replay(stringify!($target)); })*

        #[test]
        fn every_target_is_replayed_and_has_a_program() {
            let replayed = BTreeSet::from([$(stringify!($target)),*]);
            assert_eq!(fuzz::TARGETS.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), replayed);
            let manifest = std::fs::read_to_string(folder("targets/Cargo.toml")).unwrap();
            for target in &replayed {
                assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
                let program = std::fs::read_to_string(folder("targets/src").join(format!("{target}.rs"))).unwrap();
                assert!(program.contains(&format!("fuzz::run(\"{target}\", ")), "{program}");
            }
            for kind in ["corpus", "regressions"] {
                for entry in std::fs::read_dir(folder(kind)).unwrap() {
                    let name = entry.unwrap().file_name().into_string().unwrap();
                    assert!(replayed.contains(name.as_str()), "{kind}/{name} belongs to no target");
                }
            }
        }
    };
}

targets!(config control_plane dataset episode film gate grants logs media opendrive picture policy robot sound wire);
