//! A moving test scene: a textured ground that flows past and things that move across it, about as hard to encode as a
//! drive through a town.

use video::I420Buffer;

/// The scene; drawing is a copy out of a large still picture plus a few rectangles, so that it costs next to nothing
/// beside the encoder.
#[derive(Debug)]
pub(super) struct Scene {
    width: usize,
    height: usize,
    /// Wider than the picture by one period of the pan.
    ground: Vec<u8>,
    stride: usize,
}

/// Pixels that the ground moves a picture.
const PAN: usize = 4;
const PERIOD: usize = 512;

impl Scene {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let stride = width + PERIOD;
        let mut ground = vec![0; stride * height];
        for (row, line) in ground.chunks_mut(stride).enumerate() {
            for (x, pixel) in line.iter_mut().enumerate() {
                *pixel = texture(x % PERIOD, row);
            }
        }
        Self { width, height, ground, stride }
    }

    pub(super) fn draw(&self, number: u32, into: &mut I420Buffer) {
        let (width, height) = (self.width, self.height);
        into.y.resize(width * height, 0);
        into.u.resize(width * height / 4, 0);
        into.v.resize(width * height / 4, 0);
        let shift = number as usize * PAN % PERIOD;
        for (row, line) in into.y.chunks_mut(width).enumerate() {
            let from = row * self.stride + shift;
            line.copy_from_slice(&self.ground[from..from + width]);
        }
        into.u.fill(124);
        into.v.fill(132);
        for car in 0..6usize {
            let x = ((car * 211 + number as usize * (car + 2)) % (width - 120)) & !1;
            let y = (height / 3 + car * height / 11) & !1;
            self.rectangle(into, (x, y), (60 + car * 10, 36 + car * 4), car as u8);
        }
    }

    fn rectangle(&self, into: &mut I420Buffer, (x, y): (usize, usize), (w, h): (usize, usize), shade: u8) {
        let half = self.width / 2;
        for row in y..(y + h).min(self.height) {
            into.y[row * self.width + x..][..w].fill(40 + shade * 30);
            let at = row / 2 * half + x / 2;
            into.u[at..at + w / 2].fill(100 + shade * 12);
            into.v[at..at + w / 2].fill(170 - shade * 12);
        }
    }
}

/// Blocks with edges, and a little grain.
fn texture(x: usize, row: usize) -> u8 {
    let block = (x / 32 * 37 + row / 24 * 61) % 97;
    let grain = (x.wrapping_mul(2_654_435_761).wrapping_add(row.wrapping_mul(40_503)) >> 7) % 9;
    (70 + block + grain) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scene_moves_and_repeats_itself_exactly() {
        let scene = Scene::new(1280, 720);
        let (mut a, mut b, mut c) = (I420Buffer::default(), I420Buffer::default(), I420Buffer::default());
        scene.draw(10, &mut a);
        scene.draw(11, &mut b);
        scene.draw(10, &mut c);
        assert_eq!(a.y.len(), 1280 * 720);
        assert_eq!((a.y == c.y, a.u == c.u), (true, true));
        let changed = a.y.iter().zip(&b.y).filter(|(a, b)| a != b).count();
        assert!(changed > a.y.len() / 4, "{changed} pixels changed");
        scene.draw(u32::MAX, &mut a);
    }
}
