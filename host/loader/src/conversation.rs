//! One question to a plugin, from `start` through as many `resume`s as it asks the host for requests.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jackfield_plugin_abi::envelope::{
    DropIn, HttpRequest, HttpResponse, Input, LogLevel, LogLine, Question, Reply, ResumeIn, StartIn, TaskOut,
    TaskResult, op,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{PluginError, lend::Lent, port::Port, redact::Redactor};
use jackfield_config::clock::Clock;
use jackfield_outbound::Outbound;

/// Bounds what one step can cost the network.
pub(super) const MOST_REQUESTS: usize = 20;

/// Target of what plugins log: their words and not the host's, to be shown or hidden by themselves.
const SAID: &str = "jackfield::plugin";

/// Most lines of one reply that are logged, and the longest of them in characters: a log is for reading.
const MOST_LINES: usize = 100;
const LONGEST_LINE: usize = 4096;

/// Asks a running library and logs on its behalf.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) port: Arc<dyn Port>,
    pub(super) plugin: String,
    pub(super) redactor: Redactor,
}

/// What a plugin has asked for during one question, and what it was given. A plugin does no I/O of its own, so that the same question with
/// the same inputs at the same times is the same conversation: when its worker has to end on account of somebody else, it is repeated in
/// the next.
pub(super) struct Transcript {
    clock: Clock,
    asked: u64,
    given: Vec<Given>,
}

struct Given {
    want: HostRequest,
    input: Input,
    now: u64,
}

/// What a plugin waits for.
#[derive(Clone, PartialEq, Eq)]
enum HostRequest {
    Request(HttpRequest),
    Token { grant: String, subject: String },
}

/// How far a turn has brought a conversation.
enum Progress {
    /// The task that waits, and for what.
    Waits(u64, HostRequest),
    Over(Box<TaskResult>),
}

impl From<TaskResult> for Progress {
    fn from(turn: TaskResult) -> Self {
        match turn {
            TaskResult::AwaitsResponse { task, request } => Self::Waits(task, HostRequest::Request(request)),
            TaskResult::AwaitsToken { task, grant, subject } => {
                Self::Waits(task, HostRequest::Token { grant, subject })
            }
            over => Self::Over(Box::new(over)),
        }
    }
}

impl Transcript {
    /// Of a question that is asked now.
    pub(super) fn begin(clock: Clock) -> Self {
        Self { asked: seconds(&clock), clock, given: Vec::new() }
    }
}

fn seconds(clock: &Clock) -> u64 {
    u64::try_from(clock.now().unix_timestamp()).unwrap_or_default()
}

