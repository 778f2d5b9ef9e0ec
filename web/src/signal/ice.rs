//! STUN and TURN servers for the peers, with short-lived TURN credentials.

use super::Party;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use protocol::signalling::{IceServer, Signal};
use sha1::Sha1;
use std::net::Ipv6Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long TURN credentials are good for. Peers that stay are given new ones after half of it.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// How a TURN server knows the peers that may use it.
#[derive(Clone, PartialEq, Eq)]
pub enum TurnAccess {
    /// The server's shared secret: each peer gets a user name with an expiry and the password that belongs to it, as in
    /// draft-uberti-behave-turn-rest-00 (coturn: `use-auth-secret`).
    Secret(String),
    /// One user for all.
    User {
        /// Name.
        name: String,
        /// Password.
        password: String,
    },
}

/// Never a secret in a log.
impl std::fmt::Debug for TurnAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TurnAccess(..)")
    }
}

/// What peers are told to gather their candidates with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IceConfig {
    stun: Vec<String>,
    turn: Vec<String>,
    access: Option<TurnAccess>,
}

impl IceConfig {
    /// Servers by their URLs (`stun:HOST:PORT`, `turn:HOST:PORT?transport=udp`, `turns:HOST:PORT`) and how TURN is used.
    ///
    /// # Errors
    /// A sentence that names the URL or what is missing.
    pub fn new(urls: &[String], access: Option<TurnAccess>) -> Result<Self, String> {
        let mut config = Self { access, ..Self::default() };
        for url in urls {
            let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
            match scheme {
                "stun" | "stuns" | "turn" | "turns" => {
                    check_place(rest).map_err(|why| format!("ICE server {url:?}: {why}"))?;
                }
                _ => {}
            }
            match scheme {
                "stun" | "stuns" => config.stun.push(url.clone()),
                "turn" | "turns" => config.turn.push(url.clone()),
                _ => return Err(format!("ICE server {url:?}: it must begin with stun:, turn: or turns:")),
            }
        }
        match (config.turn.is_empty(), config.access.is_some()) {
            (false, false) => Err("a TURN server needs --turn-secret, or --turn-user and --turn-password".to_owned()),
            (true, true) => Err("TURN credentials without a TURN server: add --ice-server turn:HOST:PORT".to_owned()),
            _ => Ok(config),
        }
    }

    /// After how long a peer that stays needs a new welcome.
    pub(super) fn renew_after() -> Duration {
        LIFETIME / 2
    }

    /// The message for `party`, now.
    pub(super) fn welcome(&self, party: &Party, grant_key: Option<String>) -> Signal {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Signal::Welcome { ice_servers: self.servers(party, (now + LIFETIME).as_secs()), grant_key }
    }

    fn servers(&self, party: &Party, expiry: u64) -> Vec<IceServer> {
        let mut servers = Vec::new();
        if !self.stun.is_empty() {
            servers.push(IceServer { urls: self.stun.clone(), ..IceServer::default() });
        }
        let credentials = match &self.access {
            Some(TurnAccess::Secret(secret)) => {
                let username = format!("{expiry}:{}", party.name());
                password(secret, &username).map(|credential| (username, credential))
            }
            Some(TurnAccess::User { name, password }) => Some((name.clone(), password.clone())),
            None => None,
        };
        if let Some((username, credential)) = credentials.filter(|_| !self.turn.is_empty()) {
            let urls = self.turn.clone();
            servers.push(IceServer { urls, username: Some(username), credential: Some(credential) });
        }
        servers
    }
}

/// Checks `HOST:PORT?transport=udp` of a server's URL (RFC 7064, RFC 7065); the port may be missing.
fn check_place(rest: &str) -> Result<(), String> {
    let place = rest.split('?').next().unwrap_or_default();
    if place.is_empty() || place.contains('/') || rest.chars().any(char::is_whitespace) {
        return Err("write stun:HOST:PORT or turn:HOST:PORT?transport=udp".to_owned());
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => (host, port.strip_prefix(':').or(Some(port))),
            _ => {
                return Err(
                    "what is in brackets is not an IPv6 address; for example stun:[2001:db8::1]:3478".to_owned()
                );
            }
        },
        None if place.matches(':').count() > 1 => {
            return Err(format!("write an IPv6 address in brackets, for example [{place}]:3478"));
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    match port.filter(|port| !port.is_empty()).map(str::parse::<u16>) {
        _ if host.is_empty() => Err("it names no host".to_owned()),
        Some(Err(_) | Ok(0)) => Err(format!("{:?} is not a port; 1 to 65535 are possible", port.unwrap_or_default())),
        _ => Ok(()),
    }
}

/// `base64(HMAC-SHA1(secret, username))`.
fn password(secret: &str, username: &str) -> Option<String> {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(username.as_bytes());
    Some(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::SeatId;

    #[test]
    fn hmac_sha1_agrees_with_rfc_2202() {
        // Case 2: the digest effcdf6a e5eb2fa2 d27416d5 f184df9c 259a7c79.
        assert_eq!(password("Jefe", "what do ya want for nothing?").unwrap(), "7/zfauXrL6LSdBbV8YTfnCWafHk=");
    }

    #[test]
    fn each_peer_gets_a_name_of_its_own_with_an_expiry() {
        let urls = ["stun:a:3478".to_owned(), "turn:b:3478?transport=udp".to_owned()];
        let config = IceConfig::new(&urls, Some(TurnAccess::Secret("s".into()))).unwrap();
        let servers = config.servers(&Party::Seat(SeatId::new("marta").unwrap()), 1000);
        assert_eq!((servers[0].urls[0].as_str(), &servers[0].username), ("stun:a:3478", &None));
        assert_eq!(servers[1].username.as_deref(), Some("1000:marta"));
        assert_eq!(servers[1].credential, password("s", "1000:marta"));
        assert!(!format!("{config:?}").contains("\"s\""), "a secret never reaches a log");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let secret = || Some(TurnAccess::Secret("s".into()));
        for (url, access) in
            [("http://x", None), ("turn:", secret()), ("x", None), ("stun:a b", None), ("turn:x", None)]
        {
            assert!(IceConfig::new(&[url.to_owned()], access).is_err(), "{url}");
        }
        for (url, says) in [
            ("stun:::1:3478", "brackets"),
            ("stun:[::1:3478", "in brackets"),
            ("stun:[host]:1", "in brackets"),
            ("stun:a:port", "\"port\""),
            ("stun:a:70000", "\"70000\""),
            ("stun::3478", "no host"),
        ] {
            let error = IceConfig::new(&[url.to_owned()], None).unwrap_err();
            assert!(error.contains(url) && error.contains(says), "{error}");
        }
        for good in ["stun:[::1]:3478", "stun:[2001:db8::1]", "stun:localhost", "stun:a.example:3478"] {
            assert!(IceConfig::new(&[good.to_owned()], None).is_ok(), "{good}");
        }
        assert!(IceConfig::new(&["stun:a".to_owned()], secret()).unwrap_err().contains("--ice-server"));
        assert_eq!(IceConfig::new(&[], None), Ok(IceConfig::default()));
    }
}
