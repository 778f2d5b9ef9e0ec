//! Flat tables with lists in Parquet: what LeRobot's files and tables of states need.

use super::ExchangeError;
use ::parquet::basic::{Compression, ConvertedType, ZstdLevel};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Largest file that is read: its pages may be compressed a hundredfold, so the content is bounded apart.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Largest content of all row groups together, by the file's own account and in memory once it is read: a few bytes of
/// run lengths or of indices into a dictionary may stand for any number of values.
const MAX_CONTENT_BYTES: u64 = 2 << 30;
const ROWS_AT_ONCE: usize = 65_536;

/// Values of a column, row after row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Truth.
    Bool(Vec<bool>),
    /// 64-bit integers.
    I64(Vec<i64>),
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// Text.
    Text(Vec<String>),
    /// Bytes, such as pictures.
    Bytes(Vec<bytes::Bytes>),
}

impl Values {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::Text(v) => v.len(),
            Self::Bytes(v) => v.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// With something in each place that has no value.
    fn spread(self, nulls: &[bool]) -> Self {
        fn over<T: Default>(values: Vec<T>, nulls: &[bool]) -> Vec<T> {
            let mut values = values.into_iter();
            let one = |null: &bool| if *null { T::default() } else { values.next().unwrap_or_default() };
            nulls.iter().map(one).collect()
        }
        match self {
            Self::Bool(v) => Self::Bool(over(v, nulls)),
            Self::I64(v) => Self::I64(over(v, nulls)),
            Self::F32(v) => Self::F32(over(v, nulls)),
            Self::F64(v) => Self::F64(over(v, nulls)),
            Self::Text(v) => Self::Text(over(v, nulls)),
            Self::Bytes(v) => Self::Bytes(over(v, nulls)),
        }
    }

    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Bool(_) => ("BOOLEAN", ""),
            Self::I64(_) => ("INT64", ""),
            Self::F32(_) => ("FLOAT", ""),
            Self::F64(_) => ("DOUBLE", ""),
            Self::Text(_) => ("BYTE_ARRAY", " (STRING)"),
            Self::Bytes(_) => ("BYTE_ARRAY", ""),
        }
    }

    /// Value `index` as a number.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<f64> {
        match self {
            Self::Bool(v) => v.get(index).map(|value| f64::from(u8::from(*value))),
            Self::I64(v) => v.get(index).map(|value| *value as f64),
            Self::F32(v) => v.get(index).map(|value| f64::from(*value)),
            Self::F64(v) => v.get(index).copied(),
            Self::Text(_) | Self::Bytes(_) => None,
        }
    }
}

/// A column; where `lengths` is set, row `i` is a list of `lengths[i]` values, otherwise one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name, such as `observation.state`.
    pub name: String,
    /// All values, one row after the other.
    pub values: Values,
    /// Lengths of the rows' lists; of lists within lists, of all that they hold.
    pub lengths: Option<Vec<usize>>,
    /// Values that are missing, each with something in its place; empty when none is. Lists that are read have no place
    /// for theirs.
    pub nulls: Vec<bool>,
}

impl Column {
    /// One value a row.
    pub fn plain(name: impl Into<String>, values: Values) -> Self {
        Self { name: name.into(), values, lengths: None, nulls: Vec::new() }
    }

    /// The same number of values in each row.
    pub fn lists(name: impl Into<String>, values: Values, each: usize) -> Self {
        let rows = values.len().checked_div(each).unwrap_or(0);
        Self { name: name.into(), values, lengths: Some(vec![each; rows]), nulls: Vec::new() }
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lengths.as_ref().map_or(self.values.len(), Vec::len)
    }

    /// Whether the value at a place is missing; in a column without lists that is a row.
    #[must_use]
    pub fn is_null(&self, place: usize) -> bool {
        self.nulls.get(place).copied().unwrap_or(false)
    }

