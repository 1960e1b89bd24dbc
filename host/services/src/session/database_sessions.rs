//! tower-sessions over our database.

use std::{collections::HashMap, fmt};

use async_trait::async_trait;
use serde_json::Value;
use time::OffsetDateTime;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::{session_data, session_key::SessionKey};
use jackfield_store::{
    AadContext, Sealer, Store, StoreError, StoreResult, Tx, Unavailable, UserId, if_it_opens, sessions as rows,
};

/// Sealed sessions in the database, by the hash of their id.
#[derive(Clone)]
pub struct DatabaseSessions {
    store: Store,
}

type Data = (HashMap<String, Value>, i64);
type Put = fn(&mut Tx<'_>, &[u8], Option<UserId>, &[u8], OffsetDateTime) -> StoreResult<()>;

impl DatabaseSessions {
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Stores a session by one of the functions of its table, sealed in the same transaction.
    async fn put(&self, record: &Record, put: Put) -> Result<()> {
        let (key, expires_at) = (SessionKey::of(record.id), record.expiry_date);
        let user = session_data::user(&record.data);
        let data = (record.data.clone(), expires_at.unix_timestamp());
        let sealed_and_put = move |tx: &mut Tx<'_>| {
            let sealed = tx.sealer().seal(context(&[key.as_bytes()]), &data);
            put(tx, key.as_bytes(), user, &sealed, expires_at)
        };
        self.store.write(sealed_and_put).await.map_err(backend)
    }
}

/// The data of a row. `None` if it does not open, as after a change of the secret key.
pub(super) fn opened(sealer: &Sealer, key: &SessionKey, sealed: &[u8]) -> StoreResult<Option<Data>> {
    let opened = if_it_opens(sealer.open(context(&[key.as_bytes()]), sealed))?;
    Ok(opened.inspect_err(|error| tracing::warn!(%error, "a session cannot be opened")).ok())
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "sessions", column: "data", row }
}

/// The layer hands on nothing but a text, so that one says what is the matter.
fn backend(error: StoreError) -> Error {
    Error::Backend(error.unavailable().map_or_else(|| error.to_string(), Unavailable::code))
}

#[async_trait]
impl SessionStore for DatabaseSessions {
    /// Ids are 128 random bits, so one that exists already is not there by chance. It is refused
    /// and never overwritten.
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.put(record, rows::insert).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.put(record, rows::save).await
    }

    /// A session that does not open is none: the person logs in again. It is opened off the async
    /// threads, since its key may have to be looked up.
    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let key = SessionKey::of(*id);
        let load = move |tx: &mut Tx<'_>| match rows::load(tx, key.as_bytes())? {
            Some(sealed) => opened(tx.sealer(), &key, &sealed),
            None => Ok(None),
        };
        let Some((data, expiry)) = self.store.read(load).await.map_err(backend)? else { return Ok(None) };
        let expiry_date =
            OffsetDateTime::from_unix_timestamp(expiry).map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let key = SessionKey::of(*id);
        self.store.write(move |tx| rows::delete(tx, key.as_bytes())).await.map_err(backend)
    }
}

impl fmt::Debug for DatabaseSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseSessions")
    }
}
