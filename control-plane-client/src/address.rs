//! The control plane's address as people give it.

use crate::ClientError;
use crate::tls::Tls;
use rustls::ClientConfig;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::Uri;

/// How long [`ControlPlaneAddress::reach`] waits for a connection: it is for commands that are given once.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);
/// Least that each address of a host gets of it; RFC 8305, section 8, gives as much before the next is tried.
const LEAST_TIMEOUT: Duration = Duration::from_millis(250);

/// `http://HOST:PORT` or `https://HOST:PORT` of a control plane, with the authority that vouches for the latter.
///
/// `ws://` and `wss://` are taken for the same. A path may follow, where a proxy serves the control plane below one.
/// Holding one means that it can be used; it does not mean that anybody answers there.
#[derive(Clone)]
pub struct ControlPlaneAddress {
    text: String,
    uri: Uri,
    tls: Option<Arc<Tls>>,
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlPlaneAddressError {
    /// It is not an address of a control plane.
    #[error(
        "control plane address {address:?} cannot be used: {reason} (expected something like http://127.0.0.1:8080)"
    )]
    Form {
        /// As given.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The file with the authority's certificates.
    #[error("cannot use the authority's certificates in {}: {reason} (--control-plane-ca)", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The system trusts no authority.
    #[error(
        "the certificate of {address} cannot be checked: {reason}; name a file with the authority's certificates with \
         --control-plane-ca (TAKEOVER_CONTROL_PLANE_CA)"
    )]
    NoAuthority {
        /// As given.
        address: String,
        /// What is missing.
        reason: String,
    },
}

impl ControlPlaneAddress {
    /// Reads an address. The certificates that an `https://` server is checked by come from the file `authority` (PEM,
    /// one or several), or else from this machine's system; for `http://` there is nothing to check.
    ///
    /// # Errors
    /// [`ControlPlaneAddressError`] with the address or the file and what is wrong with it.
    pub fn new(address: &str, authority: Option<&Path>) -> Result<Self, ControlPlaneAddressError> {
        let (uri, is_tls) =
            parse(address).map_err(|reason| ControlPlaneAddressError::Form { address: address.to_owned(), reason })?;
        let tls = match (is_tls, authority) {
            (false, _) => None,
            (true, Some(path)) => {
                let failed = |reason| ControlPlaneAddressError::Authority { path: path.to_owned(), reason };
                Some(Tls::of_file(path).map_err(failed)?)
            }
            (true, None) => {
                let failed = |reason| ControlPlaneAddressError::NoAuthority { address: address.to_owned(), reason };
                Some(Tls::of_system().map_err(failed)?)
            }
        };
        Ok(Self { text: address.to_owned(), uri, tls: tls.map(Arc::new) })
    }

    /// The host, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        bare(&self.uri)
    }

    /// The port: 80 or 443 where none is named.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 })
    }

    /// How connections are secured; `None` for `http://`.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.config))
    }

    pub(crate) fn authorities(&self) -> ureq::tls::RootCerts {
        self.tls.as_ref().map_or_else(|| ureq::tls::RootCerts::new_with_certs(&[]), |tls| tls.authorities())
    }

    /// The address of a route, such as `/api/v1/vehicles`.
    #[must_use]
    pub fn url(&self, route: &str) -> String {
        self.with_scheme(if self.tls.is_some() { "https" } else { "http" }, route)
    }

    /// The address of a route that is a WebSocket.
    #[must_use]
    pub fn web_socket_url(&self, route: &str) -> String {
        self.with_scheme(if self.tls.is_some() { "wss" } else { "ws" }, route)
    }

    fn with_scheme(&self, scheme: &str, route: &str) -> String {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{}{route}", self.uri.path().trim_end_matches('/'))
    }

    /// Checks that somebody takes connections there, for a command that has no time to wait for one. Blocks for a few
    /// seconds at most. Where a proxy of the environment is asked instead, only the proxy knows.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when the host's name cannot be resolved or nobody listens.
    pub fn reach(&self) -> Result<(), ClientError> {
        if ureq::Proxy::try_from_env().is_some_and(|proxy| !proxy.is_no_proxy(&self.uri)) {
            return Ok(());
        }
        let silent = |reason| ClientError::Unreachable { address: self.text.clone(), reason };
        let addresses = (self.host(), self.port()).to_socket_addrs().map_err(|e| silent(self.unresolved(&e)))?;
        let mut reason = format!("{} has no address", self.host());
        let until = Instant::now() + REACH_TIMEOUT;
        for address in addresses {
            // A host with many dead addresses must not take that many times as long.
            let left = until.saturating_duration_since(Instant::now()).max(LEAST_TIMEOUT);
            match TcpStream::connect_timeout(&address, left) {
                Ok(_) => return Ok(()),
                Err(error) => reason = unreached(address, &error),
            }
        }
        Err(silent(reason))
    }

    fn unresolved(&self, error: &std::io::Error) -> String {
        format!("the host {:?} cannot be resolved ({error})", self.host())
    }
}

impl std::str::FromStr for ControlPlaneAddress {
    type Err = ControlPlaneAddressError;

    /// As [`ControlPlaneAddress::new`], with the authorities that the system trusts.
    fn from_str(text: &str) -> Result<Self, ControlPlaneAddressError> {
        Self::new(text, None)
    }
}

