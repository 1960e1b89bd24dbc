//! The database of a host, seen from outside: what a test reads, and what it changes as time or
//! another host would.

use anyhow::Result;
use jackfield_store::{
    IntegrationId, Store, StoreResult,
    grants::{self, Grant, GrantOwner, NewGrant, NewTokens, Tokens},
    integrations::Installed,
    organizations,
    refreshes::{self, Refresh},
    revocations::{self, Revocation},
};
use jackfield_test_support::host::Host;
use serde_json::{Map, Value};

/// The host's database, seen from outside.
pub(crate) struct AppDatabase {
    store: Store,
}

impl AppDatabase {
    pub(crate) async fn of(host: &Host) -> Result<Self> {
        Ok(Self { store: host.store().await? })
    }

    /// Every integration of `acme` with its metadata.
    pub(crate) async fn integrations(&self) -> StoreResult<Vec<(Installed, Map<String, Value>)>> {
        use jackfield_store::{integrations, organization_integrations};
        self.store
            .read(move |tx| {
                let Some(acme) = organizations::by_slug(tx, "acme")? else { return Ok(Vec::new()) };
                let rows = integrations::of_organization(tx, acme.id, None, 1000)?;
                rows.into_iter()
                    .map(|row| {
                        let metadata =
                            organization_integrations::metadata(tx, acme.id, row.integration.id)?.unwrap_or_default();
                        Ok((row, metadata))
                    })
                    .collect()
            })
            .await
    }

    /// The grants of an integration of `acme`, by its external id, each with its tokens.
    pub(crate) async fn grants(&self, external_id: &str) -> StoreResult<Vec<(Grant, Tokens)>> {
        match self.id_of(external_id).await? {
            Some(id) => self.grants_of(id).await,
            None => Ok(Vec::new()),
        }
    }

    /// The grants that `acme` is lent of an integration, each with its tokens.
    pub(crate) async fn grants_of(&self, id: IntegrationId) -> StoreResult<Vec<(Grant, Tokens)>> {
        self.store
            .read(move |tx| {
                let Some(acme) = organizations::by_slug(tx, "acme")? else { return Ok(Vec::new()) };
                let found = grants::of_organization(tx, acme.id, id)?.unwrap_or_default();
                found.into_iter().map(|grant| Ok((grant.clone(), grant.tokens(tx.sealer())?))).collect()
            })
            .await
    }

    async fn id_of(&self, external_id: &str) -> StoreResult<Option<IntegrationId>> {
        let all = self.integrations().await?;
        Ok(all.iter().map(|(one, _)| &one.integration).find(|one| one.external_id == external_id).map(|one| one.id))
    }

    /// Makes a grant's access token expire after a time, and the grant due then.
    pub(crate) async fn let_live(&self, external_id: &str, name: &str, life: time::Duration) -> StoreResult<()> {
        self.let_expire(external_id, name, Some(time::OffsetDateTime::now_utc() + life)).await
    }

    /// Makes a grant's access token expire at a time or at an unknown one, and the grant due then.
    pub(crate) async fn let_expire(
        &self,
        external_id: &str,
        name: &str,
        at: Option<time::OffsetDateTime>,
    ) -> StoreResult<()> {
        let now = time::OffsetDateTime::now_utc();
        let Some(acme) = self.store.read(|tx| organizations::by_slug(tx, "acme")).await? else { return Ok(()) };
        let acme = acme.id;
        for (grant, tokens) in self.grants(external_id).await?.into_iter().filter(|(grant, _)| grant.name == name) {
            let Grant { scopes, is_single_use, .. } = grant.clone();
            let new = NewTokens { tokens, scopes, expires_at: at, due_at: at, is_single_use };
            let is_of_account = grant.owner == GrantOwner::Account;
            let new = NewGrant { name: grant.name, subject: grant.subject, is_of_account, new };
            // As if it was issued long ago: less than a sixth of its lifetime is left.
            let long_ago = now - time::Duration::hours(12);
            self.store.at(long_ago).write(move |tx| grants::put(tx, grant.integration, acme, vec![new])).await?;
        }
        Ok(())
    }

    /// The refresh of an integration's first grant.
    pub(crate) async fn refresh(&self, external_id: &str) -> StoreResult<Option<Refresh>> {
        let Some((grant, _)) = self.grants(external_id).await?.into_iter().next() else { return Ok(None) };
        self.store.read(move |tx| refreshes::get(tx, grant.id)).await
    }

