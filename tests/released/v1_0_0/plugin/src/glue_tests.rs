//! The glue, called as a host calls it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use jackfield_plugin_abi::envelope::{HttpResponse, Input};
use serde_json::{Value, json};

use super::*;
use crate::{Answer, HttpRequest, Integration, NoOptions, Pipeline, Provider, Result as AuthorResult, value};

static CREATED: AtomicU32 = AtomicU32::new(0);
static DROP_PANICS: AtomicBool = AtomicBool::new(false);

/// Misbehaves in the way that the name of the step says.
struct Misbehaving;

impl Provider for Misbehaving {
    type Options = Value;
    const ID: &'static str = "misbehaving";
    const NAME: &'static str = "Misbehaving";

    fn new(options: Value) -> Self {
        assert!(options["new"] != "panic", "panicked in new");
        CREATED.fetch_add(1, Ordering::Relaxed);
        Self
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new()
            .view("panic", panics)
            .view("stall", stalls)
            .view("send", sends)
            .view("fail", fails)
            .view("eager", eager)
            .oauth2_with(at_their_instance)
    }

    async fn build_integration(&self, state: State, host: Host) -> AuthorResult<Integration> {
        host.warn("building");
        assert!(!state.contains_key("panic"), "panicked in build");
        Ok(Integration::new(value::<String>(&state, "id")?))
    }
}

fn at_their_instance(state: &State) -> AuthorResult<crate::OAuth2> {
    let url: String = value(state, "url")?;
    assert!(url != "panic", "panicked in the server");
    Ok(crate::OAuth2::new(format!("{url}/authorize"), format!("{url}/token")))
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        assert!(!DROP_PANICS.swap(false, Ordering::Relaxed), "panicked in drop");
    }
}

async fn panics(step: Step) -> AuthorResult<Answer> {
    step.host().info("about to panic");
    panic!("on purpose")
}

async fn stalls(_: Step) -> AuthorResult<Answer> {
    std::future::pending().await
}

async fn sends(mut step: Step) -> AuthorResult<Answer> {
    let answer = step.send(HttpRequest::get("https://a.example/one")).await?;
    step.bind("first", answer.text());
    let answer = step.send(HttpRequest::get("https://a.example/two")).await?;
    step.bind("second", answer.text());
    Ok(Answer::Next)
}

async fn fails(step: Step) -> AuthorResult<Answer> {
    step.value::<u32>("absent").map(|_| Answer::Next)
}

/// Panics before there is a future.
fn eager(_: Step) -> std::future::Ready<AuthorResult<Answer>> {
    panic!("before the first await")
}

struct Twin;

impl Provider for Twin {
    type Options = NoOptions;
    const ID: &'static str = "twin";
    const NAME: &'static str = "Twin";

    fn new(_: NoOptions) -> Self {
        Self
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new().view("same", fails).view("same", fails)
    }

    async fn build_integration(&self, _: State, _: Host) -> AuthorResult<Integration> {
        Ok(Integration::new("twin"))
    }
}

fn registry() -> Registry {
    Registry::new(|| vec![ProviderType::of::<Misbehaving>(), ProviderType::of::<Twin>()])
}

fn ask<T: DeserializeOwned>(registry: &Registry, op: &str, input: &Value) -> (Result<T, Fault>, Vec<String>) {
    let mut reply: Reply<T> =
        serde_json::from_slice(&call(registry, op, input.to_string().as_bytes())).expect("a reply");
    let log = reply.log.drain(..).map(|line| line.message).collect();
    (reply.into_result(), log)
}

fn created(registry: &Registry) -> u64 {
    let input = json!({"provider": "misbehaving", "options": {}});
    ask::<CreateOut>(registry, op::CREATE, &input).0.expect("it can be created").instance
}

fn view(registry: &Registry, instance: u64, name: &str) -> (Result<TaskOut, Fault>, Vec<String>) {
    ask(registry, op::START, &json!({"instance": instance, "question": {"kind": "view", "view": name}}))
}

fn fault(result: Result<TaskOut, Fault>) -> (FaultKind, String) {
    let fault = result.expect_err("it is a fault");
    (fault.kind, fault.message)
}

#[test]
fn all_exported_providers_are_listed() {
    let out: ProvidersOut = ask(&registry(), op::PROVIDERS, &json!({})).0.expect("a list");
    let ids: Vec<_> = out.providers.iter().map(|provider| provider.id.as_str()).collect();
    assert_eq!(ids, ["misbehaving", "twin"]);
}

#[test]
fn a_panic_is_reported_with_its_place_and_the_instance_is_created_again() {
    let registry = registry();
    let instance = created(&registry);
    let (waiting, _) = view(&registry, instance, "send");
    let Ok(TaskOut { result: TaskResult::AwaitsResponse { task, .. } }) = waiting else {
        panic!("it waits for an answer")
    };
    let created = CREATED.load(Ordering::Relaxed);
    let (result, log) = view(&registry, instance, "panic");
    let (kind, message) = fault(result);
    assert_eq!(kind, FaultKind::Panicked);
    assert!(message.starts_with("on purpose at ") && message.contains("glue_tests.rs:"), "{message}");
    assert_eq!(log, ["about to panic"], "what was logged before is not lost");
    assert!(CREATED.load(Ordering::Relaxed) > created);
    let resumed = ask::<TaskOut>(&registry, op::RESUME, &json!({"task": task, "input": {"kind": "failed"}})).0;
    assert_eq!(fault(resumed).0, FaultKind::Malformed, "its other tasks are gone");
    assert!(
        matches!(view(&registry, instance, "send").0, Ok(TaskOut { result: TaskResult::AwaitsResponse { .. } })),
        "and it works"
    );
}

