//! What a setup stores of an integration for its organization: the link, new or anew, with the
//! customer whom a program has connected it for.

use diesel::prelude::*;
use serde_json::{Map, Value};

use super::{
    ids::{IntegrationId, OrganizationId, UserId},
    organization_integrations::{Link, LinkRow, METADATA, OrganizationIntegration},
    status::Status,
    subject::{Subject, Tags},
};
use crate::{
    database::{column_types::milliseconds, schema::organization_integrations as t},
    error::StoreResult,
    tx::Tx,
};

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
