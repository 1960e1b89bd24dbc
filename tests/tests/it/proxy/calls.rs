//! Calls of a service's API through the host, which adds the credential.

use std::ops::Deref;

use anyhow::{Context, Result};
use futures_util::{StreamExt, future::try_join_all, stream};
use insta::assert_snapshot;
use jackfield_store::refreshes::NEVER;
use jackfield_test_support::{
    http_client::HttpClient,
    raw_http::{RawHttpConnection, RawHttpServer},
    stand_in::{Endpoint, Fault, Rotation, TokenState},
    stand_in_oauth2::StandInOAuth2,
    stand_in_slack::StandInSlack,
};
use reqwest::{Body, Method};
use serde_json::json;
use time::Duration;

use crate::{
    app::{ApiClient, log_line, redacted, refusal},
    app::{AppDatabase, TestApp},
    providers::declared::{declaration_of, host_and_owner, service_of},
};

struct ProxyApp {
    base: TestApp,
    owner: HttpClient,
    client: ApiClient,
}

impl Deref for ProxyApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

impl ProxyApp {
    /// An installed Slack, and a client that may use it.
    async fn new(toml: &str) -> Result<Self> {
        let app = TestApp::start_with("v2", None, |host| host.toml(toml)).await?;
        let (owner, client) = app.install_rotating_slack().await?;
        Ok(Self { base: app, owner, client })
    }

    fn slack(&self) -> &StandInSlack {
        &self.slack
    }

    fn seen(&self) -> usize {
        self.slack().faults().requests(Endpoint::Api)
    }

