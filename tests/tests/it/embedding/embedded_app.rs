//! A host, a program's site of another origin, and a browser: what the tests of embedding start
//! from.

use std::{ops::Deref, time::Duration};

use anyhow::{Context, Result, ensure};
use jackfield_store::{organization_settings, organizations};
use jackfield_test_support::{
    browser::{Browser, WindowHandle, fresh_browser},
    host::Host,
    stand_in_slack::Consent,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::program_site::ProgramSite;
use crate::app::{ApiClient, TestApp};

const API: &str = "/api/0/organizations/acme";

/// A host, a program's site, and a browser in which nobody is logged in.
pub(super) struct EmbeddedApp {
    base: TestApp,
    pub(super) site: ProgramSite,
    program: ApiClient,
    pub(super) browser: Browser,
}

impl Deref for EmbeddedApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

/// The longest journey.
const SITTING: Duration = Duration::from_secs(150);

/// Runs a test at a page of the program. ChromeDriver sometimes never answers when a window closes
/// itself; only then the test is run once more.
pub(super) async fn in_program(test: impl AsyncFn(&EmbeddedApp) -> Result<()>) -> Result<()> {
    for _ in 0..2 {
        let Some(app) = EmbeddedApp::start().await? else { return Ok(()) };
        match tokio::time::timeout(SITTING, test(&app)).await {
            Ok(result) => {
                result?;
                return app.browser.close().await;
            }
            Err(_) => eprintln!("*** the browser does not answer any more: the test is begun once more"),
        }
    }
    anyhow::bail!("the browser stopped answering twice")
}

/// Lets pages of an origin embed those of `acme`.
pub(super) async fn allow_origin(host: &Host, origin: &str) -> Result<()> {
    let (store, origin) = (host.store().await?, origin.to_owned());
    let allow = move |tx: &mut jackfield_store::Tx<'_>| {
        let Some(acme) = organizations::by_slug(tx, "acme")? else { return Ok(false) };
        let mut settings = organization_settings::lock(tx, acme.id)?;
        settings.allowed_origins.push(origin);
        organization_settings::put(tx, acme.id, &settings)?;
        Ok(true)
    };
    ensure!(store.write(allow).await?, "there is no acme");
    Ok(())
}

impl EmbeddedApp {
    /// `None`, after a loud message, where there is no browser.
    async fn start() -> Result<Option<Self>> {
        let Some(browser) = fresh_browser().await else { return Ok(None) };
        let base = TestApp::start().await?;
        base.slack.behave(|behaviour| behaviour.consent = Consent::Ask);
        let site = ProgramSite::of(&base.host.url).await?;
        allow_origin(&base.host, &site.origin()).await?;
        let token = base.host.token("acme", &["integrations:connect", "org:read"])?;
        let program = ApiClient::with_token(&base.host, &token);
        let app = Self { base, site, program, browser };
        Ok(Some(app))
    }

    /// Makes a session of the program's page; `more` changes what it asks for. Returns it.
    pub(super) async fn session(&self, more: &Value) -> Result<Value> {
        let mut body = json!({"providers": ["example"], "origin": self.site.origin(), "subject": {"id": "c7"}});
        let fields = body.as_object_mut().context("an object")?;
        fields.extend(more.as_object().cloned().unwrap_or_default());
        fields.retain(|_, value| !value.is_null());
        let request = self.program.request(Method::POST, &format!("{API}/connect-sessions/"));
        let made = self.program.send(request.json(&body)).await?;
        ensure!(made.status == 201, "{}", made.text);
        made.json()
    }

    /// The link of a new session.
    pub(super) async fn link(&self, more: &Value) -> Result<String> {
        Ok(self.session(more).await?["url"].as_str().context("a URL")?.to_owned())
    }

    /// What the API says of a session.
    pub(super) async fn session_now(&self, session: &Value) -> Result<Value> {
        let id = session["id"].as_str().context("an id")?;
        self.program.get(&format!("{API}/connect-sessions/{id}/")).await?.json()
    }

    /// Ends a session, as the program would.
    pub(super) async fn end(&self, session: &Value) -> Result<()> {
        let path = format!("{API}/connect-sessions/{}/", session["id"].as_str().context("an id")?);
        ensure!(self.program.send(self.program.request(Method::DELETE, &path)).await?.status == 204);
        Ok(())
    }

    /// The names of the integrations that the program has.
    pub(super) async fn connected(&self) -> Result<Vec<String>> {
        let list = self.program.get(&format!("{API}/integrations/")).await?.json()?;
        let names =
            list.as_array().into_iter().flatten().map(|one| one["name"].as_str().unwrap_or_default().to_owned());
        Ok(names.collect())
    }

    /// Opens a page of the program that connects with these options.
    pub(super) async fn open_program(&self, path: &str, options: &Value) -> Result<WindowHandle> {
        let browser = &self.browser;
        browser.open(&self.site.at(path)).await?;
        browser.until("return window.isLoaded === true", Vec::new(), "the script is not loaded").await?;
        browser.run(&format!("window.options = {options}")).await?;
        browser.window().await
    }

    /// Clicks the program's button, and drives the window that opens.
    pub(super) async fn open_popup(&self, program: &WindowHandle) -> Result<WindowHandle> {
        self.browser.click("#connect").await?;
        self.browser.switch_to_popup(program).await
    }

    /// Opens the program's page and its window, at a link.
    pub(super) async fn popup_of(&self, link: &str) -> Result<(WindowHandle, WindowHandle)> {
        let program = self.open_program("/", &json!({"url": link})).await?;
        let popup = self.open_popup(&program).await?;
        Ok((program, popup))
    }

    /// Chooses Example at the host's page, and names an account.
    pub(super) async fn name_example(&self, name: &str) -> Result<()> {
        self.browser.click("form button[type=submit]").await?;
        self.browser.fill("input[name=name]", name).await?;
        self.browser.click_and_leave("button[type=submit]").await
    }

    /// Waits until the program's page says something.
    pub(super) async fn says(&self, program: &WindowHandle, words: &str) -> Result<()> {
        self.browser.switch_to(program).await?;
        self.browser.wait_for_text("#state", words).await
    }
}
