//! People who can log in.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::ids::UserId;
use crate::{
    database::{
        column_types::{OptionalTimestamp, Timestamp, milliseconds},
        schema::users as t,
    },
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
    /// When the user was created.
    #[diesel(deserialize_as = Timestamp)]
    pub date_added: OffsetDateTime,
    /// Since when the user may not log in; `None`: they may.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub disabled_at: Option<OffsetDateTime>,
    /// The sessions of other generations have ended.
    pub session_generation: i64,
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

/// All users, by e-mail address.
///
/// # Errors
/// When the database fails.
pub fn all(tx: &mut Tx<'_>) -> StoreResult<Vec<User>> {
    Ok(t::table.order(t::email).select(User::as_select()).load(tx.connection)?)
}

/// Of which generation a session of a user must be; `None` if the user may not be logged in, or is
/// gone.
///
/// # Errors
/// When the database fails.
pub fn session_generation(tx: &mut Tx<'_>, id: UserId) -> StoreResult<Option<i64>> {
    let row = t::table.find(id).filter(t::disabled_at.is_null());
    Ok(row.select(t::session_generation).first(tx.connection).optional()?)
}

/// Begins another generation: whatever session there is has ended.
pub(crate) fn begin_generation(tx: &mut Tx<'_>, id: UserId) -> StoreResult<()> {
    let next = t::session_generation.eq(t::session_generation + 1);
    diesel::update(t::table.find(id)).set(next).execute(tx.connection)?;
    Ok(())
}

/// Sets the hash of a user's password, as a PHC string.
///
/// # Errors
/// When the database fails.
pub fn set_password(tx: &mut Tx<'_>, id: UserId, password_hash: &str) -> StoreResult<()> {
    diesel::update(t::table.find(id)).set(t::password_hash.eq(password_hash)).execute(tx.connection)?;
    Ok(())
}

/// Disables a user. Returns whether the user was enabled.
///
/// # Errors
/// When the database fails.
pub fn disable(tx: &mut Tx<'_>, id: UserId) -> StoreResult<bool> {
    let row = t::table.find(id).filter(t::disabled_at.is_null());
    Ok(diesel::update(row).set(t::disabled_at.eq(milliseconds(tx.now))).execute(tx.connection)? > 0)
}

/// Enables a user. Returns whether the user was disabled.
///
/// # Errors
/// When the database fails.
pub fn enable(tx: &mut Tx<'_>, id: UserId) -> StoreResult<bool> {
    let row = t::table.find(id).filter(t::disabled_at.is_not_null());
    Ok(diesel::update(row).set(t::disabled_at.eq(None::<i64>)).execute(tx.connection)? > 0)
}

/// Removes a user with their sessions, memberships and links to identities.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, id: UserId) -> StoreResult<()> {
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(())
}
