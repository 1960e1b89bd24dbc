//! The setup, from the login to the integration. See the documentation of jackfield-plugin-test.

use jackfield_plugin::{Api, HttpRequest, HttpResponse, Integration, json};
use jackfield_plugin_test::Harness;

use acme_crate::Acme;

type Plugin = Harness<Acme>;

const ME: &str = "https://api.example.com/me";

fn provider() -> Plugin {
    Plugin::new(json!({"client-id": "an id", "client-secret": "a secret"}))
}

#[test]
fn a_person_who_authorizes_is_connected() {
    let account = HttpResponse::new(200, r#"{"id": "A1", "name": "Ada's account"}"#);
    let mut provider = provider().mock(ME, account);
    provider.get().assert_oauth2();
    let expected = Integration::new("A1").name("Ada's account");
    provider
        .authorize(json!({"access_token": "t0ken"}))
        .assert_integration(&expected);
    provider.assert_requests(&[HttpRequest::get(ME).bearer_auth("t0ken")]);
}

#[test]
fn a_person_who_denies_reads_so() {
    assert_eq!(provider().deny().expect_error(), "access_denied");
}

#[test]
fn an_api_that_refuses_the_token_ends_the_setup() {
    let mut provider = provider().mock(ME, HttpResponse::new(401, ""));
    let failure = provider
        .authorize(json!({"access_token": "t0ken"}))
        .expect_failure();
    assert_eq!(failure, "the API answered 401");
}

#[test]
fn without_a_client_it_is_not_offered_and_says_what_is_missing() {
    let provider = Plugin::new(json!({}));
    assert_eq!(provider.missing_options(), ["client-id", "client-secret"]);
}

#[test]
fn programs_call_the_api_where_the_operator_says_it_is() {
    let expected = Api::new("https://api.example.com");
    assert_eq!(provider().api(), Some(&expected));
}

#[test]
fn an_unknown_option_is_reported() {
    let diagnostics = Plugin::diagnostics(json!({"cleint-id": "an id"}));
    assert_eq!(diagnostics, "cleint-id: unknown option");
}
