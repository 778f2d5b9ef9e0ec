//! Signalling over TLS, as it is with a proxy in front of the control plane.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Relay, SPEC, Vehicle, connected, receive, seat_at};
use control_plane_client::ControlPlaneAddress;
use link::{FromVehicle, Paths};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// An authority, with its certificate in a file.
struct Authority {
    file: tempfile::NamedTempFile,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { file, issuer: Issuer::new(params, key) }
    }

    /// Accepts TLS as `localhost`.
    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()))
    }

    fn address(&self, url: &str) -> ControlPlaneAddress {
        ControlPlaneAddress::new(url, Some(self.file.path())).unwrap()
    }
}

/// A proxy that speaks TLS in front of `relay`; its `https://` address.
fn proxy(runtime: &Runtime, acceptor: TlsAcceptor, relay: SocketAddr) -> String {
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
    let address = authority.address(&proxy(&runtime, authority.acceptor(), relay.address));
    let _vehicle = Vehicle::start_at(&runtime, &address, SPEC, Paths::default());
    let seat = seat_at(&runtime, &address, "desk", false);
    connected(&seat);
    receive(&seat, "picture", |m| matches!(m, FromVehicle::Picture(_)).then_some(()));
}

#[test]
fn a_control_plane_of_an_unknown_authority_is_not_spoken_to_and_the_seat_says_what_to_do() {
    let runtime = Runtime::new().unwrap();
    let relay = Relay::start(&runtime, "127.0.0.1:0");
    let url = proxy(&runtime, Authority::new("fleet").acceptor(), relay.address);
    let seat = seat_at(&runtime, &Authority::new("other").address(&url), "desk", false);
    let reason = receive(&seat, "refusal", |m| match m {
        FromVehicle::Lost { reason } => Some(reason),
        _ => None,
    });
    assert!(reason.contains("unknown authority") && reason.contains("--control-plane-ca"), "{reason}");
}
