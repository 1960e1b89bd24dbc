//! The bearer tokens of an organization: making, listing and revoking them, and what they open.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;
use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::{
    access::{self, Access},
    administrator::Administrator,
    role::Scope,
    token,
};
use jackfield_store::{
    ApiTokenId, IntegrationId, OrganizationId, Store, StoreError, StoreResult, Tx,
    api_tokens::{self, ApiToken, NewApiToken},
    audit::{Action, Entry},
    integrations, milliseconds,
    token_grants::{self, IntegrationGrants},
};

/// How exactly the last use is noted: writing it each time would cost a commit for each request.
const PRECISION: Duration = Duration::MINUTE;

/// How long a request waits until its use of a token is noted.
const NOTING: std::time::Duration = std::time::Duration::from_secs(1);
/// Most characters of a name.
const LONGEST_NAME: usize = 200;

/// The API tokens of this host. Cheap to clone.
#[derive(Clone)]
pub struct ApiTokens {
    store: Store,
    /// Whose use is being noted: of many requests at once, one writes. Never more than there are
    /// tokens.
    noting: Arc<Mutex<HashSet<ApiTokenId>>>,
}

/// A token to be made.
#[derive(Clone, Debug, Default)]
pub struct NewTokenIn {
    /// What it is for.
    pub name: String,
    /// What it may do; at least one thing.
    pub scopes: Vec<Scope>,
    /// The only integrations that it opens; `None`: all of the organization, also later ones.
    pub integrations: Option<Vec<IntegrationId>>,
    /// From when on it opens nothing; `None`: it does not end by itself.
    pub expires_at: Option<OffsetDateTime>,
}

/// Why a token is not made.
#[derive(Debug, Error)]
pub enum TokenError {
    /// No name.
    #[error("the name is empty")]
    Name,
    /// A name that no list can show.
    #[error("the name has more than {LONGEST_NAME} characters, or one that cannot be printed")]
    UnprintableName,
    /// No scope.
    #[error("a token needs at least one scope")]
    NoScope,
    /// A scope that only people have.
    #[error("no token can have the scope `{0}`: it is for people")]
    ScopeOfPeople(Scope),
    /// A scope that concerns the whole organization.
    #[error("a token that is limited to integrations cannot have the scope `{0}`: it concerns the whole organization")]
    ScopeOfOrganization(Scope),
    /// A limit that leaves nothing.
    #[error("a token that is limited to no integration opens nothing; leave the limit out, or name some")]
    NoIntegration,
    /// The organization does not have it.
    #[error("the organization has no integration with the id {0}")]
    OtherIntegration(IntegrationId),
    /// The end is past.
    #[error("the end of the token is past")]
    Ended,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ApiTokens {
    /// Tokens in this database.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, noting: Arc::default() }
    }

