//! Addresses as people write them: `HOST:PORT`, with a name or a number for the host.

use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::AsFd;

/// `HOST:PORT`, resolved when it was read: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `car.example:0`.
///
/// A name may stand for several addresses; a server listens on all of those that this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    /// At least one, in the order that the system prefers.
    resolved: Vec<SocketAddr>,
}

/// Why a text is not an address that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("address {text:?} cannot be used: {reason}")]
pub struct AddressError {
    text: String,
    reason: String,
}

/// Why nobody can listen at an address; each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error(
        "port {} is already in use ({address}): stop the program that listens there or choose another port; 0 takes a \
         free one", address.port()
    )]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The system refuses.
    #[error("cannot listen on {address}: {cause}{}", advice(address, cause))]
    Refused {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

fn advice(address: &SocketAddr, cause: &io::Error) -> &'static str {
    match cause.kind() {
        ErrorKind::PermissionDenied if address.port() < 1024 => "; ports below 1024 need more rights, 8080 does not",
        _ if absent(cause) => "; choose an address of this machine, for example 127.0.0.1:8080",
        // Such as descriptors or memory that ran out: no other address helps.
        _ => "",
    }
}

/// Longest host name (RFC 1035), characters.
const MAX_NAME: usize = 253;
/// Attempts to find a port that is free at each of a name's addresses.
const ATTEMPTS: usize = 16;

impl Address {
    /// The one address for a socket that has only one: IPv4 where a name has both.
    #[must_use]
    pub fn single(&self) -> SocketAddr {
        // Never empty: see `from_str`.
        let v4 = self.resolved.iter().find(|address| address.is_ipv4());
        v4.or(self.resolved.first()).copied().unwrap_or_else(|| SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))
    }

    /// Listens on each address that this machine has, on one port: port 0 takes one that is free everywhere.
    ///
    /// # Errors
    /// [`ListenError`], with the first address that cannot be had.
    pub fn listen(&self) -> Result<Vec<TcpListener>, ListenError> {
        let mut outcome = self.listen_once();
        for _ in 1..ATTEMPTS {
            // A port that is free at the first address need not be so at the others.
            match &outcome {
                Err(ListenError::InUse { .. }) if self.resolved[0].port() == 0 => outcome = self.listen_once(),
                _ => break,
            }
        }
        outcome
    }

    fn listen_once(&self) -> Result<Vec<TcpListener>, ListenError> {
        let (mut listeners, mut port, mut missing) = (Vec::new(), None, None);
        for address in &self.resolved {
            let mut address = *address;
            address.set_port(port.unwrap_or(address.port()));
            match TcpListener::bind(address) {
                Ok(listener) => {
                    port = listener.local_addr().ok().map(|at| at.port());
                    listeners.push(listener);
                }
                // A name such as localhost may have an address of a kind that this machine lacks.
                Err(cause) if absent(&cause) => missing = missing.or(Some(ListenError::Refused { address, cause })),
                Err(cause) if cause.kind() == ErrorKind::AddrInUse => return Err(ListenError::InUse { address }),
                Err(cause) => return Err(ListenError::Refused { address, cause }),
            }
        }
        match missing {
            Some(error) if listeners.is_empty() => Err(error),
            _ => Ok(listeners),
        }
    }
}

/// Sets a TCP connection up for small messages that somebody waits for: each leaves at once, and one that is lost is
/// repeated at an even pace at first (`TCP_THIN_LINEAR_TIMEOUTS` in tcp(7)) rather than after twice the time each time,
/// which adds up to many seconds where a third of the packets is lost.
///
/// # Errors
/// What the system says; the connection can be used all the same.
pub fn hasten_small_messages(connection: &impl AsFd) -> io::Result<()> {
    rustix::net::sockopt::set_tcp_nodelay(connection, true)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_thin_linear_timeouts(connection, true)?;
    Ok(())
}

/// Whether this machine has no such address, or no addresses of this kind at all.
fn absent(cause: &io::Error) -> bool {
    matches!(cause.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported)
        || cause.to_string().contains("Address family not supported")
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = |reason: String| AddressError { text: text.to_owned(), reason };
        let (host, port) = split(text).map_err(error)?;
        let found = (host, port).to_socket_addrs();
        let found =
            found.map_err(|e| error(format!("the host {host:?} cannot be resolved ({e}); is it spelt right?")))?;
        let mut resolved: Vec<SocketAddr> = Vec::new();
        for address in found {
            if !resolved.contains(&address) {
                resolved.push(address);
            }
        }
        match resolved.is_empty() {
            true => Err(error(format!("the host {host:?} has no address"))),
            false => Ok(Self { text: text.to_owned(), resolved }),
        }
    }
}

