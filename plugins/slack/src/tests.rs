//! Both dialects of Slack, through the harness.

use jackfield_plugin::{HttpRequest, HttpResponse, RevokeRequest, Revoked};
use jackfield_plugin_test::Harness;
use serde_json::{Value, json};

use super::*;

fn slack(api: &str) -> Harness<Slack> {
    Harness::new(json!({"client-id": "1.2", "client-secret": "s3cret", "api": api}))
}

fn build(api: &str, data: Value) -> Result<Integration> {
    slack(api).with_state("data", data).build_integration()
}

#[test]
fn each_dialect_has_its_endpoints_and_scopes() {
    let v1 = slack("v1").oauth2();
    assert_eq!(v1.authorize_url, "https://slack.com/oauth/authorize");
    assert_eq!(v1.token_url, "https://slack.com/api/oauth.access");
    assert_eq!(v1.scopes.join(&v1.scope_separator), "bot chat:write:bot commands team:read");
    let v2 = slack("v2").oauth2();
    assert_eq!(v2.authorize_url, "https://slack.com/oauth/v2/authorize");
    assert_eq!(v2.token_url, "https://slack.com/api/oauth.v2.access");
    assert_eq!(v2.scopes.join(&v2.scope_separator), "chat:write,commands,team:read");
    assert!(!v1.pkce && !v2.pkce, "older compatible servers refuse what they do not know");
}

#[test]
fn v2_is_the_default_and_endpoints_can_be_set() {
    let oauth2 = Harness::<Slack>::new(json!({"authorize-url": "https://a/", "token-url": "https://t/"})).oauth2();
    assert_eq!((oauth2.authorize_url.as_str(), oauth2.token_url.as_str()), ("https://a/", "https://t/"));
    assert_eq!(oauth2.scope_separator, ",");
}

#[test]
fn its_api_is_beside_the_token_endpoint() {
    let api = |options: Value| Slack::new(serde_json::from_value(options).expect("options")).api();
    assert_eq!(api(json!({})), Some(ServiceApi::new("https://slack.com/api/")));
    let elsewhere = json!({"token-url": "https://mm.example/slack/api/oauth.v2.access"});
    assert_eq!(api(elsewhere), Some(ServiceApi::new("https://mm.example/slack/api/")));
}

#[test]
fn scopes_of_bot_and_person_can_be_set() {
    let options = json!({"scopes": ["chat:write"], "user-scopes": ["search:read", "users:read"]});
    let oauth2 = Harness::<Slack>::new(options).oauth2();
    assert_eq!(oauth2.scopes, ["chat:write"]);
    assert_eq!(oauth2.authorize_parameters, [("user_scope".to_owned(), "search:read,users:read".to_owned())]);
    assert!(slack("v2").oauth2().authorize_parameters.is_empty());
}

#[test]
fn without_a_client_it_is_not_configured_and_says_what_is_missing() {
    assert_eq!(Harness::<Slack>::new(json!({})).missing_options(), ["client-id", "client-secret"]);
    assert!(slack("v2").missing_options().is_empty());
}

#[test]
fn a_v1_answer_becomes_integration_and_identity() {
    let data = json!({
        "ok": true, "access_token": "xoxp-1", "scope": "team:read,bot,commands", "team_id": "T1", "team_name": "Acme",
        "user_id": "U1", "bot": {"bot_user_id": "B1", "bot_access_token": "xoxb-1"},
    });
    let integration = build("v1", data).expect("an answer as Slack gives it");
    assert_eq!((integration.external_id.as_str(), integration.name.as_deref()), ("T1", Some("Acme")));
    let scopes = json!(["bot", "commands", "team:read"]);
    let metadata = json!({"bot_access_token": "xoxb-1", "bot_user_id": "B1", "scopes": scopes});
    assert_eq!(Value::Object(integration.metadata), metadata);
    let identity = integration.identity.expect("v1 names the user");
    assert_eq!((identity.identity_type.as_str(), identity.instance.as_str()), ("slack", "slack.com"));
    assert_eq!((identity.external_id.as_str(), json!(identity.scopes)), ("U1", scopes));
    assert_eq!(Value::Object(identity.data), json!({"access_token": "xoxp-1"}));
}

/// A response of `oauth.v2.access` with some changes.
fn v2_answer(changes: &Value) -> Value {
    let mut answer = json!({
        "ok": true, "access_token": "xoxb-2", "token_type": "bot", "scope": "team:read,chat:write", "bot_user_id": "B2",
        "app_id": "A2", "team": {"id": "T2", "name": "Acme"}, "enterprise": null, "is_enterprise_install": false,
        "authed_user": {"id": "U2"},
    });
    for (key, value) in changes.as_object().expect("changes are an object") {
        answer[key] = value.clone();
    }
    answer
}

