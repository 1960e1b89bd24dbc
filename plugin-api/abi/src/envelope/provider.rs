//! What a provider says of itself.

use serde::{Deserialize, Serialize};

use super::{Api, OAuth2, State};

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
    /// Where the service's own API is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// Whether its service tells it what happens to its integrations, at its events URL.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub takes_events: bool,
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
