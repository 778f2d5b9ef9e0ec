//! `takeover`: one launcher for the whole platform. It only calls the crates beside it.

use clap::{Parser, Subcommand};
use takeover::output::finish;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Teleoperation and data-flywheel platform: drive, take over, record, learn, ship.
///
/// Start with `takeover demo`: it runs the whole loop on this machine and shows it at http://localhost:8080.
///
/// Programs end with 0 when they did what they were asked to, with 1 and a reason when not, with 2 when the command line
/// made no sense. Ctrl-C and SIGTERM end cleanly: with 0 what runs until it is told to stop (demo, web, bridge, operator,
/// seat, netem, episode play --serve), with 130 a job that had no result yet.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole loop on this machine: control plane, a live car, a scripted operator, a fleet in virtual time.
    Demo(takeover::demo::DemoArgs),
    /// Measure what the README claims and write target/bench.json.
    Bench(takeover::bench::BenchArgs),
    /// Verify a vehicle's audit log.
    Audit(takeover::audit::AuditArgs),
    /// List, show and check embodiments: what robots are made of.
    Embodiment(takeover::embodiment::EmbodimentArgs),
    /// Run a vehicle's bridge.
    Bridge(Box<takeover::bridge::LauncherBridgeArgs>),
    /// Run the scripted remote operator in a seat of its own.
    Operator(takeover::operator::OperatorArgs),
    /// Sit in a seat without a screen and write down how old each picture was.
    Seat(takeover::seat::SeatArgs),
    /// Run the control plane.
    Web(web::cli::WebArgs),
    /// Measure the link on bad networks and say which goals it reaches.
    LinkReport(takeover::link_report::LinkReportArgs),
    /// Drive from afar under delay in virtual time and say what helps: governor, prediction, trajectories.
    LatencyStudy(takeover::latency_study::LatencyStudyArgs),
    /// Rehearse a weak network: a UDP relay, or a router between two network namespaces.
    Netem(takeover::netem::NetemArgs),
    /// List policy versions, withdraw and restore them at the control plane.
    Policy(takeover::policy::PolicyArgs),
    /// Say at the control plane where a vehicle may drive.
    Geofence(takeover::geofence::GeofenceArgs),
    /// List, find, check, cut, merge, export, import and play takeover episodes.
    Episode(takeover::episode::EpisodeArgs),
    /// Train a policy from a folder of episodes.
    Train(takeover::train::TrainArgs),
    /// Drive a policy in virtual time and say how far it gets.
    Evaluate(takeover::evaluate::EvaluateArgs),
    /// Decide by driving whether a candidate is better than the policy before it.
    Gate(takeover::gate::GateArgs),
}

fn main() -> std::process::ExitCode {
    let (cli, origins) = match vehicle_bridge::config::parse::<Cli>(&takeover::bridge::CONFIG) {
        Ok(parsed) => parsed,
        Err(error) => return finish(Err(error.into())),
    };
    let level = if matches!(
        cli.command,
        Command::Demo(_) | Command::Evaluate(_) | Command::Gate(_) | Command::LatencyStudy(_) | Command::Train(_)
    ) {
        "warn"
    } else {
        "info"
    };
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},{}", link::QUIET)));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .init();
    let result = match cli.command {
        Command::Demo(args) => takeover::demo::run(&args),
        Command::Bench(args) => takeover::bench::run(&args),
        Command::Audit(args) => return finish(takeover::audit::run(&args)),
        Command::Embodiment(args) => takeover::embodiment::run(&args),
        Command::Bridge(args) => takeover::bridge::run(&args, &origins),
        Command::Operator(args) => takeover::operator::run(&args),
        Command::Seat(args) => takeover::seat::run(&args),
        Command::Web(args) => takeover::control_plane::run(&args),
        Command::LinkReport(args) => takeover::link_report::run(&args),
        Command::LatencyStudy(args) => takeover::latency_study::run(&args),
        Command::Netem(args) => return finish(takeover::netem::run(&args)),
        Command::Policy(args) => takeover::policy::run(&args),
        Command::Geofence(args) => takeover::geofence::run(&args),
        Command::Episode(args) => return finish(takeover::episode::run(&args)),
        Command::Train(args) => takeover::train::run(&args),
        Command::Evaluate(args) => takeover::evaluate::run(&args),
        Command::Gate(args) => takeover::gate::run(&args),
    };
    finish(result.map(|()| std::process::ExitCode::SUCCESS))
}
