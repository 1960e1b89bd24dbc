//! Answers the host's ops with the author's code.
//!
//! The host is the runtime: the glue polls a future with a waker that does nothing. A ready future
//! is an answer. A pending one that has asked the host for something is
//! [`TaskResult::AwaitsResponse`] or [`TaskResult::AwaitsToken`]. A pending one that has not can
//! never end, so it is a fault.
//!
//! A panic may leave the author's value half changed. The glue then drops the instance with all its
//! tasks, and creates it again from the same options.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use jackfield_plugin_abi::envelope::{
    CreateIn, CreateOut, DropIn, Fault, FaultKind, LogLine, NamedProvider, ProvidersOut, Question, Reply, ResumeIn,
    StartIn, State, Step as StepOut, StepKind, TaskOut, TaskResult, op,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Host, Step,
    export::{BuiltProvider, ProviderType},
    host::HostRequest,
    lock::lock,
    panics::{catch, drop_caught, install_hook},
    pipeline::PipelineStep,
    registry::{Instance, Registry, Task, TaskFuture},
};

/// Answers one op.
pub fn call(registry: &Registry, op: &str, body: &[u8]) -> Vec<u8> {
    install_hook();
    let mut notes = Notes::default();
    match op {
        op::PROVIDERS => reply(catch(|| Ok(providers(registry))), notes),
        op::CREATE => reply(catch(|| create(registry, read(body)?)), notes),
        op::START => {
            let result = run_task(registry, || start(registry, read(body)?), &mut notes);
            reply(result, notes)
        }
        op::RESUME => {
            let result = run_task(registry, || resume(registry, read(body)?), &mut notes);
            reply(result, notes)
        }
        op::DROP => reply(catch(|| drop_ids(registry, read(body)?)), notes),
        other => {
            let fault = Fault::new(FaultKind::Unsupported, format!("the op `{other}` is not known to this plugin"));
            reply::<()>(Err(fault), notes)
        }
    }
}

/// What the author's code has told the host besides its answer.
#[derive(Default)]
struct Notes {
    log: Vec<LogLine>,
    reach: Vec<String>,
}

fn reply<T: Serialize>(result: Result<T, Fault>, Notes { log, reach }: Notes) -> Vec<u8> {
    let reply = match result {
        Ok(value) => Reply { log, reach, ..Reply::ok(value) },
        Err(fault) => Reply { log, reach, ..Reply::fault(fault) },
    };
    serde_json::to_vec(&reply).expect("envelopes are plain JSON")
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        Fault::new(FaultKind::Malformed, format!("the envelope cannot be read at {place}"))
    })
}

fn no_such(what: &str) -> Fault {
    Fault::new(FaultKind::Malformed, format!("there is no such {what}"))
}

fn providers(registry: &Registry) -> ProvidersOut {
    let named = |provider_type: &ProviderType| NamedProvider {
        id: provider_type.id.to_owned(),
        name: provider_type.name.to_owned(),
        options: (provider_type.options)().unwrap_or_default().iter().map(|option| (*option).to_owned()).collect(),
    };
    ProvidersOut { providers: registry.provider_types().iter().map(named).collect() }
}

fn create(registry: &Registry, input: CreateIn) -> Result<CreateOut, Fault> {
    let provider_types = registry.provider_types();
    let found = provider_types.iter().find(|provider_type| provider_type.id == input.provider);
    let provider_type = *found.ok_or_else(|| no_such("provider"))?;
    let provider = (provider_type.build)(&input.options)?;
    let id = registry.next_id();
    let output = description(id, &provider)?;
    registry.insert_instance(id, Instance { provider_type, options: input.options, provider });
    Ok(output)
}

fn description(instance: u64, provider: &BuiltProvider) -> Result<CreateOut, Fault> {
    let mut steps: Vec<StepOut> = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    for (name, step) in &provider.pipeline.steps {
        if steps.iter().any(|step| step.name == *name) {
            return Err(Fault::new(FaultKind::Failed, format!("two steps are named `{name}`; give each its own name")));
        }
        let kind = match step {
            PipelineStep::View(_) => StepKind::View,
            PipelineStep::OAuth2FromState(_) => StepKind::OAuth2FromState,
            PipelineStep::OAuth2(oauth2) => {
                missing.extend(oauth2.missing().into_iter().map(str::to_owned));
                StepKind::OAuth2(oauth2.clone())
            }
        };
        steps.push(StepOut { name: name.clone(), kind });
    }
    Ok(CreateOut {
        instance,
        is_configured: provider.is_configured && missing.is_empty(),
        missing,
        config: provider.config.clone(),
        dialog: provider.dialog,
        icon: provider.icon.map(str::to_owned),
        hosts: provider.hosts.clone(),
        allows_user_supplied_hosts: provider.allows_user_supplied_hosts,
        api: provider.api.clone(),
        handles_events: provider.handles_events,
        inbox: provider.inbox.clone(),
        steps,
    })
}

/// Starts or resumes a task and polls it once. After a panic, creates its instance again.
fn run_task(
    registry: &Registry,
    task: impl FnOnce() -> Result<(u64, Task), Fault>,
    notes: &mut Notes,
) -> Result<TaskOut, Fault> {
    let (id, task) = catch(task)?;
    let (instance, host) = (task.instance, task.host.clone());
    let result = poll(registry, id, task);
    *notes = Notes { log: host.take_log(), reach: host.take_reach() };
    if matches!(&result, Err(fault) if fault.kind == FaultKind::Panicked) {
        recreate_instance(registry, instance);
    }
    result
}

