//! Sliding a cascade's window over a picture in steps of size.

use super::Cascade;
use super::integral::Integral;
use super::model::{Feature, Rectangle};

/// Ratio of neighbouring sizes.
const STEP: f64 = 1.2;
/// Flatter windows hold nothing (standard deviation, grey levels); as OpenCV has it.
const LEAST_CONTRAST: f32 = 10.0;
/// More hits than this are a texture, not things.
const MAX_HITS: usize = 4_000;

/// A place where a cascade said yes, pixels of the whole picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// The picture in ever smaller sizes, one at a time; memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Pyramid {
    pixels: Vec<u8>,
    tables: Integral,
    columns: Vec<(usize, u32)>,
}

impl Pyramid {
    /// Calls `each` with every size of the picture that is `first` times smaller or more and has at least `least` pixels on
    /// each side, until it answers false.
    pub fn descend(
        &mut self,
        (luma, width, height): (&[u8], usize, usize),
        first: f64,
        least: usize,
        mut each: impl FnMut(&Level<'_>) -> bool,
    ) {
        let mut scale = first;
        loop {
            let size = |side: usize| (side as f64 / scale).round() as usize;
            let (w, h) = (size(width), size(height));
            if w.min(h) < least {
                return;
            }
            self.shrink((luma, width, height), (w, h));
            self.tables.fill(&self.pixels, w, h);
            if !each(&Level { pixels: &self.pixels, tables: &self.tables, scale }) {
                return;
            }
            scale *= STEP;
        }
    }

    /// Between the four nearest pixels.
    fn shrink(&mut self, (luma, width, height): (&[u8], usize, usize), (to_width, to_height): (usize, usize)) {
        let place = |at: usize, to: usize, from: usize| {
            let position = ((at as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
            let whole = (position as usize).min(from.saturating_sub(2));
            (whole, ((position - whole as f64) * 256.0) as u32)
        };
        self.columns.clear();
        self.columns.extend((0..to_width).map(|x| place(x, to_width, width)));
        self.pixels.clear();
        for y in 0..to_height {
            let (row, down) = place(y, to_height, height);
            let upper = &luma[row * width..(row + 1) * width];
            let lower = &luma[(row + 1).min(height - 1) * width..][..width];
            self.pixels.extend(self.columns.iter().map(|&(x, right)| {
                let mix = |line: &[u8]| {
                    let next = line[(x + 1).min(width - 1)];
                    u32::from(line[x]) * (256 - right) + u32::from(next) * right
                };
                ((mix(upper) * (256 - down) + mix(lower) * down + (1 << 15)) >> 16) as u8
            }));
        }
    }
}

/// One size of a picture.
pub(crate) struct Level<'a> {
    /// Its pixels, row by row.
    pub pixels: &'a [u8],
    pub tables: &'a Integral,
    /// How many times smaller.
    pub scale: f64,
}

/// Corners of a rectangle's sum as distances from the window's corner, and what it counts.
#[derive(Debug, Clone, Copy, Default)]
struct Corners {
    at: [u32; 4],
    weight: f32,
}

/// A tree's decision with its feature.
struct Step {
    corners: [Corners; 3],
    count: usize,
    threshold: f32,
    below: i32,
    above: i32,
}

/// Where a tree's decisions and leaves begin.
struct Walk {
    steps: usize,
    leaves: usize,
}

/// A cascade made ready for one distance between rows.
struct Prepared<'c> {
    steps: Vec<Step>,
    trees: Vec<Walk>,
    leaves: Vec<f32>,
    /// End of each stage's trees, and its threshold.
    stages: Vec<(usize, f32)>,
    cascade: &'c Cascade,
}

fn corners(feature: &Feature, stride: usize) -> [Corners; 3] {
    feature.rectangles.map(|Rectangle { x, y, width: w, height: h, weight }| {
        let at = |x: usize, y: usize| (y * stride + x) as u32;
        Corners { at: [at(x, y), at(x + w, y), at(x, y + h), at(x + w, y + h)], weight }
    })
}

impl<'c> Prepared<'c> {
    fn new(cascade: &'c Cascade, stride: usize) -> Self {
        let mut ready = Self { steps: Vec::new(), trees: Vec::new(), leaves: Vec::new(), stages: Vec::new(), cascade };
        for stage in &cascade.stages {
            for tree in &stage.trees {
                ready.trees.push(Walk { steps: ready.steps.len(), leaves: ready.leaves.len() });
                ready.leaves.extend_from_slice(&tree.leaves);
                ready.steps.extend(tree.decisions.iter().map(|decision| {
                    let feature = &cascade.features[decision.feature];
                    Step {
                        corners: corners(feature, stride),
                        count: if feature.rectangles[2].weight == 0.0 { 2 } else { 3 },
                        threshold: decision.threshold,
                        below: decision.below,
                        above: decision.above,
                    }
                }));
            }
            ready.stages.push((ready.trees.len(), stage.threshold));
        }
        ready
    }

