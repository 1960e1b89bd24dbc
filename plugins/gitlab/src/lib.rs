//! GitLab: an account at gitlab.com, or at an instance that the person names:
//! <https://docs.gitlab.com/integration/oauth_provider/>.

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
    /// Whether to request the scope `api` too.
    api: bool,
}

/// The instance that the operator's client is registered at.
const DEFAULT: &str = "https://gitlab.com";

/// The redirect URI depends on the address, so the form cannot say it before there is one.
const CLIENT_HELP: &str = "For a GitLab of your own. Leave it empty to read what to register there.";

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
        let options = self.clone();
        let scopes = ["read_user"].into_iter().chain(self.api.then_some("api"));
        Pipeline::new().view("instance", move |step| ask_instance(step, options.clone())).oauth2_with(move |state| {
            let instance: String = value(state, "instance")?;
            // The step asks for the redirect URI before there is a client.
            let (client_id, client_secret): (String, String) = value(state, "client").unwrap_or_default();
            let oauth2 = OAuth2::new(format!("{instance}/oauth/authorize"), format!("{instance}/oauth/token"))
                .client(client_id, client_secret)
                .scopes(scopes.clone())
                .revocation_url(format!("{instance}/oauth/revoke"))
                .single_use_refresh_tokens(true)
                // At GitLab, each access token with its refresh token is a row of its own.
                .revokes_single_tokens();
            Ok(if instance == DEFAULT { oauth2.default_server() } else { oauth2 })
        })
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        let instance: String = value(&state, "instance")?;
        let token_response: Value = value(&state, "data")?;
        let token = token_response["access_token"].as_str().ok_or_else(|| Error::new("GitLab gave no access token"))?;
        let response = host.send(HttpRequest::get(format!("{instance}/api/v4/user")).bearer_auth(token)).await?;
        let user: Value = response.json()?;
        let (Some(id), Some(username)) = (user["id"].as_u64(), user["username"].as_str()) else {
            return Err(Error::new(format!("GitLab answered {} and no user", response.status)));
        };
        let name = instance.split_once("://").map_or(&*instance, |(_, name)| name);
        Ok(Integration::new(format!("{name}:{id}"))
            .name(format!("{username} ({name})"))
            .api_url(format!("{instance}/api/v4/"))
            .metadata("instance", &*instance)
            .metadata("access_token", token)
            .metadata_if_some("client", state.get("client").filter(|_| instance != DEFAULT).cloned())
            .identity(Identity::new("gitlab", name, id.to_string()).data("username", username)))
    }
}

async fn ask_instance(mut step: Step, options: GitLab) -> Result<Answer> {
    let field = |name: &str| step.form(name).unwrap_or_default().trim().to_owned();
    let (url, id, secret) = (field("url"), field("client-id"), field("client-secret"));
    let form = Form::new("Your GitLab")
        .field(Field::text("url", "URL").help("Leave it for gitlab.com."))
        .field(Field::text("client-id", "Application ID").optional().help(CLIENT_HELP))
        .field(Field::new(FieldType::Password, "client-secret", "Secret").optional())
        .value("url", &*url)
        .value("client-id", &*id);
    if step.form("url").is_none() {
        return Ok(Answer::form(form.value("url", DEFAULT)));
    }
    let Some(instance) = normalized(&url) else {
        return Ok(Answer::form(form.error("url", "Write it like https://git.example.com")));
    };
    step.bind("instance", &*instance);
    // The operator's secret must reach no other instance.
    let is_operators = instance == DEFAULT && id.is_empty();
    let client = if is_operators { [options.client_id, options.client_secret] } else { [id, secret] };
    if client.contains(&String::new()) {
        let message = format!("For your own GitLab, create an application with the redirect URI {}", step.setup_url());
        return Ok(Answer::form(form.error("client-id", message)));
    }
    step.reach(&instance);
    step.bind("client", client.to_vec());
    Ok(Answer::Next)
}

/// The address with scheme and host in lower case, so that one instance has one address. It keeps
/// the path, since a GitLab may be below one. `None` if it is no such address.
fn normalized(url: &str) -> Option<String> {
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
