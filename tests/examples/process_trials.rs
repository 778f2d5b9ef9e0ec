//! Faults in real processes: `process_trials [TRIALS [JSON]]`.

use anyhow::{Context, ensure};
use tests::rehearsal::{Failing, Rehearsal, Trial};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let wanted: usize = arguments.next().map_or(Ok(50), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let mut rehearsal = Rehearsal::start(folder.path())?;
    println!(
        "{:24} {:>10} {:>9} {:>10} {:>11} {:>9} {:>8}  result",
        "fault", "speed m/s", "delay ms", "distance m", "allowed m", "rise m/s", "lane m"
    );
    let mut trials: Vec<Trial> = Vec::new();
    let mut void = 0;
    while trials.len() < wanted {
        let failing = Failing::ALL[trials.len() % Failing::ALL.len()];
        let outcome = rehearsal.run(failing)?;
        outcome.void.iter().for_each(|why| println!("{failing:?}: void: {why}"));
        void += outcome.void.len();
        let trial = outcome.trial.with_context(|| format!("{failing:?}: nothing could be told on this machine"))?;
        print(&trial);
        trials.push(trial);
    }
    let failed = trials.iter().filter(|t| !t.passes()).count();
    println!("{wanted} trials in real processes, {failed} failed, {void} void");
    if let Some(path) = arguments.next() {
        let result = serde_json::json!({ "trials": trials, "failed": failed, "void": void });
        std::fs::write(path, serde_json::to_vec_pretty(&result)?)?;
    }
    ensure!(failed == 0, "{failed} of {wanted} trials failed");
    Ok(())
}

fn print(trial: &Trial) {
    let stop = &trial.stop;
    let name = serde_json::to_value(trial.failing).unwrap_or_default();
    let result = if trial.passes() { "passed" } else { "FAILED" };
    println!(
        "{:24} {:>10.1} {:>9.1} {:>10.2} {:>11.2} {:>9.2} {:>8.2}  {result}",
        name.as_str().unwrap_or_default(),
        stop.fastest_mps,
        trial.delay_us() as f64 / 1e3,
        stop.distance_m,
        stop.allowed_m,
        stop.rise_mps,
        stop.lane_margin_m.unwrap_or(f64::NAN),
    );
}
