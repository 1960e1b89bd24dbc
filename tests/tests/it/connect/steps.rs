//! A setup as JSON, for a program with a front end of its own.

use anyhow::{Context, Result};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::program::{Link, Program, SESSIONS};
use crate::app::{ApiClient, TestApp};

async fn send(api: &ApiClient, link: &Link, body: &Value) -> Result<HttpResponse> {
    let path = format!("{SESSIONS}{}/step/", link.id);
    api.send(api.request(Method::POST, &path).json(body)).await
}

async fn step(api: &ApiClient, link: &Link, body: &Value) -> Result<Value> {
    let answer = send(api, link, body).await?;
    anyhow::ensure!(answer.status == 200, "{} {}", answer.status, answer.text);
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_shows_the_form_itself_and_posts_what_its_customer_fills_in() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host.plugin("misbehaving")).await?;
        let program = Program::of(&app.host)?;
        let asked = json!({"providers": ["host-form"], "subject": {"id": "c1"}, "options": {"name": "filled in"}});
        let link = program.link(&asked).await?;
        let form = step(&program.api, &link, &json!({})).await?;
        assert_eq!((&form["type"], &form["provider"]), (&json!("form"), &json!("host-form")), "{form}");
        assert_eq!(form["form"]["fields"][0]["name"], "name");
        assert_eq!(form["form"]["values"]["name"], "filled in");
        assert_eq!(form["form"]["fields"][1]["type"], "password");
        let wrong = step(&program.api, &link, &json!({"values": {"name": ""}, "step": form["step"]})).await?;
        assert_eq!(wrong["type"], "form");
        assert!(wrong["form"]["errors"]["name"].is_string(), "{wrong}");
        let stale = step(&program.api, &link, &json!({"values": {"name": "x"}, "step": 9})).await?;
        assert_eq!(stale["type"], "form", "it answers another step");
        let done = step(&program.api, &link, &json!({"values": {"name": "Ours"}, "step": form["step"]})).await?;
        assert_eq!((&done["type"], &done["integration"]["name"]), (&json!("complete"), &json!("Ours")), "{done}");
        assert_eq!(step(&program.api, &link, &json!({})).await?["type"], "complete", "it stays so");
        assert_eq!(program.integrations().await?[0]["subject"]["id"], "c1");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_s_own_page_stays_a_page() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let link = program.link(&json!({"providers": ["example"]})).await?;
    let page = step(&program.api, &link, &json!({})).await?;
    assert_eq!(page["type"], "page", "{page}");
    let url = page["url"].as_str().context("a URL")?.trim_start_matches(&app.host.url).to_owned();
    let customer = HttpClient::new(&app.host.url);
    assert_eq!(customer.visit(&url).await?.status, 303);
    let end = customer.post("/extensions/example/setup/", &[("name", "by hand")]).await?;
    assert!(end.text.contains("Example is connected"), "{}", end.text);
    assert_eq!(step(&program.api, &link, &json!({})).await?["integration"]["name"], "by hand");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_led_to_the_service_and_the_program_reads_the_end() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let link = program.link(&json!({"subject": {"id": "c1"}})).await?;
    let (customer, stranger) = (HttpClient::new(&app.host.url), HttpClient::new(&app.host.url));
    let first = step(&program.api, &link, &json!({"provider": "slack"})).await?;
    assert_eq!(first["type"], "redirect", "{first}");
    let again = step(&program.api, &link, &json!({"provider": "slack"})).await?;
    let path = |out: &Value| -> Result<String> {
        let url = out["url"].as_str().context("a URL")?;
        Ok(url.strip_prefix(&app.host.url).context("of this host")?.to_owned())
    };
    assert_eq!(customer.visit(&path(&first)?).await?.status, 403, "a later one replaces it");
    let again = path(&again)?;
    let opened = customer.visit(&again).await?;
    assert_eq!(opened.status_and_location(), (303, &*app.host.at("/extensions/slack/setup/")));
    assert_eq!(stranger.visit(&again).await?.status, 403, "it works once");

    let to_slack = customer.visit("/extensions/slack/setup/").await?;
    let state = crate::attacks::parameter(to_slack.redirect()?.as_str(), "state");
    customer.visit(&format!("/extensions/slack/setup/?error=access_denied&state={state}")).await?;
    let failed = step(&program.api, &link, &json!({"provider": null})).await;
    assert!(failed.is_err(), "the session is for several providers");
    let to_slack = step(&program.api, &link, &json!({"provider": "slack"})).await?;
    customer.visit(&path(&to_slack)?).await?;
    let back = customer.consent(&customer.visit("/extensions/slack/setup/").await?).await?;
    assert!(customer.visit(&back).await?.text.contains("Slack is connected"));
    let done = step(&program.api, &link, &json!({})).await?;
    assert_eq!((&done["type"], &done["integration"]["provider"]["id"]), (&json!("complete"), &json!("slack")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_go_on_says_why() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let link = program.link(&json!({"providers": ["slack"]})).await?;
    let customer = HttpClient::new(&app.host.url);
    let other = step(&program.api, &link, &json!({"provider": "example"})).await?;
    assert_eq!((&other["type"], &other["code"]), (&json!("error"), &json!("failed")), "{other}");
    let to_slack = step(&program.api, &link, &json!({})).await?;
    let url = to_slack["url"].as_str().context("a URL")?.trim_start_matches(&app.host.url).to_owned();
    customer.visit(&url).await?;
    let page = customer.visit("/extensions/slack/setup/").await?;
    let state = crate::attacks::parameter(page.redirect()?.as_str(), "state");
    customer.visit(&format!("/extensions/slack/setup/?error=access_denied&state={state}")).await?;
    let denied = step(&program.api, &link, &json!({})).await?;
    assert_eq!((&denied["type"], &denied["code"]), (&json!("error"), &json!("denied")), "{denied}");

    let reader = ApiClient::with_token(&app.host, &app.host.token("acme", &["org:read"])?);
    assert_eq!(send(&reader, &link, &json!({})).await?.status, 403);
    app.host.organization("globex")?;
    let globex = ApiClient::with_token(&app.host, &app.host.token("globex", &["integrations:connect"])?);
    assert_eq!(send(&globex, &link, &json!({})).await?.status, 404);
    assert_eq!(send(&program.api, &link, &json!({"value": {}})).await?.status, 400, "a key that is not known");
    assert_eq!(program.end(&link).await?.status, 204);
    let ended = step(&program.api, &link, &json!({})).await?;
    assert_eq!((&ended["type"], &ended["code"]), (&json!("error"), &json!("failed")), "{ended}");
    Ok(())
}
