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
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Largest file that is read: its pages may be compressed a hundredfold, so the content is bounded apart.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Largest content of all row groups together, by the file's own account and while reading.
const MAX_CONTENT_BYTES: i64 = 2 << 30;
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
    /// Rows of a column without lists that have no value; empty when every row has one.
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

    /// Whether a row of a column without lists has no value.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.get(row).copied().unwrap_or(false)
    }

    /// The number in a row of a column without lists.
    #[must_use]
    pub fn number(&self, row: usize) -> Option<f64> {
        if self.lengths.is_some() || self.is_null(row) { None } else { self.values.number(row) }
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

    /// Definition and repetition levels: everything is there, an empty list is a list.
    fn levels(&self) -> (Vec<i16>, Option<Vec<i16>>) {
        let Some(lengths) = &self.lengths else { return (vec![1; self.values.len()], None) };
        let (mut defined, mut repeated) = (Vec::new(), Vec::new());
        for &length in lengths {
            if length == 0 {
                defined.push(1);
                repeated.push(0);
            }
            for index in 0..length {
                defined.push(3);
                repeated.push(i16::from(index > 0));
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
        Values::Bool(v) => writer.typed::<BoolType>().write_batch(v, defined, repeated)?,
        Values::I64(v) => writer.typed::<Int64Type>().write_batch(v, defined, repeated)?,
        Values::F32(v) => writer.typed::<FloatType>().write_batch(v, defined, repeated)?,
        Values::F64(v) => writer.typed::<DoubleType>().write_batch(v, defined, repeated)?,
        Values::Text(v) => {
            let bytes: Vec<ByteArray> = v.iter().map(|text| ByteArray::from(text.as_str())).collect();
            writer.typed::<ByteArrayType>().write_batch(&bytes, defined, repeated)?
        }
        Values::Bytes(v) => {
            let bytes: Vec<ByteArray> = v.iter().map(|bytes| ByteArray::from(bytes.clone())).collect();
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
/// [`ExchangeError`] naming the file, for one that is no Parquet or claims too much.
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
    let content: i64 = groups.iter().fold(0, |sum, group| sum.saturating_add(group.total_byte_size().max(0)));
    if content > MAX_CONTENT_BYTES {
        return Err(ExchangeError::unfit(path, format!("it claims {content} bytes, more than {MAX_CONTENT_BYTES}")));
    }
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let root = |index: usize| schema.column(index).path().parts().first().cloned().unwrap_or_default();
    let roots: Vec<String> = (0..schema.num_columns()).map(root).collect();
    let mut table = Table::default();
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
            let Some(part) = read_chunk(path, &*group, index, &name, list)? else { break };
            match &mut read {
                None => read = Some(part),
                Some(column) => column.append(part),
            }
        }
        if read.is_none() && reader.num_row_groups() > 0 {
            table.unread.push(format!("{name} (values of type {})", descriptor.physical_type()));
        }
        table.columns.extend(read);
    }
    Ok(table)
}

impl Column {
    pub(super) fn append(&mut self, part: Self) {
        let (rows, more_rows) = (self.rows(), part.rows());
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
            self.nulls.resize(rows, false);
            self.nulls.extend(part.nulls);
            self.nulls.resize(rows + more_rows, false);
        }
    }
}

fn read_chunk(
    path: &Path,
    group: &dyn RowGroupReader,
    index: usize,
    name: &str,
    list: bool,
) -> Result<Option<Column>, ExchangeError> {
    let failed = |error: ::parquet::errors::ParquetError| ExchangeError::unfit(path, error.to_string());
    let column = |(values, lengths, nulls): (Values, Vec<usize>, Vec<bool>)| {
        Some(Column { name: name.to_owned(), values, lengths: list.then_some(lengths), nulls })
    };
    let descriptor = group.metadata().column(index).column_descr_ptr();
    let levels = Levels { path, name, list, most: descriptor.max_def_level() };
    let is_text =
        matches!(descriptor.converted_type(), ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM);
    Ok(match group.get_column_reader(index).map_err(failed)? {
        ColumnReader::BoolColumnReader(reader) => column(levels.all(reader, Values::Bool)?),
        ColumnReader::Int32ColumnReader(reader) => {
            column(levels.all::<Int32Type>(reader, |v| Values::I64(v.into_iter().map(i64::from).collect()))?)
        }
        ColumnReader::Int64ColumnReader(reader) => column(levels.all(reader, Values::I64)?),
        ColumnReader::FloatColumnReader(reader) => column(levels.all(reader, Values::F32)?),
        ColumnReader::DoubleColumnReader(reader) => column(levels.all(reader, Values::F64)?),
        ColumnReader::ByteArrayColumnReader(reader) if is_text => {
            let text = |v: Vec<ByteArray>| v.iter().map(|b| String::from_utf8_lossy(b.data()).into_owned()).collect();
            column(levels.all::<ByteArrayType>(reader, |v| Values::Text(text(v)))?)
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            let bytes = |v: Vec<ByteArray>| v.iter().map(|b| bytes::Bytes::copy_from_slice(b.data())).collect();
            column(levels.all::<ByteArrayType>(reader, |v| Values::Bytes(bytes(v)))?)
        }
        _ => None,
    })
}

struct Levels<'a> {
    path: &'a Path,
    name: &'a str,
    list: bool,
    most: i16,
}

impl Levels<'_> {
    /// All values of a column chunk with the lengths of its lists, or with its rows that have none.
    fn all<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        wrap: impl Fn(Vec<T::T>) -> Values,
    ) -> Result<(Values, Vec<usize>, Vec<bool>), ExchangeError> {
        let failed = |error: ::parquet::errors::ParquetError| ExchangeError::unfit(self.path, error.to_string());
        let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let (rows, ..) = reader
                .read_records(ROWS_AT_ONCE, Some(&mut defined), Some(&mut repeated), &mut values)
                .map_err(failed)?;
            if values.len().saturating_mul(size_of::<T::T>()) as i64 > MAX_CONTENT_BYTES {
                return Err(ExchangeError::unfit(self.path, format!("column {:?} is too large", self.name)));
            }
            if rows == 0 {
                break;
            }
        }
        let is_null = |level: &i16| *level < self.most;
        if !self.list {
            if !defined.iter().any(is_null) {
                return Ok((wrap(values), Vec::new(), Vec::new()));
            }
            let nulls: Vec<bool> = defined.iter().map(is_null).collect();
            return Ok((wrap(values).spread(&nulls), Vec::new(), nulls));
        }
        let mut lengths = Vec::new();
        for (position, level) in repeated.iter().enumerate() {
            let there = usize::from(defined.get(position).is_none_or(|level| *level == self.most));
            match (level, lengths.last_mut()) {
                (0, _) | (_, None) => lengths.push(there),
                (_, Some(length)) => *length += there,
            }
        }
        Ok((wrap(values), lengths, Vec::new()))
    }
}