    /// Makes a failed or lost refresh of an integration's first grant due now.
    pub(crate) async fn try_again_now(&self, external_id: &str) -> StoreResult<()> {
        let Some((grant, _)) = self.grants(external_id).await?.into_iter().next() else { return Ok(()) };
        let sql = format!("UPDATE refreshes SET retry_at = NULL WHERE grant_id = {}", grant.id);
        self.store.tamper(sql).await
    }

    /// How many keys of webhooks there are.
    pub(crate) async fn webhooks(&self) -> StoreResult<i64> {
        self.store.read(|tx| tx.count_webhooks()).await
    }

    /// Puts the beginning of all rows of equal refusals back.
    pub(crate) async fn let_refusals_last(&self, time: time::Duration) -> StoreResult<()> {
        let back = time.whole_milliseconds();
        self.store.tamper(format!("UPDATE refreshes SET refused_since = refused_since - {back}")).await
    }

    /// Makes all leases expired.
    pub(crate) async fn let_leases_run_out(&self) -> StoreResult<()> {
        let sql = "UPDATE refreshes SET leased_until = leased_until - 3600000";
        self.store.tamper(sql).await
    }

    /// All revocations of `acme`, the oldest first.
    pub(crate) async fn revocations(&self) -> StoreResult<Vec<Revocation>> {
        self.store
            .read(move |tx| {
                let Some(acme) = organizations::by_slug(tx, "acme")? else { return Ok(Vec::new()) };
                let mut found = revocations::latest(tx, acme.id, 1000)?;
                found.reverse();
                Ok(found)
            })
            .await
    }

    /// Waits until no revocation of `acme` is pending.
    pub(crate) async fn settled(&self) -> Result<Vec<Revocation>> {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..600 {
            looks.tick().await;
            let all = self.revocations().await?;
            if !all.is_empty() && all.iter().all(|revocation| revocation.status != revocations::Status::Pending) {
                return Ok(all);
            }
        }
        anyhow::bail!("{:?}", self.revocations().await?)
    }

    /// Makes all revocations due now.
    pub(crate) async fn revoke_soon(&self) -> StoreResult<()> {
        let now = time::OffsetDateTime::now_utc();
        let ids: Vec<_> = self.revocations().await?.into_iter().map(|revocation| revocation.id).collect();
        self.store.write(move |tx| ids.into_iter().try_for_each(|id| revocations::postpone(tx, id, now))).await
    }

    /// The identities of a user, each with its data, as JSON.
    pub(crate) async fn identities(&self, email: &str) -> StoreResult<Vec<Value>> {
        use jackfield_store::{identities, users};
        let email = email.to_owned();
        self.store
            .read(move |tx| {
                let Some(user) = users::by_email(tx, &email)? else { return Ok(Vec::new()) };
                let found = identities::of_user(tx, user.id)?;
                found
                    .into_iter()
                    .map(|identity| {
                        let data = identities::data(tx, identity.id)?.unwrap_or_default();
                        Ok(serde_json::json!({
                            "type": identity.identity_type, "instance": identity.instance,
                            "external_id": identity.external_id, "status": identity.status,
                            "scopes": identity.scopes, "data": data,
                        }))
                    })
                    .collect()
            })
            .await
    }

    /// Gives `acme` many integrations at once.
    pub(crate) async fn fill(&self, count: usize) -> StoreResult<()> {
        use jackfield_store::{integrations, organization_integrations};
        self.store
            .write(move |tx| {
                let Some(acme) = organizations::by_slug(tx, "acme")? else { return Ok(()) };
                for n in 0..count {
                    let new = integrations::NewIntegration {
                        provider: "example".to_owned(),
                        external_id: format!("filled-{n}"),
                        name: format!("Filled {n:04}"),
                    };
                    let (stored, _) = integrations::install(tx, &new)?;
                    organization_integrations::install(
                        tx,
                        acme.id,
                        stored.id,
                        organization_integrations::NewLink::of_person(None, &Map::new()),
                    )?;
                }
                Ok(())
            })
            .await
    }

    /// Asserts that nothing is stored.
    pub(crate) async fn assert_nothing(&self, email: &str) -> Result<()> {
        assert_eq!(self.integrations().await?.len(), 0);
        assert_eq!(self.identities(email).await?, Vec::<Value>::new());
        Ok(())
    }
}
