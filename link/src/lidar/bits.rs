//! Single bits in bytes, from the top.

/// Appends bits.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// Bits used of the last byte.
    used: u32,
}

impl Writer {
    /// Whole and begun bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The `bits` low bits of `value`, the highest first.
    pub(super) fn put(&mut self, value: u32, bits: u32) {
        for bit in (0..bits).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// `count` ones.
    pub(super) fn ones(&mut self, count: u32) {
        self.put(u32::MAX, count);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads bits.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = u32::from(byte >> (7 - self.at % 8) & 1);
        self.at += 1;
        Some(bit)
    }

    /// A number of `bits` bits; `None` when they are not there.
    pub(super) fn take(&mut self, bits: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..bits {
            value = value << 1 | self.bit()?;
        }
        Some(value)
    }

    /// Ones up to a zero, which is read too, or up to `most`.
    pub(super) fn count_ones(&mut self, most: u32) -> Option<u32> {
        let mut ones = 0;
        while ones < most && self.bit()? == 1 {
            ones += 1;
        }
        Some(ones)
    }
}
