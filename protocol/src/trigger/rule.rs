//! Rules of the configuration: small predicates such as `speed > 15 and mode == "drive"`.
//!
//! ```text
//! or         = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | "(" or ")" | comparison
//! comparison = operand [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) operand ]
//! operand    = number | "text" | true | false | name
//! ```
//!
//! Names are those of [`Situation::NAMES`]. Kinds are checked when the rule is read, so that a rule that was taken can
//! always be evaluated. A comparison with something that is not a number (NaN) is false.

use super::{Situation, Value};
use std::cmp::Ordering;

/// Why a text is not a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule:?}, at character {at}: {problem}")]
pub struct RuleError {
    /// The text.
    pub rule: String,
    /// Where, counted from 1.
    pub at: usize,
    /// What is wrong there.
    pub problem: String,
}

/// A predicate over a [`Situation`].
#[derive(Debug, Clone, PartialEq)]
pub struct Rule(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Compare(Operand, &'static str, Operand),
    Is(Operand),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Number(f64),
    Text(String),
    Flag(bool),
    Name(String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Text,
    Flag,
}

/// Deeper nesting than this is refused, so that no text can exhaust the stack.
const DEEPEST: usize = 64;
const OPERATORS: [&str; 6] = ["<=", ">=", "==", "!=", "<", ">"];

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// [`RuleError`] naming the place: a name that is not known, sides of different kinds, anything out of place.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        let node = parser.or()?;
        match parser.peek() {
            None => Ok(Self(node)),
            Some(c) => Err(parser.error(format!("{c:?} is not expected here"))),
        }
    }

    /// Whether it holds now.
    #[must_use]
    pub fn holds(&self, situation: &Situation<'_>) -> bool {
        self.0.holds(situation)
    }
}

impl Node {
    fn holds(&self, situation: &Situation<'_>) -> bool {
        match self {
            Self::Or(a, b) => a.holds(situation) || b.holds(situation),
            Self::And(a, b) => a.holds(situation) && b.holds(situation),
            Self::Not(a) => !a.holds(situation),
            Self::Is(operand) => operand.value(situation) == Some(Value::Flag(true)),
            Self::Compare(a, operator, b) => {
                let order = match (a.value(situation), b.value(situation)) {
                    (Some(Value::Number(a)), Some(Value::Number(b))) => a.partial_cmp(&b),
                    (Some(Value::Text(a)), Some(Value::Text(b))) => Some(a.cmp(b)),
                    (Some(Value::Flag(a)), Some(Value::Flag(b))) => Some(a.cmp(&b)),
                    _ => None,
                };
                order.is_some_and(|order| satisfies(order, operator))
            }
        }
    }
}

fn satisfies(order: Ordering, operator: &str) -> bool {
    match operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "==" => order.is_eq(),
        _ => order.is_ne(),
    }
}

