//! Acme Inc for Jackfield: a log-in by OAuth 2.0, then a look at whose account it is.

use jackfield_plugin::{
    Api, Error, Host, HttpRequest, Integration, OAuth2, Pipeline, Provider, Result, State,
    export_providers, value,
};
use serde::Deserialize;

/// The provider, made from the operator's options.
pub struct Acme(Options);

/// The operator's table `[acme]`.
#[derive(Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Options {
    client_id: String,
    client_secret: String,
    authorize_url: String,
    token_url: String,
    api_url: String,
}

// Endpoints that do not change are defaults; a client is the operator's to register.
impl Default for Options {
    fn default() -> Self {
        Self {
            client_id: String::new(),
            client_secret: String::new(),
            authorize_url: "https://login.example.com/oauth/authorize".to_owned(),
            token_url: "https://login.example.com/oauth/token".to_owned(),
            api_url: "https://api.example.com".to_owned(),
        }
    }
}

impl Provider for Acme {
    type Options = Options;
    const ID: &'static str = "acme";
    const NAME: &'static str = "Acme Inc";

    fn new(options: Options) -> Self {
        Self(options)
    }

    fn icon(&self) -> Option<&'static str> {
        Some(include_str!("icon.svg"))
    }

    // The endpoints of OAuth 2.0, and URLs of the operator's own, need not be named here.
    fn hosts(&self) -> Vec<String> {
        vec!["api.example.com".to_owned()]
    }

    // Programs call it through the host, which adds the token.
    fn api(&self) -> Option<Api> {
        Some(Api::new(&self.0.api_url))
    }

    fn pipeline(&self) -> Pipeline {
        let Options {
            client_id,
            client_secret,
            ..
        } = &self.0;
        let oauth2 = OAuth2::new(&self.0.authorize_url, &self.0.token_url)
            .client(client_id, client_secret.as_str())
            .scopes(["read"]);
        Pipeline::new().oauth2(oauth2)
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        let Token { access_token } = value(&state, "data")?;
        let request = HttpRequest::get(format!("{}/me", self.0.api_url)).bearer_auth(&access_token);
        let answer = host.send(request).await?;
        if !answer.is_success() {
            return Err(Error::new(format!("the API answered {}", answer.status)));
        }
        let Account { id, name } = answer.json()?;
        // The tokens of the log-in are its one grant, `access`, which the host keeps fresh.
        Ok(Integration::new(id).name(name))
    }
}

/// What the token endpoint answers, as far as it is of use.
#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// What the API says of a token.
#[derive(Deserialize)]
struct Account {
    id: String,
    name: String,
}

export_providers!(Acme);