    /// Makes a token. Returns its text, which is stored nowhere, and what is known of it.
    ///
    /// # Errors
    /// When a value is not valid.
    pub async fn create(
        &self,
        organization: OrganizationId,
        new: NewTokenIn,
        by: &Administrator,
    ) -> Result<(String, ApiToken), TokenError> {
        let new = checked(new, self.store.now())?;
        let (text, by) = (token::generate(), by.clone());
        let row = NewApiToken {
            organization,
            name: new.name,
            hash: token::hash(&text).to_vec(),
            hint: token::hint(&text),
            scopes: new.scopes.iter().map(ToString::to_string).collect(),
            created_by: String::new(),
            integrations: new.integrations,
            expires_at: new.expires_at,
        };
        let write = move |tx: &mut Tx<'_>| {
            if let Some(missing) = first_of_others(tx, organization, row.integrations.as_deref())? {
                return Ok(Err(TokenError::OtherIntegration(missing)));
            }
            let row = NewApiToken { created_by: by.name(tx)?, ..row };
            let id = api_tokens::insert(tx, &row)?;
            let made = api_tokens::get(tx, organization, id)?.ok_or(StoreError::Corrupt("a new token"))?;
            tx.audit(&described(by.entry(Action::TokenCreation).organization(organization), &made))?;
            Ok(Ok(made))
        };
        let made = self.store.write(write).await??;
        Ok((text, made))
    }

    /// The tokens of an organization, in the order in which they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, organization: OrganizationId) -> StoreResult<Vec<ApiToken>> {
        self.store.read(move |tx| api_tokens::of_organization(tx, organization)).await
    }

    /// Revokes a token of an organization, and returns it: from now on it opens nothing. `None` if
    /// there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(
        &self,
        organization: OrganizationId,
        id: ApiTokenId,
        by: &Administrator,
    ) -> StoreResult<Option<ApiToken>> {
        let by = by.clone();
        let write = move |tx: &mut Tx<'_>| {
            let Some(found) = api_tokens::get(tx, organization, id)? else { return Ok(None) };
            if !api_tokens::delete(tx, organization, id)? {
                return Ok(None);
            }
            tx.audit(&described(by.entry(Action::TokenRevocation).organization(organization), &found))?;
            Ok(Some(found))
        };
        self.store.write(write).await
    }

    /// What a token gives access to; `None` if it is not valid. Notes that it is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access(&self, token: &str) -> StoreResult<Option<Access>> {
        Ok(self.access_with(token, |_, _| Ok(())).await?.map(|(access, ())| access))
    }

    /// The same with what is read beside it, for somebody who has this access.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn access_with<T: Send + 'static>(
        &self,
        token: &str,
        read: impl FnOnce(&mut Tx<'_>, &Access) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<Option<(Access, T)>> {
        let look_up = move |tx: &mut Tx<'_>, hash: &[u8]| {
            let Some((token, organization)) = api_tokens::by_hash(tx, hash)? else { return Ok(None) };
            let Some(access) = access::of_token(&token, organization, tx.now())? else { return Ok(None) };
            let found = read(tx, &access)?;
            Ok(Some((token, access, found)))
        };
        self.looked_up(token, look_up).await
    }

    /// The same with what the organization is lent of one integration, by one statement; `None` in
    /// its place if the organization does not have the integration.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn access_with_grants(
        &self,
        token: &str,
        integration: IntegrationId,
    ) -> StoreResult<Option<(Access, Option<IntegrationGrants>)>> {
        let look_up = move |tx: &mut Tx<'_>, hash: &[u8]| {
            let Some(found) = token_grants::by_hash(tx, hash, integration)? else { return Ok(None) };
            let access = access::of_token(&found.token, found.organization, tx.now())?;
            Ok(access.map(|access| (found.token, access, found.integration)))
        };
        self.looked_up(token, look_up).await
    }

    /// Looks a token up by its hash, and notes that it is used.
    async fn looked_up<T: Send + 'static>(
        &self,
        token: &str,
        look_up: impl FnOnce(&mut Tx<'_>, &[u8]) -> StoreResult<Option<(ApiToken, Access, T)>> + Send + 'static,
    ) -> StoreResult<Option<(Access, T)>> {
        if !token::is_well_formed(token) {
            return Ok(None);
        }
        let hash = token::hash(token);
        let Some((token, access, found)) = self.store.read(move |tx| look_up(tx, &hash)).await? else {
            return Ok(None);
        };
        if token.last_used_at.is_none_or(|last| self.store.now() - last >= PRECISION) {
            // Nobody who only reads waits for a database that takes no writes at present.
            let _ = tokio::time::timeout(NOTING, self.note_use(token.id)).await;
        }
        Ok(Some((access, found)))
    }

    /// A use that cannot be noted is no reason to refuse it.
    async fn note_use(&self, id: ApiTokenId) {
        if !self.noting.lock().insert(id) {
            return;
        }
        let noting = Noting { tokens: self.clone(), id };
        if let Err(error) = self.store.write(move |tx| api_tokens::note_use(tx, id, PRECISION)).await
            && !error.is_logged()
        {
            tracing::warn!(token.id = %id, %error, "the use of a token could not be noted");
        }
        drop(noting);
    }
}

/// While it lives, nobody else notes a use of the token. It also ends with a caller that goes
/// away.
struct Noting {
    tokens: ApiTokens,
    id: ApiTokenId,
}

