//! Measures what the documents claim, keeps it in `docs/measured`, and writes the documents' tables from it:
//! `documents [measure PART... | take PART FILE | check]`. `scripts/measure.sh` builds what it needs and runs it; `take` is
//! for a result that is there already, such as the `fuzz.json` of `make fuzz`.

use anyhow::{Context, bail};
use std::path::Path;
use std::time::Instant;
use tests::documents::{documents, help, parts, root, tables};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => write(false),
        ["check"] => {
            let differences = parts::differences(&root())?;
            if !differences.is_empty() {
                bail!("{}", differences.join("\n"));
            }
            write(true)
        }
        ["measure", ref names @ ..] => measure(names),
        ["take", name, file] => {
            parts::find(name)?.take(Path::new(file))?.write(&root(), name)?;
            write(false)
        }
        _ => bail!("usage: documents [measure PART... | take PART FILE | check]"),
    }
}

fn measure(names: &[&str]) -> anyhow::Result<()> {
    let started = Instant::now();
    let chosen: Vec<&parts::Part> = if names.is_empty() {
        parts::PARTS.iter().filter(|part| part.by_default).collect()
    } else {
        names.iter().map(|name| parts::find(name)).collect::<anyhow::Result<_>>()?
    };
    for part in chosen {
        part.measure(&root())?.write(&root(), part.name)?;
    }
    eprintln!("== measured in {:.0} s", started.elapsed().as_secs_f64());
    write(false)
}

/// Writes all tables, or fails when one is not as it would be written.
fn write(only_check: bool) -> anyhow::Result<()> {
    let helps = [help::all("takeover")?, help::all("takeover-console").unwrap_or_default()].concat();
    for path in documents(&root())? {
        let text = std::fs::read_to_string(&path)?;
        let new = tables::written(&root(), &text, &helps).with_context(|| path.display().to_string())?;
        if new == text {
            continue;
        }
        if only_check {
            bail!("a table of {} is not what was measured; write it with `make docs ARGS=tables`", path.display());
        }
        std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("{} written", path.display());
    }
    Ok(())
}
