//! The lists of available providers and installed integrations.

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::{http_client::HttpClient, postgres::databases};
use reqwest::Method;
use serde_json::json;

use crate::app::{TestApp, add_example, bare, log_line};

#[tokio::test(flavor = "multi_thread")]
async fn configured_providers_are_listed_with_their_dialog_and_config() -> Result<()> {
    let app = TestApp::start().await?;
    let token = app.host.token("acme", &["org:read"])?;
    let user = jackfield_test_support::http_client::HttpClient::new(&app.host.url);
    let request = user.request(Method::GET, "/api/0/organizations/acme/config/integrations/").bearer_auth(&token);
    let dialog =
        |id: &str| json!({"url": format!("/organizations/acme/integrations/{id}/setup/"), "width": 600, "height": 600});
    let expected = json!({"providers": [
        {
            "id": "example", "name": "Example", "setupDialog": dialog("example"),
            "config": [{"name": "name", "label": "Name", "type": "text", "required": true}],
        },
        {"id": "slack", "name": "Slack", "setupDialog": dialog("slack"), "config": []},
    ]});
    assert_eq!(user.send(request).await?.json()?, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_its_options_is_exposed_nowhere_and_the_operator_is_told_what_is_missing() -> Result<()> {
    let host = bare().plugin("example").plugin("slack").toml("[slack]\nclient-id = \"1.2\"").start()?;
    host.organization("acme")?;
    let app = TestApp { host, slack: jackfield_test_support::stand_in_slack::StandInSlack::start().await? };
    let owner = app.log_in_as("owner").await?;
    let listed = owner.visit("/api/0/organizations/acme/config/integrations/").await?.json()?;
    assert_eq!(listed["providers"].as_array().map(Vec::len), Some(1));
    assert_eq!(owner.visit("/organizations/acme/integrations/slack/setup/").await?.status, 404);
    assert_eq!(owner.visit("/extensions/slack/setup/").await?.status, 404);
    let page = owner.visit("/organizations/acme/integrations/").await?.text;
    assert!(!page.contains("data-name=\"Slack\"") && !page.contains("/slack/"), "{page}");
    assert_snapshot!(log_line(&app.host, "missing=\"client-secret\"")?, @r#"WARN a provider is not offered: it is not configured provider.id="slack" missing="client-secret""#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn installed_integrations_come_by_name_in_pages() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    for name in ["beta", "Alpha", "gamma", "alpha 2", "Delta"] {
        add_example(&owner, "acme", name).await?;
    }
    let mut path = "/api/0/organizations/acme/integrations/?per_page=2".to_owned();
    let mut names = Vec::new();
    let mut pages = 0;
    loop {
        let page = owner.visit(&path).await?;
        let rows = page.json()?.as_array().cloned().unwrap_or_default();
        assert!(rows.len() <= 2);
        names.extend(rows.iter().map(|row| row["name"].as_str().unwrap_or_default().to_owned()));
        pages += 1;
        let Some(next) = page.header("link").split_once('>').map(|(url, _)| url.trim_start_matches('<').to_owned())
        else {
            break;
        };
        assert!(page.header("link").contains("rel=\"next\""));
        path = next;
    }
    assert_eq!((pages, names), (3, ["Alpha", "alpha 2", "beta", "Delta", "gamma"].map(str::to_owned).to_vec()));
    for bad in ["per_page=0", "per_page=101", "per_page=x", "cursor=x"] {
        let response = owner.visit(&format!("/api/0/organizations/acme/integrations/?{bad}")).await?;
        assert_eq!(response.status, 400, "{bad}");
        assert!(response.json()?["detail"].is_string());
    }
    Ok(())
}

/// The names that the API lists, page by page.
async fn names(user: &HttpClient, path: &str) -> Result<Vec<String>> {
    let (mut path, mut names) = (path.to_owned(), Vec::new());
    loop {
        let page = user.visit(&path).await?;
        let rows = page.json()?.as_array().cloned().unwrap_or_default();
        names.extend(rows.iter().map(|row| row["name"].as_str().unwrap_or_default().to_owned()));
        match page.header("link").split_once('>') {
            Some((url, _)) => path = url.trim_start_matches('<').to_owned(),
            None => return Ok(names),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_what_a_name_begins_with_and_the_id_of_an_account() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        for name in ["beta", "Ökostrom", "ALPHA", "alpha 2", "Alp%", "Delta"] {
            add_example(&owner, "acme", name).await?;
        }
        let id = app.list_integrations(&owner).await?[0]["externalId"].as_str().unwrap_or_default().to_owned();
        let list = "/api/0/organizations/acme/integrations/";
        for (search, found) in [
            ("alp", vec!["Alp%", "ALPHA", "alpha 2"]),
            ("Alp%25", vec!["Alp%"]),
            ("%20alpha%202%20", vec!["alpha 2"]),
            ("%C3%96KO", vec!["Ökostrom"]),
            ("lpha", vec![]),
            (id.as_str(), vec!["Alp%"]),
            ("", vec!["Alp%", "ALPHA", "alpha 2", "beta", "Delta", "Ökostrom"]),
        ] {
            assert_eq!(names(&owner, &format!("{list}?search={search}&per_page=1")).await?, found, "{search}");
        }
        let page = owner.visit("/organizations/acme/integrations/?search=beta").await?.text;
        assert!(page.contains(">beta</a>") && !page.contains("Delta"), "{page}");
        let page = owner.visit("/organizations/acme/integrations/?search=%3Cb%3E").await?.text;
        assert!(page.contains("No integration found") && !page.contains("<b>"), "{page}");
    }
    Ok(())
}
