//! Pins the shape of every envelope: what is in these snapshots is what released plugins and hosts
//! say to each other.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::*;

/// What is sent, and that it is read back as the same.
fn sent<T: Serialize + DeserializeOwned>(value: &T) -> String {
    let text = serde_json::to_string(value).expect("envelopes are plain JSON");
    let read: T = serde_json::from_str(&text).expect("an envelope is read back");
    assert_eq!(serde_json::to_string(&read).expect("plain JSON"), text);
    text
}

fn state() -> State {
    [("a".to_owned(), json!(1))].into_iter().collect()
}

#[test]
fn a_form_is_encoded_as_browsers_do() {
    let request = HttpRequest::post("https://a/").form([("a b", "c&d=e"), ("ü", "1.2-3_4*5")]);
    assert_eq!(String::from_utf8_lossy(&request.body), "a+b=c%26d%3De&%C3%BC=1.2-3_4*5");
    assert_eq!(request.headers, [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())]);
}

#[test]
fn providers_and_create() {
    let out =
        ProvidersOut { providers: vec![NamedProvider { id: "a".into(), name: "A".into(), options: vec!["o".into()] }] };
    insta::assert_snapshot!(sent(&out), @r#"{"providers":[{"id":"a","name":"A","options":["o"]}]}"#);
    let asked = CreateIn { provider: "a".into(), options: state() };
    insta::assert_snapshot!(sent(&asked), @r#"{"provider":"a","options":{"a":1}}"#);
    let oauth2 = OAuth2::new("https://a/", "https://t/").client("id", "s").scopes(["x"]).authorize_parameter("p", "q");
    let oauth2 = oauth2.client_authentication(ClientAuthentication::Basic).token_request(TokenRequest::Json);
    let oauth2 = oauth2.revocation_url("https://r/");
    let out = CreateOut {
        instance: 1,
        is_configured: true,
        missing: vec!["m".into()],
        config: vec![Field::new(FieldType::Select, "f", "F").choice("v", "V").help("h").optional()],
        dialog: Dialog::default(),
        icon: Some("<svg/>".into()),
        hosts: vec!["h".into()],
        allows_user_supplied_hosts: true,
        api: Some(Api::new("https://a/").header("x-t", Api::ACCESS_TOKEN)),
        handles_events: true,
        inbox: None,
        steps: vec![
            Step { name: "s".into(), kind: StepKind::View },
            Step { name: "o".into(), kind: StepKind::OAuth2(Box::new(oauth2)) },
            Step { name: "p".into(), kind: StepKind::OAuth2FromState },
        ],
    };
    insta::assert_snapshot!(sent(&out), @r#"{"instance":1,"is_configured":true,"missing":["m"],"config":[{"name":"f","label":"F","type":"select","required":false,"help":"h","choices":[{"value":"v","label":"V"}]}],"dialog":{"width":600,"height":600},"icon":"<svg/>","hosts":["h"],"hosts_from_forms":true,"api":{"url":"https://a/","headers":[["x-t","{access-token}"]]},"takes_events":true,"steps":[{"name":"s","kind":{"kind":"view"}},{"name":"o","kind":{"kind":"oauth2","client_id":"id","client_secret":"s","authorize_url":"https://a/","token_url":"https://t/","scopes":["x"],"scope_separator":" ","authorize_parameters":[["p","q"]],"token_parameters":[],"pkce":true,"client_authentication":"basic","token_request":"json","revocation_url":"https://r/"}},{"name":"p","kind":{"kind":"oauth2-from-state"}}]}"#);
}

#[test]
fn an_inbox_and_what_a_plugin_delivers() {
    let inbox = Inbox::hmac_sha256("x-s", "hush").prefix("v0=").template("v0:{timestamp}:{body}");
    let inbox = inbox.timestamp("header:x-t").delivery_id("body:id").account("body:a").account_if("body:c", "body:b");
    let inbox = inbox.challenge("body:challenge").pass_header("x-k").encoding(SignatureEncoding::Base64);
    insta::assert_snapshot!(sent(&inbox), @r#"{"header":"x-s","prefix":"v0=","algorithm":"hmac-sha256","encoding":"base64","template":"v0:{timestamp}:{body}","timestamp":"header:x-t","tolerance":300,"secret":"hush","secret_encoding":"text","delivery_id":"body:id","accounts":[{"at":"body:a"},{"at":"body:b","if":"body:c"}],"challenges":["body:challenge"],"headers":["x-k"]}"#);
    insta::assert_snapshot!(sent(&Inbox::unsigned().challenge("method:head")), @r#"{"header":"","algorithm":"hmac-sha256","encoding":"hex","tolerance":300,"secret_encoding":"text","challenges":["method:head"]}"#);
    let later: Inbox = serde_json::from_value(json!({"algorithm": "x", "encoding": "x", "secret_encoding": "x"}))
        .expect("words of a later version");
    assert_eq!((later.algorithm, later.encoding), (SignatureAlgorithm::Unknown, SignatureEncoding::Unknown));
    let answer = WebhookAnswer::new(204).deliver(Delivery::new("hi").id("d").external_id("e").header("X-H", "v"));
    insta::assert_snapshot!(sent(&answer), @r#"{"status":204,"deliveries":[{"id":"d","external_id":"e","headers":[["x-h","v"]],"body":"aGk="}]}"#);
    let request = WebhookRequest::new("POST", "hi").with_integration(WebhookIntegration::new("e", "E")).verified();
    insta::assert_snapshot!(sent(&request), @r#"{"method":"POST","query":[],"headers":[],"body":"aGk=","integration":{"external_id":"e","name":"E"},"is_verified":true}"#);
}

#[test]
fn a_server_that_is_known_by_its_issuer() {
    let oauth2 = OAuth2::discover("https://i/").client("id", "").private_key("p").key_id("k").userinfo();
    insta::assert_snapshot!(sent(&oauth2), @r#"{"client_id":"id","client_secret":"","private_key":"p","key_id":"k","issuer":"https://i/","authorize_url":"","token_url":"","scopes":[],"scope_separator":" ","authorize_parameters":[],"token_parameters":[],"pkce":true,"client_authentication":"private-key-jwt","token_request":"form","userinfo":true}"#);
    let announced = json!(ClientAuthentication::Discovered);
    assert_eq!(announced, json!("announced"));
}

#[test]
fn a_plugin_from_before_there_was_pkce_keeps_the_requests_it_was_written_for() {
    let old: OAuth2 = serde_json::from_value(json!({"client_id": "id", "token_url": "https://t/"})).expect("old JSON");
    assert!(!old.pkce && OAuth2::new("https://a/", "https://t/").pkce);
    assert_eq!((old.client_authentication, old.token_request), (ClientAuthentication::Post, TokenRequest::Form));
}

#[test]
fn questions_and_inputs() {
    let mut request = Request::new("POST", "https://j/");
    request.query.push(("q".into(), "1".into()));
    request.form.push(("f".into(), "2".into()));
    let view = Question::View { view: "v".into(), request, state: state() };
    insta::assert_snapshot!(sent(&StartIn { instance: 1, question: view, now: 7 }), @r#"{"instance":1,"question":{"kind":"view","view":"v","request":{"method":"POST","query":[["q","1"]],"form":[["f","2"]],"setup_url":"https://j/"},"state":{"a":1}},"now":7}"#);
    let build = Question::BuildIntegration { state: state() };
    insta::assert_snapshot!(sent(&StartIn { instance: 1, question: build, now: 7 }), @r#"{"instance":1,"question":{"kind":"build-integration","state":{"a":1}},"now":7}"#);
    let endpoints = Question::OAuth2 { step: "o".into(), state: state() };
    insta::assert_snapshot!(sent(&endpoints), @r#"{"kind":"oauth2","step":"o","state":{"a":1}}"#);
    let call = WebhookRequest::new("POST", "hi").with_header("X-Y", "z").with_query("q", "1");
    let webhook = Question::Webhook { request: call, state: state() };
    insta::assert_snapshot!(sent(&webhook), @r#"{"kind":"webhook","call":{"method":"POST","query":[["q","1"]],"headers":[["x-y","z"]],"body":"aGk="},"state":{"a":1}}"#);
    let mut waits = Request::new("GET", "https://j/");
    waits.webhook_url = "https://j/w/".into();
    insta::assert_snapshot!(sent(&waits), @r#"{"method":"GET","query":[],"form":[],"setup_url":"https://j/","webhook_url":"https://j/w/"}"#);
    let response = HttpResponse::new(200, "hi").with_header("X-Y", "z");
    insta::assert_snapshot!(sent(&ResumeIn { task: 2, input: Input::Response { response }, now: 8 }), @r#"{"task":2,"input":{"kind":"response","response":{"status":200,"headers":[["x-y","z"]],"body":"aGk="}},"now":8}"#);
    insta::assert_snapshot!(sent(&Input::Failed { message: "m".into() }), @r#"{"kind":"failed","message":"m"}"#);
    insta::assert_snapshot!(sent(&DropIn { task: Some(1), instance: None }), @r#"{"task":1}"#);
}

#[test]
fn turns_and_answers() {
    let request = HttpRequest::post("https://a/").bearer_auth("t").json(&json!({"k": 1}));
    insta::assert_snapshot!(sent(&TaskOut { result: TaskResult::AwaitsResponse { task: 3, request } }), @r#"{"turn":{"kind":"wants","task":3,"request":{"method":"POST","url":"https://a/","headers":[["authorization","Bearer t"],["content-type","application/json"]],"body":"eyJrIjoxfQ=="}}}"#);
    let answered = TaskResult::Answered { answer: Answer::Next, state: state() };
    insta::assert_snapshot!(sent(&answered), @r#"{"kind":"answered","answer":{"kind":"next"},"state":{"a":1}}"#);
    let identity = Identity::new("t", "i", "e").scopes(["s"]).data("d", 1);
    let integration = Integration::new("x").name("n").metadata("m", 1).identity(identity);
    insta::assert_snapshot!(sent(&TaskResult::Built { integration }), @r#"{"kind":"built","integration":{"external_id":"x","name":"n","metadata":{"m":1},"identity":{"type":"t","instance":"i","external_id":"e","scopes":["s"],"data":{"d":1}}}}"#);
    let oauth2 = TaskResult::OAuth2 { oauth2: Box::new(OAuth2::new("https://a/", "https://t/").client("id", "s")) };
    insta::assert_snapshot!(sent(&oauth2), @r#"{"kind":"oauth2","oauth2":{"client_id":"id","client_secret":"s","authorize_url":"https://a/","token_url":"https://t/","scopes":[],"scope_separator":" ","authorize_parameters":[],"token_parameters":[],"pkce":true,"client_authentication":"post","token_request":"form"}}"#);
    let own = OAuth2 { client_id: String::new(), ..OAuth2::new("https://a/", "https://t/") };
    let own = own.refresh_url("https://r/").refresh_parameter("type", "refresh").refresh_refused(["DEAD"]);
    insta::assert_snapshot!(sent(&own), @r#"{"client_id":"","client_secret":"","authorize_url":"https://a/","token_url":"https://t/","scopes":[],"scope_separator":" ","authorize_parameters":[],"token_parameters":[],"refresh_url":"https://r/","refresh_parameters":[["type","refresh"]],"refresh_refused":["DEAD"],"pkce":true,"client_authentication":"post","token_request":"form"}"#);
    let api = Api::new("https://a/").account(AccountApi::new("/instance_url", ["*.a.example"]));
    insta::assert_snapshot!(sent(&api), @r#"{"url":"https://a/","account":{"pointer":"/instance_url","hosts":["*.a.example"],"url":"{value}/"}}"#);
    let received = WebhookResponse::new(200).with_body("text/plain", "hi").bind("b", 1);
    insta::assert_snapshot!(sent(&TaskResult::WebhookHandled { response: received }), @r#"{"kind":"received","answer":{"status":200,"content_type":"text/plain","body":"aGk=","bind":{"b":1}}}"#);
    insta::assert_snapshot!(sent(&TaskResult::WebhookHandled { response: WebhookResponse::new(204) }), @r#"{"kind":"received","answer":{"status":204}}"#);
    insta::assert_snapshot!(sent(&Answer::wait("<p>")), @r#"{"kind":"wait","html":"<p>"}"#);
    let form = Form::new("t").field(Field::text("f", "F")).value("f", "v").error("f", "e");
    insta::assert_snapshot!(sent(&Answer::form(form)), @r#"{"kind":"form","form":{"title":"t","fields":[{"name":"f","label":"F","type":"text","required":true}],"values":{"f":"v"},"errors":{"f":"e"},"submit":""}}"#);
    insta::assert_snapshot!(sent(&Answer::html("<p>")), @r#"{"kind":"html","html":"<p>"}"#);
    insta::assert_snapshot!(sent(&Answer::redirect("https://a/")), @r#"{"kind":"redirect","url":"https://a/"}"#);
    insta::assert_snapshot!(sent(&Answer::error("m")), @r#"{"kind":"error","message":"m"}"#);
}

#[test]
fn grants_are_asked_for_refreshed_and_revoked() {
    let grant =
        || Grant::new("bot", "a").subject("U1").refresh_token("r").expires_in(60).scopes(["s"]).step("oauth2-2");
    let refresh = Question::Refresh { grant: Box::new(grant()), metadata: state() };
    insta::assert_snapshot!(sent(&refresh), @r#"{"kind":"refresh","grant":{"name":"bot","subject":"U1","step":"oauth2-2","access_token":"a","refresh_token":"r","expires_in":60,"scopes":["s"]},"metadata":{"a":1}}"#);
    let revoke = Question::Revoke { request: RevokeRequest::uninstall("x", state(), vec![Grant::new("bot", "a")]) };
    insta::assert_snapshot!(sent(&revoke), @r#"{"kind":"revoke","leaving":{"external_id":"x","metadata":{"a":1},"grants":[{"name":"bot","subject":"","access_token":"a"}],"is_whole":true,"is_connected":false}}"#);
    let wants = TaskResult::AwaitsToken { task: 3, grant: "bot".into(), subject: "U1".into() };
    insta::assert_snapshot!(sent(&wants), @r#"{"kind":"wants-token","task":3,"grant":"bot","subject":"U1"}"#);
    insta::assert_snapshot!(sent(&Input::Token { grant: Box::new(Grant::new("bot", "a")) }), @r#"{"kind":"token","grant":{"name":"bot","subject":"","access_token":"a"}}"#);
    insta::assert_snapshot!(sent(&TaskResult::Refreshed { refreshed: Refreshed::Default }), @r#"{"kind":"refreshed","refreshed":{"kind":"by-host"}}"#);
    insta::assert_snapshot!(sent(&Refreshed::granted(Grant::new("bot", "a"))), @r#"{"kind":"granted","grant":{"name":"bot","subject":"","access_token":"a"}}"#);
    insta::assert_snapshot!(sent(&Refreshed::refused("gone")), @r#"{"kind":"refused","reason":"gone"}"#);
    insta::assert_snapshot!(sent(&TaskResult::Revoked { revoked: Revoked::done("ok") }), @r#"{"kind":"revoked","revoked":{"kind":"done","answer":"ok"}}"#);
    insta::assert_snapshot!(sent(&Integration::new("x").grant(Grant::new("bot", "a"))), @r#"{"external_id":"x","metadata":{},"grants":[{"name":"bot","subject":"","access_token":"a"}]}"#);
    insta::assert_snapshot!(sent(&Integration::new("x").api_url("https://a/")), @r#"{"external_id":"x","metadata":{},"api_url":"https://a/"}"#);
    insta::assert_snapshot!(sent(&Integration::new("x").without_grants()), @r#"{"external_id":"x","metadata":{},"grants":[]}"#);
    let until = Grant::new("bot", "a").expires_at(7).refresh_token_expires_in(60);
    insta::assert_snapshot!(sent(&until), @r#"{"name":"bot","subject":"","access_token":"a","expires_at":7,"refresh_token_expires_in":60}"#);
    assert!(!format!("{:?}", grant()).contains("\"r\""), "no token in a log");
}

#[test]
fn services_tell_what_has_happened() {
    let event = Question::Event { request: WebhookRequest::new("POST", "hi") };
    insta::assert_snapshot!(sent(&event), @r#"{"kind":"event","call":{"method":"POST","query":[],"headers":[],"body":"aGk="}}"#);
    let told = |told| TaskResult::EventHandled { response: told };
    insta::assert_snapshot!(sent(&told(WebhookResponse::new(200).into())), @r#"{"kind":"told","told":{"answer":{"status":200}}}"#);
    let over = EventResponse::new(WebhookResponse::new(200)).event(Event::uninstalled("x").id("i").time(7));
    insta::assert_snapshot!(sent(&told(over)), @r#"{"kind":"told","told":{"answer":{"status":200},"events":[{"id":"i","at":7,"external_id":"x","happened":{"kind":"uninstalled"}}]}}"#);
    let grants = [GrantSelector::new("bot"), GrantSelector::new("user").subject("U1")];
    insta::assert_snapshot!(sent(&Event::tokens_revoked("x", grants)), @r#"{"at":0,"external_id":"x","happened":{"kind":"tokens-revoked","grants":[{"name":"bot","subject":""},{"name":"user","subject":"U1"}]}}"#);
}

#[test]
fn a_token_answer_is_read_in_every_dialect() {
    let read = |answer: Value| Grant::from_token_response("a", &answer);
    let plain = Grant::new("a", "t");
    assert_eq!(read(json!({"access_token": "t"})), Some(plain.clone()));
    assert_eq!(read(json!({"access_token": ""})), None);
    assert_eq!(read(json!({"refresh_token": "r"})), None);
    for seconds in [json!(60), json!("60"), json!(60.0)] {
        assert_eq!(read(json!({"access_token": "t", "expires_in": seconds})), Some(plain.clone().expires_in(60)));
    }
    for nothing in [json!(0), json!(-1), json!("soon"), json!(null)] {
        assert_eq!(read(json!({"access_token": "t", "expires_in": nothing})), Some(plain.clone()));
    }
    for scopes in [json!("b c"), json!("b,c"), json!(["b", "c"])] {
        assert_eq!(read(json!({"access_token": "t", "scope": scopes})), Some(plain.clone().scopes(["b", "c"])));
    }
}

#[test]
fn replies_and_faults() {
    insta::assert_snapshot!(sent(&Reply::ok(1)), @r#"{"ok":1}"#);
    let options =
        vec![OptionDiagnostic { key: "k".into(), message: "m".into(), known: vec!["l".into()], help: "d".into() }];
    let mut reply = Reply::<u8>::fault(Fault { options, ..Fault::new(FaultKind::Options, "f") });
    reply.log.push(LogLine { level: LogLevel::Warn, message: "w".into() });
    insta::assert_snapshot!(sent(&reply), @r#"{"fault":{"kind":"options","message":"f","options":[{"key":"k","message":"m","known":["l"],"mend":"d"}]},"log":[{"level":"warn","message":"w"}]}"#);
    let neither: Reply<u8> = serde_json::from_str("{}").expect("everything has a default");
    assert_eq!(neither.into_result().expect_err("it says nothing").kind, FaultKind::Malformed);
}

#[test]
fn everything_has_a_default() {
    fn reads_empty<T: DeserializeOwned>() {
        let read: Result<T, _> = serde_json::from_str("{}");
        assert!(read.is_ok(), "{}: {:?}", std::any::type_name::<T>(), read.err());
    }
    reads_empty::<ProvidersOut>();
    reads_empty::<CreateIn>();
    reads_empty::<CreateOut>();
    reads_empty::<OAuth2>();
    reads_empty::<Grant>();
    reads_empty::<RevokeRequest>();
    reads_empty::<Field>();
    reads_empty::<StartIn>();
    reads_empty::<Request>();
    reads_empty::<ResumeIn>();
    reads_empty::<DropIn>();
    reads_empty::<TaskOut>();
    reads_empty::<Form>();
    reads_empty::<Integration>();
    reads_empty::<Identity>();
    reads_empty::<EventResponse>();
    reads_empty::<Event>();
    reads_empty::<GrantSelector>();
    reads_empty::<HttpRequest>();
    reads_empty::<HttpResponse>();
    reads_empty::<Fault>();
    reads_empty::<Reply<Value>>();
}

#[test]
fn the_fields_of_a_variant_have_defaults_too() {
    fn reads<T: DeserializeOwned>(kinds: &[&str]) {
        for kind in kinds {
            let read: Result<T, _> = serde_json::from_value(json!({"kind": kind}));
            assert!(read.is_ok(), "{kind}: {:?}", read.err());
        }
    }
    reads::<Question>(&["view", "build-integration", "oauth2", "event"]);
    reads::<Input>(&["response", "failed"]);
    reads::<TaskResult>(&["wants", "answered", "built", "oauth2", "told"]);
    reads::<EventKind>(&["uninstalled", "tokens-revoked"]);
    reads::<Answer>(&["html", "form", "redirect", "next", "error"]);
    reads::<StepKind>(&["view", "oauth2", "oauth2-from-state"]);
}

#[test]
fn what_a_later_version_adds_is_tolerated() {
    fn read<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).expect("a later version's envelope is read")
    }
    let later = json!({"kind": "of-the-future", "with": {"more": [1]}});
    assert!(matches!(read(later.clone()), Question::Unknown));
    assert!(matches!(read(later.clone()), TaskResult::Unknown));
    assert!(matches!(read(later.clone()), Answer::Unknown));
    assert!(matches!(read(later.clone()), Input::Unknown));
    assert_eq!(read::<EventKind>(later.clone()), EventKind::Unknown);
    assert_eq!(read::<StepKind>(later), StepKind::Unknown);
    assert_eq!(read::<FaultKind>(json!("of-the-future")), FaultKind::Unknown);
    assert_eq!(read::<LogLevel>(json!("of-the-future")), LogLevel::Info);
    assert_eq!(read::<ClientAuthentication>(json!("of-the-future")), ClientAuthentication::Unknown);
    assert_eq!(read::<TokenRequest>(json!("of-the-future")), TokenRequest::Unknown);
    assert_eq!(read::<FieldType>(json!("of-the-future")), FieldType::Text);
    let field: Field = read(json!({"name": "n", "of-the-future": {"more": 1}}));
    assert_eq!(field.name, "n");
    let out: CreateOut =
        read(json!({"instance": 1, "steps": [{"name": "s", "kind": {"kind": "view", "more": 1}, "more": 2}]}));
    assert_eq!(out.steps[0].kind, StepKind::View);
}

#[test]
fn debug_output_holds_no_secret() {
    let mut request = Request::new("GET", "https://j/?code=hunter2");
    request.query.push(("code".into(), "hunter2".into()));
    request.form.push(("password".into(), "hunter2".into()));
    let secrets = [
        format!("{request:?}"),
        format!("{:?}", OAuth2::new("https://a/", "https://t/").client("id", "hunter2")),
        format!("{:?}", HttpRequest::get("https://a/?token=hunter2").bearer_auth("hunter2").body("hunter2")),
        format!("{:?}", HttpResponse::new(200, "hunter2").with_header("x", "hunter2")),
        format!(
            "{:?}",
            Integration::new("x")
                .metadata("token", "hunter2")
                .identity(Identity::new("t", "i", "e").data("t", "hunter2"))
        ),
    ];
    for text in secrets {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn an_error_about_a_body_says_where_and_quotes_nothing_of_it() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Account {
        id: u64,
        kind: Kind,
    }
    #[derive(Debug, Deserialize)]
    enum Kind {
        Team,
    }
    const OTHER: &str = "JSON of another shape than expected at line 1 column";
    for (body, expected) in [
        (r#"{"id": "hunter2"}"#, OTHER),
        (r#"{"hunter2": 1}"#, OTHER),
        (r#"{"id": 1, "kind": "hunter2"}"#, OTHER),
        (r#""hunter2""#, OTHER),
        (r#"{"kind": "Team"}"#, "missing field `id` at line 1 column 16"),
        ("hunter2", "expected value at line 1 column 1"),
        (r#"{"id": 1 hunter2"#, "expected `,` or `}` at line 1 column 10"),
    ] {
        let of_response = HttpResponse::new(200, body).json::<Account>().expect_err(body);
        let of_call = WebhookRequest::new("POST", body).json::<Account>().expect_err(body);
        for error in [of_response, of_call] {
            let words = format!("{error} {error:?}");
            assert!(words.starts_with(expected) && !words.contains("hunter2"), "{words}");
            assert_eq!(error.line(), 1, "{words}");
        }
    }
}
