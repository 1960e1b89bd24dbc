//! Who asks: the person of a browser's session, and what they may do in an organization. Read in
//! one statement, for each request anew.

use crate::{
    accounts::{Access, Organization, of_member, of_user},
    session::{Session, SessionKey, user_of},
};
use jackfield_store::{StoreResult, Tx, UserId, organizations, principal as rows};

/// Who asks.
#[derive(Debug, Default)]
pub struct Principal {
    /// Who is logged in.
    pub user: Option<UserId>,
    /// What they may do in the organization; `None` if there is none, or they are not a member.
    pub access: Option<Access>,
}

impl Principal {
    /// The person of a session, in the organization of a slug.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn in_organization(session: &Session, slug: &str) -> StoreResult<Self> {
        let Some(key) = session.key() else { return Ok(Self::default()) };
        let slug = slug.to_owned();
        let read = move |tx: &mut Tx<'_>| {
            let Some(found) = rows::in_organization(tx, key.as_bytes(), &slug)? else { return Ok(None) };
            Self::of_row(tx, &key, found, |tx| organizations::by_slug(tx, &slug)).map(Some)
        };
        let principal = session.known(session.store().read(read).await?).await?;
        session.note_user(principal.user);
        Ok(principal)
    }

    /// The person of a session that was read. `find` finds the organization where the row does not
    /// say enough.
    pub(crate) fn of_row(
        tx: &mut Tx<'_>,
        key: &SessionKey,
        found: rows::Principal,
        find: impl FnOnce(&mut Tx<'_>) -> StoreResult<Option<Organization>>,
    ) -> StoreResult<Self> {
        let Some(user) = user_of(tx, key, &found)? else { return Ok(Self::default()) };
        let access = match (found.user.filter(|row| row.id == user), found.organization) {
            (Some(row), Some(organization)) => of_member(user, row.is_superuser, organization, found.role.as_deref())?,
            _ => of_user(tx, user, find)?,
        };
        Ok(Self { user: Some(user), access })
    }
}
