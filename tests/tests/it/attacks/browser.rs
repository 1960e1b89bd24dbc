//! Attacks on the browser's side, in a real one: messages between windows, frames, and what a referrer tells.

use anyhow::Result;
use http::HeaderMap;
use serde_json::json;

use super::evil_site::{EvilSite, referrers};
use crate::pages::journeys::{BrowserApp, in_browser};

/// A page of the attacker's: hears every message, and opens what it is told to.
const EVIL: &str = "<!doctype html><title>evil</title><button id=open>Open</button><script>\
    window.heard = []; window.addEventListener('message', (event) => heard.push(event.data)); \
    document.getElementById('open').addEventListener('click', () => { window.popup = window.open(window.target); });</script>";

/// That the evil page's ear works and has heard nothing but the test.
async fn assert_heard_nothing(sitting: &BrowserApp) -> Result<()> {
    let browser = &sitting.browser;
    browser.run("window.postMessage('a word of its own', '*')").await?;
    let has_heard = "return window.heard.includes('a word of its own')";
    browser.until(has_heard, Vec::new(), "the evil page hears nothing at all").await?;
    assert_eq!(browser.run("return window.heard").await?, json!(["a word of its own"]));
    Ok(())
}

/// That the set-up went through all the same.
async fn assert_installed(sitting: &BrowserApp, name: &str) -> Result<()> {
    let browser = &sitting.browser;
    browser.open(&sitting.host.at("/organizations/acme/integrations/")).await?;
    browser.wait_for_text(".rows a", name).await
}

/// Post-message theft by another origin (RFC 9700 section 4.17): the attacker's page opens the set-up itself and waits for its message. It comes from
/// another host of the same site, which may send people here; from another site nothing starts (CVE-2015-9284).
#[tokio::test(flavor = "multi_thread")]
async fn post_message_theft_by_an_opener_of_another_origin() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |sitting: &BrowserApp| {
            let (browser, evil) = (&sitting.browser, EvilSite::serving(EVIL).await?);
            let start = sitting.host.at("/organizations/acme/integrations/example/setup/");
            let opens = format!("window.target = {start:?}");
            browser.open(&evil.of_another_site()).await?;
            browser.run(&opens).await?;
            let page = browser.window().await?;
            browser.click("#open").await?;
            browser.switch_to_popup(&page).await?;
            browser.wait_for_text("h1", "Open this from Jackfield").await?;
            browser.close_window().await?;
            browser.switch_to(&page).await?;
            assert_heard_nothing(sitting).await?;

            browser.open(&evil.url()).await?;
            browser.run(&opens).await?;
            browser.click("#open").await?;
            sitting.name_example(&page, "the victim's").await?;
            browser.until("return window.popup.closed", Vec::new(), "the set-up does not end").await?;
            assert_heard_nothing(sitting).await?;
            assert_installed(sitting, "the victim's").await
        },
    )
    .await
}

/// Post-message theft by an opener that has moved on (RFC 9700 section 4.17): while the pop-up is at the provider, the page that opened it is led to
/// the attacker's, which is its opener now. The message names the host's origin, so that the browser does not deliver it.
#[tokio::test(flavor = "multi_thread")]
async fn post_message_theft_by_an_opener_that_navigated() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |sitting: &BrowserApp| {
            let (browser, evil) = (&sitting.browser, EvilSite::serving(EVIL).await?);
            let page = browser.window().await?;
            sitting.open_menu_and_choose("example").await?;
            let popup = browser.switch_to_popup(&page).await?;
            browser.find("input[name=name]").await?;
            browser.switch_to(&page).await?;
            browser.open(&evil.url()).await?;
            browser.switch_to(&popup).await?;
            browser.fill("input[name=name]", "the victim's").await?;
            browser.click_and_leave("button[type=submit]").await?;
            browser.switch_to(&page).await?;
            browser.until_alone().await?;
            assert_heard_nothing(sitting).await?;
            assert_installed(sitting, "the victim's").await
        },
    )
    .await
}

/// Post-message forgery: somebody who is not the pop-up tells the page that something was connected.
#[tokio::test(flavor = "multi_thread")]
async fn post_message_forgery() -> Result<()> {
    in_browser("owner", |host| host, async |sitting: &BrowserApp| {
    let browser = &sitting.browser;
    let page = browser.window().await?;
    sitting.open_menu_and_choose("example").await?;
    let popup = browser.switch_to_popup(&page).await?;
    browser.find("input[name=name]").await?;
    browser.switch_to(&page).await?;
    // From this very window, so the origin is right and the window is not; and from another origin, with nothing right.
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
    sitting.quiet().await?;
    Ok(())
    }).await
}

/// Clickjacking in a real browser (RFC 9700 section 4.16): the attacker's page frames the victim's list and a set-up; the browser shows neither.
#[tokio::test(flavor = "multi_thread")]
async fn clickjacking_by_a_frame() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |sitting: &BrowserApp| {
            let browser = &sitting.browser;
            for path in ["/organizations/acme/integrations/", "/extensions/example/setup/", "/auth/login/"] {
                let url = sitting.host.at(path);
                let evil = EvilSite::serving(&format!("<!doctype html><iframe src=\"{url}\"></iframe>")).await?;
                browser.open(&evil.url()).await?;
                browser.assert_console_says("frame-ancestors").await?;
            }
            Ok(())
        },
    )
    .await
}

/// Token leak through the referrer (RFC 9700 sections 4.2 and 4.3): neither the provider, whose pages the browser comes to and leaves, nor a site that a step leads to is
/// told where the browser came from, let alone a code or a state.
#[tokio::test(flavor = "multi_thread")]
async fn token_leak_by_referrer() -> Result<()> {
    let evil = EvilSite::serving("<!doctype html><h1>evil</h1>").await?;
    let toml = format!("[redirects]\nto = \"{}landing\"", evil.url());
    in_browser(
        "owner",
        |host| host.plugin("misbehaving").toml(&toml),
        async |sitting: &BrowserApp| {
            let (browser, host) = (&sitting.browser, &sitting.host);
            sitting.slack_as_a_full_page().await?;
            browser.click("button[value=allow]").await?;
            browser.wait_for_text("h1", "Slack is connected").await?;
            let address = browser.url().await?;
            assert_eq!(address, host.at("/extensions/slack/setup/"), "code and state are not in the history either");
            // The page that came with a code leads on, by what a script there could do.
            browser.run(&format!("location.assign({:?})", evil.url())).await?;
            browser.wait_for_text("h1", "evil").await?;
            browser.open(&host.at("/organizations/acme/integrations/")).await?;
            browser.run("window.open = () => null").await?;
            sitting.open_menu_and_choose("redirects").await?;
            browser.wait_for_text("h1", "evil").await?;
            assert!(evil.asked().len() >= 2, "the browser was there twice");
            let at_slack: Vec<HeaderMap> = sitting.slack.requests().into_iter().map(|one| one.headers).collect();
            let told = [evil.referrers(), referrers(&at_slack)].concat();
            let is_ours = |url: &String| url.starts_with(&host.url);
            assert!(!told.iter().any(is_ours), "{told:?}");
            Ok(())
        },
    )
    .await
}
