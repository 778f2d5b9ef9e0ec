//! Breaks something on the way, many times over, and prints how the car stopped:
//! `fault_trials [TRIALS [SEED [JSON [ROADS]]]]`. ROADS is a folder of OpenDRIVE files; without it, the built-in roads.

use closed_loop::fault_trials::{Row, built_in_roads, run_all};
use sim::road::RoadNetwork;
use std::path::Path;
use std::sync::Arc;

fn roads(folder: &Path) -> Result<Vec<Arc<RoadNetwork>>, Box<dyn std::error::Error>> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "xodr"));
    files.sort();
    files.iter().map(|file| Ok(Arc::new(RoadNetwork::from_file(file)?))).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let trials = arguments.next().map_or(Ok(1_000), |t| t.parse())?;
    let seed = arguments.next().map_or(Ok(1), |t| t.parse())?;
    let json = arguments.next();
    let roads = arguments.next().map_or_else(|| Ok(built_in_roads()?), |folder| roads(Path::new(&folder)))?;
    let started = std::time::Instant::now();
    let rows = run_all(trials, seed, &roads, |outcome| {
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
            "{:24} {:>6} {:>6} {:>12.1} {:>12.1} {:>14} {:>12.2} {:>12}",
            name.as_str().unwrap_or_default(),
            row.trials,
            row.failed,
            row.fastest_mps,
            row.latest_ms,
            figure(row.distance_share),
            row.speed_rise_mps,
            figure(row.lane_margin_m)
        );
    }
    let failed: usize = rows.iter().map(|row: &Row| row.failed).sum();
    println!("{trials} trials, {failed} failed, {:.0} s", started.elapsed().as_secs_f64());
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    }
    if failed > 0 { Err(format!("{failed} of {trials} trials failed").into()) } else { Ok(()) }
}

/// Nothing where nothing is promised.
fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}
