//! Removed, replaced and orphaned tokens are revoked at their provider, at once or as soon as
//! possible.

use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_store::{
    StoreError,
    grants::Tokens,
    revocations::{self, NewRevocation, Reason, Revocation, RevocationFilter, RevocationPayload, RevokedGrant, Status},
};
use jackfield_test_support::{
    host::HostBuilder,
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
    stand_in::{
        Endpoint::{Exchange, Revocation as AtRevocation, Uninstall},
        Fault, HoldPoint, Rotation,
    },
    stand_in_slack::{Install, StandInSlack},
};
use reqwest::Method;
use serde_json::Value;
use time::OffsetDateTime;

use crate::app::{TestApp, bare, redacted, slack_options};

/// An installed Slack, with tokens of a bot and a user.
pub(crate) struct RevocationApp {
    pub(crate) base: TestApp,
    pub(crate) owner: HttpClient,
    pub(crate) id: String,
}

impl Deref for RevocationApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

fn host_of(slack: &StandInSlack) -> HostBuilder {
    bare().plugin("example").plugin("slack").toml(&slack_options(slack, "v2"))
}

impl RevocationApp {
    pub(crate) async fn new(database: Option<String>) -> Result<Self> {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        app.slack.behave(|behaviour| {
            (behaviour.rotation, behaviour.install) = (Rotation::ReuseDetected, Install::GridWorkspace);
        });
        let owner = app.log_in_as("owner").await?;
        let installed = owner.install("acme", "slack").await?.dialog()?;
        ensure!(installed.success, "{:?}", installed.data);
        let id = installed.data["id"].as_str().context("an id")?.to_owned();
        Ok(Self { base: app, owner, id })
    }

    async fn remove(&self) -> Result<HttpResponse> {
        let path = format!("/organizations/acme/integrations/{}/remove/", self.id);
        let posted = self.owner.post(&path, &[]).await?;
        self.owner.visit(posted.status_and_location().1).await
    }

    /// The only revocation.
    async fn revocation(&self) -> Result<Revocation> {
        let mut all = self.database().await?.revocations().await?;
        ensure!(all.len() == 1, "{all:?}");
        Ok(all.remove(0))
    }

    async fn settled(&self) -> Result<Vec<Revocation>> {
        self.database().await?.settled().await
    }

    fn live(&self) -> Vec<String> {
        let registry = self.slack.tokens();
        [registry.live_access_tokens(), registry.live_refresh_tokens()].concat()
    }

