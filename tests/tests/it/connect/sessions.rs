//! Programs make, see and end connect sessions through the API.

use anyhow::{Context, Result};
use jackfield_test_support::{http_client::HttpResponse, postgres::databases};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{ApiClient, TestApp},
    audit::log::rows,
};

const SESSIONS: &str = "/api/0/organizations/acme/connect-sessions/";

fn program(app: &TestApp) -> Result<ApiClient> {
    Ok(ApiClient::with_token(&app.host, &app.host.token("acme", &["integrations:connect"])?))
}

async fn create(program: &ApiClient, body: &Value, key: Option<&str>) -> Result<HttpResponse> {
    let request = program.request(Method::POST, SESSIONS).json(body);
    program
        .send(match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_makes_a_session_sees_it_without_its_token_and_ends_it() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let program = program(&app)?;
        let body = json!({
            "providers": ["slack"], "subject": {"id": "c7", "name": "Ada"}, "tags": {"plan": "pro"},
            "options": {"name": "filled in"}, "expiresIn": 60,
        });
        let made = create(&program, &body, None).await?;
        assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.text);
        let made = made.json()?;
        let (id, token) = (made["id"].as_str().context("an id")?, made["token"].as_str().context("a token")?);
        assert!(token.starts_with("jfc_") && token.len() == 53, "{token}");
        assert_eq!(made["url"], format!("{}/connect/{token}/", app.host.url));
        assert_eq!(made.as_object().map(serde_json::Map::len), Some(4), "{made}");

        let one = program.get(&format!("{SESSIONS}{id}/")).await?;
        assert!(!one.text.contains(token) && !one.text.contains("filled in"), "{}", one.text);
        let one = one.json()?;
        assert_eq!((&one["status"], &one["providers"]), (&json!("open"), &json!(["slack"])));
        assert_eq!((&one["subject"], &one["tags"]), (&body["subject"], &body["tags"]));
        assert_eq!((&one["proof"], &one["expiresAt"]), (&json!("browser"), &made["expiresAt"]));
        for filter in ["", "?status=open", "?subject=c7"] {
            assert_eq!(program.get(&format!("{SESSIONS}{filter}")).await?.json()?, json!([one]), "{filter}");
        }
        assert_eq!(program.get(&format!("{SESSIONS}?subject=c8")).await?.json()?, json!([]));

        let path = format!("{SESSIONS}{id}/");
        for _ in 0..2 {
            assert_eq!(program.send(program.request(Method::DELETE, &path)).await?.status, 204);
        }
        assert_eq!(program.get(&path).await?.json()?["status"], "ended");
        assert_eq!(program.get(&format!("{SESSIONS}?status=open")).await?.json()?, json!([]));
        let rows = rows(&app.host)?;
        for action in ["connect-session-creation", "connect-session-end"] {
            let of = rows.iter().filter(|row| row["action"] == action).collect::<Vec<_>>();
            assert_eq!(of.len(), 1, "{action}: once");
            assert_eq!((&of[0]["actor"]["kind"], &of[0]["detail"]["subject"]), (&json!("token"), &json!("c7")));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_idempotency_key_makes_one_session_and_no_other_request_may_use_it() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let (program, other) = (program(&app)?, program(&app)?);
        let body = json!({"providers": ["slack"]});
        let same = (0..4).map(|_| create(&program, &body, Some("order-1")));
        let answers = futures_util::future::try_join_all(same).await?;
        let first = answers[0].json()?;
        for answer in &answers {
            assert_eq!((answer.status, answer.json()?), (201, first.clone()));
        }
        assert_ne!(
            create(&other, &body, Some("order-1")).await?.json()?["id"],
            first["id"],
            "a key is one token's own"
        );
        let reused = create(&program, &json!({"providers": ["example"]}), Some("order-1")).await?;
        assert_eq!((reused.status, &reused.json()?["code"]), (422, &json!("idempotency-key-reused")));
        assert_eq!(create(&program, &body, Some("a b")).await?.status, 400);
        let path = format!("{SESSIONS}{}/", first["id"].as_str().context("an id")?);
        assert_eq!(program.send(program.request(Method::DELETE, &path)).await?.status, 204);
        assert_eq!(create(&program, &body, Some("order-1")).await?.json()?, first, "also after its end");
        assert_eq!(program.get(SESSIONS).await?.json()?.as_array().map(Vec::len), Some(2));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_with_the_scope_makes_sessions_and_of_its_own_organization_alone() -> Result<()> {
    let app = TestApp::start().await?;
    let scopes = ["org:read", "org:write", "org:integrations", "integrations:proxy", "integrations:token"];
    let without = ApiClient::with_token(&app.host, &app.host.token("acme", &scopes)?);
    let refused = create(&without, &json!({}), None).await?;
    assert_eq!(refused.status, 403);
    assert!(refused.header("www-authenticate").contains("scope=\"integrations:connect\""));
    let program = program(&app)?;
    let made = create(&program, &json!({}), None).await?.json()?;
    app.host.organization("other")?;
    let stranger = ApiClient::with_token(&app.host, &app.host.token("other", &["integrations:connect"])?);
    let id = made["id"].as_str().context("an id")?;
    for path in [SESSIONS.to_owned(), format!("{SESSIONS}{id}/"), SESSIONS.replace("acme", "other") + id + "/"] {
        assert_eq!(stranger.get(&path).await?.status, 404, "{path}");
        if path != SESSIONS {
            assert_eq!(stranger.send(stranger.request(Method::DELETE, &path)).await?.status, 404, "{path}");
        }
    }
    for (role, status) in [("member", 403), ("manager", 201)] {
        let person = app.log_in_as(role).await?;
        assert_eq!(
            person.send(person.request(Method::POST, SESSIONS).json(&json!({}))).await?.status,
            status,
            "{role}"
        );
    }
    for (body, why) in [
        (json!({"providers": ["nothing"]}), "There is no provider `nothing`"),
        (json!({"integration": "999"}), "no integration with the id 999"),
        (json!({"origin": "https://app.example"}), "not among the allowed origins"),
        (json!({"returnUrl": "https://app.example/"}), "not among the allowed origins"),
        (json!({"proof": "log-in", "subject": {"id": "1"}}), "configured none"),
        (json!({"expiresIn": 1801}), "from 1 to 1800"),
    ] {
        let refused = create(&program, &body, None).await?;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.text.contains(why), "{}", refused.text);
    }
    Ok(())
}
