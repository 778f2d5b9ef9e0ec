//! From text to [`OpenDrive`]: header, roads, links and junctions.

use super::cubic::{Cubic, Cubics};
use super::geometry::Shape;
use super::lanes::{read_sections, speed_mps};
use super::model::{Connection, Contact, OpenDrive, Road, RoadLink};
use super::plan_view::{Placed, PlanView};
use super::xml::Element;
use crate::road::RoadError;
use roxmltree::{Document, ParsingOptions};
use std::collections::BTreeMap;

/// The largest text accepted.
pub(crate) const MAX_BYTES: u64 = 64 << 20;
/// The most XML nodes accepted.
const MAX_NODES: u32 = 4_000_000;
/// The longest road accepted.
const MAX_ROAD_M: f64 = 1e6;

type Index<'a> = BTreeMap<&'a str, usize>;

/// Reads a whole OpenDRIVE file.
pub(crate) fn parse(text: &str) -> Result<OpenDrive, RoadError> {
    if text.len() as u64 > MAX_BYTES {
        return Err(RoadError::TooLarge { bytes: text.len() as u64, limit: MAX_BYTES });
    }
    // Document type declarations are refused: OpenDRIVE needs none, and entities in them can be made to explode.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..Default::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| RoadError::Xml(error.to_string()))?;
    let root = Element::new(document.root_element());
    if root.name() != "OpenDRIVE" {
        return Err(RoadError::NotOpenDrive { line: root.line(), found: root.name().into() });
    }
    let roads = index(root, "road")?;
    let junctions = index(root, "junction")?;
    let read = OpenDrive {
        roads: root.children("road").map(|road| read_road(road, &roads, &junctions)).collect::<Result<_, _>>()?,
        connections: read_connections(root, &roads, &junctions)?,
    };
    if read.roads.is_empty() { Err(RoadError::NoRoads) } else { Ok(read) }
}

/// The ids of all elements of one name, in the order of the file.
fn index<'a>(root: Element<'a, '_>, name: &'static str) -> Result<Index<'a>, RoadError> {
    let mut index = BTreeMap::new();
    for (position, element) in root.children(name).enumerate() {
        if index.insert(element.required("id")?, position).is_some() {
            return Err(element.bad("id", format!("another <{name}> has the same id")));
        }
    }
    Ok(index)
}

fn read_road(road: Element, roads: &Index, junctions: &Index) -> Result<Road, RoadError> {
    let plan_view = read_plan_view(road)?;
    let (length, end) = (road.positive("length")?, plan_view.end());
    if length > MAX_ROAD_M || end > MAX_ROAD_M {
        return Err(road.bad("length", format!("a road longer than {MAX_ROAD_M} m")));
    }
    if (length - end).abs() > f64::max(1.0, 0.05 * length) {
        return Err(road.bad("length", format!("its plan view ends at {end} m")));
    }
    let left_hand_traffic = match road.attribute("rule") {
        None | Some("RHT" | "rht" | "") => false,
        Some("LHT" | "lht") => true,
        Some(_) => return Err(road.bad("rule", "neither RHT nor LHT")),
    };
    let link = |end: &'static str| match road.child("link").and_then(|link| link.child(end)) {
        Some(link) => read_link(link, roads, junctions),
        None => Ok(None),
    };
    let lanes = road.required_child("lanes")?;
    Ok(Road {
        id: road.required("id")?.to_owned(),
        length: end,
        left_hand_traffic,
        predecessor: link("predecessor")?,
        successor: link("successor")?,
        speeds: road.children("type").map(read_type).collect::<Result<_, _>>()?,
        plan_view,
        lane_offset: Cubics::new(lanes.children("laneOffset").map(|o| cubic(o, "s", 0.0)).collect::<Result<_, _>>()?),
        sections: read_sections(lanes)?,
    })
}

/// What follows at a road's end. An id of -1 is how some converters say "nothing".
fn read_link(link: Element, roads: &Index, junctions: &Index) -> Result<Option<RoadLink>, RoadError> {
    let id = link.required("elementId")?;
    if id == "-1" {
        return Ok(None);
    }
    match link.required("elementType")? {
        "road" => Ok(Some(RoadLink::Road(find(link, "elementId", roads, "road")?, contact(link)?))),
        "junction" => Ok(Some(RoadLink::Junction(find(link, "elementId", junctions, "junction")?))),
        _ => Err(link.bad("elementType", "neither road nor junction")),
    }
}

fn find(element: Element, attribute: &str, index: &Index, kind: &str) -> Result<usize, RoadError> {
    let id = element.required(attribute)?;
    index.get(id).copied().ok_or_else(|| element.bad(attribute, format!("no <{kind}> has this id")))
}

