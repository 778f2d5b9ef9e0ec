//! `takeover web`: the control plane as a process.

use protocol::Address;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs the control plane: signalling, catalogue, policies, dashboard.
#[derive(Debug, Clone, clap::Args)]
pub struct WebArgs {
    /// Host (a name, 127.0.0.1, [::1], ...) and port to listen on; port 0 takes a free one, which standard output names.
    /// Other machines reach it only when told so: 0.0.0.0:8080 is every IPv4 address of this machine, [::]:8080 every
    /// address.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub addr: Address,
    /// Folder of the database, episodes and policies.
    #[arg(long, default_value = "takeover-data")]
    pub data: PathBuf,
    /// Where uploaded episodes are kept: a folder, or s3://BUCKET/PREFIX with the usual AWS_* variables
    /// (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION; AWS_ENDPOINT_URL for a server of your own) [default:
    /// objects/ in the data folder, from where they appear in its episodes/ too].
    #[arg(long, value_name = "FOLDER|s3://BUCKET/PREFIX", env = "TAKEOVER_OBJECTS")]
    pub objects: Option<String>,
    /// Database: sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/NAME, which may leave out what PGHOST, PGUSER,
    /// PGPASSWORD or ~/.pgpass say; "?sslmode=verify-full" for a server elsewhere. Give a password by the variable: other
    /// users of this machine see command lines [default: takeover.sqlite in the data folder].
    #[arg(long, value_name = "ADDRESS", env = "TAKEOVER_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// File of rules (TOML) saying how long episodes are kept [default: all of them for good].
    #[arg(long, value_name = "FILE", env = "TAKEOVER_RETENTION")]
    pub retention: Option<PathBuf>,
    /// A STUN or TURN server for all peers, such as stun:HOST:3478 or "turn:HOST:3478?transport=udp"; may be given again.
    #[arg(long = "ice-server", value_name = "URL")]
    pub ice_servers: Vec<String>,
    /// Shared secret of the TURN servers (coturn: use-auth-secret): every peer gets short-lived credentials.
    #[arg(long, env = "TAKEOVER_TURN_SECRET", hide_env_values = true, conflicts_with = "turn_user")]
    pub turn_secret: Option<String>,
    /// User of the TURN servers, where they have no shared secret.
    #[arg(long, requires = "turn_password")]
    pub turn_user: Option<String>,
    /// Password of that user.
    #[arg(long, env = "TAKEOVER_TURN_PASSWORD", hide_env_values = true, requires = "turn_user")]
    pub turn_password: Option<String>,
    /// Frees this vehicle's or seat's name from the certificate it is bound to; may be given again.
    #[arg(long = "forget-identity", value_name = "NAME")]
    pub forget_identities: Vec<String>,
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
    let ice = ice(args)?;
    let servers = args.ice_servers.clone();
    runtime.spawn(async move {
        for url in servers {
            // No reason not to start: names may be known where the peers are.
            if let Some(problem) = link::ice_server_problem(&url).await {
                tracing::warn!("--ice-server {url}: {problem}; peers that see the same will do without it");
            }
        }
    });
    let config = web::WebConfig {
        addr: args.addr.clone(),
        data_dir: args.data.clone(),
        objects: args.objects.clone(),
        database: args.database.as_deref().map(web::Database::parse).transpose()?,
        retention: args.retention.as_deref().map(web::Retention::read).transpose()?,
        ice,
        forget_identities: args.forget_identities.clone(),
    };
    let stopped = async move {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let ready = |address| crate::output::announce(&format!("http://{address}"));
    runtime.block_on(web::serve(config, ready, stopped))?;
    Ok(())
}

fn ice(args: &WebArgs) -> anyhow::Result<web::IceConfig> {
    let user = args.turn_user.clone().zip(args.turn_password.clone());
    let access = match (&args.turn_secret, user) {
        (Some(secret), _) => Some(web::TurnAccess::Secret(secret.clone())),
        (None, Some((name, password))) => Some(web::TurnAccess::User { name, password }),
        (None, None) => None,
    };
    web::IceConfig::new(&args.ice_servers, access).map_err(anyhow::Error::msg)
}
