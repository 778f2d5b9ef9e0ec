//! A value that changes now and then.

/// Values with the time from which on each was true, seconds; only changes are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes<T> {
    at_s: Vec<f32>,
    values: Vec<T>,
}

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Self { at_s: Vec::new(), values: Vec::new() }
    }
}

impl<T: PartialEq> Changes<T> {
    /// `value` is true from `at_s` on; calls come in the order of time.
    pub fn push(&mut self, at_s: f32, value: T) {
        if self.values.last() != Some(&value) {
            self.at_s.push(at_s);
            self.values.push(value);
        }
    }

    /// What is true at `at_s`; `None` before the first.
    #[must_use]
    pub fn at(&self, at_s: f64) -> Option<&T> {
        // Half a millisecond for the lesser precision of the times.
        let after = self.at_s.partition_point(|t| f64::from(*t) <= at_s + 5e-4);
        self.values.get(after.checked_sub(1)?)
    }

    /// Each value with the time when it began.
    pub fn iter(&self) -> impl Iterator<Item = (f32, &T)> {
        self.at_s.iter().copied().zip(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_kept_and_the_newest_is_true() {
        let mut changes = Changes::default();
        for (at_s, value) in [(0.5, 'a'), (1.0, 'a'), (2.0, 'b'), (3.0, 'a')] {
            changes.push(at_s, value);
        }
        assert_eq!(changes.iter().count(), 3);
        assert_eq!([0.0, 1.5, 2.0, 9.0].map(|t| changes.at(t).copied()), [None, Some('a'), Some('b'), Some('a')]);
    }
}
