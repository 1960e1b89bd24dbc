//! From the installation page to the integration, and what follows.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_plugin::json;
use jackfield_plugin_test::{Harness, NOW, Outcome};

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

fn response(json: &Value) -> HttpResponse {
    HttpResponse::new(200, json.to_string())
}

/// Starts the setup and returns the state that GitHub gets.
fn start(github: &mut Harness<GitHubApp>) -> String {
    let url = github.get().expect_redirect();
    let state = url.strip_prefix("https://github.com/apps/acme-app/installations/new?state=");
    state.expect("the app's page, with a state").to_owned()
}

fn with_installations(github: Harness<GitHubApp>, installations: &Value) -> Harness<GitHubApp> {
    github.mock(
        format!("{API}/user/installations?per_page=100&page=1"),
        response(&json!({"installations": installations})),
    )
}

/// An installation as GitHub lists it.
fn installed(id: u64, account: &Value) -> Value {
    json!({"id": id, "account": account, "repository_selection": "all", "permissions": {"contents": "read"}})
}

fn acme() -> Value {
    json!({"id": 9, "login": "acme", "type": "Organization"})
}

fn ada() -> Value {
    json!({"id": 5, "login": "ada", "type": "User"})
}

/// What GitHub says that the person is in the organization `acme`.
fn as_member(github: Harness<GitHubApp>, status: u16, membership: &Value) -> Harness<GitHubApp> {
    github.mock(format!("{API}/user/memberships/orgs/acme"), HttpResponse::new(status, membership.to_string()))
}

fn as_owner(github: Harness<GitHubApp>) -> Harness<GitHubApp> {
    as_member(github, 200, &json!({"state": "active", "role": "admin", "organization": acme(), "user": ada()}))
}

/// Comes back from GitHub with installation 7, and logs in.
fn connect(github: &mut Harness<GitHubApp>) -> Outcome {
    let state = start(github);
    github.get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", &state)]).assert_oauth2();
    github.authorize(json!({"access_token": "ghu_1"}))
}

fn with_account(github: Harness<GitHubApp>) -> Harness<GitHubApp> {
    let token = json!({"token": "ghs_1", "expires_at": "2023-11-14T23:13:20Z", "permissions": {"contents": "read"}});
    github
        .mock(format!("{API}/app/installations/7"), response(&installed(7, &acme())))
        .mock(format!("{API}/app/installations/7/access_tokens"), response(&token))
}

