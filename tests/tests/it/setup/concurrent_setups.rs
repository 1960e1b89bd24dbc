//! Several setups at once, and repeated requests.

use anyhow::Result;
use futures_util::future::join_all;
use jackfield_test_support::postgres::databases;

use crate::app::{TestApp, add_example};

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_with_two_providers_do_not_disturb_each_other() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    owner.start_setup("acme", "example").await?;
    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;
    assert!(owner.visit("/extensions/example/setup/").await?.text.contains("name=\"name\""));
    assert!(owner.visit(&back).await?.dialog()?.success);
    assert!(owner.post("/extensions/example/setup/", &[("name", "one")]).await?.dialog()?.success);
    let names: Vec<_> = app.list_integrations(&owner).await?.iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["Analytical Engines", "one"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_of_the_same_provider_replaces_the_first() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let first = owner.start_setup("acme", "slack").await?;
    let old = owner.consent(&first).await?;
    let second = owner.start_setup("acme", "slack").await?;
    let new = owner.consent(&second).await?;
    assert!(owner.visit(&new).await?.dialog()?.success);
    assert_eq!(owner.visit(&old).await?.status_and_location(), (302, "/"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_submit_installs_once_and_shows_success_to_both() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let step = owner.start_setup("acme", "slack").await?;
        let back = owner.consent(&step).await?;
        app.slack.behave(|behaviour| behaviour.token = jackfield_test_support::stand_in_slack::TokenAnswer::Slow);
        let visits = join_all((0..5).map(|_| owner.visit(&back)));
        let open = async {
            app.slack.token_requested().await;
            // The others had the time of a whole token request to arrive. Those that come even
            // later are replays.
            app.slack.open_gate();
        };
        let (answers, ()) = tokio::join!(visits, open);
        let mut successes = 0;
        for response in answers {
            let response = response?;
            match response.status {
                200 => successes += usize::from(response.dialog()?.success),
                _ => assert_eq!(response.status_and_location(), (302, "/")),
            }
        }
        assert!(successes >= 1);
        assert_eq!(app.slack.token_requests().len(), 1, "the step ran once");
        assert_eq!(app.list_integrations(&owner).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_request_replayed_does_not_run_again() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    add_example(&owner, "acme", "one").await?;
    for name in ["one", "two"] {
        assert_eq!(
            owner.post("/extensions/example/setup/", &[("name", name)]).await?.status_and_location(),
            (302, "/")
        );
    }
    assert_eq!(app.list_integrations(&owner).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_finishing_at_once_leave_one_row_each() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let (owner, manager) = (app.log_in_as("owner").await?, app.log_in_as("manager").await?);
        let mut backs = Vec::new();
        for user in [&owner, &manager] {
            let step = user.start_setup("acme", "slack").await?;
            backs.push(user.consent(&step).await?);
        }
        let (one, other) = tokio::join!(owner.visit(&backs[0]), manager.visit(&backs[1]));
        assert!(one?.dialog()?.success && other?.dialog()?.success);
        let stored = app.database().await?;
        assert_eq!(stored.integrations().await?.len(), 1);
        for user in ["owner@example.com", "manager@example.com"] {
            assert_eq!(stored.identities(user).await?.len(), 1, "{user} has proved the account");
        }
    }
    Ok(())
}
