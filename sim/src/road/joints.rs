//! Finds which lanes continue which, across lane sections, roads and junctions.

use super::build::Placement;
use super::{CentrePoint, Lane, LaneId, LaneKind, LoadReport, NoteKind, RoadNote};
use crate::opendrive::{Connection, Contact, LaneRecord, OpenDrive, RoadLink};
use std::collections::BTreeSet;
use std::f64::consts::TAU;

/// Ends farther apart than this do not meet, whatever the file says.
const MAX_GAP_M: f64 = 5.0;
/// Ends closer than this meet even where the file forgot to say so.
const TOUCH_M: f64 = 0.3;
/// A lane narrower than this at a joint is one that begins or ends there.
const VANISHING_M: f64 = 1.0;
/// Directions that differ by more do not continue each other.
const MAX_KINK_RAD: f64 = 1.0;

/// A lane's end in the direction of the road's s.
type End = (usize, Contact);
/// Two ends that meet; the smaller comes first.
pub(super) type Joint = (End, End);

/// A road's end: road index and which end.
type RoadEnd = (usize, Contact);

/// All pairs of lane ends that the file joins; what it says about lanes that are not there goes to `report`.
pub(super) fn joints(
    file: &OpenDrive,
    placement: &Placement,
    lanes: &[Lane],
    report: &mut LoadReport,
) -> BTreeSet<Joint> {
    let mut finder = Finder { file, placement, lanes, report, found: BTreeSet::new(), joined: BTreeSet::new() };
    for road in 0..file.roads.len() {
        finder.within_road(road);
    }
    for road in 0..file.roads.len() {
        finder.between_roads(road);
    }
    for connection in &file.connections {
        finder.through_junction(connection);
    }
    finder.note_gaps();
    finder.found
}

/// Turns joints into successors and predecessors.
pub(super) fn link(lanes: &mut [Lane], placement: &Placement, joints: &BTreeSet<Joint>) {
    for &(a, b) in joints {
        let leaves = |(lane, end): End| placement.forward[lane] == (end == Contact::End);
        let (from, to) = match (leaves(a), leaves(b)) {
            (true, false) => (a.0, b.0),
            (false, true) => (b.0, a.0),
            _ => continue,
        };
        if continues(&lanes[from], &lanes[to]) && !lanes[from].successors.contains(&LaneId(to)) {
            lanes[from].successors.push(LaneId(to));
            lanes[to].predecessors.push(LaneId(from));
        }
    }
}

/// Can traffic go straight on from one lane to the other? A lane that begins or ends with no width is entered and left
/// sideways instead.
fn continues(from: &Lane, to: &Lane) -> bool {
    let (Some(end), Some(start)) = (from.centre.last(), to.centre.first()) else {
        return false;
    };
    let gap = distance(end, start);
    let vanishing = end.width_m().min(start.width_m()) < VANISHING_M && gap > TOUCH_M;
    let kink = end.heading_rad - start.heading_rad;
    let kink = kink - TAU * (kink / TAU).round();
    gap <= MAX_GAP_M && !vanishing && kink.abs() <= MAX_KINK_RAD
}

fn distance(a: &CentrePoint, b: &CentrePoint) -> f64 {
    (a.x_m - b.x_m).hypot(a.y_m - b.y_m)
}

struct Finder<'a> {
    file: &'a OpenDrive,
    placement: &'a Placement,
    lanes: &'a [Lane],
    report: &'a mut LoadReport,
    found: BTreeSet<Joint>,
    /// Ends that are part of some joint.
    joined: BTreeSet<End>,
}

impl<'a> Finder<'a> {
    fn within_road(&mut self, road: usize) {
        for section in 1..self.file.roads[road].sections.len() {
            let (a, b) = ((road, section - 1, Contact::End), (road, section, Contact::Start));
            self.note_missing_lanes(a, b);
            self.note_missing_lanes(b, a);
            self.join_sections(a, b);
        }
    }

