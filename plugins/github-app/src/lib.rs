//! GitHub App: the person installs the app on an account, logs in so that GitHub says who they are,
//! and the integration is the installation. They must be that account, or own that organization.
//! <https://docs.github.com/en/apps/creating-github-apps/setting-up-a-github-app/about-the-setup-url>

mod access;
mod github_api;
mod jwt;

use access::CheckAccess;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use github_api::{error_of, send, send_for_json};
use jackfield_plugin::{
    Answer, Api, Error, Grant, Host, HttpRequest, HttpResponse, Integration, OAuth2, Pipeline, Provider, Refreshed,
    Result, RevokeRequest, Revoked, State, Step, Value, View, export_providers, value,
};
use serde::Deserialize;
use subtle::ConstantTimeEq;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct GitHubApp {
    app_id: String,
    app_slug: String,
    client_id: String,
    client_secret: String,
    private_key: Option<jwt::PrivateKey>,
    /// Address of a GitHub Enterprise Server.
    web_url: Option<String>,
    /// Address of its API, if it is not below `web_url`.
    api_url: Option<String>,
}

impl GitHubApp {
    fn web(&self) -> &str {
        self.web_url.as_deref().unwrap_or("https://github.com").trim_end_matches('/')
    }

    fn api_base(&self) -> String {
        let enterprise = || self.web_url.as_ref().map(|_| format!("{}/api/v3", self.web()));
        let api = self.api_url.clone().or_else(enterprise).unwrap_or_else(|| "https://api.github.com".to_owned());
        api.trim_end_matches('/').to_owned()
    }

    fn jwt(&self, host: &Host) -> Result<String> {
        let key = self.private_key.as_ref().ok_or_else(|| Error::new("private-key is not set"))?;
        key.sign(&self.app_id, host.unix_time())
    }

    fn installation_url(&self, id: u64) -> String {
        format!("{}/app/installations/{id}", self.api_base())
    }

    /// Asks for a new token of an installation.
    fn token_request(&self, id: u64) -> HttpRequest {
        HttpRequest::post(format!("{}/access_tokens", self.installation_url(id)))
    }

    /// A new token of an installation, with its permissions.
    async fn access_token(&self, id: u64, host: &Host) -> Result<Value> {
        send_for_json(host, self.token_request(id), &self.jwt(host)?).await
    }
}

impl Provider for GitHubApp {
    type Options = Self;
    const ID: &'static str = "github-app";
    const NAME: &'static str = "GitHub";

    fn new(options: Self) -> Self {
        options
    }

    fn is_configured(&self) -> bool {
        !self.app_id.is_empty() && !self.app_slug.is_empty() && self.private_key.is_some()
    }

