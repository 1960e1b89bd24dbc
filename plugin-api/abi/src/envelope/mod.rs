//! The JSON that crosses the border, in both directions.
//!
//! These rules keep old plugins loading: every field has a default, no type refuses unknown fields,
//! and every tagged enum has an `Unknown` variant. Structs are `#[non_exhaustive]` with
//! constructors, so that authors' source compiles after a new field. Snapshot tests pin each shape.
//!
//! A conversation: `providers` lists what the library exports, `create` makes an instance of one
//! provider from the operator's options, `start` asks it a question, and `resume` hands it what it
//! asked the host for, until the task is done.
//!
//! Some names here differ from those in the JSON, which is frozen: `#[serde(rename)]` has the old
//! word.

mod answer;
mod api;
mod delivery;
mod event;
mod expiry;
mod grant;
mod http;
mod inbox;
mod integration;
mod oauth2;
mod provider;
mod secret;
mod server_id;
mod task;
mod values;
mod webhook;

pub use answer::{Answer, Form};
pub use api::{AccountApi, Api};
pub use delivery::Delivery;
pub use event::{Event, EventKind, EventResponse, GrantSelector};
pub use grant::{Grant, Refreshed, RevokeRequest, Revoked};
pub use http::{HttpRequest, HttpResponse};
pub use inbox::{AccountPlace, Inbox, SecretEncoding, SignatureAlgorithm, SignatureEncoding};
pub use integration::{Identity, Integration};
pub use oauth2::{ClientAuthentication, OAuth2, TokenRequest};
pub use provider::{
    Choice, CreateIn, CreateOut, Dialog, Field, FieldType, NamedProvider, ProvidersOut, Step, StepKind,
};
pub use secret::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;
pub use task::{DropIn, Input, Question, Request, ResumeIn, StartIn, TaskOut, TaskResult};
pub use values::{Pairs, State};
pub use webhook::{WebhookAnswer, WebhookIntegration, WebhookRequest, WebhookResponse};

/// Names of the ops, the first argument of the frozen function.
pub mod op {
    /// `{}` → [`super::ProvidersOut`]: what the library exports.
    pub const PROVIDERS: &str = "providers";
    /// [`super::CreateIn`] → [`super::CreateOut`]: makes an instance of a provider.
    pub const CREATE: &str = "create";
    /// [`super::StartIn`] → [`super::TaskOut`]: asks an instance a question.
    pub const START: &str = "start";
    /// [`super::ResumeIn`] → [`super::TaskOut`]: hands a task what it asked the host for.
    pub const RESUME: &str = "resume";
    /// [`super::DropIn`] → `{}`: drops a task or an instance.
    pub const DROP: &str = "drop";
}

/// The reply of every op: a value or a fault, and what the author's code has logged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply<T> {
    /// The op's output.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub ok: Option<T>,
    /// Why there is no output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Lines for the host's log, which a plugin's own logger cannot reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// URLs whose hosts a step of the plugin wants to reach: the person has named them, and the
    /// step has judged them. They count if the provider [allows
    /// it](CreateOut::allows_user_supplied_hosts).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reach: Vec<String>,
}

fn none<T>() -> Option<T> {
    None
}

/// Why an op has no output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// What kind of fault, so that the host can act on it.
    pub kind: FaultKind,
    /// For the operator's log. The person in the browser never reads it.
    pub message: String,
    /// With [`FaultKind::Options`]: a diagnostic for each option.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<OptionDiagnostic>,
}

/// What is wrong with one option.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptionDiagnostic {
    /// Dotted path of the option in the provider's table: `api`, `proxy.url`.
    pub key: String,
    /// What is wrong, in a lower-case phrase.
    pub message: String,
    /// With an unknown key: the keys that exist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
    /// What the operator can do. If it is empty, the host says it in its own words.
    #[serde(rename = "mend", skip_serializing_if = "String::is_empty")]
    pub help: String,
}

/// The kind of a [`Fault`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The author's code returned an error.
    Failed,
    /// The options are wrong.
    Options,
    /// The author's code panicked.
    Panicked,
    /// The author's code awaits something that the host does not provide.
    Stalled,
    /// The plugin does not know this op or question. The host takes its default.
    Unsupported,
    /// The envelope cannot be read, or its provider, instance, view or task does not exist.
    Malformed,
    /// A kind of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FaultKind::Panicked => "the plugin panicked: ",
            FaultKind::Stalled => "the plugin awaits something that the host does not provide: ",
            FaultKind::Unsupported => "the plugin does not know this question: ",
            FaultKind::Malformed => "the plugin could not read the question: ",
            FaultKind::Options => "the options do not fit: ",
            FaultKind::Failed | FaultKind::Unknown => "",
        };
        write!(f, "{kind}{}", self.message)
    }
}

/// A line that the author's code logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLine {
    /// Level of the line.
    pub level: LogLevel,
    /// Text of the line.
    pub message: String,
}

/// Level of a [`LogLine`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For an author who debugs the plugin.
    Debug,
    /// For an operator who should act.
    Warn,
    /// For an operator who reads the log.
    #[default]
    #[serde(other)]
    Info,
}

impl<T> Reply<T> {
    /// A reply with a value.
    pub const fn ok(value: T) -> Self {
        Self { ok: Some(value), fault: None, log: Vec::new(), reach: Vec::new() }
    }

    /// A reply with a fault.
    pub const fn fault(fault: Fault) -> Self {
        Self { ok: None, fault: Some(fault), log: Vec::new(), reach: Vec::new() }
    }

    /// The value or the fault.
    ///
    /// # Errors
    /// The fault; [`FaultKind::Malformed`] if the reply has neither.
    pub fn into_result(self) -> Result<T, Fault> {
        match (self.ok, self.fault) {
            (Some(value), None) => Ok(value),
            (_, Some(fault)) => Err(fault),
            (None, None) => Err(Fault::new(FaultKind::Malformed, "the reply has neither a value nor a fault")),
        }
    }
}

impl Fault {
    /// A fault without option diagnostics.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), options: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
