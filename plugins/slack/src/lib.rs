//! Slack: adds an app to a workspace, or to an organization of Enterprise Grid.
//!
//! It has two dialects: `v2` is Slack's own today
//! (<https://docs.slack.dev/reference/methods/oauth.v2.access>), and `v1` is for older compatible
//! servers.

mod events;
mod revoke;

use jackfield_plugin::{
    Api as ServiceApi, Error, EventResponse, Grant, Host, Identity, Inbox, Integration, OAuth2, Pipeline, Provider,
    Result, RevokeRequest, Revoked, State, Value, WebhookRequest, export_providers, value,
};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Slack {
    client_id: String,
    client_secret: String,
    /// Slack signs its requests with it. Without it, the events URL does not exist.
    signing_secret: String,
    // Accepted because operators have it in their configuration. Slack has deprecated it.
    verification_token: String,
    api: Api,
    /// Scopes of the bot. The default is what Slack suggests for a first app.
    scopes: Option<Vec<String>>,
    /// Scopes of the person who installs the app. Without them, the host requests no token for
    /// that person.
    user_scopes: Vec<String>,
    authorize_url: Option<String>,
    token_url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Api {
    V1,
    #[default]
    V2,
}

impl Provider for Slack {
    type Options = Self;
    const ID: &'static str = "slack";
    const NAME: &'static str = "Slack";

    fn new(options: Self) -> Self {
        options
    }

    fn icon(&self) -> Option<&'static str> {
        Some(include_str!("icon.svg"))
    }

    /// The methods of the API are beside the one of the token, also at a compatible server.
    fn api(&self) -> Option<ServiceApi> {
        let token = self.token_url.as_deref().unwrap_or(API);
        token.rfind('/').map(|end| ServiceApi::new(&token[..=end]))
    }

    fn pipeline(&self) -> Pipeline {
        let (authorize, token, scopes, separator) = match self.api {
            Api::V1 => ("oauth/authorize", "oauth.access", "bot chat:write:bot commands team:read", " "),
            Api::V2 => ("oauth/v2/authorize", "oauth.v2.access", "chat:write,commands,team:read", ","),
        };
        let authorize = self.authorize_url.clone().unwrap_or_else(|| format!("https://slack.com/{authorize}"));
        let token = self.token_url.clone().unwrap_or_else(|| format!("{API}{token}"));
        // With PKCE, Slack treats the app as a public client, and older servers refuse it.
        let oauth2 = OAuth2::new(authorize, token).client(&self.client_id, self.client_secret.as_str()).without_pkce();
        let oauth2 = oauth2.single_use_refresh_tokens(true);
        let default = || scopes.split(separator).map(str::to_owned).collect();
        let oauth2 = oauth2.scopes(self.scopes.clone().unwrap_or_else(default)).scope_separator(separator);
        Pipeline::new().oauth2(match self.user_scopes.as_slice() {
            [] => oauth2,
            scopes => oauth2.authorize_parameter("user_scope", scopes.join(",")),
        })
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        let response = TokenResponse(value(&state, "data")?);
        // Slack reports an error with status 200 and `ok` false.
        if response.0["ok"] != true {
            return Err(Error::new(format!("Slack answered: {}", response.text("/error").unwrap_or_default())));
        }
        if matches!(self.api, Api::V1) { response.v1() } else { response.v2() }
    }

    async fn revoke(&self, request: RevokeRequest, host: Host) -> Result<Revoked> {
        self.revoke_grants(request, host).await
    }

    /// <https://docs.slack.dev/authentication/verifying-requests-from-slack>. The external id is
    /// that of [`events`]: the enterprise if the app is installed in all of it, else the workspace.
    fn inbox(&self) -> Option<Inbox> {
        let inbox = Inbox::hmac_sha256("x-slack-signature", self.signing_secret.as_str())
            .prefix("v0=")
            .template("v0:{timestamp}:{body}")
            .timestamp("header:x-slack-request-timestamp")
            .delivery_id("body:event_id")
            .account_if("body:authorizations.0.is_enterprise_install", "body:authorizations.0.enterprise_id")
            .account_if("body:is_enterprise_install", "body:enterprise_id")
            .account("body:team_id")
            .challenge("body:challenge");
        Some(inbox.pass_header("x-slack-retry-num").pass_header("x-slack-retry-reason"))
    }

    fn handles_events(&self) -> bool {
        !self.signing_secret.is_empty()
    }

    async fn handle_event(&self, request: WebhookRequest, host: Host) -> Result<EventResponse> {
        Ok(self.event_response(&request, &host))
    }
}

