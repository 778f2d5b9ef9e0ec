//! Whose certificates an `https://` control plane may show.

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Largest file of certificates that is read, bytes: a system's whole list has a quarter of a million.
const MAX_FILE: u64 = 4 << 20;

/// The authorities that are trusted, and the settings made of them.
pub(crate) struct Tls {
    certificates: Vec<CertificateDer<'static>>,
    pub(crate) config: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts the authorities in a file (PEM) and no other.
    pub(crate) fn of_file(path: &Path) -> Result<Self, String> {
        let mut text = Vec::new();
        let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
        file.take(MAX_FILE).read_to_end(&mut text).map_err(|e| e.to_string())?;
        let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|e| format!("it is not a file of certificates in PEM: {e}"))?;
        if certificates.is_empty() {
            return Err("it has no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned());
        }
        let mut roots = RootCertStore::empty();
        for (number, certificate) in (1..).zip(&certificates) {
            let added = roots.add(certificate.clone());
            added.map_err(|e| format!("its certificate number {number} cannot be used: {e}"))?;
        }
        Self::of(certificates, roots)
    }

    /// Trusts the authorities that the system trusts; the list may be moved by `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub(crate) fn of_system() -> Result<Self, String> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Systems keep certificates in their lists that no TLS library takes any more.
        let (added, _) = roots.add_parsable_certificates(found.certs.iter().cloned());
        if added == 0 {
            let problem = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
            return Err(format!("this machine's system has no list of authorities{problem}"));
        }
        Self::of(found.certs, roots)
    }

    fn of(certificates: Vec<CertificateDer<'static>>, roots: RootCertStore) -> Result<Self, String> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { certificates, config: Arc::new(config) })
    }

    /// The same authorities, as the HTTP library takes them.
    pub(crate) fn authorities(&self) -> ureq::tls::RootCerts {
        let own = |certificate: &CertificateDer<'_>| ureq::tls::Certificate::from_der(certificate).to_owned();
        self.certificates.iter().map(own).collect::<Vec<_>>().into()
    }
}

/// What to do about a TLS handshake that failed; `None` when `error` is about something else.
#[must_use]
pub fn tls_problem(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // The cause of an input or output error is not its source, but inside it.
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inside = inside.and_then(|inside| inside.downcast_ref::<rustls::Error>());
        if let Some(cause) = error.downcast_ref::<rustls::Error>().or(inside) {
            return Some(advice(cause));
        }
        next = error.source();
    }
    None
}

fn advice(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is from an unknown authority; where the fleet has its own, name a file with the \
             authority's certificate with --control-plane-ca (TAKEOVER_CONTROL_PLANE_CA)"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => format!("{error}; is this machine's clock right?"),
        rustls::Error::InvalidMessage(_) => "it does not speak TLS: is http:// meant?".to_owned(),
        other => format!("TLS: {other}"),
    }
}
