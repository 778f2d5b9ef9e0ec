//! Identifiers: short, printable, safe in paths and URLs.

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kind} {text:?} is not valid: use 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.', starting with a letter or digit"
)]
pub struct IdError {
    kind: &'static str,
    text: String,
}

fn valid(text: &str) -> bool {
    let mut chars = text.chars();
    text.len() <= 64
        && chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps `text`.
            ///
            /// # Errors
            /// [`IdError`] when it is empty, longer than 64 or has other than letters, digits, `-`, `_`, `.`.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                if valid(&text) { Ok(Self(text)) } else { Err(IdError { kind: $kind, text }) }
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// A robot.
    VehicleId,
    "vehicle id"
);
id!(
    /// An operator's seat.
    SeatId,
    "seat id"
);
id!(
    /// A takeover episode; also the stem of its file's name.
    EpisodeId,
    "episode id"
);
id!(
    /// An immutable policy version; also its folder's name.
    PolicyVersion,
    "policy version"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_folder() {
        for bad in ["", ".", "..", "../x", "a/b", "-x", "a b", &"x".repeat(65)] {
            assert!(VehicleId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(EpisodeId::new("car-1_00.2").unwrap().as_str(), "car-1_00.2");
        assert!(serde_json::from_str::<SeatId>("\"../x\"").is_err());
    }
}
