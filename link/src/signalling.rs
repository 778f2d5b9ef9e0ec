//! The signalling client: one WebSocket to the control plane, kept open for as long as somebody wants it.
//!
//! Sessions do not depend on it once they run: when the control plane dies, this retries and everything else goes on.

use crate::peer::PeerConfig;
use crate::{Identity, LinkError, control_plane};
use control_plane_client::{ControlPlaneAddress, ControlPlaneAddressError, tls_problem};
use futures_util::{SinkExt, StreamExt};
use protocol::Failure;
use protocol::api::ErrorAnswer;
use protocol::signalling::{IceServer, Signal};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::http::uri::InvalidUri;
use tokio_tungstenite::tungstenite::http::{Response, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Error, Message, client::IntoClientRequest};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

/// What the connection to the control plane tells.
#[derive(Debug)]
pub(crate) enum SignalEvent {
    /// Connected and registered.
    Up,
    /// Lost; it retries by itself.
    Down(NotRegistered),
    /// A message from the other side or from the control plane.
    Signal(Signal),
}

/// Why this end is not registered at the control plane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRegistered {
    /// It does not answer, or not as a control plane does; that may change by itself.
    #[error("{0}")]
    Unreachable(String),
    /// It turns this end away, for example since the name is bound to another certificate: that lasts until a person acts.
    #[error("the control plane refuses ({status}{}): {reason}", code.map(|code| format!(", {code}")).unwrap_or_default())]
    Refused {
        /// Of HTTP.
        status: u16,
        /// For programs, and for advice to the person; a control plane of an earlier release gives none.
        code: Option<Failure>,
        /// As it says it.
        reason: String,
    },
}