    /// The number in a row of a column without lists.
    #[must_use]
    pub fn number(&self, row: usize) -> Option<f64> {
        if self.lengths.is_some() || self.is_null(row) { None } else { self.values.number(row) }
    }

    /// The values that are not missing.
    fn there<'a, T: Clone>(&self, values: &'a [T]) -> Cow<'a, [T]> {
        if self.nulls.is_empty() {
            return Cow::Borrowed(values);
        }
        let there = values.iter().enumerate().filter(|(place, _)| !self.is_null(*place));
        there.map(|(_, value)| value.clone()).collect::<Vec<_>>().into()
    }

    fn schema(&self) -> String {
        let (physical, logical) = self.values.kind();
        let name = &self.name;
        match &self.lengths {
            None => format!("optional {physical} {name}{logical};"),
            Some(_) => {
                format!(
                    "optional group {name} (LIST) {{ repeated group list {{ optional {physical} element{logical}; }} }}"
                )
            }
        }
    }

    /// Definition and repetition levels: an empty list is a list.
    fn levels(&self) -> (Vec<i16>, Option<Vec<i16>>) {
        let there = |place: usize| i16::from(!self.is_null(place));
        let Some(lengths) = &self.lengths else { return ((0..self.values.len()).map(there).collect(), None) };
        let (mut defined, mut repeated, mut place) = (Vec::new(), Vec::new(), 0);
        for &length in lengths {
            if length == 0 {
                defined.push(1);
                repeated.push(0);
            }
            for index in 0..length {
                defined.push(2 + there(place));
                repeated.push(i16::from(index > 0));
                place += 1;
            }
        }
        (defined, Some(repeated))
    }
}

/// Writes a table; `metadata` are the file's own entries.
///
/// # Errors
/// [`ExchangeError`] naming the file.
pub fn write(path: &Path, columns: &[Column], metadata: &[(&str, String)]) -> Result<(), ExchangeError> {
    let rows = columns.first().map_or(0, Column::rows);
    if let Some(odd) = columns.iter().find(|column| column.rows() != rows) {
        let problem = format!("column {:?} has {} rows, others have {rows}", odd.name, odd.rows());
        return Err(ExchangeError::unfit(path, problem));
    }
    let failed = |error: ::parquet::errors::ParquetError| ExchangeError::unfit(path, error.to_string());
    let fields: Vec<String> = columns.iter().map(Column::schema).collect();
    let schema = parse_message_type(&format!("message schema {{ {} }}", fields.join(" "))).map_err(failed)?;
    let entries = metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(entries))
        .build();
    let file = File::create(path).map_err(ExchangeError::io("create", path))?;
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
    let mut group = writer.next_row_group().map_err(failed)?;
    columns.iter().try_for_each(|column| write_column(&mut group, column)).map_err(failed)?;
    group.close().map_err(failed)?;
    let file = writer.into_inner().map_err(failed)?;
    file.sync_all().map_err(ExchangeError::io("sync", path))
}

fn write_column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    column: &Column,
) -> Result<(), ::parquet::errors::ParquetError> {
    let (defined, repeated) = column.levels();
    let (defined, repeated) = (Some(&defined[..]), repeated.as_deref());
    let Some(mut writer) = group.next_column()? else { return Ok(()) };
    match &column.values {
        Values::Bool(v) => writer.typed::<BoolType>().write_batch(&column.there(v), defined, repeated)?,
        Values::I64(v) => writer.typed::<Int64Type>().write_batch(&column.there(v), defined, repeated)?,
        Values::F32(v) => writer.typed::<FloatType>().write_batch(&column.there(v), defined, repeated)?,
        Values::F64(v) => writer.typed::<DoubleType>().write_batch(&column.there(v), defined, repeated)?,
        Values::Text(v) => {
            let bytes: Vec<ByteArray> = column.there(v).iter().map(|text| ByteArray::from(text.as_str())).collect();
            writer.typed::<ByteArrayType>().write_batch(&bytes, defined, repeated)?
        }
        Values::Bytes(v) => {
            let bytes: Vec<ByteArray> = column.there(v).iter().map(|bytes| ByteArray::from(bytes.clone())).collect();
            writer.typed::<ByteArrayType>().write_batch(&bytes, defined, repeated)?
        }
    };
    writer.close()
}

