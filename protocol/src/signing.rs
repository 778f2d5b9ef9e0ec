//! Ed25519 (RFC 8032) signatures: of session grants, of the audit log's head.

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const SEED_BYTES: usize = 32;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Its file.
    #[error("cannot use the key {path}: {reason}", path = .0.display(), reason = .1)]
    File(PathBuf, String),
    /// A public key as text.
    #[error("{0:?} is not a public key: it takes 64 hexadecimal digits")]
    PublicKey(String),
}

/// A key that signs; kept in a file that only its owner reads.
pub struct SigningKey(Ed25519KeyPair);

/// Never the key in a log.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl SigningKey {
    /// The key of a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// Reads the key from `path`; makes it at the first start.
    ///
    /// # Errors
    /// When the file cannot be read, written, or is not a key. A damaged file is never replaced: others know the old
    /// one.
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        let failed = |reason: String| KeyError::File(path.to_owned(), reason);
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut seed = [0; SEED_BYTES];
                SystemRandom::new().fill(&mut seed).map_err(|_| failed("the system gives no randomness".into()))?;
                let text = hex::encode(seed) + "\n";
                write_whole(path, text.as_bytes()).map_err(|e| failed(e.to_string()))?;
                text
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        let mut seed = [0; SEED_BYTES];
        hex::decode_to_slice(text.trim(), &mut seed)
            .map_err(|e| failed(format!("64 hexadecimal digits expected: {e}")))?;
        Self::from_seed(&seed).ok_or_else(|| failed("the seed is not usable".into()))
    }

    /// The signature of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    /// What others check signatures with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; SEED_BYTES];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }
}

/// Whole or not at all, and for the owner only.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

/// A key that checks; 64 hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; SEED_BYTES]);

impl PublicKey {
    /// Whether `signature` is of `message` and by this key's owner.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut key = [0; SEED_BYTES];
        hex::decode_to_slice(text, &mut key).map_err(|_| KeyError::PublicKey(text.to_owned()))?;
        Ok(Self(key))
    }
}

/// SHA-256 of `bytes`, in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_agree_with_rfc_8032() {
        // Section 7.1, test 2.
        let mut seed = [0; 32];
        hex::decode_to_slice("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", &mut seed).unwrap();
        let key = SigningKey::from_seed(&seed).unwrap();
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        assert_eq!(key.public().to_string(), public);
        let signature = key.sign(&[0x72]);
        assert!(
            hex::encode(&signature).starts_with("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")
        );
        assert!(public.parse::<PublicKey>().unwrap().verifies(&[0x72], &signature));
        assert!(!key.public().verifies(&[0x73], &signature));
        assert!(!key.public().verifies(&[0x72], &signature[1..]));
    }

    #[test]
    fn text_that_is_no_key_is_named() {
        for bad in ["", "3d40", &"zz".repeat(32), &"ab".repeat(33)] {
            let error = bad.parse::<PublicKey>().unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn the_second_start_has_the_same_key_and_a_damaged_file_is_left_alone() {
        let path = std::env::temp_dir().join(format!("takeover-key-{}", std::process::id()));
        let first = SigningKey::load_or_make(&path).unwrap().public();
        assert_eq!(SigningKey::load_or_make(&path).unwrap().public(), first);
        std::fs::write(&path, "nonsense").unwrap();
        let error = SigningKey::load_or_make(&path).unwrap_err().to_string();
        assert!(error.contains("hexadecimal"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "nonsense");
        std::fs::remove_file(path).unwrap();
    }
}
