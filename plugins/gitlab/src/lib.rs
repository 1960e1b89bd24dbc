//! GitLab: connects an account at gitlab.com, or at an instance that the person runs and names, with an application that is registered
//! there (<https://docs.gitlab.com/integration/oauth_provider/>).

use jackfield_plugin::{
    Answer, Error, Field, FieldType, Form, Host, HttpRequest, Identity, Integration, OAuth2, Pipeline, Provider,
    Result, State, Step, Value, export_providers, value,
};
use serde::Deserialize;

#[derive(Clone, Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct GitLab {
    client_id: String,
    client_secret: String,
    /// Whether to ask for the scope `api` too.
    api: bool,
}

/// The instance that the operator's own client is registered at.
const DEFAULT: &str = "https://gitlab.com";

impl Provider for GitLab {
    type Options = Self;
    const ID: &'static str = "gitlab";
    const NAME: &'static str = "GitLab";

    fn new(options: Self) -> Self {
        options
    }

    fn icon(&self) -> Option<&'static str> {
        Some(include_str!("icon.svg"))
    }

    fn hosts(&self) -> Vec<String> {
        vec!["gitlab.com".to_owned()]
    }

    fn hosts_from_forms(&self) -> bool {
        true
    }

    fn pipeline(&self) -> Pipeline {
        let (asking, options) = (self.clone(), self.clone());
        Pipeline::new().view("instance", move |step| ask(step, asking.clone())).oauth2_with(move |state| {
            let instance: String = value(state, "instance")?;
            let scopes = ["read_user"].into_iter().chain(options.api.then_some("api"));
            let oauth2 = OAuth2::new(format!("{instance}/oauth/authorize"), format!("{instance}/oauth/token"));
            Ok(oauth2.client(value::<String>(state, "id")?, value::<String>(state, "secret")?).scopes(scopes))
        })
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        let (instance, token): (String, Token) = (value(&state, "instance")?, value(&state, "data")?);
        let asked = HttpRequest::get(format!("{instance}/api/v4/user")).bearer(&token.access_token);
        let answer = host.send(asked).await?;
        if answer.status != 200 {
            return Err(Error::new(format!("GitLab answered {} when asked for the user", answer.status)));
        }
        let user: User = answer.json()?;
        let name = instance.split_once("://").map_or(instance.as_str(), |(_, name)| name);
        let own = |key: &str| state.get(key).filter(|_| instance != DEFAULT).cloned();
        let identity = Identity::new("gitlab", name, user.id.to_string()).data("username", user.username.as_str());
        Ok(Integration::new(format!("{name}:{}", user.id))
            .name(format!("{} ({name})", user.username))
            .metadata("instance", instance.as_str())
            .metadata("access_token", token.access_token)
            .metadata_if_some("refresh_token", token.refresh_token)
            .metadata_if_some("expires_at", token.expires_in.map(|seconds| host.unix_time() + seconds))
            .metadata_if_some("client_id", own("id"))
            .metadata_if_some("client_secret", own("secret"))
            .identity(identity))
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    username: String,
}

async fn ask(mut step: Step, options: GitLab) -> Result<Answer> {
    let given = |name: &str| step.form(name).unwrap_or_default().trim().to_owned();
    let (url, mut id, mut secret) = (given("url"), given("client-id"), given("client-secret"));
    let form =
        Form::new("Which GitLab?").field(Field::text("url", "Address").help("https://gitlab.com, or that of your own"));
    let form = form.field(Field::text("client-id", "Application ID").optional().help("At your own instance"));
    let form = form.field(Field::new(FieldType::Password, "client-secret", "Secret").optional());
    if step.form("url").is_none() {
        return Ok(Answer::form(form.value("url", DEFAULT)));
    }
    let form = form.value("url", url.as_str()).value("client-id", id.as_str());
    let Some(instance) = instance(&url) else {
        return Ok(Answer::form(form.error("url", "Write it like https://git.example.com")));
    };
    if instance == DEFAULT && id.is_empty() {
        (id, secret) = (options.client_id, options.client_secret);
    }
    if id.is_empty() || secret.is_empty() {
        let message = format!("Register an application there that leads back to {}", step.setup_url());
        return Ok(Answer::form(form.error("client-id", message)));
    }
    for (key, text) in [("instance", instance), ("id", id), ("secret", secret)] {
        step.bind(key, Value::from(text));
    }
    Ok(Answer::Next)
}

/// The address without what is not the instance's own: a path is, where GitLab runs below one.
fn instance(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim_end_matches('/').split_once("://")?;
    let is_plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c));
    let host = rest.split('/').next().unwrap_or_default();
    let is_good = is_plain && !host.is_empty() && ["http", "https"].contains(&scheme.to_lowercase().as_str());
    is_good.then(|| format!("{}://{}{}", scheme.to_lowercase(), host.to_lowercase(), &rest[host.len()..]))
}

export_providers!(GitLab);

#[cfg(test)]
mod tests;
