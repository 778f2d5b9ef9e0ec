//! One run of one case: control plane and bridge in the left namespace, seats in the right one.

use super::cases::{Case, Kind};
use super::roaming::Roaming;
use crate::netem::namespaces::Side;
use crate::netem::router::Router;
use crate::netem::sys;
use crate::output::Interrupted;
use crate::seat::SeatReport;
use anyhow::{Context, bail};
use link::netem::shell::ShellStats;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vehicle_bridge::source::{SourceReport, usage};

/// What a run left behind.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// The bridge's own figures.
    pub bridge: SourceReport,
    /// Those of each seat.
    pub seats: Vec<SeatReport>,
    /// The router's counts.
    pub router: ShellStats,
    /// Wall time of the zero of the path's script, microseconds.
    pub path_unix_us: u64,
    /// Wall time of each change of address, microseconds.
    pub roamed_unix_us: Vec<u64>,
}

const PORT: u16 = 8080;
const READY: Duration = Duration::from_secs(60);
/// How long a seat of [`Kind::Connect`] stays.
const VISIT_S: f64 = 2.5;
/// From a request to end until it is enforced.
const GRACE: Duration = Duration::from_secs(10);

/// A process of the trial; ends with it.
struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(name: &'static str, mut command: Command, dir: &Path) -> anyhow::Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start the {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Waits until its log says `words`.
    fn wait_for(&mut self, words: &str, stop: &AtomicBool) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if std::fs::read_to_string(&self.log).unwrap_or_default().contains(words) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the {} ended with {status}: {}", self.name, self.last_words());
            }
            if stop.load(Ordering::Relaxed) {
                return Err(Interrupted.into());
            }
            if start.elapsed() > READY {
                bail!("the {} was not ready after {READY:?}: {}", self.name, self.last_words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }

    /// Waits at most `limit` for its end, then asks for it, then enforces it.
    fn finish(&mut self, limit: Duration, stop: &AtomicBool) -> anyhow::Result<ExitStatus> {
        self.finish_while(limit, stop, || ())
    }

    /// As [`Self::finish`]; calls `turn` again and again meanwhile.
    fn finish_while(
        &mut self,
        limit: Duration,
        stop: &AtomicBool,
        mut turn: impl FnMut(),
    ) -> anyhow::Result<ExitStatus> {
        let start = Instant::now();
        let mut asked = false;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if !asked && (start.elapsed() >= limit || stop.load(Ordering::Relaxed)) {
                sys::end_process(i32::try_from(self.child.id()).unwrap_or(0), false);
                asked = true;
            }
            if start.elapsed() > limit + GRACE {
                self.child.kill()?;
            }
            turn();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a case once.
///
/// # Errors
/// When rights are missing or a program fails, with its last words.
pub fn run(case: &Case, source: &str, seed: u64, seconds: f64, stop: &AtomicBool) -> anyhow::Result<Trial> {
    let dir = tempfile::tempdir()?;
    let paths = case.paths()?;
    let router = Router::start(&paths, seed)?;
    let path_unix_us = usage::zero_unix_us(|| router.elapsed().as_micros() as u64);
    // The control plane stays where it is while one of the two moves.
    let plane = if case.kind == Kind::Roam(Side::Left) { Side::Right } else { Side::Left };
    let url = format!("http://{}:{PORT}", Router::address(plane, 0));
    let program = std::env::current_exe()?;
    let takeover = |side, arguments: &[&str]| {
        let mut command = router.namespaces.command(side, program.as_os_str());
        command.args(arguments).env("RUST_LOG", "info");
        command
    };
    let file = |name: &str| dir.path().join(name).display().to_string();
    let listen = format!("0.0.0.0:{PORT}");
    let web = takeover(plane, &["web", "--addr", &listen, "--data", &file("web")]);
    let _web = Process::start("web", web, dir.path())?;
    let bridge_json = file("bridge.json");
    let mut arguments =
        vec!["bridge", "--source", source, "--control-plane", &url, "--vehicle", "car-1", "--json", &bridge_json];
    let ways = |side| (0..paths.len()).map(|path| Router::address(side, path).to_string()).collect::<Vec<_>>();
    let (left, right) = (interfaces(&ways(Side::Left)), interfaces(&ways(Side::Right)));
    arguments.extend(left.iter().map(String::as_str));
    let mut bridge = Process::start("bridge", takeover(Side::Left, &arguments), dir.path())?;
    bridge.wait_for("registered at the control plane", stop)?;
    let visits = if case.kind == Kind::Connect { (seconds / VISIT_S).max(1.0) as usize } else { 1 };
    let stay_s = if case.kind == Kind::Connect { VISIT_S } else { seconds };
    let (mut seats, mut roamed_unix_us) = (Vec::new(), Vec::new());
    for n in 0..visits {
        let (name, json) = (format!("seat-{n}"), file("seat.json"));
        let stay = stay_s.to_string();
        let arguments = [
            ["seat", "--headless", "--control-plane", &url, "--vehicle", "car-1"].as_slice(),
            &["--seat", &name, "--seconds", &stay, "--json", &json],
            &right.iter().map(String::as_str).collect::<Vec<_>>(),
        ]
        .concat();
        // The one before may have left its own.
        let _ = std::fs::remove_file(&json);
        let mut seat = Process::start("seat", takeover(Side::Right, &arguments), dir.path())?;
        let limit = Duration::from_secs_f64(stay_s) + GRACE;
        let status = match case.kind {
            Kind::Roam(side) => {
                let mut roaming = Roaming::new(&router, side);
                let status = seat.finish_while(limit, stop, || roaming.turn());
                roamed_unix_us = roaming.done()?;
                status?
            }
            Kind::Watch | Kind::Connect => seat.finish(limit, stop)?,
        };
        // One that got no picture says so by its status; its figures count all the same.
        if !status.success() && !Path::new(&json).exists() {
            bail!("the seat ended with {status}: {}", seat.last_words());
        }
        seats.push(read(Path::new(&json))?);
        if stop.load(Ordering::Relaxed) {
            return Err(Interrupted.into());
        }
    }
    let router_stats = router.stats().first().copied().unwrap_or_default();
    let status = bridge.finish(Duration::ZERO, stop)?;
    if !status.success() {
        bail!("the bridge ended with {status}: {}", bridge.last_words());
    }
    let bridge: SourceReport = read(Path::new(&bridge_json))?;
    // A damaged picture may pass the timecode's checksum once in 65,536 times: only what was captured counts.
    let captured: BTreeSet<u64> = bridge.captured_us.iter().copied().collect();
    seats.iter_mut().for_each(|seat: &mut SeatReport| seat.pictures.retain(|p| captured.contains(&p.capture_us)));
    Ok(Trial { bridge, seats, router: router_stats, path_unix_us, roamed_unix_us })
}

/// The arguments that use several paths at once; one needs none.
fn interfaces(addresses: &[String]) -> Vec<String> {
    let of = |address: &String| ["--interface".to_owned(), address.clone()];
    if addresses.len() < 2 { Vec::new() } else { addresses.iter().flat_map(of).collect() }
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("cannot use {}", file.display()))
}
