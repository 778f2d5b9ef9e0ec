//! Calls over TLS, with an authority of the fleet's own.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

mod authority;

use authority::Authority;
use control_plane_client::{ClientError, ControlPlaneAddress, ControlPlaneClient, Retry};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// A control plane without policies behind TLS; its port.
fn serve(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut reader = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            // Whoever does not trust this server ends the handshake.
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
            let _ = reader.get_mut().write_all(answer.as_bytes());
            reader.get_mut().conn.send_close_notify();
            let _ = reader.get_mut().flush();
        }
    });
    port
}

fn ask(url: &str, authority: &Authority) -> Result<usize, ClientError> {
    let address = ControlPlaneAddress::new(url, Some(authority.file())).unwrap();
    ControlPlaneClient::new(&address, Retry::Briefly).policies().map(|policies| policies.len())
}

#[test]
fn a_server_that_the_fleets_authority_vouches_for_is_called() {
    let authority = Authority::new("fleet");
    let port = serve(authority.server("localhost"));
    assert_eq!(ask(&format!("https://localhost:{port}"), &authority).unwrap(), 0);
    assert_eq!(ask(&format!("wss://localhost:{port}/"), &authority).unwrap(), 0);
    let port = serve(authority.server("127.0.0.1"));
    assert_eq!(ask(&format!("https://127.0.0.1:{port}"), &authority).unwrap(), 0);
}

#[test]
fn others_are_refused_with_what_to_do() {
    let (authority, other) = (Authority::new("fleet"), Authority::new("other"));
    let port = serve(authority.server("localhost"));
    for (url, trusted, says) in [
        (format!("https://localhost:{port}"), &other, "unknown authority"),
        (format!("https://127.0.0.1:{port}"), &authority, "not valid for name"),
    ] {
        let error = ask(&url, trusted).unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&url) && text.contains(says) && text.contains("--control-plane"), "{text}");
    }
    let text = ask(&format!("https://localhost:{port}"), &other).unwrap_err().to_string();
    assert!(text.contains("--control-plane-ca (TAKEOVER_CONTROL_PLANE_CA)"), "{text}");
}

#[test]
fn a_server_without_tls_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            // Until the other side has read it and is gone.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let error = ask(&format!("https://localhost:{port}"), &Authority::new("fleet")).unwrap_err().to_string();
    assert!(error.contains("does not speak TLS"), "{error}");
}
