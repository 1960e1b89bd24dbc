//! A plugin of the future in today's host: what the host knows works; the rest fails as documented,
//! and nothing is stored.

use std::fmt::Write;

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::{
    host::HostBuilder,
    stand_in_slack::{Delivery, StandInSlack},
};
use serde_json::Value;

use crate::{
    app::plugin_app::{INTERNAL, PluginApp, posted, readable},
    app::{bare, redacted},
};

fn host(options: &str) -> HostBuilder {
    readable(bare()).plugin("future_answers").plugin("example").toml(options)
}

async fn started() -> Result<PluginApp> {
    let slack = StandInSlack::start().await?;
    let options = format!("[future-client]\non = \"{}\"", slack.url("/oauth/v2/authorize"));
    PluginApp::of(host(&options), slack).await
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_nobody_knows_yet_are_passed_over_in_every_reply() -> Result<()> {
    let app = started().await?;
    let dialog = posted(&app.owner, "future-fields", &[("f", "1")]).await?;
    assert!(dialog.success, "{}", dialog.data);
    let stored = app.database().await?.integrations().await?;
    let stored: Vec<_> =
        stored.iter().map(|(row, metadata)| (&*row.integration.name, Value::from(metadata.clone()))).collect();
    assert_eq!(stored, [("asked", serde_json::json!({"kept": true}))]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_answers_that_nobody_knows_yet_end_the_setup_with_words_for_the_operator() -> Result<()> {
    let app = started().await?;
    let mut errors = String::new();
    for provider in ["future-answer", "future-turn", "future-fault"] {
        let dialog = posted(&app.owner, provider, &[("f", "1")]).await?;
        assert_eq!((dialog.success, dialog.detail()), (false, INTERNAL), "{provider}");
        let failures = app.failures(provider)?;
        assert_eq!(failures.len(), 1, "{provider}: {failures:?}");
        writeln!(errors, "{provider}: {}: {}", failures[0]["plugin.reason"], failures[0]["error"])?;
    }
    assert_snapshot!(errors, @r#"
    future-answer: "answer": "the plugin's answer cannot be used: an answer of a kind that this host does not know"
    future-turn: "answer": "the plugin's answer cannot be used: a step was asked, something else answered"
    future-fault: "fault": "words of the future"
    "#);
    app.example_works().await?;
    let stored = app.database().await?.integrations().await?;
    assert!(stored.iter().all(|(row, _)| row.integration.provider == "example"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_yet_to_happen_is_answered_and_nothing_follows() -> Result<()> {
    let app = started().await?;
    assert!(posted(&app.owner, "future-event", &[("f", "1")]).await?.success);
    let deliver = async |provider: &str| {
        let url = app.host.at(&format!("/extensions/{provider}/events/"));
        anyhow::Ok(app.slack.deliver(&url, &Delivery::challenge("c")).await?.status)
    };
    assert_eq!((deliver("future-event").await?, deliver("future-turn").await?), (200, 500));
    assert_eq!(deliver("future-fields").await?, 404, "it takes none");
    assert_eq!(app.list_integrations(&app.owner).await?[0]["status"], "active");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_and_fields_of_the_future_are_shown_as_the_plainest_there_is() -> Result<()> {
    let app = started().await?;
    let page = app.owner.start_setup("acme", "future-field").await?;
    assert!(page.text.contains(r#"type="text""#) && page.text.contains(r#"name="f""#), "{}", page.text);
    assert!(posted(&app.owner, "future-log", &[("f", "1")]).await?.success);
    let records = app.records()?;
    let lines: Vec<_> = records.iter().filter(|line| line["message"] == "a line of the future").collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line["level"] == "INFO"), "{lines:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_of_client_authentication_that_nobody_knows_yet_asks_for_no_token() -> Result<()> {
    let app = started().await?;
    let dialog = app.owner.install("acme", "future-client").await?.dialog()?;
    assert!(!dialog.success, "{}", dialog.data);
    assert!(app.slack.token_requests().is_empty());
    assert_snapshot!(app.failure("future-client")?, @r#"
    {
      "error": "the provider wants a way of client authentication that this host does not know; a newer host may",
      "level": "WARN",
      "message": "a step failed",
      "plugin.name": "jackfield-fixture-future-answers",
      "plugin.reason": "oauth2",
      "provider.id": "future-client",
      "setup.id": "[id]",
      "setup.step": 1,
      "step.duration": "[duration]",
      "step.name": "oauth2 callback"
    }
    "#);
    app.database().await?.assert_nothing("owner@example.com").await
}

#[test]
fn a_kind_of_step_that_nobody_knows_yet_is_told_before_anybody_comes_to_it() -> Result<()> {
    let said = host("[future-step]\non = true\n[future-client]\non = \"\"").start_error()?;
    assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libfuture_answers.so: making its provider `future-step`: the plugin's answer cannot be used: the step `step` is of a kind that this host does not know
      help: report this to the plugin's author
    ");
    Ok(())
}
