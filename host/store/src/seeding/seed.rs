//! The transactions that fill a database.

use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection as _, sql_query, sql_types::BigInt};

use super::{
    bulk_rows::{BulkRows, Ids, SeededOrganization},
    size::Seed,
};
use crate::{
    audit::{Action, Actor, Entry},
    database::connection::AnyConnection,
    error::StoreResult,
    store::Store,
    tables::{
        ids::{IntegrationId, OrganizationId, UserId},
        organizations,
        users::{self, NewUser},
    },
    tx::Tx,
};

/// How many integrations one transaction inserts. In a large one SQLite walks along all that it
/// would have to undo, for each row.
const BATCH: i64 = 250;
/// Tables whose ids the database counts itself.
const COUNTED: [&str; 8] = [
    "users",
    "organizations",
    "integrations",
    "identity_providers",
    "identities",
    "grants",
    "revocations",
    "unlinked_integrations",
];

/// Adds rows to a database that a host may use. `report` gets how many integrations there are so
/// far.
///
/// # Errors
/// When the database fails, or the organization is not there.
pub async fn seed(store: &Store, seed: &Seed, mut report: impl FnMut(i64)) -> StoreResult<()> {
    let wanted = seed.clone();
    let (ids, organizations) = store.write(move |tx| prepare(tx, &wanted)).await?;
    let mut done = 0;
    while done < seed.integrations {
        let (from, until) = (done, (done + BATCH).min(seed.integrations));
        let (ids, organizations, seed) = (ids.clone(), organizations.clone(), seed.clone());
        store
            .write(move |tx| {
                let now = tx.now;
                let rows = BulkRows::new(tx.sealer, &seed, &ids, &organizations, now);
                rows.insert(tx.connection, from..until)
            })
            .await?;
        done = until;
        report(done);
    }
    write_audit(store, seed, &ids, &organizations).await?;
    store.write(count_on).await
}

/// Makes the organizations with their people, and says where ids begin.
fn prepare(tx: &mut Tx<'_>, seed: &Seed) -> StoreResult<(Ids, Vec<SeededOrganization>)> {
    if let AnyConnection::Sqlite(sqlite) = &mut *tx.connection {
        sqlite.batch_execute("PRAGMA cache_size = -1000000")?;
    }
    let ids = Ids {
        integration: last_id(tx, "integrations")? + 1,
        grant: last_id(tx, "grants")? + 1,
        identity: last_id(tx, "identities")? + 1,
        identity_provider: last_id(tx, "identity_providers")? + 1,
        unique: last_id(tx, "organizations")?,
    };
    let mut made = Vec::new();
    for number in 0..seed.organizations {
        let slug = format!("seed-{}", ids.unique + number + 1);
        let id = organizations::insert(tx, &slug, &slug)?;
        made.push(SeededOrganization { id, user: user(tx, &slug, id)?, own: None });
    }
    if let Some((slug, count)) = &seed.own {
        let found = organizations::by_slug(tx, slug)?.ok_or(crate::StoreError::Corrupt("the organization's slug"))?;
        let user = user(tx, &format!("seed-{}-{slug}", ids.unique), found.id)?;
        made.insert(0, SeededOrganization { id: found.id, user, own: Some(*count) });
    }
    Ok((ids, made))
}

/// Somebody who cannot log in: the hash is none.
fn user(tx: &mut Tx<'_>, name: &str, organization: OrganizationId) -> StoreResult<UserId> {
    let new = NewUser {
        email: format!("{name}@seed.example"),
        name: name.to_owned(),
        password_hash: "none".to_owned(),
        is_superuser: false,
    };
    let user = users::insert(tx, &new)?;
    crate::members::set(tx, organization, user, "manager")?;
    Ok(user)
}

#[derive(QueryableByName)]
struct LastId {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

fn last_id(tx: &mut Tx<'_>, table: &str) -> StoreResult<i64> {
    let sql = format!("SELECT CAST(COALESCE(MAX(id), 0) AS BIGINT) AS id FROM {table}");
    Ok(match &mut *tx.connection {
        AnyConnection::Sqlite(sqlite) => sql_query(sql).get_result::<LastId>(sqlite)?.id,
        AnyConnection::Postgres(postgres) => sql_query(sql).get_result::<LastId>(postgres)?.id,
    })
}

/// PostgreSQL counts on after the ids that were given. SQLite does so by itself.
fn count_on(tx: &mut Tx<'_>) -> StoreResult<()> {
    if let AnyConnection::Postgres(postgres) = &mut *tx.connection {
        for table in COUNTED {
            let highest = format!("(SELECT COALESCE(MAX(id), 1) FROM {table})");
            postgres.batch_execute(&format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), {highest})"))?;
        }
        postgres.batch_execute("ANALYZE")?;
    }
    Ok(())
}

/// Chained as a host chains them.
async fn write_audit(store: &Store, seed: &Seed, ids: &Ids, organizations: &[SeededOrganization]) -> StoreResult<()> {
    let mut done = 0;
    while done < seed.audit_rows {
        let (from, until) = (done, (done + BATCH).min(seed.audit_rows));
        let (first, provider, organizations) = (ids.integration, seed.provider.clone(), organizations.to_vec());
        let count = seed.integrations.max(1);
        store
            .write(move |tx| {
                for number in from..until {
                    let of = usize::try_from(number).unwrap_or_default() % organizations.len().max(1);
                    let Some(organization) = organizations.get(of) else { return Ok(()) };
                    let entry = Entry::new(Action::Install, Actor::user(organization.user))
                        .organization(organization.id)
                        .provider(&provider)
                        .integration_id(IntegrationId(first + number % count))
                        .external_id(format!("T{number:09}"))
                        .plugin_digest("0".repeat(64))
                        .detail("scopes", "chat:write,channels:read");
                    tx.audit(&entry)?;
                }
                Ok(())
            })
            .await?;
        done = until;
    }
    Ok(())
}
