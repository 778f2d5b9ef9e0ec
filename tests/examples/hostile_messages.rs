//! Hostile messages against a live bridge of each of the built-in robots: `hostile_messages [MESSAGES [SEED [JSON]]]`.

use anyhow::{Context, ensure};
use protocol::Embodiment;
use tests::Site;
use tests::attack::{self, Outcome};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let seed = arguments.next().map_or(Ok(1), |n| n.parse())?;
    let against = |robot| run(robot, count, seed);
    let outcomes = Embodiment::built_in().iter().map(against).collect::<anyhow::Result<Vec<Outcome>>>()?;
    if let Some(path) = arguments.next() {
        std::fs::write(path, serde_json::to_vec_pretty(&outcomes)?)?;
    }
    outcomes.iter().try_for_each(|outcome| attack::check(outcome).with_context(|| outcome.robot.clone()))
}

fn run(robot: &Embodiment, count: u64, seed: u64) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let site = Site::new(folder.path())?;
    let _plane = site.control_plane(&[])?;
    let _bridge = site.bridge_with(&["--embodiment", &robot.name])?;
    site.wait_until("the vehicle online", |vehicle| vehicle["online"] == true)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(attack::run(&site.address, robot, count, seed)).with_context(|| site.logs())?;
    print(&outcome);
    ensure!(site.car().is_some_and(|vehicle| vehicle["online"] == true), "the bridge of {} is gone", robot.name);
    Ok(outcome)
}

fn print(outcome: &Outcome) {
    let table = |title: &str, counts: &mut dyn Iterator<Item = (&str, &u64)>| {
        println!("{title:36} {:>8}", "messages");
        counts.for_each(|(name, n)| println!("{name:36} {n:>8}"));
    };
    table("sent", &mut outcome.sent.iter().map(|(kind, n)| (*kind, n)));
    table("refused as", &mut outcome.refused.iter().map(|(reason, n)| (reason.as_str(), n)));
    table("passed as", &mut outcome.passed.iter().map(|(kind, n)| (kind.as_str(), n)));
    println!(
        "{}: {} hostile messages, {} acted on, {} honest inputs, {} states looked at, {:.0} s",
        outcome.robot,
        outcome.hostile(),
        outcome.acted_on,
        outcome.honest,
        outcome.states,
        outcome.took_s
    );
}
