//! The plugin under test: asked without a network, and restarted when it has ended.

use jackfield_loader::{LaunchSpec, MAX_REQUESTS, PluginError, Refusal, RunningPlugin, Sandbox, clean_providers};
use jackfield_plugin_abi::envelope::{
    CreateIn, CreateOut, DropIn, FaultKind, NamedProvider, ProvidersOut, Question, ResumeIn, StartIn, State, TaskOut,
    TaskResult, op,
};
use serde::de::IgnoredAny;

use super::{fuzzer::Fuzzer, observation::Observation};

/// The time that plugins are told: the same in every check.
const NOW: u64 = 1_700_000_000;

/// A plugin under test.
pub(super) struct PluginUnderTest {
    spec: LaunchSpec,
    running: RunningPlugin,
    /// Provider and options of the present instance, to create it again after a restart.
    created: Option<(String, State)>,
    instance: u64,
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
        Ok(Self { spec, running, created: None, instance: 0 })
    }

    pub(super) fn sandbox(&self) -> Sandbox {
        self.running.sandbox().cloned().unwrap_or_default()
    }

    pub(super) async fn providers(&mut self) -> Result<Vec<NamedProvider>, String> {
        let mut observation = Observation::of(Question::Unknown);
        let out: Result<ProvidersOut, _> = observation.call(&self.running, op::PROVIDERS, &serde_json::json!({})).await;
        out.and_then(|out| clean_providers(out.providers)).map_err(|error| error.to_string())
    }

    /// Creates the instance that later questions are for.
    pub(super) async fn create(&mut self, provider: &str, options: &State) -> Result<CreateOut, CreateError> {
        self.created = Some((provider.to_owned(), options.clone()));
        self.restart_if_ended().await.map_err(CreateError::from)?;
        self.create_again().await.map_err(CreateError::from)
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
        if self.running.is_live() {
            return Ok(false);
        }
        self.running = self.spec.start().await?;
        Ok(true)
    }

    /// Asks one question. The fuzzer answers the plugin's requests.
    pub(super) async fn observe(&mut self, question: Question, fuzzer: &mut Fuzzer) -> Observation {
        let mut observation = Observation::of(question);
        observation.result = match self.make_ready().await {
            Ok(()) => self.ask(&mut observation, fuzzer).await,
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

    async fn ask(&self, observation: &mut Observation, fuzzer: &mut Fuzzer) -> Result<TaskResult, PluginError> {
        let start = StartIn { instance: self.instance, question: observation.question.clone(), now: NOW };
        let mut out: TaskOut = observation.call(&self.running, op::START, &start).await?;
        for _ in 0..MAX_REQUESTS {
            let (task, input) = match out.result {
                TaskResult::AwaitsResponse { task, request } => {
                    observation.requests.push(serde_json::to_string(&request).unwrap_or_default());
                    (task, fuzzer.input())
                }
                TaskResult::AwaitsToken { task, .. } => (task, fuzzer.token()),
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
