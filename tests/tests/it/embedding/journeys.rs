//! In a real browser: a customer connects an account from the page of a program, in each of the
//! ways there are. The program's page is of another site than the host.

use anyhow::{Context, Result};
use jackfield_test_support::browser::fresh_browser;
use serde_json::json;

use super::embedded_app::{EmbeddedApp, in_program};
use crate::pages::browser_app::look;

#[tokio::test(flavor = "multi_thread")]
async fn in_a_pop_up_the_program_gets_the_integration_and_the_window_closes() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let session = app.session(&json!({"providers": ["example", "slack"]})).await?;
        let (program, _) = app.popup_of(session["url"].as_str().context("a URL")?).await?;
        browser.wait_for_text("h1", "Connect an account").await?;
        look(browser, "connect-directory").await?;
        browser.click("form[action*='/example/'] button").await?;
        browser.find("input[name=name]").await?;
        look(browser, "connect-form").await?;
        browser.fill("input[name=name]", "of a customer").await?;
        browser.click_and_leave("button[type=submit]").await?;
        app.says(&program, "connected example of a customer").await?;
        browser.until_alone().await?;
        look(browser, "program").await?;
        assert!(browser.text("#state").await?.starts_with("ready; "));
        let now = app.session_now(&session).await?;
        assert_eq!((&now["status"], &now["isHeld"]), (&json!("completed"), &json!(true)));
        assert_eq!(app.connected().await?, ["of a customer"]);
        let messages =
            browser.run("return window.received.map(({ origin, data }) => `${origin} ${data.status}`)").await?;
        let origin = &app.host.url;
        assert_eq!(
            messages,
            json!([format!("{origin} ready"), format!("{origin} started"), format!("{origin} connected")])
        );
        browser.assert_quiet(&[&app.host.url, &app.site.origin()]).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_keyboard_alone() -> Result<()> {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let link = app.link(&json!({})).await?;
        let program = app.open_program("/", &json!({})).await?;
        browser.run(&format!("window.show({link:?}, false)")).await?;
        browser.run("document.getElementById('connect').focus()").await?;
        browser.press(TAB).await?;
        let focus = browser.run("return document.activeElement.shadowRoot.activeElement.textContent").await?;
        assert_eq!(focus, "Connect", "the element's button, after the program's own");
        browser.press(ENTER).await?;
        browser.switch_to_popup(&program).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        browser.press(TAB).await?;
        assert_eq!(browser.run("return document.activeElement.type").await?, "submit", "the first that has the focus");
        browser.press(ENTER).await?;
        browser.find("input[name=name]").await?;
        while browser.run("return document.activeElement.name").await? != "name" {
            browser.press(TAB).await?;
        }
        browser.press("by keyboard").await?;
        // Enter, for a window that closes itself: ChromeDriver may wait for that forever.
        let submit = "const form = document.querySelector('form'); setTimeout(() => form.requestSubmit(), 50)";
        browser.run(submit).await?;
        app.says(&program, "connected by keyboard").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_frame_of_the_programs_page() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let link = app.link(&json!({})).await?;
        let program = app.open_program("/", &json!({})).await?;
        browser.run(&format!("window.show({link:?}, true)")).await?;
        browser.wait_for_text("#state", "ready").await?;
        look(browser, "program-with-frame").await?;
        browser.enter_frame("jackfield-connect").await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        browser.click("form button[type=submit]").await?;
        browser.switch_to_popup(&program).await?;
        browser.fill("input[name=name]", "framed").await?;
        browser.click_and_leave("button[type=submit]").await?;
        app.says(&program, "connected framed").await?;
        browser.until_alone().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_full_page_that_leads_back() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let back = app.site.at("/done?order=7");
        let session = app.session(&json!({"returnUrl": back})).await?;
        let (link, id) = (session["url"].as_str().context("a URL")?, session["id"].as_str().context("an id")?);
        app.open_program("/", &json!({})).await?;
        browser.run(&format!("location.assign({link:?})")).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        app.name_example("by a full page").await?;
        browser.until("return location.pathname === '/done'", Vec::new(), "nobody is led back").await?;
        let path = format!("/done?order=7&status=connected&session={id}");
        assert_eq!(browser.url().await?, app.site.at(&path));
        assert!(app.site.asked().contains(&path));
        assert_eq!(app.connected().await?, ["by a full page"]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_link_that_was_sent_and_a_second_browser_reads_why_it_may_not() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let Some(second) = fresh_browser().await else { return Ok(()) };
        let browser = &app.browser;
        let link = app.link(&json!({"origin": null})).await?;
        browser.open(&link).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        // Forwarded: the first browser that has opened the link holds it.
        second.open(&link).await?;
        second.wait_for_text("h1", "This link cannot be used").await?;
        look(&second, "connect-refused").await?;
        browser.click("form button[type=submit]").await?;
        browser.find("input[name=name]").await?;
        let step = browser.url().await?;
        second.open(&step).await?;
        assert!(!second.text("body").await?.contains("Name"), "the form of another browser");
        browser.fill("input[name=name]", "by mail").await?;
        browser.click("button[type=submit]").await?;
        browser.wait_for_text("h1", "Example is connected").await?;
        look(browser, "connect-end").await?;
        assert_eq!(app.connected().await?, ["by mail"]);
        // Once.
        browser.open(&link).await?;
        browser.wait_for_text("h1", "This link cannot be used").await?;
        second.close().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_denies_can_try_again_with_the_same_link() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let link = app.link(&json!({"providers": ["slack"]})).await?;
        let (program, _) = app.popup_of(&link).await?;
        browser.click("form button[type=submit]").await?;
        browser.click_and_leave("button[value=deny]").await?;
        app.says(&program, "not connected: denied").await?;
        browser.until_alone().await?;
        app.open_popup(&program).await?;
        browser.click("form button[type=submit]").await?;
        browser.click_and_leave("button[value=allow]").await?;
        app.says(&program, "connected slack Analytical Engines").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_window_an_ended_session_and_a_blocked_window_have_codes() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let session = app.session(&json!({})).await?;
        let (program, _) = app.popup_of(session["url"].as_str().context("a URL")?).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        browser.close_window().await?;
        app.says(&program, "not connected: closed").await?;
        app.open_popup(&program).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        app.end(&session).await?;
        app.says(&program, "closed; ready; not connected: closed").await?;
        browser.until_alone().await?;
        browser.run("window.open = () => null").await?;
        browser.click("#connect").await?;
        app.says(&program, "not connected: blocked").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_opener_is_cut_off_the_program_still_gets_the_integration() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let link = app.link(&json!({})).await?;
        let program = app.open_program("/isolated", &json!({"url": link})).await?;
        app.open_popup(&program).await?;
        browser.wait_for_text("h1", "Connect Example").await?;
        assert_eq!(browser.run("return window.opener === null").await?, true, "the windows are cut apart");
        app.name_example("cut off").await?;
        app.says(&program, "connected example cut off").await?;
        let messages = browser.run("return window.received").await?;
        assert_eq!(messages, json!([]), "it has asked the host");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_service_cuts_the_opener_off_the_program_still_hears_the_end() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        app.slack.behave(|behaviour| behaviour.coop = true);
        let link = app.link(&json!({"providers": ["slack"]})).await?;
        let (program, popup) = app.popup_of(&link).await?;
        browser.click("form button[type=submit]").await?;
        browser.click("button[value=deny]").await?;
        browser.wait_for_text("h1", "Slack was not connected").await?;
        assert_eq!(browser.run("return window.opener === null").await?, true, "the windows are cut apart");
        app.says(&program, "not connected: denied").await?;
        browser.switch_to(&popup).await?;
        browser.close_window().await?;
        browser.switch_to(&program).await?;
        // A frame hears no more of its window than the page would.
        browser.run(&format!("window.show({link:?}, true)")).await?;
        browser.enter_frame("jackfield-connect").await?;
        browser.click("form button[type=submit]").await?;
        browser.switch_to_popup(&program).await?;
        browser.click("button[value=allow]").await?;
        browser.wait_for_text("h1", "Slack is connected").await?;
        app.says(&program, "connected Analytical Engines").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nonce_of_the_programs_page_is_the_proof() -> Result<()> {
    in_program(async |app: &EmbeddedApp| {
        let browser = &app.browser;
        let nonce = "of the session at the program";
        let session = app.session(&json!({"proof": "page", "nonce": nonce})).await?;
        let link = session["url"].as_str().context("a URL")?;
        // By the link alone, nobody can go on.
        browser.open(link).await?;
        browser.wait_for_text("body", "Waiting for the page").await?;
        look(browser, "connect-waiting").await?;
        assert_eq!(browser.run("return document.querySelector('form button').disabled").await?, true);
        let program = app.open_program("/", &json!({"url": link, "nonce": "of a stranger's page"})).await?;
        app.open_popup(&program).await?;
        browser.click("form button[type=submit]").await?;
        browser.wait_for_text("h1", "This link cannot be used").await?;
        browser.close_window().await?;
        browser.switch_to(&program).await?;
        let program = app.open_program("/", &json!({"url": link, "nonce": nonce})).await?;
        app.open_popup(&program).await?;
        app.name_example("proved").await?;
        app.says(&program, "connected example proved").await
    })
    .await
}