#[test]
fn a_v2_answer_becomes_integration_and_identity() {
    let integration = build("v2", v2_answer(&json!({}))).expect("an answer as Slack gives it");
    assert_eq!((integration.external_id.as_str(), integration.name.as_deref()), ("T2", Some("Acme")));
    let metadata = json!({
        "bot_access_token": "xoxb-2", "bot_user_id": "B2", "scopes": ["chat:write", "team:read"], "app_id": "A2",
        "team_id": "T2",
    });
    assert_eq!(Value::Object(integration.metadata), metadata);
    let identity = integration.identity.expect("v2 names the user");
    assert_eq!((identity.instance.as_str(), identity.external_id.as_str()), ("T2", "U2"));
    assert!(identity.scopes.is_empty() && identity.data.is_empty());
}

#[test]
fn an_enterprise_install_is_keyed_by_the_enterprise() {
    let enterprise = json!({"id": "E1", "name": "Acme Group"});
    let changes = json!({"team": null, "enterprise": enterprise, "is_enterprise_install": true});
    let integration = build("v2", v2_answer(&changes)).expect("an enterprise install");
    assert_eq!((integration.external_id.as_str(), integration.name.as_deref()), ("E1", Some("Acme Group")));
    assert_eq!(integration.metadata["enterprise_id"], "E1");
    assert_eq!(integration.identity.expect("the user").instance, "E1");
}

#[test]
fn a_user_only_install_has_the_users_token_and_no_bot() {
    let user = json!({"id": "U2", "scope": "search:read", "access_token": "xoxp-2", "token_type": "user"});
    let changes = json!({"access_token": null, "scope": null, "bot_user_id": null, "authed_user": user});
    let integration = build("v2", v2_answer(&changes)).expect("a user-only install");
    assert_eq!(integration.metadata["scopes"], json!([]));
    assert!(!integration.metadata.contains_key("bot_access_token"));
    let identity = integration.identity.expect("the user");
    assert_eq!(
        (json!(identity.scopes), identity.data["access_token"].clone()),
        (json!(["search:read"]), json!("xoxp-2"))
    );
}

#[test]
fn bot_and_user_have_grants_of_their_own_and_with_rotation_refresh_tokens_of_their_own() {
    let user = json!({"id": "U2", "scope": "search:read", "access_token": "xoxe.xoxp-1", "refresh_token": "xoxe-u", "expires_in": 43200});
    let changes =
        json!({"access_token": "xoxe.xoxb-1", "refresh_token": "xoxe-b", "expires_in": 43200, "authed_user": user});
    let integration = build("v2", v2_answer(&changes)).expect("an install with rotation");
    let bot = Grant::new("bot", "xoxe.xoxb-1").refresh_token("xoxe-b").expires_in(43200);
    let user = Grant::new("user", "xoxe.xoxp-1").refresh_token("xoxe-u").expires_in(43200).subject("U2");
    let expected = [bot.scopes(["team:read", "chat:write"]).of_the_account(), user.scopes(["search:read"])];
    assert_eq!(integration.grants.as_deref(), Some(expected.as_slice()));
    assert!(!Value::Object(integration.metadata).to_string().contains("xoxe-b"), "refresh tokens stand in grants only");
    let plain = build("v2", v2_answer(&json!({}))).expect("an install without rotation");
    assert_eq!(
        plain.grants,
        Some(vec![Grant::new("bot", "xoxb-2").scopes(["team:read", "chat:write"]).of_the_account()])
    );
}

#[test]
fn the_bot_is_the_workspaces_and_a_persons_token_never_is() {
    let of_account = |changes: Value| {
        let grants = build("v2", v2_answer(&changes)).expect("an install").grants.unwrap_or_default();
        grants.into_iter().map(|grant| (grant.name, grant.is_of_account)).collect::<Vec<_>>()
    };
    assert_eq!(of_account(json!({})), [("bot".to_owned(), true)]);
    assert_eq!(of_account(json!({"token_type": "user"})), [("bot".to_owned(), false)]);
    let person = json!({"authed_user": {"id": "U2", "scope": "search:read", "access_token": "xoxp-2"}});
    assert_eq!(of_account(person), [("bot".to_owned(), true), ("user".to_owned(), false)]);
}

