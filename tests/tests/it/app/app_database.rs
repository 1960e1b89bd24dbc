//! The database of a host, seen from outside: what a test reads, and what it changes as time or
//! another host would.

use anyhow::Result;
use jackfield::store::{
    IntegrationId, Store, StoreResult,
    grants::{self, Grant, NewGrant, NewTokens, Tokens},
    integrations::Installed,
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
        use jackfield::store::{integrations, organizations};
        let sealer = self.store.sealer().clone();
        self.store
            .read(move |c| {
                let Some(acme) = organizations::by_slug(c, "acme")? else { return Ok(Vec::new()) };
                let rows = integrations::of_organization(c, acme.id, None, 1000)?;
                rows.into_iter()
                    .map(|row| {
                        let metadata = integrations::metadata(c, &sealer, row.integration.id)?.unwrap_or_default();
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

    /// The grants of an integration, each with its tokens.
    pub(crate) async fn grants_of(&self, id: IntegrationId) -> StoreResult<Vec<(Grant, Tokens)>> {
        let sealer = self.store.sealer().clone();
        self.store
            .read(move |c| {
                let found = grants::of_integration(c, id)?;
                found.into_iter().map(|grant| Ok((grant.clone(), grant.tokens(&sealer)?))).collect()
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
        let sealer = self.store.sealer().clone();
        for (grant, tokens) in self.grants(external_id).await?.into_iter().filter(|(grant, _)| grant.name == name) {
            let sealer = sealer.clone();
            let Grant { scopes, is_single_use, .. } = grant.clone();
            let new = NewTokens { tokens, scopes, expires_at: at, due_at: at, is_single_use };
            let new = NewGrant { name: grant.name, subject: grant.subject, new };
            // As if it was issued long ago: less than a sixth of its lifetime is left.
            let long_ago = now - time::Duration::hours(12);
            self.store.write(move |c| grants::put(c, &sealer, grant.integration, vec![new], long_ago)).await?;
        }
        Ok(())
    }

    /// The refresh of an integration's first grant.
    pub(crate) async fn refresh(&self, external_id: &str) -> StoreResult<Option<Refresh>> {
        let Some((grant, _)) = self.grants(external_id).await?.into_iter().next() else { return Ok(None) };
        self.store.read(move |c| refreshes::get(c, grant.id)).await
    }

    /// Makes a failed or lost refresh of an integration's first grant due now.
    pub(crate) async fn try_again_now(&self, external_id: &str) -> StoreResult<()> {
        use diesel::connection::SimpleConnection as _;
        let Some((grant, _)) = self.grants(external_id).await?.into_iter().next() else { return Ok(()) };
        let sql = format!("UPDATE refreshes SET retry_at = NULL WHERE grant_id = {}", grant.id);
        self.store.write(move |c| Ok(c.batch_execute(&sql)?)).await
    }

    /// Makes all leases expired.
    pub(crate) async fn let_leases_run_out(&self) -> StoreResult<()> {
        use diesel::connection::SimpleConnection as _;
        let sql = "UPDATE refreshes SET leased_until = leased_until - 3600000";
        self.store.write(move |c| Ok(c.batch_execute(sql)?)).await
    }

    /// All revocations of `acme`, the oldest first.
    pub(crate) async fn revocations(&self) -> StoreResult<Vec<Revocation>> {
        use jackfield::store::organizations;
        let now = time::OffsetDateTime::now_utc();
        self.store
            .read(move |c| {
                let Some(acme) = organizations::by_slug(c, "acme")? else { return Ok(Vec::new()) };
                let mut found = revocations::latest(c, acme.id, now, 1000)?;
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
        self.store.write(move |c| ids.into_iter().try_for_each(|id| revocations::put_off(c, id, now))).await
    }

    /// The identities of a user, each with its data, as JSON.
    pub(crate) async fn identities(&self, email: &str) -> StoreResult<Vec<Value>> {
        use jackfield::store::{identities, users};
        let (email, sealer) = (email.to_owned(), self.store.sealer().clone());
        self.store
            .read(move |c| {
                let Some(user) = users::by_email(c, &email)? else { return Ok(Vec::new()) };
                let found = identities::of_user(c, user.id)?;
                found
                    .into_iter()
                    .map(|identity| {
                        let data = identities::data(c, &sealer, identity.id)?.unwrap_or_default();
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
        use jackfield::store::{integrations, organization_integrations, organizations};
        let (now, sealer) = (time::OffsetDateTime::now_utc(), self.store.sealer().clone());
        self.store
            .write(move |c| {
                let Some(acme) = organizations::by_slug(c, "acme")? else { return Ok(()) };
                for n in 0..count {
                    let new = integrations::NewIntegration {
                        provider: "example".to_owned(),
                        external_id: format!("filled-{n}"),
                        name: format!("Filled {n:04}"),
                        metadata: Map::new(),
                    };
                    let (stored, _) = integrations::install(c, &sealer, new, now)?;
                    organization_integrations::link(c, acme.id, stored.id, None, now)?;
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
