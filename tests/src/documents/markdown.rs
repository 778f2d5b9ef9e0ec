//! What stands in code type in a document: spans in a line, and fenced blocks.

/// Where a piece of code stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path of the document in the repository.
    pub document: String,
    /// Its line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.document, self.line)
    }
}

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A command line or a request.
    Command,
    /// A whole block that is no command: a file's content.
    Block,
    /// Anything else in a line.
    Name,
}

/// A piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The place in the file.
    pub place: Place,
    /// Its kind.
    pub kind: Kind,
    /// Without comments and continuations; a block is its first line.
    pub text: String,
    /// The whole block of a [`Kind::Block`].
    pub block: String,
}

/// Programs that the documents call.
const PROGRAMS: [&str; 11] = [
    "takeover",
    "takeover-web",
    "takeover-bridge",
    "takeover-console",
    "make",
    "cargo",
    "python3",
    "apt-get",
    "ip",
    "ffmpeg",
    "fault_trials",
];
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Whether a text is a command line or an HTTP request, and no mere name.
#[must_use]
pub fn is_command(text: &str) -> bool {
    let mut words = text.split_whitespace().skip_while(|word| *word == "sudo" || is_variable(word));
    let Some(first) = words.next() else { return false };
    let second = words.next();
    if METHODS.contains(&first) {
        return second.is_some_and(|path| path.starts_with('/'));
    }
    if first.starts_with("scripts/") || first.starts_with("takeover-") {
        return PROGRAMS.contains(&first) || first.starts_with("scripts/");
    }
    PROGRAMS.contains(&first) && second.is_some()
}

/// `NAME=VALUE` before a command.
fn is_variable(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// Every piece of code of a document. What a program wrote of its own measurements is left out; the table of programs is
/// not.
#[must_use]
pub fn code(document: &str, text: &str) -> Vec<Code> {
    let place = |line: usize| Place { document: document.to_owned(), line: line + 1 };
    let mut found = Vec::new();
    let (mut paragraph, mut in_table): (Vec<(usize, &str)>, bool) = (Vec::new(), false);
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        in_table = is_in_table(in_table, line);
        if in_table && !line.trim_start().starts_with("```") {
            continue;
        }
        if !line.trim().is_empty() && !line.trim_start().starts_with("```") {
            paragraph.push((number, line));
            continue;
        }
        found.extend(spans(&std::mem::take(&mut paragraph), place));
        let Some(language) = line.trim_start().strip_prefix("```") else { continue };
        let block: Vec<(usize, &str)> = lines.by_ref().take_while(|(_, line)| line.trim() != "```").collect();
        if !in_table {
            found.extend(fenced(language.trim(), &block, place));
        }
    }
    found.extend(spans(&paragraph, place));
    found
}

/// Whether a line stands in a table of measurements, when the line before did or did not.
#[must_use]
pub fn is_in_table(before: bool, line: &str) -> bool {
    let begins = line.starts_with("<!-- table:") && !line.contains(": programs ");
    (before || begins) && !line.starts_with("<!-- end")
}

/// The text between pairs of back quotes, which may begin in one line and end in the next.
fn spans(paragraph: &[(usize, &str)], place: impl Fn(usize) -> Place) -> Vec<Code> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in paragraph {
        for (index, part) in line.split('`').enumerate() {
            if index == 0 {
                if let Some((_, text)) = &mut open {
                    *text = format!("{text} {}", part.trim_start());
                }
                continue;
            }
            // Every quote turns it over.
            match open.take() {
                Some(done) => found.push(done),
                None => open = Some((*number, part.to_owned())),
            }
        }
    }
    let made = found.into_iter().filter(|(_, text)| !text.trim().is_empty()).map(|(line, text)| {
        let kind = if is_command(&text) { Kind::Command } else { Kind::Name };
        Code { place: place(line), kind, text, block: String::new() }
    });
    made.collect()
}

fn fenced(language: &str, block: &[(usize, &str)], place: impl Fn(usize) -> Place) -> Vec<Code> {
    let commands = commands(block);
    let shell = matches!(language, "" | "sh" | "bash");
    if shell && commands.first().is_some_and(|(_, command)| is_command(command)) {
        let made = commands.into_iter().map(|(line, text)| Code {
            place: place(line),
            kind: Kind::Command,
            text,
            block: String::new(),
        });
        return made.collect();
    }
    let whole: String = block.iter().flat_map(|(_, line)| [line, "\n"]).collect();
    let first = block.first().and_then(|(_, line)| line.split(" #").next()).unwrap_or_default().trim().to_owned();
    let line = block.first().map_or(0, |(line, _)| *line);
    vec![Code { place: place(line), kind: Kind::Block, text: first, block: whole }]
}

/// Lines put together where they go on, without what follows a `#`.
fn commands(block: &[(usize, &str)]) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in block {
        let line = line.split(" #").next().unwrap_or(line).trim();
        let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part.trim(), true));
        if part.is_empty() || part.starts_with('#') {
            continue;
        }
        match all.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => *whole = format!("{whole} {part}"),
            None => all.push((*number, part.to_owned())),
        }
        goes_on = more;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, Kind, String)> {
        code("a.md", text).into_iter().map(|c| (c.place.line, c.kind, c.text)).collect()
    }

    #[test]
    fn commands_are_told_from_names() {
        let commands = [
            "takeover web --retention FILE",
            "takeover-console",
            "sudo takeover netem run",
            "A_B='x y' takeover web",
            "make test",
            "GET /api/v1/episodes",
            "scripts/safety.sh --quick",
        ];
        // The second word of a quoted value is no program: such lines need a value without blanks.
        assert_eq!(commands.map(is_command), [true, true, true, false, true, true, true]);
        assert_eq!(["takeover", "--rate", "GET it", "takeover.sqlite", "make"].map(is_command), [false; 5]);
    }

    #[test]
    fn a_span_may_go_on_in_the_next_line() {
        let found = found(
            "A `takeover episode\n  play --serve` and\n`b` c `d`\n\n<!-- table: x -->\n```\nv0\n```\n`e`\n<!-- end -->\n",
        );
        let texts: Vec<&str> = found.iter().map(|(.., text)| text.as_str()).collect();
        assert_eq!(texts, ["takeover episode play --serve", "b", "d"]);
    }

    #[test]
    fn blocks_and_spans_are_found_with_their_lines() {
        let text = "Say `takeover web` or `--addr`.\n\n```\nmake test   # all\ntakeover web \\\n    --addr X\n```\n\
                    ```toml\nmax = 1   # most\n```\n";
        let expected = [
            (1, Kind::Command, "takeover web"),
            (1, Kind::Name, "--addr"),
            (4, Kind::Command, "make test"),
            (5, Kind::Command, "takeover web --addr X"),
            (9, Kind::Block, "max = 1"),
        ];
        assert_eq!(found(text), expected.map(|(line, kind, text)| (line, kind, text.to_owned())));
    }
}
