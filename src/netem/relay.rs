//! `takeover netem relay`.

use super::PathArgs;
use link::netem::relay::UdpRelay;
use link::netem::shell::ShellStats;
use protocol::Address;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Relays UDP datagrams: what arrives at --listen goes on to --to, and the answers go back to whoever sent last.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RelayArgs {
    /// Where to listen: IPv4 where a name has both kinds of addresses. Port 0 takes a free one, which standard output
    /// names.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Address,
    /// Where to send on to.
    #[arg(long, value_name = "HOST:PORT")]
    to: Address,
    #[command(flatten)]
    path: PathArgs,
    /// Ends after so many seconds.
    #[arg(long, value_parser = vehicle_bridge::cli::seconds)]
    seconds: Option<f64>,
    /// No line each second.
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(args: &RelayArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    vehicle_bridge::cli::stop_on_signal(runtime.handle(), &stop, false);
    let (listen, to) = (args.listen.single(), args.to.single());
    let relay = UdpRelay::start(listen, to, &args.path.spec()?, args.path.seed, super::sys::on_time)?;
    crate::output::announce(&relay.address().to_string());
    let (start, mut told, mut before) = (Instant::now(), Instant::now(), ShellStats::default());
    note!("{} to {}: {}, seed {}", relay.address(), args.to, args.path.name(), args.path.seed);
    while !stop.load(Ordering::Relaxed) && args.seconds.is_none_or(|s| start.elapsed().as_secs_f64() < s) {
        std::thread::sleep(Duration::from_millis(50));
        if told.elapsed() >= Duration::from_secs(1) && !args.quiet {
            let now = relay.stats();
            note!("{:4.0} s  {}", start.elapsed().as_secs_f64(), super::line(&now, &before, told.elapsed()));
            (told, before) = (Instant::now(), now);
        }
    }
    let now = relay.stats();
    note!("in all  {}", super::line(&now, &ShellStats::default(), start.elapsed()));
    Ok(())
}
