//! How refreshes end, on SQLite and PostgreSQL: beside setups, beside each other, after an expired
//! lease, and too late.

use anyhow::{Context, Result};
use futures_util::future::{join_all, try_join_all};
use jackfield_store::{
    IdentityId, IntegrationId, OrganizationId, Store, StoreResult, Tx, UserId,
    grants::{self, ANSWER_LOST, Grant, NewGrant, NewTokens, Status, Tokens},
    identities, identity_providers, integrations, organization_integrations,
    refreshes::{self, Claim, Failure, NEVER},
    removal,
    renewal::{self, Renewal, Renewed},
    revocations::{self, Reason},
    revoking, user_identities,
};
use jackfield_test_support::postgres::databases;
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    app::TestApp,
    store::tables::{Database, NOW, each_database, install, object, organization, sealer, user, workspace},
};

const LEASE: std::time::Duration = std::time::Duration::from_secs(15);
const GRACE: Duration = Duration::seconds(55);

fn new_tokens(access: &str, expires_at: Option<OffsetDateTime>) -> NewTokens {
    let tokens = Tokens {
        access_token: access.to_owned(),
        refresh_token: Some(format!("{access}-refresh")),
        ..Tokens::default()
    };
    NewTokens { tokens, scopes: grants::Scopes::default(), expires_at, due_at: Some(NOW), is_single_use: Some(true) }
}

/// An integration with a grant of a bot and one of a user. Their tokens are in its metadata and in
/// the identity's data as well.
struct RefreshesApp {
    database: Database,
    acme: OrganizationId,
    id: IntegrationId,
    identity: IdentityId,
    ada: UserId,
}

impl RefreshesApp {
    async fn each() -> Result<Vec<Self>> {
        let mut apps = Vec::new();
        for database in each_database().await? {
            let acme = organization(&database.store, "acme").await?;
            let ada = user(&database.store, "ada@example.com").await?;
            let mut new = workspace("T1", "One", "");
            new.metadata = object(json!({"bot": "bot-0", "user": "user-0"}));
            let id = install(&database.store, acme, new).await?;
            let identity = prove(&database.store, ada).await?;
            let app = Self { database, acme, id, identity, ada };
            app.put("bot", "", "bot-0").await?;
            app.put("user", "U1", "user-0").await?;
            apps.push(app);
        }
        Ok(apps)
    }

    fn store(&self) -> &Store {
        &self.database.store
    }

    async fn put(&self, name: &str, subject: &str, access: &str) -> StoreResult<()> {
        let new = NewGrant {
            name: name.to_owned(),
            subject: subject.to_owned(),
            is_of_account: false,
            new: new_tokens(access, Some(NOW)),
        };
        let (id, acme) = (self.id, self.acme);
        self.store().write(move |tx| grants::put(tx, id, acme, vec![new]).map(drop)).await
    }

    async fn grants(&self) -> StoreResult<Vec<Grant>> {
        let id = self.id;
        self.store().read(move |tx| grants::of_integration(tx, id)).await
    }

    async fn grant(&self, name: &str) -> Result<Grant> {
        self.grants().await?.into_iter().find(|grant| grant.name == name).context("a grant of that name")
    }

    async fn renewal(&self, name: &str, access: &str) -> Result<Renewal> {
        let (grant, id) = (self.grant(name).await?, self.id);
        let integration = self.store().read(move |tx| integrations::by_id(tx, id)).await?.context("it is there")?;
        let old = grant.tokens(&sealer())?;
        Ok(Renewal { grant, integration, old, new: new_tokens(access, Some(NOW)) })
    }

    async fn write(&self, renewal: &Renewal) -> StoreResult<Renewed> {
        let renewal = renewal.clone();
        self.store().write(move |tx| renewal::renew(tx, &renewal)).await
    }

    async fn claim(&self, grant: &Grant, now: OffsetDateTime) -> StoreResult<Claim> {
        let grant = grant.clone();
        self.store().at(now).write(move |tx| refreshes::claim(tx, &grant, LEASE, GRACE)).await
    }

    async fn end(&self, grant: &Grant, why: &'static str) -> StoreResult<bool> {
        let grant = grant.clone();
        self.store().write(move |tx| renewal::end(tx, &grant, why)).await
    }

