//! The one client of the control plane's HTTP interface.
//!
//! [`ControlPlaneAddress`] says where a control plane is and by which authority its certificate is checked;
//! [`ControlPlaneArgs`] are the options by which every program is told it. [`ControlPlaneClient`] has a method for each
//! route that a program calls; requests and answers are the types of [`protocol::api`], which the control plane itself
//! uses. What can go wrong is one type, [`ClientError`]. Every call blocks.
//!
//! # One policy
//!
//! A connection, with its TLS handshake, is given [`CONNECT_TIMEOUT`]; a call as a whole [`CALL_TIMEOUT`]. Three kinds
//! of calls last longer by nature: an erasure or a retention run answers once all files are gone ([`REMOVAL_TIMEOUT`]),
//! an upload's answer comes once the file is stored ([`STORE_TIMEOUT`]), and the bytes of a file, to or from the control
//! plane, may take any time as long as some of them move within [`TRANSFER_TIMEOUT`].
//!
//! [`Retry`] says how often a call is repeated. Only idempotent calls are, and only after failures that may pass: no
//! connection, a connection that broke, 408, 429 and 5xx. Reports are idempotent by their identity, so that all of them
//! are; bytes of an upload, erasures and retention runs are not. Redirects are never followed: an address that points
//! elsewhere is the user's to change.
//!
//! ```no_run
//! use control_plane_client::{ControlPlaneAddress, ControlPlaneClient, Retry};
//! let address: ControlPlaneAddress = "https://control-plane.example".parse()?;
//! let client = ControlPlaneClient::new(&address, Retry::Briefly);
//! for vehicle in client.vehicles()? {
//!     println!("{} is {}", vehicle.vehicle, if vehicle.online { "online" } else { "offline" });
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It does not speak signalling; `link` does, to the same [`ControlPlaneAddress`] and with the same [`tls_problem`].

mod address;
mod args;
mod client;
mod error;
mod exchange;
mod retry;
mod tls;

pub use address::{ControlPlaneAddress, ControlPlaneAddressError};
pub use args::ControlPlaneArgs;
pub use client::ControlPlaneClient;
pub use error::ClientError;
pub use exchange::{CALL_TIMEOUT, CONNECT_TIMEOUT, REMOVAL_TIMEOUT, STORE_TIMEOUT, TRANSFER_TIMEOUT};
pub use retry::Retry;
pub use tls::tls_problem;
