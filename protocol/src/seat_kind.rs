//! Who sits at a seat, as it stands in JSON. Names of seats are free text: nothing is read into them.

use crate::SeatKind;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

impl SeatKind {
    /// As it stands in JSON.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Scripted => "scripted",
        }
    }

    /// Whether a person sits there.
    #[must_use]
    pub fn is_human(&self) -> bool {
        *self == Self::Human
    }
}

impl Serialize for SeatKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

/// A kind that a later release may add is read as a person: nobody gives way who need not.
impl<'de> Deserialize<'de> for SeatKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let label = String::deserialize(deserializer)?;
        Ok(if label == Self::Scripted.label() { Self::Scripted } else { Self::Human })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_as_it_was_written_and_an_unknown_one_is_a_person() {
        for kind in [SeatKind::Human, SeatKind::Scripted] {
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(text, format!("{:?}", kind.label()));
            assert_eq!(serde_json::from_str::<SeatKind>(&text).unwrap(), kind);
        }
        assert_eq!(serde_json::from_str::<SeatKind>("\"remote_server\"").unwrap(), SeatKind::Human);
        assert!(serde_json::from_str::<SeatKind>("1").is_err());
    }
}
