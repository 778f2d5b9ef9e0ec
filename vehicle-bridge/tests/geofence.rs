//! The permitted area as a vehicle is given it: from the text of its file to where the car stands.
#![allow(clippy::unwrap_used)] // helpers of tests may stop a test like its own code

mod street;

use protocol::geofence::PermittedArea;
use protocol::v1::Reason;
use street::{Street, start};
use vehicle_bridge::geofence_file;
use vehicle_core::ControlRate;
use vehicle_core::geofence::Geofence;

/// A square about a place, as a file says it.
fn square(x_m: f64, y_m: f64, half_m: f64) -> PermittedArea {
    let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
    let lines = corners.map(|(x, y)| format!("  [{:.3}, {:.3}],\n", x_m + x * half_m, y_m + y * half_m));
    geofence_file::parse(&format!("corners_m = [\n{}]\n", lines.concat())).unwrap()
}

#[test]
fn a_vehicle_with_a_permitted_area_stands_before_its_edge_and_one_without_drives_on() {
    let (x_m, y_m) = start();
    let area = square(x_m, y_m, 80.0);
    let mut fenced = Street::new(ControlRate::Hz50, Geofence::of([area.clone()]));
    let mut free = Street::new(ControlRate::Hz50, None);
    for _ in 0..3_000 {
        fenced.step(Vec::new());
        free.step(Vec::new());
        assert!(area.contains(fenced.pose().x_m, fenced.pose().y_m), "outside at {:?}", fenced.pose());
    }
    assert!(fenced.speed_mps() < 0.05, "{} m/s", fenced.speed_mps());
    assert_eq!(fenced.tick.command.gate(), Reason::Geofence);
    // It used the area: the edge is 80 m away at the least.
    assert!(fenced.distance_m((x_m, y_m)) > 60.0, "stands after {:.1} m", fenced.distance_m((x_m, y_m)));
    assert!(!area.contains(free.pose().x_m, free.pose().y_m), "the road does not lead out of the area");
}

#[test]
fn a_vehicle_outside_its_permitted_area_does_not_start() {
    let (x_m, y_m) = start();
    let mut street = Street::new(ControlRate::Hz50, Geofence::of([square(x_m + 1_000.0, y_m, 80.0)]));
    for _ in 0..500 {
        street.step(Vec::new());
        assert_eq!(street.tick.command.gate(), Reason::Geofence);
    }
    assert!(street.distance_m((x_m, y_m)) < 0.5, "moved {:.1} m", street.distance_m((x_m, y_m)));
}
