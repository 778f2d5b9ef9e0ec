//! The desktop seat: live picture, who drives, keyboard and gamepad, take over, hand back, emergency stop.
//!
//! - [`seat::SeatLogic`] decides, without any I/O, what to send for what the person does and the vehicle says.
//!   [`seat::SeatThread`] runs it 100 times a second beside the window: a stalled frame never stalls a command.
//! - [`input`] turns keyboard and gamepad into one [`input::Sample`]; its pages list the keys and buttons.
//! - [`hud::HudState`] is all that is written on the screen, as text and colours, made by a pure function from
//!   [`seat::SeatView`]; [`hud::hud`] draws it.
//! - [`app::run`] opens the window.
//! - [`player`] plays recorded episodes in a window of its own: pictures, signals, a timeline.
//!
//! ```
//! use operator_console::hud::HudState;
//! use operator_console::seat::SeatView;
//!
//! let state = HudState::from_view(&SeatView::empty("desk"), std::time::Duration::ZERO);
//! assert_eq!(state.banner.title, "WAITING FOR VEHICLE");
//! ```
//!
//! It decides nothing that matters for safety: every request and every command is judged by the vehicle, and what is
//! shown as granted, latched or driving is what the vehicle said.

pub mod app;
mod error;
pub mod finder;
pub mod hud;
pub mod input;
pub mod player;
pub mod seat;
mod shared;
pub mod tokens;
pub mod video;
mod window;

pub use error::ConsoleError;
pub use shared::{Shared, Shown};
