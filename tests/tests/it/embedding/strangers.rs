//! In a real browser: what a page gets of somebody else's session. Nothing.

use anyhow::{Context, Result};
use serde_json::json;

use super::{
    embedded_app::{EmbeddedApp, in_program},
    program_site::ProgramSite,
};

/// Another origin opens a link that it has got hold of, and listens.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_hears_nothing() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let stranger = ProgramSite::of(&app.host.url).await?;
        let link = app.link(&json!({})).await?;
        browser.open(&stranger.at("/")).await?;
        browser.until("return window.isLoaded === true", Vec::new(), "the script is not loaded").await?;
        browser.run(&format!("window.options = {{ url: {link:?} }}")).await?;
        let page = browser.window().await?;
        app.open_popup(&page).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        browser.click("form button[type=submit]").await?;
        browser.fill("input[name=name]", "of a victim").await?;
        browser.click_and_leave("button[type=submit]").await?;
        browser.switch_to(&page).await?;
        browser.until_alone().await?;
        browser.run("window.postMessage('a word of its own', '*')").await?;
        let has_received = "return window.received.some(({ data }) => data === 'a word of its own')";
        browser.until(has_received, Vec::new(), "the page receives nothing").await?;
        let received = browser.run("return window.received.map(({ data }) => data)").await?;
        assert_eq!(received, json!(["a word of its own"]));
        let status = format!("return fetch('{link}status/').then(() => 'read', () => 'refused')");
        assert_eq!(browser.run(&status).await?, "refused");
        assert!(!browser.text("#state").await?.contains("connected example"));
        assert_eq!(app.connected().await?, ["of a victim"]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_frame_a_session_and_the_program_can() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let stranger = ProgramSite::of(&app.host.url).await?;
        let link = app.link(&json!({})).await?;
        browser.open(&stranger.at("/")).await?;
        browser.until("return window.isLoaded === true", Vec::new(), "the script is not loaded").await?;
        browser.run(&format!("window.show({link:?}, true)")).await?;
        browser.wait_for_text("#state", "failed failed").await?;
        browser.assert_console_says("frame-ancestors").await?;
        let framed = app.link(&json!({})).await?;
        app.open_program("/", &json!({})).await?;
        browser.run(&format!("window.show({framed:?}, true)")).await?;
        browser.wait_for_text("#state", "ready").await
    })
    .await
}

/// The window is led to the session of somebody else, or another window speaks.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_message_connects_nothing() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let (link, other) = (app.session(&json!({})).await?, app.session(&json!({})).await?);
        let (program, popup) = app.popup_of(link["url"].as_str().context("a URL")?).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        browser.switch_to(&program).await?;
        let forged = "const data = { type: 'jackfield-connect', status: 'connected', session: '1', \
             integration: { id: '9', name: 'forged', provider: { id: 'slack', name: 'Slack' } } }; \
             window.postMessage(data, '*'); \
             window.dispatchEvent(new MessageEvent('message', { origin: 'https://evil.example', data }));";
        browser.run(forged).await?;
        browser.switch_to(&popup).await?;
        browser.open(other["url"].as_str().context("a URL")?).await?;
        app.name_example("of another session").await?;
        browser.switch_to(&program).await?;
        browser.until_alone().await?;
        let said = browser.text("#state").await?;
        assert!(!said.contains("connected forged") && !said.contains("of another session"), "{said}");
        Ok(())
    })
    .await
}

/// While the window is open, the program's page goes to that of a stranger, which is the opener
/// now. The message names the session's origin, so the browser does not deliver it.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_s_page_that_navigated_hears_nothing() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let stranger = ProgramSite::of(&app.host.url).await?;
        let link = app.link(&json!({})).await?;
        // Not by the script, which closes its window when its page goes.
        let program = app.open_program("/", &json!({})).await?;
        browser.run(&format!("window.open({link:?}, '_blank', 'popup')")).await?;
        let popup = browser.switch_to_popup(&program).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        browser.switch_to(&program).await?;
        browser.open(&stranger.at("/")).await?;
        browser.until("return window.isLoaded === true", Vec::new(), "the script is not loaded").await?;
        browser.switch_to(&popup).await?;
        app.name_example("of a victim").await?;
        browser.switch_to(&program).await?;
        browser.until_alone().await?;
        assert_eq!(browser.run("return window.received").await?, json!([]));
        assert_eq!(app.connected().await?, ["of a victim"]);
        Ok(())
    })
    .await
}