/// What was read of a file.
#[derive(Debug, Default)]
pub struct Table {
    /// Columns; the parts of a group have names of the form `group/part`.
    pub columns: Vec<Column>,
    /// Wanted columns that have no place in [`Column`], each with the reason.
    pub unread: Vec<String>,
    /// Columns that nobody wanted.
    pub others: Vec<String>,
}

/// Reads the columns of a file that `wanted` names.
///
/// # Errors
/// [`ExchangeError`] naming the file, for one that is not a Parquet file or claims too much.
pub fn read(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Table, ExchangeError> {
    // The decoder is known to stop with a panic at some malformed pages; that is the file's fault, not ours.
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read_columns(path, &wanted)));
    read.unwrap_or_else(|_| Err(ExchangeError::unfit(path, "a page of this Parquet file is malformed")))
}

fn read_columns(path: &Path, wanted: &impl Fn(&str) -> bool) -> Result<Table, ExchangeError> {
    let failed = |error: ::parquet::errors::ParquetError| ExchangeError::unfit(path, error.to_string());
    let file = File::open(path).map_err(ExchangeError::io("open", path))?;
    let bytes = file.metadata().map_err(ExchangeError::io("look at", path))?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(ExchangeError::unfit(path, format!("{bytes} bytes are more than {MAX_FILE_BYTES}")));
    }
    let reader = SerializedFileReader::new(file).map_err(failed)?;
    let groups = reader.metadata().row_groups();
    let content =
        groups.iter().fold(0_u64, |sum, group| sum.saturating_add(group.total_byte_size().max(0).unsigned_abs()));
    if content > MAX_CONTENT_BYTES {
        return Err(ExchangeError::unfit(path, format!("it claims {content} bytes, more than {MAX_CONTENT_BYTES}")));
    }
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let root = |index: usize| schema.column(index).path().parts().first().cloned().unwrap_or_default();
    let roots: Vec<String> = (0..schema.num_columns()).map(root).collect();
    let (mut table, mut budget) = (Table::default(), MemoryBudget { left: MAX_CONTENT_BYTES });
    for (index, root) in roots.iter().enumerate() {
        if !wanted(root) {
            if !table.others.contains(root) {
                table.others.push(root.clone());
            }
            continue;
        }
        let descriptor = schema.column(index);
        let list = descriptor.max_rep_level() > 0;
        if list && roots.iter().filter(|other| *other == root).count() > 1 {
            let reason = format!("{root} (lists of groups)");
            if !table.unread.contains(&reason) {
                table.unread.push(reason);
            }
            continue;
        }
        let name = if list { root.clone() } else { descriptor.path().parts().join("/") };
        let mut read: Option<Column> = None;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(failed)?;
            let chunk = Chunk { path, group: &*group, index, name: &name, list };
            match (chunk.read(&mut budget)?, &mut read) {
                (Ok(part), None) => read = Some(part),
                (Ok(part), Some(column)) => column.append(part),
                (Err(reason), _) => {
                    table.unread.push(format!("{name} ({reason})"));
                    read = None;
                    break;
                }
            }
        }
        table.columns.extend(read);
    }
    Ok(table)
}

