//! Answers the host's ops: the author's futures are polled here, and no panic gets past.
//!
//! The host is the runtime: a future is polled with a waker that does nothing. Ready is an answer; pending with a request for the host is
//! [`TaskResult::Wants`]; pending without one cannot end, and is told as a fault.
//!
//! A panic may leave the author's value half changed, so its instance is dropped, with all its tasks, and made anew from the same options
//! before it is asked again.

use std::{
    any::Any,
    cell::RefCell,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError},
    task::{Context, Poll, Waker},
};

use jackfield_plugin_abi::envelope::{
    CreateIn, CreateOut, DropIn, Fault, FaultKind, LogLine, NamedProvider, OptionDiagnostic, ProvidersOut, Question,
    Reply, ResumeIn, StartIn, State, Step as StepOut, StepKind, TaskOut, TaskResult, op,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Answer, Host, Step,
    export::{BuiltProvider, Exporter, Registry},
    host::HostRequest,
    pipeline::{Boxed, Kind},
};

/// Answers one op.
pub fn call(registry: &Registry, op: &str, body: &[u8]) -> Vec<u8> {
    keep_panics_quiet();
    let mut log = Vec::new();
    match op {
        op::PROVIDERS => answered(guarded(|| Ok(providers(registry))), log),
        op::CREATE => answered(guarded(|| create(registry, read(body)?)), log),
        op::START => {
            let turn = guarded_turn(registry, || start(registry, read(body)?), &mut log);
            answered(turn, log)
        }
        op::RESUME => {
            let turn = guarded_turn(registry, || resume(registry, read(body)?), &mut log);
            answered(turn, log)
        }
        op::DROP => answered(guarded(|| forget(registry, read(body)?)), log),
        other => {
            let fault = Fault::new(FaultKind::Unsupported, format!("the op `{other}` is not known to this plugin"));
            answered::<()>(Err(fault), log)
        }
    }
}

fn answered<T: Serialize>(result: Result<T, Fault>, log: Vec<LogLine>) -> Vec<u8> {
    let reply = match result {
        Ok(value) => Reply { log, ..Reply::ok(value) },
        Err(fault) => Reply { log, ..Reply::fault(fault) },
    };
    serde_json::to_vec(&reply).expect("envelopes are plain JSON")
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let at = format!("line {} column {}", error.line(), error.column());
        Fault::new(FaultKind::Malformed, format!("the envelope cannot be read at {at}"))
    })
}

fn malformed(what: &str) -> Fault {
    Fault::new(FaultKind::Malformed, format!("there is no such {what}"))
}

/// A fault that lists options.
pub(crate) fn option_fault(options: Vec<OptionDiagnostic>) -> Fault {
    Fault { kind: FaultKind::Options, message: "the options do not fit".to_owned(), options }
}

thread_local! {
    /// Whether author's code runs on this thread, and what its last panic said and where.
    static GUARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A plugin has a standard library of its own: its hook is not the host's. Ours keeps the words of a guarded panic instead of printing
/// them; any other, as in an author's own tests, goes on to the hook before.
fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_guarded = GUARD.with_borrow_mut(|guard| {
                let Some(words) = guard else { return false };
                let message = info.payload_as_str().unwrap_or("a value that is no text");
                let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
                *words = format!("{message}{place}");
                true
            });
            if !is_guarded {
                before(info);
            }
        }));
    });
}

/// Runs author's code; a panic becomes a fault.
fn guarded<T>(run: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let outer = GUARD.replace(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(run));
    let words = GUARD.replace(outer).unwrap_or_default();
    result.unwrap_or_else(|payload| {
        forget_payload(payload);
        Err(Fault::new(FaultKind::Panicked, words))
    })
}

/// Dropping the payload could panic once more.
fn forget_payload(payload: Box<dyn Any + Send>) {
    std::mem::forget(payload);
}

/// Drops author's values, which may panic.
fn dropped<T>(value: T) {
    let _ = guarded(|| {
        drop(value);
        Ok(())
    });
}

fn locked<T>(mutex: &Mutex<Option<HashMap<u64, T>>>) -> Locked<'_, T> {
    Locked(mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A map that is made when it is first wanted. The lock is never held while author's code runs.
struct Locked<'a, T>(MutexGuard<'a, Option<HashMap<u64, T>>>);

impl<T> Locked<'_, T> {
    fn map(&mut self) -> &mut HashMap<u64, T> {
        self.0.get_or_insert_with(HashMap::new)
    }
}

