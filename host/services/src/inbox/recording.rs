//! Stores a call for each organization that has the account, and hands it on to their programs, in
//! one transaction.

use std::collections::BTreeSet;

use jackfield_loader::{Accounts, Delivery};
use jackfield_store::{
    IntegrationId, OrganizationId, StoreResult, Tx, events, integrations, organization_integrations,
    received_events::{self, NewReceivedEvent, ReceivedCall, ReceivedEventId},
};
use time::Duration;

use super::{
    examination::VerifiedCall,
    provider_event::{ProviderEvent, hand_on},
};
use base64::{Engine, prelude::BASE64_STANDARD};

/// A call that is to be stored.
pub(super) struct Arrival {
    pub(super) provider: String,
    /// The hash of the webhook's key in hexadecimal digits; empty for the events URL.
    pub(super) webhook: String,
    pub(super) verified: VerifiedCall,
    pub(super) keep: Duration,
    /// After how long the plugin is asked by any host, unless this one has asked it by then.
    pub(super) due_after: Option<Duration>,
    /// Most events of the provider that are kept; `None` if that is not looked at now.
    pub(super) trim_to: Option<u32>,
}

/// Who gets a call.
#[derive(Clone, Copy)]
pub(super) enum Recipients {
    /// Every organization that has the account.
    Accounts,
    /// The organization whose webhook it is.
    Link(OrganizationId, IntegrationId),
}

/// What has become of a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recorded {
    /// What was stored.
    pub(super) stored: Vec<ReceivedEventId>,
    /// How many organizations had it already.
    pub(super) repeated: usize,
}

impl Recorded {
    /// Whether no organization has the account.
    pub(super) fn is_nobodys(&self) -> bool {
        self.stored.is_empty() && self.repeated == 0
    }
}

/// Most integrations of one provider that a call about all of them is stored for.
const MOST_INTEGRATIONS: i64 = 1000;

/// Stores a call for those who get it.
pub(super) fn record(tx: &mut Tx<'_>, arrival: &Arrival, recipients: Recipients) -> StoreResult<Recorded> {
    let mut recorded = Recorded::default();
    let is_webhook = !arrival.webhook.is_empty();
    let whole = || arrival.verified.kept(None, is_webhook);
    match (recipients, &arrival.verified.accounts) {
        (Recipients::Link(organization, integration), _) => {
            arrival.store(tx, (organization, integration), &whole(), &mut recorded)?;
        }
        (Recipients::Accounts, Accounts::None) => {}
        (Recipients::Accounts, Accounts::All) => {
            let now = tx.now();
            let all = integrations::of_provider(tx, &arrival.provider, None, now, None, MOST_INTEGRATIONS)?;
            arrival.store_for_all(tx, all.iter().map(|found| found.id), &whole(), &mut recorded)?;
        }
        (Recipients::Accounts, Accounts::Some(accounts)) => {
            for (external_id, part) in accounts {
                let found = integrations::by_external_id(tx, &arrival.provider, external_id)?;
                let call = arrival.verified.kept(part.as_deref(), is_webhook);
                arrival.store_for_all(tx, found.iter().map(|found| found.id), &call, &mut recorded)?;
            }
        }
    }
    if let Some(most) = arrival.trim_to.filter(|_| !recorded.stored.is_empty()) {
        received_events::trim(tx, &arrival.provider, most.into())?;
    }
    Ok(recorded)
}

impl Arrival {
    fn store_for_all(
        &self,
        tx: &mut Tx<'_>,
        integrations: impl Iterator<Item = IntegrationId>,
        call: &ReceivedCall,
        recorded: &mut Recorded,
    ) -> StoreResult<()> {
        for integration in integrations {
            for organization in organization_integrations::organizations_of(tx, integration)? {
                self.store(tx, (organization, integration), call, recorded)?;
            }
        }
        Ok(())
    }

