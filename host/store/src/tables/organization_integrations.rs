//! Links between organizations and integrations: what an organization's own setups have stored,
//! and what it has configured. No other organization reads or overwrites it.

use diesel::prelude::*;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    ids::{IntegrationId, OrganizationId, UserId},
    outgoing_events::{self, EventKind, NewEvent},
    status::Status,
    subject::{Subject, Tags},
};
use crate::{
    database::{
        column_types::{Timestamp, milliseconds},
        fixed_condition::fixed_condition,
        schema::{integrations, organization_integrations as t},
    },
    error::StoreResult,
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
};

/// An organization's link to an integration. `Debug` shows no configuration: it may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct OrganizationIntegration {
    /// The organization.
    pub organization: OrganizationId,
    /// The integration.
    pub integration: IntegrationId,
    /// The organization's own configuration of it, secrets included. Empty if it cannot be opened.
    pub config: Map<String, Value>,
    /// Whether the organization can use it.
    pub status: Status,
    /// The user who added it, while there is that user.
    pub added_by: Option<UserId>,
    /// When it was added.
    pub date_added: OffsetDateTime,
    /// The customer whom a program has connected it for.
    pub subject: Option<Subject>,
    /// What a program has put on it.
    pub tags: Tags,
}

/// What a setup stores of an integration for its organization.
pub struct NewLink<'a> {
    /// The user who has added it, if a person with an account has.
    pub added_by: Option<UserId>,
    /// What the setup has brought.
    pub metadata: &'a Map<String, Value>,
    /// The customer whom a program connects it for; `None`: as it was.
    pub subject: Option<Subject>,
    /// What a program puts on it; without a subject and without tags: as it was.
    pub tags: Tags,
}

impl<'a> NewLink<'a> {
    /// Of a person's own setup.
    #[must_use]
    pub fn of_person(added_by: Option<UserId>, metadata: &'a Map<String, Value>) -> Self {
        Self { added_by, metadata, subject: None, tags: Tags::default() }
    }
}

/// What became of a link.
pub struct LinkInstalled {
    /// The link as it is now.
    pub link: OrganizationIntegration,
    /// Whether there was none.
    pub is_new: bool,
    /// The customer whom it was connected for until now, if that was another one.
    pub former_subject: Option<Subject>,
}

impl std::fmt::Debug for OrganizationIntegration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OrganizationIntegration({} of {})", self.integration, self.organization)
    }
}

/// A link as it is stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = t)]
pub(super) struct LinkRow {
    organization_id: OrganizationId,
    integration_id: IntegrationId,
    sealed_config: Option<Vec<u8>>,
    status: Status,
    added_by: Option<UserId>,
    #[diesel(deserialize_as = Timestamp)]
    date_added: OffsetDateTime,
    subject_id: Option<String>,
    subject_name: Option<String>,
    tags: Tags,
}

impl LinkRow {
    /// Id of the customer whom it was connected for.
    pub(super) fn subject_id(&self) -> Option<&str> {
        self.subject_id.as_deref()
    }

    /// Its tags.
    pub(super) const fn tags(&self) -> &Tags {
        &self.tags
    }

    /// With its configuration opened. A page must still be shown of one that cannot be opened.
    pub(super) fn opened(self, sealer: &Sealer) -> OrganizationIntegration {
        let link = Link(self.organization_id, self.integration_id);
        let config = link.open(sealer, CONFIG, self.sealed_config.as_deref()).unwrap_or_else(|error| {
            tracing::error!(integration.id = %link.1, organization.id = %link.0, %error, "a configuration cannot be read");
            Map::new()
        });
        OrganizationIntegration {
            organization: link.0,
            integration: link.1,
            config,
            status: self.status,
            added_by: self.added_by,
            date_added: self.date_added,
            subject: self.subject_id.map(|id| Subject::stored(id, self.subject_name)),
            tags: self.tags,
        }
    }
}

const CONFIG: &str = "config";
const METADATA: &str = "metadata";

/// The key of a link.
#[derive(Clone, Copy)]
struct Link(OrganizationId, IntegrationId);

impl Link {
    fn in_context<T>(self, column: &'static str, run: impl FnOnce(AadContext<'_>) -> T) -> T {
        let (organization, integration) = (self.0.to_string(), self.1.to_string());
        let row = [organization.as_bytes(), integration.as_bytes()];
        run(AadContext { table: "organization_integrations", column, row: &row })
    }

    fn seal(self, sealer: &Sealer, column: &'static str, value: &Map<String, Value>) -> Vec<u8> {
        self.in_context(column, |context| sealer.seal(context, value))
    }

    fn open(self, sealer: &Sealer, column: &'static str, sealed: Option<&[u8]>) -> StoreResult<Map<String, Value>> {
        let Some(sealed) = sealed else { return Ok(Map::new()) };
        self.in_context(column, |context| Ok(sealer.open(context, sealed)?))
    }
}

/// A change of a configuration. It has no `Debug`, which would show secrets.
pub struct ConfigChange {
    /// As it was.
    pub before: Map<String, Value>,
    /// As it is now.
    pub after: Map<String, Value>,
}

