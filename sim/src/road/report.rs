//! What was odd in a road file and has been read all the same.

use std::fmt;

/// Notes kept one by one; of a file with more only the number is known.
const MAX_NOTES: usize = 10_000;

macro_rules! note_kinds {
    ($($(#[doc = $doc:literal])* $kind:ident: $one:literal, $many:literal, $done:literal;)*) => {
        /// A kind of oddity.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum NoteKind { $($(#[doc = $doc])* $kind,)* }

        impl NoteKind {
            /// One of it, many of it, and what is done about it.
            fn words(self) -> [&'static str; 3] {
                match self { $(Self::$kind => [$one, $many, $done],)* }
            }
        }
    };
}

note_kinds! {
    /// UTF-16, a code page, or a declaration that does not say what the bytes are.
    Encoding: "foreign text encoding", "foreign text encodings", "decoded";
    /// Blanks before the declaration, zeros at the end, an undeclared prefix, a root element in other letters.
    Xml: "careless XML", "places of careless XML", "read as meant";
    /// An `<include>`.
    Include: "include of another file", "includes of other files", "not followed";
    /// No `<header>`.
    Header: "missing header", "missing headers", "not needed";
    /// A decimal comma, an empty attribute.
    Number: "number written oddly", "numbers written oddly", "read as meant";
    /// A `<road>` without lane sections.
    RoadWithoutLanes: "road without lanes", "roads without lanes", "left out";
    /// A `<road>` without an id.
    RoadWithoutId: "road without an id", "roads without an id", "nothing can be linked to it";
    /// All geometries of a road have no length.
    ZeroRoad: "zero-length road", "zero-length roads", "kept as a point";
    /// The attribute and the plan view disagree.
    RoadLength: "road length that differs from its geometry", "road lengths that differ from their geometry",
        "the geometry counts";
    /// A `<geometry>` without length.
    ZeroGeometry: "zero-length geometry", "zero-length geometries", "left out";
    /// Geometries not in the order of s.
    GeometryOrder: "geometry out of order", "geometries out of order", "sorted";
    /// A geometry ends before the next one starts.
    GeometryGap: "gap between geometries", "gaps between geometries", "bridged";
    /// A geometry ends after the next one starts.
    GeometryOverlap: "overlap of geometries", "overlaps of geometries", "the later one counts from its start";
    /// A geometry does not begin where the one before ends.
    GeometryJump: "jump in the reference line", "jumps in the reference line", "bridged";
    /// `pRange` says nothing of use.
    ParameterRange: "paramPoly3 with an unclear pRange", "paramPoly3s with an unclear pRange", "taken as it fits the length";
    /// Lane sections not in the order of s.
    SectionOrder: "lane section out of order", "lane sections out of order", "sorted";
    /// The first lane section does not begin at the road's start.
    SectionStart: "first lane section away from the road's start", "first lane sections away from the road's start",
        "it counts from the start";
    /// Two lane sections begin at one place.
    ZeroSection: "zero-length lane section", "zero-length lane sections", "kept as a point";
    /// A lane section begins where the road has ended.
    SectionBeyond: "lane section beyond the road's end", "lane sections beyond the road's end", "kept as a point";
    /// Neither `<width>` nor `<border>`.
    LaneWithoutWidth: "lane without a width", "lanes without a width", "taken as 0 m wide";
    /// A width well below 0.
    NegativeWidth: "negative lane width", "negative lane widths", "taken as 0 m";
    /// A lane type that no version of OpenDRIVE has.
    LaneType: "unknown lane type", "unknown lane types", "not driven on";
    /// Ids that skip a number, go up and down, or are on the wrong side.
    LaneIds: "lane ids out of sequence", "lane ids out of sequence", "sorted";
    /// A speed limit that is negative or missing.
    SpeedLimit: "unusable speed limit", "unusable speed limits", "as if it were not there";
    /// A speed limit beyond reason, such as 999.
    UnlimitedSpeed: "speed limit that means no limit", "speed limits that mean no limit", "taken as 130 km/h";
    /// A link that lacks or garbles an attribute.
    IncompleteLink: "incomplete link", "incomplete links", "the nearest or none";
    /// The road linked to is not there, or was left out as it has no lanes.
    LinkToMissingRoad: "link to a road that is not there or has no lanes",
        "links to a road that is not there or has no lanes", "ignored";
    /// The junction linked to is not there.
    LinkToMissingJunction: "link to a junction that the file lacks", "links to a junction that the file lacks", "ignored";
    /// The lane linked to is not there.
    LinkToMissingLane: "link to a lane that is not there", "links to lanes that are not there", "ignored";
    /// A road's end is linked to itself.
    LinkToItself: "link of a road's end to itself", "links of a road's end to itself", "ignored";
    /// Lanes that are linked but lie apart.
    LinkAcrossGap: "link across a gap", "links across a gap", "ignored";
    /// A `<junction>` that joins nothing.
    EmptyJunction: "junction without connections", "junctions without connections", "nothing is joined there";
    /// Two junctions of one id, or one without.
    JunctionId: "junction id missing or used twice", "junction ids missing or used twice", "taken as one junction";
    /// A virtual junction.
    VirtualJunction: "virtual junction", "virtual junctions", "nothing is joined there";
    /// A `<connection>` to or from a road that is not there, or was left out as it has no lanes.
    ConnectionToMissingRoad: "connection to a road that is not there or has no lanes",
        "connections to a road that is not there or has no lanes", "ignored";
    /// A `<connection>` that lacks or garbles an attribute.
    IncompleteConnection: "incomplete connection", "incomplete connections", "joined as far as it goes";
    /// No lane of the whole file is for general traffic.
    NoDrivingLane: "network without a driving lane", "networks without a driving lane", "nobody can drive on it";
}

impl NoteKind {
    /// What it is, in a few words.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.words()[0]
    }

    /// What is done about it.
    #[must_use]
    pub fn done(self) -> &'static str {
        self.words()[2]
    }
}

