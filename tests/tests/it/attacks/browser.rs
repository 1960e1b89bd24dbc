//! Attacks in a real browser: messages between windows, frames, and referrers.

use anyhow::Result;
use http::HeaderMap;
use serde_json::json;

use super::evil_site::{EvilSite, referrers};
use crate::pages::browser_app::{BrowserApp, in_browser};

/// A page of the attacker: it receives every message, and opens what the test says.
const EVIL: &str = "<!doctype html><title>evil</title><button id=open>Open</button><script>\
    window.received = []; window.addEventListener('message', (event) => received.push(event.data)); \
    document.getElementById('open').addEventListener('click', () => { window.popup = window.open(window.target); });</script>";

/// Asserts that the evil page can receive messages and has received only the test's.
async fn assert_received_nothing(app: &BrowserApp) -> Result<()> {
    let browser = &app.browser;
    browser.run("window.postMessage('a word of its own', '*')").await?;
    let has_received = "return window.received.includes('a word of its own')";
    browser.until(has_received, Vec::new(), "the evil page receives nothing").await?;
    assert_eq!(browser.run("return window.received").await?, json!(["a word of its own"]));
    Ok(())
}

/// Asserts that the setup succeeded.
async fn assert_installed(app: &BrowserApp, name: &str) -> Result<()> {
    let browser = &app.browser;
    browser.open(&app.host.at("/organizations/acme/integrations/")).await?;
    browser.wait_for_text(".rows a", name).await
}

/// Post-message theft by another origin (RFC 9700 section 4.17): the attacker's page opens the
/// setup itself and waits for its message. From another host of the same site the user is asked
/// first; another site cannot start anything (CVE-2015-9284).
#[tokio::test(flavor = "multi_thread")]
async fn post_message_theft_by_an_opener_of_another_origin() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let (browser, evil) = (&app.browser, EvilSite::serving(EVIL).await?);
            let start = app.host.at("/organizations/acme/integrations/example/setup/");
            let opens = format!("window.target = {start:?}");
            browser.open(&evil.of_another_site()).await?;
            browser.run(&opens).await?;
            let page = browser.window().await?;
            browser.click("#open").await?;
            browser.switch_to_popup(&page).await?;
            browser.wait_for_text("h1", "Open this from Jackfield").await?;
            browser.close_window().await?;
            browser.switch_to(&page).await?;
            assert_received_nothing(app).await?;

            browser.open(&evil.url()).await?;
            browser.run(&opens).await?;
            browser.click("#open").await?;
            browser.switch_to_popup(&page).await?;
            browser.wait_for_text("h1", "Connect Example?").await?;
            browser.click("button[type=submit]").await?;
            browser.fill("input[name=name]", "the victim's").await?;
            browser.click("button[type=submit]").await?;
            browser.wait_for_text("h1", "Example is connected").await?;
            browser.close_window().await?;
            browser.switch_to(&page).await?;
            assert_received_nothing(app).await?;
            assert_installed(app, "the victim's").await
        },
    )
    .await
}

/// Post-message theft by an opener that navigated (RFC 9700 section 4.17): while the pop-up is at
/// the provider, the page that opened it goes to the attacker's page, which is the opener now. The
/// message names the host's origin, so the browser does not deliver it.
#[tokio::test(flavor = "multi_thread")]
async fn post_message_theft_by_an_opener_that_navigated() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let (browser, evil) = (&app.browser, EvilSite::serving(EVIL).await?);
            let page = browser.window().await?;
            app.open_menu_and_choose("example").await?;
            let popup = browser.switch_to_popup(&page).await?;
            browser.find("input[name=name]").await?;
            browser.switch_to(&page).await?;
            browser.open(&evil.url()).await?;
            browser.switch_to(&popup).await?;
            browser.fill("input[name=name]", "the victim's").await?;
            browser.click_and_leave("button[type=submit]").await?;
            browser.switch_to(&page).await?;
            browser.until_alone().await?;
            assert_received_nothing(app).await?;
            assert_installed(app, "the victim's").await
        },
    )
    .await
}

