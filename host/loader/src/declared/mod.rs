//! A provider that is declared in TOML and needs no library: it answers the questions that a plugin answers.
//!
//! Behind [`Port`] the rest of the host cannot tell it from a plugin. The operator's table is laid over the entry of the `catalogue`, if
//! there is one of that name; `declaration` reads and checks the whole, `account` makes an integration of the answers.

mod account;
mod catalogue;
mod declaration;
mod json_path;
mod placeholder;
mod table;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use account::Begun;
pub use catalogue::{Entry, catalogue, entry};
use declaration::Declaration;
use futures_util::future::BoxFuture;
use jackfield_plugin_abi::envelope::{
    CreateIn, CreateOut, DropIn, Fault, FaultKind, Input, NamedProvider, ProvidersOut, Question, Refreshed, Reply,
    ResumeIn, Revoked, StartIn, State, Step, StepKind, TaskOut, TaskResult, op,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    PluginInfo,
    library_file::digest,
    port::{Port, PortError},
};
use jackfield_config::ProviderOptions;

/// One declared provider.
pub(super) struct Declared {
    named: NamedProvider,
    declaration: Mutex<Option<Arc<Declaration>>>,
    tasks: Mutex<HashMap<u64, Begun>>,
    next_task: AtomicU64,
}

/// The one instance that a declared provider has.
const INSTANCE: u64 = 1;

impl Declared {
    pub(super) fn new(named: &NamedProvider) -> Self {
        Self {
            named: named.clone(),
            declaration: Mutex::default(),
            tasks: Mutex::default(),
            next_task: AtomicU64::new(1),
        }
    }

    fn answer(&self, op: &str, body: &[u8]) -> Vec<u8> {
        match op {
            op::PROVIDERS => encoded(Ok(ProvidersOut { providers: vec![self.named.clone()] })),
            op::CREATE => encoded(read(body).and_then(|asked| self.create(asked))),
            op::START => encoded_turn(read(body).and_then(|asked| self.start(asked))),
            op::RESUME => encoded_turn(read(body).and_then(|asked| self.resume(asked))),
            op::DROP => encoded(read(body).map(|asked| self.forget(&asked))),
            _ => encoded::<State>(Err(Fault::new(FaultKind::Unsupported, op))),
        }
    }

    fn create(&self, asked: CreateIn) -> Result<CreateOut, Fault> {
        let declaration = Declaration::read(&self.named.id, &asked.options)
            .map_err(|options| Fault { options, ..Fault::new(FaultKind::Options, "the declaration does not fit") })?;
        let oauth2 = StepKind::OAuth2(Box::new(declaration.oauth2.clone()));
        let out = CreateOut {
            instance: INSTANCE,
            is_configured: declaration.missing.is_empty(),
            missing: declaration.missing.clone(),
            icon: declaration.icon.clone(),
            hosts: declaration.hosts(),
            api: declaration.api.clone(),
            steps: vec![Step { name: "oauth2".to_owned(), kind: oauth2 }],
            ..CreateOut::default()
        };
        *locked(&self.declaration) = Some(Arc::new(declaration));
        Ok(out)
    }

    fn start(&self, asked: StartIn) -> Result<account::Turned, Fault> {
        match asked.question {
            Question::BuildIntegration { state } => self.turned(Begun::new(&*self.made()?, &state)?),
            Question::View { .. } | Question::OAuth2 { .. } => {
                Err(Fault::new(FaultKind::Malformed, "a declared provider has no such step"))
            }
            // The host does both as the RFCs say, which is all that a declaration can say.
            Question::Refresh { .. } => Ok((TaskResult::Refreshed { refreshed: Refreshed::Default }, Vec::new())),
            Question::Revoke { .. } => Ok((TaskResult::Revoked { revoked: Revoked::Default }, Vec::new())),
            Question::Webhook { .. } => Err(Fault::new(FaultKind::Unsupported, "a declared provider has no webhook")),
            Question::Event { .. } => Err(Fault::new(FaultKind::Unsupported, "a declared provider takes no events")),
            Question::Unknown => Err(Fault::new(FaultKind::Unsupported, "a question of a later version")),
        }
    }

