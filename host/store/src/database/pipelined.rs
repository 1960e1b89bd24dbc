//! The connection to PostgreSQL, for diesel: statements whose results nobody needs yet are sent
//! with the next one, and so are the beginning and the end of a transaction.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::Arc,
};

use diesel::{
    ConnectionResult, QueryResult, RunQueryDsl,
    connection::{
        CacheSize, Connection, ConnectionSealed, DefaultLoadingMode, Instrumentation, InstrumentationEvent,
        LoadConnection, SimpleConnection, TransactionDepthChange, TransactionManager, TransactionManagerStatus,
        get_default_instrumentation,
    },
    expression::QueryMetadata,
    internal::derives::multiconnection::MultiConnectionHelper,
    migration::{CREATE_MIGRATIONS_TABLE, MigrationConnection},
    pg::{GetPgMetadataCache, Pg, PgMetadataCache, PgMetadataLookup, PgQueryBuilder},
    query_builder::{Query, QueryBuilder, QueryFragment, QueryId, bind_collector::RawBytesBindCollector},
    result::{ConnectionError, DatabaseErrorKind, Error},
    sql_types::TypeMetadata,
};
use parking_lot::Mutex;

use super::{
    libpq::{Answer, Libpq, OnServer},
    pipeline::{Pipeline, Purpose, Reconnect, Statement, Use},
    pipelined_rows::{PipelinedRow, PipelinedRows},
    round_trips::RoundTrips,
};

/// A connection to PostgreSQL.
pub(crate) struct PipelinedConnection {
    pipeline: Arc<Mutex<Pipeline>>,
    statements: Statements,
    transactions: Transactions,
    /// The next statement is only sent with the one after it.
    executes_later: bool,
    end: End,
    metadata: PgMetadataCache,
    instrumentation: Option<Box<dyn Instrumentation>>,
}

/// When a transaction ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// When its owner ends it.
    Later,
    /// With the next statement whose answer is read.
    WithNext,
    /// It has ended so.
    Done,
    /// The answer is lost that would have said so.
    InDoubt,
}

/// Tells which data key is current for the transaction of a connection.
#[derive(Clone)]
pub(crate) struct KeyInTransaction(Arc<Mutex<Pipeline>>);

impl KeyInTransaction {
    /// The id of the key, which stays so until the transaction ends; `None` if nobody has asked for
    /// it at the beginning of the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn current(&self) -> QueryResult<Option<Vec<u8>>> {
        self.0.lock().current_key()
    }

    /// Has the transaction fail.
    pub(crate) fn fail(&self, said: String) {
        self.0.lock().fail(said);
    }
}

/// The statements of a connection, by what makes one differ from another.
#[derive(Default)]
struct Statements {
    by_type: HashMap<TypeId, Arc<Statement>>,
    by_text: HashMap<(String, Vec<u32>), Arc<Statement>>,
    /// Whether none is prepared by name.
    are_unnamed: bool,
}

impl Statements {
    /// The statement of a query. Diesel says of each query whether its text depends on values.
    fn of<T: QueryFragment<Pg> + QueryId>(&mut self, query: &T, types: Vec<u32>) -> QueryResult<Arc<Statement>> {
        if let Some(known) = T::query_id().and_then(|id| self.by_type.get(&id)) {
            return Ok(known.clone());
        }
        let mut builder = PgQueryBuilder::default();
        query.to_sql(&mut builder, &Pg)?;
        let sql = builder.finish();
        if !query.is_safe_to_cache_prepared(&Pg)? {
            return Ok(Arc::new(Statement::new(None, sql, types)?));
        }
        let Some(id) = T::query_id() else { return self.of_text(sql, types) };
        let statement = Arc::new(Statement::new(self.new_name(), sql, types)?);
        self.by_type.insert(id, statement.clone());
        Ok(statement)
    }

    /// The statement of a text that does not depend on values.
    fn of_text(&mut self, sql: String, types: Vec<u32>) -> QueryResult<Arc<Statement>> {
        let key = (sql, types);
        if let Some(known) = self.by_text.get(&key) {
            return Ok(known.clone());
        }
        let statement = Arc::new(Statement::new(self.new_name(), key.0.clone(), key.1.clone())?);
        self.by_text.insert(key, statement.clone());
        Ok(statement)
    }

