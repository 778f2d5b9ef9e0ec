//! How the control plane and the servers that it names are reached.

use control_plane_client::ControlPlaneAddress;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long one address of a host gets before the next is tried beside it (RFC 8305, section 8).
const HEAD_START: Duration = Duration::from_millis(250);
/// After which an address that has not answered is tried once more beside that attempt.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// Attempts at once.
const MOST_ATTEMPTS: usize = 8;

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
/// without waiting for a dead one (RFC 8305), and then again beside the attempts that are not answered: the system
/// repeats a lost packet of one only after a second, three and seven (RFC 6298).
pub(crate) async fn connect(control_plane: &ControlPlaneAddress) -> Result<TcpStream, String> {
    let (host, port) = (control_plane.host(), control_plane.port());
    let found = tokio::net::lookup_host((host, port)).await.map_err(|e| unresolved(host, &e))?;
    let mut addresses = VecDeque::from(in_turns(found.collect()));
    let (mut untried, mut is_turn) = (addresses.len(), true);
    let mut tried = FuturesUnordered::new();
    let mut reason = format!("{host} has no address");
    loop {
        if let Some(address) = addresses.pop_front_if(|_| is_turn && tried.len() < MOST_ATTEMPTS) {
            addresses.push_back(address);
            untried = untried.saturating_sub(1);
            tried.push(async move { TcpStream::connect(address).await.map_err(|e| (address, unreached(address, &e))) });
        } else if tried.is_empty() {
            return Err(reason);
        }
        let pause = if untried > 0 { HEAD_START } else { AGAIN_AFTER };
        tokio::select! {
            Some(outcome) = tried.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err((address, error)) => {
                    // Whoever refuses now does so again.
                    addresses.retain(|other| *other != address);
                    reason = error;
                    is_turn = untried > 0 || tried.is_empty();
                }
            },
            () = tokio::time::sleep(pause) => is_turn = true,
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
    let found: Vec<IpAddr> = match found {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => return Some(unresolved(host, &error)),
    };
    lacks_kind(host, &found, &crate::paths::local_addresses())
}

/// What is wrong where a machine with the addresses `own` has none of a kind that the server has.
fn lacks_kind(host: &str, found: &[IpAddr], own: &BTreeSet<IpAddr>) -> Option<String> {
    // Loopback reaches nobody but this machine itself.
    let leads =
        |from: &IpAddr, to: &IpAddr| from.is_ipv4() == to.is_ipv4() && (to.is_loopback() || !from.is_loopback());
    if found.iter().any(|to| own.iter().any(|from| leads(from, to))) {
        return None;
    }
    let kind = if found.first().is_some_and(IpAddr::is_ipv4) { "IPv4" } else { "IPv6" };
    Some(format!("{host} has {kind} addresses only and this machine none of that kind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_address_does_not_keep_the_living_one_waiting() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
        // Where localhost is ::1 first, nobody listens there.
        assert!(connect(&address).await.unwrap().peer_addr().unwrap().is_ipv4());
        let [a, b, c]: [SocketAddr; 3] = ["[::1]:1", "[::2]:1", "127.0.0.1:1"].map(|a| a.parse().unwrap());
        assert_eq!(in_turns(vec![a, b, c]), [a, c, b]);
        assert!(in_turns(vec![]).is_empty());
    }

    #[test]
    fn loopback_leads_to_no_server_elsewhere() {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let problem = |server: &[&str], own: &[&str]| {
            lacks_kind("turn.example", &ips(server), &ips(own).into_iter().collect::<BTreeSet<_>>())
        };
        let v6_only = ["127.0.0.1", "::1", "2001:db8::1"];
        let said = problem(&["192.0.2.7"], &v6_only).unwrap();
        assert!(said.contains("turn.example has IPv4 addresses only"), "{said}");
        assert!(problem(&["2001:db8::7"], &["127.0.0.1", "::1", "192.0.2.1"]).unwrap().contains("IPv6"));
        assert_eq!(problem(&["192.0.2.7", "2001:db8::7"], &v6_only), None);
        assert_eq!(problem(&["127.0.0.1"], &v6_only), None, "a server on this machine");
    }

    #[tokio::test]
    async fn servers_that_cannot_be_resolved_are_named() {
        assert_eq!(ice_server_problem("stun:127.0.0.1:3478").await, None);
        assert_eq!(ice_server_problem("turn:127.0.0.1?transport=udp").await, None);
        let problem = ice_server_problem("turn:no-such-host.invalid:3478?transport=udp").await.unwrap();
        assert!(problem.contains("\"no-such-host.invalid\""), "{problem}");
    }
}
