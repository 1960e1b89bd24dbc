//! Creates users, organizations, memberships and tokens for an operator.

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::{
    Accounts, Organization, Role, Scope,
    administrator::Administrator,
    api_tokens::{NewTokenIn, TokenError},
    log_in::LONGEST_EMAIL,
    password::{self, LONGEST_PASSWORD},
    password_queue::Busy,
};
use jackfield_config::text::is_plain;
use jackfield_store::{
    Store, StoreError,
    audit::{Action, Actor, Entry},
    members, organizations,
    users::{self, NewUser, User},
};

/// A user to create.
pub struct NewUserIn {
    /// E-mail address to log in with; its case does not matter.
    pub email: String,
    /// What people read.
    pub name: String,
    /// Not empty. A short one is the operator's choice: see [`NewUserIn::is_short`].
    pub password: SecretString,
    /// May do anything in every organization.
    pub superuser: bool,
}

impl NewUserIn {
    /// Whether a password is shorter than 8 characters, the minimum of NIST SP 800-63B section
    /// 3.1.1.2. That is worth a warning.
    #[must_use]
    pub fn is_short(password: &str) -> bool {
        password.chars().count() < SHORT_PASSWORD
    }
}

/// Why something was not created.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// Not an e-mail address.
    #[error("`{0}` is not an e-mail address\n  help: write it like ada@example.com")]
    Email(String),
    /// No password.
    #[error("the password is empty\n  help: write it to standard input")]
    Password,
    /// A password that nobody could log in with.
    #[error("the password is longer than {LONGEST_PASSWORD} bytes")]
    LongPassword,
    /// Not a slug.
    #[error("`{0}` is not a slug\n  help: use 1 to 50 of a-z, 0-9, - and _, beginning with a letter or digit")]
    Slug(String),
    /// An empty name.
    #[error("the name is empty")]
    Name,
    /// A name that cannot be shown.
    #[error("the name holds a control character, such as a line end")]
    NameText,
    /// The e-mail address is taken.
    #[error("there is a user with the e-mail address {0} already")]
    EmailTaken(String),
    /// The slug is taken.
    #[error("there is an organization with the slug {0} already")]
    SlugTaken(String),
    /// No such user.
    #[error("there is no user with the e-mail address {0}\n  help: `jackfield user list` shows the users")]
    NoUser(String),
    /// No such organization.
    #[error("there is no organization with the slug {0}\n  help: `jackfield org list` shows the organizations")]
    NoOrganization(String),
    /// The user is not a member.
    #[error(
        "{email} is not a member of {organization}\n  help: `jackfield member list {organization}` shows its members"
    )]
    NoMember {
        /// The user.
        email: String,
        /// Slug of the organization.
        organization: String,
    },
    /// Nothing else is asked for.
    #[error("nothing to change\n  help: say what with --name or --slug")]
    NothingToChange,
    /// Somebody has connected something meanwhile.
    #[error("{0} has integrations again, which somebody has connected meanwhile; run this once more")]
    InUse(String),
    /// The token cannot be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Busy> for AccountsError {
    fn from(_: Busy) -> Self {
        Self::Store(StoreError::Lost("no thread hashes the password".to_owned()))
    }
}

const SHORT_PASSWORD: usize = 8;
const LONGEST_SLUG: usize = 50;

pub(super) type Result<T> = std::result::Result<T, AccountsError>;

impl Accounts {
    /// Creates a user.
    ///
    /// # Errors
    /// When a value is not valid, or the address is taken.
    pub async fn create_user(&self, new: NewUserIn) -> Result<User> {
        let email = checked_email(&new.email)?;
        if new.password.expose_secret().is_empty() {
            return Err(AccountsError::Password);
        }
        if new.password.expose_secret().len() > LONGEST_PASSWORD {
            return Err(AccountsError::LongPassword);
        }
        let password_hash = password::hash(&self.passwords, new.password).await?;
        let row = NewUser {
            email: email.clone(),
            name: checked_name(&new.name)?,
            password_hash,
            is_superuser: new.superuser,
        };
        let created = self.store.write(move |tx| {
            users::insert(tx, &row)?;
            let entry = by_operator(Action::UserCreation).detail("user", row.email.clone());
            tx.audit(&entry.detail("superuser", row.is_superuser))?;
            users::by_email(tx, &row.email)?.ok_or(StoreError::Corrupt("a new user"))
        });
        created.await.map_err(|error| if_taken(error, AccountsError::EmailTaken(email)))
    }

