//! A plugin that brings too much of something costs one setup, and the operator reads how much
//! there may be: in a worker and inside the host.

use std::time::Duration;

use anyhow::{Context, Result};
use jackfield_test_support::{host::HostBuilder, processes::until, stand_in_slack::StandInSlack};
use reqwest::Method;
use serde_json::Value;

use crate::app::{
    bare,
    plugin_app::{INTERNAL, PluginApp, posted, readable},
};

const ISOLATIONS: [&str; 2] = ["process", "in-process"];

fn builder(toml: &str) -> HostBuilder {
    readable(bare()).plugin("too_much").plugin("example").toml(toml)
}

async fn start(isolation: &str, toml: &str) -> Result<PluginApp> {
    let toml = format!("[http]\nallow-private = [\"127.0.0.1\"]\n[plugins]\nisolation = \"{isolation}\"\n{toml}");
    PluginApp::of(builder(&toml), StandInSlack::start().await?).await
}

/// The errors of a provider, as they were logged.
fn errors(app: &PluginApp, provider: &str) -> Result<Vec<String>> {
    let records = app.records()?.into_iter().filter(|record| record["provider.id"] == provider);
    Ok(records.filter_map(|record| record["error"].as_str().map(str::to_owned)).collect())
}

/// Asserts that a setup ends, that the log says why, and that others go on.
async fn assert_refused(app: &PluginApp, provider: &str, words: &str) -> Result<()> {
    let dialog = posted(&app.owner, provider, &[("go", "1")]).await.with_context(|| provider.to_owned())?;
    assert_eq!((dialog.success, dialog.detail()), (false, INTERNAL), "{provider}");
    let errors = errors(app, provider)?;
    assert!(errors.iter().any(|error| error.contains(words)), "{provider} wanted {words:?}: {errors:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_of_anything_costs_one_setup_and_says_the_limit() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = start(isolation, "").await?;
        for (provider, words) in [
            ("large-state", "the state of the setup: found 143368 bytes of JSON, at most 131072 are taken"),
            ("many-values", "the answer: found 20007 values, at most 20000 are taken"),
            ("large-html", "the HTML of the page: found 71680 bytes, at most 65536 are taken"),
            ("blooming-html", "the HTML of the page: found 3001 tags, at most 2000 are taken"),
            ("open-html", "elements that are open at the same time, at most 32 are taken"),
            ("large-body", "the body of the request: found 1200000 bytes, at most 1048576 are taken"),
            ("huge-answer", "bytes, at most 2097152 are taken"),
            ("large-answer", "the answer besides state, HTML, icon and body: found"),
            ("long-id", "the external id of the integration: found 256 characters, at most 255 are taken"),
            ("id-with-nul", "found the character U+0000, which it cannot have"),
            ("many-grants", "the integration: found 33 grants, at most 32 are taken"),
            ("many-scopes", "a grant: found 201 scopes, at most 200 are taken"),
            ("long-scope", "a scope of a grant: found 201 characters, at most 200 are taken"),
            ("large-metadata", "the metadata of the integration: found 66568 bytes of JSON, at most 65536 are taken"),
            ("long-identity", "the external id of the identity: found 256 characters, at most 255 are taken"),
        ] {
            assert_refused(&app, provider, words).await?;
        }
        let calm = posted(&app.owner, "calm", &[("go", "1")]).await?;
        assert!(calm.success, "{isolation}: {}", calm.data);
        app.example_works().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_cleaned_and_cut_wherever_it_is_shown() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = start(isolation, "").await?;
        let dialog = posted(&app.owner, "wild-name", &[("go", "1")]).await?;
        let name = dialog.data["name"].as_str().unwrap_or_default();
        assert!(name.starts_with("Wild[2J \u{1f469}nnn") && name.chars().count() == 200, "{name:?}");
        assert_eq!(dialog.data["provider"]["name"], "Much wild-name[2J");
        let list = app.owner.visit("/organizations/acme/integrations/").await?.text;
        assert!(!list.contains(['\u{202e}', '\u{1b}']) && list.len() < 64 << 10, "{} bytes", list.len());
        let (_, listed) = app.host.output(&["plugin", "list"])?;
        assert!(listed.contains("Much wild-name[2J") && !listed.contains(['\u{202e}', '\u{1b}']), "{listed}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_fault_are_cut_and_escaped() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = start(isolation, "").await?;
        assert_refused(&app, "long-fault", "\\u{1b}[2Jwww").await?;
        let errors = errors(&app, "long-fault")?;
        assert!(errors.iter().all(|error| error.len() < 1100), "{:?}", errors.iter().map(String::len));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_has_twenty_lines_of_log_each_of_one_line() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = start(isolation, "").await?;
        assert!(posted(&app.owner, "many-lines", &[("go", "1")]).await?.success);
        let lines = messages(&app, |text| text.starts_with("line "))?;
        assert_eq!((lines.len(), lines[0].as_str()), (20, "line 0\\nforged"));
        assert_eq!(messages(&app, |text| text == "the plugin logged more than is kept")?.len(), 1);
    }
    Ok(())
}

fn messages(app: &PluginApp, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let text = |record: &Value| record["message"].as_str().unwrap_or_default().to_owned();
    Ok(app.records()?.iter().map(text).filter(|text| is_wanted(text)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_strangers_do_not_fill_the_log() -> Result<()> {
    let app = start("process", "").await?;
    for _ in 0..60 {
        let call = app.owner.request(Method::POST, "/extensions/fails-at-events/events/").body("{}");
        assert_eq!(app.owner.send(call).await?.status, 500);
    }
    let logged = messages(&app, |text| text == "an event failed")?.len();
    assert!((1..=40).contains(&logged), "{logged} of 60 are logged");
    assert!(errors(&app, "fails-at-events")?.iter().all(|error| error.len() < 1100));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_runs_so_many_steps_and_sends_so_many_requests() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = start(isolation, "").await?;
        assert_refused(&app, "many-steps", "found 65 steps in one visit, at most 64 are run").await?;
        let dialog = app.owner.start_setup("acme", "many-requests").await?.dialog()?;
        assert_eq!((dialog.success, dialog.detail()), (false, INTERNAL));
        let errors = errors(&app, "many-requests")?;
        assert!(errors.iter().any(|error| error == "more than 40 requests in one visit"), "{errors:?}");
        app.example_works().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_binds_no_more_than_a_state_may_hold() -> Result<()> {
    let app = start("process", "").await?;
    let page = app.owner.start_setup("acme", "binds-too-much").await?.text;
    let url = page.split(['<', '>']).find(|part| part.contains("/webhook/")).context("the page shows the URL")?;
    let call = app.owner.request(Method::POST, url).body("{}");
    assert_eq!(app.owner.send(call).await?.status, 500);
    let errors = errors(&app, "binds-too-much")?;
    assert!(errors.iter().any(|error| error.contains("the state of the setup: found")), "{errors:?}");
    let page = app.owner.visit("/extensions/binds-too-much/setup/").await?;
    assert!(page.text.contains("/webhook/"), "the setup goes on: {}", page.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_with_long_words_does_not_hold_up_the_start() -> Result<()> {
    let began = std::time::Instant::now();
    let said = builder("[long-option-words]\non = true").start_error()?;
    assert!(said.contains("\\u{1b}mmm") && said.len() < 4000, "{} bytes: {said}", said.len());
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_elsewhere_is_told_first_and_one_that_is_not_granted_is_refused() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = start(isolation, "").await?;
        let (setup, owner) = ("/extensions/leads-away/setup/", &app.owner);
        owner.start_setup("acme", "leads-away").await?;
        let declared = owner.post(setup, &[("to", "https://declared.example/a")]).await?;
        assert!(declared.text.contains("Opening declared.example"), "{}", declared.text);
        owner.start_setup("acme", "leads-away").await?;
        let elsewhere = owner.post(setup, &[("to", "https://jackfie1d.example/auth/login/")]).await?;
        assert_eq!((elsewhere.status, elsewhere.location.as_deref()), (200, None));
        assert!(elsewhere.text.contains("This leads to jackfie1d.example"), "{}", elsewhere.text);
        assert!(!elsewhere.text.contains("http-equiv"), "nobody is sent on unasked");

        let narrowed = start(isolation, "[plugins.too_much]\nhosts = []").await?;
        let posted = posted(&narrowed.owner, "leads-away", &[("to", "https://declared.example/a")]).await?;
        assert_eq!((posted.success, posted.detail()), (false, INTERNAL));
        let errors = errors(&narrowed, "leads-away")?;
        assert!(
            errors.iter().any(|error| error.contains("leads to declared.example, which the operator")),
            "{errors:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_elsewhere_leads_over_the_page_that_says_where() -> Result<()> {
    let app = start("process", "").await?;
    let page = app.owner.start_setup("acme", "links").await?.text;
    for kept in ["href=\"https://declared.example/help\"", "href=\"/account/\""] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    let leaving = "/extensions/links/leaving/?to=https%3A%2F%2Felsewhere.example%2Fx%3Fy%3Dz";
    assert!(
        page.contains(leaving) && !page.contains("\"https://elsewhere.example") && !page.contains("\"//"),
        "{page}"
    );
    let told = app.owner.visit(leaving).await?;
    assert!(told.status == 200 && told.text.contains("This leads to elsewhere.example"), "{}", told.text);
    let foreign = app.owner.request(Method::GET, leaving).header("sec-fetch-site", "cross-site");
    assert_eq!(app.owner.send(foreign).await?.status, 403, "other sites cannot send anybody there");

    let narrowed = start("process", "[plugins.too_much]\nhosts = [\"declared.example\"]").await?;
    let page = narrowed.owner.start_setup("acme", "links").await?.text;
    assert!(page.contains("https://declared.example/help") && !page.contains("elsewhere"), "{page}");
    assert_eq!(narrowed.owner.visit(leaving).await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_plugin_says_so_and_does_not_ask_for_the_hosts_password() -> Result<()> {
    let app = start("process", "").await?;
    let page = app.owner.start_setup("acme", "asks-for-a-password").await?.text;
    assert!(page.contains("The plugin jackfield-fixture-too-much asks for this."), "{page}");
    assert!(page.contains("Jackfield never asks for your password here."), "{page}");
    assert!(page.contains("<h2>Jackfield</h2>") && page.matches("<h1>").count() == 1, "{page}");
    assert!(page.contains("type=\"password\" autocomplete=\"new-password\""), "{page}");
    assert!(!page.contains("current-password") && !page.contains("username"), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_answers_to_strangers_is_no_part_of_a_page() -> Result<()> {
    let app = start("process", "").await?;
    let events = "/extensions/answers-a-script/events/";
    let service = app.owner.visit(events).await?;
    assert_eq!((service.status, service.text.as_str()), (200, "alert(1)"));
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(service.header(name), value, "{name}");
    }
    for part in ["script", "style", "document", "image", "iframe", "worker", "object"] {
        let asked = app.owner.request(Method::GET, events).header("sec-fetch-dest", part);
        assert_eq!(app.owner.send(asked).await?.status, 404, "{part}");
    }
    let page = app.owner.visit("/account/").await?;
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("script-src {}/static/;", app.host.url)), "{policy}");
    Ok(())
}

/// The plugin takes longer than a host waits for its plugins, and less than it may.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_plugin_does_not_hold_up_the_host_and_joins_when_it_is_ready() -> Result<()> {
    let app = start("process", "deadline = 40\n[slow]\nseconds = 11").await?;
    app.example_works().await?;
    let ready = app.owner.visit("/readyz").await?;
    assert_eq!((ready.status, ready.text.as_str()), (200, "ready; not ready yet: too_much"));
    let page = app.owner.visit("/organizations/acme/integrations/").await?.text;
    assert!(page.contains("Not ready yet: too_much."), "{page}");
    let (_, listed) = app.host.output(&["plugin", "list"])?;
    assert!(listed.contains("too_much: starting"), "{listed}");
    assert!(!messages(&app, |text| text.contains("not ready yet"))?.is_empty());
    let list = || Ok(app.host.output(&["plugin", "list"])?.1);
    until(list, |listed| listed.contains("too_much: running"))?;
    assert_eq!(app.owner.visit("/readyz").await?.text, "ready");
    assert!(posted(&app.owner, "calm", &[("go", "1")]).await?.success);
    Ok(())
}