fn start(registry: &Registry, input: StartIn) -> Result<(u64, Task), Fault> {
    let instance = registry.instance(input.instance).ok_or_else(|| no_such("instance"))?;
    let host = Host::default();
    host.set_time(input.now);
    let future = task_future(registry, &instance, input.instance, input.question, &host)?;
    Ok((registry.next_id(), Task { instance: input.instance, host, future }))
}

fn task_future(
    registry: &Registry,
    instance: &Instance,
    id: u64,
    question: Question,
    host: &Host,
) -> Result<TaskFuture, Fault> {
    let step = |wanted: &str| {
        let mut steps = instance.provider.pipeline.steps.iter();
        steps.find(|(name, _)| name == wanted).map(|(_, step)| step)
    };
    match question {
        Question::View { view: name, request, state } => {
            let Some(PipelineStep::View(view)) = step(&name) else { return Err(no_such("view")) };
            let state = Arc::new(Mutex::new(state));
            let next_server = instance.provider.pipeline.next_server(&name);
            let step = Step::new(request, state.clone(), host.clone(), next_server);
            let future = create_future(registry, id, || view.clone().dispatch(step))?;
            Ok(TaskFuture::View { future, state })
        }
        Question::OAuth2 { step: name, state } => {
            let Some(PipelineStep::OAuth2FromState(from_state)) = step(&name) else {
                return Err(no_such("OAuth 2.0 step"));
            };
            let from_state = from_state.clone();
            let oauth2 =
                async move { from_state(&state).map(|oauth2| TaskResult::OAuth2 { oauth2: Box::new(oauth2) }) };
            Ok(TaskFuture::Other(Box::pin(oauth2)))
        }
        Question::Unknown => Err(Fault::new(FaultKind::Unsupported, "this plugin does not know this question")),
        other => {
            let provider = &instance.provider.provider;
            Ok(TaskFuture::Other(create_future(registry, id, || provider.clone().answer(other, host.clone()))?))
        }
    }
}

/// A step that is no `async fn` may panic before there is a future.
fn create_future<T>(registry: &Registry, instance: u64, create: impl FnOnce() -> T) -> Result<T, Fault> {
    let result = catch(|| Ok(create()));
    if result.is_err() {
        recreate_instance(registry, instance);
    }
    result
}

fn resume(registry: &Registry, input: ResumeIn) -> Result<(u64, Task), Fault> {
    let task = registry.remove_task(input.task).ok_or_else(|| no_such("task"))?;
    task.host.set_time(input.now);
    task.host.set_input(input.input);
    Ok((input.task, task))
}

fn poll(registry: &Registry, id: u64, mut task: Task) -> Result<TaskOut, Fault> {
    let polled = match catch(|| Ok(poll_once(&mut task.future))) {
        Ok(polled) => polled,
        Err(fault) => {
            drop_caught(task);
            return Err(fault);
        }
    };
    if let Poll::Ready(result) = polled {
        drop_caught(task);
        return result.map(|result| TaskOut { result });
    }
    let Some(request) = task.host.take_request() else {
        drop_caught(task);
        let message = "a step can only await what the host provides, like `step.send(request)`; \
             a timer, a socket or a channel never wakes it";
        return Err(Fault::new(FaultKind::Stalled, message));
    };
    registry.insert_task(id, task);
    let result = match request {
        HostRequest::Send(request) => TaskResult::AwaitsResponse { task: id, request },
        HostRequest::Token { grant, subject } => TaskResult::AwaitsToken { task: id, grant, subject },
    };
    Ok(TaskOut { result })
}

fn poll_once(future: &mut TaskFuture) -> Poll<Result<TaskResult, Fault>> {
    let mut context = Context::from_waker(Waker::noop());
    let failed = |error: crate::Error| Fault::new(FaultKind::Failed, error.to_string());
    match future {
        TaskFuture::View { future, state } => future.as_mut().poll(&mut context).map(|answer| {
            let state: State = lock(state).clone();
            answer.map(|answer| TaskResult::Answered { answer, state }).map_err(failed)
        }),
        TaskFuture::Other(future) => future.as_mut().poll(&mut context).map(|result| result.map_err(failed)),
    }
}

/// Replaces an instance that may be half changed. If that fails, the instance is gone, and a
/// question to it is a fault.
fn recreate_instance(registry: &Registry, id: u64) {
    registry.remove_tasks_of(id).into_iter().for_each(drop_caught);
    let Some(old) = registry.instance(id) else { return };
    let Ok(provider) = catch(|| (old.provider_type.build)(&old.options)) else {
        drop_caught((registry.remove_instance(id), old));
        return;
    };
    let new = Arc::new(Instance { provider_type: old.provider_type, options: old.options.clone(), provider });
    drop_caught((registry.replace_instance(id, &new), old, new));
}

fn drop_ids(registry: &Registry, input: DropIn) -> Result<serde_json::Value, Fault> {
    if let Some(id) = input.task {
        drop_caught(registry.remove_task(id));
    }
    if let Some(id) = input.instance {
        let instance = registry.remove_instance(id);
        registry.remove_tasks_of(id).into_iter().for_each(drop_caught);
        drop_caught(instance);
    }
    Ok(serde_json::json!({}))
}

#[cfg(test)]
#[path = "glue_tests.rs"]
mod tests;