    async fn metadata(&self) -> Result<Map<String, Value>> {
        let (id, acme) = (self.id, self.acme);
        self.store().read(move |tx| organization_integrations::metadata(tx, acme, id)).await?.context("it is there")
    }

    async fn status(&self) -> Result<Status> {
        let (id, acme) = (self.id, self.acme);
        let found = self.store().read(move |tx| integrations::one_of_organization(tx, acme, id)).await?;
        Ok(found.context("it is there")?.link.status)
    }

    /// The reason of a revocation, and its access tokens.
    async fn revocation(&self, renewed: Renewed) -> Result<(Reason, Vec<String>)> {
        let Renewed::TooLate(Some(id)) = renewed else { anyhow::bail!("{renewed:?}") };
        let found = self.store().read(move |tx| revocations::get(tx, id)).await?.context("a revocation")?;
        let given = found.payload(&sealer())?.context("it is not done")?;
        Ok((found.reason, given.grants.into_iter().map(|grant| grant.tokens.access_token).collect()))
    }
}

async fn prove(store: &Store, user: UserId) -> StoreResult<IdentityId> {
    let prove = move |tx: &mut Tx<'_>| {
        let new = identities::NewIdentity {
            identity_provider: identity_providers::find_or_create(tx, "slack", "slack.com", "slack")?,
            external_id: "U1".to_owned(),
            scopes: Vec::new(),
            data: object(json!({"access_token": "user-0"})),
        };
        let identity = identities::authenticate(tx, &new)?;
        user_identities::link(tx, user, identity)?;
        Ok(identity)
    };
    store.write(prove).await
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_of_one_integration_that_are_renewed_at_once_all_stand_where_they_stood() -> Result<()> {
    for app in RefreshesApp::each().await? {
        for round in 1..=40 {
            let (bot, user) = (format!("bot-{round}"), format!("user-{round}"));
            let (one, two) = (app.renewal("bot", &bot).await?, app.renewal("user", &user).await?);
            let renewed = tokio::try_join!(app.write(&one), app.write(&two))?;
            assert_eq!(renewed, (Renewed::Written, Renewed::Written));
            assert_eq!(app.metadata().await?, object(json!({"bot": bot, "user": user})), "round {round}");
            let identity = app.identity;
            let data = app.store().read(move |tx| identities::data(tx, identity)).await?;
            assert_eq!(data, Some(object(json!({"access_token": user}))));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn setups_beside_refreshes_end_well_and_so_do_these() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host.toml("user-scopes = [\"search:read\"]").log("warn"))
            .await?;
        let owner = app.log_in_as("owner").await?;
        assert!(owner.install("acme", "slack").await?.dialog()?.success);
        let store = app.host.store().await?;
        let (installs, are_through) = tokio::sync::watch::channel(false);
        let setups = async {
            for _ in 0..20 {
                let dialog = owner.install("acme", "slack").await?.dialog()?;
                assert!(dialog.success, "{}\n{}", dialog.detail(), app.host.log()?);
            }
            anyhow::Ok(installs.send(true)?)
        };
        // A refresh as a host does it, without a provider.
        let refreshes = (0..4).map(|n| {
            let (store, are_through) = (store.clone(), are_through.clone());
            async move {
                let mut count = 0;
                while !*are_through.borrow() {
                    count += 1;
                    refreshed(&store, &format!("{n}-{count}"), count % 5 == 0).await?;
                }
                anyhow::Ok(count)
            }
        });
        let (_, counts) = tokio::try_join!(setups, try_join_all(refreshes))?;
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        assert!(!app.host.log()?.contains("deadlock"), "{}", app.host.log()?);
        let (grants, stored) = (app.database().await?.grants("T0STANDIN").await?, app.database().await?);
        let metadata = stored.integrations().await?.remove(0).1;
        assert_eq!(metadata["bot_access_token"], grants[0].1.access_token.as_str(), "one and the same");
    }
    Ok(())
}