fn providers(registry: &Registry) -> ProvidersOut {
    let named = |exporter: &Exporter| NamedProvider {
        id: exporter.id.to_owned(),
        name: exporter.name.to_owned(),
        options: (exporter.options)().unwrap_or_default().iter().map(|option| (*option).to_owned()).collect(),
    };
    ProvidersOut { providers: registry.exporters().iter().map(named).collect() }
}

/// One configured provider.
pub(crate) struct Instance {
    exporter: Exporter,
    options: State,
    made: BuiltProvider,
}

/// A question that is being answered.
pub(crate) struct Task {
    instance: u64,
    host: Host,
    work: Work,
}

enum Work {
    View { future: Boxed<Answer>, state: Arc<Mutex<State>> },
    Other { future: Boxed<TaskResult> },
}

fn create(registry: &Registry, asked: CreateIn) -> Result<CreateOut, Fault> {
    let exporters = registry.exporters();
    let exporter = exporters.iter().find(|exporter| exporter.id == asked.provider);
    let exporter = *exporter.ok_or_else(|| malformed("provider"))?;
    let made = (exporter.make)(&asked.options)?;
    let id = registry.fresh_id();
    let out = described(id, &made)?;
    let instance = Arc::new(Instance { exporter, options: asked.options, made });
    locked(&registry.instances).map().insert(id, instance);
    Ok(out)
}

fn described(instance: u64, made: &BuiltProvider) -> Result<CreateOut, Fault> {
    let mut steps: Vec<StepOut> = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    for (name, kind) in &made.pipeline.steps {
        if steps.iter().any(|step| step.name == *name) {
            return Err(Fault::new(FaultKind::Failed, format!("two steps are named `{name}`; give each its own name")));
        }
        let kind = match kind {
            Kind::View(_) => StepKind::View,
            Kind::OAuth2FromState(_) => StepKind::OAuth2FromState,
            Kind::OAuth2(oauth2) => {
                missing.extend(oauth2.missing().into_iter().map(str::to_owned));
                StepKind::OAuth2(oauth2.clone())
            }
        };
        steps.push(StepOut { name: name.clone(), kind });
    }
    Ok(CreateOut {
        instance,
        is_configured: made.is_configured && missing.is_empty(),
        missing,
        config: made.config.clone(),
        dialog: made.dialog,
        icon: made.icon.map(str::to_owned),
        hosts: made.hosts.clone(),
        hosts_from_forms: made.hosts_from_forms,
        api: made.api.clone(),
        takes_events: made.takes_events,
        steps,
    })
}

fn instance(registry: &Registry, id: u64) -> Result<Arc<Instance>, Fault> {
    locked(&registry.instances).map().get(&id).cloned().ok_or_else(|| malformed("instance"))
}

/// What is to be polled, and under which id it waits if it has to.
struct Ready {
    id: u64,
    task: Task,
}

/// Starts or resumes a task and polls it once; after a panic its instance is made anew.
fn guarded_turn(
    registry: &Registry,
    ready: impl FnOnce() -> Result<Ready, Fault>,
    log: &mut Vec<LogLine>,
) -> Result<TaskOut, Fault> {
    let Ready { id, task } = guarded(ready)?;
    let (instance, host) = (task.instance, task.host.clone());
    let result = poll(registry, id, task);
    log.extend(host.take_log());
    if matches!(&result, Err(fault) if fault.kind == FaultKind::Panicked) {
        make_anew(registry, instance);
    }
    result
}

fn start(registry: &Registry, asked: StartIn) -> Result<Ready, Fault> {
    let instance = instance(registry, asked.instance)?;
    let host = Host::default();
    host.set_time(asked.now);
    let work = work(registry, &instance, asked.instance, asked.question, &host)?;
    Ok(Ready { id: registry.fresh_id(), task: Task { instance: asked.instance, host, work } })
}

fn work(registry: &Registry, instance: &Instance, id: u64, question: Question, host: &Host) -> Result<Work, Fault> {
    match question {
        Question::View { view, request, state } => {
            let found = instance.made.pipeline.steps.iter().find(|(name, _)| *name == view);
            let Some((_, Kind::View(view))) = found else { return Err(malformed("view")) };
            let state = Arc::new(Mutex::new(state));
            let step = Step::new(request, state.clone(), host.clone());
            let future = begun(registry, id, || view.clone().dispatch(step))?;
            Ok(Work::View { future, state })
        }
        Question::OAuth2 { step, state } => {
            let found = instance.made.pipeline.steps.iter().find(|(name, _)| *name == step);
            let Some((_, Kind::OAuth2FromState(from_state))) = found else { return Err(malformed("OAuth 2.0 step")) };
            let from_state = from_state.clone();
            let future =
                Box::pin(
                    async move { from_state(&state).map(|oauth2| TaskResult::OAuth2 { oauth2: Box::new(oauth2) }) },
                );
            Ok(Work::Other { future })
        }
        Question::Unknown => Err(Fault::new(FaultKind::Unsupported, "this plugin does not know this question")),
        other => Ok(Work::Other {
            future: begun(registry, id, || instance.made.provider.clone().answer(other, host.clone()))?,
        }),
    }
}

