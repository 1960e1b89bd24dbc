//! Today's plugins, and one of 1.0.0, in a host of the future: they answer what they know as
//! before, and report what they do not know.

use anyhow::Result;
use serde_json::{Value, json};

use crate::compatibility::worker_client::WorkerLine;

/// An op and its envelope.
type Question = (&'static str, Value);

const LIBRARIES: [&str; 3] = ["example", "slack", "released_v1_0_0"];

fn view(name: &str, request: Value, state: Value) -> Question {
    asked(json!({"kind": "view", "view": name, "request": request, "state": state}))
}

fn build(state: Value) -> Question {
    asked(json!({"kind": "build-integration", "state": state}))
}

fn asked(question: Value) -> Question {
    ("start", json!({"instance": 1, "question": question, "now": 1_800_000_000}))
}

fn created(provider: &str, options: Value) -> Question {
    ("create", json!({"provider": provider, "options": options}))
}

fn resume(task: u64, input: Value) -> Question {
    ("resume", json!({"task": task, "input": input, "now": 1_800_000_001}))
}

fn get() -> Value {
    json!({"method": "GET", "query": [["a", "b"]], "form": [], "setup_url": "https://j.example/setup/"})
}

fn post(form: Value) -> Value {
    json!({"method": "POST", "query": [], "form": form, "setup_url": "https://j.example/setup/"})
}

/// The first question to a library.
fn making(library: &str) -> Question {
    match library {
        "slack" => created("slack", json!({"client-id": "id", "client-secret": "s"})),
        "example" => created("example", json!({})),
        _ => created("released-workshop", json!({"url": "https://api.example.com/", "key": "k"})),
    }
}

/// A conversation with a library about everything it knows.
fn conversation(library: &str) -> Vec<Question> {
    let mut questions = vec![("providers", json!({})), making(library)];
    questions.extend(match library {
        "example" => vec![
            view("name", get(), json!({})),
            view("name", post(json!([["name", "Ada"]])), json!({"kept": {"as": ["it", "is"]}})),
            build(json!({"name": "Ada"})),
            view("no-such-step", get(), json!({})),
        ],
        "slack" => vec![
            build(
                json!({"data": {"ok": true, "access_token": "x", "team": {"id": "T1"}, "authed_user": {"id": "U1"}}}),
            ),
            build(json!({"data": {"ok": false, "error": "invalid_code"}})),
            asked(json!({"kind": "event", "call": {"method": "POST", "headers": [["x", "y"]], "body": "aGk="}})),
        ],
        _ => vec![
            view("page", post(json!([["name", "Ada"]])), json!({})),
            view("form", get(), json!({})),
            view("away", get(), json!({})),
            view("page", post(json!([["name", "panic"]])), json!({})),
            view("page", post(json!([["name", "error"]])), json!({})),
            // Task ids are counted over the instance and the earlier questions.
            view("call", get(), json!({"amount": 7})),
            resume(
                7,
                json!({"kind": "response", "response": {"status": 200, "headers": [["x", "y"]], "body": "aGk="}}),
            ),
            resume(7, json!({"kind": "failed", "message": "not today"})),
            build(json!({"name": "Ada", "called": 1})),
            asked(json!({"kind": "refresh", "grant": {"name": "own", "access_token": "a"}, "metadata": {"called": 1}})),
            asked(json!({"kind": "revoke", "leaving": {"external_id": "w-Ada", "grants": [{"name": "own"}], "is_whole": true}})),
            asked(json!({"kind": "webhook", "call": {"method": "POST", "query": [["grant", "own"]]}, "state": {}})),
            resume(11, json!({"kind": "token", "grant": {"name": "own", "access_token": "a", "scopes": ["read"]}})),
            asked(json!({"kind": "webhook", "call": {"method": "POST"}, "state": {}})),
            resume(12, json!({"kind": "failed", "message": "no token"})),
            asked(json!({"kind": "event", "call": {"method": "POST"}})),
        ],
    });
    questions.push(("drop", json!({"instance": 1})));
    questions
}

/// Adds an unknown field to every object, except options, states and metadata, whose keys have a
/// meaning.
fn of_the_future(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(of_the_future).collect(),
        Value::Object(object) => {
            let is_own = |key: &str| matches!(key, "options" | "state" | "metadata");
            let more = |(key, value): (&String, &Value)| {
                (key.clone(), if is_own(key) { value.clone() } else { of_the_future(value) })
            };
            let fields = object.iter().map(more);
            let added = ("of-the-future".to_owned(), json!({"kind": "of-the-future", "more": [1, null, {}]}));
            Value::Object(fields.chain([added]).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn fields_that_nobody_knows_yet_change_no_answer() -> Result<()> {
    for library in LIBRARIES {
        let (mut today, mut future) = (WorkerLine::start(library)?, WorkerLine::start(library)?);
        let mut known = 0;
        for (op, body) in conversation(library) {
            let reply = today.ask(op, &body)?;
            assert_eq!(future.ask(op, &of_the_future(&body))?, reply, "{library}: {op} {body}");
            known += usize::from(!reply["ok"].is_null());
        }
        assert!(known >= 4, "{library} was asked what it knows");
        today.end()?;
        future.end()?;
    }
    Ok(())
}

#[test]
fn the_conversation_goes_through_every_kind_of_task_result() -> Result<()> {
    let mut line = WorkerLine::start("released_v1_0_0")?;
    let mut came = Vec::new();
    for (op, body) in conversation("released_v1_0_0") {
        let reply = line.ask(op, &body)?;
        let turn = &reply["ok"]["turn"];
        let kinds = [&turn["kind"], &turn["answer"]["kind"], &reply["fault"]["kind"]];
        came.push(kinds.into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
    }
    let expected = [
        "answered next",
        "answered form",
        "answered redirect",
        "panicked",
        "answered error",
        "wants",
        "wants",
        "answered next",
        "built",
        "refreshed",
        "revoked",
        "wants-token",
        "received",
        "wants-token",
        "failed",
        "told",
        "",
    ];
    // The answers that list and make providers have no task result.
    assert_eq!(came[2..], expected);
    line.end()
}

#[test]
fn ops_and_questions_that_nobody_knows_yet_are_unsupported_and_hurt_nothing() -> Result<()> {
    for library in LIBRARIES {
        let mut line = WorkerLine::start(library)?;
        let (op, body) = making(library);
        let before = line.ask(op, &body)?["ok"].clone();
        let question = json!({"kind": "of-the-future", "with": {"more": [1]}, "state": 7});
        for (op, body) in [
            ("of-the-future", json!({"anything": [1]})),
            ("", json!(null)),
            ("start", json!({"instance": 1, "question": question, "now": 7})),
            ("start", json!({"instance": 1, "question": {}})),
        ] {
            let reply = line.ask(op, &body)?;
            let kind = reply["fault"]["kind"].as_str().unwrap_or_default();
            let expected = if body["question"] == json!({}) { "malformed" } else { "unsupported" };
            assert_eq!(kind, expected, "{library}: {op:?} {body}: {reply}");
        }
        let again = line.ask(op, &body)?["ok"].clone();
        assert_eq!((&again["steps"], &again["icon"]), (&before["steps"], &before["icon"]), "{library} goes on");
        line.end()?;
    }
    Ok(())
}

#[test]
fn a_plugin_without_events_answers_404_and_one_with_events_verifies_them() -> Result<()> {
    let event = || asked(json!({"kind": "event", "call": {"method": "POST", "body": "e30="}}));
    for (library, at, expected) in [
        // These two handle no events.
        ("released_v1_0_0", "/ok/turn/told/answer/status", json!(404)),
        ("example", "/ok/turn/told/answer/status", json!(404)),
        ("slack", "/ok/turn/told", json!({"answer": {"status": 401}})),
    ] {
        let mut line = WorkerLine::start(library)?;
        let (op, body) = making(library);
        let made = line.ask(op, &body)?;
        assert_eq!(made["ok"]["takes_events"], Value::Null, "{library}: it is said by who takes them");
        let (op, body) = event();
        let reply = line.ask(op, &body)?;
        assert_eq!(reply.pointer(at), Some(&expected), "{library}: {reply}");
        line.end()?;
    }
    Ok(())
}

#[test]
fn an_input_that_nobody_knows_yet_is_an_error_of_the_step_that_waits_for_it() -> Result<()> {
    let mut line = WorkerLine::start("released_v1_0_0")?;
    let ask = |line: &mut WorkerLine, (op, body): Question| line.ask(op, &body);
    ask(&mut line, making("released_v1_0_0"))?;
    let wants = ask(&mut line, view("call", get(), json!({"amount": 7})))?;
    let task = wants["ok"]["turn"]["task"].as_u64().unwrap_or_default();
    let fault = ask(&mut line, resume(task, json!({"kind": "of-the-future", "with": {"more": 1}})))?["fault"].clone();
    let words = "the host gave an input that this plugin does not know";
    assert_eq!(fault, json!({"kind": "failed", "message": words}));
    let gone = ask(&mut line, resume(task, json!({"kind": "failed", "message": ""})))?;
    assert_eq!(gone["fault"]["kind"], "malformed", "the task has ended: {gone}");
    let next = ask(&mut line, view("page", post(json!([["name", "Ada"]])), json!({})))?;
    assert_eq!(next["ok"]["turn"]["answer"]["kind"], "next", "the instance continues");
    line.end()
}
