//! How fast episodes may go out while somebody sits in a seat: a seat's pictures and commands come first.
//!
//! Without a session uploads go as fast as `--upload-kbps` allows, by default as fast as they can. While there is one,
//! they take at most a small share (`--upload-share`, 10 %) of what the congestion controller thinks the narrowest path
//! carries, and never more than what that path carries beyond what the session sends: when video needs all of it, uploads
//! pause. A control plane on the vehicle's own machine, as in the demo, is not reached over that path. The sum of payload bytes is what counts; headers are allowed for.

use control_plane_client::ControlPlaneAddress;
use link::PathLoad;
use std::net::IpAddr;

/// Share of what is sent that is headers of TCP, IP and HTTP.
const HEADERS: f64 = 0.06;
/// For a session of which no estimate is known (it just began, or its seat tells nothing), bits per second.
const UNKNOWN_BPS: f64 = 64_000.0;

/// What the vehicle's operator allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// Never more than this, bits per second; `None` for no limit of its own.
    pub most_bps: Option<f64>,
    /// While there is a session, at most this share of its path, 0 to 1.
    pub share: f64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { most_bps: None, share: 0.1 }
    }
}

impl Allowance {
    /// Payload that may go out now, bits per second; `None` for no limit.
    #[must_use]
    pub fn bps(&self, load: &PathLoad) -> Option<f64> {
        let beside_seat = (load.seats > 0).then(|| match load.estimate_bps {
            Some(estimate) => (self.share * estimate).min(load.room_bps),
            None => UNKNOWN_BPS,
        });
        let limit = match (self.most_bps, beside_seat) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        Some(if limit.is_finite() { limit.max(0.0) * (1.0 - HEADERS) } else { 0.0 })
    }
}

/// Whether the control plane is on this machine: what goes there takes nothing from the way to the seats.
#[must_use]
pub fn is_here(control_plane: &ControlPlaneAddress) -> bool {
    let host = control_plane.host();
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_here() {
        for here in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080/", "HTTP://LOCALHOST:1"] {
            assert!(is_here(&here.parse().unwrap()), "{here}");
        }
        for there in ["http://10.0.0.1:8080", "http://127.0.0.1.example:80", "http://[fe80::1]:80", "http://plane/"] {
            assert!(!is_here(&there.parse().unwrap()), "{there}");
        }
    }

    #[test]
    fn a_session_leaves_a_share_and_only_of_what_it_does_not_use() {
        let load = |estimate_bps, room_bps| PathLoad { seats: 1, estimate_bps, room_bps };
        let allowance = Allowance { most_bps: None, share: 0.1 };
        let net = |bps: f64| Some(bps * (1.0 - HEADERS));
        assert_eq!(allowance.bps(&PathLoad::default()), None);
        assert_eq!(allowance.bps(&load(Some(8e6), 3e6)), net(8e5));
        assert_eq!(allowance.bps(&load(Some(8e6), 1e5)), net(1e5));
        assert_eq!(allowance.bps(&load(Some(1e6), 0.0)), Some(0.0));
        assert_eq!(allowance.bps(&load(None, 0.0)), net(UNKNOWN_BPS));
        assert_eq!(allowance.bps(&load(Some(f64::NAN), 1.0)), Some(1.0 * (1.0 - HEADERS)));
        assert_eq!(allowance.bps(&load(Some(f64::NAN), f64::NAN)), Some(0.0));
        let capped = Allowance { most_bps: Some(5e5), share: 0.1 };
        assert_eq!(capped.bps(&PathLoad::default()), net(5e5));
        assert_eq!(capped.bps(&load(Some(8e6), 3e6)), net(5e5));
        assert_eq!(capped.bps(&load(Some(2e6), 3e6)), net(2e5));
    }
}
