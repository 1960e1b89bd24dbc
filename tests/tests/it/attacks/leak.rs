//! Tokens, secrets, codes and states in what a browser, a log or a command ever shows.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jackfield_tests::{
    host::Host,
    person::{Answer, Person},
    stand_in::{Endpoint, Trouble},
    stand_in_oauth2::{SECRET, StandInOAuth2},
    stand_in_slack::{StandInSlack, TokenAnswer},
};
use reqwest::Method;

use super::parameter;
use crate::{
    app::test_app::{PASSWORD, Stage, bare, slack_options},
    providers::declared::{declaration_of, service_of},
};

/// A host with Slack, whose old dialect gives a bot's and a person's token, and a declared provider that gives a refresh token; the log is as fine as it gets.
struct Scene {
    stage: Stage,
    service: StandInOAuth2,
    owner: Person,
    /// All that was answered, whole, by where.
    answers: Vec<(String, Answer)>,
    secrets: Vec<(&'static str, String)>,
}

impl Scene {
    async fn new() -> Result<Self> {
        let slack = StandInSlack::start().await?;
        let answer = r#"{"access_token": "TOKEN", "refresh_token": "REFRESH", "expires_in": 3600}"#;
        let services = BTreeMap::from([service_of("acme", |dialect| dialect.token_answer = answer.to_owned())?]);
        let service = StandInOAuth2::start(services).await?;
        let slack_toml = slack_options(&slack, "v1");
        let port = format!("\"127.0.0.1:{}\", \"127.0.0.1:{}\"", slack.port(), service.port());
        let toml = slack_toml.replace(&format!("\"127.0.0.1:{}\"", slack.port()), &port);
        let declared = declaration_of(&service, "acme", "");
        let host = bare().plugin("slack").plugin("misbehaving").toml(&toml).toml(&declared).log("trace").start()?;
        host.organization("acme")?;
        let stage = Stage { host, slack };
        let owner = stage.person("owner").await?;
        Ok(Self { stage, service, owner, answers: Vec::new(), secrets: Vec::new() })
    }

    async fn look(&mut self, what: &str, path: &str) -> Result<Answer> {
        let answer = self.owner.visit(path).await?;
        self.answers.push((what.to_owned(), answer.clone()));
        Ok(answer)
    }

    /// Sets one up and keeps all that was answered on the way; what it goes through with is secret.
    async fn set_up(&mut self, provider: &str) -> Result<Answer> {
        let start = self.look("start", &format!("/organizations/acme/integrations/{provider}/setup/")).await?;
        // The one answer that holds a state, and has to: it leads to the provider.
        let step = self.owner.visit(start.redirect()?.as_str()).await?;
        let back = self.owner.consent(&step).await?;
        self.secrets.extend([("code", parameter(&back, "code")), ("state", parameter(&back, "state"))]);
        self.look(&format!("dialog of {provider}"), &back).await
    }

    fn gather_secrets(&mut self) -> Result<()> {
        let host = &self.stage.host;
        let all = [self.stage.slack.ledger().tokens(), self.service.ledger().tokens()].concat();
        assert!(all.len() >= 4 && all.iter().any(|token| token.is_refresh), "{}", all.len());
        self.secrets.extend(all.into_iter().map(|token| ("provider's token", token.token)));
        let key = std::fs::read_to_string(host.folder().join("data/secret.key"))?.trim().to_owned();
        let client = self.stage.slack.client().secret.clone();
        let own = [("secret key", key), ("client secret", client), ("password", PASSWORD.to_owned())];
        self.secrets.extend(own);
        self.secrets.push(("declared client's secret", SECRET.to_owned()));
        Ok(())
    }

    /// That none of it is in a text; where it is, what of it.
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

/// Status, headers and body, as they went over the wire. A cookie is between browser and host.
fn whole(answer: &Answer) -> String {
    let headers = answer.headers.iter().filter(|(name, _)| *name != http::header::SET_COOKIE);
    let headers = headers.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    headers.collect::<String>() + &answer.text
}

/// Everything a browser or an operator can have told, after all kinds of endings.
async fn everything(scene: &mut Scene) -> Result<()> {
    let id = scene.set_up("slack").await?.dialog()?.data["id"].as_str().context("an id")?.to_owned();
    let other = scene.set_up("acme").await?.dialog()?.data["id"].as_str().context("an id")?.to_owned();
    scene.stage.slack.behave(|behaviour| behaviour.token = TokenAnswer::NotJson);
    scene.set_up("slack").await?;
    scene.stage.slack.behave(|behaviour| behaviour.token = TokenAnswer::DescribedError);
    scene.set_up("slack").await?;
    // What somebody else's service could quote of the request.
    let quoted = Trouble::Refused { error: format!("no such client {SECRET}") };
    scene.service.wire("acme").next(Endpoint::Exchange, [Some(quoted)]);
    scene.set_up("acme").await?;
    let list = "/organizations/acme/integrations/";
    for path in
        ["/", "/account/", list, "/nothing/", "/extensions/slack/setup/?code=xxxxxxxx&state=yyyyyyyy", "/auth/login/"]
    {
        scene.look(path, path).await?;
    }
    for id in [&id, &other] {
        for path in [format!("{list}{id}/"), format!("{list}{id}/remove/"), format!("/api/0{list}{id}/")] {
            assert_eq!(scene.look(&path, &path).await?.status, 200, "{path}");
        }
    }
    for path in ["/api/0/organizations/acme/integrations/", "/api/0/organizations/acme/config/integrations/"] {
        scene.look(path, path).await?;
    }
    scene.look("audit log", "/api/0/organizations/acme/audit/").await?;
    scene.look("audit page", "/organizations/acme/audit/").await?;
    let path = format!("/api/0/organizations/acme/integrations/{other}/");
    let removed = scene.owner.send(scene.owner.request(Method::DELETE, &path)).await?;
    scene.answers.push(("removal".to_owned(), removed));
    scene.gather_secrets()
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
    commands.into_iter().map(|words| Ok((words.join(" "), host.said(words)?.1))).collect()
}

/// Token leak by a dialog, a page, an error or the API (RFC 9700 sections 4.2 and 4.3.2; RFC 6750 section 5.3): somebody looks over the victim's shoulder, reads
/// what the browser keeps, or is an extension in it.
#[tokio::test(flavor = "multi_thread")]
async fn token_leak_by_dialog_page_error_or_api() -> Result<()> {
    let mut scene = Scene::new().await?;
    everything(&mut scene).await?;
    assert!(scene.answers.len() >= 20);
    for (what, answer) in &scene.answers {
        scene.assert_clean(what, &whole(answer));
    }
    Ok(())
}

/// Token leak by a log or a command's output: somebody reads the log at its finest, or what an operator pastes into a question. CVE-2022-31162 and
/// CVE-2022-39292 were of this kind.
#[tokio::test(flavor = "multi_thread")]
async fn token_leak_by_log_or_command() -> Result<()> {
    let mut scene = Scene::new().await?;
    everything(&mut scene).await?;
    for (command, said) in commands(&scene.stage.host)? {
        scene.assert_clean(&format!("`{command}`"), &said);
    }
    let log = scene.stage.host.log()?;
    assert!(log.contains("DEBUG") && log.contains("a step failed"), "the log is as fine as it gets");
    scene.assert_clean("the log", &log);
    Ok(())
}
