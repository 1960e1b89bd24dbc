//! Attacks on connect sessions: somebody else opens the link, or uses it for something else.

use anyhow::Result;
use jackfield_test_support::{http_client::HttpClient, postgres::databases};
use serde_json::json;

use crate::{
    app::{ApiClient, TestApp},
    connect::program::{Program, SESSIONS},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_browser_reads_why_it_may_not_and_the_first_goes_on() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let program = Program::of(&app.host)?;
        let link = program.link(&json!({"providers": ["slack"]})).await?;
        let (first, second) = (HttpClient::new(&app.host.url), HttpClient::new(&app.host.url));
        let step = link.begin(&first, "slack").await?;
        let refused = second.visit(&link.path).await?;
        assert_eq!(refused.status, 403);
        assert!(refused.text.contains("This link belongs to another browser"), "{}", refused.text);
        assert_eq!(link.choose(&second, "slack").await?.status, 403);
        let back = first.consent(&step).await?;
        assert_ne!(second.visit(&back).await?.status, 200, "the service's answer is of no use to it");
        assert_eq!(program.integrations().await?.len(), 0);
        assert!(first.visit(&back).await?.text.contains("Slack is connected"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_browsers_that_open_a_link_at_once_one_holds_it() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let link = Program::of(&app.host)?.link(&json!({})).await?;
        let browsers: Vec<_> = (0..8).map(|_| HttpClient::new(&app.host.url)).collect();
        let opened =
            futures_util::future::try_join_all(browsers.iter().map(|browser| browser.visit(&link.path))).await?;
        let held = opened.iter().filter(|page| page.status == 200).count();
        assert_eq!(held, 1, "{:?}", opened.iter().map(|page| page.status).collect::<Vec<_>>());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_used_once_also_by_two_setups_at_a_time() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let program = Program::of(&app.host)?;
        let link = program.link(&json!({})).await?;
        let customer = HttpClient::new(&app.host.url);
        let slack = link.begin(&customer, "slack").await?;
        link.begin(&customer, "example").await?;
        let back = customer.consent(&slack).await?;
        let (example, slack) = futures_util::try_join!(
            customer.post("/extensions/example/setup/", &[("name", "one")]),
            customer.visit(&back)
        )?;
        let connected = [&example, &slack].iter().filter(|end| end.text.contains("is connected</h1>")).count();
        assert_eq!(connected, 1, "{} {}\n{} {}", example.status, example.text, slack.status, slack.text);
        assert_eq!(program.integrations().await?.len(), 1);
        let refused = if example.status == 200 { slack } else { example };
        assert_eq!(refused.status, 410);
        assert!(refused.text.contains("session-used"), "{}", refused.text);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_takes_the_setup_under_way_with_it() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let program = Program::of(&app.host)?;
        let customer = HttpClient::new(&app.host.url);
        let link = program.link(&json!({"providers": ["slack"]})).await?;
        let step = link.begin(&customer, "slack").await?;
        let back = customer.consent(&step).await?;
        assert_eq!(program.end(&link).await?.status, 204);
        assert_ne!(customer.visit(&back).await?.status, 200);
        let opened = customer.visit(&link.path).await?;
        assert_eq!(opened.status, 410);
        assert!(opened.text.contains("withdrawn"), "{}", opened.text);
        assert_eq!(program.integrations().await?.len(), 0);
        assert_eq!(program.session(&link).await?["status"], "ended");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_token_that_made_it() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let customer = HttpClient::new(&app.host.url);
    let link = program.link(&json!({"providers": ["example"]})).await?;
    link.begin(&customer, "example").await?;
    let owner = app.log_in_as("owner").await?;
    let tokens = owner.visit("/api/0/organizations/acme/tokens/").await?.json()?;
    for token in tokens.as_array().into_iter().flatten() {
        let path = format!("/api/0/organizations/acme/tokens/{}/", token["id"].as_str().unwrap_or_default());
        assert_eq!(owner.send(owner.request(reqwest::Method::DELETE, &path)).await?.status, 204);
    }
    let end = customer.post("/extensions/example/setup/", &[("name", "one")]).await?;
    assert_eq!(end.status, 403);
    assert!(end.text.contains("maker-gone"), "{}", end.text);
    assert_eq!(customer.visit(&link.path).await?.status, 403);
    assert_eq!(app.list_integrations(&owner).await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_connects_no_service_that_it_is_not_for() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let customer = HttpClient::new(&app.host.url);
    let link = program.link(&json!({"providers": ["slack"]})).await?;
    customer.visit(&link.path).await?;
    let refused = link.choose(&customer, "example").await?;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("provider-not-allowed"), "{}", refused.text);
    assert_eq!(link.choose(&customer, "slack").await?.status, 303);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_organization_sees_and_ends_no_session() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let link = program.link(&json!({})).await?;
    app.host.organization("other")?;
    let stranger = ApiClient::with_token(&app.host, &app.host.token("other", &["integrations:connect"])?);
    for path in [format!("{SESSIONS}{}/", link.id), format!("{}{}/", SESSIONS.replace("acme", "other"), link.id)] {
        assert_eq!(stranger.get(&path).await?.status, 404, "{path}");
        assert_eq!(stranger.send(stranger.request(reqwest::Method::DELETE, &path)).await?.status, 404, "{path}");
    }
    assert_eq!(program.session(&link).await?["status"], "open");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_presses_no_button_and_frames_no_page() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let customer = HttpClient::new(&app.host.url);
    let link = program.link(&json!({"providers": ["example"]})).await?;
    let opened = customer.visit(&link.path).await?;
    assert!(opened.header("content-security-policy").contains("frame-ancestors 'none'"));
    let path = format!("{}providers/example/", link.path);
    let forged = customer.request(reqwest::Method::POST, &path).header("origin", "https://evil.example");
    assert_eq!(customer.send(forged).await?.status, 403);
    let status = customer.visit(&format!("{}status/", link.path)).await?;
    assert_eq!(status.header("access-control-allow-origin"), "", "no page of another origin reads it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_nobody_made_and_what_only_fetches_ahead_hold_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let link = program.link(&json!({})).await?;
    let stranger = HttpClient::new(&app.host.url);
    for path in ["/connect/jfc_x/", "/connect/x/", "/connect/jfc_0000000000000000000000000000000000000000000000000/"] {
        assert_eq!(stranger.visit(path).await?.status, 404, "{path}");
    }
    let ahead = stranger.request(reqwest::Method::GET, &link.path).header("sec-purpose", "prefetch");
    assert_eq!(stranger.send(ahead).await?.status, 503);
    stranger.send(stranger.request(reqwest::Method::HEAD, &link.path)).await?;
    let framed = stranger.request(reqwest::Method::GET, &link.path).header("sec-fetch-dest", "iframe");
    assert_eq!(stranger.send(framed).await?.header("set-cookie"), "");
    assert_eq!(program.session(&link).await?["isHeld"], false);
    assert!(!app.host.log()?.contains(link.path.trim_start_matches("/connect/")), "no token is in the log");
    Ok(())
}
