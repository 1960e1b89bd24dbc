//! Tokens, secrets, codes and states in what a browser, a log or a command shows.

use std::collections::BTreeMap;
use std::ops::Deref;

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    stand_in::{Endpoint, Fault},
    stand_in_oauth2::{SECRET, StandInOAuth2},
    stand_in_slack::{StandInSlack, TokenAnswer},
};
use reqwest::Method;

use super::parameter;
use crate::{
    app::{PASSWORD, TestApp, bare, slack_options},
    providers::declared::{declaration_of, service_of},
};

/// A host with Slack, whose first API version issues tokens for a bot and a user, and with a
/// declared provider that issues a refresh token. It logs at the finest level.
struct LeakApp {
    base: TestApp,
    service: StandInOAuth2,
    owner: HttpClient,
    /// All responses, with where they came from.
    answers: Vec<(String, HttpResponse)>,
    secrets: Vec<(&'static str, String)>,
}

impl Deref for LeakApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

impl LeakApp {
    async fn new() -> Result<Self> {
        let slack = StandInSlack::start().await?;
        let response = r#"{"access_token": "TOKEN", "refresh_token": "REFRESH", "expires_in": 3600}"#;
        let services = BTreeMap::from([service_of("acme", |profile| profile.token_answer = response.to_owned())?]);
        let service = StandInOAuth2::start(services).await?;
        let slack_toml = slack_options(&slack, "v1");
        let port = format!("\"127.0.0.1:{}\", \"127.0.0.1:{}\"", slack.port(), service.port());
        let toml = slack_toml.replace(&format!("\"127.0.0.1:{}\"", slack.port()), &port);
        let declared = declaration_of(&service, "acme", "");
        let host = bare().plugin("slack").plugin("misbehaving").toml(&toml).toml(&declared).log("trace").start()?;
        host.organization("acme")?;
        let app = TestApp { host, slack };
        let owner = app.log_in_as("owner").await?;
        Ok(Self { base: app, service, owner, answers: Vec::new(), secrets: Vec::new() })
    }

    async fn look(&mut self, what: &str, path: &str) -> Result<HttpResponse> {
        let response = self.owner.visit(path).await?;
        self.answers.push((what.to_owned(), response.clone()));
        Ok(response)
    }

    /// Sets a provider up and keeps all responses; the code and the state are secrets.
    async fn set_up(&mut self, provider: &str) -> Result<HttpResponse> {
        let start = self.look("start", &format!("/organizations/acme/integrations/{provider}/setup/")).await?;
        // The only response with a state in it: it redirects to the provider.
        let step = self.owner.visit(start.redirect()?.as_str()).await?;
        let back = self.owner.consent(&step).await?;
        self.secrets.extend([("code", parameter(&back, "code")), ("state", parameter(&back, "state"))]);
        self.look(&format!("dialog of {provider}"), &back).await
    }

    fn gather_secrets(&mut self) -> Result<()> {
        let host = &self.base.host;
        let all = [self.slack.tokens().all(), self.service.tokens().all()].concat();
        assert!(all.len() >= 4 && all.iter().any(|token| token.is_refresh), "{}", all.len());
        self.secrets.extend(all.into_iter().map(|token| ("provider's token", token.token)));
        let key = std::fs::read_to_string(host.folder().join("data/secret.key"))?.trim().to_owned();
        let client = self.slack.client().secret.clone();
        let own = [("secret key", key), ("client secret", client), ("password", PASSWORD.to_owned())];
        self.secrets.extend(own);
        self.secrets.push(("declared client's secret", SECRET.to_owned()));
        Ok(())
    }

