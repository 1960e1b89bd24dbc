//! Begins and ends transactions and savepoints on SQLite by statements that it compiles once for
//! each connection. Diesel's are compiled each time.

use diesel::{
    QueryResult, SqliteConnection,
    connection::Connection,
    query_builder::{AstPass, QueryFragment, QueryId},
    sqlite::Sqlite,
};

/// A statement without parameters.
trait Fixed {
    const SQL: &'static str;
}

/// Diesel keeps the compiled statement by this type.
struct Compiled<T>(T);

impl<T: Fixed> QueryFragment<Sqlite> for Compiled<T> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql(T::SQL);
        Ok(())
    }
}

impl<T: 'static> QueryId for Compiled<T> {
    type QueryId = Self;

    const HAS_STATIC_QUERY_ID: bool = true;
}

macro_rules! fixed {
    ($($name:ident = $sql:literal;)*) => {
        $(
            struct $name;

            impl Fixed for $name {
                const SQL: &'static str = $sql;
            }
        )*
    };
}

// A savepoint can have the name of another: the inner one counts, until it ends.
fixed! {
    Begin = "BEGIN IMMEDIATE";
    Commit = "COMMIT";
    BeginJob = "SAVEPOINT job";
    KeepJob = "RELEASE job";
    UndoJob = "ROLLBACK TO job";
    BeginPart = "SAVEPOINT part";
    KeepPart = "RELEASE part";
    UndoPart = "ROLLBACK TO part";
}

fn run<T: Fixed + 'static>(sqlite: &mut SqliteConnection, statement: T) -> QueryResult<()> {
    sqlite.execute_returning_count(&Compiled(statement)).map(drop)
}

/// Takes the write lock now, while SQLite can still wait for it.
pub(super) fn begin(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    run(sqlite, Begin)
}

pub(super) fn commit(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    run(sqlite, Commit)
}

/// Begins what is undone alone if it fails, with all savepoints inside.
pub(super) fn begin_job(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    run(sqlite, BeginJob)
}

pub(super) fn keep_job(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    run(sqlite, KeepJob)
}

pub(super) fn undo_job(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    run(sqlite, UndoJob)?;
    run(sqlite, KeepJob)
}

/// Begins a part of a transaction that is undone alone if it fails.
pub(crate) fn begin_part(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    run(sqlite, BeginPart)
}

pub(crate) fn keep_part(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    run(sqlite, KeepPart)
}

pub(crate) fn undo_part(sqlite: &mut SqliteConnection) -> QueryResult<()> {
    run(sqlite, UndoPart)?;
    run(sqlite, KeepPart)
}
