//! The ground's grain: noise fixed to the world, by which the eye (and an optical flow) sees motion.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIDE: usize = 256;

/// Size of a texel on the finest level, m; each further level is four times as coarse.
const FINEST_M: f64 = 0.012;
const COARSEST_LEVEL: f64 = 4.0;

/// A square of soft noise that repeats without a seam.
#[derive(Clone, Debug)]
pub(super) struct Grain {
    tile: Vec<i8>,
}

/// How the grain is read along one row of the picture: two neighbouring levels, blended by how far apart the rows lie
/// on the ground, so that the grain neither flickers far away nor blurs near by.
#[derive(Clone, Copy, Debug)]
pub(super) struct GrainRow {
    x: u32,
    y: u32,
    step_x: u32,
    step_y: u32,
    /// Share of the coarser of the two levels.
    pub coarse: f64,
}

impl Grain {
    pub fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0x6772_6169_6e00);
        let white: Vec<f32> = (0..SIDE * SIDE).map(|_| rng.random_range(-1.0..1.0)).collect();
        let at = |column: usize, row: usize| white[row % SIDE * SIDE + column % SIDE];
        // A 3x3 binomial filter; 170 brings the spread back to about a third of the range.
        let soft = |index: usize| {
            let (column, row) = (index % SIDE + SIDE, index / SIDE + SIDE);
            let line = |row: usize| 0.25 * at(column - 1, row) + 0.5 * at(column, row) + 0.25 * at(column + 1, row);
            0.25 * line(row - 1) + 0.5 * line(row) + 0.25 * line(row + 1)
        };
        Self { tile: (0..SIDE * SIDE).map(|index| (170.0 * soft(index)).clamp(-127.0, 127.0) as i8).collect() }
    }

    /// `apart_m` is the distance on the ground between this row of the picture and the next.
    pub fn row(origin: [f64; 2], step: [f64; 2], apart_m: f64) -> GrainRow {
        let level = (0.5 * (0.5 * apart_m / FINEST_M).max(1.0).log2()).min(COARSEST_LEVEL);
        let coarser_m = FINEST_M * 4f64.powi(level as i32 + 1);
        let period = SIDE as f64 * coarser_m;
        // The tile's period is the whole range of u32, so that running out of it is running into the next tile.
        let fixed = |metres: f64| ((metres / period).rem_euclid(1.0) * 4_294_967_296.0) as u64 as u32;
        GrainRow {
            x: fixed(origin[0]),
            y: fixed(origin[1]),
            step_x: fixed(step[0]),
            step_y: fixed(step[1]),
            coarse: level.fract(),
        }
    }

    /// The noise at the row's next pixel: finer and coarser level, -127 to 127.
    #[inline(always)]
    pub fn next(&self, row: &mut GrainRow) -> (i32, i32) {
        let index = |x: u32, y: u32| ((y >> 24 << 8) | x >> 24) as usize & (SIDE * SIDE - 1);
        let fine = self.tile[index(row.x << 2, row.y << 2)];
        let coarse = self.tile[index(row.x, row.y)];
        row.x = row.x.wrapping_add(row.step_x);
        row.y = row.y.wrapping_add(row.step_y);
        (i32::from(fine), i32::from(coarse))
    }
}
