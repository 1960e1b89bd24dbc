//! An integration in the making: it has its tokens, and may wait for the account.

use jackfield_plugin_abi::{
    account_url::account_url_of,
    envelope::{
        Fault, FaultKind, Grant, HttpRequest, HttpResponse, Identity, Integration, LogLevel, LogLine, State, TaskResult,
    },
};
use serde_json::Value;

use super::{
    declaration::{ACCESS_TOKEN, AccountRequest, AccountSource, Declaration},
    placeholder,
};
use crate::json_path::JsonPath;

/// A result, and the lines to log with it.
pub(super) type TaskReply = (TaskResult, Vec<LogLine>);

/// An integration whose setup has its tokens.
pub(super) struct PendingIntegration {
    /// The response that has the account, unless it needs a request of its own, and what it is
    /// called.
    account: (&'static str, Value),
    grant: Grant,
}

/// The name of a declared provider's one grant.
const GRANT: &str = "access";

impl PendingIntegration {
    /// Takes the tokens out of the state after the host's OAuth 2.0 step.
    pub(super) fn new(declaration: &Declaration, state: &State) -> Result<Self, Fault> {
        let answer = state.get("data").cloned().unwrap_or_default();
        let tokens = answer
            .pointer(&declaration.oauth2.token_pointer)
            .ok_or_else(|| nothing_at("the token answer", &declaration.token_path, "token-path", &answer))?;
        let mut grant = Grant::from_token_response(GRANT, tokens)
            .ok_or_else(|| failed(format!("the token answer has no access_token; there is: {}", keys(tokens))))?;
        grant.is_of_account = declaration.is_of_account;
        if grant.scopes.is_empty() {
            grant.scopes = granted(state).unwrap_or_else(|| declaration.oauth2.scopes.clone());
        }
        grant.scopes.sort();
        let bound = |key| state.get(key).cloned().unwrap_or_default();
        let account = match &declaration.account.source {
            AccountSource::Token | AccountSource::Request(_) => ("the token answer", answer),
            AccountSource::IdToken => ("the ID token", bound("id_token_claims")),
            AccountSource::Userinfo => ("the userinfo", bound("userinfo")),
        };
        Ok(Self { account, grant })
    }

    /// The request for the account, if it needs one.
    pub(super) fn request(&self, declaration: &Declaration) -> Option<HttpRequest> {
        let AccountSource::Request(AccountRequest { method, url, headers, body }) = &declaration.account.source else {
            return None;
        };
        let mut request = HttpRequest::new(method, url);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
            request = request.header("accept", "application/json");
        }
        let names_token = |(_, value): &(String, String)| placeholder::words(value).any(|word| word == ACCESS_TOKEN);
        if !headers.iter().any(names_token) {
            request = request.bearer_auth(self.grant.access_token.expose());
        }
        for (name, value) in headers {
            request = request.header(name, placeholder::filled(value, ACCESS_TOKEN, self.grant.access_token.expose()));
        }
        Some(match body {
            Some(body) => request.header("content-type", "application/json").body(body.as_str()),
            None => request,
        })
    }

    /// Makes the integration. `response` answers the request for the account.
    pub(super) fn finish(self, declaration: &Declaration, response: Option<&HttpResponse>) -> Result<TaskReply, Fault> {
        let (whose, answer) = match response {
            Some(response) => ("the account's answer", account_answer(response)?),
            None => self.account,
        };
        let at = |path: &JsonPath, key| path.find_text(&answer).ok_or_else(|| nothing_at(whose, path, key, &answer));
        let account = &declaration.account;
        let scopes = self.grant.scopes.clone();
        let mut integration = Integration::new(at(&account.id, "account.id")?)
            .metadata("access_token", self.grant.access_token.expose())
            .metadata("scopes", scopes.clone());
        integration.name = account.names.iter().find_map(|path| path.find_text(&answer));
        if let Some(identity) = &declaration.identity {
            let id = at(&identity.id, "identity.id")?;
            let identity = Identity::new(&declaration.id, &identity.instance, id).scopes(scopes);
            integration = integration.identity(identity);
        }
        integration.api_url = api_url(declaration, &answer)?;
        let log = warn_if_unnamed(whose, declaration, &integration, &answer);
        Ok((TaskResult::Built { integration: integration.grant(self.grant) }, log))
    }
}

/// The granted scopes, as the host's OAuth 2.0 step has read them (RFC 6749 section 5.1).
fn granted(state: &State) -> Option<Vec<String>> {
    let granted = state.get("oauth2")?.get("granted_scopes")?.as_array()?;
    Some(granted.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Where the account's answer says that its own API is. That of a token answer is the host's to
/// read.
fn api_url(declaration: &Declaration, answer: &Value) -> Result<Option<String>, Fault> {
    let location = declaration.api.as_ref().and_then(|api| api.account.as_ref());
    let (Some(location), Some(path)) = (location, &declaration.account_api_path) else { return Ok(None) };
    let found = path.find_text(answer).map(|value| account_url_of(location, &value)).transpose();
    Ok(found.map_err(|error| failed(error.to_string()))?.map(String::from))
}

fn account_answer(response: &HttpResponse) -> Result<Value, Fault> {
    if !response.is_success() {
        return Err(failed(format!("the account's URL answered status {}", response.status)));
    }
    if response.body.trim_ascii().is_empty() {
        return Err(failed(format!("the account's URL answered status {} and nothing more", response.status)));
    }
    // The error says where, and quotes nothing.
    response.json().map_err(|error| failed(format!("the account's answer is not JSON: {error}")))
}

fn warn_if_unnamed(whose: &str, declaration: &Declaration, integration: &Integration, answer: &Value) -> Vec<LogLine> {
    let names = &declaration.account.names;
    if integration.name.is_some() || names.is_empty() {
        return Vec::new();
    }
    let paths: Vec<_> = names.iter().map(JsonPath::as_str).collect();
    let message = format!(
        "{whose} has nothing at `{}`, which account.name names, so the id is shown; there is: {}",
        paths.join("`, `"),
        keys(answer)
    );
    vec![LogLine { level: LogLevel::Warn, message }]
}

fn failed(message: String) -> Fault {
    Fault::new(FaultKind::Failed, message)
}

fn nothing_at(whose: &str, path: &JsonPath, key: &str, answer: &Value) -> Fault {
    failed(format!("{whose} has nothing at `{}`, which {key} names; there is: {}", path.as_str(), keys(answer)))
}

/// The keys of an answer, without its values: those may be secrets.
fn keys(answer: &Value) -> String {
    match answer {
        Value::Object(object) if object.is_empty() => "an empty object".to_owned(),
        Value::Object(object) => object.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Null => "nothing".to_owned(),
        _ => "a single value".to_owned(),
    }
}
