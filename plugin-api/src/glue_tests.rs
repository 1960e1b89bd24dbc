//! The glue, asked as a host asks it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use jackfield_plugin_abi::envelope::{HttpResponse, Input};
use serde_json::{Value, json};

use super::*;
use crate::{
    HttpRequest, Integration, NoOptions, Pipeline, Provider, Result as AuthorResult,
    export::{Exporter, Registry},
    value,
};

static MADE: AtomicU32 = AtomicU32::new(0);
static DROP_PANICS: AtomicBool = AtomicBool::new(false);

/// Does what its steps are named after.
struct Misbehaving;

impl Provider for Misbehaving {
    type Options = Value;
    const ID: &'static str = "misbehaving";
    const NAME: &'static str = "Misbehaving";

    fn new(options: Value) -> Self {
        assert!(options["new"] != "panic", "panicked in new");
        MADE.fetch_add(1, Ordering::Relaxed);
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

/// Panics before there is a future at all.
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
    Registry::new(|| vec![Exporter::of::<Misbehaving>(), Exporter::of::<Twin>()])
}

fn ask<T: DeserializeOwned>(registry: &Registry, op: &str, asked: &Value) -> (Result<T, Fault>, Vec<String>) {
    let mut reply: Reply<T> =
        serde_json::from_slice(&call(registry, op, asked.to_string().as_bytes())).expect("a reply");
    let log = reply.log.drain(..).map(|line| line.message).collect();
    (reply.into_result(), log)
}

fn created(registry: &Registry) -> u64 {
    let asked = json!({"provider": "misbehaving", "options": {}});
    ask::<CreateOut>(registry, op::CREATE, &asked).0.expect("it can be made").instance
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
fn a_panic_is_told_with_its_place_and_the_instance_is_made_anew() {
    let registry = registry();
    let instance = created(&registry);
    let (waiting, _) = view(&registry, instance, "send");
    let Ok(TaskOut { result: TaskResult::Wants { task, .. } }) = waiting else { panic!("it waits for an answer") };
    let made = MADE.load(Ordering::Relaxed);
    let (result, log) = view(&registry, instance, "panic");
    let (kind, message) = fault(result);
    assert_eq!(kind, FaultKind::Panicked);
    assert!(message.starts_with("on purpose at ") && message.contains("glue_tests.rs:"), "{message}");
    assert_eq!(log, ["about to panic"], "what was logged before is not lost");
    assert!(MADE.load(Ordering::Relaxed) > made);
    let resumed = ask::<TaskOut>(&registry, op::RESUME, &json!({"task": task, "input": {"kind": "failed"}})).0;
    assert_eq!(fault(resumed).0, FaultKind::Malformed, "its other tasks are gone");
    assert!(
        matches!(view(&registry, instance, "send").0, Ok(TaskOut { result: TaskResult::Wants { .. } })),
        "and it works"
    );
}

#[test]
fn panics_everywhere_else_are_caught_too() {
    let registry = registry();
    let asked = json!({"provider": "misbehaving", "options": {"new": "panic"}});
    let fault_of = ask::<CreateOut>(&registry, op::CREATE, &asked).0.expect_err("it panics");
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
fn a_stall_is_told() {
    let registry = registry();
    let instance = created(&registry);
    let (kind, message) = fault(view(&registry, instance, "stall").0);
    assert_eq!(kind, FaultKind::Stalled);
    assert!(message.contains("step.send(request)"), "{message}");
}

#[test]
fn requests_are_asked_for_one_after_the_other_and_their_answers_given_back() {
    let registry = registry();
    let instance = created(&registry);
    let mut out = view(&registry, instance, "send").0.expect("it asks");
    for (url, body) in [("https://a.example/one", "1"), ("https://a.example/two", "2")] {
        let TaskResult::Wants { task, request } = out.result else { panic!("it asks for {url}") };
        assert_eq!((request.method.as_str(), request.url.as_str()), ("GET", url));
        let input = Input::Response { response: HttpResponse::new(200, body) };
        let asked = serde_json::to_value(ResumeIn { task, input, now: 0 }).expect("plain JSON");
        out = ask(&registry, op::RESUME, &asked).0.expect("it goes on");
    }
    let TaskResult::Answered { answer: Answer::Next, state } = out.result else { panic!("it is done") };
    assert_eq!(Value::Object(state), json!({"first": "1", "second": "2"}));
}

#[test]
fn a_request_that_fails_is_an_error_in_the_step() {
    let registry = registry();
    let instance = created(&registry);
    let Ok(TaskOut { result: TaskResult::Wants { task, .. } }) = view(&registry, instance, "send").0 else {
        panic!("it asks")
    };
    let asked = json!({"task": task, "input": {"kind": "failed", "message": "private address"}});
    assert_eq!(fault(ask(&registry, op::RESUME, &asked).0), (FaultKind::Failed, "private address".to_owned()));
    assert_eq!(fault(ask(&registry, op::RESUME, &asked).0).0, FaultKind::Malformed, "the task is over");
}

#[test]
fn what_is_not_there_or_cannot_be_read_is_told() {
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
fn options_that_do_not_fit_are_told_all_at_once_and_without_values() {
    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "only read from options")]
    struct Typed {
        port: u16,
        proxy: Option<Nested>,
    }
    #[derive(serde::Deserialize)]
    #[allow(dead_code, reason = "only read from options")]
    struct Nested {
        url: String,
    }
    let diagnostics = |options: Value| {
        let Value::Object(options) = options else { panic!("an object") };
        let fault = crate::export::read_options::<Typed>(&options).err().expect("they do not fit");
        fault.options.into_iter().map(|one| format!("{}: {}", one.key, one.message)).collect::<Vec<_>>()
    };
    assert_eq!(diagnostics(json!({"port": "hunter2"})), ["port: invalid type: string, expected u16"]);
    let nested = json!({"port": 1, "proxy": {"url": 3}, "prot": 2});
    assert_eq!(diagnostics(nested), ["prot: unknown option", "proxy.url: invalid type: integer, expected a string"]);
    assert_eq!(diagnostics(json!({})), ["port: missing field `port`"]);
}

#[test]
fn the_authorization_server_is_told_from_the_state() {
    let registry = registry();
    let instance = created(&registry);
    let told = |step: &str, state: Value| {
        let question = json!({"kind": "oauth2", "step": step, "state": state});
        ask::<TaskOut>(&registry, op::START, &json!({"instance": instance, "question": question})).0
    };
    let Ok(TaskOut { result: TaskResult::OAuth2 { oauth2 } }) = told("oauth2", json!({"url": "https://a"})) else {
        panic!("it tells the server")
    };
    assert_eq!((oauth2.authorize_url.as_str(), oauth2.token_url.as_str()), ("https://a/authorize", "https://a/token"));
    assert_eq!(fault(told("oauth2", json!({}))), (FaultKind::Failed, "`url` was not bound by any step".to_owned()));
    assert_eq!(fault(told("send", json!({}))).0, FaultKind::Malformed, "a step of another kind");
    assert_eq!(fault(told("oauth2", json!({"url": "panic"}))).0, FaultKind::Panicked);
    assert!(told("oauth2", json!({"url": "https://a"})).is_ok(), "and it works again");
}
