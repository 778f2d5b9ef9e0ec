//! `takeover netem run`.

use super::namespaces::Side;
use super::router::Router;
use super::{PathArgs, line, sys};
use anyhow::Context;
use link::netem::PathSpec;
use link::netem::shell::ShellStats;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vehicle_bridge::source::usage;

/// Routes packets between two network namespaces of this machine. Commands find the addresses in the environment
/// variables LEFT and RIGHT (LEFT2 and RIGHT2 for the second path) and the namespaces in LEFT_NS and RIGHT_NS.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    path: PathArgs,
    /// A second path between the two, on addresses of its own: to rehearse a failover.
    #[arg(long, value_name = "PRESET")]
    second: Option<String>,
    /// Shell command for the left namespace, the vehicle's.
    #[arg(long, value_name = "COMMAND")]
    left: Option<String>,
    /// Shell command for the right namespace, the seat's. When it ends, everything ends.
    #[arg(long, value_name = "COMMAND")]
    right: Option<String>,
    /// Ends after so many seconds.
    #[arg(long, value_parser = vehicle_bridge::cli::seconds)]
    seconds: Option<f64>,
    /// Writes the counts to this file at the end.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// No line each second.
    #[arg(long)]
    quiet: bool,
    /// Command and arguments to run outside the namespaces, for example a script that uses `ip netns exec $LEFT_NS`.
    /// When it ends, everything ends.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, false);
    let mut paths = vec![args.path.spec()?];
    if let Some(second) = &args.second {
        paths.push(PathSpec::preset(second)?);
    }
    crate::output::check_writable(args.json.as_deref())?;
    let router = Router::start(&paths, args.path.seed)?;
    introduce(args, &router, paths.len());
    let start = Instant::now();
    // The left one first: it is usually the one that listens.
    let mut children = Children::start(args, &router, paths.len())?;
    let mut code = None;
    let mut progress = Progress { told: start, before: vec![ShellStats::default(); paths.len()] };
    while !stop.load(Ordering::Relaxed) && args.seconds.is_none_or(|s| start.elapsed().as_secs_f64() < s) {
        std::thread::sleep(Duration::from_millis(20));
        if !args.quiet {
            progress.tell(&router, start);
        }
        code = children.ended()?;
        if code.is_some() {
            break;
        }
    }
    router.namespaces.end_processes();
    children.end();
    report(args, &router, start.elapsed())?;
    Ok(code.map_or(ExitCode::SUCCESS, ExitCode::from))
}

fn introduce(args: &RunArgs, router: &Router, paths: usize) {
    let second = args.second.as_ref().map_or(String::new(), |name| format!(", second path {name}"));
    note!("{}, seed {}{second}", args.path.name(), args.path.seed);
    for (name, side) in [("left", Side::Left), ("right", Side::Right)] {
        let addresses: Vec<_> = (0..paths).map(|n| Router::address(side, n)).collect();
        note!("{name:6} {:22} ip netns exec {} COMMAND", addresses.join(" "), router.namespaces.name(side));
    }
}

struct Progress {
    told: Instant,
    before: Vec<ShellStats>,
}

impl Progress {
    fn tell(&mut self, router: &Router, start: Instant) {
        if self.told.elapsed() < Duration::from_secs(1) {
            return;
        }
        let now = router.stats();
        for (now, before) in now.iter().zip(&self.before) {
            note!("{:4.0} s  {}", start.elapsed().as_secs_f64(), line(now, before, self.told.elapsed()));
        }
        (self.told, self.before) = (Instant::now(), now);
    }
}

/// The commands; the first of `deciding` to end ends everything.
struct Children {
    deciding: Vec<Child>,
    others: Vec<Child>,
}

impl Children {
    fn start(args: &RunArgs, router: &Router, paths: usize) -> anyhow::Result<Self> {
        let mut children = Self { deciding: Vec::new(), others: Vec::new() };
        let mut left = None;
        for (side, command) in [(Side::Left, &args.left), (Side::Right, &args.right)] {
            let Some(text) = command else { continue };
            let mut command = router.namespaces.command(side, "sh".as_ref());
            environment(command.args(["-c", text]), router, paths);
            let child = command.spawn().with_context(|| format!("cannot run {text:?}"))?;
            if side == Side::Left { left = Some(child) } else { children.deciding.push(child) }
        }
        if let [program, arguments @ ..] = &args.command[..] {
            let mut command = Command::new(program);
            environment(command.args(arguments), router, paths);
            children.deciding.push(command.spawn().with_context(|| format!("cannot run {program:?}"))?);
        }
        // Without any other, the left one decides.
        let group = if children.deciding.is_empty() { &mut children.deciding } else { &mut children.others };
        group.extend(left);
        Ok(children)
    }

    /// The exit code of the first that ended.
    fn ended(&mut self) -> anyhow::Result<Option<u8>> {
        for child in &mut self.deciding {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status.code().map_or(1, |code| u8::try_from(code).unwrap_or(1))));
            }
        }
        Ok(None)
    }

    /// Those outside the namespaces are asked to end, and all are waited for.
    fn end(&mut self) {
        for child in self.deciding.iter_mut().chain(&mut self.others) {
            if let (Ok(None), Ok(pid)) = (child.try_wait(), i32::try_from(child.id())) {
                sys::end_process(pid, false);
            }
            let _ = child.wait();
        }
    }
}

fn environment(command: &mut Command, router: &Router, paths: usize) {
    for (name, side) in [("LEFT", Side::Left), ("RIGHT", Side::Right)] {
        command.env(format!("{name}_NS"), router.namespaces.name(side));
        for n in 0..paths {
            let number = if n == 0 { String::new() } else { (n + 1).to_string() };
            command.env(format!("{name}{number}"), Router::address(side, n));
        }
    }
}

fn report(args: &RunArgs, router: &Router, time: Duration) -> anyhow::Result<()> {
    let stats = router.stats();
    for path in &stats {
        note!("in all  {}", line(path, &ShellStats::default(), time));
        note!(
            "        delivered {:.3} ms late on average, {:.3} ms at worst; {:.1} % of a core",
            path.mean_late_us as f64 / 1e3,
            path.most_late_us as f64 / 1e3,
            usage::now().cpu_s / time.as_secs_f64().max(1e-3) * 100.0
        );
    }
    let Some(file) = &args.json else { return Ok(()) };
    let content = serde_json::json!({
        "path": args.path.name(),
        "seed": args.path.seed,
        "seconds": time.as_secs_f64(),
        "cpu_s": usage::now().cpu_s,
        "paths": stats,
    });
    std::fs::write(file, serde_json::to_string_pretty(&content)?)
        .with_context(|| format!("cannot write {}", file.display()))
}
