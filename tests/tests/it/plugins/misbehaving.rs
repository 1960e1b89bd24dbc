//! Plugins that misbehave while users set them up: one setup ends, everything else continues.

use anyhow::Result;
use insta::{allow_duplicates, assert_snapshot};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    stand_in_slack::StandInSlack,
};

use crate::app::{
    bare,
    plugin_app::{INTERNAL, PluginApp, posted, readable},
    redacted,
};

const SECRET: &str = "fixture-s3cret-value";

async fn start(options: &str) -> Result<PluginApp> {
    let slack = StandInSlack::start().await?;
    let options = options.replace("SLACK", &slack.url("")).replace("PORT", &slack.port().to_string());
    let builder = readable(bare()).plugin("misbehaving").plugin("junk").plugin("example").toml(&options);
    PluginApp::of(builder, slack).await
}

/// Starts a setup, and posts a form unless it has ended at once.
async fn last_page(owner: &HttpClient, provider: &str) -> Result<HttpResponse> {
    let step = owner.start_setup("acme", provider).await?;
    if step.dialog().is_ok() {
        return Ok(step);
    }
    owner.post(&format!("/extensions/{provider}/setup/"), &[("name", "x")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_step_ends_the_flow_and_the_provider_works_again() -> Result<()> {
    let app = start(&format!("[panics-in-step]\nsecret = \"{SECRET}\"")).await?;
    let dialog = posted(&app.owner, "panics-in-step", &[("name", "x")]).await?;
    assert_eq!((dialog.success, dialog.detail()), (false, INTERNAL));
    assert_eq!(
        app.owner.visit("/extensions/panics-in-step/setup/").await?.status_and_location(),
        (302, "/"),
        "the setup is used up"
    );
    assert_snapshot!(app.failure("panics-in-step")?, @r#"
    {
      "error": "the plugin panicked: panicked with [secret] at tests/fixtures/misbehaving/src/misbehave.rs:[line]",
      "level": "WARN",
      "message": "a step failed",
      "plugin.name": "jackfield-fixture-misbehaving",
      "plugin.reason": "panic",
      "provider.id": "panics-in-step",
      "setup.id": "[id]",
      "setup.step": 0,
      "step.duration": "[duration]",
      "step.name": "name"
    }
    "#);
    assert!(!app.host.log()?.contains(SECRET), "the secret is cut out of the panic's message");
    assert!(posted(&app.owner, "panics-in-step", &[("calm", "1")]).await?.success, "the instance was replaced");
    app.example_works().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_building_stores_nothing() -> Result<()> {
    let app = start("").await?;
    let response = last_page(&app.owner, "panics-in-build").await?;
    assert_eq!(response.dialog()?.detail(), INTERNAL);
    app.database().await?.assert_nothing("owner@example.com").await?;
    assert_snapshot!(app.record("the integration could not be built")?, @r#"
    {
      "error": "the plugin panicked: built to panic at tests/fixtures/misbehaving/src/lib.rs:[line]",
      "level": "WARN",
      "message": "the integration could not be built",
      "plugin.name": "jackfield-fixture-misbehaving",
      "plugin.reason": "panic",
      "provider.id": "panics-in-build",
      "setup.id": "[id]",
      "step.duration": "[duration]",
      "step.name": "build integration"
    }
    "#);
    app.example_works().await
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_instead_of_an_answer_ends_the_flow() -> Result<()> {
    let app = start("").await?;
    let response = app.owner.start_setup("acme", "junk").await?;
    assert_eq!(response.dialog()?.detail(), INTERNAL);
    assert_snapshot!(app.failure("junk")?, @r#"
    {
      "error": "the plugin's answer cannot be used: `start`: not a reply at line 1 column 1",
      "level": "WARN",
      "message": "a step failed",
      "plugin.name": "jackfield-fixture-junk",
      "plugin.reason": "answer",
      "provider.id": "junk",
      "setup.id": "[id]",
      "setup.step": 0,
      "step.duration": "[duration]",
      "step.name": "a"
    }
    "#);
    app.example_works().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_a_forbidden_address_is_not_sent() -> Result<()> {
    let app = start("[forbidden]\nurl = \"SLACK/secret\"").await?;
    let response = last_page(&app.owner, "forbidden").await?;
    assert_eq!(response.dialog()?.detail(), INTERNAL);
    assert!(app.slack.requests().is_empty());
    assert_snapshot!(app.failure("forbidden")?, @r#"
    {
      "error": "127.0.0.1 is, or resolves to, a private address: allow it under [http] allow-private if it is yours",
      "level": "WARN",
      "message": "a step failed",
      "plugin.name": "jackfield-fixture-misbehaving",
      "plugin.reason": "fault",
      "provider.id": "forbidden",
      "setup.id": "[id]",
      "setup.step": 0,
      "step.duration": "[duration]",
      "step.name": "ask"
    }
    "#);
    app.example_works().await
}

/// Item 56 of the security checklist, and the hosts that a plugin declares.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_reaches_the_hosts_it_declares_as_far_as_the_operator_grants_them_and_no_others() -> Result<()> {
    let allowed = "[http]\nallow-private = [\"127.0.0.1:PORT\"]\n";
    let cases = [
        ("[reaches-out]\nhosts = [\"127.0.0.1\"]", true),
        ("[reaches-out]\nhosts = [\"127.0.0.1:PORT\"]", true),
        ("[reaches-out]\nhosts = [\"*\"]", true),
        ("[reaches-out]\nhosts = [\"127.0.0.1:1\", \"api.example.com\"]", false),
        ("[reaches-out]\nhosts = []", false),
        ("[reaches-out]\nhosts = [\"*\"]\n[plugins.misbehaving]\nhosts = [\"api.example.com\"]", false),
    ];
    for (options, is_reached) in cases {
        let app = start(&format!("{allowed}{options}")).await?;
        let dialog = posted(&app.owner, "reaches-out", &[("name", &app.slack.url("/nowhere"))]).await?;
        let expected = (is_reached, if is_reached { "" } else { INTERNAL });
        assert_eq!((dialog.success, dialog.detail()), expected, "{options}");
        assert_eq!(app.slack.requests().len(), usize::from(is_reached), "{options}");
        if !is_reached {
            let shown = app.failure("reaches-out")?;
            allow_duplicates! {
                assert_snapshot!(shown, @r#"
            {
              "error": "127.0.0.1 is not among the plugin's allowed hosts: `jackfield plugin list` shows what it declares, [plugins.NAME] hosts what it is granted",
              "level": "WARN",
              "message": "a step failed",
              "plugin.name": "jackfield-fixture-misbehaving",
              "plugin.reason": "fault",
              "provider.id": "reaches-out",
              "setup.id": "[id]",
              "setup.step": 0,
              "step.duration": "[duration]",
              "step.name": "reach"
            }
            "#);
            }
        }
    }
    let said = bare().plugin("misbehaving").toml("[reaches-out]\nhosts = [\"https://x\"]").start_error()?;
    assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libmisbehaving.so: its provider `reaches-out` declares `https://x`, which is not a host
      help: report this to the plugin's author
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn awaiting_something_that_is_not_the_host_is_an_error_that_says_so() -> Result<()> {
    let app = start("").await?;
    let response = last_page(&app.owner, "stalls").await?;
    assert_eq!(response.dialog()?.detail(), INTERNAL);
    assert_snapshot!(app.failure("stalls")?, @r#"
    {
      "error": "the plugin awaits something that the host does not provide: a step can only await what the host provides, like `step.send(request)`; a timer, a socket or a channel never wakes it",
      "level": "WARN",
      "message": "a step failed",
      "plugin.name": "jackfield-fixture-misbehaving",
      "plugin.reason": "stalled",
      "provider.id": "stalls",
      "setup.id": "[id]",
      "setup.step": 0,
      "step.duration": "[duration]",
      "step.name": "wait"
    }
    "#);
    app.example_works().await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_end_are_ended() -> Result<()> {
    let app = start("[http]\nallow-private = [\"127.0.0.1:PORT\"]\n[asks-too-much]\nurl = \"SLACK/\"").await?;
    let response = last_page(&app.owner, "asks-too-much").await?;
    assert_eq!(response.dialog()?.detail(), INTERNAL);
    assert_snapshot!(app.failure("asks-too-much")?, @r#"
    {
      "error": "the plugin asked for more than 20 requests in one step",
      "level": "WARN",
      "message": "a step failed",
      "plugin.name": "jackfield-fixture-misbehaving",
      "plugin.reason": "requests",
      "provider.id": "asks-too-much",
      "setup.id": "[id]",
      "setup.step": 0,
      "step.duration": "[duration]",
      "step.name": "ask"
    }
    "#);
    app.example_works().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaky_plugins_secrets_reach_neither_log_nor_page() -> Result<()> {
    let app = start(&format!("[leaky]\nsecret = \"{SECRET}\"")).await?;
    let response = last_page(&app.owner, "leaky").await?;
    assert_eq!(response.dialog()?.detail(), INTERNAL);
    assert_snapshot!(app.failure("leaky")?, @r#"
    {
      "error": "failed with [secret]",
      "level": "WARN",
      "message": "a step failed",
      "plugin.name": "jackfield-fixture-misbehaving",
      "plugin.reason": "fault",
      "provider.id": "leaky",
      "setup.id": "[id]",
      "setup.step": 0,
      "step.duration": "[duration]",
      "step.name": "leak"
    }
    "#);
    assert!(!app.host.log()?.contains(SECRET) && !response.text.contains(SECRET));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_in_order_and_keep_what_they_bound() -> Result<()> {
    let app = start("").await?;
    let first = app.owner.start_setup("acme", "two-steps").await?;
    assert!(first.text.contains("Step 1 of 2"), "{}", first.text);
    let second = app.owner.post("/extensions/two-steps/setup/", &[("a", "one")]).await?;
    assert!(second.text.contains("Step 2 of 2"), "{}", second.text);
    assert!(
        app.owner.visit("/extensions/two-steps/setup/").await?.text.contains("Step 2 of 2"),
        "a reload stays where it is"
    );
    let dialog = app.owner.post("/extensions/two-steps/setup/", &[("b", "two")]).await?.dialog()?;
    assert_eq!(dialog.data["externalId"], "one-two");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_as_data_is_drawn_by_the_host_and_keeps_values_after_an_error() -> Result<()> {
    let app = start("").await?;
    let form = app.owner.start_setup("acme", "host-form").await?;
    for part in ["type=\"text\"", "type=\"password\"", "<select", "type=\"checkbox\"", "type=\"number\""] {
        assert!(form.text.contains(part), "{part}: {}", form.text);
    }
    let stale = [("name", "stale"), ("jackfield-step", "7")];
    let shown = app.owner.post("/extensions/host-form/setup/", &stale).await?;
    assert!(
        shown.text.contains("<select") && !shown.text.contains("aria-invalid"),
        "a form of another step is not its answer"
    );
    let again = app.owner.post("/extensions/host-form/setup/", &[("name", "")]).await?;
    assert!(again.text.contains("aria-invalid=\"true\""), "{}", again.text);
    let dialog = app
        .owner
        .post("/extensions/host-form/setup/", &[("name", "drawn"), ("jackfield-step", "0")])
        .await?
        .dialog()?;
    assert_eq!(dialog.data["externalId"], "drawn");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_changed_by_a_plugin_upgrade_end_setups_that_are_under_way() -> Result<()> {
    let mut app = start("").await?;
    app.owner.start_setup("acme", "two-steps").await?;
    app.owner.post("/extensions/two-steps/setup/", &[("a", "one")]).await?;
    app.base.host = app.base.host.restart(readable(bare()).plugin("example").plugin("changed_steps"))?;
    let response = app.owner.post("/extensions/two-steps/setup/", &[("b", "two")]).await?;
    assert_eq!(response.status_and_location(), (302, "/"));
    assert!(response.header("set-cookie").starts_with("jackfield-flash=provider-changed."), "the user is told why");
    assert_snapshot!(app.record("integrations.setup.invalid-signature")?, @r#"
    {
      "level": "INFO",
      "message": "a setup may not go on",
      "provider.id": "two-steps",
      "reason": "integrations.setup.invalid-signature",
      "setup.check": "provider-changed"
    }
    "#);
    app.database().await?.assert_nothing("owner@example.com").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_whose_plugin_is_gone_stays_visible_as_orphaned() -> Result<()> {
    let mut app = start("").await?;
    app.owner.start_setup("acme", "two-steps").await?;
    app.owner.post("/extensions/two-steps/setup/", &[("a", "one")]).await?;
    assert!(app.owner.post("/extensions/two-steps/setup/", &[("b", "two")]).await?.dialog()?.success);
    app.base.host = app.base.host.restart(bare().plugin("example"))?;
    assert_eq!(app.owner.visit("/extensions/two-steps/setup/").await?.status, 404);
    let page = app.owner.visit("/organizations/acme/integrations/").await?;
    assert!(page.text.contains("one-two") && page.text.contains("Unavailable"), "{}", page.text);
    assert_eq!(app.list_integrations(&app.owner).await?.len(), 1);
    Ok(())
}
