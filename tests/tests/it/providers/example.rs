//! The Example provider, from its form to the list.

use anyhow::Result;
use jackfield_test_support::postgres::databases;
use serde_json::json;

use crate::app::{TestApp, add_example};

#[tokio::test(flavor = "multi_thread")]
async fn example_asks_for_a_name_and_installs_it() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;

        let start = owner.visit("/organizations/acme/integrations/example/setup/?secret=never-passed-on").await?;
        assert_eq!(start.status_and_location(), (302, app.host.at("/extensions/example/setup/").as_str()));
        let form = owner.visit("/extensions/example/setup/").await?;
        assert!(
            form.status == 200 && form.text.contains(r#"name="name""#) && form.text.contains("<form method=\"POST\">")
        );
        let again = owner.post("/extensions/example/setup/", &[("name", "")]).await?;
        assert!(again.status == 200 && again.text.contains(r#"name="name""#), "it asks until a name is posted");

        let dialog = owner.post("/extensions/example/setup/", &[("name", "Ada's machine")]).await?.dialog()?;
        assert!(dialog.success);
        assert_eq!(dialog.origin, app.host.url);
        assert_eq!(
            vec![dialog.data.clone()],
            app.list_integrations(&owner).await?,
            "the dialog tells what the API shows"
        );
        assert_eq!(dialog.data["name"], "Ada's machine");
        assert_eq!(dialog.data["externalId"], "Ada's machine");
        assert_eq!(dialog.data["provider"], json!({"id": "example", "name": "Example"}));
        assert_eq!((&dialog.data["config"], &dialog.data["status"]), (&json!({}), &json!("active")));

        let stored = app.database().await?;
        let integrations = stored.integrations().await?;
        assert_eq!(integrations.len(), 1);
        assert!(integrations[0].1.is_empty(), "no metadata");
        assert!(stored.identities("owner@example.com").await?.is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_installed_can_be_read_and_removed() -> Result<()> {
    let app = TestApp::start().await?;
    let (owner, member) = (app.log_in_as("owner").await?, app.log_in_as("member").await?);
    owner.start_setup("acme", "example").await?;
    let id = owner.post("/extensions/example/setup/", &[("name", "one")]).await?.dialog()?.data["id"].clone();
    let path = format!("/api/0/organizations/acme/integrations/{}/", id.as_str().expect("ids are text"));
    assert_eq!(member.visit(&path).await?.json()?["name"], "one");
    let remove = |user: &jackfield_test_support::http_client::HttpClient| user.request(reqwest::Method::DELETE, &path);
    assert_eq!(member.send(remove(&member)).await?.status, 403);
    assert_eq!(owner.send(remove(&owner)).await?.status, 204);
    assert_eq!(owner.send(remove(&owner)).await?.status, 404);
    assert_eq!(owner.visit(&path).await?.status, 404);
    assert!(app.list_integrations(&owner).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_is_shared_until_the_last_organization_removes_it() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    app.host.organization("other")?;
    app.host.member("other", "owner@example.com", "owner")?;
    for organization in ["acme", "other"] {
        add_example(&owner, organization, "shared").await?;
    }
    let list = owner.visit("/api/0/organizations/other/integrations/").await?.json()?;
    assert_eq!(list[0]["id"], app.list_integrations(&owner).await?[0]["id"], "one integration, two links");
    let path = format!("/api/0/organizations/acme/integrations/{}/", list[0]["id"].as_str().expect("ids are text"));
    assert_eq!(owner.send(owner.request(reqwest::Method::DELETE, &path)).await?.status, 204);
    assert!(app.list_integrations(&owner).await?.is_empty());
    assert_eq!(owner.visit("/api/0/organizations/other/integrations/").await?.json()?[0]["name"], "shared");
    Ok(())
}
