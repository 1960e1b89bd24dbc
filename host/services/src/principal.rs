//! Who asks: the person of a browser's session, and what they may do in an organization. Read in
//! one statement, for each request anew.

use crate::{
    accounts::{Access, Organization, of_member, of_user},
    session::{Session, SessionKey, SessionUser, user_in, user_of},
};
use jackfield_store::{Sealer, StoreResult, Tx, UserId, organizations, principal as rows};

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
        match in_row(user, found)? {
            Some(principal) => Ok(principal),
            None => Ok(Self { user: Some(user), access: of_user(tx, user, find)? }),
        }
    }

    /// The same by the row alone. Without an organization in it there is no access. `None` if the
    /// row does not say whether the person is logged in.
    pub(crate) fn of_row_alone(sealer: &Sealer, key: &SessionKey, found: rows::Principal) -> StoreResult<Option<Self>> {
        match user_in(sealer, key, &found)? {
            SessionUser::Unchecked(..) => Ok(None),
            SessionUser::Known(None) => Ok(Some(Self::default())),
            SessionUser::Known(Some(user)) => {
                Ok(Some(in_row(user, found)?.unwrap_or(Self { user: Some(user), access: None })))
            }
        }
    }
}

/// What a row says of a user who is logged in; `None` if it is of another one, or has no
/// organization.
fn in_row(user: UserId, found: rows::Principal) -> StoreResult<Option<Principal>> {
    let rows::Principal { user: row, organization, role, .. } = found;
    let Some((row, organization)) = row.filter(|row| row.id == user).zip(organization) else { return Ok(None) };
    let access = of_member(user, row.is_superuser, organization, role.as_deref())?;
    Ok(Some(Principal { user: Some(user), access }))
}
