//! What documents only name: options, files, topics, routes, and words of the sources.

use super::entry::Table;
use super::markdown::{Code, Kind, is_in_table};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Everything that a name may stand for.
pub struct Known {
    /// Text of all sources, and of whatever else knows names.
    pub corpus: String,
    /// Options of all programs, such as `--rate`.
    pub options: BTreeSet<String>,
    /// Files and folders of the repository.
    pub paths: Vec<PathBuf>,
    /// Whether the control plane knows a route.
    pub has_route: Box<dyn Fn(&str) -> bool>,
}

/// Endings of files that lie in the repository; all others may be made by a program.
const OURS: [&str; 7] = ["rs", "py", "sh", "md", "svg", "png", "xodr"];
const SOURCES: [&str; 12] = ["rs", "py", "sh", "toml", "js", "mjs", "css", "html", "proto", "sql", "json", "xodr"];
const LEFT_OUT: [&str; 3] = ["target", ".git", "node_modules"];

/// Every file and folder of the repository, relative to it.
#[must_use]
pub fn tree(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if LEFT_OUT.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path.clone());
            }
            found.extend(path.strip_prefix(root).map(Path::to_owned));
        }
    }
    found
}

/// The text of every source among `paths`; measured figures and the table of entries are none.
#[must_use]
pub fn corpus(root: &Path, paths: &[PathBuf]) -> String {
    let ending = |path: &Path| path.extension().is_some_and(|e| SOURCES.iter().any(|known| e == *known));
    let sources = paths.iter().filter(|path| {
        (ending(path) || path.ends_with("Makefile"))
            && !path.starts_with("docs")
            && !path.ends_with("documents.toml")
            && !path.starts_with("tests/src/documents")
    });
    sources.filter_map(|path| std::fs::read_to_string(root.join(path)).ok()).collect::<Vec<_>>().join("\n")
}

impl Known {
    /// Why a name stands for nothing, if so.
    #[must_use]
    pub fn problem(&self, code: &Code, table: &Table) -> Option<String> {
        let text = code.text.as_str();
        if code.kind != Kind::Name || table.foreign.contains_key(text) {
            return None;
        }
        let first = text.split([' ', '=']).next().unwrap_or(text);
        if first.starts_with("--") {
            return (!self.options.contains(first)).then(|| format!("no program has the option {first}"));
        }
        if text.starts_with('/') && !text.starts_with("//") {
            return self.path_of_a_url_or_topic(text);
        }
        let path = Path::new(text);
        let ours = path.extension().is_some_and(|ending| OURS.iter().any(|known| ending == *known));
        if ours && !text.contains([' ', '*', '<', '{']) {
            return (!self.has_file(path)).then(|| format!("the repository has no file {text}"));
        }
        if text.ends_with('/') && self.has_file(path) {
            return None;
        }
        let missing: Vec<&str> = words(text).into_iter().filter(|word| !self.has_word(word)).collect();
        (!missing.is_empty()).then(|| format!("no source knows {}", missing.join(", ")))
    }

    fn path_of_a_url_or_topic(&self, text: &str) -> Option<String> {
        let stem = text.split(['?', '*', '{', ' ']).next().unwrap_or(text).trim_end_matches('/');
        let quoted = ["\"", "'"].iter().any(|quote| self.corpus.contains(&format!("{quote}{stem}")));
        let exists = quoted || (self.has_route)(stem);
        (!exists).then(|| format!("{stem} is neither a topic nor a page of the control plane"))
    }

    /// Whether a file or folder of the repository ends so.
    fn has_file(&self, path: &Path) -> bool {
        self.paths.iter().any(|known| known.ends_with(path))
    }

    fn has_word(&self, word: &str) -> bool {
        // Capitals without a line stand for whichever; figures for themselves.
        let stands_for_any = word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        stands_for_any || word.len() < 3 || self.corpus.contains(word) || self.paths.iter().any(|p| p.ends_with(word))
    }
}

/// Names in a text: runs of letters, figures and underscores.
fn words(text: &str) -> Vec<&str> {
    let split = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    split.filter(|word| word.chars().any(char::is_alphabetic)).collect()
}

/// Words in capitals in a document's prose that are no abbreviation: what somebody meant to fill in.
#[must_use]
pub fn placeholders(document: &str, text: &str, capitals: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let (mut inside_block, mut in_table) = (false, false);
    for (number, line) in text.lines().enumerate() {
        in_table = is_in_table(in_table, line);
        if line.trim_start().starts_with("```") {
            inside_block = !inside_block;
        }
        if inside_block || in_table {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        let lower = prose.to_lowercase();
        found.extend(
            ["to be measured", "to be written", "to do:", "tbd", "lorem"]
                .iter()
                .filter(|words| lower.contains(*words))
                .map(|words| format!("{document}:{}: {words}", number + 1)),
        );
        let all_capitals = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
        let odd = prose.split(|c: char| !c.is_alphanumeric()).filter(all_capitals);
        let odd = odd.filter(|word| !capitals.iter().any(|known| known == word));
        found.extend(
            odd.map(|word| format!("{document}:{}: {word} (a placeholder? else a name for `capitals`)", number + 1)),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_to_be_filled_in_is_found() {
        let text = "An MCAP file.\n| 60 plates | FACES |\n`FILE` and\n```\nDIR\n```\nSpeed: to be measured\n";
        let found = placeholders("a.md", text, &["MCAP".to_owned()]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("a.md:2: FACES") && found[1].starts_with("a.md:7"), "{found:?}");
    }

    #[test]
    fn words_are_names_without_signs() {
        assert_eq!(words("recorder::privacy::Detector"), ["recorder", "privacy", "Detector"]);
        assert_eq!(words("max_total_gib = 500"), ["max_total_gib"]);
    }
}
