//! Slack: adds an app to a workspace or an organization.
//!
//! Two dialects: `v2`, what Slack runs today (<https://docs.slack.dev/reference/methods/oauth.v2.access>), and `v1`, kept for compatible
//! servers of the first kind.

mod v1;
mod v2;

use jackfield_plugin::{Error, Host, Integration, OAuth2, Pipeline, Provider, Result, State, export_providers, value};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Options {
    client_id: String,
    client_secret: String,
    // Accepted so that a configuration is whole; used once the requests that Slack sends are served.
    signing_secret: String,
    verification_token: String,
    api: Api,
    authorize_url: Option<String>,
    token_url: Option<String>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Api {
    V1,
    #[default]
    V2,
}

struct Slack(Options);

impl Provider for Slack {
    type Options = Options;
    const ID: &'static str = "slack";
    const NAME: &'static str = "Slack";

    fn new(options: Options) -> Self {
        Self(options)
    }

    fn icon(&self) -> Option<&'static str> {
        Some(include_str!("icon.svg"))
    }

    fn pipeline(&self) -> Pipeline {
        let Options { client_id, client_secret, authorize_url, token_url, .. } = &self.0;
        let mut oauth2 = match self.0.api {
            Api::V1 => v1::oauth2(),
            Api::V2 => v2::oauth2(),
        };
        oauth2.authorize_url = authorize_url.clone().unwrap_or(oauth2.authorize_url);
        oauth2.token_url = token_url.clone().unwrap_or(oauth2.token_url);
        Pipeline::new().oauth2(oauth2.client(client_id, client_secret.as_str()))
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        match self.0.api {
            Api::V1 => v1::integration(&accepted(&state)?),
            Api::V2 => v2::integration(&accepted(&state)?),
        }
    }
}

/// The token answer, if Slack says that it is one: a failure comes with status 200 and `ok` false.
fn accepted<T: serde::de::DeserializeOwned>(state: &State) -> Result<T> {
    #[derive(Deserialize)]
    struct Verdict {
        ok: bool,
        error: Option<String>,
    }
    let Verdict { ok, error } = value(state, "data")?;
    if ok { value(state, "data") } else { Err(Error::new(format!("Slack answered: {}", error.unwrap_or_default()))) }
}

/// A comma list of scopes, sorted.
fn scopes(list: &str) -> Vec<String> {
    let mut scopes: Vec<String> = list.split(',').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    scopes.sort();
    scopes
}

/// Without PKCE: servers of the first kind, and older compatible ones, refuse parameters they do not know.
fn endpoints(authorize_path: &str, token_method: &str) -> OAuth2 {
    OAuth2::new(format!("https://slack.com/{authorize_path}"), format!("https://slack.com/api/{token_method}"))
        .without_pkce()
}

export_providers!(Slack);

#[cfg(test)]
mod tests;