    /// Asks for the account, or has it in the token answer already.
    fn turned(&self, begun: Begun) -> Result<account::Turned, Fault> {
        let declaration = self.made()?;
        let Some(request) = begun.request(&declaration) else { return begun.finish(&declaration, None) };
        let task = self.next_task.fetch_add(1, Ordering::Relaxed);
        locked(&self.tasks).insert(task, begun);
        Ok((TaskResult::AwaitsResponse { task, request }, Vec::new()))
    }

    fn resume(&self, asked: ResumeIn) -> Result<account::Turned, Fault> {
        let begun = locked(&self.tasks).remove(&asked.task);
        let begun = begun.ok_or_else(|| Fault::new(FaultKind::Malformed, "no such task"))?;
        match asked.input {
            Input::Response { response } => begun.finish(&*self.made()?, Some(&response)),
            Input::Failed { message } => {
                let message = format!("the account could not be asked for: {message}");
                Err(Fault::new(FaultKind::Failed, message))
            }
            Input::Token { .. } | Input::Unknown => {
                Err(Fault::new(FaultKind::Malformed, "an input of a later version"))
            }
        }
    }

    fn forget(&self, asked: &DropIn) -> State {
        let mut tasks = locked(&self.tasks);
        match asked.task {
            Some(task) => drop(tasks.remove(&task)),
            None => tasks.clear(),
        }
        State::new()
    }

    fn made(&self) -> Result<Arc<Declaration>, Fault> {
        let declaration = locked(&self.declaration).clone();
        declaration.ok_or_else(|| Fault::new(FaultKind::Malformed, "no such instance"))
    }
}

impl Port for Declared {
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, PortError>> {
        Box::pin(async move { Ok(self.answer(op, &body)) })
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// Id and name, as declared.
pub(super) fn named(id: &str, options: &ProviderOptions) -> NamedProvider {
    NamedProvider { id: id.to_owned(), name: declaration::name(id, &options.table), ..NamedProvider::default() }
}

/// What stands for the library of a declared provider. The digest is that of the declaration without its secrets: it is shown, and whoever
/// knows the rest could guess a short one.
pub(super) fn info(id: &str, options: &ProviderOptions, file: &std::path::Path) -> PluginInfo {
    let mut table = declaration::merged(id, &options.table);
    for secret in ["client-secret", "private-key"] {
        table.remove(secret);
    }
    let escaped = |text: &str| serde_json::Value::from(text).to_string();
    let secrets = options.secrets();
    let shown = serde_json::Value::Object(table).to_string();
    let shown = secrets.iter().fold(shown, |shown, secret| shown.replace(&escaped(secret), "\"\""));
    PluginInfo {
        name: format!("providers.{id}"),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        abi: "declared".to_owned(),
        file: file.to_owned(),
        digest: digest(shown.as_bytes()),
        signer: None,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        Fault::new(FaultKind::Malformed, format!("not a question at line {} column {}", error.line(), error.column()))
    })
}

fn encoded<T: Serialize>(result: Result<T, Fault>) -> Vec<u8> {
    let reply = result.map_or_else(Reply::fault, Reply::ok);
    serde_json::to_vec(&reply).expect("envelopes are plain JSON")
}

fn encoded_turn(result: Result<account::Turned, Fault>) -> Vec<u8> {
    match result {
        Ok((turn, log)) => {
            let reply = Reply { log, ..Reply::ok(TaskOut { result: turn }) };
            serde_json::to_vec(&reply).expect("envelopes are plain JSON")
        }
        Err(fault) => encoded::<TaskOut>(Err(fault)),
    }
}