impl Drop for Noting {
    fn drop(&mut self) {
        self.tokens.noting.lock().remove(&self.id);
    }
}

fn checked(new: NewTokenIn, now: OffsetDateTime) -> Result<NewTokenIn, TokenError> {
    let name = new.name.trim().to_owned();
    if name.is_empty() {
        return Err(TokenError::Name);
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(TokenError::UnprintableName);
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(TokenError::Ended);
    }
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in new.scopes {
        match &new.integrations {
            _ if !scope.is_for_tokens() => return Err(TokenError::ScopeOfPeople(scope)),
            Some(_) if !scope.is_of_integrations() => return Err(TokenError::ScopeOfOrganization(scope)),
            _ if scopes.contains(&scope) => {}
            _ => scopes.push(scope),
        }
    }
    match &new.integrations {
        _ if scopes.is_empty() => Err(TokenError::NoScope),
        Some(ids) if ids.is_empty() => Err(TokenError::NoIntegration),
        _ => Ok(NewTokenIn { name, scopes, ..new }),
    }
}

/// The first of these integrations that the organization does not have.
fn first_of_others(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    ids: Option<&[IntegrationId]>,
) -> StoreResult<Option<IntegrationId>> {
    for id in ids.unwrap_or_default() {
        if integrations::one_of_organization(tx, organization, *id)?.is_none() {
            return Ok(Some(*id));
        }
    }
    Ok(None)
}

/// An entry that says which token, and what it opens.
fn described(entry: Entry, token: &ApiToken) -> Entry {
    let entry = entry.detail("name", token.name.as_str()).detail("scopes", token.scopes.clone());
    let entry = entry.detail("token", token.id.to_string());
    let entry = match &token.integrations {
        Some(ids) => entry.detail("integrations", ids.iter().map(ToString::to_string).collect::<Vec<_>>()),
        None => entry,
    };
    match token.expires_at {
        Some(end) => entry.detail("expires-at", milliseconds(end)),
        None => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, scopes: &[Scope], limit: Option<&[&str]>, lives: Option<i64>) -> Result<NewTokenIn, String> {
        let now = OffsetDateTime::UNIX_EPOCH;
        let integrations =
            limit.map(|ids| ids.iter().map(|id| id.parse().expect("a number")).collect::<Vec<IntegrationId>>());
        let expires_at = lives.map(|seconds| now + Duration::seconds(seconds));
        let new = NewTokenIn { name: name.to_owned(), scopes: scopes.to_vec(), integrations, expires_at };
        checked(new, now).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_that_nobody_could_have_wanted_is_refused() {
        use Scope::{IntegrationsProxy, OrgAdmin, OrgRead, OrgWrite};
        let good = new(" crm ", &[OrgRead, OrgRead], None, Some(1)).expect("it is good");
        assert_eq!((good.name.as_str(), good.scopes.as_slice()), ("crm", [OrgRead].as_slice()));
        assert!(new("crm", &[IntegrationsProxy], Some(&["1", "2"]), None).is_ok());
        let long = "x".repeat(201);
        type Case<'a> = (&'a str, &'a [Scope], Option<&'a [&'a str]>, Option<i64>, &'a str);
        let cases: [Case<'_>; 8] = [
            (" ", &[OrgRead], None, None, "the name is empty"),
            (&long, &[OrgRead], None, None, "more than 200"),
            ("a\u{1b}[2Jb", &[OrgRead], None, None, "cannot be printed"),
            ("crm", &[], None, None, "at least one scope"),
            ("crm", &[OrgRead, OrgAdmin], None, None, "`org:admin`: it is for people"),
            ("crm", &[OrgRead, OrgWrite], Some(&["1"]), None, "`org:write`: it concerns the whole"),
            ("crm", &[OrgRead], Some(&[]), None, "limited to no integration"),
            ("crm", &[OrgRead], None, Some(0), "the end of the token is past"),
        ];
        for (name, scopes, limit, lives, why) in cases {
            let refused = new(name, scopes, limit, lives).expect_err(why);
            assert!(refused.contains(why), "{refused}");
        }
    }
}
