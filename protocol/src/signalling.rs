//! The JSON that vehicle, seat and control plane exchange over the signalling WebSocket (`/api/v1/signal`).
//!
//! A peer connects with `?vehicle=ID` or `?seat=ID` and is welcomed with the ICE servers to use. A seat asks for a
//! vehicle; the vehicle makes the offer (it opens the video and its own data channels), the seat answers. Each call is
//! one `session`.
//!
//! # Who is who
//!
//! A peer adds `&fingerprint=AA:BB:..`, the SHA-256 of the DTLS certificate it will use. The control plane writes it as
//! `vouched` into each call, offer and answer of this peer, whatever the peer itself wrote there, and the other side
//! compares it with the session description: who cannot forge signalling cannot get in between. With `&pin=true` the
//! first fingerprint is kept for good, and the name is refused to any other certificate.

use crate::{Failure, SeatId, SeatKind, VehicleId};
use serde::{Deserialize, Serialize};

/// One signalling message. The control plane forwards it to the other side of `session`; it changes nothing but
/// `vouched`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Signal {
    /// Control plane to a peer, right after it connected and again before credentials run out.
    Welcome {
        /// What to gather candidates with.
        #[serde(default)]
        ice_servers: Vec<IceServer>,
        /// Public key, in hexadecimal, of the control plane's [grants](crate::grant); absent when it issues none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant_key: Option<String>,
    },
    /// Seat to control plane to vehicle: start a session.
    Call {
        /// Chosen by the seat, unique.
        session: String,
        /// Who calls.
        seat: SeatId,
        /// Who sits there; the control plane writes it into the session's grants.
        #[serde(default, skip_serializing_if = "SeatKind::is_human")]
        seat_kind: SeatKind,
        /// Who is called.
        vehicle: VehicleId,
        /// Wants picture and state only; commands of such a session are refused.
        #[serde(default)]
        watch_only: bool,
        /// What the seat understands beyond plain WebRTC; unknown names mean nothing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        features: Vec<String>,
        /// The call is for one more path of a session that there is, and `session` is this path's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<SessionPath>,
        /// Fingerprint of the seat's certificate as the control plane knows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vouched: Option<String>,
    },
    /// Vehicle to seat.
    Offer {
        /// Which session.
        session: String,
        /// Session description.
        sdp: String,
        /// What the vehicle understands beyond plain WebRTC; unknown names mean nothing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        features: Vec<String>,
        /// How many paths the vehicle wants; absent for one that knows nothing of additional paths.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paths: Option<usize>,
        /// For the control plane: what the grant ahead of the seat's answer must repeat ([`crate::grant`]). It is no
        /// secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        challenge: Option<String>,
        /// Fingerprint of the vehicle's certificate as the control plane knows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vouched: Option<String>,
    },
    /// Seat to vehicle.
    Answer {
        /// Which session.
        session: String,
        /// Session description.
        sdp: String,
        /// Fingerprint of the seat's certificate as the control plane knows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vouched: Option<String>,
    },
    /// Control plane to vehicle: a session's seat may take part, for as long as the grant says. Comes before the seat's
    /// answer, and again when the vehicle asked for it.
    Grant {
        /// Which session.
        session: String,
        /// See [`crate::grant`].
        grant: String,
    },
    /// Vehicle to control plane: the session goes on and its grant runs out.
    Renew {
        /// Which session.
        session: String,
        /// The last grant.
        grant: String,
        /// What the new one must repeat; a vehicle of an earlier release names none.
        #[serde(default)]
        challenge: String,
    },
    /// Either way, as candidates are found.
    Candidate {
        /// Which session.
        session: String,
        /// `candidate:...` as in the browser's `RTCIceCandidate.candidate`; empty for the end.
        candidate: String,
        /// Media section it belongs to.
        #[serde(default)]
        sdp_mid: Option<String>,
        /// Index of the media section.
        #[serde(default)]
        sdp_mline_index: Option<u16>,
    },
    /// Seat to vehicle: the path has gone silent; make another offer with new candidates, or say goodbye when the session
    /// is not known any more.
    Restart {
        /// Which session.
        session: String,
    },
    /// Either way: the session is over.
    Bye {
        /// Which session.
        session: String,
        /// For the person.
        reason: String,
        /// For programs, and for advice to the person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Failure>,
    },
    /// Control plane to a peer: what it asked for cannot be done.
    Error {
        /// Which session, when it belongs to one.
        #[serde(default)]
        session: Option<String>,
        /// For the person; says what to do next.
        message: String,
        /// For programs, and for advice to the person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Failure>,
    },
}

/// Which additional path of which session a seat calls for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPath {
    /// The session that it carries, too.
    pub session: String,
    /// Its number among the session's paths, from 0.
    pub index: usize,
}

