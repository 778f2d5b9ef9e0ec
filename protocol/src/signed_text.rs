//! JSON claims and their signature as one text: `claims.signature`, both base64url (RFC 4648, without padding). The signature
//! is Ed25519 over a context, which keeps it from meaning anything else, and the claims' bytes.

use crate::signing::{PublicKey, SigningKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a text is not what a key's owner has signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedTextError {
    /// It is not made like one.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Somebody else signed it, or it was changed.
    #[error("the signature is not the control plane's")]
    Signature,
}

fn signed(context: &[u8], claims: &[u8]) -> Vec<u8> {
    [context, claims].concat()
}

/// `claims`, signed by `key`.
pub(crate) fn sign(context: &[u8], claims: &impl Serialize, key: &SigningKey) -> String {
    // Names, numbers and texts always have a JSON form.
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    let signature = key.sign(&signed(context, &claims));
    format!("{}.{}", BASE64.encode(claims), BASE64.encode(signature))
}

/// The claims of `text`, `most` bytes long at most, if `key`'s owner signed them.
pub(crate) fn open<T: DeserializeOwned>(
    context: &[u8],
    text: &str,
    most: usize,
    key: &PublicKey,
) -> Result<T, SignedTextError> {
    if text.len() > most {
        return Err(SignedTextError::Malformed("it is too long"));
    }
    let (claims, signature) = text.split_once('.').ok_or(SignedTextError::Malformed("it has no signature"))?;
    let decode = |part: &str| BASE64.decode(part).map_err(|_| SignedTextError::Malformed("it is not base64url"));
    let (claims, signature) = (decode(claims)?, decode(signature)?);
    if !key.verifies(&signed(context, &claims), &signature) {
        return Err(SignedTextError::Signature);
    }
    serde_json::from_slice(&claims).map_err(|_| SignedTextError::Malformed("its claims are not those of this release"))
}
