//! A plugin built with the API as released in 1.0.0 loads in today's host and works as before.

use std::fmt::Write;

use anyhow::{Context, Result};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_test_support::{
    host::HostBuilder,
    http_client::HttpResponse,
    stand_in_slack::{Delivery, StandInSlack},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::plugin_app::{INTERNAL, PluginApp, posted, readable},
    app::{bare, redacted},
    command_line::plugin_commands::checked,
};

const ISOLATIONS: [&str; 2] = ["process", "in-process"];
const WORKSHOP: &str = "/extensions/released-workshop/setup/";

fn host(slack: &StandInSlack, isolation: &str) -> HostBuilder {
    let options = format!(
        "[plugins]\nisolation = \"{isolation}\"\n[http]\nallow-private = [\"127.0.0.1:{}\"]\n\
         [released-workshop]\nurl = \"{}\"\nkey = \"workshop-key\"\ntags = [\"a\", \"b\"]\n\
         [released-account]\nclient-id = \"{}\"\nclient-secret = \"{}\"\nauthorize-url = \"{}\"\ntoken-url = \"{}\"\n\
         api-url = \"{}\"\nevents-key = \"released-key\"\n",
        slack.port(),
        slack.url("/api/workshop"),
        slack.client().id,
        slack.client().secret,
        slack.url("/oauth/v2/authorize"),
        slack.url("/api/oauth.v2.access"),
        slack.url("/api/whoami"),
    );
    readable(bare()).plugin("released_v1_0_0").plugin("example").toml(&options)
}

async fn started(isolation: &str) -> Result<PluginApp> {
    let slack = StandInSlack::start().await?;
    PluginApp::of(host(&slack, isolation), slack).await
}

impl PluginApp {
    /// The only integration, and the identities of the user who set it up.
    async fn outcome(&self) -> Result<Value> {
        let stored = self.database().await?;
        let integrations = stored.integrations().await?;
        let (row, metadata) = integrations.first().context("one is stored")?;
        assert_eq!(integrations.len(), 1);
        let row = &row.integration;
        Ok(json!({
            "provider": row.provider, "external_id": row.external_id, "name": row.name, "metadata": metadata,
            "identities": stored.identities("owner@example.com").await?,
        }))
    }

    async fn workshop(&self, form: &[(&str, &str)]) -> Result<HttpResponse> {
        self.owner.post(WORKSHOP, form).await
    }

