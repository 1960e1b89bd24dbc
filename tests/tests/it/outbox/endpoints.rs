//! Endpoints of an organization: made, changed, rotated, tested and removed by those who may.

use anyhow::{Context, Result};
use jackfield_test_support::postgres::databases;
use reqwest::Method;
use serde_json::{Value, json};

use super::outbox_app::{ENDPOINTS, OutboxApp, builder};
use crate::{
    app::{ApiClient, add_example, log_in_as},
    audit::log::rows,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_made_shown_changed_and_removed_and_its_secret_is_seen_once() -> Result<()> {
    for database in databases() {
        let app = OutboxApp::start(database).await?;
        let made = app.endpoint("/hook", json!({"description": "CRM", "types": ["integration.connected"]})).await?;
        assert!(made.secret.starts_with("whsec_"), "{}", made.secret);
        assert!(made.shown["publicKey"].as_str().context("a key")?.starts_with("whpk_"));
        let shown = app.shown(&made).await?;
        assert_eq!((&shown["status"], &shown["description"]), (&json!("enabled"), &json!("CRM")));
        assert!(shown["secret"].is_null() && !shown.to_string().contains(&made.secret));
        let changed = app.send(Method::PATCH, &made.path, &json!({"types": [], "providers": ["example"]})).await?;
        let changed = changed.json()?;
        assert_eq!((&changed["types"], &changed["providers"]), (&json!([]), &json!(["example"])));
        let list = app.owner.visit(ENDPOINTS).await?.json()?;
        assert_eq!(list, json!([changed]));
        let removed = app.owner.send(app.owner.request(Method::DELETE, &made.path)).await?;
        assert_eq!(removed.status, 204);
        assert_eq!(app.owner.visit(&made.path).await?.status, 404);
        add_example(&app.owner, "acme", "Later").await?;
        let actions: Vec<_> = rows(&app.host)?.iter().map(|row| row["action"].clone()).collect();
        for action in ["endpoint-creation", "endpoint-change", "endpoint-removal"] {
            assert!(actions.contains(&json!(action)), "{actions:?}");
        }
        assert!(!app.host.log()?.contains(&made.secret), "not in the log");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_endpoint_can_be_is_refused_with_the_reason() -> Result<()> {
    let app = OutboxApp::start(None).await?;
    let url = app.receiver.url("/");
    for (body, words) in [
        (json!({"url": "https://10.0.0.1/"}), "10.0.0.1"),
        (json!({"url": "https://169.254.169.254/latest/"}), "169.254.169.254"),
        (json!({"url": "ftp://crm.example/"}), "url"),
        (json!({"url": "https://a:b@crm.example/"}), "no user name"),
        (json!({"url": &url, "types": ["integration.connect"]}), "integration.connect"),
        (json!({"url": &url, "typos": []}), "typos"),
        (json!({}), "url"),
    ] {
        let refused = app.send(Method::POST, ENDPOINTS, &body).await?;
        assert!(refused.status == 400 && refused.text.contains(words), "{body}: {} {}", refused.status, refused.text);
    }
    assert_eq!(app.owner.visit(ENDPOINTS).await?.json()?, json!([]));
    for number in 0..100 {
        app.endpoint(&format!("/{number}"), json!({})).await?;
    }
    let refused = app.send(Method::POST, ENDPOINTS, &json!({"url": &url})).await?;
    assert_eq!(refused.status, 409, "{}", refused.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_a_private_address_is_not_delivered_to() -> Result<()> {
    let app = OutboxApp::start(None).await?;
    let made = app.send(Method::POST, ENDPOINTS, &json!({"url": "https://localhost/"})).await?;
    assert_eq!(made.status, 201, "what a name leads to is known at each delivery");
    let path = format!("{ENDPOINTS}{}/test/", made.json()?["id"].as_str().context("an id")?);
    let tested = app.post(&path).await?.json()?;
    let error = tested["error"].as_str().context("an error")?;
    assert!(tested["delivered"] == false && error.contains("private address"), "{tested}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_remove_integrations_decides_who_gets_events() -> Result<()> {
    let app = OutboxApp::start(None).await?;
    let made = app.endpoint("/hook", json!({})).await?;
    let body = json!({"url": app.receiver.url("/x")});
    for role in ["member", "admin"] {
        let person = log_in_as(&app.host, role).await?;
        assert_eq!(person.visit(ENDPOINTS).await?.status, 403, "{role}");
        assert_eq!(person.send(person.request(Method::POST, ENDPOINTS).json(&body)).await?.status, 403, "{role}");
        assert_eq!(person.visit("/api/0/organizations/acme/events/").await?.status, 200, "{role}");
    }
    for (scopes, endpoints, events) in [
        (&["org:read", "integrations:proxy", "integrations:connect"][..], 403, 403),
        (&["integrations:events"], 403, 200),
        (&["org:integrations"], 200, 403),
    ] {
        let program = ApiClient::with_token(&app.host, &app.host.token("acme", scopes)?);
        assert_eq!(program.get(ENDPOINTS).await?.status, endpoints, "{scopes:?}");
        assert_eq!(program.get("/api/0/organizations/acme/events/").await?.status, events, "{scopes:?}");
        for action in ["rotate/", "test/", "redeliver/"] {
            let path = format!("{}{action}", made.path);
            let sent = program.send(program.request(Method::POST, &path)).await?;
            assert_eq!(sent.status == 403, endpoints == 403, "{scopes:?} {action}: {}", sent.text);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_shows_what_the_program_answers() -> Result<()> {
    let app = OutboxApp::start_with(None, |request| match &*request.path {
        "/good" => jackfield_test_support::webhook_receiver::WebhookReply::Status(200),
        _ => jackfield_test_support::webhook_receiver::WebhookReply::Status(500),
    })
    .await?;
    for (path, delivered, status) in [("/good", true, 200), ("/bad", false, 500)] {
        let made = app.endpoint(path, json!({})).await?;
        let tested = app.post(&format!("{}test/", made.path)).await?.json()?;
        assert_eq!((&tested["delivered"], &tested["status"]), (&json!(delivered), &json!(status)), "{tested}");
        let received = app.receiver.received(path);
        assert_eq!(received[0].json()?["type"], "endpoint.test");
        assert_eq!(app.deliveries(&made).await?, [] as [Value; 0], "it stands nowhere");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_s_endpoint_follows_the_file_and_nobody_else() -> Result<()> {
    for database in databases() {
        let app = OutboxApp::start(database.clone()).await?;
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let table = |kinds: &str| {
            format!(
                "[[endpoints]]\norganization = \"acme\"\nurl = \"{}\"\nsecret = \"{secret}\"\n{kinds}",
                app.receiver.url("/file")
            )
        };
        let reload = |kinds: Option<&str>| {
            let file = builder(&app.receiver, database.clone());
            app.host.reconfigure(&file.toml(&kinds.map(table).unwrap_or_default()))?;
            app.host.run(&["reload"], "")
        };
        reload(Some(""))?;
        let list = app.owner.visit(ENDPOINTS).await?.json()?;
        assert_eq!((&list[0]["isConfigured"], list.as_array().map(Vec::len)), (&json!(true), Some(1)), "{list}");
        let path = format!("{ENDPOINTS}{}/", list[0]["id"].as_str().context("an id")?);
        let changed = app.send(Method::PATCH, &path, &json!({"types": []})).await?;
        assert_eq!(changed.status, 409, "{}", changed.text);
        assert_eq!(app.owner.send(app.owner.request(Method::DELETE, &path)).await?.status, 409);
        add_example(&app.owner, "acme", "One").await?;
        app.receiver.wait_for("/file", 1).await?;
        reload(Some("types = [\"integration.removed\"]\n"))?;
        assert_eq!(app.owner.visit(&path).await?.json()?["types"], json!(["integration.removed"]));
        reload(None)?;
        assert_eq!(app.owner.visit(ENDPOINTS).await?.json()?, json!([]));
        let of_operator = rows(&app.host)?.into_iter().filter(|row| row["actor"]["kind"] == "operator");
        let actions: Vec<_> = of_operator.map(|row| row["action"].clone()).collect();
        assert!(actions.contains(&json!("endpoint-creation")) && actions.contains(&json!("endpoint-removal")));
    }
    Ok(())
}
