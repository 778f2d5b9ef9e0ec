//! Takes an input apart, from its beginning; what is missing at the end is zero.

use std::path::Path;

/// The rest of an input.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many bytes.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(most.min(self.0.len()));
        self.0 = tail;
        head
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let head = self.bytes(N);
        array[..head.len()].copy_from_slice(head);
        array
    }

    /// One byte.
    pub fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// Little-endian.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    /// Little-endian.
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// From `low` to `high` in steps of a 65,535th.
    pub fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.u16()) / f64::from(u16::MAX)
    }

    /// A piece with its length in two bytes before it.
    pub fn piece(&mut self) -> &'a [u8] {
        let length = self.u16();
        self.bytes(usize::from(length))
    }
}

/// A folder in memory where the system has one: the disk is not what is tried here.
pub fn folder() -> Option<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.ok()
}
