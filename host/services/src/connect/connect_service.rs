//! Makes, lists and ends connect sessions.

use time::OffsetDateTime;

use super::{
    connect_entry::described,
    connect_error::{ConnectError, MOST_OPEN},
    connect_request::{CheckedRequest, ConnectSessionIn, check_origins},
    connect_session_out::ConnectSessionOut,
    expiry::ConnectExpiry,
    idempotency::Idempotency,
    log_in_client::LogInClient,
    maker::{actor, maker},
};
use crate::{
    accounts::{Access, generate_with, token_hash},
    request_source::RequestSource,
};
use jackfield_config::UrlPrefix;
use jackfield_loader::Plugins;
use jackfield_store::{
    ConnectSessionId, OrganizationId, Store, StoreError, StoreResult, Tx,
    audit::Action,
    connect_sessions::{
        self, ConnectData, ConnectFilter, ConnectMaker, ConnectSession, ConnectStatus, NewConnectSession,
    },
    integrations, organization_settings, setups,
};

/// Lets people and secret scanners recognize the token of a connect session.
pub(super) const PREFIX: &str = "jfc_";

/// All connect sessions of this host. Cheap to clone.
#[derive(Clone)]
pub struct ConnectSessions {
    pub(super) store: Store,
    pub(super) plugins: Plugins,
    pub(super) url_prefix: UrlPrefix,
    pub(super) log_in: LogInClient,
}

/// What [`ConnectSessions`] needs of the host.
#[expect(missing_docs, reason = "each field is the service of its name")]
pub struct ConnectDependencies {
    pub store: Store,
    pub plugins: Plugins,
    pub url_prefix: UrlPrefix,
    pub log_in: LogInClient,
}

/// A session that was made. It has no `Debug`, which would show the token.
pub struct CreatedSession {
    /// Its id.
    pub id: ConnectSessionId,
    /// Its token. It is shown here alone.
    pub token: String,
    /// Absolute URL of the hosted page.
    pub url: String,
    /// Until when it can be used.
    pub expires_at: OffsetDateTime,
}

/// One page of an organization's sessions, newest first.
#[derive(Debug)]
pub struct ConnectListing {
    /// The rows of this page.
    pub rows: Vec<ConnectSessionOut>,
    /// The next page begins before this id; `None` on the last page.
    pub next: Option<ConnectSessionId>,
}

/// What a transaction has made of a request.
type Made = Result<(ConnectSession, String), ConnectError>;

impl ConnectSessions {
    /// Sessions in this database.
    #[must_use]
    pub fn new(host: ConnectDependencies) -> Self {
        let ConnectDependencies { store, plugins, url_prefix, log_in } = host;
        Self { store, plugins, url_prefix, log_in }
    }

    /// The task that marks those that expire.
    #[must_use]
    pub fn expiry(&self) -> ConnectExpiry {
        ConnectExpiry::new(self.store.clone())
    }

    /// Makes a session. With an idempotency key that the same maker has used before, the session of
    /// then is answered again.
    ///
    /// # Errors
    /// When a value is not valid, the key was used for something else, or too many are open.
    pub async fn create(
        &self,
        access: &Access,
        asked: ConnectSessionIn,
        idempotency_key: Option<&str>,
        source: &RequestSource,
    ) -> Result<CreatedSession, ConnectError> {
        let new = NewSession {
            checked: self.checked(asked.clone())?,
            access: access.clone(),
            asked,
            idempotency_key: idempotency_key.map(str::to_owned),
            source: source.clone(),
        };
        let again = new.clone();
        let made = match self.store.write(move |tx| new.make(tx)).await {
            // The same request was faster.
            Err(StoreError::AlreadyExists) => self.store.write(move |tx| again.make(tx)).await??,
            made => made??,
        };
        let (session, token) = made;
        let url = self.url_prefix.absolute(&format!("/connect/{token}/"));
        Ok(CreatedSession { id: session.id, url, token, expires_at: session.expires_at })
    }

    fn checked(&self, asked: ConnectSessionIn) -> Result<CheckedRequest, ConnectError> {
        let issuers: Vec<String> = self.log_in.configured.iter().map(|known| known.issuer.clone()).collect();
        let checked = asked.checked(&issuers)?;
        let unknown = checked.terms.providers.iter().find(|id| self.plugins.find_configured(id).is_none());
        match unknown {
            Some(id) => Err(ConnectError::invalid(format!("There is no provider `{id}` that can be connected here."))),
            None => Ok(checked),
        }
    }

