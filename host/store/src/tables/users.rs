//! People who can log in.

use diesel::prelude::*;

use super::ids::UserId;
use crate::{
    database::{column_types::milliseconds, schema::users as t},
    error::StoreResult,
    tx::Tx,
};

/// A user. `Debug` shows no password hash.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct User {
    /// Id of the row.
    pub id: UserId,
    /// E-mail address in lower case, unique.
    pub email: String,
    /// The name that people read.
    pub name: String,
    /// The hash of the password, as a PHC string.
    pub password_hash: String,
    /// Whether the user may do anything in every organization.
    pub is_superuser: bool,
}

/// A user to be created.
#[derive(Insertable)]
#[diesel(table_name = t)]
pub struct NewUser {
    /// E-mail address in lower case.
    pub email: String,
    /// The name that people read.
    pub name: String,
    /// The hash of the password, as a PHC string.
    pub password_hash: String,
    /// Whether the user may do anything in every organization.
    pub is_superuser: bool,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.id)
    }
}

/// Creates a user.
///
/// # Errors
/// [`AlreadyExists`](crate::StoreError::AlreadyExists) when another user has the address.
pub fn insert(tx: &mut Tx<'_>, new: &NewUser) -> StoreResult<UserId> {
    let row = (new, t::date_added.eq(milliseconds(tx.now)));
    Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
}

/// The names of several users.
///
/// # Errors
/// When the database fails.
pub fn names(tx: &mut Tx<'_>, ids: &[UserId]) -> StoreResult<Vec<(UserId, String)>> {
    Ok(t::table.filter(t::id.eq_any(ids)).select((t::id, t::name)).load(tx.connection)?)
}

/// A user by e-mail address in lower case.
///
/// # Errors
/// When the database fails.
pub fn by_email(tx: &mut Tx<'_>, email: &str) -> StoreResult<Option<User>> {
    Ok(t::table.filter(t::email.eq(email)).select(User::as_select()).first(tx.connection).optional()?)
}

/// A user by id.
///
/// # Errors
/// When the database fails.
pub fn by_id(tx: &mut Tx<'_>, id: UserId) -> StoreResult<Option<User>> {
    Ok(t::table.find(id).select(User::as_select()).first(tx.connection).optional()?)
}

/// Locks a user's row until the transaction ends: nobody changes or removes the user meanwhile.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, id: UserId) -> StoreResult<()> {
    diesel::update(t::table.find(id)).set(t::date_added.eq(t::date_added)).execute(tx.connection)?;
    Ok(())
}
