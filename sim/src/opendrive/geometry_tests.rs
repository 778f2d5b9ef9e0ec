//! Each shape against a formula or an integration done another way.

use super::cubic::{Cubic, Cubics};
use super::geometry::{Pose, Shape};
use super::plan_view::{Placed, PlanView};

fn cubic(a: f64, b: f64, c: f64, d: f64) -> Cubic {
    Cubic { s: 0.0, a, b, c, d }
}

#[track_caller]
fn assert_near(pose: Pose, x: f64, y: f64, heading: f64, curvature: f64, tolerance: f64) {
    let off = [pose.x - x, pose.y - y, pose.heading - heading, pose.curvature - curvature];
    assert!(off.iter().all(|off| off.abs() < tolerance), "{pose:?} is off by {off:?}");
}

/// The end of a curve of known curvature, by the midpoint rule in 200000 steps.
fn integrated(curvature: impl Fn(f64) -> f64, length: f64) -> (f64, f64, f64) {
    const STEPS: usize = 200_000;
    let h = length / STEPS as f64;
    let (mut x, mut y, mut heading) = (0.0, 0.0, 0.0);
    for i in 0..STEPS {
        let s = i as f64 * h;
        let middle: f64 = heading + 0.5 * h * curvature(s + 0.25 * h);
        x += h * middle.cos();
        y += h * middle.sin();
        heading += h * curvature(s + 0.5 * h);
    }
    (x, y, heading)
}

#[test]
fn a_line_runs_straight() {
    assert_near(Shape::Line.at(12.5), 12.5, 0.0, 0.0, 0.0, 1e-12);
}

#[test]
fn a_quarter_circle_to_the_left_and_to_the_right_ends_where_the_compass_says() {
    let quarter = std::f64::consts::FRAC_PI_2;
    assert_near(Shape::Arc { curvature: 0.05 }.at(20.0 * quarter), 20.0, 20.0, quarter, 0.05, 1e-9);
    assert_near(Shape::Arc { curvature: -0.05 }.at(20.0 * quarter), 20.0, -20.0, -quarter, -0.05, 1e-9);
}

#[test]
fn a_nearly_straight_arc_does_not_lose_digits() {
    // y = k s^2 / 2 to first order.
    assert_near(Shape::Arc { curvature: 1e-9 }.at(100.0), 100.0, 5e-6, 1e-7, 1e-9, 1e-12);
}

#[test]
fn spirals_agree_with_numeric_integration() {
    for (start, end, length) in [(0.0, 0.1, 30.0), (-0.02, 0.05, 80.0), (0.2, 0.0, 25.0), (0.0, -0.001, 400.0)] {
        let rate = (end - start) / length;
        let (x, y, heading) = integrated(|s| start + rate * s, length);
        assert_near(Shape::Spiral { start, rate }.at(length), x, y, heading, end, 1e-5);
    }
}

#[test]
fn a_spiral_of_constant_curvature_is_an_arc() {
    let arc = Shape::Arc { curvature: 0.03 }.at(90.0);
    assert_near(Shape::Spiral { start: 0.03, rate: 0.0 }.at(90.0), arc.x, arc.y, arc.heading, arc.curvature, 1e-9);
}

#[test]
fn a_poly3_is_measured_along_its_arc() {
    // v = u: a diagonal, so 10 m along it is u = 10 / sqrt(2).
    let diagonal = Shape::Poly3 { v: cubic(0.0, 1.0, 0.0, 0.0) }.at(10.0);
    assert_near(diagonal, 50f64.sqrt(), 50f64.sqrt(), std::f64::consts::FRAC_PI_4, 0.0, 1e-9);
    // v = u^2 / 100 has the arc length (2 s + sinh^-1 ...) of a parabola: L = u/2 sqrt(1+4a^2u^2) + asinh(2au)/(4a).
    let (a, u) = (0.01, 30.0_f64);
    let length = 0.5 * u * (1.0 + 4.0 * a * a * u * u).sqrt() + (2.0 * a * u).asinh() / (4.0 * a);
    let curvature = 2.0 * a / (1.0 + (2.0 * a * u).powi(2)).powf(1.5);
    let parabola = Shape::Poly3 { v: cubic(0.0, 0.0, a, 0.0) }.at(length);
    assert_near(parabola, u, a * u * u, (2.0 * a * u).atan(), curvature, 1e-6);
}

#[test]
fn both_ranges_of_a_param_poly3_describe_the_same_curve() {
    let length = 40.0;
    let by_length = Shape::ParamPoly3 { u: cubic(0.0, 1.0, 0.0, -1e-5), v: cubic(0.0, 0.0, 0.01, 2e-5), scale: 1.0 };
    let by_part = Shape::ParamPoly3 {
        u: cubic(0.0, length, 0.0, -1e-5 * length.powi(3)),
        v: cubic(0.0, 0.0, 0.01 * length.powi(2), 2e-5 * length.powi(3)),
        scale: 1.0 / length,
    };
    for ds in [0.0, 13.0, 40.0] {
        let (a, b) = (by_length.at(ds), by_part.at(ds));
        assert_near(a, b.x, b.y, b.heading, b.curvature, 1e-9);
    }
    // By hand at ds = 10: u' = 1 - 3e-5 * 100, v' = 0.02 * 10 + 6e-5 * 100.
    assert_near(by_length.at(10.0), 9.99, 1.02, (0.206_f64).atan2(0.997), by_length.at(10.0).curvature, 1e-9);
}

#[test]
fn a_curve_without_direction_yields_no_infinity() {
    let point = Shape::ParamPoly3 { u: cubic(0.0, 0.0, 0.0, 0.0), v: cubic(0.0, 0.0, 0.0, 0.0), scale: 1.0 };
    assert_near(point.at(3.0), 0.0, 0.0, 0.0, 0.0, 1e-12);
}

#[test]
fn a_plan_view_places_shapes_and_bridges_a_short_length() {
    let placed = |s, x, heading, shape| Placed { s, x, y: 0.0, heading, length: 9.99, shape };
    let arc = Shape::Arc { curvature: 0.1 };
    let plan = PlanView::new(vec![placed(10.0, 10.0, 0.5, arc), placed(0.0, 0.0, 0.0, Shape::Line)]);
    assert_near(plan.at(9.995), 9.995, 0.0, 0.0, 0.0, 1e-9);
    assert_near(plan.at(10.0), 10.0, 0.0, 0.5, 0.1, 1e-9);
    assert!((plan.end() - 19.99).abs() < 1e-9);
}

#[test]
fn piecewise_polynomials_hold_until_the_next_piece() {
    let piece = |s, a, b| Cubic { s, a, b, c: 0.0, d: 0.0 };
    let width = Cubics::new(vec![piece(10.0, 3.5, 0.0), piece(0.0, 0.0, 0.35)]);
    assert_eq!(width.at(-1.0), (0.0, 0.0));
    assert_eq!(width.at(4.0), (0.35 * 4.0, 0.35));
    assert_eq!(width.at(25.0), (3.5, 0.0));
    assert_eq!(Cubics::default().at(3.0), (0.0, 0.0));
}