#[test]
fn an_incomplete_install_is_an_error_that_shows_no_token() {
    for changes in [
        json!({"ok": false}),
        json!({"team": null}),
        json!({"team": {"id": ""}}),
        json!({"authed_user": null}),
        json!({"authed_user": {"id": ""}}),
        json!({"access_token": null}),
        json!({"access_token": ""}),
    ] {
        let error = build("v2", v2_answer(&changes)).expect_err("no install").to_string();
        assert!(!error.contains("xox"), "{error}");
    }
    let nobody = json!({
        "ok": true, "access_token": "xoxp-1", "scope": "", "team_id": "T1", "team_name": "Acme", "user_id": "",
        "bot": {"bot_user_id": "B1", "bot_access_token": "xoxb-1"},
    });
    let refused = build("v2", json!({"ok": false, "error": "invalid_code", "authed_user": {"id": "U"}}));
    assert_eq!(refused.expect_err("not ok").to_string(), "Slack answered: invalid_code");
    for data in [nobody, json!({"ok": true}), json!({}), json!("text")] {
        assert!(build("v1", data).is_err());
    }
}

fn grants() -> Vec<Grant> {
    let user = Grant::new("user", "xoxe.xoxp-1").refresh_token("xoxe-u").subject("U1");
    vec![Grant::new("bot", "xoxe.xoxb-1").refresh_token("xoxe-b"), user]
}

/// Revokes while Slack answers these methods with status and body. Returns the calls in order, and
/// the result.
fn revoke(request: RevokeRequest, answers: &[(&str, u16, Value)]) -> (Vec<String>, Result<Revoked>) {
    let mock = |slack: Harness<Slack>, (method, status, body): &(&str, u16, Value)| {
        let answer = HttpResponse::new(*status, body.to_string()).with_header("retry-after", "30");
        slack.mock(format!("https://slack.com/api/{method}"), answer)
    };
    let mut slack = answers.iter().fold(slack("v2"), mock);
    let revoked = slack.revoke(request);
    let bearer = |request: &HttpRequest| {
        let found = request.headers.iter().find(|(name, _)| name == "authorization");
        found.map_or("", |(_, value)| value.trim_start_matches("Bearer ")).to_owned()
    };
    let call = |request: &HttpRequest| {
        let method = request.url.rsplit('/').next().unwrap_or_default();
        format!("{method} {} {}", bearer(request), String::from_utf8_lossy(&request.body)).trim_end().to_owned()
    };
    (slack.requests().iter().map(call).collect(), revoked)
}

fn uninstall() -> RevokeRequest {
    RevokeRequest::uninstall("T1", State::new(), grants())
}

fn error(code: &str) -> Value {
    json!({"ok": false, "error": code})
}

#[test]
fn an_uninstall_uninstalls_the_app_and_with_it_every_token() {
    let (calls, revoked) = revoke(uninstall(), &[("apps.uninstall", 200, json!({"ok": true}))]);
    assert_eq!(calls, ["apps.uninstall xoxe.xoxb-1 client_id=1.2&client_secret=s3cret"]);
    assert_eq!(revoked.expect("done"), Revoked::done("apps.uninstall: ok"));
}

#[test]
fn if_the_app_cannot_be_uninstalled_each_token_is_revoked() {
    for refusal in ["is_bot", "no_permission", "client_id_token_mismatch"] {
        let ok = || ("auth.revoke", 200, json!({"ok": true, "revoked": true}));
        let (calls, revoked) = revoke(uninstall(), &[("apps.uninstall", 200, error(refusal)), ok(), ok()]);
        assert_eq!(calls[1..], ["auth.revoke xoxe.xoxb-1", "auth.revoke xoxe.xoxp-1"]);
        let words = format!("apps.uninstall: {refusal}, auth.revoke of bot: ok, auth.revoke of user: ok");
        assert_eq!(revoked.expect("done"), Revoked::done(words));
    }
}

#[test]
fn a_dead_token_counts_as_revoked_and_another_error_is_tried_again() {
    let user = || RevokeRequest::for_grants("T1", State::new(), vec![Grant::new("user", "xoxp-1").subject("U1")]);
    for dead in ["token_revoked", "account_inactive", "invalid_auth"] {
        let (_, revoked) = revoke(user(), &[("auth.revoke", 200, error(dead))]);
        assert_eq!(revoked.expect("done"), Revoked::done(format!("auth.revoke of user: {dead}")));
    }
    for (status, body) in [(200, error("fatal_error")), (503, json!("down")), (200, json!([]))] {
        assert!(revoke(user(), &[("auth.revoke", status, body)]).1.is_err());
    }
    let (_, revoked) = revoke(user(), &[("auth.revoke", 429, error("ratelimited"))]);
    assert_eq!(revoked.expect("later"), Revoked::retry_after("auth.revoke of user: ratelimited", 30));
}