impl Column {
    pub(super) fn append(&mut self, part: Self) {
        let (count, more) = (self.values.len(), part.values.len());
        match (&mut self.values, part.values) {
            (Values::Bool(all), Values::Bool(more)) => all.extend(more),
            (Values::I64(all), Values::I64(more)) => all.extend(more),
            (Values::F32(all), Values::F32(more)) => all.extend(more),
            (Values::F64(all), Values::F64(more)) => all.extend(more),
            (Values::Text(all), Values::Text(more)) => all.extend(more),
            (Values::Bytes(all), Values::Bytes(more)) => all.extend(more),
            _ => {}
        }
        if let (Some(all), Some(more)) = (&mut self.lengths, part.lengths) {
            all.extend(more);
        }
        if !self.nulls.is_empty() || !part.nulls.is_empty() {
            self.nulls.resize(count, false);
            self.nulls.extend(part.nulls);
            self.nulls.resize(count + more, false);
        }
    }
}

/// Memory that the content of a file may still take, bytes.
struct MemoryBudget {
    left: u64,
}

impl MemoryBudget {
    /// Takes what `count` of something in column `name` need; an error when that is not there.
    fn take(&mut self, count: u64, each: u64, path: &Path, name: &str) -> Result<(), ExchangeError> {
        let bytes = count.saturating_mul(each);
        let left = self.left.checked_sub(bytes).ok_or_else(|| {
            let problem = format!(
                "column {name:?} takes {bytes} bytes of memory, which makes the content larger than {MAX_CONTENT_BYTES}"
            );
            ExchangeError::unfit(path, problem)
        })?;
        self.left = left;
        Ok(())
    }
}

/// A column's part in a row group.
struct Chunk<'a> {
    path: &'a Path,
    group: &'a dyn RowGroupReader,
    index: usize,
    name: &'a str,
    list: bool,
}

/// A column's values, the lengths of its lists, and which of its rows have none.
type Read = (Values, Vec<usize>, Vec<bool>);