    /// One session of an organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(
        &self,
        organization: OrganizationId,
        id: ConnectSessionId,
    ) -> StoreResult<Option<ConnectSessionOut>> {
        let found = self.store.read(move |tx| connect_sessions::get(tx, organization, id)).await?;
        Ok(found.map(|session| ConnectSessionOut::at(session, self.store.now())))
    }

    /// The sessions of an organization, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        organization: OrganizationId,
        filter: ConnectFilter,
        limit: usize,
    ) -> StoreResult<ConnectListing> {
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let read = move |tx: &mut Tx<'_>| connect_sessions::of_organization(tx, organization, &filter, wanted);
        let mut rows = self.store.read(read).await?;
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().map(|session| session.id).filter(|_| !is_last);
        let now = self.store.now();
        Ok(ConnectListing { rows: rows.into_iter().map(|session| ConnectSessionOut::at(session, now)).collect(), next })
    }

    /// Ends a session of an organization, with the setups that it has under way. One that is over
    /// stays as it is. Returns whether there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end(&self, access: &Access, id: ConnectSessionId, source: &RequestSource) -> StoreResult<bool> {
        let (access, source) = (access.clone(), source.clone());
        let end = move |tx: &mut Tx<'_>| {
            let organization = access.organization.id;
            let Some(session) = connect_sessions::get(tx, organization, id)? else { return Ok(false) };
            // Before the row of the session: rows are locked in one order.
            setups::remove_session(tx, &session.token_hash)?;
            if connect_sessions::end(tx, id, ConnectStatus::Ended)? {
                let by = actor(&maker(tx, &access)?);
                tx.audit(&source.note(described(Action::ConnectSessionEnd, by, &session)))?;
            }
            Ok(true)
        };
        self.store.write(end).await
    }
}

/// A session that is about to be made.
#[derive(Clone)]
struct NewSession {
    access: Access,
    asked: ConnectSessionIn,
    checked: CheckedRequest,
    idempotency_key: Option<String>,
    source: RequestSource,
}

impl NewSession {
    fn make(mut self, tx: &mut Tx<'_>) -> StoreResult<Made> {
        let organization = self.access.organization.id;
        let maker = maker(tx, &self.access)?;
        let key = self.idempotency_key.as_deref().map(|key| Idempotency::new(key, &maker, &self.asked));
        let key = match key.transpose() {
            Ok(key) => key,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(key) = &key
            && let Some(made) = made_before(tx, organization, key)?
        {
            return Ok(made);
        }
        if let Err(error) = self.check(tx)? {
            return Ok(Err(error));
        }
        let token = generate_with(PREFIX);
        let session = self.insert(tx, &maker, key.as_ref(), &token)?;
        let entry = described(Action::ConnectSessionCreation, actor(&maker), &session);
        tx.audit(&self.source.note(entry))?;
        Ok(Ok((session, token)))
    }

    /// What only the database knows of a request.
    fn check(&mut self, tx: &mut Tx<'_>) -> StoreResult<Result<(), ConnectError>> {
        let (organization, terms) = (self.access.organization.id, &mut self.checked.terms);
        if (terms.origin.is_some() || terms.return_url.is_some())
            && let Err(error) = check_origins(terms, &organization_settings::allowed_origins(tx, organization)?)
        {
            return Ok(Err(error));
        }
        if let Some(id) = terms.integration {
            let found = integrations::one_of_organization(tx, organization, id)?;
            let provider = found.map(|found| found.integration.provider);
            let is_allowed = |id: &String| terms.providers.is_empty() || terms.providers.contains(id);
            // Nothing else may come of it.
            terms.providers = provider.filter(is_allowed).into_iter().collect();
            if terms.providers.is_empty() {
                let words = format!("The organization has no integration with the id {id} of an allowed provider.");
                return Ok(Err(ConnectError::invalid(words)));
            }
        }
        let is_full = connect_sessions::count_open(tx, organization)? >= MOST_OPEN;
        Ok(if is_full { Err(ConnectError::TooMany) } else { Ok(()) })
    }

    fn insert(
        &self,
        tx: &mut Tx<'_>,
        maker: &ConnectMaker,
        key: Option<&Idempotency>,
        token: &str,
    ) -> StoreResult<ConnectSession> {
        let data = ConnectData {
            options: self.checked.options.clone(),
            token: key.map(|_| token.to_owned()),
            ..ConnectData::default()
        };
        let new = NewConnectSession {
            organization: self.access.organization.id,
            token_hash: &token_hash(token),
            made_by: maker,
            terms: &self.checked.terms,
            data: &data,
            idempotency_hash: key.map(|key| key.key.as_slice()),
            request_hash: key.map(|key| key.request.as_slice()),
            expires_at: tx.now() + self.checked.lifetime,
        };
        connect_sessions::insert(tx, &new)
    }
}

/// What the same maker has made with the same key before.
fn made_before(tx: &mut Tx<'_>, organization: OrganizationId, key: &Idempotency) -> StoreResult<Option<Made>> {
    let Some(session) = connect_sessions::by_idempotency_key(tx, organization, &key.key)? else { return Ok(None) };
    if session.request_hash.as_deref() != Some(key.request.as_slice()) {
        return Ok(Some(Err(ConnectError::KeyReused)));
    }
    let token = session.data(tx)?.token.ok_or(StoreError::Corrupt("the token of a connect session"))?;
    Ok(Some(Ok((session, token))))
}