    fn next(&self, faults: &[Fault]) {
        self.slack().faults().next(Endpoint::Api, faults.iter().cloned().map(Some));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_carries_the_credential_and_its_answer_comes_back_as_it_is() -> Result<()> {
    let app = ProxyApp::new("").await?;
    let message = json!({"channel": "C1", "text": "hi"});
    let call = app.client.proxy_request(Method::POST, "chat.postMessage?pretty=1").json(&message);
    let response = app.client.send(call.header("x-slack-kind", "test").header("jackfield-grant", "bot")).await?;
    assert_eq!((response.status, &response.json()?["message"]), (200, &message), "{}", response.text);
    assert_eq!(response.header("x-oauth-scopes"), "chat:write,commands,team:read", "the service's own");
    let requests = app.slack().requests();
    let received = requests.last().context("a request")?;
    assert_eq!(received.headers["x-slack-kind"], "test");
    let token = received.headers["authorization"].to_str()?.strip_prefix("Bearer ").context("a bearer token")?;
    assert_eq!(app.slack().tokens().state(token), TokenState::Live);
    assert!(!format!("{:?}", received.headers).contains(&app.client.token), "the client's own token is not sent");
    assert!(!response.text.contains(token) && received.headers.get("jackfield-grant").is_none());
    assert_snapshot!(log_line(&app.host, "an integration was used")?, @r#"INFO an integration was used provider.id="slack" organization.id=1 integration.id=1 http.response.status_code=200 proxy.requests=1 proxy.sent_bytes=28 proxy.received_bytes=90 http.client.request.duration=[duration]"#);
    let log = app.host.log()?;
    assert!(!log.contains("postMessage") && !log.contains(token) && !log.contains("pretty"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_takes_an_answer_for_is_nobodys_page_and_nothing_keeps_it() -> Result<()> {
    let app = ProxyApp::new("").await?;
    let response = app.client.proxy_get("conversations.list").await?;
    assert_eq!(response.status, 200);
    assert_snapshot!(response.header("content-security-policy"), @"default-src 'none'; frame-ancestors 'none'; sandbox");
    assert_eq!((response.header("x-content-type-options"), response.header("cache-control")), ("nosniff", "no-store"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_use_of_an_integration_is_in_the_audit_log_before_it_is_carried_out() -> Result<()> {
    let app = ProxyApp::new("").await?;
    for _ in 0..3 {
        assert_eq!(app.client.proxy_get("auth.test").await?.status, 200);
    }
    assert_eq!(refusal(&app.client.proxy_get("a//b").await?)?, (400, "path".to_owned()));
    let log = app.owner.visit("/api/0/organizations/acme/audit/").await?.json()?;
    let rows: Vec<_> = log.as_array().into_iter().flatten().filter(|row| row["action"] == "proxy-use").collect();
    let [row] = rows.as_slice() else { anyhow::bail!("one row, and a count of the others later: {log}") };
    assert_snapshot!(redacted(&format!("{row:#}")), @r#"
    {
      "action": "proxy-use",
      "actor": {
        "id": "1",
        "kind": "token",
        "name": "test"
      },
      "count": 1,
      "date": "[time]",
      "detail": {
        "grant": "bot"
      },
      "externalId": "T0STANDIN",
      "hash": "[digest]",
      "id": "11",
      "integrationId": "1",
      "organization": "acme",
      "pluginDigest": "[digest]",
      "provider": "slack",
      "result": "ok"
    }
    "#);
    assert!(!log.to_string().contains("auth.test"), "{row}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_reach_is_in_the_audit_log_as_refused_and_not_as_a_use() -> Result<()> {
    let app = ProxyApp::new("").await?;
    let away = app.client.proxy_get("https://evil.example/x").await?;
    assert_eq!(refusal(&away)?, (403, "out-of-reach".to_owned()));
    let log = app.owner.visit("/api/0/organizations/acme/audit/").await?.json()?;
    let rows: Vec<_> = log.as_array().into_iter().flatten().filter(|row| row["action"] == "proxy-use").collect();
    let [row] = rows.as_slice() else { anyhow::bail!("one row: {log}") };
    assert_eq!((&row["result"], &row["detail"]["reason"]), (&json!("refused"), &json!("out-of-reach")), "{row}");
    assert!(!log.to_string().contains("evil.example"), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_host_are_told_apart_from_the_services() -> Result<()> {
    let app = ProxyApp::new("").await?;
    let client = &app.client;
    let other = client.proxy_request(Method::GET, "auth.test").header("jackfield-grant", "user");
    assert_eq!(refusal(&client.send(other).await?)?, (404, "no-grant".to_owned()));
    let upgrade =
        client.proxy_request(Method::GET, "auth.test").header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(refusal(&client.send(upgrade).await?)?, (501, "upgrade".to_owned()));
    assert_eq!(
        refusal(&client.send(client.proxy_request(Method::TRACE, "auth.test")).await?)?,
        (405, "method".to_owned())
    );
    assert_eq!(app.seen(), 0, "none of them reached the service");
    let missing = client.proxy_get("no.such.method").await?;
    assert_eq!((missing.status, missing.header("jackfield-error")), (404, ""), "the service's own");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_service_is_passed_on_with_all_it_says_and_not_remembered() -> Result<()> {
    let app = ProxyApp::new("").await?;
    app.next(&[Fault::TooManyRequests { retry_after: 30 }]);
    let limited = app.client.proxy_get("conversations.list").await?;
    assert_eq!((limited.status, limited.header("retry-after"), limited.header("jackfield-error")), (429, "30", ""));
    assert_eq!(app.seen(), 1, "it is not asked again");
    assert_eq!(app.client.proxy_get("auth.test").await?.status, 200, "another method may have another limit");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_safe_is_sent_again() -> Result<()> {
    let app = ProxyApp::new("").await?;
    let (out, later) = (Fault::Unavailable { retry_after: 0 }, Fault::Unavailable { retry_after: 30 });
    let cases = [
        (Method::GET, out.clone(), 200, 2),
        (Method::GET, later, 503, 1),
        (Method::GET, Fault::LostRequest, 200, 2),
        (Method::GET, Fault::LostResponse, 200, 2),
        (Method::GET, Fault::ServerError, 500, 1),
        (Method::POST, out, 503, 1),
        (Method::POST, Fault::LostRequest, 502, 1),
        (Method::POST, Fault::LostResponse, 502, 1),
    ];
    for (method, fault, status, requests) in cases {
        let before = app.seen();
        app.next(std::slice::from_ref(&fault));
        let response = app.client.send(app.client.proxy_request(method.clone(), "auth.test").body("a=b")).await?;
        assert_eq!((response.status, app.seen() - before), (status, requests), "{method} {fault:?}: {}", response.text);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_is_given_up() -> Result<()> {
    let app = ProxyApp::new("[proxy]\nidle-timeout = 1").await?;
    app.next(&[Fault::NoResponse]);
    assert_eq!(refusal(&app.client.proxy_get("auth.test").await?)?, (504, "timed-out".to_owned()));
    assert_eq!(app.seen(), 1, "its time is over");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_is_cut_for_the_caller_too() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = crate::proxy::abuse::installed(&api, "").await?;
    for length in ["content-length: 8", "transfer-encoding: chunked"] {
        let half = format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n4\r\nhalf\r\n");
        let half = half.replace("8\r\n\r\n4\r\nhalf\r\n", "8\r\n\r\nhalf");
        let (response, _) = tokio::join!(client.proxy_get("thing"), api.answer(&half));
        assert!(response.is_err(), "half a response must not look complete");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_piece_by_piece() -> Result<()> {
    let app = ProxyApp::new("").await?;
    let url = "stand-in.download?chunks=3&bytes=70000&paced=1";
    let mut pieces = app.client.proxy_request(Method::GET, url).send().await?.bytes_stream();
    for _ in 0..3 {
        app.slack().send_chunks(1);
        let mut length = 0;
        while length < 70_000 {
            length += pieces.next().await.context("the piece that was let go")??.len();
        }
        assert_eq!(length, 70_000, "the next is still held");
    }
    assert!(pieces.next().await.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_goes_on_piece_by_piece_and_may_be_larger_than_what_the_host_takes_for_itself() -> Result<()> {
    let app = ProxyApp::new("").await?;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    let pieces = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), receiver))
    });
    let call = app.client.proxy_request(Method::POST, "stand-in.upload").body(Body::wrap_stream(pieces));
    let response = tokio::spawn(async move { anyhow::Ok(call.send().await?.text().await?) });
    for sent in 1..=4 {
        sender.send(vec![b'x'; 300_000])?;
        app.slack().uploaded(sent * 300_000).await;
    }
    drop(sender);
    let answer: serde_json::Value = serde_json::from_str(&response.await??)?;
    assert_eq!(answer["bytes"], 1_200_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_operators_limit_is_refused_also_when_it_does_not_say_how_long_it_is() -> Result<()> {
    let app = ProxyApp::new("[proxy]\nmax-request-bytes = 1000").await?;
    let client = &app.client;
    let large = "x".repeat(1001);
    assert_eq!(refusal(&client.proxy_post("stand-in.upload", &large).await?)?, (413, "too-large".to_owned()));
    let pieces = stream::iter([Ok::<_, std::io::Error>(large)]);
    let unsaid = client.proxy_request(Method::POST, "stand-in.upload").body(Body::wrap_stream(pieces));
    assert_eq!(refusal(&client.send(unsaid).await?)?, (413, "too-large".to_owned()));
    assert_eq!(client.proxy_post("stand-in.upload", &"x".repeat(1000)).await?.status, 200);
    Ok(())
}

/// A declared service with rotating tokens and an API that returns the request.
async fn rotating(more: &str) -> Result<(StandInOAuth2, jackfield_test_support::host::Host, HttpClient)> {
    let service = service_of("acme", |profile| {
        profile.api = Some("https://api.acme.example/v1/".to_owned());
        profile.rotation = Rotation::ReuseDetected;
        profile.token_answer =
            r#"{"access_token": "TOKEN", "refresh_token": "REFRESH", "expires_in": 43200}"#.to_owned();
    })?;
    let service = StandInOAuth2::start([service].into()).await?;
    let declared = declaration_of(&service, "acme", &format!("api-url = \"https://api.acme.example/v1/\"\n{more}"));
    let (host, owner) = host_and_owner(&service, &declared).await?;
    Ok((service, host, owner))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_service_refuses_is_refreshed_once_for_all_and_the_calls_are_sent_again() -> Result<()> {
    let (service, host, owner) = rotating("").await?;
    let client = ApiClient::of_integration(&host, &owner.install("acme", "acme").await?.dialog()?.data)?;
    let refreshes = || service.faults("acme").requests(Endpoint::Refresh);
    let revoked = service.tokens().live_access_tokens().first().cloned().context("a token")?;
    assert!(service.tokens().revoke(&revoked));
    let young = client.proxy_get("things").await?;
    assert_eq!((young.status, refreshes()), (401, 0), "a valid token is not refreshed");
    assert_snapshot!(young.header("www-authenticate"), @r#"Bearer error="invalid_token""#);
    AppDatabase::of(&host).await?.let_live("7", "access", Duration::hours(10)).await?;
    let calls = (0..16).map(|n| {
        let client = &client;
        async move { client.proxy_post(&format!("things?n={n}"), "a body").await }
    });
    for response in try_join_all(calls).await? {
        assert_eq!((response.status, &response.json()?["body"]), (200, &json!("a body")), "{}", response.text);
    }
    assert_eq!(refreshes(), 1);
    assert_eq!(service.tokens().state(&revoked), TokenState::Revoked);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_over_is_told_as_that() -> Result<()> {
    let (service, host, owner) = rotating("").await?;
    let client = ApiClient::of_integration(&host, &owner.install("acme", "acme").await?.dialog()?.data)?;
    service.tokens().revoke_all_of("acme");
    AppDatabase::of(&host).await?.let_live("7", "access", Duration::hours(10)).await?;
    for _ in 0..2 {
        assert_eq!(refusal(&client.proxy_get("things").await?)?, (409, "needs-reauthentication".to_owned()));
    }
    assert_eq!(service.faults("acme").requests(Endpoint::Refresh), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_was_lost_is_judged_once_a_service_refuses_the_token_of_which_nobody_says_when_it_expires()
-> Result<()> {
    for (declared, requests) in [("refresh-tokens = \"single-use\"", 1), ("", 2)] {
        let (service, host, owner) = rotating(declared).await?;
        let client = ApiClient::of_integration(&host, &owner.install("acme", "acme").await?.dialog()?.data)?;
        let (faults, stored) = (service.faults("acme"), AppDatabase::of(&host).await?);
        stored.let_expire("7", "access", None).await?;
        let first = service.tokens().live_access_tokens().first().cloned().context("a token")?;
        assert!(service.tokens().revoke(&first));
        faults.next(Endpoint::Refresh, [Some(Fault::LostResponse)]);
        assert_eq!(client.proxy_get("things").await?.status, 401);
        let refresh = stored.refresh("7").await?.context("known")?;
        assert_eq!(
            (refresh.retry_at, faults.requests(Endpoint::Refresh)),
            (Some(NEVER), 1),
            "nobody asks by themselves"
        );
        for _ in 0..2 {
            assert_eq!(refusal(&client.proxy_get("things").await?)?, (409, "needs-reauthentication".to_owned()));
        }
        assert_eq!(faults.requests(Endpoint::Refresh), requests, "{declared}: one open try where nobody knows");
        let log = owner.visit("/api/0/organizations/acme/audit/").await?.json()?;
        let failures = log.as_array().into_iter().flatten().filter(|row| row["action"] == "refresh-failure").count();
        assert_eq!(failures, 2, "its loss, and its end: {log}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_flow_at_once() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = crate::proxy::abuse::installed(&api, "").await?;
    let mut caller = RawHttpConnection::to(&host.url).await?;
    let head = format!(
        "POST {}proxy/echo HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        client.path, client.token
    );
    caller.write(&format!("{head}3\r\none\r\n")).await?;
    let (request, mut served) = api.request().await?;
    assert!(request.starts_with("POST /v1/echo HTTP/1.1\r\n"), "{request}");
    served.until("one").await?;
    served.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nONE\r\n").await?;
    caller.until("ONE").await?;
    caller.write("3\r\ntwo\r\n").await?;
    served.until("two").await?;
    served.write("3\r\nTWO\r\n").await?;
    caller.until("TWO").await?;
    caller.write("0\r\n\r\n").await?;
    served.until("0\r\n\r\n").await?;
    served.write("0\r\n\r\n").await?;
    caller.until("0\r\n\r\n").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_body_is_sent_again_from_its_beginning() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = crate::proxy::abuse::installed(&api, "").await?;
    let put = client.proxy_request(Method::PUT, "thing").body("all of it");
    let call = tokio::spawn(async move { Ok::<_, anyhow::Error>(put.send().await?.status().as_u16()) });
    let (_, mut first) = api.request().await?;
    first.until("all of").await?;
    drop(first);
    let (request, mut second) = api.request().await?;
    assert!(request.to_lowercase().contains("content-length: 9"), "{request}");
    second.until("all of it").await?;
    second.write("HTTP/1.1 204 No Content\r\n\r\n").await?;
    assert_eq!(call.await??, 204);
    Ok(())
}