/// Changes the organization's own configuration of an integration by a function of the one before.
/// Returns what has changed; `None` if it is not linked.
///
/// # Errors
/// When the database fails.
pub fn change_config(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    change: impl FnOnce(&Map<String, Value>) -> Map<String, Value>,
) -> StoreResult<Option<ConfigChange>> {
    let link = Link(organization, integration);
    let row = t::table.find((organization, integration));
    // Locks the row, so that nobody else changes it meanwhile.
    let locked = diesel::update(row).set(t::status.eq(t::status)).returning(t::sealed_config);
    let Some(sealed): Option<Option<Vec<u8>>> = locked.get_result(tx.connection).optional()? else { return Ok(None) };
    // A configuration that cannot be read is repaired by this.
    let before = link.open(tx.sealer, CONFIG, sealed.as_deref()).unwrap_or_default();
    let after = change(&before);
    let sealed = link.seal(tx.sealer, CONFIG, &after);
    diesel::update(row).set(t::sealed_config.eq(sealed)).execute(tx.connection)?;
    Ok(Some(ConfigChange { before, after }))
}

/// Links, with an empty configuration, or installs anew: the link gets the metadata, and is active.
/// Who added it and its configuration stay, and so do subject and tags unless a program brings
/// some. The caller has locked the integration.
///
/// # Errors
/// When the database fails.
pub fn install(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    new: NewLink<'_>,
) -> StoreResult<LinkInstalled> {
    let row = t::table.find((organization, integration));
    let found: Option<LinkRow> = row.select(LinkRow::as_select()).first(tx.connection).optional()?;
    let Some(found) = found else {
        return install_first(tx, organization, (integration, ""), new);
    };
    let sealed = Link(organization, integration).seal(tx.sealer, METADATA, new.metadata);
    let now = milliseconds(tx.now);
    let installed = (t::sealed_metadata.eq(sealed), t::status.eq(Status::Active), t::installed_at.eq(now));
    tx.execute_later(diesel::update(row).set(installed))?;
    let former = found.opened(tx.sealer);
    let link = OrganizationIntegration { status: Status::Active, ..former.clone() };
    if new.subject.is_none() && new.tags.is_empty() {
        return Ok(LinkInstalled { link, is_new: false, former_subject: None });
    }
    let link = OrganizationIntegration { subject: new.subject.or(link.subject), tags: new.tags, ..link };
    let (id, name) = (link.subject.as_ref().map(Subject::id), link.subject.as_ref().and_then(Subject::name));
    let labels = (t::subject_id.eq(id), t::subject_name.eq(name), t::tags.eq(link.tags.json()));
    tx.execute_later(diesel::update(row).set(labels))?;
    let is_other = |former: &Subject| link.subject.as_ref().is_some_and(|subject| subject.id() != former.id());
    Ok(LinkInstalled { former_subject: former.subject.filter(is_other), link, is_new: false })
}

/// Links, with an empty configuration, where there is no link. The integration comes with the name
/// that it is listed by; where that is empty, the database looks it up.
///
/// # Errors
/// When the database fails.
pub fn install_first(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    (integration, sort_name): (IntegrationId, &str),
    new: NewLink<'_>,
) -> StoreResult<LinkInstalled> {
    let NewLink { added_by, metadata, subject, tags } = new;
    let sealed = Link(organization, integration).seal(tx.sealer, METADATA, metadata);
    let now = milliseconds(tx.now);
    let (id, name) = (subject.as_ref().map(Subject::id), subject.as_ref().and_then(Subject::name));
    let row = (
        (t::organization_id.eq(organization), t::integration_id.eq(integration), t::added_by.eq(added_by)),
        (t::config.eq("{}"), t::sealed_metadata.eq(sealed), t::status.eq(Status::Active)),
        (t::date_added.eq(now), t::installed_at.eq(now), t::sort_name.eq(sort_name)),
        (t::subject_id.eq(id), t::subject_name.eq(name), t::tags.eq(tags.json())),
    );
    tx.execute_later(diesel::insert_into(t::table).values(row))?;
    let link = OrganizationIntegration {
        organization,
        integration,
        config: Map::new(),
        status: Status::Active,
        added_by,
        date_added: tx.now,
        subject,
        tags,
    };
    Ok(LinkInstalled { link, is_new: true, former_subject: None })
}

