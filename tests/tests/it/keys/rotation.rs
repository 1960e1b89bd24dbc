//! Keys of stored secrets: rotated while hosts serve, replaced line by line in the secret key file,
//! and rows that cannot be opened.

use std::{collections::BTreeSet, fmt::Write, fs};

use anyhow::{Context, Result};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_store::sealed_columns::SEALED_COLUMNS;
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
    stand_in::{Endpoint, Rotation},
    stand_in_slack::Install,
};
use jackfield_tidy::sources;
use reqwest::Method;

use crate::app::{TestApp, bare, redacted, redacted_with, slack_options};

#[test]
fn every_sealed_column_of_the_schema_is_sealed_anew_by_a_rotation() -> Result<()> {
    let files = sources("host/store/src")?;
    let schemas: Vec<_> = files.iter().filter(|(path, _)| path.ends_with("schema.rs")).collect();
    assert_eq!(schemas.len(), 2);
    let mut table = "";
    let mut in_schema = BTreeSet::new();
    for line in schemas.iter().flat_map(|(_, schema)| schema.lines()).map(str::trim) {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with('{')) {
            table = name;
        }
        if let Some((column, _)) = line.split_once(" -> ").filter(|(column, _)| column.starts_with("sealed_")) {
            in_schema.insert(format!("{table}.{column}"));
        }
    }
    // Wrapped with the secret key itself.
    assert!(in_schema.remove("seal_keys.sealed_key"));
    let listed: BTreeSet<String> =
        SEALED_COLUMNS.iter().map(|column| format!("{}.{}", column.table, column.name())).collect();
    assert_eq!(in_schema, listed);
    Ok(())
}

/// The data keys in `key status`.
fn data_keys(status: &str) -> Vec<&str> {
    status.lines().filter(|line| line.contains("  since ")).collect()
}

