//! Whether Cargo understands a command line, without building anything: it reads all arguments before it looks for the
//! manifest, and is sent to one that is not there.

use anyhow::{Context, bail};
use std::path::Path;
use std::process::Command;

const NOWHERE: &str = "/nowhere/Cargo.toml";
/// Those that take the manifest's path.
const SUBCOMMANDS: [&str; 9] = ["build", "run", "test", "clippy", "fmt", "doc", "nextest", "llvm-cov", "mutants"];

/// Every call of Cargo in a script or Makefile: its line and its words after `cargo`.
#[must_use]
pub fn calls(script: &str) -> Vec<(usize, Vec<String>)> {
    let mut found: Vec<(usize, Vec<String>)> = Vec::new();
    let mut lines = script.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim().to_owned();
        while let Some(part) = line.strip_suffix('\\') {
            line = format!("{part} {}", lines.next().map_or("", |(_, next)| next.trim()));
        }
        for caller in ["\"$CARGO\" ", "$(CARGO) ", "cargo "] {
            let begins = line.strip_prefix('@').unwrap_or(&line);
            let begins = begins.strip_prefix("exec ").unwrap_or(begins);
            let begins = begins.strip_prefix("if ! ").unwrap_or(begins);
            if let Some(rest) = begins.strip_prefix(caller) {
                found.push((number + 1, words(rest)));
            }
        }
    }
    found
}

/// The words of a command, quotes taken away, up to a redirection or another command.
fn words(text: &str) -> Vec<String> {
    let ends = |word: &&str| !matches!(word.chars().next(), Some('|' | '>' | ';' | '&')) && !word.starts_with("2>");
    text.split_whitespace().take_while(ends).map(|word| word.trim_end_matches(';').replace(['"', '\''], "")).collect()
}

/// Fails when Cargo, or the subcommand of its, does not understand these arguments, or they name a target that no crate
/// in `root` has.
///
/// # Errors
/// With what Cargo says.
pub fn understands(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let Some((sub, rest)) = arguments.split_first() else { bail!("no subcommand") };
    // A tool's name alone is no call.
    let is_alone = rest.is_empty() && matches!(sub.as_str(), "nextest" | "llvm-cov" | "mutants");
    if is_alone || !SUBCOMMANDS.contains(&sub.as_str()) || rest.first().is_some_and(|word| word == "--version") {
        return Ok(());
    }
    // `cargo nextest run`, `cargo llvm-cov nextest`: the manifest comes after both words.
    let head = 1 + usize::from(matches!(sub.as_str(), "nextest" | "llvm-cov"));
    let (head, rest) = arguments.split_at(head.min(arguments.len()));
    let rest = rest.iter().map(|word| known(word));
    let mut command = Command::new("cargo");
    command.args(head).args(["--manifest-path", NOWHERE]).args(rest).current_dir(root);
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("no such command") {
        // An installed tool less; what it would say is for those who have it.
        return Ok(());
    }
    // cargo-mutants does not name the file that it misses.
    let missed_the_manifest = said.contains(NOWHERE) || said.contains("Manifest path is not a file");
    if output.status.success() || !missed_the_manifest {
        bail!("cargo {}: {said}", arguments.join(" "));
    }
    targets_exist(root, arguments)
}

/// What a shell's variable stands for does not matter here.
fn known(word: &str) -> String {
    if word == "$(PROFILE)" { "--release".to_owned() } else { word.replace("$(ARGS)", "x") }
}

fn targets_exist(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    for pair in arguments.windows(2).take_while(|pair| pair[0] != "--") {
        let [kind, name] = pair else { continue };
        // Capitals stand for whichever.
        if name.chars().all(|c| c.is_ascii_uppercase()) {
            continue;
        }
        let exists = match kind.as_str() {
            "--example" => is_in_a_crate(root, &format!("examples/{name}.rs")),
            "--test" => {
                is_in_a_crate(root, &format!("tests/{name}.rs"))
                    || is_in_a_crate(root, &format!("tests/{name}/main.rs"))
            }
            "-p" | "--package" => root.join(name).join("Cargo.toml").exists() || name == "takeover",
            "--bin" => names_a_program(root, name)?,
            _ => continue,
        };
        if !exists {
            bail!("cargo {}: there is no {kind} {name}", arguments.join(" "));
        }
    }
    Ok(())
}

fn is_in_a_crate(root: &Path, path: &str) -> bool {
    let crates = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    crates.chain([root.to_owned()]).any(|folder| folder.join(path).exists())
}

fn names_a_program(root: &Path, name: &str) -> anyhow::Result<bool> {
    let entries = std::fs::read_dir(root).context("cannot read the repository")?;
    let manifests = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("Cargo.toml")).ok());
    let line = format!("name = \"{name}\"");
    Ok(name == "takeover"
        || manifests.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).any(|l| l == line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_whole() {
        let script = "if ! cargo nextest --version >/dev/null; then\n  \"$CARGO\" build --release \\\n   --bin takeover | tee x\n\t@$(CARGO) run $(PROFILE) -- demo\necho cargo";
        let found = calls(script);
        let words = |n: usize| found[n].1.join(" ");
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!((words(0), words(1)), ("nextest --version".into(), "build --release --bin takeover".into()));
        assert_eq!(words(2), "run $(PROFILE) -- demo");
    }

    #[test]
    fn what_cargo_does_not_take_is_told() {
        let root = crate::documents::root();
        let ask = |line: &str| understands(&root, &line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        ask("run --release -- demo").unwrap();
        ask("build --release --workspace --example fault_trials").unwrap();
        let refused = ask("run --release --workspace --example fault_trials").unwrap_err().to_string();
        assert!(refused.contains("--workspace"), "{refused}");
        assert!(ask("build --example no_such_thing").unwrap_err().to_string().contains("no_such_thing"));
    }
}