    fn icon(&self) -> Option<&'static str> {
        Some(include_str!("icon.svg"))
    }

    fn hosts(&self) -> Vec<String> {
        // The page that installs the app, and the API. Hosts of options are declared already.
        let web = self.web_url.is_none().then(|| "github.com".to_owned());
        let api = (self.web_url.is_none() && self.api_url.is_none()).then(|| "api.github.com".to_owned());
        web.into_iter().chain(api).collect()
    }

    fn api(&self) -> Option<Api> {
        let api = Api::new(self.api_base());
        Some(api.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28"))
    }

    fn pipeline(&self) -> Pipeline {
        let web = self.web();
        let oauth2 = OAuth2::new(format!("{web}/login/oauth/authorize"), format!("{web}/login/oauth/access_token"));
        Pipeline::new()
            .view("installation", Install(format!("{web}/apps/{}/installations/new", self.app_slug)))
            .oauth2(oauth2.client(&self.client_id, self.client_secret.as_str()))
            .view("access", CheckAccess { api: self.api_base() })
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        let id: u64 = value(&state, "installation_id")?;
        let request = HttpRequest::get(self.installation_url(id));
        let account = send_for_json(&host, request, &self.jwt(&host)?).await?["account"].take();
        let mut access_token = self.access_token(id, &host).await?;
        let mut integration = Integration::new(id.to_string()).grant(grant(&access_token)?);
        integration.name = account["login"].as_str().map(str::to_owned);
        Ok(integration
            .metadata("installation_id", id)
            .metadata("permissions", access_token["permissions"].take())
            .metadata("account_id", account["id"].clone())
            .metadata("account_type", account["type"].clone()))
    }

    /// An installation has no refresh token. The app requests the next token with its own key.
    async fn refresh(&self, _: Grant, metadata: State, host: Host) -> Result<Refreshed> {
        let id: u64 = value(&metadata, "installation_id")?;
        let request = self.token_request(id);
        let description = format!("{request:?}");
        let response = send(&host, request, &self.jwt(&host)?).await?;
        match end_of_installation(&response) {
            Some(why) => Ok(Refreshed::refused(why)),
            None if response.is_success() => Ok(Refreshed::granted(grant(&response.json()?)?)),
            None => Err(error_of(&response, &description)),
        }
    }

    /// Uninstalls the app, which ends the tokens of the installation:
    /// <https://docs.github.com/en/rest/apps/apps#delete-an-installation-for-the-authenticated-app>.
    /// If the installation stays, its tokens expire within an hour.
    async fn revoke(&self, request: RevokeRequest, host: Host) -> Result<Revoked> {
        if !request.is_uninstall {
            return Ok(Revoked::Default);
        }
        // The external id is there even if the host can no longer decrypt the metadata.
        let id: u64 = match request.external_id.parse() {
            Ok(id) => id,
            Err(_) => value(&request.metadata, "installation_id")?,
        };
        let delete = HttpRequest::new("DELETE", self.installation_url(id));
        match send(&host, delete, &self.jwt(&host)?).await?.status {
            204 => Ok(Revoked::done("the app is uninstalled")),
            404 => Ok(Revoked::done("the app was uninstalled already")),
            status => Err(Error::new(format!("GitHub answered {status} to the end of installation {id}"))),
        }
    }
}

/// Why there will be no further token of an installation, if GitHub says that it is gone or
/// suspended:
/// <https://docs.github.com/en/apps/maintaining-github-apps/suspending-a-github-app-installation>.
///
/// 404 also says that there is no app of that id, which is for the operator to mend, and 403 that
/// there were too many requests.
fn end_of_installation(response: &HttpResponse) -> Option<&'static str> {
    let answer: Value = response.json().unwrap_or_default();
    let message = answer["message"].as_str().unwrap_or_default().to_ascii_lowercase();
    match response.status {
        404 if !message.contains("integration not found") => Some("the app is not installed any more"),
        403 if message.contains("suspended") => Some("the installation is suspended at GitHub"),
        _ => None,
    }
}

/// Name of the grant of an installation.
const GRANT: &str = "installation";

/// An installation access token lives an hour:
/// <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app>
fn grant(access_token: &Value) -> Result<Grant> {
    let token = access_token["token"].as_str().ok_or_else(|| Error::new("GitHub's answer has no token"))?;
    Ok(Grant::new(GRANT, token).expires_in(3600))
}

/// Sends the person to the page that installs the app, and reads the redirect back.
struct Install(String);

impl View for Install {
    async fn dispatch(&self, mut step: Step) -> Result<Answer> {
        let Some(action) = step.query("setup_action").map(str::to_owned) else {
            let state = random_state()?;
            step.bind("installation_state", state.as_str());
            return Ok(Answer::redirect(format!("{}?state={state}", self.0)));
        };
        // The state works once: an error ends the setup, and the next step does not lead back here.
        let expected: String = step.value("installation_state").unwrap_or_default();
        let state = step.query("state").unwrap_or_default();
        if expected.is_empty() || !bool::from(expected.as_bytes().ct_eq(state.as_bytes())) {
            return Ok(Answer::error("this installation was begun elsewhere: begin again here"));
        }
        let id = step.query("installation_id").and_then(|id| id.parse::<u64>().ok());
        Ok(match (action.as_str(), id) {
            ("install" | "update", Some(id)) => {
                step.bind("installation_id", id);
                Answer::Next
            }
            ("request", _) => Answer::error("an owner must approve the app first: begin again once they have"),
            _ => Answer::error("GitHub did not say what was installed: begin again"),
        })
    }
}

fn random_state() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

export_providers!(GitHubApp);

#[cfg(test)]
mod tests;
