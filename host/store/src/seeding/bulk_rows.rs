//! The rows of a part of the integrations that are seeded.

use std::ops::Range;

use diesel::prelude::*;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::{
    seeded_row::{
        EventRow, GrantRow, IdentityProviderRow, IdentityRow, IntegrationRow, LinkRow, RefreshRow, RevocationRow,
        SessionRow, UserIdentityRow, WebhookRow,
    },
    size::Seed,
};
use crate::{
    database::{
        column_types::milliseconds,
        connection::AnyConnection,
        event_schema::{events, webhooks},
        schema::{
            grants, identities, identity_providers, integrations, organization_integrations as links, refreshes,
            revocations, sessions, user_identities,
        },
    },
    error::StoreResult,
    sealing::{cipher::AadContext, sealer::Sealer},
    tables::{
        grants::{Scopes, Tokens},
        ids::{OrganizationId, UserId},
    },
};

/// Where ids begin.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    pub(super) integration: i64,
    pub(super) grant: i64,
    pub(super) identity: i64,
    pub(super) identity_provider: i64,
    /// Tells what one run has seeded from what another has.
    pub(super) unique: i64,
}

/// An organization that integrations are seeded for.
#[derive(Clone, Debug)]
pub(super) struct SeededOrganization {
    pub(super) id: OrganizationId,
    pub(super) user: UserId,
    /// How many integrations it has: the first ones. `None`: its share of the others.
    pub(super) own: Option<i64>,
}

/// Makes rows.
pub(super) struct BulkRows<'a> {
    sealer: &'a Sealer,
    seed: &'a Seed,
    ids: &'a Ids,
    organizations: &'a [SeededOrganization],
    now: OffsetDateTime,
}

/// Of how many integrations one has each of these.
const PERSONAL_GRANT: i64 = 4;
const WEBHOOK: i64 = 5;
const REVOCATION: i64 = 10;
const PENDING_REVOCATION: i64 = 1000;
const FAILED_REFRESH: i64 = 200;
const SESSION: i64 = 50;

/// First parts of names.
const NAMES: [&str; 16] = [
    "Acme",
    "Analytical",
    "Birch",
    "Cobalt",
    "Delta",
    "Ember",
    "Fjord",
    "Granite",
    "Harbour",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Lantern",
    "Meridian",
    "Northern",
    "Orchard",
];

/// Inserts rows: one statement for all on PostgreSQL, one prepared statement for each on SQLite.
macro_rules! insert {
    ($connection:expr, $table:expr, $rows:expr) => {{
        let rows: Vec<_> = $rows.collect();
        match $connection {
            AnyConnection::Sqlite(sqlite) => {
                for row in &rows {
                    diesel::insert_into($table).values(row).execute(sqlite)?;
                }
            }
            // A statement has at most 65,535 values.
            AnyConnection::Postgres(postgres) => {
                for part in rows.chunks(2000) {
                    diesel::insert_into($table).values(part).execute(postgres)?;
                }
            }
        }
    }};
}

impl<'a> BulkRows<'a> {
    pub(super) const fn new(
        sealer: &'a Sealer,
        seed: &'a Seed,
        ids: &'a Ids,
        organizations: &'a [SeededOrganization],
        now: OffsetDateTime,
    ) -> Self {
        Self { sealer, seed, ids, organizations, now }
    }

    /// Inserts the rows of some integrations, by their numbers.
    pub(super) fn insert(&self, c: &mut AnyConnection, numbers: Range<i64>) -> StoreResult<()> {
        let all = || numbers.clone();
        let every = |nth: i64| numbers.clone().filter(move |number| number % nth == 0);
        insert!(c, integrations::table, all().map(|number| self.integration(number)));
        insert!(c, links::table, all().map(|number| self.link(number)));
        insert!(c, grants::table, all().map(|number| self.grant(number)));
        insert!(c, identity_providers::table, all().map(|number| self.identity_provider(number)));
        insert!(c, identities::table, all().map(|number| self.identity(number)));
        insert!(c, user_identities::table, all().map(|number| self.user_identity(number)));
        insert!(c, refreshes::table, every(FAILED_REFRESH).map(|number| self.refresh(number)));
        insert!(c, revocations::table, every(REVOCATION).map(|number| self.revocation(number)));
        insert!(c, webhooks::table, every(WEBHOOK).map(|number| self.webhook(number)));
        insert!(c, events::table, every(REVOCATION).map(|number| self.event(number)));
        insert!(c, sessions::table, every(SESSION).map(|number| self.session(number)));
        Ok(())
    }

