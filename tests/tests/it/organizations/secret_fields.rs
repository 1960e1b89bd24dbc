//! The secret fields of an organization's configuration: sealed where they are stored, shown to
//! nobody, and kept when a form is saved without them.

use anyhow::{Context, Result};
use jackfield_store::{organization_integrations, organizations};
use jackfield_test_support::{http_client::HttpClient, postgres::databases};
use serde_json::{Value, json};

use crate::app::{ApiClient, PASSWORD, bare};

const SECRET: &str = "hunter2-of-a-configuration";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_a_configuration_is_sealed_and_shown_to_nobody_and_kept() -> Result<()> {
    for database in databases() {
        let host = bare().plugin("two_providers").database(database).start()?;
        host.organization("acme")?;
        host.user("owner@example.com", PASSWORD)?;
        host.member("acme", "owner@example.com", "owner")?;
        let owner = HttpClient::logged_in(&host.url, "owner@example.com", PASSWORD).await?;
        let installed = owner.start_setup("acme", "second").await?.dialog()?;
        let id = installed.data["id"].as_str().context("an id")?;
        let page = format!("/organizations/acme/integrations/{id}/");
        assert_eq!(owner.post(&page, &[("label", "one"), ("key", "")]).await?.status, 422, "it is needed once");
        assert_eq!(owner.post(&page, &[("label", "one"), ("key", SECRET)]).await?.status, 302);
        assert_eq!(owner.post(&page, &[("label", "two"), ("key", "")]).await?.status, 302, "empty: it stays");

        let token = host.token("acme", &["org:read", "org:write", "integrations:token"])?;
        let program = ApiClient::with_token(&host, &token);
        let shown = program.get(&format!("/api/0{page}")).await?.json()?;
        assert_eq!(shown["config"], json!({"label": "two", "key": true}));
        let again = owner.start_setup("acme", "second").await?;
        assert_eq!(again.dialog()?.data["config"], json!({"label": "two", "key": true}), "in the dialog's message too");
        let drawn = owner.visit(&page).await?;
        let log = program.get("/api/0/organizations/acme/audit/").await?;
        for text in [&drawn.text, &log.text, &again.text, &host.log()?] {
            assert!(!text.contains(SECRET), "{text}");
        }

        let store = host.store().await?;
        let (id, url) = (id.parse()?, host.settings()?.database.url.as_str().to_owned());
        let kept = store.write(move |tx| {
            let acme = organizations::by_slug(tx, "acme")?.expect("it was created").id;
            organization_integrations::change_config(tx, acme, id, Clone::clone)
        });
        let stored = kept.await?.context("it is linked")?.after;
        assert_eq!(Value::Object(stored), json!({"label": "two", "key": SECRET}), "it is there");
        if url.starts_with("sqlite") {
            for file in std::fs::read_dir(host.folder().join("data"))? {
                let path = file?.path();
                // The control socket is in the folder as well.
                let bytes = if path.is_file() { std::fs::read(path)? } else { Vec::new() };
                assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
            }
        }
    }
    Ok(())
}
