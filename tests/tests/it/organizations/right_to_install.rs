//! The right to install is read once more in the transaction that installs, and an operator can
//! keep an account to one organization.

use anyhow::Result;
use jackfield_store::revocations::{self, RevocationFilter};
use jackfield_test_support::{postgres::databases, stand_in_slack::TokenAnswer};

use super::two_organizations::{ALICE, BOB, TwoOrganizations, email};

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_right_during_a_setup_installs_nothing_and_the_tokens_are_revoked() -> Result<()> {
    for database in databases() {
        let app = TwoOrganizations::new(database, |host| host).await?;
        app.slack.behave(|behaviour| behaviour.token = TokenAnswer::Slow);
        let step = app.bob.start_setup("globex", "slack").await?;
        let back = app.bob.consent(&step).await?;
        let visit = tokio::spawn({
            let bob = app.bob.clone();
            async move { bob.visit(&back).await }
        });
        app.slack.token_requested().await;
        app.host.member("globex", &email("bob"), "member")?;
        app.slack.open_gate();
        let ended = visit.await??;
        assert_eq!(ended.status_and_location(), (302, "/"));
        assert!(app.host.log()?.contains("integrations.setup.access-denied"));
        let listed = app.globex.get("/api/0/organizations/globex/integrations/").await?.json()?;
        assert_eq!(listed, serde_json::json!([]));
        let log = app.globex.get("/api/0/organizations/globex/audit/?action=install").await?.json()?;
        assert_eq!((&log[0]["result"], &log[0]["detail"]["reason"]), (&"failed".into(), &"access-denied".into()));
        all_revoked(&app).await?;
    }
    Ok(())
}

/// Waits until Slack has no token that works.
async fn all_revoked(app: &TwoOrganizations) -> Result<()> {
    let store = app.host.store().await?;
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
    for _ in 0..600 {
        looks.tick().await;
        let open = store.read(|tx| revocations::unrevoked(tx, &RevocationFilter::default(), 100)).await?;
        if open.is_empty() && app.slack.tokens().live_access_tokens().is_empty() {
            return Ok(());
        }
    }
    anyhow::bail!("a token lives on")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_keeps_an_account_to_one_organization_and_the_second_is_not_told_to_which() -> Result<()> {
    for database in databases() {
        let apart = "[features]\n\"integrations:shared\" = false\n";
        let app = TwoOrganizations::new(database, |host| host.toml(apart)).await?;
        app.connect("acme", ALICE).await?;
        let refused = app.install("globex", BOB).await?;
        let dialog = refused.dialog()?;
        assert!(!dialog.success);
        assert!(dialog.detail().contains("Another organization on this host has connected this account"));
        assert!(!refused.text.contains("acme") && !refused.text.contains("alice"), "{}", refused.text);
        let listed = app.globex.get("/api/0/organizations/globex/integrations/").await?.json()?;
        assert_eq!(listed, serde_json::json!([]));
        let log = app.globex.get("/api/0/organizations/globex/audit/?action=install").await?.json()?;
        assert_eq!(log[0]["detail"]["reason"], "account-taken");
        app.connect("acme", ALICE).await?;
    }
    Ok(())
}
