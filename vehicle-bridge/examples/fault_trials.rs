//! Breaks something on the way, many times over, and prints how the car stopped: `fault_trials [TRIALS [SEED [JSON]]]`.

use vehicle_bridge::fault_trials::{Row, run_all};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let trials = arguments.next().map_or(Ok(1_000), |t| t.parse())?;
    let seed = arguments.next().map_or(Ok(1), |t| t.parse())?;
    let started = std::time::Instant::now();
    let rows = run_all(trials, seed, |outcome| {
        if !outcome.passes() {
            println!("failed: {outcome:?}");
        }
    })?;
    println!(
        "{:24} {:>6} {:>6} {:>12} {:>12} {:>14} {:>12} {:>12}",
        "fault", "trials", "failed", "fastest m/s", "latest ms", "distance share", "rise m/s", "lane left m"
    );
    for row in &rows {
        let name = serde_json::to_value(row.fault)?;
        println!(
            "{:24} {:>6} {:>6} {:>12.1} {:>12.1} {:>14.2} {:>12.2} {:>12.2}",
            name.as_str().unwrap_or_default(),
            row.trials,
            row.failed,
            row.fastest_mps,
            row.latest_ms,
            row.distance_share,
            row.speed_rise_mps,
            row.lane_margin_m
        );
    }
    let failed: usize = rows.iter().map(|row: &Row| row.failed).sum();
    println!("{trials} trials, {failed} failed, {:.0} s", started.elapsed().as_secs_f64());
    if let Some(path) = arguments.next() {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    }
    if failed > 0 { Err(format!("{failed} of {trials} trials failed").into()) } else { Ok(()) }
}
