//! Journeys of a user in a real browser.

use std::ops::Deref;
use std::time::Duration;

use anyhow::{Context, Result};
use jackfield_test_support::{
    browser::{Browser, WindowHandle, fresh_browser},
    host::HostBuilder,
    stand_in::{Endpoint, Fault, Rotation},
    stand_in_oauth2::{CLIENT, SECRET},
    stand_in_slack::Consent,
};

use crate::{
    app::{PASSWORD, TestApp, add_example, log_in},
    providers::gitlab::{GitLabApp, allowed},
};

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
    async fn slack_page(&self, owner: &jackfield_test_support::http_client::HttpClient) -> Result<String> {
        let all = self.list_integrations(owner).await?;
        let slack = all.iter().find(|one| one["provider"]["id"] == "slack").context("it is installed")?;
        Ok(format!("/organizations/acme/integrations/{}/", slack["id"].as_str().unwrap_or_default()))
    }

    /// Slack refuses its refresh token when a client reads the token.
    async fn slack_ends_the_grant(&self, page: &str) -> Result<()> {
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

    async fn log_in(&self, role: &str) -> Result<()> {
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
    async fn add_example(&self, name: &str) -> Result<()> {
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

    /// Checks a page at three widths, light and dark: no accessibility violation, no horizontal
    /// scrolling. Saves screenshots in the folder `JACKFIELD_SCREENSHOTS`, if set.
    async fn look(&self, what: &str) -> Result<()> {
        for (width, is_dark) in [(1440, false), (800, true), (360, false), (360, true), (800, false), (1440, true)] {
            self.browser.emulate(width, is_dark).await?;
            if let Some(folder) = std::env::var_os("JACKFIELD_SCREENSHOTS") {
                let scheme = if is_dark { "dark" } else { "light" };
                let file = std::path::Path::new(&folder).join(format!("{what}-{width}-{scheme}.png"));
                std::fs::write(file, self.browser.screenshot().await?)?;
            }
            let violations = self.browser.accessibility().await?;
            anyhow::ensure!(violations.is_empty(), "{what} at {width}: {}", violations.join("\n\n"));
            let is_wide = self.browser.run("return document.documentElement.scrollWidth > window.innerWidth").await?;
            anyhow::ensure!(is_wide == false, "{what} scrolls sideways at {width}");
        }
        self.browser.emulate(1200, false).await
    }

    pub(crate) async fn quiet(&self) -> Result<()> {
        self.browser.assert_quiet(&[&self.host.url, &self.slack.url("")]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn example_is_added_through_the_pop_up_and_appears_without_a_reload() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            browser.wait_for_text(".empty", "No integrations yet").await?;
            browser.run("window.notReloaded = true").await?;
            for name in ["middle", "Alpha", "zulu"] {
                app.add_example(name).await?;
                browser.wait_for_text(".notice.success", &format!("({name}) is connected.")).await?;
            }
            let names =
                browser.run("return [...document.querySelectorAll('.rows a')].map((link) => link.innerText)").await?;
            assert_eq!(names, serde_json::json!(["Alpha", "middle", "zulu"]), "each in its place by name");
            assert_eq!(browser.run("return window.notReloaded").await?, true);
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

/// Browsers apply `form-action` to the redirects of a form, and it cannot name an instance that the
/// form itself asks for.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_a_form_names_is_reached_from_the_form_and_connected() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let (browser, own) = (&app.browser, GitLabApp::new(allowed).await?);
            browser.open(&own.host.at("/organizations/acme/integrations/")).await?;
            app.log_in("owner").await?;
            browser.run("window.open = () => null").await?;
            app.open_menu_and_choose("gitlab").await?;
            browser.fill("input[name=url]", &own.url).await?;
            browser.fill("input[name=client-id]", CLIENT).await?;
            browser.fill("input[name=client-secret]", SECRET).await?;
            browser.click("button[type=submit]").await?;
            browser.wait_for_text("h1", "GitLab is connected").await?;
            browser
                .assert_quiet(&[&app.host.url, &own.host.url, &format!("http://127.0.0.1:{}", own.service.port())])
                .await
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_is_added_through_its_consent_page() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let hostile = "</script><img src=x onerror=alert(1)> & \"Co\"";
            app.slack.behave(|behaviour| behaviour.team_name = hostile.to_owned());
            let browser = &app.browser;
            let page = browser.window().await?;
            app.open_menu_and_choose("slack").await?;
            browser.switch_to_popup(&page).await?;
            browser.wait_for_text("main", hostile).await?;
            browser.click_and_leave("button[value=allow]").await?;
            browser.switch_to(&page).await?;
            browser.wait_for_text(".notice.success", hostile).await?;
            browser.wait_for_text(".rows a", hostile).await?;
            browser.click(".rows a").await?;
            browser.wait_for_text(".facts", "hidden").await?;
            browser.wait_for_text("h1", hostile).await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_consent_is_told_until_it_is_dismissed() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            let page = browser.window().await?;
            app.open_menu_and_choose("slack").await?;
            browser.switch_to_popup(&page).await?;
            browser.click_and_leave("button[value=deny]").await?;
            browser.switch_to(&page).await?;
            browser.wait_for_text(".notice.error", "access_denied").await?;
            browser.click(".notice button[aria-label=Dismiss]").await?;
            browser.until("return document.querySelector('.notice') === null", Vec::new(), "the notice stays").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_pop_up_is_blocked_the_setup_goes_on_as_a_full_page_and_comes_back() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            app.slack_as_a_full_page().await?;
            browser.click("button[value=allow]").await?;
            browser.wait_for_text("h1", "Slack is connected").await?;
            browser.click("a.button").await?;
            browser.wait_for_text(".rows a", "Analytical Engines").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pop_up_that_the_person_closes_is_noticed_and_can_be_tried_again() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            let page = browser.window().await?;
            app.open_menu_and_choose("example").await?;
            browser.switch_to_popup(&page).await?;
            browser.find("input[name=name]").await?;
            browser.close_window().await?;
            browser.switch_to(&page).await?;
            browser.wait_for_text(".notice", "nothing was added").await?;
            browser.click(".notice button:not(.plain)").await?;
            app.name_example(&page, "second try").await?;
            browser.wait_for_text(".rows a", "second try").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_provider_cuts_the_opener_off_the_answer_comes_over_the_channel() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            app.slack.behave(|behaviour| behaviour.coop = true);
            let browser = &app.browser;
            let page = browser.window().await?;
            app.open_menu_and_choose("slack").await?;
            browser.switch_to_popup(&page).await?;
            browser.find("button[value=allow]").await?;
            assert_eq!(browser.run("return window.opener === null").await?, true, "the link is removed");
            browser.click_and_leave("button[value=allow]").await?;
            browser.switch_to(&page).await?;
            browser.wait_for_text(".notice.success", "Slack (Analytical Engines) is connected.").await?;
            browser.wait_for_text(".rows a", "Analytical Engines").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_is_configured_and_removed_after_a_confirmation() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            app.add_example("one").await?;
            browser.wait_for_text(".rows a", "one").await?;
            browser.click(".rows a").await?;
            browser.click("form.stack button").await?;
            browser.wait_for_text(".stack .error", "Enter a value.").await?;
            browser.assert_console_says("status of 422").await?;
            browser.fill("#field-1", "shown to people").await?;
            browser.click("form.stack button").await?;
            browser.wait_for_text(".notice.success", "Saved.").await?;
            browser
                .until("return document.querySelector('#field-1').value === 'shown to people'", Vec::new(), "not saved")
                .await?;
            browser.click("a.danger").await?;
            browser.wait_for_text("h1", "Remove Example (one)?").await?;
            browser.click("a.button").await?;
            browser.click("a.danger").await?;
            browser.click("button.danger").await?;
            browser.wait_for_text(".notice.success", "The integration was removed.").await?;
            browser.wait_for_text(".empty", "No integrations yet").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_no_buttons_that_would_fail() -> Result<()> {
    in_browser(
        "member",
        |host| host,
        async |app: &BrowserApp| {
            let owner = app.log_in_as("owner").await?;
            let browser = &app.browser;
            browser.wait_for_text(".empty", "Owners and managers").await?;
            add_example(&owner, "acme", "one").await?;
            browser.open(&app.host.at("/organizations/acme/integrations/")).await?;
            browser.click(".rows a").await?;
            browser.wait_for_text("h1", "one").await?;
            let buttons = browser.run("return document.querySelectorAll('main button, main a.button').length").await?;
            assert_eq!(buttons, 0);
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_comes_back_to_where_the_person_was() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            browser.open(&app.host.at("/account/")).await?;
            browser.wait_for_text(".empty", "None yet").await?;
            browser.click("nav button").await?;
            browser.wait_for_text("h1", "Log in").await?;
            browser.open(&app.host.at("/account/")).await?;
            browser.fill("#email", "owner@example.com").await?;
            browser.fill("#password", "wrong password").await?;
            browser.click("button.primary").await?;
            browser.wait_for_text(".notice.error", "That e-mail and password do not match.").await?;
            browser.fill("#password", PASSWORD).await?;
            browser.click("button.primary").await?;
            browser.wait_for_text("h1", "Your accounts at other services").await?;
            browser.assert_console_says("status of 401").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_identity_is_seen_and_unlinked() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            app.slack_as_a_full_page().await?;
            browser.click("button[value=allow]").await?;
            browser.wait_for_text("h1", "Slack is connected").await?;
            browser.open(&app.host.at("/account/")).await?;
            browser.wait_for_text(".rows", "U0ADA").await?;
            browser.click(".rows button").await?;
            browser.wait_for_text(".notice.success", "The account was unlinked.").await?;
            browser.wait_for_text(".empty", "None yet").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_add_two_providers() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            let page = app.host.at("/organizations/acme/integrations/");
            let first = browser.window().await?;
            let second = browser.new_tab().await?;
            browser.open(&page).await?;
            app.slack_as_a_full_page().await?;
            browser.switch_to(&first).await?;
            browser.run("window.open = () => null").await?;
            app.open_menu_and_choose("example").await?;
            browser.fill("input[name=name]", "from the first tab").await?;
            browser.switch_to(&second).await?;
            browser.click("button[value=allow]").await?;
            browser.wait_for_text("h1", "Slack is connected").await?;
            browser.switch_to(&first).await?;
            browser.click("button[type=submit]").await?;
            browser.wait_for_text("h1", "Example is connected").await?;
            browser.open(&page).await?;
            browser.wait_for_text(".rows", "Analytical Engines").await?;
            browser.wait_for_text(".rows", "from the first tab").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_with_the_keyboard_alone() -> Result<()> {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    const ESCAPE: &str = "\u{e00c}";
    const DOWN: &str = "\u{e015}";
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            let page = browser.window().await?;
            let focus = "return document.activeElement.innerText.trim()";
            for expected in ["Skip to the content", "Jackfield", "acme Inc", "Account", "Log out", "Add integration"] {
                browser.press(TAB).await?;
                assert_eq!(browser.run(focus).await?, expected);
            }
            browser.press(ENTER).await?;
            browser
                .until("return document.querySelector('#add-menu').matches(':popover-open')", Vec::new(), "no menu")
                .await?;
            assert_eq!(browser.run(focus).await?, "Example", "the focus is in the menu");
            browser.press(DOWN).await?;
            assert_eq!(browser.run(focus).await?, "Slack");
            browser.press(ESCAPE).await?;
            assert_eq!(browser.run(focus).await?, "Add integration", "and back where it was");
            browser.press(ENTER).await?;
            browser.press(ENTER).await?;
            browser.switch_to_popup(&page).await?;
            browser.find("input[name=name]").await?;
            assert_eq!(browser.run("return document.activeElement.name").await?, "name");
            browser.press("typed").await?;
            // The window closes itself while the driver uses it, and then the driver may never
            // answer.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(5), browser.press(ENTER)).await;
            browser.switch_to(&page).await?;
            browser.wait_for_text(".notice.success", "Example (typed) is connected.").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_an_accessibility_violation_in_light_or_dark() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let owner = log_in(&app.host, "owner@example.com").await?;
            let at = |path: &str| app.host.at(path);
            let list = at("/organizations/acme/integrations/");
            let browser = &app.browser;
            let look = |what| app.look(what);
            browser.open(&list).await?;
            look("empty").await?;
            for name in [
                "Analytical Engines",
                "a-very-long-name-without-any-place-to-break-it-so-that-it-has-to-wrap-somewhere-all-the-same",
            ] {
                add_example(&owner, "acme", name).await?;
            }
            app.slack.behave(|behaviour| behaviour.rotation = Rotation::SingleUse);
            app.slack_as_a_full_page().await?;
            look("stand-in-consent").await?;
            browser.click("button[value=allow]").await?;
            browser.wait_for_text("h1", "Slack is connected").await?;
            look("dialog-success").await?;
            browser.open(&list).await?;
            browser.find(".rows").await?;
            look("list").await?;
            browser.click("#add").await?;
            look("menu").await?;
            browser.open(&list).await?;
            browser.click(".rows li:nth-child(2) a").await?;
            browser.find(".facts").await?;
            look("details").await?;
            browser.click("form.stack button").await?;
            browser.wait_for_text(".stack .error", "Enter a value.").await.ok();
            look("details-error").await?;
            browser.click("a.danger").await?;
            look("remove").await?;
            let slack = app.slack_page(&owner).await?;
            browser.open(&at(&slack)).await?;
            browser.wait_for_text("#access", "Access").await?;
            look("details-access").await?;
            app.slack_ends_the_grant(&slack).await?;
            browser.open(&at(&slack)).await?;
            browser.wait_for_text(".badge.warn", "Reconnect").await?;
            look("details-ended").await?;
            browser.open(&at("/account/")).await?;
            look("account").await?;
            browser.open(&at("/nothing/")).await?;
            look("not-found").await?;
            browser.open(&at("/organizations/acme/integrations/example/setup/?dialog=0")).await?;
            look("step").await?;
            browser.open(&at("/extensions/slack/setup/?code=x&state=y")).await?;
            browser.wait_for_text(".notice.error", "is already finished").await?;
            look("refused").await?;
            browser.open(&at("/organizations/acme/integrations/slack/setup/?dialog=0")).await?;
            browser.click("button[value=deny]").await?;
            browser.wait_for_text("h1", "Slack was not connected").await?;
            look("dialog-failure").await?;
            browser.open(&list).await?;
            browser.click("nav button").await?;
            look("login").await?;
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_filtered_and_accessible() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            app.add_example("a-very-long-name-without-any-place-to-break-it-so-that-it-has-to-wrap-somewhere").await?;
            app.slack_as_a_full_page().await?;
            browser.click("button[value=deny]").await?;
            browser.wait_for_text("h1", "Slack was not connected").await?;
            app.host.token("acme", &["org:read", "org:write", "integrations:token"])?;
            browser.open(&app.host.at("/organizations/acme/integrations/")).await?;
            browser.click(".pages a[href$='/audit/']").await?;
            browser.wait_for_text(".log", "API token created").await?;
            browser.wait_for_text(".log", "Failed").await?;
            app.look("log").await?;
            browser.run("document.querySelector('#action').value = 'install'").await?;
            browser.click(".filters button").await?;
            browser.until("return location.search.includes('action=install')", Vec::new(), "no filter").await?;
            assert!(!browser.text(".log").await?.contains("API token created"));
            browser.run("document.querySelector('#action').value = 'link'").await?;
            browser.click(".filters button").await?;
            browser.wait_for_text(".empty", "No entries match these filters.").await?;
            app.look("log-empty").await?;
            browser.click(".empty a").await?;
            browser.click(".log a").await?;
            browser.wait_for_text("#log", "Audit log").await?;
            app.look("details-log").await?;
            app.quiet().await
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_drawn_by_the_host_and_error_pages_are_accessible_too() -> Result<()> {
    in_browser(
        "owner",
        |host| host.plugin("misbehaving"),
        async |app: &BrowserApp| {
            let browser = &app.browser;
            let at = |path: &str| app.host.at(path);
            browser.open(&at("/organizations/acme/integrations/host-form/setup/?dialog=0")).await?;
            browser.find("select").await?;
            app.look("host-form").await?;
            browser.fill("input[type=number]", "12").await?;
            browser.click("button.primary").await?;
            browser.wait_for_text(".stack .error", "Say a name.").await?;
            let kept = browser.run("return document.querySelector('input[type=number]').value").await?;
            assert_eq!(kept, "12", "values are kept after an error");
            app.look("host-form-error").await?;
            browser.open(&at("/organizations/acme/integrations/two-steps/setup/?dialog=0")).await?;
            browser.fill("input[name=a]", "one").await?;
            browser.click(".plugin button").await?;
            browser.wait_for_text(".quiet", "Step 2 of 2").await?;
            app.look("step-2-of-2").await?;
            app.host.member("acme", "owner@example.com", "member")?;
            browser.open(&at("/organizations/acme/integrations/example/setup/")).await?;
            browser.wait_for_text("h1", "You do not have access to this").await?;
            app.look("forbidden").await?;
            let reference = browser.text("code").await?;
            assert!(app.host.log()?.contains(&format!("request.id=\"{reference}\"")), "the reference is in the log");
            Ok(())
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_integrations_and_three_hundred_providers_stay_usable() -> Result<()> {
    in_browser(
        "owner",
        |host| host.plugin("many"),
        async |app: &BrowserApp| {
            let browser = &app.browser;
            app.database().await?.fill(1000).await?;
            browser.open(&app.host.at("/organizations/acme/integrations/")).await?;
            let rows = async || browser.run("return document.querySelectorAll('.rows li').length").await;
            assert_eq!(rows().await?, 100);
            browser.click("a[rel=next]").await?;
            browser.wait_for_text(".rows", "Filled 0100").await?;
            assert_eq!(rows().await?, 100);
            browser.click("#add").await?;
            browser.find("#filter:focus").await?;
            browser.fill("#filter", "number 29").await?;
            let shown =
                "return [...document.querySelectorAll('.menu li')].filter((item) => !item.hidden).length === 11";
            browser.until(shown, Vec::new(), "the filter shows others").await?;
            browser.fill("#filter", "nothing like it").await?;
            browser.wait_for_text("#no-match", "No service matches").await?;
            browser.fill("#filter", "number 299").await?;
            browser.press("\u{e015}").await?;
            assert_eq!(browser.run("return document.activeElement.innerText.trim()").await?, "Provider number 299");
            app.look("many").await?;
            app.quiet().await?;
            Ok(())
        },
    )
    .await
}
