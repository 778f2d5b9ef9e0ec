use super::*;
use crate::road::{CentrePoint, LaneId, LaneKind, RoadMark, SpeedLimit};
use crate::scene::Actor;
use protocol::v1::{ObjectKind, Pose2};
use rand::SeedableRng;

/// A straight lane along +x from -20 m to 400 m, 3.5 m wide, its centre at `y_m`.
fn straight_lane(id: usize, kind: LaneKind, y_m: f64, left_mark: RoadMark, right_mark: RoadMark) -> Lane {
    let point = |index: i32| CentrePoint {
        s_m: f64::from(index),
        x_m: f64::from(index) - 20.0,
        y_m,
        heading_rad: 0.0,
        curvature_per_m: 0.0,
        left_m: 1.75,
        right_m: 1.75,
    };
    Lane {
        id: LaneId(id),
        kind,
        centre: (0..=420).map(point).collect(),
        successors: vec![],
        predecessors: vec![],
        left: None,
        right: None,
        opposite: None,
        speed_limits: vec![SpeedLimit { from_m: 0.0, limit_mps: 14.0 }],
        left_mark,
        right_mark,
        length_m: 420.0,
    }
}

fn street() -> Vec<Lane> {
    vec![
        straight_lane(0, LaneKind::Driving, 0.0, RoadMark::Broken, RoadMark::Solid),
        straight_lane(1, LaneKind::Driving, 3.5, RoadMark::Solid, RoadMark::Broken),
        straight_lane(2, LaneKind::Sidewalk, -3.5, RoadMark::None, RoadMark::None),
    ]
}

fn actor(id: u32, kind: ObjectKind, x_m: f64, y_m: f64) -> Actor {
    let (length_m, width_m) = match kind {
        ObjectKind::Truck => (9.0, 2.5),
        ObjectKind::Car | ObjectKind::Unknown => (4.5, 1.8),
        ObjectKind::Cyclist => (1.8, 0.6),
        ObjectKind::Pedestrian | ObjectKind::Cone => (0.5, 0.5),
    };
    let speed_mps = 2.0;
    Actor {
        id,
        kind,
        x_m,
        y_m,
        heading_rad: 0.0,
        speed_mps,
        length_m,
        width_m,
        braking: id.is_multiple_of(2),
        hazards: id.is_multiple_of(3),
    }
}

const KINDS: [ObjectKind; 6] = [
    ObjectKind::Unknown,
    ObjectKind::Car,
    ObjectKind::Truck,
    ObjectKind::Pedestrian,
    ObjectKind::Cyclist,
    ObjectKind::Cone,
];

fn scene(actors: Vec<Actor>, rain: f64) -> SceneSnapshot {
    SceneSnapshot { time_s: 1.0, ego: Pose2 { x_m: 0.0, y_m: 0.0, heading_rad: 0.0 }, speed_mps: 10.0, actors, rain }
}

fn drawn(spec: CameraSpec, scene: &SceneSnapshot) -> Picture {
    let mut picture = Picture::new(spec.width, spec.height);
    Camera::of_lanes(&street(), spec).draw(scene, &mut picture);
    picture
}

/// Columns from first to last, and rows from first to last, in which two pictures differ by more than the shadow.
fn changed(a: &Picture, b: &Picture, threshold: u8) -> Option<[usize; 4]> {
    let differs = |index: &usize| a.y[*index].abs_diff(b.y[*index]) > threshold;
    let places: Vec<_> = (0..a.y.len()).filter(differs).map(|index| (index % a.width, index / a.width)).collect();
    let columns = places.iter().map(|p| p.0);
    let rows = places.iter().map(|p| p.1);
    Some([columns.clone().min()?, columns.max()?, rows.clone().min()?, rows.max()?])
}

