//! What a peer connection is made with besides our own settings: servers to find a path with, and who we are.

use crate::Identity;
use protocol::Failure;
use protocol::signalling::{IceServer, description_matches};
use rtc::peer_connection::configuration::{RTCConfiguration, RTCConfigurationBuilder};
use rtc::peer_connection::transport::RTCIceServer;

/// What the control plane's welcome and this end's identity add to a peer connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerConfig {
    pub(crate) ice_servers: Vec<IceServer>,
    pub(crate) identity: Option<Identity>,
}

impl PeerConfig {
    /// The library's form. It knows TURN over UDP only, so other TURN servers are left out.
    pub(crate) fn configuration(&self) -> RTCConfiguration {
        let servers = self.ice_servers.iter().filter_map(usable).collect();
        let builder = RTCConfigurationBuilder::new().with_ice_servers(servers);
        match &self.identity {
            Some(identity) => builder.with_certificates(vec![identity.certificate()]).build(),
            None => builder.build(),
        }
    }
}

fn usable(server: &IceServer) -> Option<RTCIceServer> {
    let by_udp =
        |url: &&String| !url.starts_with("turns:") && !url.starts_with("stuns:") && !url.contains("transport=tcp");
    let urls: Vec<String> = server.urls.iter().filter(by_udp).cloned().collect();
    (!urls.is_empty()).then(|| RTCIceServer {
        urls,
        username: server.username.clone().unwrap_or_default(),
        credential: server.credential.clone().unwrap_or_default(),
    })
}

/// Whether a session description is of whom the control plane vouches for; a control plane that vouches for nobody
/// leaves it at what signalling says.
pub(crate) fn check_vouched(sdp: &str, vouched: Option<&str>) -> Result<(), Failure> {
    match vouched {
        Some(fingerprint) if !description_matches(sdp, fingerprint) => Err(Failure::DtlsFingerprintMismatch),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_the_library_cannot_use_are_left_out() {
        let server =
            |urls: &[&str]| IceServer { urls: urls.iter().map(|u| (*u).to_owned()).collect(), ..Default::default() };
        assert!(usable(&server(&["turns:a:5349", "turn:a:3478?transport=tcp"])).is_none());
        let mixed = usable(&server(&["turn:a:3478?transport=udp", "turns:a:5349", "stun:a:3478"])).unwrap();
        assert_eq!(mixed.urls, ["turn:a:3478?transport=udp", "stun:a:3478"]);
    }

    #[test]
    fn a_description_of_somebody_else_is_refused() {
        assert_eq!(check_vouched("v=0", None), Ok(()));
        assert_eq!(check_vouched("v=0", Some(&"AB".repeat(32))), Err(Failure::DtlsFingerprintMismatch));
    }
}
