//! The control plane's address as people give it, and how it is reached.

use crate::LinkError;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::Uri;

/// How long one address of a host gets before the next is tried beside it (RFC 8305, section 8).
const HEAD_START: Duration = Duration::from_millis(250);
/// How long a command that is asked once waits for a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// The URI of `http://host:port`, with `ws://` taken for the same.
///
/// # Errors
/// [`LinkError::ControlPlane`] with the address and what is wrong with it.
pub(crate) fn parse(control_plane: &str) -> Result<Uri, LinkError> {
    let error = |reason: &str| LinkError::ControlPlane { url: control_plane.to_owned(), reason: reason.to_owned() };
    let base = control_plane.trim_end_matches('/');
    let (scheme, rest) = base.split_once("://").ok_or_else(|| error("it must start with http://"))?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => {}
        "https" | "wss" => return Err(error("TLS is not spoken here; use http:// and put TLS in a proxy or a tunnel")),
        _ => return Err(error("it must start with http:// or ws:// (put TLS in a proxy)")),
    }
    if rest.is_empty() {
        return Err(error("it names no host"));
    }
    if rest.contains(['?', '#']) {
        return Err(error("it must be without ? and #"));
    }
    let uri: Uri =
        format!("http://{rest}").parse().map_err(|e: tokio_tungstenite::tungstenite::http::uri::InvalidUri| {
            LinkError::ControlPlane { url: control_plane.to_owned(), reason: e.to_string() }
        })?;
    if host(&uri).is_empty() {
        return Err(error("it names no host"));
    }
    // What stands behind the host; `Uri::port` is `None` for a port that is none, as for no port at all.
    let place = uri.authority().and_then(|authority| authority.as_str().rsplit('@').next()).unwrap_or_default();
    let behind = place.strip_prefix(uri.host().unwrap_or_default()).unwrap_or_default();
    match behind.strip_prefix(':').map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => Err(error("its port is none; 1 to 65535 are possible")),
        _ => Ok(uri),
    }
}

/// The host without the brackets of an IPv6 address.
fn host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(80)
}

/// Checks that this can be a control plane's address; nobody is asked.
///
/// # Errors
/// [`LinkError::ControlPlane`] with the address and what is wrong with it.
pub fn check_control_plane(url: &str) -> Result<(), LinkError> {
    parse(url).map(drop)
}

/// Whether somebody takes connections at the control plane's address, for a command that has no time to wait for one.
/// Blocks for at most a few seconds.
///
/// # Errors
/// [`LinkError::ControlPlane`] for an address that cannot be used, [`LinkError::ControlPlaneSilent`] for one where the
/// host's name cannot be resolved or nobody listens.
pub fn reach_control_plane(url: &str) -> Result<(), LinkError> {
    let uri = parse(url)?;
    let silent = |reason: String| LinkError::ControlPlaneSilent { url: url.to_owned(), reason };
    let addresses = (host(&uri), port(&uri)).to_socket_addrs().map_err(|e| silent(unresolved(host(&uri), &e)))?;
    let mut reason = format!("{} has no address", host(&uri));
    let until = Instant::now() + CONNECT;
    for address in addresses {
        // A host with many dead addresses must not take that many times as long.
        let left = until.saturating_duration_since(Instant::now()).max(HEAD_START);
        match std::net::TcpStream::connect_timeout(&address, left) {
            Ok(_) => return Ok(()),
            Err(error) => reason = unreached(address, &error),
        }
    }
    Err(silent(reason))
}

fn unresolved(host: &str, error: &std::io::Error) -> String {
    format!("the host {host:?} cannot be resolved ({error})")
}

fn unreached(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("nobody listens on {address}"),
        std::io::ErrorKind::TimedOut => format!("no answer from {address}"),
        _ => format!("{address}: {error}"),
    }
}

/// A connection to the first of the host's addresses that takes one: tried one after the other, IPv6 and IPv4 in turns,
/// without waiting for a dead one (RFC 8305).
pub(crate) async fn connect(uri: &Uri) -> Result<TcpStream, String> {
    let found = tokio::net::lookup_host((host(uri), port(uri))).await.map_err(|e| unresolved(host(uri), &e))?;
    let mut waiting = in_turns(found.collect()).into_iter();
    let mut tried = FuturesUnordered::new();
    let mut reason = format!("{} has no address", host(uri));
    loop {
        if let Some(address) = waiting.next() {
            tried.push(async move { TcpStream::connect(address).await.map_err(|e| unreached(address, &e)) });
        } else if tried.is_empty() {
            return Err(reason);
        }
        tokio::select! {
            Some(outcome) = tried.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err(error) => reason = error,
            },
            () = tokio::time::sleep(HEAD_START), if waiting.len() > 0 => {}
        }
    }
}

