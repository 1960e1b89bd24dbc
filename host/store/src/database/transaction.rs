//! A transaction in its parts: what comes before anything is done can be done again on another
//! connection, and only a commit can leave it open what was stored.

use diesel::connection::{Connection, TransactionManager};

use crate::{
    database::{connection::AnyConnection, pipeline::Use, progress::Progress},
    error::{StoreError, StoreResult},
    unavailable::{Reason, Unavailable},
};

type Manager = <AnyConnection as Connection>::TransactionManager;

/// A new use of a connection begins.
///
/// # Errors
/// When the server has closed the connection meanwhile.
pub(crate) fn begin_use(connection: &mut AnyConnection, used_for: Use) -> StoreResult<()> {
    let is_open = match connection {
        AnyConnection::Postgres(postgres) => postgres.begin_use(used_for),
        AnyConnection::Sqlite(_) => true,
    };
    if is_open { Ok(()) } else { Err(Unavailable::new(Reason::ConnectionLost, "the server has closed it").into()) }
}

/// Begins a transaction.
pub(crate) fn begin(connection: &mut AnyConnection) -> StoreResult<()> {
    Ok(Manager::begin_transaction(connection)?)
}

/// Ends a transaction: commits what has succeeded, unless its caller was told that it is not done.
pub(crate) fn end<T>(connection: &mut AnyConnection, result: StoreResult<T>, progress: &Progress) -> StoreResult<T> {
    match result {
        Ok(value) if progress.commit() => match Manager::commit_transaction(connection) {
            Ok(()) => Ok(value),
            Err(error) => Err(of_commit(error.into())),
        },
        Ok(_) => {
            roll_back(connection);
            Err(Unavailable::new(Reason::Silent, "the transaction was given up").into())
        }
        Err(error) => {
            let is_in_doubt = matches!(connection, AnyConnection::Postgres(postgres) if postgres.is_in_doubt());
            roll_back(connection);
            Err(if is_in_doubt { of_commit(error) } else { error })
        }
    }
}

/// If it fails, the connection is broken, and is not used again.
pub(crate) fn roll_back(connection: &mut AnyConnection) {
    let _ = Manager::rollback_transaction(connection);
}

/// Whether the last transaction has failed because it had sealed under a key that is not current.
pub(crate) fn has_other_key(connection: &AnyConnection) -> bool {
    matches!(connection, AnyConnection::Postgres(postgres) if postgres.has_other_key())
}

/// Whether a transaction has begun.
pub(crate) fn is_open(connection: &mut AnyConnection) -> bool {
    let depth = Manager::transaction_manager_status_mut(connection).transaction_depth();
    matches!(depth, Ok(Some(_)))
}

/// Whether a connection is no longer between two transactions, as after a failed roll-back.
pub(crate) fn is_broken(connection: &mut AnyConnection) -> bool {
    Manager::is_broken_transaction_manager(connection)
}

/// A commit whose answer is lost may have succeeded.
fn of_commit(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(error) if error.reason == Reason::ConnectionLost => error.with_unknown_effect().into(),
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unavailable::Effect;

    #[test]
    fn only_a_lost_connection_leaves_it_open_what_was_committed() {
        for reason in Reason::ALL {
            let StoreError::Unavailable(error) = of_commit(Unavailable::new(reason, "").into()) else { panic!() };
            let expected = if reason == Reason::ConnectionLost { Effect::Unknown } else { Effect::NotDone };
            assert_eq!(error.effect, expected, "{reason:?}");
        }
    }
}
