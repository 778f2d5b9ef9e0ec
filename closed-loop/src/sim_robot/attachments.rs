//! What every episode of a simulated drive carries: the map, and the scenario, with which it can be driven again.

use protocol::Attachment;
use sim::road::RoadNetwork;
use sim::world::WorldConfig;

/// The map of a drive, whole.
#[must_use]
pub fn map(network: &RoadNetwork) -> Attachment {
    Attachment {
        name: format!("{}.xodr", network.name()),
        media_type: "application/xml".to_owned(),
        data: network.xodr().to_owned().into(),
    }
}

/// The scenario of a simulated drive: with the map, all that is needed to drive it again.
#[must_use]
pub fn scenario(network: &RoadNetwork, world: &WorldConfig) -> Attachment {
    let text = serde_json::json!({
        "map": network.name(),
        "seed": world.seed,
        "traffic_per_km": world.traffic_per_km,
        "difficulties": world.scenario_events,
        "difficulty_spacing_m": world.scenario_event_spacing_m,
        "cruise_cap_mps": world.cruise_cap_mps,
        "target_length_m": world.target_length_m,
    });
    Attachment {
        name: "scenario.json".to_owned(),
        media_type: "application/json".to_owned(),
        data: text.to_string().into_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_and_scenario_say_what_was_driven() {
        let network = RoadNetwork::built_in("soderleden").unwrap();
        let map = map(&network);
        let text = std::str::from_utf8(&map.data).unwrap();
        assert_eq!(map.name, "soderleden.xodr");
        assert_eq!(RoadNetwork::from_xodr("again", text).unwrap().lanes().len(), network.lanes().len());
        let scenario: serde_json::Value =
            serde_json::from_slice(&scenario(&network, &WorldConfig::default()).data).unwrap();
        assert_eq!((scenario["seed"].as_u64(), scenario["difficulties"].as_array().map(Vec::len)), (Some(1), Some(5)));
    }
}
