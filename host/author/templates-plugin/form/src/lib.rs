//! Acme Inc for Jackfield: asks for an API token, looks up whose it is, and keeps it.

use jackfield_plugin::{
    Answer, Api, Error, Field, FieldType, Form, Grant, Host, HttpRequest, Integration, Pipeline,
    Provider, Result, State, Step, View, export_providers, value,
};
use serde::{Deserialize, Serialize};

/// The provider, made from the operator's options.
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

    // A URL of the operator's own need not be named here.
    fn hosts(&self) -> Vec<String> {
        vec!["api.example.com".to_owned()]
    }

    // Programs call it through the host, which adds the token.
    fn api(&self) -> Option<Api> {
        Some(Api::new(&self.0.api_url))
    }

    fn pipeline(&self) -> Pipeline {
        let api_url = self.0.api_url.clone();
        Pipeline::new().view("token", AskToken { api_url })
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        let Found { account, token } = value(&state, "found")?;
        // A grant is what the host lends, and gives up in the end.
        Ok(Integration::new(account.id)
            .name(account.name)
            .grant(Grant::new("access", token)))
    }
}

/// What the API says of a token.
#[derive(Deserialize, Serialize)]
struct Account {
    id: String,
    name: String,
}

/// What the step binds.
#[derive(Deserialize, Serialize)]
struct Found {
    account: Account,
    token: String,
}

/// Asks until there is a token that the API accepts.
struct AskToken {
    api_url: String,
}

impl View for AskToken {
    async fn dispatch(&self, mut step: Step) -> Result<Answer> {
        let field = Field::new(FieldType::Password, "token", "API token");
        let form = Form::new("").field(field.help("Make one in your account's settings."));
        let Some(token) = step.form("token").map(str::to_owned) else {
            return Ok(Answer::form(form));
        };
        let request = HttpRequest::get(format!("{}/me", self.api_url)).bearer_auth(&token);
        let answer = step.send(request).await?;
        match answer.status {
            200 => {
                let account: Account = answer.json()?;
                step.bind("found", serde_json::to_value(Found { account, token })?);
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
