//! What diesel gets to know of an error of PostgreSQL.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};

use super::libpq::{Answer, Part};

/// What PostgreSQL said.
#[derive(Debug)]
struct ServerError {
    message: String,
    detail: Option<String>,
    table: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
}

/// The error of an answer.
pub(super) fn server_error(answer: &Answer, is_lost: bool) -> Error {
    let kind = if is_lost { DatabaseErrorKind::ClosedConnection } else { kind(answer.part(Part::SqlState)) };
    let part = |part| answer.part(part).map(str::to_owned);
    let message = part(Part::Message).unwrap_or_else(|| answer.said().to_owned());
    let (table, column, constraint) = (part(Part::Table), part(Part::Column), part(Part::Constraint));
    let error = ServerError { message, detail: part(Part::Detail), table, column, constraint };
    Error::DatabaseError(kind, Box::new(error))
}

/// No answer came.
pub(super) fn lost(said: String) -> Error {
    Error::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(said))
}

/// By the SQLSTATE, as PostgreSQL's manual has it in "Error Codes".
fn kind(sql_state: Option<&str>) -> DatabaseErrorKind {
    match sql_state {
        Some("08000" | "08006" | "08001" | "08004") => DatabaseErrorKind::ClosedConnection,
        Some("23001") => DatabaseErrorKind::RestrictViolation,
        Some("23502") => DatabaseErrorKind::NotNullViolation,
        Some("23503") => DatabaseErrorKind::ForeignKeyViolation,
        Some("23505") => DatabaseErrorKind::UniqueViolation,
        Some("23514") => DatabaseErrorKind::CheckViolation,
        Some("23P01") => DatabaseErrorKind::ExclusionViolation,
        Some("25006") => DatabaseErrorKind::ReadOnlyTransaction,
        Some("40001") => DatabaseErrorKind::SerializationFailure,
        _ => DatabaseErrorKind::Unknown,
    }
}

impl DatabaseErrorInformation for ServerError {
    fn message(&self) -> &str {
        &self.message
    }

    fn details(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    fn hint(&self) -> Option<&str> {
        None
    }

    fn table_name(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn column_name(&self) -> Option<&str> {
        self.column.as_deref()
    }

    fn constraint_name(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}