    fn new_name(&self) -> Option<String> {
        (!self.are_unnamed).then(|| format!("s{}", self.by_type.len() + self.by_text.len()))
    }
}

impl PipelinedConnection {
    /// Over a connection of libpq, and how to make another one like it.
    pub(super) fn new(libpq: Libpq, reconnect: Reconnect, round_trips: RoundTrips) -> Self {
        Self {
            pipeline: Arc::new(Mutex::new(Pipeline::new(libpq, reconnect, round_trips))),
            statements: Statements::default(),
            transactions: Transactions::default(),
            executes_later: false,
            end: End::Later,
            metadata: PgMetadataCache::new(),
            instrumentation: get_default_instrumentation(),
        }
    }

    /// A new use of the connection begins. False if the server has closed it meanwhile.
    pub(crate) fn begin_use(&mut self, used_for: Use) -> bool {
        (self.executes_later, self.end) = (false, End::Later);
        self.pipeline.lock().begin_use(used_for)
    }

    /// The process of the server that serves this connection, as the client was told.
    pub(super) fn process_id(&self) -> i32 {
        self.pipeline.lock().process_id()
    }

    /// Sends each statement with its text.
    pub(super) fn prepare_nothing(&mut self) {
        self.statements.are_unnamed = true;
    }

    /// Sends the next statement with the one after it, whose answer then is that of both.
    pub(crate) fn execute_later(&mut self) {
        self.executes_later = true;
    }

    /// Commits with the next statement whose answer is read.
    pub(crate) fn commit_with_next(&mut self) {
        if self.end == End::Later {
            self.end = End::WithNext;
        }
    }

    /// Whether nobody knows if the transaction is stored.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.end == End::InDoubt
    }

    /// A statement that belongs to the beginning of the transaction. It has no parameters and is
    /// sent with the first one.
    pub(crate) fn begin_with(&mut self, sql: &str) -> QueryResult<()> {
        self.push_text(sql, Purpose::Begin)
    }

    /// The same for the statement that reads which data key is current.
    pub(crate) fn begin_with_key(&mut self, sql: &str) -> QueryResult<()> {
        self.push_text(sql, Purpose::CurrentKey)
    }

    /// The same for a statement that fails if another data key is current than the transaction
    /// seals under.
    pub(crate) fn begin_expecting_key(&mut self, sql: &str) -> QueryResult<()> {
        self.push_text(sql, Purpose::ExpectedKey)
    }

    /// Whether the transaction has failed for that.
    pub(crate) fn has_other_key(&self) -> bool {
        self.pipeline.lock().has_other_key()
    }

    /// Which data key is current in its transaction.
    pub(crate) fn key_in_transaction(&self) -> KeyInTransaction {
        KeyInTransaction(self.pipeline.clone())
    }

    fn push_text(&mut self, sql: &str, purpose: Purpose) -> QueryResult<()> {
        let statement = self.statements.of_text(sql.to_owned(), Vec::new())?;
        self.pipeline.lock().push(&statement, Vec::new(), purpose);
        Ok(())
    }

    fn push<T: QueryFragment<Pg> + QueryId>(&mut self, query: &T) -> QueryResult<()> {
        let mut collector = RawBytesBindCollector::<Pg>::new();
        query.collect_binds(&mut collector, self, &Pg)?;
        let types = collector.metadata.iter().map(|metadata| metadata.oid());
        let types = types.collect::<Result<_, _>>().map_err(|error| Error::SerializationError(Box::new(error)))?;
        let statement = self.statements.of(query, types)?;
        self.pipeline.lock().push(&statement, collector.binds, Purpose::Run);
        Ok(())
    }

    fn flush(&mut self) -> QueryResult<Answer> {
        let answer = self.pipeline.lock().flush();
        answer?.ok_or_else(|| super::server_error::lost("there is no answer".to_owned()))
    }

    fn flush_with_commit(&mut self) -> QueryResult<Answer> {
        if self.transactions.depth()? != 1 {
            return self.flush();
        }
        self.push_text("COMMIT", Purpose::Commit)?;
        let answer = self.flush();
        let has_committed = self.pipeline.lock().take_commit();
        self.end = match &answer {
            Ok(_) if has_committed => End::Done,
            Err(Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _)) => End::InDoubt,
            _ => End::Later,
        };
        answer.and_then(|answer| if has_committed { Ok(answer) } else { Err(Error::RollbackTransaction) })
    }

    /// Leaves a statement to be sent with the next one.
    fn leave(&mut self) -> QueryResult<Option<Answer>> {
        self.pipeline.lock().flush_if_much()?;
        Ok(None)
    }

    /// Sends a query, and waits for its answer. `on_connection_event` of the instrumentation
    /// surrounds it as it does with diesel's own connection.
    fn ask<T: QueryFragment<Pg> + QueryId>(&mut self, query: &T, is_later: bool) -> QueryResult<Option<Answer>> {
        self.instrumentation
            .on_connection_event(InstrumentationEvent::start_query(&diesel::debug_query::<Pg, _>(query)));
        let answer = self.push(query).and_then(|()| match (is_later, self.end) {
            (true, _) => self.leave(),
            (false, End::WithNext) => self.flush_with_commit().map(Some),
            (false, _) => self.flush().map(Some),
        });
        let event = InstrumentationEvent::finish_query;
        self.instrumentation.on_connection_event(event(&diesel::debug_query::<Pg, _>(query), answer.as_ref().err()));
        answer
    }
}

