//! The plugin under test: asked without a network, and restarted when it has ended.

use jackfield_loader::{
    LaunchSpec, MAX_REQUESTS, PluginError, Refusal, RunningPlugin, Sandbox, TransportError, clean_description,
    clean_providers,
};
use jackfield_plugin_abi::envelope::{
    CreateIn, CreateOut, DropIn, FaultKind, NamedProvider, ProvidersOut, Question, ResumeIn, StartIn, State, TaskOut,
    TaskResult, op,
};
use serde::de::IgnoredAny;

use super::{budget::Budget, host_answers::HostAnswers, observation::Observation};

/// The time that plugins are told: the same in every check.
const NOW: u64 = 1_700_000_000;

/// A plugin under test.
pub(super) struct PluginUnderTest {
    spec: LaunchSpec,
    running: RunningPlugin,
    /// Provider and options of the present instance, to create it again after a restart.
    created: Option<(String, State)>,
    instance: u64,
    /// Whether a question was cut off: the running plugin answers no other.
    is_cut_off: bool,
}

/// Why an instance could not be created.
#[derive(Debug)]
pub struct CreateError {
    /// In one word.
    pub reason: &'static str,
    /// In the host's words.
    pub message: String,
    /// The options that are wrong.
    pub options: Vec<String>,
}

impl PluginUnderTest {
    pub(super) async fn start(spec: LaunchSpec) -> Result<Self, Refusal> {
        let running = spec.start().await.map_err(|error| spec.refusal(error))?;
        Ok(Self { spec, running, created: None, instance: 0, is_cut_off: false })
    }

    pub(super) fn sandbox(&self) -> Sandbox {
        self.running.sandbox().cloned().unwrap_or_default()
    }

    /// The exported providers, and the names that the host has cleaned, as they were given.
    pub(super) async fn providers(&mut self) -> Result<Vec<(NamedProvider, String)>, String> {
        let mut observation = Observation::of(Question::Unknown);
        let out: Result<ProvidersOut, _> = observation.call(&self.running, op::PROVIDERS, &serde_json::json!({})).await;
        let given = out.map_err(|error| error.to_string())?.providers;
        let names: Vec<String> = given.iter().map(|provider| provider.name.clone()).collect();
        let clean = clean_providers(given).map_err(|error| error.to_string())?;
        Ok(clean.into_iter().zip(names).collect())
    }

    /// Creates the instance that later questions are for.
    pub(super) async fn create(&mut self, provider: &str, options: &State) -> Result<CreateOut, CreateError> {
        self.created = Some((provider.to_owned(), options.clone()));
        self.restart_if_ended().await.map_err(CreateError::from)?;
        let described = self.create_again().await.map_err(CreateError::from)?;
        clean_description(described).map_err(CreateError::from)
    }

    async fn create_again(&mut self) -> Result<CreateOut, PluginError> {
        let Some((provider, options)) = self.created.clone() else { return Ok(CreateOut::default()) };
        let mut observation = Observation::of(Question::Unknown);
        let out: CreateOut = observation.call(&self.running, op::CREATE, &CreateIn { provider, options }).await?;
        self.instance = out.instance;
        Ok(out)
    }

    /// Starts another if this one has ended. The answer is whether it had.
    async fn restart_if_ended(&mut self) -> Result<bool, PluginError> {
        if self.running.is_live() && !self.is_cut_off {
            return Ok(false);
        }
        self.running = self.spec.start().await?;
        self.is_cut_off = false;
        Ok(true)
    }

    /// Asks one question, as far as the budget goes; `None` when it is used up.
    pub(super) async fn observe_within(
        &mut self,
        question: Question,
        answers: &mut impl HostAnswers,
        budget: &mut Budget,
    ) -> Option<Observation> {
        if budget.used_up().is_some() {
            return None;
        }
        let observed = tokio::time::timeout(budget.time_left(), self.observe(question, answers)).await;
        self.is_cut_off |= observed.is_err();
        budget.spend(observed.as_ref().map_or(0, |observation| observation.received));
        observed.ok()
    }

    /// Whether it takes another call, if it has not ended: not if it goes on with what it was asked
    /// before.
    pub(super) async fn probe(&self) -> Result<(), TransportError> {
        if !self.running.is_live() {
            return Ok(());
        }
        let nothing = serde_json::to_vec(&DropIn { task: None, instance: None }).unwrap_or_default();
        self.running.call(op::DROP, nothing).await.map(drop)
    }

    /// Asks one question. The plugin's requests are answered by `answers`.
    async fn observe(&mut self, question: Question, answers: &mut impl HostAnswers) -> Observation {
        let mut observation = Observation::of(question);
        observation.result = match self.make_ready().await {
            Ok(()) => self.ask(&mut observation, answers).await,
            Err(error) => Err(error),
        };
        observation
    }

    async fn make_ready(&mut self) -> Result<(), PluginError> {
        if self.restart_if_ended().await? {
            self.create_again().await?;
        }
        Ok(())
    }

    async fn ask(
        &self,
        observation: &mut Observation,
        answers: &mut impl HostAnswers,
    ) -> Result<TaskResult, PluginError> {
        let start = StartIn { instance: self.instance, question: observation.question.clone(), now: NOW };
        let mut out: TaskOut = observation.call(&self.running, op::START, &start).await?;
        for _ in 0..MAX_REQUESTS {
            let (task, input) = match out.result {
                TaskResult::AwaitsResponse { task, request } => {
                    observation.requests.push(serde_json::to_string(&request).unwrap_or_default());
                    (task, answers.input())
                }
                TaskResult::AwaitsToken { task, .. } => (task, answers.token()),
                done => return Ok(done),
            };
            out = observation.call(&self.running, op::RESUME, &ResumeIn { task, input, now: NOW }).await?;
        }
        if let TaskResult::AwaitsResponse { task, .. } | TaskResult::AwaitsToken { task, .. } = out.result {
            let drop = DropIn { task: Some(task), instance: None };
            let _: IgnoredAny = observation.call(&self.running, op::DROP, &drop).await?;
            return Err(PluginError::TooManyRequests);
        }
        Ok(out.result)
    }
}

impl From<PluginError> for CreateError {
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
