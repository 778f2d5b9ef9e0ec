//! From text to [`OpenDrive`]: the file as a whole, and roads.

use super::cubic::{Cubic, Cubics};
use super::lanes::read_sections;
use super::links::{Index, Targets, index_junctions, read_connections, read_link};
use super::model::{OpenDrive, Road};
use super::shapes::read_plan_view;
use super::speeds::road_speeds;
use super::xml::{Element, Reading};
use crate::road::{LoadReport, NoteKind, RoadError};
use roxmltree::{Document, ParsingOptions};
use std::borrow::Cow;

/// The largest text accepted.
pub(crate) const MAX_BYTES: u64 = 64 << 20;
/// The most XML nodes accepted.
const MAX_NODES: u32 = 4_000_000;
/// How the root element begins.
const ROOT: &str = "<OpenDRIVE";
/// The most prefixes that are declared in place of the file.
const MOST_PREFIXES: usize = 8;
/// The longest road accepted.
const MAX_ROAD_M: f64 = 1e6;
/// A road's length may differ by this from its plan view: files are rounded.
const LENGTH_SLACK_M: f64 = 0.1;

/// Reads a whole OpenDRIVE file; what is odd about it is added to `report`.
pub(crate) fn parse(text: &str, report: &mut LoadReport) -> Result<OpenDrive, RoadError> {
    if text.len() as u64 > MAX_BYTES {
        return Err(RoadError::TooLarge { bytes: text.len() as u64, limit: MAX_BYTES });
    }
    if text.trim().is_empty() {
        return Err(RoadError::Xml("it is empty".into()));
    }
    let mut text = Cow::Borrowed(text);
    let mut undeclared = Vec::new();
    let error = loop {
        let error = match Document::parse_with_options(&text, options(&text)) {
            Ok(document) => return read_document(&document, &text, &undeclared, report),
            Err(error) => error,
        };
        match error {
            roxmltree::Error::UnknownNamespace(prefix, _)
                if undeclared.len() < MOST_PREFIXES && text.contains(ROOT) =>
            {
                text = Cow::Owned(with_prefix(&text, &prefix));
                undeclared.push(prefix);
            }
            error => break error,
        }
    };
    Err(xml_error(&error))
}

fn read_document(
    document: &Document,
    text: &str,
    undeclared: &[String],
    report: &mut LoadReport,
) -> Result<OpenDrive, RoadError> {
    let reading = Reading::new(text, std::mem::take(report));
    for prefix in undeclared {
        reading.note(NoteKind::Xml, format!("the prefix {prefix:?} is not declared"));
    }
    let read = read_root(Element::new(document.root_element(), &reading), &reading)?;
    *report = reading.into();
    Ok(read)
}

/// Entities are refused: OpenDRIVE needs none, and they can be made to explode. A document type without any is harmless.
fn options(text: &str) -> ParsingOptions<'_> {
    ParsingOptions { allow_dtd: !text.contains("<!ENTITY"), nodes_limit: MAX_NODES, ..Default::default() }
}

fn xml_error(error: &roxmltree::Error) -> RoadError {
    RoadError::Xml(match error {
        roxmltree::Error::DtdDetected => "XML with DTD detected: take the <!ENTITY ...> declarations out".into(),
        other => other.to_string(),
    })
}

/// The text with a prefix declared that it uses without saying what it stands for, as extensions of some tools do.
fn with_prefix(text: &str, prefix: &str) -> String {
    // Behind the root element's name, so that lines keep their numbers.
    let at = text.find(ROOT).map_or(text.len(), |at| at + ROOT.len());
    format!("{} xmlns:{prefix}=\"urn:undeclared:{prefix}\"{}", &text[..at], &text[at..])
}

