//! A database of a host from before organizations were apart: what becomes of its grants, metadata
//! and configurations, on SQLite and PostgreSQL.

use std::path::Path;

use anyhow::{Context, Result};
use jackfield_store::{
    AadContext, IntegrationId, OrganizationId, Store, Tx,
    grants::{self, Scopes, Status, Tokens},
    identities, identity_providers, integrations, members, organization_integrations,
    revocations::{self, Reason, RevocationFilter},
    user_identities,
};
use jackfield_tidy::root;
use serde_json::{Map, Value, json};

use crate::store::tables::{Database, each_database, object, organization, user};

const MIGRATION: &str = "2026-11-30-000020_organizations_apart";

/// A later one, which has an index on a column that the former does away with.
const LATER_MIGRATION: &str = "2026-11-30-001500_growth";

struct Former {
    database: Database,
    acme: OrganizationId,
    globex: OrganizationId,
}

/// What an organization has of an integration: each grant with its subject, status and token.
type GrantsOf = Vec<(String, String, Status, String)>;

/// The migration with which organizations have their own, and before it the later ones that build
/// on it, the last one first.
fn undone_migrations(folder: &Path) -> Result<Vec<String>> {
    let mut later = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if *name >= *LATER_MIGRATION {
            later.push(name);
        }
    }
    later.sort_unstable_by(|a, b| b.cmp(a));
    later.push(MIGRATION.to_owned());
    Ok(later)
}

impl Former {
    /// Each with two organizations, each of which has one member, and with the schema of then.
    async fn each() -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for database in each_database().await? {
            let store = &database.store;
            let (acme, globex) = (organization(store, "acme").await?, organization(store, "globex").await?);
            for (email, of, provider, token) in [
                ("ada@example.com", acme, "slack.com", "of-ada"),
                ("bob@example.com", globex, "other.example", "of-bob"),
            ] {
                let person = user(store, email).await?;
                let prove = move |tx: &mut Tx<'_>| {
                    members::set(tx, of, person, "owner")?;
                    // The same external id at two identity providers.
                    let new = identities::NewIdentity {
                        identity_provider: identity_providers::find_or_create(tx, "slack", provider, "")?,
                        external_id: "U1".to_owned(),
                        scopes: Vec::new(),
                        data: object(json!({"access_token": token})),
                    };
                    let identity = identities::authenticate(tx, &new)?;
                    user_identities::link(tx, person, identity)
                };
                store.write(prove).await?;
            }
            let kind = if database.is_sqlite() { "sqlite" } else { "postgres" };
            let folder = root().join("host/store/migrations").join(kind);
            for migration in undone_migrations(&folder)? {
                store.tamper(std::fs::read_to_string(folder.join(&migration).join("down.sql"))?).await?;
                let version = migration.split('_').next().unwrap_or_default().replace('-', "");
                let undone = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'");
                store.tamper(undone).await?;
            }
            all.push(Self { database, acme, globex });
        }
        Ok(all)
    }

    fn store(&self) -> &Store {
        &self.database.store
    }

    fn bytes(&self, bytes: &[u8]) -> String {
        let digits = jackfield_store::hex(bytes);
        if self.database.is_sqlite() { format!("X'{digits}'") } else { format!("decode('{digits}', 'hex')") }
    }

    async fn integration(&self, id: i64, organizations: &[OrganizationId], config: &str) -> Result<()> {
        let external_id = format!("T{id}");
        let context =
            AadContext { table: "integrations", column: "metadata", row: &[b"slack", external_id.as_bytes()] };
        let metadata = self.bytes(&self.store().sealer().seal(context, &json!({"of": external_id})));
        self.store()
            .tamper(format!(
                "INSERT INTO integrations (id, provider, external_id, name, sort_name, sealed_metadata, status, date_added, date_updated) \
                 VALUES ({id}, 'slack', '{external_id}', 'n', 'n', {metadata}, 'active', 1, 1)"
            ))
            .await?;
        for organization in organizations {
            self.store()
                .tamper(format!(
                    "INSERT INTO organization_integrations (organization_id, integration_id, config, date_added) \
                     VALUES ({organization}, {id}, '{config}', 1)"
                ))
                .await?;
        }
        Ok(())
    }

    async fn grant(&self, integration: i64, name: &str, subject: &str, token: &str) -> Result<()> {
        let id = integration.to_string();
        let row: [&[u8]; 3] = [id.as_bytes(), name.as_bytes(), subject.as_bytes()];
        let context = AadContext { table: "grants", column: "tokens", row: &row };
        let tokens = Tokens { access_token: token.to_owned(), ..Tokens::default() };
        let sealed = self.bytes(&self.store().sealer().seal(context, &tokens));
        let scopes = serde_json::to_string(&Scopes::default())?;
        let position = i32::from(name != "bot");
        self.store()
            .tamper(format!(
                "INSERT INTO grants (integration_id, name, subject, position, sealed_tokens, scopes, obtained_at, status, generation, \
                 date_added) VALUES ({integration}, '{name}', '{subject}', {position}, {sealed}, '{scopes}', 1, 'active', 1, 1)"
            ))
            .await?;
        Ok(())
    }

    /// As a host does that starts with the new version.
    async fn start(&self) -> Result<()> {
        self.store().migrate().await?;
        Ok(self.store().admit().await?)
    }

    async fn grants_of(&self, organization: OrganizationId, integration: i64) -> Result<GrantsOf> {
        let id: IntegrationId = integration.to_string().parse()?;
        let read = self.store().read(move |tx| {
            let found = grants::of_organization(tx, organization, id)?.unwrap_or_default();
            found
                .into_iter()
                .map(|grant| {
                    let is_ended = grant.needs_reauthentication();
                    assert_eq!(grant.is_ended_by_upgrade(), is_ended, "people are told that no service did it");
                    let tokens = grant.tokens(tx.sealer())?;
                    Ok((grant.name, grant.subject, grant.status, tokens.access_token))
                })
                .collect()
        });
        Ok(read.await?)
    }

    async fn metadata(&self, organization: OrganizationId, integration: i64) -> Result<Option<Map<String, Value>>> {
        let id: IntegrationId = integration.to_string().parse()?;
        Ok(self.store().read(move |tx| organization_integrations::metadata(tx, organization, id)).await?)
    }

    async fn status(&self, organization: OrganizationId, integration: i64) -> Result<Status> {
        let id: IntegrationId = integration.to_string().parse()?;
        let found = self.store().read(move |tx| integrations::one_of_organization(tx, organization, id)).await?;
        Ok(found.context("it is linked")?.link.status)
    }

    /// The tokens that are to be revoked, with the reason and whether all of the account ends.
    async fn revoked(&self) -> Result<Vec<(Reason, bool, Vec<String>)>> {
        let revoked = self.store().read(|tx| {
            let open = revocations::unrevoked(tx, &RevocationFilter::default(), 9)?;
            open.into_iter()
                .map(|revocation| {
                    let payload = revocation.payload(tx.sealer())?.unwrap_or_default();
                    let tokens = payload.grants.into_iter().map(|grant| grant.tokens.access_token).collect();
                    Ok((revocation.reason, payload.is_whole, tokens))
                })
                .collect()
        });
        Ok(revoked.await?)
    }
}

