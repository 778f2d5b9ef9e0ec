//! Finished episodes on their way to the control plane: made ready ([`prepare`], what takes long by a [`worker`]), in an
//! order ([`queue`]), no faster than the link allows ([`budget`], [`bucket`], [`pace`]), by a protocol that goes on where it stopped ([`send`]).

pub mod bucket;
pub mod budget;
pub mod pace;
pub mod prepare;
pub mod queue;
pub mod send;
pub mod uploader;
pub mod worker;

pub use budget::Allowance;
pub use pace::Pace;
pub use send::UploadError;
