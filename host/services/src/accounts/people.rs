//! The users of this host, for an operator: listing them, their passwords, disabling and removing
//! them. Whatever takes rights from a user also ends their sessions, and the setups in these.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{
    create::{AccountsError, Result, by_operator, user},
    identity_entry::identity_entry,
    password::{self, LONGEST_PASSWORD},
    password_queue::PasswordQueue,
};
use jackfield_config::clock::rfc3339;
use jackfield_store::{
    RevocationId, Store, StoreResult, Tx, UserId,
    audit::{Action, Actor, Entry},
    identities, members, removal, sessions, user_sessions,
    users::{self, User},
};

/// The users of this host. Cheap to clone.
#[derive(Clone)]
pub struct People {
    store: Store,
    passwords: PasswordQueue,
}

/// A user, as an operator sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonOut {
    /// E-mail address.
    pub email: String,
    /// The name that people read.
    pub name: String,
    /// Whether the user may do anything in every organization.
    pub superuser: bool,
    /// When the user was created, RFC 3339 in UTC.
    pub date_added: Option<String>,
    /// Since when the user is disabled, RFC 3339 in UTC; `None`: they are not.
    pub disabled_at: Option<String>,
    /// How many sessions are open.
    pub sessions: usize,
    /// Where the user is a member.
    pub organizations: Vec<RoleOut>,
}

/// A role of a user in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleOut {
    /// Slug of the organization.
    pub organization: String,
    /// The role there.
    pub role: String,
}

/// What goes with a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserContents {
    /// Slugs of the organizations that lose a member.
    pub organizations: Vec<String>,
    /// Slugs of those that lose their only owner.
    pub without_owner: Vec<String>,
    /// Accounts at services that are linked to the user: `slack U1`. The tokens of those that
    /// nobody else has proved are revoked.
    pub identities: Vec<String>,
}

impl People {
    /// Users in this database.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, passwords: PasswordQueue::new() }
    }

    /// All users, by e-mail address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self) -> StoreResult<Vec<PersonOut>> {
        self.store.read(|tx| users::all(tx)?.into_iter().map(|user| person(tx, user)).collect()).await
    }

    /// A user by e-mail address.
    ///
    /// # Errors
    /// When there is none.
    pub async fn find(&self, email: &str) -> Result<User> {
        user(&self.store, email).await
    }

    /// Gives a user another password, and ends their sessions. Returns how many there were.
    ///
    /// # Errors
    /// When there is no such user, or the password is empty.
    pub async fn set_password(&self, email: &str, new: SecretString) -> Result<usize> {
        if new.expose_secret().is_empty() {
            return Err(AccountsError::Password);
        }
        if new.expose_secret().len() > LONGEST_PASSWORD {
            return Err(AccountsError::LongPassword);
        }
        let user = self.find(email).await?;
        let hash = password::hash(&self.passwords, new).await?;
        let set = move |tx: &mut Tx<'_>| {
            users::set_password(tx, user.id, &hash)?;
            end_sessions(tx, &user, "password")
        };
        Ok(self.store.write(set).await?)
    }

    /// Disables a user: they cannot log in, and their sessions end. Returns how many there were;
    /// `None` if the user was disabled already.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn disable(&self, email: &str) -> Result<Option<usize>> {
        let user = self.find(email).await?;
        let disable = move |tx: &mut Tx<'_>| {
            let was_enabled = users::disable(tx, user.id)?;
            was_enabled.then(|| end_sessions(tx, &user, "disabled")).transpose()
        };
        Ok(self.store.write(disable).await?)
    }

    /// Lets a disabled user log in again. Returns whether they were disabled.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn enable(&self, email: &str) -> Result<bool> {
        let user = self.find(email).await?;
        let enable = move |tx: &mut Tx<'_>| {
            let was_disabled = users::enable(tx, user.id)?;
            if was_disabled {
                tx.audit(&changed(&user, "enabled"))?;
            }
            Ok(was_disabled)
        };
        Ok(self.store.write(enable).await?)
    }

    /// Ends the sessions of a user. Returns how many there were.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn end_sessions(&self, email: &str) -> Result<usize> {
        let user = self.find(email).await?;
        Ok(self.store.write(move |tx| end_sessions(tx, &user, "sessions")).await?)
    }

    /// What goes with a user.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn contents(&self, email: &str) -> Result<UserContents> {
        let user = self.find(email).await?.id;
        Ok(self.store.read(move |tx| contents(tx, user)).await?)
    }

    /// Removes a user. Tokens of their accounts at services that nobody else has proved are to be
    /// revoked; returns these revocations.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn remove(&self, email: &str) -> Result<Vec<RevocationId>> {
        let user = self.find(email).await?;
        // First of all, so that nobody logs in and proves another account meanwhile.
        self.disable(email).await?;
        let mut revocations = Vec::new();
        loop {
            let by = user.clone();
            // One account in each transaction: they are locked one after the other, in no order.
            let unlinked = self.store.write(move |tx| unlink_first(tx, by.id)).await?;
            match unlinked {
                Some(more) => revocations.extend(more),
                None if self.remove_without_identities(user.clone()).await? => return Ok(revocations),
                None => {}
            }
        }
    }

    /// Returns whether the user is removed: no identity must be linked.
    async fn remove_without_identities(&self, user: User) -> StoreResult<bool> {
        let remove = move |tx: &mut Tx<'_>| {
            if !identities::of_user(tx, user.id)?.is_empty() {
                return Ok(false);
            }
            user_sessions::end_sessions(tx, user.id)?;
            users::delete(tx, user.id)?;
            tx.audit(&by_operator(Action::UserRemoval).detail("user", user.email))?;
            Ok(true)
        };
        self.store.write(remove).await
    }
}

