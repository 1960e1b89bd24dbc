//! Answers for a declared provider, as a plugin would.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use jackfield_plugin_abi::envelope::{
    CreateIn, CreateOut, DropIn, Fault, FaultKind, Input, NamedProvider, ProvidersOut, Question, Refreshed, Reply,
    ResumeIn, Revoked, StartIn, State, Step, StepKind, TaskOut, TaskResult, op,
};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    declaration::Declaration,
    declaration_reader::read_declaration,
    pending_integration::{PendingIntegration, TaskReply},
};
use crate::runtime::{Transport, TransportError};

/// One declared provider.
pub(super) struct DeclaredPlugin {
    named: NamedProvider,
    /// `None` before its instance is created.
    declaration: Mutex<Option<Arc<Declaration>>>,
    tasks: Mutex<HashMap<u64, PendingIntegration>>,
    next_task: AtomicU64,
}

/// The one instance of a declared provider.
const INSTANCE: u64 = 1;

impl DeclaredPlugin {
    pub(super) fn new(named: NamedProvider) -> Self {
        Self { named, declaration: Mutex::default(), tasks: Mutex::default(), next_task: AtomicU64::new(1) }
    }

    fn answer(&self, op: &str, body: &[u8]) -> Vec<u8> {
        match op {
            op::PROVIDERS => encoded(Ok(ProvidersOut { providers: vec![self.named.clone()] })),
            op::CREATE => encoded(read(body).and_then(|request| self.create(request))),
            op::START => encoded_task(read(body).and_then(|request| self.start(request))),
            op::RESUME => encoded_task(read(body).and_then(|request| self.resume(request))),
            op::DROP => encoded(read(body).map(|request| self.forget(&request))),
            _ => encoded::<State>(Err(Fault::new(FaultKind::Unsupported, op))),
        }
    }

    fn create(&self, request: CreateIn) -> Result<CreateOut, Fault> {
        let declaration = read_declaration(&self.named.id, &request.options)
            .map_err(|options| Fault { options, ..Fault::new(FaultKind::Options, "the declaration does not fit") })?;
        let oauth2 = StepKind::OAuth2(Box::new(declaration.oauth2.clone()));
        let out = CreateOut {
            instance: INSTANCE,
            is_configured: declaration.missing.is_empty(),
            missing: declaration.missing.clone(),
            icon: declaration.icon.clone(),
            hosts: declaration.hosts(),
            api: declaration.api.clone(),
            inbox: declaration.inbox.clone(),
            steps: vec![Step { name: "oauth2".to_owned(), kind: oauth2 }],
            ..CreateOut::default()
        };
        *self.declaration.lock() = Some(Arc::new(declaration));
        Ok(out)
    }

    fn start(&self, request: StartIn) -> Result<TaskReply, Fault> {
        match request.question {
            Question::BuildIntegration { state } => self.build(PendingIntegration::new(&*self.declaration()?, &state)?),
            Question::View { .. } | Question::OAuth2 { .. } => {
                Err(Fault::new(FaultKind::Malformed, "a declared provider has no such step"))
            }
            // The host does both by the RFCs, and a declaration says nothing else.
            Question::Refresh { .. } => Ok((TaskResult::Refreshed { refreshed: Refreshed::Default }, Vec::new())),
            Question::Revoke { .. } => Ok((TaskResult::Revoked { revoked: Revoked::Default }, Vec::new())),
            Question::Webhook { .. } => Err(Fault::new(FaultKind::Unsupported, "a declared provider has no webhook")),
            Question::Event { .. } => Err(Fault::new(FaultKind::Unsupported, "a declared provider takes no events")),
            Question::Unknown => Err(Fault::new(FaultKind::Unsupported, "a question of a later version")),
        }
    }

    /// Builds the integration, or asks for the account first.
    fn build(&self, pending: PendingIntegration) -> Result<TaskReply, Fault> {
        let declaration = self.declaration()?;
        let Some(request) = pending.request(&declaration) else { return pending.finish(&declaration, None) };
        let task = self.next_task.fetch_add(1, Ordering::Relaxed);
        self.tasks.lock().insert(task, pending);
        Ok((TaskResult::AwaitsResponse { task, request }, Vec::new()))
    }

    fn resume(&self, request: ResumeIn) -> Result<TaskReply, Fault> {
        let pending = self.tasks.lock().remove(&request.task);
        let pending = pending.ok_or_else(|| Fault::new(FaultKind::Malformed, "no such task"))?;
        match request.input {
            Input::Response { response } => pending.finish(&*self.declaration()?, Some(&response)),
            Input::Failed { message } => {
                let message = format!("the account could not be asked for: {message}");
                Err(Fault::new(FaultKind::Failed, message))
            }
            Input::Token { .. } | Input::Unknown => {
                Err(Fault::new(FaultKind::Malformed, "an input of a later version"))
            }
        }
    }

    fn forget(&self, request: &DropIn) -> State {
        let mut tasks = self.tasks.lock();
        match request.task {
            Some(task) => drop(tasks.remove(&task)),
            None => tasks.clear(),
        }
        State::new()
    }

    fn declaration(&self) -> Result<Arc<Declaration>, Fault> {
        let declaration = self.declaration.lock().clone();
        declaration.ok_or_else(|| Fault::new(FaultKind::Malformed, "no such instance"))
    }
}

impl Transport for DeclaredPlugin {
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(async move { Ok(self.answer(op, &body)) })
    }

    fn is_live(&self) -> bool {
        true
    }
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

fn encoded_task(result: Result<TaskReply, Fault>) -> Vec<u8> {
    match result {
        Ok((result, log)) => {
            let reply = Reply { log, ..Reply::ok(TaskOut { result }) };
            serde_json::to_vec(&reply).expect("envelopes are plain JSON")
        }
        Err(fault) => encoded::<TaskOut>(Err(fault)),
    }
}