impl Line {
    /// One op: encode, call, decode, log what the author logged.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        op: &'static str,
        question: &impl Serialize,
    ) -> Result<T, PluginError> {
        let body = serde_json::to_vec(question).map_err(|error| PluginError::Answer(error.to_string()))?;
        let bytes = self.port.call(op, body).await?;
        let reply: Reply<T> = serde_json::from_slice(&bytes).map_err(|error| {
            // Position only: the error's own text may quote what the plugin sent.
            PluginError::Answer(format!("`{op}`: not a reply at line {} column {}", error.line(), error.column()))
        })?;
        self.log(&reply.log);
        reply.into_result().map_err(|fault| PluginError::Fault(fault).redacted(&self.redactor))
    }

    fn log(&self, lines: &[LogLine]) {
        let plugin = self.plugin.as_str();
        for line in lines.iter().take(MOST_LINES) {
            let message: String = self.redactor.redact(&line.message).chars().take(LONGEST_LINE).collect();
            match line.level {
                LogLevel::Debug => tracing::debug!(target: SAID, { plugin.name = plugin }, "{message}"),
                LogLevel::Info => tracing::info!(target: SAID, { plugin.name = plugin }, "{message}"),
                LogLevel::Warn => tracing::warn!(target: SAID, { plugin.name = plugin }, "{message}"),
            }
        }
        if lines.len() > MOST_LINES {
            tracing::warn!(plugin.name = plugin, lines = lines.len(), "the plugin logged more than is kept");
        }
    }

    /// Asks an instance and sends what it wants until it has answered.
    pub(super) async fn converse(
        &self,
        lent: &Lent<'_>,
        instance: u64,
        question: Question,
        transcript: &mut Transcript,
    ) -> Result<TaskResult, PluginError> {
        let start = StartIn { instance, question, now: transcript.asked };
        let mut out: TaskOut = self.ask(op::START, &start).await?;
        for at in 0..MOST_REQUESTS {
            let (task, want) = match out.result.into() {
                Progress::Waits(task, want) => (task, want),
                Progress::Over(turn) => return Ok(*turn),
            };
            let (input, now) = self.given(lent, want, at, transcript).await?;
            out = self.ask(op::RESUME, &ResumeIn { task, input, now }).await?;
        }
        match out.result.into() {
            Progress::Over(turn) => Ok(*turn),
            Progress::Waits(task, _) => {
                let _: serde_json::Value = self.ask(op::DROP, &DropIn { task: Some(task), instance: None }).await?;
                Err(PluginError::TooManyRequests)
            }
        }
    }

    /// What the plugin gets for its request of that number, and when: what it was given before, or what comes back now.
    async fn given(
        &self,
        lent: &Lent<'_>,
        want: HostRequest,
        at: usize,
        transcript: &mut Transcript,
    ) -> Result<(Input, u64), PluginError> {
        match transcript.given.get(at) {
            Some(before) if before.want == want => Ok((before.input.clone(), before.now)),
            Some(_) => Err(PluginError::NotRepeatable),
            None => {
                let input = match want.clone() {
                    HostRequest::Request(request) => self.send(lent.outbound, request).await,
                    HostRequest::Token { grant, subject } => self.lend_token(lent, &grant, &subject).await,
                };
                let now = seconds(&transcript.clock);
                transcript.given.push(Given { want, input: input.clone(), now });
                Ok((input, now))
            }
        }
    }

    async fn lend_token(&self, lent: &Lent<'_>, grant: &str, subject: &str) -> Input {
        match lent.token(grant, subject).await {
            Ok(grant) => Input::Token { grant: Box::new(grant) },
            Err(message) => {
                tracing::warn!(plugin.name = self.plugin, grant.name = grant, error = message, "a plugin got no token");
                Input::Failed { message }
            }
        }
    }

    async fn send(&self, outbound: &Outbound, request: HttpRequest) -> Input {
        tracing::debug!(plugin.name = self.plugin, http.request = ?request, "the plugin asks for a request");
        let sent = match checked(request) {
            Ok(request) => outbound.send(request).await.map_err(|error| error.to_string()),
            Err(message) => Err(message),
        };
        match sent {
            Ok(response) => Input::Response { response: received(response) },
            Err(message) => {
                tracing::warn!(plugin.name = self.plugin, error = message, "a plugin's request was not sent");
                Input::Failed { message }
            }
        }
    }
}

/// Headers that frame a message and are the client's own to set.
const FRAMING: [&str; 5] = ["connection", "content-length", "host", "transfer-encoding", "upgrade"];

fn checked(wanted: HttpRequest) -> Result<http::Request<Vec<u8>>, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &wanted.headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{}` is not a header name", name.escape_debug()))?;
        if FRAMING.contains(&name.as_str()) {
            return Err(format!("the header `{name}` is the host's to set"));
        }
        let value = HeaderValue::from_str(value).map_err(|_| format!("the value of `{name}` is not a header value"))?;
        headers.append(name, value);
    }
    let method: Method = wanted.method.parse().map_err(|_| "not an HTTP method".to_owned())?;
    let mut request = http::Request::new(wanted.body);
    *request.method_mut() = method;
    *request.uri_mut() = wanted.url.parse().map_err(|_| "not an absolute http or https URL".to_owned())?;
    *request.headers_mut() = headers;
    Ok(request)
}

fn received(response: http::Response<Vec<u8>>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    parts.headers.iter().fold(HttpResponse::new(parts.status.as_u16(), body), |response, (name, value)| {
        response.with_header(name.as_str(), String::from_utf8_lossy(value.as_bytes()))
    })
}
