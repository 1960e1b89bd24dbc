//! Calls through the host byte by byte: framing of bodies, retries, and limits of time and number.

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_test_support::{
    host::Host,
    raw_http::{RawHttpConnection, RawHttpServer},
    stand_in::{Endpoint, HoldPoint, Rotation},
    stand_in_oauth2::StandInOAuth2,
};
use reqwest::Method;
use time::Duration;

use crate::{
    app::AppDatabase,
    app::{ApiClient, log_line, refusal},
    providers::declared::service_of,
    proxy::abuse::{installed, installed_of},
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Sends the head of a call and the beginning of its body by hand.
async fn begun(host: &Host, client: &ApiClient, method: &str, body: &str) -> Result<RawHttpConnection> {
    let mut caller = RawHttpConnection::to(&host.url).await?;
    let head = format!("host: x\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked", client.token);
    caller.write(&format!("{method} {}proxy/thing HTTP/1.1\r\n{head}\r\n\r\n{body}", client.path)).await?;
    Ok(caller)
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const END: &str = "0\r\n\r\n";

/// More than the host buffers of a body.
fn much() -> String {
    "x".repeat(100_000)
}

/// An installed service that refreshes its tokens and refuses the current one.
async fn refusing(api: &RawHttpServer) -> Result<(StandInOAuth2, Host, ApiClient)> {
    let service = service_of("acme", |profile| {
        profile.rotation = Rotation::ReuseDetected;
        profile.token_answer =
            r#"{"access_token": "TOKEN", "refresh_token": "REFRESH", "expires_in": 43200}"#.to_owned();
    })?;
    let url = format!("http://127.0.0.1:{}/v1/", api.port());
    let (service, host, client) = installed_of(service, &url, &[api.port()], "").await?;
    AppDatabase::of(&host).await?.let_live("7", "access", Duration::hours(10)).await?;
    Ok((service, host, client))
}

const REFUSED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_which_more_goes_than_is_kept_while_a_token_is_refreshed_is_not_sent_again() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (service, host, client) = refusing(&api).await?;
    let faults = service.faults("acme");
    let held = faults.hold(Endpoint::Refresh, HoldPoint::BeforeHandling);
    let mut caller = begun(&host, &client, "POST", &chunk("first")).await?;
    let (_, mut served) = api.request().await?;
    served.until("first").await?;
    served.write(REFUSED).await?;
    faults.wait_for_requests(Endpoint::Refresh, 1).await;
    caller.write(&format!("{}{END}", chunk(&much()))).await?;
    served.until(END).await?;
    drop(held);
    let response = caller.until("\r\n\r\n").await?;
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
    assert!(api.is_untouched().await, "the rest would be a request without its beginning");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_sent_again_is_taken_from_the_connection_before() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = refusing(&api).await?;
    let mut caller = begun(&host, &client, "POST", &chunk("first")).await?;
    let (_, mut served) = api.request().await?;
    served.until("first").await?;
    served.write(REFUSED).await?;
    let (_, mut again) = api.request().await?;
    again.until("first").await?;
    // It ends, and does not wait for the other's lock.
    assert!(!served.rest().await.unwrap_or_default().contains(END));
    caller.write(&format!("{}{END}", chunk("second"))).await?;
    again.until("second").await?;
    again.until(END).await?;
    again.write(OK).await?;
    caller.until("\r\n\r\nok").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_goes_on_while_a_service_is_out_is_sent_again_whole_or_not_at_all() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = installed(&api, "").await?;
    let mut caller = begun(&host, &client, "PUT", &chunk("first")).await?;
    let (_, mut served) = api.request().await?;
    served.until("first").await?;
    served.write("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await?;
    caller.write(&format!("{}{END}", chunk(&much()))).await?;
    let reading = tokio::spawn(async move { served.rest().await });
    let mut serving = Box::pin(async {
        let (_, mut again) = api.request().await?;
        let body = again.until(END).await?;
        again.write(OK).await?;
        anyhow::Ok(body)
    });
    let mut served_again = None;
    let response = loop {
        tokio::select! {
            response = caller.until("\r\n\r\n") => break response?,
            body = &mut serving, if served_again.is_none() => served_again = Some(body?),
        }
    };
    match served_again {
        Some(body) => {
            assert!(response.contains(" 200 ") && body.starts_with("5\r\nfirst\r\n"), "{response} {body:.20}")
        }
        None => assert!(response.contains(" 503 "), "{response}"),
    }
    reading.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_say_how_long_it_is_arrives_whatever_the_method() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = installed(&api, "").await?;
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "POST"] {
        let mut caller = begun(&host, &client, method, &format!("{}{END}", chunk("a body"))).await?;
        let (request, mut served) = api.request().await?;
        assert!(request.contains("transfer-encoding: chunked\r\n"), "{request}");
        served.until("6\r\na body\r\n0\r\n\r\n").await.with_context(|| method.to_owned())?;
        served.write("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await?;
        assert!(caller.until("\r\n\r\n").await?.starts_with("HTTP/1.1 204"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_could_have_a_body_says_that_it_has_none() -> Result<()> {
    // RFC 9110 section 8.6.
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = installed(&api, "").await?;
    let none = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    for (method, says) in
        [(Method::POST, 1), (Method::PUT, 1), (Method::PATCH, 1), (Method::GET, 0), (Method::DELETE, 0)]
    {
        let call = client.send(client.proxy_request(method, "thing"));
        let (_, request) = tokio::try_join!(call, api.answer(none))?;
        assert_eq!(request.matches("content-length: 0\r\n").count(), says, "{request}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_so_many_calls_under_way_and_another_once_one_is_over() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = installed(&api, "[proxy]\nmax-calls = 1").await?;
    let first = client.proxy_request(Method::GET, "thing").send();
    let first = tokio::spawn(async move { anyhow::Ok(first.await?.text().await?) });
    let (_, mut served) = api.request().await?;
    let busy = client.proxy_get("thing").await?;
    assert_eq!(refusal(&busy)?, (429, "busy".to_owned()));
    assert_eq!(busy.header("retry-after"), "1");
    served.write(&OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).await?;
    assert_eq!(first.await??, "ok");
    let (next, _) = tokio::try_join!(client.proxy_get("thing"), api.answer(OK))?;
    assert_eq!(next.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_takes_nothing_of_an_answer_does_not_hold_the_call_for_ever() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = installed(&api, "[proxy]\nidle-timeout = 1\nmax-calls = 1").await?;
    let mut caller = begun(&host, &client, "GET", END).await?;
    let (_, mut served) = api.request().await?;
    served.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
    caller.until("\r\n\r\n").await?;
    // The service sends until the host closes the connection.
    let piece = chunk(&much());
    while served.write(&piece).await.is_ok() {}
    let (next, _) = tokio::try_join!(client.proxy_get("thing"), api.answer(OK))?;
    assert_eq!(next.status, 200, "{}", next.text);
    assert_snapshot!(log_line(&host, "the caller has taken nothing")?, @r#"INFO an integration was used provider.id="acme" organization.id=1 integration.id=1 http.response.status_code=200 proxy.requests=1 proxy.sent_bytes=0 proxy.received_bytes=[number] http.client.request.duration=[duration] error="the caller has taken nothing for 1s ([proxy] idle-timeout)""#);
    let rest = caller.rest().await.unwrap_or_default();
    assert!(!rest.ends_with(END), "a truncated answer does not look complete");
    Ok(())
}