impl SimpleConnection for PipelinedConnection {
    fn batch_execute(&mut self, sql: &str) -> QueryResult<()> {
        self.pipeline.lock().run(sql)
    }
}

impl ConnectionSealed for PipelinedConnection {}

impl Connection for PipelinedConnection {
    type Backend = Pg;
    type TransactionManager = Transactions;

    fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection("it is opened with the settings of the host".to_owned()))
    }

    fn execute_returning_count<T: QueryFragment<Pg> + QueryId>(&mut self, query: &T) -> QueryResult<usize> {
        let is_later = std::mem::take(&mut self.executes_later);
        if self.end == End::Done {
            return Err(Error::QueryBuilderError("the transaction has ended with the statement before".into()));
        }
        Ok(self.ask(query, is_later)?.map_or(0, |answer| answer.changed()))
    }

    fn transaction_state(&mut self) -> &mut Transactions {
        &mut self.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Some(Box::new(instrumentation));
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.statements.are_unnamed = matches!(size, CacheSize::Disabled);
    }
}

impl LoadConnection<DefaultLoadingMode> for PipelinedConnection {
    type Cursor<'conn, 'query> = PipelinedRows;
    type Row<'conn, 'query> = PipelinedRow;

    fn load<'conn, 'query, T>(&'conn mut self, query: T) -> QueryResult<PipelinedRows>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: QueryMetadata<T::SqlType>,
    {
        self.executes_later = false;
        let answer = self.ask(&query, false)?;
        answer.map(PipelinedRows::new).ok_or(Error::NotFound)
    }
}

impl GetPgMetadataCache for PipelinedConnection {
    fn get_metadata_cache(&mut self) -> &mut PgMetadataCache {
        &mut self.metadata
    }
}

impl MigrationConnection for PipelinedConnection {
    fn setup(&mut self) -> QueryResult<usize> {
        diesel::sql_query(CREATE_MIGRATIONS_TABLE).execute(self)
    }
}

impl MultiConnectionHelper for PipelinedConnection {
    fn to_any<'a>(lookup: &mut <Pg as TypeMetadata>::MetadataLookup) -> &mut (dyn Any + 'a) {
        lookup.as_any()
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut <Pg as TypeMetadata>::MetadataLookup> {
        lookup.downcast_mut::<Self>().map(|connection| connection as &mut dyn PgMetadataLookup)
    }
}

/// Begins and ends transactions and savepoints.
#[derive(Default)]
pub(crate) struct Transactions(TransactionManagerStatus);

impl Transactions {
    fn depth(&self) -> QueryResult<u32> {
        Ok(self.0.transaction_depth()?.map_or(0, std::num::NonZeroU32::get))
    }

