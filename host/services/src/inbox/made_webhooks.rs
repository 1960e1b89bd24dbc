//! Webhooks that programs make for an integration: for a service whose calls do not say whose they
//! are, or that signs each webhook with a secret of its own.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_config::clock::rfc3339;
use jackfield_loader::Provider;
use jackfield_store::{
    IntegrationId, OrganizationId, StoreError, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    integrations::{self, Integration},
    webhook_secrets::{self, MadeWebhook},
};
use serde::Serialize;
use thiserror::Error;

use super::inbox_service::Inbox;
use crate::setup::webhook_key_hash;

/// Most webhooks of an integration that an organization makes.
const MOST_WEBHOOKS: usize = 100;
/// Longest secret, in bytes.
const LONGEST_SECRET: usize = 1024;

/// A webhook, without its key and its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeWebhookOut {
    /// Its id.
    pub id: String,
    /// Whether it has a secret of its own.
    pub has_secret: bool,
    /// When it was made.
    pub date_added: Option<String>,
}

/// A webhook that was just made.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct NewWebhook {
    /// Where the service calls. Its key is shown here and never again.
    pub url: String,
    #[serde(flatten)]
    pub(super) rest: MadeWebhookOut,
}

/// Why a webhook is not made or changed.
#[derive(Debug, Error)]
pub enum WebhookProblem {
    /// The organization has no such integration, or it has no such webhook.
    #[error("there is none")]
    NotThere,
    /// Its provider does not say how its service signs calls.
    #[error("its provider does not say how its service signs calls")]
    NotSigned,
    /// The secret is empty or too long.
    #[error("a secret has 1 to 1024 bytes")]
    BadSecret,
    /// There are so many already.
    #[error("an integration has at most 100 webhooks")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<MadeWebhook> for MadeWebhookOut {
    fn from(MadeWebhook { id, has_secret, date_added }: MadeWebhook) -> Self {
        Self { id, has_secret, date_added: rfc3339(date_added) }
    }
}

impl Inbox {
    /// The webhooks that programs have made of an organization's integration.
    ///
    /// # Errors
    /// When the organization does not have it, or the database fails.
    pub async fn webhooks(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
    ) -> Result<Vec<MadeWebhookOut>, WebhookProblem> {
        let read = move |tx: &mut Tx<'_>| {
            let is_theirs = theirs(tx, organization, id)?.is_some();
            is_theirs.then(|| webhook_secrets::made(tx, organization, id)).transpose()
        };
        let made = self.store.read(read).await?.ok_or(WebhookProblem::NotThere)?;
        Ok(made.into_iter().map(MadeWebhookOut::from).collect())
    }

    /// Makes a webhook of an organization's integration. Its key is in the URL and nowhere else.
    ///
    /// # Errors
    /// Why it is not made.
    pub async fn make_webhook(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
        secret: Option<String>,
        actor: Actor,
    ) -> Result<NewWebhook, WebhookProblem> {
        check_secret(secret.as_deref())?;
        let provider = self.signed_provider(organization, id).await?;
        let (key, name) = (new_key(), provider.id().to_owned());
        let key_hash = webhook_key_hash(&key);
        let make = move |tx: &mut Tx<'_>| {
            let Some(of) = theirs(tx, organization, id)? else { return Ok(Err(WebhookProblem::NotThere)) };
            if webhook_secrets::made(tx, organization, id)?.len() >= MOST_WEBHOOKS {
                return Ok(Err(WebhookProblem::TooMany));
            }
            let made = webhook_secrets::make(tx, &key_hash, &name, (organization, id), secret.as_deref())?;
            audit(tx, organization, &of, actor, "webhook-made", &made.id)?;
            Ok(Ok(made))
        };
        let made = self.store.write(make).await??;
        let url = self.url_prefix.absolute(&format!("/extensions/{}/webhook/{key}/", provider.id()));
        Ok(NewWebhook { url, rest: made.into() })
    }

    /// Gives a webhook another secret.
    ///
    /// # Errors
    /// Why it is not changed.
    pub async fn replace_webhook_secret(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
        webhook: String,
        secret: String,
        actor: Actor,
    ) -> Result<(), WebhookProblem> {
        check_secret(Some(&secret))?;
        self.change(organization, id, actor, "webhook-secret", webhook, move |tx, webhook| {
            webhook_secrets::replace_made(tx, organization, id, webhook, &secret)
        })
        .await
    }

    /// Removes a webhook: from now on its URL does not exist.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn remove_webhook(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
        webhook: String,
        actor: Actor,
    ) -> Result<(), WebhookProblem> {
        self.change(organization, id, actor, "webhook-removed", webhook, move |tx, webhook| {
            webhook_secrets::remove_made(tx, organization, id, webhook)
        })
        .await
    }

    async fn change(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
        actor: Actor,
        what: &'static str,
        webhook: String,
        run: impl Fn(&mut Tx<'_>, &str) -> StoreResult<bool> + Send + 'static,
    ) -> Result<(), WebhookProblem> {
        let change = move |tx: &mut Tx<'_>| {
            let Some(of) = theirs(tx, organization, id)? else { return Ok(false) };
            let is_changed = run(tx, &webhook)?;
            if is_changed {
                audit(tx, organization, &of, actor, what, &webhook)?;
            }
            Ok(is_changed)
        };
        let is_changed = self.store.write(change).await?;
        is_changed.then_some(()).ok_or(WebhookProblem::NotThere)
    }

    async fn signed_provider(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
    ) -> Result<std::sync::Arc<Provider>, WebhookProblem> {
        let of = self.store.read(move |tx| theirs(tx, organization, id)).await?.ok_or(WebhookProblem::NotThere)?;
        let provider = self.plugins.find_configured(&of.provider);
        let is_signed = |provider: &std::sync::Arc<Provider>| provider.inbox().is_some_and(|rules| rules.is_signed());
        provider.filter(is_signed).ok_or(WebhookProblem::NotSigned)
    }
}

fn theirs(tx: &mut Tx<'_>, organization: OrganizationId, id: IntegrationId) -> StoreResult<Option<Integration>> {
    Ok(integrations::one_of_organization(tx, organization, id)?.map(|installed| installed.integration))
}

fn audit(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    of: &Integration,
    actor: Actor,
    what: &str,
    webhook: &str,
) -> StoreResult<()> {
    let entry = Entry::new(Action::ConfigurationChange, actor).organization(organization).integration(of);
    tx.audit(&entry.detail("change", what).detail("webhook", webhook))
}

fn check_secret(secret: Option<&str>) -> Result<(), WebhookProblem> {
    let is_good = secret.is_none_or(|secret| !secret.is_empty() && secret.len() <= LONGEST_SECRET);
    is_good.then_some(()).ok_or(WebhookProblem::BadSecret)
}

/// 256 random bits.
fn new_key() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
