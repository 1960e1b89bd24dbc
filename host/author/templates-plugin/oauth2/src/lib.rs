//! Acme Inc for Jackfield: a login by OAuth 2.0, then a look at the account.

use jackfield_plugin::{
    Api, Error, Host, HttpRequest, Integration, OAuth2, Pipeline, Provider, Result, State,
    export_providers, value,
};
use serde::Deserialize;

/// The provider, with the operator's options.
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

// The operator registers a client. The endpoints rarely change.
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

    // The hosts of the OAuth 2.0 endpoints and of URLs in the operator's options need not be here.
    fn hosts(&self) -> Vec<String> {
        vec!["api.example.com".to_owned()]
    }

    // Programs call the API through the host, which adds the token.
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
        let TokenResponse { access_token } = value(&state, "data")?;
        let request = HttpRequest::get(format!("{}/me", self.0.api_url)).bearer_auth(&access_token);
        let response = host.send(request).await?;
        if !response.is_success() {
            let message = format!("the API answered {}", response.status);
            return Err(Error::new(message));
        }
        let Account { id, name } = response.json()?;
        // The tokens of the login are its one grant, `access`. The host keeps it fresh.
        Ok(Integration::new(id).name(name))
    }
}

/// The part of the token response that is of use.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
}

/// The API's answer for a token.
#[derive(Deserialize)]
struct Account {
    id: String,
    name: String,
}

export_providers!(Acme);
