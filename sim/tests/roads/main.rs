//! Road networks from OpenDRIVE, and routes through them.

#![allow(clippy::unwrap_used)]

mod bad_files;
mod networks;
mod routes;
mod texts;
