//! Why a connection failed: one code for programs, one sentence for the person who has to do something about it.

use serde::{Deserialize, Serialize};

/// Every way a connection between a seat and a vehicle can fail or end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The vehicle is not connected to the control plane.
    VehicleNotRegistered,
    /// The vehicle is registered and does not answer the call.
    VehicleSilent,
    /// The vehicle serves as many seats as it can.
    VehicleFull,
    /// The vehicle shuts down.
    VehicleStopping,
    /// The control plane cannot be reached.
    ControlPlaneUnreachable,
    /// The control plane serves as many peers as it can.
    ControlPlaneFull,
    /// A peer did not read its signalling messages in time.
    PeerTooSlow,
    /// The other side is not connected to signalling right now.
    PeerOffline,
    /// The same seat or party reconnected.
    Replaced,
    /// The session is not known (any more).
    SessionUnknown,
    /// The message is not what may be said here.
    Refused,
    /// The control plane gave this seat no grant for this session, or withdrew it.
    NotGranted,
    /// The message cannot be read.
    Malformed,
    /// No network path between the two was found.
    IceFailedNoPath,
    /// A path that worked is gone.
    PathLost,
    /// The certificate is not the one that the control plane vouches for.
    DtlsFingerprintMismatch,
    /// A party registered with another certificate than the one pinned for it.
    IdentityChanged,
    /// Session description or channels could not be agreed on.
    NegotiationFailed,
    /// The other side left on purpose.
    PeerLeft,
    /// A code of a newer release.
    #[serde(other)]
    Unknown,
}

impl Failure {
    /// Every code that this release knows.
    pub const ALL: [Self; 19] = [
        Self::VehicleNotRegistered,
        Self::VehicleSilent,
        Self::VehicleFull,
        Self::VehicleStopping,
        Self::ControlPlaneUnreachable,
        Self::ControlPlaneFull,
        Self::PeerTooSlow,
        Self::PeerOffline,
        Self::Replaced,
        Self::SessionUnknown,
        Self::Refused,
        Self::NotGranted,
        Self::Malformed,
        Self::IceFailedNoPath,
        Self::PathLost,
        Self::DtlsFingerprintMismatch,
        Self::IdentityChanged,
        Self::NegotiationFailed,
        Self::PeerLeft,
    ];

    /// The code as it stands in JSON and in logs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::VehicleNotRegistered => "vehicle_not_registered",
            Self::VehicleSilent => "vehicle_silent",
            Self::VehicleFull => "vehicle_full",
            Self::VehicleStopping => "vehicle_stopping",
            Self::ControlPlaneUnreachable => "control_plane_unreachable",
            Self::ControlPlaneFull => "control_plane_full",
            Self::PeerTooSlow => "peer_too_slow",
            Self::PeerOffline => "peer_offline",
            Self::Replaced => "replaced",
            Self::SessionUnknown => "session_unknown",
            Self::Refused => "refused",
            Self::NotGranted => "not_granted",
            Self::Malformed => "malformed",
            Self::IceFailedNoPath => "ice_failed_no_path",
            Self::PathLost => "path_lost",
            Self::DtlsFingerprintMismatch => "dtls_fingerprint_mismatch",
            Self::IdentityChanged => "identity_changed",
            Self::NegotiationFailed => "negotiation_failed",
            Self::PeerLeft => "peer_left",
            Self::Unknown => "unknown",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::VehicleNotRegistered => {
                "Start the vehicle's bridge and check that it reaches this control plane, or choose another vehicle."
            }
            Self::VehicleSilent => {
                "The vehicle is registered but does not answer: look at its bridge's log, restart it."
            }
            Self::VehicleFull => "Close a seat or a watching page of this vehicle, then call again.",
            Self::VehicleStopping => "The vehicle's bridge was stopped: start it again.",
            Self::ControlPlaneUnreachable => {
                "Check that the control plane runs and that this machine reaches its address and port."
            }
            Self::ControlPlaneFull => "Too many peers are connected: close pages that nobody needs, then try again.",
            Self::PeerTooSlow => "The other side's connection to the control plane is too slow: check its uplink.",
            Self::PeerOffline => "The other side has lost the control plane; it comes back by itself. Wait, then call.",
            Self::Replaced => "Another window or program uses the same name: close it, or choose another name.",
            Self::SessionUnknown => "The session is over: call the vehicle again.",
            Self::Refused => "This is not allowed in this role: call as the seat that you registered as.",
            Self::NotGranted => {
                "The control plane does not let this seat in: somebody revoked it, or vehicle and control plane do not \
                 know each other any more (see SAFETY.md, session grants)."
            }
            Self::Malformed => "The two sides do not understand each other: bring both to the same release.",
            Self::IceFailedNoPath => {
                "No network path was found: UDP is probably blocked. Allow UDP, or configure a TURN server at the \
                 control plane (--ice-server turn:HOST:3478 --turn-secret SECRET)."
            }
            Self::PathLost => "The network path broke: check the vehicle's coverage and this machine's network.",
            Self::DtlsFingerprintMismatch => {
                "Somebody else may be in between: do not drive. Check that both sides talk to the right control plane."
            }
            Self::IdentityChanged => {
                "This name is bound to another certificate. If its data folder was replaced on purpose, restart the \
                 control plane once with --forget-identity NAME; if not, somebody pretends to be it."
            }
            Self::NegotiationFailed => {
                "The two sides could not agree on codecs or channels: bring both to the same release."
            }
            Self::PeerLeft => "Nothing is wrong. Call again when the other side is back.",
            Self::Unknown => "The other side gives a reason that this release does not know: bring it up to date.",
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_as_it_is_called_and_read_back() {
        for failure in Failure::ALL {
            let json = serde_json::to_string(&failure).unwrap();
            assert_eq!(json, format!("{:?}", failure.code()));
            assert_eq!(serde_json::from_str::<Failure>(&json).unwrap(), failure);
            assert!(failure.advice().ends_with('.'), "{failure}");
        }
    }

    #[test]
    fn a_code_of_a_newer_release_is_no_error() {
        assert_eq!(serde_json::from_str::<Failure>("\"moon_in_the_way\"").unwrap(), Failure::Unknown);
    }
}
