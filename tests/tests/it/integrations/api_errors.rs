//! Errors of the API: problems in JSON, each with a code.

use anyhow::Result;
use jackfield_test_support::http_client::HttpClient;
use reqwest::Method;

use crate::app::TestApp;

const LIST: &str = "/api/0/organizations/acme/integrations/";

#[tokio::test(flavor = "multi_thread")]
async fn every_error_of_the_api_is_a_problem_with_a_code() -> Result<()> {
    let app = TestApp::start().await?;
    let token = app.host.token("acme", &["org:read"])?;
    let client = HttpClient::new(&app.host.url);
    let one = format!("{LIST}1/");
    let bad_page = format!("{LIST}?per_page=x");
    let twice = format!("{LIST}?cursor=a&cursor=b");
    let proxied = format!("{LIST}1/proxy/users");
    for (method, path, token, status, code, challenge) in [
        (Method::GET, "/api/0/nothing/", &*token, 404, "not-found", ""),
        (Method::GET, "/api/", "", 404, "not-found", ""),
        (Method::GET, "/api", "", 404, "not-found", ""),
        (Method::GET, LIST.trim_end_matches('/'), &token, 404, "not-found", ""),
        (Method::OPTIONS, LIST, &token, 405, "method", ""),
        (Method::GET, &one, &token, 404, "not-found", ""),
        (Method::PUT, LIST, &token, 405, "method", ""),
        (Method::GET, LIST, "", 401, "unauthenticated", "Bearer"),
        (Method::GET, LIST, "jf_wrong", 401, "unauthenticated", "Bearer error=\"invalid_token\""),
        (
            Method::DELETE,
            &one,
            &token,
            403,
            "forbidden",
            "Bearer error=\"insufficient_scope\", scope=\"org:integrations\"",
        ),
        (Method::GET, &proxied, "", 401, "unauthenticated", "Bearer"),
        (Method::GET, &bad_page, &token, 400, "bad-request", ""),
        (Method::GET, &twice, &token, 400, "bad-request", ""),
    ] {
        let request = client.request(method.clone(), path);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let response = client.send(request).await?;
        let problem = response.json()?;
        assert_eq!((response.status, &problem["code"]), (status, &code.into()), "{method} {path}: {problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["requestId"], response.header("x-request-id"), "{problem}");
        assert_eq!(problem["type"], app.host.at(&format!("/api/errors/#{code}")), "{problem}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        assert_eq!(response.header("content-type"), "application/problem+json");
        assert_eq!(response.header("jackfield-error"), code);
        assert_eq!(response.header("www-authenticate"), challenge, "{method} {path}");
        assert_eq!(response.header("allow").is_empty(), status != 405, "{method} {path}");
        let proxy_status = if path == proxied { "jackfield; error=http_request_error" } else { "" };
        assert_eq!(response.header("proxy-status"), proxy_status, "{method} {path}");
    }
    let codes = client.visit("/api/errors/").await?;
    assert!(codes.status == 200 && codes.text.contains("id=\"not-found\""), "what `type` leads to is there");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_a_problem_too() -> Result<()> {
    let app = TestApp::start().await?;
    let client = HttpClient::new(&app.host.url);
    let large = client.request(Method::PUT, LIST).body("x".repeat(300 * 1024));
    let response = client.send(large).await?;
    assert_eq!((response.status, &response.json()?["code"]), (413, &"too-large".into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_of_the_api_without_its_last_slash_is_told_so() -> Result<()> {
    let app = TestApp::start().await?;
    let response = HttpClient::new(&app.host.url).visit(LIST.trim_end_matches('/')).await?;
    assert_eq!(response.json()?["detail"], "There is no such path. All paths of the API end with a slash.");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_each_error_as_a_page() -> Result<()> {
    let app = TestApp::start().await?;
    let client = HttpClient::new(&app.host.url);
    let large = "x".repeat(300 * 1024);
    for (method, path, content_type, body, status, title) in [
        (Method::POST, "/auth/login/", "application/x-www-form-urlencoded", &*large, 413, "Body too large"),
        (Method::POST, "/auth/login/", "text/plain", "x", 415, "Unsupported media type"),
        (
            Method::POST,
            "/auth/login/",
            "application/x-www-form-urlencoded",
            "email=a&email=b",
            400,
            "This link is out of date",
        ),
        (Method::PUT, "/auth/login/", "", "", 405, "Method not allowed"),
        (Method::GET, "/auth/login/?next=a&next=b", "", "", 400, "This link is out of date"),
        (Method::GET, "/organizations/%ff/integrations/1/", "", "", 302, ""),
        (Method::GET, "/icons/%ff/1", "", "", 400, "This link is out of date"),
        (Method::GET, "/static/1/nothing.css", "", "", 404, "Page not found"),
    ] {
        let request = client.request(method.clone(), path).header("content-type", content_type).body(body.to_owned());
        let response = client.send(request).await?;
        assert_eq!(response.status, status, "{method} {path}: {}", response.text);
        assert!(response.text.contains(&format!("<h1>{title}</h1>")) || title.is_empty(), "{path}: {}", response.text);
        assert_eq!(response.header("allow").is_empty(), status != 405, "{method} {path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_calls_gets_each_error_as_a_problem() -> Result<()> {
    let app = TestApp::start().await?;
    let client = HttpClient::new(&app.host.url);
    for (method, path, body, status, code) in [
        (Method::POST, "/extensions/slack/events/", "x".repeat(300 * 1024), 413, "too-large"),
        (Method::DELETE, "/extensions/slack/events/", String::new(), 405, "method"),
        (Method::POST, "/extensions/nobody/events/", String::new(), 404, "not-found"),
        (Method::POST, "/extensions/slack/webhook/KEY/", String::new(), 404, "not-found"),
    ] {
        let response = client.send(client.request(method.clone(), path).body(body)).await?;
        assert_eq!((response.status, &response.json()?["code"]), (status, &code.into()), "{method} {path}");
        assert_eq!(response.header("content-type"), "application/problem+json");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn good_answers_to_monitors_and_cookies_that_anybody_can_invent_are_not_logged() -> Result<()> {
    let app = TestApp::start().await?;
    let client = HttpClient::new(&app.host.url);
    for path in ["/healthz", "/readyz", "/account/", LIST] {
        for cookie in ["jackfield=AAAAAAAAAAAAAAAAAAAAAA", "jackfield=x"] {
            client.send(client.request(Method::GET, path).header("cookie", cookie)).await?;
        }
    }
    let log = app.host.log()?;
    assert!(!log.contains("suspicious"), "{log}");
    let told = log.lines().filter(|line| line.contains("answered") && !line.contains("DEBUG"));
    assert!(!told.clone().any(|line| line.contains("/healthz") || line.contains("/readyz")), "{log}");
    assert!(told.count() >= 4, "the others are");
    Ok(())
}
