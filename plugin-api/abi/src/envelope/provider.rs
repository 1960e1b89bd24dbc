//! How a plugin describes its providers.

use serde::{Deserialize, Serialize};

use super::{Api, Inbox, OAuth2, State};

/// Output of the op `providers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProvidersOut {
    /// The exported providers, in the author's order.
    pub providers: Vec<NamedProvider>,
}

/// One exported provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamedProvider {
    /// Used in URLs, in the configuration and in the database: `slack`.
    pub id: String,
    /// The name that people read: `Slack`.
    pub name: String,
    /// Names of its options. Empty if the library cannot list them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// Input of the op `create`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateIn {
    /// Id of the provider.
    pub provider: String,
    /// The operator's options: the table of the provider's id, with `{ env }` and `{ file }`
    /// already read.
    pub options: State,
}

/// Output of the op `create`: the description of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreateOut {
    /// Id of the instance for later ops.
    pub instance: u64,
    /// Whether the provider is offered to people.
    pub is_configured: bool,
    /// Options that it needs and that are not set, as far as the library can tell.
    pub missing: Vec<String>,
    /// Fields that an organization can configure of an installed integration.
    pub config: Vec<Field>,
    /// Size of the pop-up window.
    pub dialog: Dialog,
    /// An SVG image, 24 × 24 pixels. Hosts show a neutral one if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Hosts that it needs, besides those of its OAuth 2.0 endpoints and of its options:
    /// `api.example.com`, `*.example.com`, each with or without a port.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Whether a setup may also send requests to hosts that its person names: those that a step
    /// wants to [reach](super::Reply::reach), or else those of URLs in a form that the host draws,
    /// as far as the step binds them.
    #[serde(rename = "hosts_from_forms", skip_serializing_if = "std::ops::Not::not")]
    pub allows_user_supplied_hosts: bool,
    /// Where the service's own API is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// Whether it handles events that the service reports at its events URL.
    #[serde(rename = "takes_events", skip_serializing_if = "std::ops::Not::not")]
    pub handles_events: bool,
    /// How the host verifies the calls of its service, before the plugin sees them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbox: Option<Inbox>,
    /// The steps of the pipeline, in order.
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
    /// Unique within the pipeline. Part of the pipeline's signature.
    pub name: String,
    /// Which side runs it, and how.
    pub kind: StepKind,
}

/// Which side runs a step, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StepKind {
    /// The plugin. The host asks it with [`super::Question::View`].
    View,
    /// The host. It runs two steps, login and callback.
    #[serde(rename = "oauth2")]
    OAuth2(Box<OAuth2>),
    /// The host, at a server that depends on what earlier steps have bound. The host asks the
    /// plugin for it with [`super::Question::OAuth2`], at the login and again at the callback.
    #[serde(rename = "oauth2-from-state")]
    OAuth2FromState,
    /// A kind of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// One field of a form, or of what an organization can configure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Field {
    /// Name of the form field.
    pub name: String,
    /// The label that people read.
    pub label: String,
    /// Kind of control.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Whether it must be filled in.
    pub required: bool,
    /// A line of help below the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Choices of a [`FieldType::Select`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

/// One choice of a [`FieldType::Select`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// The value that the form posts.
    pub value: String,
    /// The label that people read.
    pub label: String,
}

/// Kind of control of a [`Field`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// One line of hidden text.
    Password,
    /// A number.
    Number,
    /// Yes or no. The form posts `on` if it is checked.
    Checkbox,
    /// One of the [`Field::choices`].
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
