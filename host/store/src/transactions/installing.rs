//! What a setup that has come to its end finds in the database, read in one statement together with
//! the setup's removal, and the integration that it makes or renews.

use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::{
    database::{
        column_types::milliseconds,
        connection::AnyConnection,
        statement::{Statement, statement},
    },
    error::StoreResult,
    tables::{
        identities::{self, NewIdentity},
        identity_providers::KnownIdentityProvider,
        ids::{IdentityId, IdentityProviderId, IntegrationId, OrganizationId, UserId},
        integrations::{self, Integration, NewIntegration},
        organization_integrations,
        organizations::Organization,
        setups::{self, ClaimId},
    },
    tx::Tx,
};

/// A claimed setup, who has started it, and what it brings.
pub struct EndedSetup<'a> {
    /// Key of the session.
    pub session_key: &'a [u8],
    /// Id of the provider.
    pub provider: &'a str,
    /// The claim.
    pub claim: ClaimId,
    /// Who has started it, if they have an account here.
    pub user: Option<UserId>,
    /// For which organization.
    pub organization: OrganizationId,
    /// The account's id at the provider.
    pub external_id: &'a str,
    /// Type and instance of the identity provider; empty if it brings no identity.
    pub identity: (&'a str, &'a str),
}

/// No user has this id.
const NOBODY: UserId = UserId(0);

/// What there is where a setup has ended.
pub struct Found {
    /// The user who has started it, unless they are disabled or gone, or there is none. Nobody
    /// changes the user, or their role, until the transaction ends.
    pub user: Option<FoundUser>,
    /// The user's role in the organization, if they are a member.
    pub role: Option<String>,
    /// The organization, while there is one.
    pub organization: Option<Organization>,
    /// The account's integration, which is not locked yet.
    pub integration: Option<IntegrationId>,
    /// What is known of the identity provider.
    pub identity_provider: KnownIdentityProvider,
}

/// A user who has started a setup.
pub struct FoundUser {
    /// E-mail address.
    pub email: String,
    /// Whether they may do anything in every organization.
    pub is_superuser: bool,
}

/// On SQLite nobody else writes meanwhile. On PostgreSQL rows are locked one after the other, since
/// each part needs the one before it.
macro_rules! find {
    ($begin:literal, $count:literal, $users:literal, $members:literal) => {
        concat!(
            $begin,
            "SELECT ",
            $count,
            ", p.email, p.is_superuser, m.role, o.slug, o.name, \
             (SELECT id FROM integrations WHERE provider = ? AND external_id = ?), \
             (SELECT plugin FROM provider_owners WHERE provider = ?), \
             (SELECT plugin FROM identity_providers WHERE type = ? AND plugin <> '' ORDER BY id LIMIT 1), \
             i.id, i.plugin \
             FROM (SELECT 1 AS one) AS x LEFT JOIN ",
            $users,
            " LEFT JOIN ",
            $members,
            " LEFT JOIN organizations AS o ON o.id = ? \
             LEFT JOIN identity_providers AS i ON i.type = ? AND i.instance = ?"
        )
    };
}

const FIND: &str = find!(
    "",
    "CAST(1 AS BIGINT)",
    "users AS p ON p.id = ? AND p.disabled_at IS NULL",
    "members AS m ON m.organization_id = ? AND m.user_id = ?"
);

const REMOVE_AND_FIND: &str = find!(
    "WITH removed AS (DELETE FROM setups WHERE session_key = ? AND provider = ? AND claim = ? RETURNING provider), \
     person AS (SELECT id, email, is_superuser FROM users WHERE id = ? AND disabled_at IS NULL \
     AND EXISTS (SELECT 1 FROM removed) FOR SHARE), \
     membership AS (SELECT role FROM members WHERE organization_id = ? AND user_id = ? \
     AND EXISTS (SELECT 1 FROM person) FOR SHARE) ",
    "(SELECT COUNT(*) FROM removed)",
    "person AS p ON TRUE",
    "membership AS m ON TRUE"
);

type OfOrganization = (Nullable<Text>, Nullable<Text>);
type OfIdentity = (Nullable<Text>, Nullable<Text>, Nullable<BigInt>, Nullable<Text>);
type Columns = (BigInt, (Nullable<Text>, Nullable<Bool>), Nullable<Text>, OfOrganization, Nullable<BigInt>, OfIdentity);

type IdentityRow = (Option<String>, Option<String>, Option<IdentityProviderId>, Option<String>);
type Row = (
    i64,
    (Option<String>, Option<bool>),
    Option<String>,
    (Option<String>, Option<String>),
    Option<IntegrationId>,
    IdentityRow,
);

