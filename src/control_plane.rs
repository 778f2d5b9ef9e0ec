//! `takeover web`: the control plane as a process.

use web::cli::WebArgs;

/// Serves until a signal.
///
/// # Errors
/// When the address or the folder cannot be used.
pub fn run(args: &WebArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let servers = args.ice_servers.clone();
    runtime.spawn(async move {
        for url in servers {
            // No reason not to start: names may be known where the peers are.
            if let Some(problem) = link::ice_server_problem(&url).await {
                tracing::warn!("--ice-server {url}: {problem}; peers that see the same will do without it");
            }
        }
    });
    runtime.block_on(web::cli::run(args, crate::output::announce))
}
