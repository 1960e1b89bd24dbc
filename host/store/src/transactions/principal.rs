//! Who asks: a session with its user, and what they are in an organization, in one statement.
//!
//! The user that counts stands in the sealed session. A session of a host from before sessions had
//! users in their rows is without a user here, whoever is logged in.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
};

use crate::{
    database::{
        column_types::milliseconds,
        connection::AnyConnection,
        statement::{Statement, statement},
    },
    error::StoreResult,
    tables::{
        ids::{OrganizationId, UserId},
        organizations::Organization,
        setups::{Claim, ClaimId},
    },
    tx::Tx,
};

/// A session that has not expired, with what belongs to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    /// What the host knows of the session, sealed.
    pub sealed_session: Vec<u8>,
    /// The user that the session's row names, unless they are disabled.
    pub user: Option<SessionUser>,
    /// The organization that was asked for, or that the setup is for.
    pub organization: Option<Organization>,
    /// The user's role there, if they are a member.
    pub role: Option<String>,
}

/// The user of a session's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionUser {
    /// Id of the row.
    pub id: UserId,
    /// Whether they may do anything in every organization.
    pub is_superuser: bool,
    /// Sessions of other generations have ended.
    pub session_generation: i64,
}

/// What a row of each of the statements below begins with.
macro_rules! select {
    ($($more:literal),*) => {
        concat!("SELECT s.sealed_data, u.id, u.is_superuser, u.session_generation, ", $($more),*)
    };
}

/// The session and its user.
macro_rules! from_session {
    () => {
        " FROM sessions AS s LEFT JOIN users AS u ON u.id = s.user_id AND u.disabled_at IS NULL "
    };
}

/// The user's role in the organization `o`.
macro_rules! with_role {
    () => {
        "LEFT JOIN members AS m ON m.organization_id = o.id AND m.user_id = u.id \
         WHERE s.session_key = ? AND s.expires_at > ?"
    };
}

const OF_SESSION: &str = concat!(
    select!("CAST(NULL AS BIGINT), CAST(NULL AS TEXT), CAST(NULL AS TEXT), CAST(NULL AS TEXT)"),
    from_session!(),
    "WHERE s.session_key = ? AND s.expires_at > ?"
);

const IN_ORGANIZATION: &str = concat!(
    select!("o.id, o.slug, o.name, m.role"),
    from_session!(),
    "LEFT JOIN organizations AS o ON o.slug = ? ",
    with_role!()
);

/// A setup that nobody runs.
const WITH_SETUP: &str = concat!(
    select!("o.id, o.slug, o.name, m.role, t.sealed_data, t.expires_at"),
    from_session!(),
    "LEFT JOIN setups AS t ON t.session_key = s.session_key AND t.provider = ? AND t.claim IS NULL \
     LEFT JOIN organizations AS o ON o.id = t.organization_id ",
    with_role!()
);

/// A setup that is there, with its data if this statement has claimed it.
macro_rules! with_claim {
    ($begin:literal, $data:literal) => {
        concat!(
            $begin,
            select!("o.id, o.slug, o.name, m.role, ", $data, ", t.expires_at"),
            from_session!(),
            "LEFT JOIN setups AS t ON t.session_key = s.session_key AND t.provider = ? \
             LEFT JOIN organizations AS o ON o.id = t.organization_id ",
            with_role!()
        )
    };
}

const CLAIM: &str =
    "UPDATE setups SET claim = ? WHERE session_key = ? AND provider = ? AND claim IS NULL RETURNING sealed_data";
const CLAIMED: &str = with_claim!("", "CAST(NULL AS BLOB)");
const CLAIM_AND_READ: &str = with_claim!(
    "WITH claimed AS (UPDATE setups SET claim = ? WHERE session_key = ? AND provider = ? AND claim IS NULL \
     RETURNING sealed_data) ",
    "(SELECT sealed_data FROM claimed)"
);

type OfUser = (Nullable<BigInt>, Nullable<Bool>, Nullable<BigInt>);
type OfOrganization = (Nullable<BigInt>, Nullable<Text>, Nullable<Text>, Nullable<Text>);
type Columns = (Binary, OfUser, OfOrganization);
type ColumnsWithSetup = (Binary, OfUser, OfOrganization, (Nullable<Binary>, Nullable<BigInt>));