/// A STUN or TURN server, named as in the browser's `RTCIceServer`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:HOST:PORT`, `turn:HOST:PORT?transport=udp` and the like.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl Signal {
    /// The session it belongs to.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Call { session, .. }
            | Self::Offer { session, .. }
            | Self::Answer { session, .. }
            | Self::Candidate { session, .. }
            | Self::Restart { session }
            | Self::Grant { session, .. }
            | Self::Renew { session, .. }
            | Self::Bye { session, .. } => Some(session),
            Self::Error { session, .. } => session.as_deref(),
            Self::Welcome { .. } => None,
        }
    }

    /// Where a message names the certificate of who sends it.
    #[must_use]
    pub fn vouched_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            Self::Call { vouched, .. } | Self::Offer { vouched, .. } | Self::Answer { vouched, .. } => Some(vouched),
            _ => None,
        }
    }
}

/// The SHA-256 fingerprint in its one spelling (upper case, a colon between bytes); `None` when `text` is none.
#[must_use]
pub fn normal_fingerprint(text: &str) -> Option<String> {
    let hex: String = text.chars().filter(|c| *c != ':').collect::<String>().to_ascii_uppercase();
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let pairs: Vec<&str> = (0..32).filter_map(|i| hex.get(2 * i..2 * i + 2)).collect();
    Some(pairs.join(":"))
}

/// Whether every certificate that a session description announces is the one vouched for: it names at least one
/// SHA-256 fingerprint, and no other than this.
#[must_use]
pub fn description_matches(sdp: &str, vouched: &str) -> bool {
    let Some(wanted) = normal_fingerprint(vouched) else { return false };
    let mut told = 0;
    for line in sdp.lines() {
        let Some(fingerprint) = line.trim().strip_prefix("a=fingerprint:") else { continue };
        let matches = fingerprint
            .split_once(' ')
            .filter(|(algorithm, _)| algorithm.eq_ignore_ascii_case("sha-256"))
            .and_then(|(_, value)| normal_fingerprint(value.trim()))
            .is_some_and(|value| value == wanted);
        if !matches {
            return false;
        }
        told += 1;
    }
    told > 0
}

/// All certificates that a session description announces, each once and in order, as `algorithm FINGERPRINT`; `None`
/// when it announces none or something unreadable.
#[must_use]
pub fn announced_fingerprints(sdp: &str) -> Option<Vec<String>> {
    let mut announced = Vec::new();
    for line in sdp.lines() {
        let Some(fingerprint) = line.trim().strip_prefix("a=fingerprint:") else { continue };
        let (algorithm, value) = fingerprint.split_once(' ')?;
        let value = value.trim();
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
            return None;
        }
        announced.push(format!("{} {}", algorithm.to_ascii_lowercase(), value.to_ascii_uppercase()));
    }
    announced.sort_unstable();
    announced.dedup();
    (!announced.is_empty()).then_some(announced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(byte: u8) -> String {
        vec![format!("{byte:02X}"); 32].join(":")
    }

    #[test]
    fn messages_of_the_first_release_are_read_and_new_fields_stay_out_of_the_way() {
        let old = r#"{"type":"offer","session":"x","sdp":"v=0"}"#;
        let offer: Signal = serde_json::from_str(old).unwrap();
        assert_eq!(serde_json::to_string(&offer).unwrap(), old);
        let old = r#"{"type":"call","session":"x","seat":"desk","vehicle":"car","watch_only":false}"#;
        let call: Signal = serde_json::from_str(old).unwrap();
        assert!(matches!(call, Signal::Call { seat_kind: SeatKind::Human, path: None, .. }));
        assert_eq!(serde_json::to_string(&call).unwrap(), old);
        let bye: Signal =
            serde_json::from_str(r#"{"type":"bye","session":"x","reason":"r","code":"next_year"}"#).unwrap();
        assert_eq!(bye, Signal::Bye { session: "x".into(), reason: "r".into(), code: Some(Failure::Unknown) });
    }

    #[test]
    fn a_description_must_name_the_vouched_certificate_and_no_other() {
        let line = |byte| format!("a=fingerprint:sha-256 {}\r\n", fingerprint(byte));
        let sdp = |lines: &[String]| format!("v=0\r\n{}m=video 9 UDP/TLS/RTP/SAVPF 102\r\n", lines.concat());
        assert!(description_matches(&sdp(&[line(7)]), &fingerprint(7).to_lowercase()));
        assert!(description_matches(&sdp(&[line(7), line(7)]), &fingerprint(7)));
        assert!(!description_matches(&sdp(&[line(7)]), &fingerprint(8)));
        assert!(!description_matches(&sdp(&[line(7), line(8)]), &fingerprint(7)), "one section is somebody else's");
        assert!(!description_matches(&sdp(&[]), &fingerprint(7)), "it names none");
        let weak = sdp(&["a=fingerprint:sha-1 AA:BB\r\n".to_owned(), line(7)]);
        assert!(!description_matches(&weak, &fingerprint(7)));
        assert!(!description_matches(&sdp(&[line(7)]), "nonsense"));
    }

    #[test]
    fn fingerprints_have_one_spelling() {
        assert_eq!(normal_fingerprint(&"ab".repeat(32)), Some(fingerprint(0xAB)));
        for bad in ["", "AB", &"zz".repeat(32), &"ab".repeat(33)] {
            assert_eq!(normal_fingerprint(bad), None);
        }
    }
}
