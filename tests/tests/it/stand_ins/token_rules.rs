//! The stand-ins keep their tokens as strictly as the real services, and inject the faults that a
//! test wants.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    stand_in::{Endpoint, Fault, HoldPoint, Rotation, TokenState},
    stand_in_oauth2::{CLIENT, SECRET, ServiceProfile, StandInOAuth2},
    stand_in_slack::{Install, StandInSlack},
};
use reqwest::Method;
use serde_json::{Value, json};

const BACK: &str = "https://jackfield.example/back";

struct Slack {
    slack: StandInSlack,
    user: HttpClient,
}

impl Slack {
    async fn rotating(rotation: Rotation) -> Result<Self> {
        let slack = StandInSlack::start().await?;
        slack.behave(|behaviour| behaviour.rotation = rotation);
        let user = HttpClient::new(&slack.url(""));
        Ok(Self { slack, user })
    }

    async fn access(&self, form: &[(&str, &str)]) -> Result<HttpResponse> {
        let client = self.slack.client();
        let request =
            self.user.request(Method::POST, "/api/oauth.v2.access").basic_auth(&client.id, Some(&client.secret));
        self.user.send(request.form(form)).await
    }

    async fn install(&self) -> Result<Value> {
        let client = &self.slack.client().id;
        let path = format!(
            "/oauth/v2/authorize?client_id={client}&redirect_uri={BACK}&scope=chat:write&user_scope=search:read&state=s"
        );
        let back = self.user.visit(&path).await?.redirect()?;
        let code = back.query_pairs().find(|(name, _)| name == "code").context("a code")?.1.into_owned();
        self.access(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)]).await?.json()
    }

    async fn refresh(&self, token: &Value) -> Result<Value> {
        let token = token.as_str().unwrap_or_default();
        self.access(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await?.json()
    }

    async fn call(&self, method: &str, token: &Value, form: &[(&str, &str)]) -> Result<Value> {
        let request = self.user.request(Method::POST, &format!("/api/{method}"));
        self.user.send(request.bearer_auth(token.as_str().unwrap_or_default()).form(form)).await?.json()
    }

    async fn says(&self, token: &Value) -> Result<Value> {
        let response = self.call("auth.test", token, &[]).await?;
        Ok(if response["ok"] == true { "alive".into() } else { response["error"].clone() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slacks_bot_and_user_rotate_apart_and_a_refresh_token_works_once() -> Result<()> {
    let app = Slack::rotating(Rotation::SingleUse).await?;
    let installed = app.install().await?;
    let user = &installed["authed_user"];
    assert!(installed["access_token"].as_str().is_some_and(|token| token.starts_with("xoxe.xoxb-")), "{installed}");
    assert!(user["access_token"].as_str().is_some_and(|token| token.starts_with("xoxe.xoxp-")), "{installed}");
    assert_eq!((&installed["expires_in"], &user["expires_in"]), (&json!(43_200), &json!(43_200)));

    let mut flat = app.refresh(&installed["refresh_token"]).await?;
    assert_eq!(app.says(&flat["access_token"]).await?, "alive");
    assert_eq!(app.refresh(&installed["refresh_token"]).await?["error"], "invalid_refresh_token");
    assert_ne!(flat["refresh_token"].take(), installed["refresh_token"]);
    flat["access_token"].take();
    let as_slack_has_it = json!({
        "ok": true, "access_token": null, "refresh_token": null, "expires_in": 43_200, "token_type": "bot",
        "scope": "chat:write", "bot_user_id": "B0STANDIN", "app_id": "A0STANDIN", "enterprise": null,
        "is_enterprise_install": false, "team": {"id": "T0STANDIN", "name": "Analytical Engines"},
    });
    assert_eq!(flat, as_slack_has_it);
    assert_eq!(
        app.refresh(&user["refresh_token"]).await?["token_type"],
        "user",
        "the rotation of the bot does not change it"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slacks_tokens_expire_after_twelve_hours_and_without_rotation_never() -> Result<()> {
    let app = Slack::rotating(Rotation::SingleUse).await?;
    let rotating = app.install().await?;
    app.slack.behave(|behaviour| behaviour.rotation = Rotation::Off);
    let lasting = app.install().await?;
    assert!(lasting["refresh_token"].is_null() && lasting["expires_in"].is_null());
    app.slack.advance_clock(Duration::from_secs(43_100));
    assert_eq!(app.says(&rotating["access_token"]).await?, "alive");
    app.slack.advance_clock(Duration::from_secs(101));
    assert_eq!(app.says(&rotating["access_token"]).await?, "token_expired");
    assert_eq!(app.says(&lasting["access_token"]).await?, "alive");
    assert_eq!(app.says(&json!("guessed")).await?, "invalid_auth");
    assert_eq!(app.says(&json!("")).await?, "not_authed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_slack_ends_a_family_whose_used_token_comes_again() -> Result<()> {
    let app = Slack::rotating(Rotation::ReuseDetected).await?;
    let installed = app.install().await?;
    let next = app.refresh(&installed["refresh_token"]).await?;
    assert_eq!(app.refresh(&installed["refresh_token"]).await?["error"], "invalid_refresh_token");
    assert_eq!(app.says(&next["access_token"]).await?, "token_revoked");
    assert_eq!(app.refresh(&next["refresh_token"]).await?["error"], "invalid_refresh_token");
    assert_eq!(app.says(&installed["authed_user"]["access_token"]).await?, "alive", "another family");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_revokes_one_token_or_uninstalls_them_all() -> Result<()> {
    let app = Slack::rotating(Rotation::Off).await?;
    app.slack.behave(|behaviour| behaviour.install = Install::GridWorkspace);
    let (first, second) = (app.install().await?, app.install().await?);
    let (bot, user) = (&first["access_token"], &first["authed_user"]["access_token"]);
    assert_eq!(app.call("auth.revoke", bot, &[("test", "1")]).await?, json!({"ok": true, "revoked": false}));
    assert_eq!(app.says(bot).await?, "alive");
    assert_eq!(app.call("auth.revoke", bot, &[]).await?, json!({"ok": true, "revoked": true}));
    assert_eq!((app.says(bot).await?, app.says(user).await?), (json!("token_revoked"), json!("alive")));
    assert_eq!(app.call("auth.revoke", bot, &[]).await?["error"], "token_revoked");

    let client = app.slack.client();
    let uninstall = async |id: &str, secret: &str| {
        app.call("apps.uninstall", user, &[("client_id", id), ("client_secret", secret)]).await
    };
    assert_eq!(uninstall("other", &client.secret).await?["error"], "client_id_token_mismatch");
    assert_eq!(uninstall(&client.id, "other").await?["error"], "bad_client_secret");
    assert_eq!(uninstall(&client.id, &client.secret).await?, json!({"ok": true}));
    assert_eq!(app.says(&second["access_token"]).await?, "token_revoked");
    assert_eq!(app.slack.tokens().live_access_tokens(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_has_rotated_the_token_and_a_lost_request_has_not() -> Result<()> {
    let app = Slack::rotating(Rotation::SingleUse).await?;
    let installed = app.install().await?;
    let faults = app.slack.faults();
    let (before, after) = (
        [Fault::LostRequest, Fault::ServerError, Fault::Unavailable { retry_after: 7 }],
        [Fault::LostResponse, Fault::TruncatedResponse, Fault::NotJson, Fault::ServerErrorAfterHandling],
    );
    for fault in before {
        faults.next(Endpoint::Refresh, [Some(fault)]);
        assert!(app.refresh(&installed["refresh_token"]).await.is_err(), "no JSON comes");
        assert_eq!(app.slack.tokens().live_access_tokens().len(), 2, "nothing is done");
    }
    let mut token = installed["refresh_token"].clone();
    for fault in after {
        faults.next(Endpoint::Refresh, [Some(fault.clone()), None]);
        assert!(app.refresh(&token).await.is_err(), "{fault:?}: no JSON comes");
        assert_eq!(app.refresh(&token).await?["error"], "invalid_refresh_token", "{fault:?}: it is done");
        token = json!(app.slack.tokens().live_refresh_tokens().last());
    }
    faults.always(Endpoint::Refresh, Some(Fault::Refused { error: "ratelimited".to_owned() }));
    assert_eq!(app.refresh(&token).await?, json!({"ok": false, "error": "ratelimited"}));
    faults.always(Endpoint::Refresh, None);
    assert_eq!(app.refresh(&token).await?["ok"], true);
    assert_eq!((faults.requests(Endpoint::Refresh), faults.handled(Endpoint::Refresh)), (13, 9));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_held_until_the_test_lets_them_go() -> Result<()> {
    let app = Arc::new(Slack::rotating(Rotation::SingleUse).await?);
    let installed = app.install().await?;
    let hold = app.slack.faults().hold(Endpoint::Refresh, HoldPoint::BeforeHandling);
    let race = |token: Value| {
        let app = app.clone();
        tokio::spawn(async move { app.refresh(&token).await })
    };
    let racers: Vec<_> = (0..8).map(|_| race(installed["refresh_token"].clone())).collect();
    hold.wait_for(8).await;
    assert_eq!(app.slack.faults().handled(Endpoint::Refresh), 0);
    hold.release();
    let mut winners = 0;
    for racer in racers {
        winners += usize::from(racer.await??["ok"] == true);
    }
    assert_eq!(winners, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_has_methods_to_call_and_says_when_it_is_too_much() -> Result<()> {
    let app = Slack::rotating(Rotation::Off).await?;
    let token = app.install().await?["access_token"].clone();
    let posted = app.call("chat.postMessage", &token, &[("channel", "C0GENERAL"), ("text", "hello")]).await?;
    assert_eq!(posted["message"], json!({"channel": "C0GENERAL", "text": "hello"}));
    assert_eq!(app.call("conversations.list", &token, &[]).await?["channels"][0]["name"], "general");
    app.slack.faults().next(Endpoint::Api, [Some(Fault::TooManyRequests { retry_after: 30 })]);
    let request = app.user.request(Method::GET, "/api/conversations.list");
    let response = app.user.send(request.bearer_auth(token.as_str().unwrap_or_default())).await?;
    assert_eq!((response.status, response.header("retry-after")), (429, "30"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn long_bodies_flow_as_the_test_paces_them() -> Result<()> {
    let app = Slack::rotating(Rotation::Off).await?;
    let token = app.install().await?["access_token"].as_str().unwrap_or_default().to_owned();
    let request = app.user.request(Method::GET, "/api/stand-in.download?chunks=2&bytes=1000&paced=1");
    let mut download = request.bearer_auth(&token).send().await?;
    for _ in 0..2 {
        app.slack.send_chunks(1);
        assert_eq!(download.chunk().await?.map(|chunk| chunk.len()), Some(1000));
    }
    assert_eq!(download.chunk().await?, None);
    let request = app.user.request(Method::POST, "/api/stand-in.upload").bearer_auth(&token).body("x".repeat(5000));
    let upload = app.user.send(request).await?.json()?;
    app.slack.uploaded(5000).await;
    assert_eq!(upload["bytes"], 5000);
    assert!(upload["chunks"][0]["milliseconds"].is_f64());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_make_trouble_and_let_time_pass_over_http() -> Result<()> {
    let app = Slack::rotating(Rotation::SingleUse).await?;
    let installed = app.install().await?;
    let post = async |path: &str, body: Value| {
        anyhow::Ok(app.user.send(app.user.request(Method::POST, path).json(&body)).await?.status)
    };
    let fault = json!({"endpoint": "refresh", "fault": {"unavailable": {"retry-after": 3}}});
    assert_eq!(post("/fault", fault).await?, 204);
    let form = [("grant_type", "refresh_token"), ("refresh_token", "any")];
    assert_eq!(app.access(&form).await?.header("retry-after"), "3");
    assert_eq!(post("/advance-clock", json!({"seconds": 43_200})).await?, 204);
    let tokens = app.user.visit("/tokens").await?.json()?;
    let bot = tokens.as_array().and_then(|tokens| tokens.iter().find(|one| one["token"] == installed["access_token"]));
    assert_eq!(bot.context("it is listed")?["state"], "expired");
    Ok(())
}

/// A service with rotation, revocation and an API.
struct OAuth2Test {
    service: StandInOAuth2,
    user: HttpClient,
}

impl OAuth2Test {
    async fn rotating(rotation: &str) -> Result<Self> {
        let profile: ServiceProfile = toml::from_str(&format!(
            r#"
authorize = "https://s.example/authorize"
token = "https://s.example/token"
revocation = "https://s.example/revoke"
api = "https://api.s.example/"
rotation = "{rotation}"
refresh-expires-in = 86400
authentication = "basic"
body = "form"
pkce = "verified"
separator = " "
token-answer = '{{"access_token": "TOKEN", "refresh_token": "REFRESH", "expires_in": 3600, "token_type": "bearer"}}'
installs = {{ id = "7", name = "Ada" }}
"#
        ))?;
        let service = StandInOAuth2::start(BTreeMap::from([("s".to_owned(), profile)])).await?;
        Ok(Self { user: HttpClient::new(""), service })
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<HttpResponse> {
        let url = self.service.url_of("s", &format!("https://s.example/{path}"));
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let request = self.user.request(Method::POST, &url).basic_auth(encoded(CLIENT), Some(encoded(SECRET)));
        self.user.send(request.form(form)).await
    }

    async fn install(&self) -> Result<Value> {
        let mut url = url::Url::parse(&self.service.url_of("s", "https://s.example/authorize"))?;
        let query = [
            ("client_id", CLIENT),
            ("response_type", "code"),
            ("state", "s"),
            ("redirect_uri", BACK),
            ("scope", "a b"),
        ];
        url.query_pairs_mut().extend_pairs(query);
        let back = self.user.visit(url.as_str()).await?.redirect()?;
        let code = back.query_pairs().find(|(name, _)| name == "code").context("a code")?.1.into_owned();
        self.post("token", &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)])
            .await?
            .json()
    }

    async fn refresh(&self, token: &Value, scope: &str) -> Result<Value> {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap_or_default())];
        form.extend((!scope.is_empty()).then_some(("scope", scope)));
        self.post("token", &form).await?.json()
    }

    /// What the API answers to a token.
    async fn says(&self, token: &Value) -> Result<Value> {
        let url = self.service.url_of("s", "https://api.s.example/things?a=1");
        let request = self.user.request(Method::GET, &url).bearer_auth(token.as_str().unwrap_or_default());
        let response = self.user.send(request).await?;
        assert_eq!(response.status == 401, response.header("www-authenticate") == "Bearer error=\"invalid_token\"");
        let response = response.json()?;
        Ok(if response["query"] == "a=1" { "live".into() } else { response["state"].clone() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_refreshes_with_the_same_token_while_it_does_not_rotate() -> Result<()> {
    let app = OAuth2Test::rotating("off").await?;
    let installed = app.install().await?;
    let token = &installed["refresh_token"];
    for scope in ["", "a", "b a"] {
        assert_eq!(app.refresh(token, scope).await?["refresh_token"], *token, "{scope}");
    }
    assert_eq!(app.refresh(token, "a c").await?["error"], "invalid_scope", "RFC 6749 section 6: no more than before");
    assert_eq!(app.refresh(&json!("guessed"), "").await?["error"], "invalid_grant");
    assert_eq!(app.refresh(&installed["access_token"], "").await?["error"], "invalid_grant");
    app.service.advance_clock(Duration::from_secs(3600));
    assert_eq!(app.says(&installed["access_token"]).await?, "expired");
    app.service.advance_clock(Duration::from_secs(86_400));
    assert_eq!(app.refresh(token, "").await?["error"], "invalid_grant", "refresh tokens expire too");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_rotates_ends_the_family_when_a_used_token_comes_again() -> Result<()> {
    for (rotation, then) in [("single-use", "live"), ("reuse-detected", "revoked")] {
        let app = OAuth2Test::rotating(rotation).await?;
        let installed = app.install().await?;
        let next = app.refresh(&installed["refresh_token"], "").await?;
        assert_eq!(app.says(&next["access_token"]).await?, "live");
        assert_eq!(app.refresh(&installed["refresh_token"], "").await?["error"], "invalid_grant");
        assert_eq!(app.says(&next["access_token"]).await?, then, "{rotation}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_revokes_as_rfc_7009_says() -> Result<()> {
    let app = OAuth2Test::rotating("single-use").await?;
    let installed = app.install().await?;
    let revoke = async |token: &Value, hint: &str| {
        let form = [("token", token.as_str().unwrap_or_default()), ("token_type_hint", hint)];
        anyhow::Ok(app.post("revoke", &form).await?.status)
    };
    app.service.faults("s").next(Endpoint::Revocation, [Some(Fault::Unavailable { retry_after: 5 })]);
    assert_eq!(revoke(&installed["access_token"], "access_token").await?, 503);
    assert_eq!(app.says(&installed["access_token"]).await?, "live");
    assert_eq!(revoke(&json!("nobody's"), "access_token").await?, 200, "section 2.2");
    assert_eq!(revoke(&installed["access_token"], "access_token").await?, 200);
    assert_eq!(app.says(&installed["access_token"]).await?, "revoked");
    let next = app.refresh(&installed["refresh_token"], "").await?;
    assert_eq!(app.says(&next["access_token"]).await?, "live", "the grant is still active");
    assert_eq!(revoke(&next["refresh_token"], "refresh_token").await?, 200);
    assert_eq!(app.says(&next["access_token"]).await?, "revoked", "section 2.1: with all its access tokens");
    assert_eq!(app.service.tokens().state(next["refresh_token"].as_str().unwrap_or_default()), TokenState::Revoked);
    Ok(())
}
