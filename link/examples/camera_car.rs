//! A vehicle with a moving picture and its own little control plane, to try any seat against, a browser's too.
//!
//! `cargo run --release -p link --example camera_car [ADDRESS] [SECONDS]` serves `ws://ADDRESS/api/v1/signal`; the vehicle is `car`.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Relay, Vehicle};
use link::FromSeatBody;
use std::time::{Duration, Instant};
use video::VideoSpec;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".to_owned());
    let seconds = std::env::args().nth(2).map_or(Ok(3600), |text| text.parse())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let relay = Relay::start(&runtime, &address);
    let spec = VideoSpec { width: 1280, height: 720, fps: 30.0 };
    let vehicle = Vehicle::start(&runtime, &relay.url(), spec);
    println!("control plane at {}, vehicle \"car\"", relay.url());
    let (start, mut seen) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        for message in vehicle.heard().iter().skip(seen) {
            seen += 1;
            match &message.body {
                FromSeatBody::Command(command) if command.report.is_none() => {}
                body => println!("{}: {body:?}", message.seat_id),
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("{:?}", vehicle.link.stats());
    Ok(())
}