fn read_root(root: Element, reading: &Reading) -> Result<OpenDrive, RoadError> {
    if !root.name().eq_ignore_ascii_case("OpenDRIVE") {
        return Err(RoadError::NotOpenDrive { line: root.place().line, found: root.name().into() });
    }
    if root.name() != "OpenDRIVE" {
        root.note(NoteKind::Xml, format!("the root element is <{}>, not <OpenDRIVE>", root.name()));
    }
    if root.child("header").is_none() {
        reading.note(NoteKind::Header, "no <header>");
    }
    for include in root.descendants("include") {
        include.note_attribute(NoteKind::Include, "file", "what it holds is missing here");
    }
    let kept = roads_with_lanes(root);
    let targets = Targets { roads: index_roads(&kept)?, junctions: index_junctions(root) };
    if kept.is_empty() {
        return Err(RoadError::NoRoads);
    }
    Ok(OpenDrive {
        roads: kept.into_iter().map(|road| read_road(road, &targets)).collect::<Result<_, _>>()?,
        connections: read_connections(root, &targets)?,
    })
}

fn roads_with_lanes<'a, 'i>(root: Element<'a, 'i>) -> Vec<Element<'a, 'i>> {
    let has_lanes = |road: &Element| {
        let has_lanes = road.child("lanes").is_some_and(|lanes| lanes.child("laneSection").is_some());
        if !has_lanes {
            road.note(NoteKind::RoadWithoutLanes, "no <laneSection>");
        }
        has_lanes
    };
    root.children("road").filter(has_lanes).collect()
}

fn index_roads<'a>(roads: &[Element<'a, '_>]) -> Result<Index<'a>, RoadError> {
    let mut index = Index::new();
    for (position, road) in roads.iter().enumerate() {
        match road.filled("id") {
            None => road.note(NoteKind::RoadWithoutId, format!("the road number {} of the file", position + 1)),
            Some(id) if index.insert(id, position).is_some() => {
                return Err(road.bad("id", "another <road> has the same id"));
            }
            Some(_) => {}
        }
    }
    Ok(index)
}

fn read_road(road: Element, targets: &Targets) -> Result<Road, RoadError> {
    let plan_view = read_plan_view(road)?;
    let length = plan_view.end();
    check_length(road, length)?;
    let left_hand_traffic = match road.attribute("rule").map(str::to_ascii_uppercase).as_deref() {
        None | Some("RHT" | "") => false,
        Some("LHT") => true,
        Some(_) => return Err(road.bad("rule", "neither RHT nor LHT")),
    };
    let lanes = road.required_child("lanes")?;
    Ok(Road {
        id: road.attribute("id").unwrap_or_default().to_owned(),
        length,
        left_hand_traffic,
        predecessor: read_link(road, "predecessor", targets),
        successor: read_link(road, "successor", targets),
        speeds: road_speeds(road)?,
        plan_view,
        lane_offset: Cubics::new(lanes.children("laneOffset").map(|o| cubic(o, "s", 0.0)).collect::<Result<_, _>>()?),
        sections: read_sections(lanes, length)?,
    })
}

/// The plan view counts; what the attribute says is compared with it.
fn check_length(road: Element, end: f64) -> Result<(), RoadError> {
    let stated = match road.filled("length") {
        Some(_) => Some(road.number("length")?),
        None => None,
    };
    let longest = stated.unwrap_or(end).max(end);
    if longest > MAX_ROAD_M {
        return Err(road.bad("length", format!("a road longer than {MAX_ROAD_M} m")));
    }
    if end <= 0.0 {
        return Err(road.bad("length", format!("its plan view ends at {end} m")));
    }
    match stated {
        Some(length) if length < 0.0 => Err(road.bad("length", "negative")),
        Some(length) if (length - end).abs() <= LENGTH_SLACK_M => Ok(()),
        _ => {
            road.note_attribute(NoteKind::RoadLength, "length", &format!("its plan view ends at {end} m"));
            Ok(())
        }
    }
}

/// `a`, `b`, `c`, `d` and the place where they start, `from` metres after what the attribute `s` says.
pub(super) fn cubic(element: Element, s: &str, from: f64) -> Result<Cubic, RoadError> {
    let coefficient = |name| element.number_or(name, 0.0);
    Ok(Cubic {
        s: from + element.number_or(s, 0.0)?,
        a: element.number("a")?,
        b: coefficient("b")?,
        c: coefficient("c")?,
        d: coefficient("d")?,
    })
}