/// Host, without the brackets of an IPv6 address, and port.
fn split(text: &str) -> Result<(&str, u16), String> {
    if text.contains("://") {
        return Err("give HOST:PORT, not a URL, for example localhost:8080".to_owned());
    }
    if text.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>().is_ok() {
        return Err(format!("write an IPv6 address in brackets and a port, for example [{}]:8080", bare(text)));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("it names no port; for example {text}:8080"));
    };
    let port = port.parse().map_err(|_| format!("{port:?} is not a port; 0 to 65535 are possible"))?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed.unwrap_or(host) {
        "" => Err(format!("it names no host; 0.0.0.0:{port} or [::]:{port} are all addresses of this machine")),
        host if bracketed.is_none() && host.contains(':') => {
            Err(format!("write an IPv6 address in brackets, for example [{host}]:{port}"))
        }
        host if host.len() > MAX_NAME || host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') => {
            Err(format!("{host:?} is not a host"))
        }
        host => Ok((host, port)),
    }
}

fn bare(text: &str) -> &str {
    text.trim_start_matches('[').trim_end_matches(']')
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self { text: address.to_string(), resolved: vec![address] }
    }
}

/// As it was written.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_addresses() {
        let single = |text: &str| text.parse::<Address>().unwrap().single().to_string();
        assert_eq!(single("127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(single("[::1]:0"), "[::1]:0");
        assert_eq!(single("[::]:8080"), "[::]:8080");
        let localhost: Address = "localhost:7".parse().unwrap();
        assert!(localhost.resolved.iter().all(|a| a.ip().is_loopback() && a.port() == 7), "{localhost:?}");
        assert_eq!(localhost.to_string(), "localhost:7");
    }

    #[test]
    fn what_is_no_address_is_named_with_what_to_write() {
        for (text, says) in [
            ("localhost", "localhost:8080"),
            ("127.0.0.1", "127.0.0.1:8080"),
            ("::1", "[::1]:8080"),
            ("[::1]", "[::1]:8080"),
            ("fe80::1:eth0:80", "[fe80::1:eth0]:80"),
            ("::1:8080", "brackets"),
            (":8080", "[::]:8080"),
            ("localhost:99999", "\"99999\""),
            ("localhost:-1", "\"-1\""),
            ("localhost:", "not a port"),
            ("", "no port"),
            ("a b:80", "\"a b\""),
            ("http://localhost:80", "not a URL"),
            ("no-such-host.invalid:80", "\"no-such-host.invalid\" cannot be resolved"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_listens_on_one_port_at_each_of_its_addresses() {
        let v4: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let v6: SocketAddr = "[::1]:0".parse().unwrap();
        let elsewhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
        let both = Address { text: "both:0".into(), resolved: vec![v4, elsewhere, v6] };
        let listeners = both.listen().unwrap();
        let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert!(ports[0] > 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
        let taken = Address::from(listeners[0].local_addr().unwrap()).listen().unwrap_err().to_string();
        assert!(
            taken.contains(&format!("port {} is already in use", ports[0])) && taken.contains("0 takes"),
            "{taken}"
        );
        let none = Address::from(elsewhere).listen().unwrap_err().to_string();
        assert!(none.contains("192.0.2.1") && none.contains("address of this machine"), "{none}");
    }

    #[test]
    fn another_address_is_advised_only_where_it_helps() {
        let says = |port: u16, cause: io::Error| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            ListenError::Refused { address, cause }.to_string()
        };
        // EMFILE, EACCES, EAFNOSUPPORT of Linux.
        let [full, denied, family] = [24, 13, 97].map(io::Error::from_raw_os_error);
        assert_eq!(says(8080, full), "cannot listen on 127.0.0.1:8080: Too many open files (os error 24)");
        assert!(says(80, denied).ends_with("8080 does not"));
        assert!(says(8080, family).contains("address of this machine"));
    }
}
