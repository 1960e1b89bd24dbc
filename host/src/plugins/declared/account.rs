//! From the token answer, and the account's, to an integration.

use jackfield_plugin_abi::envelope::{
    Fault, FaultKind, HttpRequest, HttpResponse, Identity, Integration, LogLevel, LogLine, State, Turn,
};
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use super::{
    declaration::{ACCESS_TOKEN, AccountRequest, Declaration},
    json_path::JsonPath,
    placeholder,
};

/// A turn with what is to be logged beside it.
pub(super) type Turned = (Turn, Vec<LogLine>);

/// A set-up that has its token.
pub(super) struct Begun {
    answer: Value,
    access_token: String,
    metadata: State,
    scopes: Vec<String>,
}

impl Begun {
    /// Takes the token out of what the host's OAuth 2.0 steps have bound.
    pub(super) fn new(declaration: &Declaration, state: &State, now: OffsetDateTime) -> Result<Self, Fault> {
        let answer = state.get("data").cloned().unwrap_or_default();
        let token = match &declaration.token_path {
            Some(path) => {
                path.find(&answer).ok_or_else(|| nothing_at("the token answer", path, "token-path", &answer))?
            }
            None => &answer,
        };
        let access_token = JsonPath::new("access_token")
            .find_text(token)
            .ok_or_else(|| failed(format!("the token answer has no access_token; there is: {}", keys(token))))?;
        let scopes = granted(token, declaration);
        let metadata = metadata(token, &access_token, &scopes, now);
        Ok(Self { access_token, metadata, scopes, answer })
    }

    /// The request for the account, where it is not in the token answer.
    pub(super) fn request(&self, declaration: &Declaration) -> Option<HttpRequest> {
        let AccountRequest { method, url, headers, body } = declaration.account.request.as_ref()?;
        let mut request = HttpRequest::new(method, url);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
            request = request.header("accept", "application/json");
        }
        let names_token = |(_, value): &(String, String)| placeholder::words(value).any(|word| word == ACCESS_TOKEN);
        if !headers.iter().any(names_token) {
            request = request.bearer(&self.access_token);
        }
        for (name, value) in headers {
            request = request.header(name, placeholder::filled(value, ACCESS_TOKEN, &self.access_token));
        }
        Some(match body {
            Some(body) => request.header("content-type", "application/json").body(body.as_str()),
            None => request,
        })
    }

    /// Makes the integration.
    pub(super) fn finish(self, declaration: &Declaration, response: Option<&HttpResponse>) -> Result<Turned, Fault> {
        let (whose, answer) = match response {
            Some(response) => ("the account's answer", account_answer(response)?),
            None => ("the token answer", self.answer),
        };
        let at = |path: &JsonPath, key| path.find_text(&answer).ok_or_else(|| nothing_at(whose, path, key, &answer));
        let account = &declaration.account;
        let mut integration = Integration::new(at(&account.id, "account.id")?);
        integration.metadata = self.metadata;
        integration.name = account.names.iter().find_map(|path| path.find_text(&answer));
        if let Some(identity) = &declaration.identity {
            let id = at(&identity.id, "identity.id")?;
            let identity = Identity::new(&declaration.id, &identity.instance, id).scopes(self.scopes);
            integration = integration.identity(identity);
        }
        let log = unnamed(whose, declaration, &integration, &answer);
        Ok((Turn::Built { integration }, log))
    }
}

fn account_answer(response: &HttpResponse) -> Result<Value, Fault> {
    if !response.is_success() {
        return Err(failed(format!("the account's URL answered status {}", response.status)));
    }
    response.json().map_err(|_| failed("the account's answer is not JSON".to_owned()))
}

/// What is stored, sealed at rest: the token with what refreshes it, when it ends and what it may do.
fn metadata(token: &Value, access_token: &str, scopes: &[String], now: OffsetDateTime) -> State {
    let mut metadata = Map::new();
    metadata.insert("access_token".to_owned(), access_token.into());
    if let Some(refresh) = JsonPath::new("refresh_token").find_text(token) {
        metadata.insert("refresh_token".to_owned(), refresh.into());
    }
    if let Some(end) = expiry(token, now) {
        metadata.insert("expires_at".to_owned(), end.unix_timestamp().into());
    }
    metadata.insert("scopes".to_owned(), scopes.into());
    metadata
}

/// RFC 6749 section 5.1: `expires_in` counts seconds from the answer. Some send it as text. Zero means at once, or never; it is not kept.
fn expiry(token: &Value, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let seconds: i64 = JsonPath::new("expires_in").find_text(token)?.parse().ok()?;
    if seconds > 0 { now.checked_add(Duration::seconds(seconds)) } else { None }
}

/// The granted scopes, sorted; those that were asked for when the answer names none (RFC 6749 section 5.1). Providers separate them by a
/// space, a comma, or in a list, and one of them calls them `scopes`.
fn granted(token: &Value, declaration: &Declaration) -> Vec<String> {
    let mut scopes: Vec<String> = match token.get("scope").or_else(|| token.get("scopes")) {
        Some(Value::String(text)) => {
            text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Some(Value::Array(list)) => list.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect(),
        _ => declaration.oauth2.scopes.clone(),
    };
    scopes.sort();
    scopes
}

fn unnamed(whose: &str, declaration: &Declaration, integration: &Integration, answer: &Value) -> Vec<LogLine> {
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

/// The top of an answer without its values, which may be secrets.
fn keys(answer: &Value) -> String {
    match answer {
        Value::Object(object) if object.is_empty() => "an empty object".to_owned(),
        Value::Object(object) => object.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Null => "nothing".to_owned(),
        _ => "a single value".to_owned(),
    }
}
