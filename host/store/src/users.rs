//! People who can log in.

use diesel::prelude::*;

use super::{StoreResult, Tx, UserId, milliseconds, schema::users as t};

/// A user. `Debug` shows no password hash.
#[derive(Clone, Queryable)]
pub struct User {
    /// Id of the row.
    pub id: UserId,
    /// Lower-case e-mail address, unique.
    pub email: String,
    /// What people read.
    pub name: String,
    /// PHC string of the password's hash.
    pub password_hash: String,
    /// May do anything in every organization.
    pub is_superuser: bool,
}

/// A user to be made.
pub struct NewUser {
    /// E-mail address in lower case.
    pub email: String,
    /// What people read.
    pub name: String,
    /// PHC string of the password's hash.
    pub password_hash: String,
    /// May do anything in every organization.
    pub is_superuser: bool,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.id)
    }
}

macro_rules! columns {
    () => {
        (t::id, t::email, t::name, t::password_hash, t::is_superuser)
    };
}

/// Makes a user; [`super::StoreError::Taken`] when the address is another's.
pub fn insert(tx: &mut Tx<'_>, new: &NewUser) -> StoreResult<UserId> {
    let row = (
        t::email.eq(&new.email),
        t::name.eq(&new.name),
        t::password_hash.eq(&new.password_hash),
        t::is_superuser.eq(new.is_superuser),
        t::date_added.eq(milliseconds(tx.now)),
    );
    Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
}

/// What people read, of several users.
pub fn names(tx: &mut Tx<'_>, ids: &[UserId]) -> StoreResult<Vec<(UserId, String)>> {
    Ok(t::table.filter(t::id.eq_any(ids)).select((t::id, t::name)).load(tx.connection)?)
}

/// By lower-case e-mail address.
pub fn by_email(tx: &mut Tx<'_>, email: &str) -> StoreResult<Option<User>> {
    Ok(t::table.filter(t::email.eq(email)).select(columns!()).first(tx.connection).optional()?)
}

/// By id.
pub fn by_id(tx: &mut Tx<'_>, id: UserId) -> StoreResult<Option<User>> {
    Ok(t::table.filter(t::id.eq(id)).select(columns!()).first(tx.connection).optional()?)
}
