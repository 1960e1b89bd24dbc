//! Tokens of a set-up that nothing comes of: nobody stores them, so they are to be revoked.
//!
//! A set-up notes a token as soon as a step has brought it, before anything else is asked of a plugin or a service, to be revoked once the
//! set-up has expired: that is one more transaction in the request that has exchanged the code, and in no other. One that ends well forgets the
//! note in the transaction that stores the tokens; one that ends badly has it revoked from now on. So a set-up that is left, started anew, or
//! cut off by the end of the host or of the session leaves nothing behind. What is lost is a token that came and was not noted before the host
//! was killed: nothing of ours lies between the two.

use time::{Duration, OffsetDateTime};

use super::{LIFETIME, Pipelines, Setup, check::Checked};
use crate::grants::grants_of_setup;
use jackfield_loader::{Integration, Provider};
use jackfield_store::{
    StoreResult, Tx,
    grants::NewGrant,
    revocations::{self, Given, GivenGrant, NewRevocation, Reason},
};

/// What of a set-up is to be revoked, and from when on.
#[derive(Clone)]
pub(super) struct Orphan {
    setup: String,
    new: NewRevocation,
    from: OffsetDateTime,
}

impl Orphan {
    /// Whether it is of the same tokens.
    fn is_of(&self, other: &Self) -> bool {
        self.new.given.grants == other.new.given.grants
    }

    /// Notes it, beside what the set-up had noted before.
    pub(super) fn note(&self, tx: &mut Tx<'_>) -> StoreResult<()> {
        revocations::note_setup(tx, &self.setup, &self.new, self.from).map(drop)
    }
}

/// How long after its expiry a set-up may still be at its end.
const MARGIN: Duration = Duration::minutes(1);

impl Pipelines {
    /// Of a set-up that goes on: to be revoked once it has expired.
    pub(super) fn orphan_later(&self, provider: &Provider, checked: &Checked) -> Option<Orphan> {
        let started = OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(checked.setup.started);
        Some(Orphan { from: started + LIFETIME + MARGIN, ..self.orphan(provider, checked, None)? })
    }

    /// Notes what a step has brought, if it is another than was noted before.
    pub(super) async fn note_orphan(
        &self,
        provider: &Provider,
        checked: &Checked,
        noted: Option<Orphan>,
    ) -> StoreResult<Option<Orphan>> {
        let Some(orphan) = self.orphan_later(provider, checked) else { return Ok(noted) };
        if noted.as_ref().is_some_and(|noted| noted.is_of(&orphan)) {
            return Ok(noted);
        }
        let new = orphan.clone();
        self.store.write(move |tx| new.note(tx)).await?;
        Ok(Some(orphan))
    }

    /// Of a set-up that ends without an integration; `None` where no token came.
    pub(super) fn orphan(&self, provider: &Provider, checked: &Checked, built: Option<&Integration>) -> Option<Orphan> {
        let mut orphan = self.at_hand(provider, &checked.setup, built);
        let obtained = checked.obtained.as_ref().map(|obtained| obtained.new.given.grants.clone());
        orphan.new.given.add(obtained.unwrap_or_default());
        (!orphan.new.given.grants.is_empty()).then_some(orphan)
    }

    /// What the provider has named, or the state has by now.
    fn at_hand(&self, provider: &Provider, setup: &Setup, built: Option<&Integration>) -> Orphan {
        let nothing = Integration::new("");
        let integration = built.unwrap_or(&nothing);
        let now = self.clock.now();
        let grants = grants_of_setup(provider, integration, &setup.state, &setup.hosts, now, None);
        let given = Given {
            grants: grants.into_iter().map(given_grant).collect(),
            metadata: integration.metadata.clone(),
            user: Some(setup.user),
            ..Given::default()
        };
        let new = NewRevocation {
            provider: setup.provider.clone(),
            external_id: integration.external_id.clone(),
            name: integration.name.clone().unwrap_or_default(),
            organization: Some(setup.organization),
            reason: Reason::Orphaned,
            given,
        };
        Orphan { setup: setup.nonce.clone(), new, from: now }
    }
}

fn given_grant(grant: NewGrant) -> GivenGrant {
    let NewGrant { name, subject, new } = grant;
    GivenGrant { name, subject, scopes: new.scopes.granted, tokens: new.tokens }
}