/// The addresses of the two kinds in turns, beginning with the first one's kind.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv4() == first_is_v4);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::new();
    loop {
        let before = turns.len();
        turns.extend(first.next());
        turns.extend(second.next());
        if turns.len() == before {
            return turns;
        }
    }
}

/// What is wrong with a STUN or TURN server's address (`turn:HOST:PORT?transport=udp`) as this machine sees it, if
/// anything.
pub async fn ice_server_problem(url: &str) -> Option<String> {
    let rest = url.split_once(':')?.1;
    let place = rest.split('?').next().unwrap_or_default();
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.trim_start_matches(':')))?,
        None => place.rsplit_once(':').unwrap_or((place, "")),
    };
    // 3478 where there is none (RFC 7064, RFC 7065); only the host matters here.
    let found = tokio::net::lookup_host((host, port.parse().unwrap_or(3478))).await;
    let kinds: Vec<bool> = match found {
        Ok(found) => found.map(|address| address.is_ipv4()).collect(),
        Err(error) => return Some(unresolved(host, &error)),
    };
    let own = crate::paths::local_addresses();
    let reachable = |is_v4: &bool| own.iter().any(|ip: &IpAddr| ip.is_ipv4() == *is_v4);
    (!kinds.iter().any(reachable)).then(|| {
        let kind = if kinds.first() == Some(&true) { "IPv4" } else { "IPv6" };
        format!("{host} has {kind} addresses only and this machine none of that kind")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_can_be_a_control_planes_are_taken() {
        for (good, at) in [
            ("http://127.0.0.1:8080", ("127.0.0.1", 8080)),
            ("ws://[::1]:8080/", ("::1", 8080)),
            ("HTTP://localhost", ("localhost", 80)),
            ("http://plane.example:81/fleet/", ("plane.example", 81)),
        ] {
            let uri = parse(good).unwrap();
            assert_eq!((host(&uri), port(&uri)), at, "{good}");
        }
    }

    #[test]
    fn others_are_named_with_what_is_wrong() {
        for (bad, says) in [
            ("", "start with http://"),
            ("127.0.0.1:8080", "start with http://"),
            ("ftp://x", "start with http://"),
            ("https://x", "TLS"),
            ("http://", "start with http://"),
            ("http://:8080", ""),
            ("http://a b", ""),
            ("http://x:99999", "1 to 65535"),
            ("http://x:", "1 to 65535"),
            ("http://[::1]:65536", "1 to 65535"),
            ("http://x@x:70000", "1 to 65535"),
            ("http://x:0", "1 to 65535"),
            ("http://x?y", "?"),
        ] {
            let error = check_control_plane(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")) && error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn where_nobody_answers_is_found_out_at_once() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for (url, says) in [
            (format!("http://127.0.0.1:{port}"), format!("nobody listens on 127.0.0.1:{port}")),
            ("http://no-such-host.invalid:1".to_owned(), "\"no-such-host.invalid\" cannot be resolved".to_owned()),
        ] {
            let error = reach_control_plane(&url).unwrap_err().to_string();
            assert!(error.contains(&url) && error.contains(&says) && error.contains("takeover web"), "{error}");
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        reach_control_plane(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    }

    #[tokio::test]
    async fn a_dead_address_does_not_keep_the_living_one_waiting() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = parse(&format!("http://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
        // Where localhost is ::1 first, nobody listens there.
        assert!(connect(&uri).await.unwrap().peer_addr().unwrap().is_ipv4());
        let [a, b, c]: [SocketAddr; 3] = ["[::1]:1", "[::2]:1", "127.0.0.1:1"].map(|a| a.parse().unwrap());
        assert_eq!(in_turns(vec![a, b, c]), [a, c, b]);
        assert!(in_turns(vec![]).is_empty());
    }

    #[tokio::test]
    async fn servers_that_cannot_be_resolved_are_named() {
        assert_eq!(ice_server_problem("stun:127.0.0.1:3478").await, None);
        assert_eq!(ice_server_problem("turn:127.0.0.1?transport=udp").await, None);
        let problem = ice_server_problem("turn:no-such-host.invalid:3478?transport=udp").await.unwrap();
        assert!(problem.contains("\"no-such-host.invalid\""), "{problem}");
    }
}
