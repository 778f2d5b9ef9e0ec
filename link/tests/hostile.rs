//! A seat that sends rubbish on every channel it can reach, and signalling that makes no sense.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Relay, SPEC, Vehicle, connected, receive, seat, wait};
use futures_util::{SinkExt, StreamExt};
use link::{FromSeatBody, FromVehicle};
use protocol::signalling::Signal;
use protocol::{SeatId, SeatKind, VehicleId};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCPeerConnectionIceEvent, RTCSessionDescription, SettingEngineBuilder,
};

enum Event {
    Candidate(RTCIceCandidateInit),
    Channel(Arc<dyn DataChannel>),
}

struct Handler(mpsc::UnboundedSender<Event>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let _ = self.0.send(Event::Candidate(event.candidate.to_json().unwrap()));
    }
    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let _ = self.0.send(Event::Channel(channel));
    }
}

async fn peer(tx: mpsc::UnboundedSender<Event>) -> impl PeerConnection {
    let mut media = MediaEngine::default();
    media.register_default_codecs().unwrap();
    PeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_setting_engine(SettingEngineBuilder::new().with_include_loopback_candidate(true).build())
        .with_handler(Arc::new(Handler(tx)))
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .build()
        .await
        .unwrap()
}

fn rubbish(rng: &mut ChaCha8Rng) -> bytes::BytesMut {
    let mut data = vec![0; rng.random_range(0..1500)];
    rng.fill_bytes(&mut data);
    bytes::BytesMut::from(&data[..])
}

