//! Playing an episode: a summary in the terminal, pictures and signals in Foxglove or Lichtblick.

use super::{inspect, print_json};
use anyhow::Context;
use recorder::EpisodeReader;
use recorder::exchange::view::{LiveView, replay};
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// What to play and where.
#[derive(Debug, Clone, clap::Args)]
pub struct PlayArgs {
    /// Episode file.
    file: PathBuf,
    /// Address of the live view (`foxglove.sdk.v1`).
    #[arg(long, default_value = "127.0.0.1:8765")]
    listen: SocketAddr,
    /// How many times faster than it was.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Starts again at the end.
    #[arg(long = "loop")]
    again: bool,
    /// Waits for a viewer before it starts.
    #[arg(long)]
    wait: bool,
    /// Only prints the summary.
    #[arg(long)]
    summary: bool,
}

pub fn run(args: &PlayArgs, json: bool) -> anyhow::Result<ExitCode> {
    let reader = EpisodeReader::open(&args.file)?;
    anyhow::ensure!((0.01..=1000.0).contains(&args.speed), "--speed {}: 0.01 to 1000 are possible", args.speed);
    if !json {
        inspect::summary(&reader);
    }
    if args.summary {
        return if json { inspect::info(&args.file, true) } else { Ok(ExitCode::SUCCESS) };
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let view = LiveView::bind(args.listen, reader.info().id.as_str())
            .await
            .with_context(|| format!("cannot serve the live view at {}", args.listen))?;
        let address = view.address();
        if json {
            print_json(&json!({"address": format!("ws://{address}"), "episode": reader.info().id}))?;
        } else {
            println!("open ws://{address} in Foxglove or Lichtblick; Ctrl-C ends it");
        }
        let playing = replay(&reader, &view, args.speed, args.again, args.wait);
        tokio::select! {
            played = playing => played?,
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}