    fn fault(&self, fault: Option<&Fault>) {
        for endpoint in [Uninstall, AtRevocation] {
            self.slack.faults().always(endpoint, fault.cloned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_removes_an_integration_has_it_revoked_at_the_provider() -> Result<()> {
    for database in databases() {
        let app = RevocationApp::new(database).await?;
        assert!(!app.live().is_empty());
        let page = app.remove().await?;
        assert!(page.text.contains("was removed, and its tokens are revoked"), "{}", page.text);
        assert_eq!(app.live(), Vec::<String>::new());
        let done = app.revocation().await?;
        assert_eq!((done.status, done.reason, done.attempts), (Status::Done, Reason::Removed, 1));
        assert_eq!(done.answer.as_deref(), Some("apps.uninstall: ok"));
        let sealer = app.host.store().await?.sealer().clone();
        assert!(done.payload(&sealer)?.is_none(), "what is revoked is not kept");
        let listed = app.owner.visit("/api/0/organizations/acme/revocations/").await?.json()?;
        allow_duplicates! {
            assert_snapshot!(redacted(&format!("{listed:#}")), @r#"
            [
              {
                "answer": "apps.uninstall: ok",
                "attempts": 1,
                "dateAdded": "[time]",
                "externalId": "T0STANDIN",
                "id": "2",
                "name": "Analytical Engines",
                "nextAttempt": null,
                "provider": {
                  "id": "slack",
                  "name": "Slack"
                },
                "reason": "removed",
                "status": "done"
              }
            ]
            "#);
        }
        assert_eq!(app.slack.faults().requests(Uninstall), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_expired_token_is_exchanged_for_does_not_live_on_where_the_app_cannot_be_uninstalled() -> Result<()> {
    let app = RevocationApp::new(None).await?;
    // Slack does not notice a repeated exchange: it refuses it, and the tokens of the first stay
    // valid.
    app.slack.behave(|behaviour| behaviour.rotation = Rotation::SingleUse);
    app.slack.advance_clock(std::time::Duration::from_secs(43_201));
    let no = || Some(Fault::Refused { error: "no_permission".to_owned() });
    app.slack.faults().next(Uninstall, [None, no(), no()]);
    let page = app.remove().await?;
    assert!(page.text.contains("its tokens are revoked"), "{}", page.text);
    let done = app.settled().await?;
    let words = "apps.uninstall: no_permission, auth.revoke of bot: ok";
    assert_eq!((done[0].answer.as_deref(), app.live()), (Some(words), Vec::new()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_that_others_use_is_not_revoked() -> Result<()> {
    let app = RevocationApp::new(None).await?;
    app.host.organization("other")?;
    app.host.member("other", "owner@example.com", "owner")?;
    assert!(app.owner.install("other", "slack").await?.dialog()?.success);
    let live = app.live();
    let path = format!("/api/0/organizations/acme/integrations/{}/", app.id);
    assert_eq!(app.owner.send(app.owner.request(Method::DELETE, &path)).await?.status, 204);
    assert_eq!(app.live(), live);
    assert_eq!(app.slack.faults().requests(Uninstall), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_keeps_nobody_from_removing_and_is_asked_again() -> Result<()> {
    for database in databases() {
        let app = RevocationApp::new(database).await?;
        app.fault(Some(&Fault::ServerError));
        let page = app.remove().await?;
        assert!(
            page.text.contains("Jackfield keeps trying") && page.text.contains("Waiting for revocation"),
            "{}",
            page.text
        );
        let waiting = app.revocation().await?;
        assert_eq!((waiting.status, waiting.attempts), (Status::Pending, 1));
        assert_eq!(waiting.answer.as_deref(), Some("apps.uninstall: Slack answered status 500"));
        let pause = waiting.retry_at - waiting.date_added;
        assert!((5..30).contains(&pause.whole_seconds()), "{pause}");
        let said = app.host.run(&["revoke", "--status"], "")?;
        allow_duplicates! {
            assert_snapshot!(redacted(&said), @"
        slack  Analytical Engines (T0STANDIN)  removed  since [time]
          pending, asked 1 times, next [time]
          apps.uninstall: Slack answered status 500
        ");
        }
        app.fault(None);
        app.database().await?.revoke_soon().await?;
        let done = app.settled().await?;
        assert_eq!((done[0].answer.as_deref(), app.live()), (Some("apps.uninstall: ok"), Vec::new()));
        assert_eq!(app.host.run(&["revoke", "--status"], "")?, "nothing is waiting to be revoked");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_is_cut_off_by_kill_9_is_revoked_after_the_restart() -> Result<()> {
    let mut app = RevocationApp::new(None).await?;
    let faults = app.slack.faults().clone();
    let hold = faults.hold(Uninstall, HoldPoint::BeforeHandling);
    let page = app.remove().await?;
    assert!(page.text.contains("Jackfield keeps trying"), "the person does not wait: {}", page.text);
    faults.wait_for_requests(Uninstall, 1).await;
    let builder = host_of(&app.slack);
    app.base.host = app.base.host.killed_and_restarted(builder)?;
    hold.release();
    app.settled().await?;
    assert_eq!(app.live(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_hosts_one_asks_the_provider() -> Result<()> {
    for database in databases() {
        let app = RevocationApp::new(database).await?;
        app.fault(Some(&Fault::ServerError));
        app.remove().await?;
        let (store, id) = (app.host.store().await?, app.revocation().await?.id);
        let now = time::OffsetDateTime::now_utc();
        let later = now + time::Duration::hours(1);
        let claim = || store.write(move |tx| revocations::claim(tx, id, later, std::time::Duration::from_secs(3600)));
        let claims = futures_util::future::join_all((0..16).map(|_| claim())).await;
        let won = claims.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().count();
        assert_eq!(won, 1);
        let (succeeded, output) = app.host.output(&["revoke", "--provider", "slack", "--yes"])?;
        assert!(!succeeded, "{output}");
        allow_duplicates! {
            assert_snapshot!(redacted(&output), @"
            provider       slack
            organizations  0
            integrations   0, removed
            grants         0
            from before    1: out of use already, and not revoked
            revoked        by a way of the plugin's own, or not at all: no revocation endpoint is known
            [1/1] Analytical Engines (T0STANDIN): under way: another host is at it

            revoked            0
            not revoked yet    1
              Analytical Engines (T0STANDIN): another host is at it
            error: not all of it is revoked: a running host goes on trying, and this command can be run again
            ");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_connected_again_is_not_cut_off_by_its_earlier_removal() -> Result<()> {
    let app = RevocationApp::new(None).await?;
    app.fault(Some(&Fault::ServerError));
    app.remove().await?;
    assert!(app.owner.install("acme", "slack").await?.dialog()?.success);
    let stored = app.database().await?;
    app.fault(None);
    stored.revoke_soon().await?;
    app.settled().await?;
    let grants = stored.grants("T0STANDIN").await?;
    assert!(app.live().contains(&grants[0].1.access_token), "the new bot still works");
    assert_eq!(app.slack.faults().handled(Uninstall), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_provider_has_left_behind_is_shown_as_orphaned_and_revoked_once_it_is_back() -> Result<()> {
    let mut app = RevocationApp::new(None).await?;
    app.base.host = app.base.host.restart(bare().plugin("example"))?;
    assert_eq!(app.list_integrations(&app.owner).await?[0]["status"], "orphaned");
    let page = app.owner.visit(&format!("/organizations/acme/integrations/{}/", app.id)).await?;
    assert!(page.text.contains("is not enabled on this host any more"), "{}", page.text);
    assert_eq!(app.owner.visit("/extensions/slack/setup/").await?.status, 404);
    let counted = app.host.run(&["revoke", "--provider", "slack", "--dry-run"], "")?;
    assert_snapshot!(redacted(&counted), @"
    provider       slack
    organizations  1
    integrations   1, removed
    grants         1
    revoked        by nobody: `slack` is not loaded or not configured here. The tokens wait to be revoked until it is: list its plugin again, or end the connections at the provider itself
    ");
    app.remove().await?;
    let waiting = app.revocation().await?;
    assert_eq!(waiting.status, Status::Pending);
    assert_eq!(waiting.answer.as_deref(), Some("the provider `slack` is not loaded or not configured"));
    app.database().await?.revoke_soon().await?;
    let with = host_of(&app.slack);
    app.base.host = app.base.host.restart(with)?;
    app.settled().await?;
    assert_eq!(app.live(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_setup_for_another_account_are_revoked_and_the_account_that_is_meant_works_on() -> Result<()> {
    let app = RevocationApp::new(None).await?;
    let before = app.live();
    app.slack.behave(|behaviour| behaviour.team_id = "T0OTHER".to_owned());
    let again = format!("/organizations/acme/integrations/slack/setup/?integration={}", app.id);
    let step = app.owner.visit(app.owner.visit(&again).await?.redirect()?.as_str()).await?;
    let back = app.owner.consent(&step).await?;
    assert_snapshot!(app.owner.visit(&back).await?.dialog()?.detail(), @"This is another account than the one that is to be re-authenticated; nothing was changed.");
    let done = app.settled().await?;
    assert_eq!((done.len(), done[0].reason, done[0].external_id.as_str()), (1, Reason::Orphaned, "T0OTHER"));
    assert_eq!(done[0].answer.as_deref(), Some("auth.revoke of bot: ok"));
    assert_eq!(app.live(), before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_nobody_has_proved_any_more_takes_its_tokens_with_it() -> Result<()> {
    let app = RevocationApp::new(None).await?;
    app.slack.behave(|behaviour| {
        (behaviour.team_id, behaviour.install) = ("T0PERSON".to_owned(), Install::UserOnly);
    });
    assert!(app.owner.install("acme", "slack").await?.dialog()?.success);
    let stored = app.database().await?;
    let (_, tokens) = stored.grants("T0PERSON").await?.remove(0);
    assert!(app.live().contains(&tokens.access_token));
    let page = app.owner.visit("/account/").await?.text;
    for unlink in page.split('"').filter(|text| text.ends_with("/unlink/")) {
        app.owner.post(unlink, &[]).await?;
    }
    assert!(!app.live().contains(&tokens.access_token), "{}", app.host.log()?);
    let integrations = app.list_integrations(&app.owner).await?;
    let status = |id: &str| integrations.iter().find(|one| one["externalId"] == id).map(|one| one["status"].clone());
    assert_eq!(
        (status("T0PERSON"), status("T0STANDIN")),
        (Some("needs-reauthentication".into()), Some("active".into()))
    );
    assert_eq!(stored.identities("owner@example.com").await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_revoked_of_a_setup_that_got_no_token() -> Result<()> {
    let app = RevocationApp::new(None).await?;
    app.slack.faults().always(Exchange, Some(Fault::ServerError));
    assert!(!app.owner.install("acme", "slack").await?.dialog()?.success);
    assert!(app.database().await?.revocations().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_setup_under_way_are_revoked_once_it_has_expired_unless_it_ends_well() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let store = app.host.store().await?;
        let (now, later) = (OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(16));
        let note = async |setup: &'static str, token: &'static str| {
            let grant = RevokedGrant {
                tokens: Tokens { access_token: token.to_owned(), ..Tokens::default() },
                ..RevokedGrant::default()
            };
            let new = NewRevocation {
                provider: "slack".to_owned(),
                external_id: String::new(),
                name: String::new(),
                organization: None,
                reason: Reason::Orphaned,
                payload: RevocationPayload { grants: vec![grant], ..RevocationPayload::default() },
            };
            store.at(now).write(move |tx| revocations::note_setup(tx, setup, &new, later)).await
        };
        note("left", "first").await?;
        let left = note("left", "second").await?;
        note("well", "stored").await?;
        store.write(|tx| revocations::forget_setup(tx, "well")).await?;
        let due = async |at| store.at(at).read(|tx| revocations::due(tx, 10)).await;
        assert_eq!((due(now).await?, due(later).await?), (vec![], vec![left]));
        let unrevoked =
            async |at| store.at(at).read(|tx| revocations::unrevoked(tx, &RevocationFilter::default(), 10)).await;
        assert_eq!((unrevoked(now).await?.len(), unrevoked(later).await?.len()), (0, 1), "it may end well yet");
        let payload = unrevoked(later).await?[0].payload(store.sealer())?.context("it is kept")?;
        assert_eq!(payload.grants[0].tokens.access_token, "second");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_or_could_not_be_is_swept_after_ninety_days_and_what_is_not_done_stays() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let store = app.host.store().await?;
        let then = OffsetDateTime::UNIX_EPOCH;
        let ids = store
            .at(then)
            .write(move |tx| {
                let claimed = |tx: &mut jackfield_store::Tx<'_>| {
                    let new = NewRevocation {
                        provider: "nobody".to_owned(),
                        external_id: "T1".to_owned(),
                        name: String::new(),
                        organization: None,
                        reason: Reason::Removed,
                        payload: RevocationPayload::default(),
                    };
                    let id = revocations::add(tx, &new)?;
                    let lease =
                        revocations::claim(tx, id, then, std::time::Duration::ZERO)?.expect("nobody else is at it");
                    Ok::<_, StoreError>((id, lease))
                };
                let all = [claimed(tx)?, claimed(tx)?, claimed(tx)?];
                let [done, impossible, failed] = all;
                assert!(revocations::end(tx, done.0, done.1, "revoked")?);
                assert!(revocations::end_unrevoked(tx, impossible.0, impossible.1, "no revocation")?);
                assert!(revocations::give_back(tx, failed.0, failed.1, "refused", revocations::Next::Operators)?);
                Ok(all.map(|(id, _)| id))
            })
            .await?;
        let kept = async |at| {
            store.at(at).sweep().await?;
            let found = store.read(move |tx| ids.into_iter().map(|id| revocations::get(tx, id)).collect());
            let found: Vec<Option<Revocation>> = found.await?;
            let kept =
                |one: Option<Revocation>| one.map(|one| one.payload(store.sealer()).map(|given| given.is_some()));
            anyhow::Ok(found.into_iter().map(|one| kept(one).transpose()).collect::<Result<Vec<_>, _>>()?)
        };
        let day = time::Duration::days(1);
        assert_eq!(kept(then + 89 * day).await?, [Some(false), Some(true), Some(true)], "helpful headers are kept");
        let again = ids[1];
        store.at(then + 89 * day).write(move |tx| revocations::reopen(tx, again)).await?;
        assert_eq!(kept(then + 91 * day).await?, [None, Some(true), Some(true)], "it is tried again");
        let lease = store
            .at(then)
            .write(move |tx| revocations::claim(tx, again, then + 91 * day, std::time::Duration::ZERO))
            .await?;
        let lease = lease.context("it is due")?;
        store.at(then + 91 * day).write(move |tx| revocations::end_unrevoked(tx, again, lease, "no")).await?;
        assert_eq!(kept(then + 182 * day).await?, [None, None, Some(true)]);
    }
    Ok(())
}