    /// How many stages the window at `base` passes; `None` when it passes all.
    fn rejected_by(&self, tables: &Integral, base: usize, norm: f32) -> Option<usize> {
        let table = &tables.sum[base..];
        let mut first = 0;
        for (number, &(end, threshold)) in self.stages.iter().enumerate() {
            let mut votes = 0.0;
            for tree in &self.trees[first..end] {
                let mut at = 0;
                let leaf = loop {
                    let step = &self.steps[tree.steps + at];
                    let mut value = 0.0;
                    for Corners { at: [a, b, c, d], weight } in &step.corners[..step.count] {
                        let [a, b, c, d] = [a, b, c, d].map(|corner| table[*corner as usize]);
                        let area = a.wrapping_sub(b).wrapping_sub(c).wrapping_add(d);
                        value += area as f32 * weight;
                    }
                    let branch = if value < step.threshold * norm { step.below } else { step.above };
                    if branch <= 0 {
                        break branch.unsigned_abs() as usize;
                    }
                    at = branch as usize;
                };
                votes += self.leaves[tree.leaves + leaf];
            }
            if votes < threshold {
                return Some(number);
            }
            first = end;
        }
        None
    }

    /// Standard deviation times area of the window less its rim, by which features are measured; `None` when it is flat.
    fn norm(&self, tables: &Integral, base: usize) -> Option<f32> {
        let (width, height) = (self.cascade.width - 2, self.cascade.height - 2);
        let corner = base + tables.stride() + 1;
        let over = |table: &[u32]| {
            let below = corner + height * tables.stride();
            table[corner]
                .wrapping_sub(table[corner + width])
                .wrapping_sub(table[below])
                .wrapping_add(table[below + width])
        };
        let (sum, squares) = (over(&tables.sum), over(&tables.squares));
        let area = (width * height) as f32;
        let spread = area * squares as f32 - sum as f32 * sum as f32;
        (spread > (area * LEAST_CONTRAST).powi(2)).then(|| spread.sqrt())
    }
}

/// Every window of this size of the picture that the cascade accepts.
pub(crate) fn scan(cascade: &Cascade, level: &Level<'_>, found: &mut Vec<Window>) {
    let tables = level.tables;
    if tables.width < cascade.width || tables.height < cascade.height {
        return;
    }
    let ready = Prepared::new(cascade, tables.stride());
    let step = if level.scale > 2.0 { 1 } else { 2 };
    for y in (0..=tables.height - cascade.height).step_by(step) {
        let mut x = 0;
        while x <= tables.width - cascade.width {
            let base = y * tables.stride() + x;
            x += step;
            let Some(norm) = ready.norm(tables, base) else { continue };
            match ready.rejected_by(tables, base, norm) {
                // Nothing like it is here: its neighbour is no better.
                Some(0) => x += step,
                Some(_) => {}
                None if found.len() < MAX_HITS => {
                    let pixels = |side: usize| (side as f64 * level.scale) as f32;
                    found.push(Window {
                        x: pixels(x - step),
                        y: pixels(y),
                        width: pixels(cascade.width),
                        height: pixels(cascade.height),
                    });
                }
                None => return,
            }
        }
    }
}
