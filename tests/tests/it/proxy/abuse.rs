//! Attacks on calls through the host, each in a test of its name.

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::HttpClient,
    raw_http::{RawHttpConnection, RawHttpServer},
    stand_in_oauth2::{ServiceProfile, StandInOAuth2},
};
use reqwest::Method;

use crate::{
    app::{ApiClient, bare, log_in, owner_of_acme, redacted, refusal},
    providers::declared::{declaration_of, service_of},
};

/// An installed service whose API is `/v1/` of a raw server, and a client that may use it.
pub(crate) async fn installed(api: &RawHttpServer, more: &str) -> Result<(StandInOAuth2, Host, ApiClient)> {
    installed_at(&format!("http://127.0.0.1:{}/v1/", api.port()), &[api.port()], more).await
}

async fn installed_at(api_url: &str, allowed: &[u16], more: &str) -> Result<(StandInOAuth2, Host, ApiClient)> {
    installed_of(service_of("acme", |_| {})?, api_url, allowed, more).await
}

/// The same with another service profile.
pub(crate) async fn installed_of(
    service: (String, ServiceProfile),
    api_url: &str,
    allowed: &[u16],
    more: &str,
) -> Result<(StandInOAuth2, Host, ApiClient)> {
    installed_on(bare().toml(more), service, api_url, allowed).await
}

/// The same on a host of which more is set.
pub(crate) async fn installed_on(
    host: HostBuilder,
    service: (String, ServiceProfile),
    api_url: &str,
    allowed: &[u16],
) -> Result<(StandInOAuth2, Host, ApiClient)> {
    let service = StandInOAuth2::start([service].into()).await?;
    let ports = allowed.iter().chain([&service.port()]).map(|port| format!("\"127.0.0.1:{port}\"")).collect::<Vec<_>>();
    let http = format!("[http]\nallow-private = [{}]\n", ports.join(", "));
    let declared = declaration_of(&service, "acme", "");
    // The API is at a raw server instead of the stand-in.
    let declared = declared.replace("scopes =", &format!("api-url = \"{api_url}\"\nscopes ="));
    let host = host.toml(&http).toml(&declared).start()?;
    let owner = owner_of_acme(&host).await?;
    let installed = owner.install("acme", "acme").await?.dialog()?;
    let client = ApiClient::of_integration(&host, &installed.data)?;
    Ok((service, host, client))
}

