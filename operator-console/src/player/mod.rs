//! Plays a recorded episode: pictures of every camera, signals against time, who drove, what happened when.
//!
//! - [`EpisodeIndex`] is all that is read of the file at once: when each picture came, the signals as numbers, who had
//!   authority, markers. Pictures stay in the file until they are wanted.
//! - [`Playhead`] is where in the episode one is; time goes in, a place comes out.
//! - [`pictures`] says what to decode for the picture of a moment; one thread a camera does it and holds one picture.
//! - [`Player`] joins them; [`view::draw`] draws it and tells what was pressed.
//! - [`play`] opens the window.

mod clock;
mod decode;
mod facts;
mod index;
pub mod pictures;
pub mod plots;
mod screen;
mod state;
pub mod view;

pub use clock::{Playhead, SPEEDS};
pub use decode::{Decoders, Picture, Shown};
pub use facts::Facts;
pub use index::{Authority, Band, CameraTrack, Changes, EpisodeIndex, Marker, MarkerKind, Signals};
pub use screen::{PlayOptions, play};
pub use state::{Intent, Player};
