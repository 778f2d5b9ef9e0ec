//! A seat that says whatever bytes it likes, over a real session.

#[path = "../../link/tests/foreign/mod.rs"]
mod foreign;

use anyhow::Context;
use bytes::BytesMut;
use foreign::ForeignSeat;
use futures_util::StreamExt;
use prost::Message as _;
use protocol::v1::{self, SeatRequest, SeatResponse, StateDatagram, VehicleEvent, vehicle_event};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::PeerConnection;

/// What the vehicle said.
#[derive(Debug, Default)]
pub struct Heard {
    /// Every state since it was last taken.
    pub states: Vec<StateDatagram>,
    /// Answers to requests.
    pub responses: Vec<SeatResponse>,
    opened: BTreeSet<String>,
}

/// A seat made of a WebRTC library and nothing of `link`. Its channels to the vehicle are reliable and in order, so that
/// every message can be accounted for.
pub struct RawSeat {
    heard: Arc<Mutex<Heard>>,
    command: Arc<dyn DataChannel>,
    requests: Arc<dyn DataChannel>,
    next_request: u64,
    _connection: Arc<dyn PeerConnection>,
    /// Keeps signalling open.
    _signalling: tokio::task::JoinHandle<()>,
}

const TIMEOUT: Duration = Duration::from_secs(60);

impl RawSeat {
    /// Calls `vehicle` as `seat` and waits until all channels are open.
    ///
    /// # Errors
    /// When the control plane or the vehicle refuses, or nothing comes for a minute.
    pub async fn connect(plane: &str, seat: &str, vehicle: &str) -> anyhow::Result<Self> {
        tokio::time::timeout(TIMEOUT, Self::call(plane, seat, vehicle)).await.context("no session within a minute")?
    }

    async fn call(plane: &str, seat: &str, vehicle: &str) -> anyhow::Result<Self> {
        let labels = [link::COMMAND_CHANNEL, link::REQUESTS_CHANNEL];
        let called = ForeignSeat::call(plane, seat, vehicle, &labels, &[]).await;
        let ForeignSeat { connection, own, others, mut socket } = called.map_err(anyhow::Error::from_boxed)?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        for channel in own.iter().chain(&others) {
            tokio::spawn(listen(channel.clone(), heard.clone()));
        }
        let signalling = tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
        let [command, requests] = [own[0].clone(), own[1].clone()];
        let seat = Self { heard, command, requests, next_request: 1, _connection: connection, _signalling: signalling };
        tokio::spawn(stay(seat.command.clone()));
        // What is sent before both sides are ready may be lost: the vehicle says so with its first event.
        let labels = [link::COMMAND_CHANNEL, link::REQUESTS_CHANNEL, link::EVENTS_CHANNEL];
        while !labels.iter().all(|label| seat.heard().opened.contains(*label)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(seat)
    }

    /// What the vehicle said.
    pub fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends these bytes where commands go.
    ///
    /// # Errors
    /// When the session is gone.
    pub async fn send_command(&self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.command.send(BytesMut::from(bytes)).await.map(drop)?)
    }

    /// Sends these bytes where requests go.
    ///
    /// # Errors
    /// When the session is gone.
    pub async fn send_request(&self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.requests.send(BytesMut::from(bytes)).await.map(drop)?)
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// When none comes within a minute.
    pub async fn ask(&mut self, request: v1::seat_request::Request) -> anyhow::Result<SeatResponse> {
        let id = 1_000_000_000 + self.next_request;
        self.next_request += 1;
        let request = SeatRequest { id, request: Some(request), ..SeatRequest::default() };
        self.send_request(&request.encode_to_vec()).await?;
        let answered = async {
            loop {
                if let Some(response) = self.heard().responses.iter().find(|r| r.id == id).cloned() {
                    return response;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(TIMEOUT, answered).await.context("no answer to a request within a minute")
    }
}

/// A seat that is not heard for two seconds is gone: signs of life that ask for nothing.
async fn stay(command: Arc<dyn DataChannel>) {
    let mut seat_us = 0;
    loop {
        seat_us += 250_000;
        let ping = v1::CommandDatagram { ping: Some(v1::ClockPing { t1_us: seat_us }), ..Default::default() };
        // Before the channel opens this fails; after the session it is of no use.
        let _ = command.send(BytesMut::from(&ping.encode_to_vec()[..])).await;
        tokio::time::sleep(Duration::from_micros(250_000)).await;
    }
}

async fn listen(channel: Arc<dyn DataChannel>, heard: Arc<Mutex<Heard>>) {
    let Ok(label) = channel.label().await else { return };
    while let Some(event) = channel.poll().await {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            DataChannelEvent::OnOpen => drop(heard.opened.insert(label.clone())),
            DataChannelEvent::OnMessage(message) => {
                heard.opened.insert(label.clone());
                let data = message.data.freeze();
                if label == link::STATE_CHANNEL {
                    heard.states.extend(StateDatagram::decode(data));
                } else if let Ok(event) = VehicleEvent::decode(data)
                    && let Some(vehicle_event::Event::Response(response)) = event.event
                {
                    heard.responses.push(response);
                }
            }
            _ => {}
        }
    }
}
