//! Streaks of rain in front of the lens.

use super::{
    air::Air,
    canvas::Canvas,
    tone::Tone,
    view::{Polygon, View},
};
use crate::scene::SceneSnapshot;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Streaks in a cloudburst.
const MOST: f64 = 420.0;
const DROP: Tone = Tone::rgb(0xC6CDD3);

/// Draws the streaks; each frame has its own, seeded by its time.
pub(super) fn draw(scene: &SceneSnapshot, view: &View, air: &Air, canvas: &mut Canvas) {
    let count = (MOST * air.rain) as usize;
    let mut rng = ChaCha8Rng::seed_from_u64(scene.time_s.to_bits());
    let (width, height) = (view.width as f64, view.height as f64);
    // Driving into the rain, drops stream outwards from the vanishing point.
    let rush = if scene.speed_mps.is_finite() { (scene.speed_mps / 25.0).clamp(0.0, 1.0) } else { 0.0 };
    for _ in 0..count {
        let [x, y, near] = std::array::from_fn(|_| rng.random_range(0.0..1.0));
        let (x, y) = (x * width, (1.2 * y - 0.2) * height);
        let length = height * (0.02 + 0.06 * near * near);
        let outward = (x / width - 0.5) * rush;
        let (dx, dy) = (length * (0.12 + 1.2 * outward), length);
        let half = (height / 720.0 * (0.4 + 0.8 * near)).max(0.25);
        let mut streak = Polygon::EMPTY;
        for (px, py) in [(x - half, y), (x + half, y), (x + dx + half, y + dy), (x + dx - half, y + dy)] {
            streak.push(px, py);
        }
        canvas.tint(&streak, DROP, 0.12 + 0.2 * near);
    }
}
