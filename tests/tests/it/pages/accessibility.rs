//! Pages for everybody: by the keyboard alone, light and dark, at every width, without a violation.

use anyhow::Result;
use jackfield_test_support::stand_in::Rotation;

use super::browser_app::{BrowserApp, in_browser};
use crate::app::{add_example, log_in};

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

/// What stands between a person and a link, a plugin or a mistake of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_ask_warn_and_refuse_are_accessible() -> Result<()> {
    in_browser(
        "owner",
        |host| host.plugin("too_much").plugin("two_providers"),
        async |app: &BrowserApp| {
            let browser = &app.browser;
            let at = |path: &str| app.host.at(path);
            let start =
                |provider: &str| at(&format!("/organizations/acme/integrations/{provider}/setup/?dialog=0&ask=1"));
            browser.open(&start("leads-away")).await?;
            browser.wait_for_text("h1", "?").await?;
            app.look("start").await?;
            browser.click("button.primary").await?;
            browser.wait_for_text(".asks", "The plugin jackfield-fixture-too-much asks for this.").await?;
            app.look("plugin-asks").await?;
            let long = "https://a-very-long-look-alike-of-the-service-that-one-knows.example/";
            browser.fill("input[name=to]", long).await?;
            browser.click(".plugin button").await?;
            browser.wait_for_text("h1", "This leads to a-very-long-look-alike").await?;
            app.look("leaving").await?;
            browser.open(&start("second")).await?;
            browser.click("button.primary").await?;
            browser.wait_for_text("h1", "Second is connected").await?;
            browser.open(&at("/organizations/acme/integrations/")).await?;
            browser.click(".rows li:nth-child(1) a").await?;
            browser.fill("input[type=password]", "a key").await?;
            browser.click("form.stack button").await?;
            browser.wait_for_text(".stack", "A value is saved. Leave this empty to keep it.").await?;
            app.look("details-secret").await?;
            browser.click("a.danger").await?;
            browser.wait_for_text("h1", "Remove Second").await?;
            app.look("remove-solid").await?;
            browser.open(&at("/organizations/acme/integrations/?cursor=a%00b")).await?;
            browser.wait_for_text("h1", "This text cannot be used").await?;
            app.look("control-character").await?;
            browser.open(&at("/")).await?;
            browser.click("nav button").await?;
            for _ in 0..20 {
                browser.fill("#email", "somebody@example.com").await?;
                browser.fill("#password", "wrong").await?;
                browser.run("window.isOld = true").await?;
                browser.click("button.primary").await?;
                let answered = "return !window.isOld && document.readyState === 'complete'";
                browser.until(answered, Vec::new(), "no answer").await?;
                if browser.text(".notice").await?.contains("Too many attempts") {
                    break;
                }
            }
            browser.wait_for_text(".notice", "Too many attempts. Try again in ").await?;
            app.look("login-refused").await
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
