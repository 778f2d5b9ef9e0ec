use crate::app::{App, Requests, router};
use crate::error::{Error, Result};
use crate::listeners::Listeners;
use crate::live::Live;
use crate::objects::Objects;
use crate::retention::{self, Retention};
use crate::signal::{GRANT_KEY, Hub, IceConfig, Issuer};
use crate::store::{Database, Store, Tombs};
use crate::stun;
use crate::uploads::Uploads;
use axum::serve::ListenerExt;
use protocol::Address;
use protocol::signing::SigningKey;
use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The database's name in the data folder.
pub const DATABASE: &str = "takeover.sqlite";
/// Held while a control plane runs on the folder; the system lets go of it when the process dies.
const LOCK: &str = "takeover.lock";
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
    _lock: File,
}

impl Server {
    /// Takes the data folder, opens the database and listens.
    ///
    /// # Errors
    /// [`Error`]: the port or the folder is in use, the folder cannot be written, the database is damaged or newer.
    pub async fn start(config: WebConfig) -> Result<Self> {
        let folder = config.data_dir.clone();
        let before = Before::of(&folder);
        let started = Self::listen(config).await;
        match &started {
            // Somebody else has begun there meanwhile.
            Ok(_) | Err(Error::Locked { .. }) => {}
            Err(_) => before.restore(&folder),
        }
        started
    }

    async fn listen(config: WebConfig) -> Result<Self> {
        // The port first: whoever starts the same thing twice hears of the port.
        let (listeners, addr) = Listeners::open(&config.addr)?;
        let Opened { app, stop, lock } = open(config).await?;
        let store = app.store.clone();
        stun::serve(listeners.addresses(), stop.subscribe()).await;
        let task = tokio::spawn(run(listeners, app, stop.subscribe()));
        tracing::info!("control plane on http://{addr}");
        Ok(Self { addr, stop, task, store, _lock: lock })
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
    /// Held as long as the data folder is in use.
    pub(crate) lock: File,
}

/// Takes the data folder and opens the database; what has to be done beside the requests runs from here on.
pub(crate) async fn open(config: WebConfig) -> Result<Opened> {
    let lock = take_folder(&config.data_dir)?;
    let database = config.database.unwrap_or_else(|| Database::Sqlite(config.data_dir.join(DATABASE)));
    let key = SigningKey::load_or_make(&config.data_dir.join(GRANT_KEY))?;
    let store = Store::open(&database, Tombs::new(&key)).await?;
    tracing::info!("{database}");
    sync_folder(&config.data_dir)?;
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
    Ok(Opened { app, stop, lock })
}

async fn run(listeners: Listeners, app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    // Signalling is small messages that somebody waits for.
    let listener = listeners.tap_io(|stream| {
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!("TCP_NODELAY: {e}");
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

/// What the data folder was before a start: one that fails leaves nothing in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Missing,
    Empty,
    Used,
}

impl Before {
    fn of(folder: &Path) -> Self {
        match std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Self::Empty,
            Ok(false) => Self::Used,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Self::Missing,
            Err(_) => Self::Used,
        }
    }

    fn restore(self, folder: &Path) {
        let removed = match self {
            Self::Used => Ok(()),
            Self::Missing if !folder.exists() => Ok(()),
            Self::Missing => std::fs::remove_dir_all(folder),
            Self::Empty => std::fs::remove_dir_all(folder).and_then(|()| std::fs::create_dir(folder)),
        };
        if let Err(error) = removed {
            tracing::warn!("what a failed start left in {} could not be removed: {error}", folder.display());
        }
    }
}

fn take_folder(folder: &Path) -> Result<File> {
    let failed = |path: &Path, cause| Error::DataDir { path: path.to_owned(), cause };
    for sub in [folder.to_owned(), folder.join("episodes"), folder.join("policies")] {
        std::fs::create_dir_all(&sub).map_err(|e| failed(&sub, e))?;
    }
    let path = folder.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| failed(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(e)) => Err(failed(&path, e)),
    }
}

/// Makes the new file's name survive a power cut.
fn sync_folder(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|dir| dir.sync_all());
    synced.map_err(|cause| Error::DataDir { path: folder.to_owned(), cause })
}
