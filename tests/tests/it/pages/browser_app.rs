//! A host and a browser: what the tests of pages start from.

use std::ops::Deref;
use std::time::Duration;

use anyhow::{Context, Result};
use jackfield_test_support::{
    browser::{Browser, WindowHandle, fresh_browser},
    host::HostBuilder,
    stand_in::{Endpoint, Fault},
    stand_in_slack::Consent,
};

use crate::app::{PASSWORD, TestApp};

/// A host and a browser, with a user of a role logged in at the integrations page.
pub(crate) struct BrowserApp {
    pub(crate) base: TestApp,
    pub(crate) browser: Browser,
}

impl Deref for BrowserApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

/// The longest journey.
const SITTING: Duration = Duration::from_secs(150);

/// Runs a test in a browser. ChromeDriver sometimes never answers when a window closes itself; only
/// then the test is run once more.
pub(crate) async fn in_browser(
    role: &str,
    change: impl Fn(HostBuilder) -> HostBuilder,
    test: impl AsyncFn(&BrowserApp) -> Result<()>,
) -> Result<()> {
    for _ in 0..2 {
        let Some(app) = BrowserApp::with(role, &change).await? else { return Ok(()) };
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

impl BrowserApp {
    /// Path of the page of the Slack integration.
    pub(crate) async fn slack_page(&self, owner: &jackfield_test_support::http_client::HttpClient) -> Result<String> {
        let all = self.list_integrations(owner).await?;
        let slack = all.iter().find(|one| one["provider"]["id"] == "slack").context("it is installed")?;
        Ok(format!("/organizations/acme/integrations/{}/", slack["id"].as_str().unwrap_or_default()))
    }

    /// Slack refuses its refresh token when a client reads the token.
    pub(crate) async fn slack_ends_the_grant(&self, page: &str) -> Result<()> {
        self.database().await?.let_live("T0STANDIN", "bot", time::Duration::seconds(-1)).await?;
        self.slack.faults().next(Endpoint::Refresh, [Some(Fault::Refused { error: "invalid_grant".into() })]);
        let token = self.host.token("acme", &["integrations:token"])?;
        let client = jackfield_test_support::http_client::HttpClient::new(&self.host.url);
        let asked = client.request(reqwest::Method::GET, &format!("/api/0{page}token/")).bearer_auth(token.trim());
        assert_eq!(client.send(asked).await?.status, 409);
        Ok(())
    }

    /// With a changed host. `None`, after a loud message, where there is no browser.
    async fn with(role: &str, change: impl FnOnce(HostBuilder) -> HostBuilder) -> Result<Option<Self>> {
        let Some(browser) = fresh_browser().await else { return Ok(None) };
        let app = TestApp::start_with("v2", None, change).await?;
        app.slack.behave(|behaviour| behaviour.consent = Consent::Ask);
        app.log_in_as(role).await?;
        let app = Self { base: app, browser };
        app.browser.open(&app.host.at("/organizations/acme/integrations/")).await?;
        app.log_in(role).await?;
        Ok(Some(app))
    }

    pub(crate) async fn log_in(&self, role: &str) -> Result<()> {
        self.browser.fill("#email", &format!("{role}@example.com")).await?;
        self.browser.fill("#password", PASSWORD).await?;
        self.browser.click("button.primary").await?;
        self.browser.find(".ref-organization-integrations").await.map(drop)
    }

    pub(crate) async fn open_menu_and_choose(&self, provider: &str) -> Result<()> {
        self.browser.click("#add").await?;
        self.browser.click(&format!("#add-menu a[data-setup*='/{provider}/']")).await
    }

    /// Adds Example in the pop-up, and returns to the page.
    pub(crate) async fn add_example(&self, name: &str) -> Result<()> {
        let page = self.browser.window().await?;
        self.open_menu_and_choose("example").await?;
        self.name_example(&page, name).await
    }

    /// Fills in Example's form in the new pop-up.
    pub(crate) async fn name_example(&self, page: &WindowHandle, name: &str) -> Result<()> {
        self.browser.switch_to_popup(page).await?;
        self.browser.fill("input[name=name]", name).await?;
        self.browser.click_and_leave("button[type=submit]").await?;
        self.browser.switch_to(page).await
    }

    /// Opens Slack's consent page as a full page, as when pop-ups are blocked.
    pub(crate) async fn slack_as_a_full_page(&self) -> Result<()> {
        self.browser.run("window.open = () => null").await?;
        self.open_menu_and_choose("slack").await?;
        self.browser.find("button[value=allow]").await.map(drop)
    }

    /// Checks a page at three widths.
    pub(crate) async fn look(&self, what: &str) -> Result<()> {
        look(&self.browser, what).await
    }

    pub(crate) async fn quiet(&self) -> Result<()> {
        self.browser.assert_quiet(&[&self.host.url, &self.slack.url("")]).await
    }
}

/// Checks a page at three widths, light and dark: no accessibility violation, no horizontal
/// scrolling. Saves screenshots in the folder `JACKFIELD_SCREENSHOTS`, if set.
pub(crate) async fn look(browser: &Browser, what: &str) -> Result<()> {
    for (width, is_dark) in [(1440, false), (800, true), (360, false), (360, true), (800, false), (1440, true)] {
        browser.emulate(width, is_dark).await?;
        if let Some(folder) = std::env::var_os("JACKFIELD_SCREENSHOTS") {
            let scheme = if is_dark { "dark" } else { "light" };
            let file = std::path::Path::new(&folder).join(format!("{what}-{width}-{scheme}.png"));
            std::fs::write(file, browser.screenshot().await?)?;
        }
        let violations = browser.accessibility().await?;
        anyhow::ensure!(violations.is_empty(), "{what} at {width}: {}", violations.join("\n\n"));
        let is_wide = browser.run("return document.documentElement.scrollWidth > window.innerWidth").await?;
        anyhow::ensure!(is_wide == false, "{what} scrolls sideways at {width}");
    }
    browser.emulate(1200, false).await
}
