//! Reads a configuration file, without judging values.

use super::{ConfigError, ConfigFormat, ConfigKey, KeyKind, Origin};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Largest file that is read, bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Most of a value that an error repeats, characters.
const MOST_SHOWN: usize = 60;

/// A key that the file gives.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) key: &'static ConfigKey,
    /// For the option, once each.
    pub(super) values: Vec<String>,
    pub(super) origin: Origin,
}

impl Setting {
    pub(super) fn error(&self, why: impl Into<String>) -> ConfigError {
        ConfigError::Value { at: Box::new(self.origin.clone()), why: why.into() }
    }
}

/// Reads the settings of a file.
pub(super) fn read(path: &Path, format: &ConfigFormat) -> Result<Vec<Setting>, ConfigError> {
    let file = path.display().to_string();
    let read_error = |source| ConfigError::Read { file: file.clone(), source };
    let mut text = String::new();
    File::open(path).map_err(read_error)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(read_error)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooLarge { file, most: MAX_BYTES });
    }
    Reader { path, text: &text, format }.settings()
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    format: &'a ConfigFormat,
}

impl Reader<'_> {
    fn settings(&self) -> Result<Vec<Setting>, ConfigError> {
        let root = DeTable::parse(self.text).map_err(|error| self.form(&error))?;
        let mut settings = Vec::new();
        for (name, value) in root.get_ref() {
            match (self.format.tables().any(|table| table == name.get_ref().as_ref()), value.get_ref()) {
                (false, _) => settings.push(self.setting("", name.get_ref(), value)?),
                (true, DeValue::Table(table)) => {
                    for (key, value) in table {
                        settings.push(self.setting(name.get_ref(), key.get_ref(), value)?);
                    }
                }
                (true, _) => return Err(self.not_a_table(name.get_ref(), value)),
            }
        }
        Ok(settings)
    }

    fn setting(&self, table: &str, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Setting, ConfigError> {
        let path = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
        let origin = self.origin(&path, value);
        let Some(key) = self.format.keys().find(|key| key.path() == path) else {
            let (at, nearest) = (Box::new(origin), self.nearest(&path, name));
            return Err(ConfigError::Unknown { at, nearest, program: self.format.program });
        };
        let mut setting = Setting { key, values: Vec::new(), origin };
        match self.values(key.kind, value.get_ref()) {
            Ok(values) => setting.values = values,
            Err(wanted) => return Err(setting.error(format!("{} is given; {wanted}", type_of(value.get_ref())))),
        }
        Ok(setting)
    }

    fn origin(&self, path: &str, value: &Spanned<DeValue<'_>>) -> Origin {
        Origin {
            file: self.path.to_owned(),
            line: self.line(value.span().start),
            key: path.to_owned(),
            value: self.shown(value.span()),
            is_table: value.get_ref().is_table(),
        }
    }

    fn not_a_table(&self, name: &str, value: &Spanned<DeValue<'_>>) -> ConfigError {
        let why = format!("it is a table, which begins with [{name}]");
        ConfigError::Value { at: Box::new(self.origin(name, value)), why }
    }

    /// The option's values; what would do, when this does not.
    fn values(&self, kind: KeyKind, value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
        let text = |wanted| value.as_str().ok_or(wanted);
        Ok(vec![match kind {
            KeyKind::Text => text("it takes text in quotation marks")?.to_owned(),
            KeyKind::Number => number(value).ok_or("it takes a number")?,
            KeyKind::List => {
                let wanted = r#"it takes a list of texts, such as ["wwan0", "wwan1"]"#;
                let one = |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(str::to_owned).ok_or(wanted);
                return value.as_array().ok_or(wanted)?.iter().map(one).collect();
            }
            KeyKind::Path => self.below(text("it takes a path in quotation marks")?),
            KeyKind::PathOrTable if value.is_table() => self.path.display().to_string(),
            KeyKind::PathOrTable => self.below(text("it takes a path in quotation marks, or a table")?),
            KeyKind::PathUnless(is_known) => match text("it takes a name or a path in quotation marks")? {
                name if is_known(name) => name.to_owned(),
                path => self.below(path),
            },
            KeyKind::Socket => match text("it takes an address in quotation marks")? {
                address if address == "unix:" => address.to_owned(),
                address => match address.strip_prefix("unix:") {
                    Some(path) => format!("unix:{}", self.below(path)),
                    None => address.to_owned(),
                },
            },
        }])
    }

    /// A path of the file, which is relative to the file's folder.
    fn below(&self, path: &str) -> String {
        let folder = self.path.parent().map_or_else(PathBuf::new, Path::to_owned);
        folder.join(path).display().to_string()
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
    }

    /// A value as it is written, its first line and not all of a long one.
    fn shown(&self, span: Range<usize>) -> String {
        let value = self.text.get(span).unwrap_or_default();
        let first = value.lines().next().unwrap_or_default();
        let mut shown: String = first.chars().take(MOST_SHOWN).collect();
        if shown.len() < value.len() {
            shown.push_str(" ...");
        }
        shown
    }

    /// The known key or table that is most like `path`, whose last part is `name`: keys in the wrong table are found, too.
    fn nearest(&self, path: &str, name: &str) -> String {
        let keys = self.format.keys().map(|key| {
            let misplaced = 1 + strsim::damerau_levenshtein(&key.name(), name);
            (strsim::damerau_levenshtein(&key.path(), path).min(misplaced), key.path())
        });
        let tables = self.format.tables().map(|table| (strsim::damerau_levenshtein(table, path), table.to_owned()));
        keys.chain(tables).min().map(|(_, nearest)| nearest).unwrap_or_default()
    }

    fn form(&self, error: &toml::de::Error) -> ConfigError {
        let line = error.span().map_or(1, |span| self.line(span.start));
        ConfigError::Form {
            file: self.path.display().to_string(),
            line,
            why: error.message().to_owned(),
            text: self.text.lines().nth(line - 1).unwrap_or_default().to_owned(),
        }
    }
}

fn number(value: &DeValue<'_>) -> Option<String> {
    let whole = |number: &DeInteger<'_>| i128::from_str_radix(number.as_str(), number.radix()).ok();
    match value {
        DeValue::Integer(number) => whole(number).map(|number| number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// What a value is, in words.
fn type_of(value: &DeValue<'_>) -> String {
    let noun = value.type_str();
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}