#[test]
fn ground_begins_at_the_row_that_the_pitch_gives() {
    for pitch_rad in [-0.2, -0.06, 0.0, 0.1] {
        let spec = CameraSpec { pitch_rad, ..CameraSpec::front_720p() };
        let expected = 360.0 + 914.01 * f64::tan(pitch_rad);
        assert!((spec.horizon_px() - expected).abs() < 0.1, "{} against {expected}", spec.horizon_px());
        let empty = SceneSnapshot { ego: Pose2 { x_m: 1e6, y_m: 1e6, heading_rad: 0.0 }, ..scene(vec![], 0.0) };
        let picture = drawn(spec, &empty);
        // Woods above the horizon are dark; grass in the haze below it is lighter.
        let column: Vec<u8> = (0..720).map(|row| picture.y[row * 1280 + 640]).collect();
        let steps =
            (expected as usize - 8..expected as usize + 8).map(|row| (column[row].abs_diff(column[row + 1]), row));
        let (_, row) = steps.max().unwrap();
        assert!((row as f64 + 1.0 - expected).abs() <= 1.0, "edge under row {row}, expected at {expected}");
    }
}

#[test]
fn car_dead_ahead_covers_the_pixels_that_the_pinhole_gives() {
    let spec = CameraSpec { pitch_rad: 0.0, ..CameraSpec::front_720p() };
    let car = actor(2, ObjectKind::Car, 1.6 + 20.0 + 2.25, 0.0);
    let [left, right, top, _] =
        changed(&drawn(spec.clone(), &scene(vec![car], 0.0)), &drawn(spec, &scene(vec![], 0.0)), 25).unwrap();
    let focal = 640.0 / 35f64.to_radians().tan();
    // The rear is 20 m away; the roof's rear edge 0.38 of half a length further.
    let expected_left = 640.0 - focal * 0.9 / 20.0;
    let expected_right = 640.0 + focal * 0.9 / 20.0;
    let expected_top = 360.0 - focal * (vehicles::CAR_ROOF_M - 1.4) / (20.0 + 0.38 * 2.25);
    assert!((left as f64 - expected_left).abs() <= 2.0, "left {left}, expected {expected_left}");
    assert!((right as f64 + 1.0 - expected_right).abs() <= 2.0, "right {right}, expected {expected_right}");
    assert!((top as f64 - expected_top).abs() <= 2.0, "top {top}, expected {expected_top}");
}

#[test]
fn a_lens_beside_the_middle_sees_what_stands_before_it_in_the_middle() {
    let spec = CameraSpec { pitch_rad: 0.0, left_m: 0.8, ..CameraSpec::front_720p() };
    // To the left of a car that heads north is west.
    let ego = Pose2 { x_m: 1e3, y_m: 1e3, heading_rad: std::f64::consts::FRAC_PI_2 };
    let person = Actor { x_m: 1e3 - 0.8, y_m: 1e3 + 15.0, ..actor(1, ObjectKind::Pedestrian, 0.0, 0.0) };
    let seen = |actors| SceneSnapshot { ego, ..scene(actors, 0.0) };
    let columns = |spec: &CameraSpec| {
        let [left, right, ..] =
            changed(&drawn(spec.clone(), &seen(vec![person.clone()])), &drawn(spec.clone(), &seen(vec![])), 25)
                .unwrap();
        (left + right) as f64 / 2.0
    };
    assert!((columns(&spec) - 640.0).abs() <= 6.0, "{}", columns(&spec));
    let offset_px = spec.focal_px() * 0.8 / (15.0 - spec.forward_m);
    let middle = CameraSpec { left_m: 0.0, ..spec };
    assert!((columns(&middle) - 640.0 + offset_px).abs() <= 6.0, "{}", columns(&middle));
}