#[test]
fn an_expired_token_is_refreshed_so_that_its_refresh_token_does_not_live_on() {
    let refreshed = json!({"ok": true, "access_token": "xoxe.xoxb-2"});
    let uninstalled = |body| ("apps.uninstall", 200, body);
    let answers =
        [uninstalled(error("token_expired")), ("oauth.v2.access", 200, refreshed), uninstalled(json!({"ok": true}))];
    let (calls, revoked) = revoke(uninstall(), &answers);
    assert!(
        calls[1].contains("refresh_token=xoxe-b") && calls[2].starts_with("apps.uninstall xoxe.xoxb-2"),
        "{calls:?}"
    );
    assert_eq!(revoked.expect("done"), Revoked::done("apps.uninstall: ok"));
}

#[test]
fn a_refreshed_token_is_used_to_the_end_since_the_refresh_token_works_once() {
    let refreshed = |kind: &str| json!({"ok": true, "access_token": format!("xoxe.{kind}-2")});
    let exchange = |kind| ("oauth.v2.access", 200, refreshed(kind));
    let expired = |method| (method, 200, error("token_expired"));
    let revoked = || ("auth.revoke", 200, json!({"ok": true, "revoked": true}));
    for (refusal, word) in [
        (("apps.uninstall", 200, error("no_permission")), "no_permission"),
        (("apps.uninstall", 429, error("ratelimited")), "ratelimited"),
        (("apps.uninstall", 503, json!("down")), "Slack answered status 503"),
    ] {
        let first = [expired("apps.uninstall"), exchange("xoxb"), refusal, revoked()];
        let second = [expired("auth.revoke"), exchange("xoxp"), revoked()];
        let (calls, result) = revoke(uninstall(), &[&first[..], &second].concat());
        assert_eq!(calls[3..5], ["auth.revoke xoxe.xoxb-2", "auth.revoke xoxe.xoxp-1"], "{calls:?}");
        assert_eq!(calls[6..], ["auth.revoke xoxe.xoxp-2"], "{calls:?}");
        let words = format!("apps.uninstall: {word}, auth.revoke of bot: ok, auth.revoke of user: ok");
        assert_eq!(result.expect("every token is dead"), Revoked::done(words));
    }
}

#[test]
fn a_used_refresh_token_does_not_mean_that_its_tokens_are_dead() {
    let bot = RevokeRequest::uninstall("T1", State::new(), grants()[..1].to_vec());
    let expired = |method| (method, 200, error("token_expired"));
    let used = ("oauth.v2.access", 200, error("invalid_refresh_token"));
    let (calls, revoked) = revoke(bot, &[expired("apps.uninstall"), used, expired("auth.revoke")]);
    let words = "apps.uninstall: invalid_refresh_token, auth.revoke of bot: token_expired";
    assert!(revoked.expect_err("it may work on").to_string().ends_with(words), "{calls:?}");
}

#[test]
fn a_refused_token_keeps_no_other_alive() {
    let both = || RevokeRequest::for_grants("T1", State::new(), grants());
    let revoked = || ("auth.revoke", 200, json!({"ok": true, "revoked": true}));
    let (calls, result) = revoke(both(), &[("auth.revoke", 200, error("fatal_error")), revoked()]);
    assert_eq!(calls, ["auth.revoke xoxe.xoxb-1", "auth.revoke xoxe.xoxp-1"]);
    let words = "auth.revoke of bot: fatal_error, auth.revoke of user: ok";
    assert!(result.expect_err("one lives").to_string().ends_with(words));
    let (_, result) = revoke(both(), &[("auth.revoke", 429, error("ratelimited")), revoked()]);
    let words = "auth.revoke of bot: ratelimited, auth.revoke of user: ok";
    assert_eq!(result.expect("later"), Revoked::retry_after(words, 30));
}

#[test]
fn while_the_workspace_is_connected_its_bot_stays_in_its_channels() {
    let replaced = RevokeRequest::for_grants("T1", State::new(), grants()).still_connected();
    let (calls, revoked) = revoke(replaced, &[("auth.revoke", 200, json!({"ok": true, "revoked": true}))]);
    assert_eq!(calls, ["auth.revoke xoxe.xoxp-1"]);
    assert_eq!(revoked.expect("done"), Revoked::done("auth.revoke of user: ok"));
    // The grant of a failed setup has the host's own name, and is nevertheless a bot's.
    for name in ["bot", "access"] {
        let bot = RevokeRequest::for_grants("T1", State::new(), vec![Grant::new(name, "xoxb-1")]).still_connected();
        assert_eq!(revoke(bot, &[]).1.expect("done"), Revoked::done("nothing to revoke"));
    }
}
