//! Asks a running plugin: one question, from `start` through a `resume` for each request that it
//! makes.

use std::sync::Arc;

use jackfield_outbound::Outbound;
use jackfield_plugin_abi::envelope::{
    DropIn, HttpRequest, Input, LogLevel, LogLine, Question, Reply, ResumeIn, StartIn, TaskOut, TaskResult, op,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::{MAX_REQUESTS, PluginError},
    host_services::HostServices,
    http_message::{from_response, to_request},
    redactor::Redactor,
    transcript::{HostRequest, Recorded, TimedInput, Transcript},
    transport::Transport,
};

/// Log target of a plugin's own messages, so that they can be filtered apart from the host's.
pub const PLUGIN_LOG_TARGET: &str = "jackfield::plugin";

/// Most lines of one reply that are logged, and most characters of a line: a log is for reading.
const MAX_LOG_LINES: usize = 100;
const MAX_LOG_LINE_LENGTH: usize = 4096;

/// Asks a running plugin and logs its messages.
#[derive(Clone)]
pub(crate) struct PluginClient {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) plugin: String,
    pub(crate) redactor: Redactor,
}

/// How far a reply has brought a question.
enum Progress {
    /// The task waits for this.
    Waits(u64, HostRequest),
    Done(Box<TaskResult>),
}

impl From<TaskResult> for Progress {
    fn from(result: TaskResult) -> Self {
        match result {
            TaskResult::AwaitsResponse { task, request } => Self::Waits(task, HostRequest::Http(request)),
            TaskResult::AwaitsToken { task, grant, subject } => {
                Self::Waits(task, HostRequest::Token { grant, subject })
            }
            done => Self::Done(Box::new(done)),
        }
    }
}

impl PluginClient {
    /// One op: encode, call, decode, and log what the author logged.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        op: &'static str,
        question: &impl Serialize,
    ) -> Result<T, PluginError> {
        let reply = self.reply(op, question).await?;
        self.value(reply)
    }

    /// The same for an op of a task, which may ask for hosts to reach.
    async fn call_task(
        &self,
        services: &HostServices<'_>,
        op: &'static str,
        question: &impl Serialize,
    ) -> Result<TaskOut, PluginError> {
        let reply = self.reply(op, question).await?;
        services.reach(&reply.reach);
        self.value(reply)
    }

    fn value<T>(&self, reply: Reply<T>) -> Result<T, PluginError> {
        reply.into_result().map_err(|fault| PluginError::Fault(fault).redacted(&self.redactor))
    }

    async fn reply<T: DeserializeOwned>(
        &self,
        op: &'static str,
        question: &impl Serialize,
    ) -> Result<Reply<T>, PluginError> {
        let body = serde_json::to_vec(question).map_err(|error| PluginError::Answer(error.to_string()))?;
        let bytes = self.transport.call(op, body).await?;
        let reply: Reply<T> = serde_json::from_slice(&bytes).map_err(|error| {
            // Position only: the error's own text may quote what the plugin sent.
            PluginError::Answer(format!("`{op}`: not a reply at line {} column {}", error.line(), error.column()))
        })?;
        self.log(&reply.log);
        Ok(reply)
    }

    fn log(&self, lines: &[LogLine]) {
        let plugin = self.plugin.as_str();
        for line in lines.iter().take(MAX_LOG_LINES) {
            let message: String = self.redactor.redact(&line.message).chars().take(MAX_LOG_LINE_LENGTH).collect();
            match line.level {
                LogLevel::Debug => tracing::debug!(target: PLUGIN_LOG_TARGET, { plugin.name = plugin }, "{message}"),
                LogLevel::Info => tracing::info!(target: PLUGIN_LOG_TARGET, { plugin.name = plugin }, "{message}"),
                LogLevel::Warn => tracing::warn!(target: PLUGIN_LOG_TARGET, { plugin.name = plugin }, "{message}"),
            }
        }
        if lines.len() > MAX_LOG_LINES {
            tracing::warn!(plugin.name = plugin, lines = lines.len(), "the plugin logged more than is kept");
        }
    }

    /// Asks an instance, and answers its requests until it has answered the question.
    pub(crate) async fn ask(
        &self,
        services: &HostServices<'_>,
        instance: u64,
        question: Question,
        transcript: &mut Transcript,
    ) -> Result<TaskResult, PluginError> {
        let start = StartIn { instance, question, now: transcript.asked_at() };
        let mut out = self.call_task(services, op::START, &start).await?;
        for at in 0..MAX_REQUESTS {
            let (task, request) = match out.result.into() {
                Progress::Waits(task, request) => (task, request),
                Progress::Done(result) => return Ok(*result),
            };
            let TimedInput { input, now } = self.input(services, request, at, transcript).await?;
            out = self.call_task(services, op::RESUME, &ResumeIn { task, input, now }).await?;
        }
        match out.result.into() {
            Progress::Done(result) => Ok(*result),
            Progress::Waits(task, _) => {
                let _: serde_json::Value = self.call(op::DROP, &DropIn { task: Some(task), instance: None }).await?;
                Err(PluginError::TooManyRequests)
            }
        }
    }

    /// What the plugin gets for its request of that number: what it got before, or what comes back
    /// now.
    async fn input(
        &self,
        services: &HostServices<'_>,
        request: HostRequest,
        at: usize,
        transcript: &mut Transcript,
    ) -> Result<TimedInput, PluginError> {
        match transcript.recorded(at, &request) {
            Recorded::Same(input) => return Ok(input.clone()),
            Recorded::Other => return Err(PluginError::NotRepeatable),
            Recorded::Nothing => {}
        }
        let input = match request.clone() {
            HostRequest::Http(request) => self.send(&services.outbound(), request).await,
            HostRequest::Token { grant, subject } => self.token(services, &grant, &subject).await,
        };
        Ok(transcript.record(request, input))
    }

    async fn token(&self, services: &HostServices<'_>, grant: &str, subject: &str) -> Input {
        match services.token(grant, subject).await {
            Ok(grant) => Input::Token { grant: Box::new(grant) },
            Err(message) => {
                tracing::warn!(plugin.name = self.plugin, grant.name = grant, error = message, "a plugin got no token");
                Input::Failed { message }
            }
        }
    }

    async fn send(&self, outbound: &Outbound, request: HttpRequest) -> Input {
        tracing::debug!(plugin.name = self.plugin, http.request = ?request, "the plugin asks for a request");
        let sent = match to_request(request) {
            Ok(request) => outbound.send(request).await.map_err(|error| error.to_string()),
            Err(message) => Err(message),
        };
        match sent {
            Ok(response) => Input::Response { response: from_response(response) },
            Err(message) => {
                tracing::warn!(plugin.name = self.plugin, error = message, "a plugin's request was not sent");
                Input::Failed { message }
            }
        }
    }
}