    fn change(&mut self, change: TransactionDepthChange) -> QueryResult<()> {
        match &mut self.0 {
            TransactionManagerStatus::Valid(status) => status.change_transaction_depth(change),
            TransactionManagerStatus::InError => Err(Error::BrokenTransactionManager),
        }
    }
}

impl PipelinedConnection {
    /// Goes back to the state before a savepoint, with the next statement.
    fn undo_savepoint(&mut self, depth: u32) -> QueryResult<()> {
        let was_unsent = self.pipeline.lock().forget_since(depth);
        if !was_unsent {
            self.push_text(&format!("ROLLBACK TO SAVEPOINT s{depth}"), Purpose::Run)?;
        }
        self.transactions.change(TransactionDepthChange::DecreaseDepth)
    }

    /// Ends the transaction and leaves nothing of it.
    fn undo_transaction(&mut self) -> QueryResult<()> {
        let mut pipeline = self.pipeline.lock();
        let was_unsent = pipeline.is_unsent();
        pipeline.forget();
        pipeline.end_transaction();
        if self.end == End::Done {
            self.end = End::Later;
        }
        let undone = match pipeline.on_server() {
            OnServer::NoTransaction => Ok(()),
            _ if was_unsent => Ok(()),
            _ => pipeline.run("ROLLBACK"),
        };
        drop(pipeline);
        match undone {
            Ok(()) => self.transactions.0 = TransactionManagerStatus::default(),
            Err(_) => self.transactions.0.set_in_error(),
        }
        undone
    }

    fn release_savepoint(&mut self, depth: u32) -> QueryResult<()> {
        // What runs in the savepoint must fail in it.
        let is_waited_for = self.pipeline.lock().has_statements();
        self.push_text(&format!("RELEASE SAVEPOINT s{depth}"), Purpose::Run)?;
        if is_waited_for {
            self.flush()?;
        }
        self.transactions.change(TransactionDepthChange::DecreaseDepth)
    }

    fn commit(&mut self) -> QueryResult<()> {
        // Nothing is there to be stored, or it is stored already.
        if self.end == End::Done || self.pipeline.lock().has_only_begun() {
            return self.undo_transaction();
        }
        self.push_text("COMMIT", Purpose::Commit)?;
        let mut pipeline = self.pipeline.lock();
        pipeline.flush()?;
        pipeline.end_transaction();
        self.transactions.0 = TransactionManagerStatus::default();
        if pipeline.take_commit() { Ok(()) } else { Err(Error::RollbackTransaction) }
    }
}

impl TransactionManager<PipelinedConnection> for Transactions {
    type TransactionStateData = Self;

    fn begin_transaction(connection: &mut PipelinedConnection) -> QueryResult<()> {
        match connection.transactions.depth()? {
            0 => connection.push_text("BEGIN", Purpose::Begin)?,
            depth => connection.push_text(&format!("SAVEPOINT s{depth}"), Purpose::Savepoint(depth))?,
        }
        connection.transactions.change(TransactionDepthChange::IncreaseDepth)
    }

    fn rollback_transaction(connection: &mut PipelinedConnection) -> QueryResult<()> {
        match connection.transactions.depth()? {
            0 => Err(Error::NotInTransaction),
            1 => connection.undo_transaction(),
            depth => connection.undo_savepoint(depth - 1),
        }
    }

    fn commit_transaction(connection: &mut PipelinedConnection) -> QueryResult<()> {
        match connection.transactions.depth()? {
            0 => Err(Error::NotInTransaction),
            1 => connection.commit().inspect_err(|_| {
                if connection.transactions.depth().is_ok_and(|depth| depth > 0) {
                    let _ = connection.undo_transaction();
                }
            }),
            depth => connection.release_savepoint(depth - 1).inspect_err(|_| {
                let _ = connection.undo_savepoint(depth - 1);
            }),
        }
    }

    fn transaction_manager_status_mut(connection: &mut PipelinedConnection) -> &mut TransactionManagerStatus {
        &mut connection.transactions.0
    }
}
