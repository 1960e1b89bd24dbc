//! Every column that holds sealed values: what a rotation reseals and what a check opens. A
//! test compares the list with the schema.
//!
//! The queries are written as text, once for all columns. Names come from the list below, and
//! values of rows go back in as hexadecimal digits.

use std::collections::HashMap;

use diesel::{
    QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Binary, Nullable},
};

use crate::{
    database::connection::AnyConnection, error::StoreResult, hex::hex, key_id::KeyId, sealing::cipher::AadContext,
    tx::Tx,
};

/// A column that holds sealed values.
#[derive(Debug, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table.
    pub table: &'static str,
    /// The column, without the `sealed_` in front.
    pub column: &'static str,
    /// The columns of the row's natural key, in the order of [`AadContext::row`].
    key: &'static [(&'static str, Kind)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// Stands in a context as decimal text.
    Id,
    Bytes,
}

const fn column(table: &'static str, column: &'static str, key: &'static [(&'static str, Kind)]) -> SealedColumn {
    SealedColumn { table, column, key }
}

/// The key of an organization's link to an integration.
const LINK: &[(&str, Kind)] = &[("organization_id", Kind::Id), ("integration_id", Kind::Id)];

/// All of them, but for `seal_keys.sealed_key`, which is wrapped under the secret key itself.
pub const SEALED_COLUMNS: [SealedColumn; 14] = [
    column("integrations", "metadata", &[("provider", Kind::Text), ("external_id", Kind::Text)]),
    column("identities", "data", &[("identity_provider_id", Kind::Id), ("external_id", Kind::Text)]),
    column("organization_integrations", "metadata", LINK),
    column("organization_integrations", "config", LINK),
    column(
        "grants",
        "tokens",
        &[("integration_id", Kind::Id), ("organization_id", Kind::Id), ("name", Kind::Text), ("subject", Kind::Text)],
    ),
    column("revocations", "given", &[("id", Kind::Id)]),
    column("audit_keys", "key", &[("since", Kind::Id)]),
    column("configurations", "fingerprint", &[("file", Kind::Text)]),
    column("sessions", "data", &[("session_key", Kind::Bytes)]),
    column("connect_sessions", "data", &[("token_hash", Kind::Bytes)]),
    column("endpoints", "secrets", &[("id", Kind::Id)]),
    column("setups", "data", &[("session_key", Kind::Bytes), ("provider", Kind::Text)]),
    column("received_events", "call", &[("id", Kind::Bytes)]),
    column("webhooks", "secret", &[("key_hash", Kind::Bytes)]),
];

/// A sealed value with the key of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// The parts of the row's natural key.
    pub key: RowKey,
    /// The sealed value.
    pub sealed: Vec<u8>,
}

/// Some rows of a table in the order of their keys, and what stands in a column there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// The rows that have a value, and one that was asked for.
    pub rows: Vec<SealedRow>,
    /// Where the next slice begins; `None` at the end of the table.
    pub end: Option<RowKey>,
}

/// The parts of a row's natural key.
pub type RowKey = Vec<Vec<u8>>;

/// Which values of a slice are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// All.
    All,
    /// Those that are not sealed under this key.
    NotUnder(KeyId),
    /// Of all only what says under which key they are sealed.
    Heads,
}

/// How many values are sealed under each key, by key id. The id is shorter where a value is
/// truncated.
pub type KeyUsage = HashMap<Vec<u8>, i64>;

/// How many values are sealed under each key, in all columns together.
///
/// # Errors
/// When the database fails.
pub fn usage(tx: &mut Tx<'_>) -> StoreResult<KeyUsage> {
    usage_on(tx.connection)
}

/// Adds what some values, or their heads, are sealed under.
pub fn add_usage(usage: &mut KeyUsage, rows: &[SealedRow]) {
    for SealedRow { sealed, .. } in rows {
        let id = sealed.get(1..5.min(sealed.len())).unwrap_or_default().to_vec();
        *usage.entry(id).or_default() += 1;
    }
}

/// The same, for a caller without a transaction.
pub(crate) fn usage_on(c: &mut AnyConnection) -> StoreResult<KeyUsage> {
    let mut usage = KeyUsage::new();
    for column in &SEALED_COLUMNS {
        for RawCount { id, count } in column.counts(c)? {
            *usage.entry(id).or_default() += count;
        }
    }
    Ok(usage)
}

#[derive(QueryableByName)]
struct RawRow {
    #[diesel(sql_type = Binary)]
    k0: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    k1: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    k2: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    k3: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    sealed: Option<Vec<u8>>,
}

#[derive(QueryableByName)]
struct RawCount {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How bytes, texts and absent columns are written for either database.
#[derive(Clone, Copy)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    const fn of(c: &AnyConnection) -> Self {
        match c {
            AnyConnection::Sqlite(_) => Self::Sqlite,
            AnyConnection::Postgres(_) => Self::Postgres,
        }
    }

    fn bytes(self, bytes: &[u8]) -> String {
        let digits = hex(bytes);
        match self {
            Self::Sqlite => format!("X'{digits}'"),
            Self::Postgres => format!("decode('{digits}', 'hex')"),
        }
    }

    fn value(self, kind: Kind, part: &[u8]) -> String {
        let bytes = self.bytes(part);
        match (kind, self) {
            (Kind::Bytes, _) => bytes,
            (Kind::Text, Self::Sqlite) => format!("CAST({bytes} AS TEXT)"),
            (Kind::Text, Self::Postgres) => format!("convert_from({bytes}, 'UTF8')"),
            (Kind::Id, Self::Sqlite) => format!("CAST(CAST({bytes} AS TEXT) AS INTEGER)"),
            (Kind::Id, Self::Postgres) => format!("convert_from({bytes}, 'UTF8')::bigint"),
        }
    }

    fn selected(self, name: &str, kind: Kind) -> String {
        match (kind, self) {
            (Kind::Bytes, _) => name.to_owned(),
            (_, Self::Sqlite) => format!("CAST({name} AS BLOB)"),
            (_, Self::Postgres) => format!("convert_to({name}::text, 'UTF8')"),
        }
    }

    const fn absent(self) -> &'static str {
        match self {
            Self::Sqlite => "NULL",
            Self::Postgres => "NULL::bytea",
        }
    }
}