    /// Asserts that no secret is in a text.
    fn assert_clean(&self, what: &str, text: &str) {
        for (kind, secret) in &self.secrets {
            assert!(secret.len() >= 8, "{kind} was really used: {secret:?}");
            for spelling in [secret.clone(), form_encoded(secret)] {
                if let Some(at) = text.find(&spelling) {
                    let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
                    panic!("a {kind} is in {what}: {}", &text[start..at]);
                }
            }
        }
    }
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The headers and the body of a response. A cookie is between browser and host.
fn whole(response: &HttpResponse) -> String {
    let headers = response.headers.iter().filter(|(name, _)| *name != http::header::SET_COOKIE);
    let headers = headers.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    headers.collect::<String>() + &response.text
}

/// Everything that a browser or an operator can see, after all kinds of endings.
async fn everything(app: &mut LeakApp) -> Result<()> {
    let id = app.set_up("slack").await?.dialog()?.data["id"].as_str().context("an id")?.to_owned();
    let other = app.set_up("acme").await?.dialog()?.data["id"].as_str().context("an id")?.to_owned();
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::NotJson);
    app.set_up("slack").await?;
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::DescribedError);
    app.set_up("slack").await?;
    // What a service could quote of the request.
    let quoted = Fault::Refused { error: format!("no such client {SECRET}") };
    app.service.faults("acme").next(Endpoint::Exchange, [Some(quoted)]);
    app.set_up("acme").await?;
    let list = "/organizations/acme/integrations/";
    for path in
        ["/", "/account/", list, "/nothing/", "/extensions/slack/setup/?code=xxxxxxxx&state=yyyyyyyy", "/auth/login/"]
    {
        app.look(path, path).await?;
    }
    for id in [&id, &other] {
        for path in [format!("{list}{id}/"), format!("{list}{id}/remove/"), format!("/api/0{list}{id}/")] {
            assert_eq!(app.look(&path, &path).await?.status, 200, "{path}");
        }
    }
    for path in ["/api/0/organizations/acme/integrations/", "/api/0/organizations/acme/config/integrations/"] {
        app.look(path, path).await?;
    }
    app.look("audit log", "/api/0/organizations/acme/audit/").await?;
    app.look("audit page", "/organizations/acme/audit/").await?;
    let path = format!("/api/0/organizations/acme/integrations/{other}/");
    let removed = app.owner.send(app.owner.request(Method::DELETE, &path)).await?;
    app.answers.push(("removal".to_owned(), removed));
    app.gather_secrets()
}

fn commands(host: &Host) -> Result<Vec<(String, String)>> {
    let commands: [&[&str]; 6] = [
        &["plugin", "list"],
        &["plugin", "check", "slack"],
        &["provider", "list"],
        &["provider", "show", "acme"],
        &["config", "check"],
        &["user", "create", "owner@example.com"],
    ];
    commands.into_iter().map(|words| Ok((words.join(" "), host.output(words)?.1))).collect()
}

/// Token leak by a dialog, a page, an error or the API (RFC 9700 sections 4.2 and 4.3.2; RFC 6750
/// section 5.3): the attacker sees the screen, reads what the browser keeps, or is an extension in
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn token_leak_by_dialog_page_error_or_api() -> Result<()> {
    let mut app = LeakApp::new().await?;
    everything(&mut app).await?;
    assert!(app.answers.len() >= 20);
    for (what, response) in &app.answers {
        app.assert_clean(what, &whole(response));
    }
    Ok(())
}

/// Token leak by a log or the output of a command: the attacker reads the log at its finest level,
/// or what an operator pastes into a question. CVE-2022-31162 and CVE-2022-39292 were such leaks.
#[tokio::test(flavor = "multi_thread")]
async fn token_leak_by_log_or_command() -> Result<()> {
    let mut app = LeakApp::new().await?;
    everything(&mut app).await?;
    for (command, said) in commands(&app.host)? {
        app.assert_clean(&format!("`{command}`"), &said);
    }
    let log = app.host.log()?;
    assert!(log.contains("DEBUG") && log.contains("a step failed"), "the log has the finest level");
    app.assert_clean("the log", &log);
    Ok(())
}