fn grant(name: &str, subject: &str, status: Status, token: &str) -> (String, String, Status, String) {
    (name.to_owned(), subject.to_owned(), status, token.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_organization_has_is_its_own() -> Result<()> {
    for former in Former::each().await? {
        former.integration(1, &[former.acme], r#"{"key": "hunter2"}"#).await?;
        former.grant(1, "access", "", "one").await?;
        former.start().await?;
        former.start().await?;
        assert_eq!(former.grants_of(former.acme, 1).await?, [grant("access", "", Status::Active, "one")]);
        assert_eq!(former.grants_of(former.globex, 1).await?, []);
        assert_eq!(former.metadata(former.acme, 1).await?, Some(object(json!({"of": "T1"}))));
        assert_eq!(former.status(former.acme, 1).await?, Status::Active);
        let acme = former.acme;
        let found = former.store().read(move |tx| integrations::of_organization(tx, acme, None, 9)).await?;
        assert_eq!(Value::Object(found[0].link.config.clone()), json!({"key": "hunter2"}));
        assert!(!former.database.holds("hunter2").await?, "it is sealed");
        assert_eq!(former.revoked().await?, []);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_several_share_a_grant_is_whose_member_has_proved_the_account_and_the_others_end() -> Result<()> {
    for former in Former::each().await? {
        former.integration(1, &[former.acme, former.globex], "{}").await?;
        former.grant(1, "bot", "", "of-the-bot").await?;
        former.grant(1, "user", "U1", "of-ada").await?;
        former.grant(1, "user", "U9", "of-somebody").await?;
        former.start().await?;
        let ended = Status::NeedsReauthentication;
        let of_both = [grant("bot", "", ended, ""), grant("user", "U9", ended, "")];
        let mut of_acme = former.grants_of(former.acme, 1).await?;
        of_acme.retain(|grant| !of_both.contains(grant));
        assert_eq!(of_acme, [grant("user", "U1", Status::Active, "of-ada")]);
        assert_eq!(former.grants_of(former.globex, 1).await?, of_both, "U1 of another identity provider is another");
        for organization in [former.acme, former.globex] {
            assert_eq!(former.metadata(organization, 1).await?, Some(Map::new()), "whose it was is not known");
            assert_eq!(former.status(organization, 1).await?, ended);
        }
        let revoked = vec!["of-the-bot".to_owned(), "of-somebody".to_owned()];
        assert_eq!(former.revoked().await?, [(Reason::Orphaned, false, revoked)]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_is_revoked_and_gone() -> Result<()> {
    for former in Former::each().await? {
        former.integration(1, &[], "{}").await?;
        former.grant(1, "access", "", "one").await?;
        former.start().await?;
        let found = former.store().read(|tx| integrations::by_external_id(tx, "slack", "T1")).await?;
        assert_eq!(found, []);
        assert_eq!(former.revoked().await?, [(Reason::Orphaned, true, vec!["one".to_owned()])]);
    }
    Ok(())
}
