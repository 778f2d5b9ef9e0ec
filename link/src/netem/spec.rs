//! Paths as files and by name.

use super::impairment::{Impairment, ImpairmentChange, wrong};
use super::{NetemError, Script};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What both directions of a path do.
#[derive(Debug, Clone, PartialEq)]
pub struct PathSpec {
    /// From the vehicle to the seat; left to right.
    pub forward: Script,
    /// From the seat to the vehicle; right to left.
    pub backward: Script,
}

/// A path by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// As asked for on the command line.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// The path.
    pub spec: PathSpec,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    about: String,
    repeat_s: Option<f64>,
    both: ImpairmentChange,
    forward: ImpairmentChange,
    backward: ImpairmentChange,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at_s: f64,
    #[serde(default)]
    both: ImpairmentChange,
    #[serde(default)]
    forward: ImpairmentChange,
    #[serde(default)]
    backward: ImpairmentChange,
}

/// A week.
const LONGEST_S: f64 = 604_800.0;
/// Two steps are at least this far apart, microseconds.
const CLOSEST_US: u64 = 1000;
const MOST_STEPS: usize = 10_000;

impl PathSpec {
    /// Nothing happens to any packet.
    #[must_use]
    pub fn clean() -> Self {
        Self::symmetric(Impairment::default())
    }

    /// The same both ways, all the time.
    #[must_use]
    pub fn symmetric(impairment: Impairment) -> Self {
        Self { forward: Script::constant(impairment.clone()), backward: Script::constant(impairment) }
    }

    /// Reads the format of this module's head.
    ///
    /// # Errors
    /// When the text is not TOML, has a key of no meaning, or a value is out of its range; the error names it.
    pub fn from_toml(text: &str) -> Result<Self, NetemError> {
        toml::from_str::<File>(text)?.spec("")
    }

    /// One of [`presets`].
    ///
    /// # Errors
    /// When there is none of that name; the error lists those that exist.
    pub fn preset(name: &str) -> Result<Self, NetemError> {
        let all = presets()?;
        let known = all.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = all.into_iter().find(|p| p.name == name);
        found.map(|p| p.spec).ok_or_else(|| NetemError::Preset { name: name.to_owned(), known })
    }
}

/// Every path that has a name.
///
/// # Errors
/// Never: a test reads them all.
pub fn presets() -> Result<Vec<Preset>, NetemError> {
    let files: BTreeMap<String, File> = toml::from_str(include_str!("presets.toml"))?;
    files
        .into_iter()
        .map(|(name, file)| Ok(Preset { spec: file.spec(&format!("{name}."))?, about: file.about, name }))
        .collect()
}

impl File {
    fn spec(&self, place: &str) -> Result<PathSpec, NetemError> {
        let period_us = self.repeat_s.map(|s| seconds(place, "repeat_s", s)).transpose()?;
        let forward = self.script(place, "forward", |step| &step.forward, &self.forward, period_us)?;
        let backward = self.script(place, "backward", |step| &step.backward, &self.backward, period_us)?;
        Ok(PathSpec { forward, backward })
    }

    fn script(
        &self,
        place: &str,
        way: &str,
        of: impl Fn(&Step) -> &ImpairmentChange,
        own: &ImpairmentChange,
        period_us: Option<u64>,
    ) -> Result<Script, NetemError> {
        let change = |before: &Impairment, both: &ImpairmentChange, own: &ImpairmentChange, place: &str| {
            own.apply(&both.apply(before, &format!("{place}both."))?, &format!("{place}{way}."))
        };
        let first = change(&Impairment::default(), &self.both, own, place)?;
        if self.steps.len() > MOST_STEPS {
            let expected = format!("at most {MOST_STEPS} steps are possible");
            return Err(wrong(place, "steps", &format!("[{} steps]", self.steps.len()), expected));
        }
        let (mut steps, mut last_us, mut now) = (Vec::new(), 0, first.clone());
        for (n, step) in self.steps.iter().enumerate() {
            let place = format!("{place}steps[{n}].");
            let at_us = seconds(&place, "at_s", step.at_s)?;
            if at_us < last_us + CLOSEST_US {
                let expected = format!("steps must ascend, from {} s on", (last_us + CLOSEST_US) as f64 / 1e6);
                return Err(wrong(&place, "at_s", &step.at_s, expected));
            }
            now = change(&now, &step.both, of(step), &place)?;
            steps.push((at_us, now.clone()));
            last_us = at_us;
        }
        if let Some(repeat_s) = self.repeat_s.filter(|_| period_us < Some(last_us + CLOSEST_US)) {
            let expected = format!("must come after the last step, {} s", last_us as f64 / 1e6);
            return Err(wrong(place, "repeat_s", &repeat_s, expected));
        }
        Ok(Script::new(first, steps, period_us))
    }
}

fn seconds(place: &str, key: &'static str, value: f64) -> Result<u64, NetemError> {
    if (0.0..=LONGEST_S).contains(&value) {
        return Ok((value * 1e6).round() as u64);
    }
    Err(wrong(place, key, &value, format!("0 to {LONGEST_S} s are possible")))
}
