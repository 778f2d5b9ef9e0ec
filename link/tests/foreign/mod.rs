//! A seat made of a WebRTC library and nothing of `link`.

use futures_util::{SinkExt, StreamExt};
use protocol::signalling::Signal;
use protocol::{SeatId, SeatKind, VehicleId};
use rtc::ice::mdns::MulticastDnsMode;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use webrtc::data_channel::DataChannel;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCPeerConnectionIceEvent, RTCSessionDescription, SettingEngineBuilder,
};

/// Whatever went wrong, for who reads the test's output.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

enum Event {
    Candidate(RTCIceCandidateInit),
    Channel(Arc<dyn DataChannel>),
}

struct Handler(mpsc::UnboundedSender<Event>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            let _ = self.0.send(Event::Candidate(candidate));
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.0.send(Event::Channel(channel));
    }
}

/// A session as such a seat has it. Its channels are reliable and in order.
pub struct ForeignSeat {
    pub connection: Arc<dyn PeerConnection>,
    /// Channels that the seat opened, in the order asked for.
    pub own: Vec<Arc<dyn DataChannel>>,
    /// The vehicle's two.
    pub others: Vec<Arc<dyn DataChannel>>,
    /// Signalling.
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// The call that such a seat makes.
pub fn call_signal(session: &str, seat: &str, vehicle: &str) -> Result<Signal> {
    Ok(Signal::Call {
        session: session.to_owned(),
        seat: SeatId::new(seat)?,
        seat_kind: SeatKind::Human,
        vehicle: VehicleId::new(vehicle)?,
        watch_only: false,
        features: Vec::new(),
        path: None,
        vouched: None,
    })
}

pub fn say(signal: &Signal) -> Result<Message> {
    Ok(Message::text(serde_json::to_string(signal)?))
}

async fn peer(events: mpsc::UnboundedSender<Event>) -> Result<Arc<dyn PeerConnection>> {
    let mut media = MediaEngine::default();
    media.register_default_codecs()?;
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_setting_engine(
            SettingEngineBuilder::new()
                .with_include_loopback_candidate(true)
                // Its socket fails on a machine without IPv4.
                .with_multicast_dns_mode(MulticastDnsMode::Disabled)
                .build(),
        )
        .with_handler(Arc::new(Handler(events)))
        // Whichever kind of addresses the machine has; the library leaves out what it cannot bind.
        .with_udp_addrs(vec!["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"])
        .build()
        .await?;
    Ok(Arc::new(connection))
}

impl ForeignSeat {
    /// Calls `vehicle` through the control plane `plane`, opens a channel for each of `labels` and waits for the vehicle's;
    /// `odd` are said as candidates before the answer.
    pub async fn call(plane: &str, seat: &str, vehicle: &str, labels: &[&str], odd: &[&str]) -> Result<Self> {
        let url = format!("{}/api/v1/signal?seat={seat}", plane.replacen("http", "ws", 1));
        let (mut socket, _) = connect_async(url).await?;
        let session = format!("{seat}-{}", std::process::id());
        socket.send(say(&call_signal(&session, seat, vehicle)?)?).await?;
        let (events_tx, mut events) = mpsc::unbounded_channel();
        let connection = peer(events_tx).await?;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let candidate = |candidate: &str| {
            let (session, candidate) = (session.clone(), candidate.to_owned());
            say(&Signal::Candidate { session, candidate, sdp_mid: None, sdp_mline_index: Some(0) })
        };
        while others.len() < 2 {
            tokio::select! {
                event = events.recv() => match event.ok_or("the connection is gone")? {
                    Event::Channel(channel) => others.push(channel),
                    Event::Candidate(found) => socket.send(candidate(&found.candidate)?).await?,
                },
                message = socket.next() => {
                    let Message::Text(text) = message.ok_or("signalling ended")?? else { continue };
                    match serde_json::from_str(&text)? {
                        Signal::Offer { sdp, .. } => {
                            connection.set_remote_description(RTCSessionDescription::offer(sdp)?).await?;
                            for label in labels {
                                own.push(connection.create_data_channel(label, None).await?);
                            }
                            let answer = connection.create_answer(None).await?;
                            let sdp = answer.sdp.clone();
                            connection.set_local_description(answer).await?;
                            for text in odd {
                                socket.send(candidate(text)?).await?;
                            }
                            let answer = Signal::Answer { session: session.clone(), sdp, vouched: None };
                            socket.send(say(&answer)?).await?;
                        }
                        Signal::Candidate { candidate, .. } => {
                            let init = RTCIceCandidateInit { candidate, sdp_mline_index: Some(0), ..Default::default() };
                            connection.add_ice_candidate(init).await?;
                        }
                        Signal::Bye { reason, .. } => return Err(format!("refused: {reason}").into()),
                        Signal::Error { message, .. } => return Err(format!("refused: {message}").into()),
                        _ => {}
                    }
                }
            }
        }
        Ok(Self { connection, own, others, socket })
    }
}
