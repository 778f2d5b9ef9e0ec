//! The control plane without its socket, for the fuzz targets (`tests/fuzz`); not an interface.

use crate::app::router;
use crate::error::Result;
use crate::server::{Opened, WebConfig, open};
use crate::signal::{Identity, Party};
use axum::extract::ws::Utf8Bytes;
use protocol::signalling::Signal;
use protocol::{SeatId, VehicleId};
use std::collections::BTreeMap;
use tokio::sync::mpsc::Receiver;

/// All that a running control plane has but the listener.
pub struct Plane {
    opened: Opened,
    queues: BTreeMap<String, Receiver<Utf8Bytes>>,
}

impl Plane {
    /// Opens the data folder as [`crate::Server::start`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn open(config: WebConfig) -> Result<Self> {
        Ok(Self { opened: open(config).await?, queues: BTreeMap::new() })
    }

    /// What answers requests.
    pub fn router(&self) -> axum::Router {
        router(self.opened.app.clone())
    }

    /// A signalling message of this vehicle or seat, which is connected from here on; what the control plane answers.
    pub fn signal(&mut self, is_vehicle: bool, name: &str, text: String) -> Option<Signal> {
        let party = match is_vehicle {
            true => Party::Vehicle(VehicleId::new(name).ok()?),
            false => Party::Seat(SeatId::new(name).ok()?),
        };
        let hub = &self.opened.app.hub;
        self.queues.entry(party.to_string()).or_insert_with(|| hub.register(&party).queue);
        hub.handle(&Identity { party, fingerprint: Some("AB:CD".to_owned()) }, &text.into())
    }

    /// Every message that waits for a peer.
    pub fn delivered(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for queue in self.queues.values_mut() {
            while let Ok(text) = queue.try_recv() {
                all.push(text.to_string());
            }
        }
        all
    }

    /// Closes the database.
    pub async fn close(self) {
        self.opened.stop.send_replace(true);
        self.opened.app.store.close().await;
    }
}