fn contact(element: Element) -> Result<Option<Contact>, RoadError> {
    match element.attribute("contactPoint") {
        None => Ok(None),
        Some("start") => Ok(Some(Contact::Start)),
        Some("end") => Ok(Some(Contact::End)),
        Some(_) => Err(element.bad("contactPoint", "neither start nor end")),
    }
}

/// Where a `<type>` starts and the speed that holds from there.
fn read_type(element: Element) -> Result<(f64, f64), RoadError> {
    let usual = usual_speed_mps(element.attribute("type").unwrap_or("unknown"));
    let speed = element.child("speed").map(|speed| speed_mps(speed, usual)).transpose()?;
    Ok((element.number("s")?, speed.unwrap_or(usual)))
}

/// Speed assumed on a type of road where the file names no limit.
pub(super) fn usual_speed_mps(road_type: &str) -> f64 {
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

fn read_plan_view(road: Element) -> Result<PlanView, RoadError> {
    let plan_view = road.required_child("planView")?;
    plan_view.required_child("geometry")?;
    Ok(PlanView::new(plan_view.children("geometry").map(read_geometry).collect::<Result<_, _>>()?))
}

fn read_geometry(geometry: Element) -> Result<Placed, RoadError> {
    let length = geometry.positive("length")?;
    let shape = geometry.elements().find_map(|child| read_shape(child, length).transpose());
    let missing = || RoadError::MissingElement {
        line: geometry.line(),
        element: "geometry".into(),
        child: "line, arc, spiral, poly3 or paramPoly3".into(),
    };
    Ok(Placed {
        s: geometry.number("s")?,
        x: geometry.number("x")?,
        y: geometry.number("y")?,
        heading: geometry.number("hdg")?,
        length,
        shape: shape.ok_or_else(missing)??,
    })
}

/// The shape an element describes; `None` for elements that are no shape (user data).
fn read_shape(element: Element, length: f64) -> Result<Option<Shape>, RoadError> {
    let poly = |names: [&str; 4]| -> Result<Cubic, RoadError> {
        let [a, b, c, d] = names.map(|name| element.number(name));
        Ok(Cubic { s: 0.0, a: a?, b: b?, c: c?, d: d? })
    };
    Ok(Some(match element.name() {
        "line" => Shape::Line,
        "arc" => Shape::Arc { curvature: curvature(element, "curvature")? },
        "spiral" => {
            let start = curvature(element, "curvStart")?;
            Shape::Spiral { start, rate: (curvature(element, "curvEnd")? - start) / length }
        }
        "poly3" => Shape::Poly3 { v: poly(["a", "b", "c", "d"])? },
        "paramPoly3" => {
            let scale = match element.attribute("pRange") {
                Some("arcLength") => 1.0,
                None | Some("normalized") => 1.0 / length,
                Some(_) => return Err(element.bad("pRange", "neither arcLength nor normalized")),
            };
            Shape::ParamPoly3 { u: poly(["aU", "bU", "cU", "dU"])?, v: poly(["aV", "bV", "cV", "dV"])?, scale }
        }
        _ => return Ok(None),
    }))
}

fn curvature(element: Element, name: &str) -> Result<f64, RoadError> {
    let value = element.number(name)?;
    if value.abs() > 100.0 { Err(element.bad(name, "a radius below 1 cm")) } else { Ok(value) }
}

fn read_connections(root: Element, roads: &Index, junctions: &Index) -> Result<Vec<Connection>, RoadError> {
    let mut connections = Vec::new();
    for junction in root.children("junction") {
        // Virtual junctions only mark places along a road; nothing is joined there.
        if junction.attribute("type") == Some("virtual") {
            continue;
        }
        let number = find(junction, "id", junctions, "junction")?;
        for connection in junction.children("connection") {
            connections.push(read_connection(connection, number, roads)?);
        }
    }
    Ok(connections)
}

fn read_connection(connection: Element, junction: usize, roads: &Index) -> Result<Connection, RoadError> {
    let linked = connection.attribute("linkedRoad").is_some();
    let outgoing = if linked { "linkedRoad" } else { "connectingRoad" };
    let lane_link = |link: Element| Ok((link.integer("from")?, link.integer("to")?));
    Ok(Connection {
        junction,
        incoming: find(connection, "incomingRoad", roads, "road")?,
        outgoing: find(connection, outgoing, roads, "road")?,
        contact: contact(connection)?,
        lane_links: connection.children("laneLink").map(lane_link).collect::<Result<_, RoadError>>()?,
    })
}
