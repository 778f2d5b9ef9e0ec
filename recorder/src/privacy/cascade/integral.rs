//! Sums over rectangles of a picture in a few look-ups.

/// Summed-area tables of a picture, each with a row and a column of zeros ahead. Sums wrap: differences are right.
#[derive(Debug, Default)]
pub(in crate::privacy) struct Integral {
    pub width: usize,
    pub height: usize,
    /// Of the pixels; entry (x, y) is the sum of all above and left.
    pub sum: Vec<u32>,
    /// Of their squares.
    pub squares: Vec<u32>,
}

impl Integral {
    /// Distance between rows of the tables.
    pub fn stride(&self) -> usize {
        self.width + 1
    }

    /// Fills the tables for a picture.
    pub fn fill(&mut self, pixels: &[u8], width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        let stride = width + 1;
        for table in [&mut self.sum, &mut self.squares] {
            table.clear();
            table.resize(stride * (height + 1), 0);
        }
        for (y, row) in pixels.chunks_exact(width.max(1)).take(height).enumerate() {
            let (above, below) = self.sum.split_at_mut((y + 1) * stride);
            let (square_above, square_below) = self.squares.split_at_mut((y + 1) * stride);
            let (above, square_above) = (&above[y * stride + 1..], &square_above[y * stride + 1..]);
            let (below, square_below) = (&mut below[1..stride], &mut square_below[1..stride]);
            let (mut sum, mut squares) = (0_u32, 0_u32);
            for (x, &pixel) in row.iter().enumerate() {
                let pixel = u32::from(pixel);
                sum = sum.wrapping_add(pixel);
                squares = squares.wrapping_add(pixel * pixel);
                below[x] = above[x].wrapping_add(sum);
                square_below[x] = square_above[x].wrapping_add(squares);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_what_adding_up_gives() {
        let (width, height) = (13, 9);
        let pixels: Vec<u8> = (0..width * height).map(|i| (i * 37 % 251) as u8).collect();
        let mut tables = Integral::default();
        tables.fill(&pixels, width, height);
        for y in 0..=height {
            for x in 0..=width {
                let (mut sum, mut squares) = (0, 0);
                for (row, column) in (0..y).flat_map(|row| (0..width).map(move |column| (row, column))) {
                    let pixel = u32::from(pixels[row * width + column]);
                    if column < x {
                        sum += pixel;
                        squares += pixel * pixel;
                    }
                }
                let at = y * tables.stride() + x;
                let found = (tables.sum[at], tables.squares[at]);
                assert_eq!(found, (sum, squares), "{x} {y}");
            }
        }
    }
}
