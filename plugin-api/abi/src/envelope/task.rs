//! Questions to a plugin, and how its tasks answer them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Answer, EventResponse, Grant, HttpRequest, HttpResponse, Integration, OAuth2, Pairs, Refreshed, RevokeRequest,
    Revoked, State, WebhookRequest, WebhookResponse,
};

/// Input of the op `start`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StartIn {
    /// The instance to ask.
    pub instance: u64,
    /// What to ask it.
    pub question: Question,
    /// The host's time, in seconds since 1970-01-01 UTC. 0 from a host that does not send it.
    pub now: u64,
}

/// A question to an instance.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Question {
    /// Run a step of the pipeline. Answered with [`TaskResult::Answered`].
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
    /// Build the integration from the state of a finished pipeline. Answered with
    /// [`TaskResult::Built`].
    BuildIntegration {
        /// What the steps have bound.
        #[serde(default)]
        state: State,
    },
    /// Describe the authorization server of a step of the kind
    /// [`OAuth2FromState`](super::StepKind::OAuth2FromState). Answered with [`TaskResult::OAuth2`].
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// Name of the step.
        #[serde(default)]
        step: String,
        /// What earlier steps have bound.
        #[serde(default)]
        state: State,
    },
    /// Handle a request to the webhook. Answered with [`TaskResult::WebhookHandled`].
    Webhook {
        /// What the service sent.
        #[serde(rename = "call", default)]
        request: WebhookRequest,
        /// What the steps have bound while the setup runs, the integration's metadata after it.
        #[serde(default)]
        state: State,
    },
    /// Refresh a grant. Answered with [`TaskResult::Refreshed`].
    Refresh {
        /// The grant as it is stored.
        #[serde(default)]
        grant: Box<Grant>,
        /// The integration's metadata.
        #[serde(default)]
        metadata: State,
    },
    /// Revoke grants. Answered with [`TaskResult::Revoked`].
    Revoke {
        /// What to revoke.
        #[serde(rename = "leaving", default)]
        request: RevokeRequest,
    },
    /// Handle a request to the events URL, which all integrations of the provider share. Answered
    /// with [`TaskResult::EventHandled`].
    Event {
        /// What the service sent.
        #[serde(rename = "call", default)]
        request: WebhookRequest,
    },
    /// A question of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What the person's browser sent to a step. `Debug` shows no values: a query may hold a code, a
/// form a password.
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
    /// Absolute URL of this setup. The service's pages must lead back to it. It is the redirect URI
    /// of OAuth 2.0, except for a server that [depends on the state](super::OAuth2::redirect_uri).
    pub setup_url: String,
    /// Absolute URL of this setup's webhook. Empty from a host that has no webhooks.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub webhook_url: String,
}

/// Input of the op `resume`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResumeIn {
    /// The task to go on with.
    pub task: u64,
    /// What the task asked for.
    pub input: Input,
    /// The host's time, in seconds since 1970-01-01 UTC. 0 from a host that does not send it.
    pub now: u64,
}

/// What the host hands to a task that asked for something.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Input {
    /// The response to the request.
    Response {
        /// The response.
        #[serde(default)]
        response: HttpResponse,
    },
    /// The token, refreshed if necessary.
    Token {
        /// The grant without its refresh token.
        #[serde(default)]
        grant: Box<Grant>,
    },
    /// The host refuses, or the request failed.
    Failed {
        /// Why. Without secrets.
        #[serde(default)]
        message: String,
    },
    /// An input of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Input of the op `drop`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DropIn {
    /// Drop this task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<u64>,
    /// Drop this instance and its tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<u64>,
}

/// Output of the ops `start` and `resume`.
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
    /// It waits for the response to a request. Send it, then `resume`.
    #[serde(rename = "wants")]
    AwaitsResponse {
        /// Id of the task.
        #[serde(default)]
        task: u64,
        /// What to send.
        #[serde(default)]
        request: HttpRequest,
    },
    /// It waits for a valid token of the integration that the question is about. Then `resume`.
    #[serde(rename = "wants-token")]
    AwaitsToken {
        /// Id of the task.
        #[serde(default)]
        task: u64,
        /// Name of the grant. Empty means the first.
        #[serde(default)]
        grant: String,
        /// External id of the identity that the grant acts for. Empty means the integration's own
        /// grant, or the only one.
        #[serde(default)]
        subject: String,
    },
    /// A step has answered.
    Answered {
        /// How the pipeline goes on.
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
    /// The authorization server of a step, for this setup.
    #[serde(rename = "oauth2")]
    OAuth2 {
        /// Its endpoints, and the client's registration there.
        #[serde(default)]
        oauth2: Box<OAuth2>,
    },
    /// A request to the webhook is handled.
    #[serde(rename = "received")]
    WebhookHandled {
        /// What to respond.
        #[serde(rename = "answer", default)]
        response: WebhookResponse,
    },
    /// A refresh is over.
    Refreshed {
        /// How it ended.
        #[serde(default)]
        refreshed: Refreshed,
    },
    /// A revocation is over.
    Revoked {
        /// How it ended.
        #[serde(default)]
        revoked: Revoked,
    },
    /// A request to the events URL is handled.
    #[serde(rename = "told")]
    EventHandled {
        /// What to respond, and what has happened.
        #[serde(rename = "told", default)]
        response: EventResponse,
    },
    /// A result of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Request {
    /// A request without query and form.
    pub fn new(method: impl Into<String>, setup_url: impl Into<String>) -> Self {
        Self { method: method.into(), setup_url: setup_url.into(), ..Self::default() }
    }

    /// The first query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// The first posted form field of that name.
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
