//! Reads what joins roads: links at their ends, and junctions.

use super::model::{Connection, Contact, RoadLink};
use super::xml::Element;
use crate::road::{NoteKind, RoadError};
use std::collections::BTreeMap;

/// Positions of elements by their ids.
pub(super) type Index<'a> = BTreeMap<&'a str, usize>;

/// What links may lead to.
pub(super) struct Targets<'a> {
    pub roads: Index<'a>,
    pub junctions: Index<'a>,
}

/// The junctions of a file by id, numbered in the order of the file. Two of one id are one: what they join is said by
/// their connections.
pub(super) fn index_junctions<'a>(root: Element<'a, '_>) -> Index<'a> {
    let mut index = Index::new();
    for (position, element) in root.children("junction").enumerate() {
        let id = element.filled("id").unwrap_or("");
        if index.contains_key(id) || id.is_empty() {
            element.note_attribute(NoteKind::JunctionId, "id", "missing or used before");
        }
        index.entry(id).or_insert(position);
    }
    index
}

/// What follows at a road's end (`predecessor` or `successor`).
pub(super) fn read_link(road: Element, end: &'static str, targets: &Targets) -> Option<RoadLink> {
    let link = road.child("link")?.child(end)?;
    let Some(id) = link.filled("elementId") else {
        link.note_attribute(NoteKind::IncompleteLink, "elementId", "leads nowhere");
        return None;
    };
    // This is how some converters say "nothing".
    if id == "-1" && !targets.roads.contains_key(id) && !targets.junctions.contains_key(id) {
        return None;
    }
    let (road_id, junction) = (targets.roads.get(id), targets.junctions.get(id));
    let is_road = match link.attribute("elementType") {
        Some("road") => true,
        Some("junction") => false,
        _ => {
            link.note_attribute(NoteKind::IncompleteLink, "elementType", "neither road nor junction, taken by its id");
            road_id.is_some() || junction.is_none()
        }
    };
    let own = if end == "predecessor" { Contact::Start } else { Contact::End };
    match (is_road, road_id, junction) {
        (true, Some(&other), _) => {
            let contact = contact(link);
            if road.attribute("id") == Some(id) && contact == Some(own) {
                return missing(link, NoteKind::LinkToItself, "the same end of the same road");
            }
            Some(RoadLink::Road(other, contact))
        }
        (false, _, Some(&junction)) => Some(RoadLink::Junction(junction)),
        (true, ..) => missing(link, NoteKind::LinkToMissingRoad, "no <road> with lanes has this id"),
        (false, ..) => missing(link, NoteKind::LinkToMissingJunction, "no <junction> has this id"),
    }
}

fn missing(link: Element, kind: NoteKind, problem: &str) -> Option<RoadLink> {
    link.note_attribute(kind, "elementId", problem);
    None
}

/// Which end is meant; `None`, and the nearer one counts, where the file does not say.
fn contact(element: Element) -> Option<Contact> {
    match element.attribute("contactPoint").map(str::to_ascii_lowercase).as_deref() {
        Some("start") => Some(Contact::Start),
        Some("end") => Some(Contact::End),
        None => None,
        Some(_) => {
            element.note_attribute(NoteKind::IncompleteLink, "contactPoint", "neither start nor end");
            None
        }
    }
}

/// The ids of lanes that a lane's `<link>` names; what is no id leads nowhere.
pub(super) fn lane_links(lane: Element, name: &'static str) -> Result<Vec<i64>, RoadError> {
    let links = lane.children("link").flat_map(|link| link.children(name));
    let stated = links.filter(|link| {
        let stated = link.filled("id").is_some();
        if !stated {
            link.note_attribute(NoteKind::IncompleteLink, "id", "leads nowhere");
        }
        stated
    });
    stated.map(|link| link.integer("id")).collect()
}

/// The connections of all junctions.
pub(super) fn read_connections(root: Element, targets: &Targets) -> Result<Vec<Connection>, RoadError> {
    let mut connections = Vec::new();
    for junction in root.children("junction") {
        // Virtual junctions only mark places along a road; nothing is joined there.
        if junction.attribute("type") == Some("virtual") {
            junction.note(NoteKind::VirtualJunction, "");
            continue;
        }
        let number = targets.junctions.get(junction.filled("id").unwrap_or("")).copied().unwrap_or(usize::MAX);
        if junction.child("connection").is_none() {
            junction.note(NoteKind::EmptyJunction, "");
        }
        for connection in junction.children("connection") {
            connections.extend(read_connection(connection, number, targets)?);
        }
    }
    Ok(connections)
}

fn read_connection(connection: Element, junction: usize, targets: &Targets) -> Result<Option<Connection>, RoadError> {
    let linked = connection.filled("linkedRoad").is_some();
    let ends = ["incomingRoad", if linked { "linkedRoad" } else { "connectingRoad" }];
    let mut found = [0; 2];
    for (place, attribute) in found.iter_mut().zip(ends) {
        let Some(id) = connection.filled(attribute) else {
            connection.note_attribute(NoteKind::IncompleteConnection, attribute, "ignored");
            return Ok(None);
        };
        let Some(&road) = targets.roads.get(id) else {
            connection.note_attribute(NoteKind::ConnectionToMissingRoad, attribute, "no <road> with lanes has this id");
            return Ok(None);
        };
        *place = road;
    }
    let [incoming, outgoing] = found;
    let mut lane_links = Vec::new();
    for link in connection.children("laneLink") {
        if let (Some(_), Some(_)) = (link.filled("from"), link.filled("to")) {
            lane_links.push((link.integer("from")?, link.integer("to")?));
        } else {
            link.note(NoteKind::IncompleteConnection, "<laneLink> without from or to");
        }
    }
    Ok(Some(Connection { junction, incoming, outgoing, contact: contact(connection), lane_links }))
}
