//! The signalling relay between seats and vehicles.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::Plane;
use futures_util::{SinkExt, StreamExt};
use protocol::signalling::{IceServer, Signal};
use protocol::{SeatId, SeatKind, VehicleId};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use web::{IceConfig, TurnAccess};

struct Peer(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Peer {
    /// Connects and waits for the welcome: before it, the control plane may not know the peer yet.
    async fn connect(addr: SocketAddr, who: &str) -> Self {
        Self::welcomed(addr, who).await.0
    }

    async fn welcomed(addr: SocketAddr, who: &str) -> (Self, Vec<IceServer>) {
        let mut peer = Self(connect_async(format!("ws://{addr}/api/v1/signal?{who}")).await.unwrap().0);
        match peer.any().await {
            Some(Signal::Welcome { ice_servers, .. }) => (peer, ice_servers),
            other => panic!("expected a welcome, got {other:?}"),
        }
    }

    async fn send(&mut self, signal: &Signal) {
        self.0.send(Message::text(serde_json::to_string(signal).unwrap())).await.unwrap();
    }

    /// The next signal but the welcome, or `None` when the connection ended.
    async fn next(&mut self) -> Option<Signal> {
        loop {
            match self.any().await {
                Some(Signal::Welcome { .. }) => {}
                other => return other,
            }
        }
    }

    /// The next signal. The limit is only there so that a failure ends.
    async fn any(&mut self) -> Option<Signal> {
        let signal = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), signal).await.expect("nothing came")
    }

    async fn refused(&mut self) -> (Option<String>, String) {
        match self.next().await {
            Some(Signal::Error { session, message, code }) => {
                assert!(code.is_some(), "{message} has no code");
                (session, message)
            }
            other => panic!("expected an error, got {other:?}"),
        }
    }
}

fn call(session: &str, seat: &str) -> Signal {
    let (seat, vehicle) = (SeatId::new(seat).unwrap(), VehicleId::new("car").unwrap());
    Signal::Call {
        session: session.into(),
        seat,
        seat_kind: SeatKind::Human,
        vehicle,
        watch_only: true,
        features: Vec::new(),
        path: None,
        vouched: None,
    }
}

fn offer(session: &str) -> Signal {
    Signal::Offer {
        session: session.into(),
        sdp: "v=0".into(),
        features: Vec::new(),
        paths: None,
        challenge: None,
        vouched: None,
    }
}

fn answer(session: &str) -> Signal {
    Signal::Answer { session: session.into(), sdp: "v=0".into(), vouched: None }
}

fn candidate(session: &str, text: &str) -> Signal {
    Signal::Candidate {
        session: session.into(),
        candidate: text.into(),
        sdp_mid: Some("0".into()),
        sdp_mline_index: Some(0),
    }
}

fn bye(session: &str) -> Signal {
    Signal::Bye { session: session.into(), reason: "done".into(), code: None }
}

#[test]
fn a_call_is_set_up_and_ended_between_its_two_parties() {
    let plane = Plane::start();
    let addr = plane.addr();
    plane.runtime.block_on(async {
        let mut car = Peer::connect(addr, "vehicle=car").await;
        let mut seat = Peer::connect(addr, "seat=s1").await;
        let mut stranger = Peer::connect(addr, "seat=s2").await;
        seat.send(&call("x", "s1")).await;
        assert_eq!(car.next().await, Some(call("x", "s1")));
        for signal in [offer("x"), candidate("x", "a"), candidate("x", "")] {
            car.send(&signal).await;
            assert_eq!(seat.next().await, Some(signal));
        }
        for signal in [answer("x"), candidate("x", "b")] {
            seat.send(&signal).await;
            assert_eq!(car.next().await, Some(signal));
        }
        for signal in [candidate("x", "evil"), offer("x"), call("x", "s2"), call("y", "s1")] {
            stranger.send(&signal).await;
            assert!(stranger.refused().await.0.is_some());
        }
        stranger.send(&bye("x")).await;
        seat.send(&offer("x")).await;
        assert!(seat.refused().await.1.contains("the vehicle makes the offer"));
        seat.send(&bye("x")).await;
        assert_eq!(car.next().await, Some(bye("x")), "nothing of the stranger came through");
        car.send(&candidate("x", "late")).await;
        assert!(car.refused().await.1.contains("unknown"));
    });
}

