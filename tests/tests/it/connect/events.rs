//! What a program hears of its connect sessions, and for whom an integration was connected.

use anyhow::{Context, Result};
use jackfield_test_support::{http_client::HttpClient, postgres::databases};
use reqwest::Method;
use serde_json::{Value, json};

use super::program::{Link, Program};
use crate::app::{ApiClient, TestApp};

const EVENTS: &str = "/api/0/organizations/acme/events/";
const INTEGRATIONS: &str = "/api/0/organizations/acme/integrations/";

struct Listener(ApiClient);

impl Listener {
    fn of(app: &TestApp) -> Result<Self> {
        let token = app.host.token("acme", &["integrations:events", "org:read"])?;
        Ok(Self(ApiClient::with_token(&app.host, &token)))
    }

    async fn events(&self, query: &str) -> Result<Vec<Value>> {
        Ok(self.0.get(&format!("{EVENTS}{query}")).await?.json()?.as_array().cloned().unwrap_or_default())
    }

    async fn ids(&self, query: &str) -> Result<Vec<Value>> {
        let list = self.0.get(&format!("{INTEGRATIONS}{query}")).await?.json()?;
        Ok(list.as_array().context("a list")?.iter().map(|row| row["id"].clone()).collect())
    }
}

async fn connect_example(app: &TestApp, link: &Link, name: &str) -> Result<()> {
    let customer = HttpClient::new(&app.host.url);
    link.begin(&customer, "example").await?;
    let end = customer.post("/extensions/example/setup/", &[("name", name)]).await?;
    anyhow::ensure!(end.text.contains("is connected"), "{}", end.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_and_its_events_say_for_whom_it_was_connected() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let (program, listener) = (Program::of(&app.host)?, Listener::of(&app)?);
        let subject = json!({"id": "customer-7", "name": "Ada Ltd"});
        let link = program.link(&json!({"subject": subject, "tags": {"plan": "pro"}})).await?;
        connect_example(&app, &link, "one").await?;
        let integration = program.integrations().await?.remove(0);
        assert_eq!((&integration["subject"], &integration["tags"]), (&subject, &json!({"plan": "pro"})));
        for (query, count) in [
            ("?subject=customer-7", 1),
            ("?subject=customer-8", 0),
            ("?tag[plan]=pro", 1),
            ("?tag%5Bplan%5D=free", 0),
            ("?subject=customer-7&tag[plan]=pro", 1),
        ] {
            assert_eq!(listener.ids(query).await?.len(), count, "{query}");
        }
        let events = listener.events("").await?;
        let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap_or_default()).collect();
        assert_eq!(types, ["integration.connected", "connect_session.completed"]);
        for (event, sequence) in events.iter().zip(1..) {
            let data = &event["data"];
            assert_eq!((&data["subject"], &data["tags"]), (&subject, &json!({"plan": "pro"})));
            assert_eq!((&data["integration"], &data["sequence"]), (&integration["id"], &json!(sequence)));
        }
        assert_eq!(events[1]["data"]["session"], json!(link.id));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_hears_of_a_session_that_fails_and_of_one_that_nobody_uses() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let (program, listener) = (Program::of(&app.host)?, Listener::of(&app)?);
        let link = program.link(&json!({"providers": ["slack"], "subject": {"id": "c1"}})).await?;
        let customer = HttpClient::new(&app.host.url);
        let step = link.begin(&customer, "slack").await?;
        let state = crate::attacks::parameter(step.redirect()?.as_str(), "state");
        customer.visit(&format!("/extensions/slack/setup/?error=access_denied&state={state}")).await?;
        let failed = listener.events("").await?.remove(0);
        assert_eq!(failed["type"], "connect_session.failed");
        let data = &failed["data"];
        assert_eq!((&data["session"], &data["reason"]), (&json!(link.id), &json!("declined")));
        assert_eq!((&data["provider"], &data["subject"]["id"]), (&json!("slack"), &json!("c1")));

        let unused = program.link(&json!({"subject": {"id": "c2"}, "expiresIn": 1})).await?;
        let after = failed["id"].as_str().context("an id")?;
        let expired = listener.events(&format!("?after={after}&wait=30")).await?.remove(0);
        assert_eq!(expired["type"], "connect_session.expired");
        let data = &expired["data"];
        assert_eq!((&data["session"], &data["subject"]["id"]), (&json!(unused.id), &json!("c2")));
        assert_eq!(program.session(&unused).await?["status"], "expired");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_account_of_two_customers_is_one_integration_or_two() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let (program, listener) = (Program::of(&app.host)?, Listener::of(&app)?);
        for id in ["c1", "c2"] {
            let link = program.link(&json!({"subject": {"id": id}})).await?;
            connect_example(&app, &link, "shared").await?;
        }
        let moved = listener.events("").await?.remove(2);
        assert_eq!(
            (&moved["type"], &moved["data"]["formerSubject"]),
            (&json!("integration.reconnected"), &json!("c1"))
        );
        assert_eq!((listener.ids("?subject=c1").await?.len(), listener.ids("?subject=c2").await?.len()), (0, 1));

        let owner = app.log_in_as("owner").await?;
        let settings = owner.request(Method::PATCH, "/api/0/organizations/acme/settings/");
        assert_eq!(owner.send(settings.json(&json!({"sameAccount": "two"}))).await?.status, 200);
        for id in ["c1", "c2", "c1"] {
            let link = program.link(&json!({"subject": {"id": id}})).await?;
            connect_example(&app, &link, "shared").await?;
        }
        let (first, second) = (listener.ids("?subject=c1").await?, listener.ids("?subject=c2").await?);
        assert!(first.len() == 1 && second.len() == 1 && first != second, "{first:?} {second:?}");
        let external: Vec<_> = program.integrations().await?.iter().map(|found| found["externalId"].clone()).collect();
        assert_eq!(external, ["shared", "shared"]);
        let again = program.link(&json!({"integration": first[0]})).await?;
        connect_example(&app, &again, "shared").await?;
        assert_eq!(program.integrations().await?.len(), 2, "each is connected again in its place");
        assert_eq!(program.session(&again).await?["connectedIntegration"], first[0]);
    }
    Ok(())
}