/// Ends the sessions of a user, and says why in the audit log.
fn end_sessions(tx: &mut Tx<'_>, user: &User, change: &str) -> StoreResult<usize> {
    let ended = user_sessions::end_sessions(tx, user.id)?;
    tx.audit(&changed(user, change).detail("sessions", ended))?;
    Ok(ended)
}

fn changed(user: &User, change: &str) -> Entry {
    by_operator(Action::UserChange).detail("user", user.email.as_str()).detail("change", change)
}

fn person(tx: &mut Tx<'_>, user: User) -> StoreResult<PersonOut> {
    let roles = members::of_user(tx, user.id)?.into_iter();
    Ok(PersonOut {
        organizations: roles.map(|(of, role)| RoleOut { organization: of.slug, role }).collect(),
        sessions: sessions::of_user(tx, user.id)?.len(),
        email: user.email,
        name: user.name,
        superuser: user.is_superuser,
        date_added: rfc3339(user.date_added),
        disabled_at: user.disabled_at.and_then(rfc3339),
    })
}

fn contents(tx: &mut Tx<'_>, user: UserId) -> StoreResult<UserContents> {
    let (mut organizations, mut without_owner) = (Vec::new(), Vec::new());
    for (organization, role) in members::of_user(tx, user)? {
        if role == "owner" && members::count_with_role(tx, organization.id, &role)? == 1 {
            without_owner.push(organization.slug.clone());
        }
        organizations.push(organization.slug);
    }
    let proved = identities::of_user(tx, user)?;
    let identities = proved.iter().map(|identity| format!("{} {}", identity.identity_type, identity.external_id));
    Ok(UserContents { organizations, without_owner, identities: identities.collect() })
}

/// Unlinks the first identity of a user. Returns the revocations of its tokens; `None` if the user
/// has no identity.
fn unlink_first(tx: &mut Tx<'_>, user: UserId) -> StoreResult<Option<Vec<RevocationId>>> {
    let Some(proved) = identities::of_user(tx, user)?.into_iter().next() else { return Ok(None) };
    let unlinked = removal::unlink_identity(tx, user, proved.id)?;
    if unlinked.was_linked {
        tx.audit(&identity_entry(Actor::operator(), &proved))?;
    }
    Ok(Some(unlinked.revocations))
}
