//! What a provider says of itself.

use serde::{Deserialize, Serialize};

use super::{Pairs, Secret, State};

/// Answer of the op `providers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvidersOut {
    /// What the library exports, in the author's order.
    pub providers: Vec<NamedProvider>,
}

/// One exported provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamedProvider {
    /// Stands in URLs, in the configuration and in the database: `slack`.
    pub id: String,
    /// What people read: `Slack`.
    pub name: String,
    /// Names of the options it takes; empty when the library cannot tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// Question of the op `create`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateIn {
    /// Id of the provider.
    pub provider: String,
    /// The operator's options: the table under the provider's id, `{ env }` and `{ file }` already read.
    pub options: State,
}

/// Answer of the op `create`: an instance, described.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateOut {
    /// Names the instance in later ops.
    pub instance: u64,
    /// Whether the provider is offered to people.
    pub is_configured: bool,
    /// Options that are not set and keep it from being configured, as far as the library can tell.
    pub missing: Vec<String>,
    /// What an organization may configure of an installed integration.
    pub config: Vec<Field>,
    /// Size of the pop-up.
    pub dialog: Dialog,
    /// An SVG image, 24 × 24; hosts show a neutral one where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Hosts it needs to talk to besides those of its OAuth 2.0 endpoints and of its options: `api.example.com`, `*.example.com`, each
    /// with or without a port.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Whether a set-up may also reach the hosts of URLs that its person posts in a form.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hosts_from_forms: bool,
    /// The pipeline, in order.
    pub steps: Vec<Step>,
}

/// Size of the pop-up window, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dialog {
    /// Width in CSS pixels.
    pub width: u32,
    /// Height in CSS pixels.
    pub height: u32,
}

impl Default for Dialog {
    fn default() -> Self {
        Self { width: 600, height: 600 }
    }
}

/// One step of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Unique within the pipeline; covered by the pipeline's signature.
    pub name: String,
    /// Who runs it.
    pub kind: StepKind,
}

/// Who runs a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StepKind {
    /// The plugin: it is asked with [`super::Question::View`].
    View,
    /// The host: it becomes two steps, log-in and callback.
    #[serde(rename = "oauth2")]
    OAuth2(Box<OAuth2>),
    /// The host too, at a server that depends on what earlier steps have bound: the plugin is asked for it with
    /// [`super::Question::OAuth2`], at log-in and again at the callback.
    #[serde(rename = "oauth2-from-state")]
    OAuth2FromState,
    /// A kind of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The endpoints of an OAuth 2.0 authorization server and this client's registration there (RFC 6749).
///
/// Hand it to a pipeline and the host runs both steps, the authorization request (section 4.1.1) and the callback with the token
/// request (section 4.1.3); the token answer is bound into the state as `data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct OAuth2 {
    /// Client identifier (RFC 6749 section 2.2).
    pub client_id: String,
    /// Client secret (RFC 6749 section 2.3.1).
    pub client_secret: Secret,
    /// Authorization endpoint (RFC 6749 section 3.1).
    pub authorize_url: String,
    /// Token endpoint (RFC 6749 section 3.2).
    pub token_url: String,
    /// Scopes to ask for (RFC 6749 section 3.3).
    pub scopes: Vec<String>,
    /// What stands between scopes in the request: a space by the RFC, a comma at some providers.
    pub scope_separator: String,
    /// Further parameters of the authorization request.
    pub authorize_parameters: Pairs,
    /// Further parameters of the token request.
    pub token_parameters: Pairs,
    /// Whether the code is bound to this set-up by a proof key (RFC 7636, method S256). On for who says nothing; absent from what a plugin
    /// built before there was the field sends, whose providers keep the requests they were written for.
    #[serde(default)]
    pub pkce: bool,
    /// How the client proves itself to the token endpoint (RFC 6749 section 2.3.1).
    pub client_authentication: ClientAuthentication,
    /// What the token request's body is: a form by the RFC, JSON at some providers.
    pub token_request: TokenRequest,
    /// Revocation endpoint (RFC 7009), where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_url: Option<String>,
    /// Where the tokens stand in an answer of the token endpoint, as a JSON pointer (RFC 6901): empty for its top, `/data` for a member.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tokens_at: String,
    /// Whether a refresh token works once and each answer brings the next (RFC 9700 section 4.14.2); `None`: nobody knows, the host learns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_use_refresh_tokens: Option<bool>,
}

/// How a client proves itself to the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuthentication {
    /// `client_id` and `client_secret` in the body.
    #[default]
    Post,
    /// HTTP Basic authentication, and neither in the body.
    Basic,
    /// A way of a later version; a host that does not know it asks for no token.
    #[serde(other)]
    Unknown,
}

/// What the body of a token request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRequest {
    /// `application/x-www-form-urlencoded`, as RFC 6749 section 4.1.3 has it.
    #[default]
    Form,
    /// A JSON object with the same members.
    Json,
    /// A body of a later version; a host that does not know it asks for no token.
    #[serde(other)]
    Unknown,
}

