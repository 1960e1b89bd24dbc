//! People make links by hand, see the open ones, and end them.

use anyhow::{Context, Result};
use jackfield_test_support::{http_client::HttpClient, postgres::databases};
use serde_json::Value;

use crate::app::TestApp;

const PAGE: &str = "/organizations/acme/connect-links/";
const SESSIONS: &str = "/api/0/organizations/acme/connect-sessions/";

async fn open_links(owner: &HttpClient) -> Result<Vec<Value>> {
    let list = owner.visit(&format!("{SESSIONS}?status=open")).await?.json()?;
    Ok(list.as_array().cloned().context("a list")?)
}

/// What stands in a field of the page.
fn value_of<'a>(page: &'a str, field: &str) -> Result<&'a str> {
    let rest = page.split_once(field).with_context(|| format!("no {field} in {page}"))?.1;
    let value = rest.split_once("value=\"").context("a value")?.1;
    Ok(value.split_once('"').context("an end")?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_by_hand_shown_once_listed_and_ended() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let list = owner.visit("/organizations/acme/integrations/").await?;
        assert!(list.text.contains(PAGE), "the list leads there");
        let page = owner.visit(PAGE).await?;
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
        let key = value_of(&page.text, "name=\"key\"")?.to_owned();
        let form = [("key", key.as_str()), ("provider", "slack"), ("subject", "c7"), ("subject-name", "Ada <&>")];
        let made = owner.post(PAGE, &form).await?;
        assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.text);
        let link = value_of(&made.text, "id=\"link\"")?.to_owned();
        assert!(link.starts_with(&format!("{}/connect/jfc_", app.host.url)), "{link}");
        assert!(made.text.contains("Slack for Ada &#60;&#38;&#62;"), "{}", made.text);

        let again = owner.post(PAGE, &form).await?;
        assert_eq!(value_of(&again.text, "id=\"link\"")?, link, "a reload of the page makes no second link");
        let open = open_links(&owner).await?;
        assert_eq!(open.len(), 1);
        assert_eq!((&open[0]["subject"]["id"], &open[0]["createdBy"]), (&"c7".into(), &"owner@example.com".into()));

        let page = owner.visit(PAGE).await?.text;
        let token = link.trim_end_matches('/').rsplit('/').next().context("a token")?;
        assert!(page.contains("Not opened") && !page.contains(token), "{page}");
        let id = open[0]["id"].as_str().context("an id")?;
        let ended = owner.post(&format!("{PAGE}{id}/end/"), &[]).await?;
        assert_eq!(ended.status_and_location(), (302, PAGE));
        let page = owner.visit(PAGE).await?.text;
        assert!(page.contains("The link was ended.") && page.contains("No link is open."), "{page}");
        assert_eq!(owner.post(&format!("{PAGE}{id}/end/"), &[]).await?.status, 302, "a double click does no harm");
        assert_eq!(owner.post(&format!("{PAGE}999/end/"), &[]).await?.status, 404);
        assert_eq!(owner.post(&format!("{PAGE}x/end/"), &[]).await?.status, 404);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_link_is_said_and_nothing_typed_is_lost() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let cases = [
        (vec![("subject-name", "Ada")], "Enter the customer&#39;s ID too"),
        (vec![("provider", "nobody"), ("subject-name", "Ada"), ("subject", "c7")], "There is no provider"),
        (vec![("return-url", "https://evil.example/"), ("subject-name", "Ada"), ("subject", "c7")], "allowed origins"),
    ];
    for (form, words) in cases {
        let answer = owner.post(PAGE, &form).await?;
        assert_eq!(answer.status, 422, "{form:?}");
        assert!(answer.text.contains(words) && answer.text.contains("value=\"Ada\""), "{form:?}: {}", answer.text);
    }
    assert_eq!(open_links(&owner).await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_connect_accounts_makes_no_links() -> Result<()> {
    let app = TestApp::start().await?;
    let (owner, member) = (app.log_in_as("owner").await?, app.log_in_as("member").await?);
    owner.post(PAGE, &[]).await?;
    let id = open_links(&owner).await?[0]["id"].as_str().context("an id")?.to_owned();
    assert_eq!(member.visit(PAGE).await?.status, 403);
    assert_eq!(member.post(PAGE, &[]).await?.status, 403);
    assert_eq!(member.post(&format!("{PAGE}{id}/end/"), &[]).await?.status, 403);
    assert!(!member.visit("/organizations/acme/integrations/").await?.text.contains(PAGE));
    let stranger = HttpClient::new(&app.host.url);
    assert_eq!(stranger.visit(PAGE).await?.status, 302, "to the log-in");
    app.host.organization("other")?;
    assert_eq!(owner.visit("/organizations/other/connect-links/").await?.status, 404);
    assert_eq!(owner.post(&format!("/organizations/other/connect-links/{id}/end/"), &[]).await?.status, 404);
    assert_eq!(open_links(&owner).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_adding_is_turned_off_no_link_is_made() -> Result<()> {
    let app =
        TestApp::start_with("v2", None, |host| host.toml("[features]\n\"organizations:integrations-v3\" = false"))
            .await?;
    let owner = app.log_in_as("owner").await?;
    let page = owner.visit(PAGE).await?;
    assert!(page.status == 200 && page.text.contains("turned off"), "{}", page.text);
    assert_eq!(owner.post(PAGE, &[]).await?.status, 403);
    Ok(())
}
