//! The way to an installation, through the harness.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_plugin::{HttpResponse, json};
use jackfield_plugin_test::{Harness, NOW};

use super::*;

const API: &str = "https://api.github.com";

fn options() -> Value {
    json!({
        "app-id": "42", "app-slug": "acme-app", "client-id": "Iv1.1", "client-secret": "s3cret",
        "private-key": include_str!("test-key.pem"),
    })
}

fn github() -> Harness<GitHubApp> {
    Harness::new(options())
}

fn answer(json: &Value) -> HttpResponse {
    HttpResponse::new(200, json.to_string())
}

/// Begins, and gives the state that GitHub was sent.
fn begin(github: &mut Harness<GitHubApp>) -> String {
    let url = github.get().expect_redirect();
    let state = url.strip_prefix("https://github.com/apps/acme-app/installations/new?state=");
    state.expect("the app's page, with a state").to_owned()
}

fn installed(github: Harness<GitHubApp>, listed: &Value) -> Harness<GitHubApp> {
    github.mock(format!("{API}/user/installations?per_page=100&page=1"), answer(&json!({"installations": listed})))
}

fn account(github: Harness<GitHubApp>) -> Harness<GitHubApp> {
    let account = json!({"id": 9, "login": "acme", "type": "Organization"});
    let token = json!({"token": "ghs_1", "expires_at": "2023-11-14T23:13:20Z", "permissions": {"contents": "read"}});
    github
        .mock(format!("{API}/app/installations/7"), answer(&json!({"id": 7, "account": account})))
        .mock(format!("{API}/app/installations/7/access_tokens"), answer(&token))
}

#[test]
fn an_installation_becomes_an_integration() {
    let mut github = account(installed(github(), &json!([{"id": 3}, {"id": 7}])));
    let state = begin(&mut github);
    let back = [("installation_id", "7"), ("setup_action", "install"), ("state", &*state)];
    github.get_with_query(&back).assert_oauth2();
    github.authorize(json!({"access_token": "ghu_1"})).assert_integration(
        &Integration::new("7")
            .name("acme")
            .grant(Grant::new("installation", "ghs_1").expires_in(3600))
            .metadata("installation_id", 7)
            .metadata("permissions", json!({"contents": "read"}))
            .metadata("account_id", 9)
            .metadata("account_type", "Organization"),
    );
}

#[test]
fn the_next_token_is_asked_for_with_the_apps_own_key() {
    let token = json!({"token": "ghs_2", "expires_at": "2023-11-14T23:13:20Z"});
    let mut github = github().mock(format!("{API}/app/installations/7/access_tokens"), answer(&token));
    let metadata = json!({"installation_id": 7}).as_object().cloned().expect("an object");
    let refreshed = github.refresh(Grant::new("installation", "ghs_1"), metadata).expect("GitHub answers");
    assert_eq!(refreshed, Refreshed::granted(Grant::new("installation", "ghs_2").expires_in(3600)));
}

#[test]
fn who_leaves_uninstalls_the_app_and_may_be_late() {
    let metadata = || json!({"installation_id": 7}).as_object().cloned().expect("an object");
    let leaving = || RevokeRequest::uninstall("7", metadata(), vec![Grant::new("installation", "ghs_1")]);
    let url = || format!("{API}/app/installations/7");
    for (status, told) in [(204, "the app is uninstalled"), (404, "the app was uninstalled already")] {
        let mut github = github().mock(url(), HttpResponse::new(status, ""));
        assert_eq!(github.revoke(leaving()).expect("it is gone"), Revoked::done(told));
        assert_eq!(github.requests()[0].method, "DELETE");
    }
    assert!(github().mock(url(), HttpResponse::new(503, "")).revoke(leaving()).is_err(), "it is asked again");
    let unreadable = RevokeRequest::uninstall("7", State::new(), Vec::new());
    let mut github_again = github().mock(url(), HttpResponse::new(204, ""));
    assert_eq!(github_again.revoke(unreadable).expect("it is gone"), Revoked::done("the app is uninstalled"));
    let token = RevokeRequest::for_grants("7", metadata(), vec![Grant::new("installation", "ghs_1")]);
    assert_eq!(github().revoke(token).expect("nothing is asked"), Revoked::Default);
}

#[test]
fn an_update_is_taken_like_an_installation_and_each_state_is_another() {
    let mut github = github();
    let first = begin(&mut github);
    let second = begin(&mut github);
    assert!(first != second && first.len() >= 43, "256 bits");
    github.get_with_query(&[("installation_id", "7"), ("setup_action", "update"), ("state", &second)]).assert_oauth2();
}

#[test]
fn what_was_begun_elsewhere_is_refused() {
    for state in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let mut github = github();
        let _ = begin(&mut github);
        let came = github.get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", state)]);
        assert_eq!(came.expect_error(), "this installation was begun elsewhere: begin again here");
    }
    let came = github().get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", "")]);
    assert!(came.expect_error().contains("elsewhere"), "nothing was begun");
}

