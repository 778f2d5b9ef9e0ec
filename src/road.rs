//! Road networks as the command line names them.

use anyhow::{Context, bail};
use protocol::api::{ALL_ROADS, UNSEEN_EVENTS};
use sim::road::RoadNetwork;
use std::path::Path;
use std::sync::Arc;

/// How much is said about what is odd in a road file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoadReport {
    /// How often what occurs.
    Short,
    /// Every place.
    Full,
}

/// The network without a file: an open plane.
const PLANE: &str = "plane";

/// Whether this names a network that needs no file.
#[must_use]
pub fn is_built_in(name: &str) -> bool {
    name == PLANE || RoadNetwork::built_in_names().contains(&name)
}

/// A built-in road network by name, or one from a file; what is odd in it is said on standard error.
///
/// # Errors
/// When it is neither, or the file is not a usable OpenDRIVE file.
pub fn open_road(name: &str, report: RoadReport) -> anyhow::Result<Arc<RoadNetwork>> {
    let network = load_road(name)?;
    let odd = network.report();
    for line in if report == RoadReport::Full { odd.full() } else { odd.summary() } {
        note!("takeover: {name}: {line}");
    }
    Ok(network)
}

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

fn load_road(name: &str) -> anyhow::Result<Arc<RoadNetwork>> {
    if name == PLANE {
        return Ok(Arc::new(RoadNetwork::plane()?));
    }
    if RoadNetwork::built_in_names().contains(&name) {
        return Ok(Arc::new(RoadNetwork::built_in(name)?));
    }
    let path = Path::new(name);
    if !path.exists() {
        let known = RoadNetwork::built_in_names().join(", ");
        bail!("{name:?} is neither a file nor a built-in road; built in are {known}, {PLANE}");
    }
    Ok(Arc::new(RoadNetwork::from_file(path).with_context(|| format!("cannot use {name}"))?))
}