impl Chunk<'_> {
    fn failed(&self) -> impl Fn(::parquet::errors::ParquetError) -> ExchangeError {
        |error| ExchangeError::unfit(self.path, error.to_string())
    }

    /// The values, or the reason why they have no place in [`Values`].
    fn read(&self, budget: &mut MemoryBudget) -> Result<Result<Column, String>, ExchangeError> {
        let column = |(values, lengths, nulls): Read| {
            Ok(Column { name: self.name.to_owned(), values, lengths: self.list.then_some(lengths), nulls })
        };
        let descriptor = self.group.metadata().column(self.index).column_descr_ptr();
        let kind = descriptor.converted_type();
        let most = descriptor.max_def_level();
        let reader = self.group.get_column_reader(self.index).map_err(self.failed())?;
        self.claim(&reader, budget)?;
        Ok(match reader {
            ColumnReader::BoolColumnReader(reader) => column(self.all(reader, most, Values::Bool)?),
            ColumnReader::Int32ColumnReader(reader) => {
                let is_unsigned = kind == ConvertedType::UINT_32;
                let whole = |value: i32| if is_unsigned { i64::from(value.cast_unsigned()) } else { i64::from(value) };
                column(self.all::<Int32Type>(reader, most, |v| Values::I64(v.into_iter().map(whole).collect()))?)
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let read = self.all(reader, most, Values::I64)?;
                match &read.0 {
                    Values::I64(all) if kind == ConvertedType::UINT_64 && all.iter().any(|value| *value < 0) => {
                        Err(format!("values beyond {}", i64::MAX))
                    }
                    _ => column(read),
                }
            }
            ColumnReader::FloatColumnReader(reader) => column(self.all(reader, most, Values::F32)?),
            ColumnReader::DoubleColumnReader(reader) => column(self.all(reader, most, Values::F64)?),
            ColumnReader::ByteArrayColumnReader(reader) => {
                let is_text = [ConvertedType::UTF8, ConvertedType::JSON, ConvertedType::ENUM].contains(&kind);
                column(self.byte_arrays(reader, most, is_text, budget)?)
            }
            _ => Err(format!("values of type {}", descriptor.physical_type())),
        })
    }

    /// Takes room for as many values as the chunk's pages announce; no more than these are decoded.
    fn claim(&self, reader: &ColumnReader, budget: &mut MemoryBudget) -> Result<(), ExchangeError> {
        let value = match reader {
            ColumnReader::BoolColumnReader(_) => size_of::<bool>(),
            ColumnReader::FloatColumnReader(_) => size_of::<f32>(),
            ColumnReader::ByteArrayColumnReader(_) => size_of::<ByteArray>(),
            _ => size_of::<i64>(),
        };
        let levels = 2 * size_of::<i16>();
        let length = if self.list { size_of::<usize>() } else { 0 };
        let mut pages = self.group.get_column_page_reader(self.index).map_err(self.failed())?;
        let mut count = 0_u64;
        while let Some(page) = pages.peek_next_page().map_err(self.failed())? {
            count = count.saturating_add(page.num_levels.unwrap_or(0) as u64);
            pages.skip_next_page().map_err(self.failed())?;
        }
        budget.take(count, (value + levels + length) as u64, self.path, self.name)
    }

    /// Texts or bytes. Those of a dictionary are shared until they are copied here, one for each row.
    fn byte_arrays(
        &self,
        reader: ColumnReaderImpl<ByteArrayType>,
        most: i16,
        is_text: bool,
        budget: &mut MemoryBudget,
    ) -> Result<Read, ExchangeError> {
        let mut taken = Ok(());
        let text = |bytes: &ByteArray| String::from_utf8_lossy(bytes.data()).into_owned();
        let copy = |bytes: &ByteArray| bytes::Bytes::copy_from_slice(bytes.data());
        let read = self.all::<ByteArrayType>(reader, most, |values| {
            let bytes = values.iter().fold(0_u64, |sum, one| sum.saturating_add(one.data().len() as u64));
            taken = budget.take(bytes, 1, self.path, self.name);
            match (&taken, is_text) {
                (Err(_), _) => Values::Bytes(Vec::new()),
                (Ok(()), true) => Values::Text(values.iter().map(text).collect()),
                (Ok(()), false) => Values::Bytes(values.iter().map(copy).collect()),
            }
        });
        taken.and(read)
    }

    /// All values with the lengths of their lists, or with the rows that have none. A value is there whose definition
    /// level is `most`.
    fn all<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        most: i16,
        wrap: impl FnOnce(Vec<T::T>) -> Values,
    ) -> Result<Read, ExchangeError> {
        let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let (rows, ..) = reader
                .read_records(ROWS_AT_ONCE, Some(&mut defined), Some(&mut repeated), &mut values)
                .map_err(self.failed())?;
            if rows == 0 {
                break;
            }
        }
        let is_null = |level: &i16| *level < most;
        if !self.list {
            if !defined.iter().any(is_null) {
                return Ok((wrap(values), Vec::new(), Vec::new()));
            }
            let nulls: Vec<bool> = defined.iter().map(is_null).collect();
            return Ok((wrap(values).spread(&nulls), Vec::new(), nulls));
        }
        let mut lengths = Vec::new();
        for (position, level) in repeated.iter().enumerate() {
            let there = usize::from(defined.get(position).is_none_or(|level| *level == most));
            match (level, lengths.last_mut()) {
                (0, _) | (_, None) => lengths.push(there),
                (_, Some(length)) => *length += there,
            }
        }
        Ok((wrap(values), lengths, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of one optional column of byte arrays: `batches` times the levels and the values.
    fn wide(path: &Path, batches: usize, levels: &[i16], values: &[ByteArray]) {
        let schema = Arc::new(parse_message_type("message schema { optional BYTE_ARRAY blob; }").unwrap());
        let properties = WriterProperties::builder().set_dictionary_page_size_limit(8 << 20);
        let properties = Arc::new(properties.set_data_page_row_count_limit(usize::MAX).build());
        let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        for _ in 0..batches {
            column.typed::<ByteArrayType>().write_batch(values, Some(levels), None).unwrap();
        }
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn a_small_file_that_asks_for_gigabytes_of_memory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wide.parquet");
        let refusal = |most_bytes: u64| {
            let bytes = std::fs::metadata(&path).unwrap().len();
            assert!(bytes < most_bytes, "{bytes}");
            read(&path, |_| true).unwrap_err().to_string()
        };
        // Rows without a value are run lengths.
        wide(&path, 70, &[0; 1 << 20], &[]);
        assert!(refusal(1 << 20).contains("column \"blob\" takes 2642411520 bytes of memory"), "{}", refusal(1 << 20));
        // One value of a dictionary, named by every row.
        wide(&path, 1, &[1; 3000], &vec![ByteArray::from(vec![7_u8; 1 << 20]); 3000]);
        assert!(refusal(8 << 20).contains("column \"blob\" takes 3145728000 bytes of memory"), "{}", refusal(8 << 20));
        // A few of these are no harm.
        wide(&path, 1, &[0, 1, 0], &[ByteArray::from("x")]);
        let table = read(&path, |_| true).unwrap();
        assert_eq!((table.columns[0].rows(), &table.columns[0].nulls[..]), (3, &[true, false, true][..]));
    }

    #[test]
    fn missing_values_are_written_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nulls.parquet");
        let mut plain = Column::plain("plain", Values::I64(vec![0, 7, 0]));
        plain.nulls = vec![true, false, false];
        let mut lists = Column::lists("lists", Values::Bool(vec![true, false, true, true, false, false]), 2);
        lists.nulls = vec![false, false, true, true, false, false];
        // What has no missing values goes before, and after.
        let mut all = Column::plain("all", Values::F64(vec![1.0]));
        all.append(Column { nulls: vec![true], ..Column::plain("all", Values::F64(vec![0.0])) });
        all.append(Column::plain("all", Values::F64(vec![3.0])));
        write(&path, &[plain.clone(), lists, all], &[]).unwrap();
        let read = read(&path, |_| true).unwrap().columns;
        assert_eq!((read[0].clone(), read[0].number(0), read[0].number(2)), (plain, None, Some(0.0)));
        let expected = (Some(vec![2, 0, 2]), Values::Bool(vec![true, false, false, false]));
        assert_eq!((read[1].lengths.clone(), read[1].values.clone()), expected);
        assert_eq!([0, 1, 2].map(|row| read[2].number(row)), [Some(1.0), None, Some(3.0)]);
    }

    #[test]
    fn unsigned_numbers_stay_above_zero() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("unsigned.parquet");
        let schema = "message schema { required INT32 a (UINT_32); required INT64 b (UINT_64); \
                      required INT64 c (UINT_64); required INT32 d; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let file = File::create(&path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
        // What does not fit is met in the second group.
        for beyond in [1, -1] {
            let mut group = writer.next_row_group().unwrap();
            let mut next = group.next_column().unwrap().unwrap();
            next.typed::<Int32Type>().write_batch(&[3_000_000_000_u32.cast_signed()], None, None).unwrap();
            next.close().unwrap();
            for value in [5, beyond] {
                let mut next = group.next_column().unwrap().unwrap();
                next.typed::<Int64Type>().write_batch(&[value], None, None).unwrap();
                next.close().unwrap();
            }
            let mut next = group.next_column().unwrap().unwrap();
            next.typed::<Int32Type>().write_batch(&[-4], None, None).unwrap();
            next.close().unwrap();
            group.close().unwrap();
        }
        writer.close().unwrap();
        let table = read(&path, |_| true).unwrap();
        let values: Vec<_> = table.columns.into_iter().map(|column| column.values).collect();
        assert_eq!(values, [vec![3_000_000_000; 2], vec![5; 2], vec![-4; 2]].map(Values::I64));
        assert_eq!(table.unread, ["c (values beyond 9223372036854775807)"]);
    }
}
