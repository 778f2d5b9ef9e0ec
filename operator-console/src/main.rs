//! `takeover-console`: the desktop seat.

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};
use control_plane_client::ControlPlaneArgs;
use operator_console::Shared;
use operator_console::app::{self, WindowOptions};
use operator_console::player::{self, PlayOptions};
use operator_console::seat::{SeatOptions, SeatThread};
use protocol::{SeatId, VehicleId};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Drive, watch and stop a vehicle from this seat.
///
/// Keys: hold Shift (deadman) and drive with W A S D or the arrows; T takes over, Y takes over to prevent harm, H hands
/// back, G engages the policy, B bookmarks, Space or Backspace stops at once, R held for 3 s releases the stop.
#[derive(Parser)]
#[command(name = "takeover-console", version, about, args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    seat: SeatArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Play a recorded episode: pictures of every camera, signals against time, who drove and what happened.
    ///
    /// Keys: Space plays and pauses, the left and right arrows go by one picture (with Shift by a second), up and down
    /// change the speed, Page Up and Page Down go from marker to marker, Home and End to the ends, L plays it over and
    /// over. Press or drag on the timeline or the plots to go there.
    Play(PlayArgs),
}

#[derive(Args)]
struct PlayArgs {
    /// Episode file.
    file: PathBuf,
    /// Where to begin, seconds after the episode's start.
    #[arg(long, default_value_t = 0.0)]
    at: f64,
    /// How many times faster than it was: 0.25, 0.5, 1, 2, 4 or 8, the nearest of them.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Start again at the end.
    #[arg(long = "loop")]
    again: bool,
    /// Do not play before Space is pressed.
    #[arg(long)]
    paused: bool,
    /// Size of the window in logical pixels.
    #[arg(long, default_value = "1440x900", value_parser = parse_size)]
    size: (u32, u32),
    /// Write a picture (PNG) of the window as it stands at --at, and close.
    #[arg(long)]
    screenshot: Option<PathBuf>,
}

#[derive(Args)]
struct SeatArgs {
    /// Where the control plane is.
    #[command(flatten)]
    control_plane: ControlPlaneArgs,
    /// Vehicle to connect to; the first live one when left out.
    #[arg(long)]
    vehicle: Option<VehicleId>,
    /// Name of this seat.
    #[arg(long, default_value = "desk")]
    seat: SeatId,
    /// Only watch: no commands are sent.
    #[arg(long)]
    watch: bool,
    /// Size of the window in logical pixels.
    #[arg(long, default_value = "1600x900", value_parser = parse_size)]
    size: (u32, u32),
    /// Close by itself after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// Before closing, write a picture of the window (PNG) here; needs --seconds.
    #[arg(long, requires = "seconds")]
    screenshot: Option<PathBuf>,
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let parse = |part: &str| part.parse::<u32>().ok().filter(|n| (64..=16_384).contains(n));
    text.split_once('x')
        .and_then(|(w, h)| Some((parse(w)?, parse(h)?)))
        .ok_or_else(|| format!("{text:?} is not a size such as 1600x900, each from 64 to 16384"))
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.command {
        Some(Command::Play(args)) => play(args),
        None => sit(options.seat),
    }
}

fn play(args: PlayArgs) -> anyhow::Result<()> {
    let PlayArgs { file, at, speed, again, paused, size, screenshot } = args;
    ensure!((0.01..=1000.0).contains(&speed), "--speed {speed}: 0.01 to 1000 are possible");
    player::play(&file, PlayOptions { size, at_s: at, speed, again, paused, screenshot })?;
    Ok(())
}

fn sit(options: SeatArgs) -> anyhow::Result<()> {
    let close_after = options.seconds.map(|s| {
        ensure!(s.is_finite() && (0.0..=1e9).contains(&s), "--seconds {s} is not a time from 0 to 1e9");
        Ok(Duration::from_secs_f64(s))
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the network's threads")?;
    let shared = Arc::new(Shared::new(options.seat.as_str()));
    let seat = SeatOptions {
        control_plane: options.control_plane.address()?,
        vehicle: options.vehicle,
        seat: options.seat,
        watch_only: options.watch,
    };
    let window =
        WindowOptions { size: options.size, close_after: close_after.transpose()?, screenshot: options.screenshot };
    // The devices are read from here on; dropping the seat at the end lets go of the deadman.
    let seat = SeatThread::start(runtime.handle(), seat, &shared)?;
    let shown = app::run(window, &shared);
    drop(seat);
    runtime.shutdown_timeout(Duration::from_millis(500));
    Ok(shown?)
}
