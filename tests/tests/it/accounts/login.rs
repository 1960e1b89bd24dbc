//! Login, sessions, API tokens.

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::http_client::HttpClient;
use reqwest::Method;

use crate::app::{PASSWORD, TestApp, redacted_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_changes_the_session_and_leads_where_the_person_was_going() -> Result<()> {
    let app = TestApp::start().await?;
    app.log_in_as("owner").await?;
    let user = HttpClient::new(&app.host.url);
    assert_eq!(user.visit("/").await?.status_and_location(), (302, "/auth/login/"));
    let form = user.visit("/auth/login/?next=/organizations/acme/integrations/").await?;
    assert!(form.text.contains(r#"value="/organizations/acme/integrations/""#));
    assert_eq!(form.header("set-cookie"), "", "a visitor gets no session");
    let wrong = user.log_in("owner@example.com", "wrong password").await?;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    assert!(wrong.text.contains("That e-mail and password do not match."));
    let next = [("email", "Owner@Example.com"), ("password", PASSWORD), ("next", "/organizations/acme/integrations/")];
    let response = user.post("/auth/login/", &next).await?;
    assert_eq!(response.status_and_location(), (302, "/organizations/acme/integrations/"));
    let cookie = response.header("set-cookie").to_owned();
    assert_snapshot!(redacted_with(&cookie, &[("jackfield=[^;]+", "jackfield=[id]")]), @"jackfield=[id]; HttpOnly; SameSite=Lax; Path=/; Max-Age=[number]");
    let again = user.log_in("owner@example.com", PASSWORD).await?;
    assert_ne!(again.header("set-cookie").split(';').next(), cookie.split(';').next(), "another session id");
    assert_eq!(user.visit("/").await?.status_and_location(), (302, "/organizations/acme/integrations/"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_failed_log_ins_are_slowed_down() -> Result<()> {
    let app = TestApp::start().await?;
    app.log_in_as("owner").await?;
    let user = HttpClient::new(&app.host.url);
    let mut slowed = None;
    for _ in 0..8 {
        let response = user.log_in("owner@example.com", "wrong password").await?;
        if response.status == 429 {
            slowed = Some(response);
            break;
        }
    }
    let response = slowed.expect("eight failures are too many");
    assert!(response.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1));
    let other = user.log_in("nobody@example.com", "wrong password").await?;
    assert_eq!(other.status, 401, "others are not slowed down");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_use_bearer_tokens_of_their_own_organization() -> Result<()> {
    let app = TestApp::start().await?;
    app.host.organization("other")?;
    let read = app.host.token("acme", &["org:read"])?;
    let write = app.host.token("acme", &["org:integrations"])?;
    let client = HttpClient::new(&app.host.url);
    let status = async |method: Method, path: &str, token: &str| {
        let request = client.request(method, path);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        anyhow::Ok(client.send(request).await?.status)
    };
    let list = "/api/0/organizations/acme/integrations/";
    assert_eq!(status(Method::GET, list, "").await?, 401);
    assert_eq!(status(Method::GET, list, "jf_wrong").await?, 401);
    assert_eq!(status(Method::GET, list, &read).await?, 200);
    assert_eq!(status(Method::GET, list, &write).await?, 403);
    assert_eq!(status(Method::GET, "/api/0/organizations/other/integrations/", &read).await?, 404);
    assert_eq!(status(Method::DELETE, &format!("{list}1/"), &read).await?, 403);
    assert_eq!(status(Method::DELETE, &format!("{list}1/"), &write).await?, 404);
    assert_eq!(status(Method::GET, "/api/0/nothing/", &read).await?, 404);
    let wrong_method = client.send(client.request(Method::PUT, list).bearer_auth(&read)).await?;
    assert_eq!((wrong_method.status, wrong_method.json()?["detail"].is_string()), (405, true));
    let pages = client.request(Method::GET, "/organizations/acme/integrations/").bearer_auth(&read);
    assert_eq!(client.send(pages).await?.status, 302, "pages need a session");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_https_the_cookie_is_secure_and_bound_to_the_host() -> Result<()> {
    let slack = jackfield_test_support::stand_in_slack::StandInSlack::start().await?;
    let host = crate::app::bare().plugin("example").start()?;
    host.user("owner@example.com", PASSWORD)?;
    let text = std::fs::read_to_string(host.folder().join("jackfield.toml"))?;
    assert!(text.contains("http://127.0.0.1"), "{text}");
    let host = host.restart(crate::app::bare().plugin("example").url_prefix("https://jackfield.example"))?;
    let answer = HttpClient::new(&host.url).log_in("owner@example.com", PASSWORD).await?;
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    assert_snapshot!(redacted_with(cookies[1], &[("device=[^;]+", "device=[sealed]"), ("17280000", "[200 days]")]), @"__Secure-jackfield-device=[sealed]; HttpOnly; SameSite=Lax; Secure; Path=/auth/login/; Max-Age=[200 days]");
    let cookie = cookies[0].to_owned();
    assert_snapshot!(redacted_with(&cookie, &[("jackfield=[^;]+", "jackfield=[id]")]), @"__Host-jackfield=[id]; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=[number]");
    drop(slack);
    Ok(())
}
