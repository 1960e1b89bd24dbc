//! The GitHub App, through a real host against a strict stand-in GitHub.

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    stand_in_github::{ANOTHERS, READABLE, StandInGitHub, THEIRS},
};
use serde_json::json;

use crate::app::{AppDatabase, bare, owner_of_acme};

async fn started() -> Result<(StandInGitHub, Host, HttpClient)> {
    let github = StandInGitHub::start().await?;
    let host = bare().plugin("github-app").toml(&github.options()).start()?;
    github.leads_back_to(host.at("/extensions/github-app/setup/"));
    let owner = owner_of_acme(&host).await?;
    Ok((github, host, owner))
}

/// Follows the host's redirect to GitHub's page, and returns the URL that leads back.
async fn back(owner: &HttpClient, away: &str) -> Result<String> {
    let page = owner.visit(away).await?;
    page.location.with_context(|| format!("GitHub leads back, and not: {}", page.text))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_installed_and_its_token_kept() -> Result<()> {
    let (_github, host, owner) = started().await?;
    let away = owner.start_setup("acme", "github-app").await?.redirect()?;
    let log_in = owner.visit(&back(&owner, away.as_str()).await?).await?.redirect()?;
    assert_eq!(log_in.path(), "/login/oauth/authorize");
    let dialog = owner.visit(&back(&owner, log_in.as_str()).await?).await?.dialog()?;
    assert!(dialog.success, "{:?}\n{}", dialog.data, host.log()?);
    let integrations = AppDatabase::of(&host).await?.integrations().await?;
    let (installed, metadata) = integrations.first().context("one is stored")?;
    assert_eq!(installed.integration.external_id, THEIRS.to_string());
    assert_eq!(installed.integration.name, "acme-on-github");
    let expected = json!({
        "installation_id": THEIRS, "permissions": {"contents": "read"}, "account_id": 9, "account_type": "Organization",
    });
    assert_eq!(json!(metadata), expected);
    let grants = AppDatabase::of(&host).await?.grants(&THEIRS.to_string()).await?;
    assert_eq!((grants[0].0.name.as_str(), grants[0].1.access_token.as_str()), ("installation", "ghs_7"));
    assert!(!host.log()?.contains("ghs_7") && !host.log()?.contains("ghu_ada"), "no token is in the log");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_claims_the_installation_of_another() -> Result<()> {
    let (_github, host, owner) = started().await?;
    let away = owner.start_setup("acme", "github-app").await?.redirect()?;
    let honest = back(&owner, away.as_str()).await?;
    let forged = honest.replace(&format!("installation_id={THEIRS}"), &format!("installation_id={ANOTHERS}"));
    let log_in = owner.visit(&forged).await?.redirect()?;
    let dialog = owner.visit(&back(&owner, log_in.as_str()).await?).await?.dialog()?;
    assert_eq!(dialog.detail(), "your GitHub account has no access to this installation");
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await
}

/// GitHub lists an installation to whoever may read one repository of it, and its token opens all.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_one_repository_does_not_get_the_organizations_installation() -> Result<()> {
    let (_github, host, owner) = started().await?;
    let away = owner.start_setup("acme", "github-app").await?.redirect()?;
    let honest = back(&owner, away.as_str()).await?;
    let readable = honest.replace(&format!("installation_id={THEIRS}"), &format!("installation_id={READABLE}"));
    let log_in = owner.visit(&readable).await?.redirect()?;
    let dialog = owner.visit(&back(&owner, log_in.as_str()).await?).await?.dialog()?;
    let refusal = "this installation belongs to others-on-github, and only an owner of others-on-github can connect it: \
                   ask one to do it";
    assert_eq!(dialog.detail(), refusal);
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_browser_has_begun_is_refused() -> Result<()> {
    let (_github, host, owner) = started().await?;
    let away = owner.start_setup("acme", "github-app").await?.redirect()?;
    let of_another = back(&owner, away.as_str()).await?;
    owner.start_setup("acme", "github-app").await?.redirect()?;
    let dialog = owner.visit(&of_another).await?.dialog()?;
    assert_eq!(dialog.detail(), "this installation was begun elsewhere: begin again here");
    AppDatabase::of(&host).await?.assert_nothing("owner@example.com").await
}
