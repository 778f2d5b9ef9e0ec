//! Arrays of numpy (format versions 1 to 3) of doubles, 64-bit integers and short byte strings.

use super::ExchangeError;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Largest array that is read.
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

/// Reads an array of doubles or integers with one or two dimensions.
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
    let count = rows.checked_mul(width).filter(|count| count.checked_mul(8) == Some(data.len()));
    let count =
        count.ok_or_else(|| bad(place, format!("{rows} by {width} values do not make {} bytes", data.len())))?;
    let numbers = data.chunks_exact(8).map(|b| b.try_into().unwrap_or_default());
    let values: Vec<f64> = match kind {
        "<f8" => numbers.map(f64::from_le_bytes).collect(),
        "<i8" => numbers.map(|b| i64::from_le_bytes(b) as f64).collect(),
        other => return Err(bad(begin as u64, format!("values of type {other:?}; <f8 and <i8 can be read"))),
    };
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
    match sizes[..] {
        [rows] => Some((rows, 1)),
        [rows, width] if width > 0 => Some((rows, width)),
        _ => None,
    }
}
