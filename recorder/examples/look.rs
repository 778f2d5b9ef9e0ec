//! What the built-in detector finds, for measuring it: reads grey pictures (a byte a pixel, one after the other) from
//! standard input and prints a line of JSON for each.
//!
//! ```text
//! cargo run --release --workspace --example look -- WIDTH HEIGHT < pictures
//! ```

use recorder::privacy::{BuiltInDetector, Detector, LumaPicture, RegionKind};
use std::collections::BTreeSet;
use std::io::Read;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sides: Vec<usize> = std::env::args().skip(1).map(|side| side.parse()).collect::<Result<_, _>>()?;
    let &[width, height] = &sides[..] else { return Err("say width and height".into()) };
    let mut detector = BuiltInDetector::load(&BTreeSet::from([RegionKind::Faces, RegionKind::Plates]))?;
    let mut luma = vec![0; width * height];
    let mut input = std::io::stdin().lock();
    while input.read_exact(&mut luma).is_ok() {
        // Four looks in a row see everything that is looked for, from both sides.
        let mut regions = Vec::new();
        let mut took_ms = 0.0;
        for look in 0..4 {
            let started = Instant::now();
            let found = detector.look(&LumaPicture { luma: &luma, width, height, number: look })?;
            took_ms += started.elapsed().as_secs_f64() * 1e3 / 4.0;
            regions.extend(found.into_iter().filter(|region| !regions.contains(region)).collect::<Vec<_>>());
        }
        let boxes = regions.iter().map(|r| serde_json::json!([r.kind, r.x, r.y, r.width, r.height, r.is_sure]));
        println!("{}", serde_json::json!({"ms": took_ms, "regions": boxes.collect::<Vec<_>>()}));
    }
    Ok(())
}
