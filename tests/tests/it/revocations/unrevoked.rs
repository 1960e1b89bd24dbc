//! Tokens that are not revoked, or not at once: the host says so, and forgets none.

use anyhow::{Context, Result};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_config::clock::Clock;
use jackfield_loader::{Plugins, ProviderOwners};
use jackfield_oauth2::Issuers;
use jackfield_outbound::Outbound;
use jackfield_services::revocations::{RevocationOutcome, Revocations};
use jackfield_store::{
    grants::Tokens,
    organizations,
    revocations::{self, NewRevocation, Reason, RevocationPayload, RevokedGrant, Status},
};
use jackfield_test_support::{
    http_client::HttpResponse,
    stand_in::{
        Endpoint::{Api, Revocation as AtRevocation},
        Fault, HoldPoint,
    },
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    app::{AppDatabase, bare, redacted},
    providers::declared::{declaration_of, http},
    revocations::bulk_revocation::{BulkRevocationApp, ID, REVOCATION},
};

impl BulkRevocationApp {
    /// Removes the first integration in the list.
    async fn remove(&self) -> Result<HttpResponse> {
        let list = self.owner.visit("/api/0/organizations/acme/integrations/").await?.json()?;
        let id = list[0]["id"].as_str().context("one is listed")?;
        let posted = self.owner.post(&format!("/organizations/acme/integrations/{id}/remove/"), &[]).await?;
        self.owner.visit(posted.status_and_location().1).await
    }

    /// An organization's audit entries of one action, the oldest first: kind of actor, result,
    /// details.
    async fn log_of(&self, organization: &str, action: &str) -> Result<Vec<(String, String, Value)>> {
        let path = format!("/api/0/organizations/{organization}/audit/?action={action}");
        let rows = self.owner.visit(&path).await?.json()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = rows.as_array().context("a list")?.iter().rev();
        Ok(rows.map(|row| (text(&row["actor"]["kind"]), text(&row["result"]), row["detail"].clone())).collect())
    }

    async fn all_dead(&self) -> Result<()> {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..600 {
            looks.tick().await;
            if self.live() == 0 {
                return Ok(());
            }
        }
        anyhow::bail!("{}", self.host.log()?)
    }

