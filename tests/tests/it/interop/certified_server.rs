//! A certified authorization server, with our host as its client.

use std::time::Instant;

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_oauth2::jose::SigningKey;
use jackfield_store::grants::Tokens;
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    interop::{AuthorizationServer, CLIENT, SECRET, interop},
    stand_in_oauth2::{CLIENT_KEY, CLIENT_KEY_ID},
};
use reqwest::Method;
use serde_json::Value;
use time::Duration;
use url::Url;

use crate::app::{AppDatabase, bare, log_line, owner_of_acme};

/// How long a task of the host in the background may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// A host with a declared provider for the authorization server, and its owner.
struct InteropApp {
    server: AuthorizationServer,
    host: Host,
    owner: HttpClient,
}

impl InteropApp {
    /// With the server's endpoints in the declaration; `None` where there is no server.
    async fn new(more: &str) -> Result<Option<Self>> {
        let endpoints = |issuer: &str| {
            format!(
                r#"
authorize-url = "{issuer}/auth"
token-url = "{issuer}/token"
revocation-url = "{issuer}/token/revocation"
client-id = "{CLIENT}"
client-secret = "{SECRET}"
client-authentication = "basic"
account = {{ from = "GET {issuer}/me", id = "sub", name = "name" }}
{more}
"#
            )
        };
        Self::declared(endpoints).await
    }

    /// With only the server's issuer in the declaration.
    async fn by_issuer(more: &str) -> Result<Option<Self>> {
        Self::declared(|issuer| format!("issuer = \"{issuer}\"\n{more}\n")).await
    }

    async fn declared(table: impl FnOnce(&str) -> String) -> Result<Option<Self>> {
        let Some(interop) = interop() else { return Ok(None) };
        let mut server = interop.authorization_server()?;
        let address = server.issuer.trim_start_matches("http://");
        let table = table(&server.issuer);
        let declared = format!(
            "[http]\nallow-private = [\"{address}\"]\n\n[providers.certified]\nscopes = [\"openid\", \"profile\"]\n{table}"
        );
        let host = bare().toml(&declared).start()?;
        let key = SigningKey::from_pem(CLIENT_KEY)?.public_key(CLIENT_KEY_ID);
        server.serve(&[format!("{}/extensions/certified/setup/", host.url)], 3600, Some(&key))?;
        let owner = owner_of_acme(&host).await?;
        Ok(Some(Self { server, host, owner }))
    }

    /// Starts a setup, and returns the server's URL.
    async fn started(&self) -> Result<Url> {
        self.owner.start_setup("acme", "certified").await?.redirect()
    }

    /// Logs in and consents at the server; returns the URL that leads back.
    async fn agreed(&self, authorize: &str) -> Result<String> {
        let log_in = self.follow(authorize).await?;
        let consent = self.answered(&log_in, &[("prompt", "login"), ("login", "ada"), ("password", "any")]).await?;
        self.answered(&consent, &[("prompt", "consent")]).await
    }

    async fn answered(&self, page: &str, form: &[(&str, &str)]) -> Result<String> {
        let response = self.owner.post(page, form).await?;
        self.follow(response.location.as_deref().with_context(|| format!("{}: {}", response.status, response.text))?)
            .await
    }

    /// Follows redirects within the server, up to a page or to the URL that leads back.
    async fn follow(&self, url: &str) -> Result<String> {
        let mut url = Url::parse(&self.server.issuer)?.join(url)?;
        while url.as_str().starts_with(&self.server.issuer) {
            let response = self.owner.visit(url.as_str()).await?;
            let Some(location) = &response.location else { return Ok(url.into()) };
            url = url.join(location)?;
        }
        Ok(url.into())
    }

    /// Goes through the whole setup, and returns the integration's URL in the API.
    async fn installed(&self) -> Result<String> {
        let back = self.agreed(self.started().await?.as_str()).await?;
        let dialog = self.owner.visit(&back).await?.dialog()?;
        assert!(dialog.success, "{:?}\n{}", dialog.data, self.host.log()?);
        assert_eq!(dialog.data["name"], "Account of ada");
        let id = dialog.data["id"].as_str().context("an id")?;
        Ok(format!("/api/0/organizations/acme/integrations/{id}/"))
    }