/// Uses a claimed setup up, and reads all that its end depends on. `None` if it was started anew or
/// ended meanwhile: then nothing has changed.
///
/// # Errors
/// When the database fails.
pub fn use_up(tx: &mut Tx<'_>, setup: &EndedSetup<'_>) -> StoreResult<Option<Found>> {
    let EndedSetup { session_key, provider, claim, user, organization, external_id, identity } = *setup;
    let ((kind, instance), user) = (identity, user.unwrap_or(NOBODY));
    let find: Statement<'_, Columns> = match tx.connection {
        AnyConnection::Sqlite(_) => {
            if !setups::remove(tx, session_key, provider, claim)? {
                return Ok(None);
            }
            statement!(
                FIND,
                provider,
                external_id,
                kind,
                kind,
                user.0,
                organization.0,
                user.0,
                organization.0,
                kind,
                instance
            )
        }
        AnyConnection::Postgres(_) => statement!(
            REMOVE_AND_FIND,
            session_key,
            provider,
            claim.0,
            user.0,
            organization.0,
            user.0,
            provider,
            external_id,
            kind,
            kind,
            organization.0,
            kind,
            instance
        ),
    };
    let (removed, (email, is_superuser), role, (slug, name), integration, of_identity): Row = tx.one(find)?;
    let (owner, first, id, plugin) = of_identity;
    let found = Found {
        user: email.zip(is_superuser).map(|(email, is_superuser)| FoundUser { email, is_superuser }),
        role,
        organization: slug.zip(name).map(|(slug, name)| Organization { id: organization, slug, name }),
        integration,
        identity_provider: KnownIdentityProvider { owner: owner.or(first), row: id.zip(plugin) },
    };
    Ok((removed > 0).then_some(found))
}

/// The identity depends on the integration, so that rows are locked in their order.
const MAKE: &str = concat!(
    "WITH made AS (",
    integrations::insertion!(),
    "), proved AS (",
    identities::authentication!("SELECT ?, ?, 'valid', ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM made)"),
    ") SELECT (SELECT id FROM made), (SELECT id FROM proved)"
);

/// Makes the integration of an account, and stores the identity that its setup has proved. On
/// PostgreSQL that is one round trip. `None` if the account has an integration: then nothing has
/// changed.
///
/// # Errors
/// When the database fails.
pub fn make_account(
    tx: &mut Tx<'_>,
    new: &NewIntegration,
    identity: Option<&NewIdentity>,
) -> StoreResult<Option<(Integration, Option<IdentityId>)>> {
    let Some(identity) = identity else {
        return Ok(integrations::insert(tx, new)?.map(|made| (made, None)));
    };
    if let AnyConnection::Sqlite(_) = tx.connection {
        let Some(made) = integrations::insert(tx, new)? else { return Ok(None) };
        return Ok(Some((made, Some(identities::authenticate(tx, identity)?))));
    }
    let NewIntegration { provider, external_id, name } = new;
    let (account, now) = ((provider.as_str(), external_id.as_str()), milliseconds(tx.now));
    let (name, sort_name) = (name.as_str(), name.to_lowercase());
    let of = identity.values(tx.sealer);
    let (scopes, sealed) = (of.scopes.as_str(), of.sealed.as_slice());
    let make: Statement<'_, (Nullable<BigInt>, Nullable<BigInt>)> = statement!(
        MAKE,
        account.0,
        account.1,
        name,
        sort_name.as_str(),
        now,
        now,
        of.identity_provider,
        of.external_id,
        scopes,
        sealed,
        now,
        now
    );
    let (made, proved): (Option<IntegrationId>, Option<IdentityId>) = tx.one(make)?;
    Ok(made.map(|id| (new.stored(id), proved)))
}

/// Makes the integration of an account, or gives the one that there is its new name. Returns it,
/// and whether it is new. It is locked until the transaction ends. `found` is the one that was
/// found before. An account is `only_for` an organization where accounts are not shared. `None` if
/// another organization has it, and this one does not: then nothing has changed.
///
/// # Errors
/// When the database fails.
pub fn install_account(
    tx: &mut Tx<'_>,
    new: &NewIntegration,
    found: Option<IntegrationId>,
    only_for: Option<OrganizationId>,
) -> StoreResult<Option<(Integration, bool)>> {
    integrations::install_if(tx, new, found, |tx, id| match only_for {
        Some(organization) if integrations::lock(tx, id)?.is_some() => Ok(!is_of_others(tx, id, organization)?),
        _ => Ok(true),
    })
}

/// Whether other organizations have an integration, and this one does not: what it has already it
/// keeps.
fn is_of_others(tx: &mut Tx<'_>, id: IntegrationId, organization: OrganizationId) -> StoreResult<bool> {
    let linked = organization_integrations::organizations_of(tx, id)?;
    Ok(!linked.is_empty() && !linked.contains(&organization))
}