#[test]
fn an_installation_becomes_an_integration() {
    let listed = json!([installed(3, &ada()), installed(7, &acme())]);
    let mut github = as_owner(with_account(with_installations(github(), &listed)));
    let state = start(&mut github);
    let query = [("installation_id", "7"), ("setup_action", "install"), ("state", &*state)];
    github.get_with_query(&query).assert_oauth2();
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
fn the_next_token_is_requested_with_the_apps_own_key() {
    let token = json!({"token": "ghs_2", "expires_at": "2023-11-14T23:13:20Z"});
    let mut github = github().mock(format!("{API}/app/installations/7/access_tokens"), response(&token));
    let metadata = json!({"installation_id": 7}).as_object().cloned().expect("an object");
    let refreshed = github.refresh(Grant::new("installation", "ghs_1"), metadata).expect("GitHub answers");
    assert_eq!(refreshed, Refreshed::granted(Grant::new("installation", "ghs_2").expires_in(3600)));
}

#[test]
fn an_installation_that_is_gone_or_suspended_ends_its_grant() {
    let refreshed = |status, answer: &Value| {
        let answer = HttpResponse::new(status, answer.to_string());
        let mut github = github().mock(format!("{API}/app/installations/7/access_tokens"), answer);
        let metadata = json!({"installation_id": 7}).as_object().cloned().expect("an object");
        github.refresh(Grant::new("installation", "ghs_1"), metadata)
    };
    for (status, answer, why) in [
        (404, json!({"message": "Not Found", "status": "404"}), "the app is not installed any more"),
        (404, json!(""), "the app is not installed any more"),
        (403, json!({"message": "This installation has been suspended"}), "the installation is suspended at GitHub"),
    ] {
        assert_eq!(refreshed(status, &answer).expect("it answers"), Refreshed::refused(why), "{status} {answer}");
    }
    for (status, answer) in [
        (404, json!({"message": "Integration not found"})),
        (403, json!({"message": "You have exceeded a secondary rate limit"})),
        (403, json!({"message": "Resource not accessible by integration"})),
        (401, json!({"message": "A JSON web token could not be decoded"})),
        (429, json!({"message": "API rate limit exceeded"})),
        (500, json!({"message": "suspended"})),
    ] {
        assert!(refreshed(status, &answer).is_err(), "{status} {answer}: it is asked again");
    }
}

#[test]
fn an_uninstall_uninstalls_the_app_and_may_come_late() {
    let metadata = || json!({"installation_id": 7}).as_object().cloned().expect("an object");
    let uninstall = || RevokeRequest::uninstall("7", metadata(), vec![Grant::new("installation", "ghs_1")]);
    let url = || format!("{API}/app/installations/7");
    for (status, message) in [(204, "the app is uninstalled"), (404, "the app was uninstalled already")] {
        let mut github = github().mock(url(), HttpResponse::new(status, ""));
        assert_eq!(github.revoke(uninstall()).expect("it is gone"), Revoked::done(message));
        assert_eq!(github.requests()[0].method, "DELETE");
    }
    assert!(github().mock(url(), HttpResponse::new(503, "")).revoke(uninstall()).is_err(), "it is asked again");
    let unreadable = RevokeRequest::uninstall("7", State::new(), Vec::new());
    let mut github_app = github().mock(url(), HttpResponse::new(204, ""));
    assert_eq!(github_app.revoke(unreadable).expect("it is gone"), Revoked::done("the app is uninstalled"));
    let tokens = RevokeRequest::for_grants("7", metadata(), vec![Grant::new("installation", "ghs_1")]);
    assert_eq!(github().revoke(tokens).expect("nothing is sent"), Revoked::Default);
}

#[test]
fn an_update_counts_as_an_installation_and_each_state_is_different() {
    let mut github = github();
    let first = start(&mut github);
    let second = start(&mut github);
    assert!(first != second && first.len() >= 43, "256 bits");
    github.get_with_query(&[("installation_id", "7"), ("setup_action", "update"), ("state", &second)]).assert_oauth2();
}

#[test]
fn an_installation_begun_elsewhere_is_refused() {
    for state in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let mut github = github();
        let _ = start(&mut github);
        let outcome = github.get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", state)]);
        assert_eq!(outcome.expect_error(), "this installation was begun elsewhere: begin again here");
    }
    let outcome = github().get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", "")]);
    assert!(outcome.expect_error().contains("elsewhere"), "nothing was begun");
}

#[test]
fn a_state_works_once() {
    let mut github = github();
    let state = start(&mut github);
    let denied = github.get_with_query(&[("setup_action", "install"), ("state", &state)]);
    assert_eq!(denied.expect_error(), "GitHub did not say what was installed: begin again");
    let again = github.get_with_query(&[("installation_id", "7"), ("setup_action", "install"), ("state", &state)]);
    assert!(again.expect_error().contains("elsewhere"));
}

#[test]
fn a_request_to_an_owner_and_an_unknown_action_are_reported() {
    for (action, message) in [("request", "an owner must approve"), ("other", "did not say what")] {
        let mut github = github();
        let state = start(&mut github);
        let outcome = github.get_with_query(&[("installation_id", "7"), ("setup_action", action), ("state", &state)]);
        assert!(outcome.expect_error().contains(message), "{action}");
    }
}

#[test]
fn somebody_elses_installation_is_refused() {
    let mut github = with_installations(github(), &json!([installed(3, &ada())]));
    let outcome = connect(&mut github);
    assert_eq!(outcome.expect_error(), "your GitHub account has no access to this installation");
}

#[test]
fn many_installations_are_read_page_by_page() {
    let many: Vec<_> = (1000..1100).map(|id| installed(id, &acme())).collect();
    let second = json!({"installations": [installed(7, &acme())]});
    let github = as_owner(with_account(with_installations(github(), &json!(many))));
    let mut github = github.mock(format!("{API}/user/installations?per_page=100&page=2"), response(&second));
    assert_eq!(connect(&mut github).expect_integration().external_id, "7");
}

