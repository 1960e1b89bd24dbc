//! Asks a running plugin: one question, from `start` through a `resume` for each request that it
//! makes.

use std::sync::Arc;

use jackfield_outbound::{Outbound, OutboundError};
use jackfield_plugin_abi::envelope::{
    DropIn, HttpRequest, Input, Question, Reply, ResumeIn, StartIn, TaskOut, TaskResult, op,
};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{
    error::{MAX_REQUESTS, PluginError},
    host_services::HostServices,
    http_message::{from_response, to_request},
    plugin_log::ConversationLog,
    redactor::Redactor,
    transcript::{HostRequest, Recorded, TimedInput, Transcript},
    transport::Transport,
};
use crate::border::{Bounded, Unreadable, is_large, read_reply};

/// Asks a running plugin and logs its messages. One for each conversation.
#[derive(Clone)]
pub(crate) struct PluginClient {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) plugin: String,
    pub(crate) redactor: Redactor,
    pub(super) log: ConversationLog,
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
    pub(crate) async fn call<T: DeserializeOwned + Bounded + Send + 'static>(
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
        reply.into_result().map_err(|fault| PluginError::Fault(fault).redacted(&self.redactor).bounded())
    }

    async fn reply<T: DeserializeOwned + Bounded + Send + 'static>(
        &self,
        op: &'static str,
        question: &impl Serialize,
    ) -> Result<Reply<T>, PluginError> {
        let body = serde_json::to_vec(question).map_err(|error| PluginError::Answer(error.to_string()))?;
        let bytes = self.transport.call(op, body).await?;
        let reply: Reply<T> = read(bytes).await.map_err(|error| PluginError::Answer(format!("`{op}`: {error}")))?;
        self.log.write(&reply.log, &self.redactor);
        Ok(reply)
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
                let _: IgnoredAny = self.call(op::DROP, &DropIn { task: Some(task), instance: None }).await?;
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
            HostRequest::Http(request) => self.send(&services.outbound(), request).await?,
            HostRequest::Token { grant, subject } => self.token(services, &grant, &subject).await,
        };
        Ok(transcript.record(request, input))
    }

    async fn token(&self, services: &HostServices<'_>, grant: &str, subject: &str) -> Input {
        match services.token(grant, subject).await {
            Ok(grant) => Input::Token { grant: Box::new(grant) },
            Err(message) => {
                if self.log.takes_line() {
                    tracing::warn!(
                        plugin.name = self.plugin,
                        grant.name = grant,
                        error = message,
                        "a plugin got no token"
                    );
                }
                Input::Failed { message }
            }
        }
    }

    /// What came of a request. An error ends the question: the visit has cost what it may.
    async fn send(&self, outbound: &Outbound, request: HttpRequest) -> Result<Input, PluginError> {
        tracing::debug!(plugin.name = self.plugin, http.request = ?request, "the plugin asks for a request");
        let sent = match to_request(request) {
            Ok(request) => match outbound.send(request).await {
                Err(OutboundError::OverBudget(error)) => return Err(PluginError::OverBudget(error)),
                sent => sent.map_err(|error| error.to_string()),
            },
            Err(message) => Err(message),
        };
        Ok(match sent {
            Ok(response) => Input::Response { response: from_response(response) },
            Err(message) => {
                if self.log.takes_line() {
                    tracing::warn!(plugin.name = self.plugin, error = message, "a plugin's request was not sent");
                }
                Input::Failed { message }
            }
        })
    }
}

/// Reads a reply. A large one is read on a thread where it holds up nobody.
async fn read<T: DeserializeOwned + Bounded + Send + 'static>(reply: Vec<u8>) -> Result<Reply<T>, Unreadable> {
    if is_large(&reply) {
        let read = tokio::task::spawn_blocking(move || read_reply(&reply));
        return read.await.expect("reading a reply does not panic");
    }
    read_reply(&reply)
}
