//! One question to a plugin under test, and all that was seen of its answer.

use std::time::{Duration, Instant};

use jackfield_loader::{Bounded, PluginError, RunningPlugin, Unreadable, read_reply};
use jackfield_plugin_abi::envelope::{LogLine, Question, Reply, TaskResult};
use serde::{Serialize, de::DeserializeOwned};

/// One question and its answer.
pub(super) struct Observation {
    pub(super) question: Question,
    pub(super) result: Result<TaskResult, PluginError>,
    /// What the plugin asked the host for, as JSON.
    pub(super) requests: Vec<String>,
    pub(super) log: Vec<LogLine>,
    /// The longest of its calls.
    pub(super) slowest: Duration,
    /// The largest of its replies, in bytes.
    pub(super) largest: usize,
    /// All of its replies, in bytes.
    pub(super) received: usize,
    /// All that it was given, in bytes.
    pub(super) sent: usize,
    /// What it has brought too much of, so that the reply was not read.
    pub(super) out_of_bounds: Option<String>,
}

impl Observation {
    pub(super) fn of(question: Question) -> Self {
        let (result, slowest) = (Ok(TaskResult::Unknown), Duration::ZERO);
        Self {
            question,
            result,
            requests: Vec::new(),
            log: Vec::new(),
            slowest,
            largest: 0,
            received: 0,
            sent: 0,
            out_of_bounds: None,
        }
    }

    /// One op. Nothing in the answer or in the error is redacted.
    pub(super) async fn call<T: DeserializeOwned + Bounded>(
        &mut self,
        plugin: &RunningPlugin,
        op: &'static str,
        question: &impl Serialize,
    ) -> Result<T, PluginError> {
        let body = serde_json::to_vec(question).map_err(|error| PluginError::Answer(error.to_string()))?;
        self.sent += body.len();
        let called = Instant::now();
        let replied = plugin.call(op, body).await;
        self.slowest = self.slowest.max(called.elapsed());
        let bytes = replied?;
        self.largest = self.largest.max(bytes.len());
        self.received += bytes.len();
        let reply: Reply<T> = read_reply(&bytes).map_err(|error| match error {
            Unreadable::OutOfBounds(error) => {
                self.out_of_bounds = Some(error.to_string());
                PluginError::Answer(format!("`{op}`: {error}"))
            }
            // The author may read what the host must not log.
            Unreadable::NotAReply(..) => {
                let error = serde_json::from_slice::<Reply<T>>(&bytes).err().map(|error| error.to_string());
                let error = error.unwrap_or_default();
                PluginError::Answer(format!("`{op}` is answered with something else: {error}"))
            }
        })?;
        self.log.extend(reply.log.clone());
        reply.into_result().map_err(PluginError::Fault)
    }
}
