//! GitLab: an account at gitlab.com, or at an instance that the person names (<https://docs.gitlab.com/integration/oauth_provider/>).

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
    api: bool, // Whether to ask for the scope `api` too.
}

const DEFAULT: &str = "https://gitlab.com"; // Where the operator's own client is registered.

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

    fn allows_user_supplied_hosts(&self) -> bool {
        true
    }

    fn pipeline(&self) -> Pipeline {
        let (options, scopes) = (self.clone(), ["read_user"].into_iter().chain(self.api.then_some("api")));
        Pipeline::new().view("instance", move |step| ask(step, options.clone())).oauth2_with(move |state| {
            let (instance, client): (String, (String, String)) = (value(state, "instance")?, value(state, "client")?);
            let oauth2 = OAuth2::new(format!("{instance}/oauth/authorize"), format!("{instance}/oauth/token"));
            let oauth2 = oauth2.revocation_url(format!("{instance}/oauth/revoke")).single_use_refresh_tokens(true);
            let oauth2 = oauth2.revokes_single_tokens(); // Each token is a row of its own there, with its refresh token.
            Ok(oauth2.client(client.0, client.1).scopes(scopes.clone()))
        })
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        let (instance, token): (String, Value) = (value(&state, "instance")?, value(&state, "data")?);
        let bearer = token["access_token"].as_str().ok_or_else(|| Error::new("GitLab gave no access token"))?;
        let answer = host.send(HttpRequest::get(format!("{instance}/api/v4/user")).bearer_auth(bearer)).await?;
        let user: Value = answer.json()?;
        let (Some(id), Some(login)) = (user["id"].as_u64(), user["username"].as_str()) else {
            return Err(Error::new(format!("GitLab answered {} and no user", answer.status)));
        };
        let name = instance.split_once("://").map_or(&*instance, |(_, name)| name);
        Ok(Integration::new(format!("{name}:{id}"))
            .name(format!("{login} ({name})"))
            .api_url(format!("{instance}/api/v4/"))
            .metadata("instance", &*instance)
            .metadata("access_token", bearer)
            .metadata_if_some("client", state.get("client").filter(|_| instance != DEFAULT).cloned())
            .identity(Identity::new("gitlab", name, id.to_string()).data("username", login)))
    }
}

async fn ask(mut step: Step, options: GitLab) -> Result<Answer> {
    let given = |name: &str| step.form(name).unwrap_or_default().trim().to_owned();
    let (url, id, secret) = (given("url"), given("client-id"), given("client-secret"));
    let form = Form::new("Which GitLab?").value("url", &*url).value("client-id", &*id);
    let form = form.field(Field::text("url", "Address")).field(Field::text("client-id", "Application ID").optional());
    let form = form.field(Field::new(FieldType::Password, "client-secret", "Its secret").optional());
    if step.form("url").is_none() {
        return Ok(Answer::form(form.value("url", DEFAULT)));
    }
    let Some(instance) = instance(&url) else {
        return Ok(Answer::form(form.error("url", "Write it like https://git.example.com")));
    };
    let is_operators = instance == DEFAULT && id.is_empty();
    let client = if is_operators { [options.client_id, options.client_secret] } else { [id, secret] };
    if client.contains(&String::new()) {
        let message = format!("Register an application there that leads back to {}", step.setup_url());
        return Ok(Answer::form(form.error("client-id", message)));
    }
    step.bind("instance", instance);
    step.bind("client", client.to_vec());
    Ok(Answer::Next)
}

/// Scheme and host in lower case, so that one instance is always the same; a path is kept as it is, where GitLab runs below one.
fn instance(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim_end_matches('/').split_once("://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let url = format!("{}://{}{path}", scheme.to_lowercase(), host.to_lowercase());
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let is_plain = rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/[]".contains(c));
    (is_plain && rest.starts_with(|c: char| c != '/')).then_some(url)
}

export_providers!(GitLab);

#[cfg(test)]
mod tests;
