//! Checked access to XML elements: every complaint and every note names line, road, element, attribute and value.

use crate::road::{LoadReport, NoteKind, Place, RoadError, RoadNote};
use roxmltree::Node;
use std::cell::RefCell;

/// No coordinate, length or coefficient of a real road is larger than this.
const LARGEST: f64 = 1e9;

/// What goes along while a file is read: where its lines start, and the notes.
pub(super) struct Reading {
    /// Byte offsets at which lines start.
    lines: Vec<usize>,
    notes: RefCell<LoadReport>,
}

impl Reading {
    pub fn new(text: &str, report: LoadReport) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { lines: std::iter::once(0).chain(breaks).collect(), notes: RefCell::new(report) }
    }

    /// A note about the file as a whole.
    pub fn note(&self, kind: NoteKind, detail: impl Into<String>) {
        let note = RoadNote { kind, line: None, road: None, s_m: None, detail: detail.into() };
        self.notes.borrow_mut().push(note);
    }
}

impl From<Reading> for LoadReport {
    fn from(reading: Reading) -> Self {
        reading.notes.into_inner()
    }
}

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a, 'input> {
    node: Node<'a, 'input>,
    reading: &'a Reading,
}

impl<'a, 'input> Element<'a, 'input> {
    pub fn new(node: Node<'a, 'input>, reading: &'a Reading) -> Self {
        Self { node, reading }
    }

    pub fn name(&self) -> &'a str {
        self.node.tag_name().name()
    }

    fn line(&self) -> u32 {
        let at = self.node.range().start;
        u32::try_from(self.reading.lines.partition_point(|start| *start <= at)).unwrap_or(u32::MAX)
    }

    /// Line, road or junction, and s.
    pub fn place(&self) -> Place {
        let owner = self.node.ancestors().find(|node| matches!(node.tag_name().name(), "road" | "junction"));
        let owner =
            owner.map(|node| (node.tag_name().name().to_owned(), node.attribute("id").unwrap_or("").to_owned()));
        Place { line: self.line(), owner, s_m: self.s_m() }
    }

    /// The s of the element or of the nearest one around it that has one.
    fn s_m(&self) -> Option<f64> {
        let number = |node: &Node, name: &str| node.attribute(name).and_then(|s| s.trim().parse::<f64>().ok());
        let mut offset = 0.0;
        for node in self.node.ancestors() {
            if let Some(s) = number(&node, "s") {
                return Some(s + offset).filter(|s: &f64| s.is_finite());
            }
            offset += number(&node, "sOffset").unwrap_or(0.0);
        }
        None
    }

    pub fn note(&self, kind: NoteKind, detail: impl Into<String>) {
        let place = self.place();
        let (line, s_m) = (Some(place.line), place.s_m);
        let (road, detail) = match place.owner {
            Some((kind, id)) if kind == "road" => (Some(id), detail.into()),
            Some((_, id)) => (None, format!("junction {id}: {}", detail.into())),
            None => (None, detail.into()),
        };
        self.reading.notes.borrow_mut().push(RoadNote { kind, line, road, s_m, detail });
    }

    /// A note about an attribute: `problem` after the element, the attribute and its value.
    pub fn note_attribute(&self, kind: NoteKind, attribute: &str, problem: &str) {
        let value = self.attribute(attribute).map_or("nothing".to_owned(), |value| format!("{:?}", shortened(value)));
        self.note(kind, format!("<{}> has {attribute}={value}: {problem}", self.name()));
    }

    pub fn elements(&self) -> impl Iterator<Item = Self> + use<'a, 'input> {
        let reading = self.reading;
        self.node.children().filter(Node::is_element).map(move |node| Self { node, reading })
    }

    pub fn children(&self, name: &'static str) -> impl Iterator<Item = Self> + use<'a, 'input> {
        self.elements().filter(move |child| child.name() == name)
    }

    pub fn descendants(&self, name: &'static str) -> impl Iterator<Item = Self> + use<'a, 'input> {
        let reading = self.reading;
        let named = self.node.descendants().filter(move |node| node.is_element() && node.tag_name().name() == name);
        named.map(move |node| Self { node, reading })
    }

    pub fn child(&self, name: &'static str) -> Option<Self> {
        self.children(name).next()
    }

    pub fn required_child(&self, name: &'static str) -> Result<Self, RoadError> {
        self.child(name).ok_or_else(|| self.lacks(name))
    }

    /// The error for an element without a child that it must have.
    pub fn lacks(&self, child: &str) -> RoadError {
        RoadError::MissingElement { place: self.place(), element: self.name().into(), child: child.into() }
    }

    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.node.attribute(name).map(str::trim)
    }

    /// An attribute that says something; `None` where it is missing or empty.
    pub fn filled(&self, name: &str) -> Option<&'a str> {
        self.attribute(name).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &str) -> Result<&'a str, RoadError> {
        self.attribute(name).ok_or_else(|| RoadError::MissingAttribute {
            place: self.place(),
            element: self.name().into(),
            attribute: name.into(),
        })
    }

    /// The error for an attribute that is there but of no use.
    pub fn bad(&self, attribute: &str, problem: impl Into<String>) -> RoadError {
        RoadError::BadValue {
            place: self.place(),
            element: self.name().into(),
            attribute: attribute.into(),
            value: shortened(self.attribute(attribute).unwrap_or_default()),
            problem: problem.into(),
        }
    }

    /// A finite number of sane size.
    pub fn number(&self, name: &str) -> Result<f64, RoadError> {
        let text = self.required(name)?;
        let value: f64 = match text.parse() {
            Ok(value) => value,
            Err(_) => self.with_comma(name, text).ok_or_else(|| self.bad(name, "not a number"))?,
        };
        if !value.is_finite() {
            return Err(self.bad(name, "not finite"));
        }
        if value.abs() > LARGEST {
            return Err(self.bad(name, format!("larger than {LARGEST:e}")));
        }
        Ok(value)
    }

    /// A number with a decimal comma, as programs write it that follow the computer's language.
    fn with_comma(&self, name: &str, text: &str) -> Option<f64> {
        let (whole, part) = text.split_once(',')?;
        if whole.contains('.') || !part.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let value = format!("{whole}.{part}").parse().ok()?;
        self.note_attribute(NoteKind::Number, name, "a decimal comma");
        Some(value)
    }

    /// The number, or `default` where the attribute is missing or empty.
    pub fn number_or(&self, name: &str, default: f64) -> Result<f64, RoadError> {
        match self.attribute(name) {
            None => Ok(default),
            Some("") => {
                self.note_attribute(NoteKind::Number, name, &format!("empty, taken as {default}"));
                Ok(default)
            }
            Some(_) => self.number(name),
        }
    }

    pub fn integer(&self, name: &str) -> Result<i64, RoadError> {
        let value: i64 = self.required(name)?.parse().map_err(|_| self.bad(name, "not a whole number"))?;
        if (-10_000..=10_000).contains(&value) { Ok(value) } else { Err(self.bad(name, "larger than 10000")) }
    }
}

/// Keeps error messages readable when a value is absurdly long.
fn shortened(value: &str) -> String {
    const LONGEST: usize = 60;
    if value.chars().count() <= LONGEST {
        return value.to_owned();
    }
    value.chars().take(LONGEST).chain("...".chars()).collect()
}
