//! The endpoints of organizations: making, changing, rotating, testing and removing them.

use time::OffsetDateTime;

use super::{
    delivery_request::DeliveryRequest,
    endpoint_entries,
    endpoint_error::{EndpointError, MOST_ENDPOINTS},
    endpoint_out::{CreatedEndpoint, EndpointOut, RotatedSecret, TestedEndpoint},
    endpoint_request::{EndpointChangeIn, EndpointIn, RotateIn},
    webhook_signature::{generate, public_key_text, rotated, secret_text},
};
use crate::{accounts::Access, request_source::RequestSource};
use jackfield_config::clock::rfc3339;
use jackfield_outbound::Outbound;
use jackfield_store::{
    EndpointId, OrganizationId, Store, StoreResult, Tx,
    audit::Action,
    endpoints::{self, Endpoint},
    hex, milliseconds,
    outgoing_events::EventKind,
};

/// The endpoints of this host. Cheap to clone.
#[derive(Clone)]
pub struct Endpoints {
    pub(super) store: Store,
    pub(super) outbound: Outbound,
}

impl Endpoints {
    /// Endpoints in this database, reached by this client.
    #[must_use]
    pub const fn new(store: Store, outbound: Outbound) -> Self {
        Self { store, outbound }
    }

    /// The endpoints of an organization, in the order in which they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, organization: OrganizationId) -> StoreResult<Vec<EndpointOut>> {
        let list = move |tx: &mut Tx<'_>| {
            let found = endpoints::of_organization(tx, organization)?;
            Ok(found.iter().map(|endpoint| EndpointOut::new(endpoint, tx.sealer())).collect())
        };
        self.store.read(list).await
    }

    /// One of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, organization: OrganizationId, id: EndpointId) -> StoreResult<Option<EndpointOut>> {
        let get = move |tx: &mut Tx<'_>| {
            let found = endpoints::get(tx, organization, id)?;
            Ok(found.map(|endpoint| EndpointOut::new(&endpoint, tx.sealer())))
        };
        self.store.read(get).await
    }

    /// Makes one. It gets what happens from now on.
    ///
    /// # Errors
    /// When a value is not valid, or there are too many.
    pub async fn create(
        &self,
        access: &Access,
        asked: EndpointIn,
        source: &RequestSource,
    ) -> Result<CreatedEndpoint, EndpointError> {
        let terms = asked.checked(&self.outbound)?;
        let (access, source) = (access.clone(), source.clone());
        let create = move |tx: &mut Tx<'_>| {
            let organization = access.organization.id;
            if endpoints::of_organization(tx, organization)?.len() >= MOST_ENDPOINTS {
                return Ok(Err(EndpointError::TooMany));
            }
            let secrets = generate();
            let made = endpoints::insert(tx, organization, &terms, &secrets, false)?;
            tx.audit(&source.note(endpoint_entries::by(&access, Action::EndpointCreation, &made)))?;
            Ok(Ok(CreatedEndpoint::new(&made, &secrets, tx.sealer())))
        };
        self.store.write(create).await?
    }

    /// Changes one, pauses it or enables it again.
    ///
    /// # Errors
    /// When a value is not valid, or the endpoint stands in the configuration and more than its
    /// status is to change.
    pub async fn change(
        &self,
        access: &Access,
        id: EndpointId,
        asked: EndpointChangeIn,
        source: &RequestSource,
    ) -> Result<EndpointOut, EndpointError> {
        let outbound = self.outbound.clone();
        let is_of_status = asked.is_of_status();
        self.with(access, id, source, move |tx, endpoint| {
            if endpoint.is_configured && !is_of_status {
                return Ok(Err(EndpointError::Configured));
            }
            let (terms, status) = match asked.applied(EndpointIn::of(&endpoint), &outbound) {
                Ok(applied) => applied,
                Err(error) => return Ok(Err(error)),
            };
            endpoints::change(tx, id, &terms)?;
            if let Some(status) = status.filter(|status| *status != endpoint.status) {
                endpoints::set_status(tx, id, status)?;
            }
            let changed = endpoints::by_id(tx, id)?.unwrap_or(endpoint);
            let out = EndpointOut::new(&changed, tx.sealer());
            Ok(Ok((out, Some((Action::EndpointChange, changed)))))
        })
        .await
    }

    /// Removes one, with its deliveries.
    ///
    /// # Errors
    /// When there is none, or it stands in the configuration.
    pub async fn remove(&self, access: &Access, id: EndpointId, source: &RequestSource) -> Result<(), EndpointError> {
        self.with(access, id, source, move |tx, endpoint| {
            if endpoint.is_configured {
                return Ok(Err(EndpointError::Configured));
            }
            endpoints::remove(tx, id)?;
            Ok(Ok(((), Some((Action::EndpointRemoval, endpoint)))))
        })
        .await
    }

    /// Gives one a new secret and a new key pair. The former ones sign beside them for a while.
    ///
    /// # Errors
    /// When there is none, or the overlap is not valid.
    pub async fn rotate(
        &self,
        access: &Access,
        id: EndpointId,
        asked: RotateIn,
        source: &RequestSource,
    ) -> Result<RotatedSecret, EndpointError> {
        let overlap = asked.overlap()?;
        self.with(access, id, source, move |tx, endpoint| {
            let until = tx.now() + overlap;
            let secrets = match endpoint.secrets(tx.sealer()) {
                Ok(before) => rotated(before, milliseconds(until), milliseconds(tx.now())),
                // Those that cannot be opened sign nothing.
                Err(_) => generate(),
            };
            endpoints::put_secrets(tx, id, &secrets)?;
            let shown = RotatedSecret {
                secret: secret_text(&secrets),
                public_key: public_key_text(&secrets),
                former_until: Some(until).filter(|until| *until > tx.now()).and_then(rfc3339),
            };
            Ok(Ok((shown, Some((Action::EndpointRotation, endpoint)))))
        })
        .await
    }

    /// Sends an endpoint something to try it, whatever its status, and waits for its answer. It
    /// counts for nothing.
    ///
    /// # Errors
    /// When there is none.
    pub async fn test(&self, access: &Access, id: EndpointId) -> Result<TestedEndpoint, EndpointError> {
        let organization = access.organization.id;
        let found = self.store.read(move |tx| endpoints::get(tx, organization, id)).await?;
        let endpoint = found.ok_or(EndpointError::NotFound)?;
        let secrets = endpoint.secrets(self.store.sealer())?;
        let now = self.store.now();
        let (id, body) = test_event(&endpoint, &access.organization.slug, now);
        let request = DeliveryRequest { url: &endpoint.url, secrets: &secrets, id: &id, body: &body };
        Ok(request.send(&self.outbound, now).await.into())
    }

    /// Does something with an endpoint of an organization, in one transaction with the entry about
    /// it.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        access: &Access,
        id: EndpointId,
        source: &RequestSource,
        run: impl FnOnce(&mut Tx<'_>, Endpoint) -> StoreResult<Result<(T, Option<(Action, Endpoint)>), EndpointError>>
        + Send
        + 'static,
    ) -> Result<T, EndpointError> {
        let (access, source) = (access.clone(), source.clone());
        let write = move |tx: &mut Tx<'_>| {
            let Some(endpoint) = endpoints::get(tx, access.organization.id, id)? else {
                return Ok(Err(EndpointError::NotFound));
            };
            let (done, noted) = match run(tx, endpoint)? {
                Ok(done) => done,
                Err(error) => return Ok(Err(error)),
            };
            if let Some((action, endpoint)) = noted {
                tx.audit(&source.note(endpoint_entries::by(&access, action, &endpoint)))?;
            }
            Ok(Ok(done))
        };
        self.store.write(write).await?
    }
}

/// An event that is sent to nobody else and stored nowhere.
fn test_event(endpoint: &Endpoint, organization: &str, now: OffsetDateTime) -> (String, String) {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system has a random generator");
    let id = format!("evt_test_{}", hex(&random));
    let body = serde_json::json!({
        "id": id,
        "type": EventKind::EndpointTest.as_str(),
        "timestamp": rfc3339(now),
        "data": { "organization": organization, "endpoint": endpoint.id.to_string() },
    });
    (id, body.to_string())
}

impl EndpointIn {
    /// What an endpoint is.
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            types: endpoint.kinds(),
            providers: endpoint.providers(),
        }
    }
}
