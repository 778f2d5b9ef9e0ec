//! Piecewise cubic polynomials over a road's s coordinate.

/// `a + b ds + c ds^2 + d ds^3` with `ds` counted from `s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cubic {
    pub s: f64,
    pub a: f64,
    pub b: f64,
    pub c: f64,
    pub d: f64,
}

impl Cubic {
    /// Value and slope at `ds` from the piece's start.
    pub fn at(&self, ds: f64) -> (f64, f64) {
        let value = self.a + ds * (self.b + ds * (self.c + ds * self.d));
        let slope = self.b + ds * (2.0 * self.c + ds * 3.0 * self.d);
        (value, slope)
    }

    /// Second derivative at `ds` from the piece's start.
    pub fn bend(&self, ds: f64) -> f64 {
        2.0 * self.c + 6.0 * self.d * ds
    }
}

/// Pieces in the order of their start; each holds until the next one starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cubics(Vec<Cubic>);

impl Cubics {
    /// Takes the pieces in any order; of two that start at the same place the later one counts.
    pub fn new(mut pieces: Vec<Cubic>) -> Self {
        pieces.sort_by(|a, b| a.s.total_cmp(&b.s));
        Self(pieces)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Value and slope at `s`; before the first piece its first value counts, without any piece 0.
    pub fn at(&self, s: f64) -> (f64, f64) {
        let after = self.0.partition_point(|piece| piece.s <= s);
        match (after.checked_sub(1).map(|i| self.0[i]), self.0.first()) {
            (Some(piece), _) => piece.at(s - piece.s),
            (None, Some(first)) => (first.a, 0.0),
            (None, None) => (0.0, 0.0),
        }
    }
}
