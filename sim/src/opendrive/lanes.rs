//! Reads lane sections and lanes.

use super::cubic::Cubics;
use super::links::lane_links;
use super::model::{LaneRecord, Section};
use super::read::cubic;
use super::speeds::lane_speeds;
use super::xml::Element;
use crate::road::{LaneKind, NoteKind, RoadError, RoadMark};

/// Starts of lane sections that differ by less are the same place: files are rounded to centimetres.
const SLACK_M: f64 = 0.01;

/// All lane sections of a road `length` long, in the order of s.
pub(super) fn read_sections(lanes: Element, length: f64) -> Result<Vec<Section>, RoadError> {
    lanes.required_child("laneSection")?;
    let mut sections = Vec::new();
    for element in lanes.children("laneSection") {
        let single_side = matches!(element.attribute("singleSide"), Some("true" | "1"));
        sections.push((read_section(element)?, single_side, element));
    }
    if let Some(pair) = sections.windows(2).find(|pair| pair[0].0.s > pair[1].0.s) {
        pair[1].2.note_attribute(NoteKind::SectionOrder, "s", "before the one above it");
    }
    sections.sort_by(|(a, ..), (b, ..)| a.s.total_cmp(&b.s));
    note_places(&sections, length);
    let mut whole: Vec<Section> = Vec::new();
    for (mut section, single_side, _) in sections {
        if let (true, Some(before)) = (single_side, whole.last_mut()) {
            carry_over(before, &mut section);
        }
        whole.push(section);
    }
    // Lanes there must be from the road's start; widths before their first record are that record's.
    if let Some(first) = whole.first_mut() {
        first.s = first.s.min(0.0);
    }
    Ok(whole)
}

/// Notes where sections leave the road or have no length.
fn note_places(sections: &[(Section, bool, Element)], length: f64) {
    for (index, (section, _, element)) in sections.iter().enumerate() {
        let next = sections.get(index + 1).map_or(f64::INFINITY, |next| next.0.s);
        if index == 0 && section.s.abs() > SLACK_M {
            element.note_attribute(NoteKind::SectionStart, "s", "the first one");
        } else if section.s > length + SLACK_M {
            element.note_attribute(NoteKind::SectionBeyond, "s", &format!("the road ends at {length:.3} m"));
        } else if next - section.s < SLACK_M {
            element.note_attribute(NoteKind::ZeroSection, "s", "the next one begins there too");
        }
    }
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
    let s = section.number_or("s", 0.0)?;
    let mut lanes = Vec::new();
    let mut centre_mark = RoadMark::None;
    for side in ["left", "center", "right"] {
        let before = lanes.len();
        for lane in section.children(side).flat_map(|group| group.children("lane")) {
            match lane.integer("id")? {
                0 => centre_mark = mark(lane),
                id => lanes.push((read_lane(lane, id, s)?, lane)),
            }
        }
        note_ids(&lanes[before..], side);
    }
    lanes.sort_by_key(|(lane, _)| -lane.id);
    if let Some(pair) = lanes.windows(2).find(|pair| pair[0].0.id == pair[1].0.id) {
        return Err(pair[1].1.bad("id", "another <lane> of the section has the same id"));
    }
    Ok(Section { s, lanes: lanes.into_iter().map(|(lane, _)| lane).collect(), centre_mark })
}

/// Notes where the ids of one side's lanes are not 1, 2, 3 ... from the centre outwards, in one or the other order.
fn note_ids(lanes: &[(LaneRecord, Element)], side: &str) {
    let sign = if side == "left" { 1 } else { -1 };
    let steps = lanes.windows(2).all(|pair| pair[1].0.id - pair[0].0.id == 1)
        || lanes.windows(2).all(|pair| pair[1].0.id - pair[0].0.id == -1);
    let ends = lanes.iter().any(|(lane, _)| lane.id == sign);
    if let Some((_, element)) = lanes.last().filter(|_| !steps || !ends) {
        let ids: Vec<String> = lanes.iter().map(|(lane, _)| lane.id.to_string()).collect();
        element.note(NoteKind::LaneIds, format!("<{side}> has {}", ids.join(", ")));
    }
}

fn read_lane(lane: Element, id: i64, section_s: f64) -> Result<LaneRecord, RoadError> {
    let cubics = |name| -> Result<Cubics, RoadError> {
        let pieces = lane.children(name).map(|piece| cubic(piece, "sOffset", section_s));
        Ok(Cubics::new(pieces.collect::<Result<_, _>>()?))
    };
    let (width, border) = (cubics("width")?, cubics("border")?);
    if width.is_empty() && border.is_empty() {
        lane.note(NoteKind::LaneWithoutWidth, format!("lane {id}"));
    }
    Ok(LaneRecord {
        id,
        kind: kind(lane),
        // Without either the lane is as narrow as its inner edge.
        border,
        width,
        predecessors: lane_links(lane, "predecessor")?,
        successors: lane_links(lane, "successor")?,
        speeds: lane_speeds(lane, section_s)?,
        mark: mark(lane),
        reversed: lane.attribute("direction") == Some("reversed"),
    })
}

fn kind(lane: Element) -> LaneKind {
    let name = lane.attribute("type").unwrap_or_default();
    match &*name.to_ascii_lowercase() {
        "driving" | "entry" | "exit" | "onramp" | "offramp" | "connectingramp" | "sliplane" | "mwyentry"
        | "mwyexit" | "bidirectional" => LaneKind::Driving,
        "shoulder" | "stop" => LaneKind::Shoulder,
        "border" | "curb" => LaneKind::Border,
        "sidewalk" | "walking" => LaneKind::Sidewalk,
        "biking" => LaneKind::Biking,
        "median" => LaneKind::Median,
        "none" | "parking" | "restricted" | "special1" | "special2" | "special3" | "roadworks" | "tram" | "rail"
        | "bus" | "taxi" | "hov" | "shared" => LaneKind::Other,
        _ => {
            lane.note_attribute(NoteKind::LaneType, "type", "not a lane type of OpenDRIVE 1.4 to 1.8");
            LaneKind::Other
        }
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
