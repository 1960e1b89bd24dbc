//! Questions, turns and answers of a running step.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Answer, EventResponse, Grant, HttpRequest, HttpResponse, Integration, OAuth2, Refreshed, RevokeRequest, Revoked,
    WebhookAnswer, WebhookCall,
};

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
    /// The host's time, in seconds since 1970-01-01 UTC; 0 from a host that does not tell.
    pub now: u64,
}

/// What an instance is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Question {
    /// Run a step of the pipeline; answered with [`TaskResult::Answered`].
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
    /// Build the integration from the state of a finished pipeline; answered with [`TaskResult::Built`].
    BuildIntegration {
        /// What the steps have bound.
        #[serde(default)]
        state: State,
    },
    /// Tell the authorization server of a step of the kind [`OAuth2FromState`](super::StepKind::OAuth2FromState); answered with
    /// [`TaskResult::OAuth2`].
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// Name of the step.
        #[serde(default)]
        step: String,
        /// What earlier steps have bound.
        #[serde(default)]
        state: State,
    },
    /// Judge a call to the webhook; answered with [`TaskResult::Received`].
    Webhook {
        /// What was called.
        #[serde(default)]
        call: WebhookCall,
        /// What the steps have bound, while the set-up is under way; the integration's metadata later.
        #[serde(default)]
        state: State,
    },
    /// Refresh a grant; answered with [`TaskResult::Refreshed`].
    Refresh {
        /// The grant as it is stored.
        #[serde(default)]
        grant: Box<Grant>,
        /// The integration's metadata.
        #[serde(default)]
        metadata: State,
    },
    /// Revoke what is given up; answered with [`TaskResult::Revoked`].
    Revoke {
        /// What is given up.
        #[serde(rename = "leaving", default)]
        request: RevokeRequest,
    },
    /// Judge a call to the provider's events URL, which all its integrations share; answered with [`TaskResult::EventHandled`].
    Event {
        /// What was called.
        #[serde(default)]
        call: WebhookCall,
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
    /// Absolute URL of this set-up's webhook; empty from a host that has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub webhook_url: String,
}

/// Question of the op `resume`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResumeIn {
    /// Which task goes on.
    pub task: u64,
    /// What it asked for.
    pub input: Input,
    /// The host's time by now, in seconds since 1970-01-01 UTC; 0 from a host that does not tell.
    pub now: u64,
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
    /// The token that was asked for, fresh.
    Token {
        /// The grant, without its refresh token.
        #[serde(default)]
        grant: Box<Grant>,
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
pub struct TaskOut {
    /// How far the task came.
    #[serde(rename = "turn")]
    pub result: TaskResult,
}

/// How far a task came.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TaskResult {
    /// It waits for the host to send a request; go on with `resume`.
    Wants {
        /// Names the task.
        #[serde(default)]
        task: u64,
        /// What to send.
        #[serde(default)]
        request: HttpRequest,
    },
    /// It waits for a fresh token of the integration it is asked about; go on with `resume`.
    WantsToken {
        /// Names the task.
        #[serde(default)]
        task: u64,
        /// Which grant, by its name; empty: the first.
        #[serde(default)]
        grant: String,
        /// For which identity, by its external id; empty: the integration's own, or the only one.
        #[serde(default)]
        subject: String,
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
    /// The authorization server of a step, for this set-up.
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// Its endpoints, and the client's registration there.
        #[serde(default)]
        oauth2: Box<OAuth2>,
    },
    /// A call to the webhook is judged.
    Received {
        /// What to answer.
        #[serde(default)]
        answer: WebhookAnswer,
    },
    /// A grant is refreshed, or not.
    Refreshed {
        /// What became of it.
        #[serde(default)]
        refreshed: Refreshed,
    },
    /// What was given up is revoked, or not.
    Revoked {
        /// What became of it.
        #[serde(default)]
        revoked: Revoked,
    },
    /// A call to the events URL is judged.
    #[serde(rename = "told")]
    EventHandled {
        /// What to answer, and what has happened.
        #[serde(rename = "told", default)]
        response: EventResponse,
    },
    /// A turn of a later version.
    #[default]
    #[serde(other)]
    Unknown,
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
