//! Playing an episode: read, decoded, drawn, and shown in a real window.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod drawing;
mod fixture;
mod reading;
#[path = "../screen/mod.rs"]
mod screen;
mod window;
