//! The JSON that vehicle, seat and control plane exchange over the signalling WebSocket (`/api/v1/signal`).
//!
//! A peer connects with `?vehicle=ID` or `?seat=ID`. A seat asks for a vehicle; the vehicle makes the offer (it opens
//! the video and its own data channels), the seat answers. Each call is one `session`.

use crate::{SeatId, VehicleId};
use serde::{Deserialize, Serialize};

/// One signalling message. The control plane forwards it to the other side of `session` unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Signal {
    /// Seat to control plane to vehicle: start a session.
    Call {
        /// Chosen by the seat, unique.
        session: String,
        /// Who calls.
        seat: SeatId,
        /// Who is called.
        vehicle: VehicleId,
        /// Wants picture and state only; commands of such a session are refused.
        #[serde(default)]
        watch_only: bool,
        /// What the seat understands beyond plain WebRTC; unknown names mean nothing.
        #[serde(default)]
        features: Vec<String>,
    },
    /// Vehicle to seat.
    Offer {
        /// Which session.
        session: String,
        /// Session description.
        sdp: String,
        /// What the vehicle understands beyond plain WebRTC; unknown names mean nothing.
        #[serde(default)]
        features: Vec<String>,
    },
    /// Seat to vehicle.
    Answer {
        /// Which session.
        session: String,
        /// Session description.
        sdp: String,
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
    },
    /// Control plane to a peer: what it asked for cannot be done.
    Error {
        /// Which session, when it belongs to one.
        #[serde(default)]
        session: Option<String>,
        /// For the person; says what to do next.
        message: String,
    },
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
            | Self::Bye { session, .. } => Some(session),
            Self::Error { session, .. } => session.as_deref(),
        }
    }
}
