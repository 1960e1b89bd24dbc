//! The whole life of a token, on the command line.

use anyhow::{Context, Result};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_test_support::{host::Host, postgres::databases};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{ApiClient, TestApp, redacted, redacted_with},
    audit::log::rows,
};

const LIST: &str = "/api/0/organizations/acme/integrations/";

/// What a command prints as one JSON object per line.
pub(crate) fn json_lines(host: &Host, arguments: &[&str]) -> Result<Vec<Value>> {
    host.run(arguments, "")?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// What a command says that must fail.
pub(crate) fn failure(host: &Host, arguments: &[&str]) -> Result<String> {
    let (succeeded, said) = host.output(arguments)?;
    anyhow::ensure!(!succeeded, "{arguments:?} succeeded: {said}");
    Ok(redacted(&said))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_listed_used_and_revoked() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let scopes = ["--scope", "org:read", "integrations:proxy"];
        let create = [&["token", "create", "acme", "--name", "the crm", "--expires", "90d"], &scopes[..]].concat();
        let token = app.host.run(&create, "")?;
        assert_eq!((token.len(), token.starts_with("jf_")), (52, true), "prefix, 256 bits, checksum");
        let before = json_lines(&app.host, &["token", "list", "acme", "--json"])?;
        assert_eq!(before[0]["hint"], token[..8], "{before:?}");
        assert_eq!(before[0]["scopes"], json!(["org:read", "integrations:proxy"]));
        assert_eq!((&before[0]["lastUsedAt"], &before[0]["createdBy"]), (&Value::Null, &json!("operator")));
        let client = ApiClient::with_token(&app.host, &token);
        assert_eq!(client.get(LIST).await?.status, 200);
        let used = json_lines(&app.host, &["token", "list", "acme", "--json"])?;
        assert!(used[0]["lastUsedAt"].is_string(), "{used:?}");
        assert_eq!(client.get(LIST).await?.status, 200);
        assert_eq!(json_lines(&app.host, &["token", "list", "acme", "--json"])?, used, "noted once in a minute");

        let printed = app.host.run(&["token", "list", "acme"], "")?;
        assert!(!printed.contains(&token), "{printed}");
        let printed = redacted_with(printed.trim(), &[("jf_[0-9A-Za-z]{5}", "[hint]")]);
        allow_duplicates! {
            assert_snapshot!(printed, @r#"1 [hint]…  "the crm" scopes org:read,integrations:proxy integrations all by operator ends [time] used [time]"#);
        }
        let mistyped = format!("{}{}", &token[..51], if token.ends_with('x') { 'y' } else { 'x' });
        assert_eq!(ApiClient::with_token(&app.host, &mistyped).get(LIST).await?.status, 401);

        let id = before[0]["id"].as_str().context("an id")?;
        assert_eq!(app.host.run(&["token", "revoke", "acme", id], "")?, format!("revoked token {id} \"the crm\""));
        let refused = client.get(LIST).await?;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer error=\"invalid_token\""));
        assert!(json_lines(&app.host, &["token", "list", "acme", "--json"])?.is_empty());
        let rows = rows(&app.host)?;
        let of = |action: &str| rows.iter().find(|row| row["action"] == action).map(|row| row["detail"].clone());
        let made = of("token-creation").context("a row")?;
        assert_eq!((&made["name"], &made["token"]), (&json!("the crm"), &json!(id)));
        assert_eq!(of("token-revocation"), Some(made));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_makes_no_sense_fails_in_words() -> Result<()> {
    let app = TestApp::start().await?;
    app.host.organization("other")?;
    let token = app.host.token("other", &["org:read"])?;
    let said = failure(&app.host, &["token", "revoke", "acme", "1", "99"])?;
    assert_snapshot!(said, @"
    error: acme has no tokens with the ids 1, 99
      help: `jackfield token list acme` shows its tokens
    ");
    let create =
        |more: &[&str]| failure(&app.host, &[&["token", "create", "acme", "--name", "crm", "--scope"], more].concat());
    assert_snapshot!(create(&["org:read", "--expires", "2020-01-01"])?, @"error: the end of the token is past");
    assert_snapshot!(create(&["org:read", "--expires", "soon"])?, @"
    error: invalid value 'soon' for '--expires <TIME>': it must be a time like 90d, 12h or 30m, a date like [date], or a time of RFC 3339

    For more information, try '--help'.
    ");
    assert_snapshot!(create(&["org:read", "--integration", "7"])?, @"error: the organization has no integration with the id 7");
    assert_snapshot!(create(&["org:read", "--integration", "slack"])?, @"
    error: invalid value 'slack' for '--integration <ID>...': it must be a number, the id that a list shows

    For more information, try '--help'.
    ");
    assert_snapshot!(create(&["org:admin"])?, @"error: no token can have the scope `org:admin`: it is for people");
    assert_snapshot!(failure(&app.host, &["token", "list", "nobody"])?, @"
    error: there is no organization with the slug nobody
      help: `jackfield org list` shows the organizations
    ");
    let other = ApiClient::with_token(&app.host, &token);
    assert_eq!(other.get("/api/0/organizations/other/integrations/").await?.status, 200, "nothing is revoked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_token_opens_its_integrations_and_nothing_else() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let open = owner.install("acme", "slack").await?.dialog()?.data["id"].as_str().context("an id")?.to_owned();
        owner.start_setup("acme", "example").await?;
        let installed = owner.post("/extensions/example/setup/", &[("name", "closed")]).await?.dialog()?;
        let closed = installed.data["id"].as_str().context("an id")?;
        let scopes = ["org:read", "org:integrations", "integrations:proxy", "integrations:token"];
        let create = ["token", "create", "acme", "--name", "crm", "--integration", &open, "--scope"];
        let token = app.host.run(&[&create[..], &scopes[..]].concat(), "")?;
        let client = ApiClient::with_token(&app.host, &token);

        let listed = client.get(LIST).await?.json()?;
        let ids: Vec<&Value> = listed.as_array().context("a list")?.iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, [&json!(open)]);
        for (below, status) in [("", 200), ("grants/", 200), ("token/", 200), ("proxy/auth.test", 200)] {
            let got = client.get(&format!("{LIST}{open}/{below}")).await?;
            assert_eq!(got.status, status, "{below}: {}", got.text);
            let got = client.get(&format!("{LIST}{closed}/{below}")).await?;
            assert_eq!((got.status, got.header("jackfield-error")), (404, "not-found"), "{below}: {}", got.text);
        }
        let remove = client.request(Method::DELETE, &format!("{LIST}{closed}/"));
        assert_eq!(client.send(remove).await?.status, 404);
        for below in ["audit/", "revocations/", "tokens/"] {
            let got = client.get(&format!("/api/0/organizations/acme/{below}")).await?;
            assert_eq!((got.status, got.header("jackfield-error")), (403, "forbidden"), "{below}");
        }
        assert_eq!(app.list_integrations(&owner).await?.len(), 2);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_may_not_read_a_token_and_who_may_read_may_call() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let id = owner.install("acme", "slack").await?.dialog()?.data["id"].as_str().context("an id")?.to_owned();
    for (scope, token_status, proxy_status) in [("integrations:proxy", 403, 200), ("integrations:token", 200, 200)] {
        let client = ApiClient::with_token(&app.host, &app.host.token("acme", &[scope])?);
        let read = client.get(&format!("{LIST}{id}/token/")).await?;
        let called = client.get(&format!("{LIST}{id}/proxy/auth.test")).await?;
        assert_eq!((read.status, called.status), (token_status, proxy_status), "{scope}");
        assert_eq!(client.get(LIST).await?.status, 403, "a scope opens its own row only");
    }
    let refused = app.host.token("acme", &["org:read"])?;
    let refused = ApiClient::with_token(&app.host, &refused).get(&format!("{LIST}{id}/proxy/x")).await?;
    assert!(refused.header("www-authenticate").ends_with("scope=\"integrations:proxy\""), "{:?}", refused.headers);
    Ok(())
}