#[test]
fn a_state_is_taken_once() {
    let mut github = github();
    let state = begin(&mut github);
    let denied = github.get_with_query(&[("setup_action", "install"), ("state", &state)]);
    assert_eq!(denied.expect_error(), "GitHub did not say what was installed: begin again");
    let again = github.get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", &state)]);
    assert!(again.expect_error().contains("elsewhere"));
}

#[test]
fn what_waits_for_an_owner_or_is_unknown_is_told() {
    for (action, told) in [("request", "an owner must approve"), ("other", "did not say what")] {
        let mut github = github();
        let state = begin(&mut github);
        let came = github.get_with_query(&[("installation_id", "7"), ("setup_action", action), ("state", &state)]);
        assert!(came.expect_error().contains(told), "{action}");
    }
}

#[test]
fn somebody_elses_installation_is_refused() {
    let mut github = installed(github(), &json!([{"id": 3}]));
    let state = begin(&mut github);
    github.get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", &state)]).assert_oauth2();
    let came = github.authorize(json!({"access_token": "ghu_1"}));
    assert_eq!(came.expect_error(), "your GitHub account has no access to this installation");
}

#[test]
fn who_sees_many_installations_is_asked_for_page_after_page() {
    let many: Vec<_> = (1000..1100).map(|id| json!({"id": id})).collect();
    let second = json!({"installations": [{"id": 7}]});
    let github = account(installed(github(), &json!(many)));
    let mut github = github.mock(format!("{API}/user/installations?per_page=100&page=2"), answer(&second));
    let state = begin(&mut github);
    github.get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", &state)]).assert_oauth2();
    assert_eq!(github.authorize(json!({"access_token": "ghu_1"})).expect_integration().external_id, "7");
}

#[test]
fn the_app_proves_itself_with_a_token_of_ten_minutes_and_not_longer() {
    let mut github = account(github().with_state("installation_id", 7));
    github.advance_time(Duration::from_secs(5));
    assert!(github.build_integration().is_ok());
    let [get, post] = &github.requests()[..] else { panic!("two calls") };
    assert_eq!((get.method.as_str(), post.method.as_str()), ("GET", "POST"));
    let bearer = get.headers.iter().find(|(name, _)| name == "authorization").expect("it proves itself");
    let parts: Vec<_> = bearer.1.strip_prefix("Bearer ").expect("a bearer token").split('.').collect();
    let decoded = |part: &str| -> Value {
        let json = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url without padding");
        serde_json::from_slice(&json).expect("JSON")
    };
    assert_eq!(decoded(parts[0]), json!({"alg": "RS256", "typ": "JWT"}));
    assert_eq!(decoded(parts[1]), json!({"iss": "42", "iat": NOW + 5 - 60, "exp": NOW + 5 + 540}));
    assert_eq!(parts.len(), 3);
}

#[test]
fn calls_go_to_githubs_api_or_to_that_of_a_server_of_ones_own() {
    let api = |options: Value| {
        let github: GitHubApp = serde_json::from_value(options).expect("options");
        github.api().map(|api| api.url)
    };
    assert_eq!(api(serde_json::json!({})).as_deref(), Some("https://api.github.com"));
    let own = serde_json::json!({"web-url": "https://git.example/"});
    assert_eq!(api(own).as_deref(), Some("https://git.example/api/v3"));
}

#[test]
fn a_refusal_says_what_was_asked_and_no_token() {
    let denied = HttpResponse::new(401, r#"{"message": "ghs_1"}"#);
    let mut github = github().with_state("installation_id", 7).mock(format!("{API}/app/installations/7"), denied);
    let error = github.build_integration().expect_err("GitHub refuses").to_string();
    assert!(
        error.starts_with("GitHub answered 401 to ")
            && error.contains("GET https://api.github.com/app/installations/7")
    );
    assert!(!error.contains("ghs_1") && !error.contains("ey"), "{error}");
}

#[test]
fn a_key_that_is_none_is_refused_without_showing_it() {
    let mut wrong = options();
    wrong["private-key"] = "hush".into();
    let told = Harness::<GitHubApp>::diagnostics(wrong);
    assert!(told.contains("private-key") && told.contains("not an RSA private key"), "{told}");
    assert!(!told.contains("hush"));
}

#[test]
fn without_app_and_key_it_is_not_offered() {
    assert!(github().is_configured());
    for missing in ["app-id", "app-slug", "private-key", "client-id", "client-secret"] {
        let mut options = options();
        options.as_object_mut().expect("a table").remove(missing);
        assert!(!Harness::<GitHubApp>::new(options).is_configured(), "{missing}");
    }
}

#[test]
fn an_enterprise_server_has_its_api_below_its_address() {
    let web = Some("https://git.example.com/".to_owned());
    let server = GitHubApp { web_url: web, ..GitHubApp::default() };
    assert_eq!(
        (server.web(), server.api_base().as_str()),
        ("https://git.example.com", "https://git.example.com/api/v3")
    );
    assert!(server.hosts().is_empty(), "the operator's options name it");
    assert_eq!(GitHubApp::default().hosts(), ["api.github.com"]);
}
