//! The members of an organization, for an operator.

use serde::Serialize;

use super::{
    create::{AccountsError, Result, by_operator, organization, user},
    role::Role,
};
use jackfield_config::clock::rfc3339;
use jackfield_store::{Store, Tx, api_tokens, audit::Action, members, organizations::Organization, users::User};

/// The members of organizations. Cheap to clone.
#[derive(Clone)]
pub struct Members {
    store: Store,
}

/// A member of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberOut {
    /// E-mail address.
    pub email: String,
    /// The name that people read.
    pub name: String,
    /// The role.
    pub role: String,
    /// Since when the user cannot log in, RFC 3339 in UTC; `None`: they can.
    pub disabled_at: Option<String>,
}

/// What is left in an organization when a member is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberRemoved {
    /// How many tokens of the organization the member has made. They go on working.
    pub tokens: i64,
    /// How many owners it has.
    pub owners: i64,
}

impl Members {
    /// Members in this database.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// The members of an organization, by e-mail address.
    ///
    /// # Errors
    /// When there is no such organization.
    pub async fn list(&self, slug: &str) -> Result<Vec<MemberOut>> {
        let id = organization(&self.store, slug).await?.id;
        let rows = self.store.read(move |tx| members::of_organization(tx, id)).await?;
        let out = |(user, role): (User, String)| MemberOut {
            email: user.email,
            name: user.name,
            role,
            disabled_at: user.disabled_at.and_then(rfc3339),
        };
        Ok(rows.into_iter().map(out).collect())
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// When there is no such organization or user, or the user is not a member.
    pub async fn set_role(&self, slug: &str, email: &str, role: Role) -> Result<()> {
        let (of, user) = self.both(slug, email).await?;
        let set = move |tx: &mut Tx<'_>| {
            if members::role_of(tx, of.id, user.id)?.is_none() {
                return Ok(false);
            }
            members::set(tx, of.id, user.id, &role.to_string())?;
            let entry = by_operator(Action::MemberChange).organization(of.id);
            tx.audit(&entry.detail("user", user.email).detail("role", role.to_string()))?;
            Ok(true)
        };
        if self.store.write(set).await? { Ok(()) } else { Err(no_member(slug, email)) }
    }

    /// Removes a member. Setups that they have under way there end: each step asks for the right
    /// again.
    ///
    /// # Errors
    /// When there is no such organization or user, or the user is not a member.
    pub async fn remove(&self, slug: &str, email: &str) -> Result<MemberRemoved> {
        let (of, user) = self.both(slug, email).await?;
        let remove = move |tx: &mut Tx<'_>| {
            if !members::remove(tx, of.id, user.id)? {
                return Ok(None);
            }
            let left = MemberRemoved {
                tokens: api_tokens::count_made_by(tx, of.id, &user.email)?,
                owners: members::count_with_role(tx, of.id, &Role::Owner.to_string())?,
            };
            let entry = by_operator(Action::MemberRemoval).organization(of.id);
            tx.audit(&entry.detail("user", user.email))?;
            Ok(Some(left))
        };
        self.store.write(remove).await?.ok_or_else(|| no_member(slug, email))
    }

    async fn both(&self, slug: &str, email: &str) -> Result<(Organization, User)> {
        Ok((organization(&self.store, slug).await?, user(&self.store, email).await?))
    }
}

fn no_member(slug: &str, email: &str) -> AccountsError {
    AccountsError::NoMember { email: email.to_owned(), organization: slug.to_owned() }
}
