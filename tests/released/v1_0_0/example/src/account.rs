//! Logs in with OAuth 2.0, which the host runs, and asks the service who that was.

use jackfield_plugin::{
    ClientAuthentication, Host, HttpRequest, Identity, Integration, OAuth2, Pipeline, Provider, Result, State,
    TokenRequest, Value, value,
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
}

pub(crate) struct Account(Options);

impl Provider for Account {
    type Options = Options;
    const ID: &'static str = "released-account";
    const NAME: &'static str = "Released account";

    fn new(options: Options) -> Self {
        Self(options)
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
        let answer: Value = value(&state, "data")?;
        let text = |path: &str| answer.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let api = host.send(HttpRequest::get(&self.0.api_url).bearer(&text("/access_token"))).await?;
        host.info(format!("the service answered {}", api.status));
        let identity = Identity::new("released", "stand-in", text("/authed_user/id"))
            .scopes(text("/scope").split(','))
            .data_if_some("nothing", None::<String>)
            .data("app", text("/app_id"));
        Ok(Integration::new(text("/team/id"))
            .name(text("/team/name"))
            .metadata("status", api.status)
            .metadata_if_some("bot", Some(text("/bot_user_id")))
            .identity(identity))
    }
}
