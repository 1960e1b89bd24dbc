//! Setups that log in at two authorization servers, or at one after a page of the service: a
//! response of one is not used for the other, is in no URL of a page, and its tokens are revoked if
//! the setup fails.

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    stand_in::{Endpoint, Fault},
    stand_in_oauth2::{CLIENT, SECRET, StandInOAuth2},
};

use crate::{
    app::{AppDatabase, bare, owner_of_acme},
    providers::declared::{http, service_of},
};

const SETUP: &str = "/extensions/two-servers/setup/";

struct TwoServersApp {
    host: Host,
    service: StandInOAuth2,
    owner: HttpClient,
}

impl TwoServersApp {
    /// With steps in this order.
    async fn new(order: &[&str]) -> Result<Self> {
        let server =
            |id: &str| service_of(id, |profile| profile.revocation = Some(format!("https://{id}.example/revoke")));
        let service = StandInOAuth2::start([server("first")?, server("second")?].into_iter().collect()).await?;
        let mut options = format!("{}[two-servers]\norder = {order:?}\n", http(&service));
        for id in ["first", "second"] {
            options.push_str(&format!("[two-servers.{id}]\nclient-id = \"{CLIENT}\"\nclient-secret = \"{SECRET}\"\n"));
            for (key, path) in [("authorize-url", "authorize"), ("token-url", "token"), ("revocation-url", "revoke")] {
                let url = service.url_of(id, &format!("https://{id}.example/{path}"));
                options.push_str(&format!("{key} = \"{url}\"\n"));
            }
        }
        let host = bare().plugin("two_servers").toml(&options).start()?;
        let owner = owner_of_acme(&host).await?;
        Ok(Self { host, service, owner })
    }

    /// Consents at the server of a redirect, and returns the URL that leads back.
    async fn consent(&self, at: &str, step: &HttpResponse) -> Result<String> {
        let server = self.service.url_of(at, &format!("https://{at}.example/authorize?"));
        let leads_there = step.redirect()?.as_str().starts_with(&server);
        anyhow::ensure!(leads_there, "{at}: {:?}", step.location);
        self.owner.consent(step).await
    }

    fn setup_url(&self) -> String {
        format!("{}{SETUP}", self.host.url)
    }

    fn live(&self, id: &str) -> usize {
        let prefix = format!("access-{id}-");
        self.service.tokens().live_access_tokens().iter().filter(|token| token.starts_with(&prefix)).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_are_gone_through_one_after_the_other() -> Result<()> {
    let app = TwoServersApp::new(&["first", "second"]).await?;
    let step = app.owner.start_setup("acme", "two-servers").await?;
    let back = app.consent("first", &step).await?;
    let step = app.owner.visit(&back).await?;
    let back = app.consent("second", &step).await?;
    let dialog = app.owner.visit(&back).await?.dialog()?;
    assert!(dialog.success, "{}\n{}", dialog.detail(), app.host.log()?);
    let (grant, tokens) = AppDatabase::of(&app.host).await?.grants("both").await?.remove(0);
    assert!(grant.name == "access" && tokens.access_token.starts_with("access-second-"));
    assert_eq!(tokens.step, "oauth2-2", "the first server gets no request with the other's tokens");
    assert_eq!(app.owner.visit(&back).await?.status_and_location(), (302, "/"));
    Ok(())
}

/// RFC 9700 section 4.3: code and state disappear from address bar, history and `Referer`.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_after_a_callback_is_shown_at_a_url_without_code_and_state() -> Result<()> {
    let app = TwoServersApp::new(&["first", "ask", "second"]).await?;
    let step = app.owner.start_setup("acme", "two-servers").await?;
    let back = app.consent("first", &step).await?;
    let response = app.owner.visit(&back).await?;
    assert_eq!(response.status_and_location(), (303, &*app.setup_url()));
    assert_eq!((response.header("cache-control"), response.header("referrer-policy")), ("no-store", "no-referrer"));
    let page = app.owner.visit(SETUP).await?;
    assert!(page.text.contains("0 parameters"), "{}", page.text);
    // A form at a URL that still has them posts to it.
    let query = url::Url::parse(&back)?.query().context("code and state")?.to_owned();
    let step = app.owner.post(&format!("{SETUP}?{query}"), &[("name", "Ada")]).await?;
    let step = if step.status == 302 { step } else { app.owner.visit(SETUP).await? };
    let back = app.consent("second", &step).await?;
    let dialog = app.owner.visit(&back).await?.dialog()?;
    assert!(dialog.success, "{}\n{}", dialog.detail(), app.host.log()?);
    let grants = AppDatabase::of(&app.host).await?.grants("both").await?;
    let mut names: Vec<_> = grants.iter().map(|(grant, tokens)| (&*grant.name, &*tokens.step)).collect();
    names.sort_unstable();
    assert_eq!(names, [("first", ""), ("second", "oauth2-2")]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_services_own_page_leads_back_with_is_no_answer_to_a_log_in_that_was_not_begun() -> Result<()> {
    // As GitHub does when it authorizes during the installation of an app.
    let app = TwoServersApp::new(&["away", "first"]).await?;
    for response in ["code=theirs&state=theirs", "error=denied"] {
        let step = app.owner.start_setup("acme", "two-servers").await?;
        assert_eq!(step.redirect()?.as_str(), "https://elsewhere.example/");
        let step = app.owner.visit(&format!("{SETUP}?installed=1&{response}")).await?;
        let back = app.consent("first", &step).await?;
        let dialog = app.owner.visit(&back).await?.dialog()?;
        assert!(dialog.success, "{response}: {}\n{}", dialog.detail(), app.host.log()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_servers_token_is_revoked_when_nothing_comes_of_the_second() -> Result<()> {
    for order in [&["first", "second"][..], &["first", "keep", "second"], &["first", "ask", "second"]] {
        let app = TwoServersApp::new(order).await?;
        app.service.faults("second").always(Endpoint::Exchange, Some(Fault::ServerError));
        let mut step = app.owner.start_setup("acme", "two-servers").await?;
        let back = app.consent("first", &step).await?;
        step = app.owner.visit(&back).await?;
        if step.status == 303 {
            app.owner.post(SETUP, &[("name", "Ada")]).await?;
            step = app.owner.visit(SETUP).await?;
        }
        let back = app.consent("second", &step).await?;
        assert_eq!(app.live("first"), 1);
        assert!(!app.owner.visit(&back).await?.dialog()?.success);
        AppDatabase::of(&app.host).await?.settled().await.with_context(|| format!("{order:?}"))?;
        assert_eq!(app.live("first"), 0, "{order:?}");
    }
    Ok(())
}
