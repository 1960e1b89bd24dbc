//! Acme Inc for Jackfield: asks for an API token and looks up its account.

use jackfield_plugin::{
    Answer, Api, Error, Field, FieldType, Form, Grant, Host, HttpRequest, Integration, Pipeline,
    Provider, Result, State, Step, View, export_providers, value,
};
use serde::{Deserialize, Serialize};

/// The provider, with the operator's options.
pub struct Acme(Options);

/// The operator's table `[acme]`.
#[derive(Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Options {
    api_url: String,
}

impl Default for Options {
    fn default() -> Self {
        let api_url = "https://api.example.com".to_owned();
        Self { api_url }
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

    // The host of a URL in the operator's options need not be here.
    fn hosts(&self) -> Vec<String> {
        vec!["api.example.com".to_owned()]
    }

    // Programs call the API through the host, which adds the token.
    fn api(&self) -> Option<Api> {
        Some(Api::new(&self.0.api_url))
    }

    fn pipeline(&self) -> Pipeline {
        let api_url = self.0.api_url.clone();
        Pipeline::new().view("token", AskToken { api_url })
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        let Connection { account, token } = value(&state, "connection")?;
        // The host gives the token of the grant to programs, and revokes it in the end.
        Ok(Integration::new(account.id)
            .name(account.name)
            .grant(Grant::new("access", token)))
    }
}

/// The API's answer for a token.
#[derive(Deserialize, Serialize)]
struct Account {
    id: String,
    name: String,
}

/// What the step binds.
#[derive(Deserialize, Serialize)]
struct Connection {
    account: Account,
    token: String,
}

/// Asks until the API accepts the token.
struct AskToken {
    api_url: String,
}

impl View for AskToken {
    async fn dispatch(&self, mut step: Step) -> Result<Answer> {
        let field = Field::new(FieldType::Password, "token", "API token");
        let form = Form::new("").field(field.help("Create one in your account's settings."));
        let Some(token) = step.form("token").map(str::to_owned) else {
            return Ok(Answer::form(form));
        };
        let request = HttpRequest::get(format!("{}/me", self.api_url)).bearer_auth(&token);
        let response = step.send(request).await?;
        match response.status {
            200 => {
                let account: Account = response.json()?;
                let connection = Connection { account, token };
                step.bind("connection", serde_json::to_value(connection)?);
                Ok(Answer::Next)
            }
            401 => Ok(Answer::form(
                form.error("token", "This token is not accepted."),
            )),
            status => Err(Error::new(format!("the API answered {status}"))),
        }
    }
}

export_providers!(Acme);
