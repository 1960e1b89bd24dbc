//! Who may set up what: every check of a setup, with its name.

use std::collections::BTreeSet;

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_store::organizations;
use jackfield_test_support::{http_client::HttpClient, postgres::databases};

use crate::app::{PASSWORD, TestApp, log_in, log_line};

const START: &str = "/organizations/acme/integrations/example/setup/";
const SETUP: &str = "/extensions/example/setup/";

#[tokio::test(flavor = "multi_thread")]
async fn members_and_admins_cannot_start_a_setup_managers_and_owners_can() -> Result<()> {
    let app = TestApp::start().await?;
    for (role, status) in [("member", 403), ("admin", 403), ("manager", 302), ("owner", 302)] {
        let user = app.log_in_as(role).await?;
        assert_eq!(user.visit(START).await?.status, status, "{role}");
        let providers = user.visit("/api/0/organizations/acme/config/integrations/").await?;
        assert_eq!(providers.status, 200, "{role} may look");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superuser_may_set_up_everywhere() -> Result<()> {
    let app = TestApp::start().await?;
    app.host.run(&["user", "create", "root@example.com", "--superuser", "--password-stdin"], PASSWORD)?;
    let root = log_in(&app.host, "root@example.com").await?;
    assert_eq!(root.visit(START).await?.status, 302);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_strangers_and_other_organizations_cannot_start() -> Result<()> {
    let app = TestApp::start().await?;
    app.host.organization("other")?;
    let owner = app.log_in_as("owner").await?;
    let nobody = HttpClient::new(&app.host.url);
    let expected = "/auth/login/?next=%2Forganizations%2Facme%2Fintegrations%2Fexample%2Fsetup%2F";
    assert_eq!(nobody.visit(START).await?.status_and_location(), (302, expected));
    assert_eq!(nobody.visit(SETUP).await?.status_and_location(), (302, "/"));
    assert_eq!(nobody.visit("/extensions/none/setup/").await?.status, 404);
    assert_eq!(owner.visit("/organizations/other/integrations/example/setup/").await?.status, 404);
    assert_eq!(owner.visit("/organizations/none/integrations/example/setup/").await?.status, 404);
    assert_eq!(owner.visit("/organizations/acme/integrations/none/setup/").await?.status, 404);
    assert_eq!(owner.visit("/extensions/none/setup/").await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_feature_off_nothing_starts() -> Result<()> {
    for value in ["false", "[\"other\"]"] {
        let toml = format!("[features]\n\"organizations:integrations-v3\" = {value}");
        let app = TestApp::start_with("v2", None, |host| host.toml(&toml)).await?;
        let owner = app.log_in_as("owner").await?;
        assert_eq!(owner.visit(START).await?.status_and_location(), (302, "/"), "{value}");
    }
    let app =
        TestApp::start_with("v2", None, |host| host.toml("[features]\n\"organizations:integrations-v3\" = [\"acme\"]"))
            .await?;
    assert_eq!(app.log_in_as("owner").await?.start_setup("acme", "example").await?.status, 200);
    Ok(())
}

/// Runs a setup whose access is lost between two steps, on each database. Returns its line in the
/// log.
async fn loses_access(lose: impl AsyncFn(&TestApp) -> Result<()>) -> Result<String> {
    let mut logged = BTreeSet::new();
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        owner.start_setup("acme", "example").await?;
        lose(&app).await?;
        let response = owner.post(SETUP, &[("name", "late")]).await?;
        assert_eq!(response.status_and_location(), (302, "/"));
        logged.insert(log_line(&app.host, "integrations.setup.access-denied")?);
        app.database().await?.assert_nothing("owner@example.com").await?;
    }
    assert_eq!(logged.len(), 1, "the same on each database: {logged:?}");
    Ok(logged.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_lost_between_two_steps_ends_the_setup() -> Result<()> {
    let logged = loses_access(async |app| app.host.member("acme", "owner@example.com", "member")).await?;
    assert_snapshot!(logged, @r#"INFO a setup may not go on reason=integrations.setup.access-denied setup.check="no-right" provider.id="example""#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_gone_between_two_steps_ends_the_setup() -> Result<()> {
    let logged = loses_access(async |app| {
        let store = app.host.store().await?;
        store.tamper("DELETE FROM organizations WHERE slug = 'acme'").await?;
        assert_eq!(store.read(|tx| organizations::by_slug(tx, "acme")).await?, None);
        Ok(())
    })
    .await?;
    assert_snapshot!(logged, @r#"INFO a setup may not go on reason=integrations.setup.access-denied setup.check="no-member" provider.id="example""#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_out_ends_the_setup() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    owner.start_setup("acme", "example").await?;
    assert_eq!(owner.post("/auth/logout/", &[]).await?.status, 302);
    assert_eq!(owner.post(SETUP, &[("name", "late")]).await?.status_and_location(), (302, "/"));
    owner.log_in("owner@example.com", PASSWORD).await?;
    assert_eq!(owner.post(SETUP, &[("name", "late")]).await?.status_and_location(), (302, "/"));
    assert_snapshot!(log_line(&app.host, "integrations.setup.missing-session-data")?, @r#"INFO a setup may not go on reason=integrations.setup.missing-session-data setup.check="none-under-way" provider.id="example""#);
    app.database().await?.assert_nothing("owner@example.com").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_setups_is_stopped_and_others_are_not() -> Result<()> {
    let app = TestApp::start().await?;
    let (owner, manager) = (app.log_in_as("owner").await?, app.log_in_as("manager").await?);
    let mut begun = 0;
    let stopped = loop {
        let response = owner.visit(START).await?;
        if response.status != 302 {
            break response;
        }
        begun += 1;
    };
    assert_eq!((begun, stopped.status), (300, 429));
    let wait: u32 = stopped.header("retry-after").parse()?;
    assert!((1..=900).contains(&wait) && stopped.text.contains("in a few minutes"), "{wait}: {}", stopped.text);
    assert_eq!(manager.visit(START).await?.status, 302);
    assert!(owner.post(SETUP, &[("name", "the last")]).await?.dialog()?.success, "a started setup continues");
    assert_eq!(owner.visit(START).await?.status, 302, "and makes room for another");
    Ok(())
}
