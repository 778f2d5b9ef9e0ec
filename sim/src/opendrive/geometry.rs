//! The five shapes a plan view is made of, each evaluated in its own frame (start at 0, 0 heading +x).
//!
//! Formulas: ASAM OpenDRIVE 1.7, chapter 8 (geometries). Arc length, not the curve parameter, is what callers pass.

use super::cubic::Cubic;

/// No road bends more than this (radius 1 cm); keeps degenerate polynomials from producing infinities.
const MAX_CURVATURE_PER_M: f64 = 100.0;
/// Upper bound on the work for one evaluation of an integral.
const MAX_PANELS: f64 = 256.0;
/// Nodes and weights of the 5-point Gauss-Legendre rule on -1..1 (Abramowitz & Stegun, table 25.4).
const GAUSS: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189),
    (-0.538_469_310_105_683, 0.478_628_670_499_366),
    (0.0, 0.568_888_888_888_889),
    (0.538_469_310_105_683, 0.478_628_670_499_366),
    (0.906_179_845_938_664, 0.236_926_885_056_189),
];

/// A place on a plan view: position, direction and curvature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pose {
    pub x: f64,
    pub y: f64,
    pub heading: f64,
    pub curvature: f64,
}

/// One shape; the numbers are the attributes of the OpenDRIVE element of the same name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    Line,
    Arc {
        curvature: f64,
    },
    Spiral {
        start: f64,
        rate: f64,
    },
    /// `v(u)`; arc length is measured along the curve.
    Poly3 {
        v: Cubic,
    },
    /// `u(p)` and `v(p)` with `p = ds * scale`.
    ParamPoly3 {
        u: Cubic,
        v: Cubic,
        scale: f64,
    },
}

impl Shape {
    /// The pose `ds` metres from the start, in the shape's own frame.
    pub fn at(&self, ds: f64) -> Pose {
        match *self {
            Self::Line => Pose { x: ds, y: 0.0, heading: 0.0, curvature: 0.0 },
            Self::Arc { curvature } => arc(curvature, ds),
            Self::Spiral { start, rate } => spiral(start, rate, ds),
            Self::Poly3 { v } => {
                let u = poly3_parameter(&v, ds);
                let (y, slope) = v.at(u);
                parametric((u, 1.0, 0.0), (y, slope, v.bend(u)))
            }
            Self::ParamPoly3 { u, v, scale } => {
                let p = ds * scale;
                let ((x, du), (y, dv)) = (u.at(p), v.at(p));
                parametric((x, du, u.bend(p)), (y, dv, v.bend(p)))
            }
        }
    }
}

fn arc(curvature: f64, ds: f64) -> Pose {
    let angle = curvature * ds;
    // sin(a)/a and (1 - cos(a))/a with their limits at 0.
    let (along, across) = if angle.abs() < 1e-4 {
        (1.0 - angle * angle / 6.0, angle / 2.0)
    } else {
        (angle.sin() / angle, (1.0 - angle.cos()) / angle)
    };
    Pose { x: ds * along, y: ds * across, heading: angle, curvature }
}

/// A clothoid: the heading is quadratic in the arc length, the position its Fresnel integral, here by quadrature.
fn spiral(start: f64, rate: f64, ds: f64) -> Pose {
    let heading = |s: f64| s * (start + 0.5 * rate * s);
    let turn = ds.abs() * start.abs().max((start + rate * ds).abs());
    let (x, y) = integrate(ds, turn, |s| {
        let (sin, cos) = heading(s).sin_cos();
        (cos, sin)
    });
    Pose { x, y, heading: heading(ds), curvature: start + rate * ds }
}

/// Integrates a pair of functions from 0 to `end` in panels of about half a radian of `turn`.
fn integrate(end: f64, turn: f64, f: impl Fn(f64) -> (f64, f64)) -> (f64, f64) {
    let panels = (turn / 0.5).ceil().clamp(1.0, MAX_PANELS);
    let half = 0.5 * end / panels;
    let mut sum = (0.0, 0.0);
    for panel in 0..panels as usize {
        let middle = (2 * panel + 1) as f64 * half;
        for (node, weight) in GAUSS {
            let (a, b) = f(middle + half * node);
            sum = (sum.0 + weight * half * a, sum.1 + weight * half * b);
        }
    }
    sum
}

/// The `u` at which the curve `v(u)` is `ds` metres long, by Newton's method on the arc length.
fn poly3_parameter(v: &Cubic, ds: f64) -> f64 {
    let speed = |u: f64| 1f64.hypot(v.at(u).1);
    let mut u = ds / speed(0.0);
    for _ in 0..12 {
        let length = integrate(u, u.abs() / 5.0, |u| (speed(u), 0.0)).0;
        let step = (length - ds) / speed(u);
        u = (u - step).clamp(-ds.abs(), ds.abs());
        if step.abs() < 1e-10 {
            break;
        }
    }
    u
}

/// Pose of a parametric curve from value, first and second derivative of both coordinates.
fn parametric((x, dx, ddx): (f64, f64, f64), (y, dy, ddy): (f64, f64, f64)) -> Pose {
    let speed = dx.hypot(dy);
    if speed < 1e-9 {
        return Pose { x, y, heading: 0.0, curvature: 0.0 };
    }
    let curvature = (dx * ddy - dy * ddx) / speed.powi(3);
    let curvature = curvature.clamp(-MAX_CURVATURE_PER_M, MAX_CURVATURE_PER_M);
    Pose { x, y, heading: dy.atan2(dx), curvature }
}
