//! The library under examination: asked without a net, and started again when it has ended.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jackfield_plugin_abi::envelope::{
    CreateIn, CreateOut, DropIn, FaultKind, LogLine, NamedProvider, ProvidersOut, Question, Reply, ResumeIn, StartIn,
    State, TaskOut, TaskResult, op,
};
use serde::{Serialize, de::DeserializeOwned};

use super::fuzz::Inventor;
use crate::{
    PluginError, Sandbox,
    conversation::MOST_REQUESTS,
    life::{Life, Recipe},
    port::PortError,
};

/// What plugins are told of the time: the same for the same seed.
const NOW: u64 = 1_700_000_000;

/// A library under examination.
pub(super) struct Subject {
    recipe: Recipe,
    life: Arc<Life>,
    /// Provider and options of the present instance, to make it again after an end.
    made: Option<(String, State)>,
    instance: u64,
}

/// One question and what came of it.
pub(super) struct Observed {
    pub(super) question: Question,
    pub(super) turn: Result<TaskResult, PluginError>,
    /// What the plugin asked the host for, as it would cross the border.
    pub(super) requests: Vec<String>,
    pub(super) log: Vec<LogLine>,
    /// The longest of its calls.
    pub(super) took: Duration,
    /// The largest of its replies, in bytes.
    pub(super) size: usize,
}

/// Why an instance could not be made.
#[derive(Debug)]
pub struct Unmade {
    /// In one word.
    pub reason: &'static str,
    /// In the host's words.
    pub message: String,
    /// The options that are to blame.
    pub options: Vec<String>,
}

impl Subject {
    pub(super) async fn start(recipe: Recipe) -> Result<Self, PortError> {
        let life = Arc::new(recipe.start().await?);
        Ok(Self { recipe, life, made: None, instance: 0 })
    }

    pub(super) fn sandbox(&self) -> Sandbox {
        self.life.sandbox.clone().unwrap_or_default()
    }

    pub(super) async fn providers(&mut self) -> Result<Vec<NamedProvider>, String> {
        let mut observed = Observed::of(Question::Unknown);
        let out: Result<ProvidersOut, _> = observed.ask(&self.life, op::PROVIDERS, &serde_json::json!({})).await;
        out.map(|out| out.providers).map_err(|error| error.to_string())
    }

    /// Makes an instance, which later questions are put to.
    pub(super) async fn create(&mut self, provider: &str, options: &State) -> Result<CreateOut, Unmade> {
        self.made = Some((provider.to_owned(), options.clone()));
        self.revive().await.map_err(Unmade::from)?;
        self.make().await.map_err(Unmade::from)
    }

    async fn make(&mut self) -> Result<CreateOut, PluginError> {
        let Some((provider, options)) = self.made.clone() else { return Ok(CreateOut::default()) };
        let mut observed = Observed::of(Question::Unknown);
        let out: CreateOut = observed.ask(&self.life, op::CREATE, &CreateIn { provider, options }).await?;
        self.instance = out.instance;
        Ok(out)
    }

    /// A fresh life in the place of one that has ended; whether it had.
    async fn revive(&mut self) -> Result<bool, PluginError> {
        if self.life.port.is_live() {
            return Ok(false);
        }
        self.life = Arc::new(self.recipe.start().await?);
        Ok(true)
    }

    /// Puts one question, and answers whatever the plugin asks for in return with inventions.
    pub(super) async fn observe(&mut self, question: Question, inventor: &mut Inventor) -> Observed {
        let mut observed = Observed::of(question);
        observed.turn = match self.ready().await {
            Ok(()) => self.converse(&mut observed, inventor).await,
            Err(error) => Err(error),
        };
        observed
    }

    async fn ready(&mut self) -> Result<(), PluginError> {
        if self.revive().await? {
            self.make().await?;
        }
        Ok(())
    }

    async fn converse(&self, observed: &mut Observed, inventor: &mut Inventor) -> Result<TaskResult, PluginError> {
        let start = StartIn { instance: self.instance, question: observed.question.clone(), now: NOW };
        let mut out: TaskOut = observed.ask(&self.life, op::START, &start).await?;
        for _ in 0..MOST_REQUESTS {
            let (task, input) = match out.result {
                TaskResult::AwaitsResponse { task, request } => {
                    observed.requests.push(serde_json::to_string(&request).unwrap_or_default());
                    (task, inventor.input())
                }
                TaskResult::AwaitsToken { task, .. } => (task, inventor.token()),
                over => return Ok(over),
            };
            out = observed.ask(&self.life, op::RESUME, &ResumeIn { task, input, now: NOW }).await?;
        }
        if let TaskResult::AwaitsResponse { task, .. } | TaskResult::AwaitsToken { task, .. } = out.result {
            let forget = DropIn { task: Some(task), instance: None };
            let _: serde_json::Value = observed.ask(&self.life, op::DROP, &forget).await?;
            return Err(PluginError::TooManyRequests);
        }
        Ok(out.result)
    }
}

impl Observed {
    fn of(question: Question) -> Self {
        let turn = Ok(TaskResult::Unknown);
        Self { question, turn, requests: Vec::new(), log: Vec::new(), took: Duration::ZERO, size: 0 }
    }

    /// One op, with nothing hidden of what comes back.
    async fn ask<T: DeserializeOwned>(
        &mut self,
        life: &Life,
        op: &'static str,
        question: &impl Serialize,
    ) -> Result<T, PluginError> {
        let body = serde_json::to_vec(question).map_err(|error| PluginError::Answer(error.to_string()))?;
        let asked = Instant::now();
        let answered = life.port.call(op, body).await;
        self.took = self.took.max(asked.elapsed());
        let bytes = answered?;
        self.size = self.size.max(bytes.len());
        let reply: Reply<T> = serde_json::from_slice(&bytes)
            .map_err(|error| PluginError::Answer(format!("`{op}` is answered with something else: {error}")))?;
        self.log.extend(reply.log.clone());
        reply.into_result().map_err(PluginError::Fault)
    }
}

impl From<PluginError> for Unmade {
    fn from(error: PluginError) -> Self {
        let options = match &error {
            PluginError::Fault(fault) if fault.kind == FaultKind::Options => {
                fault.options.iter().map(|diagnostic| diagnostic.key.clone()).collect()
            }
            _ => Vec::new(),
        };
        Self { reason: error.reason(), message: error.to_string(), options }
    }
}