/// One oddity of a road file that did not keep it from being read.
#[derive(Clone, Debug, PartialEq)]
pub struct RoadNote {
    /// Its kind.
    pub kind: NoteKind,
    /// Line of the file, counted from 1, where it belongs to one.
    pub line: Option<u32>,
    /// Id of the road it belongs to, if any.
    pub road: Option<String>,
    /// Where along the road, m.
    pub s_m: Option<f64>,
    /// The element and value concerned.
    pub detail: String,
}

impl fmt::Display for RoadNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(road) = &self.road {
            write!(f, "road {road}")?;
            if let Some(s_m) = self.s_m {
                write!(f, ", s={s_m:.2}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{}: {}", self.kind.label(), self.kind.done())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

/// What was odd about a road file, in the order in which it was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadReport {
    notes: Vec<RoadNote>,
    more: usize,
}

impl LoadReport {
    /// The notes; the first 10,000 of a file that has more.
    #[must_use]
    pub fn notes(&self) -> &[RoadNote] {
        &self.notes
    }

    /// Whether the file has nothing odd.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// One line a kind of note: how many, what was done, and the first few roads.
    #[must_use]
    pub fn summary(&self) -> Vec<String> {
        let mut kinds: Vec<NoteKind> = self.notes.iter().map(|note| note.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(|kind| self.line(kind)).chain(self.cut_off()).collect()
    }

    /// One line a note.
    #[must_use]
    pub fn full(&self) -> Vec<String> {
        self.notes.iter().map(ToString::to_string).chain(self.cut_off()).collect()
    }

    fn cut_off(&self) -> Option<String> {
        (self.more > 0).then(|| format!("{} more notes that are not kept", self.more))
    }

    fn line(&self, kind: NoteKind) -> String {
        const SHOWN: usize = 3;
        let notes: Vec<&RoadNote> = self.notes.iter().filter(|note| note.kind == kind).collect();
        let [one, many, done] = kind.words();
        let mut roads: Vec<&str> = Vec::new();
        for road in notes.iter().filter_map(|note| note.road.as_deref()) {
            if roads.len() <= SHOWN && !roads.contains(&road) {
                roads.push(road);
            }
        }
        let rest = if roads.len() > SHOWN { ", ..." } else { "" };
        roads.truncate(SHOWN);
        let place = match roads.len() {
            0 => notes.first().map_or(String::new(), |note| format!(" ({})", note.detail)),
            1 => format!(" (road {})", roads[0]),
            _ => format!(" (roads {}{rest})", roads.join(", ")),
        };
        format!("{} {}: {done}{place}", notes.len(), if notes.len() == 1 { one } else { many })
    }

    pub(crate) fn push(&mut self, note: RoadNote) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        } else {
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_counted_by_kind_with_the_first_roads() {
        let mut report = LoadReport::default();
        let note = |kind, road: &str| RoadNote {
            kind,
            line: Some(7),
            road: Some(road.into()),
            s_m: Some(12.5),
            detail: "<geometry> has length=\"0\"".into(),
        };
        for road in ["3", "3", "8", "9", "10"] {
            report.push(note(NoteKind::LinkToMissingJunction, road));
        }
        report.push(note(NoteKind::ZeroGeometry, "4"));
        assert_eq!(
            report.summary(),
            [
                "1 zero-length geometry: left out (road 4)",
                "5 links to a junction that the file lacks: ignored (roads 3, 8, 9, ...)"
            ]
        );
        assert_eq!(
            report.notes()[5].to_string(),
            "line 7: road 4, s=12.50: zero-length geometry: left out (<geometry> has length=\"0\")"
        );
    }
}
