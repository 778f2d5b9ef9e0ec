//! The control plane as a program: its options, and the run until a signal. `takeover web` and `takeover-web` both are
//! this.

use crate::{Database, IceConfig, Retention, TurnAccess, WebConfig, serve};
use protocol::Address;
use std::path::PathBuf;
use tokio::sync::oneshot;

/// Runs the control plane: signalling, catalogue, policies, dashboard.
#[derive(Debug, Clone, clap::Args)]
pub struct WebArgs {
    /// Host (a name, 127.0.0.1, [::1], ...) and port to listen on; port 0 takes a free one, which standard output names.
    /// Other machines reach it only when told so: 0.0.0.0:8080 is every IPv4 address of this machine, [::]:8080 every
    /// address.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", env = "TAKEOVER_WEB_ADDR")]
    pub addr: Address,
    /// Folder of the database, episodes and policies; made when it is missing.
    #[arg(long, value_name = "FOLDER", default_value = "takeover-data", env = "TAKEOVER_DATA")]
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
    /// Ends when standard input closes, so that the program never outlives the one that started it.
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

impl WebArgs {
    /// What they say.
    ///
    /// # Errors
    /// When a value cannot be used, with the value.
    pub fn config(&self) -> anyhow::Result<WebConfig> {
        Ok(WebConfig {
            addr: self.addr.clone(),
            data_dir: self.data.clone(),
            objects: self.objects.clone(),
            database: self.database.as_deref().map(Database::parse).transpose()?,
            retention: self.retention.as_deref().map(Retention::read).transpose()?,
            ice: self.ice()?,
            forget_identities: self.forget_identities.clone(),
        })
    }

    fn ice(&self) -> anyhow::Result<IceConfig> {
        let user = self.turn_user.clone().zip(self.turn_password.clone());
        let access = match (&self.turn_secret, user) {
            (Some(secret), _) => Some(TurnAccess::Secret(secret.clone())),
            (None, Some((name, password))) => Some(TurnAccess::User { name, password }),
            (None, None) => None,
        };
        IceConfig::new(&self.ice_servers, access).map_err(anyhow::Error::msg)
    }
}

/// Runs the control plane until SIGINT, SIGTERM or, when asked, the end of standard input. `announce` is told the address
/// once it listens.
///
/// # Errors
/// When an option cannot be used or the control plane cannot start.
pub async fn run(args: &WebArgs, announce: impl FnOnce(&str)) -> anyhow::Result<()> {
    let config = args.config()?;
    // On a task of its own, so that a signal counts while the database is being opened, too.
    let stop = tokio::spawn(stop_asked(args.until_stdin_closes));
    serve(config, |address| announce(&format!("http://{address}")), stop).await?;
    Ok(())
}

async fn stop_asked(until_stdin_closes: bool) {
    tokio::select! {
        () = interrupted() => {}
        () = terminated() => {}
        () = stdin_closed(), if until_stdin_closes => {}
    }
}

async fn stdin_closed() {
    let (closed, heard) = oneshot::channel();
    // Not a task: the runtime would wait for it.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = closed.send(());
    });
    let _ = heard.await;
}

async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!("Ctrl-C does not end this: {error}");
        std::future::pending::<()>().await;
    }
}

/// As service managers ask for it.
#[cfg(unix)]
async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(error) => {
            tracing::error!("SIGTERM does not end this: {error}");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        web: WebArgs,
    }

    fn config(options: &[&str]) -> anyhow::Result<WebConfig> {
        Program::try_parse_from([&["web"], options].concat())?.web.config()
    }

    #[test]
    fn without_options_the_data_lie_here_and_only_this_machine_is_listened_to() {
        assert_eq!(config(&[]).unwrap(), WebConfig::new("takeover-data"));
    }

    #[test]
    fn every_option_reaches_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules.toml");
        std::fs::write(&rules, "[[rule]]\nalways = true\n").unwrap();
        let rules = rules.to_str().unwrap();
        let found = config(&[
            "--addr=[::1]:0",
            "--data=d",
            "--objects=o",
            "--database=sqlite:x",
            "--retention",
            rules,
            "--ice-server=turn:t.example:3478",
            "--turn-user=u",
            "--turn-password=p",
            "--forget-identity=a",
            "--forget-identity=b",
        ])
        .unwrap();
        let access = TurnAccess::User { name: "u".into(), password: "p".into() };
        let expected = WebConfig {
            addr: "[::1]:0".parse().unwrap(),
            objects: Some("o".into()),
            database: Some(Database::parse("sqlite:x").unwrap()),
            retention: Some(Retention::parse("[[rule]]\nalways = true\n").unwrap()),
            ice: IceConfig::new(&["turn:t.example:3478".to_owned()], Some(access)).unwrap(),
            forget_identities: vec!["a".into(), "b".into()],
            ..WebConfig::new("d")
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn options_that_make_no_sense_are_named() {
        for (options, says) in [
            (vec!["--addr", "localhost"], "localhost:8080"),
            (vec!["--database", "mysql://x"], "\"mysql\" is not a kind of database"),
            (vec!["--database", "/srv/plane"], "\"/srv/plane\" is not a kind of database"),
            (vec!["--retention", "/no/such/rules.toml"], "/no/such/rules.toml"),
            (vec!["--ice-server", "http://x"], "http://x"),
            (vec!["--turn-user", "u"], "--turn-password"),
        ] {
            let error = config(&options).unwrap_err().to_string();
            assert!(error.contains(says), "{options:?}: {error}");
        }
    }
}