    fn store(
        &self,
        tx: &mut Tx<'_>,
        link: (OrganizationId, IntegrationId),
        call: &ReceivedCall,
        recorded: &mut Recorded,
    ) -> StoreResult<()> {
        let delivery_id = self.verified.delivery_id.as_deref();
        // One row of an account is for the plugin, which is asked about the account and not about
        // each organization.
        let is_first = recorded.stored.is_empty();
        let due_after = self.due_after.filter(|_| is_first);
        let new = NewEvent { provider: &self.provider, webhook: &self.webhook, delivery_id, call, keep: self.keep };
        match new.store(tx, link, due_after)? {
            Some(id) => recorded.stored.push(id),
            None => recorded.repeated += 1,
        }
        Ok(())
    }
}

/// An event that is stored for one organization.
struct NewEvent<'a> {
    provider: &'a str,
    webhook: &'a str,
    delivery_id: Option<&'a str>,
    call: &'a ReceivedCall,
    keep: Duration,
}

impl NewEvent<'_> {
    /// Stores it, unless it is a repeated delivery.
    fn store(
        &self,
        tx: &mut Tx<'_>,
        (organization, integration): (OrganizationId, IntegrationId),
        due_after: Option<Duration>,
    ) -> StoreResult<Option<ReceivedEventId>> {
        let Self { provider, webhook, delivery_id, call, keep } = *self;
        if let Some(id) = delivery_id {
            // Who can sign one delivery cannot have another organization's dropped.
            let delivery = format!("inbox\0{organization}\0{integration}\0{webhook}\0{id}");
            if !events::is_new_for(tx, provider, &delivery, keep)? {
                return Ok(None);
            }
        }
        let size = call.body.len() / 4 * 3;
        let new = NewReceivedEvent { organization, integration, provider, delivery_id, call, size, keep, due_after };
        let id = received_events::put(tx, &new)?;
        hand_on(
            tx,
            &ProviderEvent { organization, integration, provider, received: id, delivery_id, is_replay: false },
        )?;
        Ok(Some(id))
    }
}

/// What a plugin has the host deliver, of one call.
pub(super) struct PluginDeliveries {
    pub(super) provider: String,
    pub(super) webhook: String,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) keep: Duration,
}

impl PluginDeliveries {
    /// Stores them. At a webhook they are for its organization, and of its integration only.
    pub(super) fn record(&self, tx: &mut Tx<'_>, link: Option<(OrganizationId, IntegrationId)>) -> StoreResult<usize> {
        let mut stored = 0;
        for delivery in &self.deliveries {
            for link in self.links(tx, delivery, link)? {
                let call = kept(delivery, !self.webhook.is_empty());
                let delivery_id = Some(&*delivery.id).filter(|id| !id.is_empty());
                let (provider, webhook) = (&*self.provider, &*self.webhook);
                let new = NewEvent { provider, webhook, delivery_id, call: &call, keep: self.keep };
                stored += usize::from(new.store(tx, link, None)?.is_some());
            }
        }
        Ok(stored)
    }

    fn links(
        &self,
        tx: &mut Tx<'_>,
        delivery: &Delivery,
        link: Option<(OrganizationId, IntegrationId)>,
    ) -> StoreResult<BTreeSet<(OrganizationId, IntegrationId)>> {
        let found = match &*delivery.external_id {
            "" => return Ok(link.into_iter().collect()),
            external_id => integrations::by_external_id(tx, &self.provider, external_id)?,
        };
        if let Some((organization, integration)) = link {
            let is_its = found.iter().any(|found| found.id == integration);
            return Ok(is_its.then_some((organization, integration)).into_iter().collect());
        }
        let mut links = BTreeSet::new();
        for found in found {
            let organizations = organization_integrations::organizations_of(tx, found.id)?;
            links.extend(organizations.into_iter().map(|organization| (organization, found.id)));
        }
        Ok(links)
    }
}

fn kept(delivery: &Delivery, is_webhook: bool) -> ReceivedCall {
    ReceivedCall {
        method: "POST".to_owned(),
        passed_headers: delivery.headers.clone(),
        body: BASE64_STANDARD.encode(&delivery.body),
        is_webhook,
        ..ReceivedCall::default()
    }
}
