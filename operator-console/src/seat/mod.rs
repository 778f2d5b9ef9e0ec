//! The seat's own thread and the logic it runs: devices in, commands out, 100 times a second, whatever the window does.
//!
//! [`SeatLogic`] is sans-IO: it is handed the time, the devices' [`crate::input::Sample`] and what the vehicle says, and
//! returns what to send. [`SeatThread`] is the shell with the clock, the gamepad and the link.

mod authority;
mod checklist;
mod estop;
mod logic;
mod notices;
mod picture;
mod requests;
mod thread;
mod view;

pub use authority::{AuthorityTracker, Holder};
pub use checklist::{Check, Facts, checklist, failures};
pub use estop::{Estop, EstopPhase, EstopSend, RESET_HOLD_US};
pub use logic::{Outputs, SeatLogic, TickInputs};
pub use notices::{Level, Notice, Notices};
pub use picture::{OLD_US, PictureTimes, STALE_US};
pub use requests::{Purpose, Requests};
pub use thread::{SeatOptions, SeatThread};
pub use view::{Connection, PathChoice, SeatView};
