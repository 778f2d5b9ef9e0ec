//! What is written over the picture: [`HudState`] says what, [`hud`] draws it.

mod banner;
mod state;
mod view;
mod ways;

pub use banner::{Banner, Mark};
pub use state::{CheckLine, HudState, Line, Tone};
pub(crate) use view::mark;
pub use view::{Clicks, hud};
pub use ways::Ways;
