//! Which integration a setup is about where two subjects of one organization have connected the
//! same account, and the organization wants an integration for each.

use diesel::{prelude::*, sql_types};

use crate::{
    database::{
        connection::AnyConnection,
        schema::{integrations as t, organization_integrations as links},
        statement::{Statement, statement},
    },
    error::StoreResult,
    tables::{
        ids::{IntegrationId, OrganizationId},
        integrations::{of_external_id, separate_key},
        subject::Subject,
    },
    tx::Tx,
};

/// What a setup has connected.
pub struct Wanted<'a> {
    /// For which organization.
    pub organization: OrganizationId,
    /// Id of the provider.
    pub provider: &'a str,
    /// The account's id there.
    pub external_id: &'a str,
    /// The customer whom a program has it connected for.
    pub subject: Option<&'a Subject>,
    /// The integration that is connected again, if it is one.
    pub reconnects: Option<IntegrationId>,
}

/// Which integration a setup is about.
#[derive(Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The one that there is.
    pub integration: Option<IntegrationId>,
    /// The key of one beside the account's first. It is needed also where one was found: that can
    /// be removed meanwhile.
    pub separate_key: Option<String>,
}

/// Chooses the integration of a setup whose account has the integration `found`, if any. Reads
/// nothing more unless a program has named a subject, or another integration of the account is
/// connected again. Where each subject gets its own, setups of one organization wait for each
/// other.
///
/// # Errors
/// When the database fails.
pub fn choose(tx: &mut Tx<'_>, wanted: &Wanted<'_>, found: Option<IntegrationId>) -> StoreResult<Chosen> {
    let plain = Chosen { integration: found, separate_key: None };
    if let Some(expected) = wanted.reconnects {
        if found == Some(expected) {
            return Ok(plain);
        }
        let same = of_organization(tx, wanted)?.into_iter().find(|(id, ..)| *id == expected);
        return Ok(same.map_or(plain, |of_account| chosen(wanted, &of_account)));
    }
    let Some(subject) = wanted.subject else { return Ok(plain) };
    let each_has_its_own = lock_if_two(tx, wanted.organization)?;
    let connected = of_organization(tx, wanted)?;
    if let Some(own) = connected.iter().find(|(.., owner)| owner.as_deref() == Some(subject.id())) {
        return Ok(chosen(wanted, own));
    }
    if each_has_its_own && !connected.is_empty() {
        return Ok(Chosen { integration: None, separate_key: Some(separate_key(wanted.external_id)) });
    }
    Ok(plain)
}

/// Id, whether it is separate, and the subject's id.
type OfAccount = (IntegrationId, bool, Option<String>);

fn chosen(wanted: &Wanted<'_>, (id, is_separate, _): &OfAccount) -> Chosen {
    Chosen { integration: Some(*id), separate_key: is_separate.then(|| separate_key(wanted.external_id)) }
}

/// The integrations of the account that the organization has.
fn of_organization(tx: &mut Tx<'_>, wanted: &Wanted<'_>) -> StoreResult<Vec<OfAccount>> {
    let rows = t::table.filter(t::provider.eq(wanted.provider)).filter(of_external_id!(wanted.external_id));
    let rows = rows.inner_join(links::table).filter(links::organization_id.eq(wanted.organization));
    let rows = rows.order(t::id).select((t::id, t::account_id.is_not_null(), links::subject_id));
    Ok(rows.load(tx.connection)?)
}

/// On SQLite nobody else writes meanwhile.
macro_rules! is_two {
    ($lock:literal) => {
        concat!(
            "SELECT CAST(1 AS BIGINT) FROM organization_settings WHERE organization_id = ? AND same_account = 'two'",
            $lock
        )
    };
}

/// Whether each subject of the organization has an integration of its own. Then two subjects that
/// connect an account for the first time do it one after the other.
fn lock_if_two(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<bool> {
    let lock = match tx.connection {
        AnyConnection::Sqlite(_) => is_two!(""),
        AnyConnection::Postgres(_) => is_two!(" FOR UPDATE"),
    };
    let lock: Statement<'_, sql_types::BigInt> = statement!(lock, organization.0);
    let locked: Option<i64> = tx.one(lock).optional()?;
    Ok(locked.is_some())
}
