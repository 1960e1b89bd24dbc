//! The operator's client at gitlab.com, an instance of a person's own, and refusals.

use jackfield_plugin::HttpResponse;
use jackfield_plugin_test::Harness;
use serde_json::json;

use super::*;

const OWN_INSTANCE: [(&str, &str); 3] =
    [("url", "https://Git.Example.com:8443/"), ("client-id", "own-id"), ("client-secret", "own-s3cret")];

fn gitlab() -> Harness<GitLab> {
    Harness::new(json!({"client-id": "an-id", "client-secret": "s3cret"}))
}

fn user() -> HttpResponse {
    HttpResponse::new(200, r#"{"id": 7, "username": "ada", "name": "Ada"}"#)
}

fn token_response() -> Value {
    json!({"access_token": "glat-1", "refresh_token": "glrt-1", "expires_in": 7200, "scope": "read_user"})
}

#[test]
fn at_gitlab_com_the_operators_client_is_used() {
    let mut gitlab = gitlab().mock("https://gitlab.com/api/v4/user", user());
    assert_eq!(gitlab.get().expect_form().values["url"], "https://gitlab.com");
    gitlab.post(&[("url", "https://gitlab.com")]).assert_oauth2();
    let identity = Identity::new("gitlab", "gitlab.com", "7").data("username", "ada");
    let integration = Integration::new("gitlab.com:7").name("ada (gitlab.com)").identity(identity);
    let integration = integration.metadata("instance", "https://gitlab.com").metadata("access_token", "glat-1");
    let integration = integration.api_url("https://gitlab.com/api/v4/");
    gitlab.authorize(token_response()).assert_integration(&integration);
    gitlab.assert_requests(&[HttpRequest::get("https://gitlab.com/api/v4/user").bearer_auth("glat-1")]);
}

#[test]
fn an_instance_of_ones_own_is_reached_with_its_own_client() {
    let mut gitlab = gitlab().mock("https://git.example.com:8443/api/v4/user", user());
    gitlab.post(&OWN_INSTANCE).assert_oauth2();
    let identity = Identity::new("gitlab", "git.example.com:8443", "7").data("username", "ada");
    let integration = Integration::new("git.example.com:8443:7").name("ada (git.example.com:8443)").identity(identity);
    let integration =
        integration.metadata("instance", "https://git.example.com:8443").metadata("access_token", "glat-1");
    let integration = integration.api_url("https://git.example.com:8443/api/v4/");
    // A refresh needs the client.
    let integration = integration.metadata("client", json!(["own-id", "own-s3cret"]));
    gitlab.authorize(json!({"access_token": "glat-1"})).assert_integration(&integration);
}

#[test]
fn the_endpoints_and_scopes_are_those_of_the_instance() {
    for (api, scopes) in [(false, "read_user"), (true, "read_user api")] {
        let gitlab = Harness::<GitLab>::new(json!({"api": api})).with_state("instance", "https://git.example.com/lab");
        let oauth2 = gitlab.with_state("client", json!(["own-id", "own-s3cret"])).oauth2();
        assert_eq!(oauth2.authorize_url, "https://git.example.com/lab/oauth/authorize");
        assert_eq!(oauth2.token_url, "https://git.example.com/lab/oauth/token");
        assert_eq!((oauth2.client_id.as_str(), oauth2.scopes.join(" ").as_str()), ("own-id", scopes));
    }
}

/// Otherwise an instance that a person names could be handed the answers of gitlab.com.
#[test]
fn each_instance_has_a_redirect_uri_of_its_own_and_the_form_says_it() {
    let at = |url: &str| {
        let client = json!(["an-id", "s3cret"]);
        let mut gitlab = gitlab().with_state("instance", url).with_state("client", client);
        let setup_url = gitlab.setup_url();
        gitlab.oauth2().redirect_uri(&setup_url)
    };
    assert_eq!(at(DEFAULT), gitlab().setup_url(), "the operator's registration at gitlab.com stays as it is");
    let own = at("https://git.example.com");
    assert!(own.starts_with(&gitlab().setup_url()) && own != gitlab().setup_url());
    for other in ["https://git.example.com/lab", "http://git.example.com", "https://gitlab.com:443"] {
        assert!(at(other) != own && at(other) != at(DEFAULT), "{other}");
    }
    let form = gitlab().post(&[("url", "https://Git.Example.com/")]).expect_form();
    assert!(form.errors["client-id"].ends_with(&format!("the redirect URI {own}")), "{:?}", form.errors);
}

#[test]
fn the_operators_secret_goes_to_gitlab_com_and_nowhere_else() {
    for url in
        ["http://gitlab.com", "https://gitlab.com:444", "https://gitlab.com.evil.example", "https://gitlab.com/x"]
    {
        let form = gitlab().post(&[("url", url)]).expect_form();
        assert!(form.errors["client-id"].contains("create an application"), "{url}");
    }
    let form = Harness::<GitLab>::new(json!({})).post(&[("url", DEFAULT)]).expect_form();
    assert!(form.errors.contains_key("client-id"), "the operator has no client either");
}

#[test]
fn a_wrong_address_is_asked_again_and_the_form_shows_no_secret() {
    for url in [
        "",
        "git.example.com",
        "ftp://git.example.com",
        "https://",
        "https:///x",
        "https://a@b",
        "https://a?b",
        "https://a#b",
        "https://a b",
    ] {
        let form = gitlab().post(&[("url", url), ("client-secret", "own-s3cret")]).expect_form();
        assert!(form.errors.contains_key("url"), "{url}");
        assert!(!form.values.values().any(|value| value.contains("s3cret")));
    }
}

#[test]
fn a_response_without_a_user_is_an_error_that_shows_no_token() {
    for response in [HttpResponse::new(401, r#"{"message": "glat-1 is revoked"}"#), HttpResponse::new(200, "{}")] {
        let mut gitlab = gitlab().mock("https://gitlab.com/api/v4/user", response);
        gitlab.post(&[("url", DEFAULT)]).assert_oauth2();
        let failure = gitlab.authorize(token_response()).expect_failure();
        assert!(failure.contains("no user") && !failure.contains("glat"), "{failure}");
    }
    let mut gitlab = gitlab();
    gitlab.post(&[("url", DEFAULT)]).assert_oauth2();
    assert!(gitlab.authorize(json!({})).expect_failure().contains("no access token"));
}
