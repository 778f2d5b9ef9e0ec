//! Roads that options name.

use anyhow::bail;
use protocol::api::{ALL_ROADS, UNSEEN_EVENTS};
use sim::road::RoadNetwork;
use std::sync::Arc;
use vehicle_bridge::cli::{RoadReport, open_road};

/// The roads of these names and files, each with a name of its own: figures by road would else not tell them apart.
///
/// # Errors
/// When one cannot be used, two have the same name, or one is called as the rows over all roads are.
pub fn distinct(names: &[String], report: RoadReport) -> anyhow::Result<Vec<Arc<RoadNetwork>>> {
    let roads = names.iter().map(|name| open_road(name, report)).collect::<Result<Vec<_>, _>>()?;
    for (index, road) in roads.iter().enumerate() {
        let (name, file) = (road.name(), &names[index]);
        if [ALL_ROADS, UNSEEN_EVENTS].contains(&name) {
            bail!("{file}: the name {name:?} stands for all roads in a report; rename the file");
        }
        if let Some(first) = roads[..index].iter().position(|other| other.name() == name) {
            bail!("{} and {file} are both called {name:?}; give each once, or rename one", names[first]);
        }
    }
    Ok(roads)
}
