use crate::app::{App, Requests, router};
use crate::data_folder::DataFolder;
use crate::error::{Error, Result};
use crate::listeners::Listeners;
use crate::live::Live;
use crate::objects::Objects;
use crate::retention::{self, Retention};
use crate::signal::{GRANT_KEY, Hub, IceConfig, Issuer};
use crate::store::{Database, Store, TombstoneKey};
use crate::stun;
use crate::uploads::Uploads;
use axum::serve::ListenerExt;
use protocol::Address;
use protocol::signing::SigningKey;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The database's name in the data folder.
pub const DATABASE: &str = "takeover.sqlite";
/// How long requests that run may take once the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Where to listen and where the data lie.
#[derive(Debug, Clone, PartialEq)]
pub struct WebConfig {
    /// Address to listen on, every one that its host's name stands for; port 0 takes a free one.
    pub addr: Address,
    /// Folder with `episodes/`, `policies/` and the keys; made when it is missing.
    pub data_dir: PathBuf,
    /// The database; without it, the file [`DATABASE`] in the folder.
    pub database: Option<Database>,
    /// Where uploaded files are kept: a folder or `s3://BUCKET/PREFIX`. Without it they are kept in the data folder's
    /// `objects/`, and episodes among them appear in `episodes/` by their names.
    pub objects: Option<String>,
    /// How long episodes are kept; without it, all of them for good.
    pub retention: Option<Retention>,
    /// STUN and TURN servers that peers are told of.
    pub ice: IceConfig,
    /// Names whose certificates are forgotten first: they may register with new ones.
    pub forget_identities: Vec<String>,
}

impl WebConfig {
    /// `127.0.0.1:8080` on this data folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)).into(),
            data_dir: data_dir.into(),
            database: None,
            objects: None,
            retention: None,
            ice: IceConfig::default(),
            forget_identities: Vec::new(),
        }
    }
}

/// A control plane that runs. Dropping it stops it without waiting; [`Server::shutdown`] waits.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    store: Store,
    _folder: DataFolder,
}

impl Server {
    /// Takes the data folder, opens the database and listens. A start that fails leaves the folder as it was.
    ///
    /// # Errors
    /// [`Error`]: the port or the folder is in use, the folder cannot be written, the database is damaged or newer.
    pub async fn start(config: WebConfig) -> Result<Self> {
        // The port first: whoever starts the same thing twice hears of the port.
        let (listeners, addr) = Listeners::open(&config.addr)?;
        let Opened { app, stop, folder } = open(config).await?;
        let store = app.store.clone();
        stun::serve(listeners.addresses(), stop.subscribe()).await;
        let task = tokio::spawn(run(listeners, app, stop.subscribe()));
        tracing::info!("control plane on http://{addr}");
        Ok(Self { addr, stop, task, store, _folder: folder })
    }

    /// Where it listens; the first address where there are several, all of them on one port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets requests that run finish (for a few seconds), tells signalling peers, closes the database.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            tracing::warn!("requests still ran after {GRACE:?} and were cut off");
            self.task.abort();
        }
        self.store.close().await;
    }
}

/// Runs a control plane until `shutdown` is ready; `ready` is told where it listens.
///
/// # Errors
/// As [`Server::start`].
pub async fn serve(config: WebConfig, ready: impl FnOnce(SocketAddr), shutdown: impl Future) -> Result<()> {
    let server = Server::start(config).await?;
    ready(server.addr());
    shutdown.await;
    server.shutdown().await;
    Ok(())
}

/// A control plane without its socket.
pub(crate) struct Opened {
    pub(crate) app: Arc<App>,
    pub(crate) stop: watch::Sender<bool>,
    /// Held as long as the control plane runs.
    pub(crate) folder: DataFolder,
}

/// Takes the data folder and opens the database; what has to be done beside the requests runs from here on.
pub(crate) async fn open(config: WebConfig) -> Result<Opened> {
    let folder = DataFolder::take(&config.data_dir)?;
    match open_in(&folder, config).await {
        Ok((app, stop)) => Ok(Opened { app, stop, folder }),
        Err(error) => {
            // Still locked: nobody else has begun there.
            folder.restore();
            Err(error)
        }
    }
}

async fn open_in(folder: &DataFolder, config: WebConfig) -> Result<(Arc<App>, watch::Sender<bool>)> {
    let database = config.database.unwrap_or_else(|| Database::Sqlite(config.data_dir.join(DATABASE)));
    let key = SigningKey::load_or_make(&config.data_dir.join(GRANT_KEY))?;
    let store = Store::open(&database, TombstoneKey::new(&key)).await?;
    tracing::info!("{database}");
    folder.sync()?;
    let failed = |cause| Error::Database { database: database.clone(), cause };
    for name in &config.forget_identities {
        match store.forget_identity(name).await.map_err(failed)? {
            0 => tracing::warn!("{name} was not bound to any certificate"),
            _ => tracing::info!("{name} may register with a new certificate"),
        }
    }
    let revoked = store.revoked().await.map_err(failed)?;
    let hub = Hub::issuing(Issuer::open(&config.data_dir)?, revoked);
    let objects = match &config.objects {
        Some(place) => Objects::open(place).await?,
        None => Objects::folder(&config.data_dir.join("objects"))?,
    };
    let partials = config.data_dir.join("uploads");
    let failed = |cause| Error::DataDir { path: partials.clone(), cause };
    let uploads = Uploads::open(&partials, objects, store.clone()).map_err(failed)?;
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(Arc::clone(&uploads).keep_tidy(stopping.clone()));
    let app = Arc::new(App {
        store,
        hub,
        ice: config.ice,
        live: Live::default(),
        data_dir: config.data_dir,
        uploads,
        by_name: config.objects.is_none(),
        key,
        removing: tokio::sync::Mutex::default(),
        retention: config.retention,
        stop: stopping.clone(),
        requests: Requests::default(),
    });
    tokio::spawn(retention::watch(Arc::clone(&app), stopping.clone()));
    Ok((app, stop))
}

async fn run(listeners: Listeners, app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    // Signalling is small messages that somebody waits for.
    let listener = listeners.tap_io(|stream| {
        if let Err(e) = protocol::hasten_small_messages(stream) {
            tracing::debug!("options of a connection: {e}");
        }
    });
    let stopped = async move {
        // An error means that the server was dropped, which stops it too.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    if let Err(e) = axum::serve(listener, router(app)).with_graceful_shutdown(stopped).await {
        tracing::error!("the control plane stopped: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_that_fails_late_leaves_the_folder_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        let (folder, link) = (place.path().join("folder"), place.path().join("link"));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        let failing = |data: &PathBuf| WebConfig {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
            // Nothing can be made there, and the database is open by the time that this is found out.
            objects: Some("/proc/objects".into()),
            ..WebConfig::new(data)
        };
        for data in [link.clone(), folder.clone(), place.path().join("new")] {
            let error = Server::start(failing(&data)).await.unwrap_err();
            assert!(matches!(error, Error::Objects(_)), "{error}");
        }
        assert!(link.is_symlink() && folder.is_dir());
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!place.path().join("new").exists());
    }
}
