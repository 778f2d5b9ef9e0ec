//! The measurements that documents speak of: `scripts/measure.sh PART...` runs them.

use super::markdown::{Code, Kind, Place};
use super::measured::{Measured, Run, Small, machine, processor, today};
use crate::{free_port, picture_of_a_face, python};
use anyhow::{Context, bail};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// One measurement.
pub struct Part {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// What is run.
    pub runs: &'static [Spec],
    /// Small forms in virtual time.
    pub small: &'static [&'static str],
    /// Whether it is part of what runs when nothing is named.
    pub by_default: bool,
}

/// A command and how it is run here: lines for `bash` that leave its JSON in `$OUT`. `$DIR` is a fresh folder, `$PORT` a
/// free port, `$ROOT` the repository, `$PYTHON` a Python with the judges' packages, `$SUDO` what gives rights.
pub struct Spec {
    command: &'static str,
    run: &'static str,
}

/// All of them, in the order in which they run.
pub static PARTS: [Part; 7] = [
    Part {
        name: "demo",
        runs: &[Spec {
            command: "takeover demo --turns 3 --exit --seed 7",
            run: "takeover demo --turns 3 --exit --seed 7 --no-live-car --data $DIR/demo --port $PORT\n\
                  cp $DIR/demo/report.json $OUT",
        }],
        small: &[
            "takeover evaluate --road e6mini --seed 7 --trips 1 --trip-s 60 --json",
            "takeover evaluate --road fabriksgatan --seed 7 --trips 1 --trip-s 30 --episodes $DIR/episodes --json >&2\n\
             takeover train --episodes $DIR/episodes --out $DIR --version small --steps 60 --seed 7 >&2\n\
             takeover evaluate --policy $DIR/small --road e6mini --seed 7 --trips 1 --trip-s 60 --json",
        ],
        by_default: true,
    },
    Part {
        name: "latency",
        runs: &[Spec {
            command: "takeover latency-study --seed 7 --trials 6 --delay 0 --delay 100 --delay 150 --delay 225 --delay 300",
            run: "takeover latency-study --seed 7 --trials 6 --delay 0 --delay 100 --delay 150 --delay 225 --delay 300 \
                  --json $OUT --plot $ROOT/docs/latency.svg",
        }],
        small: &[
            "takeover latency-study --seed 7 --trials 1 --route-m 300 --delay 0 --delay 225 --json $DIR/study.json >&2\n\
                  cat $DIR/study.json",
        ],
        by_default: true,
    },
    Part {
        name: "link",
        runs: &[
            Spec {
                command: "sudo takeover link-report --seed 1 --seconds 15 --case clean --case rtt50 --case loss10 \
                          --case loss30 --case burst --case satellite --case 1mbit --case connect",
                run: "$SUDO takeover link-report --seed 1 --seconds 15 --case clean --case rtt50 --case loss10 \
                      --case loss30 --case burst --case satellite --case 1mbit --case connect --json $OUT",
            },
            Spec {
                command: "sudo takeover link-report --seed 1 --seconds 40 --case blackout --case failover --case roam \
                          --case roam-vehicle",
                run: "$SUDO takeover link-report --seed 1 --seconds 40 --case blackout --case failover --case roam \
                      --case roam-vehicle --json $OUT",
            },
            Spec {
                command: "sudo takeover link-report --seed 1 --seconds 62 --case step",
                run: "$SUDO takeover link-report --seed 1 --seconds 62 --case step --json $OUT",
            },
        ],
        small: &[],
        by_default: true,
    },
    Part {
        name: "bench",
        runs: &[Spec { command: "takeover bench --core", run: "takeover bench --core --json $OUT" }],
        small: &[],
        by_default: true,
    },
    Part {
        name: "recorder",
        runs: &[Spec { command: "takeover bench --recorder", run: "takeover bench --recorder --json $OUT" }],
        small: &[],
        by_default: true,
    },
    Part {
        name: "privacy",
        runs: &[Spec {
            command: "scripts/measure.sh privacy",
            run: "$PYTHON $ROOT/tests/peers/privacy_figures.py look draw_camera $DIR >$OUT",
        }],
        small: &[],
        by_default: true,
    },
    Part {
        name: "fuzz",
        runs: &[Spec {
            command: "make fuzz",
            run: "$ROOT/scripts/fuzz.sh\n\
                  cp ${FUZZ_TARGET_DIR:-${CARGO_TARGET_DIR:-$ROOT/target}/fuzz}/fuzz.json $OUT",
        }],
        small: &[],
        // It takes as long as one wants: SECONDS_EACH.
        by_default: false,
    },
];