    fn organization(&self, number: i64) -> &SeededOrganization {
        let own = self.organizations.first().filter(|first| first.own.is_some_and(|own| number < own));
        let others = if self.organizations.first().is_some_and(|first| first.own.is_some()) { 1 } else { 0 };
        let share = &self.organizations[others..];
        let share = if share.is_empty() { self.organizations } else { share };
        // Not one after the other, as people come.
        let at = usize::try_from(scattered(number)).unwrap_or_default() % share.len();
        own.unwrap_or(&share[at])
    }

    fn external_id(&self, number: i64) -> String {
        format!("T{:03}{number:09}", self.ids.unique % 1000)
    }

    fn name(number: i64) -> (String, String) {
        let at = usize::try_from(scattered(number)).unwrap_or_default();
        let name = format!("{} {} {number}", NAMES[at % NAMES.len()], NAMES[at / NAMES.len() % NAMES.len()]);
        let sort_name = name.to_lowercase();
        (name, sort_name)
    }

    /// Times are spread over a year.
    fn date(&self, number: i64) -> i64 {
        milliseconds(ago(self.now, scattered(number) % (365 * 24 * 60) + 1))
    }

    fn integration(&self, number: i64) -> IntegrationRow {
        let ((name, sort_name), date) = (Self::name(number), self.date(number));
        IntegrationRow {
            id: self.ids.integration + number,
            provider: self.seed.provider.clone(),
            external_id: self.external_id(number),
            name,
            sort_name,
            date_added: date,
            date_updated: date,
        }
    }

    fn link(&self, number: i64) -> LinkRow {
        let (organization, integration) = (self.organization(number), self.ids.integration + number);
        let metadata = json!({
            "team": {"id": self.external_id(number), "name": Self::name(number).0},
            "bot": {"id": format!("B{number:09}"), "scopes": "chat:write,channels:read"},
        });
        let key = [organization.id.to_string(), integration.to_string()];
        LinkRow {
            organization_id: organization.id.0,
            integration_id: integration,
            config: "{}",
            sealed_metadata: self.seal("organization_integrations", "metadata", &key, &metadata),
            status: "active",
            added_by: organization.user.0,
            date_added: self.date(number),
            installed_at: self.date(number),
            sort_name: Self::name(number).1,
        }
    }

    /// Half of them are kept alive.
    fn grant(&self, number: i64) -> GrantRow {
        let (organization, integration) = (self.organization(number).id, self.ids.integration + number);
        let is_personal = number % PERSONAL_GRANT == 0;
        let (name, subject) = if is_personal { ("user", self.subject(number)) } else { ("bot", String::new()) };
        let key = [integration.to_string(), organization.to_string(), name.to_owned(), subject.clone()];
        let tokens = Tokens {
            access_token: self.access_token(number),
            refresh_token: (number % 2 == 0).then(|| format!("xoxe-1-{}", self.access_token(number))),
            token_type: "Bearer".to_owned(),
            ..Tokens::default()
        };
        let granted = vec!["chat:write".to_owned(), "channels:read".to_owned()];
        let scopes = Scopes { requested: granted.clone(), granted };
        GrantRow {
            id: self.ids.grant + number,
            integration_id: integration,
            organization_id: organization.0,
            name,
            subject,
            position: 0,
            sealed_tokens: self.seal("grants", "tokens", &key, &tokens),
            scopes: serde_json::to_string(&scopes).expect("scopes are plain JSON"),
            obtained_at: self.date(number),
            due_at: (number % 2 == 0).then(|| self.later(number)),
            status: "active",
            generation: 1,
            installed_at: self.date(number),
        }
    }

    /// Each workspace is one of its own.
    fn identity_provider(&self, number: i64) -> IdentityProviderRow {
        IdentityProviderRow {
            id: self.ids.identity_provider + number,
            type_: self.seed.provider.clone(),
            instance: self.external_id(number),
            plugin: "seed",
            date_added: self.date(number),
        }
    }