#[test]
fn calling_an_offline_vehicle_says_so() {
    let plane = Plane::start();
    let addr = plane.addr();
    plane.runtime.block_on(async {
        let mut seat = Peer::connect(addr, "seat=s1").await;
        seat.send(&call("x", "s1")).await;
        let (session, message) = seat.refused().await;
        assert_eq!(session.as_deref(), Some("x"));
        assert!(message.contains("vehicle car is offline"), "{message}");
        // The same call works once the vehicle is there.
        let mut car = Peer::connect(addr, "vehicle=car").await;
        seat.send(&call("x", "s1")).await;
        assert_eq!(car.next().await, Some(call("x", "s1")));
    });
}

#[test]
fn a_lost_signalling_connection_ends_no_session() {
    let plane = Plane::start();
    let addr = plane.addr();
    plane.runtime.block_on(async {
        let mut car = Peer::connect(addr, "vehicle=car").await;
        let mut seat = Peer::connect(addr, "seat=s1").await;
        seat.send(&call("x", "s1")).await;
        car.next().await;
        drop(seat);
        let mut seat = Peer::connect(addr, "seat=s1").await;
        car.send(&offer("x")).await;
        assert_eq!(seat.next().await, Some(offer("x")));
        seat.send(&answer("x")).await;
        assert_eq!(car.next().await, Some(answer("x")), "no goodbye came before");
    });
}

#[test]
fn of_two_connections_of_a_vehicle_the_newest_wins() {
    let plane = Plane::start();
    let addr = plane.addr();
    let new = plane.runtime.block_on(async {
        let mut old = Peer::connect(addr, "vehicle=car").await;
        let mut new = Peer::connect(addr, "vehicle=car").await;
        assert_eq!(old.next().await, None, "the old one is closed");
        let mut seat = Peer::connect(addr, "seat=s1").await;
        seat.send(&call("x", "s1")).await;
        assert_eq!(new.next().await, Some(call("x", "s1")));
        new
    });
    assert_eq!(plane.client.get("vehicles").1[0]["online"], true);
    drop(new);
}

#[test]
fn after_a_restart_peers_are_told_and_call_again() {
    let mut plane = Plane::start();
    let addr = plane.addr();
    let (mut car, mut seat) = plane.runtime.block_on(async {
        let mut car = Peer::connect(addr, "vehicle=car").await;
        let mut seat = Peer::connect(addr, "seat=s1").await;
        seat.send(&call("x", "s1")).await;
        car.next().await;
        (car, seat)
    });
    plane.restart();
    plane.runtime.block_on(async {
        assert_eq!(car.next().await, None);
        assert_eq!(seat.next().await, None);
        let mut car = Peer::connect(addr, "vehicle=car").await;
        let mut seat = Peer::connect(addr, "seat=s1").await;
        seat.send(&candidate("x", "c")).await;
        assert!(seat.refused().await.1.contains("call the vehicle again"));
        seat.send(&call("x", "s1")).await;
        assert_eq!(car.next().await, Some(call("x", "s1")));
    });
}

#[test]
fn nonsense_is_answered_and_strangers_are_turned_away() {
    let plane = Plane::start();
    let addr = plane.addr();
    plane.runtime.block_on(async {
        let mut seat = Peer::connect(addr, "seat=s1").await;
        for nonsense in ["", "{}", "[1]", r#"{"type":"call"}"#, r#"{"type":"offer","session":1,"sdp":""}"#] {
            seat.0.send(Message::text(nonsense)).await.unwrap();
            assert!(seat.refused().await.1.contains("not a signalling message"));
        }
        seat.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
        seat.refused().await;
        for who in ["", "seat=../x", "seat=a&vehicle=b", "pilot=a"] {
            let error = connect_async(format!("ws://{addr}/api/v1/signal?{who}")).await.unwrap_err();
            assert!(matches!(error, tungstenite::Error::Http(r) if r.status().is_client_error()), "{who}");
        }
        let mut foreign = format!("ws://{addr}/api/v1/signal?seat=a").into_client_request().unwrap();
        foreign.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
        let error = connect_async(foreign).await.unwrap_err();
        assert!(matches!(error, tungstenite::Error::Http(r) if r.status() == 403));
        let big = candidate("x", &"c".repeat(100_000));
        let _ = seat.0.send(Message::text(serde_json::to_string(&big).unwrap())).await;
        assert_eq!(seat.next().await, None, "too large a message ends the connection");
    });
}