/// The commands of the parts that run by default, which tables name.
#[must_use]
pub fn commands() -> Vec<Code> {
    let runs = PARTS.iter().filter(|part| part.by_default).flat_map(|part| part.runs);
    let place = Place { document: "tests/src/documents/parts.rs".to_owned(), line: 1 };
    let code =
        |text: &str| Code { place: place.clone(), kind: Kind::Command, text: text.to_owned(), block: String::new() };
    runs.map(|spec| code(spec.command)).collect()
}

/// Where what was measured is not what would be measured now: other commands, or a machine in other words than
/// [`machine`] finds for one. Parts that do not run by default may be missing.
///
/// # Errors
/// When a part was never measured.
pub fn differences(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for part in PARTS.iter().filter(|part| part.by_default || super::measured::path(root, part.name).exists()) {
        all.extend(part.differences(&Measured::read(root, part.name)?));
    }
    Ok(all)
}

/// The part of that name.
///
/// # Errors
/// When there is none, with those that there are.
pub fn find(name: &str) -> anyhow::Result<&'static Part> {
    let all = || PARTS.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
    PARTS
        .iter()
        .find(|part| part.name == name)
        .with_context(|| format!("no part is called {name:?}; there are {}", all()))
}

impl Part {
    fn differences(&self, measured: &Measured) -> Vec<String> {
        let again = format!("measure again with `make docs ARGS={}`", self.name);
        let (ran, runs): (Vec<&str>, Vec<&str>) = (
            measured.runs.iter().map(|run| run.command.as_str()).collect(),
            self.runs.iter().map(|spec| spec.command).collect(),
        );
        let other = (ran != runs).then(|| format!("{} was measured with {ran:?}, not {runs:?}: {again}", self.name));
        let is_system = |word: &str| ["linux", "macos", "windows", "freebsd"].contains(&word);
        let is_by_hand = !is_system(measured.machine.rsplit(", ").next().unwrap_or_default());
        let by_hand = is_by_hand
            .then(|| format!("{}: somebody described the machine: {:?}: {again}", self.name, measured.machine));
        other.into_iter().chain(by_hand).collect()
    }

    /// Runs everything and says how long it took.
    ///
    /// # Errors
    /// When a command fails.
    pub fn measure(&self, root: &Path) -> anyhow::Result<Measured> {
        let date = today()?;
        let mut runs = Vec::new();
        for spec in self.runs {
            eprintln!("== {}: {}", self.name, spec.command);
            let folder = tempfile::tempdir()?;
            let out = folder.path().join("out.json");
            let started = Instant::now();
            bash(root, folder.path(), spec.run, true).with_context(|| format!("{}: {}", self.name, spec.command))?;
            let took_s = started.elapsed().as_secs_f64();
            eprintln!("== {}: {took_s:.0} s", self.name);
            let text = std::fs::read(&out).with_context(|| format!("{}: no result", spec.command))?;
            let result = self.slim(serde_json::from_slice(&text)?);
            runs.push(Run { command: spec.command.into(), date: date.clone(), took_s: took_s.round(), result });
        }
        let small = self.small.iter().map(|run| self.small(root, run)).collect::<anyhow::Result<_>>()?;
        Ok(Measured { machine: machine(), runs, small })
    }

