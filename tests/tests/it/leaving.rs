//! RevokeRequest: what is removed, replaced or orphaned is revoked at its provider, now or as soon as it can be.

use anyhow::{Context, Result, ensure};
use jackfield_store::{
    StoreError,
    grants::Tokens,
    revocations::{self, Given, GivenGrant, NewRevocation, Reason, Revocation, Status, Which},
};
use jackfield_tests::{
    host::HostBuilder,
    person::{Answer, Person},
    postgres::databases,
    stand_in::{
        Endpoint::{Exchange, Revocation as AtRevocation, Uninstall},
        Moment, Rotation, Trouble,
    },
    stand_in_slack::{Install, StandInSlack},
};
use reqwest::Method;
use serde_json::Value;
use time::OffsetDateTime;

use crate::stage::{Stage, bare, slack_options};

/// An installed Slack, with a bot and its person's tokens.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) owner: Person,
    pub(crate) id: String,
}

fn host_of(slack: &StandInSlack) -> HostBuilder {
    bare().plugin("example").plugin("slack").toml(&slack_options(slack, "v2"))
}

impl Scene {
    pub(crate) async fn new(database: Option<String>) -> Result<Self> {
        let stage = Stage::with("v2", database, |host| host).await?;
        stage.slack.behave(|behaviour| {
            (behaviour.rotation, behaviour.install) = (Rotation::ReuseDetected, Install::GridWorkspace);
        });
        let owner = stage.person("owner").await?;
        let installed = owner.install("acme", "slack").await?.dialog()?;
        ensure!(installed.success, "{:?}", installed.data);
        let id = installed.data["id"].as_str().context("an id")?.to_owned();
        Ok(Self { stage, owner, id })
    }

    async fn remove(&self) -> Result<Answer> {
        let path = format!("/organizations/acme/integrations/{}/remove/", self.id);
        let posted = self.owner.post(&path, &[]).await?;
        self.owner.visit(posted.goes_to().1).await
    }

    /// The one thing that was given up.
    async fn revocation(&self) -> Result<Revocation> {
        let mut all = self.stage.stored().await?.revocations().await?;
        ensure!(all.len() == 1, "{all:?}");
        Ok(all.remove(0))
    }

    async fn settled(&self) -> Result<Vec<Revocation>> {
        self.stage.stored().await?.settled().await
    }

    fn live(&self) -> Vec<String> {
        let ledger = self.stage.slack.ledger();
        [ledger.live(), ledger.live_refresh()].concat()
    }

