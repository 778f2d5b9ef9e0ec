//! Why a connection with a robot ends.

use super::hello::VERSION;
use protocol::v1::{RobotBye, RobotByeReason};

/// Longest words about a connection's end, bytes: values that a robot sent, of any length, stand in them.
const MOST_DETAIL_BYTES: usize = 1_024;

/// `text`, at most [`MOST_DETAIL_BYTES`] and a mark that something is missing.
pub(super) fn shortened(text: &str) -> String {
    let kept = text.get(..text.floor_char_boundary(MOST_DETAIL_BYTES)).unwrap_or_default();
    if kept.len() < text.len() { format!("{kept}… ({} bytes)", text.len()) } else { text.to_owned() }
}

/// What a robot did that cannot be; the message names the value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AdapterError {
    /// A frame beyond the bound.
    #[error("a frame of {length} bytes; at most {most} are taken here")]
    TooLong {
        /// What its head says.
        length: u32,
        /// The bound.
        most: u32,
    },
    /// Bytes that are not a message.
    #[error("a frame of {length} bytes is not a message of this protocol: {problem}")]
    Unreadable {
        /// Bytes of the frame.
        length: usize,
        /// What the decoder says.
        problem: String,
    },
    /// A frame that holds nothing known.
    #[error("a frame of {0} bytes holds no message that this version knows")]
    Empty(usize),
    /// The connection was cut.
    #[error("the connection ended after {0} bytes of an unfinished frame")]
    Cut(usize),
    /// A frame that may not come now.
    #[error("{got} came where {expected} is due")]
    OutOfTurn {
        /// What came.
        got: &'static str,
        /// What may come.
        expected: &'static str,
    },
    /// Another version.
    #[error("protocol version {0} is not spoken here; this bridge speaks {spoken}", spoken = VERSION)]
    Version(u32),
    /// Not an embodiment, or another one than before.
    #[error("embodiment: {0}")]
    Embodiment(String),
    /// Cameras or sensors that cannot be used, or others than before.
    #[error("sensors: {0}")]
    Sensors(String),
    /// A value that cannot be.
    #[error("{what} is {got}; {expected}")]
    Value {
        /// The value's name.
        what: String,
        /// The value.
        got: String,
        /// What would do.
        expected: String,
    },
    /// Nothing came.
    #[error("no whole frame for {0} ms")]
    Silence(u64),
    /// Too many frames.
    #[error("{frames} frames within a second; at most {most} are taken")]
    Flood {
        /// How many came.
        frames: u32,
        /// The bound.
        most: u32,
    },
    /// A second robot.
    #[error("another robot is connected")]
    Busy,
}

impl AdapterError {
    /// A value that cannot be.
    pub(super) fn value(what: impl Into<String>, got: &dyn std::fmt::Display, expected: impl Into<String>) -> Self {
        Self::Value { what: what.into(), got: got.to_string(), expected: expected.into() }
    }

    /// A picture that cannot be used.
    pub(super) fn picture(camera: usize, problem: String) -> Self {
        Self::value(format!("a picture of camera {camera}"), &"useless", problem)
    }

    /// As the other side is told; the detail has bounds.
    #[must_use]
    pub fn bye(&self) -> RobotBye {
        let reason = match self {
            Self::TooLong { .. } | Self::Unreadable { .. } | Self::Empty(_) | Self::Cut(_) | Self::OutOfTurn { .. } => {
                RobotByeReason::Malformed
            }
            Self::Version(_) => RobotByeReason::Version,
            Self::Embodiment(_) => RobotByeReason::Embodiment,
            Self::Sensors(_) => RobotByeReason::Sensors,
            Self::Value { .. } => RobotByeReason::Value,
            Self::Silence(_) => RobotByeReason::Silence,
            Self::Flood { .. } => RobotByeReason::Flood,
            Self::Busy => RobotByeReason::Busy,
        };
        RobotBye { reason: reason.into(), detail: shortened(&self.to_string()) }
    }
}
