use super::hub::{Hub, Identity};
use super::ice::IceConfig;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::SinkExt;
use protocol::Failure;
use protocol::signalling::Signal;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Largest message, bytes; a session description of a browser has about ten thousand.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Peers connected at once.
pub const MAX_CONNECTIONS: u64 = 4096;
/// How often a silent peer is asked whether it is there.
const PING: Duration = Duration::from_secs(15);
/// A peer this long silent is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// A peer that takes this long to read one message is gone.
const SEND: Duration = Duration::from_secs(10);
/// Close codes of RFC 6455, and two of our own.
const GOING_AWAY: u16 = 1001;
const REPLACED: u16 = 4001;

/// What to do next with one connection.
enum Next {
    Send(Vec<Message>),
    Wait,
    End(Option<CloseFrame>),
}

/// Serves one peer until it leaves, is replaced, falls silent or the server stops.
pub async fn serve_peer(
    mut socket: WebSocket,
    hub: &Hub,
    ice: &IceConfig,
    peer: Identity,
    mut stop: watch::Receiver<bool>,
) {
    let party = &peer.party;
    let mut registered = hub.register(party);
    tracing::info!("{party} connected");
    let mut last_heard = Instant::now();
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Its first tick is at once: the welcome.
    let mut welcome = interval(IceConfig::renew_after());
    let reason = loop {
        let next = tokio::select! {
            biased;
            _ = welcome.tick() => answer(&ice.welcome(party, hub.grant_key())),
            message = socket.recv() => {
                last_heard = Instant::now();
                heard(message, hub, &peer)
            }
            message = registered.queue.recv() => match message {
                Some(text) => {
                    // What waits goes together: fewer packets, of which fewer are lost.
                    let rest = std::iter::from_fn(|| registered.queue.try_recv().ok());
                    Next::Send(std::iter::once(text).chain(rest).map(Message::Text).collect())
                }
                None => Next::End(Some(close(REPLACED, "a newer connection took over, or this one read too slowly"))),
            },
            _ = ping.tick() => match last_heard.elapsed() > SILENCE {
                true => Next::End(None),
                false => Next::Send(vec![Message::Ping(bytes::Bytes::new())]),
            },
            _ = stop.wait_for(|stopping| *stopping) => {
                Next::End(Some(close(GOING_AWAY, "the control plane stops; connect again later")))
            }
        };
        match next {
            Next::Wait => {}
            Next::End(reason) => break reason,
            Next::Send(messages) => {
                if !matches!(timeout(SEND, send_all(&mut socket, messages)).await, Ok(Ok(()))) {
                    break None;
                }
            }
        }
    };
    hub.leave(party, registered.connection);
    if let Some(frame) = reason {
        // The peer may be gone already; that is what closing is about.
        let _ = timeout(SEND, socket.send(Message::Close(Some(frame)))).await;
    }
    tracing::info!("{party} disconnected");
}

async fn send_all(socket: &mut WebSocket, messages: Vec<Message>) -> Result<(), axum::Error> {
    for message in messages {
        socket.feed(message).await?;
    }
    socket.flush().await
}

fn heard(message: Option<Result<Message, axum::Error>>, hub: &Hub, peer: &Identity) -> Next {
    match message {
        Some(Ok(Message::Text(text))) => hub.handle(peer, &text).map_or(Next::Wait, |refusal| answer(&refusal)),
        Some(Ok(Message::Binary(_))) => {
            let message = "send signalling as text, not as binary".into();
            answer(&Signal::Error { session: None, message, code: Some(Failure::Malformed) })
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Next::Wait,
        Some(Ok(Message::Close(_)) | Err(_)) | None => Next::End(None),
    }
}

fn answer(signal: &Signal) -> Next {
    match serde_json::to_string(signal) {
        Ok(text) => Next::Send(vec![Message::Text(text.into())]),
        Err(_) => Next::Wait,
    }
}

fn close(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
}
