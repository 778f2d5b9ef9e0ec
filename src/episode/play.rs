//! Playing an episode: in a window where there is one to be had, in the terminal otherwise, and for live viewers.

use super::sketch::sketch;
use super::{bar, inspect, print_json, show};
use anyhow::Context;
use protocol::Address;
use recorder::EpisodeReader;
use recorder::exchange::view::{LiveView, replay};
use serde_json::json;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The program that has the window.
const CONSOLE: &str = "takeover-console";
const DEFAULT_COLUMNS: usize = 80;

/// What to play and where.
#[derive(Debug, Clone, clap::Args)]
pub struct PlayArgs {
    /// Episode file.
    file: PathBuf,
    /// How many times faster than it was.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Starts again at the end.
    #[arg(long = "loop")]
    again: bool,
    /// Only prints the summary, with speed, steering and mode over time.
    #[arg(long, conflicts_with = "serve")]
    summary: bool,
    /// Plays for Foxglove and Lichtblick (`foxglove.sdk.v1`) at this address instead of in a window.
    /// Port 0 takes a free one, which standard output names.
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:8765")]
    serve: Option<Address>,
    /// With --serve: waits for a viewer before it starts.
    #[arg(long, requires = "serve")]
    wait: bool,
}

pub fn run(args: &PlayArgs, json: bool) -> anyhow::Result<ExitCode> {
    let reader = EpisodeReader::open(&args.file)?;
    anyhow::ensure!((0.01..=1000.0).contains(&args.speed), "--speed {}: 0.01 to 1000 are possible", args.speed);
    if let Some(address) = &args.serve {
        if !json {
            summary(&reader)?;
        }
        return serve(&reader, address, args, json);
    }
    if json {
        return inspect::info(&args.file, true);
    }
    if args.summary {
        return summary(&reader).map(|()| ExitCode::SUCCESS);
    }
    match program() {
        Ok(program) => window(&program, &reader, args),
        Err(reason) => {
            summary(&reader)?;
            say!("no window: {reason}")?;
            say!("`--serve` shows pictures and signals in Foxglove or Lichtblick")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn summary(reader: &EpisodeReader) -> anyhow::Result<()> {
    inspect::summary(reader)?;
    let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_COLUMNS);
    let bar = bar("reading");
    let drawn = sketch(reader, columns, &mut show(&bar))?;
    bar.finish_and_clear();
    if let Some(drawn) = drawn {
        crate::output::write(format_args!("\n{drawn}"))?;
    }
    Ok(())
}

/// The program that has the window, or why there can be none.
fn program() -> Result<PathBuf, String> {
    let screen = cfg!(not(target_os = "linux"))
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
    let beside = std::env::current_exe().ok().and_then(|here| Some(here.parent()?.to_owned()));
    let found = find(beside.as_deref(), std::env::var_os("PATH").as_deref());
    match (screen, found) {
        (true, Some(program)) => Ok(program),
        (false, Some(_)) => Err("neither DISPLAY nor WAYLAND_DISPLAY names a screen".to_owned()),
        (_, None) => Err(format!(
            "{CONSOLE} is neither beside this program nor on PATH; `cargo build --release --workspace --bin {CONSOLE}` \
             builds it"
        )),
    }
}

fn find(beside: Option<&Path>, path: Option<&OsStr>) -> Option<PathBuf> {
    let name = format!("{CONSOLE}{}", std::env::consts::EXE_SUFFIX);
    let on_path = path.into_iter().flat_map(std::env::split_paths);
    beside.map(Path::to_owned).into_iter().chain(on_path).map(|dir| dir.join(&name)).find(|file| file.is_file())
}

/// The window says itself what is wrong when it cannot open; then the summary is better than nothing.
fn window(program: &Path, reader: &EpisodeReader, args: &PlayArgs) -> anyhow::Result<ExitCode> {
    let mut command = std::process::Command::new(program);
    command.args(["play", "--speed", &args.speed.to_string()]);
    if args.again {
        command.arg("--loop");
    }
    let status =
        command.arg("--").arg(reader.path()).status().with_context(|| format!("cannot start {}", program.display()))?;
    if status.success() {
        return Ok(ExitCode::SUCCESS);
    }
    summary(reader)?;
    Ok(ExitCode::FAILURE)
}

fn serve(reader: &EpisodeReader, address: &Address, args: &PlayArgs, json: bool) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        // Heard from here on: whoever reads the address may end this at once.
        let mut interrupted = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        let view = LiveView::bind(address, reader.info().id.as_str())
            .await
            .with_context(|| format!("cannot serve the live view at {address}"))?;
        let address = view.address();
        if json {
            print_json(&json!({"address": format!("ws://{address}"), "episode": reader.info().id}))?;
        } else {
            say!("open ws://{address} in Foxglove or Lichtblick; Ctrl-C ends it")?;
        }
        let playing = replay(reader, &view, args.speed, args.again, args.wait);
        tokio::select! {
            played = playing => played?,
            _ = interrupted.recv() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_beside_this_one_is_taken_before_that_on_the_path() {
        let [beside, path] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let name = format!("{CONSOLE}{}", std::env::consts::EXE_SUFFIX);
        let find = || find(Some(beside.path()), Some(path.path().as_os_str()));
        assert_eq!(find(), None);
        std::fs::write(path.path().join(&name), "").unwrap();
        assert_eq!(find(), Some(path.path().join(&name)));
        std::fs::write(beside.path().join(&name), "").unwrap();
        assert_eq!(find(), Some(beside.path().join(&name)));
    }
}