    /// Deletes the organization in the database, which no command does.
    async fn delete_organization(&self) -> Result<()> {
        let delete = "DELETE FROM organizations WHERE slug = 'acme'";
        Ok(self.host.store().await?.tamper(delete).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_cannot_revoke_is_never_told_as_revoked_and_can_be_tried_again_once_it_can() -> Result<()> {
    let app = BulkRevocationApp::declared(3, "").await?;
    let page = app.remove().await?;
    assert!(page.text.contains("Jackfield could not revoke the tokens"), "{}", page.text);
    assert!(page.text.contains("<h2 id=\"not-revoked\">Action needed</h2>"), "{}", page.text);
    let queued = app.revocations().await?.remove(0);
    assert_eq!((queued.status, queued.attempts), (Status::Impossible, 1));
    assert_eq!(queued.answer.as_deref(), Some("access: the provider has no revocation"));
    let listed = app.owner.visit("/api/0/organizations/acme/revocations/").await?.json()?;
    assert_snapshot!(redacted(&format!("{listed:#}")), @r#"
    [
      {
        "answer": "access: the provider has no revocation",
        "attempts": 1,
        "dateAdded": "[time]",
        "externalId": "0",
        "id": "4",
        "name": "A0",
        "nextAttempt": null,
        "provider": {
          "id": "acme-crm",
          "name": "Acme-crm"
        },
        "reason": "removed",
        "status": "impossible"
      }
    ]
    "#);
    let logged = app.log_of("acme", "revoke").await?;
    assert_eq!((logged.len(), logged[0].1.as_str()), (1, "failed"));
    let said = app.host.run(&["revoke", "--status"], "")?;
    assert_snapshot!(redacted(&said), @"
    nothing is waiting to be revoked
    1 could not be revoked: end them at the provider itself
    acme-crm  A0 (0)  removed  since [time]
      impossible, asked 1 times, not tried any more
      access: the provider has no revocation
    ");
    // This command leaves integrations in use alone.
    let (well, said) = app.revoke(&["--again", "--yes"])?;
    assert!(!well);
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    from before    1: out of use already, and not revoked
    revoked        by a way of the plugin's own, or not at all: no revocation endpoint is known
    [1/1] A0 (0): cannot be revoked: access: the provider has no revocation

    revoked            0
    cannot be revoked  1
      A0 (0): access: the provider has no revocation
    [time]  INFO a revocation is at its end revocation.id=4 provider.id="acme-crm" reason="removed" answer="access: the provider has no revocation" effect=Impossible
    error: not all of it is revoked: what cannot be revoked from here works on until it expires: end it at the provider itself
    "#);
    assert_eq!(app.statuses().await?, ["active", "active"]);
    let (well, said) = app.revoke(&["--yes"])?;
    assert!(!well);
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    organizations  1
    integrations   2, removed
    grants         2
    from before    1: out of use already, and not revoked
    revoked        by a way of the plugin's own, or not at all: no revocation endpoint is known
    [1/3] A1 (1): cannot be revoked: access: the provider has no revocation
    [2/3] A2 (2): cannot be revoked: access: the provider has no revocation
    [3/3] A0 (0): cannot be revoked: access: the provider has no revocation

    revoked            0
    cannot be revoked  3
      A1 (1): access: the provider has no revocation
      A2 (2): access: the provider has no revocation
      A0 (0): access: the provider has no revocation
    [time]  INFO a revocation is at its end revocation.id=5 provider.id="acme-crm" reason="operator" answer="access: the provider has no revocation" effect=Impossible
    [time]  INFO a revocation is at its end revocation.id=6 provider.id="acme-crm" reason="operator" answer="access: the provider has no revocation" effect=Impossible
    [time]  INFO a revocation is at its end revocation.id=4 provider.id="acme-crm" reason="removed" answer="access: the provider has no revocation" effect=Impossible
    error: not all of it is revoked: what cannot be revoked from here works on until it expires: end it at the provider itself
    "#);
    assert!(!said.contains("a running host goes on trying"), "{said}");
    assert_eq!((app.statuses().await?.len(), app.live()), (0, 6));
    let app = app.restart(REVOCATION)?;
    let (well, said) = app.revoke(&["--again", "--dry-run"])?;
    assert!(well);
    assert_snapshot!(redacted(&said), @"
    provider       acme-crm
    from before    3: out of use already, and not revoked
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    ");
    assert_eq!(app.live(), 6);
    let (well, said) = app.revoke(&["--again", "--yes"])?;
    assert!(well);
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    from before    3: out of use already, and not revoked
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    [1/3] A0 (0): revoked: access: refresh token revoked, access token revoked
    [2/3] A1 (1): revoked: access: refresh token revoked, access token revoked
    [3/3] A2 (2): revoked: access: refresh token revoked, access token revoked

    revoked            3
    [time]  INFO a revocation is at its end revocation.id=4 provider.id="acme-crm" reason="removed" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=5 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=6 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    "#);
    assert_eq!(app.live(), 0);
    let (well, said) = app.revoke(&["--again", "--yes"])?;
    assert!(well);
    assert_snapshot!(redacted(&said), @"
    provider       acme-crm
    from before    0: out of use already, and not revoked
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_revokes_no_token_of_a_kind_has_not_revoked_it() -> Result<()> {
    // RFC 7009 section 2.2.1.
    let unsupported = || Some(Fault::Refused { error: "unsupported_token_type".to_owned() });
    let no = "cannot be revoked there (unsupported_token_type)";
    for (faults, status, response) in [
        ([unsupported(), unsupported()], Status::Impossible, format!("access: refresh token {no}, access token {no}")),
        ([unsupported(), None], Status::Impossible, format!("access: refresh token {no}, access token revoked")),
        // Section 2.1: its revocation also revokes its access tokens.
        ([None, unsupported()], Status::Done, format!("access: refresh token revoked, access token {no}")),
    ] {
        let app = BulkRevocationApp::with(1, "").await?;
        app.fault(faults);
        app.remove().await?;
        let ended = app.settled().await?;
        assert_eq!((ended[0].status, ended[0].answer.as_deref()), (status, Some(response.as_str())));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_step_that_the_provider_does_not_have_any_more_wait_for_it() -> Result<()> {
    let app = BulkRevocationApp::with(0, "").await?;
    let store = app.host.store().await?;
    let now = OffsetDateTime::now_utc();
    let tokens = Tokens { step: "gone".to_owned(), access_token: "t".to_owned(), ..Tokens::default() };
    let grant = RevokedGrant { name: "access".to_owned(), tokens, ..RevokedGrant::default() };
    let given = RevocationPayload { grants: vec![grant], is_whole: true, ..RevocationPayload::default() };
    // Not due yet, so the running host leaves it alone.
    let later = now + Duration::hours(1);
    let add = store.write(move |tx| {
        let new = NewRevocation {
            provider: ID.to_owned(),
            external_id: "1".to_owned(),
            name: String::new(),
            organization: organizations::by_slug(tx, "acme")?.map(|acme| acme.id),
            reason: Reason::Removed,
            payload: given,
        };
        let id = revocations::add(tx, &new)?;
        revocations::postpone(tx, id, later)
    });
    add.await?;
    for _ in 0..2 {
        let (well, said) = app.revoke(&["--again", "--yes"])?;
        assert!(!well);
        allow_duplicates! {
            assert_snapshot!(redacted(&said), @r#"
            provider       acme-crm
            from before    1: out of use already, and not revoked
            revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
            [1/1] 1: not revoked yet: access: the provider has no step `gone` any more, which these tokens came from

            revoked            0
            not revoked yet    1
              1: access: the provider has no step `gone` any more, which these tokens came from
            [time]  WARN not revoked yet: nobody can be asked; it is looked at again revocation.id=1 provider.id="acme-crm" reason="removed" answer="access: the provider has no step `gone` any more, which these tokens came from" retry_at=[time]
            error: not all of it is revoked: a running host goes on trying, and this command can be run again
            "#);
        }
    }
    let waiting = app.revocations().await?.remove(0);
    assert_eq!((waiting.status, waiting.attempts), (Status::Pending, 0), "no request was sent");
    assert_eq!(app.log_of("acme", "revoke").await?.len(), 1, "one entry says so");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_organization_finds_the_bulk_revocation_in_its_log() -> Result<()> {
    for keep in [false, true] {
        let app = BulkRevocationApp::with(1, "").await?;
        app.share().await?;
        let (well, said) = app.revoke(if keep { &["--yes", "--keep"] } else { &["--yes"] })?;
        assert!(well, "{said}");
        for (organization, removed) in [("acme", false), ("other", true)] {
            let unlinked = app.log_of(organization, "unlink").await?;
            let by_operator = ("operator".to_owned(), "ok".to_owned(), json!({"removed": removed}));
            assert_eq!(unlinked, if keep { vec![] } else { vec![by_operator] });
            let revoked = app.log_of(organization, "revoke").await?;
            let by_operator = revoked.iter().filter(|row| (&*row.0, &*row.1) == ("operator", "ok")).count();
            assert_eq!(by_operator, 1, "each had tokens of its own: {organization}: {revoked:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_organization_has_any_more_is_revoked_by_the_operator_or_by_the_host() -> Result<()> {
    let app = BulkRevocationApp::with(2, "").await?;
    app.delete_organization().await?;
    assert_eq!(app.live(), 4);
    let (well, said) = app.revoke(&["--yes"])?;
    assert!(well);
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    organizations  0
    integrations   2, removed
    grants         2
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    [1/2] A0 (0): revoked: access: refresh token revoked, access token revoked
    [2/2] A1 (1): revoked: access: refresh token revoked, access token revoked

    revoked            2
    [time]  INFO a revocation is at its end revocation.id=3 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=4 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    "#);
    assert_eq!(app.live(), 0);
    let app = BulkRevocationApp::with(1, "").await?;
    app.delete_organization().await?;
    let app = app.restart(REVOCATION)?;
    app.all_dead().await?;
    let said = app.host.run(&["audit", "list"], "")?;
    assert_snapshot!(redacted(&said), @r#"
     1 [time] plugin-load          ok      host - acme-crm - 1 {"entry":"providers.acme-crm","isolation":"declared","plugin":"providers.acme-crm","providers":["acme-crm"],"version":"0.1.0"}
     2 [time] configuration-change ok      host - - - 1 {"at":"start","file":"[folder]/jackfield.toml","keys":["database.url","default-integrations","http.allow-private","providers.acme-crm.account.from","providers.acme-crm.account.id","providers.acme-crm.account.name","providers.acme-crm.authorize-url","providers.acme-crm.client-id","providers.acme-crm.client-secret","providers.acme-crm.revocation-url","providers.acme-crm.scopes","providers.acme-crm.token-url","system.listen","system.secret-key","system.url-prefix"]}
     3 [time] organization-creation ok      operator acme - - 1 {}
     4 [time] user-creation        ok      operator - - - 1 {"superuser":false,"user":"owner@example.com"}
     5 [time] member-change        ok      operator acme - - 1 {"role":"owner","user":"owner@example.com"}
     6 [time] log-in               ok      owner@example.com - - - 1 {"address":"127.0.0.1","request":"[id]"}
     7 [time] install              ok      owner@example.com acme acme-crm 0 1 {}
     8 [time] plugin-load          ok      host - acme-crm - 1 {"entry":"providers.acme-crm","isolation":"declared","plugin":"providers.acme-crm","providers":["acme-crm"],"version":"0.1.0"}
     9 [time] unlink               ok      host - acme-crm 0 1 {"cause":"no organization has it","removed":true}
    10 [time] revoke               ok      host - acme-crm 0 1 {"answer":"access: refresh token revoked, access token revoked","attempts":1,"cause":"orphaned"}
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_connected_while_its_earlier_removal_was_under_way_is_not_shown_as_working() -> Result<()> {
    let mut notes = Vec::new();
    for (more, status) in [("", "needs-reauthentication"), ("revokes-single-tokens = true", "active")] {
        let app = BulkRevocationApp::with(1, more).await?;
        let hold = app.service.faults(ID).hold(AtRevocation, HoldPoint::BeforeHandling);
        let page = app.remove().await?;
        assert!(page.text.contains("Jackfield keeps trying"), "the person does not wait: {}", page.text);
        app.connect(0).await?;
        hold.release();
        app.settled().await?;
        assert_eq!(app.statuses().await?, [status]);
        let logged = app.log_of("acme", "revoke").await?;
        notes.push(logged[0].2["also"].to_string());
    }
    assert_snapshot!(notes.join("\n"), @r#"
    "the account was connected again meanwhile: it must be authenticated again"
    null
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_wants_a_long_pause_is_asked_no_further_and_the_rest_is_out_of_use() -> Result<()> {
    let app = BulkRevocationApp::with(3, "").await?;
    app.fault([Some(Fault::TooManyRequests { retry_after: 600 })]);
    let (well, said) = app.revoke(&["--yes"])?;
    assert!(!well);
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    organizations  1
    integrations   3, removed
    grants         3
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
      the provider wants a pause of 600 s: it is asked no further now
    [1/3] A0 (0): not revoked yet: access: refresh token not revoked: the revocation endpoint answered status 429: later
    [2/3] A1 (1): not revoked yet: not asked, since the provider wants a pause
    [3/3] A2 (2): not revoked yet: not asked, since the provider wants a pause

    revoked            0
    not revoked yet    3
      A0 (0): access: refresh token not revoked: the revocation endpoint answered status 429: later
      A1 (1): not asked, since the provider wants a pause
      A2 (2): not asked, since the provider wants a pause
    [time]  WARN not revoked yet; it is tried again revocation.id=4 provider.id="acme-crm" reason="operator" answer="access: refresh token not revoked: the revocation endpoint answered status 429: later" retry_at=[time]
    error: not all of it is revoked: a running host goes on trying, and this command can be run again
    "#);
    assert_eq!((app.statuses().await?.len(), app.live(), app.service.faults(ID).requests(AtRevocation)), (0, 6, 1));
    let soon = OffsetDateTime::now_utc() + Duration::minutes(5);
    assert!(app.revocations().await?.iter().all(|waiting| waiting.retry_at > soon), "the running host waits as well");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_host_has_revoked_meanwhile_is_done() -> Result<()> {
    let app = BulkRevocationApp::with(1, "").await?;
    app.remove().await?;
    let done = app.settled().await?.remove(0);
    let outbound = Outbound::new(&app.host.settings()?.http)?;
    let (plugins, _) = Plugins::load(&app.host.settings()?, &ProviderOwners::default(), &outbound).await;
    let revocations = Revocations::new(app.host.store().await?, plugins, Issuers::default(), Clock::system());
    let words = "access: refresh token revoked, access token revoked".to_owned();
    assert_eq!(revocations.retry(done.id).await?, RevocationOutcome::EndedByAnotherHost(words));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_came_just_before_kill_9_is_revoked_once_its_setup_has_expired() -> Result<()> {
    let mut app = BulkRevocationApp::with(0, "").await?;
    let step = app.owner.start_setup("acme", ID).await?;
    let back = app.owner.visit(step.redirect()?.as_str()).await?.redirect()?;
    // The code is exchanged, and the account is being requested.
    let hold = app.service.faults(ID).hold(Api, HoldPoint::BeforeHandling);
    let killed = async {
        app.service.faults(ID).wait_for_requests(Api, 1).await;
        app.host.signal("KILL")
    };
    let (disconnected, killed) = tokio::join!(app.owner.visit(back.as_str()), killed);
    assert!(disconnected.is_err());
    killed?;
    hold.release();
    assert_eq!(app.live(), 2);
    let declared = declaration_of(&app.service, ID, REVOCATION);
    app.host = app.host.killed_and_restarted(bare().toml(&http(&app.service)).toml(&declared))?;
    let store = app.host.store().await?;
    let due = async |at| store.at(at).read(|tx| revocations::due(tx, 10)).await;
    let now = OffsetDateTime::now_utc();
    assert_eq!(due(now).await?, [], "the host does not know yet whether it succeeds");
    let noted = due(now + Duration::minutes(17)).await?;
    let [noted] = noted[..] else { anyhow::bail!("{noted:?}") };
    store.write(move |tx| revocations::postpone(tx, noted, now)).await?;
    app.all_dead().await?;
    assert_eq!(AppDatabase::of(&app.host).await?.settled().await?[0].reason, Reason::Orphaned);
    Ok(())
}
