//! Bulk revocation: everything of a provider is revoked at once, here of a declared provider (RFC
//! 7009).

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_store::revocations::{Reason, Revocation};
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    stand_in::{Endpoint::Revocation as AtRevocation, Fault},
    stand_in_oauth2::StandInOAuth2,
};

use crate::{
    app::{AppDatabase, bare, redacted},
    providers::declared::{declaration_of, host_and_owner, http, install, service_of},
};

pub(crate) const ID: &str = "acme-crm";

/// The key with its revocation endpoint.
pub(crate) const REVOCATION: &str = "revocation-url = \"https://acme-crm.example/revoke\"\n";

/// A declared provider with a revocation endpoint, and a user who connects accounts of it.
pub(crate) struct BulkRevocationApp {
    pub(crate) service: StandInOAuth2,
    pub(crate) host: Host,
    pub(crate) owner: HttpClient,
}

impl BulkRevocationApp {
    pub(crate) async fn with(accounts: usize, more: &str) -> Result<Self> {
        Self::declared(accounts, &format!("{REVOCATION}{more}")).await
    }

    /// With any declaration, also without a revocation endpoint.
    pub(crate) async fn declared(accounts: usize, more: &str) -> Result<Self> {
        let profile = service_of(ID, |profile| {
            profile.revocation = Some(format!("https://{ID}.example/revoke"));
            profile.token_answer = r#"{"access_token": "TOKEN", "refresh_token": "REFRESH"}"#.to_owned();
        })?;
        let service = StandInOAuth2::start([profile].into()).await?;
        let (host, owner) = host_and_owner(&service, &declaration_of(&service, ID, more)).await?;
        let app = Self { service, host, owner };
        for account in 0..accounts {
            app.connect(account).await?;
        }
        Ok(app)
    }

    /// Restarts the host with another declaration.
    pub(crate) fn restart(mut self, more: &str) -> Result<Self> {
        let declared = declaration_of(&self.service, ID, more);
        self.host = self.host.restart(bare().toml(&http(&self.service)).toml(&declared))?;
        Ok(self)
    }