#[test]
fn a_peer_is_welcomed_with_the_servers_and_credentials_of_its_own() {
    let access = Some(TurnAccess::Secret("hush".into()));
    let urls = ["stun:relay.example:3478", "turn:relay.example:3478?transport=udp"].map(str::to_owned);
    let plane = Plane::start_with(|config| config.ice = IceConfig::new(&urls, access).unwrap());
    let addr = plane.addr();
    plane.runtime.block_on(async {
        let (_seat, ice_servers) = Peer::welcomed(addr, "seat=s1").await;
        assert_eq!(ice_servers.iter().map(|s| &s.urls[0]).collect::<Vec<_>>(), urls.iter().collect::<Vec<_>>());
        let name = ice_servers[1].username.as_deref().unwrap();
        assert!(name.ends_with(":s1") && ice_servers[1].credential.is_some(), "{name}");
    });
}

#[test]
fn the_control_plane_vouches_for_the_certificate_that_a_peer_registered_with() {
    let plane = Plane::start();
    let addr = plane.addr();
    let of = |byte: &str| [byte; 32].join(":");
    plane.runtime.block_on(async {
        let mut car = Peer::connect(addr, &format!("vehicle=car&fingerprint={}&pin=true", of("0A"))).await;
        let mut seat = Peer::connect(addr, &format!("seat=s1&fingerprint={}", of("0b"))).await;
        seat.send(&call("x", "s1")).await;
        let Some(Signal::Call { vouched, .. }) = car.next().await else { panic!("no call") };
        assert_eq!(vouched, Some(of("0B")));
        let forged = Signal::Offer {
            session: "x".into(),
            sdp: "v=0".into(),
            features: Vec::new(),
            paths: None,
            challenge: None,
            vouched: Some(of("0C")),
        };
        car.send(&forged).await;
        let Some(Signal::Offer { vouched, .. }) = seat.next().await else { panic!("no offer") };
        assert_eq!(vouched, Some(of("0A")));
    });
}

#[test]
fn a_pinned_name_is_refused_to_any_other_certificate_until_it_is_forgotten() {
    let mut plane = Plane::start();
    let of = |byte: &str| [byte; 32].join(":");
    let connects = |plane: &Plane, who: String| {
        let addr = plane.addr();
        plane.runtime.block_on(async { connect_async(format!("ws://{addr}/api/v1/signal?{who}")).await.map(drop) })
    };
    let mine = |byte: &str, pin: bool| format!("vehicle=car&fingerprint={}&pin={pin}", of(byte));
    connects(&plane, mine("0A", true)).unwrap();
    for wrong in [mine("0B", true), mine("0B", false), "vehicle=car".to_owned()] {
        let Err(tungstenite::Error::Http(answer)) = connects(&plane, wrong.clone()) else { panic!("{wrong} came in") };
        let text = String::from_utf8(answer.body().clone().unwrap()).unwrap();
        assert!(
            answer.status() == 403 && text.contains("identity_changed") && text.contains("--forget-identity"),
            "{text}"
        );
    }
    connects(&plane, format!("seat=car&fingerprint={}", of("0B"))).expect("a seat of that name is somebody else");
    plane.restart();
    assert!(connects(&plane, mine("0B", true)).is_err(), "it is remembered");
    plane.restart_with(|config| config.forget_identities = vec!["car".into()]);
    connects(&plane, mine("0B", true)).unwrap();
    let nonsense = connects(&plane, "vehicle=car&fingerprint=AB".into());
    assert!(matches!(nonsense, Err(tungstenite::Error::Http(r)) if r.status() == 422));
}