    fn identity(&self, number: i64) -> IdentityRow {
        let identity_provider = self.ids.identity_provider + number;
        let key = [identity_provider.to_string(), self.subject(number)];
        let data = json!({"access_token": self.access_token(number), "name": format!("Person {number}")});
        IdentityRow {
            id: self.ids.identity + number,
            identity_provider_id: identity_provider,
            external_id: self.subject(number),
            status: "valid",
            scopes: "[\"identify\"]",
            sealed_data: self.seal("identities", "data", &key, &data),
            date_verified: self.date(number),
            date_added: self.date(number),
        }
    }

    fn user_identity(&self, number: i64) -> UserIdentityRow {
        let user_id = self.organization(number).user.0;
        UserIdentityRow { user_id, identity_id: self.ids.identity + number, date_added: self.date(number) }
    }

    /// One that has failed, and waits.
    fn refresh(&self, number: i64) -> RefreshRow {
        let retry_at = self.later(number);
        let failing_since = self.date(number);
        RefreshRow { grant_id: self.ids.grant + number, failures: 3, retry_at, failing_since, refusals: 0 }
    }

    /// Most are done.
    fn revocation(&self, number: i64) -> RevocationRow {
        let is_pending = number % PENDING_REVOCATION == 0;
        let date = milliseconds(ago(self.now, scattered(number) % (80 * 24 * 60) + 1));
        RevocationRow {
            provider: self.seed.provider.clone(),
            external_id: format!("gone-{}", self.external_id(number)),
            name: Self::name(number).0,
            organization_id: self.organization(number).id.0,
            reason: "removed",
            status: if is_pending { "pending" } else { "done" },
            attempts: 1,
            retry_at: if is_pending { self.later(number) } else { date },
            answer: "revoked",
            date_added: date,
            date_ended: (!is_pending).then_some(date),
        }
    }

    fn webhook(&self, number: i64) -> WebhookRow {
        WebhookRow {
            key_hash: self.digest("webhook", number),
            provider: self.seed.provider.clone(),
            integration_id: self.ids.integration + number,
            organization_id: self.organization(number).id.0,
        }
    }

    fn event(&self, number: i64) -> EventRow {
        let id_hash = self.digest("event", number);
        EventRow { provider: self.seed.provider.clone(), id_hash, expires_at: self.later(number) }
    }

    fn session(&self, number: i64) -> SessionRow {
        let key = self.digest("session", number);
        let context = AadContext { table: "sessions", column: "data", row: &[&key] };
        let sealed_data = self.sealer.seal(context, &json!({"user": self.organization(number).user}));
        SessionRow {
            session_key: key,
            sealed_data,
            expires_at: self.later(number),
            user_id: self.organization(number).user.0,
        }
    }

    fn subject(&self, number: i64) -> String {
        format!("U{:03}{number:09}", self.ids.unique % 1000)
    }

    fn access_token(&self, number: i64) -> String {
        let digest = crate::hex::hex(&self.digest("token", number));
        format!("xoxb-{}", &digest[..40])
    }

    fn digest(&self, of: &str, number: i64) -> Vec<u8> {
        Sha256::digest(format!("{of} {} {number}", self.ids.unique)).to_vec()
    }

    /// Between a day and thirty days from now.
    fn later(&self, number: i64) -> i64 {
        milliseconds(self.now + Duration::days(1) + Duration::minutes(scattered(number) % (29 * 24 * 60)))
    }

    fn seal(&self, table: &'static str, column: &'static str, key: &[String], value: &impl Serialize) -> Vec<u8> {
        let row: Vec<&[u8]> = key.iter().map(String::as_bytes).collect();
        self.sealer.seal(AadContext { table, column, row: &row }, value)
    }
}

/// A number that is far from that of the next one, and always the same.
const fn scattered(number: i64) -> i64 {
    number.wrapping_mul(2_654_435_761) & 0x7fff_ffff
}

/// So many minutes before a time.
fn ago(now: OffsetDateTime, minutes: i64) -> OffsetDateTime {
    now - Duration::minutes(minutes)
}
