//! Refreshes as the services of the catalogue speak them: where they go, with what, and by which
//! words a refresh token is dead.

use std::collections::BTreeMap;

use anyhow::Result;
use jackfield_test_support::stand_in_oauth2::ServiceProfile;
use serde_json::{Value, json};
use time::Duration;

use super::service_app::{ServiceApp, answer_of, enabled, is_refresh, over};
use crate::app::{AppDatabase, refusal};

const EXPIRED: Duration = Duration::seconds(-1);

fn profiles(ids: &[&str]) -> Result<BTreeMap<String, ServiceProfile>> {
    let mut all = ServiceProfile::all()?;
    all.retain(|id, _| ids.contains(&id.as_str()));
    Ok(all)
}

/// Hosts of token endpoints, each with what it answers to a dead refresh token.
fn dead() -> Vec<(&'static str, &'static str, u16, Value)> {
    vec![
        (
            "hubspot",
            "api.hubapi.com",
            400,
            json!({"status": "BAD_REFRESH_TOKEN", "message": "missing or unknown refresh token"}),
        ),
        (
            "github",
            "github.com",
            200,
            json!({"error": "bad_refresh_token", "error_description": "incorrect or expired"}),
        ),
        (
            "fitbit",
            "api.fitbit.com",
            400,
            json!({"errors": [{"errorType": "invalid_grant", "message": "Refresh token invalid"}], "success": false}),
        ),
        ("twitch", "id.twitch.tv", 400, json!({"status": 400, "message": "Invalid refresh token"})),
        (
            "strava",
            "www.strava.com",
            400,
            json!({"message": "Bad Request", "errors": [{"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}]}),
        ),
        (
            "square",
            "connect.squareup.com",
            401,
            json!({"message": "Invalid refresh token", "type": "service.not_authorized"}),
        ),
        (
            "jira",
            "auth.atlassian.com",
            403,
            json!({"error": "unauthorized_client", "error_description": "refresh_token is invalid"}),
        ),
        ("pinterest", "api.pinterest.com", 401, json!({"code": 283, "message": "The authorization grant is invalid"})),
        (
            "x",
            "api.x.com",
            400,
            json!({"error": "invalid_request", "error_description": "Value passed for the token was invalid."}),
        ),
        ("reddit", "www.reddit.com", 400, json!({"message": "Bad Request", "error": 400})),
        (
            "salesforce",
            "login.salesforce.com",
            400,
            json!({"error": "inactive_user", "error_description": "user is inactive"}),
        ),
        ("zoom", "zoom.us", 400, json!({"reason": "Invalid Token!", "error": "invalid_grant"})),
    ]
}

fn with_refresh_token(answer: (u16, Value)) -> (u16, Value) {
    let is_token_answer = answer.1.get("access_token").is_some();
    let more = if is_token_answer { json!({"refresh_token": "r1", "expires_in": 3600}) } else { json!({}) };
    (answer.0, over(answer.1, more))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_ends_a_refresh_token_in_its_own_words() -> Result<()> {
    let cases = dead();
    let ids: Vec<_> = cases.iter().map(|(id, ..)| *id).collect();
    let (profiles, toml) = (profiles(&ids)?, ids.iter().map(|id| enabled(id)).collect::<Result<Vec<_>>>()?);
    let played = cases.clone();
    let app = ServiceApp::start(&toml.join("\n"), move |request| {
        let host = request.url.split('/').nth(2).unwrap_or_default();
        let case = played.iter().find(|(_, of, ..)| *of == host).filter(|_| is_refresh(request));
        case.map_or_else(
            || with_refresh_token(answer_of(&profiles, request)),
            |(_, _, status, answer)| (*status, answer.clone()),
        )
    })
    .await?;
    let stored = AppDatabase::of(&app.host).await?;
    let mut wrong = Vec::new();
    for (id, ..) in &cases {
        let client = app.connect(id).await?;
        let external_id = client.get(&client.path).await?.json()?["externalId"].as_str().unwrap_or_default().to_owned();
        stored.let_live(&external_id, "access", EXPIRED).await?;
        let (token, status) = (client.get_token("").await?.status, client.status().await?);
        if (token, &status) != (409, &json!("needs-reauthentication")) {
            wrong.push(format!("{id}: {token} {status}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(app.host.log()?.matches("a grant is over").count(), cases.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_the_client_or_fails_ends_no_grant() -> Result<()> {
    let answers = [
        (401, json!({"error": "invalid_client"})),
        (429, json!({"error": "invalid_grant"})),
        (503, json!({"status": "BAD_REFRESH_TOKEN"})),
        (400, json!({"error": "temporarily_unavailable"})),
        (400, Value::Null),
        (403, Value::Null),
    ];
    let (profiles, mut next) = (profiles(&["hubspot"])?, answers.clone().into_iter());
    let app = ServiceApp::start(&enabled("hubspot")?, move |request| match is_refresh(request) {
        true => next.next().unwrap_or((500, Value::Null)),
        false => with_refresh_token(answer_of(&profiles, request)),
    })
    .await?;
    let (client, stored) = (app.connect("hubspot").await?, AppDatabase::of(&app.host).await?);
    stored.let_live("1234567", "access", EXPIRED).await?;
    for (status, answer) in &answers {
        stored.try_again_now("1234567").await?;
        assert_eq!(client.get_token("").await?.status, 503, "{status} {answer}");
        assert_eq!(client.status().await?, "active", "{status} {answer}");
    }
    let sent = app.services.requests().iter().filter(|request| is_refresh(request)).count();
    assert_eq!(sent, answers.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_refusals_over_hours_end_a_grant_also_across_restarts_and_say_why() -> Result<()> {
    let profiles = profiles(&["hubspot"])?;
    let refusal_of = json!({"error": "odd_thing", "error_description": "ask the moon"});
    let app = ServiceApp::start(&enabled("hubspot")?, move |request| match is_refresh(request) {
        true => (400, refusal_of.clone()),
        false => with_refresh_token(answer_of(&profiles, request)),
    })
    .await?;
    let client = app.connect("hubspot").await?;
    let whole = |client: &crate::app::ApiClient| {
        let (client, path) = (client.clone(), client.path.clone());
        async move { client.get(&path).await?.json() }
    };
    assert!(whole(&client).await?["refreshFailingSince"].is_null());
    let stored = AppDatabase::of(&app.host).await?;
    stored.let_live("1234567", "access", EXPIRED).await?;
    let ServiceApp { services, mut host, .. } = app;
    for count in 1..=5 {
        let client = client.at(&host);
        stored.try_again_now("1234567").await?;
        let token = client.get_token("").await?;
        assert_eq!(token.status, 503, "{count}: {}", token.text);
        let shown = whole(&client).await?;
        assert_eq!(shown["status"], "active", "{count}");
        assert!(shown["refreshFailingSince"].is_string(), "{shown}");
        host = host.restart(ServiceApp::builder(&services, &enabled("hubspot")?))?;
    }
    let client = client.at(&host);
    stored.let_refusals_last(Duration::hours(6)).await?;
    stored.try_again_now("1234567").await?;
    assert_eq!(client.get_token("").await?.status, 409);
    let shown = whole(&client).await?;
    assert_eq!((&shown["status"], &shown["refreshFailingSince"]), (&json!("needs-reauthentication"), &Value::Null));
    let (grant, _) = stored.grants("1234567").await?.remove(0);
    let reason = grant.reason.unwrap_or_default();
    let said = "times in 6 hours: the token endpoint answered the error `odd_thing`: ask the moon";
    assert!(reason.starts_with("refused ") && reason.ends_with(said), "{reason}");
    assert!(host.log()?.contains(&reason), "{}", host.log()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_goes_where_figma_and_basecamp_want_it() -> Result<()> {
    let ids = ["figma", "basecamp"];
    let (profiles, toml) = (profiles(&ids)?, [enabled("figma")?, enabled("basecamp")?].join("\n"));
    let app = ServiceApp::start(&toml, move |request| match is_refresh(request) {
        true => (200, json!({"access_token": "at-2", "expires_in": 3600})),
        false => with_refresh_token(answer_of(&profiles, request)),
    })
    .await?;
    let stored = AppDatabase::of(&app.host).await?;
    for (id, account, url, kind) in [
        ("figma", "1234", "https://api.figma.com/v1/oauth/refresh", ""),
        ("basecamp", "88888888", "https://launchpad.37signals.com/authorization/token", "refresh"),
    ] {
        let client = app.connect(id).await?;
        stored.let_live(account, "access", EXPIRED).await?;
        assert_eq!(client.access_token("").await?, "at-2", "{id}");
        let sent = app.last_refresh()?;
        assert_eq!((sent.url.as_str(), sent.parameter("type")), (url, kind));
        assert_eq!(sent.parameter("refresh_token"), "r1");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_at_which_a_token_expires_is_as_good_as_a_lifetime() -> Result<()> {
    let profiles = profiles(&["square"])?;
    let app = ServiceApp::start(&enabled("square")?, move |request| {
        let (status, mut answer) = answer_of(&profiles, request);
        if let Some(answer) = answer.as_object_mut().filter(|answer| answer.contains_key("access_token")) {
            answer.remove("expires_in");
            answer.insert("expires_at".to_owned(), "2099-01-01T00:00:00Z".into());
        }
        (status, answer)
    })
    .await?;
    let client = app.connect("square").await?;
    assert_eq!(client.get_token("").await?.json()?["expiresAt"], "2099-01-01T00:00:00Z");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_consent_without_a_refresh_token_keeps_the_one_of_the_same_client() -> Result<()> {
    let (profiles, mut first) = (profiles(&["hubspot"])?, true);
    let app = ServiceApp::start(&enabled("hubspot")?, move |request| {
        if is_refresh(request) {
            return match request.parameter("refresh_token") {
                "r1" => (200, json!({"access_token": "at-new", "expires_in": 3600})),
                _ => (400, json!({"error": "invalid_grant"})),
            };
        }
        let (status, answer) = answer_of(&profiles, request);
        if answer.get("access_token").is_none() {
            return (status, answer);
        }
        let answer = json!({"access_token": if first { "at-1" } else { "at-2" }, "expires_in": 3600});
        let refresh = if std::mem::take(&mut first) { json!({"refresh_token": "r1"}) } else { json!({}) };
        (200, over(answer, refresh))
    })
    .await?;
    let stored = AppDatabase::of(&app.host).await?;
    let tokens = || async {
        let (_, tokens) = stored.grants("1234567").await?.remove(0);
        anyhow::Ok((tokens.access_token, tokens.refresh_token))
    };
    app.connect("hubspot").await?;
    app.connect("hubspot").await?;
    assert_eq!(tokens().await?, ("at-2".to_owned(), Some("r1".to_owned())));
    assert!(stored.revocations().await?.is_empty(), "the first token's end could be that of its refresh token");
    // With another client of the operator's, the refresh token is not the host's to use.
    let other = enabled("hubspot")?.replace("\"cid\"", "\"other\"");
    let ServiceApp { services, host, .. } = app;
    let host = host.restart(ServiceApp::builder(&services, &other))?;
    let owner = jackfield_test_support::http_client::HttpClient::logged_in(
        &host.url,
        "owner@example.com",
        crate::app::PASSWORD,
    )
    .await?;
    let app = ServiceApp { services, host, owner };
    app.connect("hubspot").await?;
    assert_eq!(tokens().await?, ("at-2".to_owned(), None));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_says_that_the_integration_needs_its_person() -> Result<()> {
    let profiles = profiles(&["hubspot"])?;
    let app = ServiceApp::start(&enabled("hubspot")?, move |request| match is_refresh(request) {
        true => (400, json!({"status": "BAD_REFRESH_TOKEN", "message": "unknown"})),
        false => with_refresh_token(answer_of(&profiles, request)),
    })
    .await?;
    let client = app.connect("hubspot").await?;
    AppDatabase::of(&app.host).await?.let_live("1234567", "access", EXPIRED).await?;
    let called = client.proxy_get("crm/v3/objects/contacts").await?;
    assert_eq!(refusal(&called)?, (409, "needs-reauthentication".to_owned()));
    Ok(())
}
