//! Signalling over TLS, as it is with a proxy in front of the control plane.
#![allow(clippy::unwrap_used)]

#[path = "../../control-plane-client/tests/authority/mod.rs"]
mod authority;
mod common;

use authority::Authority;
use common::{Relay, SPEC, Vehicle, connected, receive, seat_at};
use control_plane_client::ControlPlaneAddress;
use link::{FromVehicle, Paths};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

fn address(authority: &Authority, url: &str) -> ControlPlaneAddress {
    ControlPlaneAddress::new(url, Some(authority.file())).unwrap()
}

/// A proxy that speaks TLS in front of `relay`; its `https://` address.
fn proxy(runtime: &Runtime, authority: &Authority, relay: SocketAddr) -> String {
    let acceptor = TlsAcceptor::from(authority.server("localhost"));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let Ok(mut inside) = TcpStream::connect(relay).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    format!("https://localhost:{port}")
}

#[test]
fn a_seat_and_a_vehicle_meet_over_tls() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let authority = Authority::new("fleet");
    let address = address(&authority, &proxy(&runtime, &authority, relay.address));
    let _vehicle = Vehicle::start_at(&runtime, &address, SPEC, Paths::default());
    let seat = seat_at(&runtime, &address, "desk", false);
    connected(&seat);
    receive(&seat, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
}

#[test]
fn a_control_plane_of_an_unknown_authority_is_not_spoken_to_and_the_seat_says_what_to_do() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let url = proxy(&runtime, &Authority::new("fleet"), relay.address);
    let seat = seat_at(&runtime, &address(&Authority::new("other"), &url), "desk", false);
    let reason = receive(&seat, "refusal", |m| match m {
        FromVehicle::Lost { reason } => Some(reason),
        _ => None,
    });
    assert!(reason.contains("unknown authority") && reason.contains("--control-plane-ca"), "{reason}");
}
