//! The setup, from the form to the integration. See the documentation of jackfield-plugin-test.

use jackfield_plugin::{Api, Grant, HttpRequest, HttpResponse, Integration, json};
use jackfield_plugin_test::Harness;

use acme_crate::Acme;

type Plugin = Harness<Acme>;

const ME: &str = "https://api.example.com/me";

#[test]
fn a_valid_token_connects_its_account() {
    let account = HttpResponse::new(200, r#"{"id": "A1", "name": "Ada's account"}"#);
    let mut provider = Plugin::new(json!({})).mock(ME, account);
    assert_eq!(provider.get().expect_form().fields[0].name, "token");
    let expected = Integration::new("A1")
        .name("Ada's account")
        .grant(Grant::new("access", "t0ken"));
    provider
        .post(&[("token", "t0ken")])
        .assert_integration(&expected);
    provider.assert_requests(&[HttpRequest::get(ME).bearer_auth("t0ken")]);
}

#[test]
fn a_token_that_is_not_accepted_is_asked_for_again() {
    let mut provider = Plugin::new(json!({})).mock(ME, HttpResponse::new(401, ""));
    let form = provider.post(&[("token", "wrong")]).expect_form();
    assert_eq!(form.errors["token"], "This token is not accepted.");
}

#[test]
fn an_api_that_is_down_ends_the_setup() {
    let mut provider = Plugin::new(json!({})).mock_error(ME, "connection refused");
    assert_eq!(
        provider.post(&[("token", "t0ken")]).expect_failure(),
        "connection refused"
    );
}

#[test]
fn programs_call_the_api_where_the_operator_says_it_is() {
    let expected = Api::new("https://api.example.com");
    assert_eq!(Plugin::new(json!({})).api(), Some(&expected));
}

#[test]
fn an_unknown_option_is_reported() {
    let diagnostics = Plugin::diagnostics(json!({"api-ulr": "https://api.example.com"}));
    assert_eq!(diagnostics, "api-ulr: unknown option");
}
