//! Road networks from OpenDRIVE, and routes through them.

#![allow(clippy::unwrap_used)]

mod bad_files;
mod foreign;
mod limits;
mod networks;
mod routes;
mod texts;