impl Operand {
    fn value<'a>(&'a self, situation: &'a Situation<'_>) -> Option<Value<'a>> {
        match self {
            Self::Number(number) => Some(Value::Number(*number)),
            Self::Text(text) => Some(Value::Text(text)),
            Self::Flag(flag) => Some(Value::Flag(*flag)),
            Self::Name(name) => situation.value(name),
        }
    }

    fn kind(&self) -> Kind {
        match self.value(&Situation::default()) {
            Some(Value::Number(_)) => Kind::Number,
            Some(Value::Text(_)) => Kind::Text,
            _ => Kind::Flag,
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn error(&self, problem: impl Into<String>) -> RuleError {
        let at = self.text[..self.at].chars().count() + 1;
        RuleError { rule: self.text.to_owned(), at, problem: problem.into() }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&mut self) -> Option<char> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    fn word(&mut self) -> &str {
        self.peek();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.word() == word;
        if found {
            self.at += word.len();
        }
        found
    }

    fn or(&mut self) -> Result<Node, RuleError> {
        let mut node = self.and()?;
        while self.take("or") {
            node = Node::Or(Box::new(node), Box::new(self.and()?));
        }
        Ok(node)
    }

    fn and(&mut self) -> Result<Node, RuleError> {
        let mut node = self.not()?;
        while self.take("and") {
            node = Node::And(Box::new(node), Box::new(self.not()?));
        }
        Ok(node)
    }

    fn not(&mut self) -> Result<Node, RuleError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(format!("nested deeper than {DEEPEST}")));
        }
        let node = if self.take("not") {
            Node::Not(Box::new(self.not()?))
        } else if self.peek() == Some('(') {
            self.at += 1;
            let node = self.or()?;
            if self.peek() != Some(')') {
                return Err(self.error("a ')' is missing"));
            }
            self.at += 1;
            node
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, RuleError> {
        let left = self.operand()?;
        self.peek();
        let found = OPERATORS.into_iter().find(|operator| self.rest().starts_with(operator));
        let Some(operator) = found else {
            if left.kind() == Kind::Flag {
                return Ok(Node::Is(left));
            }
            return Err(self.error("a comparison is missing"));
        };
        self.at += operator.len();
        let right = self.operand()?;
        if left.kind() != right.kind() {
            return Err(self.error(format!("{left:?} and {right:?} cannot be compared")));
        }
        Ok(Node::Compare(left, operator, right))
    }

    fn operand(&mut self) -> Result<Operand, RuleError> {
        match self.peek() {
            None => Err(self.error("something is missing at the end")),
            Some('"') => self.quoted(),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number(),
            Some(c) if c.is_ascii_alphabetic() => {
                let word = self.word().to_owned();
                let operand = match word.as_str() {
                    "true" => Operand::Flag(true),
                    "false" => Operand::Flag(false),
                    name if Situation::NAMES.contains(&name) => Operand::Name(name.to_owned()),
                    other => {
                        let names = Situation::NAMES.join(", ");
                        return Err(self.error(format!("{other:?} is none of {names}")));
                    }
                };
                self.at += word.len();
                Ok(operand)
            }
            Some(c) => Err(self.error(format!("{c:?} is not expected here"))),
        }
    }

    fn quoted(&mut self) -> Result<Operand, RuleError> {
        let Some(end) = self.rest()[1..].find('"') else { return Err(self.error("a text does not end")) };
        let text = self.rest()[1..=end].to_owned();
        self.at += end + 2;
        Ok(Operand::Text(text))
    }

    fn number(&mut self) -> Result<Operand, RuleError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '+' | '.'));
        let text = &rest[..end.unwrap_or(rest.len())];
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.at += text.len();
                Ok(Operand::Number(number))
            }
            _ => Err(self.error(format!("{text:?} is not a number"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(rule: &str, situation: &Situation<'_>) -> bool {
        Rule::parse(rule).unwrap().holds(situation)
    }

    #[test]
    fn rules_are_evaluated_by_their_grammar() {
        let fast = Situation { speed_mps: 16.0, mode: "drive", confidence: 0.2, ..Situation::default() };
        for (rule, expected) in [
            ("speed > 15 and mode == \"drive\"", true),
            ("speed>15 and mode != \"drive\"", false),
            ("speed > 15 or estop and faults > 0", true),
            ("(speed > 15 or estop) and faults > 0", false),
            ("not estop and not (speed <= 16)", false),
            ("not not fallback == false", true),
            ("time_to_collision < 1.5e3", false),
            ("-1 < acceleration", true),
            ("confidence <= 0.2", true),
            ("help", false),
        ] {
            assert_eq!(holds(rule, &fast), expected, "{rule}");
        }
        let broken = Situation { speed_mps: f64::NAN, ..Situation::default() };
        assert!(!holds("speed > 0", &broken) && !holds("speed <= 0", &broken) && !holds("speed != 0", &broken));
    }

    #[test]
    fn a_bad_rule_is_refused_with_its_place() {
        for (rule, at, word) in [
            ("", 1, "missing"),
            ("sped > 15", 1, "sped"),
            ("speed > ", 9, "missing"),
            ("speed > fast", 9, "fast"),
            ("speed", 6, "comparison"),
            ("speed == \"x\"", 13, "cannot be compared"),
            ("mode == \"x", 9, "does not end"),
            ("(estop", 7, "')'"),
            ("estop estop", 7, "'e'"),
            ("speed > 1.2.3", 9, "1.2.3"),
            ("speed > 1 && estop", 11, "'&'"),
            ("speed > inf", 9, "inf"),
        ] {
            let error = Rule::parse(rule).unwrap_err();
            assert_eq!(error.at, at, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(Rule::parse(&"(".repeat(100_000)).unwrap_err().problem.contains("deeper"));
        assert!(Rule::parse(&"not ".repeat(100_000)).unwrap_err().problem.contains("deeper"));
    }
}
