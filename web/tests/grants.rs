//! Session grants: who is given one, for what, and how they are renewed and withdrawn.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod common;

use common::Plane;
use futures_util::{SinkExt, StreamExt};
use protocol::grant::{Grant, LIFE_MS, MaxMode};
use protocol::signalling::Signal;
use protocol::signing::PublicKey;
use protocol::{Failure, SeatId, SeatKind, VehicleId};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const SDP: &str = "v=0\r\na=fingerprint:sha-256 ab:cd\r\n";

struct Peer(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Peer {
    /// Connects; also returns the key that the welcome names.
    async fn connect(addr: SocketAddr, who: &str) -> (Self, PublicKey) {
        let mut peer = Self(connect_async(format!("ws://{addr}/api/v1/signal?{who}")).await.unwrap().0);
        let Signal::Welcome { grant_key, .. } = peer.next().await else { panic!("no welcome") };
        (peer, grant_key.unwrap().parse().unwrap())
    }

    async fn send(&mut self, signal: &Signal) {
        self.0.send(Message::text(serde_json::to_string(signal).unwrap())).await.unwrap();
    }

    async fn next(&mut self) -> Signal {
        let signal = async {
            loop {
                if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                    return serde_json::from_str(&text).unwrap();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), signal).await.expect("nothing came")
    }

    async fn grant(&mut self, key: &PublicKey) -> (Grant, String) {
        let Signal::Grant { session, grant } = self.next().await else { panic!("no grant") };
        let opened = Grant::open(&grant, key).unwrap();
        assert_eq!(opened.session, session);
        (opened, grant)
    }
}

fn call(session: &str, seat: &str, watch_only: bool) -> Signal {
    Signal::Call {
        session: session.into(),
        seat: SeatId::new(seat).unwrap(),
        seat_kind: SeatKind::Scripted,
        vehicle: VehicleId::new("car").unwrap(),
        watch_only,
        features: Vec::new(),
        path: None,
        vouched: None,
    }
}

fn answer(session: &str, sdp: &str) -> Signal {
    Signal::Answer { session: session.into(), sdp: sdp.into(), vouched: None }
}

/// The car's offer, which its seat gets as it is.
async fn offer(car: &mut Peer, desk: &mut Peer, challenge: Option<&str>) {
    let challenge = challenge.map(str::to_owned);
    let offer = Signal::Offer {
        session: "x".into(),
        sdp: SDP.into(),
        features: Vec::new(),
        paths: None,
        challenge,
        vouched: None,
    };
    car.send(&offer).await;
    assert_eq!(desk.next().await, offer);
}

fn renew(session: &str, grant: &str) -> Signal {
    Signal::Renew { session: session.into(), grant: grant.into(), challenge: "next".into() }
}

/// Car and desk with a session, and the car's first grant for it.
async fn session(addr: SocketAddr, watch_only: bool) -> (Peer, Peer, PublicKey, Grant, String) {
    let (mut car, key) = Peer::connect(addr, "vehicle=car").await;
    let (mut desk, _) = Peer::connect(addr, "seat=desk").await;
    desk.send(&call("x", "desk", watch_only)).await;
    assert!(matches!(car.next().await, Signal::Call { .. }));
    offer(&mut car, &mut desk, Some("first")).await;
    desk.send(&answer("x", SDP)).await;
    let (grant, text) = car.grant(&key).await;
    assert!(matches!(car.next().await, Signal::Answer { .. }), "the answer follows its grant");
    (car, desk, key, grant, text)
}

#[test]
fn a_vehicle_gets_a_grant_ahead_of_each_answer_for_the_seat_that_gave_it() {
    let plane = Plane::start();
    plane.runtime.block_on(async {
        let (mut car, mut desk, key, grant, _) = session(plane.addr(), false).await;
        assert_eq!((grant.vehicle.as_str(), grant.seat.as_str(), grant.max_mode), ("car", "desk", MaxMode::Drive));
        assert_eq!(grant.fingerprints, ["sha-256 AB:CD"]);
        assert_eq!(grant.seat_kind, SeatKind::Scripted, "as the seat announced itself");
        assert_eq!((grant.lasts_ms, grant.challenge.as_str()), (LIFE_MS, "first"));
        offer(&mut car, &mut desk, Some("second")).await;
        desk.send(&answer("x", SDP)).await;
        let (again, _) = car.grant(&key).await;
        assert!(again.serial > grant.serial && again.challenge == "second");
        assert!(matches!(car.next().await, Signal::Answer { .. }));
        // Each challenge is answered once; an offer without one wants no grant.
        desk.send(&answer("x", SDP)).await;
        assert!(matches!(car.next().await, Signal::Answer { .. }));
        offer(&mut car, &mut desk, None).await;
        desk.send(&answer("x", SDP)).await;
        assert!(matches!(car.next().await, Signal::Answer { .. }));
        // Whoever names no certificate gets none.
        offer(&mut car, &mut desk, Some("third")).await;
        desk.send(&answer("x", "v=0")).await;
        assert!(matches!(car.next().await, Signal::Answer { .. }));
    });
    let watching = Plane::start();
    let grant = watching.runtime.block_on(async { session(watching.addr(), true).await.3 });
    assert_eq!(grant.max_mode, MaxMode::Monitor);
}

#[test]
fn a_challenge_that_is_none_is_named_and_goes_nowhere() {
    let plane = Plane::start();
    plane.runtime.block_on(async {
        let (mut car, _, _, _, _) = session(plane.addr(), false).await;
        for challenge in [String::new(), "x".repeat(129)] {
            let bytes = challenge.len().to_string();
            let (sdp, features) = (SDP.into(), Vec::new());
            let offer = Signal::Offer {
                session: "x".into(),
                sdp,
                features,
                paths: None,
                challenge: Some(challenge),
                vouched: None,
            };
            car.send(&offer).await;
            let Signal::Error { message, code, .. } = car.next().await else { panic!("no error") };
            assert!(code == Some(Failure::Malformed) && message.contains(&bytes), "{message}");
        }
    });
}

#[test]
fn only_the_vehicle_renews_and_only_what_was_granted_to_it() {
    let plane = Plane::start();
    plane.runtime.block_on(async {
        let (mut car, mut desk, key, first, text) = session(plane.addr(), false).await;
        car.send(&renew("x", &text)).await;
        let (second, _) = car.grant(&key).await;
        assert!(second.serial > first.serial && second.max_mode == first.max_mode);
        assert_eq!(second.seat_kind, SeatKind::Scripted);
        assert_eq!((second.challenge.as_str(), second.lasts_ms), ("next", LIFE_MS));
        for challenge in [String::new(), "x".repeat(129)] {
            car.send(&Signal::Renew { session: "x".into(), grant: text.clone(), challenge }).await;
            assert!(matches!(car.next().await, Signal::Bye { code: Some(Failure::NotGranted), .. }));
        }
        for (session, grant) in [("y", text.as_str()), ("x", "nonsense"), ("x", &text[..text.len() - 4])] {
            car.send(&renew(session, grant)).await;
            assert!(
                matches!(car.next().await, Signal::Bye { code: Some(Failure::NotGranted), .. }),
                "{session} {grant}"
            );
        }
        desk.send(&renew("x", &text)).await;
        assert!(matches!(desk.next().await, Signal::Bye { code: Some(Failure::NotGranted), .. }));
        desk.send(&Signal::Grant { session: "x".into(), grant: text }).await;
        assert!(matches!(desk.next().await, Signal::Error { code: Some(Failure::Refused), .. }));
    });
}

#[test]
fn a_control_plane_that_restarts_keeps_its_key_and_renews_sessions_that_it_has_forgotten() {
    let mut plane = Plane::start();
    let addr = plane.addr();
    let (key, first, text) = plane.runtime.block_on(async {
        let (_, _, key, first, text) = session(addr, false).await;
        (key, first, text)
    });
    plane.restart();
    plane.runtime.block_on(async {
        let (mut car, again) = Peer::connect(plane.addr(), "vehicle=car").await;
        assert_eq!(again, key);
        car.send(&renew("x", &text)).await;
        assert!(car.grant(&key).await.0.serial > first.serial);
        // The session is known again: the seat's goodbye reaches the vehicle.
        let (mut desk, _) = Peer::connect(plane.addr(), "seat=desk").await;
        desk.send(&Signal::Bye { session: "x".into(), reason: "done".into(), code: None }).await;
        assert!(matches!(car.next().await, Signal::Bye { .. }));
    });
}

#[test]
fn a_revoked_seat_is_ended_at_once_and_gets_no_grants_until_it_is_allowed_again() {
    let mut plane = Plane::start();
    let addr = plane.addr();
    let (mut car, mut desk, _, _, text) = plane.runtime.block_on(session(addr, false));
    assert_eq!(plane.client.post("seats/desk/revoke", &json!({ "reason": "left the company" })).0, 201);
    plane.runtime.block_on(async {
        assert!(matches!(car.next().await, Signal::Bye { code: Some(Failure::NotGranted), .. }));
        car.send(&renew("x", &text)).await;
        assert!(matches!(car.next().await, Signal::Bye { code: Some(Failure::NotGranted), .. }));
        desk.send(&call("y", "desk", false)).await;
        assert!(matches!(desk.next().await, Signal::Error { code: Some(Failure::NotGranted), .. }));
    });
    drop((car, desk));
    plane.restart();
    assert_eq!(plane.client.get("seats/revoked").1, json!(["desk"]));
    plane.runtime.block_on(async {
        let (mut car, _) = Peer::connect(plane.addr(), "vehicle=car").await;
        car.send(&renew("x", &text)).await;
        assert!(matches!(car.next().await, Signal::Bye { code: Some(Failure::NotGranted), .. }));
    });
    assert_eq!(plane.client.post("seats/desk/allow", &json!({ "reason": "came back" })).0, 201);
    assert_eq!(plane.client.get("seats/revoked").1, json!([]));
    plane.runtime.block_on(async { drop(session(plane.addr(), false).await) });
}

#[test]
fn a_revocation_of_what_is_no_seat_is_refused() {
    let plane = Plane::start();
    let (status, body) = plane.client.post("seats/a%20b/revoke", &json!({ "reason": "" }));
    assert_eq!(status, 422, "{body}");
    assert_eq!(plane.client.post("seats/a/revoke", &json!({})).0, 422);
    assert_eq!(plane.client.post("seats/a/revoke", &json!({ "reason": "x".repeat(1_000) })).0, 422);
}
