//! A query that is put together piece by piece, with values bound in their order.

use sqlx::any::{Any, AnyRow};
use sqlx::{AssertSqlSafe, Executor};

#[derive(Debug, Clone)]
enum Value {
    Integer(i64),
    Real(f64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Value {
    /// PostgreSQL knows no character 0; what has one is equal to nothing that is stored.
    fn from(value: &str) -> Self {
        Self::Text(value.replace('\0', "\u{fffd}"))
    }
}

/// Text that this crate wrote and values that others sent, never mixed.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Goes on with `text`.
    pub(super) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A placeholder for `value`.
    #[allow(private_bounds)] // The values are whatever has an entry above.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Placeholders for all `values`, in brackets; with none, nothing is among them.
    pub(super) fn list<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.push("(NULL");
        for value in values {
            self.push(", ").bind(value);
        }
        self.push(")")
    }

    pub(super) async fn fetch_all<'c>(&self, executor: impl Executor<'c, Database = Any>) -> sqlx::Result<Vec<AnyRow>> {
        let mut query = sqlx::query(AssertSqlSafe(self.text.clone()));
        for value in &self.values {
            query = match value {
                Value::Integer(value) => query.bind(*value),
                Value::Real(value) => query.bind(*value),
                Value::Text(value) => query.bind(value.clone()),
            };
        }
        query.fetch_all(executor).await
    }
}
