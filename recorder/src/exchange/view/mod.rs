//! Live view: a WebSocket server of the protocol `foxglove.sdk.v1`, which Foxglove and Lichtblick open.
//!
//! ```no_run
//! # async fn show(laser_scan: bytes::Bytes) -> Result<(), recorder::exchange::ExchangeError> {
//! use recorder::exchange::view::LiveView;
//!
//! let view = LiveView::bind(&"127.0.0.1:8765".parse().unwrap(), "car-1").await?;
//! // From any thread; never waits.
//! view.publish("/scan", "foxglove.LaserScan", 1_700_000_000_000_000_000, &laser_scan);
//! # Ok(())
//! # }
//! ```
//!
//! A viewer that is too slow loses its oldest messages, and is told how many; nobody else does.

mod client;
mod protocol;
mod queue;
mod replay;

pub use replay::replay;

use super::ExchangeError;
use crate::Listener;
use ::protocol::{Address, Message};
use protocol::Advertised;
use queue::Queue;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Viewers at a time.
const MAX_VIEWERS: usize = 16;
/// Viewers are told the time this often.
pub(super) const TIME_STEP_NS: u64 = 20_000_000;

/// A channel as a viewer is told of it.
#[derive(Debug, Clone, Copy)]
pub struct ChannelKind<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Name of the schema, such as `foxglove.LaserScan`.
    pub schema: &'a str,
    /// `protobuf`, `jsonschema`, `ros2msg`.
    pub schema_encoding: &'a str,
    /// The definition, as in MCAP.
    pub schema_data: &'a [u8],
    /// `protobuf`, `json`, `cdr`.
    pub encoding: &'a str,
}

/// A running server; it ends when the last clone is dropped.
#[derive(Clone)]
pub struct LiveView {
    shared: Arc<Shared>,
    address: SocketAddr,
    _server: Arc<Server>,
}

/// A task for each address that it listens on.
struct Server(Vec<JoinHandle<()>>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

struct Shared {
    name: String,
    state: Mutex<State>,
    /// Told when somebody subscribes.
    subscribed: Notify,
    /// The time that a running robot's viewers were told last, in steps of [`TIME_STEP_NS`].
    told_step: AtomicU64,
}

#[derive(Default)]
struct State {
    /// By topic.
    channels: BTreeMap<String, Arc<Advertised>>,
    viewers: BTreeMap<u64, Viewer>,
    next_channel: u64,
    next_viewer: u64,
}

struct Viewer {
    queue: Arc<Queue>,
    /// Subscriptions by channel.
    subscriptions: BTreeMap<u64, u32>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveView {
    /// Serves at `address` (port 0 for any) as `name`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ExchangeError::Listen`] when the address cannot be had.
    pub async fn bind(address: &Address, name: &str) -> Result<Self, ExchangeError> {
        let place = address.to_string();
        let mut listeners = Vec::new();
        for listener in address.listen()? {
            listener.set_nonblocking(true).map_err(ExchangeError::io("listen at", Path::new(&place)))?;
            listeners.push(TcpListener::from_std(listener).map_err(ExchangeError::io("listen at", Path::new(&place)))?);
        }
        let first = listeners.first().map_or(Ok(address.single()), TcpListener::local_addr);
        let address = first.map_err(ExchangeError::io("listen at", Path::new(&place)))?;
        let state = Mutex::new(State::default());
        let shared =
            Arc::new(Shared { name: name.to_owned(), state, subscribed: Notify::new(), told_step: AtomicU64::new(0) });
        let accept = |listener| tokio::spawn(accept(listener, Arc::clone(&shared)));
        let server = Arc::new(Server(listeners.into_iter().map(accept).collect()));
        Ok(Self { shared, address, _server: server })
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many viewers look at anything.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.shared.state().viewers.values().filter(|viewer| !viewer.subscriptions.is_empty()).count()
    }

    /// Shows a protobuf message of a schema that `protocol` defines. Never waits. A topic of a schema that it does not
    /// define is shown without definition.
    pub fn publish(&self, topic: &str, schema: &str, log_time_ns: u64, data: &[u8]) {
        let known = self.shared.state().channels.contains_key(topic);
        let definition =
            if known { Vec::new() } else { ::protocol::schema::descriptor_set(schema).unwrap_or_default() };
        let kind =
            ChannelKind { topic, schema, schema_encoding: "protobuf", schema_data: &definition, encoding: "protobuf" };
        self.publish_as(&kind, log_time_ns, data);
    }

    /// Shows a message of any kind; the first of a topic says what the topic is.
    pub fn publish_as(&self, kind: &ChannelKind<'_>, log_time_ns: u64, data: &[u8]) {
        let mut state = self.shared.state();
        let channel = state.channel(kind);
        for viewer in state.viewers.values() {
            if let Some(subscription) = viewer.subscriptions.get(&channel) {
                viewer.queue.offer(protocol::message_data(*subscription, log_time_ns, data));
            }
        }
    }

    /// Tells a topic before its first message.
    pub fn advertise(&self, kind: &ChannelKind<'_>) {
        self.shared.state().channel(kind);
    }

    /// Tells viewers what time it is in the data.
    pub fn publish_time(&self, time_ns: u64) {
        let state = self.shared.state();
        state.viewers.values().for_each(|viewer| viewer.queue.offer(protocol::time(time_ns)));
    }

    /// Waits until somebody looks at anything.
    pub async fn viewer_comes(&self) {
        loop {
            let told = self.shared.subscribed.notified();
            if self.viewers() > 0 {
                return;
            }
            told.await;
        }
    }
}

impl std::fmt::Debug for LiveView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LiveView({:?} at {})", self.shared.name, self.address)
    }
}

/// What a running robot records is what its viewers see.
impl Listener for LiveView {
    fn hear(&self, message: &Message) {
        let step = message.log_time_ns / TIME_STEP_NS;
        if self.shared.told_step.fetch_max(step, Ordering::Relaxed) < step {
            self.publish_time(message.log_time_ns);
        }
        self.publish(message.topic.name, message.topic.schema, message.log_time_ns, &message.data);
    }
}

impl State {
    fn channel(&mut self, kind: &ChannelKind<'_>) -> u64 {
        if let Some(known) = self.channels.get(kind.topic) {
            return known.id;
        }
        self.next_channel += 1;
        let channel = Arc::new(Advertised::new(self.next_channel, kind));
        let text = protocol::advertise([&*channel]);
        self.viewers.values().for_each(|viewer| viewer.queue.push(text.clone()));
        self.channels.insert(kind.topic.to_owned(), channel);
        self.next_channel
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with the server, and every viewer with it.
    let mut viewers = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if viewers.len() < MAX_VIEWERS => {
                    viewers.spawn(client::serve(stream, Arc::clone(&shared)));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "a viewer could not be accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = viewers.join_next() => {}
        }
    }
}
