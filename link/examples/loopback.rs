//! Pixel-to-pixel latency of the whole link on one machine: stamp, encode, packetize, send over loopback, assemble, decode, read.
//!
//! `cargo run --release -p link --example loopback [SECONDS] [WIDTH] [HEIGHT] [FPS]`

use futures_util::{SinkExt, StreamExt};
use link::video::Planes;
use link::{CameraStreamer, FromVehicle, SeatLink, SeatOptions, VehicleLink, VideoSpec};
use protocol::signalling::Signal;
use protocol::{SeatId, VehicleId, v1};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let argument = |n: usize, default: u32| std::env::args().nth(n).map_or(Ok(default), |text| text.parse());
    let (seconds, fps) = (argument(1, 10)?, argument(4, 30)?);
    let spec = VideoSpec { width: argument(2, 1280)?, height: argument(3, 720)?, fps: f64::from(fps) };
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let url = format!("http://{}", listener.local_addr()?);
    runtime.spawn(relay(listener));

    let origin = Instant::now();
    let hello = v1::Hello { vehicle_id: "car".into(), ..Default::default() };
    let vehicle = Arc::new(VehicleLink::start_with_clock(runtime.handle(), &url, hello, &[spec], origin)?);
    let stop = Arc::new(AtomicBool::new(false));
    let camera = std::thread::spawn({
        let (vehicle, stop) = (vehicle.clone(), stop.clone());
        move || camera(vehicle, spec, &stop)
    });
    let options = SeatOptions { watch_only: false, decode: true };
    let started = Instant::now();
    let seat = SeatLink::connect(runtime.handle(), &url, SeatId::new("desk")?, VehicleId::new("car")?, options)?;
    // Both clocks in one process: the seat's zero on the vehicle's clock is known exactly.
    let seat_zero_us = vehicle.now_us() - seat.now_us();
    let mut latencies_us = Vec::new();
    let mut first = None;
    while first.is_none_or(|first: Instant| first.elapsed() < Duration::from_secs(seconds.into())) {
        match seat.try_recv() {
            Some(FromVehicle::Picture(picture)) => {
                if first.is_none() {
                    println!("call to first picture {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
                }
                first.get_or_insert_with(Instant::now);
                if picture.capture_us > 0 {
                    latencies_us.push((picture.decoded_us + seat_zero_us).saturating_sub(picture.capture_us));
                }
            }
            Some(FromVehicle::Lost { reason }) => println!("lost: {reason}"),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_micros(500)),
        }
    }
    stop.store(true, Ordering::Relaxed);
    if let Ok(Err(error)) = camera.join() {
        println!("camera: {error}");
    }
    latencies_us.sort_unstable();
    let at = |p: f64| latencies_us[((latencies_us.len() - 1) as f64 * p) as usize] as f64 / 1000.0;
    println!("{}x{} at {fps} frames/s, {} pictures", spec.width, spec.height, latencies_us.len());
    println!("pixel to pixel ms: p50 {:.1}, p95 {:.1}, p99 {:.1}, max {:.1}", at(0.5), at(0.95), at(0.99), at(1.0));
    println!("seat {:?}\nclock {:?}\nvehicle {:?}", seat.stats(), seat.clock(), vehicle.stats());
    Ok(())
}

fn camera(link: Arc<VehicleLink>, spec: VideoSpec, stop: &AtomicBool) -> Result<(), link::LinkError> {
    let (width, height) = (spec.width as usize, spec.height as usize);
    let mut streamer = CameraStreamer::new(link.clone(), 0)?;
    let chroma = vec![128; width * height / 4];
    let mut picture = Planes { width, height, y: vec![0; width * height], u: chroma.clone(), v: chroma };
    for sequence in 0usize.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        while link.try_recv().is_some() {}
        for (i, p) in picture.y.iter_mut().enumerate() {
            let (x, row) = (i % width, i / width);
            *p = (70 + (x + sequence * 4) / 16 % 8 * 14 + (row + sequence) / 24 % 4 * 9) as u8;
        }
        // Drawing is the camera's business; the latency counts from here.
        let capture_us = link.now_us();
        streamer.stream(&mut picture, capture_us)?;
        link.send_state(v1::StateDatagram::default());
        let end = capture_us + (1e6 / spec.fps) as u64;
        std::thread::sleep(Duration::from_micros(end.saturating_sub(link.now_us())));
    }
    Ok(())
}

/// Forwards every message to everybody else: enough for one vehicle and one seat.
async fn relay(listener: tokio::net::TcpListener) {
    let peers: Arc<Mutex<BTreeMap<usize, UnboundedSender<Signal>>>> = Arc::default();
    for id in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        let peers = peers.clone();
        tokio::spawn(async move {
            let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
            let (tx, mut rx) = unbounded_channel();
            peers.lock().expect("relay").insert(id, tx);
            loop {
                tokio::select! {
                    Some(signal) = rx.recv() => {
                        let Ok(text) = serde_json::to_string(&signal) else { continue };
                        if socket.send(Message::text(text)).await.is_err() { break }
                    }
                    message = socket.next() => {
                        let Some(Ok(message)) = message else { break };
                        let Message::Text(text) = message else { continue };
                        let Ok(signal) = serde_json::from_str::<Signal>(&text) else { continue };
                        for (_, other) in peers.lock().expect("relay").iter().filter(|(other, _)| **other != id) {
                            let _ = other.send(signal.clone());
                        }
                    }
                }
            }
            peers.lock().expect("relay").remove(&id);
        });
    }
}