    fn between_roads(&mut self, road: usize) {
        let links =
            [(Contact::Start, self.file.roads[road].predecessor), (Contact::End, self.file.roads[road].successor)];
        for (end, link) in links {
            let Some(RoadLink::Road(other, contact)) = link else { continue };
            let contact = contact.unwrap_or_else(|| self.nearest_end(other, (road, end)));
            let (a, b) = (self.section_at((road, end)), self.section_at((other, contact)));
            // Only what this road's lanes say: the other road's may be about a junction that it leads to.
            self.note_missing_lanes(a, b);
            self.join_sections(a, b);
        }
    }

    fn through_junction(&mut self, connection: &Connection) {
        let roads = &self.file.roads;
        let link = Some(RoadLink::Junction(connection.junction));
        let incoming = &roads[connection.incoming];
        // A road that starts and ends at the same junction, or that forgot to mention it: the nearer end counts.
        let end = match (incoming.predecessor == link, incoming.successor == link) {
            (true, false) => Contact::Start,
            (false, true) => Contact::End,
            _ => {
                let towards = connection.contact.unwrap_or(Contact::Start);
                self.nearest_end(connection.incoming, (connection.outgoing, towards))
            }
        };
        let contact = connection.contact;
        let contact = contact.unwrap_or_else(|| self.nearest_end(connection.outgoing, (connection.incoming, end)));
        let (from, to) = (self.section_at((connection.incoming, end)), self.section_at((connection.outgoing, contact)));
        for &(a, b) in &connection.lane_links {
            match (self.lane(from, a), self.lane(to, b)) {
                (Some(a), Some(b)) => self.add((a, from.2), (b, to.2)),
                (None, _) => self.note_missing(from, a, "<laneLink>"),
                (_, None) => self.note_missing(to, b, "<laneLink>"),
            }
        }
        if connection.lane_links.is_empty() {
            self.join_touching(from, to, |_| true);
        }
    }

    /// Joins two sections by the lanes' own links in both directions; lanes without any that leads somewhere are joined
    /// where they touch.
    fn join_sections(&mut self, a: (usize, usize, Contact), b: (usize, usize, Contact)) {
        for (from, to) in [(a, b), (b, a)] {
            for (index, record) in self.records(from).iter().enumerate() {
                for &id in links_at(record, from.2) {
                    if let Some(other) = self.lane(to, id) {
                        self.add((self.ids(from).start + index, from.2), (other, to.2));
                    }
                }
            }
        }
        let known: Vec<i64> = self.records(b).iter().map(|record| record.id).collect();
        self.join_touching(a, b, |record| !links_at(record, a.2).iter().any(|id| known.contains(id)));
    }

    /// Joins lanes of the same kind whose ends touch.
    fn join_touching(
        &mut self,
        a: (usize, usize, Contact),
        b: (usize, usize, Contact),
        wanted: impl Fn(&LaneRecord) -> bool,
    ) {
        for (index, record) in self.records(a).iter().enumerate() {
            let lane = self.ids(a).start + index;
            if !wanted(record) || self.joined.contains(&(lane, a.2)) {
                continue;
            }
            let gap = |other: usize| distance(self.end((lane, a.2)), self.end((other, b.2)));
            let near = |&other: &usize| self.lanes[other].kind == record.kind && gap(other) < TOUCH_M;
            let nearest = self.ids(b).filter(near).min_by(|&x, &y| gap(x).total_cmp(&gap(y)));
            if let Some(other) = nearest {
                self.add((lane, a.2), (other, b.2));
            }
        }
    }

    fn note_missing_lanes(&mut self, from: (usize, usize, Contact), to: (usize, usize, Contact)) {
        for record in self.records(from) {
            // Lane 0 is the line in the middle; some tools link to it.
            for &id in links_at(record, from.2).iter().filter(|id| **id != 0) {
                if self.lane(to, id).is_none() {
                    let whose = format!("lane {} of road {}", record.id, self.file.roads[from.0].id);
                    self.note_missing(to, id, &whose);
                }
            }
        }
    }

