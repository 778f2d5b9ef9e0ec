//! Rows are read by the names of their columns, so that a query may list them in any order. What does not fit is an error
//! that names the column and the value.

use sqlx::any::AnyRow;
use sqlx::{Row, ValueRef};
use std::error::Error;
use std::str::FromStr;

/// What a row of one shape is read into. As `sqlx::FromRow`, but ours, so that types of other crates can have it.
pub(super) trait FromRow: Sized {
    /// Reads a row.
    fn from_row(row: &AnyRow) -> sqlx::Result<Self>;

    /// Reads all rows.
    fn from_rows(rows: &[AnyRow]) -> sqlx::Result<Vec<Self>> {
        rows.iter().map(Self::from_row).collect()
    }
}

/// Columns whose values have rules that the database does not know.
pub(super) trait Columns {
    /// The text of a column as `read` takes it.
    fn read<T, E>(&self, column: &str, read: impl FnOnce(&str) -> Result<T, E>) -> sqlx::Result<T>
    where
        E: Into<Box<dyn Error + Send + Sync>>;

    /// A text that is an identifier or another type of its own.
    fn parsed<T>(&self, column: &str) -> sqlx::Result<T>
    where
        T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
    {
        self.read(column, T::from_str)
    }

    /// What `read` makes of a column; nothing of one that is null.
    fn optional<T>(&self, column: &str, read: impl FnOnce(&Self, &str) -> sqlx::Result<T>) -> sqlx::Result<Option<T>>;

    /// A number of things.
    fn count(&self, column: &str) -> sqlx::Result<u64>;
}

impl Columns for AnyRow {
    fn read<T, E>(&self, column: &str, read: impl FnOnce(&str) -> Result<T, E>) -> sqlx::Result<T>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        read(self.try_get(column)?).map_err(|cause| bad(column, cause))
    }

    fn optional<T>(&self, column: &str, read: impl FnOnce(&Self, &str) -> sqlx::Result<T>) -> sqlx::Result<Option<T>> {
        let is_null = self.try_get_raw(column)?.is_null();
        (!is_null).then(|| read(self, column)).transpose()
    }

    fn count(&self, column: &str) -> sqlx::Result<u64> {
        let count: i64 = self.try_get(column)?;
        u64::try_from(count).map_err(|_| bad(column, format!("{count} is not a number of things")))
    }
}

/// A value that a column may not have.
pub(super) fn bad(column: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: format!("{column:?}"), source: cause.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::VehicleId;
    use sqlx::{AnyConnection, Connection};

    async fn row(sql: &'static str) -> AnyRow {
        sqlx::any::install_default_drivers();
        let mut database = AnyConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query(sql).fetch_one(&mut database).await.unwrap()
    }

    #[tokio::test]
    async fn columns_are_found_by_name_in_any_order() {
        for sql in ["SELECT 'car' AS vehicle, 3 AS takeovers", "SELECT 3 AS takeovers, 'car' AS vehicle"] {
            let row = row(sql).await;
            assert_eq!(row.parsed::<VehicleId>("vehicle").unwrap().as_str(), "car");
            assert_eq!(row.count("takeovers").unwrap(), 3);
        }
    }

    #[tokio::test]
    async fn what_is_null_is_nothing_and_what_is_missing_is_an_error() {
        let row = row("SELECT NULL AS parent, 3 AS bytes").await;
        assert_eq!(row.optional("parent", AnyRow::parsed::<VehicleId>).unwrap(), None);
        assert_eq!(row.optional("bytes", AnyRow::count).unwrap(), Some(3));
        assert!(row.optional("verdict", AnyRow::count).is_err());
    }

    #[tokio::test]
    async fn an_error_names_the_column_and_the_value() {
        let row = row("SELECT '../x' AS vehicle, -3 AS takeovers, 'many' AS trips").await;
        let says = |error: sqlx::Error, parts: [&str; 2]| {
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        };
        says(row.parsed::<VehicleId>("vehicle").unwrap_err(), ["\"vehicle\"", "\"../x\""]);
        says(row.count("takeovers").unwrap_err(), ["\"takeovers\"", "-3"]);
        says(row.count("trips").unwrap_err(), ["\"trips\"", "TEXT"]);
        says(row.count("miles").unwrap_err(), ["miles", "no column"]);
    }
}
