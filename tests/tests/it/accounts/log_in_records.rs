//! Log-ins, refused log-ins and log-outs are in the audit log, and strangers do not fill it.

use std::time::Duration;

use anyhow::{Result, bail};
use insta::assert_snapshot;
use jackfield_test_support::{host::Host, http_client::HttpClient, postgres::databases};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{PASSWORD, TestApp, redacted},
    audit::log::rows,
};

const ADA: &str = "ada@example.com";
/// Believes what the test says of its clients.
const TRUSTED: &str = "trusted-proxies = [\"127.0.0.1\"]";

/// Rows of log-ins and log-outs.
fn records(host: &Host) -> Result<Vec<Value>> {
    Ok(rows(host)?.into_iter().filter(|row| ["log-in", "log-out"].iter().any(|one| row["action"] == *one)).collect())
}

/// Refused log-ins, once there are so many rows: they are written after the answer.
async fn refused(host: &Host, count: usize) -> Result<Vec<Value>> {
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..200 {
        looks.tick().await;
        let found: Vec<_> = records(host)?.into_iter().filter(|row| row["result"] == "refused").collect();
        if found.len() >= count {
            return Ok(found);
        }
    }
    bail!("{:?}", records(host)?)
}

async fn tries(host: &Host, email: &str, password: &str, from: &str) -> Result<u16> {
    let user = HttpClient::new(&host.url);
    let form = [("email", email), ("password", password)];
    let request = user.request(Method::POST, "/auth/login/").form(&form).header("user-agent", "curl/8");
    Ok(user.send(request.header("x-forwarded-for", from)).await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_and_a_log_out_say_who_from_where_and_by_which_request() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host.system(TRUSTED)).await?;
        app.host.user(ADA, PASSWORD)?;
        let user = HttpClient::new(&app.host.url);
        let through_proxy = |path: &str, id: &str| {
            let request = user.request(Method::POST, path).header("user-agent", "Browser/7");
            request.header("x-forwarded-for", "203.0.113.9").header("x-request-id", id)
        };
        let form = [("email", ADA), ("password", PASSWORD)];
        let logged_in = user.send(through_proxy("/auth/login/", "from-the-proxy-1").form(&form)).await?;
        assert_eq!((logged_in.status, logged_in.header("x-request-id")), (302, "from-the-proxy-1"));
        let forged = user.send(through_proxy("/auth/logout/", "a b\"c")).await?;
        let ours = forged.header("x-request-id");
        assert!(ours.len() == 16 && ours.bytes().all(|byte| byte.is_ascii_hexdigit()), "{ours}");
        let told = records(&app.host)?;
        let who = |row: &Value| (row["action"].clone(), row["actor"]["name"].clone(), row["result"].clone());
        assert_eq!(
            told.iter().map(who).collect::<Vec<_>>(),
            [(json!("log-in"), json!(ADA), json!("ok")), (json!("log-out"), json!(ADA), json!("ok")),]
        );
        let detail = |request: &str| json!({"address": "203.0.113.9", "user-agent": "Browser/7", "request": request});
        assert_eq!((&told[0]["detail"], &told[1]["detail"]), (&detail("from-the-proxy-1"), &detail(ours)));
        assert!(told.iter().all(|row| row["organization"].is_null()), "a user is the host's");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_id_of_a_request_is_not_taken() -> Result<()> {
    let app = TestApp::start().await?;
    let user = HttpClient::new(&app.host.url);
    let request = user.request(Method::GET, "/healthz").header("x-request-id", "forged");
    assert_ne!(user.send(request).await?.header("x-request-id"), "forged");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_log_ins_are_counted_by_account_and_address_and_a_name_that_nobody_has_is_cut() -> Result<()> {
    let app = TestApp::start_with("v2", None, |host| host.system(TRUSTED)).await?;
    app.host.user(ADA, PASSWORD)?;
    for _ in 0..3 {
        assert_eq!(tries(&app.host, "ADA@example.com", "wrong", "203.0.113.9").await?, 401);
    }
    assert_eq!(tries(&app.host, "Correct horse battery", "wrong", "203.0.113.9").await?, 401);
    refused(&app.host, 2).await?;
    let host = app.host.restart(crate::app::bare().plugin("example").system(TRUSTED))?;
    let told: Vec<Value> = records(&host)?;
    let said = |row: &Value| {
        let detail = &row["detail"];
        format!(
            "{} {} {} {}",
            row["actor"]["kind"],
            row["result"],
            row["count"],
            json!({
                "account": detail["account"], "tried": detail["tried"], "reason": detail["reason"],
                "address": detail["address"], "agent": detail["user-agent"],
            })
        )
    };
    let mut told: Vec<String> = told.iter().map(said).collect();
    told.sort();
    assert_snapshot!(redacted(&told.join("\n")), @r#"
    "visitor" "refused" 1 {"account":"ada@example.com","address":"203.0.113.9","agent":"curl/8","reason":"wrong","tried":null}
    "visitor" "refused" 1 {"account":null,"address":"203.0.113.9","agent":"curl/8","reason":"wrong","tried":"cor…"}
    "visitor" "refused" 2 {"account":"ada@example.com","address":"203.0.113.9","agent":"curl/8","reason":"wrong","tried":null}
    "#);
    let printed = host.run(&["audit", "list"], "")?.to_lowercase();
    assert!(!printed.contains("battery"), "people type their password there: {printed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refused_log_ins_from_everywhere_is_some_rows() -> Result<()> {
    let app = TestApp::start_with("v2", None, |host| host.system(TRUSTED)).await?;
    for n in 0..60 {
        tries(&app.host, &format!("nobody-{n}@example.com"), "wrong", &format!("198.51.100.{n}")).await?;
    }
    refused(&app.host, 31).await?;
    let host = app.host.restart(crate::app::bare().plugin("example").system(TRUSTED))?;
    let told = records(&host)?;
    let total: i64 = told.iter().filter_map(|row| row["count"].as_i64()).sum();
    assert_eq!(total, 60, "all are counted: {told:?}");
    // A minute may begin meanwhile.
    assert!(told.len() <= 2 * 32 + 2, "{}", told.len());
    Ok(())
}
