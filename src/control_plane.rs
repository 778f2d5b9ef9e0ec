//! `takeover web`: the control plane as a process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs the control plane: signalling, catalogue, policies, dashboard.
#[derive(Debug, Clone, clap::Args)]
pub struct WebArgs {
    /// Address to listen on; other machines reach it only when told so, for example with 0.0.0.0:8080.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub addr: SocketAddr,
    /// Folder of the database, episodes and policies.
    #[arg(long, default_value = "takeover-data")]
    pub data: PathBuf,
    /// Ends when standard input closes.
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

/// Serves until a signal.
///
/// # Errors
/// When the address or the folder cannot be used.
pub fn run(args: &WebArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, args.until_stdin_closes);
    let config = web::WebConfig { addr: args.addr, data_dir: args.data.clone() };
    let stopped = async move {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    runtime.block_on(web::serve(config, stopped))?;
    Ok(())
}
