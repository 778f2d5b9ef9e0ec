//! Checked access to XML elements: every complaint names line, element, attribute and value.

use crate::road::RoadError;
use roxmltree::Node;

/// No coordinate, length or coefficient of a real road is larger than this.
const LARGEST: f64 = 1e9;

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a, 'input>(Node<'a, 'input>);

impl<'a, 'input> Element<'a, 'input> {
    pub fn new(node: Node<'a, 'input>) -> Self {
        Self(node)
    }

    pub fn name(&self) -> &'a str {
        self.0.tag_name().name()
    }

    pub fn line(&self) -> u32 {
        self.0.document().text_pos_at(self.0.range().start).row
    }

    pub fn elements(&self) -> impl Iterator<Item = Self> + use<'a, 'input> {
        self.0.children().filter(Node::is_element).map(Self)
    }

    pub fn children(&self, name: &'static str) -> impl Iterator<Item = Self> + use<'a, 'input> {
        self.elements().filter(move |child| child.name() == name)
    }

    pub fn child(&self, name: &'static str) -> Option<Self> {
        self.children(name).next()
    }

    pub fn required_child(&self, name: &'static str) -> Result<Self, RoadError> {
        let missing =
            || RoadError::MissingElement { line: self.line(), element: self.name().into(), child: name.into() };
        self.child(name).ok_or_else(missing)
    }

    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.0.attribute(name).map(str::trim)
    }

    pub fn required(&self, name: &str) -> Result<&'a str, RoadError> {
        self.attribute(name).ok_or_else(|| RoadError::MissingAttribute {
            line: self.line(),
            element: self.name().into(),
            attribute: name.into(),
        })
    }

    /// The error for an attribute that is there but of no use.
    pub fn bad(&self, attribute: &str, problem: impl Into<String>) -> RoadError {
        RoadError::BadValue {
            line: self.line(),
            element: self.name().into(),
            attribute: attribute.into(),
            value: shortened(self.attribute(attribute).unwrap_or_default()),
            problem: problem.into(),
        }
    }

    /// A finite number of sane size.
    pub fn number(&self, name: &str) -> Result<f64, RoadError> {
        let value: f64 = self.required(name)?.parse().map_err(|_| self.bad(name, "not a number"))?;
        if !value.is_finite() {
            return Err(self.bad(name, "not finite"));
        }
        if value.abs() > LARGEST {
            return Err(self.bad(name, format!("larger than {LARGEST:e}")));
        }
        Ok(value)
    }

    pub fn number_or(&self, name: &str, default: f64) -> Result<f64, RoadError> {
        if self.attribute(name).is_some() { self.number(name) } else { Ok(default) }
    }

    pub fn positive(&self, name: &str) -> Result<f64, RoadError> {
        let value = self.number(name)?;
        if value > 0.0 { Ok(value) } else { Err(self.bad(name, "not positive")) }
    }

    pub fn integer(&self, name: &str) -> Result<i64, RoadError> {
        let value: i64 = self.required(name)?.parse().map_err(|_| self.bad(name, "not a whole number"))?;
        if value.abs() > 10_000 { Err(self.bad(name, "larger than 10000")) } else { Ok(value) }
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