    /// Takes the result of the part's only command, which was run by itself.
    ///
    /// # Errors
    /// When the part has several commands, or the result cannot be read.
    pub fn take(&self, result: &Path) -> anyhow::Result<Measured> {
        let [spec] = self.runs else { bail!("{} has {} commands", self.name, self.runs.len()) };
        Measured::taken(spec.command, result)
    }

    /// Runs a small form.
    ///
    /// # Errors
    /// When a command fails or prints no JSON.
    pub fn small(&self, root: &Path, run: &str) -> anyhow::Result<Small> {
        let folder = tempfile::tempdir()?;
        let printed = bash(root, folder.path(), run, false)?;
        let result = serde_json::from_str(&printed).with_context(|| format!("no JSON: {printed}"))?;
        Ok(Small { run: run.to_owned(), processor: processor(), result: self.slim(result) })
    }

    /// Without what no table shows: single trips of the study, and texts that a person reads anyhow.
    fn slim(&self, mut result: Value) -> Value {
        if let Some(all) = result.as_object_mut() {
            all.remove("trials");
        }
        if self.name == "link"
            && let Some(figures) = result.as_array_mut()
        {
            figures.retain(|f| !f["goal"].is_null() || super::tables::LINK_EXTRAS.iter().any(|m| f["metric"] == *m));
        }
        result
    }
}

/// How a program of `path` runs with all rights: sudo puts a path of its own in the place of ours.
fn sudo(path: &OsStr) -> anyhow::Result<String> {
    let path = path.to_str().filter(|path| !path.contains(char::is_whitespace));
    Ok(format!("sudo env PATH={}", path.context("PATH has a blank in it, or is not UTF-8")?))
}

/// Runs lines of bash; what they print, unless it is shown to the person.
fn bash(root: &Path, folder: &Path, lines: &str, shown: bool) -> anyhow::Result<String> {
    let programs = std::env::current_exe()?;
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    for place in programs.ancestors().take(3) {
        for below in [place.to_owned(), place.join("examples")] {
            path = std::env::join_paths([below].into_iter().chain(std::env::split_paths(&path)))?;
        }
    }
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", lines]).current_dir(root);
    command.env("PATH", &path).env("ROOT", root).env("DIR", folder).env("OUT", folder.join("out.json"));
    command.env("PORT", free_port()?.to_string());
    if lines.contains("$PYTHON") {
        // The faces come with the package of that picture.
        picture_of_a_face()?;
        command.env("PYTHON", python()?);
    }
    let is_root = crate::run(Command::new("id").arg("-u"))?.trim() == "0";
    command.env("SUDO", if is_root { "env".to_owned() } else { sudo(&path)? });
    if !shown {
        let output = command.output()?;
        if !output.status.success() {
            bail!("{lines}: {}", String::from_utf8_lossy(&output.stderr));
        }
        return Ok(String::from_utf8(output.stdout)?);
    }
    let status = command.status()?;
    if !status.success() {
        bail!("{lines} ended with {status}");
    }
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_another_command_or_a_machine_described_by_hand_are_told() {
        let part = find("bench").unwrap();
        let run =
            |command: &str| Run { command: command.into(), date: String::new(), took_s: 0.0, result: Value::Null };
        let of = |command: &str, machine: &str| {
            part.differences(&Measured { machine: machine.into(), runs: vec![run(command)], small: Vec::new() })
        };
        assert_eq!(of("takeover bench --core", "2 cores of X, 24 GiB, linux"), Vec::<String>::new());
        assert_eq!(of("takeover bench --core", &machine()), Vec::<String>::new());
        let other = of("takeover bench --core --quick", "2 cores of X, 24 GiB, linux");
        assert!(other.len() == 1 && other[0].contains("make docs ARGS=bench"), "{other:?}");
        assert_eq!(of("takeover bench --core", "2 cores of X, 24 GiB, linux, an idle one").len(), 1);
    }

    #[test]
    fn sudo_keeps_the_path() {
        assert_eq!(sudo(OsStr::new("/a:/b")).unwrap(), "sudo env PATH=/a:/b");
        assert!(sudo(OsStr::new("/a b")).is_err());
    }
}
