//! The JSON that crosses the border, in both directions.
//!
//! Rules that keep old plugins loading: every field has a default, no type refuses unknown fields, every tagged enum has an `Unknown`
//! variant, and structs are `#[non_exhaustive]` with constructors so that authors' source survives a new field.
//! Snapshot tests below pin each shape.
//!
//! A conversation: `providers` lists what the library exports, `create` makes an instance of one from the operator's options,
//! `start` asks it a question and `resume` hands it what it asked the host for, until the turn is done.

mod answer;
mod api;
mod event;
mod grant;
mod http;
mod integration;
mod oauth2;
mod provider;
mod secret;
mod task;
mod webhook;

pub use answer::{Answer, Form};
pub use api::Api;
pub use event::{Event, EventKind, EventResponse, GrantName};
pub use grant::{Grant, Refreshed, RevokeRequest, Revoked};
pub use http::{HttpRequest, HttpResponse};
pub use integration::{Identity, Integration};
pub use oauth2::{ClientAuthentication, OAuth2, TokenRequest};
pub use provider::{
    Choice, CreateIn, CreateOut, Dialog, Field, FieldType, NamedProvider, ProvidersOut, Step, StepKind,
};
pub use secret::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;
pub use task::{DropIn, Input, Pairs, Question, Request, ResumeIn, StartIn, State, TaskOut, TaskResult};
pub use webhook::{WebhookAnswer, WebhookCall};

/// Names of the ops, the first argument of the frozen function.
pub mod op {
    /// `{}` → [`super::ProvidersOut`]: what the library exports.
    pub const PROVIDERS: &str = "providers";
    /// [`super::CreateIn`] → [`super::CreateOut`]: an instance of one provider with the operator's options.
    pub const CREATE: &str = "create";
    /// [`super::StartIn`] → [`super::TaskOut`]: a question to an instance.
    pub const START: &str = "start";
    /// [`super::ResumeIn`] → [`super::TaskOut`]: what a task asked the host for.
    pub const RESUME: &str = "resume";
    /// [`super::DropIn`] → `{}`: forget a task or an instance.
    pub const DROP: &str = "drop";
}

/// What every op answers: a value or a fault, and what the author logged meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply<T> {
    /// The op's own answer.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub ok: Option<T>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Lines for the host's log: a plugin's own logger never reaches it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
}

fn none<T>() -> Option<T> {
    None
}

/// Why an op has no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// What sort of fault, for the host to act upon.
    pub kind: FaultKind,
    /// For the operator's log; never shown to the person in the browser.
    pub message: String,
    /// With [`FaultKind::Options`]: each diagnostic with its key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<OptionDiagnostic>,
}

/// One option that does not fit the plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptionDiagnostic {
    /// Path of the option below the provider's table, dotted: `api`, `proxy.url`.
    pub key: String,
    /// What is wrong, in a lower-case phrase.
    pub message: String,
    /// With an unknown key: the keys there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
    /// What the operator can do; hosts have words of their own where it is empty.
    #[serde(rename = "mend", skip_serializing_if = "String::is_empty")]
    pub help: String,
}

/// What sort of [`Fault`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The author's code answered an error.
    Failed,
    /// The options do not fit.
    Options,
    /// The author's code panicked: the instance is poisoned and must be replaced.
    Panicked,
    /// The author's code awaits something that the host did not lend.
    Stalled,
    /// The plugin does not know this op: the host takes its default.
    Unsupported,
    /// The envelope could not be read, or names no such provider, instance, view or task.
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
            FaultKind::Stalled => "the plugin awaits something that the host did not lend: ",
            FaultKind::Unsupported => "the plugin does not know this question: ",
            FaultKind::Malformed => "the plugin could not read the question: ",
            FaultKind::Options => "the options do not fit: ",
            FaultKind::Failed | FaultKind::Unknown => "",
        };
        write!(f, "{kind}{}", self.message)
    }
}

/// One line an author logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLine {
    /// How loud.
    pub level: LogLevel,
    /// The text.
    pub message: String,
}

/// How loud a [`LogLine`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For somebody who debugs the plugin.
    Debug,
    /// For somebody who should act.
    Warn,
    /// For somebody who reads the log.
    #[default]
    #[serde(other)]
    Info,
}

impl<T> Reply<T> {
    /// A value.
    pub const fn ok(value: T) -> Self {
        Self { ok: Some(value), fault: None, log: Vec::new() }
    }

    /// A fault.
    pub const fn fault(fault: Fault) -> Self {
        Self { ok: None, fault: Some(fault), log: Vec::new() }
    }

    /// The value, or the fault; a reply with neither is [`FaultKind::Malformed`].
    ///
    /// # Errors
    /// The fault.
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