const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_session_does_not_do_nor_does_a_token_without_the_scope() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = installed(&api, "").await?;
    let path = format!("{}proxy/thing", client.path);
    let owner = log_in(&host, "owner@example.com").await?;
    assert_eq!(refusal(&owner.visit(&path).await?)?, (403, "forbidden".to_owned()));
    let nobody = HttpClient::new(&host.url);
    assert_eq!(refusal(&nobody.visit(&path).await?)?, (401, "unauthenticated".to_owned()));
    let reader = host.token("acme", &["org:read", "org:integrations"])?;
    let call = nobody.request(Method::GET, &path).bearer_auth(reader.trim());
    assert_eq!(refusal(&nobody.send(call).await?)?, (403, "forbidden".to_owned()));
    assert!(api.is_untouched().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cross_organization_use() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = installed(&api, "").await?;
    host.organization("other")?;
    let other = host.token("other", &["integrations:proxy"])?;
    let nobody = HttpClient::new(&host.url);
    for organization in ["acme", "other"] {
        let path = format!("{}proxy/thing", client.path.replace("/acme/", &format!("/{organization}/")));
        let call = nobody.request(Method::GET, &path).bearer_auth(other.trim());
        assert_eq!(refusal(&nobody.send(call).await?)?, (404, "not-found".to_owned()), "{organization}");
    }
    assert!(api.is_untouched().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ssrf_by_path() -> Result<()> {
    let (api, inside) = (RawHttpServer::start().await?, RawHttpServer::start().await?);
    let at_inside = format!("127.0.0.1:{}", inside.port());
    let allowed = [api.port(), inside.port()];
    let url = format!("http://127.0.0.1:{}/v1/", api.port());
    let (_service, host, client) = installed_at(&url, &allowed, "").await?;
    let refused = [
        ("../admin".to_owned(), 400),
        ("%2e%2e/admin".to_owned(), 400),
        ("..%2fadmin".to_owned(), 400),
        ("a/..%5cadmin".to_owned(), 400),
        (format!("/{at_inside}/x"), 400),
        (format!("//{at_inside}/x"), 400),
        (format!("\\\\{at_inside}\\x"), 400),
        (format!("http://{at_inside}/x"), 403),
        (format!("http:/{at_inside}/x"), 403),
        (format!("HTTP://{at_inside}/x"), 403),
        (format!("http://127.0.0.1:{}@{at_inside}/x", api.port()), 400),
        (format!("ftp://{at_inside}/x"), 400),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), 403),
        ("http://[::1]/".to_owned(), 403),
        ("http://2130706433/".to_owned(), 403),
        ("a%0d%0ahost:%20evil.example".to_owned(), 400),
    ];
    for (path, status) in refused {
        let mut caller = RawHttpConnection::to(&host.url).await?;
        let authorization = format!("authorization: Bearer {}", client.token);
        let target = format!("{}proxy/{path}", client.path);
        caller
            .write(&format!("GET {target} HTTP/1.1\r\nhost: x\r\n{authorization}\r\nconnection: close\r\n\r\n"))
            .await?;
        let response = caller.rest().await?;
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {response}");
    }
    assert!(api.is_untouched().await && inside.is_untouched().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ssrf_by_redirect() -> Result<()> {
    let (api, inside) = (RawHttpServer::start().await?, RawHttpServer::start().await?);
    let url = format!("http://127.0.0.1:{}/v1/", api.port());
    let (_service, _host, client) = installed_at(&url, &[api.port(), inside.port()], "").await?;
    let location = format!("http://127.0.0.1:{}/secret", inside.port());
    let redirect = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let (response, _) = tokio::try_join!(client.proxy_get("thing"), api.answer(&redirect))?;
    assert_eq!(
        (response.status, response.location.as_deref()),
        (307, Some(location.as_str())),
        "passed on, not followed"
    );
    assert!(inside.is_untouched().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn use_of_another_integration_by_redirect() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = installed(&api, "").await?;
    let other = "/api/0/organizations/acme/integrations/8/proxy/users.delete";
    let at_api = format!("http://127.0.0.1:{}", api.port());
    let home =
        [host.url.clone(), format!("//{}", host.url.trim_start_matches("http://")), "http://called.example".to_owned()];
    let mut cases: Vec<_> = home.iter().map(|home| (format!("{home}{other}"), None)).collect();
    cases.push((other.to_owned(), Some(format!("{at_api}{other}"))));
    cases.push(("https://elsewhere.example/x".to_owned(), Some("https://elsewhere.example/x".to_owned())));
    for (location, expected) in cases {
        let head = format!("location: {location}\r\ncontent-location: {location}\r\nlink: <{location}>; rel=next\r\n");
        let redirect =
            format!("HTTP/1.1 307 Temporary Redirect\r\n{head}connection: close\r\ncontent-length: 0\r\n\r\n");
        let call = client.proxy_request(Method::POST, "thing").header("host", "called.example");
        let (response, _) = tokio::try_join!(client.send(call), api.answer(&redirect))?;
        assert_eq!((response.status, &response.location), (307, &expected), "{location}");
        assert_eq!(response.header("content-location"), expected.as_deref().unwrap_or_default(), "{location}");
        let link = expected.map(|url| format!("<{url}>; rel=next"));
        assert_eq!(response.header("link"), link.unwrap_or_default(), "{location}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_that_nobody_has_allowed_is_not_reached_and_not_named() -> Result<()> {
    let inside = RawHttpServer::start().await?;
    let url = format!("http://localhost:{}/v1/", inside.port());
    let (_service, _host, client) = installed_at(&url, &[], "").await?;
    let response = client.proxy_get("thing").await?;
    assert_eq!(refusal(&response)?, (502, "unreachable".to_owned()));
    assert!(!response.text.contains("localhost") && !response.text.contains("private"), "{}", response.text);
    assert!(inside.is_untouched().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_never_goes_to_another_host() -> Result<()> {
    let (api, evil) = (RawHttpServer::start().await?, RawHttpServer::start().await?);
    let url = format!("http://127.0.0.1:{}/v1/", api.port());
    let (_service, host, client) = installed_at(&url, &[api.port(), evil.port()], "").await?;
    let at_evil = format!("127.0.0.1:{}", evil.port());
    let calls = [
        client.proxy_request(Method::GET, "thing").header("host", &at_evil),
        client.proxy_request(Method::GET, "thing").header("x-forwarded-host", &at_evil),
        client.proxy_request(Method::GET, "thing").header("x-jackfield-url", format!("http://{at_evil}/")),
        client.proxy_request(Method::GET, "thing").header("forwarded", format!("host={at_evil}")),
    ];
    for call in calls {
        let (response, request) = tokio::try_join!(client.send(call), api.answer(OK))?;
        assert_eq!(response.status, 200);
        assert!(
            request.contains(&format!("host: 127.0.0.1:{}\r\n", api.port())) && !request.contains(&at_evil),
            "{request}"
        );
    }
    // RFC 9112 section 3.2.2: the target of a request may be a whole URL.
    let mut caller = RawHttpConnection::to(&host.url).await?;
    let target = format!("http://{at_evil}{}proxy/thing", client.path);
    let head = format!("host: {at_evil}\r\nauthorization: Bearer {}\r\nconnection: close", client.token);
    let whole = format!("GET {target} HTTP/1.1\r\n{head}\r\n\r\n");
    let (_, request) = tokio::try_join!(caller.write(&whole), api.answer(OK))?;
    assert!(request.starts_with("GET /v1/thing HTTP/1.1\r\n") && !request.contains(&at_evil), "{request}");
    assert!(evil.is_untouched().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn header_smuggling() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (service, host, client) = installed(&api, "").await?;
    let path = format!("{}proxy/thing", client.path);
    let authorization = format!("host: x\r\nauthorization: Bearer {}\r\n", client.token);
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let both = format!(
        "POST {path} HTTP/1.1\r\n{authorization}content-length: 5\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let twice = format!(
        "POST {path} HTTP/1.1\r\n{authorization}content-length: 0\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{smuggled}",
        smuggled.len()
    );
    for request in [twice] {
        let mut caller = RawHttpConnection::to(&host.url).await?;
        caller.write(&request).await?;
        assert!(caller.rest().await?.starts_with("HTTP/1.1 400"), "a request with two lengths is invalid");
    }
    assert!(api.is_untouched().await);
    let mut caller = RawHttpConnection::to(&host.url).await?;
    caller.write(&both).await?;
    let request = api.answer(OK).await?;
    let lengths = request.matches("content-length").count() + request.matches("transfer-encoding").count();
    assert!(lengths == 1 && !request.contains("smuggled"), "one body, of one length: {request}");
    let response = caller.rest().await?;
    assert_eq!(response.matches("HTTP/1.1").count(), 1, "and one response: {response}");
    let named =
        client.proxy_request(Method::GET, "thing").header("connection", "authorization, x-hop").header("x-hop", "1");
    let (_, request) = tokio::try_join!(client.send(named), api.answer(OK))?;
    let token = service.tokens().live_access_tokens().first().cloned().context("a token")?;
    assert!(!request.contains("x-hop"), "{request}");
    assert_snapshot!(redacted(&request.replace(&token, "[token]")), @"
    GET /v1/thing HTTP/1.1
    accept: */*
    authorization: Bearer [token]
    user-agent: jackfield/0.1.0
    host: 127.0.0.1:[port]
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn response_splitting_and_answers_that_would_act_on_our_origin() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = installed(&api, "").await?;
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nx-a: b\rset-cookie: x=y\r\ncontent-length: 0\r\n\r\n";
    let (response, _) = tokio::try_join!(client.proxy_post("thing", ""), api.answer(page))?;
    assert_eq!(refusal(&response)?, (502, "unreachable".to_owned()), "an invalid head");
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nset-cookie: session=evil; path=/\r\nclear-site-data: \"*\"\r\n\
        access-control-allow-origin: *\r\ncontent-security-policy: default-src *\r\njackfield-error: forged\r\n\
        strict-transport-security: max-age=1\r\nconnection: close\r\ncontent-length: 34\r\n\r\n\
        <script>alert(document.cookie)</sc";
    let (response, _) = tokio::try_join!(client.proxy_get("thing"), api.answer(page))?;
    assert_eq!((response.status, response.text.len()), (200, 34));
    for name in
        ["set-cookie", "clear-site-data", "access-control-allow-origin", "jackfield-error", "strict-transport-security"]
    {
        assert!(response.headers.get(name).is_none(), "{name}: {:?}", response.headers);
    }
    let policies = response.headers.get_all("content-security-policy").iter().count();
    assert_eq!(
        (policies, response.header("content-security-policy")),
        (1, "default-src 'none'; frame-ancestors 'none'; sandbox")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_protocol_is_no_answer() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, _host, client) = installed(&api, "").await?;
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let (response, _) = tokio::try_join!(client.proxy_post("thing", "x"), api.answer(switching))?;
    assert_eq!(refusal(&response)?, (502, "unreachable".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_refresh_token_nor_the_clients_secret_nor_what_callers_say_is_in_a_call() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (service, _host, client) = installed(&api, "").await?;
    let call =
        client.proxy_request(Method::GET, "thing").header("cookie", "a=b").header("referer", "https://c.example/?d");
    let (_, request) = tokio::try_join!(client.send(call), api.answer(OK))?;
    let secrets =
        [jackfield_test_support::stand_in_oauth2::SECRET.to_owned(), client.token.clone(), "c.example".to_owned()];
    for secret in secrets.iter().chain(&service.tokens().live_refresh_tokens()) {
        assert!(!request.contains(secret.as_str()), "{secret}: {request}");
    }
    let token = service.tokens().live_access_tokens().first().cloned().context("a token")?;
    assert_snapshot!(redacted(&request.replace(&token, "[token]")), @"
    GET /v1/thing HTTP/1.1
    accept: */*
    authorization: Bearer [token]
    user-agent: jackfield/0.1.0
    host: 127.0.0.1:[port]
    ");
    Ok(())
}
