//! The control plane as a program of its own.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// The control plane of takeover: signalling, fleet, episodes, policies, dashboard.
///
/// Open the address in a browser to see the fleet, the takeovers and the live cameras. Everything is kept in the data
/// folder: takeover.sqlite, episodes/*.mcap and policies/VERSION/. Stop it with Ctrl-C; starting it again goes on
/// where it stopped. Whoever reaches the address may use it: leave it on 127.0.0.1 unless the network is yours.
#[derive(Debug, Parser)]
#[command(name = "takeover-web", version)]
struct Options {
    #[command(flatten)]
    web: web::cli::WebArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let announce = |address: &str| {
        // A server does not depend on whoever reads its address.
        let _ = writeln!(std::io::stdout(), "{address}");
    };
    match web::cli::run(&options.web, announce).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