/// The metadata that an organization's own setup has stored, opened; `None` if it is not linked.
///
/// # Errors
/// When the database fails, or the metadata cannot be opened.
pub fn metadata(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<Option<Map<String, Value>>> {
    let row = t::table.find((organization, integration)).select(t::sealed_metadata);
    let Some(sealed): Option<Option<Vec<u8>>> = row.first(tx.connection).optional()? else { return Ok(None) };
    Link(organization, integration).open(tx.sealer, METADATA, sealed.as_deref()).map(Some)
}

/// Replaces old texts by new ones wherever they stand in the metadata of an organization. The
/// caller has locked the integration: nobody changes it meanwhile.
pub(crate) fn replace_texts(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    pairs: &[(String, String)],
) -> StoreResult<()> {
    let row = t::table.find((organization, integration));
    let sealed: Option<Option<Vec<u8>>> = row.select(t::sealed_metadata).first(tx.connection).optional()?;
    let Some(sealed) = sealed.flatten() else { return Ok(()) };
    let replaced =
        Link(organization, integration).in_context(METADATA, |context| tx.sealer.replaced(context, &sealed, pairs));
    if let Some(sealed) = replaced {
        diesel::update(row).set(t::sealed_metadata.eq(sealed)).execute(tx.connection)?;
    }
    Ok(())
}

/// The organizations that are linked to an integration.
///
/// # Errors
/// When the database fails.
pub fn organizations_of(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<Vec<OrganizationId>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).order(t::organization_id);
    Ok(rows.select(t::organization_id).load(tx.connection)?)
}

/// When the organization has last installed it; `None` if it is not linked.
///
/// # Errors
/// When the database fails.
pub fn installed_at(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<Option<OffsetDateTime>> {
    let row = t::table.find((organization, integration)).select(t::installed_at);
    let at: Option<Timestamp> = row.first(tx.connection).optional()?;
    Ok(at.map(OffsetDateTime::from))
}

/// Marks an integration as one that an organization cannot use until somebody there has
/// authenticated again. Returns whether it could.
///
/// # Errors
/// When the database fails.
pub fn require_reauthentication(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<bool> {
    set_status(tx, organization, integration, Status::NeedsReauthentication)
}

/// Makes it one that the organization can use again.
pub(crate) fn clear_reauthentication(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<()> {
    set_status(tx, organization, integration, Status::Active).map(drop)
}

fn set_status(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    status: Status,
) -> StoreResult<bool> {
    let row = t::table.find((organization, integration)).filter(t::status.ne(status));
    let has_changed = diesel::update(row).set(t::status.eq(status)).execute(tx.connection)? > 0;
    if has_changed {
        record_status(tx, organization, integration, status)?;
    }
    Ok(has_changed)
}

fn record_status(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    status: Status,
) -> StoreResult<()> {
    let kind = match status {
        Status::Active => EventKind::Recovered,
        Status::NeedsReauthentication => EventKind::NeedsReauthentication,
    };
    let provider: Option<String> =
        integrations::table.find(integration).select(integrations::provider).first(tx.connection).optional()?;
    let event = NewEvent::new(organization, kind).of(integration, provider.unwrap_or_default());
    outgoing_events::record(tx, &event.with("status", status.as_str()))
}

/// Removes a link, and answers whether there was one.
pub(crate) fn unlink(tx: &mut Tx<'_>, organization: OrganizationId, integration: IntegrationId) -> StoreResult<bool> {
    Ok(diesel::delete(t::table.find((organization, integration))).execute(tx.connection)? > 0)
}

/// How many organizations are linked to an integration.
pub(crate) fn count(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<i64> {
    Ok(t::table.filter(t::integration_id.eq(integration)).count().get_result(tx.connection)?)
}

/// Stores metadata of a host from before an organization had its own.
pub(crate) fn set_metadata(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    metadata: &Map<String, Value>,
) -> StoreResult<()> {
    let sealed = Link(organization, integration).seal(tx.sealer, METADATA, metadata);
    let row = diesel::update(t::table.find((organization, integration)));
    row.set(t::sealed_metadata.eq(sealed)).execute(tx.connection)?;
    Ok(())
}

/// Seals the configurations that an earlier host has stored in plain. Returns how many there were.
pub(crate) fn seal_plain_configs(tx: &mut Tx<'_>) -> StoreResult<usize> {
    // Locks the rows: of two hosts that start, one seals them.
    let plain = diesel::update(t::table.filter(IsPlain)).set(t::config.eq(t::config));
    let plain = plain.returning((t::organization_id, t::integration_id, t::config));
    let plain: Vec<(OrganizationId, IntegrationId, String)> = plain.get_results(tx.connection)?;
    let count = plain.len();
    for (organization, integration, text) in plain {
        let config = serde_json::from_str(&text).unwrap_or_else(|_| {
            tracing::warn!(organization.id = %organization, integration.id = %integration, "a configuration is not JSON and is lost");
            Map::new()
        });
        let sealed = Link(organization, integration).seal(tx.sealer, CONFIG, &config);
        let row = diesel::update(t::table.find((organization, integration)));
        row.set((t::config.eq("{}"), t::sealed_config.eq(sealed))).execute(tx.connection)?;
    }
    Ok(count)
}

/// Whether there is one.
pub(crate) fn has_plain_configs(tx: &mut Tx<'_>) -> StoreResult<bool> {
    Ok(diesel::select(diesel::dsl::exists(t::table.filter(IsPlain))).get_result(tx.connection)?)
}

fixed_condition!(
    /// An index has only these, so that a start does not read all links.
    IsPlain = "organization_integrations.config <> '{}'"
);
