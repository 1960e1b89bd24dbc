//! How the database runs the statements of a host's life: none reads a whole table that grows.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result};
use jackfield_store::Store;
use jackfield_test_support::{
    host::{Host, HostBuilder, Program},
    stand_in::{Endpoint, Fault},
    stand_in_slack::StandInSlack,
};
use reqwest::Method;
use time::Duration;

use crate::app::{TestApp, add_example, log_in, program, slack_options};

/// Tables that grow with what people do, for as long as the host lives.
const GROWING: [&str; 27] = [
    "api_tokens",
    "audit_log",
    "connect_sessions",
    "deliveries",
    "delivery_attempts",
    "event_sequences",
    "events",
    "grant_shares",
    "grants",
    "identities",
    "identity_providers",
    "integration_tags",
    "integrations",
    "members",
    "organization_integrations",
    "organization_settings",
    "organizations",
    "outgoing_events",
    "received_events",
    "refreshes",
    "revocations",
    "sessions",
    "setups",
    "unlinked_integrations",
    "user_identities",
    "users",
    "webhooks",
];

/// Indexes that have only what waits for somebody: few rows, or none.
const SMALL: [&str; 3] = ["grants_unassigned", "integrations_with_metadata", "links_in_plain"];

/// Statements that may read a whole table, by what they begin with, and why.
const EXCEPTIONS: [(&str, &str); 12] = [
    ("CREATE ", "a migration, before the host serves"),
    ("UPDATE organization_integrations SET sort_name =", "a migration, before the host serves"),
    (
        "SELECT `organizations`.`id`, `organizations`.`slug`, `organizations`.`name` FROM `organizations` ORDER BY",
        "the operator lists all",
    ),
    ("SELECT `users`.`id`, `users`.`email`", "the operator lists all users"),
    ("SELECT `unlinked_integrations`.`id`", "by id, and so many at most"),
    ("SELECT CAST(", "a rotation of keys, so many rows at a time, by their keys"),
    ("SELECT id AS k0", "a rotation of keys, so many rows at a time, by their keys"),
    ("SELECT token_hash AS k0", "a rotation of keys, so many rows at a time, by their keys"),
    ("SELECT key_hash AS k0", "a rotation of keys, so many rows at a time, by their keys"),
    ("SELECT session_key AS k0", "a rotation of keys, so many rows at a time, by their keys"),
    ("SELECT substr(sealed_", "the operator asks under which keys values are sealed"),
    ("SELECT `revocations`.`id`", "the operator lists what is not revoked"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_a_life_reads_a_whole_table_that_grows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("statements");
    let (host, store) = live(&file).await?;
    let whole = store.read(|tx| tx.query_plan("SELECT id FROM grants WHERE reason = 'none'")).await?;
    assert!(whole.iter().any(|step| is_scan(step)), "one that does is found: {whole:?}");
    let mut found = BTreeSet::new();
    let statements = fs::read_to_string(&file)?;
    for sql in statements.lines().filter(|sql| is_explained(sql)) {
        let (wanted, asked) = (sql.to_owned(), sql.to_owned());
        let Ok(plan) = store.read(move |tx| tx.query_plan(&asked)).await else { continue };
        found.extend(plan.into_iter().filter(|step| is_scan(step)).map(|step| format!("{step}: {wanted}")));
    }
    drop(host);
    assert!(statements.lines().count() > 150, "a life has many statements");
    assert!(found.is_empty(), "{}", found.into_iter().collect::<Vec<_>>().join("\n"));
    let offsets: Vec<&str> = statements.lines().filter(|sql| sql.contains(" OFFSET ")).collect();
    assert_eq!(offsets, [""; 0], "a page begins where the one before has ended");
    Ok(())
}

fn is_explained(sql: &str) -> bool {
    let is_of_rows = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|verb| sql.starts_with(verb));
    is_of_rows && !reads_any_rows(sql) && !EXCEPTIONS.iter().any(|(beginning, _)| sql.starts_with(beginning))
}

