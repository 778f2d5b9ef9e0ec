//! `takeover netem relay`.

use super::PathArgs;
use link::netem::relay::UdpRelay;
use link::netem::shell::ShellStats;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Relays UDP datagrams: what arrives at --listen goes on to --to, and the answers go back to whoever sent last.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RelayArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Address to send on to.
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: SocketAddr,
    #[command(flatten)]
    path: PathArgs,
    /// Ends after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// No line each second.
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(args: &RelayArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, false);
    let relay = UdpRelay::start(args.listen, args.to, &args.path.spec()?, args.path.seed, super::sys::on_time)?;
    let (start, mut told, mut before) = (Instant::now(), Instant::now(), ShellStats::default());
    eprintln!("{} to {}: {}, seed {}", relay.address(), args.to, args.path.name(), args.path.seed);
    while !stop.load(Ordering::Relaxed) && args.seconds.is_none_or(|s| start.elapsed().as_secs_f64() < s) {
        std::thread::sleep(Duration::from_millis(50));
        if told.elapsed() >= Duration::from_secs(1) && !args.quiet {
            let now = relay.stats();
            eprintln!("{:4.0} s  {}", start.elapsed().as_secs_f64(), super::line(&now, &before, told.elapsed()));
            (told, before) = (Instant::now(), now);
        }
    }
    let now = relay.stats();
    eprintln!("in all  {}", super::line(&now, &ShellStats::default(), start.elapsed()));
    Ok(())
}
