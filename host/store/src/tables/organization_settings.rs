//! What an organization shows where other products embed its pages, and which origins may. An
//! organization without a row has set nothing.

use diesel::{deserialize::FromSqlRow, expression::AsExpression, prelude::*, sql_types::Text};

use super::ids::OrganizationId;
use crate::{
    database::{
        column_types::{Json, milliseconds, text_enum},
        schema::{organization_settings as t, organizations},
        statement::{Statement, statement},
    },
    error::StoreResult,
    tx::Tx,
};

/// What the same account is that is connected for two subjects of one organization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub enum SameAccount {
    /// One integration, which belongs to the subject who has connected it last.
    #[default]
    One,
    /// Two integrations, each with its own subject and tokens.
    Two,
}

text_enum!(SameAccount, "what the same account of two subjects is", One = "one", Two = "two");

/// The settings of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct OrganizationSettings {
    /// The name that people read on embedded pages; `None`: the organization's own.
    pub display_name: Option<String>,
    /// The color of buttons and links, `#rrggbb` in lower case; `None`: the host's own.
    pub accent_color: Option<String>,
    /// The origins that may embed pages and that people may be sent back to.
    #[diesel(deserialize_as = Json<Vec<String>>)]
    pub allowed_origins: Vec<String>,
    /// What the same account is that is connected for two subjects.
    pub same_account: SameAccount,
    /// Changes with the logo; `None`: there is none.
    pub logo_version: Option<String>,
}

/// A picture, cleaned.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Logo {
    /// What it is made of.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media_type: String,
    /// The hash of its bytes.
    pub version: String,
}

/// The settings of an organization.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<OrganizationSettings> {
    let row = t::table.find(organization).select(OrganizationSettings::as_select());
    let found: Option<OrganizationSettings> = row.first(tx.connection).optional()?;
    Ok(found.unwrap_or_default())
}

/// The origins that may embed an organization's pages.
///
/// # Errors
/// When the database fails.
pub fn allowed_origins(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<Vec<String>> {
    Ok(find(tx, organization)?.allowed_origins)
}

/// The settings of an organization, whose row is locked until the transaction ends.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<OrganizationSettings> {
    const ADD: &str = "INSERT INTO organization_settings (organization_id, date_changed) VALUES (?, ?) \
                       ON CONFLICT (organization_id) DO UPDATE SET date_changed = excluded.date_changed";
    let add: Statement<'_> = statement!(ADD, organization.0, milliseconds(tx.now));
    add.execute(tx.connection)?;
    find(tx, organization)
}

/// Stores settings, without the logo. The caller has locked the row.
///
/// # Errors
/// When the database fails.
pub fn put(tx: &mut Tx<'_>, organization: OrganizationId, settings: &OrganizationSettings) -> StoreResult<()> {
    let OrganizationSettings { display_name, accent_color, allowed_origins, same_account, logo_version: _ } = settings;
    let origins = serde_json::to_string(allowed_origins).expect("texts are JSON");
    let row = (
        t::display_name.eq(display_name.as_deref()),
        t::accent_color.eq(accent_color.as_deref()),
        t::allowed_origins.eq(origins),
        t::same_account.eq(*same_account),
    );
    diesel::update(t::table.find(organization)).set(row).execute(tx.connection)?;
    Ok(())
}

/// Stores a logo, or none. The caller has locked the row.
///
/// # Errors
/// When the database fails.
pub fn put_logo(tx: &mut Tx<'_>, organization: OrganizationId, logo: Option<&Logo>) -> StoreResult<()> {
    let row = (
        t::logo.eq(logo.map(|logo| logo.bytes.as_slice())),
        t::logo_type.eq(logo.map(|logo| logo.media_type.as_str())),
        t::logo_version.eq(logo.map(|logo| logo.version.as_str())),
    );
    diesel::update(t::table.find(organization)).set(row).execute(tx.connection)?;
    Ok(())
}

/// The logo of the organization with a slug, if it has one of this version.
///
/// # Errors
/// When the database fails.
pub fn logo(tx: &mut Tx<'_>, slug: &str, version: &str) -> StoreResult<Option<Logo>> {
    let row = t::table.inner_join(organizations::table).filter(organizations::slug.eq(slug));
    let row = row.filter(t::logo_version.eq(version)).filter(t::logo.is_not_null()).filter(t::logo_type.is_not_null());
    let columns = (t::logo.assume_not_null(), t::logo_type.assume_not_null(), t::logo_version.assume_not_null());
    Ok(row.select(columns).first(tx.connection).optional()?)
}
