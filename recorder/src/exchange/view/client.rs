//! One viewer's connection.

use super::protocol::{self, Request, SUBPROTOCOLS};
use super::queue::Queue;
use super::{Shared, Viewer};
use futures_util::{SinkExt, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request as Handshake, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Viewers ask in short texts.
const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Who has not shaken hands by then is not a viewer.
const HANDSHAKE: Duration = Duration::from_secs(10);

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if let Err(error) = converse(stream, &shared).await {
        tracing::debug!(%error, "a viewer left");
    }
}

#[allow(clippy::result_large_err)] // the type is that of the WebSocket library
fn choose(request: &Handshake, mut response: Response) -> Result<Response, ErrorResponse> {
    const HEADER: &str = "sec-websocket-protocol";
    let offered = request.headers().get_all(HEADER).into_iter().filter_map(|value| value.to_str().ok());
    let offered: Vec<&str> = offered.flat_map(|list| list.split(',')).map(str::trim).collect();
    if let Some(spoken) = SUBPROTOCOLS.into_iter().find(|name| offered.contains(name)) {
        response.headers_mut().insert(HEADER, HeaderValue::from_static(spoken));
        return Ok(response);
    }
    let mut refused =
        ErrorResponse::new(Some(format!("this server speaks the subprotocols {}", SUBPROTOCOLS.join(", "))));
    *refused.status_mut() = StatusCode::BAD_REQUEST;
    Err(refused)
}

async fn converse(stream: TcpStream, shared: &Shared) -> Result<(), Error> {
    // Small messages must not wait for each other.
    stream.set_nodelay(true)?;
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(MAX_REQUEST_BYTES);
    config.max_frame_size = Some(MAX_REQUEST_BYTES);
    let shaking = tokio_tungstenite::accept_hdr_async_with_config(stream, choose, Some(config));
    let Ok(shaken) = tokio::time::timeout(HANDSHAKE, shaking).await else { return Ok(()) };
    let (mut out, mut asked) = shaken?.split();
    let queue = Arc::new(Queue::default());
    let entry = Entry::new(shared, &queue);
    loop {
        tokio::select! {
            message = queue.next() => out.send(message).await?,
            message = asked.next() => match message {
                Some(Ok(Message::Text(text))) => entry.handle(&text),
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            },
        }
    }
}

/// A viewer's place in the server, given up when it leaves.
struct Entry<'a> {
    shared: &'a Shared,
    queue: &'a Arc<Queue>,
    id: u64,
}

impl<'a> Entry<'a> {
    fn new(shared: &'a Shared, queue: &'a Arc<Queue>) -> Self {
        let mut state = shared.state();
        queue.push(protocol::server_info(&shared.name));
        if !state.channels.is_empty() {
            queue.push(protocol::advertise(state.channels.values().map(|channel| &**channel)));
        }
        state.next_viewer += 1;
        let id = state.next_viewer;
        state.viewers.insert(id, Viewer { queue: Arc::clone(queue), subscriptions: BTreeMap::new() });
        Self { shared, queue, id }
    }

    fn handle(&self, text: &str) {
        // Read before the lock, which producers take as well.
        let request = protocol::request(text);
        let mut state = self.shared.state();
        let known: BTreeSet<u64> = state.channels.values().map(|channel| channel.id).collect();
        let Some(viewer) = state.viewers.get_mut(&self.id) else { return };
        match request {
            Ok(Request::Subscribe { subscriptions }) => {
                for asked in subscriptions {
                    if known.contains(&asked.channel_id) {
                        viewer.subscriptions.insert(asked.channel_id, asked.id);
                    } else {
                        let channel = asked.channel_id;
                        self.queue.push(protocol::warning(&format!("there is no channel {channel} to subscribe to")));
                    }
                }
            }
            Ok(Request::Unsubscribe { subscription_ids }) => {
                viewer.subscriptions.retain(|_, subscription| !subscription_ids.contains(subscription));
            }
            Err(problem) => self.queue.push(protocol::warning(&problem)),
        }
        drop(state);
        self.shared.subscribed.notify_waiters();
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.shared.state().viewers.remove(&self.id);
    }
}
