//! Signalling: who is connected, and who may say what to whom. A session that runs needs nobody here: when this server
//! dies or a peer's WebSocket breaks, picture and control go on between the peers; only a peer's own `Bye` ends it.

mod hub;
mod ice;
mod issuer;
mod socket;

pub use hub::{Hub, Identity, Party};
pub use ice::{IceConfig, TurnAccess};
pub use issuer::{Issuer, KEY as GRANT_KEY};
pub use socket::{MAX_CONNECTIONS, MAX_MESSAGE, serve_peer};