    /// Whether the plugin has logged a message at a level.
    fn has_logged(&self, level: &str, message: &str) -> Result<bool> {
        Ok(self.records()?.iter().any(|line| line["level"] == level && line["message"] == message))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_kinds_of_steps_of_a_1_0_plugin_lead_to_an_integration() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = started(isolation).await?;
        let page = app.owner.start_setup("acme", "released-workshop").await?;
        assert!(page.status == 200 && page.text.contains(r#"<label for="name">Who?</label>"#), "{}", page.text);
        let form = app.workshop(&[("name", "Ada")]).await?;
        for part in ["How many?", r#"type="number""#, "A whole number.", r#"value="7""#, "Nothing is noted."] {
            assert!(form.text.contains(part), "{part}: {}", form.text);
        }
        let away = app.workshop(&[("amount", "42")]).await?;
        // After a posted form the host uses a page instead of a redirect: browsers apply
        // `form-action` to redirects.
        let to = format!("href=\"https://away.example/?to={}\"", app.host.at(WORKSHOP));
        assert!(away.status == 200 && away.text.contains(&to), "{}", away.text);
        let dialog = app.owner.visit(&format!("{WORKSHOP}?back=1")).await?.dialog()?;
        assert!(dialog.success, "{isolation}: {} in\n{}", dialog.data, app.host.log()?);
        let sent = app.slack.requests();
        let sent = sent.iter().find(|request| request.path == "/api/workshop").context("the call was sent")?;
        assert_eq!(
            (&sent.headers["authorization"], &sent.headers["x-amount"]),
            (&"Bearer workshop-key".parse()?, &"42".parse()?)
        );
        let expected = json!({
            "provider": "released-workshop", "external_id": "w-Ada", "name": "Ada",
            "metadata": {
                "called": {"status": 404, "good": false, "refused": true}, "told-the-time": true, "tags": ["a", "b"],
            },
            "identities": [{
                "type": "released", "instance": "workshop", "external_id": "U1", "status": "valid",
                "scopes": ["read", "write"], "data": {"since": 1},
            }],
        });
        assert_eq!(app.outcome().await?, expected, "{isolation}");
        assert!(app.has_logged("WARN", "somebody is called Ada")? && app.has_logged("DEBUG", "building")?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_1_0_plugin_are_refreshed_and_revoked_its_own_way() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = started(isolation).await?;
        app.owner.start_setup("acme", "released-workshop").await?;
        app.workshop(&[("name", "Ada")]).await?;
        app.workshop(&[("amount", "42")]).await?;
        let dialog = app.owner.visit(&format!("{WORKSHOP}?back=1")).await?.dialog()?;
        let path = format!("/api/0/organizations/acme/integrations/{}/", dialog.data["id"].as_str().context("an id")?);
        let token = app.host.token("acme", &["integrations:token"])?;
        let read = async || {
            let asked = app.owner.request(Method::GET, &format!("{path}token/")).bearer_auth(token.trim());
            anyhow::Ok(app.owner.send(asked).await?.json()?["accessToken"].clone())
        };
        assert_eq!(read().await?, "w0rkshop-1", "{isolation}");
        let stored = app.database().await?;
        stored.let_live("w-Ada", "own", time::Duration::seconds(-1)).await?;
        assert_eq!(read().await?, "w0rkshop-2", "{isolation}");
        assert_eq!(app.owner.send(app.owner.request(Method::DELETE, &path)).await?.status, 204);
        let ended = stored.settled().await?;
        let response = ended.iter().find_map(|one| one.answer.as_deref()).unwrap_or_default();
        allow_duplicates! {
            assert_snapshot!(response, @"1 of w-Ada revoked");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_of_a_1_0_plugin_leads_to_an_integration() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = started(isolation).await?;
        let step = app.owner.start_setup("acme", "released-account").await?;
        let query: Value = step.redirect()?.query_pairs().into_owned().collect();
        assert_eq!((&query["scope"], &query["team"]), (&json!("team:read,commands"), &json!("T0STANDIN")));
        assert_eq!(query["code_challenge_method"], "S256", "1.0 has proof keys");
        let dialog = app.owner.visit(&app.owner.consent(&step).await?).await?.dialog()?;
        assert!(dialog.success, "{isolation}: {} in\n{}", dialog.data, app.host.log()?);
        let token = &app.slack.token_requests()[0];
        assert!(token.headers.contains_key("authorization") && token.field("client_secret").is_none());
        assert_eq!(token.field("of"), Some("1.0"));
        let expected = json!({
            "provider": "released-account", "external_id": "T0STANDIN", "name": "Analytical Engines",
            "metadata": {"status": 404, "bot": "B0STANDIN"},
            "identities": [{
                "type": "released", "instance": "stand-in", "external_id": "U0ADA", "status": "valid",
                "scopes": ["team:read", "commands"], "data": {"app": "A0STANDIN"},
            }],
        });
        assert_eq!(app.outcome().await?, expected, "{isolation}");
        assert!(app.has_logged("INFO", "the service answered 404")?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_1_0_plugin_gets_wrong_ends_one_setup_with_its_reason_in_the_log() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = started(isolation).await?;
        let mut errors = String::new();
        for (name, detail) in [("error", "The plugin says no."), ("fail", INTERNAL), ("panic", INTERNAL)] {
            let before = app.failures("released-workshop")?.len();
            let dialog = posted(&app.owner, "released-workshop", &[("name", name)]).await?;
            assert_eq!((dialog.success, dialog.detail()), (false, detail), "{isolation}: {name}");
            let failures = app.failures("released-workshop")?;
            for failure in failures.into_iter().skip(before) {
                writeln!(errors, "{name}: {}", failure["error"])?;
            }
        }
        allow_duplicates! {
            assert_snapshot!(redacted(&errors), @r#"
            fail: "the step failed on purpose"
            panic: "the plugin panicked: the step panicked on purpose at tests/released/v1_0_0/example/src/workshop.rs:[line]"
            "#);
        }
        app.example_works().await?;
        assert!(app.stored_names("released-workshop").await?.is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_1_0_provider_without_events_has_no_events_url_and_goes_on() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = started(isolation).await?;
        let url = app.host.at("/extensions/released-workshop/events/");
        let response = app.slack.deliver(&url, &Delivery::uninstalled("Ev1", "w-Ada")).await?;
        assert_eq!(response.status, 404, "{isolation}: {}", response.text);
        let dialog = posted(&app.owner, "released-workshop", &[("name", "error")]).await?;
        assert_eq!(dialog.detail(), "The plugin says no.");
        app.example_works().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_1_0_plugin_are_handled_once_it_has_verified_them() -> Result<()> {
    for isolation in ISOLATIONS {
        let app = started(isolation).await?;
        let url = |key: &str| app.host.at(&format!("/extensions/released-account/events/?key={key}"));
        let event = Delivery::uninstalled("Ev1", "T0STANDIN");
        assert_eq!(app.slack.deliver(&url("wrong"), &event).await?.status, 401, "{isolation}");
        let response = app.slack.deliver(&url("released-key"), &event).await?;
        assert_eq!((response.status, &*response.text), (200, "handled"), "{isolation}");
        app.example_works().await?;
    }
    Ok(())
}

#[test]
fn a_1_0_plugin_passes_todays_check() -> Result<()> {
    let (is_good, said) = checked("released_v1_0_0", &["--questions", "100"])?;
    assert!(is_good, "{said}");
    assert_snapshot!(redacted(&said), @r#"
    FILE: loads, in [duration]
      plugin  jackfield-released-example-v1-0-0 1.0.0, abi 1.0
      file    FILE
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      opens   with the C library only; no executable stack, text relocations, IFUNC or search path
      limits  30 s and 64 MiB of answers for each provider, 300 s in all
    provider released-workshop (Released workshop)
      options url, key, tags
      step    page, run by the plugin
      step    form, run by the plugin
      step    away, run by the plugin
      step    call, run by the plugin
      hosts   api.example.com
      asked   500 questions: 15 event, 156 fault, 90 form, 89 html, 12 next, 100 redirect, 12 refresh, 17 revocation, 9 webhook; slowest [duration], largest 24385 bytes
    provider released-account (Released account)
      options client-id, client-secret, authorize-url, token-url, api-url, events-key
      step    oauth2, run by the host, OAuth 2.0
      needs   client-id, client-secret, authorize-url, token-url
      hosts   none
      asked   100 questions: 17 event, 23 fault, 14 integration, 17 refresh, 16 revocation, 13 webhook; slowest [duration], largest 13530 bytes
    WARNING released-workshop, the step `away`: leads away: a redirect leads to away.example, which it does not declare
            at {"kind":"view","view":"away","request":{"method":"GET","query":[],"form":[],"setup_url":"https://jackfield.example/extensions/plugin/setup/","webhook_url":"https://jackfield.example/extensions/checked/webhook/of-nobody/"},"state":{"name":"example"}}
            help: declare "away.example" among its hosts, or people are asked on the way whether to go there
    WARNING released-account, building the integration: identity: found the type "released", wanted the id of one of its providers: released-workshop, released-account
            at {"kind":"build-integration","state":{"data":{"access_token":"example","authed_user":{"id":"U1"},"id":"1","login":"example","name":"Example","ok":true,"scope":"","team":{"id":"T1","name":"Example"}},"oauth2":{"access_token":"example","authed_user":{"id":"U1"},"id":"1","login":"example","name":"Exampl…
            help: take the provider's id as the type: a type belongs to the plugin that brings it first, and a host refuses it of any other, unless its operator lists it under [plugins.ENTRY] identities
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_options_of_a_1_0_plugin_are_still_checked_and_its_hosts_listed() -> Result<()> {
    let slack = StandInSlack::start().await?;
    let wrong = host(&slack, "process").toml("[released-workshop.more]\nx = 1").start_error()?;
    assert_snapshot!(redacted(&wrong), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:26: released-workshop.more: unknown option
      help: remove it; the options are url, key, tags
    ");
    let app = PluginApp::of(host(&slack, "process"), slack).await?;
    let listed = app.host.output(&["plugin", "list"])?.1;
    assert_snapshot!(redacted(&listed), @"
    released_v1_0_0: running, process, pid [pid]
      plugin  jackfield-released-example-v1-0-0 1.0.0, abi 1.0
      file    plugins/libreleased_v1_0_0.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      calls   0
      restarts 0
      released-workshop (Released workshop): configured
        hosts 127.0.0.1:[port], api.example.com
      released-account (Released account): configured
        hosts 127.0.0.1:[port]
    example: running, process, pid [pid]
      plugin  jackfield-plugin-example 0.1.0, abi 1.0
      file    plugins/libexample.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      calls   0
      restarts 0
      example (Example): configured
        hosts none
    ");
    Ok(())
}
