//! What the programs say about themselves: every `--help`, from the top down.

use crate::{program, run};
use std::process::Command;

/// One `--help`.
#[derive(Debug, Clone)]
pub struct Help {
    /// The program with its subcommands, such as `takeover episode cut`.
    pub command: String,
    /// What it prints.
    pub text: String,
}

/// Every `--help` of a program, its own first.
///
/// # Errors
/// When the program is not there or says nothing.
pub fn all(name: &str) -> anyhow::Result<Vec<Help>> {
    let mut found = Vec::new();
    let mut next = vec![vec![]];
    while let Some(words) = next.pop() {
        let text = run(Command::new(program(name)?).args(&words).arg("--help"))?;
        let help = Help { command: [&[name.to_owned()][..], &words].concat().join(" "), text };
        next.extend(help.subcommands().into_iter().map(|(sub, _)| [&words[..], &[sub]].concat()));
        found.push(help);
    }
    Ok(found)
}

impl Help {
    /// Subcommands with their one-line descriptions.
    #[must_use]
    pub fn subcommands(&self) -> Vec<(String, String)> {
        let lines = self.text.lines().skip_while(|line| *line != "Commands:").skip(1);
        let rows = lines.take_while(|line| line.starts_with("  ")).filter_map(|line| {
            let (name, about) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
            // Long descriptions go on, further to the right.
            (!line.starts_with("    ")).then(|| (name.to_owned(), about.trim().to_owned()))
        });
        rows.filter(|(name, _)| name != "help").collect()
    }

    /// Arguments and options, each with its description, if it has one.
    #[must_use]
    pub fn options(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = Vec::new();
        let mut inside = false;
        for line in self.text.lines() {
            if !line.starts_with(' ') && !line.is_empty() {
                inside = matches!(line, "Options:" | "Arguments:");
            } else if inside && is_option(line) {
                let line = line.trim();
                let (name, about) = line.split_once("  ").unwrap_or((line, ""));
                all.push((name.to_owned(), about.trim().to_owned()));
            } else if inside && let Some((_, about)) = all.last_mut() {
                about.push_str(line.trim());
            }
        }
        all
    }
}

/// Such a line begins an option or an argument; descriptions stand ten columns to the right.
fn is_option(line: &str) -> bool {
    let indent = line.len() - line.trim_start().len();
    let first = line.trim_start().chars().next();
    (2..8).contains(&indent) && matches!(first, Some('-' | '<' | '['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_a_description_are_seen() {
        let short = "About\n\nArguments:\n  <FILE>  What\n\nOptions:\n      --one <N>  First\n      --two\n  -h, --help  Help\n";
        let long = "Options:\n      --one <N>\n          First\n          of two\n\n  -t, --two\n\n";
        let told = |text: &str| Help { command: String::new(), text: text.to_owned() }.options();
        let pair = |name: &str, about: &str| (name.to_owned(), about.to_owned());
        let [file, one] = [pair("<FILE>", "What"), pair("--one <N>", "First")];
        assert_eq!(told(short), [file, one, pair("--two", ""), pair("-h, --help", "Help")]);
        assert_eq!(told(long), [pair("--one <N>", "Firstof two"), pair("-t, --two", "")]);
    }
}
