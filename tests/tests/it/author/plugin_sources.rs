//! Plugins as an author may write them, and what their services answer.

/// A plugin as an author may write it.
pub(super) const PLUGIN: &str = r#"//! Acme.
use jackfield_plugin::{Host, HttpRequest, Integration, OAuth2, Pipeline, Provider, Result, State, export_providers, value};
use serde::Deserialize;

struct Acme(Options);

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Options {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

impl Provider for Acme {
    type Options = Options;
    const ID: &'static str = "acme";
    const NAME: &'static str = "Acme the First";

    fn new(options: Options) -> Self {
        Self(options)
    }

    fn hosts(&self) -> Vec<String> {
        vec!["api.acme.example".to_owned()]
    }

    fn pipeline(&self) -> Pipeline {
        let oauth2 = OAuth2::new("https://login.acme.example/authorize", "https://login.acme.example/token");
        Pipeline::new().oauth2(oauth2.client(&self.0.client_id, self.0.client_secret.as_str()).scopes(["read"]))
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        let Token { access_token } = value(&state, "data")?;
        let request = HttpRequest::get("https://api.acme.example/me?full=1").bearer_auth(&access_token);
        let account: serde_json::Value = host.send(request).await?.json()?;
        host.info(format!("it is {}", account["name"]));
        Ok(Integration::new(account["id"].as_str().unwrap_or("nobody")).metadata("token", access_token))
    }
}

export_providers!(Acme);
"#;

/// A plugin whose form leads to a page of the service, which comes back with its own parameter.
pub(super) const INSTALLED: &str = r###"//! Acme, installed.
use jackfield_plugin::{Answer, Host, Integration, NoOptions, Pipeline, Provider, Result, State, Step, export_providers, value};

struct Acme;

impl Provider for Acme {
    type Options = NoOptions;
    const ID: &'static str = "acme";
    const NAME: &'static str = "Acme";

    fn new(_: NoOptions) -> Self {
        Self
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new().view("install", install)
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        Ok(Integration::new(value::<String>(&state, "installation")?))
    }
}

async fn install(mut step: Step) -> Result<Answer> {
    if let Some(installation) = step.query("installation").map(str::to_owned) {
        step.bind("installation", installation);
        return Ok(Answer::Next);
    }
    match step.form("go") {
        Some(_) => Ok(Answer::redirect("https://acme.example/apps/install")),
        None => Ok(Answer::html(r##"<form method="POST"><button name="go" value="1">Go</button></form>"##)),
    }
}

export_providers!(Acme);
"###;

/// A plugin that has only the issuer of its service. The issuer ends in a slash, which the URLs of
/// its metadata do not have.
pub(super) const ISSUED: &str = r###"//! Acme, by its issuer.
use jackfield_plugin::{Api, Host, Integration, OAuth2, Pipeline, Provider, Result, State, export_providers, value};
use serde::Deserialize;

struct Acme(Options);

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Options {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct Person {
    sub: String,
    name: String,
}

impl Provider for Acme {
    type Options = Options;
    const ID: &'static str = "acme";
    const NAME: &'static str = "Acme";

    fn new(options: Options) -> Self {
        Self(options)
    }

    fn api(&self) -> Option<Api> {
        Some(Api::new("https://api.acme.example/"))
    }

    fn pipeline(&self) -> Pipeline {
        let oauth2 = OAuth2::discover("https://login.acme.example/t1/").userinfo();
        Pipeline::new().oauth2(oauth2.client(&self.0.client_id, self.0.client_secret.as_str()).scopes(["openid", "read"]))
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        let claims: Person = value(&state, "id_token_claims")?;
        let userinfo: Person = value(&state, "userinfo")?;
        Ok(Integration::new(claims.sub).name(format!("{} and {}", claims.name, userinfo.name)))
    }
}

export_providers!(Acme);
"###;

pub(super) const ANSWERS: &str = "[token]\naccess_token = \"t0ken\"\n\n[answers.\"https://api.acme.example/me\"]\n\
                       json = { id = \"A1\", name = \"Ada\" }\n";
