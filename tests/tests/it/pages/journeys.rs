//! Journeys of a user in a real browser.

use anyhow::Result;
use jackfield_test_support::stand_in_oauth2::{CLIENT, SECRET};

use super::browser_app::{BrowserApp, in_browser};
use crate::{
    app::{PASSWORD, add_example},
    providers::gitlab::{GitLabApp, allowed},
};

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
