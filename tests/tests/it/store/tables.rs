//! The tables, on SQLite and PostgreSQL.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use futures_util::future::join_all;
use insta::assert_snapshot;
use jackfield_config::{SecretKeys, clock::Clock};
use jackfield_services::accounts::{Accounts, LogInError, LogInRequest, LoggedIn, NewUserIn, Role, Scope};
use jackfield_store::{
    IntegrationId, OrganizationId, Sealer, Store, StoreError, StoreResult, Tx, UserId, identities,
    identity_providers::{self, Claimed, KnownIdentityProvider, ProvingPlugin},
    installing::{self, EndedSetup},
    integrations::{self, NewIntegration},
    organization_integrations, organizations,
    provider_owners::{self, ProviderOwner},
    removal::{self, Unlinked},
    revocations::Reason,
    sessions,
    setups::{self, Claim, NewSetup},
    unlinked_integrations, user_identities,
    users::{self, NewUser},
};
use jackfield_test_support::postgres::databases;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;

pub(crate) const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// A migrated database, and the folder of a SQLite file.
pub(crate) struct Database {
    pub(crate) store: Store,
    url: String,
    folder: TempDir,
}

impl Database {
    pub(crate) fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }

    /// Whether a text stands in the configurations of organizations, or in a file of SQLite.
    pub(crate) async fn holds(&self, text: &str) -> Result<bool> {
        let sql = format!(
            "SELECT 1 / (CASE WHEN EXISTS (SELECT 1 FROM organization_integrations WHERE config LIKE '%{text}%') THEN 0 ELSE 1 END)"
        );
        if !self.is_sqlite() {
            return Ok(self.store.tamper(sql).await.is_err());
        }
        for file in std::fs::read_dir(self.folder.path().join("data"))? {
            let bytes = std::fs::read(file?.path())?;
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

pub(crate) fn sealer() -> Sealer {
    Sealer::new(SecretKeys::new(["7".repeat(40).as_str()]))
}

pub(crate) async fn each_database() -> Result<Vec<Database>> {
    let mut found = Vec::new();
    for database in databases() {
        let folder = tempfile::tempdir()?;
        let url = database.unwrap_or_else(|| format!("sqlite://{}/data/jackfield.db", folder.path().display()));
        let store = Store::open(&url, sealer()).await?.at(NOW);
        store.migrate().await?;
        found.push(Database { store, url, folder });
    }
    Ok(found)
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// What a setup brings of a workspace.
pub(crate) struct Workspace {
    new: NewIntegration,
    pub(crate) metadata: Map<String, Value>,
}

pub(crate) fn workspace(external_id: &str, name: &str, token: &str) -> Workspace {
    let (provider, external_id, name) = ("slack".to_owned(), external_id.to_owned(), name.to_owned());
    Workspace { new: NewIntegration { provider, external_id, name }, metadata: object(json!({"token": token})) }
}

pub(crate) async fn user(store: &Store, email: &str) -> Result<UserId> {
    let new = NewUser { email: email.into(), name: email.into(), password_hash: "x".into(), is_superuser: false };
    Ok(store.write(move |tx| users::insert(tx, &new)).await?)
}

pub(crate) async fn organization(store: &Store, slug: &str) -> Result<OrganizationId> {
    let slug = slug.to_owned();
    Ok(store.write(move |tx| organizations::insert(tx, &slug, "Name")).await?)
}

/// Also returns whether the integration is new, and whether the link is.
async fn install_telling(
    store: &Store,
    organization: OrganizationId,
    Workspace { new, metadata }: Workspace,
) -> Result<(IntegrationId, bool, bool), StoreError> {
    store
        .write(move |tx| {
            let (stored, is_new) = integrations::install(tx, &new)?;
            let new = organization_integrations::NewLink::of_person(None, &metadata);
            let linked = organization_integrations::install(tx, organization, stored.id, new)?;
            Ok((stored.id, is_new, linked.is_new))
        })
        .await
}

pub(crate) async fn install(
    store: &Store,
    organization: OrganizationId,
    new: Workspace,
) -> Result<IntegrationId, StoreError> {
    Ok(install_telling(store, organization, new).await?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_twice_or_from_two_hosts_at_once_is_the_same_as_once() -> Result<()> {
    for database in databases() {
        let folder = tempfile::tempdir()?;
        let url = database.unwrap_or_else(|| format!("sqlite://{}/jackfield.db", folder.path().display()));
        let hosts = join_all((0..4).map(|_| Store::open(&url, sealer()))).await;
        let hosts = hosts.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert!(hosts[0].ready().await.is_err(), "not ready before");
        let applied = join_all(hosts.iter().map(Store::migrate)).await;
        let applied = applied.into_iter().collect::<Result<Vec<_>, _>>()?;
        let all: std::collections::BTreeSet<_> = applied.iter().flatten().collect();
        assert_eq!(applied.iter().map(Vec::len).sum::<usize>(), all.len(), "none twice: {applied:?}");
        hosts[0].ready().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installs_at_once_leave_one_row_each() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let acme = organization(&store, "acme").await?;
        let all = (0..16).map(|n| install_telling(&store, acme, workspace("T1", &format!("name {n}"), "t")));
        let all = join_all(all).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert!(all.iter().all(|(id, ..)| *id == all[0].0));
        let new = |is_new: fn(&(IntegrationId, bool, bool)) -> bool| all.iter().filter(|one| is_new(one)).count();
        assert_eq!(
            (new(|one| one.1), new(|one| one.2)),
            (1, 1),
            "one is told that it made it, all others that they did not"
        );
        assert_eq!(store.read(move |tx| integrations::of_organization(tx, acme, None, 9)).await?.len(), 1);
        let made = join_all(
            (0..16).map(|_| store.write(|tx| identity_providers::find_or_create(tx, "slack", "slack.com", "slack"))),
        )
        .await;
        let made = made.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert!(made.iter().all(|id| *id == made[0]));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_organization_has_any_more_is_found_and_what_one_has_is_left() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let (acme, other) = (organization(&store, "acme").await?, organization(&store, "other").await?);
        let left = install(&store, acme, workspace("T1", "left", "t")).await?;
        let shared = install(&store, acme, workspace("T2", "shared", "t")).await?;
        install(&store, other, workspace("T2", "shared", "t")).await?;
        let noted = async || -> Result<Vec<IntegrationId>> {
            let noted = store.read(|tx| unlinked_integrations::oldest(tx, 9)).await?;
            Ok(noted.into_iter().map(|noted| noted.integration).collect())
        };
        assert_eq!(noted().await?, []);
        let delete = format!("DELETE FROM organizations WHERE id = {acme}");
        store.tamper(delete).await?;
        assert_eq!(noted().await?, [left, shared], "each is looked after, also if another organization has it");
        let remove = |id| store.write(move |tx| removal::remove_unlinked(tx, id, Reason::Orphaned));
        assert!(matches!(remove(left).await?, Unlinked::Removed(_)));
        assert_eq!((remove(left).await?, remove(shared).await?), (Unlinked::NotThere, Unlinked::StillShared(None)));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_fails_or_panics_undoes_itself_and_no_other() -> Result<()> {
    for Database { store, url, .. } in each_database().await? {
        let tasks = (0..60).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let outcome = store.write(move |tx| {
                    let id = organizations::insert(tx, &format!("org-{n:02}"), "Name")?;
                    // The second one in here panics or fails inside a nested transaction.
                    match n % 3 {
                        0 => Ok(id),
                        1 => Err(StoreError::AlreadyExists),
                        _ => {
                            let _: IntegrationId =
                                tx.savepoint(|_| -> Result<_, StoreError> { panic!("on purpose") })?;
                            Ok(id)
                        }
                    }
                });
                outcome.await.is_ok()
            })
        });
        let outcomes = join_all(tasks).await;
        let stored = outcomes.into_iter().filter(|outcome| matches!(outcome, Ok(true))).count();
        assert_eq!(stored, 20, "{url}");
        organization(&store, "afterwards").await?;
        // Another connection sees it, so it is committed.
        let other = Store::open(&url, sealer()).await?;
        for (slug, is_there) in
            [("org-00", true), ("org-01", false), ("org-02", false), ("org-57", true), ("afterwards", true)]
        {
            let found = other.read(move |tx| organizations::by_slug(tx, slug)).await?;
            assert_eq!(found.is_some(), is_there, "{slug} at {url}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_install_refreshes_and_a_moved_sealed_value_does_not_open() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let acme = organization(&store, "acme").await?;
        let one = install(&store, acme, workspace("T1", "Zeta", "old-token")).await?;
        let other = install(&store, acme, workspace("T2", "alpha", "other-token")).await?;
        assert_eq!(install(&store, acme, workspace("T1", "Beta", "new-token")).await?, one);
        let (rows, metadata) = store
            .read(move |tx| {
                let rows = integrations::of_organization(tx, acme, None, 9)?;
                Ok((rows, organization_integrations::metadata(tx, acme, one)?))
            })
            .await?;
        let names: Vec<_> = rows.iter().map(|row| row.integration.name.as_str()).collect();
        assert_eq!(names, ["alpha", "Beta"]);
        assert_eq!(metadata, Some(object(json!({"token": "new-token"}))));
        let moved = store
            .write(move |tx| {
                let swap = format!(
                    "UPDATE organization_integrations SET sealed_metadata = (SELECT sealed_metadata FROM organization_integrations \
                     WHERE integration_id = {other}) WHERE integration_id = {one}"
                );
                tx.tamper(&swap)?;
                organization_integrations::metadata(tx, acme, one)
            })
            .await;
        assert!(matches!(moved, Err(StoreError::Seal(_))), "{moved:?}");
        assert_eq!(
            store.read(move |tx| organization_integrations::metadata(tx, acme, other)).await?,
            Some(object(json!({"token": "other-token"}))),
            "only that row is lost"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_organization_takes_the_integration_with_it_even_when_two_leave_at_once() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let (acme, other) = (organization(&store, "acme").await?, organization(&store, "other").await?);
        for round in 0..8 {
            let external_id = format!("T{round}");
            let id = install(&store, acme, workspace(&external_id, "n", "t")).await?;
            install(&store, other, workspace(&external_id, "n", "t")).await?;
            let leave = |organization| store.write(move |tx| removal::unlink(tx, organization, id, Reason::Removed));
            let (one, two) = tokio::join!(leave(acme), leave(other));
            let (one, two) = (one?, two?);
            let is_removed = |unlinked| matches!(unlinked, Unlinked::Removed(_));
            assert!(
                [one, two].contains(&Unlinked::StillShared(None)) && (is_removed(one) || is_removed(two)),
                "{one:?} {two:?}"
            );
            let left = store.read(move |tx| integrations::by_external_id(tx, "slack", &external_id)).await?;
            assert_eq!(left, None, "no token is left behind");
            assert_eq!(leave(acme).await?, Unlinked::NotThere);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_refreshed_and_linked_once() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let ada = user(&store, "ada@example.com").await?;
        for token in ["first", "second"] {
            store
                .write(move |tx| {
                    let provider = identity_providers::find_or_create(tx, "slack", "slack.com", "slack")?;
                    let new = identities::NewIdentity {
                        identity_provider: provider,
                        external_id: "U1".to_owned(),
                        scopes: vec![token.to_owned()],
                        data: object(json!({"access_token": token})),
                    };
                    let identity = identities::authenticate(tx, &new)?;
                    user_identities::link(tx, ada, identity)
                })
                .await?;
        }
        let found = store.read(move |tx| identities::of_user(tx, ada)).await?;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].status.as_str(), found[0].scopes.clone()), ("valid", vec!["second".to_owned()]));
        let id = found[0].id;
        let data = store.read(move |tx| identities::data(tx, id)).await?;
        assert_eq!(data, Some(object(json!({"access_token": "second"}))));
        let unlink = || store.write(move |tx| removal::unlink_identity(tx, ada, id));
        assert!(unlink().await?.was_linked);
        assert!(!unlink().await?.was_linked);
        let data = store.read(move |tx| identities::data(tx, id)).await?;
        assert_eq!(data, None, "nobody has proved it any more, so nothing is kept of it");
    }
    Ok(())
}

/// What a setup finds of an identity provider when it ends.
fn ended_setup_finds(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    identity: (&str, &str),
) -> StoreResult<KnownIdentityProvider> {
    let (session_key, provider) = (b"key".as_slice(), "slack");
    setups::put(tx, &NewSetup { session_key, provider, organization, sealed_data: b"", expires_at: NOW })?;
    let Claim::Claimed(_, claim) = setups::claim(tx, session_key, provider)? else { panic!("nobody else claims it") };
    let user = Some("1".parse().expect("an id"));
    let ended = EndedSetup { session_key, provider, claim, user, organization, external_id: "T0", identity };
    Ok(installing::use_up(tx, &ended)?.expect("it is ours").identity_provider)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_type_belongs_to_the_plugin_of_the_provider_or_to_the_first() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let owner = |provider: &str, plugin: &str| ProviderOwner {
            provider: provider.to_owned(),
            plugin: plugin.to_owned(),
            signer: None,
        };
        let owners = vec![owner("slack", "slack-plugin"), owner("evil", "evil-plugin")];
        assert_eq!(store.write(move |tx| provider_owners::record(tx, owners)).await?, []);
        let acme = organization(&store, "acme").await?;
        let claim = |of: &'static str, plugin: &'static str, may_share| {
            store.write(move |tx| {
                let known = ended_setup_finds(tx, acme, (of, "slack.com"))?;
                let plugin = ProvingPlugin { name: plugin, may_share };
                Ok(match identity_providers::claim(tx, of, "slack.com", plugin, known)? {
                    Claimed::Granted(_) => "granted".to_owned(),
                    Claimed::OwnedBy(owner) => owner,
                })
            })
        };
        assert_eq!(claim("slack", "evil-plugin", false).await?, "slack-plugin", "before it has any identity");
        assert_eq!(claim("slack", "slack-plugin", false).await?, "granted");
        assert_eq!(claim("slack", "evil-plugin", true).await?, "granted", "the operator allows it");
        assert_eq!(claim("guild", "evil-plugin", false).await?, "granted", "nobody has it");
        assert_eq!(claim("guild", "slack-plugin", false).await?, "evil-plugin");

        install(&store, acme, workspace("T1", "one", "t")).await?;
        let thief = owner("slack", "evil-plugin");
        let recorded = store.write(move |tx| provider_owners::record(tx, vec![thief])).await?;
        assert_eq!(recorded, [owner("slack", "slack-plugin")], "it stays: it has made an integration");
        let heir = owner("evil", "slack-plugin");
        assert_eq!(store.write(move |tx| provider_owners::record(tx, vec![heir])).await?, [], "that one has none");
        let thief = owner("slack", "evil-plugin");
        let before = store.write(move |tx| provider_owners::adopt(tx, &thief)).await?;
        assert_eq!(before, Some(owner("slack", "slack-plugin")));
        assert_eq!(claim("slack", "slack-plugin", false).await?, "evil-plugin");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_ends_touches_identities_of_its_own_plugin_only() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let ada = user(&store, "ada@example.com").await?;
        let identity = |of: &'static str| {
            store.write(move |tx| {
                let identity_provider = identity_providers::find_or_create(tx, of, "here", of)?;
                let data = object(json!({"token": "ada"}));
                let new =
                    identities::NewIdentity { identity_provider, external_id: "7".to_owned(), scopes: vec![], data };
                let id = identities::authenticate(tx, &new)?;
                user_identities::link(tx, ada, id)
            })
        };
        identity("gitlab").await?;
        identity("evil").await?;
        let invalidate = |tx: &mut Tx<'_>| {
            let account = identities::account(tx, "evil", "7")?;
            identities::invalidate(tx, &account, "ada")
        };
        store.write(invalidate).await?;
        let found = store.read(move |tx| identities::of_user(tx, ada)).await?;
        let statuses: Vec<_> = found.iter().map(|one| (one.identity_type.as_str(), one.status.as_str())).collect();
        assert_eq!(statuses, [("gitlab", "valid"), ("evil", "invalid")]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_claims_one_wins_and_an_old_claim_is_worth_nothing() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let put = |data: &'static [u8]| {
            store.write(move |tx: &mut Tx<'_>| {
                let (session_key, provider) = (b"key".as_slice(), "slack");
                let organization = "1".parse().expect("an id");
                setups::put(tx, &NewSetup { session_key, provider, organization, sealed_data: data, expires_at: NOW })
            })
        };
        let claim = || store.write(|tx| setups::claim(tx, b"key", "slack"));
        assert_eq!(claim().await?, Claim::Missing);
        let puts = join_all((0..8).map(|_| put(b"one"))).await;
        assert!(puts.iter().all(Result::is_ok), "{puts:?}");
        let claims = join_all((0..16).map(|_| claim())).await;
        let won: Vec<_> = claims
            .into_iter()
            .filter_map(|claim| match claim {
                Ok(Claim::Claimed(data, id)) => Some((data, id)),
                _ => None,
            })
            .collect();
        assert_eq!(won.len(), 1);
        let (data, old) = won.into_iter().next().context("one has won")?;
        assert_eq!(data, b"one");
        assert_eq!(claim().await?, Claim::Busy);
        put(b"two").await?;
        assert!(!store.write(move |tx| setups::release(tx, b"key", "slack", old, b"stale")).await?);
        assert!(!store.write(move |tx| setups::remove(tx, b"key", "slack", old)).await?);
        let Claim::Claimed(data, new) = claim().await? else { anyhow::bail!("the new one can be claimed") };
        assert_eq!(data, b"two");
        assert!(store.write(move |tx| setups::release(tx, b"key", "slack", new, b"three")).await?);
        assert!(!store.write(move |tx| setups::remove(tx, b"key", "slack", new)).await?, "released, it is nobody's");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_gone_stays_gone_and_an_expired_one_is_none() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let later = NOW + Duration::from_secs(60);
        store.write(move |tx| sessions::insert(tx, b"key", None, b"one", later)).await?;
        assert!(matches!(
            store.write(move |tx| sessions::insert(tx, b"key", None, b"x", later)).await,
            Err(StoreError::AlreadyExists)
        ));
        store.write(move |tx| sessions::save(tx, b"key", None, b"two", later)).await?;
        assert_eq!(store.read(|tx| sessions::load(tx, b"key")).await?.as_deref(), Some(b"two".as_slice()));
        assert_eq!(store.at(later).read(|tx| sessions::load(tx, b"key")).await?, None);
        store.write(|tx| sessions::delete(tx, b"key")).await?;
        store.write(move |tx| sessions::save(tx, b"key", None, b"three", later)).await?;
        assert_eq!(store.read(|tx| sessions::load(tx, b"key")).await?, None);
        store.write(move |tx| sessions::insert(tx, b"old", None, b"one", later)).await?;
        store.at(later).sweep().await?;
        assert_eq!(store.read(|tx| sessions::load(tx, b"old")).await?, None);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_give_access_by_role_and_token() -> Result<()> {
    for Database { store, .. } in each_database().await? {
        let clock = Clock::fixed(NOW);
        let accounts = Accounts::new(store.with_clock(clock.clone()), clock.clone());
        let new = |email: &str, superuser| NewUserIn {
            email: email.into(),
            name: "N".into(),
            password: "long enough".to_owned().into(),
            superuser,
        };
        let (ada, root) = (
            accounts.create_user(new("Ada@Example.com", false)).await?,
            accounts.create_user(new("root@example.com", true)).await?,
        );
        assert!(accounts.create_user(new("ADA@example.com", false)).await.is_err(), "case does not matter");
        let acme = accounts.create_organization("acme", "Acme", None).await?;
        assert_eq!(accounts.access_to(ada.id, acme.id).await?, None);
        for (role, may) in [(Role::Member, false), (Role::Admin, false), (Role::Manager, true), (Role::Owner, true)] {
            accounts.add_member("acme", "ada@example.com", role).await?;
            let access = accounts.access_to(ada.id, acme.id).await?.context("a member")?;
            assert_eq!(access.has(Scope::OrgIntegrations), may, "{role}");
        }
        assert!(accounts.access_to(root.id, acme.id).await?.context("a superuser")?.has(Scope::OrgIntegrations));
        let token = accounts.create_token("acme", "t", &[Scope::OrgRead]).await?;
        let access = accounts.token_access(&token).await?.context("the token opens")?;
        assert!(access.has(Scope::OrgRead) && !access.has(Scope::OrgIntegrations));
        assert_eq!(accounts.token_access(&format!("{token}x")).await?, None);
        let log_in = async |email: &str, password: &str, device: &str| {
            let (email, password, device) = (email.to_owned(), password.to_owned().into(), device.to_owned());
            accounts.log_in(LogInRequest { email, password, client: Ipv4Addr::LOCALHOST.into(), device }).await
        };
        let LoggedIn { user, device } = log_in(" ADA@example.com", "long enough", "").await?;
        assert_eq!(user.id, ada.id);
        for _ in 0..5 {
            assert!(matches!(log_in("ada@example.com", "wrong", "").await, Err(LogInError::Wrong)));
        }
        let slowed = log_in("ada@example.com", "long enough", "").await;
        assert!(matches!(slowed, Err(LogInError::SlowedDown { .. })), "{slowed:?}");
        assert_eq!(log_in("ada@example.com", "long enough", &device).await?.user.id, ada.id, "her browser is known");
        clock.advance(time::Duration::seconds(61));
        assert!(log_in("ada@example.com", "long enough", "").await.is_ok());
        for (email, password) in [("a".repeat(400), "p".to_owned()), ("ada@example.com".to_owned(), "p".repeat(2000))] {
            assert!(matches!(log_in(&email, &password, "").await, Err(LogInError::Wrong)), "it is not looked at");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_opened_is_told_without_its_password() -> Result<()> {
    for url in [
        "postgres://jack:hunter2@127.0.0.1:1/jackfield",
        "postgres://jack:hun%74er2@127.0.0.1:1/jackfield",
        "postgres://127.0.0.1:1/jackfield?user=jack&password=hunter2",
        "postgres://jack:hunter2/x@127.0.0.1:1/jackfield",
    ] {
        let error = Store::open(url, sealer()).await.err().context("nobody listens there")?.to_string();
        assert!(!error.contains("hunter2") && !error.contains("hun%74er2"), "{error}");
    }
    let error = Store::open("sqlite:///proc/nowhere/jackfield.db", sealer()).await.err().context("no place for it")?;
    assert_snapshot!(error, @"
    the folder /proc/nowhere cannot be made: No such file or directory (os error 2)
      help: make it and let the host's user write it, or name another place in database.url
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sqlite_file_is_the_hosts_users_alone_and_readers_cannot_write() -> Result<()> {
    let database = each_database().await?.into_iter().next().context("SQLite is always there")?;
    let file = database.folder.path().join("data/jackfield.db");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file)?.permissions());
    assert_eq!(mode & 0o777, 0o600);
    let written = database.store.read(|tx| organizations::insert(tx, "acme", "Acme")).await;
    assert!(written.is_err());
    let store = Arc::new(database.store);
    let writes = join_all((0..200).map(|n| {
        let store = store.clone();
        async move { organization(&store, &format!("org-{n}")).await }
    }))
    .await;
    assert!(writes.iter().all(Result::is_ok));
    Ok(())
}
