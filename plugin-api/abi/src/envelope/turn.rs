//! Questions, turns and answers of a running step.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Field, HttpRequest, HttpResponse};

/// Names and values in order, as in a query or a form; a name may come twice.
pub type Pairs = Vec<(String, String)>;

/// A JSON object: the values that the steps of one set-up have bound.
pub type State = serde_json::Map<String, Value>;

/// Question of the op `start`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StartIn {
    /// Which instance is asked.
    pub instance: u64,
    /// What it is asked.
    pub question: Question,
}

/// What an instance is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Question {
    /// Run a step of the pipeline; answered with [`Turn::Answered`].
    View {
        /// Name of the step.
        #[serde(default)]
        view: String,
        /// What the person's browser sent.
        #[serde(default)]
        request: Request,
        /// What earlier steps have bound.
        #[serde(default)]
        state: State,
    },
    /// Build the integration from the state of a finished pipeline; answered with [`Turn::Built`].
    BuildIntegration {
        /// What the steps have bound.
        #[serde(default)]
        state: State,
    },
    /// A question of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What the person's browser sent to a step. `Debug` shows no values: a query may hold a code, a form a password.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Query parameters.
    pub query: Pairs,
    /// Fields of the posted form.
    pub form: Pairs,
    /// Absolute URL of this set-up, the one a provider's pages must lead back to.
    pub setup_url: String,
}

/// Question of the op `resume`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResumeIn {
    /// Which task goes on.
    pub task: u64,
    /// What it asked for.
    pub input: Input,
}

/// What the host hands to a task that asked for something.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Input {
    /// The request was sent and answered.
    Response {
        /// The answer.
        #[serde(default)]
        response: HttpResponse,
    },
    /// The request was refused or failed.
    Failed {
        /// Why, without secrets.
        #[serde(default)]
        message: String,
    },
    /// An input of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Question of the op `drop`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DropIn {
    /// Forget this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<u64>,
    /// Forget this instance and its tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<u64>,
}

/// Answer of the ops `start` and `resume`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TurnOut {
    /// How far the task came.
    pub turn: Turn,
}

/// How far a task came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Turn {
    /// It waits for the host to send a request; go on with `resume`.
    Wants {
        /// Names the task.
        #[serde(default)]
        task: u64,
        /// What to send.
        #[serde(default)]
        request: HttpRequest,
    },
    /// A step is done.
    Answered {
        /// What becomes of the pipeline.
        #[serde(default)]
        answer: Answer,
        /// The state after the step.
        #[serde(default)]
        state: State,
    },
    /// An integration is built.
    Built {
        /// What to store.
        #[serde(default)]
        integration: Integration,
    },
    /// A turn of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What a step answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Answer {
    /// Show HTML of the plugin's own, framed by the host's layout; it can run no script.
    Html {
        /// A fragment for the page's body.
        #[serde(default)]
        html: String,
    },
    /// Show a form that the host draws.
    Form {
        /// The form.
        #[serde(default)]
        form: Form,
    },
    /// Send the person's browser elsewhere.
    Redirect {
        /// Absolute URL.
        #[serde(default)]
        url: String,
    },
    /// Go on: the next step runs at once, in the same request.
    Next,
    /// End the pipeline with a message for the person.
    Error {
        /// Shown as text.
        #[serde(default)]
        message: String,
    },
    /// An answer of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A form as data: the host draws it in its own look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Form {
    /// Heading.
    pub title: String,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Values to show, by field name; passwords are never shown again.
    pub values: BTreeMap<String, String>,
    /// Messages to show, by field name.
    pub errors: BTreeMap<String, String>,
    /// Text of the button; "Continue" when empty.
    pub submit: String,
}

/// What a finished pipeline becomes. `Debug` shows no metadata: it holds tokens.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Integration {
    /// The account's id at the provider; unique by (provider, external id).
    pub external_id: String,
    /// What people read; the external id when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the provider needs later, tokens included; sealed at rest.
    pub metadata: State,
    /// Whose account set it up, where the provider tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

/// One account at an identity provider. `Debug` shows no data: it holds tokens.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Identity {
    /// Type of the identity provider: `slack`.
    #[serde(rename = "type")]
    pub identity_type: String,
    /// Instance of the identity provider: `slack.com`.
    pub instance: String,
    /// The account's id there.
    pub external_id: String,
    /// Scopes that were granted.
    pub scopes: Vec<String>,
    /// What belongs to the account, tokens included; sealed at rest.
    pub data: State,
}

impl Answer {
    /// Shows HTML of the plugin's own: a fragment for the page's body. It can run no script; escape what others have written.
    pub fn html(html: impl Into<String>) -> Self {
        Self::Html { html: html.into() }
    }

    /// Shows a form that the host draws.
    #[must_use]
    pub const fn form(form: Form) -> Self {
        Self::Form { form }
    }

    /// Sends the person's browser to an absolute URL.
    pub fn redirect(url: impl Into<String>) -> Self {
        Self::Redirect { url: url.into() }
    }

    /// Ends the pipeline with a message that the person reads.
    pub fn error(message: impl Into<String>) -> Self {
        Self::Error { message: message.into() }
    }
}

impl Request {
    /// A request without query and form.
    pub fn new(method: impl Into<String>, setup_url: impl Into<String>) -> Self {
        Self { method: method.into(), setup_url: setup_url.into(), ..Self::default() }
    }

    /// First query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// First posted form field of that name.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<&str> {
        first(&self.form, name)
    }
}

fn first<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

impl Integration {
    /// An integration without name, metadata and identity.
    pub fn new(external_id: impl Into<String>) -> Self {
        Self { external_id: external_id.into(), ..Self::default() }
    }

    /// Sets the name people read.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Puts a value into the metadata.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Sets whose account set it up.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }
}

impl Identity {
    /// An account without scopes and data.
    pub fn new(identity_type: impl Into<String>, instance: impl Into<String>, external_id: impl Into<String>) -> Self {
        Self {
            identity_type: identity_type.into(),
            instance: instance.into(),
            external_id: external_id.into(),
            ..Self::default()
        }
    }

    /// Sets the scopes that were granted.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Puts a value into the data.
    #[must_use]
    pub fn data(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }
}

impl Form {
    /// A form without fields.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Shows a value in a field.
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// Shows a message at a field.
    #[must_use]
    pub fn error(mut self, name: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.insert(name.into(), message.into());
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &Pairs| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("query", &names(&self.query))
            .field("form", &names(&self.form))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integration")
            .field("external_id", &self.external_id)
            .field("name", &self.name)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("type", &self.identity_type)
            .field("instance", &self.instance)
            .field("external_id", &self.external_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