    /// Creates an organization, with its first owner if one is given.
    ///
    /// # Errors
    /// When a value is not valid, the slug is taken, or there is no such user.
    pub async fn create_organization(&self, slug: &str, name: &str, owner: Option<&str>) -> Result<Organization> {
        let (slug, name) = (checked_slug(slug)?, checked_name(name)?);
        let owner = match owner {
            Some(email) => Some(user(&self.store, email).await?),
            None => None,
        };
        let by = slug.clone();
        let created = self.store.write(move |tx| {
            let id = organizations::insert(tx, &by, &name)?;
            if let Some(owner) = owner {
                members::set(tx, id, owner.id, &Role::Owner.to_string())?;
            }
            tx.audit(&by_operator(Action::OrganizationCreation).organization(id))?;
            organizations::by_id(tx, id)?.ok_or(StoreError::Corrupt("a new organization"))
        });
        created.await.map_err(|error| if_taken(error, AccountsError::SlugTaken(slug)))
    }

    /// Adds a user to an organization, or gives a member another role.
    ///
    /// # Errors
    /// When there is no such organization or user.
    pub async fn add_member(&self, slug: &str, email: &str, role: Role) -> Result<()> {
        let (organization, user) = (self.organization(slug).await?, user(&self.store, email).await?);
        let set = self.store.write(move |tx| {
            members::set(tx, organization.id, user.id, &role.to_string())?;
            let entry = by_operator(Action::MemberChange).organization(organization.id);
            tx.audit(&entry.detail("user", user.email).detail("role", role.to_string()))
        });
        Ok(set.await?)
    }

    /// Creates a bearer token that does not end by itself, and returns it. Only its hash is stored.
    ///
    /// # Errors
    /// When there is no such organization, or no token can have a scope.
    pub async fn create_token(&self, slug: &str, name: &str, scopes: &[Scope]) -> Result<String> {
        let organization = self.organization(slug).await?;
        let new = NewTokenIn { name: name.to_owned(), scopes: scopes.to_vec(), ..NewTokenIn::default() };
        Ok(self.tokens.create(organization.id, new, &Administrator::Operator).await?.0)
    }

    /// An organization by its slug.
    ///
    /// # Errors
    /// When there is none.
    pub async fn organization(&self, slug: &str) -> Result<Organization> {
        organization(&self.store, slug).await
    }
}

/// An organization by its slug.
pub(super) async fn organization(store: &Store, slug: &str) -> Result<Organization> {
    let by = slug.to_owned();
    let found = store.read(move |tx| organizations::by_slug(tx, &by)).await?;
    found.ok_or_else(|| AccountsError::NoOrganization(slug.to_owned()))
}

/// A user by e-mail address, whatever its case.
pub(super) async fn user(store: &Store, email: &str) -> Result<User> {
    let by = email.trim().to_lowercase();
    let found = store.read(move |tx| users::by_email(tx, &by)).await?;
    found.ok_or_else(|| AccountsError::NoUser(email.to_owned()))
}

pub(super) fn by_operator(action: Action) -> Entry {
    Entry::new(action, Actor::operator())
}

pub(super) fn if_taken(error: StoreError, taken: AccountsError) -> AccountsError {
    match error {
        StoreError::AlreadyExists => taken,
        other => other.into(),
    }
}

/// Checks as much of RFC 5321 as catches typing errors. Whether mail arrives there is not known.
fn checked_email(text: &str) -> Result<String> {
    let email = text.trim().to_lowercase();
    let is_address = email
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    let is_plain = email.len() <= LONGEST_EMAIL && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_address && is_plain { Ok(email) } else { Err(AccountsError::Email(text.to_owned())) }
}

pub(super) fn checked_slug(text: &str) -> Result<String> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_slug =
        (1..=LONGEST_SLUG).contains(&text.len()) && text.bytes().all(is_word) && !text.starts_with(['-', '_']);
    if is_slug { Ok(text.to_owned()) } else { Err(AccountsError::Slug(text.to_owned())) }
}

pub(super) fn checked_name(text: &str) -> Result<String> {
    match text.trim() {
        "" => Err(AccountsError::Name),
        name if !is_plain(name) => Err(AccountsError::NameText),
        name => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        assert_eq!(checked_email(" Ada@Example.com ").ok().as_deref(), Some("ada@example.com"));
        for bad in ["ada", "@example.com", "ada@", "a@b@c", "a b@c", ""] {
            assert!(checked_email(bad).is_err(), "{bad}");
        }
        assert_eq!(checked_name(" Acme & Söhne ").ok().as_deref(), Some("Acme & Söhne"));
        for bad in ["", " ", "a\nb", "a\u{1b}[2Jb"] {
            assert!(checked_name(bad).is_err(), "{bad:?}");
        }
        for (slug, is_good) in
            [("acme", true), ("a-1", true), ("-a", false), ("Acme", false), ("a/b", false), ("", false)]
        {
            assert_eq!(checked_slug(slug).is_ok(), is_good, "{slug}");
        }
    }
}
