//! Where commands of documents are tried: a small site with a control plane, a driving vehicle, a folder of episodes
//! and a policy, and the variables that stand for them.

use super::entry::{Entry, Need};
use super::{Code, markdown::Kind, root};
use crate::{CAR, Process, Site, free_port, picture_of_a_face, program, python, run, wait_for};
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that one entry may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(150);
/// How long a program may take to end after an interrupt.
const END: Duration = Duration::from_secs(30);

/// The site; what runs ends with it.
pub struct Stage {
    folder: PathBuf,
    /// Address of the control plane.
    pub url: String,
    variables: BTreeMap<&'static str, String>,
    blocks: BTreeMap<String, String>,
    _running: Vec<Process>,
}

impl Stage {
    /// Sets everything up in `folder`; `code` gives the documents' blocks.
    ///
    /// # Errors
    /// When a program fails.
    pub fn set_up(folder: &Path, code: &[Code]) -> anyhow::Result<Self> {
        let site = Site::new(folder)?;
        let rules = folder.join("rules.toml");
        std::fs::write(&rules, "[[rule]]\nverdict = \"useful\"\nalways = true\n")?;
        let plane = site.control_plane(&["--retention", &rules.to_string_lossy()])?;
        let car = site.bridge()?;
        let takeover = |words: &[&str]| run(Command::new(program("takeover")?).args(words).current_dir(folder));
        let episodes = site.path("episodes");
        let drive = ["evaluate", "--road", "fabriksgatan", "--seed", "7", "--trips", "1", "--trip-s", "40"];
        takeover(&[&drive[..], &["--episodes", &episodes]].concat())?;
        takeover(&["episode", "upload", &episodes, "--control-plane", &site.address, "--register"])?;
        let policies = site.path("policies");
        let train = ["train", "--episodes", &episodes, "--out", &policies, "--version", "small", "--steps", "20"];
        takeover(&train)?;
        let roads = folder.join("roads");
        std::fs::create_dir(&roads)?;
        std::fs::copy(root().join("sim/roads/e6mini.xodr"), roads.join("own.xodr"))?;
        site.wait_until("the car online", |car| car["online"] == true)?;

        let (id, file) = longest_episode(&episodes)?;
        let variables = BTreeMap::from([
            ("URL", site.address.clone()),
            ("SITE", folder.display().to_string()),
            ("CAR", site.path("car")),
            ("EPISODES", episodes),
            ("FILE", file),
            ("ID", id),
            ("POLICY", format!("{policies}/small")),
            ("ROADS", roads.display().to_string()),
            ("ROOT", root().display().to_string()),
            ("VEHICLE", CAR.to_owned()),
            // Scripts look for programs where these tests lie.
            ("CARGO_TARGET_DIR", target()?.display().to_string()),
        ]);
        let blocks = code.iter().filter(|c| c.kind == Kind::Block).map(|c| (c.text.clone(), c.block.clone()));
        let url = site.address.clone();
        Ok(Self { folder: folder.to_owned(), url, variables, blocks: blocks.collect(), _running: vec![plane, car] })
    }

    /// One more variable.
    pub fn define(&mut self, name: &'static str, value: String) {
        self.variables.insert(name, value);
    }

