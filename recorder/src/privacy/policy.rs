//! What may not leave the vehicle.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What in a picture can be made unrecognizable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegionKind {
    /// People's faces.
    Faces,
    /// Vehicles' number plates.
    Plates,
}

impl std::fmt::Display for RegionKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Faces => "faces",
            Self::Plates => "plates",
        })
    }
}

/// What is taken out of an episode before it leaves the vehicle; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactionPolicy {
    /// Topics that are left out whole, a camera's calibration with it.
    pub omit: BTreeSet<String>,
    /// What is blurred in the pictures that stay.
    pub blur: BTreeSet<RegionKind>,
}

impl RedactionPolicy {
    /// Whether an episode may leave as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.omit.is_empty() && self.blur.is_empty()
    }
}
