//! A minimal control plane for the tests: it forwards signalling between vehicles and seats and knows nothing else.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../../video/tests/draw/mod.rs"]
mod draw;

use control_plane_client::ControlPlaneAddress;
use draw::draw;
use futures_util::{SinkExt, StreamExt};
use link::{
    CameraStreamer, FromSeat, FromSeatBody, FromVehicle, Paths, SeatLink, SeatOptions, VehicleLink, VehicleOptions,
};
use protocol::signalling::Signal;
use protocol::{SeatId, SeatKind, VehicleId, v1};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use video::{I420Buffer, VideoSpec};

#[derive(Default)]
struct Peers {
    connected: BTreeMap<String, mpsc::UnboundedSender<Signal>>,
    sessions: BTreeMap<String, (String, String)>,
}

/// The relay; dropping it closes every connection and the port.
pub struct Relay {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
    runtime: tokio::runtime::Handle,
}

impl Relay {
    pub fn start(runtime: &Runtime, address: &str) -> Relay {
        let listener = runtime.block_on(bind(address));
        let address = listener.local_addr().unwrap();
        let task = runtime.spawn(serve(listener));
        Relay { address, task, runtime: runtime.handle().clone() }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn stop(self) {
        self.task.abort();
        let runtime = self.runtime.clone();
        runtime.block_on(self.task).unwrap_err();
    }
}

async fn bind(address: &str) -> TcpListener {
    let address: SocketAddr = address.parse().unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(64).unwrap()
}

async fn serve(listener: TcpListener) {
    let peers = Arc::new(Mutex::new(Peers::default()));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let peers = peers.clone();
        connections.spawn(async move {
            let mut query = String::new();
            #[allow(clippy::result_large_err)]
            let callback = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
                assert_eq!(request.uri().path(), "/api/v1/signal");
                query = request.uri().query().unwrap_or_default().to_owned();
                Ok(response)
            };
            let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, callback).await else { return };
            let (mut sink, mut source) = socket.split();
            let (tx, mut rx) = mpsc::unbounded_channel::<Signal>();
            peers.lock().unwrap().connected.insert(query.clone(), tx);
            loop {
                tokio::select! {
                    Some(signal) = rx.recv() => {
                        if sink.send(Message::text(serde_json::to_string(&signal).unwrap())).await.is_err() { break }
                    }
                    message = source.next() => match message {
                        Some(Ok(Message::Text(text))) => forward(&peers, &query, serde_json::from_str(&text).unwrap()),
                        Some(Ok(_)) => {}
                        _ => break,
                    }
                }
            }
            peers.lock().unwrap().connected.remove(&query);
        });
    }
}

fn forward(peers: &Mutex<Peers>, from: &str, signal: Signal) {
    let mut peers = peers.lock().unwrap();
    if let Signal::Call { session, seat, vehicle, .. } = &signal {
        peers.sessions.insert(session.clone(), (format!("seat={seat}"), format!("vehicle={vehicle}")));
    }
    let session = signal.session().unwrap().to_owned();
    let Some((seat, vehicle)) = peers.sessions.get(&session).cloned() else { return };
    let to = if from == seat { &vehicle } else { &seat };
    match peers.connected.get(to) {
        Some(tx) => drop(tx.send(signal)),
        None => {
            if let Some(tx) = peers.connected.get(from) {
                let message = format!("{to} is not connected");
                let _ = tx.send(Signal::Error { session: Some(session), message, code: None });
            }
        }
    }
}

pub const SPEC: VideoSpec = VideoSpec { width: 320, height: 180, fps: 30.0 };
const SECOND_US: u64 = 1_000_000;

/// Everything a seat said, in order.
pub type Heard = Arc<Mutex<Vec<FromSeat>>>;

