//! Hostile messages against a live bridge: `hostile_messages [MESSAGES [SEED [JSON]]]`.

use anyhow::{Context, ensure};
use tests::{Site, attack};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let seed = arguments.next().map_or(Ok(1), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let site = Site::new(folder.path())?;
    let _plane = site.control_plane(&[])?;
    let _bridge = site.bridge()?;
    site.wait_until("the car online", |car| car["online"] == true)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(attack::run(&site.address, count, seed)).with_context(|| site.logs())?;
    let print = |title: &str, counts: &mut dyn Iterator<Item = (&str, &u64)>| {
        println!("{title:36} {:>8}", "messages");
        counts.for_each(|(name, n)| println!("{name:36} {n:>8}"));
    };
    print("sent", &mut outcome.sent.iter().map(|(kind, n)| (*kind, n)));
    print("refused as", &mut outcome.refused.iter().map(|(reason, n)| (reason.as_str(), n)));
    print("passed as", &mut outcome.passed.iter().map(|(kind, n)| (kind.as_str(), n)));
    println!(
        "{} hostile messages, {} acted on, {} honest inputs, {} states looked at, {:.0} s",
        outcome.hostile(),
        outcome.acted_on,
        outcome.honest,
        outcome.states,
        outcome.took_s
    );
    if let Some(path) = arguments.next() {
        std::fs::write(path, serde_json::to_vec_pretty(&outcome)?)?;
    }
    attack::check(&outcome)?;
    ensure!(site.car().is_some_and(|car| car["online"] == true), "the bridge is gone");
    Ok(())
}
