//! The stand-in Slack is as strict as Slack.

use std::time::Duration;

use anyhow::{Context, Result};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    stand_in_slack::{Consent, StandInSlack},
};
use reqwest::Method;
use serde_json::{Value, json};

const BACK: &str = "https://jackfield.example/extensions/slack/setup/";
const V2: &str = "/api/oauth.v2.access";

type Form = Vec<(&'static str, String)>;

struct SlackTest {
    slack: StandInSlack,
    user: HttpClient,
}

impl SlackTest {
    async fn new() -> Result<Self> {
        let slack = StandInSlack::start().await?;
        let user = HttpClient::new(&slack.url(""));
        Ok(Self { slack, user })
    }

    async fn authorize(&self, path: &str) -> Result<HttpResponse> {
        let query =
            format!("client_id={}&redirect_uri={BACK}&scope=commands,team:read&state=s", self.slack.client().id);
        self.user.visit(&format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' })).await
    }

    async fn code(&self, path: &str) -> Result<String> {
        code_in(&self.authorize(path).await?)
    }

    /// A request that Slack accepts, with a new code.
    async fn form(&self) -> Result<Form> {
        let mut form = self.form_without_code();
        form.push(("code", self.code("/oauth/v2/authorize").await?));
        Ok(form)
    }

    fn form_without_code(&self) -> Form {
        let client = self.slack.client();
        vec![
            ("grant_type", "authorization_code".to_owned()),
            ("redirect_uri", BACK.to_owned()),
            ("client_id", client.id.clone()),
            ("client_secret", client.secret.clone()),
        ]
    }

    async fn token(&self, path: &str, form: &Form) -> Result<Value> {
        let response = self.user.send(self.user.request(Method::POST, path).form(form)).await?;
        assert_eq!(response.status, 200, "Slack's errors have status 200");
        response.json()
    }
}

fn code_in(back: &HttpResponse) -> Result<String> {
    let back = back.redirect()?;
    let code = back.query_pairs().find(|(name, _)| name == "code").map(|(_, value)| value.into_owned());
    code.with_context(|| format!("no code in {back}"))
}

/// The hidden fields of the consent page's form.
fn fields(page: &str) -> Vec<(String, String)> {
    let hidden = page.split("<input type=\"hidden\" name=\"").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("\" value=\"")?;
        Some((name.to_owned(), rest.split_once('"')?.0.to_owned()))
    });
    hidden.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_checks_grant_type_client_secret_and_redirect_uri_and_a_code_works_once() -> Result<()> {
    let app = SlackTest::new().await?;
    let cases = [
        ("", "", ""),
        ("grant_type", "password", "invalid_grant_type"),
        ("client_id", "other", "invalid_client_id"),
        ("client_secret", "other", "bad_client_secret"),
        ("redirect_uri", "https://evil.example/", "bad_redirect_uri"),
        ("redirect_uri", "https://jackfield.example/extensions/slack/setup", "bad_redirect_uri"),
        ("code", "guessed", "invalid_code"),
    ];
    for (field, value, error) in cases {
        let mut form = app.form().await?;
        form.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, old)| *old = value.to_owned());
        let response = app.token(V2, &form).await?;
        let said = (response["ok"].as_bool(), response["error"].as_str().unwrap_or_default());
        assert_eq!(said, (Some(error.is_empty()), error), "{field}: {value}");
        assert_eq!(app.token(V2, &form).await?["ok"], false, "a code works once");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_one_dialect_is_none_in_the_other() -> Result<()> {
    let app = SlackTest::new().await?;
    for (authorize, token) in [("/oauth/authorize", V2), ("/oauth/v2/authorize", "/api/oauth.access")] {
        let mut form = app.form().await?;
        form[4].1 = app.code(authorize).await?;
        assert_eq!(app.token(token, &form).await?["error"], "oauth_authorization_url_mismatch");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_lives_ten_minutes() -> Result<()> {
    let app = SlackTest::new().await?;
    let (early, late) = (app.form().await?, app.form().await?);
    app.slack.advance_clock(Duration::from_secs(540));
    assert_eq!(app.token(V2, &early).await?["ok"], true);
    app.slack.advance_clock(Duration::from_secs(61));
    assert_eq!(app.token(V2, &late).await?["error"], "invalid_code");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_may_prove_itself_by_http_basic_but_not_in_the_url() -> Result<()> {
    let app = SlackTest::new().await?;
    let client = app.slack.client().clone();
    for (secret, ok) in [(client.secret.as_str(), true), ("other", false)] {
        let mut form = app.form().await?;
        form.retain(|(name, _)| !name.starts_with("client_"));
        let request = app.user.request(Method::POST, V2).basic_auth(&client.id, Some(secret)).form(&form);
        assert_eq!(app.user.send(request).await?.json()?["ok"], ok, "{secret}");
    }
    let mut form = app.form().await?;
    form.retain(|(name, _)| *name != "client_secret");
    let path = format!("{V2}?client_secret={}", client.secret);
    assert_eq!(app.token(&path, &form).await?["error"], "bad_client_secret");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_who_asks_for_what_and_chooses_the_workspace() -> Result<()> {
    let app = SlackTest::new().await?;
    app.slack.behave(|behaviour| {
        behaviour.consent = Consent::Ask;
        behaviour.team_name = "<b>Bold</b>".to_owned();
    });
    let page = app.authorize("/oauth/v2/authorize?team=T0DIFFERENCE").await?;
    for shown in ["Allow", "Deny", "jackfield.example", "<code>team:read</code>", "value=\"T0DIFFERENCE\" selected"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<b>Bold") && !page.text.contains("<script"));
    let decide = async |decision: &str, team: &str| {
        let form: Vec<_> = fields(&page.text)
            .into_iter()
            .chain([("decision".into(), decision.into()), ("team".into(), team.into())])
            .collect();
        app.user.send(app.user.request(Method::POST, "/consent").form(&form)).await
    };
    let denied = decide("deny", "T0DIFFERENCE").await?.redirect()?;
    assert_eq!(denied.as_str(), format!("{BACK}?error=access_denied&state=s"));
    let mut form = app.form_without_code();
    form.push(("code", code_in(&decide("allow", "T0DIFFERENCE").await?)?));
    let team = json!({"id": "T0DIFFERENCE", "name": "Difference Engines"});
    assert_eq!(app.token(V2, &form).await?["team"], team);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_kept_with_method_headers_query_and_form() -> Result<()> {
    let app = SlackTest::new().await?;
    let request = app.user.request(Method::POST, "/api/elsewhere?a=1&a=2").header("x-mark", "here");
    assert_eq!(app.user.send(request.form(&[("b", "3")])).await?.status, 404);
    let received = app.slack.requests().pop().context("it is kept")?;
    assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/api/elsewhere"));
    assert_eq!(received.headers["x-mark"], "here");
    assert_eq!(received.query, [("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]);
    assert_eq!(received.form, [("b".to_owned(), "3".to_owned())]);
    assert_eq!(app.slack.token_requests(), [received], "the target of a redirect counts");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switches_can_be_set_over_http() -> Result<()> {
    let app = SlackTest::new().await?;
    let set = async |switches: Value| {
        let request = app.user.request(Method::POST, "/behaviour").json(&switches);
        anyhow::Ok(app.user.send(request).await?.status)
    };
    assert_eq!(set(json!({"team_name": "x"})).await?, 422, "names are in kebab case");
    assert_eq!(set(json!({"consent": "deny", "coop": true})).await?, 204);
    let denied = app.authorize("/oauth/v2/authorize").await?;
    assert_eq!(denied.header("cross-origin-opener-policy"), "same-origin");
    assert!(denied.redirect()?.query().is_some_and(|query| query.starts_with("error=access_denied")));
    Ok(())
}
