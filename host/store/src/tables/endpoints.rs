//! Endpoints: the URLs where programs are told of events, with the secrets that sign what is sent.

use diesel::{deserialize::FromSqlRow, expression::AsExpression, prelude::*, sql_types};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::ids::{EndpointId, OrganizationId};
use crate::{
    database::{
        column_types::{OptionalTimestamp, Timestamp, milliseconds, text_enum},
        event_schema::endpoints as t,
    },
    error::{StoreError, StoreResult},
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
};

/// Whether an endpoint gets deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Text)]
pub enum EndpointStatus {
    /// It does.
    Enabled,
    /// They wait until somebody enables it.
    Paused,
    /// It does not, and none wait for it.
    Disabled,
}

text_enum!(EndpointStatus, "the status of an endpoint", Enabled = "enabled", Paused = "paused", Disabled = "disabled");

/// The secrets of an endpoint. It has no `Debug`, which would show them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSecrets {
    /// Key of HMAC-SHA256, 24 to 64 bytes, in base64.
    pub symmetric: String,
    /// Former keys, each until a time in milliseconds since 1970 UTC.
    #[serde(default)]
    pub former: Vec<(String, i64)>,
    /// Seed of the Ed25519 key, 32 bytes, in base64.
    pub seed: String,
}

/// An endpoint as it is stored. `Debug` shows nothing sealed.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct Endpoint {
    /// Id of the row.
    pub id: EndpointId,
    /// Whose events it gets.
    #[diesel(column_name = organization_id)]
    pub organization: OrganizationId,
    /// Where it is.
    pub url: String,
    /// What people have written beside it.
    pub description: String,
    kinds: String,
    providers: String,
    /// Whether it gets deliveries.
    pub status: EndpointStatus,
    /// Why it is disabled.
    pub reason: Option<String>,
    sealed_secrets: Option<Vec<u8>>,
    /// Whether it stands in the configuration of the host.
    pub is_configured: bool,
    /// When it was made.
    #[diesel(deserialize_as = Timestamp)]
    pub date_added: OffsetDateTime,
    /// Since when no delivery has arrived.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub failing_since: Option<OffsetDateTime>,
    /// When it takes deliveries again, if it has asked for a pause.
    #[diesel(deserialize_as = Timestamp)]
    pub resumes_at: OffsetDateTime,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({} of {}, {})", self.id, self.organization, self.status.as_str())
    }
}

impl Endpoint {
    /// The kinds of events that it gets; empty: all.
    #[must_use]
    pub fn kinds(&self) -> Vec<String> {
        names(&self.kinds)
    }

    /// Ids of the providers whose events it gets; empty: all.
    #[must_use]
    pub fn providers(&self) -> Vec<String> {
        names(&self.providers)
    }

    /// Its secrets.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn secrets(&self, sealer: &Sealer) -> StoreResult<EndpointSecrets> {
        let sealed = self.sealed_secrets.as_deref().ok_or(StoreError::Corrupt("the secrets of an endpoint"))?;
        Ok(sealer.open(context(&[self.id.to_string().as_bytes()]), sealed)?)
    }
}

/// What an endpoint is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointTerms {
    /// Where it is.
    pub url: String,
    /// What people write beside it.
    pub description: String,
    /// The kinds of events that it gets; empty: all.
    pub kinds: Vec<String>,
    /// Ids of the providers whose events it gets; empty: all.
    pub providers: Vec<String>,
}

/// Each name with a comma on either side, so that it is found as a whole.
fn list(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(",{},", names.join(",")) }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "endpoints", column: "secrets", row }
}

/// Makes an endpoint. It gets what happens from now on.
///
/// # Errors
/// When the database fails, or the configuration names the URL of the organization twice.
pub fn insert(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    terms: &EndpointTerms,
    secrets: &EndpointSecrets,
    is_configured: bool,
) -> StoreResult<Endpoint> {
    let row = (
        (t::organization_id.eq(organization), t::url.eq(&terms.url), t::description.eq(&terms.description)),
        (t::kinds.eq(list(&terms.kinds)), t::providers.eq(list(&terms.providers))),
        (t::status.eq(EndpointStatus::Enabled), t::is_configured.eq(is_configured)),
        (t::date_added.eq(milliseconds(tx.now)), t::resumes_at.eq(0_i64)),
    );
    let id: EndpointId = diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?;
    put_secrets(tx, id, secrets)?;
    get(tx, organization, id)?.ok_or(StoreError::Corrupt("an endpoint that was just made"))
}