    /// Tries one entry.
    ///
    /// # Errors
    /// When it fails or does not say what it should, with what it says.
    pub fn try_entry(&self, number: usize, entry: &Entry) -> anyhow::Result<()> {
        let folder = self.folder.join(format!("entry-{number}"));
        std::fs::create_dir(&folder)?;
        let mut variables = self.variables.clone();
        variables.insert("DIR", folder.display().to_string());
        variables.insert("PORT", free_port()?.to_string());
        variables.insert("PORT2", free_port()?.to_string());
        if let Some(block) = entry.named.iter().find_map(|name| self.blocks.get(name)) {
            let path = folder.join("block.toml");
            std::fs::write(&path, block)?;
            variables.insert("BLOCK", path.display().to_string());
        }
        if entry.run.contains("$PYTHON") {
            picture_of_a_face()?;
            variables.insert("PYTHON", python()?.display().to_string());
        }
        let mut said = String::new();
        for line in &entry.requests {
            said += &self.request(&filled(line, &variables))?;
        }
        if !entry.run.is_empty() {
            let outcome = Self::bash(entry, &folder, &variables);
            match outcome {
                Ok(text) => said += &text,
                Err(error) if entry.needs == Some(Need::Namespaces) && lacks_rights(&format!("{error:#}")) => {
                    println!("not tried, for want of rights: {:?}", entry.named);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        for words in &entry.says {
            let words = filled(words, &variables);
            ensure!(said.contains(&words), "{words:?} is not in what it says: {said}");
        }
        Ok(())
    }

    fn request(&self, line: &str) -> anyhow::Result<String> {
        let mut parts = line.splitn(3, ' ');
        let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let body = parts.next().unwrap_or_default();
        let url = format!("{}{path}", self.url);
        let kind = if body.starts_with('{') { "application/json" } else { "application/octet-stream" };
        let answer = match method {
            "GET" => ureq::get(&url).call(),
            "POST" => ureq::post(&url).header("content-type", kind).send(body),
            "PUT" => ureq::put(&url).header("content-type", kind).send(body),
            "PATCH" => ureq::patch(&url).header("content-type", kind).send(body),
            _ => bail!("{line}: no such method"),
        };
        let bytes = answer.with_context(|| line.to_owned())?.body_mut().with_config().limit(1 << 30).read_to_vec()?;
        Ok(String::from_utf8_lossy(&bytes).into_owned() + "\n")
    }

    fn bash(entry: &Entry, folder: &Path, variables: &BTreeMap<&str, String>) -> anyhow::Result<String> {
        let log = folder.join("said.log");
        let mut command = Command::new("bash");
        // A program that is to be interrupted takes the shell's place, so that the interrupt reaches it.
        let lines = if entry.until.is_some() { with_exec(&entry.run) } else { entry.run.clone() };
        command.args(["-euo", "pipefail", "-c", &lines]).current_dir(folder).envs(variables.clone());
        command.env("PATH", path()?).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").stdin(Stdio::null());
        let mut process = Process::spawn(command, &log)?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        if let Some(words) = &entry.until {
            wait_for(words, LIMIT, || (said().contains(words) || process.has_ended().is_some()).then_some(()))
                .with_context(said)?;
            ensure!(said().contains(words), "it ended before it said {words:?}: {}", said());
            process.signal("INT")?;
        }
        let limit = if entry.until.is_some() { END } else { LIMIT };
        let status = wait_for("its end", limit, || process.has_ended()).with_context(said)?;
        ensure!(status.success(), "{status}: {}", said());
        Ok(said())
    }
}

/// `A=b program` in the last line becomes `A=b exec program`.
fn with_exec(run: &str) -> String {
    let (before, last) =
        run.trim().rsplit_once('\n').map_or((String::new(), run.trim()), |(b, l)| (format!("{b}\n"), l));
    let words: Vec<&str> = last.split(' ').collect();
    let at = words.iter().position(|word| !word.contains('=') || word.starts_with('-')).unwrap_or(0);
    before + &[&words[..at], &["exec"], &words[at..]].concat().join(" ")
}

fn lacks_rights(error: &str) -> bool {
    error.contains("CAP_NET_ADMIN") || error.contains("CAP_SYS_ADMIN") || error.contains("/dev/net/tun is missing")
}

/// `$NAME` replaced.
fn filled(text: &str, variables: &BTreeMap<&str, String>) -> String {
    variables.iter().rev().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
}

/// The programs and examples that were built, before everything else.
fn path() -> anyhow::Result<std::ffi::OsString> {
    let takeover = program("takeover")?;
    let folder = takeover.parent().context("a program without a folder")?;
    let old = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(
        [folder.to_owned(), folder.join("examples")].into_iter().chain(std::env::split_paths(&old)),
    )?)
}

/// The target folder.
fn target() -> anyhow::Result<PathBuf> {
    let program = program("takeover")?;
    Ok(program.ancestors().nth(2).context("no target folder")?.to_owned())
}

/// Identity and path of the longest episode.
fn longest_episode(folder: &str) -> anyhow::Result<(String, String)> {
    let entries = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let files = entries.filter(|path| path.extension().is_some_and(|ending| ending == "mcap"));
    let longest =
        files.max_by_key(|path| path.metadata().map_or(0, |m| m.len())).context("the drive has no episode")?;
    let name = longest.file_stem().context("no name")?.to_string_lossy().into_owned();
    Ok((name, longest.display().to_string()))
}

/// How long something took.
pub struct Timed<T> {
    /// Outcome.
    pub outcome: T,
    /// Seconds.
    pub took_s: f64,
}

/// Runs and looks at the clock.
pub fn timed<T>(work: impl FnOnce() -> T) -> Timed<T> {
    let started = Instant::now();
    let outcome = work();
    Timed { outcome, took_s: started.elapsed().as_secs_f64() }
}