/// A step may panic before its first await, where it is not an `async fn`.
fn begun<T>(registry: &Registry, instance: u64, begin: impl FnOnce() -> T) -> Result<T, Fault> {
    let result = guarded(|| Ok(begin()));
    if result.is_err() {
        make_anew(registry, instance);
    }
    result
}

fn resume(registry: &Registry, asked: ResumeIn) -> Result<Ready, Fault> {
    let task = locked(&registry.tasks).map().remove(&asked.task).ok_or_else(|| malformed("task"))?;
    task.host.set_time(asked.now);
    task.host.give(asked.input);
    Ok(Ready { id: asked.task, task })
}

fn poll(registry: &Registry, id: u64, mut task: Task) -> Result<TaskOut, Fault> {
    let polled = guarded(|| Ok(poll_once(&mut task.work)));
    match polled {
        Ok(Poll::Ready(turn)) => {
            dropped(task);
            turn.map(|turn| TaskOut { result: turn })
        }
        Ok(Poll::Pending) => match task.host.take_wants() {
            Some(want) => {
                locked(&registry.tasks).map().insert(id, task);
                let turn = match want {
                    HostRequest::Request(request) => TaskResult::Wants { task: id, request },
                    HostRequest::Token { grant, subject } => TaskResult::WantsToken { task: id, grant, subject },
                };
                Ok(TaskOut { result: turn })
            }
            None => {
                dropped(task);
                let message = "a step can only await what the host lends, like `step.send(request)`; \
                     a timer, a socket or a channel never wakes it";
                Err(Fault::new(FaultKind::Stalled, message))
            }
        },
        Err(fault) => {
            dropped(task);
            Err(fault)
        }
    }
}

fn poll_once(work: &mut Work) -> Poll<Result<TaskResult, Fault>> {
    let mut context = Context::from_waker(Waker::noop());
    let failed = |error: crate::Error| Fault::new(FaultKind::Failed, error.to_string());
    match work {
        Work::View { future, state } => future.as_mut().poll(&mut context).map(|answer| {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner).clone();
            answer.map(|answer| TaskResult::Answered { answer, state }).map_err(failed)
        }),
        Work::Other { future } => future.as_mut().poll(&mut context).map(|turn| turn.map_err(failed)),
    }
}

/// Replaces an instance that may be half changed. Where even that fails it is gone, and asking it is a fault.
fn make_anew(registry: &Registry, id: u64) {
    drop_tasks(registry, id);
    let Ok(old) = instance(registry, id) else { return };
    let made = guarded(|| (old.exporter.make)(&old.options));
    let replaced = {
        let mut instances = locked(&registry.instances);
        match (instances.map().remove(&id), made) {
            (Some(replaced), Ok(made)) => {
                let fresh = Arc::new(Instance { exporter: old.exporter, options: old.options.clone(), made });
                instances.map().insert(id, fresh);
                Some(replaced)
            }
            // Dropped meanwhile: it stays dropped.
            (replaced, _) => replaced,
        }
    };
    dropped((old, replaced));
}

fn drop_tasks(registry: &Registry, instance: u64) {
    let tasks: Vec<Task> = {
        let mut tasks = locked(&registry.tasks);
        tasks.map().extract_if(|_, task| task.instance == instance).map(|(_, task)| task).collect()
    };
    tasks.into_iter().for_each(dropped);
}

fn forget(registry: &Registry, asked: DropIn) -> Result<serde_json::Value, Fault> {
    if let Some(task) = asked.task {
        let task = locked(&registry.tasks).map().remove(&task);
        dropped(task);
    }
    if let Some(id) = asked.instance {
        let instance = locked(&registry.instances).map().remove(&id);
        drop_tasks(registry, id);
        dropped(instance);
    }
    Ok(serde_json::json!({}))
}

#[cfg(test)]
#[path = "glue_tests.rs"]
mod tests;