/// Who registers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer<'a> {
    Vehicle(&'a str),
    Seat(&'a str),
}

/// The two ends of the client's task. Dropping `outgoing` sends what is queued and closes the connection.
pub(crate) struct Signalling {
    pub(crate) outgoing: mpsc::Sender<Signal>,
    pub(crate) incoming: mpsc::Receiver<SignalEvent>,
    welcome: Welcome,
    identity: Option<Identity>,
}

/// The servers of the newest welcome.
type Welcome = Arc<Mutex<Vec<IceServer>>>;

impl Signalling {
    /// What the next peer connection is made with.
    pub(crate) fn peer_config(&self) -> PeerConfig {
        let ice_servers = self.welcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
        PeerConfig { ice_servers, identity: self.identity.clone() }
    }
}

const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PING_EVERY: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(6);
/// Messages this close to each other are sent together.
const TOGETHER: Duration = Duration::from_millis(5);
const MAX_MESSAGE: usize = 256 * 1024;

/// The WebSocket's address from the control plane's.
fn signal_url(
    control_plane: &ControlPlaneAddress,
    peer: Peer<'_>,
    identity: Option<&Identity>,
) -> Result<Uri, ControlPlaneAddressError> {
    let query = match peer {
        Peer::Vehicle(id) => format!("vehicle={id}"),
        Peer::Seat(id) => format!("seat={id}"),
    };
    let identity = identity.map(|i| format!("&fingerprint={}&pin=true", i.fingerprint())).unwrap_or_default();
    let url = control_plane.web_socket_url(&format!("/api/v1/signal?{query}{identity}"));
    let failed = |reason: String| ControlPlaneAddressError::Form { address: control_plane.to_string(), reason };
    let uri: Uri = url.parse().map_err(|e: InvalidUri| failed(e.to_string()))?;
    ClientRequestBuilder::new(uri.clone()).into_client_request().map_err(|e| failed(e.to_string()))?;
    Ok(uri)
}

/// Starts the client; it connects and reconnects until `outgoing` is dropped. With an `identity` the name is bound to it.
pub(crate) fn start(
    runtime: &Handle,
    control_plane: &ControlPlaneAddress,
    peer: Peer<'_>,
    identity: Option<Identity>,
) -> Result<Signalling, LinkError> {
    let uri = signal_url(control_plane, peer, identity.as_ref())?;
    let welcome = Welcome::default();
    // One certificate for all connections of this end, even where no name is bound to it: paths of a session are known by it.
    let identity = identity.map_or_else(Identity::ephemeral, Ok)?;
    let (outgoing, outgoing_rx) = mpsc::channel(256);
    let (incoming_tx, incoming) = mpsc::channel(256);
    let silence = Silence::new(control_plane);
    let place = Place { address: control_plane.clone(), uri };
    runtime.spawn(run(place, outgoing_rx, incoming_tx, welcome.clone(), silence));
    Ok(Signalling { outgoing, incoming, welcome, identity: Some(identity) })
}

/// Where signalling is spoken.
struct Place {
    address: ControlPlaneAddress,
    uri: Uri,
}

async fn run(
    place: Place,
    mut outgoing: mpsc::Receiver<Signal>,
    incoming: mpsc::Sender<SignalEvent>,
    welcome: Welcome,
    mut silence: Silence,
) {
    let mut retry = FIRST_RETRY;
    let unwanted = |outgoing: &mpsc::Receiver<Signal>| outgoing.is_closed() && outgoing.is_empty();
    while !(unwanted(&outgoing) || incoming.is_closed()) {
        let why = match silence.while_it_lasts(connect(&place)).await {
            Ok(socket) => {
                retry = FIRST_RETRY;
                silence.is_over();
                if incoming.send(SignalEvent::Up).await.is_err() {
                    return;
                }
                let ended = serve(socket, &mut outgoing, &incoming, &welcome).await;
                silence.begins();
                match ended {
                    Some(reason) => NotRegistered::Unreachable(reason),
                    None => return,
                }
            }
            Err(why) => why,
        };
        tracing::debug!(uri = %place.uri, reason = %why, "not registered, retrying");
        silence.failed(&why);
        if incoming.send(SignalEvent::Down(why)).await.is_err() || outgoing.is_closed() {
            return;
        }
        silence.while_it_lasts(sleep(retry)).await;
        retry = (retry * 2).min(LONGEST_RETRY);
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(place: &Place) -> Result<Socket, NotRegistered> {
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MAX_MESSAGE);
    config.max_frame_size = Some(MAX_MESSAGE);
    let attempt = async {
        let stream = control_plane::connect(&place.address).await.map_err(NotRegistered::Unreachable)?;
        protocol::hasten_small_messages(&stream).map_err(|e| NotRegistered::Unreachable(e.to_string()))?;
        let connector = place.address.tls().map_or(Connector::Plain, Connector::Rustls);
        match client_async_tls_with_config(&place.uri, stream, Some(config), Some(connector)).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => Err(refusal(&answer)),
            Err(error) => Err(NotRegistered::Unreachable(
                tls_problem(&error)
                    .unwrap_or_else(|| format!("what answers there is no control plane of this release ({error})")),
            )),
        }
    };
    let no_answer = || NotRegistered::Unreachable(format!("no answer within {CONNECT_TIMEOUT:?}"));
    timeout(CONNECT_TIMEOUT, attempt).await.unwrap_or_else(|_| Err(no_answer()))
}

/// What the control plane says when it turns this end away.
fn refusal(answer: &Response<Option<Vec<u8>>>) -> NotRegistered {
    let body = answer.body().as_deref().and_then(|body| serde_json::from_slice::<ErrorAnswer>(body).ok());
    let (reason, code) = body.map_or(("it gives no reason".to_owned(), None), |body| (body.error, body.code));
    NotRegistered::Refused { status: answer.status().as_u16(), code, reason }
}

/// The local address of an open connection.
fn own_address(socket: &Socket) -> Option<SocketAddr> {
    let stream = match socket.get_ref() {
        MaybeTlsStream::Plain(stream) => stream,
        MaybeTlsStream::Rustls(stream) => stream.get_ref().0,
        _ => return None,
    };
    let mut address = stream.local_addr().ok()?;
    address.set_port(0);
    Some(address)
}

/// Runs one connection; `None` when it is wanted no more, else why it ended.
async fn serve(
    mut socket: Socket,
    outgoing: &mut mpsc::Receiver<Signal>,
    incoming: &mpsc::Sender<SignalEvent>,
    welcome: &Welcome,
) -> Option<String> {
    let mut ping = interval(PING_EVERY);
    let (mut heard, mut asked) = (Instant::now(), false);
    let own = own_address(&socket);
    loop {
        tokio::select! {
            signal = outgoing.recv() => {
                let Some(signal) = signal else {
                    let _ = timeout(Duration::from_millis(500), socket.close(None)).await;
                    return None;
                };
                if let Err(error) = send_all(&mut socket, signal, outgoing).await {
                    return Some(error.to_string());
                }
            }
            message = socket.next() => {
                (heard, asked) = (Instant::now(), false);
                match message {
                    Some(Ok(Message::Text(text))) => match serde_json::from_str::<Signal>(&text) {
                        Ok(Signal::Welcome { ice_servers, grant_key }) => {
                            tokio::spawn(name_unusable(ice_servers.clone()));
                            welcome.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&ice_servers);
                            let signal = Signal::Welcome { ice_servers, grant_key };
                            drop(incoming.send(SignalEvent::Signal(signal)).await);
                        }
                        // Nobody reads any more while the last goodbyes are still on their way out.
                        Ok(signal) => drop(incoming.send(SignalEvent::Signal(signal)).await),
                        Err(error) => tracing::warn!(%error, "control plane sent what is not a signalling message"),
                    },
                    Some(Ok(Message::Close(_))) | None => return Some("the control plane closed the connection".to_owned()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Some(error.to_string()),
                }
            }
            _ = ping.tick() => {
                // TCP would go on asking for minutes from an address that this machine has no more.
                if let Some(own) = own.filter(|own| std::net::UdpSocket::bind(own).is_err()) {
                    return Some(format!("{} is not an address of this machine any more", own.ip()));
                }
                if heard.elapsed() > SILENCE {
                    return Some(format!("nothing heard for {SILENCE:?}"));
                }
                // One at a time: a connection with little on its way repeats it sooner (`hasten_small_messages`).
                if !std::mem::replace(&mut asked, true)
                    && let Err(error) = socket.send(Message::Ping(bytes::Bytes::new())).await
                {
                    return Some(error.to_string());
                }
            }
        }
    }
}

/// Sends `first` and what follows within a moment as one: a description and its candidates fit into few packets, of which
/// fewer are lost.
async fn send_all(socket: &mut Socket, first: Signal, outgoing: &mut mpsc::Receiver<Signal>) -> Result<(), Error> {
    let until = Instant::now() + TOGETHER;
    let mut next = Some(first);
    while let Some(signal) = next {
        if let Ok(text) = serde_json::to_string(&signal) {
            socket.feed(Message::text(text)).await?;
        }
        next = timeout_at(until, outgoing.recv()).await.ok().flatten();
    }
    socket.flush().await
}

/// Says which of the servers cannot be used from here: the library only leaves them out.
async fn name_unusable(servers: Vec<IceServer>) {
    for url in servers.iter().flat_map(|server| &server.urls) {
        if let Some(problem) = control_plane::ice_server_problem(url).await {
            tracing::warn!("the control plane names the server {url}, which is of no use here: {problem}");
        }
    }
}

/// When a person is told that the control plane does not answer: soon, and then seldom.
struct Silence {
    control_plane: String,
    why: NotRegistered,
    due: Instant,
    told: bool,
}

/// Programs that are started together need a moment.
const FIRST_WORD: Duration = Duration::from_secs(1);
const NEXT_WORD: Duration = Duration::from_secs(30);

impl Silence {
    fn new(control_plane: &ControlPlaneAddress) -> Self {
        let why = NotRegistered::Unreachable("no answer".to_owned());
        Self { control_plane: control_plane.to_string(), why, due: Instant::now() + FIRST_WORD, told: false }
    }

    /// Waits for `work` and says meanwhile what is due.
    async fn while_it_lasts<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep_until(self.due) => self.tell(),
            }
        }
    }

    fn failed(&mut self, why: &NotRegistered) {
        // A refusal repeats until a person acts on it; other reasons come and go.
        let is_new_refusal = matches!(why, NotRegistered::Refused { .. }) && self.why != *why;
        self.why.clone_from(why);
        if is_new_refusal {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let Self { control_plane, why, .. } = self;
        match why {
            NotRegistered::Refused { .. } => tracing::warn!(reason = %why, "not registered"),
            NotRegistered::Unreachable(reason) => tracing::warn!(
                "the control plane at {control_plane} does not answer: {reason}; trying on (is that its address? \
                 `takeover web` starts one)"
            ),
        }
        (self.due, self.told) = (Instant::now() + NEXT_WORD, true);
    }

    fn is_over(&mut self) {
        if std::mem::take(&mut self.told) {
            tracing::info!("the control plane at {} answers", self.control_plane);
        }
    }

    /// The connection is lost.
    fn begins(&mut self) {
        self.due = Instant::now() + FIRST_WORD;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_made_from_the_control_planes() {
        for (control_plane, peer, url) in [
            ("http://127.0.0.1:8080/", Peer::Vehicle("car-1"), "ws://127.0.0.1:8080/api/v1/signal?vehicle=car-1"),
            ("ws://host.example:1", Peer::Seat("s.2"), "ws://host.example:1/api/v1/signal?seat=s.2"),
            ("http://[::1]:8080/fleet/", Peer::Seat("s.2"), "ws://[::1]:8080/fleet/api/v1/signal?seat=s.2"),
        ] {
            assert_eq!(signal_url(&control_plane.parse().unwrap(), peer, None).unwrap().to_string(), url);
        }
    }

    #[test]
    fn a_refusal_is_told_by_its_code_whatever_its_text() {
        let read = |body: &str| {
            let answer = Response::builder().status(403).body(Some(body.as_bytes().to_vec())).unwrap();
            refusal(&answer)
        };
        let refused = |code, reason: &str| NotRegistered::Refused { status: 403, code, reason: reason.into() };
        let bound = r#"{"error":"bound","code":"identity_changed"}"#;
        assert_eq!(read(bound), refused(Some(Failure::IdentityChanged), "bound"));
        assert_eq!(read(bound).to_string(), "the control plane refuses (403, identity_changed): bound");
        let newer = r#"{"error":"e","code":"moon_in_the_way","since":"noon"}"#;
        assert_eq!(read(newer), refused(Some(Failure::Unknown), "e"));
        // A control plane of an earlier release, and a proxy in front of it.
        assert_eq!(read(r#"{"error":"e"}"#), refused(None, "e"));
        assert_eq!(read("<html>"), refused(None, "it gives no reason"));
    }
}
