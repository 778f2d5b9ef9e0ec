//! Reads lane sections and lanes.

use super::cubic::Cubics;
use super::model::{LaneRecord, Section};
use super::read::cubic;
use super::xml::Element;
use crate::road::{LaneKind, RoadError, RoadMark};

/// A posted limit above this is a mistake of units.
const MAX_SPEED_MPS: f64 = 150.0;
/// Where a sign says "no limit": the speed such roads are driven at (130 km/h).
const UNLIMITED_MPS: f64 = 130.0 / 3.6;

/// All lane sections of a road, in the order of s.
pub(super) fn read_sections(lanes: Element) -> Result<Vec<Section>, RoadError> {
    lanes.required_child("laneSection")?;
    let mut sections = Vec::new();
    for element in lanes.children("laneSection") {
        let single_side = matches!(element.attribute("singleSide"), Some("true" | "1"));
        sections.push((read_section(element)?, single_side));
    }
    sections.sort_by(|(a, _), (b, _)| a.s.total_cmp(&b.s));
    let mut whole: Vec<Section> = Vec::new();
    for (mut section, single_side) in sections {
        if let (true, Some(before)) = (single_side, whole.last_mut()) {
            carry_over(before, &mut section);
        }
        whole.push(section);
    }
    Ok(whole)
}

/// A section that describes one side only leaves the other side as it was: copy that side's lanes, which are cut in two
/// by the new section's start.
fn carry_over(before: &mut Section, section: &mut Section) {
    let described = |id: i64| section.lanes.iter().any(|lane| lane.id.signum() == id.signum());
    let (left, right) = (described(1), described(-1));
    for lane in &mut before.lanes {
        if if lane.id > 0 { left } else { right } {
            continue;
        }
        let mut copy = lane.clone();
        copy.predecessors = vec![lane.id];
        lane.successors = vec![lane.id];
        section.lanes.push(copy);
    }
    section.lanes.sort_by_key(|lane| -lane.id);
}

fn read_section(section: Element) -> Result<Section, RoadError> {
    let s = section.number("s")?;
    let mut lanes = Vec::new();
    let mut centre_mark = RoadMark::None;
    for lane in
        ["left", "center", "right"].into_iter().filter_map(|s| section.child(s)).flat_map(|g| g.children("lane"))
    {
        match lane.integer("id")? {
            0 => centre_mark = mark(lane),
            id => lanes.push((read_lane(lane, id, s)?, lane)),
        }
    }
    lanes.sort_by_key(|(lane, _)| -lane.id);
    if let Some(pair) = lanes.windows(2).find(|pair| pair[0].0.id == pair[1].0.id) {
        return Err(pair[1].1.bad("id", "another <lane> of the section has the same id"));
    }
    Ok(Section { s, lanes: lanes.into_iter().map(|(lane, _)| lane).collect(), centre_mark })
}

fn read_lane(lane: Element, id: i64, section_s: f64) -> Result<LaneRecord, RoadError> {
    let cubics = |name| -> Result<Cubics, RoadError> {
        let pieces = lane.children(name).map(|piece| cubic(piece, "sOffset", section_s));
        Ok(Cubics::new(pieces.collect::<Result<_, _>>()?))
    };
    let links = |name| -> Result<Vec<i64>, RoadError> {
        let links = lane.children("link").flat_map(|link| link.children(name));
        links.map(|link| link.integer("id")).collect()
    };
    let (width, border) = (cubics("width")?, cubics("border")?);
    if width.is_empty() && border.is_empty() {
        lane.required_child("width")?;
    }
    let speed = |speed: Element| Ok((section_s + speed.number_or("sOffset", 0.0)?, speed_mps(speed, 0.0)?));
    Ok(LaneRecord {
        id,
        kind: kind(lane.attribute("type").unwrap_or("none")),
        border,
        width,
        predecessors: links("predecessor")?,
        successors: links("successor")?,
        speeds: lane.children("speed").map(speed).collect::<Result<_, RoadError>>()?,
        mark: mark(lane),
        reversed: lane.attribute("direction") == Some("reversed"),
    })
}

/// The limit in metres per second; `unknown` where the file says it is undefined or 0.
pub(super) fn speed_mps(speed: Element, unknown: f64) -> Result<f64, RoadError> {
    match speed.required("max")? {
        "no limit" => return Ok(UNLIMITED_MPS),
        "undefined" | "" => return Ok(unknown),
        _ => {}
    }
    let factor = match speed.attribute("unit") {
        None | Some("m/s" | "") => 1.0,
        Some("km/h") => 1.0 / 3.6,
        Some("mph") => 0.447_04,
        Some(_) => return Err(speed.bad("unit", "none of m/s, km/h and mph")),
    };
    let limit = speed.number("max")? * factor;
    if limit < 0.0 {
        return Err(speed.bad("max", "negative"));
    }
    if limit > MAX_SPEED_MPS {
        return Err(speed.bad("max", format!("faster than {MAX_SPEED_MPS} m/s")));
    }
    Ok(if limit == 0.0 { unknown } else { limit })
}

fn kind(name: &str) -> LaneKind {
    match name {
        "driving" | "entry" | "exit" | "onRamp" | "offRamp" | "connectingRamp" | "slipLane" | "mwyEntry"
        | "mwyExit" | "bidirectional" => LaneKind::Driving,
        "shoulder" | "stop" => LaneKind::Shoulder,
        "border" | "curb" => LaneKind::Border,
        "sidewalk" | "walking" => LaneKind::Sidewalk,
        "biking" => LaneKind::Biking,
        "median" => LaneKind::Median,
        _ => LaneKind::Other,
    }
}

/// The lane's first mark; marks that change within a section are too fine for a lane that has one per side.
fn mark(lane: Element) -> RoadMark {
    match lane.child("roadMark").and_then(|mark| mark.attribute("type")) {
        None | Some("none" | "") => RoadMark::None,
        Some("solid" | "solid solid") => RoadMark::Solid,
        Some("broken" | "broken broken") => RoadMark::Broken,
        Some(_) => RoadMark::Other,
    }
}