type UserRow = (Option<UserId>, Option<bool>, Option<i64>);
type OrganizationRow = (Option<OrganizationId>, Option<String>, Option<String>, Option<String>);
type Row = (Vec<u8>, UserRow, OrganizationRow);
type RowWithSetup = (Vec<u8>, UserRow, OrganizationRow, (Option<Vec<u8>>, Option<i64>));

/// The session of a key.
///
/// # Errors
/// When the database fails.
pub fn of_session(tx: &mut Tx<'_>, session_key: &[u8]) -> StoreResult<Option<Principal>> {
    let read: Statement<'_, Columns> = statement!(OF_SESSION, session_key, milliseconds(tx.now));
    Ok(tx.one::<Row, _>(read).optional()?.map(Principal::from))
}

/// The session of a key, and what its user is in the organization of a slug.
///
/// # Errors
/// When the database fails.
pub fn in_organization(tx: &mut Tx<'_>, session_key: &[u8], slug: &str) -> StoreResult<Option<Principal>> {
    let read: Statement<'_, Columns> = statement!(IN_ORGANIZATION, slug, session_key, milliseconds(tx.now));
    Ok(tx.one::<Row, _>(read).optional()?.map(Principal::from))
}

/// The session of a key, and the sealed data of its setup of a provider, if there is one and nobody
/// runs it.
///
/// # Errors
/// When the database fails.
pub fn with_setup(
    tx: &mut Tx<'_>,
    session_key: &[u8],
    provider: &str,
) -> StoreResult<Option<(Principal, Option<Vec<u8>>)>> {
    let read: Statement<'_, ColumnsWithSetup> = statement!(WITH_SETUP, provider, session_key, milliseconds(tx.now));
    let found: Option<RowWithSetup> = tx.one(read).optional()?;
    Ok(found.map(|(session, user, organization, (data, _))| (Principal::from((session, user, organization)), data)))
}

/// The session of a key, and its setup of a provider, which is claimed as by
/// [`claim`](crate::setups::claim). For [`Store::write_one`](crate::Store::write_one).
///
/// # Errors
/// When the database fails.
pub fn claim_setup(
    tx: &mut Tx<'_>,
    session_key: &[u8],
    provider: &str,
) -> StoreResult<Option<(Principal, Claim<Vec<u8>>)>> {
    let (id, now) = (ClaimId::new(), milliseconds(tx.now));
    let (data, found) = match tx.connection {
        // SQLite has no update within a query.
        AnyConnection::Sqlite(_) => {
            let claim: Statement<'_, Binary> = statement!(CLAIM, id.0, session_key, provider);
            let data: Option<Vec<u8>> = tx.one(claim).optional()?;
            let read: Statement<'_, ColumnsWithSetup> = statement!(CLAIMED, provider, session_key, now);
            (data, tx.one::<RowWithSetup, _>(read).optional()?)
        }
        AnyConnection::Postgres(_) => {
            let read: Statement<'_, ColumnsWithSetup> =
                statement!(CLAIM_AND_READ, id.0, session_key, provider, provider, session_key, now);
            let mut found: Option<RowWithSetup> = tx.one(read).optional()?;
            (found.as_mut().and_then(|(_, _, _, (data, _))| data.take()), found)
        }
    };
    let claimed = |is_there: bool| match data {
        Some(data) => Claim::Claimed(data, id),
        None if is_there => Claim::Busy,
        None => Claim::Missing,
    };
    Ok(found.map(|(session, user, organization, (_, expires_at))| {
        (Principal::from((session, user, organization)), claimed(expires_at.is_some()))
    }))
}

impl From<Row> for Principal {
    fn from((sealed_session, (user, is_superuser, generation), organization): Row) -> Self {
        let user = user.zip(is_superuser).zip(generation);
        let (organization, slug, name, role) = organization;
        Self {
            sealed_session,
            user: user.map(|((id, is_superuser), session_generation)| SessionUser {
                id,
                is_superuser,
                session_generation,
            }),
            organization: organization.zip(slug).zip(name).map(|((id, slug), name)| Organization { id, slug, name }),
            role,
        }
    }
}
