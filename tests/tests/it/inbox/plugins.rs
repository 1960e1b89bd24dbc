//! Plugins and the inbox: what the odd ones deliver, and what a plugin is asked after its host has
//! verified a call.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
    stand_in_internet::{ServiceRequest, StandInInternet},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::inbox_app::{headers, hex, mac};
use crate::app::{bare, owner_of_acme};

/// A host with the fixture, and a service that calls back before it answers.
struct PluginApp {
    host: Host,
    owner: HttpClient,
    services: StandInInternet,
}

/// What the service signs with, once its handshake has brought it.
const SECRET: &str = "of-the-handshake";

impl PluginApp {
    async fn start(database: Option<String>) -> Result<Self> {
        let services = StandInInternet::start(make_hook).await?;
        let toml = format!("{}[plugins]\ndeadline = 2\n", services.toml());
        let host = bare().plugin("inbound").database(database).toml(&toml).start()?;
        let owner = owner_of_acme(&host).await?;
        Ok(Self { host, owner, services })
    }

    async fn call(&self, url: &str, headers: &[(String, String)], body: &str) -> Result<HttpResponse> {
        let service = HttpClient::new(url);
        let request = service.request(Method::POST, url).body(body.to_owned());
        service.send(headers.iter().fold(request, |request, (name, value)| request.header(name, value))).await
    }

    async fn received(&self, organization: &str) -> Result<Vec<Value>> {
        let path = format!("/api/0/organizations/{organization}/received-events/");
        Ok(self.owner.visit(&path).await?.json()?.as_array().cloned().unwrap_or_default())
    }

    /// Connects an account of `odd`; returns the URL of its webhook.
    async fn connect_odd(&self, organization: &str, account: &str) -> Result<String> {
        let page = self.owner.start_setup(organization, "odd").await?;
        let url = page.text.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next());
        let url = url.with_context(|| page.text.clone())?.to_owned();
        let dialog = self.owner.post("/extensions/odd/setup/", &[("account", account)]).await?.dialog()?;
        ensure!(dialog.success, "{}", dialog.data);
        Ok(url)
    }

    /// Connects `hooked`, whose service shakes hands during the setup; returns the webhook's URL.
    async fn connect_hooked(&self) -> Result<String> {
        let dialog = self.owner.start_setup("acme", "hooked").await?.dialog()?;
        ensure!(dialog.success, "{} {}", dialog.data, self.host.log()?);
        let asked = self.services.requests();
        Ok(asked.last().context("a request for a hook")?.parameter("target").to_owned())
    }
}

/// Calls the target with its secret, and answers only then, as Asana does.
fn make_hook(request: &ServiceRequest) -> (u16, Value) {
    let target = request.parameter("target");
    let echoed = handshake(target).unwrap_or_default();
    (if echoed { 201 } else { 400 }, json!({}))
}

fn handshake(target: &str) -> Option<bool> {
    let (address, path) = target.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {address}\r\nx-hook-secret: {SECRET}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("x-hook-secret: {SECRET}")))
}

fn signed(id: &str, body: &str) -> Vec<(String, String)> {
    headers(&[("x-hook-signature", &hex(&mac(SECRET, body))), ("x-id", id)])
}

/// The step that makes the hook holds the setup's lock, and the service waits for the handshake.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_during_a_setup_does_not_wait_for_its_lock_and_its_secret_counts_after_it() -> Result<()> {
    for database in databases() {
        let app = PluginApp::start(database).await?;
        let url = app.connect_hooked().await?;
        let body = r#"{"account": "H1"}"#;
        let response = app.call(&url, &signed("i-1", body), body).await?;
        assert_eq!((response.status, response.json()?), (200, json!({"verified": true, "integration": "Hook"})));
        let forged = headers(&[("x-hook-signature", &hex(&mac("other", body))), ("x-id", "i-2")]);
        assert_eq!(app.call(&url, &forged, body).await?.status, 401);
        let received = app.received("acme").await?;
        assert_eq!((received.len(), &received[0]["deliveryId"]), (1, &json!("i-1")));
    }
    Ok(())
}

/// The service hears at once that its call is kept, whatever the plugin does.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_or_hangs_keeps_no_service_waiting_and_is_asked_again() -> Result<()> {
    let app = PluginApp::start(None).await?;
    let url = app.connect_hooked().await?;
    for (id, body) in [("i-1", r#"{"account": "H1", "fail": true}"#), ("i-2", r#"{"account": "H1", "hang": true}"#)] {
        let response = app.call(&url, &signed(id, body), body).await?;
        assert_eq!((response.status, &*response.text), (200, ""), "{body}");
    }
    assert_eq!(app.received("acme").await?.len(), 2, "programs have them all the same");
    let due = app.host.store().await?.at(time::OffsetDateTime::now_utc() + time::Duration::hours(1));
    let due = due.read(|tx| jackfield_store::received_events::due(tx, 10)).await?;
    assert_eq!(due.len(), 2, "it is asked again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_delivers_reaches_the_organizations_that_have_the_account() -> Result<()> {
    for database in databases() {
        let app = PluginApp::start(database).await?;
        for slug in ["partner", "stranger"] {
            app.host.organization(slug)?;
            app.host.member(slug, "owner@example.com", "owner")?;
        }
        app.connect_odd("acme", "A1").await?;
        app.connect_odd("partner", "A1").await?;
        app.connect_odd("stranger", "A2").await?;
        let events = app.host.at("/extensions/odd/events/?word=please&account=A1");
        assert_eq!(app.call(&format!("{events}&id=e-1"), &[], "hello").await?.status, 202);
        assert_eq!(app.call(&format!("{events}&id=e-1"), &[], "hello").await?.status, 202, "repeated");
        assert_eq!(app.call(&format!("{events}&id=e-2&refuse=1"), &[], "hello").await?.status, 400);
        assert_eq!(app.call(&app.host.at("/extensions/odd/events/?account=A1"), &[], "x").await?.status, 401);
        let counts = [app.received("acme").await?, app.received("partner").await?, app.received("stranger").await?];
        assert_eq!(counts.map(|received| received.len()), [1, 1, 0], "once, and only what is answered with 2xx");
    }
    Ok(())
}

/// A webhook is one organization's: what comes there is not another's.
#[tokio::test(flavor = "multi_thread")]
async fn at_a_webhook_a_plugin_knows_the_integration_and_delivers_to_its_organization_only() -> Result<()> {
    let app = PluginApp::start(None).await?;
    app.host.organization("partner")?;
    app.host.member("partner", "owner@example.com", "owner")?;
    let url = app.connect_odd("acme", "A1").await?;
    app.connect_odd("partner", "A1").await?;
    app.connect_odd("partner", "A2").await?;
    let response = app.call(&format!("{url}?word=please&id=w-1"), &[], "hello").await?;
    assert_eq!((response.status, &*response.text), (200, "A1"));
    let others = app.call(&format!("{url}?word=please&id=w-2&account=A2"), &[], "hello").await?;
    assert_eq!(others.status, 200);
    let (acme, partner) = (app.received("acme").await?, app.received("partner").await?);
    assert_eq!((acme.len(), partner.len()), (1, 0), "{acme:?} {partner:?}");
    assert_eq!(acme[0]["deliveryId"], "w-1");
    Ok(())
}
