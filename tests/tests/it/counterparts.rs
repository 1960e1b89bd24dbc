//! Against what others wrote: a certified authorization server for our host, and Slack's own libraries for our stand-in.

use anyhow::{Context, Result};
use jackfield_tests::{
    counterparts::{AuthorizationServer, CLIENT, SECRET, counterparts},
    host::Host,
    person::{Answer, Person},
    stand_in::Rotation,
    stand_in_slack::StandInSlack,
};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::stage::{PASSWORD, bare};

/// A host with a provider that is declared for the authorization server, and its owner.
struct Scene {
    server: AuthorizationServer,
    host: Host,
    owner: Person,
}

impl Scene {
    /// `None` where the counterparts cannot be had.
    async fn new(more: &str) -> Result<Option<Self>> {
        let Some(counterparts) = counterparts() else { return Ok(None) };
        let mut server = counterparts.authorization_server()?;
        let issuer = &server.issuer;
        let address = issuer.trim_start_matches("http://");
        let declared = format!(
            r#"
[http]
allow-private = ["{address}"]

[providers.certified]
client-id = "{CLIENT}"
client-secret = "{SECRET}"
client-authentication = "basic"
authorize-url = "{issuer}/auth"
token-url = "{issuer}/token"
revocation-url = "{issuer}/token/revocation"
scopes = ["openid", "profile"]
account = {{ from = "GET {issuer}/me", id = "sub", name = "name" }}
{more}
"#
        );
        let host = bare().toml(&declared).start()?;
        server.serve(&[format!("{}/extensions/certified/setup/", host.url)], 3600, None)?;
        host.organization("acme")?;
        host.user("owner@example.com", PASSWORD)?;
        host.member("acme", "owner@example.com", "owner")?;
        let owner = Person::logged_in(&host.url, "owner@example.com", PASSWORD).await?;
        Ok(Some(Self { server, host, owner }))
    }

    /// Starts a set-up, and comes to the URL at the server.
    async fn started(&self) -> Result<Url> {
        self.owner.start_setup("acme", "certified").await?.redirect()
    }

    /// Logs in and agrees at the server, and says where it leads.
    async fn agreed(&self, authorize: &str) -> Result<String> {
        let log_in = self.follow(authorize).await?;
        let consent = self.answered(&log_in, &[("prompt", "login"), ("login", "ada"), ("password", "any")]).await?;
        self.answered(&consent, &[("prompt", "consent")]).await
    }

    async fn answered(&self, page: &str, form: &[(&str, &str)]) -> Result<String> {
        let answer = self.owner.post(page, form).await?;
        self.follow(answer.location.as_deref().with_context(|| format!("{}: {}", answer.status, answer.text))?).await
    }

    /// Follows redirects within the server: to a page of its own, or to whoever asked.
    async fn follow(&self, url: &str) -> Result<String> {
        let mut url = Url::parse(&self.server.issuer)?.join(url)?;
        while url.as_str().starts_with(&self.server.issuer) {
            let answer = self.owner.visit(url.as_str()).await?;
            let Some(location) = &answer.location else { return Ok(url.into()) };
            url = url.join(location)?;
        }
        Ok(url.into())
    }

    async fn install(&self) -> Result<Answer> {
        let back = self.agreed(self.started().await?.as_str()).await?;
        self.owner.visit(&back).await
    }

    /// A request of the client to an endpoint of the server, past our host.
    async fn asked(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
        let request = self.owner.request(Method::POST, &format!("{}{path}", self.server.issuer));
        self.owner.send(request.basic_auth(CLIENT, Some(SECRET)).form(form)).await
    }