/// Claims and ends every grant once.
async fn refreshed(store: &Store, access: &str, fails: bool) -> Result<()> {
    let found = store.read(|tx| integrations::by_external_id(tx, "slack", "T0STANDIN")).await?;
    let integration = found.first().context("it is installed")?;
    let id = integration.id;
    let now = OffsetDateTime::now_utc();
    for grant in store.read(move |tx| grants::of_integration(tx, id)).await? {
        let asked = grant.clone();
        let claim = store.write(move |tx| refreshes::claim(tx, &asked, LEASE, Duration::ZERO)).await?;
        let Claim::Mine(lease, _) = claim else { continue };
        if fails {
            let outage = Failure::Outage(now);
            store.write(move |tx| refreshes::fail(tx, &grant, lease, outage, "down")).await?;
            continue;
        }
        let old = grant.tokens(store.sealer())?;
        let new = NewTokens { scopes: grant.scopes.clone(), ..new_tokens(access, Some(now + Duration::DAY)) };
        let renewal = Renewal { grant, integration: integration.clone(), old, new };
        store.write(move |tx| renewal::renew(tx, &renewal)).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_who_unlink_an_identity_at_once_the_last_gives_its_tokens_up() -> Result<()> {
    for app in RefreshesApp::each().await? {
        let bob = user(app.store(), "bob@example.com").await?;
        for round in 0..20 {
            for user in [app.ada, bob] {
                prove(app.store(), user).await?;
            }
            app.put("user", "U1", "user-0").await?;
            let identity = prove(app.store(), bob).await?;
            let unlink = |user| app.store().write(move |tx| removal::unlink_identity(tx, user, identity));
            let (one, two) = tokio::try_join!(unlink(app.ada), unlink(bob))?;
            assert!(one.was_linked && two.was_linked, "round {round}");
            assert_eq!(one.revocations.len() + two.revocations.len(), 1, "round {round}: {one:?} {two:?}");
            let data = app.store().read(move |tx| identities::data(tx, identity)).await?;
            assert_eq!(data, None, "round {round}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_after_the_end_of_its_lease_is_written_all_the_same() -> Result<()> {
    for app in RefreshesApp::each().await? {
        let renewal = app.renewal("bot", "bot-1").await?;
        assert!(matches!(app.claim(&renewal.grant, NOW).await?, Claim::Mine(_, None)));
        let expired = NOW + LEASE;
        let busy = app.claim(&renewal.grant, expired + Duration::SECOND).await?;
        assert_eq!(busy, Claim::Busy(expired + GRACE), "its holder may be slow");
        let Claim::Mine(_, sent_before) = app.claim(&renewal.grant, expired + GRACE).await? else {
            anyhow::bail!("by then it is not this check's task");
        };
        assert_eq!(sent_before, Some(NOW));
        assert_eq!(app.write(&renewal).await?, Renewed::Written);
        let (grant, id) = (app.grant("bot").await?, renewal.grant.id);
        assert_eq!((grant.generation, grant.tokens(&sealer())?.access_token.as_str()), (2, "bot-1"));
        assert_eq!(app.store().read(move |tx| refreshes::get(tx, id)).await?, None, "no matter who had the lease");
        assert_eq!(app.metadata().await?["bot"], "bot-1");
        let again = app.write(&renewal).await?;
        assert_eq!(again, Renewed::TooLate(None), "its tokens are in use");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_called_over_since_no_answer_came_is_usable_again_when_one_comes() -> Result<()> {
    for app in RefreshesApp::each().await? {
        for (name, access) in [("bot", "bot-1"), ("user", "user-1")] {
            let renewal = app.renewal(name, access).await?;
            assert!(app.end(&renewal.grant, ANSWER_LOST).await?);
            assert_eq!(app.write(&renewal).await?, Renewed::Written);
            let grant = app.grant(name).await?;
            assert_eq!((grant.status, grant.reason, grant.due_at), (Status::Active, None, Some(NOW)));
        }
        assert_eq!(app.status().await?, Status::Active);
        let ada = app.ada;
        let identities = app.store().read(move |tx| identities::of_user(tx, ada)).await?;
        assert_eq!(identities[0].status, "valid");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_come_too_late_are_revoked_and_change_nothing() -> Result<()> {
    for app in RefreshesApp::each().await? {
        let renewal = app.renewal("bot", "replaced").await?;
        app.put("bot", "", "bot-1").await?;
        let revocation = app.revocation(app.write(&renewal).await?).await?;
        assert_eq!(revocation, (Reason::Replaced, vec!["replaced".to_owned()]));

        let renewal = app.renewal("bot", "ended").await?;
        assert!(app.end(&renewal.grant, "the token endpoint answered the error `invalid_grant`").await?);
        let revocation = app.revocation(app.write(&renewal).await?).await?;
        assert_eq!(revocation, (Reason::Orphaned, vec!["ended".to_owned()]));
        assert_eq!(app.grant("bot").await?.status, Status::NeedsReauthentication);
        assert_eq!(app.status().await?, Status::NeedsReauthentication);

        let (renewal, id, acme) = (app.renewal("user", "disarmed").await?, app.id, app.acme);
        assert!(app.end(&renewal.grant, ANSWER_LOST).await?);
        let revoke_keeping = move |tx: &mut Tx<'_>| {
            let found = integrations::by_id(tx, id)?.expect("it is there");
            revoking::revoke_keeping(tx, &found, &[acme], "the operator wants it dead")
        };
        app.store().write(revoke_keeping).await?;
        let revocation = app.revocation(app.write(&renewal).await?).await?;
        assert_eq!(revocation, (Reason::Orphaned, vec!["disarmed".to_owned()]), "it stays over");

        let (renewal, acme, id) = (app.renewal("user", "removed").await?, app.acme, app.id);
        app.store().write(move |tx| removal::unlink(tx, acme, id, Reason::Removed)).await?;
        let revocation = app.revocation(app.write(&renewal).await?).await?;
        assert_eq!(revocation, (Reason::Orphaned, vec!["removed".to_owned()]));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_that_waits_for_a_services_word_is_due_to_nobody_before() -> Result<()> {
    for app in RefreshesApp::each().await? {
        let (id, acme, now) = (app.id, app.acme, NOW + Duration::DAY);
        let new = new_tokens("bot-1", None);
        let new = NewGrant { name: "bot".to_owned(), subject: String::new(), is_of_account: false, new };
        app.store().write(move |tx| grants::put(tx, id, acme, vec![new]).map(drop)).await?;
        let grant = app.grant("bot").await?;
        let Claim::Mine(lease, _) = app.claim(&grant, NOW).await? else { anyhow::bail!("nobody is at it") };
        let (lost, took_up) = (grant.clone(), grant.clone());
        let fail = move |tx: &mut Tx<'_>| refreshes::fail(tx, &lost, lease, Failure::Lost(NEVER), ANSWER_LOST);
        assert_eq!(app.store().write(fail).await?, Some(1));
        let due = async || app.store().at(now).read(|tx| refreshes::due(tx, 10)).await;
        assert!(!due().await?.contains(&grant.id));
        assert!(app.store().at(now).write(move |tx| refreshes::resume(tx, &took_up)).await?);
        let (again, known) = (app.grant("bot").await?, grant.id);
        assert_eq!(again.expires_at, Some(now), "it is dead by a service's word");
        let refresh = app.store().read(move |tx| refreshes::get(tx, known)).await?.context("known")?;
        assert_eq!((refresh.sent_at, refresh.retry_at), (Some(NOW), None));
        assert!(due().await?.contains(&grant.id));
        assert!(!app.store().at(now).write(move |tx| refreshes::resume(tx, &again)).await?, "once");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_of_a_provider_that_is_down_do_not_stand_before_those_of_others() -> Result<()> {
    for app in RefreshesApp::each().await? {
        let (bot, user) = (app.grant("bot").await?, app.grant("user").await?);
        let first = async |at: OffsetDateTime| app.store().at(at).read(|tx| refreshes::due(tx, 1)).await;
        assert_eq!(first(NOW).await?, [bot.id]);
        let Claim::Mine(lease, _) = app.claim(&bot, NOW).await? else { anyhow::bail!("nobody is at it") };
        let (failed, until) = (bot.clone(), NOW + Duration::SECOND);
        app.store().write(move |tx| refreshes::fail(tx, &failed, lease, Failure::Outage(until), "down")).await?;
        assert_eq!(first(until).await?, [user.id], "it has its turn again, after all that were due before");
        let all = app.store().at(until).read(|tx| refreshes::due(tx, 9)).await?;
        assert_eq!(all, [user.id, bot.id]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_ask_for_a_lease_at_once_one_has_it() -> Result<()> {
    for app in RefreshesApp::each().await? {
        let grant = app.grant("bot").await?;
        let claims = join_all((0..16).map(|_| app.claim(&grant, NOW))).await;
        let claims = claims.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert_eq!(claims.iter().filter(|claim| matches!(claim, Claim::Mine(..))).count(), 1, "{claims:?}");
    }
    Ok(())
}