    /// The stored tokens.
    async fn tokens(&self) -> Result<Tokens> {
        let grants = AppDatabase::of(&self.host).await?.grants("ada").await?;
        Ok(grants.into_iter().next().context("a grant")?.1)
    }

    /// Reads a token through the host after the stored one has expired.
    async fn read_expired_token(&self, integration: &str) -> Result<HttpResponse> {
        let stored = AppDatabase::of(&self.host).await?;
        let name = stored.grants("ada").await?.first().context("a grant")?.0.name.clone();
        stored.let_live("ada", &name, Duration::seconds(-1)).await?;
        let token = self.host.token("acme", &["integrations:token", "org:read"])?;
        let client = HttpClient::new(&self.host.url);
        client.send(client.request(Method::GET, &format!("{integration}token/")).bearer_auth(token.trim())).await
    }

    /// A request of the client to an endpoint of the server, without the host.
    async fn asked(&self, path: &str, form: &[(&str, &str)]) -> Result<HttpResponse> {
        let request = self.owner.request(Method::POST, &format!("{}{path}", self.server.issuer));
        self.owner.send(request.basic_auth(CLIENT, Some(SECRET)).form(form)).await
    }

    /// Whether a token is active, by the server (RFC 7662).
    async fn is_active(&self, token: &str) -> Result<Value> {
        Ok(self.asked("/token/introspection", &[("token", token)]).await?.json()?["active"].take())
    }
}

