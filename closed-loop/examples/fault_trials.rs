//! Breaks something on the way, many times over, and prints how each of the built-in robots stopped:
//! `fault_trials [TRIALS [SEED [JSON [ROADS]]]]`. TRIALS are those of each robot. ROADS is a folder of OpenDRIVE files;
//! without it, the built-in roads and, for the delivery robot, the open plane.

use closed_loop::fault_trials::{Row, roads_of, run_all};
use protocol::Embodiment;
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
    let own_roads = arguments.next().map(|folder| roads(Path::new(&folder))).transpose()?;
    let mut all = Vec::new();
    for robot in Embodiment::built_in() {
        let started = std::time::Instant::now();
        let roads = own_roads.clone().map_or_else(|| roads_of(robot), Ok)?;
        let rows = run_all(trials, seed, robot, &roads, |outcome| {
            if !outcome.passes() {
                println!("failed: {outcome:?}");
            }
        })?;
        print(&rows)?;
        let failed: usize = rows.iter().map(|row| row.failed).sum();
        println!("{}: {trials} trials, {failed} failed, {:.0} s", robot.name, started.elapsed().as_secs_f64());
        all.extend(rows);
    }
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_vec_pretty(&all)?)?;
    }
    let failed: usize = all.iter().map(|row| row.failed).sum();
    let driven: usize = all.iter().map(|row| row.trials).sum();
    if failed > 0 { Err(format!("{failed} of {driven} trials failed").into()) } else { Ok(()) }
}

fn print(rows: &[Row]) -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:24} {:>6} {:>6} {:>12} {:>12} {:>14} {:>12} {:>12}",
        "fault", "trials", "failed", "fastest m/s", "latest ms", "distance share", "rise m/s", "lane left m"
    );
    for row in rows {
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
    Ok(())
}

/// Nothing where nothing is promised.
fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}
