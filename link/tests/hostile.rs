//! A seat that sends rubbish on every channel it can reach, and signalling that makes no sense.
#![allow(clippy::unwrap_used)]

mod common;
mod foreign;

use common::{Relay, SPEC, Vehicle, connected, receive, seat, wait};
use foreign::{ForeignSeat, call_signal, say};
use futures_util::{SinkExt, StreamExt};
use link::{FromSeatBody, FromVehicle};
use protocol::signalling::Signal;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use webrtc::data_channel::DataChannelEvent;
use webrtc::peer_connection::PeerConnection;

fn rubbish(rng: &mut ChaCha8Rng) -> bytes::BytesMut {
    let mut data = vec![0; rng.random_range(0..1500)];
    rng.fill_bytes(&mut data);
    bytes::BytesMut::from(&data[..])
}

/// Calls, connects and sends `count` random messages on each channel of both sides and on one of its own making.
async fn attack(url: String, seed: u64, count: usize) -> Arc<dyn PeerConnection> {
    let labels = ["command", "requests", "no such channel"];
    let odd = ["candidate:nonsense", "", "candidate:1 1 udp 1 300.1.2.3 99999 typ host"];
    // How long it takes depends on the machine.
    let call = ForeignSeat::call(&url, "evil", "car", &labels, &odd);
    let seat = tokio::time::timeout(Duration::from_secs(30), call).await.expect("five channels within 30 s").unwrap();
    let channels: Vec<_> = seat.own.into_iter().chain(seat.others).collect();
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
    drop(seat.socket);
    // Closing now would throw away what is still on its way.
    seat.connection
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
        for i in 0..20 {
            let session = format!("evil-{i}");
            for signal in [
                call_signal(&session, "evil", "car").unwrap(),
                Signal::Candidate {
                    session: session.clone(),
                    candidate: "x".into(),
                    sdp_mid: None,
                    sdp_mline_index: None,
                },
                Signal::Answer { session, sdp: "v=0\r\nthis is no session description".into(), vouched: None },
            ] {
                socket.send(say(&signal).unwrap()).await.unwrap();
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