/// As it was given.
impl std::fmt::Display for ControlPlaneAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::fmt::Debug for ControlPlaneAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ControlPlaneAddress").field(&self.text).finish()
    }
}

fn unreached(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("nobody listens on {address}"),
        std::io::ErrorKind::TimedOut => format!("no answer from {address}"),
        _ => format!("{address}: {error}"),
    }
}

/// The URI, with `http` for its scheme, and whether it is of a server with TLS.
fn parse(address: &str) -> Result<(Uri, bool), String> {
    let base = address.trim_end_matches('/');
    let (scheme, rest) = base.split_once("://").ok_or("it must start with http:// or https://")?;
    let is_tls = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => false,
        "https" | "wss" => true,
        _ => return Err("it must start with http:// or https://".to_owned()),
    };
    if rest.is_empty() {
        return Err("it names no host".to_owned());
    }
    if rest.contains(['?', '#']) {
        return Err("it must be without ? and #".to_owned());
    }
    let uri: Uri = format!("http://{rest}").parse().map_err(|e: ureq::http::uri::InvalidUri| e.to_string())?;
    if bare(&uri).is_empty() {
        return Err("it names no host".to_owned());
    }
    // What stands behind the host; `Uri::port` is `None` for a port that is none, as for no port at all.
    let place = uri.authority().and_then(|authority| authority.as_str().rsplit('@').next()).unwrap_or_default();
    let behind = place.strip_prefix(uri.host().unwrap_or_default()).unwrap_or_default();
    match behind.strip_prefix(':').map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => Err("its port is none; 1 to 65535 are possible".to_owned()),
        _ => Ok((uri, is_tls)),
    }
}

/// The host without the brackets of an IPv6 address.
fn bare(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let pem = rcgen::generate_simple_self_signed(["plane.example".to_owned()]).unwrap().cert.pem();
        std::fs::write(file.path(), pem).unwrap();
        file
    }

    #[test]
    fn addresses_that_can_be_a_control_planes_are_taken() {
        let file = authority();
        for (good, at, url) in [
            ("http://127.0.0.1:8080", ("127.0.0.1", 8080), "http://127.0.0.1:8080/api"),
            ("ws://[::1]:8080/", ("::1", 8080), "http://[::1]:8080/api"),
            ("HTTP://localhost", ("localhost", 80), "http://localhost/api"),
            ("http://plane.example:81/fleet/", ("plane.example", 81), "http://plane.example:81/fleet/api"),
            ("https://plane.example", ("plane.example", 443), "https://plane.example/api"),
            ("wss://[::1]:8443/fleet", ("::1", 8443), "https://[::1]:8443/fleet/api"),
        ] {
            let address = ControlPlaneAddress::new(good, Some(file.path())).unwrap();
            assert_eq!((address.host(), address.port()), at, "{good}");
            assert_eq!(address.url("/api"), url);
            assert_eq!(address.web_socket_url("/api"), url.replacen("http", "ws", 1));
            assert_eq!((address.to_string().as_str(), address.tls().is_some()), (good, url.starts_with("https")));
        }
    }

    #[test]
    fn others_are_named_with_what_is_wrong() {
        for (bad, says) in [
            ("", "start with http://"),
            ("127.0.0.1:8080", "start with http://"),
            ("ftp://x", "start with http://"),
            ("http://", "start with http://"),
            ("http://:8080", ""),
            ("http://a b", ""),
            ("http://x:99999", "1 to 65535"),
            ("https://x:", "1 to 65535"),
            ("http://[::1]:65536", "1 to 65535"),
            ("http://x@x:70000", "1 to 65535"),
            ("https://x:0", "1 to 65535"),
            ("http://x?y", "?"),
        ] {
            let error = ControlPlaneAddress::new(bad, None).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")) && error.contains(says), "{bad}: {error}");
        }
    }

    #[test]
    fn a_file_that_names_no_authority_is_named() {
        let file = authority();
        let path = file.path().display().to_string();
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for content in ["", "nonsense", &key, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(file.path(), content).unwrap();
            let error = ControlPlaneAddress::new("https://x", Some(file.path())).unwrap_err().to_string();
            assert!(error.contains(&path) && error.contains("--control-plane-ca"), "{content}: {error}");
            ControlPlaneAddress::new("http://x", Some(file.path())).unwrap();
        }
        let missing = Path::new("/no/such/authority.pem");
        let error = ControlPlaneAddress::new("https://x", Some(missing)).unwrap_err().to_string();
        assert!(error.contains("/no/such/authority.pem"), "{error}");
    }

    #[test]
    fn where_nobody_answers_is_found_out_at_once() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for (url, says) in [
            (format!("http://127.0.0.1:{port}"), format!("nobody listens on 127.0.0.1:{port}")),
            ("http://no-such-host.invalid:1".to_owned(), "\"no-such-host.invalid\" cannot be resolved".to_owned()),
        ] {
            let error = url.parse::<ControlPlaneAddress>().unwrap().reach().unwrap_err().to_string();
            assert!(error.contains(&url) && error.contains(&says) && error.contains("takeover web"), "{error}");
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        address.parse::<ControlPlaneAddress>().unwrap().reach().unwrap();
    }
}
