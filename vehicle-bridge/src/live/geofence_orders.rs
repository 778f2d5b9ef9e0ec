//! The control plane's orders on where the vehicle may drive: believed when it signed them, kept across restarts, and obeyed
//! beside the area that the vehicle was given itself.

use crate::audit::AuditEvent;
use control_plane_client::ControlPlaneClient;
use protocol::VehicleId;
use protocol::geofence::{GeofenceOrder, PermittedArea};
use protocol::signed_text::SignedTextError;
use protocol::signing::PublicKey;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use vehicle_core::geofence::Geofence;

/// The kept order's file in the vehicle's folder.
const FILE: &str = "geofence.json";

/// The kept order cannot be read: nobody knows where the vehicle may drive.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot use the control plane's order on the permitted area, {path}: {reason}; the vehicle does not start without knowing it",
    path = path.display()
)]
pub struct KeptOrderError {
    path: PathBuf,
    reason: String,
}

/// Why an order is not obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefusal {
    /// No control plane has named its key yet.
    #[error("no control plane has named the key of its orders yet")]
    NoKey,
    /// It is not made like an order, or others signed it.
    #[error("the order on the permitted area cannot be believed: {0}")]
    Unreadable(#[from] SignedTextError),
    /// It is another vehicle's.
    #[error("the order on the permitted area is vehicle {0}'s")]
    OtherVehicle(VehicleId),
    /// One with this or a greater serial was obeyed before.
    #[error("the order {0} on the permitted area is not after {1}, which is obeyed")]
    Replayed(u64, u64),
}

/// The vehicle's own area, and the newest order.
#[derive(Debug)]
pub struct GeofenceOrders {
    vehicle: VehicleId,
    path: PathBuf,
    own: Option<PermittedArea>,
    newest: Option<GeofenceOrder>,
    /// The disk has the newest one.
    is_kept: bool,
}

impl GeofenceOrders {
    /// Of `vehicle`, which was given `own` and keeps what it was ordered in `folder`.
    ///
    /// # Errors
    /// [`KeptOrderError`] when what an earlier life kept cannot be read.
    pub fn open(folder: &Path, vehicle: VehicleId, own: Option<PermittedArea>) -> Result<Self, KeptOrderError> {
        let path = folder.join(FILE);
        let failed = |reason: String| KeptOrderError { path: path.clone(), reason };
        let newest = match std::fs::read(&path) {
            Ok(text) => Some(serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error.to_string())),
        };
        Ok(Self { vehicle, path, own, newest, is_kept: true })
    }

    /// Where the vehicle may drive: inside its own area and the ordered one.
    #[must_use]
    pub fn geofence(&self) -> Option<Geofence> {
        let ordered = self.newest.as_ref().and_then(|order| order.corners_m.clone());
        Geofence::of(self.own.clone().into_iter().chain(ordered))
    }

    /// The newest order that is obeyed.
    #[must_use]
    pub fn serial(&self) -> Option<u64> {
        self.newest.as_ref().map(|order| order.serial)
    }

    /// Obeys the order in `text` from now on, if the owner of `key` has signed it.
    ///
    /// # Errors
    /// [`OrderRefusal`]; what was obeyed before stays.
    pub fn obey(&mut self, text: &str, key: Option<&PublicKey>) -> Result<&GeofenceOrder, OrderRefusal> {
        let order = GeofenceOrder::open(text, key.ok_or(OrderRefusal::NoKey)?)?;
        if order.vehicle != self.vehicle {
            return Err(OrderRefusal::OtherVehicle(order.vehicle));
        }
        if let Some(serial) = self.serial().filter(|serial| order.serial <= *serial) {
            return Err(OrderRefusal::Replayed(order.serial, serial));
        }
        self.is_kept = false;
        Ok(self.newest.insert(order))
    }

    /// Brings the newest order to the disk, if it is not there.
    ///
    /// # Errors
    /// When the disk refuses: a restart would forget the order until the control plane is reached.
    pub fn keep(&mut self) -> std::io::Result<()> {
        let Some(newest) = self.newest.as_ref().filter(|_| !self.is_kept) else { return Ok(()) };
        let part = self.path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec(newest)?)?;
        file.sync_all()?;
        std::fs::rename(&part, &self.path)?;
        // The name is on the disk when its folder is.
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.is_kept = true;
        Ok(())
    }
}

/// Fetches orders for [`GeofenceOrders`].
pub struct GeofenceReceiver {
    orders: GeofenceOrders,
    /// The key that orders must be signed with, once it is known.
    key: Box<dyn Fn() -> Option<PublicKey> + Send>,
    /// The audit log.
    note: Box<dyn Fn(AuditEvent) + Send>,
    /// What was last wrong, which is said once.
    told: Option<String>,
}

impl GeofenceReceiver {
    /// Believes orders that are signed with `key`, and has `note` write down each that is obeyed or refused.
    pub fn new(
        orders: GeofenceOrders,
        key: impl Fn() -> Option<PublicKey> + Send + 'static,
        note: impl Fn(AuditEvent) + Send + 'static,
    ) -> Self {
        Self { orders, key: Box::new(key), note: Box::new(note), told: None }
    }

    /// The newest order that is obeyed.
    #[must_use]
    pub fn serial(&self) -> Option<u64> {
        self.orders.serial()
    }

    /// Fetches the order `named` by the control plane unless it is obeyed already. Where the vehicle may drive from now on,
    /// when that has changed.
    pub fn look(&mut self, client: &ControlPlaneClient, named: u64) -> Option<Option<Geofence>> {
        let changed = if Some(named) == self.serial() { None } else { self.fetch(client) };
        if let Err(error) = self.orders.keep() {
            let path = self.orders.path.display();
            self.tell(format!("a restart would forget the order on the permitted area: {path}: {error}"));
        }
        changed
    }

