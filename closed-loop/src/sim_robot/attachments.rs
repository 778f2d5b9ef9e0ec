//! What every episode of a simulated drive carries: the map, and the scenario, with which it can be driven again.

use protocol::{Attachment, Embodiment};
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
        "difficulties": world.difficulties,
        "difficulty_spacing_m": world.difficulty_spacing_m,
        "cruise_cap_mps": world.cruise_cap_mps,
        "target_length_m": world.target_length_m,
    });
    Attachment {
        name: "scenario.json".to_owned(),
        media_type: "application/json".to_owned(),
        data: text.to_string().into_bytes().into(),
    }
}

/// The file of a robot that is not one of the built-in ones.
#[must_use]
pub fn robot(embodiment: &Embodiment) -> Option<Attachment> {
    let text = embodiment.to_tell();
    (!text.is_empty()).then(|| Attachment {
        name: "embodiment.toml".to_owned(),
        media_type: "application/toml".to_owned(),
        data: text.to_owned().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_robot_of_its_own_brings_its_file() {
        let car = Embodiment::ackermann_car();
        assert_eq!(robot(&car), None);
        let text = car.source().replacen("width_m = 1.85", "width_m = 1.95", 1);
        let wide = Embodiment::from_toml("wide.toml", &text).unwrap();
        assert_eq!(robot(&wide).map(|file| file.data), Some(text.into()));
    }

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