    /// What the server says of a token (RFC 7662).
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
    let Some(scene) = Scene::new("").await? else { return Ok(()) };
    let authorize = scene.started().await?;
    assert_eq!(parameter(authorize.as_str(), "code_challenge_method")?, "S256");
    let back = scene.agreed(authorize.as_str()).await?;
    assert_eq!(parameter(&back, "iss")?, scene.server.issuer, "RFC 9207");
    let dialog = scene.owner.visit(&back).await?.dialog()?;
    assert!(dialog.success, "{:?}\n{}", dialog.data, scene.host.log()?);
    assert_eq!(dialog.data["name"], "Account of ada");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_server_refuses_the_code_of_another_flow() -> Result<()> {
    // RFC 9700 section 4.5.3.1: the code is bound to the proof key of the flow that it was given to.
    let Some(scene) = Scene::new("").await? else { return Ok(()) };
    let injected = scene.agreed(scene.started().await?.as_str()).await?;
    let own = scene.follow(scene.started().await?.as_str()).await?;
    let own = if own.contains("code=") { own } else { scene.answered(&own, &[("prompt", "consent")]).await? };
    let mixed = own.replace(&parameter(&own, "code")?, &parameter(&injected, "code")?);
    let dialog = scene.owner.visit(&mixed).await?.dialog()?;
    assert!(!dialog.success, "{:?}", dialog.data);
    assert!(scene.host.log()?.contains("invalid_grant"), "{}", scene.host.log()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certified_server_gives_no_code_without_a_proof_key() -> Result<()> {
    let Some(scene) = Scene::new("pkce = false").await? else { return Ok(()) };
    let back = scene.follow(scene.started().await?.as_str()).await?;
    assert_eq!(parameter(&back, "error")?, "invalid_request");
    let dialog = scene.owner.visit(&back).await?.dialog()?;
    assert!(!dialog.success, "{:?}", dialog.data);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_at_a_certified_server_is_told_so_here() -> Result<()> {
    let Some(scene) = Scene::new("").await? else { return Ok(()) };
    let log_in = scene.follow(scene.started().await?.as_str()).await?;
    let back = scene.follow(&format!("{log_in}/abort")).await?;
    assert_eq!(parameter(&back, "error")?, "access_denied");
    let dialog = scene.owner.visit(&back).await?.dialog()?;
    assert!(!dialog.success, "{:?}", dialog.data);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slacks_own_libraries_agree_with_the_stand_in() -> Result<()> {
    let Some(counterparts) = counterparts() else { return Ok(()) };
    let slack = StandInSlack::start().await?;
    // Less than the two hours before which the library refreshes.
    slack.behave(|behaviour| (behaviour.rotation, behaviour.expires_in) = (Rotation::SingleUse, 3600));
    let (url, client) = (slack.url(""), slack.client().clone());
    let told =
        tokio::task::spawn_blocking(move || counterparts.slack_client(&url, &client.id, &client.secret)).await??;

    let installation = &told["installation"];
    assert_eq!(installation["team"], json!({"id": "T0STANDIN", "name": "Analytical Engines"}));
    assert_eq!((&installation["tokenType"], &installation["isEnterpriseInstall"]), (&json!("bot"), &json!(false)));
    assert_eq!(installation["bot"]["scopes"], json!(["chat:write", "commands"]));
    assert_eq!(installation["user"]["scopes"], json!(["search:read"]));
    assert_eq!(installation["bot"]["id"], "B0STANDINBOT", "of auth.test");
    for who in ["bot", "user"] {
        let (before, after) = (&installation[who], &told["refreshed"][who]);
        assert!(before["expiresAt"].is_u64() && after["expiresAt"].is_u64(), "{told}");
        assert_ne!(before["refreshToken"], after["refreshToken"], "{who} was rotated");
        assert_eq!(told["authorized"][format!("{who}Token")], after["token"], "{who}: the new one is used");
    }
    assert_eq!(told["authorized"]["botToken"].as_str().map(|token| token.starts_with("xoxe.xoxb-")), Some(true));
    assert_eq!(told["usedAgain"], json!({"code": "slack_webapi_platform_error", "error": "invalid_refresh_token"}));
    assert_eq!((&told["test"]["ok"], &told["test"]["team_id"]), (&json!(true), &json!("T0STANDIN")));
    assert_eq!(told["posted"]["message"]["text"], "hello");
    assert_eq!(told["tooMuch"], json!({"code": "slack_webapi_rate_limited_error", "retryAfter": 30}));
    assert_eq!((&told["tried"]["revoked"], &told["revoked"]["revoked"]), (&json!(false), &json!(true)));
    assert_eq!(told["afterRevocation"]["error"], "token_revoked");
    assert_eq!(told["uninstalledByAnother"]["error"], "client_id_token_mismatch");
    assert_eq!(told["uninstalled"], json!({"ok": true}));
    assert_eq!(told["afterUninstall"]["error"], "token_revoked");
    assert_eq!(told["unknown"]["error"], "invalid_auth");
    Ok(())
}
