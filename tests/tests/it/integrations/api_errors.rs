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