    fn fetch(&mut self, client: &ControlPlaneClient) -> Option<Option<Geofence>> {
        let text = match client.geofence(&self.orders.vehicle) {
            Ok(found) => found?.order,
            Err(error) => {
                self.tell(format!("no order on the permitted area: {}", error.reason()));
                return None;
            }
        };
        match self.orders.obey(&text, (self.key)().as_ref()) {
            Ok(order) => {
                let GeofenceOrder { serial, corners_m, reason, issued_ms, .. } = order.clone();
                let corners = corners_m.as_ref().map_or(0, |area| area.corners_m().len());
                tracing::warn!(serial, corners, %reason, "the control plane's order on the permitted area is obeyed");
                (self.note)(AuditEvent::GeofenceOrdered { serial, corners_m, reason, issued_ms });
                self.told = None;
                Some(self.orders.geofence())
            }
            Err(refusal) => {
                // Signalling names the key soon after the start.
                if refusal != OrderRefusal::NoKey && self.tell(refusal.to_string()) {
                    (self.note)(AuditEvent::GeofenceRefused { reason: refusal.to_string() });
                }
                None
            }
        }
    }

    /// Says what is wrong, once in a row; true when it was said.
    fn tell(&mut self, problem: String) -> bool {
        if self.told.as_ref() == Some(&problem) {
            return false;
        }
        tracing::error!(%problem, "permitted area");
        self.told = Some(problem);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::signing::SigningKey;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32]).unwrap()
    }

    fn car() -> VehicleId {
        VehicleId::new("car").unwrap()
    }

    fn square(side_m: f64) -> PermittedArea {
        PermittedArea::new(vec![(0.0, 0.0), (side_m, 0.0), (side_m, side_m), (0.0, side_m)]).unwrap()
    }

    fn order(serial: u64, corners_m: Option<PermittedArea>) -> GeofenceOrder {
        GeofenceOrder { vehicle: car(), serial, corners_m, reason: "works".into(), issued_ms: 1 }
    }

    #[test]
    fn the_stricter_of_both_areas_holds_also_after_a_restart_until_the_order_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let public = key(1).public();
        let open = |own: Option<PermittedArea>| GeofenceOrders::open(folder.path(), car(), own).unwrap();
        let allows = |orders: &GeofenceOrders| {
            let geofence = orders.geofence();
            [5.0, 15.0, 50.0].map(|at_m| geofence.as_ref().is_none_or(|fence| fence.contains(at_m, at_m)))
        };
        let mut orders = open(Some(square(20.0)));
        assert_eq!((allows(&orders), orders.serial()), ([true, true, false], None));
        orders.obey(&order(3, Some(square(10.0))).sign(&key(1)), Some(&public)).unwrap();
        assert_eq!((allows(&orders), orders.serial()), ([true, false, false], Some(3)));
        orders.keep().unwrap();
        assert_eq!(allows(&open(Some(square(20.0)))), [true, false, false]);
        // A wider order gives no more than the vehicle's own area.
        orders.obey(&order(4, Some(square(100.0))).sign(&key(1)), Some(&public)).unwrap();
        assert_eq!(allows(&orders), [true, true, false]);
        orders.obey(&order(5, None).sign(&key(1)), Some(&public)).unwrap();
        orders.keep().unwrap();
        assert_eq!((allows(&orders), allows(&open(None))), ([true, true, false], [true; 3]));
        assert_eq!(open(None).serial(), Some(5));
    }

    #[test]
    fn what_is_not_the_control_planes_newest_word_to_this_vehicle_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let public = key(1).public();
        let mut orders = GeofenceOrders::open(folder.path(), car(), None).unwrap();
        let first = order(7, Some(square(10.0))).sign(&key(1));
        assert_eq!(orders.obey(&first, None).unwrap_err(), OrderRefusal::NoKey);
        orders.obey(&first, Some(&public)).unwrap();
        orders.keep().unwrap();
        let van = GeofenceOrder { vehicle: VehicleId::new("van").unwrap(), ..order(9, None) };
        for (text, refusal) in [
            (first, OrderRefusal::Replayed(7, 7)),
            (order(6, None).sign(&key(1)), OrderRefusal::Replayed(6, 7)),
            (order(8, None).sign(&key(2)), OrderRefusal::Unreadable(SignedTextError::Signature)),
            (van.sign(&key(1)), OrderRefusal::OtherVehicle(van.vehicle.clone())),
        ] {
            assert_eq!(orders.obey(&text, Some(&public)).unwrap_err(), refusal);
        }
        // After a restart no earlier one counts either.
        let mut again = GeofenceOrders::open(folder.path(), car(), None).unwrap();
        let old = order(6, None).sign(&key(1));
        assert_eq!(again.obey(&old, Some(&public)).unwrap_err(), OrderRefusal::Replayed(6, 7));
        assert!(again.geofence().is_some());
    }

    #[test]
    fn a_damaged_file_keeps_the_vehicle_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        for damage in ["", "{}", r#"{"vehicle":"car","serial":1,"corners_m":[[0,0]],"reason":"","issued_ms":0}"#] {
            std::fs::write(folder.path().join(FILE), damage).unwrap();
            let error = GeofenceOrders::open(folder.path(), car(), None).unwrap_err().to_string();
            assert!(error.contains(FILE), "{error}");
        }
    }
}