/// Gives an endpoint other secrets.
///
/// # Errors
/// When the database fails.
pub fn put_secrets(tx: &mut Tx<'_>, id: EndpointId, secrets: &EndpointSecrets) -> StoreResult<()> {
    let sealed = tx.sealer.seal(context(&[id.to_string().as_bytes()]), secrets);
    tx.execute_later(diesel::update(t::table.find(id)).set(t::sealed_secrets.eq(sealed)))
}

/// Changes what an endpoint is.
///
/// # Errors
/// When the database fails.
pub fn change(tx: &mut Tx<'_>, id: EndpointId, terms: &EndpointTerms) -> StoreResult<()> {
    let row = (
        (t::url.eq(&terms.url), t::description.eq(&terms.description)),
        (t::kinds.eq(list(&terms.kinds)), t::providers.eq(list(&terms.providers))),
    );
    tx.execute_later(diesel::update(t::table.find(id)).set(row))
}

/// Enables or pauses an endpoint. One that is enabled counts as working until a delivery fails.
///
/// # Errors
/// When the database fails.
pub fn set_status(tx: &mut Tx<'_>, id: EndpointId, status: EndpointStatus) -> StoreResult<()> {
    let working = (t::reason.eq(None::<String>), t::failing_since.eq(None::<i64>), t::resumes_at.eq(0_i64));
    tx.execute_later(diesel::update(t::table.find(id)).set((t::status.eq(status), working)))
}

/// Disables an endpoint. Returns whether it was not disabled before.
///
/// # Errors
/// When the database fails.
pub fn disable(tx: &mut Tx<'_>, id: EndpointId, reason: &str) -> StoreResult<bool> {
    let row = t::table.find(id).filter(t::status.ne(EndpointStatus::Disabled));
    Ok(tx.run(diesel::update(row).set((t::status.eq(EndpointStatus::Disabled), t::reason.eq(reason))))? > 0)
}

/// A delivery has arrived.
///
/// # Errors
/// When the database fails.
pub fn note_success(tx: &mut Tx<'_>, id: EndpointId) -> StoreResult<()> {
    let row = t::table.find(id).filter(t::failing_since.is_not_null());
    tx.execute_later(diesel::update(row).set((t::failing_since.eq(None::<i64>), t::resumes_at.eq(0_i64))))
}

/// A delivery has failed; the next one begins at a time.
///
/// # Errors
/// When the database fails.
pub fn note_failure(tx: &mut Tx<'_>, id: EndpointId, resumes_at: Option<OffsetDateTime>) -> StoreResult<()> {
    let row = t::table.find(id);
    let first = row.filter(t::failing_since.is_null());
    tx.execute_later(diesel::update(first).set(t::failing_since.eq(milliseconds(tx.now))))?;
    let Some(at) = resumes_at.map(milliseconds) else { return Ok(()) };
    tx.execute_later(diesel::update(row.filter(t::resumes_at.lt(at))).set(t::resumes_at.eq(at)))
}

/// Removes an endpoint, with its deliveries. Returns whether there was one.
///
/// # Errors
/// When the database fails.
pub fn remove(tx: &mut Tx<'_>, id: EndpointId) -> StoreResult<bool> {
    Ok(tx.run(diesel::delete(t::table.find(id)))? > 0)
}

/// An endpoint of an organization.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, organization: OrganizationId, id: EndpointId) -> StoreResult<Option<Endpoint>> {
    let row = t::table.find(id).filter(t::organization_id.eq(organization));
    Ok(row.select(Endpoint::as_select()).first(tx.connection).optional()?)
}

/// An endpoint, of any organization.
///
/// # Errors
/// When the database fails.
pub fn by_id(tx: &mut Tx<'_>, id: EndpointId) -> StoreResult<Option<Endpoint>> {
    Ok(t::table.find(id).select(Endpoint::as_select()).first(tx.connection).optional()?)
}

/// The endpoints of an organization, in the order in which they were made.
///
/// # Errors
/// When the database fails.
pub fn of_organization(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<Vec<Endpoint>> {
    let rows = t::table.filter(t::organization_id.eq(organization)).order(t::id);
    Ok(rows.select(Endpoint::as_select()).load(tx.connection)?)
}

/// Those that the configuration has made.
///
/// # Errors
/// When the database fails.
pub fn configured(tx: &mut Tx<'_>) -> StoreResult<Vec<Endpoint>> {
    let rows = t::table.filter(t::is_configured.eq(true)).order(t::id);
    Ok(rows.select(Endpoint::as_select()).load(tx.connection)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written() {
        for written in [&[][..], &["a"], &["a.b", "c_d"]] {
            let written: Vec<String> = written.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(names(&list(&written)), written);
        }
        assert_eq!(list(&["a".to_owned(), "b".to_owned()]), ",a,b,");
    }
}
