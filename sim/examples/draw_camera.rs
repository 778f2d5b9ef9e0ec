//! Draws what the front camera sees on one of the built-in roads, or measures how long that takes.
//!
//! ```text
//! cargo run -p sim --release --example draw_camera -- --road soderleden --at 120 --rain 0.3 --out frame.ppm
//! cargo run -p sim --release --example draw_camera -- --road fabriksgatan --bench
//! ```
//!
//! Options: `--road NAME`, `--seed N` (picks the route), `--at METRES` along the route, `--rain 0..1`, `--time SECONDS`,
//! `--small` (320x180), `--out FILE` (PPM), `--bench` (median over 300 frames of a drive among 20 actors).

use protocol::v1::{ObjectKind, Pose2};
use rand::SeedableRng;
use sim::camera::{Camera, CameraSpec};
use sim::road::RoadNetwork;
use sim::route::Route;
use sim::scene::{Actor, SceneSnapshot};
use std::{error::Error, io::Write, sync::Arc, time::Instant};
use video::I420Buffer;

struct Options {
    road: String,
    seed: u64,
    at_m: f64,
    rain: f64,
    time_s: f64,
    small: bool,
    bench: bool,
    out: String,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        road: "soderleden".to_owned(),
        seed: 1,
        at_m: 60.0,
        rain: 0.0,
        time_s: 0.0,
        small: false,
        bench: false,
        out: "frame.ppm".to_owned(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--road" => options.road = value()?,
            "--seed" => options.seed = value()?.parse()?,
            "--at" => options.at_m = value()?.parse()?,
            "--rain" => options.rain = value()?.parse()?,
            "--time" => options.time_s = value()?.parse()?,
            "--out" => options.out = value()?,
            "--small" => options.small = true,
            "--bench" => options.bench = true,
            _ => return Err(format!("unknown option {word}; the head of the example's source lists them").into()),
        }
    }
    Ok(options)
}

/// One actor of each sort: metres ahead, metres to the left, turned by, kind.
const CAST: [(f64, f64, f64, ObjectKind); 20] = [
    (14.0, 0.1, 0.0, ObjectKind::Car),
    (34.0, 0.0, 0.0, ObjectKind::Car),
    (70.0, 0.2, 0.0, ObjectKind::Car),
    (120.0, 0.0, 0.0, ObjectKind::Truck),
    (24.0, 3.5, std::f64::consts::PI, ObjectKind::Car),
    (55.0, 3.5, std::f64::consts::PI, ObjectKind::Truck),
    (95.0, 3.6, std::f64::consts::PI, ObjectKind::Car),
    (9.0, -2.4, 1.8, ObjectKind::Pedestrian),
    (18.0, -3.4, 0.2, ObjectKind::Pedestrian),
    (21.0, -3.2, 2.8, ObjectKind::Pedestrian),
    (40.0, -2.9, 1.6, ObjectKind::Pedestrian),
    (16.0, -1.9, 0.0, ObjectKind::Cyclist),
    (44.0, 1.6, 0.0, ObjectKind::Cyclist),
    (8.0, -1.7, 0.0, ObjectKind::Cone),
    (12.0, 1.9, 0.0, ObjectKind::Cone),
    (16.0, 1.6, 0.0, ObjectKind::Cone),
    (20.0, 1.3, 0.0, ObjectKind::Cone),
    (24.0, 1.0, 0.0, ObjectKind::Cone),
    (28.0, -3.6, 0.1, ObjectKind::Car),
    (36.0, -3.7, 0.0, ObjectKind::Truck),
];

fn actors(route: &Route, ego_s_m: f64) -> Vec<Actor> {
    let actor = |(id, &(ahead, left, turn, kind)): (usize, &(f64, f64, f64, ObjectKind))| {
        let station = route.at(ego_s_m + ahead);
        let (sin, cos) = station.heading_rad.sin_cos();
        let (length_m, width_m, speed_mps) = match kind {
            ObjectKind::Truck => (9.5, 2.5, 12.0),
            ObjectKind::Cyclist => (1.8, 0.6, 5.0),
            ObjectKind::Pedestrian => (0.5, 0.5, 1.4),
            ObjectKind::Cone => (0.4, 0.4, 0.0),
            ObjectKind::Car | ObjectKind::Unknown => (4.5, 1.8, 13.0),
        };
        Actor {
            id: id as u32,
            kind,
            x_m: station.x_m - left * sin,
            y_m: station.y_m + left * cos,
            heading_rad: station.heading_rad + turn,
            speed_mps,
            length_m,
            width_m,
            braking: id % 2 == 0,
            hazards: id % 9 == 0,
        }
    };
    CAST.iter().enumerate().map(actor).collect()
}

fn scene(route: &Route, at_m: f64, time_s: f64, rain: f64) -> SceneSnapshot {
    let here = route.at(at_m);
    let ego = Pose2 { x_m: here.x_m, y_m: here.y_m, heading_rad: here.heading_rad };
    SceneSnapshot { time_s, ego, speed_mps: 13.0, actors: actors(route, at_m), rain }
}

fn bench(camera: &mut Camera, picture: &mut I420Buffer, route: &Route, rain: f64) {
    let mut frames_ms: Vec<f64> = (0..300)
        .map(|frame| {
            let time_s = f64::from(frame) / 30.0;
            let scene = scene(route, 13.0 * time_s, time_s, rain);
            let start = Instant::now();
            camera.draw(&scene, picture);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    frames_ms.sort_by(f64::total_cmp);
    println!(
        "{}x{}: median {:.2} ms, 95th percentile {:.2} ms, worst {:.2} ms over {} frames",
        picture.width,
        picture.height,
        frames_ms[150],
        frames_ms[285],
        frames_ms[299],
        frames_ms.len()
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let network = Arc::new(RoadNetwork::built_in(&options.road)?);
    let route = network.random_route(&mut rand_chacha::ChaCha8Rng::seed_from_u64(options.seed), 600.0)?;
    let spec = if options.small { CameraSpec::small() } else { CameraSpec::front_720p() };
    let mut picture = I420Buffer::black(spec.width, spec.height);
    let mut camera = Camera::new(&network, spec);
    if options.bench {
        bench(&mut camera, &mut picture, &route, options.rain);
        return Ok(());
    }
    camera.draw(&scene(&route, options.at_m, options.time_s, options.rain), &mut picture);
    let mut file = std::fs::File::create(&options.out)?;
    writeln!(file, "P6 {} {} 255", picture.width, picture.height)?;
    file.write_all(&picture.to_rgb())?;
    println!("{}: {} at {} m of {:.0} m", options.out, options.road, options.at_m, route.length_m());
    Ok(())
}
