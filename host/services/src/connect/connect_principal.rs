//! A connect session as who asks: what it allows, read anew for each request.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    connect_entry::note,
    connect_event::event,
    connect_refusal::ConnectRefusal,
    holder::Holder,
    maker::{actor, organization_of},
};
use crate::{accounts::Organization, session::SessionKey};
use jackfield_store::{
    ConnectSessionId, StoreResult, Tx,
    audit::{Actor, Entry},
    connect_sessions::{self, ConnectProof, ConnectSession, ConnectStatus},
    integrations::Integration,
    outgoing_events::{self, EventKind, NewEvent},
};

/// A setup has failed, and no check says why.
const FAILED: &str = "setup";

/// A connect session, and where it may connect accounts. It has no `Debug`, which would show what
/// is filled in beforehand.
#[derive(Clone)]
pub struct ConnectPrincipal {
    /// The session.
    pub session: ConnectSession,
    /// Its organization, while who has made it may let people connect there.
    pub organization: Option<Organization>,
    /// Form fields that are filled in beforehand.
    options: Map<String, Value>,
    now: OffsetDateTime,
}

impl ConnectPrincipal {
    /// The session of a key, which is the hash of its token.
    pub(crate) fn of_key(tx: &mut Tx<'_>, key: &SessionKey) -> StoreResult<Option<Self>> {
        match connect_sessions::by_token(tx, key.as_bytes())? {
            Some(session) => Self::of(tx, session).map(Some),
            None => Ok(None),
        }
    }

    /// The session of an id.
    pub(crate) fn of_id(tx: &mut Tx<'_>, id: ConnectSessionId) -> StoreResult<Option<Self>> {
        match connect_sessions::by_id(tx, id)? {
            Some(session) => Self::of(tx, session).map(Some),
            None => Ok(None),
        }
    }

    /// The session of an id. Nobody else uses or ends it until the transaction ends.
    pub(crate) fn locked(tx: &mut Tx<'_>, id: ConnectSessionId) -> StoreResult<Option<Self>> {
        match connect_sessions::lock(tx, id)? {
            Some(session) => Self::of(tx, session).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn of(tx: &mut Tx<'_>, session: ConnectSession) -> StoreResult<Self> {
        let organization = organization_of(tx, &session)?;
        let options = session.data(tx)?.options;
        Ok(Self { session, organization, options, now: tx.now() })
    }

    /// The key under which its setups are found: its own, and no browser's.
    #[must_use]
    pub fn key(&self) -> Option<SessionKey> {
        SessionKey::stored(&self.session.token_hash)
    }

    /// `open`, `completed`, `expired` or `ended`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        self.session.status_at(self.now).as_str()
    }

    /// The organization, if the session can be used now.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_open(&self) -> Result<&Organization, ConnectRefusal> {
        match self.session.status_at(self.now) {
            ConnectStatus::Open => self.organization.as_ref().ok_or(ConnectRefusal::MakerGone),
            ConnectStatus::Completed => Err(ConnectRefusal::Used),
            ConnectStatus::Expired => Err(ConnectRefusal::Expired),
            ConnectStatus::Ended => Err(ConnectRefusal::Ended),
        }
    }

    /// Whether the session is for a provider.
    ///
    /// # Errors
    /// [`ConnectRefusal::ProviderNotAllowed`].
    pub fn check_provider(&self, provider: &str) -> Result<(), ConnectRefusal> {
        let allowed = &self.session.terms.providers;
        let is_allowed = allowed.is_empty() || allowed.iter().any(|id| id == provider);
        if is_allowed { Ok(()) } else { Err(ConnectRefusal::ProviderNotAllowed) }
    }

    /// Whether a browser holds the session.
    ///
    /// # Errors
    /// [`ConnectRefusal::OtherBrowser`].
    pub fn check_holder(&self, holder: Option<Holder>) -> Result<(), ConnectRefusal> {
        let is_theirs = holder.is_some_and(|holder| self.session.holder.as_deref() == Some(holder.as_bytes()));
        if is_theirs { Ok(()) } else { Err(ConnectRefusal::OtherBrowser) }
    }

    /// Whether the person has still to prove at an issuer that they are the subject: a program
    /// cannot vouch for that.
    #[must_use]
    pub fn lacks_log_in(&self) -> bool {
        self.session.terms.proof == ConnectProof::LogIn && self.session.holder.is_none()
    }

    /// What is filled into a form field beforehand, as a browser would send it.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<String> {
        match self.options.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(is_on) => is_on.then(|| "on".to_owned()),
            other => Some(other.to_string()),
        }
    }

    /// Who does what comes of the session, for the audit log.
    pub(crate) fn actor(&self) -> Actor {
        actor(&self.session.made_by)
    }

    /// A setup of a provider has failed in the session. The person can try again.
    pub(crate) fn record_failure(&self, tx: &mut Tx<'_>, provider: &str, check: Option<&str>) -> StoreResult<()> {
        let check = check.unwrap_or(FAILED);
        connect_sessions::set_failure(tx, self.session.id, Some(check))?;
        let failed = event(&self.session, EventKind::ConnectSessionFailed).with("reason", check);
        outgoing_events::record(tx, &NewEvent { provider: Some(provider.to_owned()), ..failed })
    }

    /// An integration has come of the session, which is locked: it is used up.
    pub(crate) fn complete(&self, tx: &mut Tx<'_>, integration: &Integration) -> StoreResult<()> {
        connect_sessions::complete(tx, self.session.id, integration.id)?;
        let completed = event(&self.session, EventKind::ConnectSessionCompleted);
        outgoing_events::record(tx, &completed.of(integration.id, integration.provider.as_str()))
    }

    /// An entry of the audit log that says which session, and for whom.
    pub(crate) fn note(&self, entry: Entry) -> Entry {
        note(entry, &self.session)
    }
}
