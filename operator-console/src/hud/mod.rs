//! What is written over the picture: [`HudState`] says what, [`hud`] draws it.

mod banner;
mod path_overlay;
mod state;
mod view;

pub use banner::{Banner, Mark};
pub use path_overlay::PathOverlay;
pub use state::{CheckLine, HudState, Line, Tone};
pub(crate) use view::mark;
pub use view::{Clicks, hud};
