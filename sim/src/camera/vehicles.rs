//! Cars and trucks.

use super::{
    brush::{Brush, Face, Faces, Frame, Solid, patch},
    tone::Tone,
};
use crate::scene::Actor;

const PAINTS: [Tone; 8] = [
    Tone::rgb(0xB3262B),
    Tone::rgb(0xE6E6E2),
    Tone::rgb(0x2F5E9E),
    Tone::rgb(0x9FA4A8),
    Tone::rgb(0x3A3D42),
    Tone::rgb(0xC9A23A),
    Tone::rgb(0x4E7F73),
    Tone::rgb(0x7C4A5C),
];
const GLASS: Tone = Tone::rgb(0x27313A);
const RUBBER: Tone = Tone::rgb(0x1B1B1D);
const RIM: Tone = Tone::rgb(0x8D9094);
const TAIL: Tone = Tone::rgb(0x7E1418);
const TAIL_ON: Tone = Tone::rgb(0xB01C20);
const BRAKE: Tone = Tone::rgb(0xFF2A22);
const AMBER: Tone = Tone::rgb(0xFFA41C);
const HEAD: Tone = Tone::rgb(0xF6F3DF);
const PLATE: Tone = Tone::rgb(0xE9E9E4);

/// Height of a car's roof and of its waist, m.
pub(super) const CAR_ROOF_M: f64 = 1.45;
const CAR_WAIST_M: f64 = 0.88;
/// Blinks a second.
const HAZARD_HZ: f64 = 1.5;

/// Neighbours in a queue should differ: a multiplicative hash of the id picks the paint.
fn paint(id: u32) -> Tone {
    PAINTS[(id.wrapping_mul(0x9E37_79B1) >> 29) as usize % PAINTS.len()]
}

fn hazard_lit(actor: &Actor, time_s: f64) -> bool {
    actor.hazards && (time_s * HAZARD_HZ).rem_euclid(1.0) < 0.5
}

/// A saloon that fills its footprint.
pub(super) fn car(brush: &mut Brush, frame: &Frame, actor: &Actor, time_s: f64) {
    let (l, w) = (0.5 * actor.length_m, 0.5 * actor.width_m);
    let tone = paint(actor.id);
    let under = Solid {
        bottom: [-0.88 * l, 0.88 * l],
        top: [-0.9 * l, 0.9 * l],
        half_width: [0.86 * w; 2],
        height: [0.0, 0.4],
    };
    brush.solid(frame, &under, RUBBER);
    let body =
        Solid { bottom: [-l, l], top: [-0.98 * l, 0.94 * l], half_width: [w, 0.94 * w], height: [0.24, CAR_WAIST_M] };
    let faces = brush.solid(frame, &body, tone);
    wheels(brush, frame, &[0.62 * l, -0.60 * l], w, 0.33);
    lights(brush, &faces, actor, time_s, [0.45, 0.85]);
    let cabin = Solid {
        bottom: [-0.86 * l, 0.42 * l],
        top: [-0.62 * l, 0.08 * l],
        half_width: [0.92 * w, 0.76 * w],
        height: [CAR_WAIST_M - 0.01, CAR_ROOF_M],
    };
    let cabin = brush.solid(frame, &cabin, tone);
    for (pane, light, u) in [(&cabin.rear, 1.0, [0.1, 0.9]), (&cabin.front, 1.15, [0.08, 0.92])] {
        brush.face(&patch(pane, u, [0.12, 0.86]), GLASS.lit(light));
    }
    for pane in [&cabin.left, &cabin.right] {
        for u in [[0.16, 0.47], [0.52, 0.84]] {
            brush.face(&patch(pane, u, [0.1, 0.86]), GLASS.lit(1.3));
        }
    }
    if actor.braking {
        brush.lamp(&patch(&cabin.rear, [0.38, 0.62], [0.87, 0.96]), BRAKE);
    }
}

/// Wheels on the two sides at `half_width`, at these places along the vehicle; only those that show.
fn wheels(brush: &mut Brush, frame: &Frame, ahead: &[f64], half_width: f64, radius_m: f64) {
    let [_, lens_left] = frame.inside(brush.view.position());
    if lens_left.abs() <= half_width {
        return;
    }
    let side = (half_width + 0.01).copysign(lens_left);
    for &ahead in ahead {
        brush.wheel(frame, [ahead, side, radius_m], radius_m, RUBBER);
        brush.wheel(frame, [ahead, side, radius_m], 0.58 * radius_m, RIM);
    }
}

