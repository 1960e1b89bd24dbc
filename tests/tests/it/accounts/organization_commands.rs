//! The whole life of an organization, on the command line.

use anyhow::{Context, Result};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_test_support::postgres::databases;
use serde_json::json;

use super::token_commands::{failure, json_lines};
use crate::{
    app::{ApiClient, TestApp, redacted},
    audit::log::rows,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_is_renamed() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let user = app.log_in_as("owner").await?;
        app.host.organization("other")?;
        let renamed = app.host.run(&["org", "rename", "acme", "--slug", "acme-labs", "--name", "Acme Labs"], "")?;
        assert_eq!(renamed, "renamed acme to acme-labs \"Acme Labs\"");
        assert_eq!(user.visit("/organizations/acme-labs/integrations/").await?.status, 200);
        assert_eq!(user.visit("/organizations/acme/integrations/").await?.status, 404);
        let listed = json_lines(&app.host, &["org", "list", "--json"])?;
        let ours = json!({"slug": "acme-labs", "name": "Acme Labs", "members": 1, "tokens": 0, "integrations": 0});
        assert_eq!(listed[0], ours);
        let printed = app.host.run(&["org", "list"], "")?;
        let taken = failure(&app.host, &["org", "rename", "other", "--slug", "acme-labs"])?;
        let nothing = failure(&app.host, &["org", "rename", "other"])?;
        let gone = failure(&app.host, &["org", "rename", "acme", "--name", "x"])?;
        allow_duplicates! {
            assert_snapshot!([printed, taken, nothing, gone].join("\n"), @r#"
            acme-labs "Acme Labs" members 1 tokens 0 integrations 0
            other "other Inc" members 0 tokens 0 integrations 0
            error: there is an organization with the slug acme-labs already

            error: nothing to change
              help: say what with --name or --slug

            error: there is no organization with the slug acme
              help: `jackfield org list` shows the organizations
            "#);
        }
        let rows = rows(&app.host)?;
        let row = rows.iter().find(|row| row["action"] == "organization-change").context("a row")?;
        assert_eq!((&row["organization"], &row["detail"]["slug-before"]), (&json!("acme-labs"), &json!("acme")));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_is_removed_with_all_it_has_and_that_is_revoked() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let user = app.log_in_as("owner").await?;
        app.host.organization("other")?;
        app.host.member("other", "owner@example.com", "owner")?;
        let installed = user.install("acme", "slack").await?.dialog()?;
        let client = ApiClient::of_integration(&app.host, &installed.data)?;
        let token = client.access_token("").await?;
        assert!(app.slack.tokens().live_access_tokens().contains(&token));

        let said = app.host.run(&["org", "remove", "acme", "--dry-run"], "")?;
        allow_duplicates! {
            assert_snapshot!(redacted(&said), @r#"
            organization   acme "acme Inc"
            members        1
            API tokens     1
            integrations   1

            provider       slack
            organizations  1
            integrations   1, removed
            grants         1
            revoked        by a way of the plugin's own, or not at all: no revocation endpoint is known
            "#);
        }
        assert_eq!(client.get(&client.path).await?.status, 200, "a dry run changes nothing");
        assert!(failure(&app.host, &["org", "remove", "acme"])?.contains("say --yes"));
        let said = app.host.run(&["org", "remove", "acme", "--yes", "--per-minute", "6000"], "")?;
        assert!(said.ends_with("removed organization acme"), "{said}");
        assert!(!app.slack.tokens().live_access_tokens().contains(&token), "{said}");
        assert_eq!(client.get(&client.path).await?.status, 401, "its tokens open nothing");
        assert_eq!(user.visit("/organizations/acme/integrations/").await?.status, 404);
        assert_eq!(user.visit("/organizations/other/integrations/").await?.status, 200);
        assert!(
            failure(&app.host, &["org", "remove", "acme", "--yes"])?.contains("no organization with the slug acme")
        );
        let rows = rows(&app.host)?;
        let of = |action: &str| rows.iter().find(|row| row["action"] == action).map(|row| row["detail"].clone());
        assert_eq!(of("organization-change"), Some(json!({"change": "closed", "members": 1, "tokens": 1})));
        assert_eq!(of("organization-removal"), Some(json!({"name": "acme Inc"})));
        assert!(app.host.run(&["audit", "verify"], "")?.contains("none changed"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_organization_also_has_stays_theirs() -> Result<()> {
    let app = TestApp::start().await?;
    let user = app.log_in_as("owner").await?;
    app.host.organization("other")?;
    app.host.member("other", "owner@example.com", "owner")?;
    for organization in ["acme", "other"] {
        assert!(user.install(organization, "slack").await?.dialog()?.success);
    }
    let said = app.host.run(&["org", "remove", "acme", "--yes", "--per-minute", "6000"], "")?;
    assert!(said.contains("other organizations use them too, and keep theirs"), "{said}");
    let left = user.visit("/api/0/organizations/other/integrations/").await?.json()?;
    assert_eq!((left[0]["status"].as_str(), left.as_array().map(Vec::len)), (Some("active"), Some(1)));
    Ok(())
}