const API: &str = "https://slack.com/api/";

/// The token response, read by JSON pointers (RFC 6901).
struct TokenResponse(Value);

impl TokenResponse {
    fn text(&self, path: &str) -> Option<&str> {
        self.0.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn required(&self, path: &str) -> Result<&str> {
        self.text(path).ok_or_else(|| Error::new(format!("Slack's answer has no {path}")))
    }

    /// Scopes separated by commas, sorted.
    fn scopes(&self, path: &str) -> Vec<String> {
        let scopes = self.text(path).unwrap_or_default().split(',').filter(|scope| !scope.is_empty());
        scopes.map(str::to_owned).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    fn v1(&self) -> Result<Integration> {
        let user = Identity::new("slack", "slack.com", self.required("/user_id")?).scopes(self.scopes("/scope"));
        // The bot is the workspace's: only who may install the app gets its token.
        let bot = Grant::new("bot", self.required("/bot/bot_access_token")?).scopes(self.scopes("/scope"));
        let bot = bot.of_the_account();
        Ok(Integration::new(self.required("/team_id")?)
            .name(self.required("/team_name")?)
            .metadata("bot_access_token", self.required("/bot/bot_access_token")?)
            .metadata("bot_user_id", self.required("/bot/bot_user_id")?)
            .metadata("scopes", self.scopes("/scope"))
            .grant(bot)
            .grant(Grant::new("user", self.required("/access_token")?).subject(self.required("/user_id")?))
            .identity(user.data("access_token", self.required("/access_token")?)))
    }

    /// The external id is that of the team, or of the enterprise if the app is installed in all of
    /// an organization. User ids are unique within one of them.
    fn v2(&self) -> Result<Integration> {
        let is_enterprise = self.0["is_enterprise_install"] == true || self.text("/team/id").is_none();
        let tenant = if is_enterprise { "/enterprise" } else { "/team" };
        let id = self.required(&format!("{tenant}/id"))?;
        self.text("/access_token").map_or_else(|| self.required("/authed_user/access_token"), Ok)?;
        let user = Identity::new("slack", id, self.required("/authed_user/id")?)
            .scopes(self.scopes("/authed_user/scope"))
            .data_if_some("access_token", self.text("/authed_user/access_token"));
        // With token rotation each has a refresh token. Otherwise the tokens live until revoked.
        // The bot is the workspace's: only who may install the app gets its token.
        let is_bot = self.text("/token_type") != Some("user");
        let bot = Grant::from_token_response("bot", &self.0).map(without_type);
        let bot = bot.map(|grant| if is_bot { grant.of_the_account() } else { grant });
        let user_grant = Grant::from_token_response("user", &self.0["authed_user"]).map(without_type);
        Ok(Integration::new(id)
            .name(self.text(&format!("{tenant}/name")).unwrap_or(id))
            .metadata("scopes", self.scopes("/scope"))
            .metadata_if_some("bot_access_token", self.text("/access_token"))
            .metadata_if_some("bot_user_id", self.text("/bot_user_id"))
            .metadata_if_some("app_id", self.text("/app_id"))
            .metadata_if_some("team_id", self.text("/team/id").filter(|_| !is_enterprise))
            .metadata_if_some("enterprise_id", self.text("/enterprise/id"))
            .grant_if_some(bot)
            .grant_if_some(user_grant.map(|grant| grant.subject(&user.external_id)))
            .identity(user))
    }
}

/// Slack's `token_type` says whose token it is (`bot`, `user`), and not how to send it.
fn without_type(mut grant: Grant) -> Grant {
    grant.token_type.clear();
    grant
}

export_providers!(Slack);

#[cfg(test)]
mod tests;
