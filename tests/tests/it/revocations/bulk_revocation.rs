//! The bad app: everything of a provider is given up at once. And what RFC 7009 revokes of a provider that is only declared.

use anyhow::{Context, Result};
use jackfield_store::revocations::{Reason, Revocation};
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    stand_in::{Endpoint::Revocation as AtRevocation, Fault},
    stand_in_oauth2::StandInOAuth2,
};

use crate::{
    app::{AppDatabase, bare},
    providers::declared::{declaration_of, host_and_owner, http, install, service_of},
};

pub(crate) const ID: &str = "acme-crm";

/// What names its endpoint.
pub(crate) const REVOCATION: &str = "revocation-url = \"https://acme-crm.example/revoke\"\n";

/// A declared provider with a revocation endpoint, and a person who connects accounts of it.
pub(crate) struct BulkRevocationApp {
    pub(crate) service: StandInOAuth2,
    pub(crate) host: Host,
    pub(crate) owner: HttpClient,
}

impl BulkRevocationApp {
    pub(crate) async fn with(accounts: usize, more: &str) -> Result<Self> {
        Self::declared(accounts, &format!("{REVOCATION}{more}")).await
    }

    /// As it is declared: its revocation endpoint may be left out.
    pub(crate) async fn declared(accounts: usize, more: &str) -> Result<Self> {
        let dialect = service_of(ID, |dialect| {
            dialect.revocation = Some(format!("https://{ID}.example/revoke"));
            dialect.token_answer = r#"{"access_token": "TOKEN", "refresh_token": "REFRESH"}"#.to_owned();
        })?;
        let service = StandInOAuth2::start([dialect].into()).await?;
        let (host, owner) = host_and_owner(&service, &declaration_of(&service, ID, more)).await?;
        let app = Self { service, host, owner };
        for account in 0..accounts {
            app.connect(account).await?;
        }
        Ok(app)
    }

    /// Starts the host again with another declaration.
    pub(crate) fn restart(mut self, more: &str) -> Result<Self> {
        let declared = declaration_of(&self.service, ID, more);
        self.host = self.host.restart(bare().toml(&http(&self.service)).toml(&declared))?;
        Ok(self)
    }

    pub(crate) async fn connect(&self, account: usize) -> Result<()> {
        self.service
            .change(ID, |dialect| dialect.account_answer = format!(r#"{{"id": {account}, "name": "A{account}"}}"#));
        install(&self.owner, ID).await
    }

    /// Links the account that is connected last to another organization as well.
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
    for (arguments, is_well) in [(&["--dry-run"][..], true), (&[], false)] {
        let (well, said) = app.revoke(arguments)?;
        assert_eq!(well, is_well, "{said}");
        assert!(said.contains("integrations   3, removed") && said.contains("grants         3"), "{said}");
        assert!(said.contains("organizations  1") && said.contains("/revoke, or by a way"), "{said}");
        assert!(is_well || said.contains("nothing is changed: say --yes"), "{said}");
    }
    assert_eq!((app.statuses().await?.len(), app.live(), app.service.faults(ID).requests(AtRevocation)), (3, 6, 0));
    assert!(app.revocations().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_are_revoked_one_after_the_other_and_what_is_refused_is_reported_and_taken_up_again() -> Result<()> {
    let app = BulkRevocationApp::with(30, "").await?;
    let refused = || Some(Fault::Refused { error: "invalid_client".to_owned() });
    let told = [None, None, refused(), None, None, Some(Fault::TooManyRequests { retry_after: 1 })];
    // All that the command asks; the host beside it, which looks now and then, is refused as well.
    app.fault(told.into_iter().chain(vec![None; 56]));
    app.service.faults(ID).always(AtRevocation, refused());
    let (well, said) = app.revoke(&["--yes"])?;
    assert!(!well, "one is left: {said}");
    assert!(said.contains("[30/30] A29 (29): revoked: access: refresh token revoked, access token revoked"), "{said}");
    assert!(said.contains("the provider wants a pause of 1 s"), "{said}");
    assert!(
        said.contains("revoked            29") && said.contains("not revoked yet    1\n  A1 (1): access: "),
        "{said}"
    );
    assert!(said.contains("invalid_client") && said.contains("can be run again"), "{said}");
    // The access token of the one was asked for nevertheless.
    assert_eq!((app.statuses().await?.len(), app.live()), (0, 1));
    app.service.faults(ID).always(AtRevocation, None);
    let (well, said) = app.revoke(&["--yes"])?;
    assert!(well && said.contains("from before    1") && said.contains("revoked            1"), "{said}");
    assert_eq!(app.live(), 0);
    assert!(app.revocations().await?.iter().all(|one| one.reason == Reason::Operator));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn integrations_can_be_kept_for_their_people_to_authenticate_again() -> Result<()> {
    let app = BulkRevocationApp::with(2, "").await?;
    let (well, said) = app.revoke(&["--yes", "--keep"])?;
    assert!(well && said.contains("2, kept, to be authenticated again"), "{said}");
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
    assert!(well && said.contains("shared       1") && said.contains("revoked            1"), "{said}");
    assert_eq!(app.statuses().await?.len(), 0);
    let other = app.owner.visit("/api/0/organizations/other/integrations/").await?.json()?;
    assert_eq!(other[0]["status"], "active");
    assert!(!app.revoke(&["--organization", "nobody"])?.0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_install_revokes_the_old_token_where_that_ends_nothing_else() -> Result<()> {
    for (more, left) in [("revokes-single-tokens = true", 2), ("", 4)] {
        let app = BulkRevocationApp::with(1, more).await?;
        app.connect(0).await?;
        let done = app.settled().await?;
        assert_eq!((done.len(), done[0].reason, app.live()), (1, Reason::Replaced, left), "{more}: {done:?}");
        let is_left = done[0].answer.as_deref().unwrap_or_default().contains("left alone: the account is connected");
        assert_eq!(is_left, more.is_empty(), "{done:?}");
        assert_eq!(app.statuses().await?, ["active"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_setup_fails_is_revoked() -> Result<()> {
    let app = BulkRevocationApp::with(0, "").await?;
    app.service.change(ID, |dialect| dialect.account_answer = "{}".to_owned());
    assert!(install(&app.owner, ID).await.is_err());
    let done = app.settled().await?;
    assert_eq!((done[0].reason, app.live()), (Reason::Orphaned, 0));
    Ok(())
}