/// What `key rotate` prints, without how far it came and what the running host can have done first.
fn of_rotation(said: &str) -> String {
    let progress = [(r"(?m)^resealed     \d+\n", ""), (r"\d+ in all", "[count] in all"), (r"(?m)^removed .*\n?", "")];
    redacted_with(said, &progress)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_seals_everything_anew_while_the_host_serves() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        assert!(owner.install("acme", "slack").await?.dialog()?.success);
        let before = app.database().await?.integrations().await?;
        // One setup is running.
        let step = owner.start_setup("acme", "slack").await?;
        for _ in 0..2 {
            let said = app.host.run(&["key", "rotate"], "")?;
            allow_duplicates! {
                assert_snapshot!(of_rotation(&said), @"
                current key  [key]
                resealed     [count] in all
                ");
            }
            assert!(app.host.log()?.contains("keys are rotated"), "the running host has done it");
            let status = app.host.run(&["key", "status"], "")?;
            assert_eq!(data_keys(&status).len(), 1, "the old key is gone: {status}");
            allow_duplicates! {
                assert_snapshot!(redacted_with(&status, &[(r"(?m)\d+ values$", "[count] values")]), @"
                secret key (system.secret-key), newest line first
                  [key]  wraps 1 keys, 0 values under it
                data keys
                  [key]  current  since [date]  under [key]  [count] values
                ");
            }
        }
        assert_eq!(app.database().await?.integrations().await?[0].1, before[0].1);
        assert!(owner.visit(&owner.consent(&step).await?).await?.dialog()?.success, "the setup continues");
        assert_eq!(app.list_integrations(&owner).await?.len(), 1, "and the session");
        assert_eq!(app.host.run(&["key", "check"], "")?, "every sealed value can be opened");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_has_not_seen_a_rotation_reads_and_writes_under_the_new_key() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        // Another process with its own keyring, like a second host.
        let other = app.host.store().await?;
        other.load_keys().await?;
        let stale = other.sealer().current();
        app.host.run(&["key", "rotate"], "")?;
        assert!(owner.install("acme", "slack").await?.dialog()?.success);
        let stored = crate::app::AppDatabase::of(&app.host).await?;
        assert_eq!(stored.integrations().await?.len(), 1, "a key that is not known yet is looked up");
        assert_eq!(other.sealer().current(), stale);
        let sealed_under = other.write(|tx| Ok(tx.sealer().current())).await?;
        assert_ne!(sealed_under, stale, "every write uses the current key");
        assert_eq!(other.sealer().current(), sealed_under);
    }
    Ok(())
}

fn write_lines(host: &Host, lines: &[&str]) -> Result<()> {
    Ok(fs::write(host.folder().join("data/secret.key"), lines.join("\n") + "\n")?)
}

/// A thief with the old secret key and a copy of the database has none of the new keys.
fn assert_another_key(before: &str, after: &str) {
    let ids = |status| data_keys(status).into_iter().filter_map(|line: &str| line.split_whitespace().next()).collect();
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) = (ids(before), ids(after));
    assert!(after.len() == 1 && before.is_disjoint(&after), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_key_is_rotated_line_by_line() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    let old = fs::read_to_string(app.host.folder().join("data/secret.key"))?.trim().to_owned();
    let new = "n".repeat(44);

    write_lines(&app.host, &[&new])?;
    let (is_fine, said) = app.host.output(&["reload"])?;
    assert!(!is_fine, "an old line must not go first: {said}");
    assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    [folder]/jackfield.toml: system.secret-key: sealed values still need the key [key], which is not among these
      help: put that line back; run `jackfield key rotate --secret-key`, and remove it when `jackfield key status` says that it is not needed
    ");

    write_lines(&app.host, &[&new, &old])?;
    let (is_fine, said) = app.host.output(&["key", "rotate", "--secret-key"])?;
    assert!(!is_fine);
    assert_snapshot!(redacted(&said), @"
    error: the running host's newest secret key is [key], here it is [key]
      help: `jackfield reload` first, on every host, so that all have the new line
    ");
    app.host.run(&["reload"], "")?;
    let known = app.host.run(&["key", "status"], "")?;
    let said = app.host.run(&["key", "rotate", "--secret-key"], "")?;
    assert_snapshot!(redacted_with(&said, &[(r"(?m)^resealed +\d+\n", "")]), @"
    current key  [key]
    resealed     6 in all
    wrapped      2 data keys under the first line of system.secret-key
    removed      [key]
    ");
    let status = app.host.run(&["key", "status"], "")?;
    assert_snapshot!(redacted(&status), @"
    secret key (system.secret-key), newest line first
      [key]  wraps 1 keys, 0 values under it
      [key]  wraps 0 keys, 0 values under it  not needed any more: remove it from every host, in a quarter of an hour at the earliest
    data keys
      [key]  current  since [date]  under [key]  7 values
    ");
    assert_another_key(&known, &status);
    let said = app.host.run(&["audit", "verify"], "")?;
    assert_snapshot!(redacted_with(&said, &[(r"^\d+ rows", "[count] rows"), (r"head \d+", "head [count]")]), @"
    [count] rows, none changed
    head [count]:[digest]
    ");

    write_lines(&app.host, &[&new])?;
    app.host.run(&["reload"], "")?;
    assert_eq!(app.host.run(&["key", "check"], "")?, "every sealed value can be opened");
    assert_eq!(app.list_integrations(&owner).await?.len(), 1, "the session is still valid");
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    // What waits to be revoked is sealed too.
    app.database().await?.settled().await?;

    write_lines(&app.host, &[&old])?;
    let (is_fine, said) = app.host.output(&["key", "check"])?;
    assert!(!is_fine);
    assert_snapshot!(redacted(&said), @r#"
    seal_keys  [key]  the data key [key] is wrapped under another secret key: key id [key], this host has [key]
    identities  1 / U0ADA  a value was sealed under another secret key: key id [key], this host has [key]
    organization_integrations  1 / 1  a value was sealed under another secret key: key id [key], this host has [key]
    grants  1 / 0 / bot /   a value was sealed under another secret key: key id [key], this host has [key]
    audit_keys  1  a value was sealed under another secret key: key id [key], this host has [key]
    audit_keys  12  a value was sealed under another secret key: key id [key], this host has [key]
    configurations  [folder]/jackfield.toml  a value was sealed under another secret key: key id [key], this host has [key]
    sessions  [digest]  a value was sealed under another secret key: key id [key], this host has [key]
    [time]  WARN the data keys cannot be read again key.id="[key]" error=the data key [key] is wrapped under another secret key: key id [key], this host has [key]\n  help: put the secret key back that this database was made with, as a line of system.secret-key
    error: 8 sealed values cannot be opened
      help: authenticate again what they belong to, or put back the secret key they were sealed under
    "#);
    let host = bare().plugin("example").plugin("slack").toml(&slack_options(&app.slack, "v2"));
    let said = app.host.restart(host).err().context("it must not start")?.to_string();
    let at = said.rfind("system.secret-key").context("the key in the configuration")?;
    assert_snapshot!(redacted(&said[at..]), @"
    system.secret-key: [folder]/data/secret.key: this database's secrets are sealed under another secret key ([key]); with what is here ([key]) nothing could be opened
      help: put that key there: another host of this installation has it, or a backup. All hosts of one installation share one secret key
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_opened_costs_only_itself() -> Result<()> {
    let mut checks = String::new();
    for (damage, reason) in [
        ("X'01'", "a sealed value is truncated"),
        ("CAST(X'01deadbeef' || randomblob(60) AS BLOB)", "key id deadbeef"),
        ("(SELECT sealed_metadata FROM organization_integrations WHERE integration_id = 2)", "changed or moved"),
    ] {
        let app = TestApp::start().await?;
        let owner = app.log_in_as("owner").await?;
        let id = owner.install("acme", "slack").await?.dialog()?.data["id"].as_str().unwrap_or_default().to_owned();
        app.database().await?.fill(1).await?;
        let sql =
            format!("UPDATE organization_integrations SET sealed_metadata = {damage} WHERE integration_id = {id}");
        spoil(&app.host, &sql)?;

        let (is_fine, said) = app.host.output(&["key", "check"])?;
        assert!(!is_fine, "{said}");
        writeln!(checks, "{damage}\n{}", redacted(&said))?;
        assert_eq!(app.list_integrations(&owner).await?.len(), 2, "the list shows the others");
        let page = owner.visit(&format!("/organizations/acme/integrations/{id}/")).await?;
        assert!(page.status == 200 && page.text.contains("cannot decrypt"), "{}", page.text);
        assert!(app.host.log()?.contains(reason), "the log says why");
        let other = owner.visit("/organizations/acme/integrations/2/").await?;
        assert!(other.status == 200 && !other.text.contains("cannot decrypt"), "the other does not suffer");
        let said = app.host.run(&["key", "rotate"], "")?;
        allow_duplicates! {
            assert_snapshot!(of_rotation(&said), @"
            current key  [key]
            resealed     [count] in all
            note: 1 values cannot be opened and were left as they are; `jackfield key check` says which
            ");
        }

        assert!(owner.install("acme", "slack").await?.dialog()?.success, "authenticating again repairs it");
        assert_eq!(app.host.run(&["key", "check"], "")?, "every sealed value can be opened");
    }
    assert_snapshot!(checks, @"
    X'01'
    organization_integrations  1 / 1  a sealed value is truncated
    error: 1 sealed values cannot be opened
      help: authenticate again what they belong to, or put back the secret key they were sealed under

    CAST(X'01deadbeef' || randomblob(60) AS BLOB)
    organization_integrations  1 / 1  a value was sealed under another secret key: key id [key], this host has [key]
    error: 1 sealed values cannot be opened
      help: authenticate again what they belong to, or put back the secret key they were sealed under

    (SELECT sealed_metadata FROM organization_integrations WHERE integration_id = 2)
    organization_integrations  1 / 1  a sealed value was changed or moved (key id [key])
    error: 1 sealed values cannot be opened
      help: authenticate again what they belong to, or put back the secret key they were sealed under
    ");
    Ok(())
}

/// Reads one integration's tokens.
struct Reader {
    client: HttpClient,
    token: String,
    path: String,
}

impl Reader {
    async fn get(&self, path: &str, grant: &str) -> Result<HttpResponse> {
        let asked = self.client.request(Method::GET, &format!("{}{path}", self.path)).bearer_auth(&self.token);
        self.client.send(asked.header("jackfield-grant", grant)).await
    }

    /// Asserts that both ways to a grant give the reason, and that asking again does not help.
    async fn assert_unreadable(&self, grant: &str) -> Result<()> {
        let read = self.get(&format!("token/?grant={grant}"), grant).await?;
        assert_eq!(read.status, 500, "{}", read.text);
        let problem = redacted(&format!("{:#}", read.json()?));
        allow_duplicates! {
            assert_snapshot!(problem, @r#"
            {
              "code": "unreadable",
              "detail": "The stored value cannot be decrypted. Setting it up again helps that; the log has the cause.",
              "requestId": "[id]",
              "status": 500,
              "title": "Stored value unreadable",
              "type": "http://127.0.0.1:[port]/api/errors/#unreadable"
            }
            "#);
        }
        let used = self.get("proxy/auth.test", grant).await?;
        assert_eq!((used.status, used.header("jackfield-error")), (500, "unreadable"), "{}", used.text);
        Ok(())
    }

    async fn assert_readable(&self, grant: &str) -> Result<()> {
        let read = self.get(&format!("token/?grant={grant}"), grant).await?;
        assert_eq!(read.status, 200, "{grant}: {}", read.text);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_cannot_be_opened_costs_only_itself_and_says_so() -> Result<()> {
    for (damage, reason) in [
        ("X'01'", "a sealed value is truncated"),
        ("CAST(X'01deadbeef' || randomblob(60) AS BLOB)", "key id deadbeef"),
        ("(SELECT sealed_tokens FROM grants WHERE name = 'user')", "changed or moved (key id "),
    ] {
        let app = TestApp::start_with("v2", None, |host| host.toml("user-scopes = [\"search:read\"]")).await?;
        app.slack.behave(|behaviour| {
            (behaviour.rotation, behaviour.install) = (Rotation::ReuseDetected, Install::GridWorkspace);
        });
        let owner = app.log_in_as("owner").await?;
        let installed = owner.install("acme", "slack").await?.dialog()?;
        let id = installed.data["id"].as_str().context("an id")?;
        let token = app.host.token("acme", &["integrations:token", "org:read"])?.trim().to_owned();
        let path = format!("/api/0/organizations/acme/integrations/{id}/");
        let reader = Reader { client: HttpClient::new(&app.host.url), token, path };

        spoil(&app.host, &format!("UPDATE grants SET sealed_tokens = {damage} WHERE name = 'bot'"))?;
        reader.assert_unreadable("bot").await?;
        assert!(app.host.log()?.contains(reason), "the log says why: {}", app.host.log()?);
        spoil(&app.host, "UPDATE grants SET expires_at = 1 WHERE name = 'bot'")?;
        for _ in 0..2 {
            reader.assert_unreadable("bot").await?;
        }
        assert_eq!(app.slack.faults().requests(Endpoint::Refresh), 0, "no request goes to the provider");
        reader.assert_readable("user").await?;
        assert_eq!(app.list_integrations(&owner).await?.len(), 1);

        assert!(owner.install("acme", "slack").await?.dialog()?.success, "authenticating again repairs it");
        reader.assert_readable("bot").await?;
        assert_eq!(app.host.run(&["key", "check"], "")?, "every sealed value can be opened");
    }
    Ok(())
}

/// Changes a SQLite file without the host.
pub(crate) fn spoil(host: &Host, sql: &str) -> Result<()> {
    use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
    let file = host.folder().join("data/jackfield.db");
    let mut connection = SqliteConnection::establish(&file.display().to_string())?;
    connection.batch_execute("PRAGMA busy_timeout = 10000")?;
    Ok(connection.batch_execute(sql)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_crashes_leaves_no_core() -> Result<()> {
    let mut host = bare().start()?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", host.pid()))?;
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).context("a limit of cores")?;
    assert_eq!(cores.split_whitespace().nth(4), Some("0"), "{cores}");
    host.signal("ABRT")?;
    host.exit_code()?;
    let left: Vec<_> =
        fs::read_dir(host.folder())?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    assert!(left.iter().all(|name| !name.contains("core")), "{left:?}");
    Ok(())
}