/// Reverse tabnabbing: the service's page, or that of an instance that the user names, puts a copy
/// of the login page in the place of the page that opened the pop-up.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_behind_the_pop_up_stays_where_it_is() -> Result<()> {
    let moves = "<!doctype html><h1>evil</h1><script>if (window.opener) window.opener.location = '/';</script>";
    let evil = EvilSite::serving(moves).await?;
    let toml = format!("[redirects]\nto = \"{}landing\"", evil.url());
    in_browser(
        "owner",
        |host| host.plugin("misbehaving").toml(&toml),
        async |app: &BrowserApp| {
            let browser = &app.browser;
            let (page, address) = (browser.window().await?, browser.url().await?);
            app.open_menu_and_choose("redirects").await?;
            let popup = browser.switch_to_popup(&page).await?;
            browser.wait_for_text("h1", "evil").await?;
            assert_eq!(browser.run("return window.opener === null").await?, true, "there is no way back");
            browser.switch_to(&page).await?;
            assert_eq!(browser.url().await?, address);
            assert!(!browser.text("body").await?.contains("nothing was added"), "the page still sees its pop-up");
            browser.switch_to(&popup).await?;
            browser.close_window().await?;
            browser.switch_to(&page).await?;
            browser.wait_for_text(".notice", "nothing was added").await
        },
    )
    .await
}

/// Post-message forgery: another window than the pop-up tells the page that something is connected.
#[tokio::test(flavor = "multi_thread")]
async fn post_message_forgery() -> Result<()> {
    in_browser("owner", |host| host, async |app: &BrowserApp| {
    let browser = &app.browser;
    let page = browser.window().await?;
    app.open_menu_and_choose("example").await?;
    let popup = browser.switch_to_popup(&page).await?;
    browser.find("input[name=name]").await?;
    browser.switch_to(&page).await?;
    // First from this window, with the right origin; then from another origin.
    let forged = "window.postMessage({success: true, data: {name: 'forged'}}, '*'); \
         window.dispatchEvent(new MessageEvent('message', {origin: 'https://evil.example', data: {success: true, data: {name: 'forged'}}})); \
         new BroadcastChannel('jackfield').postMessage({success: true, data: {name: 'forged'}});";
    browser.run(forged).await?;
    browser.switch_to(&popup).await?;
    browser.fill("input[name=name]", "real").await?;
    browser.click_and_leave("button[type=submit]").await?;
    browser.switch_to(&page).await?;
    browser.wait_for_text(".notice.success", "Example (real) is connected.").await?;
    assert!(!browser.text("body").await?.contains("forged"));
    app.quiet().await?;
    Ok(())
    }).await
}

/// Clickjacking in a real browser (RFC 9700 section 4.16): the attacker's page frames the victim's
/// list and a setup. The browser shows neither.
#[tokio::test(flavor = "multi_thread")]
async fn clickjacking_by_a_frame() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            for path in ["/organizations/acme/integrations/", "/extensions/example/setup/", "/auth/login/"] {
                let url = app.host.at(path);
                let evil = EvilSite::serving(&format!("<!doctype html><iframe src=\"{url}\"></iframe>")).await?;
                browser.open(&evil.url()).await?;
                browser.assert_console_says("frame-ancestors").await?;
            }
            Ok(())
        },
    )
    .await
}

/// Token leak through the referrer (RFC 9700 sections 4.2 and 4.3): neither the provider nor a site
/// that a step leads to learns where the browser came from, nor a code or a state.
#[tokio::test(flavor = "multi_thread")]
async fn token_leak_by_referrer() -> Result<()> {
    let evil = EvilSite::serving("<!doctype html><h1>evil</h1>").await?;
    let toml = format!("[redirects]\nto = \"{}landing\"", evil.url());
    in_browser(
        "owner",
        |host| host.plugin("misbehaving").toml(&toml),
        async |app: &BrowserApp| {
            let (browser, host) = (&app.browser, &app.host);
            app.slack_as_a_full_page().await?;
            browser.click("button[value=allow]").await?;
            browser.wait_for_text("h1", "Slack is connected").await?;
            let address = browser.url().await?;
            assert_eq!(address, host.at("/extensions/slack/setup/"), "code and state are not in the history either");
            // The page with the code in its URL navigates, as a script there could.
            browser.run(&format!("location.assign({:?})", evil.url())).await?;
            browser.wait_for_text("h1", "evil").await?;
            browser.open(&host.at("/organizations/acme/integrations/")).await?;
            browser.run("window.open = () => null").await?;
            app.open_menu_and_choose("redirects").await?;
            browser.wait_for_text("h1", "evil").await?;
            assert!(evil.asked().len() >= 2, "the browser was there twice");
            let at_slack: Vec<HeaderMap> = app.slack.requests().into_iter().map(|one| one.headers).collect();
            let sent = [evil.referrers(), referrers(&at_slack)].concat();
            let is_ours = |url: &String| url.starts_with(&host.url);
            assert!(!sent.iter().any(is_ours), "{sent:?}");
            Ok(())
        },
    )
    .await
}
