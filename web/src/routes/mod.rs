//! The handlers, by what they are about.

pub mod episodes;
pub mod erasures;
pub mod files;
pub mod fleet;
pub mod geofences;
pub mod metrics;
pub mod pages;
pub mod policies;
pub mod retention;
pub mod seats;
pub mod signalling;
pub mod trips;
pub mod uploads;
pub mod vehicles;