    /// A link of `whose` to a lane that the section at `place` lacks.
    fn note_missing(&mut self, place: (usize, usize, Contact), id: i64, whose: &str) {
        let road = &self.file.roads[place.0];
        self.report.push(RoadNote {
            kind: NoteKind::LinkToMissingLane,
            line: None,
            road: Some(road.id.clone()),
            s_m: Some(road.sections[place.1].s),
            detail: format!("{whose} leads to lane {id}"),
        });
    }

    /// Notes driving lanes that the file joins although their ends lie apart.
    fn note_gaps(&mut self) {
        for &(a, b) in &self.found {
            let gap_m = distance(self.end(a), self.end(b));
            let driving = |end: End| self.lanes[end.0].kind == LaneKind::Driving;
            if gap_m > MAX_GAP_M && driving(a) && driving(b) {
                let (road, s_m) = self.place_of(a);
                let detail = format!("{gap_m:.1} m to road {}", self.place_of(b).0);
                let note = RoadNote { kind: NoteKind::LinkAcrossGap, line: None, road: Some(road), s_m, detail };
                self.report.push(note);
            }
        }
    }

    /// The road of a lane's end and where along it.
    fn place_of(&self, (lane, end): End) -> (String, Option<f64>) {
        let road = self.placement.lanes.partition_point(|sections| sections.last().is_some_and(|ids| ids.end <= lane));
        let (Some(sections), Some(road)) = (self.placement.lanes.get(road), self.file.roads.get(road)) else {
            return (String::new(), None);
        };
        let section = sections.partition_point(|ids| ids.end <= lane) + usize::from(end == Contact::End);
        (road.id.clone(), Some(road.sections.get(section).map_or(road.length, |section| section.s)))
    }

    fn add(&mut self, a: End, b: End) {
        self.found.insert((a.min(b), a.max(b)));
        self.joined.extend([a, b]);
    }

    fn records(&self, (road, section, _): (usize, usize, Contact)) -> &'a [LaneRecord] {
        &self.file.roads[road].sections[section].lanes
    }

    fn ids(&self, (road, section, _): (usize, usize, Contact)) -> std::ops::Range<usize> {
        self.placement.lanes[road][section].clone()
    }

    fn lane(&self, place: (usize, usize, Contact), id: i64) -> Option<usize> {
        self.records(place).iter().position(|record| record.id == id).map(|index| self.ids(place).start + index)
    }

    /// The section at a road's end.
    fn section_at(&self, (road, end): RoadEnd) -> (usize, usize, Contact) {
        let last = self.file.roads[road].sections.len().saturating_sub(1);
        (road, if end == Contact::Start { 0 } else { last }, end)
    }

    /// The centre-line point at a lane's end.
    fn end(&self, (lane, end): End) -> &CentrePoint {
        let centre = &self.lanes[lane].centre;
        &centre[if self.placement.forward[lane] == (end == Contact::Start) { 0 } else { centre.len() - 1 }]
    }

    /// The end of `road` whose reference line is nearer to another road's end.
    fn nearest_end(&self, road: usize, (other, end): RoadEnd) -> Contact {
        let place = |road: usize, end: Contact| {
            let road = &self.file.roads[road];
            road.plan_view.at(if end == Contact::Start { 0.0 } else { road.length })
        };
        let goal = place(other, end);
        let gap = |end| {
            let pose = place(road, end);
            (pose.x - goal.x).hypot(pose.y - goal.y)
        };
        if gap(Contact::Start) <= gap(Contact::End) { Contact::Start } else { Contact::End }
    }
}

/// The lanes a lane says it continues in at one of its ends.
fn links_at(record: &LaneRecord, end: Contact) -> &[i64] {
    if end == Contact::Start { &record.predecessors } else { &record.successors }
}
