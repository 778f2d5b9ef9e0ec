//! Sky and a line of distant woods, by which the eye sees the car turn.

use super::{air::Air, tone::Tone, view::View};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use video::I420Buffer;

/// Bearings at which the woods' height is known.
const BEARINGS: usize = 720;
/// Greatest elevation of the woods, rad.
const TALLEST_RAD: f64 = 0.035;
/// How far away the woods look.
const WOODS_M: f64 = 650.0;

/// The sky with the woods' outline.
#[derive(Clone, Debug)]
pub(super) struct Sky {
    /// Elevation of the tree tops by bearing, rad.
    outline: Vec<f64>,
    /// First row of woods by column, kept from frame to frame to save the allocation.
    tops: Vec<f64>,
}

impl Sky {
    pub fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0x776f_6f64);
        let hills: Vec<f64> = (0..24).map(|_| rng.random_range(0.25..1.0)).collect();
        let outline = (0..BEARINGS).map(|bearing| {
            let place = bearing as f64 / BEARINGS as f64 * hills.len() as f64;
            let (at, share) = (place as usize, 0.5 - 0.5 * (std::f64::consts::PI * place.fract()).cos());
            let hill = hills[at] + (hills[(at + 1) % hills.len()] - hills[at]) * share;
            TALLEST_RAD * (0.85 * hill + 0.15 * rng.random_range(0.0..1.0))
        });
        Self { outline: outline.collect(), tops: Vec::new() }
    }

    pub fn draw(&mut self, view: &View, air: &Air, out: &mut I420Buffer) {
        let horizon = view.horizon();
        let end = view.first_ground_row();
        let chroma_width = out.chroma_width();
        for row in 0..end {
            let elevation = ((horizon - row as f64) / view.focal).max(0.0);
            let [y, u, v] = air.haze.mix(air.zenith, 1.0 - (-3.2 * elevation).exp()).yuv();
            out.y[row * out.width..][..out.width].fill(y);
            if row % 2 == 0 {
                out.u[row / 2 * chroma_width..][..chroma_width].fill(u);
                out.v[row / 2 * chroma_width..][..chroma_width].fill(v);
            }
        }
        self.draw_woods(view, air, out);
    }

    fn draw_woods(&mut self, view: &View, air: &Air, out: &mut I420Buffer) {
        let (horizon, end) = (view.horizon(), view.first_ground_row());
        let middle = 0.5 * view.width as f64;
        self.tops.clear();
        self.tops.extend((0..view.width).map(|column| {
            let aside = (column as f64 + 0.5 - middle) / view.focal;
            let height = height_at(&self.outline, view.heading_rad - aside.atan());
            horizon - view.focal * height * aside.hypot(1.0)
        }));
        let [y, u, v] = air.seen(Tone::rgb(0x3C5540), WOODS_M).yuv();
        let first = (horizon - 2.0 * view.focal * TALLEST_RAD).max(0.0) as usize;
        let chroma_width = out.chroma_width();
        for row in first..end {
            let line = &mut out.y[row * out.width..][..out.width];
            for (sample, _) in line.iter_mut().zip(&self.tops).filter(|(_, top)| row as f64 + 0.5 > **top) {
                *sample = y;
            }
            if row % 2 == 0 {
                for (column, _) in self.tops.iter().step_by(2).enumerate().filter(|(_, top)| row as f64 + 0.5 > **top) {
                    out.u[row / 2 * chroma_width + column] = u;
                    out.v[row / 2 * chroma_width + column] = v;
                }
            }
        }
    }
}

fn height_at(outline: &[f64], bearing_rad: f64) -> f64 {
    let place = (bearing_rad / std::f64::consts::TAU).rem_euclid(1.0) * outline.len() as f64;
    let at = (place as usize).min(outline.len() - 1);
    let next = outline[(at + 1) % outline.len()];
    outline[at] + (next - outline[at]) * (place - at as f64)
}
