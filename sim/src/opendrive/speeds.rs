//! Reads speed limits: `<type><speed>` of a road and `<speed>` of a lane.

use super::model::SpeedRecord;
use super::xml::Element;
use crate::road::{NoteKind, RoadError};

/// A posted limit above this is no limit: some tools write 999 for that.
const MAX_SPEED_MPS: f64 = 150.0;
/// Where a sign says "no limit": the speed such roads are driven at (130 km/h).
const UNLIMITED_MPS: f64 = 130.0 / 3.6;

/// The types of a road: each has a limit or the speed that is usual on it.
pub(super) fn road_speeds(road: Element) -> Result<Vec<SpeedRecord>, RoadError> {
    Ok(in_order(road.children("type").map(read_type).collect::<Result<_, _>>()?))
}

/// The limits of a lane of the section that begins at `section_s`.
pub(super) fn lane_speeds(lane: Element, section_s: f64) -> Result<Vec<SpeedRecord>, RoadError> {
    let read = |speed: Element| -> Result<Option<SpeedRecord>, RoadError> {
        let s = section_s + speed.number_or("sOffset", 0.0)?;
        let limit_mps = match limit(speed)? {
            Limit::Posted(mps) => Some(mps),
            Limit::Undefined => None,
            Limit::Unusable => return Ok(None),
        };
        Ok(Some(SpeedRecord { s, limit_mps }))
    };
    Ok(in_order(lane.children("speed").filter_map(|speed| read(speed).transpose()).collect::<Result<_, _>>()?))
}

/// In the order of s; of two at one place the later one stays behind the other.
fn in_order(mut records: Vec<SpeedRecord>) -> Vec<SpeedRecord> {
    records.sort_by(|a, b| a.s.total_cmp(&b.s));
    records
}

fn read_type(element: Element) -> Result<SpeedRecord, RoadError> {
    let usual = usual_mps(element.attribute("type").unwrap_or("unknown"));
    let limit_mps = match element.child("speed").map(limit).transpose()? {
        Some(Limit::Posted(mps)) => mps,
        Some(Limit::Undefined | Limit::Unusable) | None => usual,
    };
    Ok(SpeedRecord { s: element.number_or("s", 0.0)?, limit_mps: Some(limit_mps) })
}

/// Speed assumed on a type of road where the file names no limit, m/s.
fn usual_mps(road_type: &str) -> f64 {
    let kmh = match road_type {
        "motorway" => 110.0,
        "rural" | "townExpressway" => 70.0,
        "lowSpeed" | "townPlayStreet" => 30.0,
        "bicycle" => 25.0,
        "pedestrian" => 7.0,
        _ => 50.0,
    };
    kmh / 3.6
}

/// What a `<speed>` says.
enum Limit {
    /// A limit, m/s.
    Posted(f64),
    /// That there is none of its own from here on.
    Undefined,
    /// Nothing of use.
    Unusable,
}

fn limit(speed: Element) -> Result<Limit, RoadError> {
    let unusable = |problem: &str| {
        speed.note_attribute(NoteKind::SpeedLimit, "max", problem);
        Ok(Limit::Unusable)
    };
    match speed.attribute("max").map(str::to_ascii_lowercase).as_deref() {
        Some("no limit" | "nolimit" | "unlimited") => return Ok(Limit::Posted(UNLIMITED_MPS)),
        Some("undefined") => return Ok(Limit::Undefined),
        None | Some("") => return unusable("no value"),
        _ => {}
    }
    let unit = speed.attribute("unit").unwrap_or_default().to_ascii_lowercase();
    let factor = match &*unit {
        "" | "m/s" | "mps" | "ms" => 1.0,
        "km/h" | "kmh" | "kph" | "kmph" => 1.0 / 3.6,
        "mph" | "mi/h" => 0.447_04,
        _ => return Err(speed.bad("unit", "none of m/s, km/h and mph")),
    };
    let limit = speed.number("max")? * factor;
    if limit <= 0.0 {
        return unusable("not above 0");
    }
    if limit > MAX_SPEED_MPS {
        speed.note_attribute(NoteKind::UnlimitedSpeed, "max", "so fast that it means no limit");
        return Ok(Limit::Posted(UNLIMITED_MPS));
    }
    Ok(Limit::Posted(limit))
}
