//! Where a vehicle may drive: an area, and the control plane's signed order to keep to it.

mod area;
mod order;

pub use area::{AreaError, MAX_COORDINATE_M, MAX_CORNERS, PermittedArea};
pub use order::GeofenceOrder;