#[test]
fn lane_line_runs_where_the_pinhole_puts_it() {
    let spec = CameraSpec { pitch_rad: 0.0, ..CameraSpec::front_720p() };
    let picture = drawn(spec.clone(), &scene(vec![], 0.0));
    for distance in [6.0, 10.0, 20.0] {
        let row = (360.0 + spec.focal_px() * 1.4 / distance).round() as usize;
        let exact = spec.focal_px() * 1.4 / (row as f64 + 0.5 - 360.0);
        let expected = 640.0 + spec.focal_px() * 1.75 / exact;
        let line = &picture.y[row * 1280..][..1280];
        let bright: Vec<usize> = (700..1280).filter(|&x| line[x] > 175).collect();
        let middle = bright.iter().sum::<usize>() as f64 / bright.len() as f64 + 0.5;
        assert!((middle - expected).abs() <= 2.0, "at {distance} m: {middle}, expected {expected}");
    }
}

#[test]
fn same_scene_gives_the_same_bytes_from_a_used_and_a_new_camera() {
    let spec = CameraSpec::small();
    let actors: Vec<Actor> =
        (0..).zip(KINDS).map(|(id, kind)| actor(id, kind, 8.0 + 3.0 * f64::from(id), 1.0)).collect();
    let mut used = Camera::of_lanes(&street(), spec.clone());
    let mut picture = Picture::new(1, 1);
    used.draw(&scene(vec![], 1.0), &mut picture);
    used.draw(&scene(actors.clone(), 0.6), &mut picture);
    assert!(picture == drawn(spec, &scene(actors, 0.6)));
}

#[test]
fn driving_on_moves_the_grain_of_an_empty_road() {
    let spec = CameraSpec::small();
    let here = scene(vec![], 0.0);
    let mut further = here.clone();
    further.ego.x_m += 0.4;
    let (a, b) = (drawn(spec.clone(), &here), drawn(spec, &further));
    let asphalt = 150 * 320 + 150..150 * 320 + 190;
    let moved: u32 = a.y[asphalt.clone()].iter().zip(&b.y[asphalt]).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    assert!(moved > 40, "luma changed by {moved} over 40 pixels");
}

#[test]
fn heavy_rain_takes_the_contrast_from_a_car_at_80_m() {
    let spec = CameraSpec::front_720p();
    let contrast = |rain: f64| {
        let mut with = Camera::of_lanes(&street(), spec.clone());
        let mut pictures = [Picture::new(0, 0), Picture::new(0, 0)];
        with.draw(&scene(vec![actor(0, ObjectKind::Car, 80.0, 0.0)], rain), &mut pictures[0]);
        with.draw(&scene(vec![], rain), &mut pictures[1]);
        let [a, b] = pictures;
        a.y.iter().zip(&b.y).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
    };
    assert!(contrast(1.0) * 2 < contrast(0.0), "{} against {}", contrast(1.0), contrast(0.0));
}

#[test]
fn brake_lights_are_brighter_and_hazards_blink() {
    let spec = CameraSpec::front_720p();
    let car = Actor { braking: false, hazards: false, ..actor(1, ObjectKind::Car, 15.0, 0.0) };
    let redness = |scene: &SceneSnapshot| drawn(spec.clone(), scene).v.iter().map(|v| u64::from(*v)).sum::<u64>();
    let braking = Actor { braking: true, ..car.clone() };
    assert!(redness(&scene(vec![braking], 0.0)) > redness(&scene(vec![car.clone()], 0.0)));
    let blinking = Actor { hazards: true, ..car };
    let at = |time_s: f64| drawn(spec.clone(), &SceneSnapshot { time_s, ..scene(vec![blinking.clone()], 0.0) });
    assert!(at(0.1) != at(0.5), "the lamps look the same in both halves of the period");
}

#[test]
fn odd_and_tiny_pictures_are_filled_whole() {
    for (width, height) in [(0, 0), (1, 1), (0, 9), (9, 0), (3, 2), (161, 91), (160, 90), (321, 181)] {
        let spec = CameraSpec { width, height, ..CameraSpec::front_720p() };
        let actors = (0..).zip(KINDS).map(|(id, kind)| actor(id, kind, 6.0, 0.5 * f64::from(id))).collect();
        let picture = drawn(spec, &scene(actors, 0.7));
        assert_eq!((picture.width, picture.height), (width, height));
        assert_eq!(picture.y.len(), width * height);
        assert_eq!(picture.u.len(), width.div_ceil(2) * height.div_ceil(2));
        assert_eq!(picture.v.len(), picture.u.len());
        assert!(picture.y.iter().all(|&y| y > 16), "{width}x{height} has a hole");
    }
}

