//! A person without an account connects one by the link of a session.

use anyhow::Result;
use jackfield_test_support::{http_client::HttpClient, postgres::databases};
use serde_json::json;

use super::program::Program;
use crate::{app::TestApp, audit::log::rows};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_without_an_account_connects_slack_and_the_session_is_used_up() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let program = Program::of(&app.host)?;
        let asked = json!({"providers": ["slack"], "subject": {"id": "c7", "name": "Ada's <b>shop</b>"}});
        let link = program.link(&asked).await?;
        let customer = HttpClient::new(&app.host.url);
        let opened = customer.visit(&link.path).await?;
        assert_eq!(opened.status, 200);
        assert!(opened.text.contains("Connect Slack") && !opened.text.contains("Example"), "{}", opened.text);
        assert!(opened.text.contains("Ada&#39;s &#60;b&#62;shop") && !opened.text.contains("<b>shop"));
        assert!(opened.header("set-cookie").starts_with("jackfield-connect=jfb_"));
        assert!(opened.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(opened.header("cross-origin-opener-policy"), "", "a page of another origin keeps its pop-up");
        assert_eq!(program.session(&link).await?["isHeld"], true);

        let step = link.begin(&customer, "slack").await?;
        let back = customer.consent(&step).await?;
        let end = customer.visit(&back).await?;
        assert!(end.text.contains("Slack is connected"), "{} {}", end.status, end.text);
        let session = program.session(&link).await?;
        let integrations = program.integrations().await?;
        assert_eq!(integrations.len(), 1);
        assert_eq!(
            (&session["status"], &session["connectedIntegration"]),
            (&json!("completed"), &integrations[0]["id"])
        );

        for path in [&link.path, &back] {
            assert!([404, 410].contains(&customer.visit(path).await?.status), "{path}: used up");
        }
        assert_eq!(link.choose(&customer, "slack").await?.status, 410);
        assert_eq!(program.integrations().await?.len(), 1);
        let rows = rows(&app.host)?;
        let install = rows.iter().find(|row| row["action"] == "install").expect("a row");
        assert_eq!(install["actor"]["kind"], "token");
        assert_eq!(
            (&install["detail"]["subject"], &install["detail"]["connect-session"]),
            (&json!("c7"), &json!(link.id))
        );
        assert!(!rows.iter().any(|row| row["action"] == "identity-link"), "nobody here has an account");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_setup_leaves_the_session_open_and_says_why() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let link = program.link(&json!({"providers": ["slack"]})).await?;
    let customer = HttpClient::new(&app.host.url);
    let step = link.begin(&customer, "slack").await?;
    let state = crate::attacks::parameter(step.redirect()?.as_str(), "state");
    let denied = customer.visit(&format!("/extensions/slack/setup/?error=access_denied&state={state}")).await?;
    assert!(denied.text.contains("Slack was not connected") && denied.text.contains("Try again"), "{}", denied.text);
    let session = program.session(&link).await?;
    assert_eq!((&session["status"], &session["failure"]), (&json!("open"), &json!("declined")));
    let status = customer.visit(&format!("{}status/", link.path)).await?.json()?;
    let failure = json!({"code": "denied", "detail": "Access was denied at the service."});
    assert_eq!(status, json!({"session": link.id, "status": "open", "failure": failure, "integration": null}));

    let again = customer.post(&format!("/connect/sessions/{}/providers/slack/", link.id), &[]).await?;
    let step = customer.visit(again.location.as_deref().unwrap_or_default()).await?;
    let back = customer.consent(&step).await?;
    assert!(customer.visit(&back).await?.text.contains("Slack is connected"));
    let status = customer.visit(&format!("{}status/", link.path)).await?.json()?;
    assert_eq!((&status["status"], &status["failure"]), (&json!("connected"), &json!(null)));
    assert_eq!(status["integration"]["provider"]["id"], "slack");
    assert_eq!(status["integration"]["config"], json!(null));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_logged_in_has_a_setup_of_their_own_beside_that_of_a_session() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let owner = app.log_in_as("owner").await?;
    let link = program.link(&json!({"providers": ["slack"], "subject": {"id": "c1"}})).await?;
    let own = owner.start_setup("acme", "slack").await?;
    let theirs = link.begin(&owner, "slack").await?;
    // The services' answers come in another order.
    let (own_back, their_back) = (owner.consent(&own).await?, owner.consent(&theirs).await?);
    let own_end = owner.visit(&own_back).await?;
    assert!(own_end.dialog()?.success, "{}", own_end.text);
    let their_end = owner.visit(&their_back).await?;
    assert!(their_end.text.contains("Slack is connected"), "{}", their_end.text);
    assert_eq!(program.session(&link).await?["status"], "completed");
    assert_eq!(owner.visit("/account/").await?.status, 200, "and is logged in as before");
    let rows = rows(&app.host)?;
    let kinds: Vec<_> = rows
        .iter()
        .filter(|row| row["action"] == "install" || row["action"] == "re-install")
        .map(|row| row["actor"]["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(kinds.len(), 2);
    assert!(kinds.contains(&"user".to_owned()) && kinds.contains(&"token".to_owned()), "{kinds:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_is_connected_again_and_no_other_account_in_its_place() -> Result<()> {
    let app = TestApp::start().await?;
    let program = Program::of(&app.host)?;
    let customer = HttpClient::new(&app.host.url);
    let first = program.link(&json!({"providers": ["example"]})).await?;
    let step = first.begin(&customer, "example").await?;
    assert!(step.text.contains("name=\"name\"") && step.text.contains("/closed/\">Cancel"), "{}", step.text);
    customer.post("/extensions/example/setup/", &[("name", "one")]).await?;
    let id = program.integrations().await?[0]["id"].clone();
    for (name, status) in [("two", "open"), ("one", "completed")] {
        let again = program.link(&json!({"integration": id})).await?;
        let opened = customer.visit(&again.path).await?;
        assert!(opened.text.contains("Reconnect Example") && !opened.text.contains("Slack"), "{}", opened.text);
        again.begin(&customer, "example").await?;
        customer.post("/extensions/example/setup/", &[("name", name)]).await?;
        assert_eq!(program.session(&again).await?["status"], status, "{name}");
    }
    assert_eq!(program.integrations().await?.len(), 1);
    Ok(())
}
