//! Limits of each provider: the size of a call, how many are kept, and how many come in a minute.

use anyhow::Result;
use jackfield_test_support::postgres::databases;
use serde_json::json;

use super::inbox_app::{InboxApp, SECRET, github, push, signing};

async fn limited(database: Option<String>, limits: &str) -> Result<InboxApp> {
    InboxApp::start(database, &format!("[inbox]\n{limits}\n{}", signing("github")?), &["github"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_not_stored() -> Result<()> {
    let app = limited(None, "max-bytes = 1024").await?;
    let body = json!({"repository": {"owner": {"id": 1}}, "text": "x".repeat(1024)}).to_string();
    assert_eq!(app.github_calls("d-1", &body).await?, 413);
    assert_eq!(app.github_calls("d-2", &push(1)).await?, 200);
    assert_eq!(app.deliveries("acme").await?, ["d-2"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_go_where_there_are_too_many() -> Result<()> {
    for database in databases() {
        let app = limited(database, "max-events = 3").await?;
        for number in 0..6 {
            assert_eq!(app.github_calls(&format!("d-{number}"), &push(1)).await?, 200);
        }
        assert_eq!(app.deliveries("acme").await?, ["d-3", "d-4", "d-5"]);
    }
    Ok(())
}

/// Strangers do not use up what the service has.
#[tokio::test(flavor = "multi_thread")]
async fn more_in_a_minute_are_refused_for_now_and_only_signed_ones_count() -> Result<()> {
    let app = limited(None, "max-per-minute = 2").await?;
    let (url, body) = (app.events_url("github"), push(1));
    for _ in 0..5 {
        assert_eq!(app.call(&url, &github("other", "d-0", &body), &body).await?.status, 401);
    }
    assert_eq!(app.github_calls("d-1", &push(1)).await?, 200);
    assert_eq!(app.github_calls("d-2", &push(1)).await?, 200);
    let third = app.call(&url, &github(SECRET, "d-3", &body), &body).await?;
    assert_eq!((third.status, third.header("retry-after")), (429, "1"));
    assert_eq!(app.deliveries("acme").await?, ["d-1", "d-2"]);
    Ok(())
}