/// Lamps on the rear and the front of a body, between the shares `v` of its height.
fn lights(brush: &mut Brush, faces: &Faces, actor: &Actor, time_s: f64, v: [f64; 2]) {
    let dim = if brush.air.rain > 0.2 { TAIL_ON } else { TAIL };
    let tail = if actor.braking { BRAKE } else { dim };
    let blink = hazard_lit(actor, time_s);
    let pair = |face: &Face, from: f64, to: f64, v: [f64; 2]| {
        [patch(face, [from, to], v), patch(face, [1.0 - to, 1.0 - from], v)]
    };
    for lamp in pair(&faces.rear, 0.03, 0.22, v) {
        brush.lamp(&lamp, tail);
    }
    for lamp in pair(&faces.front, 0.04, 0.24, v) {
        brush.lamp(&lamp, HEAD);
    }
    brush.face(&patch(&faces.rear, [0.36, 0.64], [0.28, 0.48]), PLATE);
    brush.face(&patch(&faces.front, [0.2, 0.8], [0.1, 0.4]), RUBBER);
    if blink {
        for face in [&faces.rear, &faces.front] {
            for lamp in pair(face, 0.0, 0.13, [v[0] - 0.05, v[1] + 0.05]) {
                brush.lamp(&lamp, AMBER);
            }
        }
        // Repeaters in the wings.
        for (face, u) in [(&faces.left, [0.02, 0.09]), (&faces.right, [0.91, 0.98])] {
            brush.lamp(&patch(face, u, [0.55, 0.75]), AMBER);
            brush.lamp(&patch(face, [0.93 - u[0], 1.0 - u[0]], [0.55, 0.75]), AMBER);
        }
    }
}

/// A lorry: a cab in front of a box.
pub(super) fn truck(brush: &mut Brush, frame: &Frame, actor: &Actor, time_s: f64) {
    let (l, w) = (0.5 * actor.length_m, 0.5 * actor.width_m);
    let split = l - (0.28 * actor.length_m).min(2.3);
    let [lens_ahead, _] = frame.inside(brush.view.position());
    let chassis = Solid { bottom: [-l, l - 0.3], top: [-l, l - 0.3], half_width: [0.88 * w; 2], height: [0.35, 1.0] };
    let chassis_faces = brush.solid(frame, &chassis, RUBBER.lit(1.6));
    wheels(brush, frame, &[l - 1.2, -l + 1.2, -l + 2.4], 0.94 * w, 0.48);
    rear_lights_of_truck(brush, &chassis_faces, actor, time_s);
    if lens_ahead < split {
        cab(brush, frame, actor, time_s, split);
        cargo(brush, frame, actor, split);
    } else {
        cargo(brush, frame, actor, split);
        cab(brush, frame, actor, time_s, split);
    }
}

fn cargo(brush: &mut Brush, frame: &Frame, actor: &Actor, split: f64) {
    let (l, w) = (0.5 * actor.length_m, 0.5 * actor.width_m);
    let ends = [-l, split - 0.2];
    let solid = Solid { bottom: ends, top: ends, half_width: [w; 2], height: [0.95, 3.5] };
    let tarpaulin = Tone::rgb(0xC9CBC8).mix(paint(actor.id), 0.35);
    let faces = brush.solid(frame, &solid, tarpaulin);
    // The gap between the doors, and a stripe along the sides.
    brush.face(&patch(&faces.rear, [0.492, 0.508], [0.03, 0.97]), RUBBER.lit(2.0));
    for side in [&faces.left, &faces.right] {
        brush.face(&patch(side, [0.0, 1.0], [0.28, 0.4]), paint(actor.id).lit(0.85));
    }
}

fn cab(brush: &mut Brush, frame: &Frame, actor: &Actor, time_s: f64, split: f64) {
    let (l, w) = (0.5 * actor.length_m, 0.5 * actor.width_m);
    let solid =
        Solid { bottom: [split, l], top: [split, l - 0.15], half_width: [0.98 * w, 0.95 * w], height: [0.45, 2.95] };
    let faces = brush.solid(frame, &solid, paint(actor.id));
    brush.face(&patch(&faces.front, [0.07, 0.93], [0.52, 0.86]), GLASS.lit(1.15));
    brush.face(&patch(&faces.left, [0.1, 0.6], [0.55, 0.85]), GLASS.lit(1.3));
    brush.face(&patch(&faces.right, [0.4, 0.9], [0.55, 0.85]), GLASS.lit(1.3));
    for u in [[0.05, 0.2], [0.8, 0.95]] {
        brush.lamp(&patch(&faces.front, u, [0.1, 0.2]), if hazard_lit(actor, time_s) { AMBER } else { HEAD });
    }
}

fn rear_lights_of_truck(brush: &mut Brush, chassis: &Faces, actor: &Actor, time_s: f64) {
    let tail = if actor.braking { BRAKE } else { TAIL_ON };
    for (inner, outer) in [([0.1, 0.22], [0.02, 0.1]), ([0.78, 0.9], [0.9, 0.98])] {
        brush.lamp(&patch(&chassis.rear, inner, [0.45, 0.8]), tail);
        let blinker = if hazard_lit(actor, time_s) { AMBER } else { TAIL };
        brush.lamp(&patch(&chassis.rear, outer, [0.45, 0.8]), blinker);
    }
    brush.face(&patch(&chassis.rear, [0.38, 0.62], [0.45, 0.75]), PLATE);
}
