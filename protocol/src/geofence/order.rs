//! The control plane's signed word on where a vehicle may drive.

use super::PermittedArea;
use crate::VehicleId;
use crate::signed_text::{self, SignedTextError};
use crate::signing::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

/// An order longer than this as text is none: the claims of [`super::MAX_CORNERS`] corners in base64.
const MAX_TEXT: usize = 128 << 10;
/// Keeps a signature from meaning anything else.
const CONTEXT: &[u8] = b"takeover geofence 1\0";

/// From now on the vehicle stays inside an area, beside what it was given itself; without an area the order before is taken
/// back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeofenceOrder {
    /// Which vehicle.
    pub vehicle: VehicleId,
    /// Greater than that of every order to this vehicle before: the greatest counts, and none is obeyed after a later one.
    pub serial: u64,
    /// Where it may drive, in its road network's coordinates.
    pub corners_m: Option<PermittedArea>,
    /// Why, for people who look later.
    pub reason: String,
    /// When it was given, milliseconds since 1970 by the control plane's clock: a label for people.
    pub issued_ms: i64,
}

impl GeofenceOrder {
    /// The order as text, signed by `key`.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        signed_text::sign(CONTEXT, self, key)
    }

    /// The order in `text`, if `key`'s owner signed it. It proves who said so, not that no later one was given.
    ///
    /// # Errors
    /// [`SignedTextError`] when it is not made like an order or signed by somebody else.
    pub fn open(text: &str, key: &PublicKey) -> Result<Self, SignedTextError> {
        signed_text::open(CONTEXT, text, MAX_TEXT, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geofence::MAX_CORNERS;

    #[test]
    fn the_largest_order_is_read_back_by_whoever_has_the_public_key_and_by_nobody_else() {
        let [key, other] = [1, 2].map(|byte| SigningKey::from_seed(&[byte; 32]).unwrap());
        // Round a circle, with as many digits as there are.
        let place = |corner: usize| {
            let (sin, cos) = (corner as f64 / MAX_CORNERS as f64 * std::f64::consts::TAU).sin_cos();
            (cos * 9.9e6, sin * 9.9e6)
        };
        let area = PermittedArea::new((0..MAX_CORNERS).map(place).collect()).unwrap();
        let order = GeofenceOrder {
            vehicle: VehicleId::new("car").unwrap(),
            serial: 7,
            corners_m: Some(area),
            reason: "x".repeat(128),
            issued_ms: 1,
        };
        let text = order.sign(&key);
        assert_eq!(GeofenceOrder::open(&text, &key.public()).unwrap(), order);
        assert_eq!(GeofenceOrder::open(&text, &other.public()), Err(SignedTextError::Signature));
        assert!(matches!(
            GeofenceOrder::open(&text.replace('.', ""), &key.public()),
            Err(SignedTextError::Malformed(_))
        ));
    }

    #[test]
    fn a_signature_of_corners_that_make_no_area_is_no_order() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let claims = serde_json::json!({
            "vehicle": "car", "serial": 1, "corners_m": [[0, 0], [1, 1]], "reason": "", "issued_ms": 0,
        });
        let text = signed_text::sign(CONTEXT, &claims, &key);
        assert!(matches!(GeofenceOrder::open(&text, &key.public()), Err(SignedTextError::Malformed(_))));
    }
}
