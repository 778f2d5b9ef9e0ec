//! Who recorded a file: an Ed25519 signature (RFC 8032) over its name, size and SHA-256, kept beside it as
//! `<file>.sig`, so that every later change of the file, and a file of another vehicle, is noticed.

use crate::RecorderError;
use protocol::signing::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Largest signature file that is read.
const MAX_BYTES: u64 = 16 << 10;
/// What is signed begins with this, so that a signature for anything else never fits.
const PURPOSE: &str = "takeover episode 1";

/// The content of a `.sig` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeSignature {
    /// Name of the signed file, without folders.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// The signer's public key, hex.
    pub public_key: String,
    /// The signature, hex.
    pub signature: String,
}

impl EpisodeSignature {
    /// Signs a file by what is known of it.
    #[must_use]
    pub fn new(key: &SigningKey, file: &str, bytes: u64, sha256: &str) -> Self {
        Self {
            file: file.to_owned(),
            bytes,
            sha256: sha256.to_owned(),
            public_key: key.public().to_string(),
            signature: hex::encode(key.sign(&signed_text(file, bytes, sha256))),
        }
    }
}

fn signed_text(file: &str, bytes: u64, sha256: &str) -> Vec<u8> {
    format!("{PURPOSE}\n{file}\n{bytes}\n{sha256}\n").into_bytes()
}

/// Where the signature of `file` lies.
#[must_use]
pub fn path_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

/// Writes the signature beside the file, whole or not at all.
///
/// # Errors
/// [`RecorderError::Io`].
pub fn write_beside(file: &Path, signature: &EpisodeSignature) -> Result<(), RecorderError> {
    let target = path_beside(file);
    let part = target.with_extension("sig.part");
    let text = serde_json::to_string(signature).unwrap_or_default();
    let written = File::create(&part).and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.sync_all()));
    written.map_err(RecorderError::io("write", &part))?;
    fs::rename(&part, &target).map_err(RecorderError::io("rename to its final name", &part))
}

/// Size and SHA-256 (hex) of a file, read piece by piece.
///
/// # Errors
/// [`RecorderError::Io`].
pub fn sum(path: &Path) -> Result<(u64, String), RecorderError> {
    let mut file = crate::file::open(path).map_err(RecorderError::io("open", path))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer).map_err(RecorderError::io("read", path))?;
        if read == 0 {
            return Ok((bytes, hex::encode(hash.finalize())));
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// Checks the file at `path` against the signature beside it; `trusted` are the public keys (hex) that may have signed,
/// none for any. Returns the signature.
///
/// # Errors
/// [`RecorderError::Signature`] saying what does not fit; [`RecorderError::Io`] when either cannot be read.
pub fn verify(path: &Path, trusted: &[&str]) -> Result<EpisodeSignature, RecorderError> {
    let beside = path_beside(path);
    let refused = |problem: String| RecorderError::Signature { path: path.to_owned(), problem };
    let file = File::open(&beside).map_err(RecorderError::io("open", &beside))?;
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(RecorderError::io("read", &beside))?;
    let signature: EpisodeSignature =
        serde_json::from_str(&text).map_err(|error| refused(format!("unreadable: {error}")))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if signature.file != name {
        return Err(refused(format!("it is for {:?}", signature.file)));
    }
    if !trusted.is_empty() && !trusted.contains(&signature.public_key.as_str()) {
        return Err(refused(format!("its key {} is not trusted", signature.public_key)));
    }
    let (bytes, sha256) = sum(path)?;
    if (bytes, &sha256) != (signature.bytes, &signature.sha256) {
        return Err(refused(format!("the file has {bytes} bytes with hash {sha256}, not those that were signed")));
    }
    let key: PublicKey = signature.public_key.parse().map_err(|error| refused(format!("its key: {error}")))?;
    let made = hex::decode(&signature.signature).map_err(|_| refused("it is no hexadecimal text".to_owned()))?;
    match key.verifies(&signed_text(&name, bytes, &sha256), &made) {
        true => Ok(signature),
        false => Err(refused("its key did not make it".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(dir: &Path, seed: u8) -> (PathBuf, SigningKey) {
        let path = dir.join("e.mcap");
        fs::write(&path, b"content").unwrap();
        let key = SigningKey::from_seed(&[seed; 32]).unwrap();
        let (bytes, sha256) = sum(&path).unwrap();
        write_beside(&path, &EpisodeSignature::new(&key, "e.mcap", bytes, &sha256)).unwrap();
        (path, key)
    }

    #[test]
    fn a_signed_file_is_verified_and_any_change_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, key) = signed(dir.path(), 1);
        let public = key.public().to_string();
        assert_eq!(verify(&path, &[&public]).unwrap().public_key, public);
        assert!(verify(&path, &[]).is_ok());
        let other = SigningKey::from_seed(&[2; 32]).unwrap().public().to_string();
        assert!(verify(&path, &[&other]).unwrap_err().to_string().contains("not trusted"));
        fs::write(&path, b"CONTENT").unwrap();
        assert!(verify(&path, &[]).unwrap_err().to_string().contains("not those that were signed"));
        let (path, _) = signed(dir.path(), 1);
        fs::rename(path_beside(&path), dir.path().join("f.mcap.sig")).unwrap();
        fs::rename(&path, dir.path().join("f.mcap")).unwrap();
        assert!(verify(&dir.path().join("f.mcap"), &[]).unwrap_err().to_string().contains("it is for \"e.mcap\""));
    }

    #[test]
    fn a_forged_hash_or_key_does_not_fit_the_signature() {
        let dir = tempfile::tempdir().unwrap();
        let (path, _) = signed(dir.path(), 1);
        let beside = path_beside(&path);
        let whole: EpisodeSignature = serde_json::from_str(&fs::read_to_string(&beside).unwrap()).unwrap();
        fs::write(&path, b"other").unwrap();
        let (bytes, sha256) = sum(&path).unwrap();
        let other = SigningKey::from_seed(&[2; 32]).unwrap().public().to_string();
        for forged in [
            EpisodeSignature { bytes, sha256: sha256.clone(), ..whole.clone() },
            EpisodeSignature { bytes, sha256: sha256.clone(), public_key: other, ..whole.clone() },
            EpisodeSignature { bytes, sha256, signature: "00".repeat(64), ..whole },
        ] {
            write_beside(&path, &forged).unwrap();
            assert!(verify(&path, &[]).unwrap_err().to_string().contains("did not make it"));
        }
        fs::write(&beside, b"{}").unwrap();
        assert!(verify(&path, &[]).unwrap_err().to_string().contains("unreadable"));
    }
}
