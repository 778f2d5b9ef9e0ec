//! A picture to encode.

/// A picture that moves everywhere, so that nothing is skipped.
pub fn draw(y: &mut [u8], width: usize, frame: u32) {
    for (i, p) in y.iter_mut().enumerate() {
        let (x, row) = (i % width, i / width);
        *p = (64 + ((x + frame as usize * 3) / 8 % 8) * 12 + (row + frame as usize) / 16 % 4 * 10) as u8;
    }
}