impl Default for OAuth2 {
    fn default() -> Self {
        Self {
            client_id: String::new(),
            client_secret: Secret::default(),
            authorize_url: String::new(),
            token_url: String::new(),
            scopes: Vec::new(),
            scope_separator: " ".to_owned(),
            authorize_parameters: Pairs::new(),
            token_parameters: Pairs::new(),
            pkce: true,
            client_authentication: ClientAuthentication::Post,
            token_request: TokenRequest::Form,
            revocation_url: None,
            tokens_at: String::new(),
            single_use_refresh_tokens: None,
        }
    }
}

impl OAuth2 {
    /// Endpoints without a client: add it with [`OAuth2::client`].
    pub fn new(authorize_url: impl Into<String>, token_url: impl Into<String>) -> Self {
        Self { authorize_url: authorize_url.into(), token_url: token_url.into(), ..Self::default() }
    }

    /// Sets the client's identifier and secret.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        self.client_id = id.into();
        self.client_secret = secret.into();
        self
    }

    /// Sets the scopes to ask for.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what stands between scopes in the request, where it is not a space.
    #[must_use]
    pub fn scope_separator(mut self, separator: impl Into<String>) -> Self {
        self.scope_separator = separator.into();
        self
    }

    /// Adds a parameter to the authorization request.
    #[must_use]
    pub fn authorize_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.authorize_parameters.push((name.into(), value.into()));
        self
    }

    /// Adds a parameter to the token request.
    #[must_use]
    pub fn token_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.token_parameters.push((name.into(), value.into()));
        self
    }

    /// Sends no proof key (RFC 7636): for a provider that refuses parameters it does not know. Others ignore them (RFC 6749 section 3.1),
    /// so leave it on where you can.
    #[must_use]
    pub const fn without_pkce(mut self) -> Self {
        self.pkce = false;
        self
    }

    /// Sets how the client proves itself to the token endpoint, where it is not in the body.
    #[must_use]
    pub const fn client_authentication(mut self, way: ClientAuthentication) -> Self {
        self.client_authentication = way;
        self
    }

    /// Sets what the token request's body is, where it is not a form.
    #[must_use]
    pub const fn token_request(mut self, body: TokenRequest) -> Self {
        self.token_request = body;
        self
    }

    /// Sets where the tokens stand in an answer of the token endpoint, as a JSON pointer (RFC 6901), if not at its top.
    #[must_use]
    pub fn tokens_at(mut self, pointer: impl Into<String>) -> Self {
        self.tokens_at = pointer.into();
        self
    }

    /// Says whether a refresh token works once. Where it does, the host never sends one again whose answer was lost.
    #[must_use]
    pub const fn single_use_refresh_tokens(mut self, are_single_use: bool) -> Self {
        self.single_use_refresh_tokens = Some(are_single_use);
        self
    }

    /// Sets the revocation endpoint (RFC 7009).
    #[must_use]
    pub fn revocation_url(mut self, url: impl Into<String>) -> Self {
        self.revocation_url = Some(url.into());
        self
    }

    /// The settings that are still empty and without which no flow can start, by their usual option names.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        [
            ("client-id", self.client_id.is_empty()),
            ("client-secret", self.client_secret.is_empty()),
            ("authorize-url", self.authorize_url.is_empty()),
            ("token-url", self.token_url.is_empty()),
        ]
        .into_iter()
        .filter_map(|(name, is_missing)| is_missing.then_some(name))
        .collect()
    }
}

/// One field of a form, or of what an organization may configure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Field {
    /// Name of the form field.
    pub name: String,
    /// What people read beside it.
    pub label: String,
    /// Which control.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Whether it may stay empty.
    pub required: bool,
    /// A line of help below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// With [`FieldType::Select`]: what one can choose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

/// One choice of a [`FieldType::Select`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// What is posted.
    pub value: String,
    /// What people read.
    pub label: String,
}

/// Which control a [`Field`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// One line that is not shown.
    Password,
    /// A number.
    Number,
    /// Yes or no; posted as `on` when checked.
    Checkbox,
    /// One of [`Field::choices`].
    Select,
    /// One line of text.
    #[default]
    #[serde(other)]
    Text,
}

impl Field {
    /// A required field of one line of text.
    pub fn text(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(FieldType::Text, name, label)
    }

    /// A required field of any type.
    pub fn new(field_type: FieldType, name: impl Into<String>, label: impl Into<String>) -> Self {
        Self { name: name.into(), label: label.into(), field_type, required: true, help: None, choices: Vec::new() }
    }

    /// Lets the field stay empty.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Adds a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a choice.
    #[must_use]
    pub fn choice(mut self, value: impl Into<String>, label: impl Into<String>) -> Self {
        self.choices.push(Choice { value: value.into(), label: label.into() });
        self
    }
}
