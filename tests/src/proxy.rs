//! A seat's way to its vehicle that can be cut: signalling goes through here, and the vehicle's candidates are replaced
//! by a UDP relay's address.

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use link::netem::PathSpec;
use link::netem::relay::UdpRelay;
use protocol::signalling::Signal;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, connect_async};

#[derive(Default)]
struct Relays {
    /// Those of the newest sessions; the path to an older one may still be in use.
    all: Vec<UdpRelay>,
    cut: (bool, bool),
}

/// The proxy; it ends when this is dropped.
pub struct SeatProxy {
    /// `http://host:port` for the seat.
    pub address: String,
    relays: Arc<Mutex<Relays>>,
    _runtime: Runtime,
}

/// Relays that are kept; each session makes one.
const RELAYS: usize = 8;

impl SeatProxy {
    /// A proxy in front of the control plane at `plane` (`http://host:port`).
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(plane: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = format!("http://{}", listener.local_addr()?);
        let relays = Arc::new(Mutex::new(Relays::default()));
        let (plane, shared) = (plane.replacen("http", "ws", 1), Arc::clone(&relays));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, plane.clone(), Arc::clone(&shared)));
            }
        });
        Ok(Self { address, relays, _runtime: runtime })
    }

    /// Cuts the packets' way off, or joins it again.
    pub fn cut(&self, to_vehicle: bool, to_seat: bool) {
        let mut relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        relays.cut = (to_vehicle, to_seat);
        relays.all.iter().for_each(|relay| relay.cut(to_vehicle, to_seat));
    }
}

async fn serve(stream: TcpStream, plane: String, relays: Arc<Mutex<Relays>>) -> anyhow::Result<()> {
    let mut place = String::new();
    #[allow(clippy::result_large_err)] // The library's own type.
    let callback = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        place = request.uri().to_string();
        Ok(response)
    };
    let mut seat = accept_hdr_async(stream, callback).await?;
    let (mut plane, _) = connect_async(format!("{plane}{place}")).await?;
    loop {
        tokio::select! {
            message = seat.next() => {
                let Some(Ok(message)) = message else { break };
                // The vehicle learns of the relay by the packets that come from it, and of nothing else.
                if !matches!(signal(&message), Some(Signal::Candidate { .. })) {
                    plane.send(without_candidates(message)).await?;
                }
            }
            message = plane.next() => {
                let Some(Ok(message)) = message else { break };
                answer(&mut seat, message, &relays).await?;
            }
        }
    }
    Ok(())
}

fn signal(message: &Message) -> Option<Signal> {
    match message {
        Message::Text(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

fn say(signal: &Signal) -> anyhow::Result<Message> {
    Ok(Message::text(serde_json::to_string(signal)?))
}

fn strip(sdp: &str) -> String {
    sdp.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate")).collect()
}

fn without_candidates(message: Message) -> Message {
    let stripped = match signal(&message) {
        Some(Signal::Answer { session, sdp, vouched }) => Signal::Answer { session, sdp: strip(&sdp), vouched },
        Some(Signal::Offer { session, sdp, features, paths, challenge, vouched }) => {
            Signal::Offer { session, sdp: strip(&sdp), features, paths, challenge, vouched }
        }
        _ => return message,
    };
    say(&stripped).unwrap_or(message)
}

async fn answer(seat: &mut WebSocketStream<TcpStream>, message: Message, relays: &Mutex<Relays>) -> anyhow::Result<()> {
    let message = match signal(&message) {
        Some(Signal::Candidate { session, candidate, sdp_mid, sdp_mline_index }) => {
            let Some(candidate) = relayed(&candidate, relays)? else { return Ok(()) };
            say(&Signal::Candidate { session, candidate, sdp_mid, sdp_mline_index })?
        }
        _ => without_candidates(message),
    };
    Ok(seat.send(message).await?)
}

/// The candidate with a new relay's address in place of its own; `None` for one that is not used.
fn relayed(candidate: &str, relays: &Mutex<Relays>) -> anyhow::Result<Option<String>> {
    // candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ KIND
    let mut parts: Vec<String> = candidate.split(' ').map(str::to_owned).collect();
    let is_host = parts.len() >= 8 && parts[2].eq_ignore_ascii_case("udp") && parts[7] == "host";
    if !is_host {
        return Ok(None);
    }
    let Ok(to) = format!("{}:{}", parts[4], parts[5]).parse::<SocketAddr>() else { return Ok(None) };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let relay = UdpRelay::start(any, to, &PathSpec::clean(), 1, || ()).context("relay")?;
    (parts[4], parts[5]) = (relay.address().ip().to_string(), relay.address().port().to_string());
    let mut relays = relays.lock().unwrap_or_else(PoisonError::into_inner);
    relay.cut(relays.cut.0, relays.cut.1);
    relays.all.push(relay);
    if relays.all.len() > RELAYS {
        relays.all.remove(0);
    }
    Ok(Some(parts.join(" ")))
}
