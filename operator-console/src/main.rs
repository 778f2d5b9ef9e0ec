//! `takeover-console`: the desktop seat.

use anyhow::{Context, ensure};
use clap::Parser;
use operator_console::Shared;
use operator_console::app::{self, WindowOptions};
use operator_console::seat::{SeatOptions, SeatThread};
use protocol::{SeatId, VehicleId};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Drive, watch and stop a vehicle from this desk.
///
/// Keys: hold Shift (deadman) and drive with W A S D or the arrows; T takes over, Y takes over to prevent harm, H hands
/// back, G engages the policy, B bookmarks, Space or Backspace stops at once, R held for 3 s releases the stop.
#[derive(Parser)]
#[command(name = "takeover-console", version, about)]
struct Options {
    /// Base URL of the control plane.
    #[arg(long, env = "TAKEOVER_CONTROL_PLANE", default_value = "http://127.0.0.1:8080")]
    control_plane: String,
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
        control_plane: options.control_plane,
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