/// Calls, connects and sends `count` random messages on each channel of both sides and on one of its own making.
async fn attack(url: String, seed: u64, count: usize) -> impl PeerConnection {
    let (mut socket, _) =
        connect_async(format!("{}/api/v1/signal?seat=evil", url.replace("http", "ws"))).await.unwrap();
    let say = |signal: &Signal| Message::text(serde_json::to_string(signal).unwrap());
    let session = "evil-1".to_owned();
    let (seat, vehicle) = (SeatId::new("evil").unwrap(), VehicleId::new("car").unwrap());
    let call = Signal::Call {
        session: session.clone(),
        seat,
        seat_kind: SeatKind::Human,
        vehicle,
        watch_only: false,
        features: Vec::new(),
        path: None,
        vouched: None,
    };
    socket.send(say(&call)).await.unwrap();
    let (tx, mut events) = mpsc::unbounded_channel();
    let connection = peer(tx).await;
    let mut channels: Vec<Arc<dyn DataChannel>> = Vec::new();
    // Three of its own and the vehicle's two; how long they take depends on the machine.
    let deadline = tokio::time::sleep(Duration::from_secs(30));
    tokio::pin!(deadline);
    while channels.len() < 5 {
        tokio::select! {
            () = &mut deadline => panic!("only {} of 5 channels after 30 s", channels.len()),
            event = events.recv() => match event.unwrap() {
                Event::Channel(channel) => channels.push(channel),
                Event::Candidate(c) => {
                    let signal = Signal::Candidate { session: session.clone(), candidate: c.candidate, sdp_mid: None, sdp_mline_index: Some(0) };
                    socket.send(say(&signal)).await.unwrap();
                }
            },
            message = socket.next() => {
                let Some(Ok(Message::Text(text))) = message else { continue };
                match serde_json::from_str(&text).unwrap() {
                    Signal::Offer { sdp, .. } => {
                        connection.set_remote_description(RTCSessionDescription::offer(sdp).unwrap()).await.unwrap();
                        for label in ["command", "requests", "no such channel"] {
                            channels.push(connection.create_data_channel(label, None).await.unwrap());
                        }
                        let answer = connection.create_answer(None).await.unwrap();
                        let sdp = answer.sdp.clone();
                        connection.set_local_description(answer).await.unwrap();
                        for rubbish in ["candidate:nonsense", "", "candidate:1 1 udp 1 300.1.2.3 99999 typ host"] {
                            let signal = Signal::Candidate { session: session.clone(), candidate: rubbish.into(), sdp_mid: Some("x".into()), sdp_mline_index: Some(9) };
                            socket.send(say(&signal)).await.unwrap();
                        }
                        socket.send(say(&Signal::Answer { session: session.clone(), sdp, vouched: None })).await.unwrap();
                    }
                    Signal::Candidate { candidate, .. } => {
                        let init = RTCIceCandidateInit { candidate, sdp_mline_index: Some(0), ..Default::default() };
                        connection.add_ice_candidate(init).await.unwrap();
                    }
                    Signal::Bye { reason, .. } => panic!("refused: {reason}"),
                    _ => {}
                }
            }
        }
    }
    let (opened_tx, mut opened) = mpsc::unbounded_channel();
    for channel in &channels {
        let (channel, opened_tx) = (channel.clone(), opened_tx.clone());
        let label = channel.label().await.unwrap();
        tokio::spawn(async move {
            while let Some(event) = channel.poll().await {
                if matches!(event, DataChannelEvent::OnOpen | DataChannelEvent::OnMessage(_)) {
                    let _ = opened_tx.send(label.clone());
                }
            }
        });
    }
    // What is sent before both sides are ready may be lost: the vehicle says so with its `Hello` among the events.
    let mut silent: BTreeSet<&str> = ["command", "requests", "no such channel", "events"].into();
    while !silent.is_empty() {
        let label = tokio::time::timeout(Duration::from_secs(30), opened.recv()).await;
        silent.remove(label.expect("every channel opens within 30 s").unwrap().as_str());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..count {
        for channel in &channels {
            let _ = channel.send(rubbish(&mut rng)).await;
        }
        channels[2].send_text("hello").await.unwrap();
    }
    // Closing now would throw away what is still on its way.
    connection
}

#[test]
fn random_bytes_on_every_channel_are_counted_and_harm_nobody() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let honest = seat(&runtime, &relay.url(), "desk", false);
    connected(&honest);
    let evil = runtime.block_on(attack(relay.url(), 7, 200));
    wait("counted", || (vehicle.link.malformed() > 500).then_some(()));
    runtime.block_on(evil.close()).unwrap();
    let told = || vehicle.heard().iter().filter(|m| matches!(m.body, FromSeatBody::Malformed(_))).count();
    // Counting is quicker than the vehicle's core is at reading what it is told.
    wait("told", || (told() >= 20).then_some(()));
    assert!(told() < 100, "{} told of {}", told(), vehicle.link.malformed());
    assert!(vehicle.heard().iter().all(|m| !matches!(m.body, FromSeatBody::Malformed(_)) || m.seat_id == "evil"));
    while honest.try_recv().is_some() {}
    receive(&honest, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
    assert_eq!(honest.stats().sessions, 1);
}

#[test]
fn signalling_that_makes_no_sense_ends_no_session() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let vehicle = Vehicle::start(&runtime, &relay.url(), SPEC);
    let honest = seat(&runtime, &relay.url(), "desk", false);
    connected(&honest);
    runtime.block_on(async {
        let (mut socket, _) = connect_async(format!("ws://{}/api/v1/signal?seat=evil", relay.address)).await.unwrap();
        let (seat, car) = (SeatId::new("evil").unwrap(), VehicleId::new("car").unwrap());
        for i in 0..20 {
            let session = format!("evil-{i}");
            for signal in [
                Signal::Call {
                    session: session.clone(),
                    seat: seat.clone(),
                    seat_kind: SeatKind::Human,
                    vehicle: car.clone(),
                    watch_only: false,
                    features: Vec::new(),
                    path: None,
                    vouched: None,
                },
                Signal::Candidate {
                    session: session.clone(),
                    candidate: "x".into(),
                    sdp_mid: None,
                    sdp_mline_index: None,
                },
                Signal::Answer { session, sdp: "v=0\r\nthis is no session description".into(), vouched: None },
            ] {
                socket.send(Message::text(serde_json::to_string(&signal).unwrap())).await.unwrap();
            }
        }
        // Each call is answered by an end.
        let mut ends = 0;
        while ends < 20 {
            let Some(Ok(Message::Text(text))) = socket.next().await else { continue };
            ends += usize::from(matches!(serde_json::from_str(&text).unwrap(), Signal::Bye { .. }));
        }
    });
    while honest.try_recv().is_some() {}
    receive(&honest, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
    assert_eq!(honest.stats().sessions, 1);
    assert!(vehicle.heard().iter().all(|m| m.seat_id == "desk"));
}