#[test]
fn panics_everywhere_else_are_caught_too() {
    let registry = registry();
    let input = json!({"provider": "misbehaving", "options": {"new": "panic"}});
    let fault_of = ask::<CreateOut>(&registry, op::CREATE, &input).0.expect_err("it panics");
    assert_eq!(fault_of.kind, FaultKind::Panicked);
    let instance = created(&registry);
    assert_eq!(fault(view(&registry, instance, "eager").0).0, FaultKind::Panicked);
    let build = json!({"instance": instance, "question": {"kind": "build-integration", "state": {"panic": 1}}});
    assert_eq!(fault(ask(&registry, op::START, &build).0).0, FaultKind::Panicked);
    DROP_PANICS.store(true, Ordering::Relaxed);
    assert!(ask::<Value>(&registry, op::DROP, &json!({"instance": instance})).0.is_ok());
    let lists: Registry = Registry::new(|| panic!("panicked in the list"));
    assert_eq!(
        ask::<ProvidersOut>(&lists, op::PROVIDERS, &json!({})).0.expect_err("it panics").kind,
        FaultKind::Panicked
    );
}

#[test]
fn a_stall_is_reported() {
    let registry = registry();
    let instance = created(&registry);
    let (kind, message) = fault(view(&registry, instance, "stall").0);
    assert_eq!(kind, FaultKind::Stalled);
    assert!(message.contains("step.send(request)"), "{message}");
}

#[test]
fn requests_are_sent_one_after_the_other_and_resumed_with_their_responses() {
    let registry = registry();
    let instance = created(&registry);
    let mut out = view(&registry, instance, "send").0.expect("it asks");
    for (url, body) in [("https://a.example/one", "1"), ("https://a.example/two", "2")] {
        let TaskResult::AwaitsResponse { task, request } = out.result else { panic!("it asks for {url}") };
        assert_eq!((request.method.as_str(), request.url.as_str()), ("GET", url));
        let response = Input::Response { response: HttpResponse::new(200, body) };
        let input = serde_json::to_value(ResumeIn { task, input: response, now: 0 }).expect("plain JSON");
        out = ask(&registry, op::RESUME, &input).0.expect("it goes on");
    }
    let TaskResult::Answered { answer: Answer::Next, state } = out.result else { panic!("it is done") };
    assert_eq!(Value::Object(state), json!({"first": "1", "second": "2"}));
}

#[test]
fn a_request_that_fails_is_an_error_in_the_step() {
    let registry = registry();
    let instance = created(&registry);
    let Ok(TaskOut { result: TaskResult::AwaitsResponse { task, .. } }) = view(&registry, instance, "send").0 else {
        panic!("it asks")
    };
    let input = json!({"task": task, "input": {"kind": "failed", "message": "private address"}});
    assert_eq!(fault(ask(&registry, op::RESUME, &input).0), (FaultKind::Failed, "private address".to_owned()));
    assert_eq!(fault(ask(&registry, op::RESUME, &input).0).0, FaultKind::Malformed, "the task is over");
}

#[test]
fn what_does_not_exist_or_cannot_be_read_is_reported() {
    let registry = registry();
    let instance = created(&registry);
    assert_eq!(fault(view(&registry, instance, "none").0).0, FaultKind::Malformed);
    assert_eq!(fault(view(&registry, 999, "panic").0).0, FaultKind::Malformed);
    assert_eq!(
        fault(view(&registry, instance, "fail").0),
        (FaultKind::Failed, "`absent` was not bound by any step".into())
    );
    let unknown = json!({"instance": instance, "question": {"kind": "of-the-future"}});
    assert_eq!(fault(ask(&registry, op::START, &unknown).0).0, FaultKind::Unsupported);
    assert_eq!(fault(ask(&registry, "of-the-future", &json!({})).0).0, FaultKind::Unsupported);
    assert_eq!(fault(ask(&registry, op::START, &json!("no envelope")).0).0, FaultKind::Malformed);
    let none = json!({"provider": "none"});
    assert_eq!(ask::<CreateOut>(&registry, op::CREATE, &none).0.expect_err("none").kind, FaultKind::Malformed);
}

#[test]
fn two_steps_of_one_name_are_refused() {
    let fault = ask::<CreateOut>(&registry(), op::CREATE, &json!({"provider": "twin"})).0.expect_err("it is refused");
    assert_eq!(fault.message, "two steps are named `same`; give each its own name");
}

#[test]
fn the_authorization_server_depends_on_the_state() {
    let registry = registry();
    let instance = created(&registry);
    let server = |step: &str, state: Value| {
        let question = json!({"kind": "oauth2", "step": step, "state": state});
        ask::<TaskOut>(&registry, op::START, &json!({"instance": instance, "question": question})).0
    };
    let Ok(TaskOut { result: TaskResult::OAuth2 { oauth2 } }) = server("oauth2", json!({"url": "https://a"})) else {
        panic!("it returns the server")
    };
    assert_eq!((oauth2.authorize_url.as_str(), oauth2.token_url.as_str()), ("https://a/authorize", "https://a/token"));
    assert_eq!(fault(server("oauth2", json!({}))), (FaultKind::Failed, "`url` was not bound by any step".to_owned()));
    assert_eq!(fault(server("send", json!({}))).0, FaultKind::Malformed, "a step of another kind");
    assert_eq!(fault(server("oauth2", json!({"url": "panic"}))).0, FaultKind::Panicked);
    assert!(server("oauth2", json!({"url": "https://a"})).is_ok(), "and it works again");
}
