//! Server-side request forgery: the attacker makes the host send requests inside the operator's
//! network. By DNS rebinding: see `host/outbound`.

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    stand_in::{Endpoint, Fault},
    stand_in_oauth2::{Issuer, ServiceProfile, StandInOAuth2},
};
use reqwest::Method;

use super::evil_site::EvilSite;
use crate::{
    app::{AppDatabase, TestApp, bare, owner_of_acme},
    providers::declared::{declaration_of, install, service_of},
    providers::issuer::{by_issuer, issuer_of, setup_error},
};

/// A service, a trap, a host and its owner. The host may reach the trap, so only a redirect that is
/// not followed keeps requests away from it.
struct SsrfApp {
    service: StandInOAuth2,
    trap: EvilSite,
    host: Host,
    owner: HttpClient,
}

impl SsrfApp {
    async fn new(services: Vec<(String, ServiceProfile)>, tables: impl Fn(&StandInOAuth2) -> String) -> Result<Self> {
        let service = StandInOAuth2::start(services.into_iter().collect()).await?;
        let trap = EvilSite::serving("{}").await?;
        let allowed = [service.port(), trap.port].map(|port| format!("\"127.0.0.1:{port}\""));
        let http = format!("[http]\nallow-private = [{}]\n", allowed.join(", "));
        let host = bare().toml(&http).toml(&tables(&service)).start()?;
        let owner = owner_of_acme(&host).await?;
        Ok(Self { service, trap, host, owner })
    }

    fn redirected(&self) -> Fault {
        Fault::Redirected { to: self.trap.url() }
    }

    async fn assert_nobody_came(&self) -> Result<()> {
        assert!(self.trap.asked().is_empty(), "the redirect was followed: {:?}", self.trap.asked());
        HttpClient::new(&self.host.url).visit(&self.trap.url()).await?;
        assert_eq!(self.trap.asked().len(), 1, "the trap works");
        Ok(())
    }
}

/// SSRF by redirect: the token endpoint and the account's URL redirect into the operator's network.
/// The host does not follow (it would send the code, the client's secret or the token: RFC 9700
/// section 4.11), and nothing is stored.
#[tokio::test(flavor = "multi_thread")]
async fn ssrf_by_redirect_of_token_endpoint_and_account() -> Result<()> {
    let services = vec![service_of("token", |_| {})?, service_of("account", |_| {})?];
    let tables = |service: &StandInOAuth2| ["token", "account"].map(|id| declaration_of(service, id, "")).join("\n");
    let app = SsrfApp::new(services, tables).await?;
    for (id, endpoint) in [("token", Endpoint::Exchange), ("account", Endpoint::Api)] {
        app.service.faults(id).next(endpoint, [Some(app.redirected())]);
        assert_ne!(setup_error(&app.owner, id).await?, "", "{id}");
        assert_eq!(app.service.faults(id).requests(endpoint), 1, "{id}");
    }
    AppDatabase::of(&app.host).await?.assert_nothing("owner@example.com").await?;
    app.assert_nobody_came().await?;
    for id in ["token", "account"] {
        install(&app.owner, id).await.context(id)?;
    }
    Ok(())
}

/// SSRF by redirect of an issuer's metadata, keys or userinfo (RFC 8414 section 3.1, OpenID Connect
/// Discovery 1.0 section 4).
#[tokio::test(flavor = "multi_thread")]
async fn ssrf_by_redirect_of_discovery_keys_and_userinfo() -> Result<()> {
    const DOCUMENTS: [&str; 3] = ["metadata", "keys", "userinfo"];
    let userinfo = "account = { from = \"userinfo\", id = \"org.id\" }";
    let services = DOCUMENTS.map(|id| issuer_of(id, |_, _| {})).into_iter().collect::<Result<_>>()?;
    let app = SsrfApp::new(services, |service| DOCUMENTS.map(|id| by_issuer(service, id, userinfo)).join("\n")).await?;
    let change = |id: &'static str, to: Option<String>| {
        let redirects = to.map(|to| (id, to));
        let set = |issuer: &mut Issuer| issuer.redirects.clone_from(&redirects);
        app.service.change(id, |profile| profile.issuer.iter_mut().for_each(set));
    };
    for id in DOCUMENTS {
        change(id, Some(app.trap.url()));
        assert!(refused(&app.owner, id).await?, "{id}");
    }
    AppDatabase::of(&app.host).await?.assert_nothing("owner@example.com").await?;
    app.assert_nobody_came().await?;
    for id in DOCUMENTS {
        change(id, None);
        install(&app.owner, id).await.context(id)?;
    }
    Ok(())
}

/// Whether a setup fails, at its start or at its end.
async fn refused(owner: &HttpClient, id: &str) -> Result<bool> {
    let step = owner.start_setup("acme", id).await?;
    match step.dialog() {
        Ok(dialog) => Ok(!dialog.success),
        Err(_) => Ok(!owner.visit(&owner.consent(&step).await?).await?.dialog()?.success),
    }
}

/// SSRF by redirect of a revocation endpoint (RFC 7009), whose request contains the token.
#[tokio::test(flavor = "multi_thread")]
async fn ssrf_by_redirect_of_the_revocation_endpoint() -> Result<()> {
    let revocable = |profile: &mut ServiceProfile| profile.revocation = Some("https://acme.example/revoke".to_owned());
    let table = |service: &StandInOAuth2| {
        let url = service.url_of("acme", "https://acme.example/revoke");
        declaration_of(service, "acme", &format!("revocation-url = \"{url}\""))
    };
    let app = SsrfApp::new(vec![service_of("acme", revocable)?], table).await?;
    install(&app.owner, "acme").await?;
    app.service.faults("acme").next(Endpoint::Revocation, [Some(app.redirected())]);
    let list = "/api/0/organizations/acme/integrations/";
    let installed = app.owner.visit(list).await?.json()?;
    let path = format!("{list}{}/", installed[0]["id"].as_str().context("it is installed")?);
    app.owner.send(app.owner.request(Method::DELETE, &path)).await?;
    app.service.faults("acme").wait_for_requests(Endpoint::Revocation, 1).await;
    app.assert_nobody_came().await
}

/// SSRF by a URL: the token endpoint is at a private address, given by number, name or another
/// spelling, and the operator has not allowed it.
#[tokio::test(flavor = "multi_thread")]
async fn ssrf_by_a_private_address() -> Result<()> {
    let trap = EvilSite::serving("{}").await?;
    let toml = "[reaches-out]\nhosts = [\"*\"]";
    let app = TestApp::start_with("v2", None, |host| host.plugin("misbehaving").toml(toml)).await?;
    let owner = app.log_in_as("owner").await?;
    for host in
        ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0x7f.1", "2130706433", "0", "169.254.169.254"]
    {
        let url = format!("http://{host}:{}/", trap.port);
        owner.start_setup("acme", "reaches-out").await?;
        let dialog = owner.post("/extensions/reaches-out/setup/", &[("name", &url)]).await?.dialog()?;
        assert!(!dialog.success, "{url}");
    }
    let log = app.host.log()?;
    let refused =
        log.lines().filter(|line| line.contains("a step failed") && line.contains("a private address: allow"));
    assert_eq!(refused.count(), 8, "{log}");
    assert!(trap.asked().is_empty(), "{:?}", trap.asked());
    let allowed = app.slack.url("/nowhere");
    owner.start_setup("acme", "reaches-out").await?;
    assert!(owner.post("/extensions/reaches-out/setup/", &[("name", &allowed)]).await?.dialog()?.success);
    Ok(())
}