impl SealedColumn {
    /// Its name in the table.
    #[must_use]
    pub fn name(&self) -> String {
        format!("sealed_{}", self.column)
    }

    /// Looks at the next rows in the order of their keys, after `after`: so many at most, whatever
    /// stands in them. So a read ends soon, however large the table is.
    ///
    /// # Errors
    /// When the database fails.
    pub fn slice(&self, tx: &mut Tx<'_>, values: Values, after: Option<&RowKey>, limit: usize) -> StoreResult<Slice> {
        let (dialect, sealed) = (Dialect::of(tx.connection), self.name());
        let names = self.key.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let after = after.map(|key| format!(" WHERE ({names}) > ({})", self.values(dialect, key).join(", ")));
        let value = match values {
            Values::All => sealed,
            Values::NotUnder(id) => {
                format!("CASE WHEN substr({sealed}, 2, 4) <> {} THEN {sealed} END", dialect.bytes(&id))
            }
            Values::Heads => format!("substr({sealed}, 1, 5)"),
        };
        let sql = format!(
            "SELECT {}, {value} AS sealed FROM {}{} ORDER BY {names} LIMIT {limit}",
            self.selection(dialect),
            self.table,
            after.unwrap_or_default(),
        );
        let mut slice = Slice::default();
        for row in load::<RawRow>(tx.connection, &sql)? {
            let (key, sealed) = self.row(row);
            slice.end = Some(key.clone());
            slice.rows.extend(sealed.map(|sealed| SealedRow { key, sealed }));
        }
        Ok(slice)
    }

    /// Replaces a value, if it still stands there. Returns whether it did.
    ///
    /// # Errors
    /// When the database fails.
    pub fn swap(&self, tx: &mut Tx<'_>, row: &SealedRow, new: &[u8]) -> StoreResult<bool> {
        let (dialect, sealed) = (Dialect::of(tx.connection), self.name());
        let key =
            self.key.iter().zip(self.values(dialect, &row.key)).map(|((name, _), value)| format!("{name} = {value}"));
        let sql = format!(
            "UPDATE {} SET {sealed} = {} WHERE {} AND {sealed} = {}",
            self.table,
            dialect.bytes(new),
            key.collect::<Vec<_>>().join(" AND "),
            dialect.bytes(&row.sealed)
        );
        let changed = match &mut *tx.connection {
            AnyConnection::Sqlite(sqlite) => sql_query(sql).execute(sqlite)?,
            AnyConnection::Postgres(postgres) => sql_query(sql).execute(postgres)?,
        };
        Ok(changed == 1)
    }

    fn counts(&self, c: &mut AnyConnection) -> StoreResult<Vec<RawCount>> {
        let sql = format!(
            "SELECT substr({sealed}, 2, 4) AS id, count(*) AS count FROM {} WHERE {sealed} IS NOT NULL \
             GROUP BY 1 ORDER BY 1",
            self.table,
            sealed = self.name(),
        );
        load(c, &sql)
    }

    /// Runs a function with the context of a row's value.
    pub fn in_context<T>(&self, row: &SealedRow, run: impl FnOnce(AadContext<'_>) -> T) -> T {
        let key: Vec<&[u8]> = row.key.iter().map(Vec::as_slice).collect();
        run(AadContext { table: self.table, column: self.column, row: &key })
    }

    /// The key of a row for people: texts as they are, bytes in hexadecimal.
    #[must_use]
    pub fn row_label(&self, row: &SealedRow) -> String {
        let parts = self.key.iter().zip(&row.key).map(|((_, kind), part)| match kind {
            Kind::Bytes => hex(part),
            Kind::Text | Kind::Id => String::from_utf8_lossy(part).into_owned(),
        });
        parts.collect::<Vec<_>>().join(" / ")
    }

    fn values(&self, dialect: Dialect, key: &RowKey) -> Vec<String> {
        self.key.iter().zip(key).map(|((_, kind), part)| dialect.value(*kind, part)).collect()
    }

    fn selection(&self, dialect: Dialect) -> String {
        let parts = (0..4).map(|at| {
            let expression = self.key.get(at).map(|(name, kind)| dialect.selected(name, *kind));
            format!("{} AS k{at}", expression.unwrap_or_else(|| dialect.absent().to_owned()))
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn row(&self, RawRow { k0, k1, k2, k3, sealed }: RawRow) -> (RowKey, Option<Vec<u8>>) {
        ([Some(k0), k1, k2, k3].into_iter().flatten().take(self.key.len()).collect(), sealed)
    }
}

fn load<T>(c: &mut AnyConnection, sql: &str) -> StoreResult<Vec<T>>
where
    T: QueryableByName<diesel::sqlite::Sqlite> + QueryableByName<diesel::pg::Pg> + 'static,
{
    Ok(match c {
        AnyConnection::Sqlite(sqlite) => sql_query(sql).load(sqlite)?,
        AnyConnection::Postgres(postgres) => sql_query(sql).load(postgres)?,
    })
}
