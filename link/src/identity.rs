//! The long-lived certificate of a vehicle or a seat, kept in a file that only its owner reads.

use crate::LinkError;
use protocol::signalling::normal_fingerprint;
use rtc::crypto::{self, SignatureScheme};
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Who this end is, for good: the control plane binds its name to the certificate's fingerprint and vouches for it to
/// the other side.
#[derive(Clone)]
pub struct Identity {
    certificate: RTCCertificate,
    fingerprint: String,
}

/// Never the key in a log.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the identity from `path`; makes it at the first start.
    ///
    /// # Errors
    /// When the file cannot be read, written, or is not an identity. A damaged file is never replaced: the control
    /// plane would refuse the new one, and somebody should know why.
    pub fn load_or_make(path: &Path) -> Result<Self, LinkError> {
        let failed = |reason: String| LinkError::Identity { path: path.to_owned(), reason };
        match std::fs::read_to_string(path) {
            Ok(pem) => Self::from_pem(&pem).map_err(failed),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let identity = Self::make().map_err(failed)?;
                identity.write(path).map_err(|e| failed(e.to_string()))?;
                Ok(identity)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// An identity that lasts as long as this value: for seats that are nobody in particular.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn ephemeral() -> Result<Self, LinkError> {
        Self::make().map_err(|reason| LinkError::Identity { path: std::path::PathBuf::new(), reason })
    }

    /// SHA-256 of the certificate: upper case hexadecimal, a colon between bytes.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) fn certificate(&self) -> RTCCertificate {
        self.certificate.clone()
    }

    fn make() -> Result<Self, String> {
        let provider = crypto::default_provider().map_err(|e| e.to_string())?;
        let params = CertificateParams::new(Vec::<String>::new()).map_err(|e| e.to_string())?;
        let scheme = SignatureScheme::EcdsaP256Sha256;
        Self::of(RTCCertificate::generate(provider.crypto(), scheme, params).map_err(|e| e.to_string())?)
    }

    fn from_pem(pem: &str) -> Result<Self, String> {
        // The library takes the first block's eight bytes without looking.
        let expiry = pem.lines().nth(1).map(str::trim).unwrap_or_default();
        if !pem.starts_with("-----BEGIN EXPIRES-----") || expiry.len() != 12 {
            return Err("it is not an identity file".to_owned());
        }
        let provider = crypto::default_provider().map_err(|e| e.to_string())?;
        Self::of(RTCCertificate::from_pem(pem, provider.crypto()).map_err(|e| e.to_string())?)
    }

    fn of(certificate: RTCCertificate) -> Result<Self, String> {
        let provider = crypto::default_provider().map_err(|e| e.to_string())?;
        let fingerprints = certificate.get_fingerprints(provider.crypto()).map_err(|e| e.to_string())?;
        let own = fingerprints.iter().find_map(|f| normal_fingerprint(&f.value));
        own.map(|fingerprint| Self { certificate, fingerprint }).ok_or_else(|| "it has no certificate".to_owned())
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let pem = self.certificate.serialize_pem().map_err(std::io::Error::other)?;
        // Whole or not at all: a torn file would lock this name out.
        let part = path.with_extension("part");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("takeover-identity-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_certificate_holds_whatever_the_time_of_day_of_either_side_is() {
        let pem = Identity::make().unwrap().certificate.serialize_pem().unwrap();
        let block = pem.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap().split("-----END").next().unwrap();
        let der = BASE64_STANDARD.decode(block.split_whitespace().collect::<String>()).unwrap();
        let holds = |text: &[u8]| der.windows(text.len()).any(|window| window == text);
        // UTCTime and GeneralizedTime of RFC 5280: 1975 and 4096.
        assert!(holds(b"750101000000Z") && holds(b"40960101000000Z"));
    }

    #[test]
    fn the_second_start_is_the_same_party_and_others_cannot_read_its_key() {
        let folder = folder("same");
        let path = folder.join("identity.pem");
        let first = Identity::load_or_make(&path).unwrap();
        let second = Identity::load_or_make(&path).unwrap();
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(Identity::ephemeral().unwrap().fingerprint(), first.fingerprint());
        assert!(!format!("{first:?}").contains("PRIVATE"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let folder = folder("damaged");
        let path = folder.join("identity.pem");
        let whole = {
            Identity::load_or_make(&path).unwrap();
            std::fs::read_to_string(&path).unwrap()
        };
        let short_expiry = whole.replacen(whole.lines().nth(1).unwrap(), "AAA=", 1);
        for damaged in ["", "nonsense", &whole[..whole.len() / 2], &short_expiry, "-----BEGIN EXPIRES-----\n\n\n"] {
            std::fs::write(&path, damaged).unwrap();
            let error = Identity::load_or_make(&path).unwrap_err().to_string();
            assert!(error.contains("identity.pem"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
