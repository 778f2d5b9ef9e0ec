//! Seeds that cannot meet: what a policy learns from, what decides whether it ships, and what the report drives.

use sha2::{Digest, Sha256};

/// What something random is for. Seeds of different purposes never coincide, whatever they are derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeedPurpose {
    /// Drives that are learnt from, and the training itself.
    Training,
    /// Drives that compare a candidate with its predecessor.
    Gate,
    /// Drives for the report.
    Report,
}

/// Bits of a seed that come from the hash; two above them say the purpose. Together they stay within the whole numbers that
/// JSON's readers keep exactly (53 bits).
const HASH_BITS: u32 = 51;

impl SeedPurpose {
    /// All purposes.
    pub const ALL: [Self; 3] = [Self::Training, Self::Gate, Self::Report];

    /// As reports name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Gate => "gate",
            Self::Report => "report",
        }
    }

    /// The seed number `parts` of this purpose that comes from `seed`: SHA-256 over purpose, seed and parts.
    #[must_use]
    pub fn derive(self, seed: u64, parts: &[u64]) -> u64 {
        let mut hash = Sha256::new_with_prefix("takeover/seed/1/");
        hash.update(self.label());
        for part in [seed].iter().chain(parts) {
            hash.update(part.to_le_bytes());
        }
        let digest = hash.finalize();
        let low = digest.iter().take(8).fold(0u64, |value, byte| value << 8 | u64::from(*byte)) >> (64 - HASH_BITS);
        (self as u64) << HASH_BITS | low
    }

    /// The purpose that a derived seed is for.
    #[must_use]
    pub fn of(seed: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| *purpose as u64 == seed >> HASH_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn seeds_of_different_purposes_never_coincide_and_of_one_purpose_differ() {
        let mut seen = BTreeSet::new();
        for purpose in SeedPurpose::ALL {
            for seed in [0, 1, 2, u64::MAX] {
                for index in 0..500 {
                    let derived = purpose.derive(seed, &[index]);
                    assert!(seen.insert(derived) && derived < 1 << 53);
                    assert_eq!(SeedPurpose::of(derived), Some(purpose));
                }
            }
        }
        assert_ne!(SeedPurpose::Gate.derive(1, &[2, 3]), SeedPurpose::Gate.derive(1, &[3, 2]));
        assert_ne!(SeedPurpose::Gate.derive(1, &[]), SeedPurpose::Gate.derive(1, &[0]));
    }
}
