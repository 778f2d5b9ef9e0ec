//! The control plane as a program of its own.

use anyhow::Context;
use clap::Parser;
use protocol::Address;
use std::io::Write;
use std::path::PathBuf;
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
    /// Host (a name, 127.0.0.1, [::1], ...) and port to listen on; port 0 takes a free one. Standard output says which.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", env = "TAKEOVER_WEB_ADDR")]
    addr: Address,
    /// Data folder; made when it is missing.
    #[arg(long, value_name = "DIR", default_value = "takeover-data", env = "TAKEOVER_DATA")]
    data: PathBuf,
    /// Where uploaded files are kept: a folder, or s3://BUCKET/PREFIX with the usual AWS_* variables (AWS_ENDPOINT_URL
    /// for another server) [default: objects/ in the data folder].
    #[arg(long, value_name = "FOLDER|s3://BUCKET/PREFIX", env = "TAKEOVER_OBJECTS")]
    objects: Option<String>,
    /// Database: sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/NAME, which may leave out what PGHOST, PGUSER,
    /// PGPASSWORD or ~/.pgpass say; "?sslmode=verify-full" for a server elsewhere. Give a password by the variable: other
    /// users of this machine see command lines [default: takeover.sqlite in the data folder].
    #[arg(long, value_name = "ADDRESS", env = "TAKEOVER_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// File of rules (TOML) saying how long episodes are kept [default: all of them for good].
    #[arg(long, value_name = "FILE", env = "TAKEOVER_RETENTION")]
    retention: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "error: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let config = web::WebConfig {
        addr: options.addr,
        database: options.database.as_deref().map(web::Database::parse).transpose()?,
        objects: options.objects,
        retention: options.retention.as_deref().map(web::Retention::read).transpose()?,
        ..web::WebConfig::new(options.data)
    };
    let server = web::Server::start(config).await?;
    // A server does not depend on whoever reads its address.
    let _ = writeln!(std::io::stdout(), "http://{}", server.addr());
    stop_asked().await.context("cannot listen for Ctrl-C")?;
    server.shutdown().await;
    Ok(())
}

/// Ctrl-C, or SIGTERM from a service manager.
async fn stop_asked() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
