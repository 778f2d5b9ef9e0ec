//! The control plane: what vehicles, seats, the trainer and people share.
//!
//! It keeps the catalogue of vehicles, distance, takeovers, episodes, policy versions and evaluations in SQLite, relays
//! signalling between seats and vehicles, takes in their episodes (to a folder or to S3), and serves the dashboard with the live cameras. Start it with
//! [`Server::start`], or run it to its end with [`serve`]. The JSON bodies are [`protocol::api`].
//!
//! - What was answered with success is on the disk: SIGKILL and power cuts lose none of it. Every `POST` may be
//!   repeated; nothing counts twice.
//! - A session between seat and vehicle does not depend on this process once it runs.
//! - The number it exists for is miles per disengagement, always with its exact Poisson 95 % interval: of the fleet at
//!   `/api/v1/fleet`, of each version on roads and seeds kept out of training at `/api/v1/report`.
//!
//! It does not know who asks: it listens on 127.0.0.1 unless told otherwise, and whoever reaches it may use it.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let config = web::WebConfig { addr: "127.0.0.1:0".parse()?, ..web::WebConfig::new(folder.path()) };
//! let server = web::Server::start(config).await?;
//! println!("the dashboard is at http://{}", server.addr());
//! server.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod app;
mod check;
pub mod cli;
mod data_folder;
mod erasure;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod listeners;
mod live;
mod objects;
#[cfg(test)]
mod page_types;
mod reply;
mod retention;
mod routes;
mod server;
mod signal;
mod storage;
mod store;
mod stun;
mod uploads;

pub use error::{Error, Result};
pub use objects::{ObjectKey, Objects, ObjectsError, UploadKind};
pub use retention::{Retention, RetentionError, RetentionRule};
pub use server::{DATABASE, Server, WebConfig, serve};
pub use signal::{IceConfig, TurnAccess};
pub use store::Database;
