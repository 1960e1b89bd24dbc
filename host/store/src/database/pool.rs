//! The pool of connections: SQLite's only read, PostgreSQL's write as well.

use diesel::r2d2::Pool;

use crate::{
    database::connection::{AnyConnection, Connector},
    error::{StoreError, StoreResult},
};

/// The pool. Cheap to clone. SQLite's writer has a connection of its own beside it.
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
        let builder = Pool::builder().max_size(connector.pool_size()).min_idle(Some(1));
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
