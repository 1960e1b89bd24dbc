//! The pool of connections: SQLite's only read, PostgreSQL's write as well.

use diesel::r2d2::Pool;

use crate::{
    database::connection::{AnyConnection, Connector},
    error::{StoreError, StoreResult},
};

/// How many connections the pool has. SQLite's writer has another one of its own.
const POOL_SIZE: u32 = 8;

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ConnectionPool {
    connections: Pool<Connector>,
}

impl ConnectionPool {
    /// Opens one connection, and waits for it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(connector: Connector) -> StoreResult<Self> {
        let builder = Pool::builder().max_size(POOL_SIZE).min_idle(Some(1));
        let connections = builder.build(connector).map_err(|error| StoreError::Connect(error.to_string()))?;
        Ok(Self { connections })
    }

    /// Runs a function on a connection of the pool. It blocks.
    ///
    /// # Errors
    /// The error of the function, or that there is no connection.
    pub(crate) fn run<T>(&self, run: impl FnOnce(&mut AnyConnection) -> StoreResult<T>) -> StoreResult<T> {
        let mut connection = self.connections.get().map_err(|error| StoreError::Connect(error.to_string()))?;
        run(&mut connection)
    }
}