/// A small vehicle core: sends a moving picture and its state, answers requests, keeps what it hears.
pub struct Vehicle {
    pub heard: Heard,
    pub link: Arc<VehicleLink>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Vehicle {
    pub fn start(runtime: &Runtime, control_plane: &str, spec: VideoSpec) -> Vehicle {
        Self::start_over(runtime, control_plane, spec, Paths::default())
    }

    pub fn start_over(runtime: &Runtime, control_plane: &str, spec: VideoSpec, paths: Paths) -> Vehicle {
        Self::start_at(runtime, &control_plane.parse().unwrap(), spec, paths)
    }

    pub fn start_at(runtime: &Runtime, address: &ControlPlaneAddress, spec: VideoSpec, paths: Paths) -> Vehicle {
        let hello =
            v1::Hello { vehicle_id: "car".into(), width: spec.width, height: spec.height, ..Default::default() };
        let origin = Instant::now();
        let options = VehicleOptions { origin: Some(origin), paths, ..VehicleOptions::default() };
        let link = VehicleLink::start_with(runtime.handle(), address, hello, &[spec], options);
        let link = Arc::new(link.unwrap());
        let (heard, stop) = (Heard::default(), Arc::new(AtomicBool::new(false)));
        let core = {
            let (link, heard, stop) = (link.clone(), heard.clone(), stop.clone());
            std::thread::spawn(move || core(&link, &heard, &stop))
        };
        let camera = {
            let (link, stop) = (link.clone(), stop.clone());
            std::thread::spawn(move || camera(&link, spec, &stop))
        };
        Vehicle { heard, link, stop, threads: vec![core, camera] }
    }

    pub fn heard(&self) -> Vec<FromSeat> {
        self.heard.lock().unwrap().clone()
    }

    pub fn wait_for(&self, what: &str, found: impl Fn(&FromSeat) -> bool) -> FromSeat {
        wait(what, || self.heard().into_iter().find(|m| found(m)))
    }
}

impl Drop for Vehicle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn core(link: &VehicleLink, heard: &Heard, stop: &AtomicBool) {
    let mut sequence = 0;
    while !stop.load(Ordering::Relaxed) {
        sequence += 1;
        let now = link.now_us();
        let state = v1::VehicleState { monotonic_us: now, sequence, ..Default::default() };
        let surroundings = v1::Surroundings {
            corridor: vec![v1::CorridorPoint { s_m: 1.0, ..Default::default() }; 41],
            ..Default::default()
        };
        link.send_state(v1::StateDatagram {
            vehicle_id: "car".into(),
            state: Some(state),
            surroundings: Some(surroundings),
            ..Default::default()
        });
        while let Some(message) = link.try_recv() {
            if let FromSeatBody::Request(request) = &message.body {
                let response = v1::SeatResponse { id: request.id, accepted: true, ..Default::default() };
                let event = v1::vehicle_event::Event::Response(response);
                link.send_event(Some(&message.session), v1::VehicleEvent { event: Some(event), ..Default::default() });
            }
            heard.lock().unwrap().push(message);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn camera(link: &Arc<VehicleLink>, spec: VideoSpec, stop: &AtomicBool) {
    let (width, height) = (spec.width as usize, spec.height as usize);
    let mut streamer = CameraStreamer::new(link.clone(), 0).unwrap();
    let (u, v) = (vec![120; width * height / 4], vec![135; width * height / 4]);
    let mut picture = I420Buffer { width, height, y: vec![0; width * height], u, v };
    let interval = (SECOND_US as f64 / spec.fps) as u64;
    for sequence in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let capture_us = link.now_us();
        draw(&mut picture.y, width, sequence);
        streamer.stream(&mut picture, capture_us).unwrap();
        let left = (capture_us + interval).saturating_sub(link.now_us());
        std::thread::sleep(Duration::from_micros(left));
    }
}

pub fn seat(runtime: &Runtime, control_plane: &str, id: &str, watch_only: bool) -> SeatLink {
    seat_at(runtime, &control_plane.parse().unwrap(), id, watch_only)
}

pub fn seat_at(runtime: &Runtime, address: &ControlPlaneAddress, id: &str, watch_only: bool) -> SeatLink {
    let options = SeatOptions { kind: SeatKind::Human, watch_only, decode: true };
    let (seat, vehicle) = (SeatId::new(id).unwrap(), VehicleId::new("car").unwrap());
    SeatLink::connect(runtime.handle(), address, seat, vehicle, options).unwrap()
}

/// Asks until there is an answer; the limit only ends a test that hangs.
pub fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(40), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads what the vehicle sends until something is found.
pub fn receive<T>(seat: &SeatLink, what: &str, mut found: impl FnMut(FromVehicle) -> Option<T>) -> T {
    wait(what, || {
        while let Some(message) = seat.try_recv() {
            if let Some(found) = found(message) {
                return Some(found);
            }
        }
        None
    })
}

pub fn connected(seat: &SeatLink) {
    receive(seat, "seat connected", |m| matches!(m, FromVehicle::Connected).then_some(()));
}
