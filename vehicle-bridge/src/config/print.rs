//! Prints the configuration file that changes nothing.

use super::{ConfigFormat, ConfigKey, KeyKind};
use clap::{Arg, Command};
use std::fmt::Write;

/// Longest line of a comment, characters.
const WIDTH: usize = 100;

/// A configuration file for the bridge with the options `A`, with every key: what it means, and its default or, as a comment, a
/// value that it could have.
#[must_use]
pub fn default_file<A: clap::Args>(format: &ConfigFormat) -> String {
    let bridge = A::augment_args(Command::new(format.program));
    let mut file = String::new();
    comment(
        &mut file,
        &format!(
            "Configuration of a bridge, for `{0} --config FILE`. A key stands for the option of its name, where its meaning is \
             from; the command line wins over this file, and so does the environment. Keys that are commented out have no \
             default, or one that depends on where the bridge is started. Paths are relative to this file's folder. \
             `{0} config --check FILE` says what is wrong with a file.",
            format.program
        ),
    );
    let mut table = "";
    for key in format.keys() {
        if key.table != table {
            table = key.table;
            let _ = write!(file, "\n# Only for robot = {table:?}.\n[{table}]\n");
        }
        if let Some(arg) = bridge.get_arguments().find(|arg| arg.get_long() == Some(key.option)) {
            file.push('\n');
            write_key(&mut file, key, arg);
        }
    }
    file
}

fn write_key(file: &mut String, key: &ConfigKey, arg: &Arg) {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = if help.ends_with('.') { help } else { format!("{help}.") };
    comment(file, &help);
    if let KeyKind::PathOrTable = key.kind {
        comment(file, &format!("Or the content of that file as the table [{}], at the end of this one.", key.name()));
    }
    let default = arg.get_default_values().first().and_then(|value| value.to_str());
    let name = key.name();
    let _ = match (default, key.kind) {
        (Some(default), KeyKind::Number) => writeln!(file, "{name} = {default}"),
        // Where the bridge is started, not where this file lies.
        (Some(default), KeyKind::Path) => writeln!(file, "# {name} = {default:?}"),
        (Some(default), _) => writeln!(file, "{name} = {default:?}"),
        (None, _) => writeln!(file, "# {name} = {}", key.example),
    };
}

/// Writes `text` as lines of a comment.
fn comment(file: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(file, "{line}");
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(file, "{line}");
}
