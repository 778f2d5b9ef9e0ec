//! Arrays of numpy (format versions 1 to 3) of real numbers and truth values.

use super::ExchangeError;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Largest array that is read, in its file and as numbers of 8 bytes in memory.
const MAX_BYTES: u64 = 256 << 20;

/// An array of rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub rows: usize,
    pub width: usize,
    values: Vec<f64>,
}

impl Array {
    pub fn row(&self, index: usize) -> &[f64] {
        self.values.get(index * self.width..(index + 1) * self.width).unwrap_or_default()
    }

    pub fn first(&self, index: usize) -> f64 {
        self.row(index).first().copied().unwrap_or(f64::NAN)
    }
}

/// Reads an array; dimensions after the first are taken for one.
pub(super) fn read(path: &Path) -> Result<Array, ExchangeError> {
    let bad = |offset: u64, problem: String| ExchangeError::malformed(path, offset, problem);
    let mut file = File::open(path).map_err(ExchangeError::io("open", path))?;
    let length = file.metadata().map_err(ExchangeError::io("look at", path))?.len();
    if length > MAX_BYTES {
        return Err(bad(0, format!("{length} bytes are more than {MAX_BYTES}")));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.by_ref().take(MAX_BYTES).read_to_end(&mut bytes).map_err(ExchangeError::io("read", path))?;
    if !bytes.starts_with(MAGIC) || bytes.len() < 12 {
        return Err(bad(0, "it does not begin as a numpy array".to_owned()));
    }
    let (begin, header) = match bytes[6] {
        1 => (10, usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))),
        2 | 3 => (12, u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize),
        version => return Err(bad(6, format!("numpy's format version {version} is not known"))),
    };
    let text = begin_end(&bytes, begin, header).ok_or_else(|| bad(8, format!("a header of {header} bytes")))?;
    let data = &bytes[begin + header..];
    let place = (begin + header) as u64;
    let text = String::from_utf8_lossy(text);
    let kind = after(&text, "'descr':").and_then(|rest| rest.split('\'').nth(1)).unwrap_or_default();
    let (rows, width) = shape(&text).ok_or_else(|| bad(begin as u64, format!("its shape makes no sense: {text:?}")))?;
    let kind = Kind::of(kind).ok_or_else(|| {
        bad(begin as u64, format!("values of type {kind:?}; real numbers of 1 to 8 bytes can be read"))
    })?;
    let count = rows.checked_mul(width).filter(|count| count.checked_mul(kind.bytes) == Some(data.len()));
    let count =
        count.ok_or_else(|| bad(place, format!("{rows} by {width} values do not make {} bytes", data.len())))?;
    let most = MAX_BYTES / size_of::<f64>() as u64;
    if count as u64 > most {
        return Err(bad(begin as u64, format!("its shape {rows} by {width} has {count} values, more than {most}")));
    }
    let values: Vec<f64> = data.chunks_exact(kind.bytes).map(|bytes| kind.value(bytes)).collect();
    let fortran = after(&text, "'fortran_order':").is_some_and(|rest| rest.trim_start().starts_with("True"));
    let values = if fortran && width > 1 {
        (0..count).map(|index| values[index % width * rows + index / width]).collect()
    } else {
        values
    };
    Ok(Array { rows, width, values })
}

fn begin_end(bytes: &[u8], begin: usize, length: usize) -> Option<&[u8]> {
    bytes.get(begin..begin.checked_add(length)?)
}

fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(key).map(|(_, rest)| rest)
}

fn shape(text: &str) -> Option<(usize, usize)> {
    let inside = after(text, "'shape':")?.split_once('(')?.1.split_once(')')?.0;
    let sizes: Vec<usize> =
        inside.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok()).collect::<Option<_>>()?;
    let (rows, rest) = sizes.split_first()?;
    let width = rest.iter().try_fold(1_usize, |all, one| all.checked_mul(*one))?;
    // Rows without values are none.
    if width == 0 { Some((0, 1)) } else { Some((*rows, width)) }
}

/// How a value is stored.
struct Kind {
    /// `f`, `i`, `u` or `b`.
    letter: u8,
    bytes: usize,
    is_big: bool,
}

impl Kind {
    fn of(text: &str) -> Option<Self> {
        let (order, letter, bytes) = match *text.as_bytes() {
            [order, letter, digit] => (order, letter, usize::from(digit.checked_sub(b'0')?)),
            _ => return None,
        };
        let known = match letter {
            b'f' => [4, 8].contains(&bytes),
            b'i' | b'u' => [1, 2, 4, 8].contains(&bytes),
            b'b' => bytes == 1,
            _ => false,
        };
        (known && b"<>|=".contains(&order)).then_some(Self { letter, bytes, is_big: order == b'>' })
    }

    fn value(&self, stored: &[u8]) -> f64 {
        let mut bytes = [0; 8];
        for (index, byte) in stored.iter().take(8).enumerate() {
            bytes[if self.is_big { self.bytes - 1 - index } else { index }] = *byte;
        }
        let whole = u64::from_le_bytes(bytes);
        match (self.letter, self.bytes) {
            (b'f', 8) => f64::from_bits(whole),
            (b'f', _) => f64::from(f32::from_bits(whole as u32)),
            (b'i', 1) => f64::from(whole as i8),
            (b'i', 2) => f64::from(whole as i16),
            (b'i', 4) => f64::from(whole as i32),
            (b'i', _) => whole as i64 as f64,
            _ => whole as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_that_are_large_in_memory_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wide.npy");
        let write = |count: u64| {
            let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({count},), }}\n");
            let begin = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
            std::fs::write(&path, &begin).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_len(begin.len() as u64 + count).unwrap();
        };
        write(MAX_BYTES / 8 + 1);
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("33554433 by 1 has 33554433 values"), "{error}");
        write(3);
        assert_eq!(read(&path).unwrap(), Array { rows: 3, width: 1, values: vec![0.0; 3] });
    }

    #[test]
    fn every_width_sign_and_order_of_bytes_is_read() {
        let value = |kind: &str, bytes: &[u8]| Kind::of(kind).map(|kind| kind.value(bytes));
        assert_eq!(value("<f8", &1.5_f64.to_le_bytes()), Some(1.5));
        assert_eq!(value(">f8", &1.5_f64.to_be_bytes()), Some(1.5));
        assert_eq!(value(">f4", &(-2.5_f32).to_be_bytes()), Some(-2.5));
        assert_eq!(value("<i2", &(-7_i16).to_le_bytes()), Some(-7.0));
        assert_eq!(value("|u1", &[200]), Some(200.0));
        assert_eq!(value("|b1", &[1]), Some(1.0));
        assert_eq!(value("<i8", &i64::MIN.to_le_bytes()), Some(i64::MIN as f64));
        for odd in ["<c8", "<f2", "|S4", "<U3", "|O", "", "f8", "<f9", "<i0"] {
            assert!(Kind::of(odd).is_none(), "{odd}");
        }
        assert_eq!(shape("'shape': (3, 2, 2), }"), Some((3, 4)));
        assert_eq!(shape("'shape': (3, 0), }"), Some((0, 1)));
        assert_eq!((shape("'shape': (), }"), shape("'shape': (-1,), }")), (None, None));
    }
}
