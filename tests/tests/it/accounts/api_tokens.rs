//! Owners make and revoke tokens through the API.

use anyhow::{Context, Result};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{ApiClient, TestApp},
    audit::log::rows,
};

const TOKENS: &str = "/api/0/organizations/acme/tokens/";

async fn create(user: &HttpClient, body: &Value) -> Result<HttpResponse> {
    user.send(user.request(Method::POST, TOKENS).json(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_makes_a_token_sees_it_once_and_revokes_it() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let body = json!({"name": "crm", "scopes": ["org:read"], "expiresAt": "2999-01-01T00:00:00Z"});
        let made = create(&owner, &body).await?;
        assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.text);
        let made = made.json()?;
        let token = made["token"].as_str().context("its text")?;
        let mut listed = owner.visit(TOKENS).await?.json()?;
        let seen = listed[0].take();
        assert_eq!(seen["token"], Value::Null, "shown once");
        assert_eq!((&seen["id"], &seen["expiresAt"]), (&made["id"], &json!("2999-01-01T00:00:00Z")));
        assert_eq!((&seen["createdBy"], &seen["integrations"]), (&json!("owner@example.com"), &Value::Null));
        let client = ApiClient::with_token(&app.host, token);
        assert_eq!(client.get("/api/0/organizations/acme/integrations/").await?.status, 200);

        let one = format!("{TOKENS}{}/", made["id"].as_str().context("an id")?);
        let agent = owner.request(Method::DELETE, &one).header("user-agent", "a browser\tof sorts");
        let revoked = owner.send(agent).await?;
        assert_eq!((revoked.status, revoked.text.as_str()), (204, ""));
        assert_eq!(owner.send(owner.request(Method::DELETE, &one)).await?.status, 404);
        assert_eq!(client.get("/api/0/organizations/acme/integrations/").await?.status, 401);
        let rows = rows(&app.host)?;
        let row = rows.iter().find(|row| row["action"] == "token-revocation").context("a row")?;
        assert_eq!((&row["actor"]["name"], &row["organization"]), (&json!("owner@example.com"), &json!("acme")));
        let detail = &row["detail"];
        assert_eq!((&detail["address"], &detail["user-agent"]), (&json!("127.0.0.1"), &json!("a browserof sorts")));
        assert_eq!(detail["request"], revoked.header("x-request-id"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_may_and_no_token_makes_another() -> Result<()> {
    let app = TestApp::start().await?;
    let body = json!({"name": "crm", "scopes": ["org:read"]});
    for role in ["member", "admin", "manager"] {
        let user = app.log_in_as(role).await?;
        assert_eq!(user.visit(TOKENS).await?.status, 403, "{role}");
        assert_eq!(create(&user, &body).await?.status, 403, "{role}");
        assert_eq!(user.send(user.request(Method::DELETE, &format!("{TOKENS}1/"))).await?.status, 403, "{role}");
    }
    let all = ["org:read", "org:write", "org:integrations", "integrations:proxy", "integrations:token"];
    let client = ApiClient::with_token(&app.host, &app.host.token("acme", &all)?);
    assert_eq!(client.get(TOKENS).await?.status, 403);
    assert_eq!(client.send(client.request(Method::POST, TOKENS).json(&body)).await?.status, 403);
    assert_eq!(client.send(client.request(Method::DELETE, &format!("{TOKENS}1/"))).await?.status, 403);
    app.host.organization("other")?;
    app.host.user("eve@example.com", crate::app::PASSWORD)?;
    app.host.member("other", "eve@example.com", "owner")?;
    let eve = HttpClient::logged_in(&app.host.url, "eve@example.com", crate::app::PASSWORD).await?;
    assert_eq!(eve.visit(TOKENS).await?.status, 404, "an owner of another organization");
    let theirs = format!("{}1/", TOKENS.replace("acme", "other"));
    assert_eq!(eve.send(eve.request(Method::DELETE, &theirs)).await?.status, 404, "acme's token");
    assert_eq!(client.get("/api/0/organizations/acme/integrations/").await?.status, 200);
    assert_eq!(HttpClient::new(&app.host.url).visit(TOKENS).await?.status, 401);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nobody_could_have_wanted_is_a_problem_in_words() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let cases = [
        (json!({"name": "crm"}), "scopes"),
        (json!({"name": "crm", "scopes": []}), "at least one scope"),
        (json!({"name": "crm", "scopes": ["org:everything"]}), "There is no such scope; it must be one of org:read"),
        (json!({"name": "crm", "scopes": ["org:admin"]}), "it is for people"),
        (json!({"name": "", "scopes": ["org:read"]}), "the name is empty"),
        (json!({"name": "crm", "scopes": ["org:read"], "expires": "2999-01-01"}), "unknown field `expires`"),
        (json!({"name": "crm", "scopes": ["org:read"], "expiresAt": "tomorrow"}), "RFC 3339"),
        (
            json!({"name": "crm", "scopes": ["org:read"], "expiresAt": "2020-01-01T00:00:00Z"}),
            "the end of the token is past",
        ),
        (json!({"name": "crm", "scopes": ["org:read"], "integrations": ["x"]}), "numbers"),
        (json!({"name": "crm", "scopes": ["org:read"], "integrations": []}), "limited to no integration"),
        (json!({"name": "crm", "scopes": ["org:read"], "integrations": ["7"]}), "no integration with the id 7"),
    ];
    for (body, why) in cases {
        let refused = create(&owner, &body).await?;
        assert_eq!((refused.status, refused.header("content-type")), (400, "application/problem+json"), "{body}");
        assert_eq!(refused.header("jackfield-error"), "bad-request");
        let detail = refused.json()?["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(why), "{body}: {detail}");
    }
    let form = owner.post(TOKENS, &[("name", "crm")]).await?;
    assert_eq!((form.status, form.header("jackfield-error")), (415, "unsupported-media-type"));
    let elsewhere = owner.request(Method::POST, TOKENS).header("sec-fetch-site", "cross-site").json(&json!({}));
    assert_eq!(owner.send(elsewhere).await?.status, 403, "no other site makes a token");
    assert_eq!(owner.visit(TOKENS).await?.json()?, json!([]));
    Ok(())
}
