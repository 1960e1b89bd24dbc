//! A statement that is written as text: what diesel cannot build for both databases at once, such
//! as an upsert. diesel prepares it once for each connection, as it does with its own.

use std::marker::PhantomData;

use diesel::{
    QueryResult, RunQueryDsl,
    backend::Backend,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{BigInt, Binary, HasSqlType, Nullable, Text},
};

/// A statement with a `?` for each value. `Row` is the SQL type of the rows that it returns.
pub(crate) struct Statement<'a, Row = ()> {
    sql: &'static str,
    values: Vec<SqlValue<'a>>,
    row: PhantomData<Row>,
}

/// A value of a statement.
pub(crate) enum SqlValue<'a> {
    Number(i64),
    OptionalNumber(Option<i64>),
    Text(&'a str),
    OptionalText(Option<&'a str>),
    Bytes(&'a [u8]),
    OptionalBytes(Option<&'a [u8]>),
}

impl<'a, Row> Statement<'a, Row> {
    /// A statement and its values, in the order of the question marks.
    pub(crate) fn new<const N: usize>(sql: &'static str, values: [SqlValue<'a>; N]) -> Self {
        debug_assert_eq!(sql.matches('?').count(), N, "{sql}");
        Self { sql, values: values.into(), row: PhantomData }
    }
}

impl From<i64> for SqlValue<'_> {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<Option<i64>> for SqlValue<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::OptionalNumber(value)
    }
}

impl<'a> From<&'a str> for SqlValue<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<Option<&'a str>> for SqlValue<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::OptionalText(value)
    }
}

impl<'a> From<Option<&'a [u8]>> for SqlValue<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        Self::OptionalBytes(value)
    }
}

impl<'a> From<&'a [u8]> for SqlValue<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

/// A statement and its values, which become [`SqlValue`]s.
macro_rules! statement {
    ($sql:expr $(, $value:expr)* $(,)?) => {
        $crate::database::statement::Statement::new($sql, [$($value.into()),*])
    };
}
pub(crate) use statement;

impl<Row, DB> QueryFragment<DB> for Statement<'_, Row>
where
    DB: Backend,
    i64: ToSql<BigInt, DB>,
    Option<i64>: ToSql<Nullable<BigInt>, DB>,
    str: ToSql<Text, DB>,
    for<'v> Option<&'v str>: ToSql<Nullable<Text>, DB>,
    [u8]: ToSql<Binary, DB>,
    for<'v> Option<&'v [u8]>: ToSql<Nullable<Binary>, DB>,
    DB: HasSqlType<BigInt> + HasSqlType<Nullable<BigInt>>,
    DB: HasSqlType<Text> + HasSqlType<Nullable<Text>> + HasSqlType<Binary> + HasSqlType<Nullable<Binary>>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for (at, text) in self.sql.split('?').enumerate() {
            if at > 0
                && let Some(value) = values.next()
            {
                match value {
                    SqlValue::Number(number) => pass.push_bind_param::<BigInt, i64>(number),
                    SqlValue::OptionalNumber(number) => pass.push_bind_param::<Nullable<BigInt>, Option<i64>>(number),
                    SqlValue::Text(text) => pass.push_bind_param::<Text, str>(text),
                    SqlValue::OptionalText(text) => pass.push_bind_param::<Nullable<Text>, Option<&str>>(text),
                    SqlValue::Bytes(bytes) => pass.push_bind_param::<Binary, [u8]>(bytes),
                    SqlValue::OptionalBytes(bytes) => pass.push_bind_param::<Nullable<Binary>, Option<&[u8]>>(bytes),
                }?;
            }
            pass.push_sql(text);
        }
        Ok(())
    }
}

/// The text tells one statement from another.
impl<Row> QueryId for Statement<'_, Row> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> Query for Statement<'_, Row> {
    type SqlType = Row;
}

impl<Row, C> RunQueryDsl<C> for Statement<'_, Row> {}
