//! Network impairment: what a weak network does to packets, reproducibly.
//!
//! - [`PathSpec`] says what the two directions of a path do, from a TOML text or by the name of a preset.
//! - [`Direction`] is the model of one direction: packets go in with the time, and come out later, or not, or twice.
//!   It is sans-IO: the same code runs in virtual time in a test and in real time in the shells.
//! - [`relay::UdpRelay`] puts it between two UDP peers; [`shell::Shell`] between any two [`shell::Port`]s, such as the
//!   two TUN devices of `takeover netem run`.
//!
//! ```
//! use link::netem::{Path, PathSpec};
//!
//! # fn main() -> Result<(), link::netem::NetemError> {
//! let spec = PathSpec::from_toml("both = { delay_ms = 15, loss_percent = 10 }")?;
//! let mut path = Path::new(&spec, 7);
//! let mut arrived = 0;
//! for n in 0..1000u64 {
//!     path.forward.push(n * 1000, 1200, n);
//!     while let Some(packet) = path.forward.poll(n * 1000) {
//!         assert_eq!(packet.at_us, packet.payload * 1000 + 15_000);
//!         arrived += 1;
//!     }
//! }
//! assert!((800..950).contains(&arrived));
//! # Ok(())
//! # }
//! ```
//!
//! # The model of a direction
//!
//! 1. A bottleneck of `rate_mbps` with a drop-tail queue of `queue_ms` or `queue_bytes`: a packet that does not fit is
//!    dropped, the others leave one after the other, each after `length * 8 / rate`. A change of the rate acts on what
//!    is queued already.
//! 2. Behind it, loss: independent with `loss_percent`, or, with `burst_packets`, the two-state model of Gilbert and
//!    Elliott (Gilbert 1960, with everything lost in the bad state): `loss_percent` is its mean and `burst_packets` the
//!    mean length of a run of lost packets. A lost packet has used the bottleneck, as on a radio link.
//!    With `blackhole` everything is lost.
//! 3. Then the way: `delay_ms` plus jitter. The jitter is exponentially distributed with the mean `jitter_ms`, cut off
//!    at 8 times that, and drawn again every 10 ms: packets sent together travel together. It only ever adds, and keeps
//!    the order: a faster packet waits for the one before it.
//! 4. `reorder_percent` of the packets are held back for another `reorder_ms` and overtaken; `duplicate_percent` arrive
//!    twice.
//!
//! Whether the n-th packet is lost, doubled or held back depends on the seed and on n alone (while the percentages stay
//! the same), the jitter on the seed and the time alone.
//!
//! # The file
//!
//! ```toml
//! about = "A city drive, for the eye"
//! repeat_s = 60                  # the steps start over; without it the last one stays
//! both = { delay_ms = 25, jitter_ms = 3, loss_percent = 0.5, burst_packets = 3 }
//! forward = { rate_mbps = 8, queue_ms = 200 }     # from the vehicle to the seat; the left to the right namespace
//! backward = { rate_mbps = 2 }
//!
//! [[steps]]                      # each changes only what it names
//! at_s = 20
//! forward = { rate_mbps = 1 }
//! [[steps]]
//! at_s = 30
//! forward = { rate_mbps = 8 }
//! [[steps]]
//! at_s = 40
//! both = { blackhole = true }
//! [[steps]]
//! at_s = 45
//! both = { blackhole = false }
//! ```
//!
//! `rate_mbps = 0` takes the limit away, `burst_packets = 0` makes the loss independent. A limited rate without a queue
//! of its own has one of 200 ms.

mod direction;
mod error;
mod fate;
mod impairment;
pub mod relay;
mod script;
pub mod shell;
mod spec;
#[cfg(test)]
mod tests;

pub use direction::{Delivery, Direction, DirectionStats, PushVerdict};
pub use error::NetemError;
pub use impairment::{Impairment, ImpairmentChange, QueueLimit};
pub use script::Script;
pub use spec::{PathSpec, Preset, presets};

/// Both directions of a path, each with its own seed.
#[derive(Debug)]
pub struct Path<T> {
    /// From the vehicle to the seat; left to right.
    pub forward: Direction<T>,
    /// From the seat to the vehicle; right to left.
    pub backward: Direction<T>,
}

impl<T: Clone> Path<T> {
    /// The path as specified; the same seed gives each packet the same fate.
    #[must_use]
    pub fn new(spec: &PathSpec, seed: u64) -> Self {
        Self {
            forward: Direction::new(spec.forward.clone(), seed.wrapping_mul(2)),
            backward: Direction::new(spec.backward.clone(), seed.wrapping_mul(2).wrapping_add(1)),
        }
    }
}
