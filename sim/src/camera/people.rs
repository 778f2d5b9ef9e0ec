//! People on foot and on bicycles.

use super::{
    brush::{Brush, Frame, Solid},
    tone::Tone,
};
use crate::scene::Actor;
use std::f64::consts::TAU;

const SKIN: Tone = Tone::rgb(0xD9A98A);
const HAIR: Tone = Tone::rgb(0x3B2A1E);
const SHOE: Tone = Tone::rgb(0x1E1E20);
const JACKETS: [Tone; 5] =
    [Tone::rgb(0xD8B61F), Tone::rgb(0xC2343C), Tone::rgb(0x2F68B2), Tone::rgb(0xE3E0D8), Tone::rgb(0x2E7D5B)];
const TROUSERS: [Tone; 3] = [Tone::rgb(0x2B3348), Tone::rgb(0x45413C), Tone::rgb(0x5C6470)];
const FRAME: Tone = Tone::rgb(0x2C2C30);

/// Two steps, m.
const STRIDE_M: f64 = 1.4;
/// Distance of one turn of the pedals, m.
const DEVELOPMENT_M: f64 = 5.0;

fn jacket(id: u32) -> Tone {
    JACKETS[id as usize % JACKETS.len()]
}

fn trousers(id: u32) -> Tone {
    TROUSERS[id as usize % TROUSERS.len()]
}

/// A grown-up of 1.75 m, walking when moving.
pub(super) fn pedestrian(brush: &mut Brush, frame: &Frame, actor: &Actor, time_s: f64) {
    let shoulder = 0.40 * actor.width_m.clamp(0.4, 0.7);
    let phase = TAU * time_s * actor.speed_mps / STRIDE_M;
    let swing = if actor.speed_mps.abs() > 0.1 { phase.sin() } else { 0.15 };
    let lens = frame.inside(brush.view.position());
    let near_side = 1f64.copysign(lens[1]);
    for side in [-near_side, near_side] {
        leg(brush, frame, actor, side, swing * side);
        if side == -near_side {
            arm(brush, frame, actor, shoulder, side, -swing * side);
            let torso = Solid {
                bottom: [-0.11, 0.11],
                top: [-0.12, 0.12],
                half_width: [0.85 * shoulder, shoulder],
                height: [0.82, 1.45],
            };
            brush.solid(frame, &torso, jacket(actor.id));
        }
    }
    arm(brush, frame, actor, shoulder, near_side, -swing * near_side);
    brush.stick(frame.at([0.0, 0.0, 1.42]), frame.at([0.0, 0.0, 1.55]), 0.11, SKIN.lit(0.85));
    let from_behind = lens[0] < 0.0;
    let heads = [(frame.at([0.03, 0.0, 1.61]), 0.12, SKIN), (frame.at([-0.03, 0.0, 1.65]), 0.13, HAIR)];
    // Face and hair: the one that is nearer to the lens comes last.
    let order = if from_behind { [0, 1] } else { [1, 0] };
    for index in order {
        let (centre, radius, tone) = heads[index];
        brush.ball(centre, radius, tone);
    }
}

fn leg(brush: &mut Brush, frame: &Frame, actor: &Actor, side: f64, swing: f64) {
    let hip = frame.at([0.0, 0.09 * side, 0.86]);
    let lift = 0.06 * swing.max(0.0);
    let knee = frame.at([0.16 * swing + 0.02, 0.09 * side, 0.46]);
    let foot = frame.at([0.30 * swing - 0.02, 0.09 * side, 0.07 + lift]);
    let cloth = trousers(actor.id).lit(if side > 0.0 { 1.0 } else { 0.85 });
    brush.stick(hip, knee, 0.17, cloth);
    brush.stick(knee, foot, 0.13, cloth);
    brush.stick(foot, frame.at([0.30 * swing + 0.16, 0.09 * side, 0.05 + lift]), 0.10, SHOE);
}

fn arm(brush: &mut Brush, frame: &Frame, actor: &Actor, shoulder: f64, side: f64, swing: f64) {
    let top = frame.at([0.0, (shoulder + 0.03) * side, 1.40]);
    let hand = frame.at([0.25 * swing, (shoulder + 0.07) * side, 0.88]);
    brush.stick(top, hand, 0.11, jacket(actor.id).lit(0.82));
    brush.ball(hand, 0.055, SKIN);
}

/// A person on an upright bicycle.
pub(super) fn cyclist(brush: &mut Brush, frame: &Frame, actor: &Actor, time_s: f64) {
    let half = 0.5 * actor.length_m.clamp(1.2, 2.4);
    let radius = 0.34;
    let axle = half - radius;
    for ahead in [axle, -axle] {
        ring(brush, frame, ahead, radius);
    }
    let at = |ahead: f64, up: f64| frame.at([ahead, 0.0, up]);
    let (crank, saddle, head) = (at(-0.05, 0.30), at(-0.22, 0.92), at(axle - 0.12, 0.95));
    for (a, b) in [(at(-axle, radius), crank), (crank, saddle), (crank, head), (saddle, head), (head, at(axle, radius))]
    {
        brush.stick(a, b, 0.045, FRAME);
    }
    rider(brush, frame, actor, time_s, axle);
    brush.lamp(
        &Solid { bottom: [-0.36, -0.34], top: [-0.36, -0.34], half_width: [0.045; 2], height: [0.72, 0.80] }
            .faces(frame)
            .rear,
        Tone::rgb(0xE8222A),
    );
}

fn rider(brush: &mut Brush, frame: &Frame, actor: &Actor, time_s: f64, axle: f64) {
    let phase = TAU * time_s * actor.speed_mps / DEVELOPMENT_M;
    let bar = axle - 0.15;
    for side in [-1.0, 1.0] {
        let (sin, cos) = (phase + if side > 0.0 { 0.0 } else { 0.5 * TAU }).sin_cos();
        let foot = [-0.05 + 0.16 * cos, 0.11 * side, 0.32 + 0.16 * sin];
        let knee = [0.5 * (foot[0] - 0.2) + 0.22, 0.12 * side, 0.5 * (foot[2] + 0.95) + 0.06];
        brush.stick(frame.at([-0.2, 0.09 * side, 0.95]), frame.at(knee), 0.16, trousers(actor.id));
        brush.stick(frame.at(knee), frame.at(foot), 0.12, trousers(actor.id).lit(0.9));
        brush.stick(
            frame.at([0.08, 0.2 * side, 1.38]),
            frame.at([bar, 0.24 * side, 1.05]),
            0.10,
            jacket(actor.id).lit(0.8),
        );
    }
    brush.stick(frame.at([bar, 0.26, 1.05]), frame.at([bar, -0.26, 1.05]), 0.04, FRAME);
    brush.stick(frame.at([-0.2, 0.0, 0.9]), frame.at([0.08, 0.0, 1.46]), 0.40, jacket(actor.id));
    brush.ball(frame.at([0.17, 0.0, 1.60]), 0.12, SKIN);
    brush.ball(frame.at([0.14, 0.0, 1.66]), 0.13, Tone::rgb(0xE9E9EC));
}

/// A wheel's tyre as a ring of sticks, so that the road shows through.
fn ring(brush: &mut Brush, frame: &Frame, ahead: f64, radius: f64) {
    const SIDES: u32 = 14;
    let point = |index: u32| {
        let (sin, cos) = (f64::from(index) * TAU / f64::from(SIDES)).sin_cos();
        frame.at([ahead + radius * cos, 0.0, radius + radius * sin])
    };
    for index in 0..SIDES {
        brush.stick(point(index), point(index + 1), 0.05, SHOE);
    }
}
