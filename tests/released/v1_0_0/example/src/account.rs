//! Logs in with OAuth 2.0, asks the service for the account, and handles its events.

use jackfield_plugin::{
    Api, ClientAuthentication, Event, EventResponse, GrantSelector, Host, HttpRequest, Identity, Integration, OAuth2,
    Pipeline, Provider, Result, State, TokenRequest, Value, WebhookRequest, WebhookResponse, value,
};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Options {
    client_id: String,
    client_secret: String,
    authorize_url: String,
    token_url: String,
    api_url: String,
    /// What a request to the events URL must have as `key`. Without it, the URL does not exist.
    events_key: String,
}

pub(crate) struct Account(Options);

impl Provider for Account {
    type Options = Options;
    const ID: &'static str = "released-account";
    const NAME: &'static str = "Released account";

    fn new(options: Options) -> Self {
        Self(options)
    }

    fn api(&self) -> Option<Api> {
        Some(Api::new(&self.0.api_url).header("x-released", "1.0"))
    }

    fn pipeline(&self) -> Pipeline {
        let oauth2 = OAuth2::new(&self.0.authorize_url, &self.0.token_url)
            .client(&self.0.client_id, self.0.client_secret.as_str())
            .scopes(["team:read", "commands"])
            .scope_separator(",")
            .authorize_parameter("team", "T0STANDIN")
            .token_parameter("of", "1.0")
            .client_authentication(ClientAuthentication::Basic)
            .token_request(TokenRequest::Form)
            .revocation_url("https://revoke.example/");
        Pipeline::new().oauth2(oauth2)
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        let token_response: Value = value(&state, "data")?;
        let text = |path: &str| token_response.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let request = HttpRequest::get(&self.0.api_url).bearer_auth(&text("/access_token"));
        let response = host.send(request).await?;
        host.info(format!("the service answered {}", response.status));
        let identity = Identity::new("released", "stand-in", text("/authed_user/id"))
            .scopes(text("/scope").split(','))
            .data_if_some("nothing", None::<String>)
            .data("app", text("/app_id"));
        Ok(Integration::new(text("/team/id"))
            .name(text("/team/name"))
            .metadata("status", response.status)
            .metadata_if_some("bot", Some(text("/bot_user_id")))
            .identity(identity))
    }

    fn handles_events(&self) -> bool {
        !self.0.events_key.is_empty()
    }

    async fn handle_event(&self, request: WebhookRequest, _: Host) -> Result<EventResponse> {
        if request.query("key") != Some(&*self.0.events_key) {
            return Ok(WebhookResponse::new(401).into());
        }
        let Ok(body) = request.json::<Value>() else { return Ok(WebhookResponse::new(400).into()) };
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let response = EventResponse::new(WebhookResponse::new(200).with_body("text/plain", "handled"));
        let event = match text("type") {
            "uninstalled" => Event::uninstalled(text("account")),
            "tokens-revoked" => {
                Event::tokens_revoked(text("account"), [GrantSelector::new("access").subject(text("user"))])
            }
            _ => return Ok(response),
        };
        Ok(response.event(event.id(text("id")).time(body["time"].as_u64().unwrap_or_default())))
    }
}
