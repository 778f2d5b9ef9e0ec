//! Road users and obstacles, far to near.

use super::{
    FAR_M,
    air::Air,
    brush::{Brush, Frame, Solid},
    canvas::Canvas,
    people,
    tone::Tone,
    vehicles,
    view::View,
};
use crate::scene::{Actor, SceneSnapshot};
use protocol::v1::ObjectKind;

/// Draws the actors of `scene` that may be seen.
pub(super) fn draw(scene: &SceneSnapshot, view: &View, air: &Air, canvas: &mut Canvas) {
    let mut visible: Vec<(f64, &Actor)> = scene
        .actors
        .iter()
        .filter(|actor| is_drawable(actor))
        .map(|actor| (distance(view, actor), actor))
        .filter(|(_, actor)| view.may_see(actor.x_m, actor.y_m, 0.5 * actor.length_m.hypot(actor.width_m) + 1.0, FAR_M))
        .collect();
    visible.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id)));
    let time_s = if scene.time_s.is_finite() { scene.time_s } else { 0.0 };
    for &(distance_m, actor) in &visible {
        let frame = Frame::new(actor.x_m, actor.y_m, actor.heading_rad);
        let mut brush = Brush { view, air, canvas, distance_m };
        brush.shadow(&frame, 0.5 * actor.length_m, 0.5 * actor.width_m);
        match actor.kind {
            ObjectKind::Car => vehicles::car(&mut brush, &frame, actor, time_s),
            ObjectKind::Truck => vehicles::truck(&mut brush, &frame, actor, time_s),
            ObjectKind::Pedestrian => people::pedestrian(&mut brush, &frame, actor, time_s),
            ObjectKind::Cyclist => people::cyclist(&mut brush, &frame, actor, time_s),
            ObjectKind::Cone => cone(&mut brush, &frame, actor),
            ObjectKind::Unknown => unknown(&mut brush, &frame, actor),
        }
    }
}

fn is_drawable(actor: &Actor) -> bool {
    let finite = [actor.x_m, actor.y_m, actor.heading_rad, actor.speed_mps].iter().all(|value| value.is_finite());
    finite && [actor.length_m, actor.width_m].iter().all(|size| (0.01..=100.0).contains(size))
}

fn distance(view: &View, actor: &Actor) -> f64 {
    let [ahead, left] = view.on_ground(actor.x_m, actor.y_m);
    ahead.hypot(left)
}

/// A traffic cone of 0.75 m, round enough when both halves differ in shade.
fn cone(brush: &mut Brush, frame: &Frame, actor: &Actor) {
    const HEIGHT_M: f64 = 0.75;
    let orange = Tone::rgb(0xF06A1E);
    let white = Tone::rgb(0xF4F4F0);
    let half = 0.5 * actor.length_m.min(actor.width_m);
    let base = Solid { bottom: [-half, half], top: [-half, half], half_width: [half; 2], height: [0.0, 0.05] };
    brush.solid(frame, &base, orange.lit(0.7));
    let [right_x, right_y] = brush.view.right();
    let bands = [
        (0.05, 0.30, orange),
        (0.30, 0.46, white),
        (0.46, 0.58, orange),
        (0.58, 0.68, white),
        (0.68, HEIGHT_M, orange),
    ];
    let radius = |z: f64| 0.75 * half * (1.0 - 0.85 * z / HEIGHT_M);
    for (low, high, tone) in bands {
        for (from, to, light) in [(-1.0, 0.1, 1.0), (0.1, 1.0, 0.78)] {
            let point =
                |side: f64, z: f64| [actor.x_m + side * radius(z) * right_x, actor.y_m + side * radius(z) * right_y, z];
            brush.face(&[point(from, low), point(to, low), point(to, high), point(from, high)], tone.lit(light));
        }
    }
}

fn unknown(brush: &mut Brush, frame: &Frame, actor: &Actor) {
    let (l, w) = (0.5 * actor.length_m, 0.5 * actor.width_m);
    let solid = Solid { bottom: [-l, l], top: [-l, l], half_width: [w; 2], height: [0.0, 1.0] };
    brush.solid(frame, &solid, Tone::rgb(0x8D8579));
}
