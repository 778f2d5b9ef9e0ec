//! The live view and viewers that misbehave: who is slow, silent or talks nonsense harms nobody else.
#![cfg(feature = "view")]
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use protocol::{Message, topics, v1};
use recorder::Listener;
use recorder::exchange::view::LiveView;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message as Frame, http::HeaderValue};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Viewer = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(view: &LiveView, subprotocol: &'static str) -> Result<Viewer, String> {
    let mut request = format!("ws://{}", view.address()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(subprotocol));
    let connected = tokio_tungstenite::connect_async(request).await;
    connected.map(|(viewer, _)| viewer).map_err(|error| error.to_string())
}

fn state(n: u64, bytes: usize) -> Message {
    let state = v1::VehicleState { sequence: n, faults: vec!["x".repeat(bytes)], ..Default::default() };
    Message::encode(&topics::VEHICLE_STATE, n as u32, n * 20_000_000, n * 20_000_000, &state)
}

/// The next text with this `op`.
async fn told(viewer: &mut Viewer, op: &str) -> serde_json::Value {
    loop {
        let Some(Ok(frame)) = viewer.next().await else { panic!("the server left before {op}") };
        let Frame::Text(text) = frame else { continue };
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        if value["op"] == op {
            return value;
        }
    }
}

async fn subscribe(viewer: &mut Viewer) {
    let channel = told(viewer, "advertise").await["channels"][0]["id"].as_u64().unwrap();
    let text = format!(r#"{{"op":"subscribe","subscriptions":[{{"id":7,"channelId":{channel}}}]}}"#);
    viewer.send(Frame::text(text)).await.unwrap();
}

/// The next message of the data: its subscription and its sequence number.
async fn data(viewer: &mut Viewer) -> (u32, u64) {
    loop {
        let Some(Ok(frame)) = viewer.next().await else { panic!("the server left") };
        if let Frame::Binary(bytes) = frame
            && bytes[0] == 1
        {
            let content: v1::VehicleState = prost::Message::decode(Bytes::copy_from_slice(&bytes[13..])).unwrap();
            return (u32::from_le_bytes(bytes[1..5].try_into().unwrap()), content.sequence);
        }
    }
}

async fn until_somebody_looks(view: &LiveView, viewers: usize) {
    while view.viewers() < viewers {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_reads_nothing_delays_nobody() {
    let view = LiveView::bind(&"127.0.0.1:0".parse().unwrap(), "car").await.unwrap();
    view.hear(&state(0, 0));
    let mut asleep = connect(&view, "foxglove.sdk.v1").await.unwrap();
    let mut awake = connect(&view, "foxglove.sdk.v1").await.unwrap();
    subscribe(&mut asleep).await;
    subscribe(&mut awake).await;
    until_somebody_looks(&view, 2).await;
    // 64 MB, of which the sleeper reads nothing; each is seen by the other before the next comes.
    for n in 1..=64 {
        view.hear(&state(n, 1 << 20));
        assert_eq!(data(&mut awake).await, (7, n));
    }
    let warned = told(&mut asleep, "status").await;
    assert!(warned["message"].as_str().unwrap().contains("too slow"), "{warned}");
    // It goes on with what is newest.
    let mut last = 0;
    while last != 64 {
        last = data(&mut asleep).await.1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_and_harms_nobody() {
    let view = LiveView::bind(&"127.0.0.1:0".parse().unwrap(), "car").await.unwrap();
    view.hear(&state(0, 0));
    assert!(connect(&view, "chat").await.unwrap_err().contains("400"));
    let mut viewer = connect(&view, "chat, foxglove.websocket.v1").await.unwrap();
    for nonsense in ["", "{", r#"{"op":"fly"}"#, r#"{"op":"subscribe","subscriptions":[{"id":1,"channelId":99}]}"#] {
        viewer.send(Frame::text(nonsense)).await.unwrap();
        assert_eq!(told(&mut viewer, "status").await["level"], 1, "{nonsense}");
    }
    viewer.send(Frame::binary(vec![255; 1000])).await.unwrap();
    // Larger than any request may be: it is thrown out, and others are not.
    let mut greedy = connect(&view, "foxglove.sdk.v1").await.unwrap();
    let _ = greedy.send(Frame::text("x".repeat(3 << 20))).await;
    while let Some(Ok(_)) = greedy.next().await {}
    let raw = TcpStream::connect(view.address()).await.unwrap();
    raw.writable().await.unwrap();
    let _ = raw.try_write(&[0; 4096]);
    view.hear(&state(1, 0));
    let mut late = connect(&view, "foxglove.sdk.v1").await.unwrap();
    subscribe(&mut late).await;
    until_somebody_looks(&view, 1).await;
    view.hear(&state(2, 0));
    assert_eq!(data(&mut late).await, (7, 2));
}