#[test]
fn a_person_connects_their_own_account_and_nobody_elses() {
    let github = || with_installations(github(), &json!([installed(7, &ada())]));
    let mut own = with_account(github()).mock(format!("{API}/user"), response(&ada()));
    assert_eq!(connect(&mut own).expect_integration().external_id, "7");
    for other in [json!({"id": 6, "login": "ada"}), json!({"login": "ada"}), json!({"id": "5"})] {
        let mut collaborator = github().mock(format!("{API}/user"), response(&other));
        let message = connect(&mut collaborator).expect_error();
        assert!(message.contains("belongs to ada") && message.contains("only an owner of ada"), "{message}");
    }
}

/// GitHub lists an installation to an outside collaborator with read access to one repository.
#[test]
fn only_an_active_owner_connects_an_organization() {
    let github = || with_installations(github(), &json!([installed(7, &acme())]));
    assert_eq!(connect(&mut as_owner(with_account(github()))).expect_integration().external_id, "7");
    let cases = [
        (200, json!({"state": "active", "role": "member"})),
        (200, json!({"state": "pending", "role": "admin"})),
        (200, json!({"state": "active", "role": "admin", "organization": {"id": 10, "login": "acme"}})),
        (200, json!({})),
        (404, json!({"message": "Not Found"})),
        (401, json!({})),
        (500, json!({})),
    ];
    for (status, membership) in cases {
        let mut reader = as_member(github(), status, &membership);
        let message = connect(&mut reader).expect_error();
        assert!(message.contains("only an owner of acme can connect it"), "{status} {membership}: {message}");
    }
    let message = connect(&mut as_member(github(), 403, &json!({}))).expect_error();
    assert!(message.contains("the app needs the organization permission \"Members\""), "{message}");
}

#[test]
fn an_account_of_another_kind_or_without_a_plain_name_is_nobodys() {
    for account in [
        json!({"id": 9, "slug": "big", "name": "Big"}),
        json!({"id": 9, "login": "acme", "type": "Enterprise"}),
        json!({"id": 9, "login": "../../user", "type": "Organization"}),
        json!({"id": 9, "login": "", "type": "Organization"}),
        json!({"id": 9, "type": "Organization"}),
        json!({"id": 9, "login": "acme"}),
        json!(null),
    ] {
        let mut github = with_installations(github(), &json!([installed(7, &account)]));
        assert!(connect(&mut github).expect_error().contains("can connect it"), "{account}");
    }
}

#[test]
fn the_app_authenticates_with_a_token_of_ten_minutes_at_most() {
    let mut github = with_account(github().with_state("installation_id", 7));
    github.advance_time(Duration::from_secs(5));
    assert!(github.build_integration().is_ok());
    let [get, post] = &github.requests()[..] else { panic!("two calls") };
    assert_eq!((get.method.as_str(), post.method.as_str()), ("GET", "POST"));
    let bearer = get.headers.iter().find(|(name, _)| name == "authorization").expect("it authenticates");
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
fn calls_go_to_githubs_api_or_to_that_of_an_enterprise_server() {
    let api = |options: Value| {
        let github: GitHubApp = serde_json::from_value(options).expect("options");
        github.api().map(|api| api.url)
    };
    assert_eq!(api(serde_json::json!({})).as_deref(), Some("https://api.github.com"));
    let own = serde_json::json!({"web-url": "https://git.example/"});
    assert_eq!(api(own).as_deref(), Some("https://git.example/api/v3"));
}

#[test]
fn an_error_says_what_was_requested_and_no_token() {
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
fn an_invalid_key_is_refused_without_showing_it() {
    let mut wrong = options();
    wrong["private-key"] = "hush".into();
    let diagnostics = Harness::<GitHubApp>::diagnostics(wrong);
    assert!(diagnostics.contains("private-key") && diagnostics.contains("not an RSA private key"), "{diagnostics}");
    assert!(!diagnostics.contains("hush"));
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
    assert_eq!(
        GitHubApp::default().hosts(),
        ["github.com", "api.github.com"],
        "the pages that install it, and the API"
    );
}