#[test]
fn values_that_are_not_finite_neither_panic_nor_show() {
    let spec = CameraSpec::small();
    let clean = drawn(spec.clone(), &scene(vec![], 0.0));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let good = actor(1, ObjectKind::Car, 10.0, 0.0);
        let actors = vec![
            Actor { x_m: bad, ..good.clone() },
            Actor { heading_rad: bad, ..good.clone() },
            Actor { length_m: bad, ..good.clone() },
            Actor { width_m: 0.0, ..good.clone() },
            Actor { length_m: -4.0, ..good },
        ];
        assert!(drawn(spec.clone(), &scene(actors, 0.0)) == clean, "an actor with {bad} shows");
        let lost = SceneSnapshot {
            time_s: bad,
            ego: Pose2 { x_m: bad, y_m: bad, heading_rad: bad },
            speed_mps: bad,
            actors: vec![actor(1, ObjectKind::Pedestrian, 10.0, 0.0)],
            rain: bad,
        };
        drawn(spec.clone(), &lost);
        let lens = CameraSpec {
            horizontal_fov_rad: bad,
            height_m: bad,
            forward_m: bad,
            left_m: bad,
            pitch_rad: bad,
            ..spec.clone()
        };
        drawn(lens, &scene(vec![], 1.0));
    }
    let far = SceneSnapshot { ego: Pose2 { x_m: 1e300, y_m: -1e300, heading_rad: 1e300 }, ..scene(vec![], 1.0) };
    drawn(spec, &far);
}

#[test]
fn actors_all_around_and_inside_the_lens_are_drawn_without_panic() {
    let spec = CameraSpec::small();
    let mut camera = Camera::of_lanes(&street(), spec);
    let mut picture = Picture::new(0, 0);
    for step in 0..60 {
        let (x, y) = (f64::from(step % 10) - 3.0, f64::from(step / 10) - 3.0);
        let actors = (0..).zip(KINDS).map(|(id, kind)| Actor { heading_rad: f64::from(step), ..actor(id, kind, x, y) });
        camera.draw(&scene(actors.collect(), 0.0), &mut picture);
    }
}

#[test]
fn every_built_in_road_is_drawn_along_a_route_in_any_weather() {
    for name in RoadNetwork::built_in_names() {
        let network = Arc::new(RoadNetwork::built_in(name).unwrap());
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let route = network.random_route(&mut rng, 400.0).unwrap();
        let mut camera = Camera::new(&network, CameraSpec::small());
        let mut picture = Picture::new(0, 0);
        for step in 0..60 {
            let here = route.at(route.length_m() * f64::from(step) / 60.0);
            let ego = Pose2 { x_m: here.x_m, y_m: here.y_m, heading_rad: here.heading_rad };
            for rain in [0.0, 0.5, 1.0] {
                let ahead = route.at(here.s_m + 15.0);
                let actors = (0..).zip(KINDS).map(|(id, kind)| actor(id, kind, ahead.x_m, ahead.y_m)).collect();
                camera.draw(&SceneSnapshot { time_s: 0.1, ego, speed_mps: 10.0, actors, rain }, &mut picture);
            }
            camera.draw(&SceneSnapshot { ego, ..scene(vec![], 0.0) }, &mut picture);
            // Just ahead of the bonnet there is carriageway: neither grass nor a hole.
            let under = picture.chroma_width() * 78 + 80;
            let grey = [picture.u[under], picture.v[under]].iter().all(|c| c.abs_diff(128) < 8);
            assert!(grey, "{name} at {:.0} m: no asphalt ahead of the car", here.s_m);
        }
    }
}