    pub(crate) async fn connect(&self, account: usize) -> Result<()> {
        self.service
            .change(ID, |profile| profile.account_answer = format!(r#"{{"id": {account}, "name": "A{account}"}}"#));
        install(&self.owner, ID).await
    }

    /// Links the last connected account to another organization as well.
    pub(crate) async fn share(&self) -> Result<()> {
        self.host.organization("other")?;
        self.host.member("other", "owner@example.com", "owner")?;
        let step = self.owner.start_setup("other", ID).await?;
        let back = self.owner.visit(step.redirect()?.as_str()).await?.redirect()?;
        assert!(self.owner.visit(back.as_str()).await?.dialog()?.success);
        Ok(())
    }

    pub(crate) fn live(&self) -> usize {
        self.service.tokens().live_access_tokens().len() + self.service.tokens().live_refresh_tokens().len()
    }

    pub(crate) fn fault(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.service.faults(ID).next(AtRevocation, faults);
    }

    pub(crate) fn revoke(&self, more: &[&str]) -> Result<(bool, String)> {
        self.host.output(&[&["revoke", "--provider", ID, "--per-minute", "6000"], more].concat())
    }

    pub(crate) async fn statuses(&self) -> Result<Vec<String>> {
        let list = self.owner.visit("/api/0/organizations/acme/integrations/").await?.json()?;
        let list = list.as_array().context("a list")?;
        Ok(list.iter().map(|one| one["status"].as_str().unwrap_or_default().to_owned()).collect())
    }

    pub(crate) async fn revocations(&self) -> Result<Vec<Revocation>> {
        Ok(AppDatabase::of(&self.host).await?.revocations().await?)
    }

    pub(crate) async fn settled(&self) -> Result<Vec<Revocation>> {
        AppDatabase::of(&self.host).await?.settled().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_counted_first_and_a_dry_run_changes_nothing() -> Result<()> {
    let app = BulkRevocationApp::with(3, "").await?;
    let mut printed = Vec::new();
    for (arguments, is_well) in [(&["--dry-run"][..], true), (&[], false)] {
        let (well, said) = app.revoke(arguments)?;
        assert_eq!(well, is_well, "{said}");
        printed.push(redacted(&said));
    }
    assert_snapshot!(printed.join("\n"), @"
    provider       acme-crm
    organizations  1
    integrations   3, removed
    grants         3
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own

    provider       acme-crm
    organizations  1
    integrations   3, removed
    grants         3
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    error: nothing is changed
      help: say --yes, or run this on a terminal and be asked
    ");
    assert_eq!((app.statuses().await?.len(), app.live(), app.service.faults(ID).requests(AtRevocation)), (3, 6, 0));
    assert!(app.revocations().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_are_revoked_one_after_the_other_and_what_is_refused_is_reported_and_taken_up_again() -> Result<()> {
    let app = BulkRevocationApp::with(30, "").await?;
    let refused = || Some(Fault::Refused { error: "invalid_client".to_owned() });
    let faults = [None, None, refused(), None, None, Some(Fault::TooManyRequests { retry_after: 1 })];
    // For all requests of the command. The running host also looks for revocations, and is refused.
    app.fault(faults.into_iter().chain(vec![None; 56]));
    app.service.faults(ID).always(AtRevocation, refused());
    let (well, said) = app.revoke(&["--yes"])?;
    assert!(!well, "one is left: {said}");
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    organizations  1
    integrations   30, removed
    grants         30
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    [1/30] A0 (0): revoked: access: refresh token revoked, access token revoked
    [2/30] A1 (1): not revoked yet: access: refresh token not revoked: the revocation endpoint answered status 400: invalid_client, access token revoked
      the provider wants a pause of 1 s: access: refresh token revoked, access token not revoked: the revocation endpoint answered status 429: later
    [3/30] A2 (2): revoked: access: refresh token revoked, access token revoked
    [4/30] A3 (3): revoked: access: refresh token revoked, access token revoked
    [5/30] A4 (4): revoked: access: refresh token revoked, access token revoked
    [6/30] A5 (5): revoked: access: refresh token revoked, access token revoked
    [7/30] A6 (6): revoked: access: refresh token revoked, access token revoked
    [8/30] A7 (7): revoked: access: refresh token revoked, access token revoked
    [9/30] A8 (8): revoked: access: refresh token revoked, access token revoked
    [10/30] A9 (9): revoked: access: refresh token revoked, access token revoked
    [11/30] A10 (10): revoked: access: refresh token revoked, access token revoked
    [12/30] A11 (11): revoked: access: refresh token revoked, access token revoked
    [13/30] A12 (12): revoked: access: refresh token revoked, access token revoked
    [14/30] A13 (13): revoked: access: refresh token revoked, access token revoked
    [15/30] A14 (14): revoked: access: refresh token revoked, access token revoked
    [16/30] A15 (15): revoked: access: refresh token revoked, access token revoked
    [17/30] A16 (16): revoked: access: refresh token revoked, access token revoked
    [18/30] A17 (17): revoked: access: refresh token revoked, access token revoked
    [19/30] A18 (18): revoked: access: refresh token revoked, access token revoked
    [20/30] A19 (19): revoked: access: refresh token revoked, access token revoked
    [21/30] A20 (20): revoked: access: refresh token revoked, access token revoked
    [22/30] A21 (21): revoked: access: refresh token revoked, access token revoked
    [23/30] A22 (22): revoked: access: refresh token revoked, access token revoked
    [24/30] A23 (23): revoked: access: refresh token revoked, access token revoked
    [25/30] A24 (24): revoked: access: refresh token revoked, access token revoked
    [26/30] A25 (25): revoked: access: refresh token revoked, access token revoked
    [27/30] A26 (26): revoked: access: refresh token revoked, access token revoked
    [28/30] A27 (27): revoked: access: refresh token revoked, access token revoked
    [29/30] A28 (28): revoked: access: refresh token revoked, access token revoked
    [30/30] A29 (29): revoked: access: refresh token revoked, access token revoked

    revoked            29
    not revoked yet    1
      A1 (1): access: refresh token not revoked: the revocation endpoint answered status 400: invalid_client, access token revoked
    [time]  INFO a revocation is at its end revocation.id=31 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  WARN not revoked yet; it is tried again revocation.id=32 provider.id="acme-crm" reason="operator" answer="access: refresh token not revoked: the revocation endpoint answered status 400: invalid_client, access token revoked" retry_at=[time]
    [time]  WARN not revoked yet; it is tried again revocation.id=33 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token not revoked: the revocation endpoint answered status 429: later" retry_at=[time]
    [time]  INFO a revocation is at its end revocation.id=33 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=34 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=35 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=36 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=37 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=38 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=39 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=40 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=41 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=42 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=43 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=44 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=45 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=46 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=47 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=48 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=49 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=50 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=51 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=52 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=53 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=54 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=55 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=56 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=57 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=58 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=59 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=60 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    error: not all of it is revoked: a running host goes on trying, and this command can be run again
    "#);
    // The access token of the refused one was revoked all the same.
    assert_eq!((app.statuses().await?.len(), app.live()), (0, 1));
    app.service.faults(ID).always(AtRevocation, None);
    let (well, said) = app.revoke(&["--yes"])?;
    assert!(well);
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    organizations  0
    integrations   0, removed
    grants         0
    from before    1: out of use already, and not revoked
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    [1/1] A1 (1): revoked: access: refresh token revoked, access token revoked

    revoked            1
    [time]  INFO a revocation is at its end revocation.id=32 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    "#);
    assert_eq!(app.live(), 0);
    assert!(app.revocations().await?.iter().all(|one| one.reason == Reason::Operator));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn integrations_can_be_kept_for_their_people_to_authenticate_again() -> Result<()> {
    let app = BulkRevocationApp::with(2, "").await?;
    let (well, said) = app.revoke(&["--yes", "--keep"])?;
    assert!(well);
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    organizations  1
    integrations   2, kept, to be authenticated again
    grants         2
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    [1/2] A0 (0): revoked: access: refresh token revoked, access token revoked
    [2/2] A1 (1): revoked: access: refresh token revoked, access token revoked

    revoked            2
    [time]  INFO a revocation is at its end revocation.id=3 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=4 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    "#);
    assert_eq!((app.live(), app.statuses().await?), (0, vec!["needs-reauthentication".to_owned(); 2]));
    app.connect(0).await?;
    assert_eq!(app.statuses().await?.iter().filter(|status| *status == "active").count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_organization_loses_its_own_and_what_it_shares_stays_the_others() -> Result<()> {
    let app = BulkRevocationApp::with(2, "").await?;
    app.share().await?;
    let (well, said) = app.revoke(&["--yes", "--organization", "acme"])?;
    assert!(well);
    assert_snapshot!(redacted(&said), @r#"
    provider       acme-crm
    organizations  1
    integrations   2, removed
      shared       1: other organizations use them too, and keep theirs
    grants         2
    revoked        at http://127.0.0.1:[port]/acme-crm/acme-crm.example/revoke, or by a way of the plugin's own
    [1/2] A0 (0): revoked: access: refresh token revoked, access token revoked
    [2/2] A1 (1): revoked: access: refresh token revoked, access token revoked

    revoked            2
    [time]  INFO a revocation is at its end revocation.id=4 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    [time]  INFO a revocation is at its end revocation.id=5 provider.id="acme-crm" reason="operator" answer="access: refresh token revoked, access token revoked" effect=Revoked
    "#);
    assert_eq!(app.statuses().await?.len(), 0);
    let other = app.owner.visit("/api/0/organizations/other/integrations/").await?.json()?;
    assert_eq!(other[0]["status"], "active");
    assert!(!app.revoke(&["--organization", "nobody"])?.0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_install_revokes_the_old_token_where_that_ends_nothing_else() -> Result<()> {
    let mut answers = Vec::new();
    for (more, left) in [("revokes-single-tokens = true", 2), ("", 4)] {
        let app = BulkRevocationApp::with(1, more).await?;
        app.connect(0).await?;
        let done = app.settled().await?;
        assert_eq!((done.len(), done[0].reason, app.live()), (1, Reason::Replaced, left), "{more}: {done:?}");
        answers.push(done[0].answer.clone().unwrap_or_default());
        assert_eq!(app.statuses().await?, ["active"]);
    }
    assert_snapshot!(answers.join("\n"), @"
    access: refresh token revoked, access token revoked
    access: left alone: the account is connected, and revoking this could end that connection
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_setup_fails_is_revoked() -> Result<()> {
    let app = BulkRevocationApp::with(0, "").await?;
    app.service.change(ID, |profile| profile.account_answer = "{}".to_owned());
    assert!(install(&app.owner, ID).await.is_err());
    let done = app.settled().await?;
    assert_eq!((done[0].reason, app.live()), (Reason::Orphaned, 0));
    Ok(())
}
