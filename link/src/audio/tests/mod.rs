//! The playout buffer in virtual time, and hostile packets.

mod hostile;
mod path;