/// Whether any rows will do, or none can be found.
fn reads_any_rows(sql: &str) -> bool {
    let is_any = !sql.contains(" WHERE ") && !sql.contains(" ORDER BY ") && sql.contains(" LIMIT ");
    is_any || sql.ends_with(" WHERE (1=0)")
}

/// Whether a step of a plan reads all of a table that grows.
fn is_scan(step: &str) -> bool {
    let Some(rest) = step.strip_prefix("SCAN ") else { return false };
    let table = rest.split(' ').next().unwrap_or_default();
    GROWING.contains(&table) && !SMALL.iter().any(|index| rest.contains(index))
}

/// A host's life, with all that runs beside it. Returns the host, whose folder ends with it, and
/// its database.
async fn live(file: &Path) -> Result<(Host, Store)> {
    let host = Program {
        path: "/usr/bin/env".into(),
        arguments: vec![format!("JACKFIELD_TESTS_STATEMENTS={}", file.display()), program().path.display().to_string()],
    };
    let slack = StandInSlack::start().await?;
    let options = slack_options(&slack, "v2");
    let builder = || HostBuilder::new(host.clone()).database(None).plugin("example").plugin("slack").toml(&options);
    let host = builder().start()?;
    host.organization("acme")?;
    let app = TestApp { host, slack };
    serve(&app).await?;
    let host = app.host.restart(builder())?;
    let commands: [&[&str]; 8] = [
        &["org", "list"],
        &["user", "list"],
        &["token", "list", "--organization", "acme"],
        &["key", "status"],
        &["key", "rotate"],
        &["audit", "verify"],
        &["revoke", "--status"],
        &["revoke", "--provider", "slack", "--yes", "--per-minute", "6000"],
    ];
    for command in commands {
        host.output(command)?;
    }
    // Once more: what a start looks for is done by now.
    let host = host.restart(builder())?;
    let _ = log_in(&host, "owner@example.com").await?;
    let store = host.store().await?;
    Ok((host, store))
}

/// What people and programs do.
async fn serve(app: &TestApp) -> Result<()> {
    let (owner, client) = app.install_rotating_slack().await?;
    let id = add_example(&owner, "acme", "Example").await?;
    add_example(&owner, "acme", "Another").await?;
    let page = owner.visit("/api/0/organizations/acme/integrations/?per_page=1").await?;
    let next = page.header("link").split_once('>').map(|(url, _)| url.trim_start_matches('<').to_owned());
    owner.visit(&next.context("a next page")?).await?;
    for path in [
        "/",
        "/organizations/acme/integrations/",
        "/organizations/acme/integrations/?search=exa",
        "/api/0/organizations/acme/integrations/?search=exa&per_page=1",
        "/api/0/organizations/acme/integrations/?subject=c1",
        "/api/0/organizations/acme/integrations/?search=exa&tag[plan]=pro&tag[region]=eu",
        "/api/0/organizations/acme/integrations/?subject=c1&tag[plan]=pro",
        &format!("/organizations/acme/integrations/{id}/"),
        &format!("/api/0/organizations/acme/integrations/{id}/"),
        "/organizations/acme/audit/",
        "/api/0/organizations/acme/audit/",
        "/account/",
        "/readyz",
    ] {
        assert!(owner.visit(path).await?.status < 400, "{path}");
    }
    client.get_token("").await?;
    client.proxy_get("auth.test").await?;
    let database = app.database().await?;
    app.slack.faults().next(Endpoint::Refresh, [Some(Fault::ServerError)]);
    for _ in 0..2 {
        database.let_live("T0STANDIN", "bot", Duration::seconds(-1)).await?;
        client.get_token("").await?;
        database.try_again_now("T0STANDIN").await?;
    }
    let path = format!("/api/0/organizations/acme/integrations/{id}/");
    let token = app.host.token("acme", &["org:integrations"])?;
    client.send(owner.request(Method::DELETE, &path).bearer_auth(token)).await?;
    owner.post("/auth/logout/", &[]).await?;
    Ok(())
}