    fn trouble(&self, trouble: Option<&Trouble>) {
        for endpoint in [Uninstall, AtRevocation] {
            self.stage.slack.wire().always(endpoint, trouble.cloned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_removes_an_integration_has_it_revoked_at_the_provider() -> Result<()> {
    for database in databases() {
        let scene = Scene::new(database).await?;
        assert!(!scene.live().is_empty());
        let page = scene.remove().await?;
        assert!(page.text.contains("was removed, and its tokens are revoked at the provider"), "{}", page.text);
        assert_eq!(scene.live(), Vec::<String>::new());
        let done = scene.revocation().await?;
        assert_eq!((done.status, done.reason, done.attempts), (Status::Done, Reason::Removed, 1));
        assert_eq!(done.answer.as_deref(), Some("apps.uninstall: ok"));
        let sealer = scene.stage.host.store().await?.sealer().clone();
        assert!(done.given(&sealer)?.is_none(), "what is revoked is not kept");
        let told = scene.owner.visit("/api/0/organizations/acme/revocations/").await?.json()?;
        assert_eq!((&told[0]["status"], &told[0]["name"]), (&"done".into(), &"Analytical Engines".into()));
        assert_eq!(scene.stage.slack.wire().seen(Uninstall), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_expired_token_is_exchanged_for_does_not_live_on_where_the_app_cannot_be_uninstalled() -> Result<()> {
    let scene = Scene::new(None).await?;
    // Nobody notices there that an exchange is tried again: it is refused, and what the first has brought lives.
    scene.stage.slack.behave(|behaviour| behaviour.rotation = Rotation::SingleUse);
    scene.stage.slack.let_pass(std::time::Duration::from_secs(43_201));
    let no = || Some(Trouble::Refused { error: "no_permission".to_owned() });
    scene.stage.slack.wire().next(Uninstall, [None, no(), no()]);
    let page = scene.remove().await?;
    assert!(page.text.contains("its tokens are revoked at the provider"), "{}", page.text);
    let done = scene.settled().await?;
    let words = "apps.uninstall: no_permission, auth.revoke of bot: ok";
    assert_eq!((done[0].answer.as_deref(), scene.live()), (Some(words), Vec::new()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_that_others_use_is_not_revoked() -> Result<()> {
    let scene = Scene::new(None).await?;
    scene.stage.host.organization("other")?;
    scene.stage.host.member("other", "owner@example.com", "owner")?;
    assert!(scene.owner.install("other", "slack").await?.dialog()?.success);
    let live = scene.live();
    let path = format!("/api/0/organizations/acme/integrations/{}/", scene.id);
    assert_eq!(scene.owner.send(scene.owner.request(Method::DELETE, &path)).await?.status, 204);
    assert_eq!(scene.live(), live);
    assert_eq!(scene.stage.slack.wire().seen(Uninstall), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_keeps_nobody_from_removing_and_is_asked_again() -> Result<()> {
    for database in databases() {
        let scene = Scene::new(database).await?;
        scene.trouble(Some(&Trouble::ServerError));
        let page = scene.remove().await?;
        assert!(
            page.text.contains("it is asked until it does") && page.text.contains("Being revoked"),
            "{}",
            page.text
        );
        let waiting = scene.revocation().await?;
        assert_eq!((waiting.status, waiting.attempts), (Status::Pending, 1));
        assert_eq!(waiting.answer.as_deref(), Some("apps.uninstall: Slack answered status 500"));
        let pause = waiting.retry_at - waiting.date_added;
        assert!((5..30).contains(&pause.whole_seconds()), "{pause}");
        let said = scene.stage.host.run(&["revoke", "--status"], "")?;
        assert!(
            said.contains("Analytical Engines (T0STANDIN)") && said.contains("Slack answered status 500"),
            "{said}"
        );
        scene.trouble(None);
        scene.stage.stored().await?.revoke_soon().await?;
        let done = scene.settled().await?;
        assert_eq!((done[0].answer.as_deref(), scene.live()), (Some("apps.uninstall: ok"), Vec::new()));
        assert_eq!(scene.stage.host.run(&["revoke", "--status"], "")?, "nothing is waiting to be revoked");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_is_cut_off_by_kill_9_is_revoked_after_the_restart() -> Result<()> {
    let mut scene = Scene::new(None).await?;
    let wire = scene.stage.slack.wire().clone();
    let hold = wire.hold(Uninstall, Moment::BeforeTheDeed);
    let page = scene.remove().await?;
    assert!(page.text.contains("it is asked until it does"), "the person does not wait: {}", page.text);
    wire.has_seen(Uninstall, 1).await;
    let builder = host_of(&scene.stage.slack);
    scene.stage.host = scene.stage.host.killed_and_restarted(builder)?;
    hold.release();
    scene.settled().await?;
    assert_eq!(scene.live(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_hosts_one_asks_the_provider() -> Result<()> {
    for database in databases() {
        let scene = Scene::new(database).await?;
        scene.trouble(Some(&Trouble::ServerError));
        scene.remove().await?;
        let (store, id) = (scene.stage.host.store().await?, scene.revocation().await?.id);
        let now = time::OffsetDateTime::now_utc();
        let later = now + time::Duration::hours(1);
        let claim = || store.write(move |tx| revocations::claim(tx, id, later, std::time::Duration::from_secs(3600)));
        let claims = futures_util::future::join_all((0..16).map(|_| claim())).await;
        let won = claims.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().count();
        assert_eq!(won, 1);
        let said = scene.stage.host.said(&["revoke", "--provider", "slack", "--yes"])?;
        assert!(!said.0 && said.1.contains("another host is at it"), "{}", said.1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_connected_again_is_not_cut_off_by_its_earlier_removal() -> Result<()> {
    let scene = Scene::new(None).await?;
    scene.trouble(Some(&Trouble::ServerError));
    scene.remove().await?;
    assert!(scene.owner.install("acme", "slack").await?.dialog()?.success);
    let stored = scene.stage.stored().await?;
    scene.trouble(None);
    stored.revoke_soon().await?;
    scene.settled().await?;
    let grants = stored.grants("T0STANDIN").await?;
    assert!(scene.live().contains(&grants[0].1.access_token), "the new bot works on");
    assert_eq!(scene.stage.slack.wire().done(Uninstall), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_provider_has_left_behind_is_shown_as_orphaned_and_revoked_once_it_is_back() -> Result<()> {
    let mut scene = Scene::new(None).await?;
    scene.stage.host = scene.stage.host.restart(bare().plugin("example"))?;
    assert_eq!(scene.stage.installed(&scene.owner).await?[0]["status"], "orphaned");
    let page = scene.owner.visit(&format!("/organizations/acme/integrations/{}/", scene.id)).await?;
    assert!(page.text.contains("not loaded or not configured"), "{}", page.text);
    assert_eq!(scene.owner.visit("/extensions/slack/setup/").await?.status, 404);
    let counted = scene.stage.host.run(&["revoke", "--provider", "slack", "--dry-run"], "")?;
    assert!(counted.contains("integrations   1") && counted.contains("by nobody: `slack` is not loaded"), "{counted}");
    scene.remove().await?;
    let waiting = scene.revocation().await?;
    assert_eq!(waiting.status, Status::Pending);
    assert_eq!(waiting.answer.as_deref(), Some("the provider `slack` is not loaded or not configured"));
    scene.stage.stored().await?.revoke_soon().await?;
    let with = host_of(&scene.stage.slack);
    scene.stage.host = scene.stage.host.restart(with)?;
    scene.settled().await?;
    assert_eq!(scene.live(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_set_up_for_another_account_are_revoked_and_the_account_that_is_meant_works_on() -> Result<()> {
    let scene = Scene::new(None).await?;
    let before = scene.live();
    scene.stage.slack.behave(|behaviour| behaviour.team_id = "T0OTHER".to_owned());
    let again = format!("/organizations/acme/integrations/slack/setup/?integration={}", scene.id);
    let step = scene.owner.visit(scene.owner.visit(&again).await?.redirect()?.as_str()).await?;
    let back = scene.owner.consent(&step).await?;
    assert!(scene.owner.visit(&back).await?.dialog()?.detail().contains("another account"));
    let done = scene.settled().await?;
    assert_eq!((done.len(), done[0].reason, done[0].external_id.as_str()), (1, Reason::Orphaned, "T0OTHER"));
    assert_eq!(done[0].answer.as_deref(), Some("auth.revoke of bot: ok"));
    assert_eq!(scene.live(), before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_nobody_has_proved_any_more_takes_its_tokens_with_it() -> Result<()> {
    let scene = Scene::new(None).await?;
    scene.stage.slack.behave(|behaviour| {
        (behaviour.team_id, behaviour.install) = ("T0PERSON".to_owned(), Install::UserOnly);
    });
    assert!(scene.owner.install("acme", "slack").await?.dialog()?.success);
    let stored = scene.stage.stored().await?;
    let (_, tokens) = stored.grants("T0PERSON").await?.remove(0);
    assert!(scene.live().contains(&tokens.access_token));
    let page = scene.owner.visit("/account/").await?.text;
    for unlink in page.split('"').filter(|text| text.ends_with("/unlink/")) {
        scene.owner.post(unlink, &[]).await?;
    }
    assert!(!scene.live().contains(&tokens.access_token), "{}", scene.stage.host.log()?);
    let integrations = scene.stage.installed(&scene.owner).await?;
    let status = |id: &str| integrations.iter().find(|one| one["externalId"] == id).map(|one| one["status"].clone());
    assert_eq!(
        (status("T0PERSON"), status("T0STANDIN")),
        (Some("needs-reauthentication".into()), Some("active".into()))
    );
    assert_eq!(stored.identities("owner@example.com").await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_revoked_of_a_set_up_that_got_no_token() -> Result<()> {
    let scene = Scene::new(None).await?;
    scene.stage.slack.wire().always(Exchange, Some(Trouble::ServerError));
    assert!(!scene.owner.install("acme", "slack").await?.dialog()?.success);
    assert!(scene.stage.stored().await?.revocations().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_set_up_under_way_are_revoked_once_it_has_expired_unless_it_ends_well() -> Result<()> {
    for database in databases() {
        let stage = Stage::with("v2", database, |host| host).await?;
        let store = stage.host.store().await?;
        let (now, later) = (OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(16));
        let note = async |setup: &'static str, token: &'static str| {
            let grant = GivenGrant {
                tokens: Tokens { access_token: token.to_owned(), ..Tokens::default() },
                ..GivenGrant::default()
            };
            let new = NewRevocation {
                provider: "slack".to_owned(),
                external_id: String::new(),
                name: String::new(),
                organization: None,
                reason: Reason::Orphaned,
                given: Given { grants: vec![grant], ..Given::default() },
            };
            store.at(now).write(move |tx| revocations::note_setup(tx, setup, &new, later)).await
        };
        note("left", "first").await?;
        let left = note("left", "second").await?;
        note("well", "stored").await?;
        store.write(|tx| revocations::forget_setup(tx, "well")).await?;
        let due = async |at| store.at(at).read(|tx| revocations::due(tx, 10)).await;
        assert_eq!((due(now).await?, due(later).await?), (vec![], vec![left]));
        let open = async |at| store.at(at).read(|tx| revocations::open(tx, &Which::default(), 10)).await;
        assert_eq!((open(now).await?.len(), open(later).await?.len()), (0, 1), "it may end well yet");
        let given = open(later).await?[0].given(store.sealer())?.context("it is kept")?;
        assert_eq!(given.grants[0].tokens.access_token, "second");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_or_could_not_be_is_swept_after_ninety_days_and_what_is_not_done_stays() -> Result<()> {
    for database in databases() {
        let stage = Stage::with("v2", database, |host| host).await?;
        let store = stage.host.store().await?;
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
                        given: Given::default(),
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
            let kept = |one: Option<Revocation>| one.map(|one| one.given(store.sealer()).map(|given| given.is_some()));
            anyhow::Ok(found.into_iter().map(|one| kept(one).transpose()).collect::<Result<Vec<_>, _>>()?)
        };
        let day = time::Duration::days(1);
        assert_eq!(kept(then + 89 * day).await?, [Some(false), Some(true), Some(true)], "what may help is kept");
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