fn parameter(url: &str, name: &str) -> Result<String> {
    let url = Url::parse(url)?;
    let found = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    found.with_context(|| format!("no {name} in {url}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_server_takes_our_client_with_its_proof_key() -> Result<()> {
    let Some(app) = InteropApp::new("").await? else { return Ok(()) };
    let authorize = app.started().await?;
    assert_eq!(parameter(authorize.as_str(), "code_challenge_method")?, "S256");
    let back = app.agreed(authorize.as_str()).await?;
    assert_eq!(parameter(&back, "iss")?, app.server.issuer, "RFC 9207");
    let dialog = app.owner.visit(&back).await?.dialog()?;
    assert!(dialog.success, "{:?}\n{}", dialog.data, app.host.log()?);
    assert_eq!(dialog.data["name"], "Account of ada");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_server_refuses_the_code_of_another_flow() -> Result<()> {
    // RFC 9700 section 4.5.3.1: a code is bound to the challenge of its flow.
    let Some(app) = InteropApp::new("").await? else { return Ok(()) };
    let injected = app.agreed(app.started().await?.as_str()).await?;
    let own = app.follow(app.started().await?.as_str()).await?;
    let own = if own.contains("code=") { own } else { app.answered(&own, &[("prompt", "consent")]).await? };
    let mixed = own.replace(&parameter(&own, "code")?, &parameter(&injected, "code")?);
    let dialog = app.owner.visit(&mixed).await?.dialog()?;
    assert!(!dialog.success, "{:?}", dialog.data);
    assert_snapshot!(log_line(&app.host, "invalid_grant")?, @r#"WARN a step failed setup.id=[id] provider.id="certified" plugin.name="providers.certified" plugin.reason="oauth2" setup.step=1 step.name="oauth2 callback" step.duration=[duration] error=the token endpoint answered the error `invalid_grant`: grant request is invalid"#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_server_gives_no_code_without_a_proof_key() -> Result<()> {
    let Some(app) = InteropApp::new("pkce = false").await? else { return Ok(()) };
    let back = app.follow(app.started().await?.as_str()).await?;
    assert_eq!(parameter(&back, "error")?, "invalid_request");
    let dialog = app.owner.visit(&back).await?.dialog()?;
    assert!(!dialog.success, "{:?}", dialog.data);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_at_a_certified_server_is_told_so_here() -> Result<()> {
    let Some(app) = InteropApp::new("").await? else { return Ok(()) };
    let log_in = app.follow(app.started().await?.as_str()).await?;
    let back = app.follow(&format!("{log_in}/abort")).await?;
    assert_eq!(parameter(&back, "error")?, "access_denied");
    let dialog = app.owner.visit(&back).await?.dialog()?;
    assert!(!dialog.success, "{:?}", dialog.data);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_server_is_described_by_its_issuer_alone_and_takes_our_signed_assertions() -> Result<()> {
    // RFC 8414, RFC 7523 section 3, OpenID Connect Core 1.0 sections 3.1.3.7 and 9.
    let key = format!("private-key = \"\"\"\n{CLIENT_KEY}\"\"\"\nkey-id = \"{CLIENT_KEY_ID}\"");
    let account = "account = { from = \"id-token\", id = \"sub\", name = \"name\" }";
    for proof in [
        format!("client-id = \"{CLIENT}\"\nclient-secret = \"{SECRET}\""),
        format!("client-id = \"{CLIENT}-post\"\nclient-secret = \"{SECRET}\"\nclient-authentication = \"post\""),
        format!("client-id = \"{CLIENT}-key\"\n{key}"),
    ] {
        let Some(app) = InteropApp::by_issuer(&format!("{proof}\n{account}")).await? else { return Ok(()) };
        let integration = app.installed().await?;
        let response = app.read_expired_token(&integration).await?;
        assert_eq!(response.status, 200, "it refreshes likewise: {}\n{}", response.text, app.host.log()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_a_certified_server_that_does_not_say_so_is_refused_before_any_token_request() -> Result<()> {
    // RFC 9207 section 2.4: the server announces that its responses have an `iss`.
    let more = format!(
        "client-id = \"{CLIENT}\"\nclient-secret = \"{SECRET}\"\naccount = {{ from = \"userinfo\", id = \"sub\", name = \"name\" }}"
    );
    let Some(app) = InteropApp::by_issuer(&more).await? else { return Ok(()) };
    let mut back = Url::parse(&app.agreed(app.started().await?.as_str()).await?)?;
    let parameters: Vec<(String, String)> = back.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
    back.query_pairs_mut().clear().extend_pairs(parameters);
    let page = app.owner.visit(back.as_str()).await?;
    assert_eq!(page.dialog()?.detail(), "An error occurred while validating your request.");
    assert!(page.text.contains("failed check <code>iss-missing</code>"), "{}", page.text);

    let back = app.follow(app.started().await?.as_str()).await?;
    let back = if back.contains("code=") { back } else { app.answered(&back, &[("prompt", "consent")]).await? };
    let dialog = app.owner.visit(&back).await?.dialog()?;
    assert!(dialog.success, "{:?}\n{}", dialog.data, app.host.log()?);
    assert_eq!(dialog.data["name"], "Account of ada", "of the userinfo endpoint");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_server_rotates_and_ends_the_grant_whose_used_token_comes_again() -> Result<()> {
    // RFC 9700 section 4.14.2.
    let Some(app) = InteropApp::new("").await? else { return Ok(()) };
    let integration = app.installed().await?;
    let first = app.tokens().await?;
    let answer = app.read_expired_token(&integration).await?.json()?;
    let fresh = answer["accessToken"].as_str().with_context(|| answer.to_string())?;
    let second = app.tokens().await?;
    assert_eq!(second.access_token, fresh, "a returned token was stored before");
    assert_ne!(first.refresh_token, second.refresh_token);
    assert_eq!(app.is_active(fresh).await?, true);

    let stolen = first.refresh_token.context("a refresh token")?;
    let reused = app.asked("/token", &[("grant_type", "refresh_token"), ("refresh_token", &stolen)]).await?;
    assert_eq!(reused.json()?["error"], "invalid_grant");
    assert_eq!(app.is_active(fresh).await?, false, "all of the grant is over");
    let response = app.read_expired_token(&integration).await?;
    assert_eq!(response.status, 409, "{}\n{}", response.text, app.host.log()?);
    assert_eq!(app.owner.visit(&integration).await?.json()?["status"], "needs-reauthentication");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_here_is_revoked_at_a_certified_server() -> Result<()> {
    // RFC 7009.
    let Some(app) = InteropApp::new("").await? else { return Ok(()) };
    let integration = app.installed().await?;
    let tokens = app.tokens().await?;
    let refresh = tokens.refresh_token.context("a refresh token")?;
    assert_eq!(app.is_active(&refresh).await?, true);
    let removed = app.owner.send(app.owner.request(Method::DELETE, &integration)).await?;
    assert_eq!(removed.status, 204, "{}", removed.text);
    let end = Instant::now() + PATIENCE;
    // The host revokes in the background, and only the server can tell.
    while app.is_active(&refresh).await? == true {
        anyhow::ensure!(Instant::now() < end, "it is not revoked\n{}", app.host.log()?);
    }
    assert_eq!(app.is_active(&tokens.access_token).await?, false);
    Ok(())
}
